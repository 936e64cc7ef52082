"""Classification metrics against their peers, in one run on the same scores.

    python -m benchmarks.metrics_classification [--rows 200000] [--classes 1000] [--rounds 5]

"counts" is top-1, top-5, the confusion matrix, every average of precision, recall and F1, MCC, kappa, their intervals,
calibration error, log loss and Brier score: what ``Confusion`` and ``Calibration`` compute, from scores to results.
Slow peers are timed on fewer rows or classes and scaled; the output says so. Memory is what is allocated above the
scores, at its peak, as tracemalloc sees it, in a run of its own (torch's allocations escape it and are not shown).
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.calibration import Calibration
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.ranking import Ranking


def make(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Softmax scores of a fair classifier with confusable classes, float32, seeded."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, rows)
    confusable = rng.integers(0, classes, (classes, 5))
    scores = np.empty((rows, classes), np.float32)
    for start in range(0, rows, 10_000):
        part = slice(start, min(start + 10_000, rows))
        label = labels[part]
        block = rng.standard_normal((len(label), classes), dtype=np.float32) * 1.6
        every = np.arange(len(label))
        block[every, label] += rng.gamma(3, 2.2, len(label)).astype(np.float32)
        block[every, confusable[label, rng.integers(0, 5, len(label))]] += rng.gamma(2, 2.2, len(label))
        np.exp(block - block.max(axis=1, keepdims=True), out=block)
        scores[part] = block / block.sum(axis=1, keepdims=True)
    return scores, labels


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def peak(function: Callable[[], Any]) -> float:
    """MB allocated above what was there, at the peak."""
    gc.collect()
    tracemalloc.start()
    function()
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top / 2**20


def prototype(scores: np.ndarray, labels: np.ndarray) -> Callable[[], dict[str, float]] | None:
    """The floor: one compiled, threaded loop for argmax, confidence and rank, then bincounts. None without numba."""
    if importlib.util.find_spec("numba") is None:
        return None
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def fused(x, y, predicted, confidence, rank):  # type: ignore[no-untyped-def]
        for i in numba.prange(x.shape[0]):
            row = x[i]
            best, at, true, above = row[0], 0, row[y[i]], 0
            for j in range(row.shape[0]):
                v = row[j]
                above += v > true
                if v > best:
                    best, at = v, j
            predicted[i], confidence[i], rank[i] = at, best, above

    def run() -> dict[str, float]:
        rows, classes = scores.shape
        predicted, confidence, rank = np.empty(rows, np.int32), np.empty(rows, np.float32), np.empty(rows, np.int32)
        fused(scores, labels, predicted, confidence, rank)
        counts = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
        bins = np.minimum((confidence * 15).astype(np.int64), 14)
        hits, sure = np.bincount(bins, rank < 1, 15), np.bincount(bins, confidence, 15)
        hit = counts.diagonal()
        p, r = hit / np.maximum(counts.sum(0), 1), hit / np.maximum(counts.sum(1), 1)
        return {
            "top1": float((rank < 1).mean()),
            "top5": float((rank < 5).mean()),
            "f1_macro": float(np.mean(2 * p * r / np.maximum(p + r, 1e-12))),
            "ece": float(np.abs(hits - sure).sum() / rows),
        }

    return run


def counts(scores: np.ndarray, labels: np.ndarray, names: list[str], ids: range) -> dict[str, float]:
    batch = ClassificationBatch(ids, scores, labels)  # type: ignore[arg-type]
    values: dict[str, float] = {}
    for kind in (Confusion, Calibration):
        metric = kind(names)
        metric.update(batch)
        values.update(metric.compute()["scores"].values)  # type: ignore[union-attr]
    return values


def sklearn_counts(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    from sklearn import metrics as sk

    every = np.arange(scores.shape[1])
    predicted = scores.argmax(axis=1)
    sk.confusion_matrix(labels, predicted, labels=every)
    f1 = sk.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0, average="macro")[2]
    sk.matthews_corrcoef(labels, predicted)
    return {
        "top1": sk.top_k_accuracy_score(labels, scores, k=1, labels=every),
        "top5": sk.top_k_accuracy_score(labels, scores, k=5, labels=every),
        "f1_macro": float(f1),
    }


def torchmetrics_counts(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    import torch
    from torchmetrics.functional import classification as tm

    p, y, c = torch.from_numpy(scores), torch.from_numpy(labels), scores.shape[1]
    tm.multiclass_confusion_matrix(p, y, c)
    return {
        "top1": float(tm.multiclass_accuracy(p, y, c, average="micro")),
        "top5": float(tm.multiclass_accuracy(p, y, c, average="micro", top_k=min(5, c))),
        "f1_macro": float(tm.multiclass_f1_score(p, y, c, average="macro")),
        "ece": float(tm.multiclass_calibration_error(p, y, c, n_bins=15)),
    }


def show(name: str, seconds: float, reference: float, megabytes: float | None, note: str = "") -> None:
    memory = f"{megabytes:8.0f} MB" if megabytes is not None else " " * 11
    print(f"  {name:34s} {seconds:9.3f} s  {seconds / reference:8.2f} x {memory}  {note}", flush=True)


def worst(got: dict[str, float], other: dict[str, float]) -> str:
    return f"largest difference {max(abs(got[k] - v) for k, v in other.items()):.1e} over {', '.join(other)}"


def compare_counts(scores: np.ndarray, labels: np.ndarray, rounds: int) -> None:
    rows, classes = scores.shape
    names, ids = [str(k) for k in range(classes)], range(rows)
    few = min(rows, 20_000)

    def ours() -> dict[str, float]:
        return counts(scores, labels, names, ids)

    first, got = timed(ours)
    floor = prototype(scores, labels)
    if floor:
        floor_first, floor_got = timed(floor)
    pairs = [(timed(ours)[0], timed(floor)[0] if floor else np.nan) for _ in range(rounds)]
    typical = statistics.median(a for a, _ in pairs)
    print(f"counts + calibration, {rows} x {classes} (median of {rounds}; x: how many times as long as ours)")
    show("ours", typical, typical, peak(ours))
    show("ours, first call", first, typical, None)
    if floor:
        show(
            "fused numba prototype", statistics.median(b for _, b in pairs), typical, peak(floor), worst(got, floor_got)
        )
        show("fused numba prototype, first call", floor_first, typical, None, "compiles")
        print(f"  ours takes {statistics.median(a / b for a, b in pairs):.2f} x the prototype's time (median of pairs)")
    small = counts(scores[:few], labels[:few], names, range(few))
    for name, peer in (("scikit-learn", sklearn_counts), ("torchmetrics", torchmetrics_counts)):
        if importlib.util.find_spec({"scikit-learn": "sklearn"}.get(name, name)) is None:
            continue
        peer(scores[:100], labels[:100])  # imports
        seconds, values = timed(partial(peer, scores[:few], labels[:few]))
        show(name, seconds * rows / few, typical, None, f"{few} rows timed, scaled; {worst(small, values)}")


def compare_ranking(scores: np.ndarray, labels: np.ndarray, rounds: int) -> None:
    rows, classes = scores.shape
    names = [str(k) for k in range(classes)]

    def ours() -> Any:
        metric = Ranking(names)
        metric.update(ClassificationBatch(range(rows), scores, labels))  # type: ignore[arg-type]
        return metric.compute()

    first, out = timed(ours)
    typical = statistics.median(timed(ours)[0] for _ in range(max(1, rounds // 2)))
    print(f"exact AUROC + average precision + curves + interval, {rows} x {classes}")
    show("ours (from scores to results)", typical, typical, peak(ours))
    show("ours, first call", first, typical, None)
    if importlib.util.find_spec("sklearn") is None:
        return
    from sklearn import metrics as sk

    few = min(classes, 50)
    table = out["per_class"].columns
    off, seconds = 0.0, 0.0
    for k in range(few):
        true = labels == k
        if not true.any():
            continue
        for column, peer in (("auroc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
            taken, value = timed(partial(peer, true, scores[:, k]))
            seconds += taken
            off = max(off, abs(table[column][k] - value))
    show(
        "scikit-learn", seconds * classes / few, typical, None, f"{few} classes timed, scaled; off by {off:.1e} at most"
    )
    if importlib.util.find_spec("torchmetrics") is None:
        return
    import torch
    from torchmetrics.functional import classification as tm

    part = min(rows, 5_000)
    p, y = torch.from_numpy(scores[:part]), torch.from_numpy(labels[:part])
    seconds = timed(lambda: tm.multiclass_auroc(p, y, classes, average=None, thresholds=None))[0]
    show("torchmetrics (AUROC only)", seconds * rows / part, typical, None, f"{part} rows timed, scaled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # torchmetrics warns of classes that a subset of the rows lacks
    scores, labels = make(args.rows, args.classes)
    compare_counts(scores, labels, args.rounds)
    compare_ranking(scores, labels, args.rounds)


if __name__ == "__main__":
    main()
