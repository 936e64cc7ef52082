import math

import numpy as np
import pytest

from dashboard.metrics.calibration import Calibration, bin_of
from tests.metrics.cases import batch, names, single


def test_by_hand():
    # Confidence 0.9 right, 0.9 wrong (one bin of 15: accuracy 1/2, gap 0.4); 0.6 right (gap 0.4); 0.7 right (gap 0.3).
    metric = Calibration(names(2))
    metric.update(batch([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], [0, 1, 0, 1]))
    out = metric.compute()
    values = out["scores"].values
    assert values["ece"] == pytest.approx((2 * 0.4 + 0.4 + 0.3) / 4)
    assert values["mce"] == pytest.approx(0.4)
    assert values["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.1) + math.log(0.6) + math.log(0.7)) / 4)
    assert values["brier"] == pytest.approx((0.01 + 0.81 + 0.16 + 0.09) / 4)
    reliability = out["reliability"]
    np.testing.assert_allclose(reliability.x[0], [0.6, 0.7, 0.9])
    np.testing.assert_allclose(reliability.y[0], [1, 1, 0.5])
    assert reliability.weights[0].tolist() == [1, 1, 2]
    counts = out["confidence"].counts
    assert (counts["correct"].sum(), counts["wrong"].sum()) == (3, 1)
    assert counts["wrong"][18] == 1  # 0.9 lies in [0.90, 0.95)


def test_bins_are_closed_below_and_the_last_on_both_sides():
    assert bin_of(np.array([0, 0.2499, 0.25, 0.999, 1, 1.00001]), 4).tolist() == [0, 0, 1, 3, 3, 3]


def test_perfectly_calibrated_half_and_half():
    metric = Calibration(names(2))
    metric.update(batch([[0.5, 0.5], [0.5, 0.5]], [0, 1]))  # confidence 0.5, one right of two
    assert metric.compute()["scores"].values["ece"] == 0


def test_intervals_against_a_bootstrap_over_samples():
    b = single(1500, 6, seed=3)
    metric = Calibration(names(6))
    metric.update(b)
    scalars = metric.compute()["scores"]
    rng = np.random.default_rng(0)
    draws = {"ece": [], "log_loss": [], "brier": []}
    for _ in range(300):
        rows = rng.integers(0, 1500, 1500)
        again = Calibration(names(6))
        again.update(batch(b.read()[rows], b.targets[rows], np.float32))
        for name, kept in draws.items():
            kept.append(again.compute()["scores"].values[name])
    for name, kept in draws.items():
        low, high = scalars.intervals[name]
        assert (high - low) / 3.92 == pytest.approx(np.std(kept), rel=0.2), name
        assert low < scalars.values[name] < high
