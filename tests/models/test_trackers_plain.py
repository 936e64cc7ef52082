"""The two baselines: SORT against the matrices of its paper, overlap alone against cases done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from dashboard.types import Detections
from models.trackers import make_tracker
from models.trackers_plain import assign, greedy, iou


def boxes(*rows, scores=None):
    xyxy = np.array(rows, float).reshape(-1, 4)
    return Detections(xyxy, np.zeros(len(xyxy)), np.full(len(xyxy), 0.9) if scores is None else np.array(scores, float))


def ids(tracks):
    return tracks.track_ids.tolist()


class MatrixSort:
    """SORT as its authors wrote it, with filterpy's matrices of seven, track by track."""

    def __init__(self, max_age=1, min_hits=3, threshold=0.3):
        self.max_age, self.min_hits, self.threshold = max_age, min_hits, threshold
        self.tracks, self.frame, self.count = [], 0, 0
        self.F = np.eye(7) + np.eye(7, k=4)
        self.H = np.eye(4, 7)
        self.R = np.diag([1.0, 1, 10, 10])
        self.Q = np.diag([1.0, 1, 1, 1, 0.01, 0.01, 0.0001])

    @staticmethod
    def z(box):
        w, h = box[2] - box[0], box[3] - box[1]
        return np.array([box[0] + w / 2, box[1] + h / 2, w * h, w / h])

    @staticmethod
    def box(x):
        w = np.sqrt(x[2] * x[3])
        h = x[2] / w
        return np.array([x[0] - w / 2, x[1] - h / 2, x[0] + w / 2, x[1] + h / 2])

    def update(self, dets):
        self.frame += 1
        for t in self.tracks:
            if t["x"][6] + t["x"][2] <= 0:
                t["x"][6] = 0
            t["x"], t["P"] = self.F @ t["x"], self.F @ t["P"] @ self.F.T + self.Q
            if t["unseen"] > 0:
                t["streak"] = 0
            t["unseen"] += 1
        pairs = []
        if self.tracks and len(dets):
            overlap = iou(np.array([self.box(t["x"]) for t in self.tracks]), dets)
            overlap[overlap < self.threshold] = 0
            pairs = [(r, c) for r, c in zip(*linear_sum_assignment(-overlap), strict=True) if overlap[r, c] > 0]
        for r, c in pairs:
            t = self.tracks[r]
            S = self.H @ t["P"] @ self.H.T + self.R
            K = t["P"] @ self.H.T @ np.linalg.inv(S)
            t["x"] = t["x"] + K @ (self.z(dets[c]) - self.H @ t["x"])
            A = np.eye(7) - K @ self.H
            t["P"] = A @ t["P"] @ A.T + K @ self.R @ K.T
            t["unseen"], t["streak"] = 0, t["streak"] + 1
        for c in sorted(set(range(len(dets))) - {c for _, c in pairs}):
            self.count += 1
            P = np.diag([10.0] * 4 + [1e4] * 3)
            x = np.append(self.z(dets[c]), np.zeros(3))
            self.tracks.append({"x": x, "P": P, "unseen": 0, "streak": 0, "id": self.count})
        shown = {
            t["id"]: self.box(t["x"])
            for t in self.tracks
            if t["unseen"] < 1 and (t["streak"] >= self.min_hits or self.frame <= self.min_hits)
        }
        self.tracks = [t for t in self.tracks if t["unseen"] <= self.max_age]
        return shown


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 5),
    missed=st.floats(0, 0.6),
    age=st.integers(0, 4),
    hits=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_sort_is_the_papers(seed, count, missed, age, hits):
    rng = np.random.default_rng(seed)
    place, speed = rng.uniform(0, 200, (count, 2)), rng.normal(0, 4, (count, 2))
    side = rng.uniform(10, 60, (count, 2))
    ours = make_tracker("sort", {"max_age": str(age), "min_hits": str(hits)})
    theirs = MatrixSort(age, hits)
    for _ in range(25):
        place, side = place + speed, np.clip(side * rng.uniform(0.8, 1.2, side.shape), 1, None)
        seen = rng.random(count) >= missed
        dets = np.concatenate([place, place + side], 1)[seen] + rng.normal(0, 0.3, (int(seen.sum()), 4))
        dets[:, 2:] = np.maximum(dets[:, 2:], dets[:, :2] + 0.5)
        found, expected = ours.update(boxes(*dets)), theirs.update(dets)
        assert ids(found) == sorted(expected)
        for track, box in zip(ids(found), found.xyxy, strict=True):
            np.testing.assert_allclose(box, expected[track], rtol=1e-6, atol=1e-6)


def test_sort_predicts_where_an_object_is_that_overlap_alone_loses():
    """10 pixels wide, 6 a frame: boxes of two frames overlap by 4 / 16, predicted ones entirely."""
    frames = [boxes([6 * k, 0, 6 * k + 10, 10]) for k in range(2)]
    sort = make_tracker("sort", {"min_hits": "0", "iou_threshold": "0.2"})
    overlap = make_tracker("iou", {"iou_threshold": "0.3"})
    assert [ids(sort.update(f)) for f in frames] == [[1], [1]]
    assert [ids(overlap.update(f)) for f in frames] == [[1], [2]]
    later = [boxes([6 * k, 0, 6 * k + 10, 10]) for k in range(2, 6)]
    sort.values["iou_threshold"] = 0.7
    assert [ids(sort.update(f)) for f in later] == [[1]] * 4


def test_sort_waits_as_long_as_it_is_told():
    there, gone = boxes([0, 0, 10, 10]), boxes()
    for age, expected in ((0, 2), (1, 1)):
        tracker = make_tracker("sort", {"max_age": str(age), "min_hits": "0"})
        assert ids(tracker.update(there)) == [1]
        assert ids(tracker.update(gone)) == []
        assert ids(tracker.update(there)) == [expected]


def test_sort_shows_a_track_after_min_hits():
    """From the fourth frame on a new one must have been found three frames in a row after its first."""
    tracker = make_tracker("sort")
    for _ in range(5):
        assert ids(tracker.update(boxes([0, 0, 10, 10]))) == [1]
    both = boxes([0, 0, 10, 10], [50, 0, 60, 10])
    assert [len(tracker.update(both)) for _ in range(5)] == [1, 1, 1, 2, 2]


def test_unsure_detections_are_not_looked_at():
    found = boxes([0, 0, 10, 10], [50, 0, 60, 10], scores=[0.29, 0.3])
    assert make_tracker("sort").update(found).xyxy[:, 0].tolist() == [50]
    assert len(make_tracker("iou").update(found)) == 0  # neither is sure enough to be shown
    shown = make_tracker("iou", {"high_score": "0.3"})
    assert shown.update(found).xyxy[:, 0].tolist() == [50]
    assert shown.rows.tolist() == [1]


def test_overlap_shows_a_track_once_it_was_sure_and_long_enough():
    tracker = make_tracker("iou", {"min_hits": "2"})
    said = [ids(tracker.update(boxes([0, 0, 10, 10], scores=[s]))) for s in (0.9, 0.4, 0.4)]
    assert said == [[], [1], [1]]
    tracker.reset()
    said = [ids(tracker.update(boxes([0, 0, 10, 10], scores=[s]))) for s in (0.4, 0.4, 0.6, 0.4)]
    assert said == [[], [], [1], [1]]


def test_greedy_takes_the_oldest_first_and_hungarian_all_together():
    """The older track overlaps the first box by .9 and the second by .8, the younger the first only."""
    overlap = np.array([[0.9, 0.8], [0.7, 0.1]])
    assert [x.tolist() for x in greedy(overlap, 0.5)] == [[0], [0]]
    assert [x.tolist() for x in assign(overlap, 0.5)] == [[0, 1], [1, 0]]
    assert [x.tolist() for x in greedy(np.empty((2, 0)), 0.5)] == [[], []]


def test_weak_overlaps_do_not_outweigh_a_good_pair():
    """.35 alone is less than .29 + .29, of which neither counts."""
    rows, columns = assign(np.array([[0.35, 0.29], [0.29, 0.0]]), 0.3)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_overlap_alone_can_wait():
    there, gone = boxes([0, 0, 10, 10]), boxes()
    for age, expected in (("0", 2), ("1", 1)):
        tracker = make_tracker("iou", {"max_age": age})
        assert [ids(tracker.update(f)) for f in (there, gone, there)] == [[1], [], [expected]]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0),
        ([-5, -5, 5, 5], [0, 0, 5, 5], 0.25),
    ],
)
def test_iou(first, second, expected):
    assert iou(np.array([first], float), np.array([second], float))[0, 0] == pytest.approx(expected)
