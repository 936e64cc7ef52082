"""Speed and cost: measure models, watch the gauges, then see where parameters, work, time and memory are."""

from __future__ import annotations

from typing import Any, cast

import gradio as gr

from dashboard.datasets import DEMOS
from dashboard.engine import Engine
from dashboard.explore import profiling as explore
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, PICK, Choice, Choices, toast
from dashboard.tabs.evaluate_panel import IDLE
from dashboard.tabs.profile_results import KINDS, START, ProfileResults
from dashboard.tabs.profile_start import FIRST, FIRST_WAYS, LIMIT, MOST, OWN_DATA, WAYS, ProfileStart, here
from dashboard.views import ChartView, FiguresView, GaugeView, ProgressView, TableView
from dashboard.views.strings import t

NAME = "profile"
TO_ROW = """() => { const row = document.querySelector('#prf-layers tr.on'), box = row?.closest('.scroll');
  if (box) { box.scrollTop = row.offsetTop - box.clientHeight / 2;
    box.scrollIntoView({behavior: 'smooth', block: 'nearest'}); } }"""


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    do, start = ProfileResults(engine), ProfileStart(engine)
    state = gr.State(dict(START))
    job, timer = app.jobs[NAME]
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=2, min_width=270):
            given, buttons, bar, gauge = _left(engine)
        with gr.Column(scale=9, min_width=320):
            with gr.Row(elem_classes=["lp-row", "lp-pick"]):
                runs = Choices(
                    [], multiselect=True, max_choices=do.most_runs, label=t("ui.prf.runs"), elem_id="prf-runs",
                    scale=5, min_width=300, interactive=True,
                )  # fmt: skip
                focus = Choice(
                    [], label=t("ui.prf.focus"), elem_id="prf-focus", interactive=True, visible=False, scale=4,
                    min_width=280,
                )  # fmt: skip
            none = gr.Markdown(elem_id="prf-none")
            with gr.Tabs(elem_id="prf-tabs") as inner:
                with gr.Tab(t("ui.prf.tab.results"), id="results", elem_id="prf-results"):
                    overview = _overview()
                with gr.Tab(t("ui.prf.tab.layers"), id="layers", elem_id="prf-tab-layers"):
                    by, tree, formula, layers = _layers()
                with gr.Tab(t("ui.prf.tab.ways"), id="ways", elem_id="prf-tab-ways"):
                    busy, ways, bars, kind, more = _ways()
                with gr.Tab(t("ui.prf.tab.how"), id="how", elem_id="prf-tab-how"):
                    how = gr.HTML(elem_id="prf-how")
    app.runs[NAME], app.inner[NAME] = runs, inner

    everything = [state, focus, none, *overview, by, tree, formula, layers, busy, ways, bars, kind, more, how]
    status = [bar, gauge, timer, *buttons]
    go, stop = buttons
    go.click(toast(start.start), [*given, job], [job, *status], **EVENT)
    stop.click(start.stop, job, None, queue=False, **EVENT)
    timer.tick(toast(start.poll), [runs, job], [*status, runs], **EVENT)
    app.on_load.append((start.status, [job], status))
    app.on_load.append((do.linked, [], [app.tabs]))
    assert app.tab is not None
    app.tab.select(toast(do.first), [state, runs, job], [runs, none], **LATEST).success(
        toast(do.rechosen), [state, runs, focus, by, kind], everything, **LATEST
    )
    runs.change(toast(do.rechosen), [state, runs, focus, by, kind], everything, **EVENT)
    focus.input(toast(do.refocused), [state, focus, by, kind], [state, by, tree, formula, layers, more], **LATEST)
    by.input(toast(do.on_size), [state, by], tree, **LATEST)
    kind.input(toast(do.on_kind), [state, kind], more, **LATEST)
    layers.select(toast(do.on_row), state, formula, **PICK)
    tree.select(toast(do.on_sector), state, [formula, layers], **PICK).success(None, js=TO_ROW, **EVENT)


def _left(engine: Engine) -> tuple[list[Any], list[Any], Any, Any]:
    """What is to be measured, and how far that is: inputs, buttons, bars and gauges."""
    with gr.Group():
        models = gr.Dropdown(
            here(), value=[FIRST], multiselect=True, max_choices=MOST, allow_custom_value=True,
            label=t("ui.prf.models"), info=t("ui.models.hint"), elem_id="prf-models",
        )  # fmt: skip
        weights = gr.File(
            label=t("ui.models.file"), file_count="multiple", elem_id="prf-weights", elem_classes="lp-drop", height=84
        )
        size = gr.Textbox(
            label=t("ui.prf.size"), placeholder="224x224", max_lines=1, elem_id="prf-size", info=t("ui.prf.size.hint")
        )
    ways = gr.CheckboxGroup(
        [(t(f"ui.prf.way.{w}"), w) for w in WAYS], value=list(FIRST_WAYS), label=t("ui.prf.ways"), elem_id="prf-way"
    )
    with gr.Accordion(t("ui.prf.accuracy"), open=False, elem_id="prf-accuracy"):
        demo = gr.Dropdown(
            cast(Any, [(t("ui.prf.owndata"), OWN_DATA), *((n, n) for n in DEMOS.names()), (t("ui.prf.nodata"), "")]),
            value=OWN_DATA,
            label=t("ui.data.demo"), elem_id="prf-demo",
        )  # fmt: skip
        path = gr.Textbox(label=t("ui.prf.path"), elem_id="prf-path", visible=not engine.public, max_lines=1)
        limit = gr.Number(LIMIT, minimum=0, precision=0, label=t("ui.limit"), elem_id="prf-limit")
    with gr.Row():
        go = gr.Button(t("ui.prf.go"), variant="primary", elem_id="prf-go", min_width=110)
        stop = gr.Button(t("ui.stop"), variant="stop", interactive=False, elem_id="prf-stop", min_width=80)
    gauge = GaugeView({"on": False}, elem_id="prf-gauge")
    bar = ProgressView(IDLE, elem_id="prf-progress")
    return [models, weights, size, ways, demo, path, limit], [go, stop], bar, gauge


def _overview() -> list[Any]:
    """Key figures and the four charts that every model has."""
    figures = FiguresView(elem_id="prf-figures")
    charts = []
    with gr.Column(elem_id="prf-overview"):
        for pair in (("stages", "throughput"), ("start", "memory")):
            with gr.Row(elem_classes="lp-row"):
                for name in pair:
                    with gr.Column(scale=1, min_width=300):
                        gr.Markdown(t(f"ui.prf.chart.{name}"), elem_classes="lp-step")
                        charts.append(ChartView(elem_id=f"prf-{name}"))
    return [figures, *charts]


def _layers() -> tuple[Any, Any, Any, Any]:
    """The network's modules as a sunburst, and its layers as a table."""
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=3, min_width=300):
            by = Choice(
                [(t(f"ui.prf.by.{s}"), s) for s in explore.SIZES], value="macs", show_label=False, container=False,
                elem_id="prf-by", interactive=True,
            )  # fmt: skip
            tree = ChartView(elem_id="prf-tree")
        with gr.Column(scale=7, min_width=320):
            formula = gr.HTML(elem_id="prf-formula")
            layers = TableView(elem_id="prf-layers")
    return by, tree, formula, layers


def _ways() -> tuple[Any, Any, Any, Any, Any]:
    """The same weights run in other ways."""
    busy = FiguresView(elem_id="prf-busy")
    ways = TableView(elem_id="prf-ways")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=1, min_width=300):
            gr.Markdown(t("ui.prf.chart.ways"), elem_classes="lp-step")
            bars = ChartView(elem_id="prf-bars")
        with gr.Column(scale=1, min_width=300):
            kind = Choice(
                [(t(f"ui.prf.more.{k}"), k) for k in KINDS], value=KINDS[0], show_label=False, container=False,
                elem_id="prf-kind", interactive=True,
            )  # fmt: skip
            more = ChartView(elem_id="prf-more")
    return busy, ways, bars, kind, more
