"""How large pictures are, from their headers: relative coordinates need it, and nothing is decoded for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.files import _open_at_once
from dashboard.datasets.images import _orientation, _plugins, _sniff
from dashboard.errors import InputError

_TURNED = 5  # EXIF orientations from here on swap width and height
_BLOCK = 64  # files a thread takes at a time


def read_sizes(files: Sequence[str]) -> NDArray[np.int64]:
    """(N, 2) height and width in pixels of each picture as it is shown, upright (EXIF orientation honoured).

    Raises:
        InputError: naming the first file that is missing or is not a picture.
    """
    blocks = [files[i : i + _BLOCK] for i in range(0, len(files), _BLOCK)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda block: [read_size(file) for file in block], blocks))
    return np.array([size for block in found for size in block], np.int64).reshape(-1, 2)


def read_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width in pixels of a picture, upright.

    Raises:
        InputError: naming the file, if it is missing, not a picture, or its header is damaged.
    """
    try:
        if not os.path.isfile(path):
            raise InputError(f"{path} is not there or no ordinary file: check the path")
        with open(path, "rb", opener=_open_at_once) as stream:
            kind = _sniff(stream.read(32), os.fspath(path))
            stream.seek(0)
            try:
                picture = _plugins()[kind][0](stream, os.fspath(path))
            except Exception as error:  # plugins raise anything on a damaged header
                raise InputError(
                    f"{path} begins like a {kind} picture but is truncated or damaged: copy or download it again"
                ) from error
            width, height = picture.size
            return (width, height) if _orientation(picture) >= _TURNED else (height, width)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check that it is readable") from error


def is_turned(file: str) -> bool:
    """Whether a picture, which ``read_size`` has read, is shown turned by its EXIF mark."""
    with open(file, "rb") as stream:
        kind = _sniff(stream.read(32), file)
        stream.seek(0)
        return _orientation(_plugins()[kind][0](stream, file)) >= _TURNED
