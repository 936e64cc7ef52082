"""The counts of images as a small table, one row each: what exploring a run reads, and slices are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dashboard.metrics.segmentation.columns import LOSSES
from dashboard.metrics.segmentation.counts import CELLS, EDGES, Counts


def counts_table(index: NDArray[np.int64], ids: Sequence[str], counts: Counts) -> pa.Table:
    """Counts of N images as an Arrow table: cells and edges are lists.

    Args:
        index: (N,) dataset positions.
        ids: N sample ids.
        counts: of these images.
    """
    columns: dict[str, Any] = {
        "index": pa.array(np.asarray(index), pa.int64()),
        "id": pa.array(list(ids), pa.string()),
        "height": pa.array(counts.sizes[:, 0], pa.int32()),
        "width": pa.array(counts.sizes[:, 1], pa.int32()),
        "ignored": pa.array(counts.ignored, pa.int64()),
        "classes": pa.array(np.full(len(counts), counts.classes), pa.int32()),
    }
    for names, of in ((CELLS[1:], counts.image), (EDGES[1:], counts.edge_image)):
        ends = pa.array(np.searchsorted(of, np.arange(len(counts) + 1)).astype(np.int32))
        for name in names:
            columns[name] = pa.ListArray.from_arrays(ends, pa.array(getattr(counts, name), pa.int64()))
    columns |= {name: pa.array(counts.losses[name], pa.float64()) for name in LOSSES}
    return pa.table(columns)


def counts_of(table: pa.Table) -> tuple[NDArray[np.int64], list[str], Counts]:
    """What ``counts_table`` was given. Raises KeyError or ValueError for another table."""
    if not table.num_rows:
        raise ValueError("there are no rows")
    table = table.combine_chunks()

    def plain(name: str) -> NDArray[Any]:
        return table.column(name).to_numpy()

    columns: dict[str, Any] = {}
    for number, names in ((CELLS[0], CELLS[1:]), (EDGES[0], EDGES[1:])):
        for name in names:
            lists = table.column(name).combine_chunks()
            lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
            columns[name] = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
            columns[number] = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy(zero_copy_only=False))
    sizes = np.stack([plain("height"), plain("width")], axis=1).astype(np.int64)
    losses = {name: plain(name) for name in LOSSES}
    counts = Counts(int(plain("classes")[0]), sizes, plain("ignored"), **columns, losses=losses)
    return plain("index"), table.column("id").to_pylist(), counts
