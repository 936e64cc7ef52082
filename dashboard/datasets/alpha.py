"""Reading a picture with its transparency, where it has any; everything else about reading is in ``images``."""

from __future__ import annotations

import os

import numpy as np

from dashboard.datasets.images import (
    MAX_PIXELS,
    _decode,
    _load,
    _open,
    _orientation,
    _read_file,
    _upright,
    alone_if_big,
)
from dashboard.types import Image

MODES = ("RGBA", "LA", "PA", "RGBa", "La")
"""Pillow's modes that have an alpha channel."""


def read_with_alpha(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image:
    """The picture in a file as ``read_image`` gives it, and where it has transparency (H, W, 4), alpha last.

    Raises:
        InputError: as ``read_image`` does.
    """
    data, name = _read_file(path), os.fspath(path)
    header = _open(data, name, max_pixels)
    if header.mode not in MODES and "transparency" not in header.info:
        return _decode(data, name, max_pixels)
    with alone_if_big(header.width * header.height):
        _load(header, name)
        return _upright(np.array(header.convert("RGBA")), _orientation(header))
