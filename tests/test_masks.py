"""Run lengths: those from outside are checked before pycocotools' C code may see them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from dashboard import masks


def random_masks(seed: int, count: int = 20, size: tuple[int, int] = (37, 53)) -> np.ndarray:
    """(N, H, W) blobs, noise, empty and full ones."""
    rng = np.random.default_rng(seed)
    noise = rng.random((count, *size)) < rng.random((count, 1, 1))
    noise[::3, 5:20, 7:40] = True
    noise[0], noise[1] = False, True
    return noise


def test_round_trip():
    pictures = random_masks(0)
    coded = masks.encode(pictures)
    np.testing.assert_array_equal(masks.decode(coded, (37, 53)), pictures)
    np.testing.assert_array_equal(masks.areas(coded, (37, 53)), pictures.sum((1, 2)))
    assert masks.decode([], (3, 4)).shape == (0, 3, 4)
    assert masks.encode(np.zeros((0, 3, 4), bool)) == []


def test_a_mask_by_hand():
    # 2 x 3, columns (0,1) (1,1) (0,0): runs 1 off, 3 on, 2 off
    coded = masks.from_runs([1, 3, 2], (2, 3))
    assert coded == b"132"
    assert masks.decode([coded], (2, 3))[0].tolist() == [[False, True, False], [True, True, False]]
    assert masks.boxes([coded], (2, 3)).tolist() == [[0, 0, 2, 2]]
    assert masks.iou([coded], [masks.from_runs([0, 6], (2, 3))], (2, 3)).tolist() == [[0.5]]


def test_square_polygon():
    coded = masks.from_polygons([[1, 1, 4, 1, 4, 3, 1, 3]], (5, 6))
    assert masks.boxes([coded], (5, 6)).tolist() == [[1, 1, 4, 3]]
    assert masks.areas([coded], (5, 6)).tolist() == [6]


class TestFirstFault:
    @pytest.mark.parametrize("seed", range(3))
    def test_good_ones_pass(self, seed):
        coded = masks.encode(random_masks(seed))
        assert masks.first_fault(coded, (37, 53)) is None
        assert masks.first_fault([], (37, 53)) is None

    def test_each_its_own_size(self):
        coded = [masks.from_runs([n], (1, n)) for n in (3, 70_000, 5)]
        sizes = np.array([[1, 3], [7, 10_000], [5, 1]])
        assert masks.first_fault(coded, sizes) is None
        sizes[1] = 7, 9_999
        assert masks.first_fault(coded, sizes) == (
            1,
            "is of another size: its runs add up to 70,000 pixels, the image has 7 x 9999 = 69,993 (height x width)",
        )

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (b"", "damaged"),
            (b"13", "another size"),
            (b"13\x00", "damaged"),
            (b"13P", "damaged"),  # the end says that more follows
            (b"1 2", "damaged"),
            (b"\xff\xff", "damaged"),
            (b"1O6", "damaged"),  # a negative run, made up for by the next
            (b"oooooooo0", "damaged"),  # a number of 45 bits
            (b"132" * 9, "another size"),
        ],
    )
    def test_bad_ones(self, bad, why):
        good = masks.from_runs([1, 3, 2], (2, 3))
        place, sentence = masks.first_fault([good, bad, good, b"", good], (2, 3))
        assert place == 1
        assert why in sentence

    @pytest.mark.parametrize("size", [(0, 5), (-1, 5), (1 << 20, 1 << 20), (1 << 62, 4)])
    def test_impossible_sizes(self, size):
        place, sentence = masks.first_fault([b"132"], size)
        assert place == 0
        assert "no picture" in sentence

    def test_pieces(self, monkeypatch):
        monkeypatch.setattr(masks, "_PIECE", 50)
        coded = masks.encode(random_masks(1))
        assert masks.first_fault(coded, (37, 53)) is None
        for place in (0, 7, 19):
            broken = [*coded[:place], coded[place][:-1] + b"P", *coded[place + 1 :]]
            assert masks.first_fault(broken, (37, 53))[0] == place

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 9))
    def test_decodes_as_pycocotools(self, runs, rows):
        total = sum(runs)
        if not total:
            return
        coded = masks.from_runs(runs, (1, total))
        assert masks.first_fault([coded], (1, total)) is None
        assert masks.first_fault([coded], (1, total + 1)) is not None
        on = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        np.testing.assert_array_equal(masks.decode([coded], (1, total))[0, 0], on)

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=12))
    def test_what_passes_is_safe(self, data):
        """A string that is let through is one that pycocotools reads as runs of that many pixels."""
        if masks.first_fault([data], (4, 5)) is None:
            assert coco.decode({"size": [4, 5], "counts": data}).shape == (4, 5)


@pytest.mark.parametrize(
    ("counts", "why"), [([1, 2], "add up to 3"), ([-1, 7], "whole"), ([1.0, 5], "whole"), ([True, 5], "whole")]
)
def test_bad_runs(counts, why):
    with pytest.raises(ValueError, match=why):
        masks.from_runs(counts, (2, 3))


@pytest.mark.parametrize(
    ("polygons", "why"),
    [
        ([], "no polygon"),
        ([[0, 0, 1, 1]], "polygon 1 has 2 points"),
        ([[0, 0, 1, 1, 2, 0], [0, 0, 1]], "polygon 2 has 3 numbers"),
        ([[0, 0, 1, 1, 2, 0, 3]], "7 numbers"),
        ([[0, 0, 1, float("nan"), 2, 0]], "coordinate nan"),
        ([[0, 0, 1, 1e12, 2, 0]], "coordinate 1e"),
        ([[0, 0, 9e6, 0, 0, 9e6]], "pixels long"),
        ([[0, 0, 5e3, 0] * 1000], "pixels long"),
    ],
)
def test_bad_polygons(polygons, why):
    with pytest.raises(ValueError, match=why):
        masks.from_polygons(polygons, (10, 10))


def test_polygons_that_leave_the_image():
    coded = masks.from_polygons([[-50, -50, 500, -50, 500, 500, -50, 500]], (10, 12))
    assert masks.areas([coded], (10, 12)).tolist() == [120]
    assert masks.first_fault([coded], (10, 12)) is None


def test_many_masks_have_areas():
    """One picture with more objects than a byte can count."""
    shapes = np.zeros((300, 8, 8), bool)
    shapes[:, :2, :3] = True
    np.testing.assert_array_equal(masks.areas(masks.encode(shapes), (8, 8)), np.full(300, 6.0))
