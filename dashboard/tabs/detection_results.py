"""Handlers of the detection results panel: what a slider or a click shows. The layout is in ``detection_panel``."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import detection as explore
from dashboard.explore.detection.opened import Opened, point_of
from dashboard.explore.detection.pictures import small_picture
from dashboard.explore.detection.tables import other_figures
from dashboard.metrics.detection.operating import Point
from dashboard.store import Run
from dashboard.tabs.detection_runs import DetectionRuns
from dashboard.tabs.results import harmless, how_measured
from dashboard.types import Image
from dashboard.views.strings import t

PAGE = 24
OUTPUTS = 12  # of ``DetectionResults.show``
ALL = dict(explore.ALL)
START: dict[str, Any] = {
    "runs": [],
    "focus": 0,
    "of": 0,
    "selection": ALL,
    "label": None,
    "most": PAGE,
    "picture": None,
}


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


class DetectionResults(DetectionRuns):
    """Handlers of the panel. A visitor's state travels through ``gr.State``; here is only the engine."""

    def __init__(self, engine: Engine, tasks: Sequence[str]) -> None:
        super().__init__(engine, tasks)
        self._small = lru_cache(2048)(self._make_small)

    def opening(self, state: dict[str, Any], ids: Sequence[str] | None, request: gr.Request) -> tuple[Any, ...]:
        """The tab is opened, or looked at again: fill in the runs once there are some.

        ``?run=ID`` asks for one, and the list of runs may have chosen ``ids`` already.
        """
        busy, waiting = self.waiting()
        if state["runs"] or busy:
            return *waiting, *(gr.skip(),) * (OUTPUTS + 2)
        chosen = list(ids or []) or self.default(request.query_params.get("run"))
        views = self.views(chosen, None)
        best = views[0].best if views else 0.25
        rest = self.show(chosen, None, Controls(best))
        return *waiting, gr.Dropdown(choices=self.choices(), value=chosen), best, *rest

    def show(self, ids: Sequence[str], focus: str | None, controls: Controls) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        views, point = self.views(ids, controls.by), controls.point
        if not views:
            empty = (None,) * (OUTPUTS - 5)
            return dict(START), gr.Radio(choices=[], value=None), gr.Radio(visible=False), gr.Radio(), *empty, ""
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "of": at}
        masks = any(v.batch.masked for v in views)
        kinds = explore.charts(views)
        kind = controls.kind if controls.kind in kinds else kinds[0]
        controls = replace(controls, kind=kind)
        picture, gallery = self._first(views, state, controls)
        state["picture"] = picture
        names = [(_name(v.run, views), v.run.id) for v in views]
        return (
            state,
            gr.Radio(choices=names, value=views[at].run.id, visible=len(views) > 1),
            gr.Radio(visible=masks, value=controls.by or "segm"),
            gr.Radio(choices=[(t(f"ui.det.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds], value=kind),
            *self._numbers(views, state, controls),
            gallery,
            self._compare(views, state, point),
            other_figures([v.run for v in views]),
            how_measured([v.run for v in views], self.engine.public),
        )

    def _numbers(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """Figures, table, chart, matrix."""
        point = controls.point
        view = self._in_focus(views, state)
        return (
            explore.figures_data([v.run for v in views], views, point),
            explore.table_data(view, point, controls.columns, state["label"]),
            explore.chart(views, controls.kind, point, state["label"], state["focus"]),
            explore.matrix_data(view, point),
        )

    def _first(
        self, views: list[Opened], state: dict[str, Any], controls: Controls, start: int = 0
    ) -> tuple[int | None, Any]:
        """The selection's pictures, and the first one's position."""
        of = min(state["of"], len(views) - 1)
        pictures = self.engine.pictures(views[of].run)
        data, positions = explore.gallery_data(
            views, pictures, state["selection"], controls.point, controls.order, of, start, state["most"], self._thumb
        )
        if len(views) > 1 and state["selection"]["kind"] != "all":
            data["of"] = views[of].run.model
        return (positions[0] if positions else None), data

    def _compare(self, views: list[Opened], state: dict[str, Any], point: Point) -> Any:
        """The picture in panes."""
        if state["picture"] is None:
            return None
        of = min(state["of"], len(views) - 1)
        pictures = self.engine.pictures(views[of].run)
        try:
            return explore.compare_data(views, pictures, int(state["picture"]), point, state["selection"], of)
        except InputError:
            return None

    @staticmethod
    def _in_focus(views: list[Opened], state: dict[str, Any]) -> Opened:
        return views[min(state["focus"], len(views) - 1)]

    def _opened(self, state: dict[str, Any], by: str | None) -> list[Opened]:
        views = self.views(state["runs"], by)
        if not views:
            raise InputError("Choose a run first.")
        return views

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

    def moved(self, state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """A slider moved: all that depends on the operating point, from the matches as they are."""
        views = self._opened(state, controls.by)
        _, gallery = self._first(views, state, controls)
        return *self._numbers(views, state, controls), gallery, self._compare(views, state, controls.point)

    def on_columns(self, state: dict[str, Any], controls: Controls) -> Any:
        """Other columns of the class table."""
        view = self._in_focus(self._opened(state, controls.by), state)
        return explore.table_data(view, controls.point, controls.columns, state["label"])

    def on_kind(self, state: dict[str, Any], controls: Controls) -> Any:
        """Another chart."""
        views = self._opened(state, controls.by)
        return explore.chart(views, controls.kind, controls.point, state["label"], state["focus"])

    def select(
        self, state: dict[str, Any], controls: Controls, selection: Any, of: int | None = None
    ) -> tuple[Any, ...]:
        """A click chose some objects, of the run in focus or of the ``of``-th: their pictures, the first one large."""
        views = self._opened(state, controls.by)
        of = state["focus"] if of is None else of
        if not (isinstance(of, int) and 0 <= of < len(views)):
            raise InputError("There is no such run: reload the page and click again.")
        state = {**state, "selection": explore.checked(selection, len(views[of].names)), "of": of, "most": PAGE}
        state["picture"], gallery = self._first(views, state, controls)
        return state, gallery, self._compare(views, state, controls.point)

    def on_cell(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A matrix cell."""
        value = event.value if isinstance(event.value, dict) else {}
        cell = {"kind": "cell", "true": value.get("true"), "predicted": value.get("predicted")}
        return self.select(state, controls, cell)

    def on_class(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A row of the class table; the same row again lets go."""
        view = self._in_focus(self._opened(state, controls.by), state)
        classes = explore.table_data(view, controls.point)["classes"]
        if not (isinstance(event.index, int) and 0 <= event.index < len(classes)):
            raise InputError("There is no such row: reload the page and click again.")
        label = None if classes[event.index] == state["label"] else classes[event.index]
        picked = ALL if label is None else {"kind": "class", "class": label}
        return self.select({**state, "label": label}, controls, picked)

    def on_point(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A point of a curve, or a bar."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or len(data) < 2:
            gr.Info("There are no pictures behind this point: click one of a curve or a bar.")
            return state, gr.skip(), gr.skip()
        return self.select(state, controls, data[0], of=data[1])

    def on_clear(self, state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """No selection any more."""
        return self.select({**state, "label": None}, controls, ALL)

    def on_order(self, state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """Another order of the pictures."""
        return self.select(state, controls, state["selection"], of=state["of"])

    def on_more(self, state: dict[str, Any], controls: Controls) -> tuple[Any, Any]:
        """More pictures."""
        start = state["most"]
        state = {**state, "most": start + 2 * PAGE}
        return state, self._first(self._opened(state, controls.by), state, controls, start)[1]

    def on_picture(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, Any]:
        """A picture of the gallery, large."""
        index = event.value.get("index") if isinstance(event.value, dict) else None
        if not isinstance(index, int):
            raise InputError("There is no such picture: reload the page and click again.")
        state = {**state, "picture": index}
        return state, self._compare(self._opened(state, controls.by), state, controls.point)

    def csv(self, state: dict[str, Any], controls: Controls) -> str:
        """Every object of the selection's pictures as a CSV file."""
        views = self._opened(state, controls.by)
        view = views[min(state["of"], len(views) - 1)]
        frame = explore.objects_table(view, state["selection"], controls.point, controls.order)
        for column in ("image", "class", "true_class"):
            if column in frame:
                frame[column] = [harmless(v) for v in frame[column]]
        path = Path(tempfile.mkdtemp(prefix="loupe-")) / f"{view.run.id}-{state['selection']['kind']}.csv"
        frame.to_csv(path, index=False)
        return str(path)

    def _thumb(self, pictures: Any, index: int) -> Image | None:
        """A small picture, kept between calls by the dataset's fingerprint."""
        return self._small(pictures.fingerprint, pictures.source, index)

    def _make_small(self, _fingerprint: str, source: str, index: int) -> Image | None:
        dataset = next((d for d in list(self.engine._datasets.values()) if d.source == source), None)
        return small_picture(dataset, index) if dataset is not None else None


def _name(run: Run, views: Sequence[Opened]) -> str:
    """The model's name, made unique among those shown."""
    twins = [v for v in views if v.run.model == run.model]
    return run.model if len(twins) == 1 else f"{run.model} ({run.task}, {run.dataset})"


def with_controls(function: Callable[..., Any], before: int = 1) -> Callable[..., Any]:
    """A handler whose inputs after the first ``before`` are the controls; those of a click keep their event."""
    if "event" in inspect.signature(function).parameters:

        def clicked(state: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, event: gr.SelectData) -> Any:
            return function(state, Controls(a, b, c, d, e, f, g), event)

        return clicked

    def changed(*inputs: Any) -> Any:
        return function(*inputs[:before], Controls(*inputs[before:]))

    return changed
