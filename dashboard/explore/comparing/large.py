"""One sample of a comparison, large, in the task's own side-by-side view: the pair that is looked at comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboard import explore
from dashboard.comparing.shapes import Comparison
from dashboard.datasets.base import Dataset
from dashboard.explore import detection, enhancement, segmentation
from dashboard.explore.comparing.shown import run_names
from dashboard.explore.detection.opened import point_of
from dashboard.explore.overview import Data
from dashboard.store import Run

OPEN: Mapping[str, Callable[[Run], Any]] = {
    "detection": detection.opened,
    "instance-segmentation": detection.opened,
    "semantic-segmentation": segmentation.opened,
    "enhancement": enhancement.opened,
}
MOST_SHOWN = {"detection": 3, "instance-segmentation": 3, "semantic-segmentation": 3, "enhancement": 4, "tracking": 4}
"""How many runs fit side by side, the baseline among them."""


def pair_first(comparison: Comparison, run: int) -> list[int]:
    """Places of the runs that are shown: the baseline, the run held against it, then as many others as fit."""
    pair = [comparison.baseline, run]
    others = [k for k in range(len(comparison.runs)) if k not in pair]
    return [*pair, *others][: MOST_SHOWN.get(comparison.task, len(comparison.runs))]


class Aligned:
    """A run opened for looking around, asked by positions in the baseline's data instead of its own.

    Args:
        view: as the task's ``opened`` gives it.
        like: the baseline.
        own: the position in the run's data for one in the baseline's.
        name: what it is called.
    """

    def __init__(self, view: Any, like: Run, own: Mapping[int, int], name: str) -> None:
        self._view, self._own = view, own
        facts = {**view.run.facts, "dataset_facts": like.facts.get("dataset_facts", {})}
        self.run = replace(view.run, facts=facts, model=name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def image(self, index: int) -> int | None:
        """The place of an image; None if the run has not seen it."""
        return self._view.image(self._own[index]) if index in self._own else None  # type: ignore[no-any-return]

    def maps(self, index: int) -> Any:
        """The stored class maps of an image."""
        return self._view.maps(self._own[index]) if index in self._own else None

    def pictures(self, index: int) -> Any:
        """The stored pictures of an image."""
        return self._view.pictures(self._own[index]) if index in self._own else None


def marked(data: Data, places: Sequence[int]) -> Data:
    """A view's value in which each run's pane has the run's mark everywhere, its place in the comparison.

    The runs' panes are the last, in the order of ``places``; where there is no picture there are none.
    """
    panes = data.get("panes") or []
    first = len(panes) - len(places)
    return data | {"panes": [p if k < first else p | {"mark": places[k - first]} for k, p in enumerate(panes)]}


def views_of(comparison: Comparison, places: Sequence[int], sample: int) -> list[Any]:
    """Runs opened, so that the baseline's position of one sample means the same picture to all of them.

    Raises:
        InputError: what a run has stored is damaged or gone.
    """
    base, names = comparison.runs[comparison.baseline], run_names(comparison.runs)
    position = int(comparison.index[comparison.baseline, sample])
    found = []
    for k in places:
        view = OPEN[comparison.task](comparison.runs[k])
        found.append(Aligned(view, base, {position: int(comparison.index[k, sample])}, names[k]))
    return found


def large(comparison: Comparison, run: int, sample: int, pictures: Dataset | None) -> Data:
    """What the task's view shows of one sample.

    Args:
        comparison: the runs; not of tracking, which plays in the tracks' view.
        run: the place of the run that is held against the baseline.
        sample: a place in ``Comparison.ids``.
        pictures: the baseline's dataset; None if it is gone.

    Raises:
        InputError: what a run has stored is damaged or gone.
    """
    position = int(comparison.index[comparison.baseline, sample])
    places = pair_first(comparison, run)
    if comparison.task == "classification":
        return _classified(comparison, places, sample, pictures)
    views = views_of(comparison, places, sample)
    if comparison.task == "enhancement":
        return marked(enhancement.compare_data(views, pictures, position), places)
    if comparison.task == "semantic-segmentation":
        maps = segmentation.compare_data(views, pictures, position, segmentation.ALL)
        return marked(maps, places) | {"mode": "errors"}
    point = point_of(max(v.best for v in views[:2]), 0.5, 100)
    return marked(detection.compare_data(views, pictures, position, point, detection.ALL), places)


def _classified(comparison: Comparison, places: Sequence[int], sample: int, pictures: Dataset | None) -> Data:
    """The picture with each run's first answers; each is asked by its own position of the sample."""
    names = run_names(comparison.runs)
    data: Data = {}
    for k in places:
        run, position = comparison.runs[k], int(comparison.index[k, sample])
        own = explore.detail_data([run], pictures if not data else None, position)
        model = own["models"][0] | {"name": names[k], "at": k}
        data = data or own | {"models": [], "index": sample}
        data["models"].append(model)
    return data
