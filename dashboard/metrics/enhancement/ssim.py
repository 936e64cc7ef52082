"""SSIM (Wang, Bovik, Sheikh and Simoncelli 2004), its map, and MS-SSIM (Wang, Simoncelli and Bovik 2003).

Gaussian window of 11x11, sigma 1.5, K1 0.01, K2 0.03, population covariance, an explicit data range; borders mirrored
(SciPy's "reflect"). The mean is taken without a margin of 5 pixels, where the window does not leave the picture. That
is scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)``, and the
authors' MATLAB code but for its automatic downsampling.

With u = a + b and d = a - b the index is a product of two differences from 1,

    (1 - m_d^2 / ((m_u^2 + m_d^2) / 2 + C1)) (1 - v_d / ((v_u + v_d) / 2 + C2)),

m means and v variances in the window: four filterings instead of five, and where pictures nearly agree it loses no
digits, so that float32 suffices. Pictures are worked on in strips of rows that stay in the processor's cache, in
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.enhancement.threads import WORKERS

RADIUS = 5
WINDOW = 2 * RADIUS + 1
K1, K2, SIGMA = 0.01, 0.03, 1.5
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM's five scales, finest first (Wang et al. 2003)."""
SMALLEST_MS = (WINDOW - 1) * 2 ** (len(SCALES) - 1)
"""160: both sides have to be longer than so many pixels, so that the window fits at the coarsest scale."""
_at = np.arange(-RADIUS, RADIUS + 1)
_KERNEL = np.exp(-(_at**2) / (2 * SIGMA**2))
_KERNEL /= _KERNEL.sum()
_STRIP = 1 << 17  # values of a strip: half a megabyte of float32 in each of a handful of arrays
Floats = NDArray[np.floating]
Pixels = NDArray[Any]


def ssim_map(a: Pixels, b: Pixels, *, data_range: float = 255.0, dtype: Any = np.float32) -> Floats:
    """SSIM at every pixel.

    Args:
        a: (H, W) or (H, W, C), any numbers.
        b: likewise.
        data_range: largest possible minus smallest possible value.
        dtype: of the computation and the result: float32 (within 1e-4 of float64), or float64.

    Returns:
        The same shape, each in -1..1.

    Raises:
        ValueError: pictures of different shapes or without pixels.
    """
    _check(a, b)
    out = np.empty(a.shape, dtype)

    def one(strip: tuple[int, int]) -> None:
        luminance, structure = _terms(a, b, strip, data_range, dtype)
        np.multiply(luminance, structure, out=out[slice(*strip)])

    _each(one, _strips(a))
    return out


def ssim(a: Pixels, b: Pixels, border: int = 0, *, data_range: float = 255.0, dtype: Any = np.float32) -> float:
    """Mean SSIM, over the channels too; NaN where the picture without its border is smaller than the window.

    Args:
        a: (H, W) or (H, W, C).
        b: likewise.
        border: pixels at each border that are left out, as if they had been cut off before.
        data_range: as in ``ssim_map``.
        dtype: likewise. The sum is in float64.

    Raises:
        ValueError: as ``ssim_map`` does.
    """
    return ssims(a, b, (border,), data_range=data_range, dtype=dtype)[0]


def ssims(
    a: Pixels, b: Pixels, borders: tuple[int, ...], *, data_range: float = 255.0, dtype: Any = np.float32
) -> tuple[float, ...]:
    """Mean SSIM for several borders at once, in one pass and without a map; as ``ssim`` for each."""
    _check(a, b)
    height, width = a.shape[:2]
    insides = [_inside(height, width, border) for border in borders]
    if not any(insides):
        return (np.nan,) * len(borders)

    def one(strip: tuple[int, int]) -> list[float]:
        luminance, structure = _terms(a, b, strip, data_range, dtype)
        luminance *= structure
        sums = []
        for inside in insides:
            rows = slice(0, 0)
            if inside:
                rows = slice(max(0, inside[0].start - strip[0]), max(0, inside[0].stop - strip[0]))
            columns = inside[1] if inside else slice(0, 0)
            sums.append(float(luminance[rows, columns].sum(dtype=np.float64)))
        return sums

    totals = np.sum(_each(one, _strips(a)), axis=0)
    channels = a.shape[2] if a.ndim == 3 else 1
    return tuple(
        float(total / ((inside[0].stop - inside[0].start) * (inside[1].stop - inside[1].start) * channels))
        if inside
        else np.nan
        for total, inside in zip(totals, insides, strict=True)
    )


def mean_of_map(local: Floats, border: int = 0) -> float:
    """The mean of a map of SSIM as ``ssim`` takes it: without its border and a margin of 5 pixels."""
    inside = _inside(local.shape[0], local.shape[1], border)
    return float(local[inside].mean(dtype=np.float64)) if inside else np.nan


def ms_ssim(a: Pixels, b: Pixels, border: int = 0, *, data_range: float = 255.0, dtype: Any = np.float32) -> float:
    """MS-SSIM: contrast and structure at five scales, luminance at the coarsest; its mean over channels.

    Each scale halves the one before by means of 2x2 pixels; a side of odd length is padded by a zero that counts, as
    pytorch_msssim has it. Negative terms are taken as 0, since they cannot be raised to a power.

    Args:
        a: (H, W) or (H, W, C).
        b: likewise.
        border: pixels at each border that are cut off before.
        data_range: as in ``ssim_map``.
        dtype: likewise.

    Returns:
        0..1, NaN where the picture without its border has a side of up to 160 pixels.

    Raises:
        ValueError: as ``ssim_map`` does.
    """
    _check(a, b)
    height, width = a.shape[:2]
    if min(height, width) - 2 * border <= SMALLEST_MS:
        return np.nan
    inside = slice(border, height - border), slice(border, width - border)
    fine = [
        np.asarray(picture[inside], dtype).reshape(height - 2 * border, width - 2 * border, -1) for picture in (a, b)
    ]
    product: Any = 1.0
    for number, weight in enumerate(SCALES):
        last = number == len(SCALES) - 1
        product = product * np.maximum(_means(fine[0], fine[1], data_range, dtype, last), 0) ** weight
        if not last:
            fine = [_halved(picture) for picture in fine]
    return float(product.mean())


def _means(a: Pixels, b: Pixels, data_range: float, dtype: Any, with_luminance: bool) -> NDArray[np.float64]:
    """(C,) mean of contrast and structure, times luminance if wanted, where the window fits."""
    height, width = a.shape[:2]
    columns = slice(RADIUS, width - RADIUS)

    def one(strip: tuple[int, int]) -> NDArray[np.float64]:
        luminance, structure = _terms(a, b, strip, data_range, dtype)
        if with_luminance:
            structure *= luminance
        rows = slice(max(0, RADIUS - strip[0]), max(0, height - RADIUS - strip[0]))
        total: NDArray[np.float64] = structure[rows, columns].sum(axis=(0, 1), dtype=np.float64)
        return total

    total = np.sum(_each(one, _strips(a)), axis=0)
    return np.asarray(total / ((height - 2 * RADIUS) * (width - 2 * RADIUS)))


def _halved(picture: Floats) -> Floats:
    """Means of 2x2 pixels. A side of odd length has a zero put before it, and another after it that is never used."""
    height, width, _ = picture.shape
    padded = np.pad(picture, ((height % 2, height % 2), (width % 2, width % 2), (0, 0)))
    rows, columns = (padded.shape[0] // 2) * 2, (padded.shape[1] // 2) * 2
    p = padded[:rows, :columns]
    return (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4  # type: ignore[no-any-return]


def _terms(a: Pixels, b: Pixels, strip: tuple[int, int], data_range: float, dtype: Any) -> tuple[Floats, Floats]:
    """Luminance, and contrast and structure, of a strip of rows."""
    top, bottom = strip
    first, last = max(0, top - RADIUS), min(a.shape[0], bottom + RADIUS)
    rows = slice(top - first, bottom - first)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2

    def window(values: Floats) -> Any:
        done = cv2.sepFilter2D(values, -1, _KERNEL, _KERNEL, borderType=cv2.BORDER_REFLECT)
        return done.reshape(values.shape)[rows]  # OpenCV drops a single channel

    u = a[first:last].astype(dtype)
    other = b[first:last].astype(dtype)
    d = u - other
    u += other
    shift = dtype(round(float(u.mean(dtype=np.float64))))  # a variance is a difference of squares: keep these small
    u -= shift
    mean_u, mean_d = window(u), window(d)
    np.multiply(u, u, out=u)
    np.multiply(d, d, out=d)
    spread_u, spread_d = window(u), window(d)
    spread_u -= mean_u * mean_u
    mean_d *= mean_d
    spread_d -= mean_d
    spread_u += spread_d
    spread_u *= 0.5
    spread_u += c2
    spread_d /= spread_u
    mean_u += shift
    mean_u *= mean_u
    mean_u += mean_d
    mean_u *= 0.5
    mean_u += c1
    mean_d /= mean_u
    return np.subtract(1, mean_d, out=mean_d), np.subtract(1, spread_d, out=spread_d)


def _inside(height: int, width: int, border: int) -> tuple[slice, slice] | None:
    """Where the mean is taken; None if there is no place for a window."""
    if border < 0:
        raise ValueError(f"border must be 0 or more, got {border}")
    cut = border + RADIUS
    if min(height, width) <= 2 * cut:
        return None
    return slice(cut, height - cut), slice(cut, width - cut)


def _strips(a: Pixels) -> Iterator[tuple[int, int]]:
    """First row and the one past the last, of strips that fit the cache."""
    rows = max(8, _STRIP // max(1, a[:1].size))
    return ((top, min(a.shape[0], top + rows)) for top in range(0, a.shape[0], rows))


def _each(work: Callable[[tuple[int, int]], Any], strips: Iterator[tuple[int, int]]) -> list[Any]:
    """Work on every strip, in threads if there is more than one; in order, so that sums are the same each time."""
    todo = list(strips)
    if len(todo) == 1:
        return [work(todo[0])]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="ssim") as pool:
        return list(pool.map(work, todo))


def _check(a: Pixels, b: Pixels) -> None:
    if a.shape != b.shape or a.ndim not in (2, 3) or not a.size:
        raise ValueError(f"a and b must be pictures of one shape, (H, W) or (H, W, C), got {a.shape} and {b.shape}")
