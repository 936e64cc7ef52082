"""What is counted in every image, once: the sufficient statistics of every number, chart, slice and order."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.segmentation.boundary import edges
from dashboard.metrics.segmentation.columns import LOSSES, SegmentationBatch
from dashboard.metrics.segmentation.counting import pair_counts
from dashboard.types import ignore_of

Ints = NDArray[np.int64]
THREADS = 2


@dataclass(frozen=True, eq=False)
class Counts:
    """Of N images.

    Attributes:
        classes: C.
        sizes: (N, 2) height and width in pixels.
        ignored: (N,) pixels that do not count.
        image: (K,) of each cell of an image's confusion matrix that is not 0: the image, ascending.
        true: (K,) its true class, 0..C-1.
        found: (K,) its answered class, 0..C, C for "other".
        pixels: (K,) how many.
        edge_image: (E,) one row an image and class that occurs in its truth or answer: the image, ascending.
        edge_class: (E,) the class.
        band_both: (E,) pixels of boundary IoU's intersection.
        band_either: (E,) of its union.
        outline_found: (E,) pixels of the answer's outline.
        outline_found_hit: (E,) those near the truth's.
        outline_true: (E,) pixels of the truth's outline.
        outline_true_hit: (E,) those near the answer's.
        losses: by the names of ``LOSSES``, (N,) float64, NaN where unknown.
    """

    classes: int
    sizes: Ints
    ignored: Ints
    image: Ints
    true: Ints
    found: Ints
    pixels: Ints
    edge_image: Ints
    edge_class: Ints
    band_both: Ints
    band_either: Ints
    outline_found: Ints
    outline_found_hit: Ints
    outline_true: Ints
    outline_true_hit: Ints
    losses: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sizes)


CELLS = ("image", "true", "found", "pixels")
EDGES = (
    *("edge_image", "edge_class", "band_both", "band_either"),
    *("outline_found", "outline_found_hit", "outline_true", "outline_true_hit"),
)
_made: weakref.WeakKeyDictionary[Any, Counts] = weakref.WeakKeyDictionary()


def count(batch: SegmentationBatch) -> Counts:
    """The counts of a batch; asked again, the same. Images are decoded and counted in threads, a few at a time.

    Raises:
        ValueError: naming the image: maps of different sizes, or numbers out of range.
    """
    found = _made.get(batch)
    if found is None:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="count") as pool:
            parts = list(pool.map(lambda place: _one(batch, place), range(len(batch))))
        found = _made[batch] = join(parts) if parts else empty(batch.classes)
    return found


def empty(classes: int) -> Counts:
    """Counts of no image."""
    none = {name: np.empty(0, np.int64) for name in (*CELLS, *EDGES)}
    losses = {name: np.empty(0) for name in LOSSES}
    return Counts(classes, np.empty((0, 2), np.int64), np.empty(0, np.int64), **none, losses=losses)


def _one(batch: SegmentationBatch, place: int) -> Counts:
    """The counts of one image."""
    truth, found = batch.truth[place], batch.found[place]
    try:
        cells = pair_counts(truth, found, batch.classes)
    except ValueError as error:
        raise ValueError(f"{batch.ids[place]}: {error}") from error
    true, answered = np.nonzero(cells)
    outline = edges(truth, found, batch.classes, ignore_of(batch.classes))
    unknown = np.full(len(batch), np.nan)
    return Counts(
        batch.classes,
        np.array([truth.shape], np.int64),
        np.array([truth.size - int(cells.sum())], np.int64),
        np.zeros(len(true), np.int64),
        true.astype(np.int64),
        answered.astype(np.int64),
        cells[true, answered],
        np.zeros(len(outline.classes), np.int64),
        *outline,
        losses={name: batch.losses.get(name, unknown)[place : place + 1] for name in LOSSES},
    )


def join(parts: Sequence[Counts]) -> Counts:
    """Several, one after the other. Raises ValueError for none, or of different classes."""
    if not parts:
        raise ValueError("there are no samples")
    if len({p.classes for p in parts}) > 1:
        raise ValueError("only counts over the same classes can be joined")
    if len(parts) == 1:
        return parts[0]
    shift = np.cumsum([0, *(len(p) for p in parts[:-1])])
    columns: dict[str, Any] = {}
    for name in ("sizes", "ignored", *CELLS, *EDGES):
        values = [getattr(p, name) for p in parts]
        if name in ("image", "edge_image"):
            values = [v + s for v, s in zip(values, shift, strict=True)]
        columns[name] = np.concatenate(values)
    losses = {name: np.concatenate([p.losses[name] for p in parts]) for name in LOSSES}
    return Counts(parts[0].classes, **columns, losses=losses)


def restrict(counts: Counts, images: NDArray[np.bool_]) -> Counts:
    """The counts of some images only, renumbered from 0.

    Args:
        counts: of N images.
        images: (N,) which to keep.
    """
    number = np.cumsum(images) - 1
    columns: dict[str, Any] = {}
    for names, of in ((CELLS, counts.image), (EDGES, counts.edge_image)):
        keep = images[of]
        columns |= {name: getattr(counts, name)[keep] for name in names}
    columns["image"], columns["edge_image"] = number[columns["image"]], number[columns["edge_image"]]
    losses = {name: values[images] for name, values in counts.losses.items()}
    return Counts(counts.classes, counts.sizes[images], counts.ignored[images], **columns, losses=losses)


def matrix(counts: Counts) -> Ints:
    """(C, C + 1) pixels of all images, [true, answered]; the last column is "other"."""
    width = counts.classes + 1
    total = _sums(counts.true * width + counts.found, counts.pixels, counts.classes * width)
    return total.reshape(counts.classes, width)


def per_image(counts: Counts) -> Ints:
    """(N, C, 3) pixels of each class in each image: right, true, answered."""
    size = len(counts) * counts.classes
    out = np.empty((len(counts), counts.classes, 3), np.int64)
    row = counts.image * counts.classes + counts.true
    right, known = counts.true == counts.found, counts.found < counts.classes
    column = counts.image[known] * counts.classes + counts.found[known]
    out[..., 0] = _sums(row[right], counts.pixels[right], size).reshape(-1, counts.classes)
    out[..., 1] = _sums(row, counts.pixels, size).reshape(-1, counts.classes)
    out[..., 2] = _sums(column, counts.pixels[known], size).reshape(-1, counts.classes)
    return out


def per_class_edges(counts: Counts) -> Ints:
    """(C, 6) sums over images of the six edge counts, in the order of ``EDGES``."""
    names = EDGES[2:]
    return np.stack([_sums(counts.edge_class, getattr(counts, n), counts.classes) for n in names], axis=1)


def _sums(places: Ints, values: Ints, size: int) -> Ints:
    """(size,) exact integer sums of values by place (``bincount`` adds in float64, exact to 2^53)."""
    return np.bincount(places, values, size).astype(np.int64)
