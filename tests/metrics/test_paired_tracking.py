"""Tracking's numbers in shared resamples and without blocks of frames agree with the runs' own intervals."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics import paired
from dashboard.metrics.paired_bootstrap import every_block
from dashboard.metrics.paired_tracking import numbers, numbers_without_blocks, resampled_numbers
from dashboard.metrics.tracking.columns import SequenceTracks, Tracks
from dashboard.metrics.tracking.counts import merge
from dashboard.metrics.tracking.evidence import BLOCKS, BOUNDS, INTERVALS, Evidence, evidence


def walk(seed: int, frames: int, lost: float) -> SequenceTracks:
    """Four objects side by side; each found box is lost with some chance, and identities change now and then."""
    rng = np.random.default_rng(seed)
    frame = np.repeat(np.arange(frames), 4)
    ids = np.tile(np.arange(4), frames)
    box = np.stack([50.0 * ids, 0 * ids, 50.0 * ids + 40, 0 * ids + 40], axis=1)
    kept = rng.random(len(frame)) > lost
    moved = box[kept] + rng.normal(0, 3, (kept.sum(), 1)) * np.array([1, 0, 1, 0])
    names = ids[kept] + 4 * (frame[kept] // rng.integers(7, 15))
    zero = np.zeros(len(frame), np.int64)
    found = Tracks(frame[kept], names, zero[kept], moved)
    return SequenceTracks(f"s{seed}", frames, Tracks(frame, ids, zero, box), found)


def made(count: int, frames: int, lost: float, shift: int = 0) -> Evidence:
    return evidence([walk(k + shift, frames, lost) for k in range(count)])


def test_blocks_left_out_give_the_runs_own_intervals():
    one, other = made(3, 40, 0.1), made(3, 40, 0.3, 10)
    left = numbers_without_blocks([one, other])
    for place, found in enumerate((one, other)):
        values = numbers(found.whole)
        for name in INTERVALS:
            limits, _ = paired.jackknife(values[name], left[name][:, place])
            assert np.clip(limits, *BOUNDS.get(name, (0.0, 1.0))) == pytest.approx(found.intervals[name])
    assert left["HOTA"].shape == (BLOCKS, 2)
    # A count's spread is that of a sum of blocks.
    fn = left["FN"][:, 1] * (BLOCKS - 1) / BLOCKS
    blocks = numbers(other.whole)["FN"] - fn
    limits, _ = paired.jackknife(float(blocks.sum()), left["FN"][:, 1])
    half = 2.093024054408263 * blocks.std(ddof=1) * np.sqrt(BLOCKS)
    assert limits == pytest.approx((blocks.sum() - half, blocks.sum() + half))


def test_short_films_and_many_sequences_have_no_blocks():
    assert numbers_without_blocks([made(1, 20, 0.1), made(1, 20, 0.1)]) == {}
    many = made(8, 12, 0.1)
    assert numbers_without_blocks([many, many]) == {}


def test_resamples_are_of_whole_sequences():
    one, other = made(9, 12, 0.1), made(9, 12, 0.3, 20)
    found = resampled_numbers([one, other], 300, seed=3)
    drawn = np.concatenate(every_block(9, 300, 3, lambda _, w: w.T)).astype(int)
    for b in (0, 7, 299):
        picks = np.repeat(np.arange(9), drawn[b])
        for place, run in enumerate((one, other)):
            expected = numbers(merge([run.counts[k] for k in picks]))
            for name in ("HOTA", "MOTA", "IDF1", "IDSW", "AssA", "FP_per_frame", "MOTP"):
                assert found[name][b, place] == pytest.approx(expected[name]), name
