"""Another tracker, or other settings of it, on the detections that the run in focus has stored: no inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.tracking.opened import label_of
from dashboard.jobs import ACTIVE
from dashboard.retracking import can_retrack, retrack
from dashboard.store import Run
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, owner_of, run_choices, toast
from dashboard.tabs.evaluate_panel import IDLE, job_data
from dashboard.views import ProgressView
from dashboard.views.strings import t
from models.trackers import TRACKERS, Setting, available_trackers, make_tracker

NUMBERS, CHOICES = 14, 3
"""Sliders and lists that stand ready; a tracker's settings beyond these keep their defaults."""


def parted(name: str) -> tuple[list[Setting], list[Setting]]:
    """A tracker's settings that are numbers, and those that are choices, the usual ones first."""
    settings = sorted(TRACKERS.get(name).settings, key=lambda s: not s.usual)
    numbers = [s for s in settings if s.kind in ("float", "int")]
    return numbers[:NUMBERS], [s for s in settings if s.kind in ("bool", "choice")][:CHOICES]


class Tuning:
    """Handlers of the panel."""

    def __init__(self, engine: Engine, panel: Any) -> None:
        self.engine, self.panel = engine, panel

    def focused(self, state: dict[str, Any]) -> Run | None:
        """The run in focus."""
        ids = state["runs"]
        return self.engine.store.get(ids[min(state["focus"], len(ids) - 1)]) if ids else None

    def opened(self, state: dict[str, Any]) -> tuple[Any, ...]:
        """The tracker of the run in focus with its settings."""
        run = self.focused(state)
        if run is None or not can_retrack(run):
            return gr.Dropdown(), gr.Button(interactive=False), t("ui.trk.tune.none"), *self.blank()
        known = run.facts["tracker"]
        name = known["name"] if known["name"] in available_trackers() else available_trackers()[0]
        values = known["settings"] if name == known["name"] else {}
        return gr.Dropdown(value=name), gr.Button(interactive=True), t("ui.trk.tune.hint"), *self.sliders(name, values)

    def blank(self) -> list[Any]:
        """Nothing to set."""
        return [gr.Slider(visible=False)] * NUMBERS + [gr.Dropdown(visible=False)] * CHOICES

    def sliders(self, name: str, values: dict[str, Any] | None = None) -> list[Any]:
        """A tracker's settings, at their defaults or as given."""
        numbers, choices = parted(name)
        given = values or {}
        found: list[Any] = []
        for s in numbers:
            at = given.get(s.name, s.default)
            found.append(gr.Slider(s.low, s.high, value=at, step=s.step, label=s.name, info=s.words, visible=True))
        found += [gr.Slider(visible=False)] * (NUMBERS - len(found))
        for s in choices:
            words = ["false", "true"] if s.kind == "bool" else list(s.choices)
            at = str(given.get(s.name, s.default))
            at = at.lower() if s.kind == "bool" else at
            found.append(gr.Dropdown(words, value=at, label=s.name, info=s.words, visible=True))
        return found + [gr.Dropdown(visible=False)] * (CHOICES - len(choices))

    def defaults(self, name: str) -> list[Any]:
        """Back to the tracker's defaults."""
        return self.sliders(name)

    def start(
        self, state: dict[str, Any], name: str, current: str | None, request: gr.Request, *given: Any
    ) -> tuple[Any, ...]:
        """Queue the tracker."""
        job = self.engine.jobs.get(current)
        if job is not None and job.state in ACTIVE:
            raise InputError("A tracker is running already: wait for it to end.")
        run = self.focused(state)
        if run is None:
            raise InputError("Choose a run first.")
        if not can_retrack(run):
            raise InputError(f"{run.model} has no stored detections to track on: put a run of a detector in focus.")
        numbers, choices = parted(name)
        settings: dict[str, str] = {}
        for s, value in zip(numbers, given, strict=False):
            if value is None:
                raise InputError(f"{s.name} is empty: give a number in {s.low:g}..{s.high:g}, or go back to Defaults.")
            settings[s.name] = str(int(value)) if s.kind == "int" else f"{float(value):g}"
        for s, value in zip(choices, given[NUMBERS:], strict=False):
            settings[s.name] = str(value)
        tracker = make_tracker(name, settings)
        dataset = self.engine.pictures(run) if tracker.needs_images else None

        def work(say: Any, cancel: Any) -> str:
            return retrack(run, tracker, dataset, self.engine.store, say, cancel).id

        label = f"{run.facts['detector']['name']}+{name} · {run.dataset}"
        started = self.engine.jobs.start([(label, work)], owner=owner_of(self.engine, request, "-tune"))
        return started.id, *self.poll(state, started.id)

    def poll(self, state: dict[str, Any], job_id: str | None) -> tuple[Any, ...]:
        """How far it is; once it has ended, its run is shown beside the others, instead of the first if need be."""
        job = self.engine.jobs.get(job_id)
        active = job is not None and job.state in ACTIVE
        runs: Any = gr.skip()
        focus: Any = gr.skip()
        if job is not None and job.state == "done" and job.run_ids:
            shown = [r for r in state["runs"] if r not in job.run_ids]
            shown = [*shown[-(self.panel.most_runs - 1) :], *job.run_ids]
            if shown != state["runs"]:
                runs = gr.Dropdown(choices=run_choices(self.panel._visible()), value=shown)
                names = [(label_of(self.engine.store.get(i)), i) for i in shown if self.engine.store.has(i)]
                focus = gr.Radio(choices=names, value=job.run_ids[-1])  # what was tried is gone on from
        return job_data(job), gr.Timer(active=active), gr.Button(interactive=not active), runs, focus


@dataclass
class TuningPanel:
    """The panel's components, to be connected once the list of runs is there."""

    do: Tuning
    state: gr.State
    job: gr.State
    timer: gr.Timer
    tracker: gr.Dropdown
    go: gr.Button
    reset: gr.Button
    hint: gr.Markdown
    bar: ProgressView
    inputs: Sequence[Any]

    @property
    def opened(self) -> Any:
        """See ``Tuning.opened``."""
        return self.do.opened

    @property
    def outputs(self) -> list[Any]:
        """Of ``opened``."""
        return [self.tracker, self.go, self.hint, *self.inputs]

    def connect(self, runs: gr.Dropdown, focus: gr.Radio) -> None:
        """Make it work."""
        status = [self.bar, self.timer, self.go, runs, focus]
        self.tracker.input(toast(self.do.defaults), self.tracker, list(self.inputs), **LATEST)
        self.reset.click(toast(self.do.defaults), self.tracker, list(self.inputs), **EVENT)
        given = [self.state, self.tracker, self.job, *self.inputs]
        self.go.click(toast(self.do.start), given, [self.job, *status], **EVENT)
        self.timer.tick(self.do.poll, [self.state, self.job], status, queue=False, **EVENT)


def tuning(engine: Engine, state: gr.State, panel: Any, app: App) -> TuningPanel:
    """Build the panel."""
    del app
    do = Tuning(engine, panel)
    job, timer = gr.State(None), gr.Timer(0.4, active=False)
    first = available_trackers()
    with gr.Accordion(t("ui.trk.tune"), open=False, elem_id="trk-tune"):
        hint = gr.Markdown(t("ui.trk.tune.hint"), elem_classes="lp-help")
        with gr.Row():
            tracker = gr.Dropdown(
                first, value=first[0], label=t("ui.trk.tune.tracker"), elem_id="trk-tune-tracker", interactive=True,
                scale=3, min_width=200,
            )  # fmt: skip
            reset = gr.Button(t("ui.trk.tune.reset"), elem_id="trk-tune-reset", scale=1, min_width=110)
            go = gr.Button(t("ui.trk.tune.go"), variant="primary", elem_id="trk-tune-go", scale=2, min_width=150)
        bar = ProgressView(IDLE, elem_id="trk-tune-progress")
        with gr.Row(elem_classes="lp-tune"):
            numbers = [
                gr.Slider(0, 1, 0, visible=False, interactive=True, elem_id=f"trk-tune-n{k}", min_width=260)
                for k in range(NUMBERS)
            ]
            choices = [
                gr.Dropdown([], visible=False, interactive=True, elem_id=f"trk-tune-c{k}", min_width=260)
                for k in range(CHOICES)
            ]
    return TuningPanel(do, state, job, timer, tracker, go, reset, hint, bar, [*numbers, *choices])
