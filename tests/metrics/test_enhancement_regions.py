"""The worst regions of a map against trying every square."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics.enhancement.regions import PART, SMALLEST, worst


def every_square(badness: np.ndarray, side: int) -> np.ndarray:
    """Mean of each square of ``side`` pixels by its top and left, one after another."""
    rows, columns = (max(1, size - side + 1) for size in badness.shape)
    return np.array([[badness[y : y + side, x : x + side].mean() for x in range(columns)] for y in range(rows)])


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 40), st.integers(16, 40), st.integers(1, 3), st.integers(0, 999))
def test_small_squares_are_looked_at_everywhere(height, width, side, seed):
    """Below 8 pixels the step is one, so that the worst of all is found."""
    badness = np.random.default_rng(seed).random((height, width))
    means = every_square(badness, side)
    (x, y, _, _, value), *_ = worst(badness, 1, side)
    assert value == pytest.approx(means.max(), rel=1e-9)
    assert means[y, x] == pytest.approx(value, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 60), st.integers(16, 60), st.integers(4, 30), st.integers(1, 6), st.integers(0, 999))
def test_each_is_the_worst_on_the_grid_that_meets_none_before(height, width, side, count, seed):
    """On the grid of a quarter of a side and the far ends, greedily."""
    badness = np.random.default_rng(seed).random((height, width)) ** 3
    h, w = min(side, height), min(side, width)
    step = max(1, min(h, w) // 4)
    found = worst(badness, count, side)
    taken: list[tuple[int, int]] = []
    for x, y, *_, value in found:
        grid = {
            (row, column): badness[row : row + h, column : column + w].mean()
            for row in {*range(0, height - h + 1, step), height - h}
            for column in {*range(0, width - w + 1, step), width - w}
            if all(abs(row - r) >= h or abs(column - c) >= w for r, c in taken)
        }
        assert value == pytest.approx(max(grid.values()), rel=1e-9)
        assert grid[y, x] == pytest.approx(value, rel=1e-9)
        taken.append((y, x))
    left = [
        (row, column)
        for row in {*range(0, height - h + 1, step), height - h}
        for column in {*range(0, width - w + 1, step), width - w}
        if all(abs(row - r) >= h or abs(column - c) >= w for r, c in taken)
    ]
    assert len(found) == count or not left


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 160), st.integers(20, 160), st.integers(0, 999))
def test_the_grid_misses_little(height, width, seed):
    """A blot of the square's size, wherever it is, is met for at least seven eighths in each direction."""
    side = max(SMALLEST, min(height, width) // PART)
    rng = np.random.default_rng(seed)
    y, x = (int(rng.integers(0, size - side + 1)) for size in (height, width))
    badness = np.zeros((height, width))
    badness[y : y + side, x : x + side] = 1
    assert worst(badness, 1)[0][4] >= (7 / 8) ** 2 - 1e-9


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_means_of_a_large_map_keep_their_digits(kind):
    """A hundred million summed in float32 would lose a square's own sum."""
    badness = np.full((2000, 3000), 100, kind)
    badness[1000:1250, 2000:2250] += 1
    (x, y, w, h, value), *_ = worst(badness, 1)
    assert (x, y, w, h) == (pytest.approx(2000, abs=31), pytest.approx(1000, abs=31), 250, 250)
    assert value == pytest.approx(badness[y : y + h, x : x + w].mean(dtype=np.float64), rel=1e-12)


@pytest.mark.parametrize("most", [1, 255**2 / 3])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_where_nothing_is_wrong_is_no_region(most, kind):
    """Sums of large numbers are rounded; what is left of them where all is zero must not pass for an error."""
    rng = np.random.default_rng(0)
    badness = np.zeros((540, 960), kind)
    badness[:100] = rng.random((100, 960)) * most
    badness[:, :100] = rng.random((540, 100)) * most
    for x, y, w, h, value in worst(badness, 500):
        assert badness[y : y + h, x : x + w].any()
        assert value > 1e-6


def test_a_picture_smaller_than_a_square_is_one_region():
    badness = np.arange(35.0).reshape(5, 7)
    assert worst(badness, 3) == [(0, 0, 7, 5, pytest.approx(17))]
    assert worst(badness, 3, side=1)[0] == (6, 4, 1, 1, pytest.approx(34))
