"""Detection in pairs: resampled numbers are those worked out plainly; AP without groups that of a fresh matching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from dashboard.metrics import paired
from dashboard.metrics.detection import bootstrap
from dashboard.metrics.detection.bootstrap import Resampler
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.detection.matching import AREAS, Matches, T, bit, match
from dashboard.metrics.detection.metrics import ap_columns
from dashboard.metrics.detection.precision import LIMITS, RECALLS, accumulate, mean, ranking
from dashboard.metrics.paired_bootstrap import weights
from dashboard.metrics.paired_detection import GROUPS, without_groups
from dashboard.types import Detections
from tests.objects import problems, scenes, solved


def made(images: int, seed: int) -> tuple[list[Detections], list[Detections]]:
    """Found, a little off or nothing at all, and true objects of three classes."""
    rng = np.random.default_rng(seed)
    found, true = [], []
    for _ in range(images):
        n = int(rng.integers(0, 4))
        box = np.array([[60.0 * k, 0, 60 * k + 40, 40] for k in range(n)]).reshape(n, 4)
        labels = rng.integers(0, 3, n)
        true.append(Detections(box, labels, size=(50, 300)))
        moved = np.concatenate([box + rng.normal(0, 5, (n, 1)) * np.array([1, 0, 1, 0]), [[250.0, 0, 290, 40]]])
        found.append(Detections(moved, np.append(labels, 0), rng.uniform(0.1, 1, n + 1), size=(50, 300)))
    return found, true


def test_groups_left_out_are_as_if_they_had_never_been_there():
    found, true = made(50, 0)
    left = without_groups(match(DetectionBatch.of([str(k) for k in range(50)], found, true)), 50, 3, seed=4)
    group = np.random.default_rng(4).permutation(50) % GROUPS
    for k in (0, 7, GROUPS - 1):
        keep = np.flatnonzero(group != k)
        batch = DetectionBatch.of([str(i) for i in keep], [found[i] for i in keep], [true[i] for i in keep])
        fresh = ap_columns(accumulate(match(batch), 3))
        for name, each in left.items():
            assert each.shape == (GROUPS, 3)
            np.testing.assert_allclose(each[k], fresh[name])


def pair_of(rng: np.random.Generator, images: int, off: float) -> tuple[Matches, Matches]:
    """Two detectors of one class; the second is farther off. Pictures are hard or easy for both."""
    true, found = [], ([], [])
    for _ in range(images):
        n = int(rng.integers(1, 4))
        box = np.array([[60.0 * k, 0, 60 * k + 40, 40] for k in range(n)])
        zero, hard = np.zeros(n, int), rng.uniform(1, 7)
        true.append(Detections(box, zero, size=(50, 300)))
        for side, more in zip(found, (0.0, off), strict=True):
            moved = box + (rng.normal(0, hard, (n, 1)) + more) * np.array([1, 0, 1, 0])
            every = np.concatenate([moved, [[250.0, 0, 290, 40]]]).clip(0)
            side.append(Detections(every, np.append(zero, 0), rng.uniform(0.1, 1, n + 1), size=(50, 300)))
    ids = [str(k) for k in range(images)]
    one, other = (match(DetectionBatch.of(ids, side, true)) for side in found)
    return one, other


def test_intervals_of_map_are_about_right():
    """40 pairs of detectors that are equally good: 0 lies inside of about 95 % of the intervals of their difference.

    Two of which one is worse are told apart, by resamples and without groups of images alike.
    """
    rng, images, inside = np.random.default_rng(3), 60, []
    for round_ in range(44):
        same = round_ < 40
        pair = pair_of(rng, images, 0.0 if same else 6.0)
        drawn, ones = weights(images, 100, round_), np.ones((images, 1))
        samplers = [Resampler(m, images, 1) for m in pair]
        base, other = (sampler.summaries(drawn)["map"] for sampler in samplers)
        value = samplers[1].summaries(ones)["map"][0] - samplers[0].summaries(ones)["map"][0]
        boot, p = paired.bootstrap_interval(value, other - base, recentred=True)
        left, right = (without_groups(m, images, 1, round_)["ap"][:, 0] for m in pair)
        knife, _ = paired.jackknife(value, right - left)
        if same:
            inside.append([boot[0] <= 0 <= boot[1], knife[0] <= 0 <= knife[1]])
        else:
            assert boot[1] < 0
            assert knife[1] < 0
            assert p < 0.05
    assert ((np.mean(inside, axis=0) > 0.86) & (np.mean(inside, axis=0) < 1)).all()


def plainly(matches: Matches, weight: np.ndarray, classes: int) -> dict[str, float]:
    """COCO's numbers as ``COCOeval.accumulate`` has them, one class, threshold and size after the other."""
    order, size = ranking(matches), len(AREAS)
    precision = np.full((size, T, classes), np.nan)
    recall = np.full((size, T, classes, len(LIMITS)), np.nan)
    for a, t, c in np.ndindex(precision.shape):
        here = matches.truth_class == c
        truths = weight[matches.truth_image[here & ((matches.counted >> a & 1) > 0)]].sum()
        if not truths:
            continue
        rows = order[(matches.classes[order] == c) & ((matches.ignored[order] & bit(t, a)) == 0)]
        times = weight[matches.image[rows]]
        right = (matches.hit[rows] & bit(t, a)) != 0
        tp, seen = np.cumsum(times * right), np.cumsum(times)
        best = np.maximum.accumulate((tp / np.maximum(seen, 1))[::-1])[::-1]
        at = np.searchsorted(tp / truths, RECALLS, "left")
        at[0] = np.searchsorted(tp, 1, "left")  # recall 0 is read at the first that is right
        precision[a, t, c] = np.append(best, 0.0)[at].mean()
        for m, limit in enumerate(LIMITS):
            recall[a, t, c, m] = (times * right)[matches.rank[rows] < limit].sum() / truths
    found = {"map": mean(precision[0]), "map_50": mean(precision[0, 0]), "map_75": mean(precision[0, 5])}
    found |= {f"mar_{limit}": mean(recall[0, ..., m]) for m, limit in enumerate(LIMITS)}
    for a, name in list(enumerate(AREAS))[1:]:
        found |= {f"map_{name}": mean(precision[a]), f"mar_{name}": mean(recall[a, ..., -1])}
    return found


def agree(matches: Matches, drawn: np.ndarray, classes: int) -> None:
    """All resamples at once, each of them alone and each worked out plainly are the same."""
    sampler = Resampler(matches, len(drawn), classes)
    together = sampler.summaries(drawn)
    for b, weight in enumerate(drawn.T.astype(int)):
        expected, alone = plainly(matches, weight, classes), sampler.summary(weight)
        assert set(together) == set(expected)
        for name, value in expected.items():
            assert together[name][b] == pytest.approx(value, nan_ok=True, rel=1e-12, abs=1e-14), name
            assert alone[name] == pytest.approx(value, nan_ok=True, rel=1e-12, abs=1e-14), name


@settings(max_examples=40, deadline=None)
@given(problems)
def test_resampled_numbers_of_odd_cases(problem):
    """Equal scores, crowds, truth and detections of different sizes, images that are never drawn."""
    images = len(problem)
    drawn = np.array([[(k * 7 + 3) % 4, k % 2, 1, 0] for k in range(images)])
    agree(match(solved(problem)[0]), drawn, 3)


def test_resampled_numbers_of_many_images(monkeypatch):
    matches = match(scenes(120, 4))
    many = weights(120, 20, 0)
    agree(matches, many, 5)  # and a class that nothing is of
    whole = Resampler(matches, 120, 5).summaries(many)
    monkeypatch.setattr(bootstrap, "CELLS", 1)  # one resample at a time
    for name, values in Resampler(matches, 120, 5).summaries(many).items():
        np.testing.assert_array_equal(values, whole[name])


def test_recalls_that_are_rounded_up_are_not_reached():
    """Of 100 objects 35 are found: as COCO's recalls are floating-point numbers, .35 is just past that."""
    box = np.array([[0.0, 0, 20, 20]])
    true = [Detections(box, np.zeros(1, int), size=(50, 50)) for _ in range(100)]
    found = [Detections(box + (0 if k < 35 else 25), np.zeros(1, int), np.ones(1), size=(50, 50)) for k in range(100)]
    matches = match(DetectionBatch.of([str(k) for k in range(100)], found, true))
    agree(matches, np.ones((100, 1), int), 1)
    assert Resampler(matches, 100, 1).summary(np.ones(100, int))["map"] == pytest.approx(35 / 101)
