"""How much true and found boxes overlap, in all frames at once: only the pairs that do, and nothing between frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.metrics.tracking.columns import SequenceTracks

EPS = float(np.finfo(np.float64).eps)
TINIEST = float(np.nextafter(0, 1))
"""The least number above 0."""
_TILE = 1 << 16  # pairs looked at in one go
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a true and a found box of one frame that overlap, by true row, then by found row.

    Attributes:
        row, col: (P,) int64 rows of the truth and of what was found.
        value: (P,) float64 intersection over union, above 0.
    """

    row: Ints
    col: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.row)

    def take(self, keep: NDArray[np.bool_] | Ints) -> Pairs:
        """Some of them."""
        return Pairs(self.row[keep], self.col[keep], self.value[keep])

    def at_least(self, value: float) -> Pairs:
        """Those of an IoU from ``value`` on."""
        keep = self.value >= value
        return self if keep.all() else self.take(keep)

    def among(self, rows: NDArray[np.bool_], cols: NDArray[np.bool_]) -> Pairs:
        """Those among some rows of both sides, counted anew from 0.

        Args:
            rows: (R,) which true rows stay.
            cols: (C,) which found rows stay.
        """
        if rows.all() and cols.all():
            return self
        keep = rows[self.row] & cols[self.col]
        to_row, to_col = np.cumsum(rows) - 1, np.cumsum(cols) - 1
        return Pairs(to_row[self.row[keep]], to_col[self.col[keep]], self.value[keep])


def overlaps(sequence: SequenceTracks) -> Pairs:
    """All pairs of a sequence, regardless of class: of masks where both sides have them, otherwise of boxes.

    Raises:
        ValueError: masks of a sequence whose size is not known.
    """
    truth, found = sequence.truth, sequence.found
    begins, ends = truth.offsets(sequence.frames), found.offsets(sequence.frames)
    if truth.masks is None or found.masks is None:
        return box_overlaps(truth.xyxy, found.xyxy, begins, ends)
    both = np.flatnonzero((np.diff(begins) > 0) & (np.diff(ends) > 0)).tolist()
    if both and sequence.size is None:
        raise ValueError(f"size must be given for {sequence.name}: it has masks")
    parts = []
    for f in both:
        assert sequence.size is not None
        a, b, c, d = begins[f], begins[f + 1], ends[f], ends[f + 1]
        value = masks.iou(truth.masks[a:b], found.masks[c:d], sequence.size)
        row, col = np.nonzero(value > 0)
        parts.append((row + a, col + c, value[row, col]))
    return _joined(parts)


def box_overlaps(truth: Floats, found: Floats, truth_at: Ints, found_at: Ints) -> Pairs:
    """All pairs of boxes of the same frame that overlap.

    IoU is TrackEval's to the last bit: (right - left)(bottom - top), and none for boxes without area.

    Args:
        truth: (R, 4) xyxy.
        found: (C, 4) xyxy.
        truth_at: (F + 1,) where the rows of each frame begin.
        found_at: likewise.
    """
    n, m = np.diff(truth_at), np.diff(found_at)
    pieces = np.where(m > 0, np.minimum(n, 1 + n * m // _TILE), 0)  # a very full frame is looked at in pieces
    frame = np.repeat(np.arange(len(n)), pieces)
    number = np.arange(len(frame)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    per = -(-n[frame] // np.maximum(pieces[frame], 1))
    first = truth_at[frame] + number * per
    rows = np.minimum(truth_at[frame + 1] - first, per)
    used = rows > 0
    first, rows, frame = first[used], rows[used], frame[used]
    parts: list[tuple[Ints, Ints, Floats]] = []
    sides = [np.append(side, np.full((1, 4), np.nan), axis=0).T.copy() for side in (truth, found)]
    areas = [(s[2] - s[0]) * (s[3] - s[1]) for s in sides]
    start = 0
    while start < len(frame):
        wide = np.maximum.accumulate(rows[start : start + 512])
        high = np.maximum.accumulate(m[frame[start : start + 512]])
        size = np.arange(1, len(wide) + 1) * wide * high
        stop = start + max(1, int(np.searchsorted(size, _TILE, "right")))
        tiles = slice(start, stop)
        i = _padded(first[tiles], rows[tiles], len(truth))
        j = _padded(found_at[frame[tiles]], m[frame[tiles]], len(found))
        a, b = (side[:, at] for side, at in zip(sides, (i, j), strict=True))
        meet = a[2][:, :, None] > b[0][:, None]
        meet &= b[2][:, None] > a[0][:, :, None]
        meet &= a[3][:, :, None] > b[1][:, None]
        meet &= b[3][:, None] > a[1][:, :, None]
        row, place = np.divmod(np.flatnonzero(meet), j.shape[1])
        col = j[row // i.shape[1], place]
        row = i.ravel()[row]
        parts.append((row, col, _iou(sides, areas, row, col)))
        start = stop
    return _joined(parts).at_least(TINIEST)


def _iou(sides: list[Floats], areas: list[Floats], row: Ints, col: Ints) -> Floats:
    """(P,) IoU of overlapping boxes, given as (4, N) and (N,)."""
    (left, top, right, bottom), (its_left, its_top, its_right, its_bottom) = sides
    both = np.minimum(right[row], its_right[col]) - np.maximum(left[row], its_left[col])
    both *= np.minimum(bottom[row], its_bottom[col]) - np.maximum(top[row], its_top[col])
    own, its = areas[0][row], areas[1][col]
    union = own + its - both
    fine = (own > EPS) & (its > EPS) & (union > EPS)
    if fine.all():
        return both / union
    return np.where(fine, both, 0.0) / np.where(fine, union, 1.0)


def _padded(first: Ints, count: Ints, none: int) -> Ints:
    """(K, most) rows from ``first`` on, ``count`` of them, and ``none`` for the rest."""
    step = np.arange(int(count.max()))
    return np.where(step < count[:, None], first[:, None] + step, none)


def _joined(parts: list[tuple[Ints, Ints, Floats]]) -> Pairs:
    row, col = (np.concatenate([np.empty(0, np.int64), *(p[k] for p in parts)]) for k in (0, 1))
    return Pairs(row, col, np.concatenate([np.empty(0), *(p[2] for p in parts)]))
