"""Counts and sums of sequences, from which every number follows; those of several sequences are added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.metrics.tracking import clear, hota, identity
from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.overlap import Floats, Ints
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


def count(problems: Sequence[Problem], frames: int, threshold: float = THRESHOLD) -> Counts:
    """All families of numbers of the problems of a sequence.

    Args:
        problems: one a class.
        frames: of the sequence.
        threshold: least IoU of a match in CLEAR and identity metrics; HOTA goes over all of its own.
    """
    plain = np.zeros((len(problems), len(PLAIN)))
    alpha = np.zeros((len(problems), len(ALPHA), len(hota.ALPHAS)))
    for k, problem in enumerate(problems):
        numbers = clear.counts(problem, clear.match(problem, threshold)) | identity.counts(problem, threshold)
        plain[k] = [numbers[name] for name in PLAIN]
        sums = hota.counts(problem)
        alpha[k] = [sums[name] for name in ALPHA]
    return Counts(np.array([p.class_id for p in problems], np.int64), plain, alpha, frames)


def evaluate(sequence: SequenceTracks, agnostic: bool = False, threshold: float = THRESHOLD) -> Counts:
    """CLEAR, identity and HOTA counts of a sequence, class by class.

    Args:
        sequence: both sides; distractors are dealt with here.
        agnostic: whether boxes of different classes may match: a single row then, of class -1.
        threshold: least IoU of a match, above 0 and at most 1.

    Raises:
        ValueError: a threshold out of range, or masks without a size.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    return count(prepare(sequence).problems(agnostic), sequence.frames, threshold)
