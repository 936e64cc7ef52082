"""Stored predictions: written in parts as they come, made one file at the end, read back a bounded block at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.metrics.batch import ClassificationBatch

BLOCK_BYTES = 4 << 20  # scores in one row group: what a reader holds in memory at a time
OBJECT_ROWS = 1024  # images in a row group where each has a list of objects
MAP_ROWS = 16  # where each has a map of every pixel
PICTURE_ROWS = 4  # where each has pictures


class Part(Protocol):
    """Predictions of some samples, in dataset order, ready to be written.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        nbytes: what it holds, roughly.
    """

    @property
    def index(self) -> NDArray[np.int64]:
        """See above."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """See above."""
        ...

    @property
    def nbytes(self) -> int:
        """See above."""
        ...

    def table(self) -> pa.Table:
        """As an Arrow table with the columns index and id, and the task's own."""
        ...

    @staticmethod
    def join(parts: Any) -> Any:
        """Several parts of this kind as one."""
        ...


@dataclass(frozen=True)
class ClassificationPart:
    """Scores and labels of some samples, in dataset order.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        scores: (N, C) float32 or float64.
        targets: (N,) int64 labels or (N, C) bool, in the scores' class order.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    scores: NDArray[np.floating]
    targets: NDArray[np.int64] | NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        """Of the scores."""
        return self.scores.nbytes

    def table(self) -> pa.Table:
        """As an Arrow table: index, id, target (a label, or a list of labels), scores (a fixed-size list)."""
        if self.targets.ndim == 1:
            target = pa.array(self.targets, pa.int32())
        else:
            rows, labels = np.nonzero(self.targets)
            offsets = np.searchsorted(rows, np.arange(len(self.targets) + 1)).astype(np.int32)
            target = pa.ListArray.from_arrays(pa.array(offsets), pa.array(labels.astype(np.int32)))
        kind = pa.float64() if self.scores.dtype == np.float64 else pa.float32()
        width = self.scores.shape[1]
        values = pa.array(np.ascontiguousarray(self.scores).ravel(), kind)
        scores = pa.FixedSizeListArray.from_arrays(values, type=pa.list_(pa.field("item", kind, nullable=False), width))
        fields = [
            pa.field("index", pa.int64(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("target", target.type, nullable=False),
            pa.field("scores", scores.type, nullable=False),
        ]
        return pa.Table.from_arrays(
            [pa.array(self.index, pa.int64()), pa.array(list(self.ids), pa.string()), target, scores],
            schema=pa.schema(fields),
        )

    @staticmethod
    def join(parts: Sequence[ClassificationPart]) -> ClassificationPart:
        """Several parts as one."""
        return ClassificationPart(
            np.concatenate([p.index for p in parts]),
            [i for p in parts for i in p.ids],
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.targets for p in parts]),
        )


def write_part(path: Path, part: Part, facts: Mapping[str, Any]) -> None:
    """Write a part so that the file is whole or absent. ``facts`` (times, say) travel in its metadata as text."""
    table = part.table().replace_schema_metadata({k: str(v) for k, v in facts.items()})
    temporary = path.with_suffix(".tmp")
    try:
        pq.write_table(table, temporary, compression="lz4", use_dictionary=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def part_facts(path: Path) -> dict[str, str]:
    """The metadata a part was written with."""
    metadata = pq.read_schema(path).metadata or {}
    return {k.decode(): v.decode() for k, v in metadata.items()}


def done_indices(parts: Sequence[Path]) -> NDArray[np.int64]:
    """Dataset positions that have been predicted."""
    columns = [pq.ParquetFile(p).read(columns=["index"]).column(0).to_numpy() for p in parts]
    return np.concatenate(columns) if columns else np.empty(0, np.int64)


def compact(parts: Sequence[Path], target: Path) -> None:
    """Join parts into one file in dataset order, in row groups of a bounded size.

    Row groups depend on the number of rows only, not on where the parts ended (which is a matter of time): so sums over
    them, taken in turn, are the same to the last bit however often the work was interrupted.
    """
    temporary = target.with_suffix(".tmp")
    writer: pq.ParquetWriter | None = None
    try:
        for group in _regrouped(_in_order(parts)):
            if writer is None:
                writer = pq.ParquetWriter(temporary, group.schema, compression="lz4", use_dictionary=False)
            writer.write_table(group)
        if writer is not None:
            writer.close()
            os.replace(temporary, target)
    finally:
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
        temporary.unlink(missing_ok=True)


def _in_order(parts: Sequence[Path]) -> Iterator[pa.Table]:
    """The parts' tables by position in the dataset. They are in order already, but for rows that a later try added."""
    index = done_indices(parts)
    tables = (pq.ParquetFile(path).read(use_threads=False).replace_schema_metadata(None) for path in parts)
    if (np.diff(index) > 0).all():
        yield from tables
    else:
        yield pa.concat_tables(list(tables)).take(np.argsort(index))


def _regrouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of a fixed number of rows, the last one shorter."""
    pending: list[pa.Table] = []
    waiting = 0
    for table in tables:
        rows = _rows_in_group(table.schema)
        start = 0
        while waiting + table.num_rows - start >= rows:
            pending.append(table.slice(start, rows - waiting))
            start += rows - waiting
            yield pa.concat_tables(pending).combine_chunks()
            pending, waiting = [], 0
        if start < table.num_rows:
            pending.append(table.slice(start))
            waiting += table.num_rows - start
    if pending:
        yield pa.concat_tables(pending).combine_chunks()


def _rows_in_group(schema: pa.Schema) -> int:
    """How many rows are read at a time."""
    if "found_image" in schema.names:
        return PICTURE_ROWS
    if "scores" not in schema.names:
        return MAP_ROWS if "found_map" in schema.names else OBJECT_ROWS
    kind = schema.field("scores").type
    return max(1, BLOCK_BYTES // (kind.list_size * kind.value_type.bit_width // 8))


def _scores(column: pa.ChunkedArray) -> NDArray[np.floating]:
    """A fixed-size-list column as an (N, C) array."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), -1)


def _targets(column: pa.ChunkedArray, classes: int) -> NDArray[Any]:
    """Labels (N,), or for lists of labels an (N, C) bool array."""
    if not pa.types.is_list(column.type):
        return column.to_numpy().astype(np.int64)
    hot = np.zeros((len(column), classes), bool)
    for i, labels in enumerate(column.to_pylist()):
        hot[i, labels] = True
    return hot


def batches(path: Path) -> Iterator[tuple[NDArray[np.int64], ClassificationBatch]]:
    """Dataset positions and batches, one a row group. A batch re-reads its scores when asked and keeps none of them."""
    file = pq.ParquetFile(path)
    width = file.schema_arrow.field("scores").type.list_size
    for group in range(file.num_row_groups):
        small = file.read_row_group(group, columns=["index", "id", "target"])

        def read(group: int = group) -> NDArray[np.floating]:
            return _scores(pq.ParquetFile(path).read_row_group(group, columns=["scores"]).column(0))

        yield (
            small.column("index").to_numpy(),
            ClassificationBatch(small.column("id").to_pylist(), read, _targets(small.column("target"), width)),
        )


def scores_of(path: Path, index: int) -> NDArray[np.floating] | None:
    """The (C,) scores of the sample at dataset position ``index``, or None if it was not predicted."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        stats = file.metadata.row_group(group).column(0).statistics
        if stats is not None and stats.has_min_max and not stats.min <= index <= stats.max:
            continue
        table = file.read_row_group(group, columns=["index", "scores"])
        place = np.flatnonzero(table.column("index").to_numpy() == index)
        if place.size:
            return _scores(table.column("scores").slice(int(place[0]), 1))[0]
    return None


def class_scores(path: Path, label: int) -> NDArray[np.floating]:
    """(N,) scores of one class over all samples, in dataset order and as precise as they were stored. Read-only."""
    return _class_scores(path, label, path.stat().st_mtime_ns)


@lru_cache(16)
def _class_scores(path: Path, label: int, _written: int) -> NDArray[np.floating]:
    """The same, kept for a while: one click on a class asks several times."""
    file = pq.ParquetFile(path)
    columns = [  # copies, so that a row group's other classes are let go
        _scores(file.read_row_group(g, columns=["scores"]).column(0))[:, label].copy()
        for g in range(file.num_row_groups)
    ]
    scores = np.concatenate(columns)
    scores.flags.writeable = False
    return scores
