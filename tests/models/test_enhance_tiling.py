"""Tiles: where they lie, what is kept of them, and that a picture made of tiles is the picture made whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.errors import InputError
from models.tiling import Cut, Sizes, Tiling, cuts, enhanced, mirrored, tile_setting, usual, window


@pytest.mark.parametrize(
    ("length", "side", "overlap", "multiple", "expected"),
    [
        (10, 16, 4, 1, [(0, 16, 0, 10)]),
        (16, 16, 4, 1, [(0, 16, 0, 16)]),
        (20, 16, 4, 1, [(0, 16, 0, 10), (4, 20, 10, 20)]),  # both have 6 pixels beyond what is kept
        (28, 16, 4, 1, [(0, 16, 0, 14), (12, 28, 14, 28)]),
        (29, 16, 4, 1, [(0, 16, 0, 11), (6, 22, 11, 17), (13, 29, 17, 29)]),
        (21, 16, 4, 8, [(0, 16, 0, 12), (8, 24, 12, 21)]),  # the last reaches beyond the picture
        (40, 16, 0, 8, [(0, 16, 0, 12), (8, 24, 12, 24), (24, 40, 24, 40)]),
    ],
)
def test_cuts_by_hand(length, side, overlap, multiple, expected):
    assert cuts(length, side, overlap, multiple) == [Cut(*one) for one in expected]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_cuts(data):
    multiple = data.draw(st.sampled_from([1, 2, 7, 16]))
    side = multiple * data.draw(st.integers(1, 40))
    overlap = data.draw(st.integers(0, side // 2)) if side >= 2 * multiple else 0
    length = data.draw(st.integers(1, 1500))
    found = cuts(length, side, overlap, multiple)
    assert [one.first for one in found] == [0, *(one.last for one in found[:-1])]
    assert found[-1].last == length
    for one in found:
        assert one.start % multiple == 0
        assert one.stop - one.start == side
        assert one.start <= one.first < one.last <= one.stop
        assert one.first in (0, *range(one.start + overlap // 2, one.stop))
        assert one.last in (length, *range(one.start, one.stop - overlap // 2 + 1))
    assert found[-1].stop - length < max(multiple, side)
    if len(found) > 1:
        assert found[-1].stop - length < multiple
        least = -(-(length - overlap) // max(side - overlap - multiple + 1, 1))
        assert len(found) <= least + 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 60))
def test_mirrored_is_numpys(length, to):
    expected = np.pad(np.arange(length), (0, max(to - length, 0)), mode="reflect")[:to]
    np.testing.assert_array_equal(mirrored(length, to), expected)


def test_window_is_a_view_inside_and_mirrored_beyond():
    picture = np.arange(30, dtype=np.uint8).reshape(5, 6)
    inside = window(picture, Cut(1, 4, 1, 4), Cut(0, 3, 0, 3))
    assert np.shares_memory(inside, picture)
    np.testing.assert_array_equal(
        window(picture, Cut(3, 7, 3, 5), Cut(4, 7, 4, 6)), np.pad(picture, ((0, 2), (0, 1)), mode="reflect")[3:, 4:]
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tiled_is_whole(data):
    """An enlarging blur that sees ``reach`` pixels around each one, with half the overlap at least as wide."""
    size = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    sizes = Sizes(data.draw(st.sampled_from([1, 4, 6])), data.draw(st.sampled_from([0, 10])))
    reach, scale = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 3))
    side = sizes.fit(max(data.draw(st.integers(4 * reach + 2, 40)), 2 * sizes.multiple))
    channels = data.draw(st.sampled_from([1, 3]))
    picture = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)

    def run(windows):
        found = []
        for one in windows:
            assert sizes.padded(one.shape[:2]) == one.shape[:2]
            total = np.zeros(one.shape, int)
            outer = np.pad(one.astype(int), ((reach, reach), (reach, reach), (0, 0)))
            for down in range(2 * reach + 1):
                for across in range(2 * reach + 1):
                    total += outer[down:, across:][: one.shape[0], : one.shape[1]] * (1 + down + 3 * across)
            found.append((total % 251).astype(np.uint8).repeat(scale, 0).repeat(scale, 1))
        return found

    whole = enhanced(run, [picture], Tiling((side, side), 2 * reach, None), sizes, scale)[0]
    tiled = enhanced(run, [picture, picture[::-1]], Tiling((side, side), 2 * reach), sizes, scale)
    assert whole.shape == (size[0] * scale, size[1] * scale, channels)
    np.testing.assert_array_equal(tiled[0], whole)
    assert tiled[1].shape == whole.shape


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        (Sizes(), (5, 7), (5, 7)),
        (Sizes(8), (5, 9), (8, 16)),
        (Sizes(8, 20), (5, 33), (24, 40)),
        (Sizes(128, square=True), (5, 129), (256, 256)),
    ],
)
def test_sizes(sizes, size, expected):
    assert sizes.padded(size) == expected


def test_square_inputs_stay_square():
    sizes = Sizes(8, square=True)
    for size in ((5, 90), (90, 5), (33, 60), (64, 64)):
        for tiling in (Tiling((32, 32), 8), Tiling((32, 32), 8, None)):
            seen = []

            def run(windows, seen=seen):
                seen.extend(one.shape for one in windows)
                return [one[..., 0] for one in windows]

            picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
            np.testing.assert_array_equal(enhanced(run, [picture], tiling, sizes, 1)[0], picture[..., 0])
            assert all(shape[0] == shape[1] and shape[0] % 8 == 0 for shape in seen)


def test_usual_tiles():
    small = usual("cpu", 4, Sizes())
    assert small == Tiling((256, 256), 64, 2 * 256 * 256)
    assert usual("cuda:0", 4, Sizes()).side == (512, 512)
    assert usual("cpu", 1, Sizes(48)).side == (528, 528)
    assert len(small.plan((300, 400), Sizes())) == 1  # not yet worth it
    assert len(small.plan((400, 400), Sizes())) == 4


def test_settings():
    usual = Tiling((256, 256), 64, 100)
    assert tile_setting({}, usual, Sizes()) == usual
    assert tile_setting({"tile": "0"}, usual, Sizes()).above is None
    assert tile_setting({"tile": "100"}, usual, Sizes(16)) == Tiling((112, 112), 56, 0)
    assert tile_setting({"tile": "10"}, usual, Sizes(64)) == Tiling((128, 128), 64, 0)
    assert tile_setting({"tile": "100", "overlap": "8"}, usual, Sizes(1)) == Tiling((100, 100), 8, 0)
    assert tile_setting({"overlap": "128"}, usual, Sizes()) == Tiling((256, 256), 128, 100)


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        ({"tile": "big"}, "tile must be a whole number of pixels up to 16384, or 0 for none, got 'big'"),
        ({"tile": "-3"}, "tile must be"),
        ({"tile": "7"}, "tile=7 is too small, every pixel would be worked on many times: 16 or more, or 0 for none"),
        ({"tile": "99999999999"}, "tile must be"),
        ({"tile": "64", "overlap": "33"}, "overlap must be a whole number of pixels up to 32, half a tile's side"),
        ({"overlap": "1.5"}, "overlap must be"),
    ],
)
def test_settings_that_make_no_sense(chosen, match):
    with pytest.raises(InputError, match=match):
        tile_setting(chosen, Tiling((256, 256)), Sizes())
