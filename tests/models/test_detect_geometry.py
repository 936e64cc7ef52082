"""Letterboxing and its undoing, masks in place: to the pixel, for any picture."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dashboard import masks
from dashboard.errors import InputError
from models import yolo_output
from models.detection import LetterBox, Thresholds, clipped, place_mask, result

SIDES = st.integers(1, 900)
INPUTS = st.tuples(st.integers(1, 8), st.integers(1, 8)).map(lambda s: (32 * s[0], 32 * s[1]))


@given(SIDES, SIDES, INPUTS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_pixels_are_ultralytics_own(height, width, size, rect):
    from ultralytics.data.augment import LetterBox as Theirs

    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    ours = LetterBox(size, rect=rect).apply(image)
    np.testing.assert_array_equal(ours.pixels, Theirs(size, auto=rect, stride=32)(image=image))
    assert ours.size == (height, width)


def test_stretching_is_ultralytics_own():
    from ultralytics.data.augment import LetterBox as Theirs

    image = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
    ours = LetterBox((64, 64), stretch=True).apply(image)
    np.testing.assert_array_equal(ours.pixels, Theirs((64, 64), scale_fill=True)(image=image))


@given(SIDES, SIDES, INPUTS, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_way_back_is_exact(height, width, size, rect, stretch):
    """The corners of the resized picture are those of the picture; what lies between is linear."""
    box = LetterBox(size, rect=rect, stretch=stretch)
    where = box.place((height, width))
    inner = [where.left, where.top, where.left + where.inner[1], where.top + where.inner[0]]
    middle = [(inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2, inner[2], inner[3]]
    back = box.restore(np.array([inner, middle]), (height, width))
    np.testing.assert_allclose(back, [[0, 0, width, height], [width / 2, height / 2, width, height]], atol=1e-9)


@given(SIDES, SIDES, INPUTS)
@settings(max_examples=200, deadline=None)
def test_the_way_back_is_ultralytics_own(height, width, size):
    import torch
    from ultralytics.utils.ops import scale_boxes

    boxes = np.random.default_rng(0).uniform(0, 256, (5, 4)).astype(np.float32)
    ours = clipped(LetterBox(size).restore(boxes, (height, width)), (height, width))
    theirs = scale_boxes(size, torch.from_numpy(boxes.copy()).double(), (height, width)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@settings(max_examples=300, deadline=None)
def test_a_mask_in_place_is_the_whole_pictures(height, width, data):
    left, top = data.draw(st.integers(0, width)), data.draw(st.integers(0, height))
    wide, high = data.draw(st.integers(0, width - left)), data.draw(st.integers(0, height - top))
    bits = data.draw(st.lists(st.booleans(), min_size=wide * high, max_size=wide * high))
    columns = np.array(bits, bool).reshape(wide, high)
    whole = np.zeros((height, width), bool)
    whole[top : top + high, left : left + wide] = columns.T
    assert place_mask(columns, left, top, (height, width)) == masks.encode(whole[None])[0]


def test_a_mask_outside_the_picture_is_refused():
    for left, top in ((3, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match="not inside 4x4"):
            place_mask(np.ones((2, 2), bool), left, top, (4, 4))


@given(st.integers(20, 300), st.integers(20, 300), INPUTS, st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_prototype_masks_are_ultralytics_own(height, width, size, seed):
    import torch
    from ultralytics.utils.ops import process_mask_native

    rng = np.random.default_rng(seed)
    protos = rng.normal(size=(3, size[0] // 4, size[1] // 4)).astype(np.float32)
    coefficients = rng.normal(size=(4, 3)).astype(np.float32)
    corners = np.sort(rng.uniform(0, 1, (4, 2, 2)), axis=1) * [width, height]
    boxes = corners.reshape(4, 4)
    boxes[0] = 0, 0, width, height
    boxes[1, 2:] = boxes[1, :2]  # empty
    where = LetterBox(size).place((height, width))
    ours = yolo_output.instance_masks(coefficients, protos, boxes, where, (height, width))
    theirs = process_mask_native(*map(torch.from_numpy, (protos, coefficients, boxes)), (height, width)).numpy()
    assert theirs[0].any()
    assert (masks.decode(ours, (height, width)) != theirs.astype(bool)).mean() < 1e-4


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 60), st.floats(0, 1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_suppression_is_ultralytics_own(seed, classes, most, iou, several):
    import torch
    from ultralytics.utils.nms import non_max_suppression

    rng = np.random.default_rng(seed)
    outputs = np.concatenate([rng.uniform(0, 60, (2, 400)), rng.uniform(1, 30, (2, 400))])
    scores = rng.permutation(400 * classes).reshape(classes, 400) / (400 * classes)  # no ties
    rows = torch.from_numpy(np.concatenate([outputs, scores, rng.normal(size=(2, 400))]).astype(np.float32))
    ours = yolo_output.suppress(rows, classes, Thresholds(0.3, iou, most), several)
    theirs = non_max_suppression(rows[None].clone(), 0.3, iou, nc=classes, max_det=most, multi_label=several)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_nothing_found():
    import torch

    for several in (True, False):
        found = yolo_output.suppress(torch.zeros(4 + 3 + 2, 10), 3, Thresholds(), several)
        assert found.shape == (0, 8)
    assert yolo_output.instance_masks(*map(np.zeros, ((0, 3), (3, 8, 8), (0, 4))), LetterBox((32, 32)).place((9, 9)), (9, 9)) == []  # fmt: skip # noqa: E501


def test_what_a_network_says_becomes_detections():
    boxes = np.array([[-5.0, 2, 30, 40], [8, 8, 4, 4]])
    found = result("m", boxes, np.array([1 + 1e-7, 0.5]), np.array([0.0, 2.0]), (20, 10))
    np.testing.assert_array_equal(found.xyxy, [[0, 2, 10, 20], [8, 8, 8, 8]])
    np.testing.assert_array_equal(found.scores, [1, 0.5])
    np.testing.assert_array_equal(found.class_ids, [0, 2])
    for wrong, message in ((np.nan, "not numbers"), (1.5, r"scores of 0.5..1.5"), (-1.0, "not in 0..1")):
        with pytest.raises(InputError, match=message):
            result("m", boxes, np.array([wrong, 0.5]), np.zeros(2), (20, 10))
