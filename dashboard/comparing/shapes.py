"""What a comparison is made of: plain numbers, drawn by ``explore.comparing``, printed by the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.store import Run

MOST_RUNS = 8
LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Figure:
    """One metric that runs are compared by.

    Attributes:
        name: as in CONTRACT ("top1", "map", "psnr_y", "latency_ms" ...).
        higher_is_better: None where neither is.
        unit: "" for a fraction in 0..1, "dB", "ms", "nat", "px" ...
        values: (R,) of each run on the common samples; NaN where undefined.
        intervals: (R, 2) their 95 % intervals; NaN where there is none.
        recorded: whether the values are the runs' own records (timing), not computed on the common samples.
    """

    name: str
    higher_is_better: bool | None
    unit: str
    values: NDArray[np.float64]
    intervals: NDArray[np.float64]
    recorded: bool = False


@dataclass(frozen=True)
class Difference:
    """One run against the baseline by one metric: ``run`` minus baseline, on the same samples.

    Attributes:
        metric: its name.
        run: the run's place.
        value: the difference; NaN where undefined.
        low, high: its paired 95 % interval; NaN where there is none.
        p: two-sided p-value of "no difference"; NaN where there is none.
        p_holm: the same, corrected by Holm over all runs against the baseline by this metric.
        method: how interval and p were found, in words ("paired bootstrap, 2000 resamples of images").
    """

    metric: str
    run: int
    value: float
    low: float
    high: float
    p: float
    p_holm: float
    method: str


@dataclass(frozen=True)
class PairTest:
    """A test of its own kind on a pair of runs (McNemar's on right and wrong, the sign test on wins and losses).

    Attributes:
        name: "mcnemar_exact", "mcnemar_chi2", "sign", "wilcoxon".
        run: the run's place; against the baseline.
        statistic: the test's; NaN for an exact one.
        p: two-sided.
        p_holm: corrected by Holm over all runs against the baseline.
        counts: the numbers behind it: "both", "only_run", "only_baseline", "neither" or "wins", "losses", "ties".
    """

    name: str
    run: int
    statistic: float
    p: float
    p_holm: float
    counts: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class ClassDifferences:
    """One per-class metric over runs.

    Attributes:
        metric: its name ("recall", "f1", "ap", "iou" ...).
        classes: (C,) names.
        support: (C,) how many of the truth.
        values: (R, C) NaN where undefined.
        low, high: (R, C) paired 95 % interval of the difference to the baseline; NaN where there is none.
    """

    metric: str
    classes: Sequence[str]
    support: NDArray[np.int64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs of one task on the samples that all of them have.

    Attributes:
        runs: (R,) in the order asked for.
        baseline: the place of the run that the others are compared with.
        task: theirs.
        unit: what is resampled: "image", "sequence" or "block of frames".
        ids: (N,) sample ids that all runs have, in the order of the baseline's data.
        index: (R, N) the samples' positions in each run's own dataset.
        left_out: (R,) how many samples of each run the others lack.
        figures: the metrics, the most telling first.
        differences: all runs but the baseline, by every metric that has one.
        tests: likewise.
        scores: (R, N) one number a sample, higher is better: what wins, losses and ties are counted by.
        score_name: what that number is ("correct", "f1", "miou", "psnr", "mota" ...), as a CONTRACT or explain name.
        tolerance: scores this close are a tie.
        classes: per-class metrics; none for tasks without classes.
        notes: what a reader must know (other order, samples left out, classes matched by name), one sentence each.
        settings: resamples, seed, level.
    """

    runs: Sequence[Run]
    baseline: int
    task: str
    unit: str
    ids: Sequence[str]
    index: NDArray[np.int64]
    left_out: Sequence[int]
    figures: Sequence[Figure]
    differences: Sequence[Difference]
    tests: Sequence[PairTest]
    scores: NDArray[np.float64]
    score_name: str
    tolerance: float = 0.0
    classes: Sequence[ClassDifferences] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def figure(self, name: str) -> Figure:
        """A metric by name. Raises KeyError if it is not among them."""
        for found in self.figures:
            if found.name == name:
                return found
        raise KeyError(name)

    def outcome(self, run: int, against: int | None = None) -> NDArray[np.int8]:
        """(N,) 1 where ``run`` is better on a sample, -1 where worse, 0 for a tie; ``against`` None is the baseline.

        A sample on which one of them has no score (NaN) is a tie.
        """
        with np.errstate(invalid="ignore"):  # two perfect images: infinity less infinity is a tie
            gap = self.scores[run] - self.scores[self.baseline if against is None else against]
            return np.where(gap > self.tolerance, 1, np.where(gap < -self.tolerance, -1, 0)).astype(np.int8)
