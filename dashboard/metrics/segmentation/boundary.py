"""How well the outlines of classes agree: boundary IoU and the boundary F score, for all classes at once.

Pixels that do not count belong to neither side: both maps are given the same ignored region first, whose edge is no
outline of a class. Without that, an answer that goes on under the region would have an outline the truth cannot have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.segmentation.counting import often

DILATION = 0.02
"""Width of the band along an outline for boundary IoU, as a part of the image's diagonal (Cheng et al. 2021)."""
TOLERANCE = 0.0075
"""How far apart outlines may be for the F score, as a part of the diagonal (Csurka et al. 2013; MATLAB's bfscore)."""

Ints = NDArray[np.int64]


class Edges(NamedTuple):
    """Of one image: one row a class that occurs in the truth or the answer.

    Attributes:
        classes: (E,) class numbers, ascending.
        band_both: (E,) pixels of boundary IoU's intersection.
        band_either: (E,) of its union.
        outline_found: (E,) outline pixels of the answer.
        outline_found_hit: (E,) those near one of the truth's.
        outline_true: (E,) outline pixels of the truth.
        outline_true_hit: (E,) those near one of the answer's.
    """

    classes: Ints
    band_both: Ints
    band_either: Ints
    outline_found: Ints
    outline_found_hit: Ints
    outline_true: Ints
    outline_true_hit: Ints


def edges(truth: NDArray[Any], found: NDArray[Any], classes: int, ignore: int) -> Edges:
    """Measure one image.

    Boundary IoU (Cheng, Girshick, Dollar, Berg, Kirillov: Boundary IoU, CVPR 2021): of each class only the pixels
    within 2 % of the diagonal (chessboard distance, rounded, at least 1) of its own outline are compared; the image's
    border is an outline.

    Boundary F score (Csurka, Larlus, Perronnin: What is a good evaluation measure for semantic segmentation?, BMVC
    2013): a pixel of an outline is met if the other side's outline of the same class has one within .75 % of the
    diagonal (Euclidean distance, not rounded, at least 1). An outline is a class's pixels that
    touch another class above, below, left or right, inside the image.

    Args:
        truth: (H, W) uint8 or uint16 in 0..C-1 or ``ignore``.
        found: (H, W) of the same type in 0..C.
        classes: C.
        ignore: the number of pixels that do not count, the largest of the type.
    """
    found = np.where(truth == ignore, truth, found).astype(truth.dtype)
    diagonal = float(np.hypot(*truth.shape))
    reach, width = max(1.0, TOLERANCE * diagonal), max(1, round(DILATION * diagonal))
    bands = [_band(m, width, ignore) for m in (truth, found)]
    both = often(truth, classes, bands[0] & bands[1] & (truth == found))
    either = often(truth, classes, bands[0]) + often(found, classes, bands[1]) - both
    lines = [Line.of(m, classes, ignore) for m in (truth, found)]
    true_met, found_met = (met(a, b, truth.shape, reach, classes) for a, b in (lines, lines[::-1]))
    columns = [both, either, lines[1].often(classes), found_met, lines[0].often(classes), true_met]
    occurring = np.flatnonzero(often(truth, classes) + often(found, classes))
    return Edges(occurring, *(c[occurring] for c in columns))


def _band(ids: NDArray[Any], width: int, ignore: int) -> NDArray[np.bool_]:
    """Pixels within ``width`` of another class or of the image's border. What does not count is no other class.

    A square around a pixel holds another class if the least and the greatest number in it differ. What does not count
    is the largest number already, which no minimum sees; a maximum must not see it either.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    skipped = ids == ignore
    high: Any = np.where(skipped, 0, ids).astype(ids.dtype) if skipped.any() else ids
    plain: Any = ids
    low = cv2.erode(plain, square, borderType=cv2.BORDER_CONSTANT, borderValue=float(ignore))
    band: NDArray[np.bool_] = low != cv2.dilate(high, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    band[:width] = band[-width:] = band[:, :width] = band[:, -width:] = True
    return band & ~skipped


class Line(NamedTuple):
    """The outlines of all classes of a map.

    Attributes:
        y, x: (N,) where their pixels are.
        label: (N,) the class of each.
    """

    y: Ints
    x: Ints
    label: Ints

    @classmethod
    def of(cls, ids: NDArray[Any], classes: int, ignore: int) -> Line:
        """Pixels that touch another class above, below, left or right."""
        line = np.zeros(ids.shape, bool)
        for before, after in (((slice(1, None),), (slice(-1),)), ((slice(None), slice(1, None)), (..., slice(-1)))):
            a, b = ids[before], ids[after]
            differ = (a != b) & (a != ignore) & (b != ignore)
            line[before] |= differ
            line[after] |= differ
        places = np.flatnonzero(line)
        label = ids.reshape(-1)[places].astype(np.int64)
        known = label < classes
        y, x = np.divmod(places[known], ids.shape[1])
        return cls(y, x, label[known])

    def take(self, rows: NDArray[Any]) -> Line:
        """Some of its pixels."""
        return Line(self.y[rows], self.x[rows], self.label[rows])

    def often(self, classes: int) -> Ints:
        """(C,) pixels of each class."""
        return np.bincount(self.label, minlength=classes).astype(np.int64)


def met(line: Line, other: Line, shape: tuple[int, ...], reach: float, classes: int) -> Ints:
    """(C,) pixels of each class's outline with one of the other's, of the same class, within ``reach``.

    Both are laid into tiles, which get smaller. If a tile that lies wholly within reach holds the class, the pixel is
    met; if no tile with a part within reach does, it is not. Few pixels are left to be looked at more closely, and
    tiles of one pixel leave none.
    """
    total = np.zeros(classes, np.int64)
    shared = (line.often(classes) > 0) & (other.often(classes) > 0)
    if not shared.any():
        return total
    number = np.cumsum(shared) - 1
    rest, theirs = line.take(shared[line.label]), other.take(shared[other.label])
    for side in (s for s in SIDES if s == 1 or 2 * s <= reach):
        grid = _Grid(theirs, number, shape, side, reach)
        near = grid.any(rest, _offsets(side, reach, whole=True))
        total += rest.take(near).often(classes)
        rest = rest.take(~near)
        if side > 1:
            rest = rest.take(grid.any(rest, _offsets(side, reach, whole=False)))
    return total


SIDES = (8, 4, 1)
"""Of tiles, in pixels. Memory is one flag a tile and class."""


class _Grid:
    """Which classes have outline pixels in which tile; a margin of empty tiles lies around it.

    Args:
        line: the outlines.
        number: (C,) classes as 0..K-1.
        shape: (H, W) of the image.
        side: of a tile in pixels.
        reach: how far outside the image one may ask, in pixels.
    """

    def __init__(self, line: Line, number: Ints, shape: tuple[int, ...], side: int, reach: float) -> None:
        self.number, self.side, self.margin = number, side, int(reach // side) + 1
        height, self.width = (extent // side + 1 + 2 * self.margin for extent in shape)
        tiles, self.single = self._tiles(line), side == 1
        self.classes = int(number[-1]) + 1
        if self.single:  # a pixel has one class
            self.holds: NDArray[Any] = np.full(height * self.width, -1, np.int32)
            self.holds[tiles] = number[line.label]
        else:
            self.holds = np.zeros(height * self.width * self.classes, bool)
            self.holds[tiles * self.classes + number[line.label]] = True

    def _tiles(self, line: Line) -> Ints:
        return (line.y // self.side + self.margin) * self.width + line.x // self.side + self.margin

    def any(self, line: Line, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) which pixels have one of their own class in a tile at one of the (K, 2) offsets from their own."""
        out = np.zeros(len(line.y), bool)
        left, tiles, label = np.arange(len(line.y)), self._tiles(line), self.number[line.label]
        places = tiles if self.single else tiles * self.classes + label
        for step in offsets[:, 0] * self.width + offsets[:, 1]:
            hit = self.holds[places + step] == label if self.single else self.holds[places + step * self.classes]
            out[left[hit]] = True
            if 8 * np.count_nonzero(hit) > len(left):
                left, places, label = left[~hit], places[~hit], label[~hit]
        return out


@lru_cache(64)
def _offsets(side: int, reach: float, whole: bool) -> NDArray[np.int64]:
    """(K, 2) tiles within reach of every pixel of a tile, nearest first; wholly, or with some part."""
    far = int(reach // side) + 1
    y, x = np.mgrid[-far : far + 1, -far : far + 1].reshape(2, -1)
    spread = side - 1 if whole else 1 - side
    dy, dx = (np.maximum(abs(v) * side + spread, 0) for v in (y, x))
    square = dy**2 + dx**2
    keep = square <= reach**2 + 1e-6  # the diagonal is a root
    order = np.argsort(square[keep], kind="stable")
    return np.stack([y, x], axis=1)[keep][order]
