"""Handlers of the enhancement results panel: what a click shows. The layout is in ``enhancement_panel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import pandas as pd
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore import enhancement as explore
from dashboard.explore.enhancement.opened import Opened, opened
from dashboard.explore.enhancement.selecting import PERCEPTUAL
from dashboard.explore.overview import different_data
from dashboard.perceptual import distances
from dashboard.store import Run
from dashboard.tabs.common import put
from dashboard.tabs.explorer import START, Explorer
from dashboard.tabs.results import how_measured
from dashboard.tabs.runs_shown import names_of
from dashboard.views.strings import t

OUTPUTS = 12  # of ``EnhancementResults.show``


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs.

    Attributes:
        columns, kind, measure: which columns the table, which chart and over what it is drawn.
        order: of the pictures.
    """

    columns: str = "fidelity"
    kind: str = "images"
    measure: str = "psnr"
    order: str = "enh_l2"


class EnhancementResults(Explorer[Opened, Controls]):
    """Handlers of the panel."""

    tab = "enhancement"
    most_runs = 4
    at_first = 4

    def open(self, run: Run, controls: Controls | None) -> Opened:
        """A run opened."""
        del controls
        return opened(run)

    def checked(self, selection: Any, view: Opened) -> dict[str, Any]:
        """See ``explore.checked``."""
        del view
        return explore.checked(selection)

    def rows(self, view: Opened, controls: Controls) -> list[int]:
        """Dataset positions of the rows of the table of images."""
        del controls
        return [int(i) for i in view.index]

    def table(self, view: Opened, state: dict[str, Any], controls: Controls) -> pd.DataFrame:
        """One row an image of the selection."""
        views = self.opened(state, controls)
        of = self.selected_of(views, state)
        return explore.images_table(views, state["selection"], controls.order, of, self._far(view, controls))

    def show(self, ids: Sequence[str], focus: str | None, controls: Controls) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        views = self.views(ids, controls)
        if not views:
            return dict(START), gr.Radio(choices=[], value=None), gr.Radio(), *(None,) * (OUTPUTS - 5), "", ""
        # the last is the newest, mostly the model that the others are there to be beaten by
        at = next((k for k, v in enumerate(views) if v.run.id == focus), len(views) - 1)
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "of": at}
        kinds = explore.charts(views)
        asked, controls = controls.kind, replace(controls, kind=controls.kind if controls.kind in kinds else kinds[0])
        state["picture"], gallery = self.first(views, state, controls)
        names = [(t(f"ui.enh.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds]
        view = self.in_focus(views, state)
        return (
            state,
            put(gr.Radio, view.run.id, focus, choices=names_of(views), visible=len(views) > 1),
            put(gr.Radio, controls.kind, asked, choices=names),
            explore.figures_data(views),
            explore.images_data(view, controls.columns, state["picture"]),
            self._chart(views, state, controls),
            explore.conventions_data(views) if comparable(views) else None,
            gallery,
            self.compare(views, state, controls),
            explore.other_figures(views),
            recipes_of([v.run for v in views]),
            how_measured([v.run for v in views], self.engine.public),
        )

    def _chart(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The chart."""
        return explore.chart(views, controls.kind, controls.measure, state["focus"])

    def _far(self, view: Opened, controls: Controls) -> NDArray[Any] | None:
        """(N,) perceptual distances, if pictures are ordered by them. Raises InputError if they cannot be had."""
        if controls.order != PERCEPTUAL:
            return None
        return distances(view.run, view.index, self.engine.store.root / "pictures")

    def first(
        self, views: list[Opened], state: dict[str, Any], controls: Controls, start: int = 0
    ) -> tuple[int | None, Any]:
        """The selection's pictures, and the first one's position."""
        of = self.selected_of(views, state)
        far = self._far(views[of], controls)
        order = controls.order if views[of].referenced or controls.order in explore.COLUMNS["plain"] else "dataset"
        data, positions = explore.gallery_data(views, state["selection"], order, of, start, state["most"], far)
        if len(views) > 1:
            data["of"] = views[of].run.model
        return (positions[0] if positions else None), data

    def compare(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The picture in panes."""
        del controls
        if state["picture"] is None:
            return None
        of = self.selected_of(views, state)
        pictures = self.engine.pictures(views[of].run)
        try:
            return explore.compare_data(views, pictures, int(state["picture"]), of)
        except InputError:
            return None

    def rechosen(
        self, state: dict[str, Any], ids: Sequence[str] | None, focus: str | None, controls: Controls
    ) -> tuple[Any, ...]:
        """Runs were chosen, here or in another tab; nothing happens for the echo of one's own choice."""
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * OUTPUTS
        return self.show(ids or [], focus, controls)

    def on_columns(self, state: dict[str, Any], controls: Controls) -> Any:
        """Other columns of the table of images."""
        view = self.in_focus(self.opened(state, controls), state)
        return explore.images_data(view, controls.columns, state["picture"])

    def on_kind(self, state: dict[str, Any], controls: Controls) -> Any:
        """Another chart, or over another measure."""
        return self._chart(self.opened(state, controls), state, controls)

    def on_row(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, Any]:
        """A row of the table of images: its picture, large."""
        views = self.opened(state, controls)
        positions = self.rows(self.in_focus(views, state), controls)
        if not (isinstance(event.index, int) and 0 <= event.index < len(positions)):
            raise InputError("There is no such row: reload the page and click again.")
        state = {**state, "picture": positions[event.index], "of": state["focus"]}
        return state, self.compare(views, state, controls)


def comparable(views: Sequence[Opened]) -> bool:
    """Whether a table of conventions can be made: there are references, and all runs are on the same data."""
    return any(v.referenced for v in views) and not different_data([v.run for v in views])


def recipes_of(runs: Sequence[Run]) -> str:
    """How the models' inputs were made, a sentence for each data; "" where they are files."""
    found = {run.dataset: str(run.facts.get("dataset_facts", {}).get("recipe") or "") for run in runs}
    told = {data: recipe for data, recipe in found.items() if recipe}
    return "\n\n".join(recipe if len(found) == 1 else f"{data}: {recipe}" for data, recipe in told.items())
