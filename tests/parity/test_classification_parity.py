"""Against scikit-learn and torchmetrics, to 1e-6, on random and awkward data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.metrics.calibration import Calibration
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.multilabel import MultiLabel
from dashboard.metrics.ranking import Ranking
from tests.metrics.cases import multi, names, single

TOLERANCE = {"atol": 1e-6, "rtol": 0}
pytestmark = pytest.mark.filterwarnings("ignore")

shapes = st.fixed_dictionaries(
    {
        "rows": st.integers(1, 60),
        "classes": st.sampled_from([2, 2, 3, 5, 6, 13]),
        "seed": st.integers(0, 10**6),
        "dtype": st.sampled_from([np.float32, np.float64]),
    }
)
single_cases = st.builds(
    lambda shape, ties, absent: single(**shape, ties=ties, absent=min(absent, shape["classes"] - 1)),
    shapes,
    st.booleans(),
    st.integers(0, 3),
)
multi_cases = st.builds(lambda shape, ties: multi(**shape, ties=ties), shapes, st.booleans())
many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def results(kind, b):
    metric = kind(names(b.read().shape[1]))
    metric.update(b)
    return metric.compute()


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@many
@given(single_cases)
def test_confusion_is_sklearns(b):
    classes = np.arange(b.read().shape[1])
    out = results(Confusion, b)
    values, table, true, predicted = out["scores"].values, out["per_class"].columns, b.targets, b.summary.predicted
    np.testing.assert_array_equal(predicted, b.read().argmax(axis=1))
    np.testing.assert_array_equal(out["confusion"].counts, sk.confusion_matrix(true, predicted, labels=classes))
    assert values["top1"] == pytest.approx(sk.accuracy_score(true, predicted))
    assert values["balanced_accuracy"] == pytest.approx(quiet(sk.balanced_accuracy_score, true, predicted), abs=1e-6)
    for average in ("macro", "micro", "weighted"):
        p, r, f, _ = sk.precision_recall_fscore_support(true, predicted, average=average, zero_division=0)
        got = [values[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
        np.testing.assert_allclose(got, [p, r, f], **TOLERANCE)
    p, r, f, support = sk.precision_recall_fscore_support(true, predicted, labels=classes, zero_division=np.nan)
    np.testing.assert_allclose(table["precision"], p, **TOLERANCE)
    np.testing.assert_allclose(table["recall"], r, **TOLERANCE)
    np.testing.assert_allclose(table["f1"], f, **TOLERANCE)
    np.testing.assert_array_equal(table["support"], support)
    if np.isfinite(values["mcc"]):
        assert values["mcc"] == pytest.approx(sk.matthews_corrcoef(true, predicted), abs=1e-6)
    else:
        assert len(set(true)) == 1 or len(set(predicted)) == 1
    np.testing.assert_allclose(values["cohen_kappa"], quiet(sk.cohen_kappa_score, true, predicted), **TOLERANCE)


@many
@given(shapes)
def test_top_5_is_sklearns(shape):
    b = single(**shape)
    classes = np.arange(b.read().shape[1])
    expected = 1.0
    if len(classes) > 5:
        expected = sk.top_k_accuracy_score(b.targets, b.read(), k=5, labels=classes)
    assert results(Confusion, b)["scores"].values["top5"] == pytest.approx(expected)


@many
@given(single_cases)
def test_calibration_is_sklearns(b):
    classes = np.arange(b.read().shape[1])
    values = results(Calibration, b)["scores"].values
    log_loss = quiet(sk.log_loss, b.targets, b.read(), labels=classes)
    assert values["log_loss"] == pytest.approx(log_loss, abs=1e-6, rel=1e-6)
    scores = b.read() if len(classes) > 2 else b.read()[:, 1]
    brier = sk.brier_score_loss(b.targets, scores, labels=classes)
    assert values["brier"] == pytest.approx(brier, abs=1e-6)


@many
@given(single_cases)
def test_bce_is_sklearns_one_vs_rest(b):
    scores, classes = b.read(), b.read().shape[1]
    expected = np.mean([sk.log_loss(b.targets == k, scores[:, k], labels=[False, True]) for k in range(classes)])
    assert b.detail.bce.mean() == pytest.approx(expected, abs=1e-6)


def areas(scores, truth):
    """AUROC and AP of each column by sklearn; NaN without both kinds."""
    auroc, ap = np.full(truth.shape[1], np.nan), np.full(truth.shape[1], np.nan)
    for k, true in enumerate(truth.T):
        if true.any() and not true.all():
            auroc[k] = sk.roc_auc_score(true, scores[:, k])
            ap[k] = sk.average_precision_score(true, scores[:, k])
    return auroc, ap


def check_ranking(out, scores, truth):
    auroc, ap = areas(scores, truth)
    table, roc, pr = out["per_class"].columns, out["roc"], out["pr"]
    np.testing.assert_allclose(table["auroc"], auroc, **TOLERANCE)
    np.testing.assert_allclose(table["average_precision"], ap, **TOLERANCE)
    for k, true in enumerate(truth.T):
        if np.isnan(auroc[k]):
            continue
        assert np.trapezoid(roc.y[k], roc.x[k]) == pytest.approx(auroc[k], abs=1e-6)  # nothing is thinned at this size
        fpr, tpr, thresholds = sk.roc_curve(true, scores[:, k], drop_intermediate=False)
        np.testing.assert_allclose(np.interp(np.unique(fpr), roc.x[k], roc.y[k]), last(fpr, tpr), **TOLERANCE)
        assert (tpr - fpr).max() == pytest.approx(youden(true, scores[:, k] >= table["youden_threshold"][k]))
        f1 = [sk.f1_score(true, scores[:, k] >= t) for t in thresholds[1:]]
        assert table["best_f1"][k] == pytest.approx(max(f1))
        assert table["best_f1"][k] == pytest.approx(sk.f1_score(true, scores[:, k] >= table["best_f1_threshold"][k]))
    if np.isfinite(auroc).any():
        assert roc.areas["micro average"] == pytest.approx(sk.roc_auc_score(truth.ravel(), scores.ravel()), abs=1e-6)
        micro = sk.average_precision_score(truth.ravel(), scores.ravel())
        assert pr.areas["micro average"] == pytest.approx(micro, abs=1e-6)
        assert roc.areas["macro average"] == pytest.approx(np.nanmean(auroc))


def last(x, y):
    """The last y at each distinct x."""
    return [y[x == v].max() for v in np.unique(x)]


def youden(true, passed):
    return passed[true].mean() - passed[~true].mean()


@many
@given(single_cases)
def test_ranking_is_sklearns(b):
    out = results(Ranking, b)
    truth = b.targets[:, None] == np.arange(b.read().shape[1])
    check_ranking(out, b.read(), truth)
    auroc, ap = areas(b.read(), truth)
    if np.isfinite(auroc).any():
        assert out["scores"].values["auroc_macro"] == pytest.approx(np.nanmean(auroc), abs=1e-6)
        assert out["scores"].values["average_precision_macro"] == pytest.approx(np.nanmean(ap), abs=1e-6)


@many
@given(multi_cases)
def test_multilabel_is_sklearns(b):
    out, scores, truth = results(MultiLabel, b), b.read(), b.targets
    check_ranking(out, scores, truth)
    values, decided = out["scores"].values, scores >= 0.5
    occurs = np.flatnonzero((truth | decided).any(axis=0))
    for average in ("macro", "micro", "weighted", "samples"):
        labels = occurs if average == "macro" else None
        if average == "macro" and not len(occurs):
            continue
        p, r, f, _ = sk.precision_recall_fscore_support(truth, decided, labels=labels, average=average, zero_division=0)
        got = np.array([values[f"{name}_{average}"] for name in ("precision", "recall", "f1")])
        defined = np.isfinite(got)  # micro and weighted without any label are undefined here, 0 there
        np.testing.assert_allclose(got[defined], np.array([p, r, f])[defined], **TOLERANCE)
        assert defined.all() or not truth.any() or not decided.any()
    assert values["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, decided))
    assert values["subset_accuracy"] == pytest.approx(sk.accuracy_score(truth, decided))
    bce = np.mean([sk.log_loss(t, s, labels=[False, True]) for t, s in zip(truth.T, scores.T, strict=True)])
    assert values["bce"] == pytest.approx(bce, abs=1e-6)


def test_one_class():
    b = single(5, 1)
    assert results(Confusion, b)["scores"].values["f1_macro"] == 1
    assert results(Calibration, b)["scores"].values["log_loss"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(results(Ranking, b)["scores"].values["auroc_macro"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rows", "classes", "absent"), [(500, 10, 0), (60, 12, 4), (300, 3, 0)])
def test_torchmetrics(seed, rows, classes, absent):
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.classification")
    b = single(rows, classes, seed=seed, absent=absent)
    p, y = torch.from_numpy(b.read()), torch.from_numpy(b.targets)
    got: dict[str, float] = {}
    outs = [results(kind, b) for kind in (Confusion, Calibration, Ranking)]
    for out in outs:
        got.update(out["scores"].values)
    expected = {
        "top1": tm.multiclass_accuracy(p, y, classes, average="micro"),
        "top5": tm.multiclass_accuracy(p, y, classes, average="micro", top_k=min(5, classes)),
        "specificity_macro": tm.multiclass_specificity(p, y, classes, average="macro"),
        "mcc": tm.multiclass_matthews_corrcoef(p, y, classes),
        "cohen_kappa": tm.multiclass_cohen_kappa(p, y, classes),
        "ece": tm.multiclass_calibration_error(p, y, classes, n_bins=15, norm="l1"),
        "mce": tm.multiclass_calibration_error(p, y, classes, n_bins=15, norm="max"),
    }
    for name in ("precision", "recall", "f1_score"):
        for average in ("macro", "micro", "weighted"):
            f = getattr(tm, f"multiclass_{name}")
            expected[f"{name.removesuffix('_score')}_{average}"] = f(p, y, classes, average=average)
    for name, value in expected.items():
        assert got[name] == pytest.approx(float(value), abs=1e-6), name
    table = outs[2]["per_class"].columns
    defined = np.isfinite(table["auroc"])
    for column, f in (("auroc", tm.multiclass_auroc), ("average_precision", tm.multiclass_average_precision)):
        want = f(p, y, classes, average=None).numpy()
        np.testing.assert_allclose(table[column][defined], want[defined], **TOLERANCE)


@pytest.mark.parametrize("seed", range(4))
def test_torchmetrics_multilabel(seed):
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.classification")
    b = multi(300, 6, seed=seed)
    p, y = torch.from_numpy(b.read()), torch.from_numpy(b.targets.astype(np.int64))
    got = results(MultiLabel, b)["scores"].values
    expected = {
        "map": tm.multilabel_average_precision(p, y, 6, average="macro"),
        "auroc_macro": tm.multilabel_auroc(p, y, 6, average="macro"),
        "hamming_loss": tm.multilabel_hamming_distance(p, y, 6, average="micro"),
        "subset_accuracy": tm.multilabel_exact_match(p, y, 6),
    }
    for average in ("macro", "micro"):
        expected[f"f1_{average}"] = tm.multilabel_f1_score(p, y, 6, average=average)
        expected[f"precision_{average}"] = tm.multilabel_precision(p, y, 6, average=average)
        expected[f"recall_{average}"] = tm.multilabel_recall(p, y, 6, average=average)
    for name, value in expected.items():
        assert got[name] == pytest.approx(float(value), abs=1e-6), name
