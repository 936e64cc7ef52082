"""Outlines that are met, and maps that are asked for once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics.segmentation.boundary import Line, edges, met
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counting import often
from dashboard.metrics.segmentation.counts import CELLS, EDGES, count
from dashboard.metrics.segmentation.slices import size_of_class
from tests.class_maps import maps


def scattered(rng: np.random.Generator, shape: tuple[int, int], points: int, classes: int) -> Line:
    """Pixels of random classes, none twice."""
    places = rng.choice(shape[0] * shape[1], points, replace=False)
    y, x = np.divmod(places, shape[1])
    return Line(y, x, rng.integers(0, classes, points))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 45), st.integers(0, 60), st.integers(0, 60), st.integers(1, 5))
def test_met_is_within_reach(seed, reach, ours, theirs, classes):
    """Every distance from every tile size: reach 1 to 45 takes tiles of 1, 4 and 8 pixels."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(20, 150)), int(rng.integers(20, 150)))
    line, other = scattered(rng, shape, ours, classes), scattered(rng, shape, theirs, classes)
    near = (line.y[:, None] - other.y) ** 2 + (line.x[:, None] - other.x) ** 2 <= reach**2
    hit = (near & (line.label[:, None] == other.label)).any(axis=1)
    expected = np.bincount(line.label[hit], minlength=classes)
    assert met(line, other, shape, reach, classes).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("dy", "dx", "reached"), [(17, 0, 1), (18, 0, 0), (8, 15, 1), (9, 15, 0), (12, 12, 1), (13, 12, 0)]
)
def test_reach_is_a_straight_line(dy, dx, reached):
    """17 pixels are the reach of a 2048 x 1024 picture: 8, 15, 17 is a right triangle."""
    one, other = (Line(np.array([y]), np.array([x]), np.array([3])) for y, x in ((40, 50), (40 - dy, 50 + dx)))
    assert met(one, other, (80, 90), 17, 4).tolist() == [0, 0, 0, reached]


@pytest.mark.parametrize(("dy", "dx", "met"), [(4, 2, 1), (3, 3, 1), (4, 3, 0), (5, 0, 0)])
def test_reach_is_not_rounded(dy, dx, met):
    """0.75 % of the diagonal of 480 x 360 is 4.5 pixels: one at (4, 2), 4.47 away, is near."""
    truth, found = np.zeros((2, 360, 480), np.uint8)
    truth[100, 100] = found[100 + dy, 100 + dx] = 1
    assert edges(truth, found, 2, 255).outline_true_hit[1] == met


def test_outlines_of_other_classes_do_not_meet():
    truth = np.zeros((30, 30), np.uint8)
    truth[10:20, 10:20] = 1
    swapped = np.where(truth == 1, 2, 0).astype(np.uint8)
    e = edges(truth, swapped, 3, 255)
    assert e.classes.tolist() == [0, 1, 2]
    assert e.outline_true.tolist() == [40, 36, 0]  # around ten by ten lie forty without the corners
    assert e.outline_true_hit.tolist() == [40, 0, 0]
    assert e.band_both.tolist()[1:] == [0, 0]


def test_other_is_no_class_but_has_an_edge():
    """Pixels given none of the classes take from the class's own outline, and are the outline of none."""
    truth = np.zeros((30, 30), np.uint8)
    found = truth.copy()
    found[10:20, 10:20] = 1  # the only class is 0: this is "other"
    e = edges(truth, found, 1, 255)
    assert e.classes.tolist() == [0]
    assert (e.outline_true.tolist(), e.outline_found.tolist()) == ([0], [40])
    assert e.band_either[0] > e.band_both[0] == 4 * 29  # the picture's border, one pixel wide, is met


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_how_often_classes_are(kind):
    ids = np.array([[0, 1, 1, 250], [1, 1, 0, 250]], kind)
    assert often(ids, 3).tolist() == [2, 4, 0]
    assert often(ids, 3, ids != 0).tolist() == [0, 4, 0]


class Asked:
    """Maps that say how often each was asked for."""

    def __init__(self, maps: list[np.ndarray]) -> None:
        self.maps, self.times = maps, [0] * len(maps)

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, place: int) -> np.ndarray:
        self.times[place] += 1
        return self.maps[place]


def test_every_map_is_asked_for_once():
    plain = maps(9, 4)
    truth, found = Asked(plain.truth), Asked(plain.found)  # type: ignore[arg-type]
    lazy = SegmentationBatch(plain.ids, truth, found, 4, plain.losses)  # type: ignore[arg-type]
    assert count(lazy) is count(lazy)
    assert set(truth.times) == set(found.times) == {1}
    for name in ("sizes", "ignored", *CELLS, *EDGES):
        assert np.array_equal(getattr(count(lazy), name), getattr(count(plain), name))


def test_the_ends_of_the_sizes():
    """Under 1 % is small, over 10 % is large; exactly that is neither."""
    for pixels, size in ((9, 0), (10, 1), (11, 1), (100, 1), (101, 2)):
        truth = np.zeros((1, 1000), np.uint8)
        truth[0, :pixels] = 1
        counts = count(SegmentationBatch(["a"], [truth], [truth], 3, {}))
        assert size_of_class(counts).tolist() == [[2, size, -1]]
