"""How unusual the sum of a group of samples is among all groups of that size: tails of draws without replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 60
BLOCK = 256  # groups whose saddlepoints are sought at once
DIFFERENT = 384  # different values up to which none are put together
ENDS, INNER = 64, 256  # of more: the outermost stay as they are, the rest is put into groups
MIDDLE = 1e-3  # standard deviations from the mean
SAME = 1e-12
"""Standard deviation over largest value below which all values are the same, but for rounding."""


def of_right(hits: Floats, n: Ints, right: int, total: int) -> Floats:
    """Twice the smaller tail of the hypergeometric distribution: Fisher's exact test, its tails doubled.

    Args:
        hits: (S,) right answers in each group.
        n: (S,) samples in each.
        right: right answers of all.
        total: samples.
    """
    below = stats.hypergeom.cdf(hits, total, right, n)
    above = stats.hypergeom.sf(hits - 1, total, right, n)
    return np.minimum(2 * np.minimum(below, above), 1)


def of_sums(sums: Floats, n: Ints, centred: Floats, largest: float) -> Floats:
    """Two-sided p of each group's sum.

    The tails are those of a double saddlepoint (Robinson, JRSS B 44, 1982; Booth and Butler, Biometrika 77, 1990).
    Where there is none, they are those of a Pearson type III distribution with the mean, variance and skewness of the
    draws (Mielke and Berry, Permutation Methods, 2007, chapter 2); alone it goes wrong where a few values lie far out.
    A group that has nothing but the highest or lowest value is counted exactly.

    Args:
        sums: (S,) of centred scores.
        n: (S,) how many.
        centred: (N,) all of them; their mean is 0.
        largest: of the scores before they were centred, in absolute value.

    Returns:
        NaN where all scores are the same.
    """
    total = len(centred)
    if total < 3 or same(float(np.square(centred).mean()), largest):
        return np.full(len(n), np.nan)
    p = _by_moments(sums, n, centred)
    values, weights = _grouped(centred)
    for start in range(0, len(n), BLOCK):
        some = slice(start, start + BLOCK)
        closer = _by_saddlepoint(sums[some], n[some], values, weights)
        p[some] = np.where(np.isnan(closer), p[some], closer)
    for end in (centred.min(), centred.max()):
        only = np.isclose(sums, n * end, rtol=1e-9, atol=0)
        p[only] = np.minimum(1, 2 * stats.hypergeom.pmf(n[only], total, int((centred == end).sum()), n[only]))
    return p


def same(variance: float | Floats, largest: float) -> Any:
    """Whether values differ by no more than rounding does, from their variance and the largest of them."""
    return variance <= (SAME * largest) ** 2


def _by_moments(sums: Floats, n: Ints, centred: Floats) -> Floats:
    """Twice the smaller tail of the Pearson type III distribution."""
    total = len(centred)
    second, third = float(np.square(centred).sum()), float((centred**3).sum())
    f = n / total
    variance = second * f * (total - n) / (total - 1)
    moment = third * f * (total - n) * (total - 2 * n) / ((total - 1) * (total - 2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z, skew = sums / np.sqrt(variance), moment / variance**1.5
        flat = np.abs(skew) < 1e-6
        shape = 4 / np.where(flat, 1, skew) ** 2
        along = shape + z * np.sqrt(shape) * np.sign(skew)  # a gamma variable of this shape, mirrored if skew < 0
        one = special.gammainc(shape, np.maximum(along, 0))
        other = special.gammaincc(shape, np.maximum(along, 0))
        one, other = np.where(flat, special.ndtr(z), one), np.where(flat, special.ndtr(-z), other)
    return np.clip(2 * np.minimum(one, other), 0, 1)


def _grouped(centred: Floats) -> tuple[Floats, Floats]:
    """Ascending values and how many samples have each; of very many the inner ones as means of their neighbours."""
    values, counts = np.unique(centred, return_counts=True)
    if len(values) <= DIFFERENT:
        return values, counts.astype(np.float64)
    ordered = np.sort(centred)
    inner = np.linspace(ENDS, len(ordered) - ENDS, INNER + 1).astype(np.int64)
    starts = np.concatenate([np.arange(ENDS), inner[:-1], np.arange(len(ordered) - ENDS, len(ordered))])
    weights = np.diff(np.append(starts, len(ordered))).astype(np.float64)
    return np.add.reduceat(ordered, starts) / weights, weights


def _by_saddlepoint(sums: Floats, n: Ints, values: Floats, weights: Floats) -> Floats:
    """Twice the tail beyond each sum; NaN where there is no saddlepoint (at the ends), or no need of one (the middle).

    Every sample is drawn with probability n / N, given that n are drawn: the cumulant generating function of count
    and sum is K(s, t) = sum of log(1 - f + f exp(s + t a)).
    """
    scale = np.sqrt((weights * values**2).sum() / weights.sum())
    a, x, size = values / scale, sums / scale, n.astype(np.float64)
    f = size / weights.sum()
    odds = special.logit(f)
    s, t = np.zeros(len(n)), np.zeros(len(n))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(STEPS):
            p = special.expit((odds + s)[:, None] + t[:, None] * a)
            spread = weights * p * (1 - p)
            k00, k01, k11 = spread.sum(axis=1), (spread * a).sum(axis=1), (spread * a**2).sum(axis=1)
            off0, off1 = size - (weights * p).sum(axis=1), x - (weights * p * a).sum(axis=1)
            det = k00 * k11 - k01**2
            found = (np.abs(off0) < 1e-7 * size) & (np.abs(off1) < 1e-7 * size)
            if found.all():
                break
            ds, dt = (k11 * off0 - k01 * off1) / det, (k00 * off1 - k01 * off0) / det
            far = np.maximum(np.abs(ds + dt * a[0]), np.abs(ds + dt * a[-1]))
            there = np.maximum(np.abs(s + t * a[0]), np.abs(s + t * a[-1]))
            step = np.minimum(1, (3 + there) / far)  # at most twice as far as yet
            s, t = np.where(found, s, s + step * ds), np.where(found, t, t + step * dt)
        grown = np.logaddexp(np.log1p(-f)[:, None], np.log(f)[:, None] + s[:, None] + t[:, None] * a)
        w = np.sqrt(2 * np.maximum(s * size + t * x - (weights * grown).sum(axis=1), 0))
        u = np.abs(t) * np.sqrt(det / (size * (1 - f)))
        tail = special.ndtr(-w) + np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi) * (1 / u - 1 / w)
    return np.where(found & (w > MIDDLE) & (u > MIDDLE), np.clip(2 * tail, 0, 1), np.nan)
