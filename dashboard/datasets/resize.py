"""MATLAB's ``imresize`` with the bicubic kernel, by which the published super-resolution sets are made.

It differs from OpenCV and PyTorch: when a picture is made smaller, the kernel (Keys 1981, a = -0.5) is stretched by the
factor, so that nothing aliases; beyond its border the picture is mirrored, the edge's pixels repeated; 8-bit pictures
are rounded to 8 bits after each of the two directions, halves upwards. MATLAB's ``contributions`` and ``imresizemex``
are followed step by step; Pillow's bicubic agrees within the picture, but not at its border.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float64])

_SUPPORT = 4.0  # pixels that the cubic kernel spans
_ROWS, _COLUMNS = 32, 1024  # made in one go: small enough for a processor's cache
_TIE = 1e-9  # halves are rounded upwards, whatever the order of a sum
_LIMITS = (1 / 64, 64.0)


def imresize(image: Pixels, scale: float) -> Pixels:
    """A picture ``scale`` times as wide and high, as MATLAB's ``imresize(image, scale, "bicubic")``.

    Args:
        image: (H, W) or (H, W, C), uint8 or float64 of any range.
        scale: above 1 to enlarge, below 1 to make smaller (antialiased); in 1/64..64.

    Returns:
        (ceil(H * scale), ceil(W * scale), ...) of the same type; floats are neither rounded nor clipped.

    Raises:
        ValueError: another type or shape, or a scale beyond the limits.
    """
    if image.ndim not in (2, 3) or not image.size or image.dtype not in (np.uint8, np.float64):
        raise ValueError(f"image must be (H, W) or (H, W, C) of uint8 or float64, got {image.dtype} {image.shape}")
    if not _LIMITS[0] <= scale <= _LIMITS[1]:
        raise ValueError(f"scale must be in 1/64..64, got {scale}")
    out: Pixels = image
    for _ in range(2):  # rows first, as MATLAB does when both directions have the same scale
        out = np.ascontiguousarray(_along_rows(out, scale).swapaxes(0, 1))
    return out


def weights(length: int, scale: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Which pixels of a line make each pixel of the resized line, and with what weights.

    Args:
        length: pixels of the line.
        scale: new length / old length.

    Returns:
        Two (M, T) arrays for M new pixels: weights that sum to 1 in each row, and places in 0..length-1. Pixels beyond
        the border are the mirrored ones, so a place can occur twice in a row.
    """
    count = max(1, math.ceil(round(length * scale, 9)))
    narrow = min(scale, 1.0)  # the kernel is stretched only when the picture is made smaller
    width = _SUPPORT / narrow
    centres = (np.arange(count) + 0.5) / scale - 0.5
    first = np.floor(centres - width / 2).astype(np.int64)
    places = first[:, None] + np.arange(math.ceil(width) + 2)
    values = _cubic(narrow * (centres[:, None] - places))
    values /= values.sum(axis=1, keepdims=True)
    used = values.any(axis=0)
    mirrored = places % (2 * length)
    return values[:, used], np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)[:, used]


def to_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Rounded (halves upwards) and clipped to 0..255."""
    return np.clip(values + (0.5 + _TIE), 0, 255).astype(np.uint8)  # which cuts the fraction off


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel, a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _along_rows(image: Pixels, scale: float) -> Pixels:
    """Resize the first axis. The sums have one order everywhere, and need no threads of a matrix library."""
    values, places = weights(len(image), scale)
    flat = image.reshape(len(image), -1)
    out = np.empty((len(values), flat.shape[1]), image.dtype)
    for top in range(0, len(values), _ROWS):
        rows = slice(top, top + _ROWS)
        for left in range(0, flat.shape[1], _COLUMNS):
            columns = slice(left, left + _COLUMNS)
            made = np.zeros(out[rows, columns].shape)
            for place, weight in zip(places[rows].T, values[rows].T, strict=True):
                made += flat[place, columns] * weight[:, None]
            out[rows, columns] = to_bytes(made) if image.dtype == np.uint8 else made
    return out.reshape(len(values), *image.shape[1:])
