"""Stored predictions: what goes in comes out, in order, in its own precision, a bounded block at a time."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import predictions
from dashboard.predictions import (
    ClassificationPart,
    batches,
    class_scores,
    compact,
    done_indices,
    part_facts,
    scores_of,
    write_part,
)


def make(
    rows: int, classes: int = 4, start: int = 0, dtype: type = np.float32, multilabel: bool = False
) -> ClassificationPart:
    rng = np.random.default_rng(start)
    scores: np.ndarray = rng.dirichlet(np.ones(classes), rows).astype(dtype)
    targets = rng.random((rows, classes)) < 0.4 if multilabel else rng.integers(0, classes, rows)
    return ClassificationPart(
        np.arange(start, start + rows), [f"p/{i}.jpg" for i in range(start, start + rows)], scores, targets
    )


def stored(folder: Path, *parts: ClassificationPart) -> Path:
    paths = []
    for i, part in enumerate(parts):
        paths.append(folder / f"part-{i:06d}.parquet")
        write_part(paths[-1], part, {"wall_s": i})
    compact(paths, folder / "predictions.parquet")
    return folder / "predictions.parquet"


def read_back(path: Path) -> ClassificationPart:
    found = [
        ClassificationPart(index, batch.ids, batch.read(), batch.targets)  # type: ignore[arg-type]
        for index, batch in batches(path)
    ]
    return ClassificationPart.join(found)


def assert_same(a: ClassificationPart, b: ClassificationPart) -> None:
    assert a.index.tolist() == b.index.tolist()
    assert list(a.ids) == list(b.ids)
    assert a.scores.dtype == b.scores.dtype
    np.testing.assert_array_equal(a.scores, b.scores)
    np.testing.assert_array_equal(a.targets, b.targets)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("multilabel", [False, True])
def test_round_trip(tmp_path, dtype, multilabel):
    part = make(50, dtype=dtype, multilabel=multilabel)
    assert_same(read_back(stored(tmp_path, part)), part)


def test_float64_is_not_rounded(tmp_path):
    part = ClassificationPart(np.arange(1), ["a"], np.array([[1 / 3, 2 / 3]]), np.array([0]))
    assert read_back(stored(tmp_path, part)).scores[0, 0] == 1 / 3


def test_multilabel_sets_may_be_empty_or_full(tmp_path):
    targets = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
    part = ClassificationPart(np.arange(3), list("abc"), np.full((3, 3), 0.5, np.float32), targets)
    np.testing.assert_array_equal(read_back(stored(tmp_path, part)).targets, targets)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.integers(1, 6),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_join_in_order_whatever_their_sizes(tmp_path, monkeypatch, sizes, rows, dtype, multilabel):
    """Row groups have the same number of rows however the parts were cut."""
    monkeypatch.setattr(predictions, "BLOCK_BYTES", rows * 4 * np.dtype(dtype).itemsize)
    whole = make(sum(sizes), dtype=dtype, multilabel=multilabel)
    parts, start = [], 0
    for size in sizes:
        cut = slice(start, start + size)
        parts.append(ClassificationPart(whole.index[cut], whole.ids[cut], whole.scores[cut], whole.targets[cut]))
        start += size
    path = stored(tmp_path, *parts)
    assert_same(read_back(path), whole)
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [rows] * (len(whole.ids) // rows) + [r for r in [len(whole.ids) % rows] if r]


def test_rows_of_a_later_try_are_put_in_their_place(tmp_path):
    whole = make(6)

    def pick(places):
        return ClassificationPart(
            whole.index[places], [whole.ids[i] for i in places], whole.scores[places], whole.targets[places]
        )

    path = stored(tmp_path, pick([0, 2, 3]), pick([1, 4, 5]))
    assert_same(read_back(path), whole)


def test_scores_of_every_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "BLOCK_BYTES", 7 * 16)
    part = make(30)
    holes = ClassificationPart(part.index * 3, part.ids, part.scores, part.targets)
    path = stored(tmp_path, holes)
    for place in range(95):
        found = scores_of(path, place)
        if place % 3 == 0 and place < 90:
            np.testing.assert_array_equal(found, part.scores[place // 3])
        else:
            assert found is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_class_scores_keep_their_precision(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(predictions, "BLOCK_BYTES", 7 * 16)
    part = make(30, dtype=dtype)
    path = stored(tmp_path, part)
    for label in range(4):
        found = class_scores(path, label)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, part.scores[:, label])


def test_facts_and_indices(tmp_path):
    path = tmp_path / "part-000000.parquet"
    write_part(path, make(3, start=5), {"wall_s": 1.25, "model_s": 1e-9})
    assert part_facts(path) == {"wall_s": "1.25", "model_s": "1e-09"}
    assert done_indices([path]).tolist() == [5, 6, 7]
    assert done_indices([]).size == 0


def test_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def full(table, path, **_):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(predictions.pq, "write_table", full)
    with pytest.raises(OSError, match="full"):
        write_part(tmp_path / "part-000000.parquet", make(3), {})
    assert list(tmp_path.iterdir()) == []


def test_compacting_onto_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    part = tmp_path / "part-000000.parquet"
    write_part(part, make(3), {})

    class Full(pq.ParquetWriter):
        def write_table(self, *_, **__):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(predictions.pq, "ParquetWriter", Full)
    with pytest.raises(OSError, match="full"):
        compact([part], tmp_path / "predictions.parquet")
    assert list(tmp_path.iterdir()) == [part]
