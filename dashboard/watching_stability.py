"""How steady a model is on a film without a truth: its labels from frame to frame, or its boxes. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Detections

LINK_IOU = 0.5
"""Boxes of neighbouring frames that overlap by more than this are taken for the same object."""


def follows(sequences: Sequence[str], frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether a row is the very next frame of the row before it, in the same sequence.

    Args:
        sequences: N names.
        frames: (N,) frame numbers.
    """
    if len(sequences) != len(frames):
        raise ValueError(f"frames must be one a row ({len(sequences)}), got {len(frames)}")
    same = np.array([a == b for a, b in zip(sequences[1:], sequences[:-1], strict=True)], bool)
    return np.concatenate([[False], same & (np.diff(frames) == 1)])[: len(frames)]


@dataclass(frozen=True, eq=False)
class LabelStability:
    """How steady a classifier's first label is. No truth is asked: steady is not right.

    Attributes:
        changed: (N,) whether the first label is another than in the frame right before.
        flicker: share of pairs of consecutive frames whose first labels differ, 0..1; NaN without such pairs.
        longest: (row where it begins, frames) of the longest run of one first label; (0, 0) without frames.
        label: the first label of that run, -1 without frames.
        shares: label to the share of frames it comes first in, the largest share first.
        confidence, entropy: means over frames, the latter in nats; NaN where unknown.
    """

    changed: NDArray[np.bool_]
    flicker: float
    longest: tuple[int, int]
    label: int
    shares: dict[int, float]
    confidence: float
    entropy: float


def label_stability(
    labels: NDArray[np.int64],
    confidence: NDArray[np.floating],
    entropy: NDArray[np.floating],
    following: NDArray[np.bool_],
) -> LabelStability:
    """Flicker, longest run and shares of first labels.

    Args:
        labels: (N,) first label of each frame.
        confidence: (N,) its probability, 0..1.
        entropy: (N,) of all probabilities in nats, NaN where unknown.
        following: (N,) as of ``follows``: a run does not go on, and nothing flickers, over a missing frame.

    Raises:
        ValueError: arrays of different lengths.
    """
    count = len(labels)
    for name, values in (("confidence", confidence), ("entropy", entropy), ("following", following)):
        if len(values) != count:
            raise ValueError(f"{name} must be one a frame ({count}), got {len(values)}")
    if not count:
        return LabelStability(np.empty(0, bool), np.nan, (0, 0), -1, {}, np.nan, np.nan)
    differs = np.concatenate([[False], labels[1:] != labels[:-1]])
    changed = differs & following
    pairs = int(following.sum())
    begins = np.flatnonzero(differs | ~following)
    lengths = np.diff(np.append(begins, count))
    longest = int(lengths.argmax())
    names, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    known = entropy[np.isfinite(entropy)]
    return LabelStability(
        changed,
        float(changed.sum() / pairs) if pairs else np.nan,
        (int(begins[longest]), int(lengths[longest])),
        int(labels[begins[longest]]),
        {int(names[i]): float(counts[i] / count) for i in order},
        float(np.mean(confidence)),
        float(known.mean()) if len(known) else np.nan,
    )


@dataclass(frozen=True, eq=False)
class DetectionStability:
    """How steady a detector's boxes are from frame to frame, without a tracker and without a truth.

    Boxes of neighbouring frames are linked one to one, largest IoU first, where it is above ``LINK_IOU`` and the class
    is the same. Shares are NaN where there are no boxes to be asked.

    Attributes:
        counts: (F, C) boxes of each class in each frame.
        linked: share of boxes that have a partner in the next frame, 0..1.
        blink: share of boxes without a partner in the next frame though one is there in the frame after, 0..1.
        class_flips: share of boxes whose partner in the next frame has another class, 0..1.
        jitter: 1 - mean IoU of linked boxes, 0..1.
        count_changes: mean absolute change of the number of boxes from a frame to the next.
        chains: for each frame the (n,) numbers of its boxes' chains of links, from 1.
    """

    counts: NDArray[np.int64]
    linked: float
    blink: float
    class_flips: float
    jitter: float
    count_changes: float
    chains: list[NDArray[np.int64]]


def detection_stability(
    frames: Sequence[Detections], classes: int, following: NDArray[np.bool_] | None = None
) -> DetectionStability:
    """Counts, links and blinks of boxes over a film.

    Args:
        frames: what was detected in each frame, in order.
        classes: how many there are.
        following: (F,) as of ``follows``; None if every frame follows the one before.

    Raises:
        ValueError: ``following`` is of another length, or a class past ``classes``.
    """
    count = len(frames)
    following = np.arange(count) > 0 if following is None else following
    if len(following) != count:
        raise ValueError(f"following must be one a frame ({count}), got {len(following)}")
    counts = np.zeros((count, classes), np.int64)
    for f, found in enumerate(frames):
        if len(found) and found.class_ids.max() >= classes:
            raise ValueError(f"classes must be more than {found.class_ids.max()}, got {classes}")
        counts[f] = np.bincount(found.class_ids, minlength=classes)
    asked = linked = blinks = blink_asked = flips = 0
    overlap = 0.0
    chains: list[NDArray[np.int64]] = []
    last, before = 0, None  # ``before``: which boxes of the frame before were linked on, in a film of three frames
    for f, found in enumerate(frames):
        ids = np.zeros(len(found), np.int64)
        taken = np.zeros(len(found), bool)
        left = None
        if following[f]:
            earlier = frames[f - 1]
            row, col, value = links(earlier, found)
            ids[col], taken[col] = chains[-1][row], True
            left = np.ones(len(earlier), bool)
            left[row] = False
            asked, linked, overlap = asked + len(earlier), linked + len(row), overlap + float(value.sum())
            other = links(earlier.take(left), found.take(~taken), any_class=True)
            flips += len(other[0])
            if before is not None:
                blink_asked += len(before)
                blinks += len(links(frames[f - 2].take(before), found.take(~taken))[0])
        fresh = np.flatnonzero(ids == 0)
        ids[fresh] = last + 1 + np.arange(len(fresh))
        last += len(fresh)
        chains.append(ids)
        before = left
    steps = np.abs(np.diff(counts.sum(1)))[following[1:]] if count else np.empty(0)
    return DetectionStability(
        counts,
        _share(linked, asked),
        _share(blinks, blink_asked),
        _share(flips, asked),
        1 - _share(overlap, linked),
        float(steps.mean()) if len(steps) else np.nan,
        chains,
    )


def _share(part: float, whole: int) -> float:
    return part / whole if whole else np.nan


def links(
    before: Detections, after: Detections, any_class: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Boxes of two frames linked one to one, largest IoU first.

    Args:
        before: N boxes.
        after: M boxes.
        any_class: link boxes of different classes, too.

    Returns:
        Rows of ``before``, rows of ``after``, and their IoU, each above ``LINK_IOU``.
    """
    a, b = before.xyxy[:, None], after.xyxy[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=2)
    whole = np.prod(a[..., 2:] - a[..., :2], axis=2) + np.prod(b[..., 2:] - b[..., :2], axis=2) - shared
    iou = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    near = iou > LINK_IOU
    if not any_class:
        near &= before.class_ids[:, None] == after.class_ids[None]
    rows, cols = np.nonzero(near)
    kept: list[tuple[int, int]] = []
    used: tuple[set[int], set[int]] = (set(), set())
    for i in np.argsort(-iou[rows, cols], kind="stable"):
        row, col = int(rows[i]), int(cols[i])
        if row not in used[0] and col not in used[1]:
            kept.append((row, col))
            used[0].add(row)
            used[1].add(col)
    linked = np.array(kept, np.int64).reshape(-1, 2)
    return linked[:, 0], linked[:, 1], iou[linked[:, 0], linked[:, 1]]
