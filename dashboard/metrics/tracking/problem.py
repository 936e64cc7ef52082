"""What is counted together: the boxes of one class of one sequence (or of all classes), identities numbered from 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.metrics.tracking.assignment import frame_best, settle
from dashboard.metrics.tracking.columns import COUNTED, DISTRACTOR, REGION, SequenceTracks
from dashboard.metrics.tracking.overlap import EPS, Floats, Ints, Pairs, overlaps

ANY = -1
"""Number of the class that stands for all, where classes do not matter."""
THRESHOLD = 0.5
"""IoU from which on two boxes can be matched."""


@dataclass(frozen=True, eq=False)
class Side:
    """Boxes of one side.

    Attributes:
        frame: (N,) from 0, ascending.
        ids: (N,) identities numbered from 0.
        names: (K,) the identities' own numbers.
        rows: (N,) rows in the sequence's ``Tracks``.
    """

    frame: Ints
    ids: Ints
    names: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def lengths(self) -> Ints:
        """(K,) frames in which each identity is."""
        return np.bincount(self.ids, minlength=len(self.names))

    @cached_property
    def by_identity(self) -> Ints:
        """(N,) rows by identity, then by frame."""
        kind = np.uint16 if len(self.names) <= 1 << 16 else np.uint32  # short numbers are sorted in linear time
        return np.argsort(self.ids.astype(kind), kind="stable")

    def take(self, keep: NDArray[np.bool_]) -> Side:
        """Some rows; identities keep their numbers."""
        return Side(self.frame[keep], self.ids[keep], self.names, self.rows[keep])


@dataclass(frozen=True, eq=False)
class Problem:
    """One class of one sequence.

    Attributes:
        class_id: its number, ``ANY`` if classes do not matter.
        frames: F.
        truth, found: the boxes that count.
        pairs: of them that overlap.
    """

    class_id: int
    frames: int
    truth: Side
    found: Side
    pairs: Pairs

    @cached_property
    def truth_at(self) -> Ints:
        """(F + 1,) where the true boxes of each frame begin."""
        return np.searchsorted(self.truth.frame, np.arange(self.frames + 1))

    @cached_property
    def found_at(self) -> Ints:
        """(F + 1,) where the found boxes of each frame begin."""
        return np.searchsorted(self.found.frame, np.arange(self.frames + 1))

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """(F,) frames that have boxes on both sides; TrackEval passes over all others."""
        return (np.diff(self.truth_at) > 0) & (np.diff(self.found_at) > 0)

    def without(self, first: int, last: int) -> tuple[Problem, NDArray[np.bool_], NDArray[np.bool_]]:
        """The same with the frames ``first`` to ``last`` (half-open) cut out, and which rows of both sides stay."""

        def cut(side: Side) -> tuple[Side, NDArray[np.bool_]]:
            keep = (side.frame < first) | (side.frame >= last)
            kept = side.take(keep)
            return replace(kept, frame=kept.frame - (last - first) * (kept.frame >= last)), keep

        (truth, rows), (found, cols) = cut(self.truth), cut(self.found)
        pairs = self.pairs.among(rows, cols)
        return Problem(self.class_id, self.frames - (last - first), truth, found, pairs), rows, cols


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sequence whose overlaps are known and whose distractors are gone.

    Attributes:
        sequence: as it came.
        pairs: of rows of the sequence that count.
        truth, found: (R,) and (C,) which rows count.
    """

    sequence: SequenceTracks
    pairs: Pairs
    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]

    def classes(self) -> list[int]:
        """Classes that have boxes that count, ascending."""
        sides = ((self.sequence.truth, self.truth), (self.sequence.found, self.found))
        return np.unique(np.concatenate([np.unique(side.class_ids[keep]) for side, keep in sides])).tolist()

    def problem(self, class_id: int = ANY) -> Problem:
        """The boxes of a class, or all."""
        truth, found = self.sequence.truth, self.sequence.found
        rows, cols = self.truth, self.found
        if class_id != ANY:
            rows, cols = rows & (truth.class_ids == class_id), cols & (found.class_ids == class_id)
        sides = [_side(s.frame, s.ids, keep) for s, keep in ((truth, rows), (found, cols))]
        return Problem(class_id, self.sequence.frames, sides[0], sides[1], self.pairs.among(rows, cols))

    def problems(self, agnostic: bool = False) -> list[Problem]:
        """One a class, or (``agnostic``) a single one."""
        return [self.problem()] if agnostic else [self.problem(c) for c in self.classes()]


def prepare(sequence: SequenceTracks) -> Prepared:
    """Overlaps, and which rows count.

    As MOTChallenge's preprocessing in TrackEval (``MotChallenge2DBox`` with ``DO_PREPROC``): frame by frame, all true
    boxes of whatever class and role are matched with all found ones at IoU 0.5, for the largest sum of IoU; what was
    matched with a distractor is taken away, then all truth that is not counted.

    As MOTS' in TrackEval (``MOTSChallenge``, ``KittiMOTS``): a found mask more than half of which lies in a region is
    taken away, unless it is matched with truth of its class at IoU 0.5. Regions do nothing where there are no masks.
    """
    truth, found = sequence.truth, sequence.found
    pairs = overlaps(sequence)
    counted, stays = np.ones(len(truth), bool), np.ones(len(found), bool)
    if truth.role is not None:
        counted = truth.role == COUNTED
        if (truth.role == DISTRACTOR).any():
            stays[_with_distractors(sequence, pairs)] = False
        if truth.masks is not None and found.masks is not None and (truth.role == REGION).any():
            stays[_in_regions(sequence, pairs)] = False
    return Prepared(sequence, pairs, counted, stays)


def _with_distractors(sequence: SequenceTracks, pairs: Pairs) -> Ints:
    """Rows of what was found that are matched with distractors."""
    distractor = np.asarray(sequence.truth.role) == DISTRACTOR
    matched = _matched(sequence, pairs.at_least(THRESHOLD - EPS))
    return matched.col[distractor[matched.row]]


def _in_regions(sequence: SequenceTracks, pairs: Pairs) -> Ints:
    """Rows of found masks that are matched with nothing and lie for more than half in the regions of their frame."""
    truth, found, size = sequence.truth, sequence.found, sequence.size
    assert truth.masks is not None
    assert found.masks is not None
    regions = np.flatnonzero(np.asarray(truth.role) == REGION)
    counts = (np.asarray(truth.role) == COUNTED)[pairs.row] & (truth.class_ids[pairs.row] == found.class_ids[pairs.col])
    inside = np.zeros(len(found), bool)
    found_at = found.offsets(sequence.frames)
    for f in np.unique(truth.frame[regions]).tolist():
        rows = slice(*found_at[f : f + 2])
        if size is not None and rows.start < rows.stop:
            region = masks.union([truth.masks[i] for i in regions[truth.frame[regions] == f]], size)
            share = masks.iou(found.masks[rows], [region], size, np.ones(1, bool))[:, 0]
            inside[rows] = share > THRESHOLD + EPS
    inside[_matched(sequence, pairs.take(counts).at_least(THRESHOLD - EPS)).col] = False
    return np.flatnonzero(inside)


def _matched(sequence: SequenceTracks, near: Pairs) -> Pairs:
    """Of pairs that may be matched, those that are: frame by frame, for the largest sum of IoU."""
    truth, found = sequence.truth, sequence.found
    taken, left = settle(near.row, near.col, near.value, len(truth), len(found))
    chosen = np.zeros(len(near), bool)
    chosen[taken] = True
    truth_at, found_at = truth.offsets(sequence.frames), found.offsets(sequence.frames)
    frame = truth.frame[near.row]
    for f in np.unique(frame[left]).tolist():
        part = slice(*np.searchsorted(frame, [f, f + 1]))
        shape = int(truth_at[f + 1] - truth_at[f]), int(found_at[f + 1] - found_at[f])
        chosen[part] = frame_best(near.row[part] - truth_at[f], near.col[part] - found_at[f], near.value[part], shape)
    return near.take(chosen)


def _side(frame: Ints, ids: Ints, keep: NDArray[np.bool_]) -> Side:
    """The rows that count of one side, their identities numbered anew."""
    if keep.all():
        rows = np.arange(len(frame))
    else:
        rows = np.flatnonzero(keep)
        frame, ids = frame[rows], ids[rows]
    least, most = (int(ids.min()), int(ids.max())) if len(ids) else (0, 0)
    if most - least <= 4 * len(ids) + 1000:  # a table is quicker than sorting
        there = np.zeros(most - least + 1, bool)
        there[ids - least] = True
        names = np.flatnonzero(there) + least if len(ids) else ids
        return Side(frame, (np.cumsum(there) - 1)[ids - least], names, rows)
    names, numbers = np.unique(ids, return_inverse=True)
    return Side(frame, numbers, names, rows)


def together(problem: Problem, row: Ints, col: Ints) -> tuple[Ints, Ints, Ints]:
    """Which true and found identities pairs of boxes belong to.

    Returns:
        (P,) number of each pair of identities, from 0, and (K,) the true and the found identity of each number. There
        may be numbers that no pair has.
    """
    g, t = problem.truth.ids[row], problem.found.ids[col]
    most = len(problem.found.names)
    key = g * most + t
    cells = len(problem.truth.names) * most
    if cells <= 4 * len(key) + (1 << 16):
        names = np.arange(cells)
    else:
        names, key = np.unique(key, return_inverse=True)
    return key, *np.divmod(names, max(1, most))


def weights(values: Floats | None, key: Ints, size: int) -> Floats:
    """(size,) sums of values (of ones if None) by number, added in the order in which they stand."""
    return np.bincount(key, values, size).astype(np.float64)
