"""Tests of "no difference" between two models on the same samples, and what corrects them when there are many."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from dashboard.metrics.intervals import FEW, NONE, Interval

Floats = NDArray[np.float64]
FEW_DISCORDANT = 25
"""Fewer samples on which exactly one is right, and McNemar's chi-square is not close enough: the exact test is used."""


def mcnemar_exact(only_run: int, only_baseline: int) -> float:
    """Two-sided p of McNemar's exact test: are the samples that exactly one gets right split like tosses of a coin?

    Source: McNemar 1947; statsmodels' ``mcnemar(exact=True)``. 1 without such samples.

    Args:
        only_run: samples that only one of them gets right.
        only_baseline: samples that only the other gets right.
    """
    n = only_run + only_baseline
    return min(1.0, 2 * float(special.bdtr(min(only_run, only_baseline), n, 0.5))) if n else 1.0


def mcnemar_chi2(only_run: int, only_baseline: int) -> tuple[float, float]:
    """McNemar's chi-square with Edwards's continuity correction, and its p (one degree of freedom).

    Source: Edwards 1948; statsmodels' ``mcnemar(exact=False, correction=True)``, except that the correction never
    reaches past zero (R's ``mcnemar.test``): equal counts have statistic 0 and p 1. (0, 1) without such samples.

    Args:
        only_run: samples that only one of them gets right.
        only_baseline: samples that only the other gets right.
    """
    n = only_run + only_baseline
    statistic = max(abs(only_run - only_baseline) - 1, 0) ** 2 / n if n else 0.0
    return statistic, float(special.chdtrc(1, statistic))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p of the sign test: ties left out, are wins and losses alike? 1 without either.

    Source: Arbuthnot 1710; the same binomial test as McNemar's exact one, ``scipy.stats.binomtest(wins, n)``.
    """
    return mcnemar_exact(wins, losses)


def wilcoxon(differences: Floats) -> tuple[float, float]:
    """Wilcoxon's signed-rank test: its statistic (the lesser sum of ranks) and two-sided p.

    Source: Wilcoxon 1945, zeros left out; ``scipy.stats.wilcoxon`` with its defaults (exact for few samples without
    ties, else the normal approximation).

    Args:
        differences: (N,) of one sample each, NaN where undefined.

    Returns:
        (NaN, 1) if none differs; (NaN, NaN) without samples.
    """
    known = differences[~np.isnan(differences)]
    if not known.size:
        return math.nan, math.nan
    most = np.abs(known[np.isfinite(known)]).max(initial=0.0) + 1  # infinity is the largest: only ranks count
    known = np.clip(known, -most, most)
    if not known.any():
        return math.nan, 1.0
    found: Any = stats.wilcoxon(known)
    return float(found.statistic), float(found.pvalue)


def paired_t(differences: Floats, level: float = 0.95) -> tuple[Interval, float]:
    """Student's interval of the mean difference, and its two-sided p (``scipy.stats.ttest_rel``).

    Args:
        differences: (N,) of one sample each, all finite.
        level: of confidence.

    Returns:
        NaN for fewer than three samples, or if all differences are the same: no spread was seen.
    """
    n = len(differences)
    if n < 3 or differences.min() == differences.max():
        return NONE, math.nan
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(n))
    half = error * float(special.stdtrit(n - 1, 0.5 + level / 2))
    return (mean - half, mean + half), 2 * float(special.stdtr(n - 1, -abs(mean) / error))


def jackknife(value: float, left: Floats, level: float = 0.95) -> tuple[Interval, float]:
    """Interval of a number from what it is with one of K blocks left out, and the two-sided p of its being 0.

    Source: the delete-a-block jackknife, Künsch 1989; Student's t with K - 1 degrees of freedom.

    Args:
        value: the number, a difference.
        left: (K,) the same without each block.
        level: of confidence.

    Returns:
        NaN where one of them is undefined, or all are the same: no spread was seen. The p is 1 for a number of 0 then.
    """
    k = len(left)
    if k < 3 or not (math.isfinite(value) and np.isfinite(left).all()):
        return NONE, math.nan
    error = math.sqrt((k - 1) / k * float(((left - left.mean()) ** 2).sum()))
    if error == 0:
        return NONE, 1.0 if value == 0 else math.nan
    half = error * float(special.stdtrit(k - 1, 0.5 + level / 2))
    return (value - half, value + half), 2 * float(special.stdtr(k - 1, -abs(value) / error))


def jackknife_ends(values: Floats, left: Floats, level: float = 0.95) -> NDArray[np.float64]:
    """(C, 2) intervals of many numbers; see ``jackknife``. NaN where one is undefined or nothing varies.

    Args:
        values: (C,) the numbers, differences.
        left: (K, C) the same without each group.
        level: of confidence.
    """
    k = len(left)
    error = np.sqrt((k - 1) / k * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    half = np.where(error > 0, error * special.stdtrit(k - 1, 0.5 + level / 2), np.nan)
    return np.stack([values - half, values + half], axis=1)


def holm(p: Floats) -> Floats:
    """Holm's step-down correction: the chance of one false alarm or more among all tests stays at the level.

    Source: Holm 1979; statsmodels' ``multipletests(method="holm")``, R's ``p.adjust``.

    Args:
        p: (K,) p-values; NaN are no tests and stay NaN.
    """
    out = np.full(np.shape(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def bootstrap_interval(
    value: float, draws: Floats, recentred: bool = False, level: float = 0.95, units: int | None = None
) -> tuple[Interval, float]:
    """Percentile interval of a difference from its resamples, and the p that goes with it.

    The p is twice the smaller share of resamples on either side of 0, the value itself counted among them (Efron
    and Tibshirani 1993, chapters 13 and 16; Davison and Hinkley 1997, equation 4.12): below 1 - ``level`` where 0 is
    outside of the interval, never less than 2 / (B + 1).

    Args:
        value: the difference itself.
        draws: (B,) of resamples; NaN where undefined.
        recentred: lay the percentiles' distances from the draws' mean around the value. For numbers that are not
            linear in the samples (AP, F1, ECE), which resampling shifts.
        level: of confidence.
        units: how many were resampled; below ``FEW`` there is no interval: it would be too narrow.

    Returns:
        The interval, NaN if fewer than nine draws in ten are defined, or all are the same: no spread was seen, which is
        no evidence that there is none. The p is then NaN too, but for a difference of exactly 0, where it is 1.
    """
    known = draws[np.isfinite(draws)]
    nothing = 1.0 if value == 0 else math.nan
    if not math.isfinite(value) or len(known) < 0.9 * len(draws) or not known.size:
        return NONE, math.nan
    if known.min() == known.max():
        return NONE, nothing
    if units is not None and units < FEW:
        return NONE, math.nan
    if recentred:
        known = known + (value - known.mean())
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    beyond = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return (float(low), float(high)), min(1.0, 2 * (beyond + 1) / (len(known) + 1))
