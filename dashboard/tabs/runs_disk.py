"""What the store takes on disk, and what can go: shown before it goes. Not on a public server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from dashboard import pruning
from dashboard.datasets.opening import cache_folder
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.history import WATCHED, disk_data, going_data
from dashboard.tabs.common import EVENT, LATEST, toast
from dashboard.views.history import DiskView, HistoryView
from dashboard.views.strings import t

KINDS = ("trash", "unfinished", "videos", "pictures", "predictions", "oldest")


class Disk:
    """Handlers of the panel."""

    def __init__(self, engine: Engine, table: Callable[[Sequence[str]], Any]) -> None:
        self.engine, self.table = engine, table

    def use(self) -> dict[str, Any]:
        """A row for every part of the store."""
        return disk_data(pruning.disk_use(self.engine.store, self.engine.films.folder, cache_folder()))

    def plan(
        self, kinds: Sequence[str] | None, days: float | None, gigabytes: float | None, ids: Sequence[str] | None
    ) -> list[pruning.Going]:
        """What would go now. Raises InputError on a public server, or for numbers that make no sense."""
        if self.engine.public:
            raise InputError("Nothing can be taken away on a public server.")
        store, found = self.engine.store, []
        if "trash" in (kinds or []):
            found += pruning.trash(store)
        if "unfinished" in (kinds or []):
            if days is None or days < 0:
                raise InputError("Give the days after which unfinished runs may go, 0 or more.")
            found += pruning.unfinished(store, days)
        if "videos" in (kinds or []):
            found += pruning.unused_videos(store)
        if "pictures" in (kinds or []):
            found += pruning.measurements(store)
        if "predictions" in (kinds or []):
            runs = [i for i in ids or [] if not i.startswith(WATCHED) and store.has(i)]
            if not runs:
                raise InputError("Choose runs in the list whose predictions may go.")
            found += pruning.predictions(store, runs)
        if "oldest" in (kinds or []):
            if gigabytes is None or gigabytes < 0:
                raise InputError("Give the gigabytes that runs may take, 0 or more.")
            found += pruning.oldest(store, gigabytes * 1e9)
        whole = {thing.path for thing in found}
        return [thing for thing in found if thing.path.parent not in whole]  # a run's predictions go with it

    def look(self, *settings: Any) -> tuple[Any, ...]:
        """Show what would go; nothing goes yet."""
        going = self.plan(*settings)
        return going_data(going), [str(g.path) for g in going], gr.Button(visible=bool(going))

    def remove(self, seen: Sequence[str], *settings: Any) -> tuple[Any, ...]:
        """Take away what was shown, as far as it may still go."""
        going = [g for g in self.plan(*settings) if str(g.path) in set(seen or [])]
        pruning.remove(self.engine.store, going)
        return self.use(), going_data(None), [], gr.Button(visible=False), self.table([]), []

    def forget(self) -> tuple[Any, ...]:
        """Other settings: what was shown no longer holds."""
        return going_data(None), [], gr.Button(visible=False)


def disk_panel(engine: Engine, chosen: gr.State, table: HistoryView, rows: Callable[[Sequence[str]], Any]) -> None:
    """Build the panel beside the list."""
    do = Disk(engine, rows)
    seen = gr.State([])
    with gr.Accordion(t("ui.hist.disk"), open=False, elem_id="runs-disk") as panel:
        use = DiskView(elem_id="runs-use")
        kinds = gr.CheckboxGroup(
            [(t(f"ui.hist.prune.{kind}"), kind) for kind in KINDS], label=t("ui.hist.prune"), elem_id="runs-prune"
        )
        with gr.Row():
            days = gr.Number(7, minimum=0, label=t("ui.hist.days"), min_width=120, elem_id="runs-days")
            gigabytes = gr.Number(10, minimum=0, label=t("ui.hist.gigabytes"), min_width=120, elem_id="runs-gigabytes")
        with gr.Row():
            look = gr.Button(t("ui.hist.look"), size="sm", elem_id="runs-look")
            remove = gr.Button(t("ui.hist.remove"), size="sm", variant="stop", visible=False, elem_id="runs-remove")
        going = DiskView(elem_id="runs-going")
    settings: list[Any] = [kinds, days, gigabytes, chosen]
    panel.expand(do.use, None, use, **EVENT)
    look.click(toast(do.look), settings, [going, seen, remove], **EVENT)
    remove.click(toast(do.remove), [seen, *settings], [use, going, seen, remove, table, chosen], **EVENT)
    for changed in (kinds.input, days.input, gigabytes.input, chosen.change):
        changed(do.forget, None, [going, seen, remove], **LATEST)
