"""Which detection runs are shown: the choice, the default, and the first results while they are being made."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.detection.opened import Opened, opened
from dashboard.finishing import out_of_date, refresh
from dashboard.jobs import ACTIVE
from dashboard.store import Run
from dashboard.tabs.common import run_choices, shown, visible
from dashboard.tabs.evaluate_panel import job_data
from dashboard.views import ProgressView


class DetectionRuns:
    """What the panel needs to know of runs.

    Args:
        engine: has the store.
        tasks: whose runs are shown.
    """

    def __init__(self, engine: Engine, tasks: Sequence[str]) -> None:
        self.engine, self.tasks = engine, tasks

    def choices(self) -> list[tuple[str, str]]:
        """Every run of the tasks, newest first."""
        return run_choices(self._visible())

    def _visible(self) -> list[Run]:
        return [r for r in visible(self.engine) if r.task in self.tasks]

    def default(self, wanted: str | None = None) -> list[str]:
        """What to show first: the run asked for, else the newest run and another on the same data."""
        if wanted and any(r.id == wanted for r in self.engine.store.runs() if r.task in self.tasks):
            return [wanted]
        runs = self._visible()
        same = [r for r in runs if r.task == runs[0].task and r.dataset == runs[0].dataset]
        return [r.id for r in reversed(same[:2])]

    def views(self, ids: Sequence[str] | None, by: str | None) -> list[Opened]:
        """The chosen runs that are still there, opened."""
        return [view for view in (self._view(run_id, by) for run_id in (ids or [])[:3]) if view is not None]

    def _view(self, run_id: str, by: str | None) -> Opened | None:
        """One run, or a warning on the page."""
        try:
            run = self.engine.store.get(run_id)
            if out_of_date(run):
                gr.Info(f"Computing the metrics of {run.model} anew from its stored predictions …")
                run = refresh(self.engine.store, run)
            return opened(run, "bbox" if by == "bbox" else None)
        except InputError as error:
            gr.Warning(html.escape(shown(error)))
            return None

    def waiting(self) -> tuple[bool, tuple[Any, Any]]:
        """Whether the first results are still being made, and what the clock and the bars show of it."""
        job = self.engine.jobs.get(self.engine.preparing.get("detection"))
        busy = job is not None and job.state in ACTIVE
        bars = gr.skip() if job is None else ProgressView(job_data(job), visible=busy)
        return busy, (gr.Timer(active=busy), bars)

    def linked(self, request: gr.Request) -> Any:
        """The page has opened: ``?run=ID`` of a detection run brings this tab to the front."""
        wanted = request.query_params.get("run")
        ours = wanted and self.engine.store.has(wanted) and self.engine.store.get(wanted).task in self.tasks
        return gr.Tabs(selected="detection") if ours else gr.skip()
