"""Handlers of the segmentation results panel: what a click shows. The layout is in ``segmentation_panel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore import segmentation as explore
from dashboard.explore.brightness import brightness
from dashboard.explore.segmentation.opened import Opened, opened
from dashboard.store import Run
from dashboard.tabs.common import put
from dashboard.tabs.explorer import START, Explorer
from dashboard.tabs.results import how_measured
from dashboard.tabs.runs_shown import names_of
from dashboard.views.strings import t

OUTPUTS = 11  # of ``SegmentationResults.show``


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs.

    Attributes:
        columns, kind: which columns the table and which chart are shown.
        order: of the pictures.
    """

    columns: str = "regions"
    kind: str = "class_iou"
    order: str = "order_pixels"


class SegmentationResults(Explorer[Opened, Controls]):
    """Handlers of the panel."""

    tab = "segmentation"

    def open(self, run: Run, controls: Controls | None) -> Opened:
        """A run opened."""
        del controls
        return opened(run)

    def checked(self, selection: Any, view: Opened) -> dict[str, Any]:
        """See ``explore.checked``."""
        return dict(explore.checked(selection, len(view.names)))

    def rows(self, view: Opened, controls: Controls) -> list[int]:
        """Class numbers of the class table's rows."""
        classes: list[int] = explore.table_data(view, controls.columns)["classes"]
        return classes

    def table(self, view: Opened, state: dict[str, Any], controls: Controls) -> pd.DataFrame:
        """One row an image of the selection."""
        return explore.images_table(view, state["selection"], controls.order, self._light(view, state))

    def show(self, ids: Sequence[str], focus: str | None, controls: Controls) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        views = self.views(ids, controls)
        if not views:
            return dict(START), gr.Radio(choices=[], value=None), gr.Radio(), *(None,) * (OUTPUTS - 4), ""
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "of": at}
        kinds = explore.charts(views)
        asked, controls = controls.kind, replace(controls, kind=controls.kind if controls.kind in kinds else kinds[0])
        state["picture"], gallery = self.first(views, state, controls)
        names = [(t(f"ui.seg.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds]
        view = self.in_focus(views, state)
        return (
            state,
            put(gr.Radio, view.run.id, focus, choices=names_of(views), visible=len(views) > 1),
            put(gr.Radio, controls.kind, asked, choices=names),
            explore.figures_data([v.run for v in views]),
            explore.table_data(view, controls.columns, None),
            self._chart(views, state, controls),
            explore.matrix_data(view),
            gallery,
            self.compare(views, state, controls),
            explore.other_figures([v.run for v in views]),
            how_measured([v.run for v in views], self.engine.public),
        )

    def _chart(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The chart; those over brightness have the pictures measured first."""
        light = [self._measured(v) for v in views] if controls.kind == "brightness" else None
        return explore.chart(views, controls.kind, state["label"], state["focus"], light)

    def _measured(self, view: Opened) -> NDArray[np.float64] | None:
        """(N,) brightness of a run's images; None if its pictures are gone."""
        pictures = self.engine.pictures(view.run)
        if pictures is None:
            return None
        return brightness(pictures, self.engine.store.root / "pictures")[view.index]

    def _light(self, view: Opened, state: dict[str, Any]) -> NDArray[np.float64] | None:
        """The same, if the selection asks for it."""
        return self._measured(view) if state["selection"]["kind"] == "brightness" else None

    def first(
        self, views: list[Opened], state: dict[str, Any], controls: Controls, start: int = 0
    ) -> tuple[int | None, Any]:
        """The selection's pictures, and the first one's position."""
        of = self.selected_of(views, state)
        pictures, light = self.engine.pictures(views[of].run), self._light(views[of], state)
        data, positions = explore.gallery_data(
            views, pictures, state["selection"], controls.order, of, start, state["most"], self.thumb, light
        )
        if len(views) > 1 and state["selection"]["kind"] != "all":
            data["of"] = views[of].run.model
        return (positions[0] if positions else None), data

    def compare(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The picture in panes."""
        if state["picture"] is None:
            return None
        of = self.selected_of(views, state)
        pictures = self.engine.pictures(views[of].run)
        try:
            return explore.compare_data(views, pictures, int(state["picture"]), state["selection"], of)
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
        """Other columns of the class table."""
        view = self.in_focus(self.opened(state, controls), state)
        return explore.table_data(view, controls.columns, state["label"])

    def on_kind(self, state: dict[str, Any], controls: Controls) -> Any:
        """Another chart."""
        return self._chart(self.opened(state, controls), state, controls)

    def on_region(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A region of the large picture: the pictures of its class."""
        label = event.value.get("class") if isinstance(event.value, dict) else None
        return self.select({**state, "label": label}, controls, {"kind": "class", "class": label}, of=state["of"])
