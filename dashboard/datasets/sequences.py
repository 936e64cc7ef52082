"""Sequences of frames: what a dataset of videos says beyond its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset


@dataclass(frozen=True, eq=False)
class SequenceInfo:
    """One video, or one folder of frames.

    Attributes:
        name: unique in its dataset.
        start, stop: positions of its frames in the dataset, half-open.
        fps: frames a second (the mean, where it varies); None if unknown.
        size: (height, width) in pixels as shown (turned where the file says so); None if unknown.
        times: (stop - start,) seconds from its first frame, ascending; None for an even rate.
        video: the file its frames come from; None if they are pictures, or made on the fly.
        pictures: whether the frames can be looked at (they need not be there for scoring).
    """

    name: str
    start: int
    stop: int
    fps: float | None = None
    size: tuple[int, int] | None = None
    times: NDArray[np.float64] | None = None
    video: Path | None = None
    pictures: bool = True

    def __len__(self) -> int:
        return self.stop - self.start

    def seconds(self) -> NDArray[np.float64]:
        """(F,) seconds of each frame from the first; 25 frames a second where nothing is known."""
        return np.arange(len(self)) / (self.fps or 25.0) if self.times is None else self.times


class TrackingDataset(Dataset, Protocol):
    """Frames of one or several sequences, one after the other, task "tracking".

    Ids are ``SEQUENCE/000001``, frames counted from 1. ``targets[i]`` is the truth of a frame as ``Detections`` with
    ``track_ids`` (``ignore``: distractors, whose partners do not count; ``crowd``: neither counted nor absorbing;
    both: a region in which masks that are matched with nothing do not count), or None where there is no truth.

    Attributes:
        sequences: in order, without gaps between them.
        has_truth: whether there is any truth.
    """

    sequences: tuple[SequenceInfo, ...]
    has_truth: bool


def sequences_of(dataset: Any) -> Sequence[SequenceInfo]:
    """The sequences of a dataset of videos. Raises TypeError if it is none."""
    found = getattr(dataset, "sequences", None)
    if found is None:
        raise TypeError(f"{getattr(dataset, 'name', dataset)!r} is no dataset of sequences")
    return tuple(found)
