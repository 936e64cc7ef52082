"""Tracks that are written for other tools are those of the run, so that other tools find its numbers."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np

from dashboard.explore.tracking.export import mot_text
from dashboard.metrics.tracking.columns import Tracks


def test_written_boxes_give_the_same_overlaps() -> None:
    rng = np.random.default_rng(0)
    xyxy = rng.uniform(0, 900, (50, 4))
    xyxy[:, 2:] = xyxy[:, :2] + rng.uniform(5, 90, (50, 2))
    found = Tracks(np.arange(50), np.arange(50) + 7, np.arange(50) % 3, xyxy, rng.uniform(0, 1, 50))
    view: Any = SimpleNamespace(sequences=[SimpleNamespace(tracks=SimpleNamespace(found=found))])
    rows = np.loadtxt(io.StringIO(mot_text(view, 0)), delimiter=",")
    np.testing.assert_array_equal(rows[:, [0, 1, 7]], np.stack([found.frame + 1, found.ids, found.class_ids + 1], 1))
    np.testing.assert_allclose(np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]]), xyxy, rtol=0, atol=2e-9)
