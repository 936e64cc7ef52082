"""Threshold-free quality, each class against the rest: exact AUROC and average precision, ROC and PR curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.curves import pr_curves, roc_curves
from dashboard.metrics.intervals import enough, from_error
from dashboard.metrics.ranks import Ranks, rank_batches
from dashboard.metrics.scan import Scores
from dashboard.results import ClassTable, MetricResult, Scalars

Counts = NDArray[np.int64]


def threshold_counts(scores: Scores, is_positive: NDArray[np.bool_], grid: int = 1001) -> tuple[Counts, Counts]:
    """How many positives and negatives score at least t, for t = 0/(grid-1), 1/(grid-1), ... 1. Exact.

    Args:
        scores: (N,) scores of one class.
        is_positive: (N,) truth.
        grid: number of thresholds.

    Returns:
        (grid,) positives and (grid,) negatives at or above each threshold.
    """
    thresholds = np.arange(grid) / (
        grid - 1
    )  # j / (grid - 1), as a browser would compute it; linspace differs by an ulp
    passed = np.searchsorted(thresholds, scores.astype(np.float64), side="right")  # thresholds that each score reaches

    def at_least(which: NDArray[np.bool_]) -> Counts:
        return np.bincount(passed[which], minlength=grid + 1)[::-1].cumsum()[::-1][1:]

    positive = np.asarray(is_positive, bool)
    return at_least(positive), at_least(~positive)


class Ranking:
    """AUROC, average precision and the curves behind them, each class against the rest.

    State is the batches themselves, by reference: one whose scores are stored elsewhere is re-read when needed.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.batches: list[ClassificationBatch] = []

    def update(self, batch: ClassificationBatch) -> None:
        """Take in a batch. Raises ValueError if its classes are not as many, or it is multi-label."""
        batch.check_classes(len(self.class_names))
        _ = batch.summary
        self.batches.append(batch)

    def merge(self, other: Ranking) -> Ranking:
        """Both batches' lists. Raises ValueError if they rank different classes."""
        if self.class_names != other.class_names:
            raise ValueError("other must rank the same classes")
        merged = Ranking(self.class_names)
        merged.batches = [*self.batches, *other.batches]
        return merged

    def compute(self) -> dict[str, MetricResult]:
        """``scores``, ``per_class``, ``roc`` and ``pr``; see ``ranking_results``. Raises ValueError without data."""
        if not any(len(b) for b in self.batches):
            raise ValueError("no samples to evaluate")
        classes = len(self.class_names)
        scored = all(b.scores is not None for b in self.batches)
        ranks = rank_batches(self.batches if scored else (), classes)  # answers without scores cannot be ranked
        support = sum(np.bincount(b.targets, minlength=classes) for b in self.batches)
        return ranking_results(ranks, self.class_names, np.asarray(support))


def ranking_results(ranks: Ranks, class_names: Sequence[str], support: Counts) -> dict[str, MetricResult]:
    """Scalars, the per-class table and the two families of curves.

    Macro means are over the classes that have positives and negatives. The interval of auroc_macro is by the
    infinitesimal jackknife over samples.
    """
    auroc, precision = ranks.auroc(), ranks.average_precision()
    known = np.isfinite(auroc)
    values = {
        "auroc_macro": float(auroc[known].mean()) if known.any() else np.nan,
        "average_precision_macro": float(precision[known].mean()) if known.any() else np.nan,
    }
    ladders = [ranks.ladder(k) for k in range(len(class_names))]
    best = np.array([ladder.best() for ladder in ladders])
    columns = {
        "support": support,
        "auroc": auroc,
        "average_precision": precision,
        "youden_threshold": best[:, 0],
        "best_f1": best[:, 1],
        "best_f1_threshold": best[:, 2],
    }
    interval = {}
    if enough(ranks.positives):
        interval["auroc_macro"] = from_error(values["auroc_macro"], ranks.error, 0, 1)
    return {
        "scores": Scalars(values, interval, dict.fromkeys(values, ""), dict.fromkeys(values, True)),
        "per_class": ClassTable(class_names, columns),
        "roc": roc_curves(ladders, ranks.micro, class_names, auroc),
        "pr": pr_curves(ladders, ranks.micro, class_names, precision),
    }
