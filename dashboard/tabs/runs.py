"""Every run that was finished: found, chosen, opened, compared, reported, deleted and brought back."""

from __future__ import annotations

import contextlib
import html
import importlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import gradio as gr

from dashboard import watching_stored
from dashboard.comparing.shapes import MOST_RUNS
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.history import WATCHED, asked_data, history_data
from dashboard.history import Kind, discard, restore
from dashboard.store import Run, Store
from dashboard.tabs import TAB_OF, App
from dashboard.tabs.common import EVENT, LATEST, PICK, run_choices, shown, toast, visible
from dashboard.tabs.runs_again import again_panel
from dashboard.tabs.runs_disk import disk_panel
from dashboard.tabs.runs_label import label_panel
from dashboard.views.history import AskedView, HistoryView
from dashboard.views.strings import t
from dashboard.visitors import VisitorStore

SKIP = (gr.skip(), gr.skip())
COMPARE = "compare"
NOTHING = "Choose a run in the list first."


class Runs:
    """Handlers of the runs tab. State: the ids chosen in the list, and those deleted last."""

    def __init__(self, engine: Engine, tabs: Sequence[str]) -> None:
        self.engine, self.tabs = engine, tabs

    def table(self, chosen: Sequence[str] | None = None) -> dict[str, Any]:
        """Every run and, on one's own computer, every film that was watched."""
        watched = [] if self.engine.public else watching_stored.everything(self.engine.store)
        runs = visible(self.engine)
        return history_data(runs, watched, chosen, self._others([run.id for run in runs]))

    def picked(self, event: gr.SelectData) -> list[str]:
        """Other rows are chosen."""
        return [str(i) for i in event.value.get("ids", [])] if isinstance(event.value, dict) else []

    def buttons(self, ids: Sequence[str]) -> tuple[Any, ...]:
        """What can be done with the chosen rows: open, compare, report, delete; no question is asked any more."""
        runs = [i for i in ids if not i.startswith(WATCHED)]
        alike = len({run.task for run in self._there(runs)}) == 1
        return (
            gr.Button(interactive=len(runs) == len(ids) == 1),
            gr.Button(interactive=2 <= len(runs) <= MOST_RUNS and alike),
            gr.Button(interactive=1 <= len(runs) <= MOST_RUNS and alike),
            gr.Button(interactive=bool(ids) and not self._others(ids), visible=True),
            gr.Button(visible=False),
            gr.Button(visible=False),
            None,
        )

    def _there(self, ids: Sequence[str]) -> list[Run]:
        """Those of the runs that are still there."""
        return [self.engine.store.get(i) for i in ids if self.engine.store.has(i)]

    def _others(self, ids: Sequence[str]) -> list[str]:
        """Rows that are not the visitor's to delete; on one's own computer all are."""
        store = self.engine.store
        return [i for i in ids if not store.is_own(i)] if isinstance(store, VisitorStore) else []

    def opened_row(self, event: gr.EventData) -> tuple[Any, ...]:
        """A row was opened: Enter, or two clicks."""
        ids = (getattr(event, "value", None) or {}).get("ids") or []
        return self.open([str(i) for i in ids])

    def open(self, ids: Sequence[str] | None) -> tuple[Any, ...]:
        """Show it where its task is."""
        if not ids:
            raise InputError(NOTHING)
        if ids[0].startswith(WATCHED):
            raise InputError("What was watched has no page of its own: open its video in the tracking tab again.")
        run = self.engine.store.get(ids[0])
        tab = TAB_OF.get(run.task, run.task)
        alike = [r for r in visible(self.engine) if TAB_OF.get(r.task, r.task) == tab]
        own = gr.Dropdown(choices=run_choices(alike), value=[run.id])
        shown = [part for name in self.tabs for part in ((own, gr.Tabs(selected="results")) if name == tab else SKIP)]
        return gr.Tabs(selected=tab), *shown

    def compare(self, ids: Sequence[str] | None) -> tuple[Any, Any]:
        """Show the chosen runs side by side in the compare tab."""
        runs = self._there(ids or [])
        if not 2 <= len(runs) <= MOST_RUNS or len({run.task for run in runs}) > 1:
            raise InputError(f"Choose two to {MOST_RUNS} runs of one task to compare them.")
        choices = run_choices([r for r in visible(self.engine) if r.task == runs[0].task])
        runs = sorted(runs, key=lambda run: run.created_at)
        return gr.Tabs(selected=COMPARE), gr.Dropdown(choices=choices, value=[run.id for run in runs])

    def report(self, ids: Sequence[str] | None) -> str:
        """The chosen runs as one HTML file."""
        if not ids:
            raise InputError(NOTHING)
        share: Any = importlib.import_module("dashboard.tabs.compare_share")
        return str(share.report_file(self.engine, [run.id for run in self._there(ids)]))

    def delete(self, ids: Sequence[str] | None) -> tuple[Any, ...]:
        """Move the chosen rows to the trash, from where they can be brought back; a visitor's own go for good."""
        if not ids:
            raise InputError(NOTHING)
        if self._others(ids):
            raise InputError("On a public server you can only delete runs that you made yourself.")
        gone = self._moved(ids, _delete if self.engine.public else discard)
        gone = [] if self.engine.public else gone
        return self.table([]), [], gone, gr.Button(visible=bool(gone))

    def _moved(self, ids: Sequence[str], move: Callable[[Store, list[str], Kind], list[str]]) -> list[str]:
        """Rows of both kinds deleted or brought back as far as they can be; the rest is told.

        Raises:
            InputError: none could be.
        """
        moved, said = [], []
        for kind, mark in (("runs", ""), ("watched", WATCHED)):
            names = [i.removeprefix(mark) for i in ids if i.startswith(WATCHED) == bool(mark)]
            try:
                moved += [mark + name for name in move(self.engine.store, names, cast(Kind, kind))]
            except InputError as error:
                said.append(shown(error))
        if said and not moved:
            raise InputError(said[0])
        left = [i.removeprefix(WATCHED) for i in ids if i not in moved]
        if left and not said:
            said = [f"{', '.join(left[:3])}{' …' if len(left) > 3 else ''}: gone, or made anew, meanwhile."]
        for text in said:
            gr.Warning(html.escape(text))
        return moved

    def undo(self, gone: Sequence[str] | None) -> tuple[Any, ...]:
        """Bring back what was deleted last."""
        if self.engine.public:
            raise InputError("On a public server nothing is brought back.")
        back = self._moved(gone or [], restore)
        return self.table(back), back, [], gr.Button(visible=False)

    def ask(self, ids: Sequence[str] | None) -> tuple[Any, ...]:
        """Before anything goes: what, by name, also what a search hides."""
        if not ids:
            raise InputError(NOTHING)
        rows = [row for row in self.table()["rows"] if row["id"] in set(ids)]
        if not rows:
            raise InputError("What was chosen is gone already: open the tab again.")
        return (
            gr.Button(visible=False),
            gr.Button(visible=True),
            gr.Button(visible=True),
            asked_data(rows, self.engine.public),
        )


def _delete(store: Store, names: Sequence[str], _kind: Kind) -> list[str]:
    """Take runs away for good; returns those that went. Raises InputError if none did."""
    done = []
    for name in names:
        with contextlib.suppress(InputError):
            store.delete(name)
            done.append(name)
    if names and not done:
        store.delete(names[0])  # says what is wrong
    return done


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    do = Runs(engine, list(dict.fromkeys([*app.runs])))
    tabs = [name for name in do.tabs if name != COMPARE and name in app.inner]
    do.tabs = tabs
    chosen, gone = gr.State([]), gr.State([])
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=8, min_width=320):
            with gr.Row(elem_classes="lp-tools", elem_id="runs-actions"):
                show = gr.Button(
                    t("ui.runs.open"), interactive=False, variant="primary", size="sm", elem_id="runs-open"
                )
                compare = gr.Button(t("ui.hist.compare"), interactive=False, size="sm", elem_id="runs-compare")
                report = gr.Button(t("ui.hist.report"), interactive=False, size="sm", elem_id="runs-report")
                delete = gr.Button(t("ui.runs.delete"), interactive=False, size="sm", elem_id="runs-delete")
                sure = gr.Button(t("ui.hist.sure"), visible=False, variant="stop", size="sm", elem_id="runs-sure")
                keep = gr.Button(t("ui.hist.keep"), visible=False, size="sm", elem_id="runs-keep")
                undo = gr.Button(t("ui.hist.undo"), visible=False, size="sm", elem_id="runs-undo")
            asked = AskedView(elem_id="runs-asked")
            table = HistoryView(elem_id="runs-table")
            file = gr.DownloadButton(visible="hidden", elem_id="runs-report-file")
        with gr.Column(scale=3, min_width=280):
            if not engine.public:
                label_panel(engine, chosen, table, do.table)
            again_panel(engine, app, chosen, table, do.table)
            if not engine.public:
                disk_panel(engine, chosen, table, do.table)
    assert app.tab is not None
    buttons: list[Any] = [show, compare, report, delete, sure, keep, asked]
    targets: list[Any] = [part for name in tabs for part in (app.runs[name], app.inner[name])]
    app.tab.select(do.table, None, table, **LATEST)
    # A choice made while the one before is on its way must not be lost: what is deleted is what was chosen last.
    table.select(do.picked, None, chosen, **PICK)
    chosen.change(do.buttons, chosen, buttons, **EVENT)  # whoever has changed it: the list, a new run, what was removed
    table.submit(toast(do.opened_row), None, [app.tabs, *targets], **EVENT)
    show.click(toast(do.open), chosen, [app.tabs, *targets], **EVENT)
    if COMPARE in app.runs:
        compare.click(toast(do.compare), chosen, [app.tabs, app.runs[COMPARE]], **EVENT)
    saved = report.click(toast(do.report), chosen, file, **(EVENT | {"show_progress": "minimal"}))
    saved.success(None, js="() => document.querySelector('#runs-report-file').click()", **EVENT)
    delete.click(toast(do.ask), chosen, [delete, sure, keep, asked], **EVENT)
    keep.click(do.buttons, chosen, buttons, **EVENT)
    after: list[Any] = [table, chosen, gone, undo]
    sure.click(toast(do.delete), chosen, after, **EVENT)
    if not engine.public:
        undo.click(toast(do.undo), gone, after, **EVENT)
