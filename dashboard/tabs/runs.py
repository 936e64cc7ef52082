"""Every finished run: open it, or delete it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import pandas as pd

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.tracking.opened import label_of
from dashboard.tabs import TAB_OF, App
from dashboard.tabs.common import EVENT, run_choices, toast, visible
from dashboard.views.strings import t

COLUMNS = (
    "top1",
    "top5",
    "f1_macro",
    "auroc_macro",
    "ece",
    "map",
    "map_50",
    "f1",
    "miou",
    "psnr",
    "ssim",
    "HOTA",
    "MOTA",
    "IDF1",
)
SKIP = (gr.skip(), gr.skip())


class Runs:
    """Handlers of the runs tab."""

    def __init__(self, engine: Engine, tabs: Sequence[str]) -> None:
        self.engine, self.tabs = engine, tabs

    def table(self) -> pd.DataFrame:
        """One row a run, newest first."""
        rows = [
            {"run": r.id, "task": r.task, "model": label_of(r), "dataset": r.dataset, "images": r.samples}
            | {c: None if r.metrics.get(c) is None else round(r.metrics[c], 4) for c in COLUMNS}  # type: ignore[call-overload,arg-type]
            | {"created": r.created_at[:16].replace("T", " ")}
            for r in visible(self.engine)
        ]
        frame = pd.DataFrame(rows, columns=["run", "task", "model", "dataset", "images", *COLUMNS, "created"])
        return frame.dropna(axis=1, how="all") if rows else frame

    def picked(self, event: gr.SelectData) -> tuple[Any, ...]:
        """A row was clicked."""
        run_id = str(event.row_value[0])
        return (
            run_id,
            f"**{run_id}**",
            gr.Button(interactive=True),
            gr.Button(interactive=True, visible=True),
            gr.Button(visible=False),
        )

    def open(self, run_id: str | None) -> tuple[Any, ...]:
        """Show it where its task is."""
        if not run_id:
            raise InputError("Click a run in the list first.")
        run = self.engine.store.get(run_id)
        alike = [r for r in self.engine.store.runs() if TAB_OF.get(r.task, r.task) == TAB_OF.get(run.task, run.task)]
        choices = run_choices(alike)
        tab = TAB_OF.get(run.task, run.task)
        own = gr.Dropdown(choices=choices, value=[run.id])
        shown = [part for name in self.tabs for part in ((own, gr.Tabs(selected="results")) if name == tab else SKIP)]
        return gr.Tabs(selected=tab), *shown

    def delete(self, run_id: str | None) -> tuple[Any, ...]:
        """Remove it for good."""
        if self.engine.public:
            raise InputError("Runs cannot be deleted on a public server.")
        if run_id:
            self.engine.store.delete(run_id)
            self.engine.drop_unused_videos()
        return (
            self.table(),
            None,
            "",
            gr.Button(interactive=False),
            gr.Button(interactive=False, visible=True),
            gr.Button(visible=False),
        )


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    do = Runs(engine, list(app.runs))
    chosen = gr.State(None)
    gr.Markdown(t("ui.runs.list"))
    table = gr.Dataframe(
        do.table, interactive=False, elem_id="runs-table", show_search="filter", max_height=520, buttons=[]
    )
    with gr.Row():
        name = gr.Markdown("", elem_id="runs-picked")
        show = gr.Button(t("ui.runs.open"), interactive=False, variant="primary", elem_id="runs-open")
        delete = gr.Button(t("ui.runs.delete"), interactive=False, elem_id="runs-delete", visible=not engine.public)
        sure = gr.Button(t("ui.runs.sure"), visible=False, variant="stop", elem_id="runs-sure")
    table.select(do.picked, None, [chosen, name, show, delete, sure], **EVENT)
    targets = [part for name in app.runs for part in (app.runs[name], app.inner[name])]
    show.click(toast(do.open), chosen, [app.tabs, *targets], **EVENT)
    delete.click(lambda: (gr.Button(visible=False), gr.Button(visible=True)), None, [delete, sure], **EVENT)
    if not engine.public:
        sure.click(toast(do.delete), chosen, [table, chosen, name, show, delete, sure], **EVENT)
    assert app.tab is not None
    app.tab.select(do.table, None, table, **EVENT)
