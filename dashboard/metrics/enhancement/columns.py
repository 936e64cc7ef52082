"""What the metrics of enhancement are given: pictures and references, decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(eq=False)
class EnhancementBatch:
    """Enhanced pictures of N images.

    Attributes:
        ids: N sample ids.
        found: N pictures (H, W, 3) uint8. May be a lazy sequence that decodes a picture when asked for.
        truth: N references of the same sizes, None where there is none.
        scales: (N,) how many times larger pictures are than what they were made from.
        borders: (N,) pixels at each border that are left out of the numbers.
    """

    ids: Sequence[str]
    found: Sequence[NDArray[np.uint8]]
    truth: Sequence[Any]
    scales: Sequence[int]
    borders: Sequence[int]

    def __len__(self) -> int:
        return len(self.ids)
