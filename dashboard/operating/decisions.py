"""A run's answers as decisions with a price: all classes together, or one class against the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.comparing.align import column
from dashboard.errors import InputError
from dashboard.explore.detection.opened import opened
from dashboard.metrics.costs import Events, Ladder, Prices, ladder, of_answers, of_objects, only, place, sample_costs
from dashboard.naming import label_of
from dashboard.operating.samples import Common, common
from dashboard.operating.scored import class_costs, class_events, class_ladders
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

    @abstractmethod
    def each_now(self) -> tuple[Ints, Ints]:
        """(H, C) false positives and misses of each class at the present operating point."""


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

        def of(name: str) -> NDArray[Any]:
            return rows.column(name).to_numpy()[mine][order]

        self.labels, self.predicted = (self.classes[of(n)] for n in ("label", "predicted"))
        self.confidence = of("confidence")
        if np.isnan(self.confidence).any():
            raise InputError(f"{label_of(run)} has answers without scores: there is no threshold to choose.")
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
        return class_costs(self.run, self.places, self.classes, self.targets, prices, threshold)

    def each_now(self) -> tuple[Ints, Ints]:
        """Of all that reaches a half, which is one of the ladder's steps."""
        step, ladder = int(place(np.array([self.present]))[0]), self.each()
        return ladder.wrong[..., step].astype(np.int64), (ladder.missed + ladder.dropped)[..., step].astype(np.int64)


class Objects(Decisions):
    """Detections, matched with the truth at an IoU of .5."""

    def __init__(self, run: Run, shared: Common, at: int) -> None:
        super().__init__(run, shared, at)
        view = opened(run)
        best = run.metrics.get("operating_confidence")
        self.present = view.best if best is None else float(best)
        e = of_objects(view.matches, len(view.batch), len(run.classes))
        kept, lost = self.places[e.sample] >= 0, self.places[e.lost_sample] >= 0
        named = np.append(self.classes, -1)
        self.events = Events(
            self.samples,
            len(shared.names),
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
        return only(self.events, label)

    def each_now(self) -> tuple[Ints, Ints]:
        """At the confidence in use."""
        e, half, count = self.events, self.common.half, len(self.common.names)
        kept = e.score >= self.present

        def counted(which: NDArray[np.bool_], sample: Ints, label: Ints) -> Ints:
            mine = which & (label >= 0)
            flat = half[sample[mine]] * count + label[mine]
            return np.bincount(flat, minlength=2 * count).reshape(2, count)

        missed = counted(~kept, e.sample, e.missed_dropped)
        return counted(kept, e.sample, e.wrong), missed + counted(e.lost_class >= 0, e.lost_sample, e.lost_class)

    def sample_costs(self, prices: Prices, threshold: Floats) -> Floats:
        """Costs of false detections and of missed objects."""
        return sample_costs(self.events, prices, threshold)


def decisions(runs: Sequence[Run], baseline: int = 0) -> list[Decisions]:
    """The runs on the samples that all of them have, kept for a while. That they have one truth is for a
    comparison to say.

    Raises:
        InputError: another task, runs without samples in common, with class lists that do not agree, or without
            scores, damaged files.
    """
    for run in runs:
        if run.task not in TASKS:
            raise InputError(f"{run.task} has no threshold on a confidence: there is no operating point to choose.")
    for run in runs:
        if not run.predictions_path.is_file():
            raise InputError(
                f"The predictions of {label_of(run)} were taken away: evaluate it again to choose an operating point."
            )
    try:
        files = [p for r in runs for p in (r.predictions_path, r.rows_path, r.path / "run.json")]
        stamps = tuple((p, p.stat().st_mtime_ns) for p in files)
        return _decisions(stamps, baseline, _Held(runs))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"A run's files are damaged or gone ({error}): delete that run, start anew.") from error


class _Held(list[Run]):
    """Runs, all equal to the cache: what tells them apart is their files."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


@lru_cache(4)
def _decisions(_stamps: tuple[tuple[Path, int], ...], baseline: int, runs: _Held) -> list[Decisions]:
    shared = common(runs, baseline, _used)
    return [_kind(run)(run, shared, at) for at, run in enumerate(runs)]


def _kind(run: Run) -> Callable[[Run, Common, int], Decisions]:
    if run.task != "classification":
        return Objects
    return Labels if run.facts.get("multilabel") else Answers


def _used(run: Run, rows: Ints) -> NDArray[np.bool_]:
    """(C,) which classes the truth has in some rows of a run."""
    if run.task != "classification":
        truth = opened(run).batch.truth
        labels = truth.classes[np.isin(truth.image, rows)]
    elif run.facts.get("multilabel"):
        labels = column(run, ["labels"]).take(pa.array(rows)).column("labels").combine_chunks().flatten().to_numpy()
    else:
        labels = column(run, ["label"]).column("label").to_numpy()[rows]
    return np.bincount(labels, minlength=len(run.classes)) > 0
