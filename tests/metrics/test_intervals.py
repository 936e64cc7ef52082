import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.intervals import from_error, multinomial_bootstrap, normal_mean, wilson
from dashboard.metrics.ranking import Ranking


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
    assert np.isnan(from_error(1.0, 0.0, 0, 1)).all()  # no spread seen is not no spread
    assert np.isnan(from_error(0.5, 0.0, 0, 1)).all()
    assert np.isnan(from_error(np.nan, 0.1, 0, 1)).all()


def test_multinomial_bootstrap_of_a_proportion_is_nearly_wilsons():
    ends = multinomial_bootstrap(np.array([300, 700]), lambda c: np.array([c[0] / c.sum(), 1.0]), 4000)
    np.testing.assert_allclose(ends[0], wilson(300, 1000), atol=0.004)
    assert ends[1].tolist() == [1, 1]


@pytest.mark.parametrize(("each", "expected"), [(1, False), (12, True)])
def test_no_interval_of_a_mean_over_classes_with_few_samples_a_class(each, expected):
    """One sample a class: the spread inside a class cannot be seen, so 0.8 +- 0.000 would be a false claim."""
    classes = 20
    labels = np.repeat(np.arange(classes), each)
    predicted = np.where(np.arange(len(labels)) % 5 == 0, (labels + 1) % classes, labels)
    scores = np.full((len(labels), classes), 0.01, np.float32)
    scores[np.arange(len(labels)), predicted] = 0.81
    batch = ClassificationBatch([str(i) for i in range(len(labels))], scores, labels)
    found = {}
    for metric in (Confusion([str(k) for k in range(classes)]), Ranking([str(k) for k in range(classes)])):
        metric.update(batch)
        found |= metric.compute()["scores"].intervals
    assert np.isfinite(found["top1"]).all()
    for name in ("balanced_accuracy", "f1_macro", "auroc_macro"):
        assert (name in found and np.isfinite(found[name]).all()) == expected, name
