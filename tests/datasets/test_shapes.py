"""Outlines as columns: areas, boxes and masks of objects of several polygons or of run lengths."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dashboard import masks
from dashboard.datasets.shapes import Shapes, from_coco
from dashboard.errors import InputError

SIZE = (30, 40)
SIZES = np.array([SIZE] * 4)
SQUARE = [1.0, 1, 5, 1, 5, 4, 1, 4]  # 4 x 3
BACKWARDS = [10.0, 10, 10, 12, 14, 12, 14, 10]  # 4 x 2, the other way round
RUNS = {"size": list(SIZE), "counts": [30 * 2 + 5, 3, 27, 3, 1200 - 98]}  # columns 2 and 3, rows 5 to 7


def shapes() -> Shapes:
    return from_coco([[SQUARE, BACKWARDS], RUNS, SQUARE, [BACKWARDS]], SIZES, lambda i: f"object {i}")


def test_areas_and_boxes():
    found = shapes()
    assert len(found) == 4
    assert found.areas().tolist() == [20, 6, 12, 8]
    assert found.boxes(SIZES).tolist() == [[1, 1, 14, 12], [2, 5, 4, 8], [1, 1, 5, 4], [10, 10, 14, 12]]


def test_masks():
    found = shapes()
    pictures = masks.decode([found.mask(i, SIZE) for i in range(4)], SIZE)
    assert pictures.sum((1, 2)).tolist() == [20, 6, 12, 8]
    np.testing.assert_array_equal(pictures[0], pictures[2] | pictures[3])


def test_areas_equal_opencv():
    rng = np.random.default_rng(0)
    polygons = [rng.uniform(0, 30, 2 * n).round(2).tolist() for n in rng.integers(3, 12, 50)]
    found = from_coco([[p] for p in polygons], np.array([SIZE] * 50), str)
    wanted = [cv2.contourArea(np.array(p, np.float32).reshape(-1, 2)) for p in polygons]
    np.testing.assert_allclose(found.areas(), wanted, atol=1e-2)


def test_none_at_all():
    found = from_coco([], np.empty((0, 2), np.int64), str)
    assert len(found) == 0
    assert found.areas().shape == (0,)
    assert found.boxes(np.empty((0, 2), np.int64)).shape == (0, 4)


def test_errors_name_the_object_and_the_polygon():
    with pytest.raises(InputError, match="object 2: polygon 2 has 2 points"):
        from_coco([[SQUARE], RUNS, [SQUARE, [1, 2, 3, 4]], [SQUARE]], SIZES, lambda i: f"object {i}")
    with pytest.raises(InputError, match="object 1: the mask is of another size"):
        from_coco([[SQUARE], {**RUNS, "counts": "0"}, [SQUARE], [SQUARE]], SIZES, lambda i: f"object {i}")


def test_a_fingerprint_sees_every_part():
    base = b"".join(shapes().hashed())
    moved = from_coco([[SQUARE, BACKWARDS], RUNS, [*SQUARE[:-1], 4.5], [BACKWARDS]], SIZES, str)
    regrouped = from_coco([[SQUARE], RUNS, [BACKWARDS, SQUARE], [BACKWARDS]], SIZES, str)
    other = from_coco([[SQUARE, BACKWARDS], {**RUNS, "counts": [1200]}, SQUARE, [BACKWARDS]], SIZES, str)
    assert len({base, *(b"".join(s.hashed()) for s in (moved, regrouped, other))}) == 4
