"""What results panels have in common: which runs are shown, and how they are opened."""

from __future__ import annotations

import contextlib
import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.overview import incomparable
from dashboard.finishing import out_of_date, refresh
from dashboard.jobs import ACTIVE
from dashboard.naming import label_of
from dashboard.store import Run
from dashboard.tabs.common import own, run_choices, shown, visible
from dashboard.tabs.evaluate_panel import job_data
from dashboard.views import ProgressView

MOST_RUNS = 3

V = TypeVar("V")  # a run opened; has ``run``
C = TypeVar("C")  # what the panel's controls say


class RunsPanel(ABC, Generic[V, C]):
    """Handlers of a panel that shows runs. A visitor's state travels through ``gr.State``; here is only the engine.

    State: ``runs`` shown, and the one in ``focus``.

    Attributes:
        tab: the tab's name.
        most_runs: how many can be shown.
        at_first: how many of the newest, on the same data, are shown first.

    Args:
        engine: has the store.
        tasks: whose runs are shown.
    """

    tab = ""
    most_runs = MOST_RUNS
    at_first = 2

    def __init__(self, engine: Engine, tasks: Sequence[str]) -> None:
        self.engine, self.tasks = engine, tasks

    @abstractmethod
    def open(self, run: Run, controls: C | None) -> V:
        """A run opened for looking around. Raises InputError if it is damaged."""

    def choices(self) -> list[tuple[str, str]]:
        """Every run of the tasks, newest first."""
        return run_choices(self._visible())

    def _visible(self) -> list[Run]:
        return [r for r in visible(self.engine) if r.task in self.tasks]

    def default(self, wanted: str | None = None) -> list[str]:
        """What to show first: the run asked for, else the newest run and others on the same data."""
        if wanted and any(r.id == wanted for r in self.engine.store.runs() if r.task in self.tasks):
            return [wanted]
        runs = own(self._visible())
        same = [r for r in runs if r.task == runs[0].task and not incomparable([r, runs[0]])]
        return [r.id for r in reversed(same[: self.at_first])]

    def views(self, ids: Sequence[str] | None, controls: C | None) -> list[V]:
        """The chosen runs that are still there, opened."""
        found = (self._view(run_id, controls) for run_id in (ids or [])[: self.most_runs])
        return [view for view in found if view is not None]

    def _view(self, run_id: str, controls: C | None) -> V | None:
        """One run, or a warning on the page."""
        try:
            run = self.engine.store.get(run_id)
            if out_of_date(run):
                gr.Info(f"Computing the metrics of {run.model} anew from its stored predictions …")
                run = refresh(self.engine.store, run)
            return self.open(run, controls)
        except InputError as error:
            gr.Warning(html.escape(shown(error)))
            return None

    def waiting(self) -> tuple[bool, tuple[Any, Any]]:
        """Whether the first results are still being made, and what the clock and the bars show of it."""
        job = self.engine.jobs.get(self.engine.preparing.get(self.tab))
        busy = job is not None and job.state in ACTIVE
        bars = gr.skip() if job is None else ProgressView(job_data(job), visible=busy)
        return busy, (gr.Timer(active=busy), bars)

    def opening(self, state: dict[str, Any], ids: Sequence[str] | None, request: gr.Request) -> tuple[Any, ...]:
        """The tab is opened, or looked at again: choose the runs once there are some; what shows them comes after.

        ``?run=ID`` asks for one, and the list of runs may have chosen ``ids`` already. Nothing slow happens here: what
        a person chooses meanwhile would be undone by an answer that comes late.
        """
        busy, waiting = self.waiting()
        if state["runs"] or busy:
            return *waiting, gr.skip()
        chosen = list(ids or []) or self.default(request.query_params.get("run"))
        return *waiting, gr.Dropdown(choices=self.choices(), value=chosen)

    def linked(self, request: gr.Request) -> Any:
        """The page has opened: ``?run=ID`` of a run of these tasks brings this tab to the front."""
        wanted = request.query_params.get("run")
        ours = False
        with contextlib.suppress(InputError):  # gone, or damaged: the tab says so where it is opened
            ours = bool(wanted) and self.engine.store.get(wanted).task in self.tasks
        return gr.Tabs(selected=self.tab) if ours else gr.skip()

    def opened(self, state: dict[str, Any], controls: C) -> list[V]:
        """The runs on the page. Raises InputError if there are none."""
        views = self.views(state["runs"], controls)
        if not views:
            raise InputError("Choose a run first.")
        return views

    @staticmethod
    def in_focus(views: list[V], state: dict[str, Any]) -> V:
        """The run whose table and matrix are shown."""
        return views[min(state["focus"], len(views) - 1)]


def names_of(views: Sequence[Any]) -> list[tuple[str, str]]:
    """(label, run id) of the runs shown: the model's name, made unique among them."""
    found = []
    for view in views:
        run: Run = view.run
        twins = [v for v in views if v.run.model == run.model]
        said = getattr(view, "label", None) or label_of(run)
        same = len({getattr(v, "label", "") for v in twins}) < len(twins)
        found.append((said if len(twins) == 1 or not same else f"{said} ({run.task}, {run.dataset})", run.id))
    return found
