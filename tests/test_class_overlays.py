"""Class maps for the browser: exact values, areas, classes merged by name, sizes that are sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.classmaps import decode
from dashboard.explore.class_overlays import NO_CLASS, background_of, map_pane, map_payload, reduced
from dashboard.explore.overlays import failed_pane

IDS = np.array([[0, 1, 1, 2], [0, 1, 255, 255]], np.uint8)
NAMES = ["background", "cat", "dog"]


def sent(uri: str) -> Any:
    """The map in a data URI."""
    head, body = uri.split(",")
    assert head == "data:image/png;base64"
    return decode(base64.b64decode(body))


def payload(*panes: Any, **options: Any) -> dict[str, Any]:
    """Of a picture of 2 x 4 pixels; it must be plain JSON."""
    names = options.pop("names", NAMES)
    data = map_payload("k", "t", None, panes, names, **{"size": (2, 4), "uri": "x", **options})
    json.dumps(data)
    return data


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_map_arrives_as_it_is(kind: type) -> None:
    ids = np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, (40, 50)).astype(kind)
    pane = map_pane("m", ids)
    assert np.array_equal(sent(pane["map"]), ids)
    assert pane["wide"] == (kind is np.uint16)


def test_areas_are_shares_of_the_whole_picture() -> None:
    pane = payload(map_pane("m", IDS, ignore=255))["panes"][0]
    assert pane["areas"] == [[0, 0.25], [1, 0.375], [2, 0.125]]  # of 8 pixels; the two ignored belong to none
    assert payload(map_pane("m", IDS))["panes"][0]["areas"] == pane["areas"]  # numbers past the names have no class
    assert pane["lut"] == [0, 1, 2]


def test_large_maps_are_reduced_but_their_areas_are_not() -> None:
    ids = np.zeros((30, 100), np.uint8)
    ids[0, 0] = 1
    pane = map_pane("m", ids, confidence=np.full((30, 100), 9, np.uint8), longest=10)
    assert sent(pane["map"]).shape == (3, 10)
    assert sent(pane["confidence"]).shape == (2, 5)
    assert dict(pane["areas"])[1] == pytest.approx(1 / 3000)
    data = map_payload("k", "t", np.zeros((30, 100, 3), np.uint8), [pane], ["a", "b"], truth=ids, longest=10)
    assert (data["width"], data["height"]) == (100, 30)  # what the pointer tells is in the picture's own pixels
    assert sent(data["truth"]).shape == (3, 10)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_reduction_takes_pixels_as_they_are(height: int, width: int, longest: int) -> None:
    values = np.arange(height * width).reshape(height, width)
    small = reduced(values, longest)
    assert max(small.shape) == min(longest, max(height, width))
    assert len(np.unique(small)) == small.size  # no pixel twice, none invented
    assert np.isin(small, values).all()
    if longest >= max(height, width):
        assert np.array_equal(small, values)
    rows = np.diff(small[:, 0] // width)
    assert (rows >= 1).all()
    assert rows.size == 0 or rows.max() - rows.min() <= 1  # evenly


def test_reduction_is_what_opencv_does_about_the_centres() -> None:
    values = np.random.default_rng(1).integers(0, 255, (90, 120)).astype(np.uint8)
    wanted = cv2.resize(values, (40, 30), interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.array_equal(reduced(values, 40), wanted)


def test_classes_are_merged_by_name() -> None:
    first = map_pane("a", np.array([[0, 1, 1, 2], [0, 0, 0, 0]], np.uint8), class_names=["dog", "tree", "cat", "car"])
    second = map_pane("b", np.array([[0, 1, 1, 1], [1, 1, 1, 1]], np.uint8), class_names=["tree", "bush"])
    data = payload(first, second, failed_pane("c", "no"), map_pane("d", np.zeros((2, 4), np.uint8)))
    assert data["classes"] == [*NAMES, "tree", "bush"]  # the car, which never occurs, is not listed
    assert [p.get("lut") for p in data["panes"]] == [[2, 3, 1, NO_CLASS], [3, 4], None, [0, 1, 2, 3, 4]]
    assert data["panes"][0]["areas"] == [[2, 0.625], [3, 0.25], [1, 0.125]]
    assert "names" not in data["panes"][0]
    assert first["names"] == ["dog", "tree", "cat", "car"]  # panes are not changed


def test_a_name_that_occurs_twice() -> None:
    ids = np.array([[0, 1, 2, 2], [0, 0, 0, 0]], np.uint8)
    twice = ["a", "b", "b"]
    same = payload(map_pane("m", ids, class_names=twice), names=twice)["panes"][0]
    assert same["lut"] == [0, 1, 2]  # the dataset's own list: two classes
    merged = payload(map_pane("m", ids, class_names=twice), names=["b"])
    assert merged["classes"] == ["b", "a"]
    assert merged["panes"][0]["areas"] == [[1, 0.625], [0, 0.375]]  # one class, whose areas add up


def test_numbers_that_nobody_has_named() -> None:
    data = payload(map_pane("a", np.full((2, 4), 1, np.uint8)), map_pane("b", np.full((2, 4), 2, np.uint8)), names=())
    assert data["classes"] == ["class 0", "class 1", "class 2"]
    assert [p["areas"] for p in data["panes"]] == [[[1, 1.0]], [[2, 1.0]]]
    assert data["background"] is None


def test_an_ignored_number_within_the_names_has_no_class() -> None:
    pane = payload(map_pane("ui.cmp.truth", IDS, ignore=0))["panes"][0]
    assert pane["lut"] == [NO_CLASS, 1, 2]
    assert [c for c, _ in pane["areas"]] == [1, 2]


def test_the_truth_is_sent_once() -> None:
    model = map_pane("m", np.zeros((2, 4), np.uint8))
    assert np.array_equal(sent(payload(model, truth=IDS)["truth"]), IDS)
    assert payload(model, truth=IDS)["lut"] == [0, 1, 2]
    assert "truth" not in payload(map_pane("ui.cmp.truth", IDS, ignore=255), model, truth=IDS)
    assert "truth" in payload(failed_pane("ui.cmp.truth", "no"), model, truth=IDS)


def test_what_is_shown_at_first() -> None:
    model = map_pane("m", np.zeros((2, 4), np.uint8), note="8 ms", stages=[1.234, 2, 3])
    data = payload(model)
    assert (data["mode"], data["focus"], data["cell"], data["controls"]) == ("classes", None, None, {"opacity": 0.55})
    assert (data["panes"][0]["note"], data["panes"][0]["stages"]) == ("8 ms", [1.23, 2, 3])
    data = payload(model, mode="errors", focus_class=1, cell=(1, 2), opacity=0.2, colors=["#000000"] * 3)
    assert (data["mode"], data["focus"], data["cell"], data["controls"]) == ("errors", 1, [1, 2], {"opacity": 0.2})
    assert data["colors"] == ["#000000"] * 3


@pytest.mark.parametrize(
    ("names", "wanted"), [(["Background", "cat"], 0), (["bg"], 0), (["cat", "background"], None), ([], None)]
)
def test_background(names: list[str], wanted: int | None) -> None:
    assert background_of(names) == wanted


def test_refusals() -> None:
    good = map_pane("m", IDS)
    with pytest.raises(ValueError, match="image or size"):
        map_payload("k", "t", None, [good])
    for panes in ([], [good] * 5):
        with pytest.raises(ValueError, match="one to four"):
            payload(*panes)
    with pytest.raises(ValueError, match="mode must be of classes, errors"):
        payload(good, mode="else")
    with pytest.raises(ValueError, match="not of its picture's size"):
        payload(map_pane("m", IDS.T))
    with pytest.raises(ValueError, match="not of its picture's size"):
        payload(good, truth=IDS[:1])
    for bad in (IDS.astype(np.int64), np.zeros((0, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(ValueError, match="class_ids must be"):
            map_pane("m", bad)
