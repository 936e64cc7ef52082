import numpy as np
import pytest
from scipy import stats

from dashboard.metrics import scan
from dashboard.metrics.batch import ClassificationBatch, sample_rows
from dashboard.metrics.calibration import Calibration
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.ranking import Ranking
from tests.metrics.cases import Stored, batch, multi, names, single


def test_single_label_columns_by_hand():
    b = batch(
        [
            [0.5, 0.3, 0.2],  # right
            [0.5, 0.3, 0.2],  # truth is second: rank 1
            [0.4, 0.4, 0.2],  # a tie at the top, truth is the lower index: right
            [0.4, 0.4, 0.2],  # the same, truth is the higher index: wrong, rank 1
            [0.0, 0.0, 1.0],  # a tie at the bottom: rank 2 for class 1, as class 0 comes before it
        ],
        [0, 1, 0, 1, 1],
    )
    rows = sample_rows(b)
    assert rows["predicted"].tolist() == [0, 0, 0, 0, 2]
    assert rows["rank"].tolist() == [0, 1, 0, 1, 2]
    assert rows["correct"].tolist() == [True, False, True, False, False]
    np.testing.assert_allclose(rows["confidence"], [0.5, 0.5, 0.4, 0.4, 1])
    np.testing.assert_allclose(rows["true_score"], [0.5, 0.3, 0.4, 0.4, 0])
    np.testing.assert_allclose(rows["margin"], [0.2, -0.2, 0, 0, -1], atol=1e-12)
    # (0.5-1)^2 + 0.3^2 + 0.2^2; 0.5^2 + (0.3-1)^2 + 0.2^2; ...
    np.testing.assert_allclose(rows["brier"], [0.38, 0.78, 0.56, 0.56, 2])
    np.testing.assert_allclose(rows["entropy"], stats.entropy(b.read(), axis=1), atol=1e-12)
    np.testing.assert_allclose(rows["bce"][0], -(np.log(0.5) + np.log(0.7) + np.log(0.8)) / 3)


def test_multi_label_columns_by_hand():
    b = batch(
        [[0.9, 0.2, 0.6], [0.4, 0.1, 0.7], [0.4, 0.1, 0.7], [0.9, 0.8, 0.5]],
        np.array([[1, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]], bool),
    )
    rows = sample_rows(b)
    assert rows["predicted_count"].tolist() == [2, 1, 1, 3]  # 0.5 itself counts as decided for
    assert rows["label_count"].tolist() == [1, 0, 3, 3]
    np.testing.assert_allclose(rows["hamming"], [1 / 3, 1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(
        rows["margin"], [0.9 - 0.6, np.nan, np.nan, np.nan]
    )  # no true, no false labels: undefined
    np.testing.assert_allclose(rows["brier"][0], (0.1**2 + 0.2**2 + 0.6**2) / 3)
    np.testing.assert_allclose(rows["bce"][0], -(np.log(0.9) + np.log(0.8) + np.log(0.4)) / 3)
    assert rows["correct"].tolist() == [False, False, False, True]


def test_two_classes_halve_brier_and_one_class_has_no_margin():
    assert batch([[0.7, 0.3]], [1]).summary.brier[0] == pytest.approx(0.49)  # 0.7^2, not 0.7^2 + 0.7^2
    alone = sample_rows(batch([[1.0]], [0]))
    assert np.isnan(alone["margin"][0])
    assert alone["rank"][0] == alone["predicted"][0] == 0


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 7, 8, 300, 2100])
def test_ranks_agree_with_a_stable_sort(classes, ties):
    b = single(60, classes, seed=classes, ties=ties)
    order = np.argsort(-b.read(), axis=1, kind="stable")
    expected = (order == b.targets[:, None]).argmax(axis=1)
    np.testing.assert_array_equal(b.summary.rank, expected)


@pytest.mark.parametrize("make", [single, multi])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_and_threads_change_nothing(make, dtype, monkeypatch):
    whole = sample_rows(make(97, 5, dtype=dtype))
    monkeypatch.setattr(scan, "BLOCK", 20)
    monkeypatch.setattr(scan, "THREADS", 3)
    monkeypatch.setattr(scan, "spans", lambda rows, _: [slice(0, 10), slice(10, 11), slice(11, rows)])
    for name, column in sample_rows(make(97, 5, dtype=dtype)).items():
        np.testing.assert_array_equal(column, whole[name], err_msg=name)


def test_scores_keep_their_type_and_stored_ones_are_not_kept():
    b = single(9, 4)
    assert b.summary.confidence.dtype == np.float32
    reads = []

    def read():
        reads.append(1)
        return b.read()

    lazy = ClassificationBatch(b.ids, read, b.targets)
    assert not reads
    np.testing.assert_array_equal(sample_rows(lazy)["rank"], b.summary.rank)
    assert len(reads) == 1  # one reading serves all columns
    assert isinstance(Stored(b.read())(), np.ndarray)


GOOD = [[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([[0.5, 0.5], [np.nan, 0.8], [np.nan, 1]], [0, 1, 1], "sample 's1'.*finite"),
        ([[0.5, 0.5], [0.2, 0.8], [np.inf, 0]], [0, 1, 1], "sample 's2'.*finite"),
        ([[0.5, 0.5], [1.2, -0.2], [1, 0]], [0, 1, 1], "sample 's1'.*in 0..1"),
        ([[0.5, 0.5], [0.2, 0.8], [0.9, 0.9]], [0, 1, 1], "sample 's2'.*sum to 1, got 1.8"),
        ([[5.0, -3.0]], [0], "sample 's0'.*apply softmax"),
        (GOOD, [0, 2, -1], "sample 's1'.*label must be in 0..1, got 2"),
        (GOOD, [0, 1], "scores must be"),
        (GOOD, [[0, 1], [1, 0], [1, 1]], "targets must be"),
        ([[0.5, 0.5], [0.2, np.nan]], np.ones((2, 2), bool), "sample 's1'.*finite"),
        ([[0.5, 0.5], [0.2, 1.1]], np.ones((2, 2), bool), "sample 's1'.*in 0..1"),
    ],
)
def test_bad_input_is_named(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        _ = batch(scores, targets).detail


def test_rounding_is_forgiven():
    assert batch([[1 + 5e-6, -5e-6], [0.5005, 0.5]], [0, 0]).summary.rank.tolist() == [0, 0]


def test_wrong_kind_of_truth_is_refused():
    with pytest.raises(ValueError, match="multi-label batch was expected"):
        _ = single(3, 2).multilabel_summary
    with pytest.raises(ValueError, match="single-label batch was expected"):
        _ = multi(3, 2).summary


def answers(confidence=None):
    ids = ["a", "b", "c", "d"]
    return ClassificationBatch.of_answers(ids, np.array([0, 1, 2, 0]), np.array([0, 1, 1, 0]), 6, confidence)


def test_answers_without_scores_leave_undefined_what_needs_them():
    values = {}
    for kind in (Confusion, Calibration, Ranking):
        metric = kind(names(6))
        metric.update(answers())
        results = metric.merge(kind(names(6))).compute()
        values.update(results["scores"].values)
    undefined = {name for name, value in values.items() if np.isnan(value)}
    assert undefined == {"top5", "log_loss", "brier", "ece", "mce", "auroc_macro", "average_precision_macro"}
    assert values["top1"] == 0.75
    assert results["per_class"].columns["support"].tolist() == [2, 1, 1, 0, 0, 0]
    assert sample_rows(answers())["rank"].tolist() == [0, 0, -1, 0]


def test_answers_with_a_confidence_have_a_calibration_error():
    metric = Calibration(names(6))
    metric.update(answers(np.array([0.9, 0.8, 0.7, 1.0])))
    values = metric.compute()["scores"].values
    assert values["ece"] == pytest.approx((0.1 + 0.2 + 0.7 + 0) / 4)
    assert np.isnan(values["log_loss"])


def test_bad_answers_are_named():
    with pytest.raises(ValueError, match=r"sample 'b': predicted must be in 0..1, got 2"):
        ClassificationBatch.of_answers(["a", "b"], np.array([0, 1]), np.array([0, 2]), 2)
    with pytest.raises(ValueError, match=r"sample 'c': confidence must be in 0..1, got 1.7"):
        answers(np.array([0.9, 0.8, 1.7, 1.0]))
    with pytest.raises(ValueError, match="without scores"):
        answers().read()
