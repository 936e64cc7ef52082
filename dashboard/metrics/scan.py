"""The one pass over a batch's scores that every count metric shares.

The (N, C) scores are read once, in row blocks that stay in a processor's cache, on a few threads (numpy frees the
interpreter lock); what is kept are a few (N,) columns. Logarithms over the whole matrix cost more than all the rest, so
they are taken in a pass of their own, when somebody asks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics import losses

Scores = NDArray[np.floating]
A = TypeVar("A")
R = TypeVar("R")

THREADS = max(1, min(8, os.cpu_count() or 1))
BLOCK = 1 << 19  # scores in a block: 2 MB of float32; smaller ones cost more in calls than they win in cache
RANGE_SLACK = 1e-5
SUM_SLACK = 1e-2  # as files are imported with: rows rounded to two or three digits still pass


def map_threads(function: Callable[[A], R], items: Iterable[A]) -> list[R]:
    """``list(map(function, items))`` on ``THREADS`` threads; worth it where numpy frees the interpreter lock."""
    work = list(items)
    if len(work) < 2 or THREADS < 2:
        return [function(item) for item in work]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, work))


def spans(rows: int, columns: int) -> list[slice]:
    """``rows`` cut into a few runs a thread (one that finishes early finds more to do), into one if there is little."""
    pieces = max(1, min(4 * THREADS, rows, rows * columns >> 16))
    return [slice(a, b) for a, b in pairwise(rows * i // pieces for i in range(pieces + 1))]


def blocks(span: slice, columns: int) -> Iterator[slice]:
    """Slices over a span's rows of about ``BLOCK`` scores each."""
    step = block_rows(columns)
    return (slice(start, min(start + step, span.stop)) for start in range(span.start, span.stop, step))


def block_rows(columns: int) -> int:
    """How many rows make up a block."""
    return max(1, BLOCK // max(1, columns))


@dataclass(frozen=True, eq=False)
class Summary:
    """What count metrics need of each single-label sample, (N,) arrays.

    Attributes:
        classes: C, the number of classes.
        dtype: of the scores; logarithms are clipped at its machine epsilon.
        predicted: int64, the class with the highest score; the lowest index wins ties.
        confidence: the highest score.
        true_score: the score of the true class.
        rank: int64, the place of the true class, 0 = first: the number of classes with a higher score, or with an equal
            score at a lower index (so rank 0 is the same as predicted == label). -1 if not known.
        brier: see ``losses.brier``.
    """

    classes: int
    dtype: np.dtype[Any]
    predicted: NDArray[np.int64]
    confidence: Scores
    true_score: Scores
    rank: NDArray[np.int64]
    brier: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MultiLabelSummary:
    """What count metrics need of each multi-label sample, (N,) arrays; decisions are ``score >= 0.5``.

    Attributes:
        classes, dtype: as in ``Summary``.
        brier: mean over classes of (p - y)^2.
        hamming: fraction of wrong decisions.
        margin: the lowest score of a true label minus the highest of a false one; NaN if there is none of either.
        predicted_count, label_count: labels decided for, and labels there are.
    """

    classes: int
    dtype: np.dtype[Any]
    brier: NDArray[np.float64]
    hamming: NDArray[np.float64]
    margin: NDArray[np.float64]
    predicted_count: NDArray[np.int64]
    label_count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Detail:
    """What costs a second look at every score, (N,) arrays.

    Attributes:
        margin: the true class's score minus the best other one, -1..1; NaN if there is one class only.
        bce: mean over classes of the one-vs-rest binary cross-entropy, in nats.
        entropy: of the predicted distribution, in nats; NaN if multi-label.
    """

    margin: NDArray[np.float64]
    bce: NDArray[np.float64]
    entropy: NDArray[np.float64]


def _reject(ids: Sequence[str], row: int, what: str) -> None:
    raise ValueError(f"sample {ids[row]!r}: {what}")


def summarise(scores: Scores, labels: NDArray[np.int64], ids: Sequence[str]) -> Summary:
    """One pass over single-label ``scores``. Raises ValueError naming the id of the first bad row."""
    rows, classes = scores.shape
    for row in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
        _reject(ids, row, f"label must be in 0..{classes - 1}, got {labels[row]}")
    predicted, rank = np.empty(rows, np.int64), np.zeros(rows, np.int64)
    confidence, true_score, squares = (np.empty(rows, scores.dtype) for _ in range(3))
    ones = np.ones(classes, scores.dtype)
    bits = np.dtype(f"i{scores.itemsize}")  # floats >= 0 order as their bits do, and integers compare twice as fast

    work = Workspace(min(block_rows(classes), rows), classes, scores.dtype)

    def scan(span: slice) -> bool:
        """Fill the columns of a span; False if some row in it may be bad."""
        total = np.empty(span.stop - span.start, scores.dtype)
        low = np.inf
        for part in blocks(span, classes):
            block, label = scores[part], labels[part]
            every = np.arange(len(block))
            best = block.view(bits).argmax(axis=1)
            true = block[every, label]
            predicted[part], confidence[part], true_score[part] = best, block[every, best], true
            np.vecdot(block, block, out=squares[part])
            np.vecdot(block, ones, out=total[part.start - span.start : part.stop - span.start])
            low = min(low, block.min())
            wrong = (best != label).nonzero()[0]
            rank[part][wrong] = _ranks(block, true, label, wrong, work)
        # A NaN makes each of these comparisons false: it is in its row's sum.
        fine = low >= -RANGE_SLACK and (confidence[span] <= 1 + RANGE_SLACK).all()
        return bool(fine and (np.abs(total - 1) <= SUM_SLACK).all())

    parts = spans(rows, classes)
    for part, fine in zip(parts, map_threads(scan, parts), strict=True):
        if not fine:
            _reject_row(scores[part], part.start, ids, sums=True)
    brier = losses.brier_from_sums(squares, true_score, classes)
    return Summary(classes, scores.dtype, predicted, confidence, true_score, rank, brier)


class Workspace(threading.local):
    """Each thread's buffers of a block's size, used for block after block: touching fresh memory costs more than the
    arithmetic.
    """

    def __init__(self, rows: int, columns: int, dtype: np.dtype[Any]) -> None:
        self.scores = np.empty((rows, columns), dtype)
        # Two masks of whole words a row; what lies beyond the columns stays False.
        self.masks = np.zeros((2, rows, -(-columns // 8) * 8), bool)


def _ranks(
    block: Scores, true: Scores, label: NDArray[np.int64], rows: NDArray[np.intp], work: Workspace
) -> NDArray[np.int64]:
    """Ranks of the labels of some rows by counting; no sort, exact under ties."""
    classes = block.shape[1]
    some = block.take(rows, axis=0, out=work.scores[: len(rows)], mode="clip")
    words = work.masks[:, : len(rows)]
    above, level = words[:, :, :classes]
    true = true[rows, None]
    np.greater(some, true, out=above)
    np.equal(some, true, out=level)
    rank, same = _count(words)
    tied = (same > 1).nonzero()[0]
    if tied.size:
        earlier = np.arange(classes) < label[rows[tied], None]
        rank[tied] += (level[tied] & earlier).sum(axis=1)
    return rank


def _count(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``mask.sum(axis=-1)`` for rows of whole words: eight columns a word, 255 words before a byte overflows."""
    words = mask.view(np.uint64)
    count = np.zeros(mask.shape[:-1], np.int64)
    for start in range(0, words.shape[-1], 255):
        lanes = words[..., start : start + 255].sum(axis=-1, dtype=np.uint64)
        count += lanes[..., None].view(np.uint8).sum(axis=-1, dtype=np.int64)
    return count


def _reject_row(block: Scores, start: int, ids: Sequence[str], sums: bool) -> None:
    """Raise ValueError for the first row of ``block`` that is not probabilities (if there is one)."""
    low, high, total = block.min(axis=1), block.max(axis=1), block.sum(axis=1, dtype=np.float64)
    inside = (low >= -RANGE_SLACK) & (high <= 1 + RANGE_SLACK)
    for row in np.flatnonzero(~inside)[:1]:
        _reject(
            ids,
            start + row,
            f"scores must be finite probabilities in 0..1, got {low[row]:g} to {high[row]:g}"
            " (apply softmax or sigmoid to logits first)",
        )
    for row in np.flatnonzero(np.abs(total - 1) > SUM_SLACK)[:1] if sums else ():
        _reject(
            ids, start + row, f"scores must sum to 1, got {total[row]:g} (several labels at once need (N, C) targets)"
        )


def summarise_multilabel(scores: Scores, targets: NDArray[np.bool_], ids: Sequence[str]) -> MultiLabelSummary:
    """One pass over multi-label ``scores``. Raises ValueError naming the id of the first bad row."""
    rows, classes = scores.shape
    brier, hamming, margin = (np.empty(rows) for _ in range(3))
    predicted_count, label_count = np.empty(rows, np.int64), np.empty(rows, np.int64)

    work = Workspace(min(block_rows(classes), rows), classes, scores.dtype)

    def scan(span: slice) -> None:
        for part in blocks(span, classes):
            block, target = scores[part], targets[part]
            if not (block.min() >= -RANGE_SLACK and block.max() <= 1 + RANGE_SLACK):
                _reject_row(block, part.start, ids, sums=False)
            buffer, words = work.scores[: len(block)], work.masks[0, : len(block)]
            mask = words[:, :classes]
            np.subtract(block, target, out=buffer)
            brier[part] = np.vecdot(buffer, buffer) / classes
            # Of false labels the difference is the score, of true ones it is not positive: so is the row's maximum
            # the highest false score, unless every label is true.
            mask[:] = target
            label_count[part] = labels = _count(words)
            highest_false = np.where(labels < classes, buffer.max(axis=1), np.nan)
            lowest_true = np.where(labels > 0, buffer.min(axis=1).astype(np.float64) + 1, np.nan)
            margin[part] = lowest_true - highest_false
            np.greater_equal(block, 0.5, out=mask)
            predicted_count[part] = _count(words)
            np.not_equal(mask, target, out=mask)
            hamming[part] = _count(words) / classes

    map_threads(scan, spans(rows, classes))
    return MultiLabelSummary(classes, scores.dtype, brier, hamming, margin, predicted_count, label_count)


def detailed(scores: Scores, targets: NDArray[Any]) -> Detail:
    """Margin, one-vs-rest binary cross-entropy and entropy of each row of valid scores."""
    rows, classes = scores.shape
    single = targets.ndim == 1
    margin, bce, entropy = (np.full(rows, np.nan) for _ in range(3))

    work = Workspace(min(block_rows(classes), rows), classes, scores.dtype)

    def scan(span: slice) -> None:
        for part in blocks(span, classes):
            block, target = scores[part], targets[part]
            buffer = work.scores[: len(block)]
            if not single:
                bce[part] = losses.multilabel_cross_entropy(block, target, buffer)
                continue
            every = np.arange(len(block))
            bce[part] = losses.one_vs_rest_cross_entropy(block, target, buffer)
            entropy[part] = losses.entropy(block, buffer)
            if classes > 1:
                np.copyto(buffer, block)
                buffer[every, target] = -np.inf
                margin[part] = block[every, target].astype(np.float64) - buffer[every, buffer.argmax(axis=1)]

    map_threads(scan, spans(rows, classes))
    return Detail(margin, bce, entropy)
