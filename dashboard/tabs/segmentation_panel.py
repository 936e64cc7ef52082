"""Finished segmentation runs side by side: figures, class table, charts, matrix, pictures, and one of them in panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr

from dashboard.engine import Engine
from dashboard.explore import segmentation as explore
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, toast
from dashboard.tabs.explorer import START, gather, to_pictures
from dashboard.tabs.results import orders
from dashboard.tabs.runs_shown import MOST_RUNS
from dashboard.tabs.segmentation_results import Controls, SegmentationResults
from dashboard.views import ChartView, CompareView, FiguresView, GalleryView, MatrixView, ProgressView, TableView
from dashboard.views.strings import t


def segmentation_panel(engine: Engine, app: App, tasks: Sequence[str]) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = SegmentationResults(engine, tasks)
    state = gr.State(dict(START))
    clock = gr.Timer(1.0, active=False)
    waiting = ProgressView(None, elem_id="seg-waiting")
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=MOST_RUNS, label=t("ui.det.runs"), elem_id="seg-runs", scale=5,
            min_width=320,
        )  # fmt: skip
        focus = gr.Radio([], label=t("ui.focus"), elem_id="seg-focus", interactive=True, scale=4, min_width=280)
    figures = FiguresView(elem_id="seg-figures")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            columns = gr.Radio(
                [(t(f"ui.seg.columns.{c}"), c) for c in explore.COLUMNS], value="regions", show_label=False,
                container=False, elem_id="seg-columns", interactive=True,
            )  # fmt: skip
            table = TableView(elem_id="seg-table")
        with gr.Column(scale=4, min_width=320):
            kind = gr.Radio(
                [(t(f"ui.seg.chart.{c}"), c) for c in explore.CHARTS], value="class_iou", show_label=False,
                container=False, elem_id="seg-kind", interactive=True,
            )  # fmt: skip
            chart = ChartView(elem_id="seg-chart")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            matrix = MatrixView(elem_id="seg-matrix")
        with gr.Column(scale=4, min_width=320):
            order = gr.Dropdown(
                cast(Any, orders(explore.ORDERS)), value="order_pixels", label=t("ui.seg.sort"), elem_id="seg-sort"
            )
            gallery = GalleryView(elem_id="seg-gallery")
            csv = gr.Button(t("ui.seg.csv"), size="sm", elem_id="seg-csv")
            file = gr.DownloadButton(visible="hidden", elem_id="seg-csv-file")
    compare = CompareView(elem_id="seg-compare")
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="seg-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="seg-how")

    live: list[Any] = [columns, kind, order]
    everything = [state, focus, kind, figures, table, chart, matrix, gallery, compare, more, how]
    assert app.tab is not None
    for event in (app.tab.select, clock.tick):
        event(toast(do.opening), [state, runs], [clock, waiting, runs], **EVENT)
    app.on_load.append((do.linked, [], [app.tabs]))

    def on(event: Any, handler: Any, outputs: Any, inputs: Sequence[Any] = (state,), how: Any = LATEST) -> Any:
        """Call a handler with ``inputs`` and what the controls say."""
        return event(toast(gather(Controls, handler, len(inputs))), [*inputs, *live], outputs, **how)

    on(focus.input, do.show, everything, [runs, focus])
    on(runs.change, do.rechosen, everything, [state, runs, focus])
    on(columns.input, do.on_columns, table)
    on(kind.input, do.on_kind, chart)
    picked = [state, gallery, compare]
    on(table.select, do.on_class, picked, how=PICK).success(None, js=to_pictures("seg"), **EVENT)
    on(matrix.select, do.on_cell, picked, how=PICK).success(None, js=to_pictures("seg"), **EVENT)
    on(chart.select, do.on_point, picked, how=PICK).success(None, js=to_pictures("seg"), **EVENT)
    on(order.input, do.on_order, picked)
    on(gallery.select, do.on_picture, [state, compare], how=PICK).success(None, js=SCROLL, **EVENT)
    on(gallery.more, do.on_more, [state, gallery], how=EVENT)
    on(gallery.reset, do.on_clear, picked, how=EVENT)
    on(csv.click, do.csv, file, how=EVENT).success(
        None, js="() => document.querySelector('#seg-csv-file').click()", **EVENT
    )
    return runs


SCROLL = "() => document.querySelector('#seg-compare')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"
