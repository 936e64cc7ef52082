"""Semantic segmentation's numbers against hand-computed tables."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics.segmentation import bootstrap, slices
from dashboard.metrics.segmentation.boundary import edges
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counting import pair_counts
from dashboard.metrics.segmentation.counts import count, join, matrix, per_image, restrict
from dashboard.metrics.segmentation.metrics import BoundaryQuality, ImageLosses, PixelConfusion
from dashboard.metrics.segmentation.scores import boundary_scores, image_scores, iou, scores
from tests.class_maps import map_piece, maps

# Two pictures of three classes and "other" (3); 255 does not count.
TRUTH = [np.array([[0, 0, 0, 1], [0, 0, 1, 255]], np.uint8), np.array([[0, 0, 2, 2]], np.uint8)]
FOUND = [np.array([[0, 0, 1, 1], [0, 3, 1, 2]], np.uint8), np.array([[0, 2, 2, 0]], np.uint8)]
MATRIX = [[4, 1, 1, 1], [0, 2, 0, 0], [1, 0, 1, 0]]  # [true, answered], "other" last


def batch() -> SegmentationBatch:
    return SegmentationBatch(["a", "b"], TRUTH, FOUND, 3, {})


def test_the_matrix():
    counts = count(batch())
    assert matrix(counts).tolist() == MATRIX
    assert counts.ignored.tolist() == [1, 0]
    assert counts.sizes.tolist() == [[2, 4], [1, 4]]
    assert per_image(counts).tolist() == [[[3, 5, 3], [2, 2, 3], [0, 0, 0]], [[1, 2, 2], [0, 0, 0], [1, 2, 2]]]


def test_numbers_by_hand():
    found = PixelConfusion(["x", "y", "z"])
    found.update(batch())
    results = found.compute()
    ious = np.array([4 / (7 + 5 - 4), 2 / (2 + 3 - 2), 1 / (2 + 2 - 1)])
    table = results["classes"].columns  # type: ignore[union-attr]
    assert table["iou"] == pytest.approx(ious)
    assert table["dice"] == pytest.approx([8 / 12, 4 / 5, 2 / 4])
    assert table["accuracy"] == pytest.approx([4 / 7, 1, 1 / 2])
    assert table["precision"] == pytest.approx([4 / 5, 2 / 3, 1 / 2])
    assert table["support"].tolist() == [7, 2, 2]
    assert table["images"].tolist() == [2, 1, 1]
    values = results["scores"].values  # type: ignore[union-attr]
    assert values == pytest.approx(
        {
            "pixel_accuracy": 7 / 11,
            "mean_pixel_accuracy": (4 / 7 + 1 + 1 / 2) / 3,
            "miou": ious.mean(),
            "frequency_weighted_iou": (7 * ious[0] + 2 * ious[1] + 2 * ious[2]) / 11,
            "mdice": (8 / 12 + 4 / 5 + 2 / 4) / 3,
        }
    )
    assert results["matrix"].columns == ["x", "y", "z", "other"]  # type: ignore[union-attr]
    assert all(np.isnan(ends).all() for ends in results["scores"].intervals.values())  # type: ignore[union-attr]


def test_a_class_that_is_nowhere_is_undefined_and_not_zero():
    n = np.array([[4, 4, 4], [0, 0, 0], [0, 0, 2]])
    found = scores(n)
    assert found["miou"] == pytest.approx((4 / 4 + 0) / 2)  # answered but never true counts as 0
    assert found["mean_pixel_accuracy"] == 1  # it has no true pixels, though
    assert found["frequency_weighted_iou"] == 1
    nothing = scores(np.zeros((2, 3), int))
    assert all(np.isnan(v) for v in nothing.values())


def test_image_numbers_are_means_over_classes_of_the_image():
    found = image_scores(count(batch()))
    assert found["iou"] == pytest.approx([(3 / 5 + 2 / 3) / 2, (1 / 3 + 1 / 3) / 2])
    assert found["dice"] == pytest.approx([(6 / 8 + 4 / 5) / 2, (2 / 4 + 2 / 4) / 2])
    assert found["pixel_accuracy"] == pytest.approx([5 / 7, 2 / 4])


def test_a_picture_of_which_nothing_counts_changes_no_total():
    empty = SegmentationBatch(["c"], [np.full((2, 2), 255, np.uint8)], [np.zeros((2, 2), np.uint8)], 3, {})
    both = join([count(batch()), count(empty)])
    assert matrix(both).tolist() == MATRIX
    assert np.isnan(image_scores(both)["iou"][2])
    losses = ImageLosses(["x", "y", "z"])
    losses.take(both)
    assert losses.compute()["scores"].values["image_miou"] == pytest.approx(  # type: ignore[union-attr]
        np.mean([(3 / 5 + 2 / 3) / 2, 1 / 3])
    )


@pytest.mark.parametrize(
    ("truth", "found", "why"),
    [
        ([[0, 1]], [[0, 9]], r"found must be in 0\.\.3"),
        ([[0, 7]], [[0, 1]], r"truth must be in 0\.\.2"),
        ([[0, 1]], [[0, 1, 1]], "of one size"),
        ([0, 1], [0, 1], "of one size"),
    ],
)
def test_maps_that_do_not_fit_are_refused(truth, found, why):
    with pytest.raises(ValueError, match=why):
        pair_counts(np.array(truth, np.uint8), np.array(found, np.uint8), 3)


def test_the_picture_is_named():
    with pytest.raises(ValueError, match=r"^b: found must be"):
        count(SegmentationBatch(["a", "b"], TRUTH, [FOUND[0], FOUND[1] + 3], 3, {}))


def test_cells_of_more_than_sixteen_million_pixels_are_exact():
    side = 4200  # 17,640,000 pixels: more than float32 counts
    ids = np.zeros((side, side), np.uint8)
    ids[0, 0] = 1
    assert pair_counts(ids, ids, 2).tolist() == [[side * side - 1, 0, 0], [0, 1, 0]]


def test_some_images_only():
    whole = maps(12, 4)
    counts = count(whole)
    keep = np.arange(12) % 3 == 1
    some = restrict(counts, keep)
    expected = join([count(map_piece(whole, slice(k, k + 1))) for k in np.flatnonzero(keep)])
    assert (matrix(some) == matrix(expected)).all()
    assert (per_image(some) == per_image(expected)).all()
    for name in ("edge_image", "edge_class", "band_both", "outline_true_hit", "ignored", "sizes"):
        assert (getattr(some, name) == getattr(expected, name)).all()
    assert (some.losses["focal"] == expected.losses["focal"]).all()


def test_outlines_of_a_square_moved_by_one():
    truth, found = np.zeros((2, 40, 40), np.uint8)
    truth[10:20, 10:20] = 1
    found[10:20, 11:21] = 1
    e = edges(truth, found, 2, 255)  # diagonal 56.6: band of 1 pixel, tolerance 1
    assert e.classes.tolist() == [0, 1]
    assert e.outline_true[1] == e.outline_found[1] == 36  # the rim of ten by ten
    assert e.outline_true_hit[1] == e.outline_found_hit[1] == 36
    # the rims share the nine columns of both long sides, and nothing else
    assert e.band_both[1] == 18
    assert e.band_either[1] == 2 * 36 - 18


def test_ignored_pixels_make_no_outline():
    truth, found = np.zeros((2, 40, 40), np.uint8)
    truth[:, 20:] = 255
    found[:, 20:] = 1
    e = edges(truth, found, 2, 255)
    assert e.classes.tolist() == [0]
    assert e.outline_true.tolist() == e.outline_found.tolist() == [0]
    assert np.isnan(boundary_scores(count(SegmentationBatch(["a"], [truth], [found], 2, {})))["boundary_f1"]).all()


def test_an_outline_of_one_side_only_scores_zero():
    truth, found = np.zeros((2, 40, 40), np.uint8)
    found[10:20, 10:20] = 1
    metric = BoundaryQuality(["a", "b"])
    metric.update(SegmentationBatch(["a"], [truth], [found], 2, {}))
    assert metric.compute()["classes"].columns["boundary_f1"].tolist() == [0, 0]  # type: ignore[union-attr]


def test_intervals_hold_the_number_and_shrink_with_more_pictures():
    widths = []
    for images in (30, 480):
        metric = PixelConfusion(["a", "b", "c"])
        metric.update(maps(images, 3, seed=2))
        found = metric.compute()["scores"]
        low, high = found.intervals["miou"]  # type: ignore[union-attr]
        assert low < found.values["miou"] < high  # type: ignore[union-attr]
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]


def test_few_pictures_have_no_interval():
    """Nine of them; a class in nine of many; classes most of which are in nine of many."""
    n = per_image(count(maps(9, 3)))
    assert all(np.isnan(ends).all() for ends in bootstrap.intervals(n, _numbers).values())
    many = per_image(count(maps(61, 3)))  # one of them has nothing that counts
    many[9:, 2] = 0
    ends = bootstrap.intervals(many, _numbers)
    assert np.isfinite(ends["iou"]).all(axis=1).tolist() == [True, True, False]
    assert np.isfinite(ends["miou"]).all()
    many[9:, 1] = 0
    ends = bootstrap.intervals(many, _numbers)
    assert np.isnan(ends["miou"]).all()
    assert np.isfinite(ends["pixel_accuracy"]).all()


def _numbers(n: np.ndarray) -> dict[str, np.ndarray]:
    return scores(n) | {"iou": iou(n)}


def test_intervals_are_percentiles_about_their_mean_laid_around_the_number():
    draws = np.stack([np.arange(101) / 200, np.full(101, 0.3), np.full(101, np.nan), np.arange(101) / 200], axis=1)
    draws[:11, 3] = np.nan  # undefined too often
    low, high = bootstrap.interval(np.array([0.3, 0.3, 0.3, 0.3]), draws).T
    assert low[0] == pytest.approx(0.3 + 2.5 / 200 - 50 / 200)
    assert high[0] == pytest.approx(0.3 + 97.5 / 200 - 50 / 200)
    assert np.isnan([low[1:], high[1:]]).all()
    draws[:10, 0] = np.nan  # one in ten may be
    low, high = bootstrap.interval(np.array([0.95]), draws[:, :1]).T
    assert low[0] == pytest.approx(0.95 + (10 + 0.025 * 90 - 55) / 200)
    assert high[0] == 1  # and no further
    skewed = np.array([[0.1]] * 90 + [[0.5]] * 11)
    low, high = bootstrap.interval(np.array([0.2]), skewed).T
    centre = (9 + 5.5) / 101
    assert [low[0], high[0]] == pytest.approx([0.2 + 0.1 - centre, 0.2 + 0.5 - centre])


def test_resamples_are_sums_of_pictures():
    n = np.arange(24).reshape(4, 2, 3)
    draws = bootstrap.resampled(n, times=50)
    assert draws.shape == (50, 2, 3)
    assert (draws >= 4 * n.min(axis=0)).all()
    assert (draws <= 4 * n.max(axis=0)).all()
    assert (bootstrap.resampled(n, times=50) == draws).all()
    assert (bootstrap.resampled(n, times=50, seed=1) != draws).any()
    one = np.eye(4, dtype=np.int64)[:, None, :3]  # the counts tell how often the first three were drawn
    assert bootstrap.resampled(one, times=400).mean(axis=0) == pytest.approx(np.ones((1, 3)), abs=0.15)


def test_blocks_of_resamples_are_other_draws(monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCK", 80)  # two resamples at a time
    draws = bootstrap.resampled(np.arange(40)[:, None, None] ** np.array([0, 1, 2]), times=7)
    assert (draws[..., 0] == 40).all()
    assert len(np.unique(draws[..., 1])) == len(np.unique(draws[..., 2])) == 7


def test_other_has_a_column_only_where_something_is():
    metric = PixelConfusion(["x", "y", "z"])
    metric.update(SegmentationBatch(["a"], TRUTH[1:], FOUND[1:], 3, {}))
    found = metric.compute()["matrix"]
    assert found.columns == ["x", "y", "z"]  # type: ignore[union-attr]
    assert found.counts.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]  # type: ignore[union-attr]


def test_means_over_images_have_intervals_within_what_is_possible():
    ids = [np.zeros((1, 4), np.uint8)] * 12
    wrong = [np.array([[0, 0, 0, 1]], np.uint8), *ids[1:]]
    losses = {"cross_entropy": np.arange(12.0), "focal": np.full(12, 0.5), "soft_dice": np.r_[1.0, np.zeros(11)]}
    metric = ImageLosses(["x", "y"])
    metric.update(SegmentationBatch([str(k) for k in range(12)], ids, wrong, 2, losses))
    scalars = metric.compute()["scores"]
    ends = scalars.intervals  # type: ignore[union-attr]
    half = 1.959964 * np.std(np.arange(12), ddof=1) / np.sqrt(12)
    assert ends["cross_entropy"] == pytest.approx((5.5 - half, 5.5 + half))
    assert np.isnan(ends["focal"]).all()  # all the same: no spread was seen
    assert ends["soft_dice"][0] == 0
    assert ends["image_miou"][1] == 1
    assert np.isnan(ends["soft_iou"]).all()
    assert np.isnan(scalars.values["soft_iou"])  # type: ignore[union-attr]


def test_the_interval_of_a_share_holds_it_as_often_as_it_says():
    """Pictures of one class each right with a random part: the mean share of the source is known."""
    rng, held, rounds = np.random.default_rng(5), 0, 200
    for k in range(rounds):
        right = rng.integers(0, 101, 60)
        n = np.stack([right, np.full(60, 100), np.full(60, 100)], axis=1)[:, None, :]
        low, high = bootstrap.intervals(n, lambda m: {"acc": m[..., 0, 0] / m[..., 0, 1]}, seed=k)["acc"]
        held += low <= 0.5 <= high
    assert 0.89 <= held / rounds <= 0.99


def test_slices_of_size():
    truth = np.zeros((20, 20), np.uint8)
    truth[:2, :1] = 1  # 2 of 400 pixels
    truth[10:, :2] = 2  # 20: five per cent
    found = truth.copy()
    found[0, 0] = 0
    counts = count(SegmentationBatch(["a"], [truth], [found], 3, {}))
    assert slices.size_of_class(counts).tolist() == [[2, 0, 1]]
    small, medium, large = slices.size_slices(counts)
    assert [r["images"] for r in (small, medium, large)] == [1, 1, 1]
    assert small["miou"] == pytest.approx(1 / 2)
    assert medium["miou"] == 1
    assert large["miou"] == pytest.approx(378 / 379)
    assert np.isnan(small["miou_low"])


def test_slices_of_groups():
    counts = count(batch())
    rows = slices.slice_table(counts, [("first", np.array([True, False])), ("none", np.array([False, False]))])
    assert rows[0]["images"] == 1
    assert rows[0]["pixel_accuracy"] == pytest.approx(5 / 7)
    assert rows[1]["images"] == 0
    assert np.isnan(rows[1]["miou"])
