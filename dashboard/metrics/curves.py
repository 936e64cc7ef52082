"""ROC and precision-recall curves from exact counts at the positives' scores, thinned for storing and drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.results import Curves

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Points = tuple[Floats, Floats, Floats]

POINTS = 200  # of a stored curve, at most
MICRO = 512  # thresholds of the pooled curve, at most
GRID = np.linspace(0, 1, POINTS) ** 2  # where curves are averaged: denser near 0, where good models differ


@dataclass(frozen=True, eq=False)
class Ladder:
    """What passes each threshold, from the strictest down.

    Attributes:
        thresholds: (T,) distinct positives' scores, descending.
        true, false: (T,) positives and negatives with score >= threshold.
        false_above: (T,) negatives with score > threshold.
        positives, negatives: how many there are.
    """

    thresholds: NDArray[np.floating]
    true: Counts
    false: Counts
    false_above: Counts
    positives: int
    negatives: int

    @property
    def defined(self) -> bool:
        """Whether there are positives and negatives."""
        return self.positives > 0 and self.negatives > 0

    def best(self) -> tuple[float, float, float]:
        """Youden's threshold (largest true - false positive rate), the best F1, its threshold; the highest of equals.

        Both are attained at a positive's score: lowering a threshold to a negative's only adds false positives.
        """
        if not self.defined:
            return np.nan, np.nan, np.nan
        youden = int((self.true / self.positives - self.false / self.negatives).argmax())
        f1 = 2 * self.true / (self.positives + self.true + self.false)
        best = int(f1.argmax())
        return float(self.thresholds[youden]), float(f1[best]), float(self.thresholds[best])

    def roc(self) -> Points:
        """False positive rate, true positive rate and threshold at every corner of the ROC curve.

        The polyline through them is the whole curve (as sklearn's ``roc_curve``): between two positives' scores only
        the false positive rate grows. Starts at (0, 0), threshold infinity; ends at (1, 1), threshold 0.
        """
        if not self.defined:
            return _nothing()
        steps = len(self.thresholds)
        x, y = np.zeros(2 * steps + 2, np.int64), np.zeros(2 * steps + 2, np.int64)
        t = np.full(2 * steps + 2, np.inf)
        x[1:-1:2], x[2:-1:2], x[-1] = self.false_above, self.false, self.negatives
        y[2:-1:2], y[3:-1:2], y[-1] = self.true, self.true[:-1], self.positives
        t[1:-1:2], t[2:-1:2], t[-1] = np.nextafter(self.thresholds, np.inf), self.thresholds, 0
        moved = np.append(True, (np.diff(x) > 0) | (np.diff(y) > 0))
        x, y, t = x[moved], y[moved], t[moved]
        dx, dy = np.diff(x), np.diff(y)
        corner = np.concatenate([[True], dx[:-1] * dy[1:] != dy[:-1] * dx[1:], [True]])
        return x[corner] / self.negatives, y[corner] / self.positives, t[corner]

    def pr(self) -> Points:
        """Recall, precision and threshold at each positive's score, after sklearn's starting point (0, 1)."""
        if not self.defined:
            return _nothing()
        recall = np.append(0, self.true / self.positives)
        precision = np.append(1, self.true / (self.true + self.false))
        return recall, precision, np.append(np.inf, self.thresholds)


def _nothing() -> Points:
    return np.empty(0), np.empty(0), np.empty(0)


def thinned(points: Points, most: int = POINTS) -> Points:
    """At most ``most`` of the points, evenly spaced in order, the first and last among them."""
    size = len(points[0])
    keep = np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int)) if size else slice(0)
    x, y, thresholds = points
    return x[keep], y[keep], thresholds[keep]


def roc_curves(ladders: Sequence[Ladder], pooled: Ladder, names: Sequence[str], areas: Floats) -> Curves:
    """One curve a class, their vertical average, and the curve of all (sample, class) pairs at once.

    The micro average has its exact vertices at up to ``MICRO`` of the positives' scores; its area is by trapezoids
    through them (exact if there are no more distinct scores).

    Args:
        ladders: one a class.
        pooled: over all pairs.
        names: one a class.
        areas: (C,) exact AUROC.
    """
    full = [ladder.roc() for ladder in ladders]
    known = [np.interp(GRID, x, y) for x, y, _ in full if len(x)]
    mean = np.mean(known, axis=0) if known else np.empty(0)
    x, y, _ = micro = pooled.roc()
    micro_area = float(np.trapezoid(y, x)) if len(x) else np.nan
    return _curves(full, mean, micro, names, areas, micro_area, ("false positive rate", "true positive rate"), True)


def pr_curves(ladders: Sequence[Ladder], pooled: Ladder, names: Sequence[str], areas: Floats) -> Curves:
    """As ``roc_curves``, for precision over recall; areas are average precision, and the micro one a sum of steps."""
    full = [ladder.pr() for ladder in ladders]
    known = [p[np.searchsorted(r, GRID).clip(min(1, len(r) - 1))] for r, p, _ in full if len(r)]
    mean = np.mean(known, axis=0) if known else np.empty(0)
    recall, precision, _ = micro = pooled.pr()
    micro_area = float(np.diff(recall) @ precision[1:]) if len(recall) else np.nan
    return _curves(full, mean, micro, names, areas, micro_area, ("recall", "precision"), False)


def _curves(
    full: Sequence[Points],
    mean: Floats,
    micro: Points,
    names: Sequence[str],
    areas: Floats,
    micro_area: float,
    axes: tuple[str, str],
    diagonal: bool,
) -> Curves:
    macro = (GRID[: len(mean)], mean, np.full(len(mean), np.nan))
    x, y, thresholds = zip(*[thinned(p) for p in (*full, macro, micro)], strict=True)
    labels = [*names, "macro average", "micro average"]
    known = areas[np.isfinite(areas)]
    macro_area = float(known.mean()) if known.size else np.nan
    values = [*(float(a) for a in areas), macro_area, micro_area]
    return Curves(
        x,
        y,
        labels,
        thresholds,
        x_name=axes[0],
        y_name=axes[1],
        areas=dict(zip(labels, values, strict=True)),
        diagonal=diagonal,
    )
