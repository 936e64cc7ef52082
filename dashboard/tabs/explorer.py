"""What results panels with pictures have in common: which runs are shown, what a click selects, one picture large."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import gradio as gr
import pandas as pd

from dashboard.datasets.base import Dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.small import small_picture
from dashboard.reporting.tables import harmless
from dashboard.tabs.common import new_file
from dashboard.tabs.runs_shown import C, RunsPanel, V
from dashboard.types import Image

PAGE = 24
ALL: dict[str, Any] = {"kind": "all"}
START: dict[str, Any] = {
    "runs": [],
    "focus": 0,
    "of": 0,
    "selection": ALL,
    "label": None,
    "most": PAGE,
    "picture": None,
}


class Explorer(RunsPanel[V, C]):
    """Handlers of such a panel. A visitor's state travels through ``gr.State``; here is only the engine.

    State: ``runs`` shown, the one in ``focus``, the ``selection`` and the run that it is ``of``, the class (``label``)
    picked in the table, how many pictures at ``most``, and the dataset position of the large ``picture``.

    Attributes:
        text_columns: of the CSV, those that hold names from files.
    """

    text_columns: Sequence[str] = ("image",)

    def __init__(self, engine: Engine, tasks: Sequence[str]) -> None:
        super().__init__(engine, tasks)
        self._small = lru_cache(2048)(self._make_small)

    @abstractmethod
    def first(self, views: list[V], state: dict[str, Any], controls: C, start: int = 0) -> tuple[int | None, Any]:
        """The selection's pictures from ``start`` on, and the dataset position of the first of all."""

    @abstractmethod
    def compare(self, views: list[V], state: dict[str, Any], controls: C) -> Any:
        """The large picture in panes, or None."""

    @abstractmethod
    def checked(self, selection: Any, view: V) -> dict[str, Any]:
        """A selection as it came from the browser. Raises InputError if it means nothing."""

    @abstractmethod
    def rows(self, view: V, controls: C) -> list[int]:
        """Class numbers of the class table's rows."""

    @abstractmethod
    def table(self, view: V, state: dict[str, Any], controls: C) -> pd.DataFrame:
        """The selection as a table, for the CSV file."""

    @staticmethod
    def selected_of(views: list[V], state: dict[str, Any]) -> int:
        """The place of the run that the selection is of."""
        return min(state["of"], len(views) - 1)

    def select(self, state: dict[str, Any], controls: C, selection: Any, of: int | None = None) -> tuple[Any, ...]:
        """A click chose something, of the run in focus or of the ``of``-th: its pictures, the first one large."""
        views = self.opened(state, controls)
        of = state["focus"] if of is None else of
        if not (isinstance(of, int) and 0 <= of < len(views)):
            raise InputError("There is no such run: reload the page and click again.")
        state = {**state, "selection": self.checked(selection, views[of]), "of": of, "most": PAGE}
        state["picture"], gallery = self.first(views, state, controls)
        return state, gallery, self.compare(views, state, controls)

    def on_cell(self, state: dict[str, Any], controls: C, event: gr.SelectData) -> tuple[Any, ...]:
        """A matrix cell."""
        value = event.value if isinstance(event.value, dict) else {}
        cell = {"kind": "cell", "true": value.get("true"), "predicted": value.get("predicted")}
        return self.select(state, controls, cell)

    def on_class(self, state: dict[str, Any], controls: C, event: gr.SelectData) -> tuple[Any, ...]:
        """A row of the class table; the same row again lets go."""
        classes = self.rows(self.in_focus(self.opened(state, controls), state), controls)
        if not (isinstance(event.index, int) and 0 <= event.index < len(classes)):
            raise InputError("There is no such row: reload the page and click again.")
        label = None if classes[event.index] == state["label"] else classes[event.index]
        picked = ALL if label is None else {"kind": "class", "class": label}
        return self.select({**state, "label": label}, controls, picked)

    def on_point(self, state: dict[str, Any], controls: C, event: gr.SelectData) -> tuple[Any, ...]:
        """A point of a curve, or a bar."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or len(data) < 2:
            gr.Info("There are no pictures behind this point: click one of a curve or a bar.")
            return state, gr.skip(), gr.skip()
        return self.select(state, controls, data[0], of=data[1])

    def on_clear(self, state: dict[str, Any], controls: C) -> tuple[Any, ...]:
        """No selection any more."""
        return self.select({**state, "label": None}, controls, ALL)

    def on_order(self, state: dict[str, Any], controls: C) -> tuple[Any, ...]:
        """Another order of the pictures."""
        return self.select(state, controls, state["selection"], of=state["of"])

    def on_more(self, state: dict[str, Any], controls: C) -> tuple[Any, Any]:
        """More pictures."""
        start = state["most"]
        state = {**state, "most": start + 2 * PAGE}
        return state, self.first(self.opened(state, controls), state, controls, start)[1]

    def on_picture(self, state: dict[str, Any], controls: C, event: gr.SelectData) -> tuple[Any, Any]:
        """A picture of the gallery, large."""
        index = event.value.get("index") if isinstance(event.value, dict) else None
        if not isinstance(index, int):
            raise InputError("There is no such picture: reload the page and click again.")
        state = {**state, "picture": index}
        return state, self.compare(self.opened(state, controls), state, controls)

    def csv(self, state: dict[str, Any], controls: C) -> str:
        """The selection as a CSV file."""
        views: list[Any] = self.opened(state, controls)
        view = views[self.selected_of(views, state)]
        frame = self.table(view, state, controls)
        for column in self.text_columns:
            if column in frame:
                frame[column] = [harmless(v) for v in frame[column]]
        path = new_file(f"{view.run.id}-{state['selection']['kind']}.csv")
        frame.to_csv(path, index=False)
        return str(path)

    def thumb(self, pictures: Dataset, index: int) -> Image | None:
        """A small picture, kept between calls by the dataset's fingerprint; None if it cannot be read."""
        return self._small(pictures.fingerprint, pictures.source, index)

    def _make_small(self, fingerprint: str, source: str, index: int) -> Image | None:
        kept = list(self.engine._datasets.values())
        dataset = next((d for d in kept if d.source == source and d.fingerprint == fingerprint), None)
        return small_picture(dataset, index) if dataset is not None else None


def gather(make: Callable[..., Any], function: Callable[..., Any], before: int = 1) -> Callable[..., Any]:
    """A handler whose inputs after the first ``before`` are the controls, given to it as ``make`` gathers them.

    Gradio hands a click's event to the first parameter that is annotated so, in its place: it has to come first.
    """
    if "event" in inspect.signature(function).parameters:

        def clicked(event: gr.SelectData, state: Any, *controls: Any) -> Any:
            return function(state, make(*controls), event)

        return clicked

    def changed(*inputs: Any) -> Any:
        return function(*inputs[:before], make(*inputs[before:]))

    return changed


def to_pictures(prefix: str) -> str:
    """JavaScript that brings the gallery into view where a click's answer would be out of sight: on narrow screens."""
    return f"() => {{ if (innerWidth < 900) document.querySelector('#{prefix}-gallery')?.scrollIntoView(); }}"
