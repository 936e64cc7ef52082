"""95 % intervals of proportions, means and functions of counts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Interval = tuple[float, float]
NONE: Interval = (math.nan, math.nan)


def z_of(level: float = 0.95) -> float:
    """The standard normal quantile of a two-sided interval: 1.96 for 0.95."""
    return float(special.ndtri(0.5 + level / 2))


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927), without continuity correction; NaN without trials.

    The same as ``scipy.stats.binomtest(k, n).proportion_ci(method="wilson")``.
    """
    if trials <= 0 or math.isnan(successes):
        return NONE
    z2 = z_of(level) ** 2
    p = successes / trials
    centre = p + z2 / (2 * trials)
    half = math.sqrt(z2) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    scale = 1 + z2 / trials
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == trials else (centre + half) / scale
    return low, high


def normal_mean(total: float, squares: float, count: int, level: float = 0.95) -> Interval:
    """Normal approximation for a mean, from the sum, the sum of squares and the count; NaN below two samples."""
    if count < 2:
        return NONE
    mean = total / count
    variance = max(squares - count * mean * mean, 0.0) / (count - 1)
    half = z_of(level) * math.sqrt(variance / count)
    return float(mean - half), float(mean + half)


FEW = 10
"""Fewer samples than this in the median class, and an interval of a mean over classes is not given: it would be too
narrow (with one sample a class it would have no width at all, since a class's own spread cannot be seen)."""


def enough(support: NDArray[np.integer]) -> bool:
    """Whether the classes that occur have enough samples for an interval of a mean over classes.

    Args:
        support: (C,) samples a class.
    """
    occurring = support[support > 0]
    return occurring.size > 0 and float(np.median(occurring)) >= FEW


def from_error(value: float, error: float, low: float, high: float, level: float = 0.95) -> Interval:
    """Normal interval of a quantity bounded by ``low`` and ``high``, taken on the logit scale so that it stays inside.

    At a bound, or without an error, there is none (NaN): no spread was seen in the sample, which is no evidence
    that there is no spread.

    Args:
        value: the estimate.
        error: its standard error.
        low: the least it can be.
        high: the most it can be.
        level: of confidence.
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return NONE
    p = (value - low) / (high - low)
    if error == 0 or not 0 < p < 1:
        return NONE
    centre = math.log(p / (1 - p))
    half = z_of(level) * error / (high - low) / (p * (1 - p))
    ends = special.expit(np.array([centre - half, centre + half]))
    return float(low + (high - low) * ends[0]), float(low + (high - low) * ends[1])


def multinomial_bootstrap(
    counts: NDArray[np.integer],
    statistics: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    resamples: int,
    seed: int = 0,
    level: float = 0.95,
) -> NDArray[np.float64]:
    """Percentile intervals of statistics of counts, by resampling the counts.

    Args:
        counts: (K,) non-negative counts; pass the non-zero ones only, zero stays zero.
        statistics: maps (K,) resampled counts to (S,) numbers.
        resamples: how many.
        seed: of the generator.
        level: of confidence.

    Returns:
        (S, 2) low and high ends, ignoring NaN.
    """
    rng = np.random.default_rng(seed)
    total = int(counts.sum())
    draws = np.array([statistics(rng.multinomial(total, counts / total)) for _ in range(resamples)])
    tail = (1 - level) / 2
    return np.nanquantile(draws, [tail, 1 - tail], axis=0).T
