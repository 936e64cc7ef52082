"""Where a picture is worst: squares over which a map is highest on average."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Region = tuple[int, int, int, int, float]
SMALLEST = 16  # pixels a side
PART = 8  # a region's side is this part of the picture's shorter side
_PLACES = 64  # along the longer side, at which squares are looked at


def worst(badness: NDArray[np.floating], count: int, side: int | None = None) -> list[Region]:
    """The squares with the highest mean, worst first, none overlapping another; greedy.

    Args:
        badness: (H, W) non-negative numbers, higher is worse.
        count: how many at most; fewer where no more fit, or nothing is left above 0.
        side: of the squares in pixels; an eighth of the shorter side by default, at least 16, at most the picture.

    Returns:
        (x, y, width, height, mean) in pixels, left and top first.

    Raises:
        ValueError: not a map, or a side or a count below 1.
    """
    if badness.ndim != 2 or count < 1 or (side is not None and side < 1):
        raise ValueError(f"badness must be (H, W), count and side at least 1, got {badness.shape}, {count} and {side}")
    height, width = badness.shape
    if not badness.size:
        return []
    size = side or max(SMALLEST, min(height, width) // PART)
    h, w = min(size, height), min(size, width)
    sums = np.zeros((height + 1, width + 1))
    np.cumsum(np.cumsum(badness, axis=0, dtype=np.float64), axis=1, out=sums[1:, 1:])
    step = max(1, min(h, w) // 4, max(height, width) // (4 * _PLACES))
    ys, xs = _places(height - h, step), _places(width - w, step)
    means = sums[np.ix_(ys + h, xs + w)] - sums[np.ix_(ys, xs + w)] - sums[np.ix_(ys + h, xs)] + sums[np.ix_(ys, xs)]
    means /= h * w
    least = 1e-12 * max(1.0, float(badness.max()))  # what differences of large sums are off by
    found: list[Region] = []
    while len(found) < count:
        at: Any = np.unravel_index(int(np.argmax(means)), means.shape)
        value = float(means[at])
        if not value > least:
            break
        y, x = int(ys[at[0]]), int(xs[at[1]])
        found.append((x, y, w, h, value))
        means[np.ix_(np.abs(ys - y) < h, np.abs(xs - x) < w)] = -np.inf
    return found


def _places(room: int, step: int) -> NDArray[np.int64]:
    """Where squares begin: every ``step`` pixels, and at the far end."""
    return np.unique(np.append(np.arange(0, room + 1, step), room))
