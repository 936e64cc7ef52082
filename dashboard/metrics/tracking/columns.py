"""One sequence in columns: what is true and what a tracker found, a row a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTED, DISTRACTOR, ASIDE, REGION = 0, 1, 2, 3
"""Roles of a true box: counted; a distractor, whose partner is taken away before counting; neither of both; a region
in which unmatched masks are taken away."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Boxes of one side of one sequence, by frame.

    Attributes:
        frame: (N,) int64, from 0, ascending.
        ids: (N,) int64 identities; an identity stands once in a frame.
        class_ids: (N,) int64.
        xyxy: (N, 4) float64 pixels, half-open.
        scores: (N,) float64 in 0..1, or None.
        role: (N,) uint8 of a truth (``COUNTED``, ``DISTRACTOR``, ``ASIDE``, ``REGION``), or None if all count.
        masks: N masks as COCO's compressed run lengths, or None.

    Raises:
        ValueError: columns of different lengths, frames out of order, an identity twice in a frame.
    """

    frame: NDArray[np.int64]
    ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64] | None = None
    role: NDArray[np.uint8] | None = None
    masks: Sequence[bytes] | None = None

    def __post_init__(self) -> None:
        count = len(self.frame)
        kinds: dict[str, Any] = {"frame": np.int64, "ids": np.int64, "class_ids": np.int64, "scores": np.float64}
        for name, kind in (kinds | {"role": np.uint8}).items():
            value = getattr(self, name)
            if value is None:
                continue
            array: NDArray[Any] = np.asarray(value).astype(kind, copy=False)
            if array.shape != (count,):
                raise ValueError(f"{name} must be one value a box, ({count},), got {array.shape}")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "xyxy", np.asarray(self.xyxy, np.float64).reshape(count, 4))
        if self.masks is not None and len(self.masks) != count:
            raise ValueError(f"masks must be one a box, {count}, got {len(self.masks)}")
        if count and ((np.diff(self.frame) < 0).any() or self.frame[0] < 0):
            raise ValueError("frame must be ascending, from 0")
        if (np.diff(self.ids)[np.diff(self.frame) == 0] > 0).all():  # as files mostly have them
            return
        order = np.lexsort((self.ids, self.frame))
        twice = (np.diff(self.frame[order]) == 0) & (np.diff(self.ids[order]) == 0)
        if twice.any():
            row = order[np.flatnonzero(twice)[0]]
            raise ValueError(f"identity {self.ids[row]} stands twice in frame {self.frame[row] + 1}")

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def none(cls) -> Tracks:
        """No boxes."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, np.empty((0, 4)))

    def take(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> Tracks:
        """Some of them, by a mask or by ascending positions."""
        places = np.arange(len(self))[keep]
        cut = lambda value: None if value is None else value[places]  # noqa: E731
        masks = None if self.masks is None else [self.masks[i] for i in places]
        return Tracks(
            self.frame[places],
            self.ids[places],
            self.class_ids[places],
            self.xyxy[places],
            cut(self.scores),
            cut(self.role),
            masks,
        )

    def offsets(self, frames: int) -> NDArray[np.int64]:
        """(frames + 1,) where each frame's rows begin."""
        return np.searchsorted(self.frame, np.arange(frames + 1))


@dataclass(frozen=True, eq=False)
class SequenceTracks:
    """One sequence, both sides.

    Attributes:
        name: of the sequence.
        frames: how many it has.
        truth, found: what is true, and what a tracker gave.
        size: (height, width) in pixels, or None.

    Raises:
        ValueError: a box lies in a frame past the end.
    """

    name: str
    frames: int
    truth: Tracks
    found: Tracks
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for side in ("truth", "found"):
            tracks: Tracks = getattr(self, side)
            if len(tracks) and tracks.frame[-1] >= self.frames:
                raise ValueError(f"{side} has frame {tracks.frame[-1] + 1}, but {self.name} has {self.frames} frames")
