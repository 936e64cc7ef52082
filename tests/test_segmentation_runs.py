"""Evaluating, resuming and exploring class maps: from a model to the pictures behind a number."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

import numpy as np
import pytest

from dashboard import evaluation
from dashboard.classmaps import decode
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore import segmentation as explore
from dashboard.explore.segmentation.errors import STATES, error_states
from dashboard.explore.segmentation.opened import opened
from dashboard.explore.segmentation.tables import slices
from dashboard.finishing import refresh
from dashboard.metrics.segmentation.probability import measure
from dashboard.segmentation_parts import maps_of, small_confidence
from dashboard.store import Store
from dashboard.types import ignore_of
from tests.fake_segmenter import NAMES, FakeMaps, FakeSegmenter, Softened

QUICK = Settings(latency=False, batch_size=4)
# Of each picture 11 rows count: 7 of 16 columns are background and met, 1 is background taken for the digit, 8 are met.
MET, TAKEN, RIGHT = 7 * 11, 11, 8 * 11
IOU_BACKGROUND, IOU_CLASS = 7 / 8, 8 / 9


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def view(store):
    return opened(evaluate(FakeSegmenter(), FakeMaps(), store, QUICK))


def test_numbers_of_a_run(store):
    run = evaluate(FakeSegmenter(), FakeMaps(), store, QUICK)
    assert run.task == "semantic-segmentation"
    assert run.samples == 20
    assert run.classes == list(NAMES)
    assert run.metrics["pixel_accuracy"] == pytest.approx(15 / 16, abs=1e-12)
    assert run.metrics["miou"] == pytest.approx((IOU_BACKGROUND + 2 * IOU_CLASS) / 3, abs=1e-12)
    assert run.metrics["mean_pixel_accuracy"] == pytest.approx((7 / 8 + 1 + 1) / 3, abs=1e-12)
    assert run.metrics["mdice"] == pytest.approx((14 / 15 + 2 * 16 / 17) / 3, abs=1e-12)
    weighted = 0.5 * IOU_BACKGROUND + 0.5 * IOU_CLASS
    assert run.metrics["frequency_weighted_iou"] == pytest.approx(weighted, abs=1e-12)
    assert run.metrics["image_miou"] == pytest.approx((IOU_BACKGROUND + IOU_CLASS) / 2, abs=1e-12)


def test_losses_from_probabilities(view):
    # .8 for the answer, .1 for the class that is true where it is wrong
    entropy = -(15 * math.log(0.8) + math.log(0.1)) / 16
    focal = -(15 * 0.2**2 * math.log(0.8) + 0.9**2 * math.log(0.1)) / 16
    assert view.values["sem_cross_entropy"] == pytest.approx(np.full(20, entropy), rel=1e-6)
    assert view.values["sem_focal"] == pytest.approx(np.full(20, focal), rel=1e-6)
    # sums in columns: background true 8, given 7 * .8 + 9 * .1, both 7 * .8 + .1; the class 8, 9 * .8 + 7 * .1, 8 * .8
    dice = 1 - (2 * 5.7 / (8 + 6.5) + 2 * 6.4 / (8 + 7.9)) / 2
    iou = 1 - (5.7 / (8 + 6.5 - 5.7) + 6.4 / (8 + 7.9 - 6.4)) / 2
    assert view.values["soft_dice"] == pytest.approx(np.full(20, dice), rel=1e-6)
    assert view.values["soft_iou"] == pytest.approx(np.full(20, iou), rel=1e-6)


def test_strips_do_not_change_the_losses(monkeypatch):
    rng = np.random.default_rng(3)
    ids, truth = (rng.integers(0, 5, (40, 30)).astype(np.uint8) for _ in range(2))
    truth[rng.random(truth.shape) < 0.2] = 255
    soft = Softened(ids, 5, 0.6)
    whole = measure(soft, ids, truth, 255)
    monkeypatch.setattr("dashboard.metrics.segmentation.probability.STRIP_BYTES", 1)
    rows = measure(soft, ids, truth, 255)
    assert rows.losses == pytest.approx(whole.losses, rel=1e-12)
    assert (rows.confidence == whole.confidence).all()
    assert (whole.confidence == 153).all()


def test_an_ignored_picture_has_no_losses():
    ids = np.zeros((3, 4), np.uint8)
    measured = measure(Softened(ids, 2, 0.9), ids, np.full((3, 4), 255, np.uint8), 255)
    assert all(math.isnan(v) for v in measured.losses.values())


def test_a_model_without_probabilities_has_no_losses_of_them(store):
    run = evaluate(FakeSegmenter(sure=None), FakeMaps(), store, QUICK)
    assert run.metrics["cross_entropy"] is None
    view = opened(run)
    assert np.isnan(view.values["soft_dice"]).all()
    assert view.values["loss_image_iou"] == pytest.approx(np.full(20, 1 - (IOU_BACKGROUND + IOU_CLASS) / 2))
    assert maps_of(run.predictions_path, 3).confidence == b""  # type: ignore[union-attr]


def test_another_class_order_gives_the_same(store):
    other = evaluate(FakeSegmenter(("b", "sky", "background", "a"), name="other"), FakeMaps(), store, QUICK)
    same = evaluate(FakeSegmenter(), FakeMaps(), store, QUICK)
    assert other.classes == same.classes == list(NAMES)
    for name in ("miou", "pixel_accuracy", "boundary_iou"):
        assert other.metrics[name] == same.metrics[name]
    assert (opened(other).matrix == opened(same).matrix).all()


def test_a_class_that_the_data_does_not_have_is_other(store):
    class Dreamer(FakeSegmenter):
        def answer(self, index):
            found = super().answer(index)
            found.class_ids[:, :2] = 3  # "sky"
            return found

    run = evaluate(Dreamer((*NAMES, "sky")), FakeMaps(), store, QUICK)
    view = opened(run)
    assert view.matrix[0].tolist() == [20 * 5 * 11, 10 * TAKEN, 10 * TAKEN, 20 * 2 * 11]
    assert run.metrics["pixel_accuracy"] == pytest.approx(13 / 16)
    assert explore.matrix_data(view)["classes"] == [*NAMES, "ui.other"]


def test_a_mapping_merges_and_ignores(store):
    names = ("background", "a", "b")
    mapping = {"a": "thing", "b": "thing"}
    merged = FakeSegmenter(("background", "thing"))
    merged.answer = lambda index: _thing(index)  # type: ignore[method-assign]
    run = evaluate(merged, FakeMaps(), store, Settings(latency=False, mapping=mapping))
    assert run.classes == ["background", "a + b", "b"]
    assert opened(run).matrix.tolist() == [[20 * MET, 20 * TAKEN, 0, 0], [0, 20 * RIGHT, 0, 0], [0, 0, 0, 0]]
    without = FakeSegmenter(("background", "a"))
    ignored = evaluate(without, FakeMaps(class_names=names), store, Settings(latency=False, mapping={"b": "ignore"}))
    assert opened(ignored).matrix[2].sum() == 0
    assert ignored.facts["classes_matched_by"] == "mapping file and names"


def _thing(index: int) -> Any:
    found = FakeSegmenter(sure=None).answer(index)
    found.class_ids[found.class_ids > 1] = 1
    return found


def test_pictures_of_another_size_and_foreign_answers_are_refused(store):
    class Larger(FakeSegmenter):
        def answer(self, index):
            found = super().answer(index)
            return type(found)(np.pad(found.class_ids, 1))

    with pytest.raises(InputError, match="18x14 pixels, but its truth in maps is 16x12"):
        evaluate(Larger(), FakeMaps(), store, QUICK)

    class Beyond(FakeSegmenter):
        def answer(self, index):
            found = super().answer(index)
            return type(found)(found.class_ids + 1)

    with pytest.raises(InputError, match="answered with class 3, but has 3 class names"):
        evaluate(Beyond(sure=None, name="beyond"), FakeMaps(), store, QUICK)


def test_an_interrupted_run_goes_on_to_the_same_numbers(store, monkeypatch):
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)
    whole = evaluate(FakeSegmenter(), FakeMaps(), Store(store.root / "other"), QUICK)
    adapter, cancel = FakeSegmenter(), threading.Event()
    forward = adapter.forward

    def stopping(items):
        if len(adapter.batches) == 3:
            cancel.set()
        return forward(items)

    monkeypatch.setattr(adapter, "forward", stopping)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeMaps(), store, QUICK, cancel=cancel)
    again = FakeSegmenter()
    run = evaluate(again, FakeMaps(), store, QUICK)
    assert sum(map(len, again.batches)) < 20
    assert run.metrics == whole.metrics
    assert run.intervals == whole.intervals


def test_numbers_come_again_from_what_is_stored(store):
    run = evaluate(FakeSegmenter(), FakeMaps(), store, QUICK)
    assert refresh(store, run).metrics == run.metrics


def test_stored_maps(store):
    run = evaluate(FakeSegmenter(), FakeMaps(), store, QUICK)
    stored = maps_of(run.predictions_path, 17)
    assert stored is not None
    assert stored.size == (12, 16)
    assert (decode(stored.truth) == FakeMaps().targets[17].class_ids).all()
    assert (decode(stored.found) == FakeSegmenter().answer(17).class_ids).all()
    assert (decode(stored.confidence) == 204 // 4 * 4).all()
    assert maps_of(run.predictions_path, 99) is None
    assert small_confidence(np.zeros((1000, 1700), np.uint8)).shape == (333, 567)


SELECTIONS: list[tuple[dict[str, Any], int, int]] = [  # images, and pixels of the first
    ({"kind": "all"}, 20, TAKEN),
    ({"kind": "class", "class": 0}, 20, MET + TAKEN),
    ({"kind": "class", "class": 1}, 10, RIGHT + TAKEN),
    ({"kind": "presence", "class": 2}, 10, RIGHT),
    ({"kind": "cell", "true": 0, "predicted": 1}, 10, TAKEN),
    ({"kind": "cell", "true": 0, "predicted": 0}, 20, MET),
    ({"kind": "cell", "true": 1, "predicted": 2}, 0, 0),
    ({"kind": "size", "size": "large", "class": None}, 20, MET + TAKEN + RIGHT),
    ({"kind": "size", "size": "small", "class": 1}, 0, 0),
    ({"kind": "bin", "low": 0.85, "high": 0.9}, 20, TAKEN),
    ({"kind": "bin", "low": 0.9, "high": 1.0}, 0, 0),
]


@pytest.mark.parametrize(("selection", "images", "pixels"), SELECTIONS)
def test_selections(view, selection, images, pixels):
    chosen = explore.selected(view, explore.checked(selection, 3))
    assert len(chosen.images) == images
    assert not images or chosen.values[0] == pixels
    for order in explore.ORDERS:
        found = explore.selected(view, selection, order)
        assert sorted(found.images) == sorted(chosen.images)
        assert order == "dataset" or (np.diff(found.values) <= 0).all()
    data, positions = explore.gallery_data([view], FakeMaps(), selection, most=3)
    assert data["total"] == images == len(positions)
    assert all(card["thumb"].startswith("data:image/jpeg") for card in data["cards"])
    assert len(explore.images_table(view, selection)) == images


@pytest.mark.parametrize(
    "selection",
    [
        None,
        {"kind": "nothing"},
        {"kind": "class", "class": 3},
        {"kind": "class", "class": True},
        {"kind": "cell", "true": 3, "predicted": 0},
        {"kind": "cell", "true": 0, "predicted": 4},
        {"kind": "size", "size": "huge"},
        {"kind": "bin", "low": -1, "high": 1},
        {"kind": "brightness", "low": "x", "high": 1},
    ],
)
def test_odd_selections(selection):
    with pytest.raises(InputError, match="reload the page"):
        explore.checked(selection, 3)


@pytest.mark.parametrize("kind", explore.CHARTS)
def test_every_chart_is_json_and_its_points_are_selections(view, kind):
    light = np.arange(20) * 10.0
    figure = explore.chart([view, view], kind, brightness=[light, light])
    assert json.loads(json.dumps(figure, allow_nan=False))["data"]
    picks = [p for trace in figure["data"] for p in trace.get("customdata") or []]
    assert picks
    for pick in picks:
        chosen = explore.selected(view, explore.checked(pick[0], 3), brightness=light)
        assert len(chosen.images) <= 20


def test_slices_add_up(view):
    assert [r["images"] for r in slices(view, "presence")] == [20, 10, 10]
    light = np.arange(20) * 10.0
    rows = slices(view, "brightness", light)
    assert sum(r["images"] for r in rows) == 20
    for row in rows:
        assert len(explore.selected(view, row["selection"], brightness=light).images) == row["images"]
        assert row["pixel_accuracy"] == pytest.approx(15 / 16)
    large = slices(view, "size")[2]
    assert large["miou"] == pytest.approx((IOU_BACKGROUND + 2 * IOU_CLASS) / 3)


def test_a_slice_of_brightness_ends_below_its_end(view):
    """Also where it ends at 1, the last IoU's end."""
    light = np.repeat([0.0, 1.0, 50.0], [4, 4, 12])
    dark = explore.selected(view, {"kind": "brightness", "low": 0, "high": 1}, brightness=light)
    assert sorted(dark.images) == [0, 1, 2, 3]


def test_no_error_bar_without_an_interval(view):
    """Plotly draws 0 and null as a bar of no length, which would say that the number is sure."""
    few = explore.chart([view], "size")["data"][0]["error_y"]
    assert few["array"][1] == few["arrayminus"][1] == "none"  # no class is of that size


def test_runs_on_other_data_are_not_of_these_pictures(view, store):
    """Their maps have other sizes, and a position means another picture there."""
    other = opened(evaluate(FakeSegmenter(name="elsewhere"), FakeMaps(10), store, QUICK))
    data, _ = explore.gallery_data([view, other], FakeMaps(), {"kind": "all"}, most=1)
    assert [a["text"] for a in data["cards"][0]["answers"]] == [f"mIoU {(IOU_BACKGROUND + IOU_CLASS) / 2:.2f}", "–"]
    panes = explore.compare_data([view, other], FakeMaps(), 4, {"kind": "all"})["panes"]
    assert ["error" in p for p in panes] == [False, False, True]


def test_a_card_tells_the_iou_of_the_class_it_is_about(view):
    data, _ = explore.gallery_data([view], FakeMaps(), {"kind": "class", "class": 1}, most=1)
    assert data["cards"][0]["answers"][0]["text"] == f"IoU {IOU_CLASS:.2f}"


def test_less_of_a_loss_is_better(view, store):
    """The star stands at the lower cross-entropy."""
    surer = opened(evaluate(FakeSegmenter(name="surer", sure=0.9), FakeMaps(), store, QUICK))
    cards = {c["key"]: c["cells"] for c in explore.other_figures([view.run, surer.run])["figures"]}
    for name in ("sem_cross_entropy", "sem_focal", "soft_dice", "soft_iou"):
        values = [cell["value"] for cell in cards[name]]
        assert [cell["best"] for cell in cards[name]] == [v == min(values) for v in values]


def test_one_picture_in_panes(view):
    data = explore.compare_data([view, view], FakeMaps(), 4, {"kind": "class", "class": 1})
    assert [p["title"] for p in data["panes"]] == ["ui.cmp.truth", "mover", "mover"]
    assert json.dumps(data, allow_nan=False)
    assert explore.compare_data([view], None, 4, {"kind": "all"})["panes"]  # without the picture, maps only
    with pytest.raises(InputError, match="no such picture"):
        explore.compare_data([view], FakeMaps(), 99, {"kind": "all"})


def test_error_states():
    truth = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    found = np.array([[0, 1, 1, 0, 1, 1]], np.uint8)

    def said(**how: Any) -> list[str]:
        return [STATES[i] for i in error_states(truth, found, ignore_of(3), **how)[0]]

    assert said(background=0) == ["correct", "false", "correct", "missed", "mixed", "ignored"]
    assert said() == ["correct", "mixed", "correct", "mixed", "mixed", "ignored"]
    assert said(label=1) == ["outside", "false", "correct", "missed", "false", "ignored"]
    assert said(label=2) == ["outside", "outside", "outside", "outside", "missed", "ignored"]


def test_the_table_and_figures(view):
    table = explore.table_data(view)
    assert [row[:3] for row in table["rows"]] == [["background", 20 * 8 * 11, 20], ["a", 880, 10], ["b", 880, 10]]
    assert table["rows"][0][3] == pytest.approx(IOU_BACKGROUND)
    assert len(explore.table_data(view, "outlines")["columns"]) == 7
    keys = [card["key"] for card in explore.figures_data([view.run])["figures"]]
    assert keys[:3] == ["sem_miou", "sem_mdice", "pixel_accuracy"]
    assert explore.other_figures([view.run])["figures"]
