"""Whether "90 % sure" is right nine times in ten, and the proper scores: log loss and Brier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics import losses
from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.intervals import NONE, Interval, normal_mean, z_of
from dashboard.results import Curves, Distribution, MetricResult, Scalars

HISTOGRAM = 20


def bin_of(confidence: NDArray[np.floating], bins: int) -> NDArray[np.int64]:
    """Which of ``bins`` equal parts of 0..1 holds each confidence: half-open [low, high), the last one closed."""
    return np.clip((confidence.astype(np.float64) * bins).astype(np.int64), 0, bins - 1)


class Calibration:
    """Reliability of the top answer's confidence in equal-width bins (Guo et al. 2017), log loss and Brier score.

    ECE is sum over bins of n_b / N |accuracy_b - confidence_b|, MCE the largest such gap of a bin that holds a sample;
    torchmetrics' ``multiclass_calibration_error`` with norms "l1" and "max", except that its bins are closed above.
    Log loss is sklearn's ``log_loss``; for Brier see ``losses.brier_from_sums``.
    """

    def __init__(self, class_names: Sequence[str], bins: int = 15) -> None:
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}")
        self.class_names = tuple(class_names)
        self.samples = 0
        self.bins = np.zeros((3, bins))  # of those with a confidence: samples, sum of confidence, sum of correct
        self.sums = np.zeros((3, 2))  # log loss, Brier, correct - confidence: their sums and sums of squares
        self.histogram = np.zeros((2, HISTOGRAM), np.int64)  # confidence of wrong and of correct answers

    def update(self, batch: ClassificationBatch) -> None:
        """Add a batch. Raises ValueError if its classes are not as many, or it is multi-label."""
        batch.check_classes(len(self.class_names))
        summary = batch.summary
        confidence, correct = summary.confidence.astype(np.float64), summary.rank == 0
        self.samples += len(batch)
        for row, value in enumerate((losses.cross_entropy(summary.true_score), summary.brier, correct - confidence)):
            self.sums[row] += value.sum(), np.square(value).sum()  # NaN if unknown for any sample
        known = np.isfinite(confidence)
        confidence, correct = confidence[known], correct[known]
        bins = self.bins.shape[1]
        place = bin_of(confidence, bins)
        for row, weights in enumerate((None, confidence, correct)):
            self.bins[row] += np.bincount(place, weights, minlength=bins)
        cells = correct * HISTOGRAM + bin_of(confidence, HISTOGRAM)
        self.histogram += np.bincount(cells, minlength=2 * HISTOGRAM).reshape(2, HISTOGRAM)

    def merge(self, other: Calibration) -> Calibration:
        """The sum of both. Raises ValueError if they count different classes or bins."""
        if self.class_names != other.class_names or self.bins.shape != other.bins.shape:
            raise ValueError("other must count the same classes and bins")
        merged = Calibration(self.class_names, self.bins.shape[1])
        merged.bins, merged.sums = self.bins + other.bins, self.sums + other.sums
        merged.histogram = self.histogram + other.histogram
        merged.samples = self.samples + other.samples
        return merged

    def compute(self) -> dict[str, MetricResult]:
        """``scores``, ``reliability`` and ``confidence``.

        Intervals of log_loss and brier are normal. That of ece holds each bin's sign fixed, so it says how far the
        estimate may move, not that a perfectly calibrated model would reach 0 (finite samples never do).

        Answers without scores leave log_loss and brier NaN, those without a confidence ece and mce too.

        Raises:
            ValueError: without data.
        """
        total = self.samples
        if total == 0:
            raise ValueError("no samples to evaluate")
        held = self.bins[0] > 0
        samples, confidence, correct = self.bins[:, held]
        gap = np.abs(correct - confidence) if samples.sum() == total else np.array([np.nan])
        log_loss, brier, _ = self.sums[:, 0] / total
        values = {
            "ece": float(gap.sum() / total),
            "mce": float((gap / samples).max()) if samples.sum() == total else np.nan,
            "log_loss": float(log_loss),
            "brier": float(brier),
        }
        intervals = {
            "ece": self._ece_interval(values["ece"], total),
            "log_loss": normal_mean(self.sums[0, 0], self.sums[0, 1], total),
            "brier": normal_mean(self.sums[1, 0], self.sums[1, 1], total),
        }
        units = {"ece": "", "mce": "", "log_loss": "nat", "brier": ""}
        return {
            "scores": Scalars(values, intervals, units, dict.fromkeys(values, False)),
            "reliability": Curves(
                [confidence / samples],
                [correct / samples],
                ["top answer"],
                x_name="mean confidence",
                y_name="accuracy",
                diagonal=True,
                weights=[samples.astype(np.int64)],
            ),
            "confidence": Distribution(
                np.linspace(0, 1, HISTOGRAM + 1),
                {"correct": self.histogram[1].copy(), "wrong": self.histogram[0].copy()},
                name="confidence",
            ),
        }

    def _ece_interval(self, ece: float, total: int) -> Interval:
        """ECE is the mean of +-(correct - confidence) with its bin's sign; the squares do not depend on the sign."""
        if np.isnan(ece):
            return NONE
        variance = max(self.sums[2, 1] / total - ece * ece, 0.0)
        half = z_of() * float(np.sqrt(variance / total))
        return max(0.0, ece - half), min(1.0, ece + half)
