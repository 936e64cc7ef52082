"""Which run is better: the table that decides, differences with intervals, what a run costs, and curves over runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.comparing.shapes import Comparison
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import comparing as explore
from dashboard.explore.comparing.shown import entry
from dashboard.tabs import App, Compared
from dashboard.tabs.common import LATEST, PICK, Choice, Choices, toast
from dashboard.tabs.compare import NAME, Panel, comparison_of, is_place
from dashboard.views import ChartView
from dashboard.views.comparing import DecideView
from dashboard.views.strings import I18N, t

PICTURES = "pictures"
START: dict[str, Any] = {"for": None, "metric": None, "cost": None, "kind": None}


class Decide(Panel):
    """Handlers of the panel. The state has the metric, the cost and the kind of curve that were chosen last."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "decide", 9)

    def opened(
        self, state: dict[str, Any], asked: dict[str, Any], ids: Sequence[str] | None, baseline: str | None
    ) -> tuple[Any, ...]:
        """The panel was opened; which pictures are asked for elsewhere changes nothing here."""
        return super().opened(state, {}, ids, baseline)

    def show(self, state: dict[str, Any], comparison: Comparison, asked: dict[str, Any]) -> tuple[Any, ...]:
        """The table, the controls of the charts, and the charts."""
        metrics = [f.name for f in comparison.figures if not f.recorded]
        kinds = explore.curve_kinds(comparison)
        costs = list(self._costs(comparison))
        state = {
            **state,
            "metric": state["metric"] if state["metric"] in metrics else next(iter(metrics), None),
            "cost": state["cost"] if state["cost"] in costs else next(iter(costs), None),
            "kind": state["kind"] if state["kind"] in kinds else next(iter(kinds), None),
        }
        named = [(I18N(f"explain.{entry(comparison.task, m)}.name"), m) for m in metrics]
        return (
            state,
            explore.decide_data(comparison, state["metric"]),
            gr.Dropdown(choices=named, value=state["metric"]),
            gr.Radio(choices=[(t(f"ui.vs.cost.{c}"), c) for c in costs], value=state["cost"], visible=len(costs) > 1),
            gr.Radio(choices=[(t(f"ui.vs.curve.{k}"), k) for k in kinds], value=state["kind"]),
            *self.charts(comparison, state),
            gr.Markdown("" if costs else t("ui.vs.nocost")),
        )

    def _costs(self, comparison: Comparison) -> Any:
        """What is known of the runs' costs."""
        return explore.costs_known(comparison, self.engine.store.runs("profile"))

    def charts(self, comparison: Comparison, state: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
        """Differences, costs and curves, and whether to say that curves are of more than the common samples."""
        costs = self._costs(comparison)
        scatter = explore.scatter(comparison, state["metric"], state["cost"], costs) if state["cost"] in costs else None
        curves = explore.curves(comparison, state["kind"]) if state["kind"] else None
        alone = curves is not None and state["kind"] != "spread" and any(comparison.left_out)
        said = gr.Markdown(t("ui.vs.alone") if alone else "")
        return (
            explore.forest(comparison, state["metric"]),
            ChartView(scatter, visible=scatter is not None),
            curves,
            said,
        )

    def drawn(
        self, state: dict[str, Any], ids: Sequence[str], baseline: str, metric: str, cost: str | None, kind: str | None
    ) -> tuple[Any, ...]:
        """Another metric, cost or kind of curve: state, the table with its sentences, and the charts."""
        comparison = comparison_of(self.engine, ids, baseline)
        known = metric in [f.name for f in comparison.figures], cost in (None, *explore.COSTS)
        if not all(known) or kind not in (None, *explore.curve_kinds(comparison)):
            raise InputError("These runs have no such metric, cost or curve: reload the page and pick again.")
        state = {**state, "metric": metric, "cost": cost, "kind": kind}
        return state, explore.decide_data(comparison, metric), *self.charts(comparison, state)

    def picked(self, ids: Sequence[str], event: gr.SelectData) -> tuple[Any, Any]:
        """A number of samples: their pictures."""
        value = event.value if isinstance(event.value, dict) else {}
        run, group = value.get("run"), value.get("group")
        if not is_place(run, len(ids)) or group not in explore.GROUPS:
            raise InputError("There are no such pictures: reload the page and click again.")
        return {"run": ids[run], "group": group, "class": None}, gr.Tabs(selected=PICTURES)

    def pointed(self, ids: Sequence[str], event: gr.SelectData) -> tuple[Any, Any]:
        """A run in a chart: the pictures on which it differs from the baseline."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or not data or not is_place(data[0], len(ids)):
            return gr.skip(), gr.skip()
        return {"run": ids[data[0]], "group": None, "class": None}, gr.Tabs(selected=PICTURES)


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside its ``gr.Tab``."""
    do = Decide(engine)
    state = gr.State(dict(START))
    problem = gr.Markdown(visible=False, elem_id="cmp-decide-problem")
    with gr.Column(elem_classes="lp-body", visible=False) as body:
        table = DecideView(elem_id="cmp-decide")
        with gr.Row(elem_classes=["lp-row", "lp-pick"]):
            metric = Choices(
                [], label=t("ui.vs.metric"), elem_id="cmp-metric", interactive=True, scale=3, min_width=220
            )
            cost = Choice([], label=t("ui.vs.costs"), elem_id="cmp-cost", interactive=True, scale=5, min_width=320)
        with gr.Row(elem_classes="lp-row"):
            with gr.Column(scale=1, min_width=320):
                forest = ChartView(elem_id="cmp-forest")
            with gr.Column(scale=1, min_width=320):
                scatter = ChartView(elem_id="cmp-scatter")
                nocost = gr.Markdown(elem_id="cmp-nocost", elem_classes="lp-help")
            with gr.Column(scale=1, min_width=320):
                kind = Choice([], show_label=False, container=False, elem_id="cmp-kind", interactive=True)
                curves = ChartView(elem_id="cmp-curves")
                alone = gr.Markdown(elem_id="cmp-alone", elem_classes="lp-help")
    do.connect(compared, state, problem, [table, metric, cost, kind, forest, scatter, curves, alone, nocost], body)
    inputs = [state, compared.runs, compared.baseline, metric, cost, kind]
    for control in (metric, cost, kind):
        control.input(toast(do.drawn), inputs, [state, table, forest, scatter, curves, alone], **LATEST)
    to_pictures = [compared.asked, app.inner[NAME]]
    table.select(toast(do.picked), [compared.runs], to_pictures, **PICK)
    for chart in (forest, scatter):
        chart.select(toast(do.pointed), [compared.runs], to_pictures, **PICK)
