"""Compare: which runs, against which, and a panel for each question about them."""

from __future__ import annotations

import contextlib
import contextvars
import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeGuard

import gradio as gr

from dashboard.comparing.align import name as name_of
from dashboard.comparing.compare import compare
from dashboard.comparing.shapes import MOST_RUNS, Comparison
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.overview import same_data
from dashboard.store import Run
from dashboard.tabs import PANELS, App, Compared
from dashboard.tabs.common import EVENT, LATEST, Choices, own, put, run_choices, shown, toast, visible
from dashboard.tasks import TASKS
from dashboard.views.strings import t

NAME = "compare"
Chosen = tuple[Any, Any, Any]
PATIENCE_S = 0.6
"""After this long a reader is told that runs are being compared."""


class Compare:
    """Handlers of the choice of runs; what is known of them is in the panels."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def of(self, task: str | None) -> list[Run]:
        """Runs of a task, newest first."""
        return [r for r in visible(self.engine) if r.task == task]

    def first(self, task: str) -> list[str]:
        """The newest runs on the newest data that has at least two of a model each, oldest first; at most four."""
        runs = own(self.of(task))
        for newest in runs:
            alike = {r.model: r for r in reversed(runs) if same_data(r, newest)}
            if len(alike) > 1:
                return [r.id for r in sorted(alike.values(), key=lambda r: r.created_at)[-4:]]
        return []

    def opened(
        self, task: str | None, ids: Sequence[str] | None, baseline: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """The tab was opened: runs to begin with, unless some are chosen, here or in another tab.

        ``?run=A,B`` asks for some.
        """
        there = [r for r in visible(self.engine) if r.id in (ids or [])]
        if there:
            return gr.Radio(value=there[0].task), *self.choice(there[0].task, list(ids or []), baseline)
        wanted = self.linked_runs(request)
        self._tell_missing(request, wanted)
        if wanted:
            return gr.Radio(value=wanted[0].task), *self.choice(wanted[0].task, [r.id for r in wanted])
        with_two = [k for k in TASKS.names() if self.first(k)]
        task = task if self.first(task or "") else next(iter(with_two), task)
        return gr.Radio(value=task), *self.choice(task, self.first(task or ""))

    def linked_runs(self, request: gr.Request) -> list[Run]:
        """What ``?run=A,B`` names, as far as it is there and of one task; none for a single run."""
        found = self._found(request)
        return [r for r in found if r.task == found[0].task][:MOST_RUNS]

    @staticmethod
    def _named(request: gr.Request) -> list[str]:
        """The names in ``?run=A,B``; none for a single run, which is no comparison."""
        named = str(request.query_params.get("run") or "").split(",")
        return list(dict.fromkeys(named)) if len(named) > 1 else []

    def _found(self, request: gr.Request) -> list[Run]:
        """Those of them that are there, of whatever task."""
        found = []
        for name in self._named(request):
            with contextlib.suppress(InputError):  # gone, or damaged
                found.append(self.engine.store.get(name))
        return found

    def linked(self, request: gr.Request) -> Any:
        """The page has opened: ``?run=A,B`` brings this tab to the front; what is gone is said once it is there."""
        return gr.Tabs(selected=NAME) if "," in str(request.query_params.get("run") or "") else gr.skip()

    def _tell_missing(self, request: gr.Request, wanted: Sequence[Run]) -> None:
        """Say which runs of ``?run=A,B`` are not there, are of another task, or are one too many."""
        gone = [n for n in self._named(request) if not self.engine.store.has(n)]
        if gone:
            gr.Warning(html.escape(f"There is no run {', '.join(gone)[:200]}: it may have been deleted."))
        left = [r for r in self._found(request) if r.id not in [w.id for w in wanted]]
        names = ", ".join(f"{name_of(r)} ({r.task})" for r in left if r.task != wanted[0].task)
        if names:
            what = f"{names[:300]} left out: only runs of one task can be compared, here of {wanted[0].task}."
            gr.Warning(html.escape(what))
        many = ", ".join(name_of(r) for r in left if r.task == wanted[0].task)
        if many:
            gr.Warning(html.escape(f"{many[:300]} left out: up to {MOST_RUNS} runs can be compared."))

    @staticmethod
    def settled(
        ids: Sequence[str] | None, baseline: str | None, known: Sequence[str], base: str | None
    ) -> tuple[Any, Any]:
        """What the panels go by, once both lists agree: a list of several says that it changed when it has not."""
        names = list(ids or [])
        if (names and baseline not in names) or (names == known and baseline == base):
            return gr.skip(), gr.skip()
        return names, baseline

    def choice(
        self, task: str | None, ids: Sequence[str], baseline: str | None = None, sent: tuple[Any, Any] = (..., ...)
    ) -> Chosen:
        """The dropdowns for chosen runs. ``sent`` is what the page has in them, which stays as it is if it is right."""
        choices = run_choices(self.of(task))
        labels = {run: label for label, run in choices}
        kept = [i for i in ids if i in labels]
        first = baseline if baseline in kept else next(iter(kept), None)
        return (
            put(Choices, kept, sent[0], choices=choices),
            put(Choices, first, sent[1], choices=[(labels[i], i) for i in kept], interactive=len(kept) > 1),
            gr.Markdown(t(self._few(task)), visible=len(kept) < 2),
        )

    def _few(self, task: str | None) -> str:
        """The key of what to say where there are not two runs to compare: boxes may be under another task."""
        elsewhere = task == "detection" and len(self.of(task)) < 2 and self.of("instance-segmentation")
        return "ui.cmp.few.boxes" if elsewhere else "ui.cmp.few"

    def tasked(self, task: str) -> Chosen:
        """Another task."""
        return self.choice(task, self.first(task))

    def picked(self, task: str, ids: Sequence[str] | None, baseline: str | None) -> Chosen:
        """Other runs; ids may come from another tab, and then of another task."""
        wanted = list(ids or [])
        return self.choice(task, wanted[:MOST_RUNS], baseline, (wanted, baseline))


def is_place(value: Any, count: int) -> TypeGuard[int]:
    """Whether what came with an event is a place among ``count`` things: a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


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


def comparison_of(engine: Engine, ids: Sequence[str] | None, baseline: str | None) -> Comparison:
    """The comparison that the tab is about; asked again, it is at hand.

    Raises:
        InputError: in one sentence, for the page.
    """
    runs, place = chosen_runs(engine, ids, baseline)
    try:
        return compare(runs, place)
    except InputError as error:
        raise InputError(shown(error)) from error


class Panel(ABC):
    """A panel that works only while it is looked at, and only when what it shows has changed.

    State: ``for`` is what it was last made for.

    Args:
        engine: has the store.
        name: of the panel, as registered.
        outputs: how many components it fills besides its state, the sentence that says what is wrong, and its body.
    """

    def __init__(self, engine: Engine, name: str, outputs: int) -> None:
        self.engine, self.name, self.outputs = engine, name, outputs

    @abstractmethod
    def show(self, state: dict[str, Any], comparison: Comparison, asked: dict[str, Any]) -> tuple[Any, ...]:
        """The new state, and a value for each component."""

    def opened(
        self, state: dict[str, Any], asked: dict[str, Any], ids: Sequence[str] | None, baseline: str | None
    ) -> tuple[Any, ...]:
        """The panel was opened."""
        chosen = list(ids or [])
        wanted = [chosen, baseline, asked]
        nothing = *(None,) * self.outputs, gr.Column(visible=False)
        if state.get("for") == wanted:
            return (gr.skip(),) * (self.outputs + 3)
        if len(chosen) < 2:  # the tab itself says what to do
            return {**state, "for": wanted}, gr.Markdown(visible=False), *nothing
        try:
            new, *values = self.show(state, comparison_of(self.engine, ids, baseline), asked)
        except InputError as error:
            said = gr.Markdown(f"⚠ {html.escape(str(error))}", visible=True)
            return {**state, "for": wanted}, said, *nothing
        return {**new, "for": wanted}, gr.Markdown(visible=False), *values, gr.Column(visible=True)

    def changed(
        self, state: dict[str, Any], asked: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, front: str
    ) -> tuple[Any, ...]:
        """Other runs were chosen, perhaps while another panel is looked at."""
        if front != self.name:
            return (gr.skip(),) * (self.outputs + 3)
        return self.opened(state, asked, ids, baseline)

    def connect(
        self, compared: Compared, state: gr.State, problem: gr.Markdown, outputs: Sequence[Any], body: gr.Column
    ) -> None:
        """Fill ``outputs`` when the panel is opened, and while it is in front when the choice of runs changes.

        ``body`` has all of them; it is away where there is nothing to show.
        """
        inputs = [state, compared.asked, compared.runs, compared.baseline]
        targets = [state, problem, *outputs, body]
        assert len(outputs) == self.outputs
        compared.tab.select(self._patiently(self.opened), inputs, targets, **LATEST)
        for changing in (compared.runs.change, compared.baseline.change):
            changing(self._patiently(self.changed), [*inputs, compared.front], targets, **EVENT)

    def _patiently(self, function: Callable[..., tuple[Any, ...]]) -> Callable[..., Iterator[tuple[Any, ...]]]:
        """A handler that says so if it takes a while: large runs are compared for the first time."""

        def told(*inputs: Any) -> Iterator[tuple[Any, ...]]:
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(contextvars.copy_context().run, function, *inputs)
                if not wait([answer], PATIENCE_S).done:
                    skipped = (gr.skip(),) * (self.outputs + 1)
                    yield gr.skip(), gr.Markdown(t("ui.vs.busy"), visible=True), *skipped
                yield answer.result()

        return told


def _always(name: str) -> Callable[[], str]:
    """A handler that says which panel was opened."""
    return lambda: name


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    do = Compare(engine)
    task = gr.Radio(
        [(t(f"ui.task.{k}"), k) for k in TASKS.names()], value=TASKS.names()[0], show_label=False, container=False,
        elem_id="cmp-task", interactive=True,
    )  # fmt: skip
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = Choices(
            [], multiselect=True, max_choices=MOST_RUNS, label=t("ui.cmp.runs"), elem_id="cmp-runs", scale=6,
            min_width=320, interactive=True,
        )  # fmt: skip
        baseline = Choices(
            [], label=t("ui.cmp.baseline"), elem_id="cmp-baseline", scale=3, min_width=200, interactive=True
        )
    few = gr.Markdown(t("ui.cmp.few"), visible=False, elem_id="cmp-few")
    front, asked = gr.State(next(iter(PANELS.names()), "")), gr.State({})
    chosen_ids, chosen_baseline = gr.State([]), gr.State(None)  # change once, where lists echo
    with gr.Tabs(elem_id="cmp-tabs") as inner:
        app.inner[NAME] = inner
        app.runs[NAME] = runs
        for name, panel in PANELS.items():
            with gr.Tab(t(f"ui.cmp.panel.{name}"), id=name, elem_id=f"cmp-tab-{name}") as tab:
                tab.select(_always(name), None, front, **LATEST)
                panel(engine, app, Compared(task, chosen_ids, chosen_baseline, tab, asked, front))
    assert app.tab is not None
    chosen: list[Any] = [runs, baseline, few]
    app.tab.select(toast(do.opened), [task, runs, baseline], [task, *chosen], **LATEST)
    app.on_load.append((toast(do.linked), [], [app.tabs]))
    task.input(toast(do.tasked), task, chosen, **LATEST)
    runs.input(toast(do.picked), [task, runs, baseline], chosen, **LATEST)
    settled: list[Any] = [chosen_ids, chosen_baseline]
    for changing in (runs.change, baseline.change):
        changing(do.settled, [runs, baseline, *settled], settled, **LATEST)
