"""Slices by hand, against scipy, and by simulation: noise is not a finding, a planted slice is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dashboard.metrics.slices import (
    LEVEL,
    Attribute,
    Slice,
    against_rest,
    against_run,
    explained,
    quantile_codes,
    slices_of,
    worst_first,
)


def named(name: str, codes: list[int] | np.ndarray, bins: int) -> Attribute:
    return Attribute(name, np.asarray(codes), [f"{name}{k}" for k in range(bins)])


def first(n: int, of: str = "part") -> Slice:
    return Slice(((of, "x"),), np.arange(n))


def drawn(seed: int, n: int) -> list[Attribute]:
    """Six attributes of four bins and a class of ten, without any meaning."""
    rng = np.random.default_rng(seed)
    return [*(named(f"a{k}", rng.integers(0, 4, n), 4) for k in range(6)), named("class", rng.integers(0, 10, n), 10)]


@pytest.mark.parametrize(
    ("values", "codes", "ends"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 1, 1, 2, 2, 3, 3], [(1, 2), (3, 4), (5, 6), (7, 8)]),
        ([8, 1, 6, 3, 2, 4, 7, 5], [3, 0, 2, 1, 0, 1, 3, 2], [(1, 2), (3, 4), (5, 6), (7, 8)]),
        ([1, 1, 1, 1, 5], [0, 0, 0, 0, 1], [(1, 1), (5, 5)]),  # a value that most have is a bin of its own
        ([5, 1, 5, 9, 5, 5], [1, 0, 1, 2, 1, 1], [(1, 1), (5, 5), (9, 9)]),
        ([0] * 40 + list(range(1, 61)), [0] * 40 + [1] * 30 + [2] * 30, [(0, 0), (1, 30), (31, 60)]),
        ([0] * 90 + list(range(1, 11)), [0] * 90 + [1] * 10, [(0, 0), (1, 10)]),
        ([3, np.nan, 3], [0, -1, 0], [(3, 3)]),
        ([np.nan, np.inf], [-1, -1], []),
        ([], [], []),
    ],
)
def test_quantile_bins(values: list[float], codes: list[int], ends: list[tuple[float, float]]) -> None:
    found, of = quantile_codes(np.array(values, np.float64))
    assert found.tolist() == codes
    assert [tuple(x) for x in of.tolist()] == ends


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.integers(0, 6), st.floats(-5, 5)), max_size=80), st.integers(1, 6))
def test_bins_part_the_values_in_order(values: list[float], most: int) -> None:
    numbers = np.array(values, np.float64)
    codes, ends = quantile_codes(numbers, most)
    assert (np.unique(codes) == np.arange(len(ends))).all()
    assert (ends[1:, 0] > ends[:-1, 1]).all()
    for k, (low, high) in enumerate(ends.tolist()):
        own = numbers[codes == k]
        assert (own.min(), own.max()) == (low, high)
        assert low == high or len(own) <= 2 * len(numbers) / most + 1


def test_slices_have_enough_samples_in_and_out() -> None:
    a, b = named("a", [0] * 6 + [1] * 4, 2), named("b", [0, 0, 0, 1, 1, 1, -1, 0, 0, 0], 2)
    found = slices_of([a, b], smallest=3)
    said = {" & ".join(v for _, v in s.conditions): s.rows.tolist() for s in found}
    assert said == {
        "a0": [0, 1, 2, 3, 4, 5],
        "a1": [6, 7, 8, 9],
        "b0": [0, 1, 2, 7, 8, 9],
        "b1": [3, 4, 5],  # with a0 it would be the same samples again
        "a0 & b0": [0, 1, 2],
        "a1 & b0": [7, 8, 9],
    }
    assert all(len(s.conditions) == 1 for s in slices_of([a, b], smallest=3, pairs=False))


def test_right_or_wrong_is_fishers_exact_test() -> None:
    scores = np.array([1.0] * 12 + [0.0] * 18 + [1.0] * 60 + [0.0] * 10)
    found = against_rest(scores, [first(30)])
    table = [[12, 18], [60, 10]]
    smaller = min(stats.fisher_exact(table, "less").pvalue, stats.fisher_exact(table, "greater").pvalue)
    assert found.p[0] == pytest.approx(min(1, 2 * smaller))
    assert found.mean[0] == pytest.approx(0.4)
    assert found.rest[0] == pytest.approx(6 / 7)
    assert (found.low[0], found.high[0]) == pytest.approx(
        tuple(stats.binomtest(12, 30).proportion_ci(method="wilson")), abs=1e-9
    )
    low, high = found.gap_low[0], found.gap_high[0]
    assert low < 0.4 - 6 / 7 < high < 0


def test_newcombes_interval_as_published() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 is .0524 to .3339."""
    scores = np.array([1.0] * 56 + [0.0] * 14 + [1.0] * 48 + [0.0] * 32)
    found = against_rest(scores, [first(70)])
    assert (found.gap_low[0], found.gap_high[0]) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_other_scores_have_students_and_welchs_intervals() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=120)
    found = against_rest(scores, [first(40)])
    own = stats.t.interval(0.95, 39, scores[:40].mean(), stats.sem(scores[:40]))
    assert (found.low[0], found.high[0]) == pytest.approx(own)
    welch = stats.ttest_ind(scores[:40], scores[40:], equal_var=False).confidence_interval()
    assert (found.gap_low[0], found.gap_high[0]) == pytest.approx((welch.low, welch.high))


SCORES = {
    "normal": lambda rng: rng.normal(size=200),
    "skewed": lambda rng: rng.exponential(size=200),
    "mostly one": lambda rng: np.where(rng.random(200) < 0.7, 1.0, rng.random(200)),
    "far out": lambda rng: np.where(np.arange(200) < 5, 100.0, rng.normal(30, 3, 200)),  # PSNR, five pictures perfect
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", SCORES)
def test_the_permutation_p_value(kind: str, seed: int) -> None:
    """Against scipy's test by random draws of the same size."""
    rng = np.random.default_rng(seed)
    scores = SCORES[kind](rng)
    rows = np.sort(np.argsort(scores)[rng.permutation(160)[:25]])  # of the lower ones: worse than chance
    found = against_rest(scores, [Slice((("a", "x"),), rows)])
    rest = np.setdiff1d(np.arange(200), rows)
    expected: Any = stats.permutation_test(
        (scores[rows], scores[rest]), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        vectorized=True, n_resamples=20_000, rng=seed,
    )  # fmt: skip
    assert found.p[0] == pytest.approx(expected.pvalue, rel=0.3, abs=5e-4)


@pytest.mark.parametrize("start", [90, 110, 130, 150])
def test_tails_where_a_few_values_lie_far_out(start: int) -> None:
    """Of twenty pictures without any of the rare perfect ones: as often as in forty thousand draws."""
    rng = np.random.default_rng(0)
    scores = np.where(np.arange(400) < 8, 100.0, rng.normal(30, 1, 400))
    worst = np.sort(np.argsort(scores)[start : start + 40 : 2])
    found = against_rest(scores, [Slice((("a", "x"),), worst)])
    draws = np.array([scores[rng.permutation(400)[:20]].mean() for _ in range(40_000)])
    expected = 2 * (draws <= found.mean[0]).mean()
    assert 1e-4 < expected < 0.6
    assert found.p[0] == pytest.approx(expected, rel=0.25, abs=3e-4)


def test_a_slice_of_perfect_scores_only_is_counted_exactly() -> None:
    scores = np.append(np.ones(60), np.linspace(0, 0.9, 40))
    found = against_rest(scores, [first(20)])
    assert found.p[0] == pytest.approx(2 * float(stats.hypergeom.pmf(20, 100, 60, 20)))
    assert against_rest(-scores, [first(20)]).p[0] == pytest.approx(found.p[0])


@pytest.mark.parametrize("far", [0.0, 1e6, -1e6])
@pytest.mark.parametrize("times", [1e-9, 1.0, 1e9])
def test_units_do_not_matter(times: float, far: float) -> None:
    rng = np.random.default_rng(1)
    scores = np.round(rng.random(120), 3)
    plain, other = (against_rest(x, [first(40)]) for x in (scores, (scores + far) * times))
    assert other.p[0] == pytest.approx(plain.p[0], rel=1e-4)
    assert other.gap_low[0] / times == pytest.approx(plain.gap_low[0], rel=1e-4)


@pytest.mark.parametrize("value", [0.5, 0.1, 1e-9, 33.3])
def test_equal_scores_are_no_finding(value: float) -> None:
    found = against_rest(np.full(100, value), [first(30)])
    assert not found.worse[0]
    assert np.isnan(found.p[0])
    assert found.gap[0] == pytest.approx(0)
    assert np.isnan([found.low[0], found.high[0], found.gap_low[0], found.gap_high[0]]).all()


def test_a_slice_of_equal_scores_among_others_has_no_interval_of_its_own() -> None:
    scores = np.append(np.full(30, 0.1), np.linspace(0.2, 0.8, 70))
    found = against_rest(scores, [first(30), Slice((("a", "y"),), np.arange(30, 100))])
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert found.gap_low[0] < found.gap[0] < found.gap_high[0] < 0
    assert found.gap_low[1] == pytest.approx(-found.gap_high[0])
    assert found.worse[0]


def test_all_right_and_all_wrong() -> None:
    for value in (0.0, 1.0):
        assert against_rest(np.full(100, value), [first(30)]).p[0] == 1


def test_no_sample_has_a_score() -> None:
    found = against_rest(np.full(50, np.nan), [first(30)])
    assert found.n[0] == 0
    assert np.isnan([found.mean[0], found.rest[0], found.gap[0], found.p[0]]).all()
    assert len(against_rest(np.ones(3), []).p) == 0


def test_samples_without_a_score_are_left_out() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(100)
    scores[[1, 50]] = np.nan
    found = against_rest(scores, [first(40)])
    assert found.n[0] == 39
    assert found.mean[0] == pytest.approx(np.nanmean(scores[:40]))
    few = against_rest(np.where(np.arange(100) < 30, np.nan, scores), [first(40)])
    assert few.n[0] == 10
    assert np.isnan(few.p[0])
    assert np.isnan(few.p_holm[0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_a_slice_and_the_rest_mirror_each_other(seed: int, binary: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 2, 90).astype(float) if binary else rng.random(90)
    rows = np.sort(rng.permutation(90)[: int(rng.integers(20, 71))])
    rest = np.setdiff1d(np.arange(90), rows)
    found = against_rest(scores, [Slice((("a", "x"),), rows), Slice((("a", "y"),), rest)])
    assert found.gap[0] == pytest.approx(-found.gap[1])
    assert found.p[0] == pytest.approx(found.p[1], rel=1e-4)
    assert found.gap_low[0] == pytest.approx(-found.gap_high[1], nan_ok=True)


def without_effect(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    if kind == "far out":
        return np.where(rng.random(n) < 0.02, 100.0, rng.normal(30, 3, n))
    if kind == "heavy tail":
        return -rng.lognormal(0, 1.5, n)
    if kind == "skewed":
        return np.where(rng.random(n) < 0.5, 1.0, rng.beta(5, 1, n))
    return (rng.random(n) < {"right or wrong": 0.7, "rarely wrong": 0.95}[kind]).astype(float)


@pytest.mark.parametrize(
    ("kind", "smallest"),
    [
        ("right or wrong", 20),
        ("rarely wrong", 20),
        ("skewed", 20),
        ("far out", 20),
        ("heavy tail", 20),
        ("heavy tail", 5),
    ],
)
def test_without_effect_hardly_anything_is_found(kind: str, smallest: int) -> None:
    """Over 120 data sets of some 130 slices each, at most 5 % have any finding (3 standard errors allowed)."""
    times, false = 120, 0
    for seed in range(times):
        rng = np.random.default_rng(10_000 + seed)
        found = against_rest(without_effect(kind, rng, 300), slices_of(drawn(seed, 300), smallest), smallest)
        assert len(found.p) > 30
        false += bool((found.p_holm < LEVEL).any())
    assert false / times <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / times) ** 0.5


@pytest.mark.parametrize("binary", [True, False])
def test_a_planted_slice_is_found(binary: bool) -> None:
    """A pair of attributes under which accuracy falls from .9 to .5, in 60 data sets of 1000 samples."""
    hit = 0
    for seed in range(60):
        attributes, rng = drawn(seed, 1000), np.random.default_rng(seed)
        bad = (attributes[0].codes == 1) & (attributes[3].codes == 2)
        chance = np.where(bad, 0.5, 0.9)
        scores = (rng.random(1000) < chance).astype(float) if binary else np.clip(rng.normal(chance, 0.2), 0, 1)
        slices = slices_of(attributes)
        found = against_rest(scores, slices)
        order = worst_first(found, explained(scores, slices, found.worse))
        hit += found.worse[order[0]] and slices[order[0]].conditions == (("a0", "a01"), ("a3", "a32"))
    assert hit >= 54


def test_a_pair_is_explained_by_its_part() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, 2000), rng.integers(0, 2, 2000)
    scores = (rng.random(2000) < np.where(a == 1, 0.6, 0.9)).astype(float)
    slices = slices_of([named("a", a, 2), named("b", b, 2)])
    found = against_rest(scores, slices)
    besides = explained(scores, slices, found.worse)
    bad = {s.conditions: bool(x) for s, x, w in zip(slices, besides, found.worse, strict=True) if w}
    assert bad[(("a", "a1"),)] is False
    assert bad[(("a", "a1"), ("b", "b0"))] is True
    assert bad[(("a", "a1"), ("b", "b1"))] is True
    assert slices[worst_first(found, besides)[0]].conditions == (("a", "a1"),)


def test_runs_are_compared_in_pairs() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(80)
    run = base + np.where(np.arange(80) < 40, 0.1, 0) + rng.normal(0, 0.05, 80)
    run[0] = np.nan
    found = against_run(run, base, [first(40), Slice((("a", "y"),), np.arange(40, 80))])
    test = stats.ttest_rel(run[1:40], base[1:40])
    assert found.n.tolist() == [39, 40]
    assert found.p[0] == pytest.approx(test.pvalue, rel=0.5)  # Student's, or a larger one where differences are skewed
    assert found.p[0] >= test.pvalue * (1 - 1e-9)
    interval = test.confidence_interval()
    assert (found.low[0], found.high[0]) == pytest.approx((interval.low, interval.high))
    assert found.p_holm[0] == pytest.approx(min(1, 2 * found.p[0]))
    assert found.p[1] > 0.01


def test_right_and_wrong_runs_are_compared_by_mcnemar() -> None:
    run = np.array([1.0] * 30 + [0.0] * 10)
    base = np.array([1.0] * 20 + [0.0] * 18 + [1.0] * 2)
    found = against_run(run, base, [first(40)])
    only_run, only_base = int(((run == 1) & (base == 0)).sum()), int(((run == 0) & (base == 1)).sum())
    assert (only_run, only_base) == (10, 2)
    assert found.p[0] == pytest.approx(stats.binomtest(2, 12).pvalue)


def test_a_skewed_difference_is_held_back() -> None:
    """Of 30 differences from an exponential distribution with mean 0: p below .002 hardly more often than it may be."""
    rng, times = np.random.default_rng(0), 3000
    differences = rng.exponential(size=(times, 30)) - 1
    assert (stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.002).mean() > 0.008
    found = against_run(differences.ravel(), np.zeros(30 * times), [
        Slice((("a", str(k)),), np.arange(30 * k, 30 * k + 30)) for k in range(times)
    ])  # fmt: skip
    assert (found.p < 0.002).mean() < 0.005


def test_johnsons_correction_by_hand() -> None:
    """Of 0, 0, 0, 4: mean 1, variance 4, third central moment 24 * 4 / 6 = 16, so t = 1 + 16 / 96 + 16 / 48 = 1.5."""
    found = against_run(np.array([0, 0, 0, 4.0]), np.zeros(4), [first(4)], smallest=3)
    assert found.p[0] == pytest.approx(max(2 * stats.t.sf(1, 3), 2 * stats.t.sf(1.5, 3)))
    flipped = against_run(np.array([0.1, 0.1, 0.1, -3.9]), np.zeros(4), [first(4)], smallest=3)
    assert flipped.p[0] > 2 * stats.t.sf(0.9, 3)
