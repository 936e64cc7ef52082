"""What can be said of a picture alone, without weights and without a reference. None of it says that it is good."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
_GREY = np.array([[0.299, 0.587, 0.114]], np.float32)  # BT.601, full range
_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_STRIP = 1 << 19


def plain_numbers(picture: Pixels) -> dict[str, float]:
    """``sharpness``, ``noise``, ``contrast`` and ``colourfulness`` of an (H, W, 3) uint8 picture, in 8-bit levels.

    * sharpness: variance of the Laplacian (4 neighbours) of luma (Pech-Pacheco et al. 2000); squared levels. Noise
      raises it, too.
    * noise: standard deviation of gaussian noise as estimated by Immerkaer (1996), sqrt(pi/2) / 6 times the mean
      absolute response of a filter that flat and linear parts do not answer to. Fine texture raises it, too.
    * contrast: standard deviation of luma (RMS contrast).
    * colourfulness: Hasler and Suesstrunk (2003), from the means and deviations of R - G and (R + G) / 2 - B.

    sharpness and noise are NaN for pictures under 3 pixels on a side.
    """
    height, width = picture.shape[:2]
    inner = (height - 2) * (width - 2)
    sums = np.zeros(9)  # luma, luma^2, rg, rg^2, yb, yb^2, laplacian, laplacian^2, |noise filter|
    rows = max(8, _STRIP // (3 * width))
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        first, last = max(0, top - 1), min(height, bottom + 1)
        part = picture[first:last].astype(np.float32)
        light: Any = cv2.transform(part, _GREY)
        own = slice(top - first, bottom - first)
        red, green, blue = (part[own, :, c] for c in range(3))
        for place, values in ((0, light[own]), (2, red - green), (4, (red + green) / 2 - blue)):
            sums[place] += values.sum(dtype=np.float64)
            sums[place + 1] += np.square(values, dtype=np.float64).sum()
        if min(height, width) >= 3 and len(light) >= 3:
            curved: Any = cv2.Laplacian(light, -1)[1:-1, 1:-1]
            rough: Any = cv2.filter2D(light, -1, _NOISE)[1:-1, 1:-1]
            sums[6] += curved.sum(dtype=np.float64)
            sums[7] += np.square(curved, dtype=np.float64).sum()
            sums[8] += np.abs(rough).sum(dtype=np.float64)
    pixels = height * width
    (light_sd, _), (rg_sd, rg), (yb_sd, yb) = (_spread(sums[k], sums[k + 1], pixels) for k in (0, 2, 4))
    known = min(height, width) >= 3
    return {
        "sharpness": _spread(sums[6], sums[7], inner)[0] ** 2 if known else np.nan,
        "noise": float(np.sqrt(np.pi / 2) * sums[8] / (6 * inner)) if known else np.nan,
        "contrast": light_sd,
        "colourfulness": float(np.hypot(rg_sd, yb_sd) + 0.3 * np.hypot(rg, yb)),
    }


def _spread(total: float, squares: float, count: int) -> tuple[float, float]:
    """Standard deviation (of the population) and mean."""
    mean = total / count
    return float(np.sqrt(max(0.0, squares / count - mean**2))), float(mean)
