"""What a stored run holds, and when two runs are the same."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from dashboard.predictions import batches


def stored(run):
    """Positions, ids, scores and targets of a run, joined."""
    index, found = zip(*batches(run.predictions_path), strict=True)
    ids = [i for batch in found for i in batch.ids]
    return (
        np.concatenate(index).tolist(),
        ids,
        np.concatenate([b.read() for b in found]),
        np.concatenate([b.targets for b in found]),
    )


def assert_same_numbers(a, b):
    """To the last bit: key figures, per-class numbers, stored scores."""
    assert a.metrics == b.metrics
    assert a.intervals == b.intervals
    assert a.samples == b.samples
    for one, two in zip(stored(a), stored(b), strict=True):
        np.testing.assert_array_equal(one, two)
    rows = [pq.read_table(r.rows_path) for r in (a, b)]
    assert rows[0].equals(rows[1])
