import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics import ranks as ranks_module
from dashboard.metrics.ranking import Ranking, threshold_counts
from dashboard.metrics.ranks import rank_batches
from tests.metrics.cases import batch, multi, names, part, single


def test_by_hand_with_a_tie():
    # Class 1: positives 0.8 and 0.4, negatives 0.4 and 0.1. Pairs won: 2 + (0.5 + 1) of 4.
    out = ranked(batch([[0.2, 0.8], [0.6, 0.4], [0.6, 0.4], [0.9, 0.1]], [1, 1, 0, 0]), 2)
    table = out["per_class"].columns
    assert table["auroc"][1] == pytest.approx(3.5 / 4)
    # At 0.8: precision 1, recall 1/2. At 0.4: precision 2/3, recall 1. The tie is one step.
    assert table["average_precision"][1] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # Youden's J is 1/2 at 0.8 and 1 - 1/2 at 0.4: the higher of equals. F1 is 2/3 at 0.8 and 4/5 at 0.4.
    assert table["youden_threshold"][1] == 0.8
    assert table["best_f1_threshold"][1] == 0.4
    assert table["best_f1"][1] == pytest.approx(0.8)
    roc = out["roc"]
    np.testing.assert_allclose(roc.x[1], [0, 0, 0.5, 1])  # up to (0, 1/2), along the tie to (1/2, 1), on to (1, 1)
    np.testing.assert_allclose(roc.y[1], [0, 0.5, 1, 1])
    assert roc.thresholds[1].tolist() == [np.inf, 0.8, 0.4, 0]
    np.testing.assert_allclose(out["pr"].x[1], [0, 0.5, 1])
    np.testing.assert_allclose(out["pr"].y[1], [1, 1, 2 / 3])


def ranked(b, classes):
    metric = Ranking(names(classes))
    metric.update(b)
    return metric.compute()


def test_a_class_without_positives_or_negatives_is_undefined_and_in_no_average():
    out = ranked(batch([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2]], [0, 1]), 3)
    assert np.isnan(out["per_class"].columns["auroc"]).tolist() == [False, False, True]
    assert out["scores"].values["auroc_macro"] == 1
    only = ranked(batch([[0.5, 0.5], [0.1, 0.9]], [0, 0]), 2)
    assert np.isnan(list(only["scores"].values.values())).all()
    assert np.isnan(only["per_class"].columns["best_f1"]).all()
    assert len(only["roc"].x[0]) == 0


@pytest.mark.parametrize("make", [single, multi])
@pytest.mark.parametrize("ties", [False, True])
def test_chunks_strips_and_small_batches_change_nothing(make, ties, monkeypatch):
    whole = make(301, 7, ties=ties)
    expected = rank_batches([whole], 7)
    monkeypatch.setattr(ranks_module, "CHUNK", 70)
    monkeypatch.setattr(ranks_module, "STRIP", 3)
    monkeypatch.setattr(ranks_module, "GATHERED", 200)
    cuts = [part(whole, slice(0, 3)), part(whole, slice(3, 9), stored=True), part(whole, slice(9, 301))]
    for batches in ([whole], cuts):
        got = rank_batches(batches, 7)
        for name in ("scores", "owner", "below", "level", "reached"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        np.testing.assert_array_equal(got.micro.false, expected.micro.false)
        np.testing.assert_array_equal(got.micro.false_above, expected.micro.false_above)
        assert got.error == pytest.approx(expected.error)


@pytest.mark.parametrize("make", [single, multi])
def test_the_error_of_macro_auroc_is_the_bootstraps(make, monkeypatch):
    rows, classes = 400, 4
    b = make(rows, classes, seed=2)
    error = rank_batches([b], classes).error
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        again = rng.integers(0, rows, rows)
        draws.append(np.nanmean(rank_batches([batch(b.read()[again], b.targets[again], np.float32)], classes).auroc()))
    assert error == pytest.approx(np.std(draws), rel=0.12)
    monkeypatch.setattr(ranks_module, "JACKKNIFE", rows * classes // 2)  # looks at every second sample
    assert rank_batches([b], classes).error == pytest.approx(error, rel=0.15)


def test_stored_curves_are_short_and_keep_their_ends():
    out = ranked(single(5000, 3), 3)
    for curves in (out["roc"], out["pr"]):
        for x, y in zip(curves.x, curves.y, strict=True):
            assert len(x) == len(y) <= 200
            assert (x[0], x[-1]) == (0, 1)
    roc, pr = out["roc"], out["pr"]
    assert roc.labels == [*names(3), "macro average", "micro average"]
    for k, area in enumerate(roc.areas.values()):
        assert np.trapezoid(roc.y[k], roc.x[k]) == pytest.approx(area, abs=2e-3)
    for k, area in enumerate(pr.areas.values()):
        assert np.trapezoid(pr.y[k], pr.x[k]) == pytest.approx(area, abs=5e-3)


def test_roc_points_are_what_their_thresholds_give():
    b = single(400, 3, ties=True)
    out = ranked(b, 3)
    for k in range(3):
        scores, true = b.read()[:, k], b.targets == k
        for x, y, t in zip(out["roc"].x[k], out["roc"].y[k], out["roc"].thresholds[k], strict=True):
            assert (x, y) == pytest.approx(((scores[~true] >= t).mean(), (scores[true] >= t).mean()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.999, 1.0]), st.booleans()), max_size=30))
def test_threshold_counts(pairs):
    for dtype in (np.float32, np.float64):
        scores = np.array([s for s, _ in pairs], dtype)
        positive = np.array([p for _, p in pairs], bool)
        tp, fp = threshold_counts(scores, positive, grid=101)
        for j in range(101):
            passed = scores.astype(float) >= j / 100
            assert (tp[j], fp[j]) == ((passed & positive).sum(), (passed & ~positive).sum())
