"""Finished tracking runs side by side: figures, a sequence that plays, tables, charts, files, and another tracker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.explore import tracking as explore
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, toast
from dashboard.tabs.explorer import gather
from dashboard.tabs.tracking_results import START, Controls, TrackingResults
from dashboard.tabs.tracking_tuning import tuning
from dashboard.views import ChartView, FiguresView, ProgressView, TableView, TracksView
from dashboard.views.strings import t

SCROLL = "() => document.querySelector('#trk-player')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"
FILES = ("mot", "csv", "events", "video")


def tracking_panel(engine: Engine, app: App) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = TrackingResults(engine)
    state = gr.State(dict(START))
    clock = gr.Timer(1.0, active=False)
    waiting = ProgressView(None, elem_id="trk-waiting")
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=do.most_runs, label=t("ui.trk.runs"), elem_id="trk-runs", scale=5,
            min_width=320,
        )  # fmt: skip
        focus = gr.Radio([], label=t("ui.trk.focus"), elem_id="trk-focus", interactive=True, scale=4, min_width=280)
    figures = FiguresView(elem_id="trk-figures")
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        sequence = gr.Dropdown(
            [], label=t("ui.trk.sequence.pick"), elem_id="trk-sequence", interactive=True, scale=3, min_width=200
        )
        match = gr.Radio(
            [(t("ui.trk.match.class"), "class"), (t("ui.trk.match.any"), "any")], value="class",
            label=t("ui.trk.match"), elem_id="trk-match", interactive=True, visible=False, scale=3, min_width=240,
        )  # fmt: skip
    others = gr.Markdown(elem_id="trk-others", elem_classes="lp-help")
    player = TracksView(elem_id="trk-player")
    filming, film = gr.Timer(1.0, active=False), gr.Markdown(elem_id="trk-film", elem_classes="lp-help")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            with gr.Row():
                what = gr.Radio(
                    [(t("ui.trk.table.sequence"), "sequence"), (t("ui.trk.table.class"), "class")], value="sequence",
                    show_label=False, container=False, elem_id="trk-what", interactive=True, scale=2, min_width=200,
                )  # fmt: skip
                columns = gr.Radio(
                    [(t(f"ui.trk.columns.{c}"), c) for c in explore.COLUMNS], value="summary", show_label=False,
                    container=False, elem_id="trk-columns", interactive=True, scale=3, min_width=300,
                )  # fmt: skip
            table = TableView(elem_id="trk-table")
        with gr.Column(scale=4, min_width=320):
            with gr.Row():
                kind = gr.Radio(
                    [(t(f"ui.trk.chart.{c}"), c) for c in explore.CHARTS], value="alpha", show_label=False,
                    container=False, elem_id="trk-kind", interactive=True, scale=4, min_width=300,
                )  # fmt: skip
                measure = gr.Dropdown(
                    list(explore.MEASURES), value="HOTA", show_label=False, container=False, elem_id="trk-measure",
                    interactive=True, visible=False, scale=1, min_width=100,
                )  # fmt: skip
            chart = ChartView(elem_id="trk-chart")
    gr.Markdown(t("ui.trk.save"), elem_classes="lp-step")
    with gr.Row():
        buttons = {f: gr.Button(t(f"ui.trk.save.{f}"), size="sm", elem_id=f"trk-save-{f}") for f in FILES}
    file = gr.DownloadButton(visible="hidden", elem_id="trk-file")
    tune = tuning(engine, state, do, app)
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="trk-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="trk-how")

    live: list[Any] = [match, what, columns, kind, measure]
    numbers = [figures, table, chart]
    everything = [state, focus, sequence, match, kind, *numbers, player, more, others, how]
    everything += [what, columns, measure, buttons["events"]]
    assert app.tab is not None
    for event in (app.tab.select, clock.tick):
        event(toast(do.opening), [state, runs], [clock, waiting, runs], **EVENT)
    app.on_load.append((do.linked, [], [app.tabs]))

    def on(event: Any, handler: Any, outputs: Any, inputs: Sequence[Any] = (state,), how: Any = LATEST) -> Any:
        """Call a handler with ``inputs`` and what the controls say."""
        return event(toast(gather(Controls, handler, len(inputs))), [*inputs, *live], outputs, **how)

    def then_film(event: Any) -> Any:
        """The video of the sequence, which may take a while to make; everything else is there already."""
        return on(event.success, do.film, [player, filming, film], [state, film])

    on(filming.tick, do.film, [player, filming, film], [state, film], how=EVENT)
    for event, handler in ((focus.input, do.refocused), (runs.change, do.rechosen)):
        shown = then_film(on(event, handler, everything, [state, runs, focus]))
        shown.success(toast(tune.opened), [state], tune.outputs, **LATEST)
    then_film(on(sequence.input, do.on_sequence, [state, table, player], [state, sequence]))
    on(match.input, do.on_match, [*numbers, player, more])
    for event in (what.input, columns.input):
        on(event, do.on_table, table)
    for event in (kind.input, measure.input):
        on(event, do.on_kind, [chart, measure])
    jump = [state, sequence, player]
    then_film(on(table.select, do.on_row, jump, how=PICK)).success(None, js=SCROLL, **EVENT)
    then_film(on(chart.select, do.on_bar, jump, how=PICK)).success(None, js=SCROLL, **EVENT)
    for name, button in buttons.items():
        saved = on(button.click, getattr(do, f"save_{name}"), file, how=EVENT)
        saved.success(None, js="() => document.querySelector('#trk-file').click()", **EVENT)
    tune.connect(runs, focus)
    return runs
