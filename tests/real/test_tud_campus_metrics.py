"""TUD-Campus: a tracker's output against MOTChallenge's truth gives TrackEval's published numbers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dashboard.metrics import METRICS
from dashboard.metrics.tracking.columns import SequenceTracks, Tracks
from dashboard.metrics.tracking.evidence import evidence

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
FOLDER = DATA / "mot" / "TUD-Campus"
KNOWN = {"MOTA": 0.526462, "MOTP": 0.722799, "IDSW": 7, "FP": 13, "FN": 150, "IDF1": 0.557659}
KNOWN |= {"HOTA": 0.391397, "DetA": 0.418047, "AssA": 0.369121}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"TUD-Campus is not at {DATA} (set LOUPE_DATA)")


def tracks(name: str) -> Tracks:
    rows = np.loadtxt(FOLDER / name, delimiter=",")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    xyxy = rows[:, 2:6].copy()
    xyxy[:, 2:] += xyxy[:, :2]
    return Tracks(rows[:, 0].astype(int) - 1, rows[:, 1].astype(int), np.zeros(len(rows), int), xyxy)


def test_known_answers():
    truth, found = tracks("gt.txt"), tracks("test.txt")
    whole = evidence([SequenceTracks("TUD-Campus", int(truth.frame.max()) + 1, truth, found)])
    values = {}
    for name in METRICS.names(task="tracking", multilabel=False):
        metric = METRICS.get(name)(["pedestrian"])
        metric.take(whole)
        scores = metric.compute()["scores"]
        values |= scores.values
        for key, (low, high) in scores.intervals.items():
            assert low < values[key] < high
    assert {name: values[name] for name in KNOWN} == pytest.approx(KNOWN, abs=1e-6)
