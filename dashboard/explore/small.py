"""Small pictures for galleries: scaled down once, drawn on, and sent as JPEG."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import cv2

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.types import Image

THUMB = 220
RIGHT, WRONG, MISSED = (15, 159, 110), (217, 72, 15), (147, 51, 234)  # RGB
Thumb = Callable[[Dataset, int], Image | None]


def small_picture(pictures: Dataset, index: int) -> Image | None:
    """A picture scaled down to ``THUMB`` pixels; None if it cannot be read."""
    try:
        image = pictures[index].image
    except InputError:
        return None
    scale = THUMB / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small: Any = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return small


def jpeg_uri(canvas: Image) -> str:
    """A picture, (H, W, 3) uint8 RGB, as a JPEG data URI; "" if it cannot be written."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}" if done else ""
