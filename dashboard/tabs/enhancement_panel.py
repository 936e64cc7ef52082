"""Finished enhancement runs side by side: figures, every image, charts, conventions, pictures, and one in panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr

from dashboard.engine import Engine
from dashboard.explore import enhancement as explore
from dashboard.perceptual import why_not
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, toast
from dashboard.tabs.enhancement_results import Controls, EnhancementResults
from dashboard.tabs.explorer import START, gather, to_pictures
from dashboard.tabs.results import orders
from dashboard.views import ChartView, EnhanceView, FiguresView, GalleryView, ProgressView, TableView
from dashboard.views.strings import t

SCROLL = "() => document.querySelector('#enh-compare .name')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"


def enhancement_panel(engine: Engine, app: App) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = EnhancementResults(engine, ("enhancement",))
    state = gr.State(dict(START))
    clock = gr.Timer(1.0, active=False)
    waiting = ProgressView(None, elem_id="enh-waiting")
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=do.most_runs, label=t("ui.enh.runs"), elem_id="enh-runs", scale=5,
            min_width=320,
        )  # fmt: skip
        focus = gr.Radio([], label=t("ui.enh.focus"), elem_id="enh-focus", interactive=True, scale=4, min_width=280)
    figures = FiguresView(elem_id="enh-figures")
    recipe = gr.Markdown(elem_id="enh-recipe", elem_classes="lp-help")
    compare = EnhanceView(elem_id="enh-compare")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=4, min_width=320):
            order = gr.Dropdown(_orders(), value="enh_l2", label=t("ui.enh.sort"), elem_id="enh-sort")
            gallery = GalleryView(elem_id="enh-gallery")
            csv = gr.Button(t("ui.enh.csv"), size="sm", elem_id="enh-csv")
            file = gr.DownloadButton(visible="hidden", elem_id="enh-csv-file")
        with gr.Column(scale=5, min_width=320):
            columns = gr.Radio(
                [(t(f"ui.enh.columns.{c}"), c) for c in explore.COLUMNS], value="fidelity", show_label=False,
                container=False, elem_id="enh-columns", interactive=True,
            )  # fmt: skip
            table = TableView(elem_id="enh-table")
    with gr.Row():
        kind = gr.Radio(
            [(t(f"ui.enh.chart.{c}"), c) for c in explore.CHARTS], value="images", show_label=False, container=False,
            elem_id="enh-kind", interactive=True, scale=4,
        )  # fmt: skip
        measure = gr.Dropdown(
            [(t(f"ui.axis.{m}"), m) for m in explore.MEASURES], value="psnr", show_label=False, container=False,
            elem_id="enh-measure", interactive=True, scale=1, min_width=170,
        )  # fmt: skip
    chart = ChartView(elem_id="enh-chart")
    conventions = TableView(elem_id="enh-conventions")
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="enh-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="enh-how")

    live: list[Any] = [columns, kind, measure, order]
    everything = [state, focus, kind, figures, table, chart, conventions, gallery, compare, more, recipe, how]
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
    for control in (kind, measure):
        on(control.input, do.on_kind, chart)
    picked = [state, gallery, compare]
    on(table.select, do.on_row, [state, compare], how=PICK).success(None, js=SCROLL, **EVENT)
    on(chart.select, do.on_point, picked, how=PICK).success(None, js=to_pictures("enh"), **EVENT)
    on(order.input, do.on_order, picked)
    on(gallery.select, do.on_picture, [state, compare], how=PICK).success(None, js=SCROLL, **EVENT)
    on(gallery.more, do.on_more, [state, gallery], how=EVENT)
    on(gallery.reset, do.on_clear, picked, how=EVENT)
    on(csv.click, do.csv, file, how=EVENT).success(
        None, js="() => document.querySelector('#enh-csv-file').click()", **EVENT
    )
    return runs


def _orders() -> Any:
    """The orders; the perceptual one says why, where it cannot be had."""
    return cast(Any, orders([o for o in explore.ORDERS if o != "perceptual" or why_not() is None])) + _unavailable()


def _unavailable() -> list[tuple[Any, str]]:
    """The perceptual loss, last and with the reason, where its weights are not here; choosing it says so again."""
    return [] if why_not() is None else [(t("ui.enh.perceptual.gone"), "perceptual")]
