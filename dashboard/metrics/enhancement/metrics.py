"""The registered metrics of enhancement. All draw from the same numbers, measured once an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dashboard.metrics import collected
from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.measured import FIDELITY, LOSSES, PLAIN, WHOLE, Measured, join, measured
from dashboard.metrics.intervals import NONE, Interval
from dashboard.results import Distribution, MetricResult, Scalars

FEWEST = 3  # images from which on a mean has an interval
DECIBELS = ("psnr", "psnr_y", "psnr_whole", "psnr_y_whole")
LEVELS = {"mse": "levels²", "mae": "levels", "sharpness": "levels²"} | dict.fromkeys(PLAIN[1:], "levels")
BOUNDS = dict.fromkeys(DECIBELS, (-math.inf, math.inf))
BOUNDS |= dict.fromkeys(("ssim", "ssim_y", "ssim_whole", "ssim_y_whole"), (-1.0, 1.0))
BOUNDS |= {"ms_ssim": (0.0, 1.0), "ssim_loss": (0.0, 2.0)}
"""What a mean can be; all others are 0 or more."""
BINS = 20


class Collected(collected.Collected[EnhancementBatch, Measured]):
    """A metric that is computed from the numbers of all images at the end. There are no classes."""

    join = staticmethod(join)

    def __init__(self, class_names: Sequence[str] = ()) -> None:
        super().__init__(class_names)

    def evidence(self, batch: EnhancementBatch) -> Measured:
        """Its numbers. Raises ValueError for a reference of another size."""
        return measured(batch)


class Fidelity(Collected):
    """PSNR, SSIM, MS-SSIM, MSE and MAE: means of the images' values."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``; ``identical`` counts the images that equal their reference, which PSNR's means leave out."""
        numbers = self.joined()
        names = (*FIDELITY, *WHOLE)
        scores = means(numbers, names)
        known = bool(np.isfinite(numbers.columns["mse"]).any())
        same = float(np.isposinf(numbers.columns["psnr"]).sum()) if known else np.nan
        better = {name: name not in ("mse", "mae") for name in names}
        units = {name: "dB" if name in DECIBELS else LEVELS.get(name, "") for name in names} | {"identical": "images"}
        return {"scores": Scalars(scores[0] | {"identical": same}, scores[1], units, better)}


class Losses(Collected):
    """What restoration networks are trained to make small, on the scale of pictures in 0..1."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``."""
        values, ends = means(self.joined(), LOSSES)
        return {"scores": Scalars(values, ends, dict.fromkeys(LOSSES, ""), dict.fromkeys(LOSSES, False))}


class NoReference(Collected):
    """Numbers of the pictures alone; none of them is better when higher or lower."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``."""
        values, ends = means(self.joined(), PLAIN)
        return {"scores": Scalars(values, ends, {name: LEVELS[name] for name in PLAIN})}


class Spread(Collected):
    """How the images' PSNR and SSIM are spread."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``psnr`` in dB and ``ssim``, finite values only."""
        numbers = self.joined()
        return {name: _histogram(numbers.columns[name], name) for name in ("psnr", "ssim")}


def means(numbers: Measured, names: Sequence[str]) -> tuple[dict[str, float], dict[str, Interval]]:
    """Means of the finite values of columns, NaN where there are none, and their intervals, cut at what is possible."""
    values, ends = {}, {}
    for name in names:
        column = numbers.columns[name]
        known = column[np.isfinite(column)]
        values[name] = float(known.mean()) if known.size else np.nan
        least, most = BOUNDS.get(name, (0.0, math.inf))
        low, high = student_interval(known)
        ends[name] = (max(least, low), min(most, high)) if math.isfinite(low) else NONE
    return values, ends


def student_interval(values: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Interval of a mean over images by Student's t; none below three, or if all are the same."""
    if len(values) < FEWEST or values.min() == values.max():
        return NONE
    half = special.stdtrit(len(values) - 1, 0.5 + level / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _histogram(values: NDArray[np.float64], name: str) -> Distribution:
    """Counts of finite values in equal bins between the least and the most."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    unit = "dB" if name in DECIBELS else ""
    return Distribution(edges, {"images": np.histogram(known, edges)[0]}, unit, name)
