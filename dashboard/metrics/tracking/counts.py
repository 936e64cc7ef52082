"""Counts and sums of sequences, from which every number follows; those of several sequences are added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dashboard.metrics.tracking import clear, hota, identity
from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.overlap import EPS, Floats, Ints, Pairs
from dashboard.metrics.tracking.problem import THRESHOLD, Problem, prepare

PLAIN = ("TP", "FN", "FP", "IDSW", "MT", "PT", "ML", "Frag", "iou_sum", "IDTP", "IDFN", "IDFP")
ALPHA = ("TP", "LocA", "AssA", "AssRe", "AssPr")


@dataclass(frozen=True, eq=False)
class Counts:
    """What was counted, a row a class.

    Attributes:
        classes: (K,) numbers of the classes that have boxes, ascending.
        plain: (K, 12) by ``PLAIN``. ``iou_sum`` adds up the IoU of matches.
        alpha: (K, 5, 19) by ``ALPHA`` and threshold, see ``hota.counts``.
        frames: of all sequences together.
    """

    classes: Ints
    plain: Floats
    alpha: Floats
    frames: int

    @classmethod
    def none(cls) -> Counts:
        """Nothing."""
        return cls(np.empty(0, np.int64), np.zeros((0, len(PLAIN))), np.zeros((0, len(ALPHA), len(hota.ALPHAS))), 0)

    def pooled(self) -> Counts:
        """All classes added up, as one row (TrackEval's ``cls_comb_det_av``); class -1."""
        return Counts(np.array([-1]), self.plain.sum(axis=0)[None], self.alpha.sum(axis=0)[None], self.frames)

    def rows(self, classes: int) -> Counts:
        """One row for each class 0..classes - 1. Raises ValueError for counts of a class past them."""
        if len(self.classes) and not 0 <= self.classes[0] <= self.classes[-1] < classes:
            raise ValueError(f"classes must be in 0..{classes - 1}, got {self.classes[[0, -1]].tolist()}")
        plain = np.zeros((classes, *self.plain.shape[1:]))
        alpha = np.zeros((classes, *self.alpha.shape[1:]))
        plain[self.classes], alpha[self.classes] = self.plain, self.alpha
        return Counts(np.arange(classes), plain, alpha, self.frames)


def merge(parts: Iterable[Counts]) -> Counts:
    """The sum of counts, class by class."""
    given = list(parts)
    if not given:
        return Counts.none()
    classes = np.unique(np.concatenate([p.classes for p in given]))
    plain = np.zeros((len(classes), len(PLAIN)))
    alpha = np.zeros((len(classes), len(ALPHA), len(hota.ALPHAS)))
    for part in given:
        at = np.searchsorted(classes, part.classes)
        plain[at] += part.plain
        alpha[at] += part.alpha
    return Counts(classes, plain, alpha, sum(p.frames for p in given))


@dataclass(frozen=True, eq=False)
class Solved:
    """A problem whose matches are known.

    Attributes:
        problem: its ``pairs`` are those whose IoU reaches the threshold.
        clear: CLEAR's matches.
        hota: HOTA's.
        threshold: least IoU of a match in CLEAR and identity metrics.
    """

    problem: Problem
    clear: clear.Matched
    hota: Pairs
    threshold: float

    def without(self, first: int, last: int) -> Solved:
        """The same with the frames ``first`` to ``last`` (half-open) cut out; the matches of the others stay."""
        problem, rows, cols = self.problem.without(first, last)
        to_col = np.append(np.cumsum(cols) - 1, -1)  # and nobody stays nobody
        partner, iou = to_col[self.clear.partner[rows]], self.clear.iou[rows]
        return Solved(problem, clear.follow(problem, partner, iou), self.hota.among(rows, cols), self.threshold)


def solve(problem: Problem, threshold: float = THRESHOLD) -> Solved:
    """Match the boxes of a problem.

    Args:
        problem: boxes of one class of one sequence.
        threshold: least IoU of a match in CLEAR and identity metrics; HOTA goes over all of its own.
    """
    near = replace(problem, pairs=problem.pairs.at_least(threshold - EPS))
    return Solved(near, clear.match(near, threshold), hota.matching(problem), threshold)


def count(solved: Sequence[Solved], frames: int) -> Counts:
    """All families of numbers of a sequence.

    Args:
        solved: its problems, one a class.
        frames: of the sequence.
    """
    plain = np.zeros((len(solved), len(PLAIN)))
    alpha = np.zeros((len(solved), len(ALPHA), len(hota.ALPHAS)))
    for k, one in enumerate(solved):
        numbers = clear.counts(one.problem, one.clear) | identity.counts(one.problem, one.threshold)
        plain[k] = [numbers[name] for name in PLAIN]
        sums = hota.counts(one.problem, one.hota)
        alpha[k] = [sums[name] for name in ALPHA]
    return Counts(np.array([s.problem.class_id for s in solved], np.int64), plain, alpha, frames)


def evaluate(sequence: SequenceTracks, agnostic: bool = False, threshold: float = THRESHOLD) -> Counts:
    """CLEAR, identity and HOTA counts of a sequence, class by class.

    Args:
        sequence: both sides; distractors are dealt with here.
        agnostic: whether boxes of different classes may match: a single row then, of class -1.
        threshold: least IoU of a match in CLEAR and identity metrics, above 0 and at most 1.

    Raises:
        ValueError: a threshold out of range, or masks without a size.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    return count([solve(p, threshold) for p in prepare(sequence).problems(agnostic)], sequence.frames)
