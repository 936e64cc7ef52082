"""Finished runs side by side: figures, class table, charts, matrix with threshold, and the pictures behind a click."""

from __future__ import annotations

from typing import Any, cast

import gradio as gr

from dashboard.engine import Engine
from dashboard.metrics.losses import LOSSES
from dashboard.selection import ALL
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, toast
from dashboard.tabs.results import Results, orders, unless_same
from dashboard.views import ChartView, DetailView, FiguresView, GalleryView, MatrixView, TableView
from dashboard.views.strings import t


def results_panel(engine: Engine, app: App, task: str) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = Results(engine, task)
    state = gr.State({"runs": [], "focus": 0, "of": 0, "selection": dict(ALL), "label": None, "kind": "", "most": 0})
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=4, label=t("ui.runs"), elem_id="cls-runs", scale=5, min_width=320
        )
        focus = gr.Radio([], label=t("ui.focus"), elem_id="cls-focus", interactive=True, scale=4, min_width=280)
    figures = FiguresView(elem_id="cls-figures")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            table = TableView(elem_id="cls-table")
        with gr.Column(scale=4, min_width=320):
            kind = gr.Radio([], show_label=False, container=False, elem_id="cls-kind", interactive=True)
            chart = ChartView(elem_id="cls-chart")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            matrix = MatrixView(elem_id="cls-matrix")
        with gr.Column(scale=4, min_width=320):
            with gr.Row(elem_classes="lp-tools"):
                sort = gr.Dropdown(
                    cast(Any, orders(["dataset", *LOSSES])),
                    value="cross_entropy",
                    label=t("ui.sort"),
                    elem_id="cls-sort",
                    min_width=150,
                    scale=3,
                )
                gamma = gr.Number(
                    2.0,
                    step=0.5,
                    label=t("ui.gamma"),
                    elem_id="cls-gamma",
                    min_width=70,
                    scale=1,
                )
                errors = gr.Checkbox(False, label=t("ui.errors"), elem_id="cls-errors", min_width=90, scale=2)
            gallery = GalleryView(elem_id="cls-gallery")
            csv = gr.Button(t("ui.csv"), size="sm", elem_id="cls-csv")
            file = gr.DownloadButton(visible="hidden", elem_id="cls-csv-file")
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="cls-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="cls-how")
    detail = DetailView(elem_id="cls-detail")

    order: list[Any] = [sort, gamma, errors]
    everything = [state, focus, figures, table, matrix, chart, kind, gallery, more, how, detail, sort]
    app.on_load.append((toast(do.opened), [], [runs, *everything]))
    focus.input(toast(do.chosen), [runs, focus, *order], everything, **LATEST)
    runs.change(toast(unless_same(do.chosen)), [state, runs, focus, *order], everything, **EVENT)
    kind.input(toast(do.on_kind), [state, kind], [state, chart], **LATEST)
    picked = table.select(toast(do.on_class), [state, *order], [state, gallery], **PICK)
    picked.success(toast(do.class_views), state, [chart, matrix], **LATEST)
    matrix.select(toast(do.on_cell), [state, *order], [state, gallery], **PICK)
    chart.select(toast(do.on_point), [state, *order], [state, gallery], **PICK)
    sort.input(toast(do.resort), [state, *order], [gallery, sort], **LATEST)
    for control in (gamma, errors):
        control.input(toast(do.gallery), [state, *order], gallery, **LATEST)
    gallery.select(toast(do.on_picture), [state, *order], detail, **PICK)
    gallery.more(toast(do.on_more), [state, *order], [state, gallery], **EVENT)
    gallery.reset(toast(do.on_clear), [state, *order], [state, gallery], **EVENT)
    detail.select(toast(do.on_picture), [state, *order], detail, **EVENT)
    saved = csv.click(toast(do.csv), [state, *order], file, **EVENT)
    saved.success(None, js="() => document.querySelector('#cls-csv-file').click()", **EVENT)
    return runs
