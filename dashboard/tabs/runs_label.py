"""What the chosen run is called: title and tags, beside what is known of it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.history import WATCHED
from dashboard.history import change_tags, set_label
from dashboard.store import Run
from dashboard.tabs.common import EVENT, toast
from dashboard.views.history import HistoryView
from dashboard.views.strings import t

MOST = 300
"""Characters of a line of facts."""


class Labels:
    """Handlers of the panel."""

    def __init__(self, engine: Engine, table: Callable[[Sequence[str]], Any]) -> None:
        self.engine, self.table = engine, table

    def runs(self, ids: Sequence[str] | None) -> list[Run]:
        """The chosen runs that are still there."""
        store = self.engine.store
        return [store.get(i) for i in ids or [] if not i.startswith(WATCHED) and store.has(i)]

    def shown(self, ids: Sequence[str] | None) -> tuple[Any, ...]:
        """Title and tags of the one that is chosen; of several the tags they share."""
        runs = self.runs(ids)
        one = runs[0] if len(runs) == 1 else None
        shared = [tag for tag in runs[0].tags if all(tag in run.tags for run in runs)] if runs else []
        return (
            gr.Textbox(
                value=one.title if one else "", interactive=one is not None, placeholder=one.model if one else ""
            ),
            gr.Textbox(value=", ".join(shared), interactive=bool(runs)),
            gr.Button(interactive=bool(runs)),
            shared,
            facts_html(one),
        )

    def save(self, ids: Sequence[str] | None, title: str, tags: str, shared: Sequence[str]) -> tuple[Any, ...]:
        """Write both. Of several runs the tags they share are changed, and each keeps its own others."""
        if self.engine.public:
            raise InputError("Runs cannot be renamed on a public server.")
        runs = self.runs(ids)
        if not runs:
            raise InputError("Choose a run in the list first.")
        if len(runs) == 1:
            set_label(self.engine.store, runs[0].id, title, tags)
        else:
            change_tags(self.engine.store, [run.id for run in runs], add=tags, drop=list(shared))
        return self.table([run.id for run in runs]), *self.shown([run.id for run in runs])


def facts_html(run: Run | None) -> str:
    """What is known of a run, in few lines; every text escaped."""
    if run is None:
        return ""
    source = str(run.facts.get("dataset_facts", {}).get("source", ""))
    timing = run.timing.get("wall_s")
    lines = [
        run.id,
        f"{run.model} · {run.dataset}" + (f" · {source}" if source else ""),
        " · ".join(
            str(part)
            for part in (
                run.environment.get("device"),
                None if not isinstance(timing, (int, float)) else f"{timing:.1f} s",
                run.created_at[:19].replace("T", " ") + " UTC",
            )
            if part
        ),
    ]
    return "".join(
        f'<p style="overflow-wrap: anywhere"><small>{html.escape(line[:MOST])}</small></p>' for line in lines
    )


def label_panel(engine: Engine, chosen: gr.State, table: HistoryView, rows: Callable[[Sequence[str]], Any]) -> None:
    """Build the panel beside the list."""
    do = Labels(engine, rows)
    shared = gr.State([])
    with gr.Accordion(t("ui.hist.label"), open=True, elem_id="runs-label"):
        title = gr.Textbox(label=t("ui.hist.title"), interactive=False, max_lines=1, elem_id="runs-title")
        tags = gr.Textbox(
            label=t("ui.hist.tags"), info=t("ui.hist.tags.hint"), interactive=False, max_lines=1, elem_id="runs-tags"
        )
        save = gr.Button(t("ui.hist.save"), interactive=False, size="sm", elem_id="runs-save")
        facts = gr.HTML(elem_id="runs-facts")
    parts: list[Any] = [title, tags, save, shared, facts]
    chosen.change(do.shown, chosen, parts, **EVENT)
    for trigger in (save.click, title.submit, tags.submit):
        trigger(toast(do.save), [chosen, title, tags, shared], [table, *parts], **EVENT)
