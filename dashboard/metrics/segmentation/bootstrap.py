"""95 % intervals by resampling images: another draw of as many pictures from the same source.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993. All resamples are one product of matrices, weights
(B, N) by counts (N, 3C): nothing is counted again.

Where there are too few images, an interval would be too narrow, and none is given:

- pixel_accuracy and frequency_weighted_iou need ten images that count;
- a mean over classes needs ten that have the median class (``intervals.enough``);
- a class's own number needs ten that have the class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.intervals import FEW, enough
from dashboard.metrics.segmentation.scores import Floats

TIMES = 1000
BLOCK = 1 << 19  # numbers in a block of weights
POOLED = ("pixel_accuracy", "frequency_weighted_iou")
"""Numbers of all pixels together, which a class that is in few images hardly moves."""

Statistics = Callable[[NDArray[np.float64]], dict[str, Floats]]


@lru_cache(16)  # the same draws serve every metric and slice of a run
def _weights(images: int, rows: int, block: int, seed: int) -> NDArray[np.uint16]:
    """(rows, N) how often each image is drawn."""
    draws = np.random.default_rng([seed, block]).integers(0, images, (rows, images))
    draws += np.arange(rows)[:, None] * images
    out = np.bincount(draws.ravel(), minlength=rows * images).reshape(rows, images).astype(np.uint16)
    out.flags.writeable = False
    return out


def resampled(n: NDArray[np.int64], times: int | None = None, seed: int = 0) -> NDArray[np.float64]:
    """(B, C, 3) counts of resamples of N images.

    Args:
        n: (N, C, 3) pixels of each image, N >= 1: right, true, answered.
        times: B; ``TIMES`` by default.
        seed: of the draws.
    """
    images, classes, _ = n.shape
    times = TIMES if times is None else times
    flat = n.reshape(images, -1).astype(np.float64)
    step = max(1, BLOCK // images)
    parts = [
        _weights(images, min(step, times - start), start // step, seed).astype(np.float64) @ flat
        for start in range(0, times, step)
    ]
    return np.concatenate(parts).reshape(times, classes, 3)


def interval(value: Floats, draws: Floats, level: float = 0.95) -> NDArray[np.float64]:
    """(..., 2) ends: the draws' percentiles, as distances from the draws' mean, laid around the value within 0..1.

    A resample has fewer of the classes and repeats images, so that draws of ratios and of means over classes lie a
    little off the value itself; their spread is what is wanted. NaN where fewer than nine draws in ten are defined, or
    all are the same: no spread was seen in the sample, which is no evidence that there is no spread.

    Args:
        value: (...) the number itself.
        draws: (B, ...) the same of resamples; NaN where undefined.
        level: coverage.
    """
    tail = (1 - level) / 2
    defined = np.isfinite(draws)
    known = defined.mean(axis=0) >= 0.9
    filled = np.where(known, draws, 0.0)
    if (defined | ~known).all():
        (low, high), centre = np.quantile(filled, [tail, 1 - tail], axis=0), filled.mean(axis=0)
    else:
        (low, high), centre = np.nanquantile(filled, [tail, 1 - tail], axis=0), np.nanmean(filled, axis=0)
    out = np.clip(np.stack([value + low - centre, value + high - centre], axis=-1), 0, 1)
    out[~(known & np.isfinite(value)) | (low == high)] = np.nan
    return out


def intervals(n: NDArray[np.int64], statistics: Statistics, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """(..., 2) ends of every number of ``statistics``; NaN where there are too few images.

    Args:
        n: (N, C, 3) pixels of each image.
        statistics: from (..., C, 3) counts to numbers by name, each (...) or, one a class, (..., C).
        seed: of the draws; the same seed gives the same intervals.
    """
    values = statistics(n.sum(axis=0).astype(np.float64))
    plenty = {name: _plenty(name, np.ndim(value) == 1, n) for name, value in values.items()}
    if not any(np.any(p) for p in plenty.values()):
        return {name: np.full((*np.shape(value), 2), np.nan) for name, value in values.items()}
    draws = statistics(resampled(n, seed=seed))
    return {
        name: np.where(np.asarray(plenty[name])[..., None], interval(value, draws[name]), np.nan)
        for name, value in values.items()
    }


def _plenty(name: str, per_class: bool, n: NDArray[np.int64]) -> NDArray[np.bool_] | bool:
    """Whether there are images enough for an interval; (C,) if there is one a class."""
    having = np.count_nonzero(n[..., 1], axis=0)
    if per_class:
        return having >= FEW
    if name in POOLED:
        return int(np.count_nonzero(n[..., 1].any(axis=1))) >= FEW
    return enough(having)
