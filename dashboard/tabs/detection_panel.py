"""Finished detection runs side by side: figures, class table, charts, matrix, pictures, and one of them in panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr

from dashboard.engine import Engine
from dashboard.explore import detection as explore
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, Slider, toast
from dashboard.tabs.detection_results import Controls, DetectionResults
from dashboard.tabs.explorer import START, gather, to_pictures
from dashboard.tabs.results import orders
from dashboard.tabs.runs_shown import MOST_RUNS
from dashboard.views import ChartView, CompareView, FiguresView, GalleryView, MatrixView, ProgressView, TableView
from dashboard.views.strings import t


def detection_panel(engine: Engine, app: App, tasks: Sequence[str]) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = DetectionResults(engine, tasks)
    state = gr.State(dict(START))
    clock = gr.Timer(1.0, active=False)
    waiting = ProgressView(None, elem_id="det-waiting")
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST_RUNS,
            label=t("ui.det.runs"),
            elem_id="det-runs",
            scale=5,
            min_width=320,
        )
        focus = gr.Radio([], label=t("ui.focus"), elem_id="det-focus", interactive=True, scale=4, min_width=280)
        by = gr.Radio(
            [(t("ui.det.masks"), "segm"), (t("ui.det.boxes"), "bbox")], value="segm", label=t("ui.det.by"),
            elem_id="det-by", interactive=True, visible=False, scale=2, min_width=170,
        )  # fmt: skip
    figures = FiguresView(elem_id="det-figures")
    with gr.Row(elem_classes=["lp-row", "lp-point"]):
        confidence = Slider(0, 1, 0.25, step=0.01, label=t("ui.det.confidence"), elem_id="det-confidence")
        iou = Slider(0.5, 0.95, 0.5, step=0.05, label=t("ui.det.iou"), elem_id="det-iou")
        most = Slider(1, 100, 100, step=1, label=t("ui.det.most"), elem_id="det-most")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            columns = gr.Radio(
                [(t(f"ui.det.columns.{c}"), c) for c in explore.COLUMNS], value="summary", show_label=False,
                container=False, elem_id="det-columns", interactive=True,
            )  # fmt: skip
            table = TableView(elem_id="det-table")
        with gr.Column(scale=4, min_width=320):
            kind = gr.Radio(
                [(t(f"ui.det.chart.{c}"), c) for c in explore.CHARTS], value="det_pr", show_label=False,
                container=False, elem_id="det-kind", interactive=True,
            )  # fmt: skip
            chart = ChartView(elem_id="det-chart")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            matrix = MatrixView(elem_id="det-matrix")
        with gr.Column(scale=4, min_width=320):
            order = gr.Dropdown(
                cast(Any, orders(explore.ORDERS)), value="dataset", label=t("ui.sort"), elem_id="det-sort"
            )
            gallery = GalleryView(elem_id="det-gallery")
            csv = gr.Button(t("ui.det.csv"), size="sm", elem_id="det-csv")
            file = gr.DownloadButton(visible="hidden", elem_id="det-csv-file")
    compare = CompareView(elem_id="det-compare")
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="det-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="det-how")

    live: list[Any] = [confidence, iou, most, by, columns, kind, order]
    numbers: list[Any] = [figures, table, chart, matrix]
    everything = [state, focus, by, kind, *numbers, gallery, compare, more, how]
    assert app.tab is not None
    for event in (app.tab.select, clock.tick):
        event(toast(do.opening), [state, runs], [clock, waiting, runs], **EVENT)
    app.on_load.append((do.linked, [], [app.tabs]))

    def on(event: Any, handler: Any, outputs: Any, inputs: Sequence[Any] = (state,), how: Any = LATEST) -> Any:
        """Call a handler with ``inputs`` and what the controls say."""
        return event(toast(gather(Controls, handler, len(inputs))), [*inputs, *live], outputs, **how)

    on(focus.input, do.show, everything, [runs, focus])
    on(by.input, do.show, everything, [runs, focus])
    on(runs.change, do.rechosen, [confidence, *everything], [state, runs, focus])
    for slider in (confidence, iou, most):
        on(slider.input, do.moved, [*numbers, gallery, compare])
    on(columns.input, do.on_columns, table)
    on(kind.input, do.on_kind, chart)
    picked = [state, gallery, compare]
    on(on(table.select, do.on_class, picked, how=PICK).success, do.on_kind, chart)
    on(matrix.select, do.on_cell, picked, how=PICK).success(None, js=to_pictures("det"), **EVENT)
    on(chart.select, do.on_point, picked, how=PICK).success(None, js=to_pictures("det"), **EVENT)
    on(order.input, do.on_order, picked)
    on(gallery.select, do.on_picture, [state, compare], how=PICK).success(None, js=SCROLL, **EVENT)
    on(gallery.more, do.on_more, [state, gallery], how=EVENT)
    on(gallery.reset, do.on_clear, picked, how=EVENT)
    on(csv.click, do.csv, file, how=EVENT).success(
        None, js="() => document.querySelector('#det-csv-file').click()", **EVENT
    )
    return runs


SCROLL = "() => document.querySelector('#det-compare')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"
