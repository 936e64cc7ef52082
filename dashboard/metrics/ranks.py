"""Where each class's positives stand among its negatives: exact counts, the ground of AUROC and average precision.

Only the positives (one score a sample, if labels are single) are kept and sorted. Every class's column is then streamed
in row chunks: sorted in cache, and the positives located in it by binary search, which adds up over chunks. So memory
is O(N + chunk) whatever the number of classes, and nothing is binned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.confusion import ratio
from dashboard.metrics.curves import MICRO, Ladder
from dashboard.metrics.scan import Scores, map_threads

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

GATHERED = 1 << 20  # scores of small batches put together before they are sorted: 4 MB of float32
CHUNK = 1 << 22  # scores sorted at a time of a large batch
STRIP = 32  # columns a thread turns and sorts at a time
JACKKNIFE = 1 << 23  # scores looked at for the interval, at most


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where the positives stand among the negatives of their class.

    The positives of all classes lie one class after the other, ascending within it; counts are of scores of that class.

    Attributes:
        scores: (P,) scores of positives.
        owner: (P,) their classes.
        starts: (C + 1,) where each class begins.
        below, level: (P,) negatives with a lower, and with an equal score.
        reached: (P,) positives with a score at least as high, itself included.
        samples: N.
        micro: the same over all classes' pairs at once, at up to ``MICRO`` of the positives' scores.
        error: standard error of the mean of ``auroc`` over classes.
    """

    scores: Scores
    owner: Counts
    starts: Counts
    below: Counts
    level: Counts
    reached: Counts
    samples: int
    micro: Ladder
    error: float

    @property
    def positives(self) -> Counts:
        """(C,) positives a class."""
        return np.diff(self.starts)

    @property
    def negatives(self) -> Counts:
        """(C,) negatives a class."""
        return self.samples - self.positives

    @property
    def false_positives(self) -> Counts:
        """(P,) negatives with a score at least as high as each positive's."""
        return self.negatives[self.owner] - self.below

    def auroc(self) -> Floats:
        """(C,) the chance that a positive scores above a negative, ties half; NaN without both kinds.

        Mann-Whitney's U / (P N), equal to sklearn's ``roc_auc_score`` of one class against the rest.
        """
        won = np.bincount(self.owner, self.below + self.level / 2, minlength=len(self.positives))
        return ratio(won, self.positives * self.negatives)

    def average_precision(self) -> Floats:
        """(C,) sum over thresholds of (R_n - R_{n-1}) P_n (sklearn's ``average_precision_score``); NaN as ``auroc``."""
        precision = self.reached / (self.reached + self.false_positives)
        total = np.bincount(self.owner, precision, minlength=len(self.positives))
        return np.where(self.negatives > 0, ratio(total, self.positives), np.nan)

    def ladder(self, class_index: int) -> Ladder:
        """The thresholds of one class and what passes them."""
        part = slice(self.starts[class_index], self.starts[class_index + 1])
        scores, first = np.unique(self.scores[part], return_index=True)
        below, level, reached = (a[part][first][::-1] for a in (self.below, self.level, self.reached))
        positives, negatives = int(self.positives[class_index]), int(self.negatives[class_index])
        return Ladder(scores[::-1], reached, negatives - below, negatives - below - level, positives, negatives)


def rank_batches(batches: Sequence[ClassificationBatch], classes: int) -> Ranks:
    """Rank the positives of every class among its negatives, in two passes over the batches' scores.

    Args:
        batches: single-label or multi-label, in one dtype or several (then compared as float64).
        classes: C.
    """
    samples = sum(len(b) for b in batches)
    scores, owner, rows = _positives(batches)
    order = np.lexsort((scores, owner))
    scores, owner, rows = scores[order], owner[order], rows[order]
    starts = np.searchsorted(owner, np.arange(classes + 1))
    segments = [slice(a, b) for a, b in pairwise(starts)]
    pos_below, pos_upto = np.empty(len(scores), np.int64), np.empty(len(scores), np.int64)
    for part in segments:
        pos_below[part] = np.searchsorted(scores[part], scores[part], side="left")
        pos_upto[part] = np.searchsorted(scores[part], scores[part], side="right")
    pooled = np.sort(scores)
    rungs = np.unique(pooled if len(pooled) <= MICRO else pooled[np.linspace(0, len(pooled) - 1, MICRO).astype(int)])

    positives = np.diff(starts)
    negatives = samples - positives
    defined = (positives > 0) & (negatives > 0)
    stride = max(1, -(-samples * classes // JACKKNIFE))
    below, upto = np.zeros(len(scores), np.int64), np.zeros(len(scores), np.int64)
    rungs_below, rungs_upto = np.zeros(len(rungs), np.int64), np.zeros(len(rungs), np.int64)
    lost = np.zeros(-(-samples // stride))  # of every stride-th sample: sum of placements as a negative / negatives

    start = 0
    for chunk in _chunks(batches, scores.dtype):
        picked = np.arange(-start % stride, len(chunk), stride)

        def strip(
            left: int, chunk: Scores = chunk, picked: NDArray[np.int64] = picked
        ) -> tuple[Counts, Counts, Floats]:
            columns = _turned(chunk[:, left : left + STRIP])
            behind = np.zeros(len(picked))
            for k, column in enumerate(columns[:, picked], left):
                if defined[k]:
                    behind += _placement(scores[segments[k]], column) / negatives[k]
            columns.sort(axis=1)
            low, high = np.zeros(len(rungs), np.int64), np.zeros(len(rungs), np.int64)
            for k, column in enumerate(columns, left):
                _locate(column, scores[segments[k]], below[segments[k]], upto[segments[k]])
                _locate(column, rungs, low, high)
            return low, high, behind

        first = -(-start // stride)
        for low, high, behind in map_threads(strip, range(0, classes, STRIP)):
            rungs_below += low
            rungs_upto += high
            lost[first : first + len(picked)] += behind
        start += len(chunk)

    below, upto = below - pos_below, upto - pos_upto  # every score was counted; leave the negatives
    reached = positives[owner] - pos_below
    micro = _pooled_ladder(pooled, rungs, rungs_below, rungs_upto, samples * classes - len(scores))
    ranks = Ranks(scores, owner, starts, below, upto - below, reached, samples, micro, np.nan)
    above = 1 - (pos_below + pos_upto) / (2 * positives[owner])
    return replace(ranks, error=_jackknife_error(ranks, rows, above, lost, stride, defined))


def _positives(batches: Sequence[ClassificationBatch]) -> tuple[Scores, Counts, Counts]:
    """Scores, classes and running row numbers of all positives."""
    if not batches:
        return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    scores, owners, rows, start = [], [], [], 0
    for batch in batches:
        if batch.multilabel:
            row, owner = np.nonzero(batch.targets)
            scores.append(batch.read()[row, owner])
        else:
            row, owner = np.arange(len(batch)), batch.targets
            scores.append(batch.summary.true_score)
        owners.append(owner)
        rows.append(row + start)
        start += len(batch)
    return np.concatenate(scores), np.concatenate(owners), np.concatenate(rows)


def _chunks(batches: Sequence[ClassificationBatch], dtype: np.dtype) -> Iterator[Scores]:
    """All rows in order: large batches cut, small ones put together, so that sorting is worth its call."""
    gathered: list[Scores] = []
    size = 0
    for batch in batches:
        scores = batch.read()
        if scores.size >= GATHERED:
            if gathered:
                yield np.concatenate(gathered)
                gathered, size = [], 0
            step = max(1, CHUNK // scores.shape[1])
            for start in range(0, len(scores), step):
                yield scores[start : start + step].astype(dtype, copy=False)
            continue
        gathered.append(scores.astype(dtype, copy=False))
        size += scores.size
        if size >= GATHERED:
            yield np.concatenate(gathered)
            gathered, size = [], 0
    if gathered:
        yield np.concatenate(gathered)


def _turned(block: Scores) -> Scores:
    """``block.T`` as a new contiguous array, turned in pieces that stay in cache."""
    turned = np.empty(block.shape[::-1], block.dtype)
    for start in range(0, len(block), 512):
        turned[:, start : start + 512] = block[start : start + 512].T
    return turned


def _locate(column: Scores, needles: Scores, below: Counts, upto: Counts) -> None:
    """Add to each ascending needle the number of scores in a sorted column that are lower, and that are not higher."""
    if len(needles) <= 4 * len(column):
        below += np.searchsorted(column, needles, side="left")
        upto += np.searchsorted(column, needles, side="right")
    else:  # place the fewer among the more, and count up
        size = len(needles) + 1
        below += np.bincount(np.searchsorted(needles, column, side="right"), minlength=size)[:-1].cumsum()
        upto += np.bincount(np.searchsorted(needles, column, side="left"), minlength=size)[:-1].cumsum()


def _placement(positives: Scores, scores: Scores) -> Floats:
    """The share of (ascending) positives that lie above each score, ties half."""
    lower = np.searchsorted(positives, scores, side="left") + np.searchsorted(positives, scores, side="right")
    return 1 - lower / (2 * len(positives))


def _pooled_ladder(pooled: Scores, rungs: Scores, below: Counts, upto: Counts, negatives: int) -> Ladder:
    """Thresholds over all (sample, class) pairs, from counts of all scores below and up to each rung."""
    pos_below, pos_upto = (np.searchsorted(pooled, rungs, side=side) for side in ("left", "right"))
    true, false = len(pooled) - pos_below, negatives - (below - pos_below)
    false_above = negatives - (upto - pos_upto)
    return Ladder(rungs[::-1], true[::-1], false[::-1], false_above[::-1], len(pooled), negatives)


def _jackknife_error(
    ranks: Ranks, rows: Counts, above: Floats, lost: Floats, stride: int, defined: NDArray[np.bool_]
) -> float:
    """Standard error of the mean AUROC over classes, by the infinitesimal jackknife over samples.

    A sample's influence on class k's AUROC is N / N_k (V01 - A_k) if it is a negative, N / P_k (V10 - A_k) if positive,
    V being the share of the other kind on the wrong or right side of it (DeLong et al. 1988); it adds up over classes,
    as one sample takes part in all of them. With many samples, every ``stride``-th is taken: the variance, not the
    estimate, then has a relative error of about sqrt(2 / their number).
    """
    if len(lost) < 2 or not defined.any():
        return np.nan
    area, positives, negatives = ranks.auroc(), ranks.positives, ranks.negatives
    influence = lost - (area[defined] / negatives[defined]).sum()
    use = np.flatnonzero(defined[ranks.owner] & (rows % stride == 0))
    k, row = ranks.owner[use], rows[use] // stride
    won = (ranks.below[use] + ranks.level[use] / 2) / negatives[k]
    # Take back what the sample's own classes added to ``lost`` as if it were one of their negatives.
    np.add.at(influence, row, (won - area[k]) / positives[k] - (above[use] - area[k]) / negatives[k])
    influence *= ranks.samples / defined.sum()
    return float(influence.std(ddof=1) / np.sqrt(ranks.samples))
