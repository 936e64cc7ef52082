"""The confusion of two class maps, counted in one pass over their pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.types import ignore_of

BLOCK = 1 << 24  # pixels: OpenCV counts in float32, exact up to here


def pair_counts(truth: NDArray[Any], found: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """(C, C + 1) pixels of each true class (row) by answered class (column); the last column is "other".

    Args:
        truth: (H, W) uint8 or uint16 in 0..C-1, or ``ignore_of(C)`` for pixels that do not count.
        found: (H, W) of the same size in 0..C, C for pixels with none of the classes.
        classes: C.

    Raises:
        ValueError: maps of different sizes, or numbers out of range.
    """
    if truth.shape != found.shape or truth.ndim != 2:
        raise ValueError(f"truth and found must be (H, W) maps of one size, got {truth.shape} and {found.shape}")
    if classes <= 254 and truth.dtype == found.dtype == np.uint8:
        counts = _by_histogram(truth, found, classes)
    else:
        counts = _by_bincount(truth, found, classes)
    counted = truth.size - int(np.count_nonzero(truth == ignore_of(classes)))
    if int(counts.sum()) != counted:
        worst = int(found.max())
        name, most = ("found", classes) if worst > classes else ("truth", classes - 1)
        raise ValueError(f"{name} must be in 0..{most}, or the ignored number in the truth")
    return counts


def often(ids: NDArray[Any], classes: int, where: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """(C,) pixels of each class, larger numbers left out.

    Args:
        ids: (H, W) uint8 or uint16.
        classes: C.
        where: (H, W) which pixels count; all by default.
    """
    if ids.dtype != np.uint8:
        return np.bincount((ids if where is None else ids[where]).ravel(), minlength=classes)[:classes]
    mask: Any = None if where is None else where.view(np.uint8)
    total = np.zeros(256, np.int64)
    for rows in _blocks(ids):
        block: list[Any] = [ids[rows]]
        part: Any = None if mask is None else mask[rows]
        total += cv2.calcHist(block, [0], part, [256], [0, 256]).ravel().astype(np.int64)
    return total[:classes]


def _blocks(ids: NDArray[Any]) -> list[slice]:
    """Rows of a map in blocks that OpenCV counts exactly."""
    step = max(1, BLOCK // max(1, ids.shape[1]))
    return [slice(start, start + step) for start in range(0, len(ids), step)]


def _by_histogram(truth: NDArray[Any], found: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """OpenCV's two-dimensional histogram; numbers out of range fall out by themselves."""
    total = np.zeros((classes, classes + 1), np.int64)
    ends = [0, classes, 0, classes + 1]
    for rows in _blocks(truth):
        block: list[Any] = [np.ascontiguousarray(m[rows]) for m in (truth, found)]
        total += cv2.calcHist(block, [0, 1], None, [classes, classes + 1], ends).astype(np.int64)
    return total


def _by_bincount(truth: NDArray[Any], found: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """For more classes than bytes can tell apart."""
    inside = (truth < classes) & (found <= classes)
    pairs = truth[inside].astype(np.int64) * (classes + 1) + found[inside]
    return np.bincount(pairs, minlength=classes * (classes + 1)).reshape(classes, classes + 1).astype(np.int64)
