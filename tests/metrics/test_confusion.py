import numpy as np
import pytest

from dashboard.metrics.confusion import (
    Confusion,
    averages,
    cohen_kappa,
    delta_intervals,
    mcc,
    per_class_rates,
    thresholded,
)
from dashboard.metrics.intervals import multinomial_bootstrap
from tests.metrics.cases import batch, names, single


def test_rates_by_hand():
    # Class 0: right twice of three. Class 1 was never predicted, class 2 never the truth, class 3 occurs nowhere.
    counts = np.array([[2, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    rates = per_class_rates(counts)
    assert rates["support"].tolist() == [3, 1, 0, 0]
    assert rates["predicted"].tolist() == [3, 0, 1, 0]
    np.testing.assert_allclose(rates["precision"], [2 / 3, np.nan, 0, np.nan])
    np.testing.assert_allclose(rates["recall"], [2 / 3, 0, np.nan, np.nan])
    np.testing.assert_allclose(rates["f1"], [2 / 3, 0, 0, np.nan])
    np.testing.assert_allclose(rates["specificity"], [0, 1, 3 / 4, np.nan])
    values = averages(rates, 2)
    # Over the three classes that occur, 0/0 counting 0.
    assert values["precision_macro"] == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert values["recall_macro"] == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert values["balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)  # classes 0 and 1 only: class 2 has no truth
    assert values["f1_weighted"] == pytest.approx(2 / 3 * 3 / 4)
    assert values["precision_micro"] == values["recall_micro"] == values["f1_micro"] == 0.5
    assert values["specificity_macro"] == pytest.approx((0 + 1 + 3 / 4) / 3)


def test_chance_corrected_agreement_by_hand():
    counts = np.array([[40, 10], [20, 30]])
    assert cohen_kappa(counts) == pytest.approx((0.7 - 0.5) / 0.5)  # chance: .5 * .6 + .5 * .4
    assert mcc(counts) == pytest.approx((40 * 30 - 10 * 20) / np.sqrt(60 * 50 * 40 * 50))
    one_class = np.array([[5, 0], [0, 0]])
    assert np.isnan(cohen_kappa(one_class))
    assert np.isnan(mcc(one_class))
    assert np.isnan(mcc(np.array([[3, 0], [2, 0]])))  # one class predicted: undefined, where sklearn says 0


def test_top_k_and_its_intervals():
    scores = np.tile([0.4, 0.3, 0.1, 0.08, 0.07, 0.05], (6, 1))
    metric = Confusion(names(6))
    metric.update(batch(scores, np.arange(6)))
    scalars = metric.compute()["scores"]
    assert scalars.values["top1"] == pytest.approx(1 / 6)
    assert scalars.values["top5"] == pytest.approx(5 / 6)
    assert scalars.intervals["top5"][0] < 5 / 6 < scalars.intervals["top5"][1]


def test_fewer_than_five_classes_are_all_in_the_top_five():
    metric = Confusion(names(3))
    metric.update(single(20, 3))
    assert metric.compute()["scores"].values["top5"] == 1


def test_single_sample_leaves_what_it_cannot_know_undefined():
    metric = Confusion(names(3))
    metric.update(batch([[0.8, 0.1, 0.1]], [0]))
    values = metric.compute()["scores"].values
    assert values["top1"] == values["f1_macro"] == values["balanced_accuracy"] == 1
    assert np.isnan([values["mcc"], values["cohen_kappa"], values["specificity_macro"]]).all()


NAMES = ("balanced_accuracy", "f1_macro", "mcc", "cohen_kappa")


@pytest.mark.parametrize(("classes", "rows", "diagonal"), [(2, 400, 300), (5, 2000, 300), (40, 8000, 150)])
def test_delta_intervals_are_the_bootstraps_at_a_fraction_of_its_cost(classes, rows, diagonal):
    rng = np.random.default_rng(classes)
    p = rng.gamma(1, 1, (classes, classes)) * rng.gamma(5, 1, (classes, 1)) + np.eye(classes) * diagonal / 10
    counts = rng.multinomial(rows, (p / p.sum()).ravel()).reshape(classes, classes)
    cells = np.flatnonzero(counts)

    def statistics(resampled):
        c = np.zeros(classes * classes, np.int64)
        c[cells] = resampled
        c = c.reshape(classes, classes)
        values = averages(per_class_rates(c), int(c.trace()))
        return np.array([values["balanced_accuracy"], values["f1_macro"], mcc(c), cohen_kappa(c)])

    ends = multinomial_bootstrap(counts.ravel()[cells], statistics, 800)
    got = delta_intervals(counts, dict(zip(NAMES, statistics(counts.ravel()[cells]), strict=True)))
    for name, (low, high) in zip(NAMES, ends, strict=True):
        width = high - low
        assert got[name][1] - got[name][0] == pytest.approx(width, rel=0.12), name
        np.testing.assert_allclose(got[name], (low, high), atol=0.2 * width, err_msg=name)


def test_thresholded_by_hand():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    counts, rates = thresholded(labels, predicted, np.array([0.9, 0.6, 0.5, 0.3]), 0.5, 2)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1]]  # 0.5 itself stands, 0.3 is rejected
    np.testing.assert_allclose(rates["precision"], [1, 1 / 2])
    np.testing.assert_allclose(rates["recall"], [1 / 2, 1 / 2])  # the rejected one is a miss
    np.testing.assert_allclose(rates["f1"], [2 / 3, 1 / 2])
    counts, rates = thresholded(labels, predicted, np.array([0.9, 0.6, 0.5, 0.3]), 0.95, 2)
    assert counts[:, 2].tolist() == [2, 2]
    assert np.isnan(rates["precision"]).all()
    assert rates["f1"].tolist() == [0, 0]


def test_threshold_zero_is_the_plain_confusion_matrix():
    b = single(200, 4)
    metric = Confusion(names(4))
    metric.update(b)
    counts, rates = thresholded(b.targets, b.summary.predicted, b.summary.confidence, 0, 4)
    np.testing.assert_array_equal(counts[:, :4], metric.compute()["confusion"].counts)
    for name, column in metric.compute()["per_class"].columns.items():
        np.testing.assert_array_equal(column, rates[name])
