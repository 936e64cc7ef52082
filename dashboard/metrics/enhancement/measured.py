"""The numbers of every image, made once; all metrics, tables and charts draw from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.fidelity import cropped, errors, luma, psnr, psnr_of
from dashboard.metrics.enhancement.losses import charbonnier, gradient, texture
from dashboard.metrics.enhancement.no_reference import plain_numbers
from dashboard.metrics.enhancement.ssim import ssims, ssims_and_ms_ssim
from dashboard.metrics.enhancement.threads import WORKERS

FIDELITY = ("psnr", "ssim", "ms_ssim", "mse", "mae", "psnr_y", "ssim_y")
WHOLE = ("psnr_whole", "ssim_whole", "psnr_y_whole", "ssim_y_whole")
LOSSES = ("charbonnier", "ssim_loss", "gradient", "texture")
PLAIN = ("sharpness", "noise", "contrast", "colourfulness")
REFERENCED = (*FIDELITY, *WHOLE, *LOSSES)
NAMES = (*REFERENCED, *PLAIN)
Pixels = NDArray[np.uint8]


def measure(found: Pixels, truth: Pixels | None, border: int = 0) -> dict[str, float]:
    """Every number of one image.

    Args:
        found: (H, W, 3) uint8.
        truth: the reference, likewise; None if there is none.
        border: pixels at each side that are left out of all but ``WHOLE`` and ``PLAIN``.

    Returns:
        By the names of ``NAMES``. NaN where undefined: without a reference, or where the picture is smaller than the
        window of SSIM (11 pixels) or MS-SSIM (more than 160). PSNR is infinite where both are the same.

    Raises:
        ValueError: pictures of different sizes.
    """
    numbers = dict.fromkeys(NAMES, np.nan) | plain_numbers(found)
    if truth is None:
        return numbers
    if found.shape != truth.shape:
        raise ValueError(f"found must be of {truth.shape}, as its reference, got {found.shape}")
    a, b = cropped(found, border), cropped(truth, border)
    if not a.size:
        return numbers
    mse, mae = errors(a, b)
    y, true_y = luma(found), luma(truth)
    (ssim, ssim_whole), scales = ssims_and_ms_ssim(found, truth, (border, 0))
    ssim_y, ssim_y_whole = ssims(y, true_y, (border, 0))
    psnr_y = psnr(y, true_y, border)
    numbers |= {
        "psnr": psnr_of(mse),
        "ssim": ssim,
        "ms_ssim": scales,
        "mse": mse,
        "mae": mae,
        "psnr_y": psnr_y,
        "ssim_y": ssim_y,
        "psnr_whole": psnr(found, truth) if border else psnr_of(mse),
        "ssim_whole": ssim_whole,
        "psnr_y_whole": psnr(y, true_y) if border else psnr_y,
        "ssim_y_whole": ssim_y_whole,
        "charbonnier": charbonnier(a, b),
        "ssim_loss": 1 - ssim,
        "gradient": gradient(a, b),
        "texture": texture(a, b),
    }
    return numbers


@dataclass(frozen=True, eq=False)
class Measured:
    """The numbers of N images.

    Attributes:
        ids: N sample ids.
        columns: by the names of ``NAMES``, (N,) float64.
    """

    ids: Sequence[str]
    columns: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, places: Any) -> Measured:
        """Some of the images, by positions or a mask."""
        kept = np.arange(len(self))[places]
        return Measured([self.ids[i] for i in kept], {name: c[kept] for name, c in self.columns.items()})


def measured(batch: EnhancementBatch) -> Measured:
    """The numbers of a batch, images side by side.

    Raises:
        ValueError: naming an image whose reference has another size.
    """

    def one(place: int) -> dict[str, float]:
        try:
            return measure(batch.found[place], batch.truth[place], batch.borders[place])
        except ValueError as error:
            raise ValueError(f"{batch.ids[place]}: {error}") from error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="measure") as pool:
        rows = list(pool.map(one, range(len(batch))))
    return Measured(list(batch.ids), {name: np.array([row[name] for row in rows], np.float64) for name in NAMES})


def join(parts: Sequence[Measured]) -> Measured:
    """Several parts as one. Raises ValueError if there are none."""
    if not any(len(part) for part in parts):
        raise ValueError("no samples to evaluate")
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in NAMES}
    return Measured([identity for part in parts for identity in part.ids], columns)
