"""Everything that follows from how often class i was called class j, and from the rank of the true class.

Conventions, the same as the defaults of scikit-learn and torchmetrics: averages are over the classes that occur in the
truth or among the predictions, and there a precision or recall of 0/0 counts as 0. In the per-class table it stays
undefined (NaN), and a class that occurs nowhere is NaN in every column and in no average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.intervals import Interval, enough, from_error, wilson
from dashboard.results import ClassTable, Matrix, MetricResult, Scalars

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
AVERAGES = ("macro", "micro", "weighted")


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """``above / below``, NaN where ``below`` is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def per_class_rates(counts: Counts) -> dict[str, NDArray[Any]]:
    """Each class against the rest, as in sklearn's ``precision_recall_fscore_support``, but NaN where 0/0.

    Args:
        counts: (C, K) with K >= C, [true, predicted]. Further columns are answers that are no class ("rejected"): they
            are misses of the true class, and nothing's false positives.

    Returns:
        (C,) columns support, predicted, precision, recall, f1 and specificity (true negatives / negatives).
    """
    classes = len(counts)
    support, predicted, hit = counts.sum(axis=1), counts.sum(axis=0)[:classes], counts.diagonal().astype(np.int64)
    negatives = counts.sum() - support
    return {
        "support": support,
        "predicted": predicted,
        "precision": ratio(hit, predicted),
        "recall": ratio(hit, support),
        "f1": ratio(2 * hit, support + predicted),
        "specificity": np.where(support + predicted > 0, ratio(negatives - (predicted - hit), negatives), np.nan),
    }


def macro(values: Floats, occurs: NDArray[np.bool_]) -> float:
    """Plain mean over the classes that occur, 0/0 counting 0; NaN if none does."""
    return float(np.nan_to_num(values[occurs]).mean()) if occurs.any() else np.nan


def weighted(values: Floats, support: Counts) -> float:
    """Mean over classes weighted by support, 0/0 counting 0; NaN without support."""
    total = support.sum()
    return float((np.nan_to_num(values) * support).sum() / total) if total else np.nan


def averages(rates: Mapping[str, NDArray[Any]], hits: int) -> dict[str, float]:
    """precision, recall and f1, each macro, micro and weighted, and specificity_macro, balanced_accuracy.

    Args:
        rates: of ``per_class_rates``.
        hits: the correct samples, the confusion matrix's trace.
    """
    support, predicted = rates["support"].astype(np.int64), rates["predicted"].astype(np.int64)
    occurs = support + predicted > 0
    asked, answered = int(support.sum()), int(predicted.sum())
    micro = {"precision": (hits, answered), "recall": (hits, asked), "f1": (2 * hits, asked + answered)}
    values: dict[str, float] = {}
    for name, (above, below) in micro.items():
        values[f"{name}_macro"] = macro(rates[name], occurs)
        values[f"{name}_micro"] = above / below if below else np.nan
        values[f"{name}_weighted"] = weighted(rates[name], support)
    # A class that every sample has cannot be refused rightly: it is left out, where torchmetrics counts 0.
    defined = np.isfinite(rates["specificity"])
    values["specificity_macro"] = macro(rates["specificity"], defined)
    values["balanced_accuracy"] = macro(rates["recall"], support > 0)
    return values


def _sums(counts: Counts, axis: int) -> Floats:
    return counts.sum(axis=axis).astype(np.float64)


def mcc(counts: Counts) -> float:
    """Matthews' correlation for several classes (Gorodkin 2004; sklearn's ``matthews_corrcoef``).

    NaN (sklearn: 0) if the truth or the predictions hold one class only.
    """
    n, true, predicted = float(counts.sum()), _sums(counts, 1), _sums(counts, 0)
    spread = (n * n - predicted @ predicted) * (n * n - true @ true)
    return float((counts.trace() * n - true @ predicted) / np.sqrt(spread)) if spread > 0 else np.nan


def cohen_kappa(counts: Counts) -> float:
    """Agreement beyond chance (Cohen 1960; sklearn's ``cohen_kappa_score``); NaN if chance alone agrees always."""
    n, chance = float(counts.sum()), float(_sums(counts, 1) @ _sums(counts, 0))
    return (float(counts.trace()) * n - chance) / (n * n - chance) if n * n > chance else np.nan


def delta_intervals(counts: Counts, values: Mapping[str, float]) -> dict[str, Interval]:
    """Intervals of balanced_accuracy, f1_macro, mcc and cohen_kappa by the multivariate delta method.

    Samples are taken as multinomial draws from the cells p[i, j]. To first order a statistic T then varies as the mean
    of its gradient over the samples, so its variance is Var_p(dT/dp) / N (the infinitesimal jackknife; Fleiss, Cohen
    and Everitt 1969 for kappa). For these four the gradient is row[i] + column[j] + diagonal[i] * (i == j). It costs
    one look at the cells, where a bootstrap would need hundreds, and covers about as well (tested against it). With
    fewer than ``intervals.FEW`` samples in the median class, balanced_accuracy and f1_macro are left out: both ways are
    too narrow then. The ends are set on the logit scale.

    Args:
        counts: (C, C).
        values: the four estimates.
    """
    n = float(counts.sum())
    row, column, hit = _sums(counts, 1) / n, _sums(counts, 0) / n, counts.diagonal() / n
    both = row + column
    supported, occurring = int((row > 0).sum()) or 1, int((both > 0).sum()) or 1
    zero = np.zeros(len(counts))
    agree, chance = hit.sum(), row @ column
    free_row, free_column = 1 - row @ row, 1 - column @ column

    def per(a: Floats, b: Floats) -> Floats:
        return np.nan_to_num(ratio(a, b))

    f1_side, one = -2 * per(hit, both**2) / occurring, np.ones(len(counts))
    gradients: dict[str, tuple[Floats, Floats, Floats]] = {}
    if enough(counts.sum(axis=1)):
        gradients["balanced_accuracy"] = (-per(hit, row**2) / supported, zero, per(one, row) / supported)
        gradients["f1_macro"] = (f1_side, f1_side, 2 * per(one, both) / occurring)
    if np.isfinite(values["cohen_kappa"]):
        side = (agree - 1) / (1 - chance) ** 2
        gradients["cohen_kappa"] = (column * side, row * side, one / (1 - chance))
    if np.isfinite(values["mcc"]):
        scale, r = np.sqrt(free_row * free_column), values["mcc"]
        gradients["mcc"] = (
            -column / scale + r * row / free_row,
            -row / scale + r * column / free_column,
            one / scale,
        )
    # E[g] and E[g^2] of g = a[i] + b[j] + d[i] (i == j), from marginals; only the term 2 a[i] b[j] needs the cells.
    cells = counts / n
    intervals = {}
    for name, (a, b, d) in gradients.items():
        cross = np.vecdot(cells, b)  # row by row: a matrix product would wake BLAS's own threads, which then spin
        mean = row @ a + column @ b + hit @ d
        square = row @ a**2 + column @ b**2 + 2 * a @ cross + hit @ (d**2 + 2 * d * (a + b))
        error = float(np.sqrt(max(square - mean**2, 0) / n))
        least = -1.0 if name in ("mcc", "cohen_kappa") else 0.0
        intervals[name] = from_error(values[name], error, least, 1.0)
    return intervals


def thresholded(
    labels: NDArray[np.integer],
    predicted: NDArray[np.integer],
    confidence: NDArray[np.floating],
    threshold: float,
    classes: int,
) -> tuple[Counts, dict[str, NDArray[Any]]]:
    """The confusion matrix if answers below a confidence are withheld.

    Args:
        labels: (N,) true classes.
        predicted: (N,) answers.
        confidence: (N,) score of the predicted class.
        threshold: answers with ``confidence >= threshold`` stand.
        classes: C.

    Returns:
        (C, C + 1) counts whose last column is "rejected", and ``per_class_rates`` of them: precision over what stands,
        recall over everything, a rejected sample being a miss.
    """
    answer = np.where(confidence >= threshold, predicted, classes)
    cells = np.bincount(labels * (classes + 1) + answer, minlength=classes * (classes + 1))
    counts = cells.reshape(classes, classes + 1).astype(np.int64)
    return counts, per_class_rates(counts)


class Confusion:
    """Accuracies, averages of precision, recall and F1, chance-corrected agreement, and the matrix behind them."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        classes = len(self.class_names)
        self.counts: Counts = np.zeros((classes, classes), np.int64)
        self.ranks: Counts = np.zeros(classes, np.int64)

    def update(self, batch: ClassificationBatch) -> None:
        """Count a batch. Raises ValueError if its classes are not as many, or it is multi-label."""
        batch.check_classes(len(self.class_names))
        summary = batch.summary
        np.add.at(self.counts.reshape(-1), batch.targets * len(self.class_names) + summary.predicted, 1)
        self.ranks += np.bincount(summary.rank[summary.rank >= 0], minlength=len(self.ranks))

    def merge(self, other: Confusion) -> Confusion:
        """The sum of both. Raises ValueError if they count different classes."""
        if self.class_names != other.class_names:
            raise ValueError("other must count the same classes")
        merged = Confusion(self.class_names)
        merged.counts, merged.ranks = self.counts + other.counts, self.ranks + other.ranks
        return merged

    def compute(self) -> dict[str, MetricResult]:
        """``scores``, ``per_class`` and ``confusion``.

        top5 counts the five best (all, if there are fewer classes: then it is 1); it is NaN for answers without scores.
        Intervals of top1 and top5 are Wilson's, the others as in ``delta_intervals``.

        Raises:
            ValueError: without data.
        """
        n = int(self.counts.sum())
        if n == 0:
            raise ValueError("no samples to evaluate")
        rates = per_class_rates(self.counts)
        hits, in_five = int(self.counts.trace()), float(self.ranks[:5].sum())
        if len(self.ranks) <= 5:
            in_five = n
        elif self.ranks.sum() < n:  # some ranks are not known
            in_five = np.nan
        values = {"top1": hits / n, "top5": in_five / n, **averages(rates, hits)}
        values["mcc"], values["cohen_kappa"] = mcc(self.counts), cohen_kappa(self.counts)
        intervals = {"top1": wilson(hits, n), "top5": wilson(in_five, n), **delta_intervals(self.counts, values)}
        return {
            "scores": Scalars(values, intervals, dict.fromkeys(values, ""), dict.fromkeys(values, True)),
            "per_class": ClassTable(self.class_names, rates),
            "confusion": Matrix(self.counts.copy(), self.class_names, self.class_names),
        }
