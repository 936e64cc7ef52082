"""Operating point: what errors cost, and the cheapest threshold of every run, over all classes and for each."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.comparing.shown import run_names
from dashboard.explore.slicing import costs as explore
from dashboard.operating.decisions import TASKS, Answers, Decisions, decisions
from dashboard.operating.points import class_points, operating_points, prices_of
from dashboard.store import Run
from dashboard.tabs import App, Compared
from dashboard.tabs.common import EVENT, LATEST, PICK, Choice, Choices, shown, toast
from dashboard.tabs.compare import chosen_runs, comparison_of
from dashboard.views import ChartView, TableView
from dashboard.views.strings import t

NAME = "costs"
ALL = "*"
MOST_ROWS = 200  # classes that have a row of their own in the table of prices
OUTPUTS = 11  # of ``Costs.show``
START: dict[str, Any] = {"runs": None, "baseline": None}


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs."""

    false_positive: float | None = 1.0
    miss: float | None = 1.0
    withhold: bool = False
    abstain: float | None = None
    label: str = ALL
    own: Sequence[Sequence[Any]] = ()
    focus: str | None = None


class Costs:
    """Handlers of the panel. State: the ``runs`` shown and the ``baseline``; None until the panel is opened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def opened(self, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any) -> Any:
        """The panel is looked at: for the first time, or again with the same runs."""
        if state["runs"] == list(ids or []) and state["baseline"] == baseline:
            return (gr.skip(),) * OUTPUTS
        return self.show(ids, baseline, Controls(*told))

    def rechosen(
        self, front: str, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any
    ) -> Any:
        """Other runs were chosen, perhaps while another panel is looked at."""
        return self.opened(state, ids, baseline, *told) if front == NAME else (gr.skip(),) * OUTPUTS

    def show(self, ids: Sequence[str] | None, baseline: str | None, controls: Controls) -> tuple[Any, ...]:
        """Everything in the panel for some runs; classes and their prices start anew."""
        state: dict[str, Any] = {"runs": list(ids or []), "baseline": baseline}
        if len(state["runs"]) < 2:
            return self._nothing(state)  # the tab itself says what to do
        runs, place = chosen_runs(self.engine, ids, baseline)
        if runs[0].task not in TASKS:
            return self._nothing(state, t("ui.cost.not"))
        try:
            comparison_of(self.engine, ids, baseline)  # that it is one truth; at hand, where another panel was open
            views = decisions(runs, place)
        except InputError as error:
            return self._nothing(dict(START), f"⚠ {html.escape(shown(error))}")  # looked at anew, it tries anew
        names = views[0].common.names
        listed = [names[i] for i in class_points(views[0], prices_of(names, 1, 1)).labels] if _scored(views[0]) else []
        controls = replace(controls, label=ALL, own=(), focus=state["runs"][0])
        table, chart = self.points(runs, views, controls)
        labels: list[tuple[Any, str]] = [(t("ui.cost.all"), ALL), *((n, n) for n in listed)]
        return (
            state,
            gr.Markdown(visible=False),
            gr.Column(visible=True),
            table,
            chart,
            gr.Dropdown(choices=labels, value=ALL),
            *self._silence(views, controls),
            gr.Dataframe(value=[[n, None, None] for n in listed[:MOST_ROWS]]),
            gr.Radio(choices=list(zip(run_names(runs), (r.id for r in runs), strict=True)), value=state["runs"][0]),
            self.classes(views, controls),
        )

    @staticmethod
    def _nothing(state: dict[str, Any], why: Any = "") -> tuple[Any, ...]:
        """One sentence instead of the panel."""
        return (
            state,
            gr.Markdown(why, visible=bool(why)),
            gr.Column(visible=False),
            *(gr.skip(),) * (OUTPUTS - 3),
        )

    def points(self, runs: Sequence[Run], views: list[Decisions], controls: Controls) -> tuple[Any, Any]:
        """Table and chart of the runs, by the names that they have now."""
        names = views[0].common.names
        prices = _prices(views[0], controls)
        label = None if controls.label == ALL or controls.label not in names else list(names).index(controls.label)
        points = operating_points(views, prices, label)
        key = "-".join(v.run.id for v in views) + f"/{controls.label}"
        called = run_names(runs)
        return explore.points_table(points, called, key), explore.curve_chart(points, called, key)

    @staticmethod
    def _silence(views: list[Decisions], controls: Controls) -> tuple[Any, Any]:
        """Whether an answer may be withheld at a cost of its own, and that cost."""
        may = controls.label == ALL and isinstance(views[0], Answers)
        return gr.Checkbox(visible=may), gr.Number(visible=may and controls.withhold)

    def classes(self, views: list[Decisions], controls: Controls) -> Any:
        """Table of the classes of the run in focus; None of answers without scores."""
        view = next((v for v in views if v.run.id == controls.focus), views[0])
        if not _scored(view):
            return None
        return explore.class_table(class_points(view, _prices(view, controls)), view.run.id)

    def repriced(self, state: dict[str, Any], *told: Any) -> tuple[Any, ...]:
        """Other prices: the same counts, weighed anew."""
        runs, views = self._views(state)
        controls = Controls(*told)
        return (*self.points(runs, views, controls), self.classes(views, controls), *self._silence(views, controls))

    def relabelled(self, state: dict[str, Any], *told: Any) -> tuple[Any, ...]:
        """One class, or all; nobody abstains from one class."""
        controls = Controls(*told)
        runs, views = self._views(state)
        return (*self.points(runs, views, controls), *self._silence(views, controls))

    def refocused(self, state: dict[str, Any], *told: Any) -> Any:
        """The classes of another run."""
        return self.classes(self._views(state)[1], Controls(*told))

    def on_class(self, state: dict[str, Any], event: gr.SelectData, *told: Any) -> tuple[Any, ...]:
        """A row of the table of classes: its curve; the same row again, or one of all classes, lets go."""
        (runs, views), controls = self._views(state), Controls(*told)
        labels = (self.classes(views, controls) or {"labels": []})["labels"]
        if not (isinstance(event.index, int) and 0 <= event.index < len(labels)):
            raise InputError("There is no such row: reload the page and click again.")
        name = views[0].common.names[labels[event.index]] if labels[event.index] >= 0 else ALL
        controls = replace(controls, label=ALL if controls.label == name else name)
        return controls.label, *self.points(runs, views, controls), *self._silence(views, controls)

    def _views(self, state: dict[str, Any]) -> tuple[list[Run], list[Decisions]]:
        """The runs on the page. Raises InputError if they are not there any more."""
        runs, place = chosen_runs(self.engine, state["runs"], state["baseline"])
        return runs, decisions(runs, place)


def _scored(view: Decisions) -> bool:
    return bool(view.run.facts.get("has_scores", True))


def _prices(view: Decisions, controls: Controls) -> Any:
    """Prices as the controls have them. Raises InputError for what is no price."""
    names = view.common.names
    own: dict[str, tuple[float | None, float | None]] = {}
    for row in controls.own if controls.own is not None else ():
        name, false_positive, miss = (*row, None, None)[:3]
        given = (_number(false_positive, str(name)), _number(miss, str(name)))
        if name in names and given != (None, None):
            own[str(name)] = given
    silent = controls.withhold and controls.label == ALL  # of one class alone nobody abstains
    silent = silent and isinstance(view, Answers)  # nor of several answers; the control is away then
    if silent and controls.abstain is None:
        raise InputError("Say what no answer costs, or let it cost what a miss does.")
    return prices_of(names, controls.false_positive, controls.miss, controls.abstain if silent else None, own)


def _number(cell: Any, name: str) -> float | None:
    """A cell of the table of prices; None if it is empty."""
    if cell is None or str(cell).strip() in ("", "nan", "None"):
        return None
    try:
        value = float(cell)
    except ValueError as error:
        raise InputError(f"The cost {str(cell)[:40]!r} of {name} is no number: write one, or nothing.") from error
    return value if math.isfinite(value) else math.inf


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside the current ``gr.Tab``."""
    del app
    do = Costs(engine)
    state = gr.State(dict(START))
    note = gr.Markdown(visible=False, elem_id="cost-note")
    with gr.Column(elem_id="cost-panel") as panel:
        with gr.Row(elem_classes=["lp-row", "lp-pick"]):
            wrong = gr.Number(1, minimum=0, label=t("ui.cost.fp"), elem_id="cost-fp", min_width=120)
            miss = gr.Number(1, minimum=0, label=t("ui.cost.miss"), elem_id="cost-miss", min_width=120)
            label = Choices(
                [(t("ui.cost.all"), ALL)], value=ALL, label=t("ui.cost.class"), elem_id="cost-class", interactive=True,
                min_width=220,
            )  # fmt: skip
            withhold = gr.Checkbox(False, label=t("ui.cost.withhold"), elem_id="cost-withhold", min_width=160)
            abstain = gr.Number(
                0.5, minimum=0, label=t("ui.cost.abstain"), elem_id="cost-abstain", min_width=120, visible=False,
                interactive=True,
            )  # fmt: skip
        table = TableView(elem_id="cost-table")
        gr.Markdown(t("ui.cost.how"), elem_id="cost-how")
        with gr.Row(elem_classes="lp-row"):
            with gr.Column(scale=6, min_width=340):
                focus = Choice([], label=t("ui.cost.classes"), elem_id="cost-focus", interactive=True)
                classes = TableView(elem_id="cost-classes")
            with gr.Column(scale=5, min_width=320):
                chart = ChartView(elem_id="cost-chart")
                with gr.Accordion(t("ui.cost.prices"), open=False, elem_id="cost-own"):
                    own = gr.Dataframe(
                        headers=["class", "false positive", "miss"], datatype=["str", "number", "number"],
                        type="array", interactive=True, static_columns=[0], max_height=260, show_label=False,
                        elem_id="cost-prices",
                    )  # fmt: skip
    same: list[Any] = [wrong, miss, withhold, abstain]  # choices of the others change with the runs
    controls: list[Any] = [*same, label, own, focus]
    everything = [state, note, panel, table, chart, label, withhold, abstain, own, focus, classes]
    chosen: list[Any] = [state, compared.runs, compared.baseline, *same]
    compared.tab.select(toast(do.opened), chosen, everything, **LATEST)
    compared.runs.change(toast(do.rechosen), [compared.front, *chosen], everything, **EVENT)
    compared.baseline.change(toast(do.rechosen), [compared.front, *chosen], everything, **EVENT)
    priced: list[Any] = [table, chart, classes, withhold, abstain]
    for control in (wrong, miss, withhold, abstain, own):
        control.input(toast(do.repriced), [state, *controls], priced, **LATEST)
    label.input(toast(do.relabelled), [state, *controls], [table, chart, withhold, abstain], **LATEST)
    focus.input(toast(do.refocused), [state, *controls], classes, **LATEST)
    classes.select(toast(do.on_class), [state, *controls], [label, table, chart, withhold, abstain], **PICK)
