"""Evaluating, resuming, scoring and exploring detections: from a model or a file to the pictures behind a number."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dashboard import evaluation
from dashboard.detection_parts import whole_batch
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore import detection as explore
from dashboard.explore.detection.opened import opened, point_of
from dashboard.finishing import refresh
from dashboard.metrics.detection import bootstrap
from dashboard.metrics.detection.tide import CAUSES
from dashboard.scoring import score
from dashboard.store import Store
from dashboard.tabs.detection_results import Controls
from tests.fake_detector import FakeDetector, FakeObjects

QUICK = Settings(latency=False, batch_size=4)
LIVE = Controls(0.25)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(bootstrap, "TIMES", 20)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def by_hand(confidence: float = 0.25) -> tuple[int, int, int]:
    """The fake's squares are at least 3 wide, so one pixel more leaves an IoU of .75 and more: all are found."""
    truths = sum(i % 4 for i in range(30))
    return truths, 30, 0


def test_numbers_of_a_run(store):
    run = evaluate(FakeDetector(), FakeObjects(), store, QUICK)
    tp, fp, fn = by_hand()
    assert run.task == "detection"
    assert run.samples == 30
    assert run.metrics["recall"] == 1
    view = opened(run)
    counted = explore.matrix_data(view, point_of(0.25, 0.5, 100))["cells"]
    assert sum(n for a, b, n in counted if a == b) == tp
    assert sum(n for a, b, n in counted if a != b) == fp + fn
    assert "miou" not in run.metrics


def test_masks_are_judged_as_masks_and_as_boxes(store):
    adapter = FakeDetector(task="instance-segmentation")
    run = evaluate(adapter, FakeObjects(task="instance-segmentation"), store, QUICK)
    assert run.metrics["miou"] == run.metrics["mdice"] == run.metrics["boundary_iou"] == 1
    assert run.metrics["map"] > run.metrics["box_map"] > 0
    assert opened(run).kind == "segm"
    assert opened(run, "bbox").kind == "bbox"


def test_a_segmenter_serves_as_a_detector_but_not_the_other_way_round(store):
    run = evaluate(FakeDetector(task="instance-segmentation"), FakeObjects(), store, QUICK)
    assert run.task == "detection"
    assert not opened(run).batch.masked
    with pytest.raises(InputError, match="finder does detection, but objects is a instance-segmentation dataset"):
        evaluate(FakeDetector(), FakeObjects(task="instance-segmentation"), store, QUICK)


def test_classes_meet_by_name_and_foreign_detections_are_left_out(store):
    names = ("z", "c", "b", "a", "other")
    run = evaluate(FakeDetector(names), FakeObjects(), store, QUICK)
    same = evaluate(FakeDetector(), FakeObjects(), Store(store.root / "b"), QUICK)
    _, batch = whole_batch(run.predictions_path)
    assert set(batch.found.classes.tolist()) <= {1, 2, 3}
    assert run.metrics["recall"] == same.metrics["recall"] == 1
    assert run.metrics["precision"] == 1, "the extra one is of the class 'other', which the data does not have"


def test_an_interrupted_run_goes_on_to_the_same_numbers(store, monkeypatch):
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)
    whole = evaluate(FakeDetector(), FakeObjects(), Store(store.root / "other"), QUICK)
    adapter, cancel = FakeDetector(), threading.Event()
    forward = adapter.forward

    def stopping(items):
        if len(adapter.batches) == 4:
            cancel.set()
        return forward(items)

    monkeypatch.setattr(adapter, "forward", stopping)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeObjects(), store, QUICK, cancel=cancel)
    again = FakeDetector()
    run = evaluate(again, FakeObjects(), store, QUICK)
    assert sum(map(len, again.batches)) < 30
    assert run.metrics == whole.metrics
    assert run.intervals == whole.intervals


def test_numbers_come_again_from_what_is_stored(store):
    run = evaluate(FakeDetector(task="instance-segmentation"), FakeObjects(task="instance-segmentation"), store, QUICK)
    assert refresh(store, run).metrics == run.metrics


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda d: replace(d, scores=None), "did not answer with scored objects"),
        (lambda d: replace(d, class_ids=d.class_ids + 9), "has 3 class names"),
        (lambda d: replace(d, masks=None), "gives boxes without masks"),
    ],
)
def test_answers_that_do_not_fit(store, monkeypatch, answer, sentence):
    adapter = FakeDetector(task="instance-segmentation")
    original = adapter._answer
    monkeypatch.setattr(adapter, "_answer", lambda i: answer(original(i)))
    with pytest.raises(InputError, match=sentence):
        evaluate(adapter, FakeObjects(task="instance-segmentation"), store, QUICK)
    assert store.runs() == []


# --- scoring --------------------------------------------------------------------------------------------------------


def test_scoring_stores_what_a_model_would_have(store, tmp_path):
    """The fake's answers, written as txt and scored, give the run that the fake gives."""
    data, model = FakeObjects(), FakeDetector()
    data.sizes = np.tile([[24, 32]], (30, 1))  # type: ignore[attr-defined]
    folder = tmp_path / "txt"
    folder.mkdir()
    for i in range(30):
        found = model._answer(i)
        rows = zip(found.class_ids, found.scores, found.xyxy, strict=True)  # type: ignore[arg-type]
        lines = [f"{c} {s!r} {' '.join(map(str, b))}".replace("np.float64(", "").replace(")", "") for c, s, b in rows]
        (folder / f"{i:03d}.txt").write_text("\n".join(lines))
    how = {"columns": "class,score,x1,y1,x2,y2", "units": "px"}
    run = score(data, folder, store, settings=how)  # type: ignore[arg-type]
    ran = evaluate(model, data, store, QUICK)
    assert run.metrics == pytest.approx(ran.metrics, nan_ok=True)
    assert score(data, folder, store, settings=how).created_at == run.created_at  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--set activation"):
        score(data, folder, store, settings={"activation": "none"})  # type: ignore[arg-type]


# --- exploring ------------------------------------------------------------------------------------------------------


@pytest.fixture
def view(store):
    return opened(evaluate(FakeDetector(), FakeObjects(), store, QUICK))


SELECTIONS: list[tuple[dict[str, Any], int]] = [
    ({"kind": "all"}, 30),
    ({"kind": "cell", "true": 3, "predicted": 2}, 30),  # the extra one, in every picture
    ({"kind": "cell", "true": 0, "predicted": 3}, 0),
    ({"kind": "objects", "low": 2.5, "high": 3.5, "group": "true"}, 7),
    ({"kind": "bin", "of": "score", "low": 0.45, "high": 0.55, "group": "wrong"}, 30),
    ({"kind": "bin", "of": "iou", "low": 0.7, "high": 1, "group": "correct"}, 22),
    ({"kind": "cause", "cause": "missed"}, 0),
    ({"kind": "size", "size": "small", "class": None}, 0),
    ({"kind": "score", "class": None, "low": 0.55, "high": 2.0}, 22),
    ({"kind": "loose", "iou": 0, "class": None}, 22),  # every picture with objects: all are found
    ({"kind": "loose", "iou": 9, "class": None}, 22),  # and none of them to .95
    ({"kind": "recall", "step": 100}, 22),  # the extra ones stand below the last that is found
]


@pytest.mark.parametrize(("selection", "images"), SELECTIONS)
def test_selections(view, selection, images):
    chosen = explore.selected(view, explore.checked(selection, 3), point_of(0.25, 0.5, 100))
    assert len(chosen.images) == images
    assert (np.diff(chosen.images) > 0).all()


@pytest.mark.parametrize(
    "selection",
    [
        None,
        [],
        {},
        {"kind": 3},
        {"kind": "cell"},
        {"kind": "cell", "true": 4, "predicted": 0},
        {"kind": "cell", "true": -1, "predicted": 0},
        {"kind": "class", "class": "0"},
        {"kind": "cause", "cause": "'; drop"},
        {"kind": "size", "size": "huge"},
        {"kind": "bin", "of": "iou", "low": "x", "high": 1},
        {"kind": "score", "class": 9, "low": 0.5},
        {"kind": "all", "group": "others"},
        {"kind": "recall", "step": 101},
        {"kind": "loose", "iou": -1},
    ],
)
def test_odd_selections(selection):
    with pytest.raises(InputError, match="reload the page"):
        explore.checked(selection, 3)


@pytest.mark.parametrize("order", explore.ORDERS[1:])
def test_hardest_first(view, order):
    chosen = explore.selected(view, explore.ALL, point_of(0.25, 0.5, 100), order)
    values = chosen.values[~np.isnan(chosen.values)]
    assert (np.diff(values) <= 0).all()
    assert sorted(chosen.images) == list(range(30))
    assert np.isnan(chosen.values[len(values) :]).all()


@pytest.mark.parametrize("kind", explore.CHARTS)
@pytest.mark.parametrize("label", [None, 1])
def test_every_chart_is_json_and_its_points_are_selections(view, kind, label):
    figure = explore.chart([view, view], kind, point_of(0.3, 0.6, 50), label)
    assert json.loads(json.dumps(figure, allow_nan=False))["data"]
    picks = [p for trace in figure["data"] for p in trace.get("customdata") or []]
    assert picks
    for pick in picks:
        chosen = explore.selected(view, explore.checked(pick[0], 3), point_of(0.3, 0.6, 50))
        assert chosen.images.size <= 30


def test_what_a_new_metric_brings_is_charted_too(view, monkeypatch):
    """Its result appears among the charts by its name, drawn by its shape."""
    from dashboard.results import Matrix
    from dashboard.store import Run

    extra = {"mine.grid": Matrix(np.eye(2, dtype=int), ["a", "b"], ["a", "b"])}
    results = view.run.results() | extra
    monkeypatch.setattr(Run, "results", lambda self: results)
    assert explore.charts([view])[-1] == "mine.grid"
    assert explore.chart([view], "mine.grid", point_of(0, 0.5, 100))["data"][0]["type"] == "heatmap"


def test_a_tide_bar_counts_its_objects(view):
    (trace,) = explore.chart([view], "tide", point_of(0, 0.5, 100))["data"]
    counts = {pick[0]["cause"]: pick[2] for pick in trace["customdata"]}
    assert list(counts) == list(CAUSES)
    assert sum(counts.values()) == 30
    for cause, count in counts.items():
        chosen = explore.selected(view, {"kind": "cause", "cause": cause}, point_of(0, 0.5, 100))
        assert int(chosen.found.sum() + chosen.truth.sum()) == count


def test_runs_on_other_data_are_not_of_these_pictures(view, store):
    """A position means another picture there."""
    other = opened(evaluate(FakeDetector(), FakeObjects(10), store, QUICK))
    point = point_of(0.25, 0.5, 100)
    data, _ = explore.gallery_data([view, other], FakeObjects(), explore.ALL, point, most=1)
    assert [a["text"] == "–" for a in data["cards"][0]["answers"]] == [False, True]
    panes = explore.compare_data([view, other], FakeObjects(), 3, point, explore.ALL)["panes"]
    assert ["error" in p for p in panes] == [False, False, True]


def test_the_compare_view_judges_at_the_point(view):
    data = explore.compare_data([view], FakeObjects(), 3, point_of(0.25, 0.5, 100), explore.ALL)
    truth, found = data["panes"]
    assert truth["state"] == ["truth"] * 3
    assert sorted(found["state"]) == ["fn"] * 3 + ["fp"] + ["tp"] * 3
    strict = explore.compare_data([view], FakeObjects(), 3, point_of(0.25, 0.95, 100), explore.ALL)["panes"][1]
    assert strict["state"].count("tp") < 3
    one = found["facts"][found["state"].index("tp")]
    assert one["loss_iou"] == pytest.approx(1 - one["iou"], abs=2e-4)


def test_a_thumbnail_is_drawn_anew(view):
    """The small picture is kept between calls: boxes of one confidence must not stay for the next."""
    kept = np.zeros((24, 32, 3), np.uint8)

    def cards(confidence):
        data, _ = explore.gallery_data(
            [view], FakeObjects(), explore.ALL, point_of(confidence, 0.5, 100), thumb=lambda *_: kept
        )
        return [c["thumb"] for c in data["cards"]]

    before = cards(0.99)
    assert cards(0.0) != before
    assert cards(0.99) == before
    assert not kept.any()


def test_pictures_of_another_size_than_their_truth_are_refused(store, monkeypatch):
    adapter = FakeDetector()
    original = adapter._answer
    monkeypatch.setattr(adapter, "_answer", lambda i: replace(original(i), size=(48, 64)))
    with pytest.raises(InputError, match=r"000\.png is 64x48 pixels, but its truth in objects says 32x24"):
        evaluate(adapter, FakeObjects(), store, QUICK)


def test_judged_by_boxes_the_cards_are_the_boxes(store):
    data = FakeObjects(task="instance-segmentation")
    run = evaluate(FakeDetector(task="instance-segmentation"), data, store, QUICK)
    for kind, name in (("segm", "map"), ("bbox", "box_map")):
        cards = explore.figures_data([run], [opened(run, kind)], point_of(0.25, 0.5, 100))["figures"]
        (cell,) = next(c for c in cards if c["key"] == "det_map")["cells"]
        assert cell["value"] == run.metrics[name]
        assert cell["low"] == run.intervals[name][0]


def test_the_table_of_no_objects_has_a_head(view):
    table = explore.objects_table(view, {"kind": "cause", "cause": "missed"}, point_of(0.25, 0.5, 100))
    assert not len(table)
    assert "score" in table.columns


def test_the_table_of_objects(view):
    table = explore.objects_table(view, {"kind": "cell", "true": 3, "predicted": 2}, point_of(0.25, 0.5, 100))
    assert len(table) == sum(by_hand())
    assert (table.query("state == 'FP'").selected).all()
    assert not (table.query("state == 'TP'").selected).any()
