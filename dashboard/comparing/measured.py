"""What every task hands over to be compared: numbers of each run on the common samples, and of resamples of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.align import Aligned
from dashboard.comparing.shapes import ClassDifferences, Figure
from dashboard.metrics.paired import bootstrap_interval, jackknife_ends
from dashboard.metrics.paired_bootstrap import ends
from dashboard.store import Run

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Settings:
    """How a comparison is made.

    Attributes:
        baseline: the place of the run that others are compared with.
        resamples, seed: of the bootstrap.
        level: of confidence.
    """

    baseline: int
    resamples: int
    seed: int
    level: float


@dataclass(frozen=True, eq=False)
class Measured:
    """Of R runs on N common samples.

    Attributes:
        unit: what is resampled: "image", "sequence" or "block of frames".
        units: how many there are of it.
        figures: the metrics, the most telling first.
        draws: (B, R) by metric, in resamples that all runs share; NaN where undefined. A metric without has no
            interval of its difference.
        linear: metrics that are plain means over units; all others are recentred.
        scores: (R, N) one number a sample, higher is better.
        score_name: what it is.
        tolerance: scores this close are a tie.
        classes: per-class metrics.
        left: (K, R) by metric, with one of K blocks left out each time, where blocks are too few to be resampled.
        columns: (R, N) by metric, for means over few units, whose difference is left to Student's t.
        notes: what a reader must know.
        hits: (R, N) right or wrong by metric, for metrics that are shares of right answers: their p is McNemar's.
        binary: whether scores are right or wrong, 1 or 0.
        sparse: metrics over classes, which have no draws as there are too few images of a class.
    """

    unit: str
    units: int
    figures: Sequence[Figure]
    draws: Mapping[str, Floats]
    linear: Collection[str]
    scores: Floats
    score_name: str
    tolerance: float = 0.0
    classes: Sequence[ClassNumbers] = ()
    left: Mapping[str, Floats] = field(default_factory=dict)
    columns: Mapping[str, Floats] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    binary: bool = False
    sparse: Collection[str] = ()

    @property
    def nbytes(self) -> int:
        """What resamples take of memory."""
        return sum(a.nbytes for a in self.draws.values()) + sum(c.nbytes for c in self.classes)


def figure(name: str, values: Floats, limits: Floats, better: bool | None = True, unit: str = "") -> Figure:
    """A metric over runs."""
    return Figure(name, better, unit, values, limits)


def run_intervals(
    name: str,
    values: Floats,
    runs: Sequence[Run],
    aligned: Aligned,
    draws: Floats | None,
    level: float,
    bounds: tuple[float, float],
) -> Floats:
    """(R, 2) the runs' own intervals where nothing is left out, else from resamples; NaN where there are neither.

    Args:
        name: of the metric.
        values: (R,) of it.
        runs: the runs.
        aligned: their common samples.
        draws: (B, R) of resamples.
        level: of confidence.
        bounds: what the metric can be.
    """
    out = np.full((len(runs), 2), np.nan)
    for place, run in enumerate(runs):
        if aligned.whole(place) and name in run.intervals:
            out[place] = run.intervals[name]
        elif draws is not None:
            out[place] = np.clip(
                bootstrap_interval(float(values[place]), draws[:, place], True, level, units=len(aligned.ids))[0],
                *bounds,
            )
    return out


def scores_note(aligned: Aligned, figures: Sequence[Figure], kept: Sequence[str]) -> list[str]:
    """What to say where metrics in ``kept``, which need all scores, are known of some runs only."""
    if not any(f.name in kept for f in figures) or not any(aligned.left_out):
        return []
    return ["AUROC and average precision need every score: they are told of runs of which no sample is left out."]


@dataclass(frozen=True, eq=False)
class ClassNumbers:
    """One per-class metric over runs, and what its differences to any of them can be told from.

    Attributes:
        metric: its name.
        names: (C,) of the classes.
        support: (C,) how many of the truth.
        values: (R, C) NaN where undefined.
        plenty: (C,) which classes have units enough for an interval.
        draws: (R, C, B) in resamples that all runs share; None: there are none.
        left: (R, K, C) with one of K groups of units left out each time, instead of resamples.
    """

    metric: str
    names: Sequence[str]
    support: NDArray[np.int64]
    values: Floats
    plenty: NDArray[np.bool_]
    draws: NDArray[np.float32] | None = None
    left: Floats | None = None

    @property
    def nbytes(self) -> int:
        """What resamples take of memory."""
        return sum(a.nbytes for a in (self.draws, self.left) if a is not None)

    def against(self, baseline: int, level: float) -> ClassDifferences:
        """Differences to one of the runs, with intervals."""
        low, high = (np.full(self.values.shape, np.nan) for _ in range(2))
        for run in range(len(self.values)):
            if run == baseline:
                continue
            gap = self.values[run] - self.values[baseline]
            if self.left is not None:
                limits = jackknife_ends(gap, self.left[run] - self.left[baseline], level)
            elif self.draws is not None:
                limits = ends(gap, self.draws[run] - self.draws[baseline], level)
            else:
                continue
            low[run], high[run] = np.where(self.plenty[:, None], limits, np.nan).T
        return ClassDifferences(self.metric, list(self.names), self.support, self.values, low, high)
