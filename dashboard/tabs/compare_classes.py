"""In which classes a run gains or loses: a chart and a table, the largest loss first; a class leads to its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np

from dashboard.comparing.shapes import Comparison
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import comparing as explore
from dashboard.explore.comparing.shown import entry, run_names
from dashboard.tabs import App, Compared
from dashboard.tabs.common import LATEST, PICK, Choice, toast
from dashboard.tabs.compare import NAME, Panel, comparison_of, is_place
from dashboard.tabs.compare_decide import PICTURES
from dashboard.views import ChartView, TableView
from dashboard.views.strings import I18N, t

WRAPPED = """.lp-table thead th:not(:first-child) { white-space: normal; max-width: 11em; vertical-align: bottom; }"""
TALL = ".lp-chart { height: 400px; } .lp-chart-info { top: -398px; }"
START: dict[str, Any] = {"for": None, "metric": None, "run": None}


class Classes(Panel):
    """Handlers of the panel. The state has the metric and the run (its id) held against the baseline."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "classes", 5)

    def opened(
        self, state: dict[str, Any], asked: dict[str, Any], ids: Sequence[str] | None, baseline: str | None
    ) -> tuple[Any, ...]:
        """The panel was opened; which pictures are asked for elsewhere changes nothing here."""
        return super().opened(state, {}, ids, baseline)

    def show(self, state: dict[str, Any], comparison: Comparison, asked: dict[str, Any]) -> tuple[Any, ...]:
        """The controls, the table and the chart."""
        metrics, runs = explore.class_names(comparison), against(comparison)
        if not metrics:
            none = (gr.Radio(visible=False), gr.Radio(visible=False), None, None)
            return state, *none, gr.Markdown(t("ui.vs.noclasses"), visible=True)
        run = state["run"] if state["run"] in [r for _, r in runs] else runs[0][1]
        metric = state["metric"] if state["metric"] in metrics else metrics[0]
        named: list[Any] = [(I18N(f"explain.{entry(comparison.task, m)}.name"), m) for m in metrics]
        state = {**state, "metric": metric, "run": run}
        return (
            state,
            gr.Radio(choices=named, value=metric, visible=len(metrics) > 1),
            gr.Radio(choices=runs, value=run, visible=len(runs) > 1),
            *self.numbers(comparison, state),
            gr.Markdown(t(self._hint(comparison)), visible=True),
        )

    @staticmethod
    def _hint(comparison: Comparison) -> str:
        """The key of what stands under the table."""
        told = any(np.isfinite(c.low).any() for c in comparison.classes)
        return "ui.vs.classes.pick" if told else "ui.vs.classes.untold"

    def numbers(self, comparison: Comparison, state: dict[str, Any]) -> tuple[Any, Any]:
        """Table and chart."""
        run = place_of(comparison, state["run"])
        return explore.class_table(comparison, state["metric"], run), explore.class_chart(
            comparison, state["metric"], run
        )

    def other(self, state: dict[str, Any], ids: Sequence[str], baseline: str, metric: str, run: str) -> tuple[Any, ...]:
        """Another metric or run."""
        comparison = comparison_of(self.engine, ids, baseline)
        if metric not in explore.class_names(comparison):
            raise InputError("These runs have no such number for a class: reload the page and pick again.")
        state = {**state, "metric": metric, "run": run}
        return state, *self.numbers(comparison, state)

    def picked(self, state: dict[str, Any], ids: Sequence[str], baseline: str, event: gr.SelectData) -> tuple[Any, Any]:
        """A row: the pictures of its class."""
        comparison = comparison_of(self.engine, ids, baseline)
        classes = explore.class_table(comparison, state["metric"], place_of(comparison, state["run"]))["classes"]
        if not is_place(event.index, len(classes)):
            raise InputError("There is no such row: reload the page and click again.")
        return self._ask(state, classes[event.index])

    def pointed(self, state: dict[str, Any], event: gr.SelectData) -> tuple[Any, Any]:
        """A point of the chart: likewise."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            return gr.skip(), gr.skip()
        return self._ask(state, data[0])

    @staticmethod
    def _ask(state: dict[str, Any], name: str) -> tuple[Any, Any]:
        return {"run": state["run"], "group": None, "class": name}, gr.Tabs(selected=PICTURES)


def against(comparison: Comparison) -> list[tuple[str, str]]:
    """(name, id) of the runs that are held against the baseline."""
    names = run_names(comparison.runs)
    return [(names[k], r.id) for k, r in enumerate(comparison.runs) if k != comparison.baseline]


def place_of(comparison: Comparison, run: str | None) -> int:
    """The place of a run held against the baseline by id; the first there is if it is not among them."""
    places = [k for k in range(len(comparison.runs)) if k != comparison.baseline]
    return next((k for k in places if comparison.runs[k].id == run), places[0])


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside its ``gr.Tab``."""
    do = Classes(engine)
    state = gr.State(dict(START))
    problem = gr.Markdown(visible=False, elem_id="cmp-classes-problem")
    with gr.Column(elem_classes="lp-body", visible=False) as body:
        with gr.Row(elem_classes=["lp-row", "lp-pick"]):
            metric = Choice([], label=t("ui.vs.metric"), elem_id="cmp-classes-metric", interactive=True, min_width=280)
            run = Choice([], label=t("ui.vs.against"), elem_id="cmp-classes-run", interactive=True, min_width=280)
        with gr.Row(elem_classes="lp-row"):
            with gr.Column(scale=7, min_width=320):
                table = TableView(elem_id="cmp-classes-table", css_template=WRAPPED)
                hint = gr.Markdown(elem_id="cmp-classes-hint", elem_classes="lp-help")
            with gr.Column(scale=4, min_width=320):
                chart = ChartView(elem_id="cmp-classes-chart", css_template=TALL)
    do.connect(compared, state, problem, [metric, run, table, chart, hint], body)
    choice = [state, compared.runs, compared.baseline]
    for control in (metric, run):
        control.input(toast(do.other), [*choice, metric, run], [state, table, chart], **LATEST)
    to_pictures = [compared.asked, app.inner[NAME]]
    table.select(toast(do.picked), choice, to_pictures, **PICK)
    chart.select(toast(do.pointed), [state], to_pictures, **PICK)
