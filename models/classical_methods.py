"""Enhancers that learn nothing: OpenCV's, scikit-image's and Pillow's, each as a function of a picture and settings.

A picture is (H, W) or (H, W, 3) uint8 and the answer is of the same kind. Where a denoiser wants the noise's standard
deviation and was not told it (``sigma`` is NaN), it is estimated from the picture (Donoho and Johnstone 1994: median
of the finest wavelet coefficients). What is tied to it (``h`` of non-local means, the weight of total variation, the
range of the bilateral filter) is a multiple that did best, in PSNR, on the training photos
(``dashboard.datasets.photo_split``) with noise of 15, 25 and 50 levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.resize import imresize
from models.pictures import from_ycc, to_bytes, to_ycc

Pixels = NDArray[np.uint8]
Values = Mapping[str, float]


def nearest(pixels: Pixels, scale: int) -> Pixels:
    """Every pixel repeated."""
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def bilinear(pixels: Pixels, scale: int) -> Pixels:
    """Linear in both directions, pixels' centres kept (OpenCV, in floats)."""
    import cv2

    to = pixels.shape[1] * scale, pixels.shape[0] * scale
    return to_bytes(cv2.resize(pixels.astype(np.float32), to, interpolation=cv2.INTER_LINEAR))


def bicubic(pixels: Pixels, scale: int) -> Pixels:
    """MATLAB's ``imresize``, by which the published tables were made."""
    return imresize(pixels, scale)


def lanczos(pixels: Pixels, scale: int) -> Pixels:
    """A windowed sinc of three lobes (Pillow)."""
    import PIL.Image

    to = pixels.shape[1] * scale, pixels.shape[0] * scale
    return np.asarray(PIL.Image.fromarray(pixels).resize(to, PIL.Image.Resampling.LANCZOS))


def identity(pixels: Pixels, _: Values) -> Pixels:
    """What was given."""
    return pixels.copy()


def nl_means(pixels: Pixels, values: Values) -> Pixels:
    """Buades, Coll and Morel 2005 over patches of all channels together."""
    from skimage.restoration import denoise_nl_means

    sigma = _sigma(pixels, values)
    if not sigma:
        return pixels.copy()
    times = values["h"] if not math.isnan(values["h"]) else (0.7 if pixels.ndim == 2 else 0.6)
    size, distance = int(values["patch_size"]), int(values["patch_distance"])
    size, distance = (min(one, min(pixels.shape[:2])) for one in (size, distance))
    found = denoise_nl_means(
        _unit(pixels), size, distance, times * sigma, sigma=sigma, fast_mode=True, channel_axis=_axis(pixels)
    )
    return to_bytes(found * 255)


def tv_chambolle(pixels: Pixels, values: Values) -> Pixels:
    """Total variation (Rudin, Osher and Fatemi 1992) by Chambolle's algorithm (2004)."""
    from skimage.restoration import denoise_tv_chambolle

    weight = values["weight"] if not math.isnan(values["weight"]) else 0.8 * _sigma(pixels, values)
    if not weight:
        return pixels.copy()
    return to_bytes(255 * denoise_tv_chambolle(_unit(pixels), weight, channel_axis=_axis(pixels)))


def wavelet(pixels: Pixels, values: Values) -> Pixels:
    """BayesShrink (Chang, Yu and Vetterli 2000), in colour in YCbCr; the mean of nine shifts by 0 to 2 pixels."""
    from skimage.restoration import denoise_wavelet

    sigma = _sigma(pixels, values)
    if not sigma:
        return pixels.copy()
    axis, unit = _axis(pixels), _unit(pixels)
    total = np.zeros_like(unit)
    for shift in product(range(3), repeat=2):  # a wavelet's grid leaves marks that the mean of several does not have
        found = denoise_wavelet(
            np.roll(unit, shift, (0, 1)),
            sigma,
            method="BayesShrink",
            convert2ycbcr=axis is not None,
            rescale_sigma=True,
            channel_axis=axis,
        )
        total += np.roll(found, (-shift[0], -shift[1]), (0, 1))
    return to_bytes(255 / 9 * total)


def bilateral(pixels: Pixels, values: Values) -> Pixels:
    """Tomasi and Manduchi 1998; the range is tied to the noise."""
    import cv2

    sigma = values["sigma_color"]
    if math.isnan(sigma):
        sigma = (3 if pixels.ndim == 2 else 4) * 255 * _sigma(pixels, values)
    if not sigma:
        return pixels.copy()
    return np.asarray(cv2.bilateralFilter(pixels, 0, sigma, values["sigma_space"]), np.uint8)


def median(pixels: Pixels, values: Values) -> Pixels:
    """The median of a square, channel by channel."""
    import cv2

    return np.asarray(cv2.medianBlur(pixels, int(values["size"])), np.uint8)


def gaussian(pixels: Pixels, values: Values) -> Pixels:
    """A gaussian blur, the border mirrored."""
    import cv2

    return to_bytes(_blurred(pixels.astype(np.float32), values["sigma"], cv2.BORDER_REFLECT_101))


def unsharp(pixels: Pixels, values: Values) -> Pixels:
    """The picture plus ``amount`` times what a gaussian blur takes away."""
    import cv2

    sharp = pixels.astype(np.float32)
    sharp += values["amount"] * (sharp - _blurred(sharp, values["sigma"], cv2.BORDER_REFLECT_101))
    return to_bytes(sharp)


def wiener(pixels: Pixels, values: Values) -> Pixels:
    """Wiener's deconvolution of a gaussian blur, regularised by the Laplacian; the border is mirrored outwards."""
    from skimage.restoration import wiener as deconvolved

    return _deconvolved(
        pixels, values["sigma"], lambda plane, psf: deconvolved(plane, psf, values["balance"], clip=False)
    )


def richardson_lucy(pixels: Pixels, values: Values) -> Pixels:
    """Richardson 1972 and Lucy 1974, of a gaussian blur."""
    from skimage.restoration import richardson_lucy as deconvolved

    times = int(values["iterations"])
    return _deconvolved(
        pixels, values["sigma"], lambda plane, psf: deconvolved(plane, psf, times, clip=False, filter_epsilon=1e-6)
    )


def clahe(pixels: Pixels, values: Values) -> Pixels:
    """Contrast limited adaptive histogram equalisation (Zuiderveld 1994), of a colour picture its lightness (Lab)."""
    import cv2

    tiles = int(values["tiles"])
    table = cv2.createCLAHE(values["clip"], (tiles, tiles))
    if pixels.ndim == 2:
        return np.asarray(table.apply(pixels), np.uint8)
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[..., 0] = table.apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def gamma(pixels: Pixels, values: Values) -> Pixels:
    """255 (x / 255) ^ gamma."""
    return to_bytes(255 * (np.arange(256) / 255) ** values["gamma"])[pixels]


def inpaint(pixels: Pixels, values: Values, transparent: NDArray[np.bool_] | None = None) -> Pixels:
    """Holes filled from their borders (Telea 2004): what is transparent, else pixels exactly black or exactly white.

    Black or white pixels count as holes only if they are at most half of the picture and stand out: the median
    difference of the pixels around them, at their nearest, exceeds 32 levels. A white sky or a deep shadow, which fade,
    are no holes. Without holes the picture comes back as it is.

    Args:
        pixels: the picture.
        values: ``radius`` in pixels.
        transparent: (H, W) bool, or None: where alpha is 0.
    """
    import cv2

    mask = holes(pixels) if transparent is None or not transparent.any() else transparent
    if not mask.any() or mask.all():
        return pixels.copy()
    return np.asarray(cv2.inpaint(pixels, mask.astype(np.uint8), values["radius"], cv2.INPAINT_TELEA), np.uint8)


def holes(pixels: Pixels) -> NDArray[np.bool_]:
    """(H, W) bool: what ``inpaint`` takes for holes in an opaque picture."""
    import cv2

    found = np.zeros(pixels.shape[:2], bool)
    for value in (0, 255):
        mask = pixels == value if pixels.ndim == 2 else (pixels == value).all(axis=2)
        around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
        if not mask.any() or mask.mean() > 0.5 or not around.any():
            continue
        away = np.abs(pixels[around].astype(np.int16) - value)
        if np.median(away if away.ndim == 1 else away.max(axis=1)) > 32:
            found |= mask
    return found


def bm3d(pixels: Pixels, values: Values) -> Pixels:
    """Dabov, Foi, Katkovnik and Egiazarian 2007, of a colour picture in an opponent space."""
    import bm3d as package

    sigma = _sigma(pixels, values)
    if not sigma:
        return pixels.copy()
    run: Callable[..., Any] = package.bm3d if pixels.ndim == 2 else package.bm3d_rgb
    return to_bytes(255 * np.asarray(run(_unit(pixels), sigma)).reshape(pixels.shape))


def estimated_sigma(pixels: Pixels) -> float:
    """The noise's standard deviation in levels of 255, from the picture alone: the mean of channels that vary."""
    from skimage.restoration import estimate_sigma

    if min(pixels.shape[:2]) < 4:  # too few pixels to tell noise from what is shown
        return 0.0
    planes = pixels.reshape(*pixels.shape[:2], -1).astype(np.float64)
    planes = planes[..., planes.min(axis=(0, 1)) < planes.max(axis=(0, 1))]  # in a channel of one value is no noise
    if not planes.shape[2]:
        return 0.0
    found = float(estimate_sigma(planes, average_sigmas=True, channel_axis=-1))
    return found if math.isfinite(found) else 0.0


def _sigma(pixels: Pixels, values: Values) -> float:
    """As told or estimated, for pixels in 0..1."""
    told = values["sigma"]
    return (estimated_sigma(pixels) if math.isnan(told) else told) / 255


def _unit(pixels: Pixels) -> NDArray[np.float64]:
    return pixels.astype(np.float64) / 255


def _axis(pixels: Pixels) -> int | None:
    return -1 if pixels.ndim == 3 else None


def _blurred(values: NDArray[Any], sigma: float, border: int) -> NDArray[Any]:
    import cv2

    side = 2 * math.ceil(4 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(values, (side, side), sigma, borderType=border))


def _deconvolved(
    pixels: Pixels, sigma: float, run: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[Any]]
) -> Pixels:
    """Of a colour picture the luma alone, as noise in the chroma would only grow; the border is mirrored outwards."""
    reach = math.ceil(4 * sigma)
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    psf = np.outer(line, line) / line.sum() ** 2

    def one(plane: NDArray[Any]) -> NDArray[Any]:
        outer = np.pad(plane.astype(np.float64) / 255, 2 * reach, mode="symmetric")
        inner = slice(2 * reach, -2 * reach)
        return np.asarray(run(outer, psf))[inner, inner] * 255

    if pixels.ndim == 2:
        return to_bytes(one(pixels))
    ycc = to_ycc(pixels)
    ycc[..., 0] = np.clip(one(ycc[..., 0]), 0, 255)
    return from_ycc(ycc)
