"""Shared resamples: their weights, the sums under them, and that no model is drawn differently from another."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics import paired_bootstrap
from dashboard.metrics.paired_bootstrap import every_block, indicator, resampled_means, resampled_sums, spans, weights


def test_weights_are_draws_with_replacement():
    found = weights(50, 400, block=0)
    assert found.shape == (50, 400)
    assert (found.sum(axis=0) == 50).all()
    assert (found == np.round(found)).all()
    assert found.mean() == pytest.approx(1)
    assert found.var() == pytest.approx(1 - 1 / 50, rel=0.05)  # of a multinomial's cell


def test_blocks_differ_and_come_again():
    assert (weights(20, 8, 0) == weights(20, 8, 0)).all()
    assert (weights(20, 8, 0) != weights(20, 8, 1)).any()
    assert (weights(20, 8, 0) != weights(20, 8, 0, seed=1)).any()


@pytest.mark.parametrize(("units", "resamples"), [(1, 100), (300, 2000), (50_000, 2000), (10**7, 100)])
def test_spans_cover_all_resamples_once(units, resamples):
    blocks = list(spans(units, resamples))
    assert [n for n, _ in blocks] == list(range(len(blocks)))
    assert [i for _, s in blocks for i in range(s.start, s.stop)] == list(range(resamples))
    widest = max(s.stop - s.start for _, s in blocks)
    assert widest * units <= max(paired_bootstrap.CELLS, paired_bootstrap.NARROWEST * units)


def test_sums_are_those_of_the_drawn_units():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(30, 3))
    found = resampled_sums(columns, 500, seed=5)
    drawn = np.concatenate(every_block(30, 500, 5, lambda _, w: w.T))
    np.testing.assert_allclose(found, (drawn[:, :, None] * columns).sum(axis=1), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(found[:, :1], resampled_sums(columns[:, :1], 500, seed=5))  # whatever stands beside


def test_means_leave_out_what_is_undefined():
    columns = np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]])
    found = resampled_means(columns, 400)
    drawn = np.concatenate(every_block(3, 400, 0, lambda _, w: w.T))
    with np.errstate(invalid="ignore"):
        expected = (drawn[:, 0] + 3 * drawn[:, 1]) / (drawn[:, 0] + drawn[:, 1])
    np.testing.assert_allclose(found[:, 0], expected)
    assert set(found[np.isfinite(found[:, 1]), 1]) == {5.0}
    np.testing.assert_array_equal(np.isnan(found[:, 1]), drawn[:, 1] == 0)


def test_one_thread_and_many_give_the_same(monkeypatch):
    columns = np.random.default_rng(1).normal(size=(40_000, 2))
    many = resampled_sums(columns, 200)
    monkeypatch.setattr(paired_bootstrap, "THREADS", 1)
    np.testing.assert_array_equal(many, resampled_sums(columns, 200))


def test_indicator_sums_by_row():
    found = indicator(np.array([0, 2, -1, 2]), 3, np.array([1.0, 2, 4, 8]))
    np.testing.assert_array_equal(found @ np.ones((4, 1), np.float32), [[1], [0], [10]])
    assert found.dtype == np.float32
