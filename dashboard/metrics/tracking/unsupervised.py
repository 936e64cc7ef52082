"""What can be said of tracks without truth: how many, how long, how steady."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.overlap import EPS, Floats, Ints

SHORT = 3
"""Boxes; a track with fewer is flicker."""


@dataclass(frozen=True, eq=False)
class Unsupervised:
    """Tracks of one sequence. Identities are counted regardless of class.

    Attributes:
        classes: (K,) numbers of the classes that were found, ascending.
        boxes: (F, K) boxes of each class in each frame.
        births: (F,) tracks whose first box is in the frame.
        deaths: (F,) tracks whose last box is in the frame; none in the last frame, where the sequence ends.
        identity: (T,) of each track, ascending.
        class_id: (T,) the class that most of its boxes have, the lower of equals.
        birth, death: (T,) its first frame and the one after its last.
        lengths: (T,) frames in which it has a box.
        gaps: (T,) how many times it vanishes and comes back.
        class_changes: (T,) how many times its class is another than in its box before.
        overlap: (T,) mean IoU of its boxes of consecutive frames, lower for fast and for jittery ones; NaN if it has
            no such.
    """

    classes: Ints
    boxes: Ints
    births: Ints
    deaths: Ints
    identity: Ints
    class_id: Ints
    birth: Ints
    death: Ints
    lengths: Ints
    gaps: Ints
    class_changes: Ints
    overlap: Floats

    @property
    def scores(self) -> dict[str, float]:
        """Numbers of the sequence; NaN without tracks.

        ``tracks``; ``mean_length`` and ``median_length`` in frames; ``flicker``, the share of tracks with fewer than 3
        boxes; ``gaps`` and ``class_changes`` in all tracks; ``stability``, the mean of ``overlap`` over tracks;
        ``boxes_per_frame``.
        """
        some = bool(len(self.identity))
        steady = self.overlap[np.isfinite(self.overlap)]
        return {
            "tracks": float(len(self.identity)),
            "mean_length": float(self.lengths.mean()) if some else np.nan,
            "median_length": float(np.median(self.lengths)) if some else np.nan,
            "flicker": float((self.lengths < SHORT).mean()) if some else np.nan,
            "gaps": float(self.gaps.sum()) if some else np.nan,
            "class_changes": float(self.class_changes.sum()) if some else np.nan,
            "stability": float(steady.mean()) if steady.size else np.nan,
            "boxes_per_frame": float(self.boxes.sum() / len(self.boxes)) if len(self.boxes) else np.nan,
        }


def unsupervised(sequence: SequenceTracks) -> Unsupervised:
    """Describe what was found in a sequence; its truth is not looked at."""
    found, frames = sequence.found, sequence.frames
    classes, kind = np.unique(found.class_ids, return_inverse=True)
    boxes = np.bincount(found.frame * len(classes) + kind, minlength=frames * len(classes))
    order = np.lexsort((found.frame, found.ids))
    ids, frame = found.ids[order], found.frame[order]
    names, first, who, lengths = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)
    last = first + lengths - 1
    same = np.diff(ids) == 0
    step = np.diff(frame)

    def per_track(which: np.ndarray, values: Floats | None = None) -> np.ndarray:
        """(T,) sums over pairs of consecutive boxes."""
        return np.bincount(who[1:][which], values, len(names))

    beside = same & (step == 1)
    xyxy = found.xyxy[order]
    near = per_track(beside)
    total = per_track(beside, _iou(xyxy[:-1][beside], xyxy[1:][beside]))
    held = np.bincount(who * max(1, len(classes)) + kind[order], minlength=len(names) * len(classes))
    main = held.reshape(len(names), len(classes)).argmax(axis=1) if len(names) else np.empty(0, np.int64)
    deaths = np.bincount(frame[last], minlength=frames)
    deaths[-1:] = 0
    return Unsupervised(
        classes,
        boxes.reshape(frames, len(classes)),
        np.bincount(frame[first], minlength=frames),
        deaths,
        names,
        classes[main],
        frame[first],
        frame[last] + 1,
        lengths,
        per_track(same & (step > 1)),
        per_track(same & (np.diff(found.class_ids[order]) != 0)),
        np.where(near > 0, total / np.maximum(near, 1), np.nan),
    )


def _iou(a: Floats, b: Floats) -> Floats:
    """(N,) IoU of (N, 4) boxes with (N, 4) others, one by one."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - both
    return both / np.maximum(union, EPS)
