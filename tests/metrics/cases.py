"""Batches to test with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.metrics.batch import ClassificationBatch


@dataclass
class Stored:
    """Scores that are read anew at each call, as from a file; picklable."""

    scores: np.ndarray

    def __call__(self) -> np.ndarray:
        return self.scores.copy()


def names(classes: int) -> list[str]:
    return [f"class {k}" for k in range(classes)]


def batch(scores: object, targets: Sequence[object] | np.ndarray, dtype: type = np.float64) -> ClassificationBatch:
    targets = np.asarray(targets)
    return ClassificationBatch([f"s{i}" for i in range(len(targets))], np.asarray(scores, dtype), targets)


def single(
    rows: int, classes: int, seed: int = 0, dtype: type = np.float32, ties: bool = False, absent: int = 0
) -> ClassificationBatch:
    """Random softmax scores that favour the truth; with ``ties`` few distinct values; the last ``absent`` classes
    never are the truth."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, max(1, classes - absent), rows)
    if ties:
        scores = rng.integers(0, 3, (rows, classes)).astype(float)
        scores[np.arange(rows), rng.integers(0, classes, rows)] += 1
    else:
        logits = rng.normal(size=(rows, classes)) * 1.5
        logits[np.arange(rows), labels] += rng.gamma(2, 1, rows)
        scores = np.exp(logits)
    return batch(scores / scores.sum(axis=1, keepdims=True), labels, dtype)


def multi(rows: int, classes: int, seed: int = 0, dtype: type = np.float32, ties: bool = False) -> ClassificationBatch:
    """Random sigmoid scores; no score is exactly 0.5."""
    rng = np.random.default_rng(seed)
    targets = rng.random((rows, classes)) < 0.3
    scores = 1 / (1 + np.exp(-rng.normal(size=(rows, classes)) - 1.5 * targets + 0.7))
    if ties:
        scores = np.round(scores * 7) / 7
    return batch(scores, targets, dtype)


def part(whole: ClassificationBatch, rows: slice, stored: bool = False) -> ClassificationBatch:
    """Some rows of a batch; ``stored`` makes their scores a function."""
    scores = whole.read()[rows]
    return ClassificationBatch(whole.ids[rows], Stored(scores) if stored else scores, whole.targets[rows])
