import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dashboard.metrics.intervals import from_error, multinomial_bootstrap, normal_mean, wilson


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case):
    k, n = case
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(k, n), (expected.low, expected.high), atol=1e-12)


def test_wilson_without_trials_is_undefined():
    assert np.isnan(wilson(0, 0)).all()


def test_normal_mean():
    x = np.array([1.0, 2, 4, 9])
    half = 1.959964 * x.std(ddof=1) / 2
    assert normal_mean(x.sum(), x @ x, 4) == pytest.approx((4 - half, 4 + half), rel=1e-6)
    assert np.isnan(normal_mean(1, 1, 1)).all()


def test_from_error_stays_inside_and_is_normal_far_from_the_ends():
    assert from_error(0.5, 0.001, 0, 1) == pytest.approx((0.5 - 0.00196, 0.5 + 0.00196), abs=1e-6)
    low, high = from_error(0.99, 0.02, 0, 1)
    assert 0 < low < 0.99 < high < 1
    low, high = from_error(-0.9, 0.2, -1, 1)
    assert -1 < low < -0.9 < high < 1
    assert from_error(1.0, 0.0, 0, 1) == (1, 1)
    assert np.isnan(from_error(np.nan, 0.1, 0, 1)).all()


def test_multinomial_bootstrap_of_a_proportion_is_nearly_wilsons():
    ends = multinomial_bootstrap(np.array([300, 700]), lambda c: np.array([c[0] / c.sum(), 1.0]), 4000)
    np.testing.assert_allclose(ends[0], wilson(300, 1000), atol=0.004)
    assert ends[1].tolist() == [1, 1]
