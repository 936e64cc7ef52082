"""Stored detections: one row an image, its objects and its truth as lists. Read back as columns, without copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.metrics.detection.columns import DetectionBatch, Objects
from dashboard.types import Detections

CROWD, IGNORE = 1, 2
_SIDES = ("found", "true")


@dataclass(frozen=True)
class DetectionPart:
    """Detections and truth of some samples, in dataset order.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        sizes: (N, 2) height and width in pixels, 0 where unknown.
        found, truth: N ``Detections`` each.
        masked: whether masks are stored.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    sizes: NDArray[np.int64]
    found: Sequence[Detections]
    truth: Sequence[Detections]
    masked: bool

    @property
    def nbytes(self) -> int:
        """What it holds, roughly."""
        per_object = 80 + (200 if self.masked else 0)
        return per_object * sum(len(d) for d in (*self.found, *self.truth))

    def batch(self) -> DetectionBatch:
        """For metrics."""
        batch = DetectionBatch.of(self.ids, self.found, self.truth, self.masked)
        batch.sizes = np.asarray(self.sizes, np.int64).reshape(-1, 2)
        return batch

    def table(self) -> pa.Table:
        """As an Arrow table."""
        columns: dict[str, pa.Array] = {
            "index": pa.array(self.index, pa.int64()),
            "id": pa.array(list(self.ids), pa.string()),
            "height": pa.array(self.sizes[:, 0], pa.int32()),
            "width": pa.array(self.sizes[:, 1], pa.int32()),
        }
        for side, images in zip(_SIDES, (self.found, self.truth), strict=True):
            columns |= {f"{side}_{k}": v for k, v in object_lists(images, self.masked).items()}
        return pa.table(columns)

    @staticmethod
    def join(parts: Sequence[DetectionPart]) -> DetectionPart:
        """Several parts as one."""
        return DetectionPart(
            np.concatenate([p.index for p in parts]),
            [i for p in parts for i in p.ids],
            np.concatenate([p.sizes for p in parts]),
            [d for p in parts for d in p.found],
            [d for p in parts for d in p.truth],
            parts[0].masked,
        )


def object_lists(images: Sequence[Detections], masked: bool, tracked: bool = False) -> dict[str, pa.Array]:
    """One list an image of each field: box, class, score, area, flags; masks and track ids if they are wanted."""
    counts = [len(d) for d in images]
    ends = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))

    def column(values: list[Any], kind: pa.DataType) -> pa.Array:
        flat = np.concatenate([np.empty(0), *values]) if values else np.empty(0)
        return pa.ListArray.from_arrays(ends, pa.array(flat, kind))

    def some(value: Any, count: int, missing: float) -> Any:
        return np.full(count, missing) if value is None else value

    pairs = list(zip(images, counts, strict=True))
    found = {f"x{i}": column([d.xyxy[:, i] for d in images], pa.float64()) for i in range(4)}
    found["class"] = column([d.class_ids for d in images], pa.int32())
    found["score"] = column([some(d.scores, n, 0.0) for d, n in pairs], pa.float64())
    found["area"] = column([some(d.areas, n, np.nan) for d, n in pairs], pa.float64())
    flags = [some(d.crowd, n, 0) * CROWD + some(d.ignore, n, 0) * IGNORE for d, n in pairs]
    found["flags"] = column(flags, pa.uint8())
    if tracked:
        found["track"] = column([some(d.track_ids, n, -1) for d, n in pairs], pa.int64())
    if masked:
        masks = pa.array([m for d in images for m in d.masks or ()], pa.binary())
        found["mask"] = pa.ListArray.from_arrays(ends, masks)
    return found


def batch_of(table: pa.Table) -> DetectionBatch:
    """A stored table's images, numbered from 0, as a batch."""
    table = table.combine_chunks()
    sizes = np.stack([table.column(k).to_numpy().astype(np.int64) for k in ("height", "width")], axis=1)
    found, true = (_objects(table, side) for side in _SIDES)
    return DetectionBatch(table.column("id").to_pylist(), sizes, found, true)


def _objects(table: pa.Table, side: str) -> Objects:
    """One side's columns."""

    def lists(name: str) -> pa.ListArray:
        column = table.column(f"{side}_{name}").combine_chunks()
        return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column

    def flat(name: str) -> NDArray[Any]:
        return lists(name).flatten().to_numpy(zero_copy_only=False)

    classes = lists("class")
    counts = classes.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    flags = flat("flags")
    masked = f"{side}_mask" in table.column_names
    return Objects(
        np.repeat(np.arange(len(counts)), counts),
        flat("class").astype(np.int64),
        np.stack([flat(f"x{i}").astype(np.float64) for i in range(4)], axis=1),
        flat("score").astype(np.float64),
        flat("area").astype(np.float64),
        (flags & CROWD) > 0,
        (flags & IGNORE) > 0,
        lists("mask").flatten().to_pylist() if masked else None,
    )


def detection_batches(path: Path) -> Iterator[tuple[NDArray[np.int64], DetectionBatch]]:
    """Dataset positions and batches, one a row group."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        yield table.column("index").to_numpy(), batch_of(table)


def whole_batch(path: Path) -> tuple[NDArray[np.int64], DetectionBatch]:
    """Dataset positions and everything stored, as one batch."""
    table = pq.ParquetFile(path).read()
    return table.column("index").to_numpy(), batch_of(table)


def of_image(batch: DetectionBatch, place: int, side: str = "found") -> tuple[Detections, NDArray[np.int64]]:
    """One image's objects, and where they stand in the batch's ``found`` or ``truth``."""
    objects: Objects = getattr(batch, side)
    start, stop = np.searchsorted(objects.image, [place, place + 1])
    rows = np.arange(start, stop)
    height, width = map(int, batch.sizes[place])
    taken = objects.take(rows)
    return Detections(
        taken.xyxy,
        taken.classes,
        taken.scores if side == "found" else None,
        taken.masks,
        (height, width) if height else None,
        None if np.isnan(taken.areas).any() else taken.areas,
        taken.crowd,
        taken.ignore,
    ), rows
