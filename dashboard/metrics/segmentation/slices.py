"""Numbers of some of the images, or of classes where they are of some size: from the counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.segmentation.bootstrap import intervals
from dashboard.metrics.segmentation.counts import Counts, per_image
from dashboard.metrics.segmentation.scores import Floats, scores

SIZES = ("small", "medium", "large")
"""A class is small in an image where it has under 1 % of the pixels that count, large where it has over 10 %."""
SHOWN = ("pixel_accuracy", "miou", "mdice")
Row = dict[str, Any]


def _shown(n: NDArray[Any]) -> dict[str, Floats]:
    return {name: value for name, value in scores(n).items() if name in SHOWN}


def slice_table(counts: Counts, groups: Sequence[tuple[str, NDArray[np.bool_]]]) -> list[Row]:
    """One row a group of images: images, and pixel_accuracy, miou and mdice with their ends, NaN where undefined.

    Args:
        counts: of N images.
        groups: names, and (N,) which images.
    """
    n = per_image(counts)
    return [_row(n[mine], int(mine.sum())) | {"name": name} for name, mine in groups]


def size_of_class(counts: Counts) -> NDArray[np.int64]:
    """(N, C) the place in ``SIZES`` of each class in each image, by the part of its pixels; -1 where it is not."""
    true = per_image(counts)[..., 1]
    whole = true.sum(axis=1, keepdims=True)
    return np.where(true > 0, (100 * true >= whole).astype(np.int64) + (10 * true > whole), -1)


def size_slices(counts: Counts) -> list[Row]:
    """One row a size of ``SIZES``: each class in the images where it has this size, then the mean over classes.

    Pixel accuracy is of the true pixels of the classes that have the size. Pixels answered as a class in an image that
    does not have it belong to no size.
    """
    n, sizes = per_image(counts), size_of_class(counts)
    rows = []
    for place in range(len(SIZES)):
        mine = sizes == place
        having = mine.any(axis=1)
        rows.append(_row(np.where(mine[..., None], n, 0)[having], int(having.sum())) | {"name": SIZES[place]})
    return rows


def _row(n: NDArray[np.int64], images: int) -> Row:
    row: Row = {"images": images}
    if not images:
        return row | {f"{name}{end}": np.nan for name in SHOWN for end in ("", "_low", "_high")}
    values = _shown(n.sum(axis=0))
    for name, ends in intervals(n, _shown).items():
        row |= {name: float(values[name]), f"{name}_low": float(ends[0]), f"{name}_high": float(ends[1])}
    return row
