"""Handlers of the detection results panel: what a slider or a click shows. The layout is in ``detection_panel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import pandas as pd

from dashboard.errors import InputError
from dashboard.explore import detection as explore
from dashboard.explore.detection.opened import Opened, opened, point_of
from dashboard.explore.detection.tables import other_figures
from dashboard.metrics.detection.operating import Point
from dashboard.store import Run
from dashboard.tabs.common import put
from dashboard.tabs.explorer import START, Explorer
from dashboard.tabs.results import how_measured
from dashboard.tabs.runs_shown import names_of
from dashboard.views.strings import t

OUTPUTS = 12  # of ``DetectionResults.show``


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs.

    Attributes:
        confidence, iou, most: the operating point, as sliders give it.
        by: "segm" or "bbox".
        columns, kind: which columns the table and which chart are shown.
        order: of the pictures.
    """

    confidence: float
    iou: float = 0.5
    most: float = 100
    by: str | None = None
    columns: str = "summary"
    kind: str = "det_pr"
    order: str = "dataset"

    @property
    def point(self) -> Point:
        """The operating point."""
        return point_of(self.confidence, self.iou, self.most)


class DetectionResults(Explorer[Opened, Controls]):
    """Handlers of the panel."""

    tab = "detection"
    text_columns = ("image", "class", "true_class")

    def open(self, run: Run, controls: Controls | None) -> Opened:
        """A run opened, judged by what the controls say."""
        return opened(run, "bbox" if controls is not None and controls.by == "bbox" else None)

    def checked(self, selection: Any, view: Opened) -> dict[str, Any]:
        """See ``explore.checked``."""
        return dict(explore.checked(selection, len(view.names)))

    def rows(self, view: Opened, controls: Controls) -> list[int]:
        """Class numbers of the class table's rows."""
        classes: list[int] = explore.table_data(view, controls.point)["classes"]
        return classes

    def table(self, view: Opened, state: dict[str, Any], controls: Controls) -> pd.DataFrame:
        """Every object of the selection's pictures."""
        return explore.objects_table(view, state["selection"], controls.point, controls.order)

    def show(self, ids: Sequence[str], focus: str | None, controls: Controls) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        views = self.views(ids, controls)
        if not views:
            empty = (None,) * (OUTPUTS - 5)
            return dict(START), gr.Radio(choices=[], value=None), gr.Radio(visible=False), gr.Radio(), *empty, ""
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "of": at}
        masks = any(v.batch.masked for v in views)
        kinds = explore.charts(views)
        kind = controls.kind if controls.kind in kinds else kinds[0]
        asked, controls = controls.kind, replace(controls, kind=kind)
        names = [(t(f"ui.det.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds]
        picture, gallery = self.first(views, state, controls)
        state["picture"] = picture
        return (
            state,
            put(gr.Radio, views[at].run.id, focus, choices=names_of(views), visible=len(views) > 1),
            put(gr.Radio, controls.by or "segm", controls.by, visible=masks),
            put(gr.Radio, kind, asked, choices=names),
            *self._numbers(views, state, controls),
            gallery,
            self.compare(views, state, controls),
            other_figures([v.run for v in views]),
            how_measured([v.run for v in views], self.engine.public),
        )

    def _numbers(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """Figures, table, chart, matrix."""
        point = controls.point
        view = self.in_focus(views, state)
        return (
            explore.figures_data([v.run for v in views], views, point),
            explore.table_data(view, point, controls.columns, state["label"]),
            explore.chart(views, controls.kind, point, state["label"], state["focus"]),
            explore.matrix_data(view, point),
        )

    def first(
        self, views: list[Opened], state: dict[str, Any], controls: Controls, start: int = 0
    ) -> tuple[int | None, Any]:
        """The selection's pictures, and the first one's position."""
        of = self.selected_of(views, state)
        pictures = self.engine.pictures(views[of].run)
        data, positions = explore.gallery_data(
            views, pictures, state["selection"], controls.point, controls.order, of, start, state["most"], self.thumb
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
            return explore.compare_data(views, pictures, int(state["picture"]), controls.point, state["selection"], of)
        except InputError:
            return None

    def rechosen(
        self, state: dict[str, Any], ids: Sequence[str] | None, focus: str | None, controls: Controls
    ) -> tuple[Any, ...]:
        """Runs were chosen, here or in another tab; nothing happens for the echo of one's own choice."""
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * (OUTPUTS + 1)
        views = self.views(ids, None)
        if views and not set(state["runs"]) & set(ids or []):  # others altogether: start at their best F1
            controls = replace(controls, confidence=views[0].best)
            return controls.confidence, *self.show(ids or [], focus, controls)
        return gr.skip(), *self.show(ids or [], focus, controls)

    def moved(self, state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """A slider moved: all that depends on the operating point, from the matches as they are."""
        views = self.opened(state, controls)
        _, gallery = self.first(views, state, controls)
        return *self._numbers(views, state, controls), gallery, self.compare(views, state, controls)

    def on_columns(self, state: dict[str, Any], controls: Controls) -> Any:
        """Other columns of the class table."""
        view = self.in_focus(self.opened(state, controls), state)
        return explore.table_data(view, controls.point, controls.columns, state["label"])

    def on_kind(self, state: dict[str, Any], controls: Controls) -> Any:
        """Another chart."""
        views = self.opened(state, controls)
        return explore.chart(views, controls.kind, controls.point, state["label"], state["focus"])
