"""Stored class maps: one row an image, its answer and its truth as PNG, and what probabilities said while at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds, Decoded, encode
from dashboard.metrics.segmentation.columns import LOSSES, SegmentationBatch

CONFIDENCE_SIDE = 800  # pixels: confidence is for looking at only
_CONFIDENCE_STEP = 4  # of 255: finer steps would only be noise to compress


@dataclass(frozen=True)
class SegmentationPart:
    """Class maps and truth of some samples, in dataset order, as PNG.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        sizes: (N, 2) height and width in pixels.
        found, truth: N encoded maps each, see ``dashboard.classmaps``.
        confidence: N encoded maps (h, w) of 0..255, no side above ``CONFIDENCE_SIDE`` pixels; b"" where unknown.
        losses: by the names of ``LOSSES``, (N,) float64, NaN where unknown.
        classes: C.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    sizes: NDArray[np.int64]
    found: Sequence[bytes]
    truth: Sequence[bytes]
    confidence: Sequence[bytes]
    losses: Mapping[str, NDArray[np.float64]]
    classes: int

    @classmethod
    def of(
        cls,
        index: Sequence[int] | NDArray[np.int64],
        ids: Sequence[str],
        found: Sequence[ClassIds],
        truth: Sequence[ClassIds],
        confidence: Sequence[NDArray[np.uint8] | None] | None = None,
        losses: Mapping[str, NDArray[np.float64]] | None = None,
        *,
        classes: int,
    ) -> SegmentationPart:
        """Encode maps.

        Args:
            index: (N,) positions in the dataset.
            ids: N sample ids.
            found: N maps (H, W) of 0..C, C for pixels that have none of the dataset's classes.
            truth: N maps of the same sizes, 0..C-1 or ``ignore_of(C)``.
            confidence: N maps (H, W) of 0..255, or None.
            losses: by the names of ``LOSSES``; NaN by default.
            classes: C.

        Raises:
            ValueError: an answer of another size than its truth.
        """
        for identity, a, b in zip(ids, found, truth, strict=True):
            if a.shape != b.shape:
                raise ValueError(f"{identity}: found must be of {b.shape}, as its truth, got {a.shape}")
        known = losses or {}
        return cls(
            np.asarray(index, np.int64),
            list(ids),
            np.array([t.shape for t in truth], np.int64).reshape(-1, 2),
            [encode(f) for f in found],
            [encode(t) for t in truth],
            [b"" if c is None else encode(small_confidence(c)) for c in confidence or [None] * len(truth)],
            {name: np.asarray(known.get(name, np.full(len(truth), np.nan)), np.float64) for name in LOSSES},
            classes,
        )

    @property
    def nbytes(self) -> int:
        """What it holds."""
        return sum(len(d) for column in (self.found, self.truth, self.confidence) for d in column)

    def batch(self) -> SegmentationBatch:
        """For metrics; maps are decoded when asked for."""
        return SegmentationBatch(self.ids, Decoded(self.truth), Decoded(self.found), self.classes, self.losses)

    def table(self) -> pa.Table:
        """As an Arrow table."""
        return pa.table(
            {
                "index": pa.array(self.index, pa.int64()),
                "id": pa.array(list(self.ids), pa.string()),
                "height": pa.array(self.sizes[:, 0], pa.int32()),
                "width": pa.array(self.sizes[:, 1], pa.int32()),
                "found_map": pa.array(list(self.found), pa.large_binary()),
                "true_map": pa.array(list(self.truth), pa.large_binary()),
                "confidence_map": pa.array(list(self.confidence), pa.large_binary()),
                **{name: pa.array(self.losses[name], pa.float64()) for name in LOSSES},
            }
        )

    @staticmethod
    def join(parts: Sequence[SegmentationPart]) -> SegmentationPart:
        """Several parts as one."""
        return SegmentationPart(
            np.concatenate([p.index for p in parts]),
            [i for p in parts for i in p.ids],
            np.concatenate([p.sizes for p in parts]),
            [d for p in parts for d in p.found],
            [d for p in parts for d in p.truth],
            [d for p in parts for d in p.confidence],
            {name: np.concatenate([p.losses[name] for p in parts]) for name in LOSSES},
            parts[0].classes,
        )


def small_confidence(confidence: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A map as it is stored: in steps of 4/255, every k-th pixel so that no side is above ``CONFIDENCE_SIDE``."""
    step = -(-max(confidence.shape) // CONFIDENCE_SIDE)
    small = confidence[step // 2 :: step, step // 2 :: step] if step > 1 else confidence
    return small // _CONFIDENCE_STEP * _CONFIDENCE_STEP


def segmentation_batches(path: Path, classes: int) -> Iterator[tuple[NDArray[np.int64], SegmentationBatch]]:
    """Dataset positions and batches of a few images, one a row group.

    Raises:
        ValueError: no predictions of this task.
    """
    file = pq.ParquetFile(path)
    names = ["index", "id", "found_map", "true_map", *LOSSES]
    if missing := set(names) - set(file.schema_arrow.names):
        raise ValueError(f"{path.name} has no column {min(missing)}")
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=names)
        yield (
            table.column("index").to_numpy(),
            SegmentationBatch(
                table.column("id").to_pylist(),
                Decoded(table.column("true_map").to_pylist()),
                Decoded(table.column("found_map").to_pylist()),
                classes,
                {name: table.column(name).to_numpy() for name in LOSSES},
            ),
        )


@dataclass(frozen=True)
class StoredMaps:
    """One image's maps, encoded.

    Attributes:
        size: (height, width) in pixels.
        found, truth: see ``SegmentationPart``.
        confidence: b"" where unknown.
    """

    size: tuple[int, int]
    found: bytes
    truth: bytes
    confidence: bytes


def maps_of(path: Path, index: int) -> StoredMaps | None:
    """The maps of the sample at dataset position ``index``, or None if it was not predicted. Reads one row group."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        stats = file.metadata.row_group(group).column(0).statistics
        if stats is not None and stats.has_min_max and not stats.min <= index <= stats.max:
            continue
        places = file.read_row_group(group, columns=["index"]).column(0).to_numpy()
        at = np.flatnonzero(places == index)
        if at.size:
            row: dict[str, Any] = file.read_row_group(group).slice(int(at[0]), 1).to_pylist()[0]
            size = (row["height"], row["width"])
            return StoredMaps(size, row["found_map"], row["true_map"], row["confidence_map"])
    return None


def larger(confidence: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A stored confidence map at an image's size (height, width), by the nearest pixel."""
    grown: Any = cv2.resize(confidence, size[::-1], interpolation=cv2.INTER_NEAREST)
    return grown  # type: ignore[no-any-return]
