"""Class maps as PNG: small on disk, exact, and decoded by every browser. The same bytes are stored and sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ClassIds = NDArray[np.uint8] | NDArray[np.uint16]
_HOW = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
"""Runs are what class maps consist of: smaller, and faster to write, than with the default strategy."""


def encode(class_ids: ClassIds) -> bytes:
    """An (H, W) map as PNG: uint8 as 8-bit grey; uint16 as 8-bit RGB, red the low byte, green the high byte.

    Raises:
        ValueError: not an (H, W) uint8 or uint16 array with pixels.
    """
    ids: Any = np.asarray(class_ids)
    if ids.ndim != 2 or not ids.size or ids.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"class_ids must be an (H, W) map of uint8 or uint16, got {ids.dtype} {ids.shape}")
    picture: Any = ids
    if ids.dtype == np.uint16:  # browsers show the high byte only of 16-bit PNG
        low, high = (ids & 255).astype(np.uint8), (ids >> 8).astype(np.uint8)
        picture = np.dstack([np.zeros_like(low), high, low])  # OpenCV writes blue, green, red
    done, data = cv2.imencode(".png", picture, _HOW)
    if not done:
        raise ValueError(f"class_ids of {ids.shape} cannot be written as PNG")
    return data.tobytes()


def decode(data: bytes) -> ClassIds:
    """The map that ``encode`` wrote. Raises ValueError for anything else."""
    picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None or picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise ValueError("this is no class map")
    if picture.ndim == 2:
        return picture  # type: ignore[no-any-return]
    low, high = (picture[..., k].astype(np.uint16) for k in (2, 1))
    return low | high << 8  # type: ignore[no-any-return]


class Decoded(Sequence[ClassIds]):
    """Encoded maps, each decoded when asked for and not kept."""

    def __init__(self, encoded: Sequence[bytes]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, place: Any) -> Any:
        return decode(self._encoded[place])
