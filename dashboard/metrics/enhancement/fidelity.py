"""MSE, MAE and PSNR in 8-bit levels, and BT.601 luma as published tables have it."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

PEAK = 255.0
LUMA = (65.481, 128.553, 24.966)
"""Of R, G and B in 0..1; with an offset of 16 that is BT.601's Y in 16..235, MATLAB's ``rgb2ycbcr``."""
_STRIP = 1 << 20  # values taken at a time: differences in wider numbers would fill the memory
Pixels = NDArray[Any]


def cropped(picture: Pixels, border: int) -> Pixels:
    """A picture without ``border`` pixels at each side; it may have no pixel left."""
    if border < 0:
        raise ValueError(f"border must be 0 or more, got {border}")
    height, width = picture.shape[:2]
    return picture[border : max(border, height - border), border : max(border, width - border)]


def errors(a: Pixels, b: Pixels, border: int = 0) -> tuple[float, float]:
    """MSE and MAE over all pixels and channels, in squared levels and levels of the pictures' own scale.

    Args:
        a: (H, W) or (H, W, C), uint8 or floats. Sums over bytes are exact.
        b: likewise.
        border: pixels at each side that are left out.

    Returns:
        Both, NaN if no pixel is left.

    Raises:
        ValueError: pictures of different shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must be pictures of one shape, got {a.shape} and {b.shape}")
    a, b = cropped(a, border), cropped(b, border)
    if not a.size:
        return math.nan, math.nan
    if a.dtype == b.dtype == np.uint8:  # sums are whole numbers; OpenCV may take a root and square it again
        return round(cv2.norm(a, b, cv2.NORM_L2SQR)) / a.size, round(cv2.norm(a, b, cv2.NORM_L1)) / a.size
    rows = max(1, _STRIP // max(1, a[:1].size))
    squares = absolute = 0.0
    for top in range(0, len(a), rows):
        d = a[top : top + rows].astype(np.float64) - b[top : top + rows]
        absolute += np.abs(d).sum()
        squares += np.square(d).sum()
    return float(squares / a.size), float(absolute / a.size)


def psnr_of(mse: float, peak: float = PEAK) -> float:
    """PSNR in dB of a mean squared error: 10 log10(peak^2 / MSE); infinite for 0, NaN for NaN."""
    if mse == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mse) if mse > 0 else math.nan


def psnr(a: Pixels, b: Pixels, border: int = 0, peak: float = PEAK) -> float:
    """PSNR in dB of one picture over all pixels and channels; infinite if both are the same.

    Args and Raises as in ``errors``; ``peak`` is the largest possible value.
    """
    return psnr_of(errors(a, b, border)[0], peak)


def luma(picture: Pixels) -> NDArray[np.float32]:
    """BT.601 luma in limited range, 16..235: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, not rounded.

    So BasicSR and KAIR have it for published super-resolution tables (from floats; MATLAB's function rounds what it
    gives for bytes, which moves PSNR by some thousandths of a dB).

    Args:
        picture: (H, W, 3) RGB in 0..255, or (H, W) grey, which is R = G = B.

    Returns:
        (H, W) float32.
    """
    weights = np.array([[w / PEAK for w in LUMA]], np.float32)
    out = np.empty(picture.shape[:2], np.float32)
    rows = max(1, _STRIP // max(1, picture[:1].size))
    for top in range(0, len(picture), rows):
        part = picture[top : top + rows].astype(np.float32)
        out[top : top + rows] = part * weights.sum() if part.ndim == 2 else cv2.transform(part, weights)
    out += np.float32(16)
    return out
