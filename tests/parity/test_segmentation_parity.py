"""Semantic segmentation against scikit-learn, and outlines against a count pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, jaccard_score

from dashboard.metrics.segmentation.boundary import DILATION, TOLERANCE, edges
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counting import pair_counts
from dashboard.metrics.segmentation.counts import count, per_image
from dashboard.metrics.segmentation.scores import scores
from dashboard.segmentation_rows import counts_of, counts_table
from dashboard.types import ignore_of
from tests.class_maps import maps, pairs


@settings(deadline=None)
@given(pairs() | pairs(side=6, wide=True))
def test_the_matrix_is_scikit_learns(drawn):
    truth, found, classes = drawn
    counted = truth != ignore_of(classes)
    expected = np.zeros((classes, classes + 1), np.int64)
    if counted.any():
        expected = confusion_matrix(truth[counted], found[counted], labels=range(classes + 1))[:-1]
    assert (pair_counts(truth, found, classes) == expected).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_numbers_are_scikit_learns(seed):
    batch = maps(7, 5, seed)
    t = np.concatenate([m[m != 255] for m in batch.truth])
    f = np.concatenate([b[a != 255] for a, b in zip(batch.truth, batch.found, strict=True)])
    found = scores(per_image(count(batch)).sum(axis=0))
    labels = range(5)
    assert found["pixel_accuracy"] == pytest.approx(accuracy_score(t, f), abs=1e-12)
    assert found["mean_pixel_accuracy"] == pytest.approx(balanced_accuracy_score(t, f), abs=1e-12)
    assert found["miou"] == pytest.approx(jaccard_score(t, f, labels=labels, average="macro"), abs=1e-12)
    assert found["mdice"] == pytest.approx(f1_score(t, f, labels=labels, average="macro"), abs=1e-12)
    weighted = jaccard_score(t, f, labels=labels, average="weighted")
    assert found["frequency_weighted_iou"] == pytest.approx(weighted, abs=1e-12)


def _slow(truth: np.ndarray, found: np.ndarray, classes: int) -> list[list[int]]:
    """The same as ``edges``, pixel by pixel."""
    ignore = ignore_of(classes)
    found = np.where(truth == ignore, ignore, found)
    height, width = truth.shape
    diagonal = np.hypot(height, width)
    d, r = max(1, round(DILATION * diagonal)), max(1, TOLERANCE * diagonal)  # a band in whole pixels, a distance

    def band(ids: np.ndarray, c: int) -> set[tuple[int, int]]:
        out = set()
        for y, x in np.argwhere(ids == c).tolist():
            near = [(y + i, x + j) for i in range(-d, d + 1) for j in range(-d, d + 1)]
            if any(
                not (0 <= a < height and 0 <= b < width) or (ids[a, b] != c and ids[a, b] != ignore) for a, b in near
            ):
                out.add((y, x))
        return out

    def outline(ids: np.ndarray, c: int) -> set[tuple[int, int]]:
        out = set()
        for y, x in np.argwhere(ids == c).tolist():
            for a, b in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if 0 <= a < height and 0 <= b < width and ids[a, b] not in (c, ignore):
                    out.add((y, x))
        return out

    rows = []
    for c in range(classes):
        if not ((truth == c) | (found == c)).any():
            continue
        t, f = band(truth, c), band(found, c)
        a, b = outline(truth, c), outline(found, c)

        def met(these: set[tuple[int, int]], those: set[tuple[int, int]]) -> int:
            return sum(any((y - v) ** 2 + (x - u) ** 2 <= r * r for v, u in those) for y, x in these)

        rows.append([c, len(t & f), len(t | f), len(b), met(b, a), len(a), met(a, b)])
    return rows


@settings(max_examples=60, deadline=None)
@given(pairs(most=3, side=14) | pairs(side=9, wide=True))
def test_outlines_are_those_counted_pixel_by_pixel(drawn):
    truth, found, classes = drawn
    assert np.array(edges(truth, found, classes, ignore_of(classes))).T.tolist() == _slow(truth, found, classes)


def test_outlines_of_a_larger_picture():
    """Where the band and the tolerance are more than a pixel wide."""
    rng = np.random.default_rng(0)
    truth, found = (np.repeat(np.repeat(rng.integers(0, 3, (5, 7)), 28, 0), 28, 1).astype(np.uint8) for _ in range(2))
    found[:, 60:] = truth[:, 58:-2]
    truth[100:, :30] = 255
    assert np.array(edges(truth, found, 3, 255)).T.tolist() == _slow(truth, found, 3)


@settings(deadline=None)
@given(pairs())
def test_rows_come_back_as_they_were(drawn):
    truth, found, classes = drawn
    counts = count(SegmentationBatch(["a", "b"], [truth, truth], [found, found], classes, {}))
    index, ids, again = counts_of(counts_table(np.array([3, 9]), ["a", "b"], counts))
    assert index.tolist() == [3, 9]
    assert ids == ["a", "b"]
    for name, value in vars(counts).items():
        other = getattr(again, name)
        if name == "losses":
            assert all(np.isnan(other[k]).all() for k in value)
        else:
            assert np.array_equal(value, other)
