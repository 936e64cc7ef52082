"""SSIM (Wang, Bovik, Sheikh and Simoncelli 2004), its map, and MS-SSIM (Wang, Simoncelli and Bovik 2003).

Gaussian window of 11x11, sigma 1.5, K1 0.01, K2 0.03, population covariance, an explicit data range; borders mirrored
(SciPy's "reflect"). The mean is taken without a margin of 5 pixels, where the window does not leave the picture. That
is scikit-image's ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)``, and the
authors' MATLAB code but for its automatic downsampling.

With u = a + b and d = a - b the index is a product of two differences from 1,

    (1 - m_d^2 / ((m_u^2 + m_d^2) / 2 + C1)) (1 - v_d / ((v_u + v_d) / 2 + C2)),

m means and v variances in the window: four filterings instead of five. A variance is a difference of squares, for which
float32 lacks digits where these are large: those of u are always taken in float64, those of d where the pictures are
far apart. Pictures are worked on in tiles that stay in the processor's cache, in threads.
"""

from __future__ import annotations

from collections.abc import Callable
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
FAR_MEAN, FAR = 1.0, 12.0
"""Squared difference of local means over variance, on average and at most, up to which float32 suffices for it."""
_ROWS, _VALUES = 128, 1 << 17  # of a tile: half a megabyte of float32 in each of a handful of arrays
Floats = NDArray[np.floating]
Pixels = NDArray[Any]
Place = tuple[slice, slice]
"""Rows and columns."""


def ssim_map(a: Pixels, b: Pixels, *, data_range: float = 255.0, dtype: Any = np.float32) -> Floats:
    """SSIM at every pixel.

    Args:
        a: (H, W) or (H, W, C), any numbers.
        b: likewise.
        data_range: largest possible minus smallest possible value.
        dtype: of the result: float32 (within 1e-4 of float64, and its mean within 1e-6), or float64.

    Returns:
        The same shape, each in -1..1.

    Raises:
        ValueError: pictures of different shapes or without pixels.
    """
    _check(a, b)
    out = np.empty(a.shape, dtype)

    def one(tile: Place) -> None:
        luminance, structure = _terms(a, b, tile, data_range, dtype)
        np.multiply(luminance, structure, out=out[tile], casting="same_kind")

    _each(one, _tiles(a))
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
    insides = [_inside(a.shape[0], a.shape[1], border) for border in borders]
    return tuple(float(m) for m in _means(a, b, insides, data_range, dtype)[:, 0].mean(axis=1))


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
    return ssims_and_ms_ssim(a, b, (border,), data_range=data_range, dtype=dtype)[1]


def ssims_and_ms_ssim(
    a: Pixels, b: Pixels, borders: tuple[int, ...], *, data_range: float = 255.0, dtype: Any = np.float32
) -> tuple[tuple[float, ...], float]:
    """``ssims`` for several borders and ``ms_ssim`` for the first of them, whose finest scale is the same pass."""
    _check(a, b)
    height, width = a.shape[:2]
    means = _means(a, b, [_inside(height, width, border) for border in borders], data_range, dtype)
    found = tuple(float(m) for m in means[:, 0].mean(axis=1))
    border = borders[0]
    if min(height, width) - 2 * border <= SMALLEST_MS:
        return found, np.nan
    inside = slice(border, height - border), slice(border, width - border)
    scale = [picture[inside].reshape(height - 2 * border, width - 2 * border, -1) for picture in (a, b)]
    product = np.maximum(means[0, 1], 0) ** SCALES[0]
    for number, weight in enumerate(SCALES[1:], 2):
        scale = [_halved(picture, dtype) for picture in scale]
        whole = _inside(*scale[0].shape[:2], 0)
        term = _means(scale[0], scale[1], [whole], data_range, dtype)[0, 0 if number == len(SCALES) else 1]
        product *= np.maximum(term, 0) ** weight
    return found, float(product.mean())


def _means(a: Pixels, b: Pixels, insides: list[Place | None], data_range: float, dtype: Any) -> NDArray[np.float64]:
    """Means over some places of SSIM, and of contrast and structure alone.

    Returns:
        (places, 2, C), NaN for None.
    """
    channels = a.shape[2] if a.ndim == 3 else 1
    found = np.full((len(insides), 2, channels), np.nan)
    known = [k for k, inside in enumerate(insides) if inside]
    if not known:
        return found

    def one(tile: Place) -> NDArray[np.float64]:
        luminance, structure = _terms(a, b, tile, data_range, dtype)
        luminance *= structure
        sums = np.empty((len(known), 2, channels))
        for row, k in enumerate(known):
            own = _within(tile, insides[k])  # type: ignore[arg-type]
            for column, term in enumerate((luminance, structure)):
                part = term[own]
                # rows first: sums of long runs of numbers are quick, sums over channels are not
                sums[row, column] = part.sum(axis=0, dtype=np.float64).reshape(-1, channels).sum(axis=0)
        return sums

    totals = np.sum(_each(one, _tiles(a)), axis=0)
    for row, k in enumerate(known):
        found[k] = totals[row] / (a[insides[k]].size / channels)
    return found


def _halved(picture: Pixels, dtype: Any) -> Floats:
    """Means of 2x2 pixels. A side of odd length has a zero put before it, and another after it that is never used."""
    height, width, _ = picture.shape
    if height % 2 or width % 2:
        picture = np.pad(picture, ((height % 2, height % 2), (width % 2, width % 2), (0, 0)))
    rows, columns = (picture.shape[0] // 2) * 2, (picture.shape[1] // 2) * 2
    p = picture[:rows, :columns]
    out: Floats = p[::2, ::2].astype(dtype)
    for part in (p[1::2, ::2], p[::2, 1::2], p[1::2, 1::2]):
        out += part
    out /= 4
    return out


def _terms(a: Pixels, b: Pixels, tile: Place, data_range: float, dtype: Any) -> tuple[Floats, Floats]:
    """Luminance, and contrast and structure, of a tile, in ``dtype`` or better."""
    around = tuple(
        slice(max(0, t.start - RADIUS), min(size, t.stop + RADIUS)) for t, size in zip(tile, a.shape[:2], strict=True)
    )
    own = tuple(slice(t.start - o.start, t.stop - o.start) for t, o in zip(tile, around, strict=True))
    a_, b_ = a[around], b[around]
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2

    def window(values: Floats) -> Any:
        done = cv2.sepFilter2D(values, -1, _KERNEL, _KERNEL, borderType=cv2.BORDER_REFLECT)
        return done.reshape(values.shape)  # OpenCV drops a single channel

    d = a_.astype(dtype)
    d -= b_.astype(dtype, copy=False)
    u = a_.astype(np.float64)
    u += b_
    mean_u, mean_d = window(u), window(d)
    np.multiply(u, u, out=u)
    np.multiply(d, d, out=d)
    spread_u, spread_d = window(u), window(d)
    mean_u *= mean_u
    spread_u -= mean_u
    mean_d *= mean_d
    spread_d -= mean_d
    mean_u = mean_u.astype(dtype, copy=False)
    spread_u = spread_u.astype(dtype, copy=False)
    spread_u += spread_d
    spread_u *= 0.5
    spread_u += c2
    if dtype != np.float64 and _far(mean_d[own], spread_u[own], c2):
        return _terms(a, b, tile, data_range, np.float64)
    spread_d /= spread_u
    mean_u += mean_d
    mean_u *= 0.5
    mean_u += c1
    mean_d /= mean_u
    return np.subtract(1, mean_d, out=mean_d)[own], np.subtract(1, spread_d, out=spread_d)[own]


def _far(squares: Floats, spread: Floats, least: float) -> bool:
    """Whether pictures differ so much in level that the variance of their difference would lack digits in float32.

    Args:
        squares: of the mean difference.
        spread: what that variance is divided by.
        least: the least that this can be.
    """
    if squares.max() <= FAR_MEAN * least:  # it is seldom worth a division
        return False
    ratio = squares / spread
    return bool(ratio.mean() > FAR_MEAN or ratio.max() > FAR)


def _inside(height: int, width: int, border: int) -> Place | None:
    """Where the mean is taken; None if there is no place for a window."""
    if border < 0:
        raise ValueError(f"border must be 0 or more, got {border}")
    cut = border + RADIUS
    if min(height, width) <= 2 * cut:
        return None
    return slice(cut, height - cut), slice(cut, width - cut)


def _within(tile: Place, inside: Place) -> Place:
    """Which rows and columns of a tile lie inside; empty where none do."""
    rows, columns = (
        slice(max(0, i.start - t.start), max(0, min(i.stop, t.stop) - t.start))
        for t, i in zip(tile, inside, strict=True)
    )
    return rows, columns


def _tiles(a: Pixels) -> list[Place]:
    """Tiles that cover a picture."""
    height, width = a.shape[:2]
    columns = max(_ROWS, _VALUES // (_ROWS * a[0, 0].size))
    return [
        (slice(top, min(height, top + _ROWS)), slice(left, min(width, left + columns)))
        for top in range(0, height, _ROWS)
        for left in range(0, width, columns)
    ]


def _each(work: Callable[[Place], Any], tiles: list[Place]) -> list[Any]:
    """Work on every tile, in threads if there is more than one; in order, so that sums are the same each time."""
    if len(tiles) == 1:
        return [work(tiles[0])]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="ssim") as pool:
        return list(pool.map(work, tiles))


def _check(a: Pixels, b: Pixels) -> None:
    if a.shape != b.shape or a.ndim not in (2, 3) or not a.size:
        raise ValueError(f"a and b must be pictures of one shape, (H, W) or (H, W, C), got {a.shape} and {b.shape}")
