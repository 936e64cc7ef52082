"""Costs by hand, against brute force, and against scikit-learn's confusion matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from dashboard.metrics import costs
from dashboard.metrics.costs import FEW, THRESHOLDS, G, Prices, choose, ladder, of_answers, of_class, sample_costs
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.detection.matching import match
from dashboard.metrics.detection.operating import Point, counts
from tests.objects import scenes


def one(false_positive: float, miss: float, abstain: float | None = None, classes: int = 1) -> Prices:
    return Prices(np.full(classes, false_positive), np.full(classes, miss), abstain)


def at(threshold: float) -> int:
    return int(np.flatnonzero(threshold == THRESHOLDS)[0])


# Scores .9 (of the class), .6 (not), .4 (of it), .1 (not): a false positive costs 1, a miss 3.
BY_HAND = [
    (0.0, 2.0),  # both others accepted
    (0.1, 2.0),  # a score at the threshold is accepted
    (0.2, 1.0),
    (0.5, 1.0 + 3.0),  # .6 accepted wrongly, .4 missed
    (0.7, 3.0),
    (0.95, 6.0),
    (math.inf, 6.0),
]


@pytest.mark.parametrize(("threshold", "cost"), BY_HAND)
def test_one_class_by_hand(threshold: float, cost: float) -> None:
    events = of_class(np.array([0.9, 0.6, 0.4, 0.1]), np.array([True, False, True, False]))
    found = ladder(events, np.array([0, 1, 0, 1])).costs(one(1, 3)).sum(axis=(0, 1))
    assert found[at(threshold)] == cost
    assert sample_costs(events, one(1, 3), np.full(4, threshold)).sum() == cost


# Truth 0, 0, 1; answers 0 (.9), 1 (.7), 1 (.5). A false positive of class 1 costs 5, else 1; misses 2 and 3.
ANSWERS = [
    (None, 0.0, 5.0 + 2.0),  # the wrong answer is a false positive of 1 and a miss of 0
    (None, 0.6, 5.0 + 2.0 + 3.0),  # the last is withheld: a miss of 1
    (None, 0.8, 2.0 + 3.0),
    (0.5, 0.6, 5.0 + 2.0 + 0.5),
    (0.5, 0.8, 0.5 + 0.5),
    (0.5, math.inf, 1.5),
]


@pytest.mark.parametrize(("abstain", "threshold", "cost"), ANSWERS)
def test_answers_given_or_withheld(abstain: float | None, threshold: float, cost: float) -> None:
    events = of_answers(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0.9, 0.7, 0.5]), 2)
    prices = Prices(np.array([1.0, 5.0]), np.array([2.0, 3.0]), abstain)
    assert ladder(events, np.array([0, 1, 1])).costs(prices).sum(axis=(0, 1))[at(threshold)] == cost
    assert sample_costs(events, prices, np.full(3, threshold)).sum() == cost


def test_the_most_probable_class_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    matrix = confusion_matrix(labels, predicted)
    wrong, miss = np.array([1.0, 2, 3, 4]), np.array([7.0, 1, 5, 2])
    off = matrix - np.diag(matrix.diagonal())
    events = of_answers(labels, predicted, rng.random(300), 4)
    found = ladder(events, np.zeros(300, np.int64)).costs(Prices(wrong, miss)).sum(axis=(0, 1))
    assert found[0] == pytest.approx((off.sum(axis=0) * wrong).sum() + (off.sum(axis=1) * miss).sum())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([np.float32, np.float64]), st.integers(1, 60))
def test_every_threshold_is_what_brute_force_counts(seed: int, dtype: type, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random(n) < 0.3, rng.integers(0, 1001, n) / 1000, rng.random(n)).astype(dtype)
    positive, half = rng.random(n) < 0.4, rng.integers(0, 2, n)
    events, prices = of_class(scores, positive), one(*rng.random(2))
    curve = ladder(events, half).costs(prices)[:, 0]
    for t in rng.choice(len(THRESHOLDS), 12):
        kept = scores.astype(np.float64) >= THRESHOLDS[t]
        each = prices.false_positive[0] * (kept & ~positive) + prices.miss[0] * (~kept & positive)
        np.testing.assert_allclose(curve[:, t], np.bincount(half, each, 2), atol=1e-9)
        np.testing.assert_allclose(sample_costs(events, prices, np.full(n, THRESHOLDS[t])), each)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("confidence", [0.0, 0.25, 0.5, 0.9])
def test_objects_are_counted_as_at_the_operating_point(seed: int, confidence: float) -> None:
    batch: DetectionBatch = scenes(12, 3, seed)
    matches = match(batch)
    classes = 1 + int(max(batch.found.classes.max(initial=0), batch.truth.classes.max(initial=0)))
    _, fp, fn = counts(matches, Point(confidence), classes)
    found = ladder(costs.of_objects(matches, len(batch), classes), np.zeros(len(batch), np.int64))
    k = at(confidence)
    assert found.wrong[0, :, k].tolist() == fp.tolist()
    assert (found.missed + found.dropped)[0, :, k].tolist() == fn.tolist()
    for label in range(classes):
        alone = ladder(
            costs.only(costs.of_objects(matches, len(batch), classes), label), np.zeros(len(batch), np.int64)
        )
        assert alone.wrong[0, 0, k] == fp[label]
        assert (alone.missed + alone.dropped)[0, 0, k] == fn[label]


def test_of_equal_costs_the_nearest_to_the_present_is_taken() -> None:
    curve = np.ones((2, len(THRESHOLDS)))
    curve[:, 200:400] = 0
    samples = np.array([50, 50])
    assert float(choose(curve, np.ones(2), samples, 0.3).threshold) == 0.3
    assert float(choose(curve, np.ones(2), samples, 0.9).threshold) == 0.399
    assert float(choose(curve, np.ones(2), samples, 0.0).threshold) == 0.2


@pytest.mark.parametrize(("now", "threshold", "cost"), [(2, np.nan, 4 / 60), (3, 0.4, 5 / 60)])
def test_what_there_is_now_stays_where_no_threshold_is_cheaper(now: float, threshold: float, cost: float) -> None:
    curve = np.full((2, G), 9.0)
    curve[:, 400] = 2.5
    found = choose(curve, np.full(2, now), np.array([30, 30]), 0.5, rule=True)
    np.testing.assert_array_equal(found.threshold, threshold)
    np.testing.assert_array_equal(found.halves, [threshold] * 2)
    assert float(found.cost) == float(found.fitted) == pytest.approx(cost)
    assert float(found.gain) >= 0
    kept = choose(curve, np.full(2, 2.0), np.array([30, 30]), np.array(0.123456))
    assert float(kept.threshold) == 0.123456  # between the steps


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
def test_the_unit_of_prices_does_not_matter(unit: float) -> None:
    rng = np.random.default_rng(0)
    events = of_class(rng.random(200), rng.random(200) < 0.3)
    counted = ladder(events, np.arange(200) % 2)
    found, plain = (
        choose(counted.costs(one(p, 3 * p))[:, 0], np.full(2, 100 * p), counted.samples, 0.5) for p in (unit, 1)
    )
    assert float(found.threshold) == float(plain.threshold)
    assert found.halves.tolist() == plain.halves.tolist()


def test_cross_fitting_judges_each_half_by_the_other() -> None:
    curve = np.full((2, len(THRESHOLDS)), 10.0)
    curve[0, 100], curve[1, 100] = 0, 9  # the first half would choose .1, where the second pays 9
    curve[1, 900], curve[0, 900] = 0, 8
    found = choose(curve, np.array([10.0, 10.0]), np.array([40, 60]), 0.5)
    assert found.halves.tolist() == [0.9, 0.1]
    assert float(found.fitted) == (8 + 9) / 100
    assert float(found.cost) == 8 / 100
    assert float(found.now) == 20 / 100
    assert float(found.fitted_gain) == pytest.approx(0.03)
    few = choose(curve, np.array([10.0, 10.0]), np.array([FEW - 1, 60]), 0.5)
    assert np.isnan(few.fitted)


def test_without_signal_the_chosen_threshold_looks_better_than_it_is() -> None:
    """Of scores that say nothing the best threshold still seems to save; cross-fitted, on average, it does not."""
    seeming, real = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        events = of_class(rng.random(200), rng.random(200) < 0.5)
        half = rng.integers(0, 2, 200)
        counted, prices = ladder(events, half), one(1, 1)
        now = np.bincount(half, sample_costs(events, prices, np.full(200, 0.5)), 2)
        found = choose(counted.costs(prices)[:, 0], now, counted.samples, 0.5)
        seeming.append(float(found.gain))
        real.append(float(found.fitted_gain))
    assert np.mean(seeming) > 0.03
    assert abs(np.mean(real)) < 0.012


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_prices_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="prices"):
        one(bad, 1)
    with pytest.raises(ValueError, match="prices"):
        one(1, 1, abstain=bad)


def test_the_interval_of_a_saving() -> None:
    saved = np.array([0.0, 1.0] * 50)
    low, high = costs.mean_interval(saved)
    half = 1.959964 * saved.std(ddof=1) / 10
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert np.isnan(costs.mean_interval(np.ones(50))).all()
    assert np.isnan(costs.mean_interval(saved[:10])).all()
