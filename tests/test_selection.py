"""Every kind of selection gives exactly the right rows: against brute force over the stored predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.metrics.calibration import bin_of
from dashboard.metrics.losses import LOSSES, focal, hardest_first
from dashboard.metrics.ranking import threshold_counts
from dashboard.scoring import score
from dashboard.selection import ALL, join_runs, select, sorts
from dashboard.store import Store
from dashboard.types import Classification
from tests.fakes import FakeAdapter, FakeDataset
from tests.test_evaluation import stored

QUICK = Settings(latency=False)
N, C = 300, 4
EXAMPLES = settings(max_examples=40, deadline=None)


class Grid(FakeAdapter):
    """Scores in steps of a twentieth, as people and reports round them: on the edges of bins and thresholds."""

    def postprocess(self, outputs):
        rng = np.random.default_rng(1)
        cuts = np.sort(rng.integers(0, 21, (N, C - 1)), axis=1)
        parts = np.diff(np.concatenate([np.zeros((N, 1)), cuts, np.full((N, 1), 20)], axis=1), axis=1)
        rows = (parts / 20).astype(self.dtype)
        return [Classification(rows[i]) for i in outputs]


@pytest.fixture(scope="module", params=["float32", "float64"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store [1] *")  # a name that is also a pattern
    adapter = Grid(classes=C, dtype=np.dtype(request.param).type)
    return evaluate(adapter, FakeDataset(N, classes=C, unreadable={7, 100}), Store(folder), QUICK)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return evaluate(FakeAdapter(C, True), FakeDataset(N, C, multilabel=True), store, QUICK)


def truth_of(run):
    index, _, scores, targets = stored(run)
    scores = scores.astype(np.float64)
    return np.array(index), scores, targets, scores.argmax(1), scores.max(1)


def indices(run, selection, **more):
    return select(run, selection, **more)["index"].tolist()


def test_all_in_dataset_order(run):
    frame = select(run, ALL)
    assert frame["index"].tolist() == [i for i in range(N) if i not in (7, 100)]
    assert list(frame.index) == list(range(N - 2))


@EXAMPLES
@given(st.integers(0, C - 1), st.integers(0, C - 1), st.sampled_from([0.0, 0.25, 0.35, 0.5, 0.7, 0.95, 1.0]))
def test_cells_with_a_threshold(run, true, predicted, threshold):
    index, _, label, best, confidence = truth_of(run)
    expected = index[(label == true) & (best == predicted) & (confidence >= threshold)].tolist()
    assert indices(run, {"kind": "cell", "true": true, "predicted": predicted, "threshold": threshold}) == expected


def test_cells_without_a_threshold_are_the_matrix(run):
    counts = run.results()["confusion.confusion"].counts
    for true in range(C):
        for predicted in range(C):
            assert len(indices(run, {"kind": "cell", "true": true, "predicted": predicted})) == counts[true, predicted]


@EXAMPLES
@given(st.integers(0, C - 1), st.sampled_from([0.0, 0.35, 0.5, 0.7, 1.0]))
def test_rejected(run, true, threshold):
    index, _, label, _, confidence = truth_of(run)
    expected = index[(label == true) & (confidence < threshold)].tolist()
    assert indices(run, {"kind": "rejected", "true": true, "threshold": threshold}) == expected


@pytest.mark.parametrize("label", range(C))
def test_class(run, label):
    index, _, truth, best, _ = truth_of(run)
    assert indices(run, {"kind": "class", "class": label}) == index[(truth == label) | (best == label)].tolist()
    wrong = (truth == label) ^ (best == label)
    assert indices(run, {"kind": "class", "class": label}, errors_only=True) == index[wrong].tolist()


@pytest.mark.parametrize("bins", [15, 20])
@pytest.mark.parametrize("correct", [None, True, False])
def test_bars_of_a_histogram(run, bins, correct):
    """Each bar gives the samples it counts, wherever rounding put its edges; together they are all."""
    index, _, label, best, confidence = truth_of(run)
    edges, found = np.linspace(0, 1, bins + 1), []
    for k in range(bins):
        keep = bin_of(confidence, bins) == k
        if correct is not None:
            keep &= (label == best) == correct
        for low, high in ((edges[k], edges[k + 1]), (k / bins, k / bins + 1 / bins)):
            selection = {"kind": "confidence", "low": float(low), "high": float(high), "correct": correct}
            assert indices(run, selection) == index[keep].tolist(), (k, low, high)
        found += index[keep].tolist()
    if correct is None:
        assert sorted(found) == index.tolist()


def test_histogram_counts(run):
    shown = run.results()["calibration.confidence"]
    for k in range(len(shown.edges) - 1):
        for group, correct in (("correct", True), ("wrong", False)):
            selection = {"kind": "confidence", "low": shown.edges[k], "high": shown.edges[k + 1], "correct": correct}
            assert len(indices(run, selection)) == shown.counts[group][k]


@EXAMPLES
@given(st.floats(0, 1), st.floats(0, 1))
@example(0.0, 5e-324)
@example(0.5, 0.5)
def test_any_range_of_confidence(run, a, b):
    low, high = min(a, b), max(a, b)
    width = high - low
    if width > 1e-4 and abs(1 / width - round(1 / width)) < 1e-3:
        return  # a bar: see above
    index, _, _, _, confidence = truth_of(run)
    keep = (confidence >= low) & ((confidence <= high) if high >= 1 else (confidence < high))
    assert indices(run, {"kind": "confidence", "low": low, "high": high}) == index[keep].tolist()


@EXAMPLES
@given(st.integers(0, C - 1), st.integers(0, 1000), st.sampled_from([None, "tp", "fp", "fn", "tn"]))
def test_one_class_at_a_threshold(run, label, step, cell):
    """Thresholds are those of the slider, steps of a thousandth; counts are those shown beside it."""
    threshold = step / 1000
    index, scores, truth, _, _ = truth_of(run)
    accepted, positive = scores[:, label] >= threshold, truth == label
    keep = {
        None: accepted,
        "tp": accepted & positive,
        "fp": accepted & ~positive,
        "fn": ~accepted & positive,
        "tn": ~accepted & ~positive,
    }[cell]
    kind = "score" if cell is None else "one"
    selection = {"kind": kind, "class": label, "threshold": threshold} | ({"cell": cell} if cell else {})
    frame = select(run, selection)
    assert frame["index"].tolist() == index[keep].tolist()
    np.testing.assert_array_equal(frame["score"], scores[keep, label])
    positives, negatives = threshold_counts(scores[:, label], positive)
    if cell == "tp":
        assert len(frame) == positives[step]
    if cell == "fp":
        assert len(frame) == negatives[step]


@pytest.mark.parametrize("name", ["ranking.roc", "ranking.pr"])
def test_points_of_curves(run, name):
    """The samples behind a point are those at or above its threshold."""
    curves = run.results()[name]
    _, scores, _, _, _ = truth_of(run)
    for label in range(C):
        thresholds = curves.thresholds[curves.labels.index(f"class {label}")]
        for threshold in thresholds[:: max(1, len(thresholds) // 5)]:
            found = select(run, {"kind": "score", "class": label, "threshold": float(threshold)})
            assert len(found) == (scores[:, label] >= threshold).sum()


def test_several_labels(several):
    index, scores, targets, _, _ = truth_of(several)
    for label in range(C):
        assert indices(several, {"kind": "class", "class": label}) == index[targets[:, label]].tolist()
        for cell, keep in (
            ("tp", (scores[:, label] >= 0.5) & targets[:, label]),
            ("fp", (scores[:, label] >= 0.5) & ~targets[:, label]),
            ("fn", (scores[:, label] < 0.5) & targets[:, label]),
            ("tn", (scores[:, label] < 0.5) & ~targets[:, label]),
        ):
            selection = {"kind": "one", "class": label, "threshold": 0.5, "cell": cell}
            assert indices(several, selection) == index[keep].tolist()
    wrong = ((scores >= 0.5) != targets).any(axis=1)
    assert indices(several, ALL, errors_only=True) == index[wrong].tolist()


@pytest.mark.parametrize("kind", ["cell", "rejected", "confidence"])
def test_kinds_that_need_one_label(several, kind):
    selection = {"kind": kind, "true": 0, "predicted": 0, "threshold": 0.5, "low": 0, "high": 1}
    with pytest.raises(InputError, match="several labels"):
        select(several, selection)


def test_unknown_kind(run):
    with pytest.raises(ValueError, match="kind"):
        select(run, {"kind": "mood"})


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("multilabel", [False, True])
def test_hardest_first(run, several, loss, multilabel):
    run = several if multilabel else run
    plain = select(run)
    if loss not in sorts(list(plain.columns)):
        with pytest.raises(InputError, match="cannot be sorted"):
            select(run, sort=loss)
        return
    columns = {c: plain[c].to_numpy() for c in LOSSES[loss].needs}
    found = select(run, sort=loss)
    assert found["index"].tolist() == plain["index"].to_numpy()[hardest_first(columns, loss)].tolist()
    known = found["loss"].dropna()
    assert known.is_monotonic_decreasing if LOSSES[loss].hardest == "highest" else known.is_monotonic_increasing
    assert not found["loss"].isna().any() or found["loss"].isna().to_numpy().argmax() == len(known)


def test_gamma(run):
    for gamma in (0.0, 0.5, 5.0):
        frame = select(run, sort="focal", gamma=gamma)
        np.testing.assert_allclose(frame["loss"], focal(frame["true_score"].to_numpy(), gamma))
        assert frame["loss"].is_monotonic_decreasing


def test_errors_only_and_sort_together(run):
    frame = select(run, {"kind": "class", "class": 1}, sort="cross_entropy", errors_only=True)
    assert not frame["correct"].any()
    assert ((frame["label"] == 1) | (frame["predicted"] == 1)).all()
    assert frame["loss"].is_monotonic_decreasing


def test_predicted_only_runs(run, tmp_path):
    frame = select(run)
    path = tmp_path / "p.csv"
    pd.DataFrame({"id": frame["id"], "predicted": frame["predicted"]}).to_csv(path, index=False)
    found = score(FakeDataset(N, classes=C), path, Store(tmp_path / "store"), settings={"partial": "true"})
    assert indices(found, {"kind": "cell", "true": 1, "predicted": 1}) == indices(
        run, {"kind": "cell", "true": 1, "predicted": 1}
    )
    assert indices(found, ALL, errors_only=True) == indices(run, ALL, errors_only=True)
    assert sorts(list(select(found).columns)) == ["dataset"]
    with pytest.raises(InputError, match="needs scores"):
        select(found, {"kind": "score", "class": 0, "threshold": 0.5})
    with pytest.raises(InputError, match="cannot be sorted"):
        select(found, sort="brier")


def test_join_by_id(run, tmp_path):
    half = evaluate(
        FakeAdapter(classes=C, name="other"),
        FakeDataset(N, classes=C),
        Store(tmp_path),
        Settings(limit=150, latency=False),
    )
    frame = select(run, sort="brier")
    mine, theirs = join_runs(frame, [run, half])
    assert mine["id"].tolist() == theirs["id"].tolist() == frame["id"].tolist()
    assert mine["predicted"].tolist() == frame["predicted"].tolist()
    rows = select(half).set_index("id")
    for i, identity in enumerate(frame["id"]):
        if identity in rows.index:
            assert theirs["predicted"][i] == rows["predicted"][identity]
        else:
            assert np.isnan(theirs["predicted"][i])
    assert join_runs(frame.head(0), [run])[0].empty
