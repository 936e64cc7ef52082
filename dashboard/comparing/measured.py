"""What every task hands over to be compared: numbers of each run on the common samples, and of resamples of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.shapes import ClassDifferences, Figure

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
        columns: (R, N) by metric, for means over few units, whose difference is left to Student's t.
        notes: what a reader must know.
        hits: (R, N) right or wrong by metric, for metrics that are shares of right answers: their p is McNemar's.
        binary: whether scores are right or wrong, 1 or 0.
    """

    unit: str
    units: int
    figures: Sequence[Figure]
    draws: Mapping[str, Floats]
    linear: Collection[str]
    scores: Floats
    score_name: str
    tolerance: float = 0.0
    classes: Sequence[ClassDifferences] = ()
    columns: Mapping[str, Floats] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    binary: bool = False
