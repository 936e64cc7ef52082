"""The truth of frames, cut out of columns when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.sequences import SequenceInfo
from dashboard.metrics.tracking.columns import ASIDE, DISTRACTOR, REGION, Tracks
from dashboard.types import Detections


class FrameTruths(Sequence[Detections | None]):
    """The truths of all frames of some sequences.

    Args:
        sequences: in order, without gaps.
        tracks_of: the truth of the k-th of them in columns, or None if it has none.
    """

    def __init__(self, sequences: Sequence[SequenceInfo], tracks_of: Callable[[int], Tracks | None]) -> None:
        self.sequences, self.tracks_of = sequences, tracks_of
        self._stops = np.array([one.stop for one in sequences], np.int64)
        self._offsets: dict[int, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return int(self._stops[-1]) if len(self._stops) else 0

    @overload
    def __getitem__(self, index: int) -> Detections | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[Detections | None]: ...
    def __getitem__(self, index: int | slice) -> Detections | list[Detections | None] | None:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        k = int(np.searchsorted(self._stops, index, "right"))
        one, tracks = self.sequences[k], self.tracks_of(k)
        if tracks is None:
            return None
        if k not in self._offsets:
            self._offsets[k] = tracks.offsets(len(one))
        here = slice(*self._offsets[k][index - one.start : index - one.start + 2])
        role = None if tracks.role is None else tracks.role[here]
        masked = tracks.masks is not None and one.size is not None
        return Detections(
            xyxy=tracks.xyxy[here],
            class_ids=tracks.class_ids[here],
            masks=list(tracks.masks[here]) if masked and tracks.masks is not None else None,
            size=one.size,
            crowd=None if role is None else (role == ASIDE) | (role == REGION),
            ignore=None if role is None else (role == DISTRACTOR) | (role == REGION),
            track_ids=tracks.ids[here],
        )
