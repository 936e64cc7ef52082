"""Handlers of the detection results panel: what a slider or a click shows. The layout is in ``detection_panel``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
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
        rest = self.show(chosen, None, best, 0.5, 100, None, "summary", "det_pr", "dataset")
        return *waiting, gr.Dropdown(choices=self.choices(), value=chosen), best, *rest

    def show(
        self,
        ids: Sequence[str],
        focus: str | None,
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
    ) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        views = self.views(ids, by)
        if not views:
            empty = (None,) * (OUTPUTS - 5)
            return dict(START), gr.Radio(choices=[], value=None), gr.Radio(visible=False), gr.Radio(), *empty, ""
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "of": at}
        point = point_of(confidence, iou, most)
        masks = any(v.batch.masked for v in views)
        kinds = explore.charts(views)
        kind = kind if kind in kinds else kinds[0]
        picture, gallery = self._first(views, state, point, order)
        state["picture"] = picture
        names = [(_name(v.run, views), v.run.id) for v in views]
        return (
            state,
            gr.Radio(choices=names, value=views[at].run.id, visible=len(views) > 1),
            gr.Radio(visible=masks, value=by or "segm"),
            gr.Radio(choices=[(t(f"ui.det.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds], value=kind),
            *self._numbers(views, state, point, columns, kind),
            gallery,
            self._compare(views, state, point),
            other_figures([v.run for v in views]),
            how_measured([v.run for v in views], self.engine.public),
        )

    def _numbers(
        self, views: list[Opened], state: dict[str, Any], point: Point, columns: str, kind: str
    ) -> tuple[Any, ...]:
        """Figures, table, chart, matrix."""
        view = views[min(state["focus"], len(views) - 1)]
        return (
            explore.figures_data([v.run for v in views], views, point),
            explore.table_data(view, point, columns, state["label"]),
            explore.chart(views, kind, point, state["label"], state["focus"]),
            explore.matrix_data(view, point),
        )

    def _first(
        self, views: list[Opened], state: dict[str, Any], point: Point, order: str, start: int = 0
    ) -> tuple[int | None, Any]:
        """The selection's pictures, and the first one's position."""
        of = min(state["of"], len(views) - 1)
        pictures = self.engine.pictures(views[of].run)
        data, positions = explore.gallery_data(
            views, pictures, state["selection"], point, order, of, start, state["most"], self._thumb
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

    def _opened(self, state: dict[str, Any], by: str | None) -> list[Opened]:
        views = self.views(state["runs"], by)
        if not views:
            raise InputError("Choose a run first.")
        return views

    def moved(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
    ) -> tuple[Any, ...]:
        """A slider moved: all that depends on the operating point, from the matches as they are."""
        views, point = self._opened(state, by), point_of(confidence, iou, most)
        _, gallery = self._first(views, state, point, order)
        return *self._numbers(views, state, point, columns, kind), gallery, self._compare(views, state, point)

    def on_columns(
        self, state: dict[str, Any], confidence: float, iou: float, most: float, by: str | None, columns: str, *_: Any
    ) -> Any:
        """Other columns of the class table."""
        views = self._opened(state, by)
        view = views[min(state["focus"], len(views) - 1)]
        return explore.table_data(view, point_of(confidence, iou, most), columns, state["label"])

    def on_kind(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        _columns: str,
        kind: str,
        *_: Any,
    ) -> Any:
        """Another chart."""
        views = self._opened(state, by)
        return explore.chart(views, kind, point_of(confidence, iou, most), state["label"], state["focus"])

    def select(
        self,
        state: dict[str, Any],
        selection: Any,
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        order: str,
        of: int | None = None,
    ) -> tuple[Any, ...]:
        """A click chose some objects, of the run in focus or of the ``of``-th: their pictures, the first one large."""
        views = self._opened(state, by)
        of = state["focus"] if of is None else of
        if not (isinstance(of, int) and 0 <= of < len(views)):
            raise InputError("There is no such run: reload the page and click again.")
        state = {**state, "selection": explore.checked(selection, len(views[of].names)), "of": of, "most": PAGE}
        point = point_of(confidence, iou, most)
        state["picture"], gallery = self._first(views, state, point, order)
        return state, gallery, self._compare(views, state, point)

    def on_cell(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
        event: gr.SelectData,
    ) -> tuple[Any, ...]:
        """A matrix cell."""
        rest = (confidence, iou, most, by, columns, kind, order)
        value = event.value if isinstance(event.value, dict) else {}
        cell = {"kind": "cell", "true": value.get("true"), "predicted": value.get("predicted")}
        return self._picked(state, cell, rest)

    def on_class(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
        event: gr.SelectData,
    ) -> tuple[Any, ...]:
        """A row of the class table; the same row again lets go."""
        rest = (confidence, iou, most, by, columns, kind, order)
        views = self._opened(state, by)
        view = views[min(state["focus"], len(views) - 1)]
        classes = explore.table_data(view, point_of(confidence, iou, most))["classes"]
        if not (isinstance(event.index, int) and 0 <= event.index < len(classes)):
            raise InputError("There is no such row: reload the page and click again.")
        label = None if classes[event.index] == state["label"] else classes[event.index]
        picked = ALL if label is None else {"kind": "class", "class": label}
        return self._picked({**state, "label": label}, picked, rest)

    def on_point(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
        event: gr.SelectData,
    ) -> tuple[Any, ...]:
        """A point of a curve, or a bar."""
        rest = (confidence, iou, most, by, columns, kind, order)
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or len(data) < 2:
            gr.Info("An average has no pictures of its own: pick a class in the table, then click its curve.")
            return state, gr.skip(), gr.skip()
        return self._picked(state, data[0], rest, of=data[1])

    def _picked(
        self, state: dict[str, Any], selection: Any, rest: Sequence[Any], of: int | None = None
    ) -> tuple[Any, ...]:
        confidence, iou, most, by, _, _, order = rest
        return self.select(state, selection, confidence, iou, most, by, order, of)

    def on_clear(self, state: dict[str, Any], *rest: Any) -> tuple[Any, ...]:
        """No selection any more."""
        return self._picked({**state, "label": None}, ALL, rest)

    def on_order(self, state: dict[str, Any], *rest: Any) -> tuple[Any, ...]:
        """Another order of the pictures."""
        return self._picked({**state, "most": PAGE}, state["selection"], rest, of=state["of"])

    def on_more(self, state: dict[str, Any], *rest: Any) -> tuple[Any, Any]:
        """More pictures."""
        confidence, iou, most, by, _, _, order = rest
        start = state["most"]
        state = {**state, "most": start + 2 * PAGE}
        views = self._opened(state, by)
        return state, self._first(views, state, point_of(confidence, iou, most), order, start)[1]

    def on_picture(
        self,
        state: dict[str, Any],
        confidence: float,
        iou: float,
        most: float,
        by: str | None,
        columns: str,
        kind: str,
        order: str,
        event: gr.SelectData,
    ) -> tuple[Any, Any]:
        """A picture of the gallery, large."""
        index = event.value.get("index") if isinstance(event.value, dict) else None
        if not isinstance(index, int):
            raise InputError("There is no such picture: reload the page and click again.")
        state = {**state, "picture": index}
        return state, self._compare(self._opened(state, by), state, point_of(confidence, iou, most))

    def csv(self, state: dict[str, Any], *rest: Any) -> str:
        """Every object of the selection's pictures as a CSV file."""
        confidence, iou, most, by, _, _, order = rest
        views = self._opened(state, by)
        view = views[min(state["of"], len(views) - 1)]
        frame = explore.objects_table(view, state["selection"], point_of(confidence, iou, most), order)
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


def unless_same(do: DetectionResults) -> Any:
    """Act on runs set from another tab, not on the echo of one's own choice."""

    def changed(state: dict[str, Any], ids: list[str], focus: str | None, confidence: float, *rest: Any) -> Any:
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * (OUTPUTS + 1)
        views = do.views(ids, None)
        if views and not set(state["runs"]) & set(ids):  # others altogether: start at their best F1
            confidence = views[0].best
        return confidence, *do.show(ids, focus, confidence, *rest)

    return changed
