"""Images that may have several labels at once: decisions at one threshold, and threshold-free quality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.confusion import ratio, weighted
from dashboard.metrics.intervals import normal_mean, wilson
from dashboard.metrics.ranking import ranking_results
from dashboard.metrics.ranks import rank_batches
from dashboard.metrics.scan import map_threads, spans
from dashboard.results import ClassTable, MetricResult, Scalars

THRESHOLD = 0.5


class MultiLabel:
    """Precision, recall and F1 at ``score >= 0.5``, Hamming loss, exact matches, binary cross-entropy and mAP.

    Averages follow scikit-learn with ``zero_division=0``: macro over all classes that have labels or decisions, samples
    over all samples (one without labels and without decisions counts as 0, as there). State is counts and sums, plus
    the batches by reference for the ranking part.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.counts = np.zeros((3, len(self.class_names)), np.int64)  # true positives, decisions, labels
        self.samples = np.zeros(3)  # sums over samples of their precision, recall and F1
        self.sums = np.zeros((3, 2))  # bce, Hamming, Brier: sums and sums of squares
        self.exact = 0
        self.batches: list[ClassificationBatch] = []

    def update(self, batch: ClassificationBatch) -> None:
        """Take in a batch. Raises ValueError if its classes are not as many, or it is single-label."""
        if batch.multilabel:
            _ = batch.detail  # first, as it fills the summary too: a stored batch is read once for both
        batch.check_classes(len(self.class_names))
        summary = batch.multilabel_summary
        scores, targets = batch.read(), batch.targets
        hits = np.empty(len(batch), np.int64)

        def count(part: slice) -> NDArray[np.int64]:
            decided = scores[part] >= THRESHOLD
            right = decided & targets[part]
            hits[part] = right.sum(axis=1)
            return np.stack([right.sum(axis=0), decided.sum(axis=0), targets[part].sum(axis=0)])

        for counted in map_threads(count, spans(*scores.shape)):
            self.counts += counted
        decided, labels = summary.predicted_count, summary.label_count
        rates = (ratio(hits, decided), ratio(hits, labels), ratio(2 * hits, decided + labels))
        self.samples += [np.nan_to_num(rate).sum() for rate in rates]
        for row, value in enumerate((batch.detail.bce, summary.hamming, summary.brier)):
            self.sums[row] += value.sum(), np.square(value).sum()
        self.exact += int((summary.hamming == 0).sum())
        self.batches.append(batch)

    def merge(self, other: MultiLabel) -> MultiLabel:
        """The sum of both. Raises ValueError if they count different classes."""
        if self.class_names != other.class_names:
            raise ValueError("other must count the same classes")
        merged = MultiLabel(self.class_names)
        for name in ("counts", "samples", "sums", "exact"):
            setattr(merged, name, getattr(self, name) + getattr(other, name))
        merged.batches = [*self.batches, *other.batches]
        return merged

    def compute(self) -> dict[str, MetricResult]:
        """``scores``, ``per_class``, ``roc`` and ``pr``.

        map is the mean average precision over classes with positives and negatives. Intervals: Wilson for
        subset_accuracy, normal for the means over samples, the jackknife for auroc_macro.

        Raises:
            ValueError: without data.
        """
        n = sum(len(b) for b in self.batches)
        if n == 0:
            raise ValueError("no samples to evaluate")
        ranked = ranking_results(
            rank_batches(self.batches, len(self.class_names)), self.class_names, self.counts[2].copy()
        )
        areas, table = ranked["scores"], ranked["per_class"]
        assert isinstance(areas, Scalars)
        assert isinstance(table, ClassTable)
        hit, decided, labels = self.counts
        occurs = decided + labels > 0
        rates = {"precision": ratio(hit, decided), "recall": ratio(hit, labels), "f1": ratio(2 * hit, decided + labels)}
        h, d, t = (int(v) for v in self.counts.sum(axis=1))
        micro = {"precision": (h, d), "recall": (h, t), "f1": (2 * h, d + t)}
        values = {
            "map": areas.values["average_precision_macro"],
            "auroc_macro": areas.values["auroc_macro"],
            "subset_accuracy": self.exact / n,
        }
        for i, (name, rate) in enumerate(rates.items()):
            values[f"{name}_macro"] = float(np.nan_to_num(rate[occurs]).mean()) if occurs.any() else np.nan
            values[f"{name}_micro"] = micro[name][0] / micro[name][1] if micro[name][1] else np.nan
            values[f"{name}_weighted"] = weighted(rate, labels)
            values[f"{name}_samples"] = float(self.samples[i] / n)
        higher = dict.fromkeys(values, True)
        intervals = {"subset_accuracy": wilson(self.exact, n), **areas.intervals}
        for row, name in enumerate(("bce", "hamming_loss", "brier")):
            values[name], higher[name] = float(self.sums[row, 0] / n), False
            intervals[name] = normal_mean(self.sums[row, 0], self.sums[row, 1], n)
        units = {**dict.fromkeys(values, ""), "bce": "nat"}
        columns: dict[str, NDArray[Any]] = {
            "support": labels.copy(),
            "predicted": decided.copy(),
            **rates,
            **table.columns,
        }
        return {
            "scores": Scalars(values, intervals, units, higher),
            "per_class": ClassTable(self.class_names, columns),
            "roc": ranked["roc"],
            "pr": ranked["pr"],
        }
