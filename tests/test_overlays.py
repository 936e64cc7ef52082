"""The compare view's payload: plain JSON, rounded, merged by class name, and refused when it does not fit."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
import pytest

from dashboard import masks
from dashboard.explore.overlays import failed_pane, image_data, no_picture, pane, picture_payload
from dashboard.types import Detections

PICTURE = np.zeros((30, 40, 3), np.uint8)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, float).reshape(-1, 4)


@pytest.fixture
def found() -> Detections:
    """Three objects of classes 1, 0, 1; the second is unsure."""
    xyxy = boxes((0.04, 1.06, 10, 12), (5, 5, 6, 7), (1, 2, 3, 4))
    return Detections(xyxy, np.array([1, 0, 1]), np.array([0.912345, 0.04, 0.5]))


@pytest.fixture
def truth() -> Detections:
    """Two objects to find and a crowd between them."""
    xyxy = boxes((0, 1, 10, 12), (0, 0, 30, 30), (20, 20, 25, 25))
    return Detections(xyxy, np.array([1, 1, 0]), crowd=np.array([False, True, False]))


def test_rounds_and_leaves_out_what_is_below_the_floor(found):
    data = pane("a model", found, floor=0.05)
    assert data["xyxy"] == [[0.0, 1.1, 10.0, 12.0], [1.0, 2.0, 3.0, 4.0]]
    assert data["class"] == [1, 1]
    assert data["score"] == [0.9123, 0.5]
    assert data["state"] == ["plain", "plain"]
    assert data["at"] == [0, 2]
    assert "rle" not in data
    assert "more" not in data


def test_what_belongs_to_an_object_stays_with_it(found):
    facts = [{"iou": np.float32(0.5), "n": np.int64(3)}, {"iou": 1.0}, {"iou": float("nan"), "matched": "cat"}]
    data = pane("a model", found, ["tp", "fp", "fp"], facts, [4, None, -1])
    assert data["state"] == ["tp", "fp"]
    assert data["facts"] == [{"iou": 0.5, "n": 3}, {"iou": None, "matched": "cat"}]
    assert data["pair"] == [4, None]


def test_only_the_surest_when_there_are_too_many():
    scores = np.array([0.3, 0.9, 0.3, 0.8, 0.01])
    data = pane("a model", Detections(np.tile(boxes((0, 0, 1, 1)), (5, 1)), np.zeros(5, int), scores), most=3)
    assert data["at"] == [0, 1, 3]
    assert data["more"] == 1


def test_truth_is_truth_and_crowds_are_set_aside(truth):
    data = pane("ui.cmp.truth", truth)
    assert data["state"] == ["truth", "ignored", "truth"]
    assert data["score"] == [None, None, None]


def test_truth_beside_a_model_is_what_it_may_have_missed(found, truth):
    data = pane("a model", found, ["tp", "fp", "fp"], pair=[0, None, None], truth=truth)
    assert data["state"] == ["tp", "fp", "fn", "fn"]
    assert data["pair"] == [0, None, 0, 2]  # places in the truth, the crowd counted
    assert data["at"] == [0, 2, None, None]
    assert data["score"][2:] == [None, None]
    assert [len(data[k]) for k in ("xyxy", "class", "facts")] == [4, 4, 4]


def test_masks_are_text_and_follow_their_objects():
    stack = np.zeros((2, 30, 40), bool)
    stack[0, 2:5, 3:9] = stack[1, 10:20, 10:30] = True
    rle = masks.encode(stack)
    truth = Detections(masks.boxes(rle, (30, 40)), np.zeros(2, int), masks=rle, size=(30, 40))
    found = Detections(truth.xyxy, truth.class_ids, np.array([0.01, 0.9]), rle, (30, 40))
    data = pane("a model", found, truth=truth)
    assert data["rle"] == [rle[1].decode(), rle[0].decode(), rle[1].decode()]
    mixed = pane("boxes only", Detections(truth.xyxy, truth.class_ids, np.array([0.5, 0.9])), truth=truth)
    assert mixed["rle"] == [None, None, rle[0].decode(), rle[1].decode()]
    assert picture_payload("k", "t", PICTURE, [mixed])["masks"] is True


def test_classes_are_merged_by_name(found):
    first = pane("a", found, class_names=["cat", "dog"])
    second = pane("b", found, class_names=["dog", "bird"])
    third = pane("c", found)
    data = picture_payload("k", "t", PICTURE, [first, second, third], ["person", "bird"])
    assert data["classes"] == ["person", "bird", "dog"]
    assert [p["class"] for p in data["panes"]] == [[2, 2], [1, 1], [1, 1]]
    assert all("names" not in p for p in data["panes"])
    assert first["class"] == [1, 1]  # the panes given are not changed
    assert first["names"] == ["cat", "dog"]


def test_a_class_past_the_names_has_its_number():
    far = Detections(boxes((0, 0, 1, 1)), np.array([3]), np.array([0.9]))
    assert picture_payload("k", "t", PICTURE, [pane("a", far)], ["x"])["classes"] == [
        "x",
        "class 1",
        "class 2",
        "class 3",
    ]
    assert picture_payload("k", "t", PICTURE, [pane("a", far, class_names=["x"])])["classes"] == ["class 3"]


def test_is_json_and_says_what_the_view_needs(found, truth):
    panes = [pane("ui.cmp.truth", truth), pane("m", found, note="8.1 ms", stages=[1, np.float64(2.345), 3])]
    data = picture_payload("k", "t", PICTURE, panes, ["a", "b"], confidence=0.4, selected=(1, 0), colors=["#ff0000"])
    assert json.loads(json.dumps(data)) == data
    assert (data["width"], data["height"]) == (40, 30)
    assert data["controls"] == {"confidence": 0.4, "floor": 0.05}
    assert data["selected"] == [1, 0]
    low = [pane("m", found, floor=0.01), pane("n", found, floor=0.02), pane("ui.cmp.truth", truth, floor=0.5)]
    assert picture_payload("k", "t", PICTURE, low)["controls"]["floor"] == 0.02
    assert data["panes"][1]["stages"] == pytest.approx([1, 2.345, 3], abs=0.006)


def test_the_picture_is_made_smaller_but_boxes_keep_their_pixels(found):
    wide = np.full((500, 3000, 3), 128, np.uint8)
    data = picture_payload("k", "t", wide, [pane("m", found)])
    jpeg = np.frombuffer(base64.b64decode(data["image"].partition(",")[2]), np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape[:2] == (267, 1600)
    assert (data["width"], data["height"]) == (3000, 500)
    assert image_data(wide, 300).startswith("data:image/jpeg;base64,")


def test_without_a_picture(found):
    data = picture_payload("k", "t", None, [pane("m", found)], size=(480, 640))
    assert (data["width"], data["height"], data["image"]) == (640, 480, None)
    with pytest.raises(ValueError, match="image or size"):
        picture_payload("k", "t", None, [pane("m", found)])
    assert no_picture("k", "t", "a.jpg is truncated")["error"] == "a.jpg is truncated"


def test_a_pane_that_failed_and_one_without_objects():
    data = picture_payload("k", "t", PICTURE, [failed_pane("m", "too big"), pane("n", Detections.none(scored=True))])
    assert data["panes"][0]["error"] == "too big"
    assert data["panes"][1]["xyxy"] == []
    assert data["classes"] == []


def test_refuses_what_does_not_fit(found):
    with pytest.raises(ValueError, match="states must be one an object, 3, got 1"):
        pane("m", found, ["tp"])
    with pytest.raises(ValueError, match="pair must be one an object"):
        pane("m", found, pair=[1])
    with pytest.raises(ValueError, match="got 'TP'"):
        pane("m", found, ["TP", "fp", "fp"])
    with pytest.raises(ValueError, match="one to four, got 5"):
        picture_payload("k", "t", PICTURE, [pane("m", found)] * 5)
    with pytest.raises(ValueError, match="one to four, got 0"):
        picture_payload("k", "t", PICTURE, [])
