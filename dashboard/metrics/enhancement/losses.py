"""Losses that restoration networks are trained with, of one picture on the scale 0..1; lower is better.

L1 and L2 are ``mae / 255`` and ``mse / 255^2``.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-3
"""Of the Charbonnier loss, on the scale 0..1 (Lai et al. 2017, LapSRN)."""
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32) / np.float32(255)
_STRIP = 1 << 19  # values at a time
_SINGLE = 1 << 18  # products, up to which OpenBLAS multiplies in one thread
Pixels = NDArray[Any]


def _bank() -> list[NDArray[np.float32]]:
    """The eight 3x3 filters of the discrete cosine transform that are not constant, each of unit norm."""
    k, n = np.arange(3)[:, None], np.arange(3)[None]
    basis = np.cos(np.pi * k * (2 * n + 1) / 6) * np.sqrt(np.where(k == 0, 1, 2) / 3)
    return [np.outer(basis[i], basis[j]).astype(np.float32) for i in range(3) for j in range(3) if i or j]


BANK = _bank()


def charbonnier(a: Pixels, b: Pixels) -> float:
    """Mean of sqrt(d^2 + 1e-6), d the difference of (H, W, C) uint8 pictures over 255: L1, smooth at zero."""
    rows = max(1, _STRIP // max(1, a[:1].size))
    total = 0.0
    for top in range(0, len(a), rows):
        d = (a[top : top + rows].astype(np.float32) - b[top : top + rows]) / np.float32(255)
        total += float(np.sqrt(d * d + np.float32(EPSILON**2)).sum(dtype=np.float64))
    return total / a.size


def gradient(a: Pixels, b: Pixels) -> float:
    """Mean absolute difference of Sobel responses over both directions and all channels: whether edges are as sharp.

    Sobel's 3x3 kernels over 8, so that a ramp of one level a pixel gives 1/255; borders mirrored (SciPy's "reflect").

    Args:
        a: (H, W, C) uint8.
        b: likewise.
    """
    total = 0.0
    for first, last, rows in _strips(a, 1):
        d = (a[first:last].astype(np.float32) - b[first:last]) / np.float32(255)
        for dx, dy in ((1, 0), (0, 1)):
            slope: Any = cv2.Sobel(d, -1, dx, dy, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
            total += float(np.abs(slope[rows]).sum(dtype=np.float64))
    return total / (2 * a.size)


def texture(a: Pixels, b: Pixels) -> float:
    """Squared Frobenius distance of the pictures' Gram matrices: whether textures have the same statistics.

    Gatys et al. (2016) take the responses of VGG's layers; here it is those of the eight non-constant 3x3 DCT filters
    on luma (BT.601, 0..1), which need no weights: G = F F^T / (H W) with F the (8, H W) responses. Where things are
    does not matter to it, only how often filters answer together.

    Args:
        a: (H, W, 3) uint8.
        b: likewise.
    """
    difference = _gram(a) - _gram(b)
    return float((difference**2).sum())


def _gram(picture: Pixels) -> NDArray[np.float64]:
    """(8, 8) Gram matrix over the number of pixels."""
    total = np.zeros((len(BANK), len(BANK)))
    for first, last, rows in _strips(picture, 1):
        light: Any = cv2.transform(picture[first:last].astype(np.float32), _LUMA)
        answers = [cv2.filter2D(light, -1, f, borderType=cv2.BORDER_REFLECT)[rows].ravel() for f in BANK]
        total += _products(np.stack(answers))
    return total / (picture.shape[0] * picture.shape[1])


def _products(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(K, K) inner products of (K, N) rows, summed in float64 over short pieces.

    A matrix product of many columns runs in BLAS's threads, which wait for each other: on a busy machine a thousand
    times longer. Pieces so short are not worth threads to it.
    """
    columns = max(1, _SINGLE // len(rows) ** 2)
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % columns)))
    pieces = padded.reshape(len(rows), -1, columns).transpose(1, 0, 2)
    found: NDArray[np.float64] = (pieces @ pieces.transpose(0, 2, 1)).sum(axis=0, dtype=np.float64)
    return found


def _strips(picture: Pixels, halo: int) -> list[tuple[int, int, slice]]:
    """Strips of rows with ``halo`` rows around them: from, to, and which of these rows are the strip's own."""
    rows = max(4, _STRIP // max(1, picture[:1].size))
    found = []
    for top in range(0, len(picture), rows):
        bottom = min(len(picture), top + rows)
        first, last = max(0, top - halo), min(len(picture), bottom + halo)
        found.append((first, last, slice(top - first, bottom - first)))
    return found
