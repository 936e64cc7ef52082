"""AP of classes without groups of images: each is that of a fresh matching, and intervals are the jackknife's."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics import paired
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.detection.matching import match
from dashboard.metrics.detection.metrics import ap_columns
from dashboard.metrics.detection.precision import accumulate
from dashboard.metrics.paired_detection import GROUPS, jackknife_ends, without_groups
from dashboard.types import Detections


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


def test_many_jackknifes_at_once():
    rng = np.random.default_rng(1)
    left = rng.normal(size=(20, 4))
    left[:, 2], left[3, 3] = 0.5, np.nan
    values = np.array([0.1, -0.2, 0.5, 0.3])
    expected = [paired.jackknife(v, column)[0] for v, column in zip(values, left.T, strict=True)]
    assert jackknife_ends(values, left) == pytest.approx(np.array(expected), nan_ok=True)
