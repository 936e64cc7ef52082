"""A run's answers as decisions with a price: all classes together, or one class against the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore.detection.opened import opened
from dashboard.metrics.costs import Events, Ladder, Prices, ladder, of_answers, of_objects, sample_costs
from dashboard.operating.samples import Common, common
from dashboard.operating.scored import class_events, class_ladders
from dashboard.predictions import batches
from dashboard.store import Run

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TASKS = ("classification", "detection", "instance-segmentation")


class Decisions(ABC):
    """One run on the samples that all runs have.

    Attributes:
        run: the run.
        common: the samples, and class names that all runs share.
        present: the threshold in use: 0 of the most probable class (nothing is withheld), .5 of several labels, the
            confidence of the best F1 of detections.
    """

    present: float

    def __init__(self, run: Run, shared: Common, at: int) -> None:
        self.run, self.common = run, shared
        self.places, self.classes = shared.places[at], shared.classes[at]

    @property
    def samples(self) -> int:
        """N."""
        return len(self.common.ids)

    @abstractmethod
    def whole(self) -> Ladder:
        """All classes at one threshold."""

    @abstractmethod
    def each(self) -> Ladder:
        """Every class against the rest."""

    @abstractmethod
    def one(self, label: int) -> Events:
        """One class against the rest, as class 0."""

    @abstractmethod
    def sample_costs(self, prices: Prices, threshold: Floats) -> Floats:
        """(N,) costs of all classes at each sample's threshold, (N,)."""

    def now(self, label: int | None, prices: Prices) -> Floats:
        """(N,) costs of each sample as it is operated at present; ``label`` for one class alone."""
        everywhere = np.full(self.samples, self.present)
        if label is None:
            return self.sample_costs(prices, everywhere)
        return sample_costs(self.one(label), prices.of(label), everywhere)

    def each_now(self) -> tuple[Ints, Ints]:
        """(H, C) false positives and misses of each class at the present operating point."""
        events = [self.one(label) for label in range(len(self.common.names))]
        flat = [ladder_at(e, self.common.half, self.present) for e in events]
        wrong, missed = (np.stack(x, axis=1) for x in zip(*flat, strict=True))
        return wrong, missed


def ladder_at(events: Events, half: Ints, threshold: float) -> tuple[Ints, Ints]:
    """(H,) false positives and misses of a single class at a threshold."""
    kept = events.score >= threshold
    side = half[events.sample]
    wrong = np.bincount(side[kept & (events.wrong >= 0)], minlength=2)
    missed = np.bincount(side[~kept & (events.missed_dropped >= 0)], minlength=2)
    return wrong, missed + np.bincount(half[events.lost_sample], minlength=2)


class Scored(Decisions):
    """Classification, whose classes are decided by their scores, each against the rest."""

    @abstractmethod
    def _positive(self, label: int) -> NDArray[np.bool_]:
        """(N,) whether a sample is of the class."""

    def each(self) -> Ladder:
        """Every class against the rest."""
        return self._each

    @cached_property
    def _each(self) -> Ladder:
        return class_ladders(self.run, self.common, self.places, self.classes, self._positive)

    def one(self, label: int) -> Events:
        """One class against the rest."""
        return class_events(self.run, self.places, self.classes, label, self._positive(label))


class Answers(Scored):
    """Classification with one label a picture: the most probable class, given or withheld."""

    present = 0.0

    def __init__(self, run: Run, shared: Common, at: int) -> None:
        super().__init__(run, shared, at)
        rows = pq.read_table(run.rows_path, columns=["label", "predicted", "confidence"])
        mine = self.places >= 0
        order = np.argsort(self.places[mine])

        def column(name: str) -> NDArray[Any]:
            return rows.column(name).to_numpy()[mine][order]

        self.labels, self.predicted = (self.classes[column(n)] for n in ("label", "predicted"))
        self.confidence = column("confidence")
        if np.isnan(self.confidence).any():
            raise InputError(f"{run.model} has answers without scores: there is no threshold to choose.")
        self.events = of_answers(self.labels, self.predicted, self.confidence, len(shared.names))

    @cached_property
    def _whole(self) -> Ladder:
        return ladder(self.events, self.common.half)

    def _positive(self, label: int) -> NDArray[np.bool_]:
        return self.labels == label

    def whole(self) -> Ladder:
        """All classes, withheld below a confidence."""
        return self._whole

    def sample_costs(self, prices: Prices, threshold: Floats) -> Floats:
        """Costs of answers given or withheld."""
        return sample_costs(self.events, prices, threshold)

    def now(self, label: int | None, prices: Prices) -> Floats:
        """Costs of the most probable class."""
        if label is None:
            return super().now(None, prices)
        said, true = self.predicted == label, self.labels == label
        return np.where(said & ~true, prices.false_positive[label], np.where(true & ~said, prices.miss[label], 0.0))

    def each_now(self) -> tuple[Ints, Ints]:
        """Of the most probable class."""
        return self._whole.wrong[..., 0].astype(np.int64), self._whole.missed[..., 0].astype(np.int64)


class Labels(Scored):
    """Classification with several labels a picture: each class by itself."""

    present = 0.5

    def __init__(self, run: Run, shared: Common, at: int) -> None:
        super().__init__(run, shared, at)
        targets = np.concatenate([b.targets for _, b in batches(run.predictions_path)])
        self.targets = np.zeros((self.samples, len(shared.names)), bool)
        mine = self.places >= 0
        self.targets[np.ix_(self.places[mine], self.classes)] = targets[mine]

    def _positive(self, label: int) -> NDArray[np.bool_]:
        return self.targets[:, label]

    def whole(self) -> Ladder:
        """All classes at one threshold."""
        return self.each()

    def sample_costs(self, prices: Prices, threshold: Floats) -> Floats:
        """The sum over the classes."""
        total = np.zeros(self.samples)
        for label in range(len(self.common.names)):
            total += sample_costs(self.one(label), prices.of(label), threshold)
        return total


class Objects(Decisions):
    """Detections, matched with the truth at an IoU of .5."""

    def __init__(self, run: Run, shared: Common, at: int) -> None:
        super().__init__(run, shared, at)
        view = opened(run)
        self.matches, self.images = view.matches, len(view.batch)
        best = run.metrics.get("operating_confidence")
        self.present = view.best if best is None else float(best)
        self.events = self._taken(None)

    def _taken(self, label: int | None) -> Events:
        """Events on the common samples, by their classes."""
        e = of_objects(self.matches, self.images, len(self.run.classes), label=label)
        kept, lost = self.places[e.sample] >= 0, self.places[e.lost_sample] >= 0
        named = np.append(self.classes if label is None else np.zeros(1, np.int64), -1)
        return Events(
            self.samples,
            len(self.common.names) if label is None else 1,
            self.places[e.sample[kept]],
            e.score[kept],
            named[e.wrong[kept]],
            e.missed_kept[kept],
            named[e.missed_dropped[kept]],
            self.places[e.lost_sample[lost]],
            named[e.lost_class[lost]],
        )

    def whole(self) -> Ladder:
        """All classes at one confidence."""
        return self._whole

    @cached_property
    def _whole(self) -> Ladder:
        return ladder(self.events, self.common.half)

    def each(self) -> Ladder:
        """Every class; a detection belongs to one, so this is the same."""
        return self._whole

    def one(self, label: int) -> Events:
        """One class."""
        own = np.flatnonzero(self.classes == label)
        if own.size:
            return self._taken(int(own[0]))
        nothing = np.empty(0, np.int64)
        return Events(self.samples, 1, nothing, np.empty(0), nothing, nothing, nothing)

    def sample_costs(self, prices: Prices, threshold: Floats) -> Floats:
        """Costs of false detections and of missed objects."""
        return sample_costs(self.events, prices, threshold)


def decisions(runs: Sequence[Run]) -> list[Decisions]:
    """The runs on the samples that all of them have, kept for a while.

    Raises:
        InputError: another task, runs without samples in common or without scores, damaged files.
    """
    for run in runs:
        if run.task not in TASKS:
            raise InputError(f"{run.task} has no threshold on a confidence: there is no operating point to choose.")
    for run in runs:
        if not run.predictions_path.is_file():
            raise InputError(
                f"The predictions of {run.model} were taken away: evaluate it again to choose an operating point."
            )
    try:
        stamps = tuple((r.path, r.predictions_path.stat().st_mtime_ns) for r in runs)
        return _decisions(stamps, _Held(runs))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"A run's files are damaged or gone ({error}): delete that run, start anew.") from error


class _Held(list[Run]):
    """Runs, all equal to the cache: what tells them apart is their files."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


@lru_cache(4)
def _decisions(_stamps: tuple[tuple[Path, int], ...], runs: _Held) -> list[Decisions]:
    shared = common(runs)
    kinds: list[Decisions] = []
    for at, run in enumerate(runs):
        several = bool(run.facts.get("multilabel"))
        kind = Objects if run.task != "classification" else Labels if several else Answers
        kinds.append(kind(run, shared, at))
    return kinds
