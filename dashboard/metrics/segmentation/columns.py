"""What the metrics of semantic segmentation are given: class maps of some images, decoded when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOSSES = ("cross_entropy", "focal", "soft_dice", "soft_iou")
"""Losses that need probabilities: measured while these were at hand (``probability.measure``), one number an image."""


@dataclass(eq=False)
class SegmentationBatch:
    """Class maps of N images.

    Attributes:
        ids: N sample ids.
        truth: N maps (H, W) uint8 or uint16: 0..C-1, or ``types.ignore_of(C)`` for pixels that do not count. May be a
            lazy sequence that decodes a map when asked for.
        found: N maps of the same sizes: 0..C, C for pixels that were given none of the C classes.
        classes: C.
        losses: by the names of ``LOSSES``, (N,) float64, NaN where unknown.
    """

    ids: Sequence[str]
    truth: Sequence[NDArray[Any]]
    found: Sequence[NDArray[Any]]
    classes: int
    losses: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)
