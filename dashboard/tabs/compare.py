"""Compare: which runs, against which, and a panel for each question about them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.comparing.shapes import MOST_RUNS
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.overview import same_data
from dashboard.store import Run
from dashboard.tabs import PANELS, App, Compared
from dashboard.tabs.common import EVENT, run_choices, shown, toast, visible
from dashboard.tasks import TASKS
from dashboard.views.strings import t

NAME = "compare"
Choice = tuple[Any, Any, Any]


class Compare:
    """Handlers of the choice of runs; what is known of them is in the panels."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def of(self, task: str | None) -> list[Run]:
        """Runs of a task, newest first."""
        return [r for r in visible(self.engine) if r.task == task]

    def first(self, task: str) -> list[str]:
        """The newest runs on the newest data that has at least two of a model each, oldest first; at most four."""
        runs = self.of(task)
        for newest in runs:
            alike = {r.model: r for r in reversed(runs) if same_data(r, newest)}
            if len(alike) > 1:
                return [r.id for r in sorted(alike.values(), key=lambda r: r.created_at)[-4:]]
        return []

    def opened(self, task: str | None, ids: Sequence[str] | None, request: gr.Request) -> tuple[Any, ...]:
        """The tab was opened: runs to begin with, unless some are chosen. ``?run=A,B`` asks for some."""
        if ids:
            return (gr.skip(),) * 4
        wanted = self.linked_runs(request)
        if wanted:
            return gr.Radio(value=wanted[0].task), *self.choice(wanted[0].task, [r.id for r in wanted])
        with_two = [k for k in TASKS.names() if self.first(k)]
        task = task if self.first(task or "") else next(iter(with_two), task)
        return gr.Radio(value=task), *self.choice(task, self.first(task or ""))

    def linked_runs(self, request: gr.Request) -> list[Run]:
        """What ``?run=A,B`` names, as far as it is there and of one task; none for a single run."""
        named = str(request.query_params.get("run") or "").split(",")
        found = [self.engine.store.get(name) for name in dict.fromkeys(named) if self.engine.store.has(name)]
        alike = [r for r in found if r.task == found[0].task][:MOST_RUNS]
        return alike if len(named) > 1 else []

    def linked(self, request: gr.Request) -> Any:
        """The page has opened: ``?run=A,B`` brings this tab to the front."""
        named = str(request.query_params.get("run") or "")
        if "," in named:
            gone = [n for n in named.split(",") if not self.engine.store.has(n)]
            if gone:
                gr.Warning(f"There is no run {html.escape(', '.join(gone)[:200])}: it may have been deleted.")
        return gr.Tabs(selected=NAME) if self.linked_runs(request) else gr.skip()

    def choice(self, task: str | None, ids: Sequence[str], baseline: str | None = None) -> Choice:
        """The dropdowns for chosen runs."""
        choices = run_choices(self.of(task))
        labels = {run: label for label, run in choices}
        kept = [i for i in ids if i in labels]
        first = baseline if baseline in kept else next(iter(kept), None)
        return (
            gr.Dropdown(choices=choices, value=kept),
            gr.Dropdown(choices=[(labels[i], i) for i in kept], value=first, interactive=len(kept) > 1),
            gr.Markdown(visible=len(kept) < 2),
        )

    def tasked(self, task: str) -> Choice:
        """Another task."""
        return self.choice(task, self.first(task))

    def picked(self, task: str, ids: Sequence[str] | None, baseline: str | None) -> Choice:
        """Other runs; ids may come from another tab, and then of another task."""
        return self.choice(task, list(ids or [])[:MOST_RUNS], baseline)


def chosen_runs(engine: Engine, ids: Sequence[str] | None, baseline: str | None) -> tuple[list[Run], int]:
    """The runs of the compare tab and the baseline's place.

    Raises:
        InputError: fewer than two, or one that is gone.
    """
    names = list(ids or [])[:MOST_RUNS]
    if len(names) < 2:
        raise InputError("Pick at least two runs to compare.")
    try:
        runs = [engine.store.get(name) for name in names]
    except InputError as error:
        raise InputError(shown(error)) from error
    return runs, names.index(baseline) if baseline in names else 0


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    do = Compare(engine)
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        task = gr.Radio(
            [(t(f"ui.task.{k}"), k) for k in TASKS.names()], value=TASKS.names()[0], label=t("ui.cmp.task"),
            elem_id="cmp-task", interactive=True, scale=4, min_width=280,
        )  # fmt: skip
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=MOST_RUNS, label=t("ui.cmp.runs"), elem_id="cmp-runs", scale=6,
            min_width=320, interactive=True,
        )  # fmt: skip
        baseline = gr.Dropdown(
            [], label=t("ui.cmp.baseline"), elem_id="cmp-baseline", scale=3, min_width=200, interactive=True
        )
    few = gr.Markdown(t("ui.cmp.few"), visible=False, elem_id="cmp-few")
    with gr.Tabs(elem_id="cmp-tabs") as inner:
        app.inner[NAME] = inner
        app.runs[NAME] = runs
        for name, panel in PANELS.items():
            with gr.Tab(t(f"ui.cmp.panel.{name}"), id=name, elem_id=f"cmp-tab-{name}") as tab:
                panel(engine, app, Compared(task, runs, baseline, tab))
    assert app.tab is not None
    chosen: list[Any] = [runs, baseline, few]
    app.tab.select(toast(do.opened), [task, runs], [task, *chosen], **EVENT)
    app.on_load.append((toast(do.linked), [], [app.tabs]))
    task.input(toast(do.tasked), task, chosen, **EVENT)
    runs.input(toast(do.picked), [task, runs, baseline], chosen, **EVENT)
