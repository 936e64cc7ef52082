"""Paired tests and intervals: hand-computed cases, laws, and simulations of how often they are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.metrics import paired
from dashboard.metrics.paired_bootstrap import ends, resampled_means

NAN = math.nan


@pytest.mark.parametrize(
    ("only_run", "only_baseline", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (3, 0, 0.25),  # 2 * 1/8
        (0, 6, 2 / 64),
        (1, 7, 2 * (1 + 8) / 256),
        (4, 4, 1.0),  # twice the half is more than 1
    ],
)
def test_mcnemar_exact(only_run, only_baseline, p):
    assert paired.mcnemar_exact(only_run, only_baseline) == pytest.approx(p)
    assert paired.sign_test(only_run, only_baseline) == pytest.approx(p)


@pytest.mark.parametrize(
    ("only_run", "only_baseline", "statistic"),
    [(30, 10, 19**2 / 40), (10, 30, 19**2 / 40), (20, 20, 0.0), (21, 20, 0.0), (0, 0, 0.0)],
)
def test_mcnemar_chi2(only_run, only_baseline, statistic):
    found, p = paired.mcnemar_chi2(only_run, only_baseline)
    assert found == pytest.approx(statistic)
    assert p == pytest.approx(math.erfc(math.sqrt(statistic / 2)))  # chi-square with one degree is a squared normal


def test_the_exact_test_and_the_chi_square_agree_where_there_is_plenty():
    for a, b in ((520, 480), (560, 440), (430, 570)):
        assert paired.mcnemar_chi2(a, b)[1] == pytest.approx(paired.mcnemar_exact(a, b), rel=0.05)


def test_wilcoxon():
    statistic, p = paired.wilcoxon(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert statistic == 0
    assert p == pytest.approx(2 / 32)
    statistic, p = paired.wilcoxon(np.array([1.0, -2.0, 3.0, NAN]))
    assert statistic == 2  # ranks 1, 2, 3; the negative one has 2
    assert p == pytest.approx(6 / 8)  # of eight signs, those with a lesser sum of 2 or less on either side
    assert paired.wilcoxon(np.zeros(5))[1] == 1
    assert math.isnan(paired.wilcoxon(np.zeros(5))[0])
    assert all(math.isnan(v) for v in paired.wilcoxon(np.array([NAN, NAN])))


def test_paired_t_by_hand():
    (low, high), p = paired.paired_t(np.array([1.0, 2.0, 3.0]))
    half = 4.302652729911275 * 1 / math.sqrt(3)  # t of 2 degrees of freedom
    assert (low, high) == pytest.approx((2 - half, 2 + half))
    assert p == pytest.approx(0.0741799)
    for few in ([1.0, 2.0], [2.0, 2.0, 2.0]):
        assert all(math.isnan(v) for v in (*paired.paired_t(np.array(few))[0], paired.paired_t(np.array(few))[1]))


def test_jackknife_of_a_mean_is_students_interval():
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 1, 20)
    left = (x.sum() - x) / 19
    found, p = paired.jackknife(float(x.mean()), left)
    expected, p_t = paired.paired_t(x)
    assert found == pytest.approx(expected)
    assert p == pytest.approx(p_t)


def test_jackknife_without_spread():
    assert paired.jackknife(0.0, np.zeros(20))[1] == 1
    assert math.isnan(paired.jackknife(0.5, np.full(20, 0.5))[1])
    assert math.isnan(paired.jackknife(0.5, np.array([0.1, NAN, 0.3]))[1])
    assert math.isnan(paired.jackknife(0.5, np.array([0.1, 0.3]))[1])


def test_many_jackknifes_at_once():
    rng = np.random.default_rng(1)
    left = rng.normal(size=(20, 4))
    left[:, 2], left[3, 3] = 0.5, np.nan
    values = np.array([0.1, -0.2, 0.5, 0.3])
    expected = [paired.jackknife(v, column)[0] for v, column in zip(values, left.T, strict=True)]
    assert paired.jackknife_ends(values, left) == pytest.approx(np.array(expected), nan_ok=True)


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 * .01, 2 * .03, and what is above never less
        ([0.02], [0.02]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([NAN, 0.01, 0.02], [NAN, 0.02, 0.02]),
        ([0.05, 0.05], [0.1, 0.1]),
        ([], []),
    ],
)
def test_holm(p, corrected):
    np.testing.assert_allclose(paired.holm(np.array(p, float)), corrected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_laws_of_holm(p):
    given_p = np.array(p)
    found = paired.holm(given_p)
    assert (found >= given_p).all()
    assert (found <= np.minimum(given_p * len(p), 1) + 1e-12).all()  # never stricter than Bonferroni
    assert (np.diff(found[np.argsort(given_p, kind="stable")]) >= 0).all()


def test_bootstrap_interval_by_hand():
    draws = np.arange(-10.0, 91.0)  # 101 of them: percentiles are at whole places
    (low, high), p = paired.bootstrap_interval(40.0, draws, level=0.9)
    assert (low, high) == pytest.approx((-5, 85))
    assert p == pytest.approx(2 * (11 + 1) / (101 + 1))  # eleven are 0 or less
    (low, high), _ = paired.bootstrap_interval(45.0, draws, recentred=True, level=0.9)
    assert (low, high) == pytest.approx((0, 90))


@pytest.mark.parametrize(
    ("value", "draws", "units", "p"),
    [
        (0.0, np.zeros(100), None, 1.0),  # the same answers everywhere
        (0.1, np.full(100, 0.1), None, NAN),
        (0.1, np.array([NAN] * 11 + [0.1, 0.2] * 44), None, NAN),  # more than one in ten undefined
        (NAN, np.arange(100.0), None, NAN),
        (0.5, np.arange(100.0), 9, NAN),  # too few units
    ],
)
def test_no_interval_without_spread_or_data(value, draws, units, p):
    (low, high), found = paired.bootstrap_interval(value, draws, units=units)
    assert math.isnan(low)
    assert math.isnan(high)
    assert found == pytest.approx(p, nan_ok=True)


@given(st.lists(st.floats(-1, 1), min_size=20, max_size=60), st.booleans())
def test_turning_the_question_round_mirrors_the_answer(draws, recentred):
    d = np.array(draws)
    value = float(d.mean())
    (low, high), p = paired.bootstrap_interval(value, d, recentred)
    (other_low, other_high), other_p = paired.bootstrap_interval(-value, -d, recentred)
    assert (other_low, other_high) == pytest.approx((-high, -low), nan_ok=True, abs=1e-12)
    assert other_p == pytest.approx(p, nan_ok=True)


def test_many_intervals_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(5, 400))
    draws[1, ::20] = NAN  # one in twenty undefined
    draws[2, ::5] = NAN
    draws[3] = 0.25
    values = np.array([0.1, 0.0, 0.2, 0.25, NAN])
    expected = [paired.bootstrap_interval(v, row, True)[0] for v, row in zip(values, draws, strict=True)]
    np.testing.assert_allclose(ends(values, draws.copy()), expected, rtol=1e-12)


SIMULATIONS = 1500


@pytest.mark.parametrize("true", [0.0, 0.05])
def test_intervals_of_paired_accuracies_cover_what_they_should(true):
    """1,500 data sets of 300 samples: intervals hold the true difference in 95 %; p is below 5 % in 5 % if it is 0."""
    rng = np.random.default_rng(2)
    hard = rng.random((300, SIMULATIONS))  # both models find the same samples hard
    right = hard + 0.4 * rng.random(hard.shape) < 0.8 + 1.0 * true
    other = hard + 0.4 * rng.random(hard.shape) < 0.8
    gap = right.astype(float) - other
    truth = true if true == 0 else float(_chance(0.8 + true) - _chance(0.8))
    draws = resampled_means(gap, 1000, seed=3)
    found = [paired.bootstrap_interval(float(v), d) for v, d in zip(gap.mean(axis=0), draws.T, strict=True)]
    inside = np.mean([low <= truth <= high for (low, high), _ in found])
    assert 0.93 < inside < 0.97
    alarms = np.mean([p < 0.05 for _, p in found])
    exact = [paired.mcnemar_exact(int((g > 0).sum()), int((g < 0).sum())) for g in gap.T]
    if true == 0:
        assert 0.03 < alarms < 0.07
        assert np.mean(np.array(exact) < 0.05) < 0.055  # the exact test never has too many
    else:
        assert alarms > 0.2
        assert np.mean(np.array(exact) < 0.05) > 0.2


def _chance(limit: float) -> float:
    """Chance that a sum of a number in 0..1 and one in 0..0.4 is below a limit in 0.4..1."""
    return limit - 0.2


def test_holm_keeps_the_chance_of_any_false_alarm():
    """Seven models no better than the baseline, 400 times: some p is below 5 % in a quarter of them, Holm's in 5 %."""
    rng = np.random.default_rng(4)
    plain, corrected = 0, 0
    for _ in range(400):
        base = rng.normal(size=40)
        p = np.array([paired.paired_t(base - rng.normal(size=40))[1] for _ in range(7)])
        plain += p.min() < 0.05
        corrected += paired.holm(p).min() < 0.05
    assert plain / 400 > 0.12
    assert corrected / 400 < 0.075
