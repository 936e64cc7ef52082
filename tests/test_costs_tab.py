"""Operating points of stored runs: aligned, read anew from predictions alone, and shown."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.slicing import costs as explore
from dashboard.metrics.costs import THRESHOLDS, Choice, sample_costs
from dashboard.operating import scored
from dashboard.operating.decisions import decisions
from dashboard.operating.points import OperatingPoint, class_points, operating_points, prices_of
from dashboard.operating.samples import _different
from dashboard.store import Run, Store
from dashboard.tabs.compare_costs import ALL, OUTPUTS, START, Controls, Costs
from tests.fake_detector import FakeDetector, FakeObjects
from tests.fakes import FakeAdapter, FakeDataset


def classified(store: Store, multilabel: bool = False, **second: Any) -> list[Run]:
    data = FakeDataset(120, multilabel=multilabel)
    how = Settings(latency=False)
    runs = [evaluate(FakeAdapter(multilabel=multilabel), data, store, how)]
    names = [f"class {i}" for i in (4, 3, 2, 1, 0)]  # knows the classes in another order
    other = FakeAdapter(multilabel=multilabel, fingerprint="model-2", name="other", class_names=names, **second)
    return [*runs, evaluate(other, FakeDataset(100, multilabel=multilabel, fingerprint="data-2"), store, how)]


@pytest.fixture
def runs(tmp_path) -> list[Run]:
    return classified(Store(tmp_path))


def stored(run: Run) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, scores and labels by the run's own classes."""
    table = pq.read_table(run.predictions_path)
    scores = np.array(table.column("scores").to_pylist(), np.float64)
    return table.column("id").to_pylist(), scores, np.array(table.column("target").to_pylist())


def test_runs_are_lined_up_by_id_and_class_name(runs) -> None:
    first, second = decisions(runs)
    assert first.samples == second.samples == 100
    assert list(first.common.names) == [f"class {i}" for i in range(5)]
    prices = prices_of(first.common.names, 1, 3, own={"class 2": (5, None)})
    wrong, miss = np.array([1, 1, 5, 1, 1.0]), np.full(5, 3.0)
    for view, run in ((first, runs[0]), (second, runs[1])):
        ids, scores, labels = stored(run)
        keep = [i for i, name in enumerate(ids) if name in first.common.ids]
        number = np.array([int(name.removeprefix("class ")) for name in run.classes])
        truth, said = number[labels[keep]], number[scores[keep].argmax(axis=1)]
        cost = np.where(truth == said, 0, wrong[said] + miss[truth]).mean()
        point = operating_points([view], prices)[0]
        assert float(point.choice.now) == pytest.approx(cost)
        assert point.curve[0] == pytest.approx(cost)
        label = 2
        mine = scores[keep][:, run.classes.index("class 2")]
        for t in (0.1, 0.3, 0.5):
            each = 5 * ((mine >= t) & (truth != label)) + 3 * ((mine < t) & (truth == label))
            one = operating_points([view], prices, label)[0]
            assert one.curve[np.flatnonzero(t == THRESHOLDS)[0]] == pytest.approx(each.mean())


def test_the_table_of_classes_is_what_each_class_alone_gives(runs) -> None:
    view = decisions(runs)[1]
    prices = prices_of(view.common.names, 2, 1)
    found = class_points(view, prices)
    assert found.support.sum() == 100
    assert found.together is None
    for k, label in enumerate(found.labels.tolist()):
        alone = operating_points([view], prices, label)[0].choice
        for name in ("threshold", "cost", "now", "fitted"):
            assert float(getattr(found.choice, name)[k]) == pytest.approx(float(getattr(alone, name)))


def test_several_labels_a_picture(tmp_path) -> None:
    runs = classified(Store(tmp_path), multilabel=True)
    view = decisions(runs)[1]
    prices = prices_of(view.common.names, 1, 2)
    point = operating_points([view], prices)[0]
    assert point.present == 0.5
    each = [float(operating_points([view], prices, k)[0].choice.now) for k in range(5)]
    assert float(point.choice.now) == pytest.approx(sum(each))
    together = class_points(view, prices).together
    assert together is not None
    assert float(together.cost) == pytest.approx(float(point.choice.cost))


def test_objects_at_the_operating_confidence(tmp_path) -> None:
    store, how = Store(tmp_path), Settings(latency=False, batch_size=4)
    run = evaluate(FakeDetector(), FakeObjects(), store, how)
    view = decisions([run, run])[0]
    point = operating_points([view], prices_of(view.common.names, 1, 1))[0]
    table = run.results()["operating.per_class"].columns
    errors = float(np.sum(table["fp"]) + np.sum(table["fn"]))
    assert float(point.choice.now) == pytest.approx(errors / run.samples)
    assert point.present == run.metrics["operating_confidence"]
    assert float(point.choice.cost) <= float(point.choice.now) + 1e-9


def test_classes_are_found_however_they_are_spelled(tmp_path) -> None:
    store, how = Store(tmp_path), Settings(latency=False)
    runs = [evaluate(FakeAdapter(), FakeDataset(120), store, how)]
    names = [f"Class_{i}" for i in (4, 3, 2, 1, 0)]
    other = FakeAdapter(fingerprint="model-2", class_names=names)
    runs.append(evaluate(other, FakeDataset(120, class_names=names[::-1], fingerprint="data-2"), store, how))
    first, second = decisions(runs)
    assert list(second.common.names) == [f"class {i}" for i in range(5)]
    assert second.common.classes[1].tolist() == [4, 3, 2, 1, 0]
    assert (first.labels == second.labels).all()  # type: ignore[attr-defined]
    swapped = decisions(runs, 1)
    assert list(swapped[0].common.names) == names


def test_classes_of_one_name_are_told_apart() -> None:
    assert _different(["crane", "maillot", "crane", "crane"]) == ["crane", "maillot", "crane (2)", "crane (3)"]


def test_scores_of_many_labels_are_read_once(tmp_path, monkeypatch) -> None:
    view = decisions(classified(Store(tmp_path), multilabel=True))[0]
    prices = prices_of(view.common.names, 1, 2, own={"class 2": (5, None)})
    threshold = np.linspace(0, 1, view.samples)
    whole = sum(sample_costs(view.one(k), prices.of(k), threshold) for k in range(5))
    read: list[int] = []
    blocks = scored.batches
    monkeypatch.setattr(scored, "batches", lambda path: (read.append(1), blocks(path))[1])
    monkeypatch.setattr(scored, "class_scores", None)  # a class at a time is no way
    np.testing.assert_allclose(view.sample_costs(prices, threshold), whole)
    assert len(read) == 1
    wrong, missed = view.each_now()
    found = class_points(view, prices)
    assert len(read) == 2
    table = pq.read_table(view.run.predictions_path)
    keep = [i in view.common.ids for i in table.column("id").to_pylist()]
    said = np.array(table.column("scores").to_pylist())[keep] >= 0.5
    assert wrong.sum() == (said & ~view.targets).sum()  # type: ignore[attr-defined]
    assert missed.sum() == (view.targets & ~said).sum()  # type: ignore[attr-defined]
    assert found.support.sum() == view.targets.sum()  # type: ignore[attr-defined]


def test_a_class_that_the_model_does_not_know_is_missed(tmp_path) -> None:
    view = decisions(classified(Store(tmp_path), multilabel=True))[0]
    more = np.arange(view.samples)[:, None] < 4
    true = np.append(view.targets, more, axis=1)  # type: ignore[attr-defined]
    at = np.full(view.samples, 0.5)
    known, prices = prices_of(view.common.names, 1, 7), prices_of([*view.common.names, "unheard of"], 1, 7)
    found = scored.class_costs(view.run, view.places, view.classes, true, prices, at)
    np.testing.assert_allclose(found - view.sample_costs(known, at), 7 * more[:, 0])


def test_objects_of_each_class(tmp_path) -> None:
    run = evaluate(FakeDetector(), FakeObjects(), Store(tmp_path), Settings(latency=False, batch_size=4))
    view = decisions([run, run])[0]
    prices = prices_of(view.common.names, 2, 3)
    found = class_points(view, prices)
    for k, label in enumerate(found.labels.tolist()):
        alone = operating_points([view], prices, label)[0].choice
        for name in ("threshold", "cost", "now", "fitted"):
            np.testing.assert_allclose(getattr(found.choice, name)[k], getattr(alone, name))


def test_predictions_that_were_taken_away(runs, tmp_path) -> None:
    do, ids = panel(Store(tmp_path), runs)
    state = do.opened(dict(START), ids, ids[0], 1.0, 1.0, False, 0.5)[0]
    runs[1].predictions_path.unlink()
    said = "The predictions of other were taken away: evaluate it again to choose an operating point."
    with pytest.raises(InputError, match=said):
        decisions(runs)
    with pytest.raises(InputError, match=said):
        do.repriced(state, 1.0, 1.0, False, 0.5, ALL, [], ids[1])
    shown = do.opened(dict(START), ids, ids[0], 1.0, 1.0, False, 0.5)
    assert said in shown[1].value
    assert (shown[1].visible, shown[2].visible) == (True, False)
    assert shown[0] == START  # another look tries again


def test_runs_of_one_model_are_told_apart(tmp_path) -> None:
    store, how = Store(tmp_path), Settings(latency=False)
    runs = [
        evaluate(FakeAdapter(fingerprint=f"m{k}"), FakeDataset(60, fingerprint=f"d{k}", name=f"set {k}"), store, how)
        for k in range(2)
    ]
    do, ids = panel(store, runs)
    shown = do.opened(dict(START), ids, ids[0], 1.0, 1.0, False, 0.5)
    assert [row[0] for row in shown[3]["rows"]] == [
        {"key": "hasher · set 0", "mark": 0},
        {"key": "hasher · set 1", "mark": 1},
    ]
    assert [t["name"] for t in shown[4]["data"] if t["mode"] == "lines"] == ["hasher · set 0", "hasher · set 1"]
    assert [label for label, _ in shown[-2].choices] == ["hasher · set 0", "hasher · set 1"]


def test_no_class_costs_more_at_the_best_than_now(runs) -> None:
    for view in decisions(runs):
        for prices in (prices_of(view.common.names, 1, 1), prices_of(view.common.names, 9, 1)):
            found = class_points(view, prices)
            assert (found.choice.cost <= found.choice.now + 1e-12).all()
            for k, label in enumerate(found.labels.tolist()):
                point = operating_points([view], prices, label)[0]
                assert float(point.choice.gain) >= -1e-12
                if np.isnan(found.choice.threshold[k]):
                    assert point.verdict == "none"


def test_of_a_few_images_no_threshold_is_chosen(tmp_path) -> None:
    store, how = Store(tmp_path), Settings(latency=False)
    runs = [evaluate(FakeAdapter(fingerprint=f"m{k}"), FakeDataset(50), store, how) for k in range(2)]
    view = decisions(runs)[0]
    prices = prices_of(view.common.names, 1, 5)
    found = class_points(view, prices)
    assert found.few.tolist() == (found.support < 10).tolist()
    assert set(found.few.tolist()) == {True, False}
    assert (found.choice.cost == found.choice.now)[found.few].all()
    rows = explore.class_table(found)["rows"]
    for k, few in enumerate(found.few.tolist()):
        assert (rows[k][2] == {"key": "ui.cost.few"}, rows[k][4:] == [None] * 3) == (few, few)
        point = operating_points([view], prices, int(found.labels[k]))[0]
        assert (point.few, point.verdict == "few") == (few, few)
        row = explore.points_table([point], ["a"])["rows"][0]
        assert (row[2] == {"key": "ui.cost.few"}, row[4] is None) == (few, few)


def test_another_truth_is_said(runs, tmp_path) -> None:
    do, ids = panel(Store(tmp_path), runs)
    other = FakeDataset(100, fingerprint="data-3")
    other.targets = (other.targets + 1) % 5
    third = evaluate(FakeAdapter(fingerprint="model-3"), other, do.engine.store, Settings(latency=False))
    shown = do.opened(dict(START), [ids[0], third.id], ids[0], 1.0, 1.0, False, 0.5)
    assert "different truth" in shown[1].value


def test_a_cost_that_no_threshold_lowers_is_best_already() -> None:
    choice = Choice(*map(np.array, (0.3, 0.7, 0.7 + 1e-16, 0.7, [0.3, 0.3])))
    assert OperatingPoint(0.3, choice, -1, 1, np.zeros(1)).verdict == "none"
    gaining = replace(choice, now=np.array(0.8))
    assert OperatingPoint(0.3, gaining, 0.05, 0.2, np.zeros(1)).verdict == "gain"
    assert OperatingPoint(0.3, gaining, -0.2, -0.1, np.zeros(1)).verdict == "loss"
    assert OperatingPoint(0.3, gaining, np.nan, np.nan, np.zeros(1)).verdict == "unsure"


def test_every_sign_of_a_chart_is_in_its_legend() -> None:
    nothing, some = (Choice(*map(np.array, (t, 0.2, 0.4, 0.3, [t, t]))) for t in (np.inf, 0.4))
    points = [OperatingPoint(0.5, c, -1, 1, np.full(len(THRESHOLDS), 0.3)) for c in (nothing, some, some)]
    drawn = explore.curve_chart(points, ["a", "b", "c"])["data"]
    assert [t["name"] for t in drawn if t.get("showlegend") is not False] == [
        "a",
        "ui.cost.now",
        "b",
        "ui.cost.best",
        "c",
    ]
    assert explore.curve_chart(points[:1], ["a"])["layout"]["yaxis"]["range"][1] > 0


def test_signs_of_numbers_are_those_of_print() -> None:
    assert explore.span(-0.01234, 0.5) == "−0.0123 … +0.5"
    assert explore.span(np.nan, 0.5) == "–"


def test_nothing_in_common(tmp_path) -> None:
    store, how = Store(tmp_path), Settings(latency=False)
    other = FakeDataset(20, fingerprint="data-3")
    other.ids = [f"elsewhere/{i}.png" for i in range(20)]
    pair = [evaluate(FakeAdapter(), FakeDataset(20), store, how), evaluate(FakeAdapter(), other, store, how)]
    with pytest.raises(InputError, match="no sample in common"):
        decisions(pair)


@pytest.mark.parametrize("bad", [(-1, 1), (1, float("nan")), (None, 1), (1, 1e12)])
def test_prices_that_are_none(bad) -> None:
    with pytest.raises(InputError, match="must be a number of at least 0"):
        prices_of(["a"], *bad)
    with pytest.raises(InputError, match="no class 'b'"):
        prices_of(["a"], 1, 1, own={"b": (1, 1)})


def panel(store: Store, runs: list[Run]) -> tuple[Costs, list[str]]:
    return Costs(Engine(store.root)), [r.id for r in runs]


def test_the_panel(runs, tmp_path) -> None:
    do, ids = panel(Store(tmp_path), runs)
    assert len(do.rechosen("decide", dict(START), ids, ids[0])) == OUTPUTS  # another panel is in front
    shown = do.opened(dict(START), ids, ids[0], 1.0, 2.0, False, 0.5)
    assert len(shown) == OUTPUTS
    state, table, chart, classes = shown[0], shown[3], shown[4], shown[-1]
    assert [row[0] for row in table["rows"]] == [{"key": "hasher", "mark": 0}, {"key": "other", "mark": 1}]
    assert sum(t["mode"] == "lines" for t in chart["data"]) == 2
    assert len(classes["rows"]) == 5
    assert len(do.opened(state, ids, ids[0])) == OUTPUTS  # nothing has changed
    told = (3.0, 1.0, False, 0.5, ALL, [["class 1", None, ""], ["class 2", "7", None]], ids[1])
    begin = time.perf_counter()
    again = do.repriced(state, *told)
    assert time.perf_counter() - begin < 0.3
    assert again[0]["rows"][0][3] != table["rows"][0][3]
    row = SimpleNamespace(index=2, value=None)
    label, picked, *_ = do.on_class(state, row, *told)
    assert label == "class 2"
    assert picked["rows"][0][1] is None  # the most probable class has no threshold on one class's score
    assert do.on_class(state, row, 3.0, 1.0, False, 0.5, "class 2", [], ids[1])[0] == ALL
    with pytest.raises(InputError, match="no such row"):
        do.on_class(state, SimpleNamespace(index=99, value=None), *told)
    with pytest.raises(InputError, match="'x' of class 1 is no number"):
        do.repriced(state, 3.0, 1.0, False, 0.5, ALL, [["class 1", "x", ""]], ids[1])
    with pytest.raises(InputError, match="Say what no answer costs"):
        do.repriced(state, 3.0, 1.0, True, None, ALL, [], ids[1])


def test_withholding_at_a_cost_of_its_own(runs, tmp_path) -> None:
    do, ids = panel(Store(tmp_path), runs)
    state = {"runs": ids, "baseline": ids[0]}
    free = do.repriced(state, 1.0, 1.0, True, 0.0, ALL, [], ids[0])[0]
    assert [row[4] for row in free["rows"]] == [0.0, 0.0]  # saying nothing costs nothing
    assert Controls().withhold is False


def test_other_tasks_and_single_runs_get_a_sentence(runs, tmp_path, monkeypatch) -> None:
    do, ids = panel(Store(tmp_path), runs)
    few = do.show(ids[:1], ids[0], Controls())
    assert len(few) == OUTPUTS
    monkeypatch.setattr("dashboard.tabs.compare_costs.TASKS", ())
    assert len(do.show(ids, ids[0], Controls())) == OUTPUTS
