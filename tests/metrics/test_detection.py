"""Matching, operating points, causes of errors and intervals, on cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dashboard.metrics.detection import bootstrap, operating, tide, voc
from dashboard.metrics.detection.boundary import band
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.detection.evidence import evidence, join, restrict
from dashboard.metrics.detection.matching import bit, match
from dashboard.metrics.detection.neighbours import neighbours
from dashboard.metrics.detection.precision import accumulate, image_precision
from dashboard.types import Detections
from tests.objects import batch, found, problems, solved, true

A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def at(confidence: float, iou: int = 0, most: int = 100) -> operating.Point:
    return operating.Point(confidence, iou, most)


def case() -> DetectionBatch:
    """Two classes. Image 0: class 0 at A and B, class 1 at C. Image 1: nothing is there.

    Found, by score: 0 at A (right), 0 again at A (twice the same), 1 at B (confused: it is a 0), 0 beside everything
    (background), 1 half over C (IoU 1/3), and 1 in the empty image.
    """
    answers = found(
        (0, 0.9, *A),
        (0, 0.8, *A),
        (1, 0.7, *B),
        (0, 0.6, 0, 40, 10, 50),
        (1, 0.5, 45, 0, 55, 10),
    )
    return batch((answers, true((0, *A), (0, *B), (1, *C))), (found((1, 0.4, *A)), true()))


# confidence: tp, fp and fn of class 0 and class 1, counted by hand from the case above
COUNTS = {
    0.95: ([0, 0], [0, 0], [2, 1]),
    0.9: ([1, 0], [0, 0], [1, 1]),
    0.8: ([1, 0], [1, 0], [1, 1]),
    0.7: ([1, 0], [1, 1], [1, 1]),
    0.5: ([1, 0], [2, 2], [1, 1]),
    0.0: ([1, 0], [2, 3], [1, 1]),
}


@pytest.mark.parametrize("confidence", COUNTS)
def test_counts(confidence):
    counted = operating.counts(match(case()), at(confidence), 2)
    assert [c.tolist() for c in counted] == list(COUNTS[confidence])


def test_most_detections():
    counted = operating.counts(match(case()), at(0, most=1), 2)
    assert [c.tolist() for c in counted] == [[1, 0], [0, 2], [1, 1]]


def test_confusion_has_a_background():
    made = case()
    matches = match(made)
    cells = operating.confusion(matches, neighbours(made, matches), at(0), 2)
    #                                     pred 0, pred 1, background
    assert cells.matrix(2).tolist() == [[1, 1, 0], [0, 0, 1], [2, 2, 0]]
    lone = (cells.row == 2) & (cells.column == 1)
    assert sorted(matches.image[cells.found[lone]]) == [0, 1]


def test_confused_pairs_are_one_to_one():
    """Two detections of class 1 on one object of class 0: one is the confusion, the other is background."""
    made = batch((found((1, 0.9, *A), (1, 0.8, *A)), true((0, *A))))
    matches = match(made)
    cells = operating.confusion(matches, neighbours(made, matches), at(0), 2).matrix(2)
    assert cells.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_the_confident_take_first_and_the_best_overlap_wins():
    low, high = (0, 0, 10, 8), A
    made = batch((found((0, 0.6, *high), (0, 0.9, *low)), true((0, *A))))
    matches = match(made)
    assert matches.scores.tolist() == [0.9, 0.6]
    assert (matches.hit & bit(0)).astype(bool).tolist() == [True, False]
    assert (matches.hit & bit(6)).astype(bool).tolist() == [True, False]  # IoU .8 reaches .8
    assert (matches.hit & bit(7)).astype(bool).tolist() == [False, True]  # and at .85 the other one has it


def test_crowds_and_ignored_truth():
    """A crowd takes any number of detections, ignored truth one; neither has to be found."""
    answers = found((0, 0.9, 0, 0, 5, 5), (0, 0.8, 5, 5, 10, 10), (0, 0.7, *B), (0, 0.6, *B))
    made = batch((answers, true((0, *A), (0, *B), crowd=[0], ignore=[1])))
    matches = match(made)
    out = operating.outcome(matches, at(0))
    assert out.tp.tolist() == [False] * 4
    assert out.fp.tolist() == [False, False, False, True]
    assert not out.missed.any()


def test_undefined_is_nan():
    nothing = accumulate(match(batch((found((0, 0.5, *A)), true()))), 2).summary()
    assert all(np.isnan(v) for v in nothing.values())
    missed = accumulate(match(batch((found(), true((0, *A))))), 2).summary()
    assert missed["map"] == 0
    assert missed["map_small"] == 0
    assert np.isnan(missed["map_large"])


def test_causes():
    """The six of TIDE, one each, and what stays unexplained stays right."""
    answers = found(
        (0, 0.99, *A),  # right
        (0, 0.9, *A),  # duplicate
        (1, 0.8, *B),  # classification
        (0, 0.7, 44, 0, 54, 10),  # localisation: IoU 6 / 14 with the third
        (1, 0.6, 5, 0, 15, 10),  # both: IoU 1/3 with class 0
        (1, 0.5, 0, 40, 10, 50),  # background
    )
    made = batch((answers, true((0, *A), (0, *B), (0, *C), (1, 40, 40, 50, 50))))
    matches = match(made)
    why = tide.causes(matches, neighbours(made, matches))
    by_score = np.argsort(-matches.scores)
    names = [tide.CAUSES[c] if c >= 0 else "right" for c in why.found[by_score]]
    assert names == ["right", "duplicate", "classification", "localisation", "both", "background"]
    assert [tide.CAUSES[c] if c >= 0 else "" for c in why.truth] == ["", "", "", "missed"]
    assert tide.counts(why) == dict.fromkeys(tide.CAUSES, 1)


def test_costs():
    """One class, two objects: the second is found too loosely, and the first one twice in between.

    As it is: precision 1 down to recall 1/2, then nothing: 51 of 101 recalls, AP .505. Localised well, the second is
    right at rank 3: precision 2/3 above recall 1/2. Without the duplicate nothing changes.
    """
    answers = found((0, 0.9, *A), (0, 0.8, *A), (0, 0.7, 24, 0, 34, 10))
    made = batch((answers, true((0, *A), (0, *B))))
    matches = match(made)
    cost = tide.costs(matches, tide.causes(matches, neighbours(made, matches)), 1)
    assert cost["localisation"] == pytest.approx(50 / 101 * 2 / 3)
    assert cost["duplicate"] == 0
    assert cost["missed"] == 0


def test_voc():
    """Right, wrong, right, of three objects: the textbook staircase.

    Recall 1/3 at precision 1, 2/3 at 2/3. By area 1/3 + 1/3 * 2/3; eleven points: 0 to .3 give 1, .4 to .6 give 2/3.
    """
    answers = found((0, 0.9, *A), (0, 0.8, 0, 40, 9, 49), (0, 0.7, *B))
    made = batch((answers, true((0, *A), (0, *B), (0, *C))))
    matches = match(made)
    points, area = voc.average_precision(matches, neighbours(made, matches), 2)
    assert area[0] == pytest.approx(1 / 3 + 2 / 9)
    assert points[0] == pytest.approx((4 + 3 * 2 / 3) / 11)
    assert np.isnan(area[1])


def test_voc_claims_the_largest_overlap_even_if_it_is_taken():
    """COCO's second detection takes the other object; VOC's is a duplicate of the first."""
    answers = found((0, 0.9, *A), (0, 0.8, 0, 0, 10, 9))
    made = batch((answers, true((0, *A), (0, 0, 3, 10, 10))))
    matches = match(made)
    assert (matches.hit & bit(0)).astype(bool).tolist() == [True, True]
    _, area = voc.average_precision(matches, neighbours(made, matches), 1)
    assert area[0] == pytest.approx(0.5)


@QUICK
@given(problems)
def test_matching_in_parts_is_matching_at_once(problem):
    made, _ = solved(problem)
    parts = [solved([image])[0] for image in problem]
    whole, joined = evidence(made), join([evidence(p) for p in parts])
    for a, b in ((whole, joined),):
        one, two = (accumulate(e.main[0], 3) for e in (a, b))
        np.testing.assert_array_equal(one.precision, two.precision)
        assert tide.counts(tide.causes(*a.main)) == tide.counts(tide.causes(*b.main))
        cells = [operating.confusion(*e.main, at(0.3), 3).matrix(3) for e in (a, b)]
        np.testing.assert_array_equal(*cells)


@QUICK
@given(problems)
def test_a_slice_is_the_same_as_those_images_alone(problem):
    keep = np.arange(len(problem)) % 2 == 0
    sliced = restrict(match(solved(problem)[0]), keep)
    alone = match(solved([image for image, k in zip(problem, keep, strict=True) if k])[0])
    np.testing.assert_array_equal(accumulate(sliced, 3).precision, accumulate(alone, 3).precision)
    for point in (at(0), at(0.5, 3)):
        ours, theirs = (operating.counts(m, point, 3) for m in (sliced, alone))
        np.testing.assert_array_equal(ours, theirs)


@QUICK
@given(problems)
def test_an_images_precision_is_that_of_the_image_alone(problem):
    """With one class, pooling classes changes nothing."""
    single = [([(0, *t[1:]) for t in truths], [(0, *a[1:]) for a in answers]) for truths, answers in problem]
    found_ap = image_precision(match(solved(single)[0]), len(single), 4)
    for image, value in zip(single, found_ap, strict=True):
        own = accumulate(match(solved([image])[0]), 1).precision[4, :, 0, 0].mean()
        np.testing.assert_allclose(value, own)


@QUICK
@given(problems)
def test_the_matrix_agrees_with_the_counts(problem):
    made, _ = solved(problem)
    matches = match(made)
    near = neighbours(made, matches)
    for point in (at(0), at(0.5), at(0.25, 5), at(0.1, 2, 1)):
        cells = operating.confusion(matches, near, point, 3).matrix(3)
        tp, fp, fn = operating.counts(matches, point, 3)
        assert cells.diagonal()[:3].tolist() == tp.tolist()
        assert (cells[:, :3].sum(0) - tp).tolist() == fp.tolist()
        assert (cells[:3].sum(1) - tp).tolist() == fn.tolist()


@QUICK
@given(problems)
def test_a_sweep_meets_the_counts(problem):
    made, _ = solved(problem)
    matches = match(made)
    curve = operating.sweep(matches, iou=2)
    for k, confidence in enumerate(curve.confidence):
        rates = operating.rates(*(c.sum() for c in operating.counts(matches, at(confidence, 2), 3)))
        np.testing.assert_allclose([curve.precision[k], curve.recall[k], curve.f1[k]], rates)


@QUICK
@given(problems)
def test_a_resample_is_the_same_images_repeated(problem):
    made, _ = solved(problem)
    times = [(k * 7 + 3) % 4 for k in range(len(problem))]
    repeated = [image for image, n in zip(problem, times, strict=True) for _ in range(n)]
    sampler = bootstrap.Resampler(match(made), len(problem), 3)
    weighted = sampler.summary(np.array(times))
    if not repeated:
        return
    again = accumulate(match(solved(repeated)[0]), 3).summary()
    tied = len({s for _, rows in problem for *_, s in rows}) < sum(len(rows) for _, rows in problem)
    for name, value in again.items():
        if not tied:  # equal scores of different images stand elsewhere when images are repeated
            assert weighted[name] == pytest.approx(value, nan_ok=True), name
        assert np.isnan(weighted[name]) == np.isnan(value)


def test_intervals_hold_the_number_and_repeat():
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(30):
        x = rng.integers(0, 40, 3)
        rows = [(0, i, 0, i + 15, 15) for i in x]
        answers = [(0, rng.random(), i + rng.integers(0, 6), 0, i + 15, 15) for i in x]
        pairs.append((found(*answers), true(*rows)))
    matches = match(batch(*pairs))
    exact = accumulate(matches, 1).summary()
    first, second = (bootstrap.intervals(matches, 30, 1, times=200) for _ in range(2))
    assert first == second
    for name, (low, high) in first.items():
        assert low <= exact[name] <= high
        assert high > low
    assert "map_large" not in first
    assert bootstrap.intervals(matches, 9, 1) == {}


def test_bad_columns():
    with pytest.raises(ValueError, match=r"scores must be finite and in 0\.\.1"):
        Detections(np.zeros((1, 4)), np.zeros(1, int), np.array([1.5]))
    with pytest.raises(ValueError, match="right >= left"):
        Detections(np.array([[5.0, 0, 1, 1]]), np.zeros(1, int))
    with pytest.raises(ValueError, match="of one length"):
        DetectionBatch.of(["a"], [], [])


def test_the_band_of_a_mask():
    """Within two pixels of the outside: a 9 x 9 square keeps its 5 x 5 middle, also at the picture's border."""
    mask = np.zeros((12, 12), np.uint8)
    mask[0:9, 2:11] = 1
    inner = mask.astype(bool) & ~band(mask, 2)
    assert inner.sum() == 25
    assert inner[2:7, 4:9].all()
