"""Baselines that any tracker has to beat: SORT, and overlap alone. numpy and scipy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Detections, Image
from models.trackers import Setting, Tracker

Found = tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]
_SCORE = Setting("min_score", 0.3, words="Detections of a lower score are not looked at.", usual=True)


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) and (M, 4) boxes xyxy to their (N, M) intersection over union, 0..1; 0 where both are empty."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    common = np.clip(np.minimum(first[:, None, 2:], second[None, :, 2:]) - corner, 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def assign(overlap: NDArray[np.float64], least: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of the largest overlap together (Hungarian), each of ``least`` or more: rows, columns.

    An overlap below ``least`` counts as none beforehand: else two of them could outweigh a good pair, and be dropped.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(overlap >= least, overlap, 0), maximize=True)
    kept = overlap[rows, columns] >= least
    return rows[kept], columns[kept]


class Sort(Tracker):
    """SORT (Bewley et al. 2016): a Kalman filter of constant velocity on a box's centre, area and shape, and IoU.

    The constants are those of the authors' code (github.com/abewley/sort). Its matrices couple a coordinate with its
    own velocity only, so the filter of seven numbers is four small ones, and all tracks are moved at once.
    """

    name = "sort"
    title = "SORT"
    source = "this project, after the authors' code"
    license = "AGPL-3.0-or-later"
    paper = "https://arxiv.org/abs/1602.00763"
    settings = (
        Setting(
            "max_age", 1, 0, 300, 1, "int", "Frames that a track may go unseen; longer bridges occlusions.", usual=True
        ),
        Setting(
            "min_hits", 3, 0, 30, 1, "int", "Frames in a row, after its first, before a track is shown.", usual=True
        ),
        Setting("iou_threshold", 0.3, words="Least overlap of a predicted box with a detection.", usual=True),
        _SCORE,
    )

    @classmethod
    def version(cls) -> str:
        """Of this code; to be raised when its tracks change."""
        return "1"

    def reset(self) -> None:
        """No tracks; identities from 1."""
        self._frame, self._next = 0, 1
        self._filter = BoxFilter.of(np.empty((0, 4)))
        self._ids, self._unseen, self._streak = (np.empty(0, np.int64) for _ in range(3))

    def _step(self, found: Detections, image: Image | None, size: tuple[int, int] | None) -> Found:
        del image, size
        self._frame += 1
        self._filter.predict()
        self._streak[self._unseen > 0] = 0
        self._unseen += 1
        assert found.scores is not None
        sure = np.flatnonzero(found.scores >= self.number("min_score"))
        boxes = found.xyxy[sure]
        tracks, seen = assign(iou(self._filter.boxes(), boxes), self.number("iou_threshold"))
        self._filter.correct(tracks, boxes[seen])
        self._unseen[tracks] = 0
        self._streak[tracks] += 1

        new = np.setdiff1d(np.arange(len(boxes)), seen)
        self._filter = self._filter.joined(BoxFilter.of(boxes[new]))
        self._ids = np.append(self._ids, self._next + np.arange(len(new)))
        self._next += len(new)
        self._unseen, self._streak = (np.append(was, np.zeros_like(new)) for was in (self._unseen, self._streak))
        rows = np.full(len(self._ids), -1)
        rows[tracks], rows[len(rows) - len(new) :] = sure[seen], sure[new]

        hits = self.number("min_hits")
        shown = (self._unseen == 0) & ((self._streak >= hits) | (self._frame <= hits))
        answer = self._filter.boxes()[shown], self._ids[shown], rows[shown]
        alive = self._unseen <= self.number("max_age")
        self._filter = self._filter.take(alive)
        self._ids, self._unseen, self._streak = (was[alive] for was in (self._ids, self._unseen, self._streak))
        return answer


class BoxFilter:
    """Kalman filters of many boxes: centre x, centre y and area move at a constant velocity, width / height stays.

    Attributes:
        place: (N, 4) centre x, centre y (pixels), area (square pixels), width / height.
        speed: (N, 3) change of the first three a frame.
        spread: (N, 4) variance of ``place``.
        shared: (N, 3) covariance of a place with its own speed.
        drift: (N, 3) variance of ``speed``.
    """

    FIRST = np.array([10.0, 10.0, 10.0, 10.0])  # variance of a new box
    FIRST_SPEED = 1e4  # nothing is known of its speed
    NOISE = np.array([1.0, 1.0, 1.0, 1.0])  # variance that a frame adds to a place
    NOISE_SPEED = np.array([0.01, 0.01, 1e-4])
    MEASURED = np.array([1.0, 1.0, 10.0, 10.0])  # variance of a detection

    def __init__(
        self,
        place: NDArray[np.float64],
        speed: NDArray[np.float64],
        spread: NDArray[np.float64],
        shared: NDArray[np.float64],
        drift: NDArray[np.float64],
    ) -> None:
        self.place, self.speed, self.spread, self.shared, self.drift = place, speed, spread, shared, drift

    @classmethod
    def of(cls, boxes: NDArray[np.float64]) -> BoxFilter:
        """New ones from (N, 4) boxes xyxy that have an area."""
        none = np.zeros((len(boxes), 3))
        return cls(_measured(boxes), none, none[:, :1] + cls.FIRST, none.copy(), none + cls.FIRST_SPEED)

    def predict(self) -> None:
        """Move on by a frame."""
        self.speed[self.place[:, 2] + self.speed[:, 2] <= 0, 2] = 0  # an area cannot vanish
        self.place[:, :3] += self.speed
        self.spread[:, :3] += 2 * self.shared + self.drift
        self.spread += self.NOISE
        self.shared += self.drift
        self.drift = self.drift + self.NOISE_SPEED

    def correct(self, which: NDArray[np.int64], boxes: NDArray[np.float64]) -> None:
        """Take in (M, 4) boxes that were seen of some of them."""
        gain = self.spread[which] / (self.spread[which] + self.MEASURED)
        speed_gain = self.shared[which] / (self.spread[which, :3] + self.MEASURED[:3])
        off = _measured(boxes) - self.place[which]
        self.place[which] += gain * off
        self.speed[which] += speed_gain * off[:, :3]
        self.drift[which] -= speed_gain * self.shared[which]
        self.shared[which] *= 1 - gain[:, :3]
        self.spread[which] *= 1 - gain

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) xyxy."""
        width = np.sqrt(self.place[:, 2] * self.place[:, 3])
        half = np.stack([width, self.place[:, 2] / width], axis=1) / 2
        return np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)

    def take(self, keep: NDArray[np.bool_]) -> BoxFilter:
        """Some of them."""
        return BoxFilter(*(one[keep] for one in self._parts()))

    def joined(self, other: BoxFilter) -> BoxFilter:
        """Both, one after the other."""
        return BoxFilter(*(np.concatenate(two) for two in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self) -> tuple[NDArray[np.float64], ...]:
        return self.place, self.speed, self.spread, self.shared, self.drift


def _measured(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) boxes xyxy as centre x, centre y, area, width / height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack([boxes[:, :2] + sides / 2, sides.prod(1), sides[:, 0] / sides[:, 1]])


class IouTracker(Tracker):
    """The IoU tracker (Bochinski et al. 2017): no motion model; a track goes on where the next box overlaps its last.

    As published it is greedy and works on a whole video, of which it drops short and unsure tracks in the end; here it
    works frame by frame, and shows a track from the frame on in which it is long and sure enough.
    """

    name = "iou"
    title = "IoU tracker"
    source = "this project"
    license = "AGPL-3.0-or-later"
    paper = "https://elvera.nue.tu-berlin.de/files/1517Bochinski2017.pdf"
    settings = (
        Setting("iou_threshold", 0.5, words="Least overlap with the box of the frame before.", usual=True),
        _SCORE,
        Setting("high_score", 0.5, words="A track is shown once one of its detections has this score.", usual=True),
        Setting("min_hits", 1, 1, 30, 1, "int", "Frames before a track is shown."),
        Setting("max_age", 0, 0, 300, 1, "int", "Frames that a track may go unseen, its box kept where it was."),
        Setting(
            "assignment",
            "greedy",
            kind="choice",
            words="Track by track, oldest first (as published), or the best for all of them together.",
            choices=("greedy", "hungarian"),
        ),
    )

    @classmethod
    def version(cls) -> str:
        """Of this code; to be raised when its tracks change."""
        return "1"

    def reset(self) -> None:
        """No tracks; identities from 1."""
        self._next = 1
        self._boxes, self._best = np.empty((0, 4)), np.empty(0)
        self._ids, self._length, self._unseen = (np.empty(0, np.int64) for _ in range(3))

    def _step(self, found: Detections, image: Image | None, size: tuple[int, int] | None) -> Found:
        del image, size
        assert found.scores is not None
        sure = np.flatnonzero(found.scores >= self.number("min_score"))
        boxes, scores = found.xyxy[sure], found.scores[sure]
        pair = greedy if self.values["assignment"] == "greedy" else assign
        tracks, seen = pair(iou(self._boxes, boxes), self.number("iou_threshold"))
        self._unseen += 1
        self._unseen[tracks] = 0
        self._length[tracks] += 1
        self._boxes[tracks] = boxes[seen]
        self._best[tracks] = np.maximum(self._best[tracks], scores[seen])

        new = np.setdiff1d(np.arange(len(boxes)), seen)
        self._boxes, self._best = np.concatenate([self._boxes, boxes[new]]), np.append(self._best, scores[new])
        self._ids = np.append(self._ids, self._next + np.arange(len(new)))
        self._next += len(new)
        self._length = np.append(self._length, np.ones_like(new))
        self._unseen = np.append(self._unseen, np.zeros_like(new))
        rows = np.full(len(self._ids), -1)
        rows[tracks], rows[len(rows) - len(new) :] = sure[seen], sure[new]

        shown = (self._unseen == 0) & (self._length >= self.number("min_hits"))
        shown &= self._best >= self.number("high_score")
        answer = self._boxes[shown], self._ids[shown], rows[shown]
        alive = self._unseen <= self.number("max_age")
        self._boxes, self._best = self._boxes[alive], self._best[alive]
        self._ids, self._length, self._unseen = (was[alive] for was in (self._ids, self._length, self._unseen))
        return answer


def greedy(overlap: NDArray[np.float64], least: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row by row, the free column that it overlaps most, if by ``least`` or more: rows, columns."""
    free = np.ones(overlap.shape[1], bool)
    pairs: list[tuple[int, int]] = []
    for row, values in enumerate(overlap):
        if not free.any():
            break
        column = int(np.where(free, values, -1).argmax())
        if values[column] >= least:
            free[column] = False
            pairs.append((row, column))
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
