"""What a report shows of runs of one task: key figures, charts, tables, the confusion matrix and pictures.

One class a task, on top of what the app itself shows (``dashboard.explore``), so that a report and the app agree.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import explain
from dashboard.datasets.base import Dataset
from dashboard.explore import overview
from dashboard.explore.overview import Data
from dashboard.explore.tracking.opened import label_of
from dashboard.figures import Figure
from dashboard.store import Run


@dataclass(frozen=True)
class Chart:
    """A chart with its words.

    Attributes:
        title: a text key, or the text itself.
        figure: for Plotly.
        explain: the entry that explains it, "" if none does.
    """

    title: str
    figure: Figure
    explain: str = ""


@dataclass(frozen=True)
class Table:
    """A table as the app's views take it.

    Attributes:
        title: a text key, or the text itself.
        data: ``columns`` and ``rows``.
    """

    title: str
    data: Data


@dataclass(frozen=True)
class Card:
    """One sample as one run sees it.

    Attributes:
        id: the sample's.
        thumb: a small picture as a data URI; None if it cannot be read any more.
        truth: in words; None where it is drawn, or there is none.
        text: what the run said, in words.
        right: whether that is right; None where it is neither.
        confidence: in 0..1, or None.
    """

    id: str
    thumb: str | None
    truth: str | None
    text: str
    right: bool | None = None
    confidence: float | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """A confusion matrix.

    Attributes:
        names: (C,) of rows and columns; the last may be background or "other".
        counts: (C, C) [true, predicted].
        explain: the entry that explains it.
        unit: what is counted, a text key.
    """

    names: Sequence[str]
    counts: NDArray[np.int64]
    explain: str
    unit: str = "ui.axis.count"

    @classmethod
    def of(cls, data: Data, explain: str, unit: str = "ui.axis.count") -> Cells:
        """From what ``matrix_data`` gives a view: class names and (row, column, count) of the cells that are not 0."""
        counts = np.zeros((len(data["classes"]),) * 2, np.int64)
        for row, column, count in data["cells"]:
            counts[row, column] = count
        return cls(data["classes"], counts, explain, unit)


class Pages(ABC):
    """What is shown of runs of one task; the methods take a run's place.

    Attributes:
        runs: with unique names.
        different: whether they are on different data, so that none of them is better.
        drawn: the text key of what is drawn into pictures, "" if nothing is.
    """

    drawn = ""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = relabelled(runs)
        self.different = overview.different_data(self.runs)

    @abstractmethod
    def figures(self) -> Data:
        """Cards of key figures, as ``FiguresView`` takes them."""

    @abstractmethod
    def others(self) -> Data:
        """Cards of all other metrics."""

    @abstractmethod
    def charts(self) -> Iterator[Chart]:
        """Charts over all runs."""

    def tables(self, place: int) -> list[Table]:
        """Tables of a run: its classes, sequences or pictures."""
        return []

    def matrix(self, place: int) -> Cells | None:
        """A run's confusion matrix, if the task has one."""
        return None

    def hardest(self, place: int, most: int) -> list[int]:
        """Dataset positions of the samples that a run does worst on, the worst first."""
        return []

    def cards(self, place: int, index: Sequence[int], pictures: Dataset | None) -> list[Card | None]:
        """What a run makes of samples; None for those that it has not seen."""
        return [None] * len(index)

    def hardest_by(self) -> str:
        """The entry that explains the order of ``hardest``."""
        return ""


def labels(runs: Sequence[Run]) -> list[str]:
    """A name for each run that none of the others has: the model's, with data, size or a number where needed."""
    found = [label_of(r) for r in runs]
    for more in (lambda r: f" · {r.dataset}", lambda r: f" · {r.samples:,}"):
        often = Counter(found)
        found = [name + more(r) if often[name] > 1 else name for name, r in zip(found, runs, strict=True)]
    often, seen = Counter(found), Counter[str]()
    for k, name in enumerate(found):
        if often[name] > 1:
            seen[name] += 1
            found[k] = f"{name} #{seen[name]}"
    return found


def relabelled(runs: Sequence[Run]) -> list[Run]:
    """The runs under unique names, so that every chart and card tells them apart."""
    plain: dict[str, Any] = {"title": ""} if any(f.name == "title" for f in fields(Run)) else {}
    out = []
    for run, label in zip(runs, labels(runs), strict=True):
        facts = {k: v for k, v in run.facts.items() if k != "tracker"}  # how it was tuned is part of the name now
        out.append(replace(run, model=label, facts=facts, **plain))
    return out


def card_of(data: Data) -> Card:
    """The one card of a gallery of one run."""
    card = data["cards"][0]
    answer = card["answers"][0]
    return Card(card["id"], card["thumb"] or None, card["truth"], answer["text"], answer["right"], answer["confidence"])


class OpenedPages(Pages):
    """Of a task whose runs are opened for looking around.

    Attributes:
        views: these, under the names that runs have in the report.

    Args:
        runs: what is told of.
        opened: opens one.
    """

    def __init__(self, runs: Sequence[Run], opened: Callable[[Run], Any]) -> None:
        super().__init__(runs)
        self.views: list[Any] = []
        for run, own in zip(runs, self.runs, strict=True):
            view = copy.copy(opened(run))
            view.run = own
            self.views.append(view)

    def cards_of(self, place: int, index: Sequence[int], gallery: Callable[[Any, int], Data]) -> list[Card | None]:
        """One card for each position in the dataset that the run has; ``gallery`` makes that of one of its images."""
        view = self.views[place]
        places = map(view.image, index)
        return [None if at is None else card_of(gallery(view, at)) for at in places]


def pages_of(runs: Sequence[Run]) -> Pages:
    """The pages of runs of one task. Raises InputError if a run is damaged."""
    from dashboard.reporting.pages_classes import ClassificationPages, DetectionPages, SegmentationPages
    from dashboard.reporting.pages_costs import ProfilePages
    from dashboard.reporting.pages_more import EnhancementPages, TrackingPages

    kinds: Mapping[str, type[Pages]] = {
        "classification": ClassificationPages,
        "detection": DetectionPages,
        "instance-segmentation": DetectionPages,
        "semantic-segmentation": SegmentationPages,
        "enhancement": EnhancementPages,
        "tracking": TrackingPages,
        "profile": ProfilePages,
    }
    return kinds[runs[0].task](runs)


def entry_of(*names: str) -> str:
    """The first of some names that is explained, "" if none is."""
    return next((n for n in names if explain.entry(n, "en")), "")
