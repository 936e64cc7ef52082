"""Counts as rows of a file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard.metrics.segmentation.columns import LOSSES
from dashboard.metrics.segmentation.counts import CELLS, EDGES, Counts, count, empty, restrict
from dashboard.segmentation_rows import counts_of, counts_table
from tests.class_maps import map_piece, maps


def same(a: Counts, b: Counts) -> None:
    assert (a.classes, len(a)) == (b.classes, len(b))
    for name in ("sizes", "ignored", *CELLS, *EDGES):
        mine, other = getattr(a, name), getattr(b, name)
        assert mine.dtype == other.dtype == np.int64, name
        assert np.array_equal(mine, other), name
    for name in LOSSES:
        assert np.array_equal(a.losses[name], b.losses[name], equal_nan=True), name


@pytest.mark.parametrize("classes", [1, 4, 300])
def test_a_file_of_several_tables_is_one_pass(tmp_path, classes):
    whole = maps(11, classes)
    whole.losses["focal"][3] = np.nan  # type: ignore[index]
    tables = [
        counts_table(np.arange(start, min(start + 4, 11)), piece.ids, count(piece))
        for start in range(0, 11, 4)
        for piece in [map_piece(whole, slice(start, start + 4))]
    ]
    pq.write_table(pa.concat_tables(tables), tmp_path / "rows.parquet", row_group_size=3)
    index, ids, again = counts_of(pq.read_table(tmp_path / "rows.parquet"))
    assert index.tolist() == list(range(11))
    assert ids == whole.ids
    same(again, count(whole))
    assert not (again.image == 5).any()  # nothing counts in that picture, which is there all the same


def test_some_rows_are_some_images():
    whole = maps(11, 4)
    table = counts_table(np.arange(11), whole.ids, count(whole))
    _, ids, some = counts_of(table.slice(3, 5))
    assert ids == ["3", "4", "5", "6", "7"]
    place = np.arange(11)
    same(some, restrict(count(whole), (place >= 3) & (place < 8)))


def test_other_tables_are_refused():
    table = counts_table(np.arange(2), ["a", "b"], count(maps(2, 3)))
    with pytest.raises(KeyError, match="ignored"):
        counts_of(table.drop_columns(["ignored"]))
    with pytest.raises(ValueError, match="no rows"):
        counts_of(table.slice(0, 0))
    assert counts_table(np.arange(0), [], empty(3)).num_rows == 0
