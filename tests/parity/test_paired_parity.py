"""Paired statistics equal scipy's and statsmodels'."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dashboard.metrics import paired
from dashboard.metrics.paired_bootstrap import resampled_means

contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
multitest = pytest.importorskip("statsmodels.stats.multitest")

PAIRS = [(a, b) for a in (0, 1, 5, 12, 40, 300) for b in (0, 2, 5, 13, 90) if a + b]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_mcnemar(a, b):
    table = [[7, a], [b, 11]]
    exact = contingency.mcnemar(table, exact=True)
    assert paired.mcnemar_exact(a, b) == pytest.approx(exact.pvalue, rel=1e-9, abs=1e-300)
    assert paired.mcnemar_exact(a, b) == pytest.approx(stats.binomtest(a, a + b).pvalue, rel=1e-9, abs=1e-300)
    if a != b:  # there statsmodels' correction reaches past zero
        chi2 = contingency.mcnemar(table, exact=False, correction=True)
        assert paired.mcnemar_chi2(a, b) == pytest.approx((chi2.statistic, chi2.pvalue), rel=1e-9)


def test_holm():
    rng = np.random.default_rng(0)
    for size in range(1, 9):
        p = rng.random(size) ** 3
        np.testing.assert_allclose(paired.holm(p), multitest.multipletests(p, method="holm")[1])


@pytest.mark.parametrize("size", [6, 30, 500])
@pytest.mark.parametrize("tied", [False, True])
def test_wilcoxon(size, tied):
    rng = np.random.default_rng(size)
    gap = rng.normal(0.2, 1, size)
    if tied:
        gap = np.round(gap)
    expected = stats.wilcoxon(gap)
    assert paired.wilcoxon(gap) == pytest.approx((expected.statistic, expected.pvalue))


def test_paired_t():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 9))
    expected = stats.ttest_rel(a, b)
    limits, p = paired.paired_t(a - b)
    assert limits == pytest.approx(tuple(expected.confidence_interval()))
    assert p == pytest.approx(expected.pvalue)


def test_bootstrap_interval():
    """Both draw at random: with 20,000 resamples the ends agree to a fiftieth of the interval's length."""
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 200)) ** 2
    expected = stats.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=0,
    ).confidence_interval
    draws = resampled_means((a - b)[:, None], 20_000)[:, 0]
    (low, high), _ = paired.bootstrap_interval(float((a - b).mean()), draws)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=(high - low) / 50)
