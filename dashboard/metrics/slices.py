"""Where a model is worse than elsewhere: slices of the samples, tested so that noise is not taken for a finding.

A slice is what some attribute (or two together) says of a sample: dark pictures, small ones of a class. Its mean score
is compared with that of all other samples by a permutation test: were the attribute without effect, the slice would be
a random draw of as many samples. For right-or-wrong scores the draw's distribution is hypergeometric, which is Fisher's
exact test; for others it is taken as a Pearson type III distribution with the draw's exact mean, variance and
skewness (Mielke and Berry, Permutation Methods, 2007, chapter 2), since normal tails are wrong where scores are skewed
and slices small. Both tails are doubled. Over all slices p-values are corrected by Holm (1979): the chance that any
slice at all is called a finding by luck stays under 5 %, however the slices overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from dashboard.metrics.intervals import z_of
from dashboard.metrics.paired import holm, mcnemar_exact, paired_t

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEVEL = 0.05
SMALLEST = 20
"""Samples in a slice, and outside of it, without which it is not tested."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """Something known of every sample, cut into bins.

    Attributes:
        name: what it is ("brightness", "class" ...).
        codes: (N,) the bin of each sample; -1 where unknown.
        labels: (B,) the bins' names.
    """

    name: str
    codes: Ints
    labels: Sequence[str]


@dataclass(frozen=True, eq=False)
class Slice:
    """A set of samples.

    Attributes:
        conditions: attribute and bin names, one or two.
        rows: (n,) the samples' places, ascending.
    """

    conditions: tuple[tuple[str, str], ...]
    rows: Ints


@dataclass(frozen=True, eq=False)
class Tested:
    """Scores of S slices; NaN where undefined.

    Attributes:
        n: (S,) samples with a score.
        mean, low, high: (S,) and their 95 % interval: Wilson's for right or wrong, else Student's.
        rest: (S,) mean of all other samples.
        gap, gap_low, gap_high: (S,) mean minus rest and its 95 % interval (Newcombe's, Welch's).
        p: (S,) two-sided permutation p-value.
        p_holm: (S,) corrected over all slices.
    """

    n: Ints
    mean: Floats
    low: Floats
    high: Floats
    rest: Floats
    gap: Floats
    gap_low: Floats
    gap_high: Floats
    p: Floats
    p_holm: Floats

    @property
    def worse(self) -> NDArray[np.bool_]:
        """(S,) findings: worse than the rest beyond what chance makes of so many slices."""
        return (self.p_holm < LEVEL) & (self.gap < 0)


def quantile_codes(values: Floats, most: int = 4) -> tuple[Ints, Floats]:
    """Cut numbers into bins of about as many samples each.

    Args:
        values: (N,) NaN where unknown.
        most: bins; fewer where values repeat.

    Returns:
        (N,) bins from 0, -1 where unknown; and (B + 1,) edges, bins being half-open but the last.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), -1), np.empty(0)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, most + 1), method="lower"))
    if len(edges) == 1:
        edges = np.append(edges, edges)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.where(known, codes, -1), edges


def slices_of(attributes: Sequence[Attribute], smallest: int = SMALLEST, pairs: bool = True) -> list[Slice]:
    """Slices by one attribute and by two, with enough samples in and outside of them.

    A pair that is the same samples as one of its own parts is left out.
    """
    found: list[Slice] = []
    sizes: dict[tuple[str, str], int] = {}
    for a in attributes:
        for label, rows in zip(a.labels, _groups(a.codes, len(a.labels)), strict=True):
            sizes[a.name, label] = len(rows)
            if smallest <= len(rows) <= len(a.codes) - smallest:
                found.append(Slice(((a.name, label),), rows))
    for a, b in combinations(attributes, 2) if pairs else ():
        both = np.where((a.codes >= 0) & (b.codes >= 0), a.codes * len(b.labels) + b.codes, -1)
        for code, rows in enumerate(_groups(both, len(a.labels) * len(b.labels))):
            one, two = (a.name, a.labels[code // len(b.labels)]), (b.name, b.labels[code % len(b.labels)])
            if smallest <= len(rows) < min(sizes[one], sizes[two]) and len(rows) <= len(a.codes) - smallest:
                found.append(Slice((one, two), rows))
    return found


def _groups(codes: Ints, count: int) -> list[Ints]:
    """The places of each code from 0."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(count + 1))
    return [order[ends[k] : ends[k + 1]].copy() for k in range(count)]  # a view would hold them all


def against_rest(scores: Floats, slices: Sequence[Slice], smallest: int = SMALLEST) -> Tested:
    """Compare each slice with all other samples.

    Args:
        scores: (N,) one number a sample; NaN is left out.
        slices: S of them.
        smallest: with fewer scores in or outside a slice it has no p-value.
    """
    known = scores[np.isfinite(scores)]
    total = len(known)
    binary = bool(np.isin(known, (0.0, 1.0)).all())
    scale = float(known.mean()) if total else 0.0
    centred = np.where(np.isfinite(scores), scores - scale, 0.0)
    there = np.isfinite(scores)
    n = np.array([int(there[s.rows].sum()) for s in slices], np.int64)
    sums = np.array([centred[s.rows].sum() for s in slices], np.float64)
    squares = np.array([np.square(centred[s.rows]).sum() for s in slices], np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, sums / n, np.nan)
        rest = np.where(total > n, -sums / (total - n), np.nan)
        variance = np.maximum(squares / n - mean**2, 0) * n / (n - 1)
        left = total - n
        outside = np.maximum((np.square(centred).sum() - squares) / left - rest**2, 0) * left / (left - 1)
    mean, rest = mean + scale, rest + scale
    if binary:
        hits = np.rint(mean * n)
        low, high = _wilson(mean, n)
        gap_low, gap_high = _newcombe(mean, n, rest, left)
        p = _fisher(hits, n, int(known.sum()), total)
    else:
        low, high = _student(mean, variance, n)
        gap_low, gap_high = _welch(mean - rest, variance / np.maximum(n, 1), n, outside / np.maximum(left, 1), left)
        p = _pearson(sums, n, centred[there])
    p = np.where((n >= smallest) & (left >= smallest), p, np.nan)
    return Tested(n, mean, low, high, rest, mean - rest, gap_low, gap_high, p, holm(p))


@dataclass(frozen=True, eq=False)
class Gaps:
    """One run against another in S slices, sample by sample; NaN where undefined.

    Attributes:
        n: (S,) samples that both have a score of.
        run, baseline: (S,) their means there.
        gap, low, high: (S,) run minus baseline and the paired Student's 95 % interval.
        p: (S,) two-sided: McNemar's exact test for right or wrong, else Student's paired test.
        p_holm: (S,) corrected over all slices.
    """

    n: Ints
    run: Floats
    baseline: Floats
    gap: Floats
    low: Floats
    high: Floats
    p: Floats
    p_holm: Floats


def against_run(run: Floats, baseline: Floats, slices: Sequence[Slice], smallest: int = SMALLEST) -> Gaps:
    """Compare two runs within each slice.

    Args:
        run: (N,) its scores.
        baseline: (N,) the other's on the same samples; a sample without either is left out.
        slices: S of them.
        smallest: with fewer scores a slice has no p-value.
    """
    both = np.isfinite(run) & np.isfinite(baseline)
    binary = bool(np.isin(run[both], (0.0, 1.0)).all() and np.isin(baseline[both], (0.0, 1.0)).all())
    rows = [s.rows[both[s.rows]] for s in slices]
    found = [_gap(run[r] - baseline[r], binary, smallest) for r in rows]
    means = [[float(x[r].mean()) if len(r) else np.nan for x in (run, baseline)] for r in rows]
    own, other = np.array(means, np.float64).reshape(-1, 2).T
    low, high, p = np.array(found, np.float64).reshape(-1, 3).T
    n = np.array([len(r) for r in rows], np.int64)
    return Gaps(n, own, other, own - other, low, high, p, holm(p))


def _gap(d: Floats, binary: bool, smallest: int) -> tuple[float, float, float]:
    """Ends of the interval of the mean of paired differences, and its p."""
    (low, high), p = paired_t(d)
    if binary:
        p = mcnemar_exact(int((d > 0).sum()), int((d < 0).sum()))
    elif len(d) and not d.any():
        p = 1.0
    return low, high, p if len(d) >= smallest else np.nan


def explained(scores: Floats, slices: Sequence[Slice], worse: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,) pairs that are worse only because one of their parts is: within that part they are nothing special.

    Args:
        scores: (N,) one number a sample; NaN is left out.
        slices: S of them.
        worse: (S,) which are findings.
    """
    parts = {s.conditions[0]: s for s, bad in zip(slices, worse, strict=True) if bad and len(s.conditions) == 1}
    found = np.zeros(len(slices), bool)
    for k in np.flatnonzero(worse).tolist():
        pair = slices[k]
        for condition in pair.conditions if len(pair.conditions) == 2 else ():
            if condition in parts and not found[k]:
                whole = parts[condition].rows
                inner = Slice(pair.conditions, np.flatnonzero(np.isin(whole, pair.rows)))
                within = against_rest(scores[whole], [inner], 1)
                found[k] = not (within.p[0] < LEVEL and within.gap[0] < 0)
    return found


def worst_first(tested: Tested, besides: NDArray[np.bool_]) -> Ints:
    """(S,) the slices in order: findings, then those that another explains, then the rest, by their gap each."""
    rank = np.where(tested.worse & ~besides, 0, np.where(tested.worse, 1, 2))
    return np.lexsort((np.nan_to_num(tested.gap, nan=np.inf), rank))


def _fisher(hits: Floats, n: Ints, right: int, total: int) -> Floats:
    """Twice the smaller tail of the hypergeometric distribution."""
    below = stats.hypergeom.cdf(hits, total, right, n)
    above = stats.hypergeom.sf(hits - 1, total, right, n)
    return np.minimum(2 * np.minimum(below, above), 1)


def _pearson(sums: Floats, n: Ints, centred: Floats) -> Floats:
    """Twice the smaller tail of a Pearson III distribution with the moments of a sum of n draws without replacement.

    Args:
        sums: (S,) of centred scores.
        n: (S,) draws.
        centred: (N,) all of them; their mean is 0.
    """
    total = len(centred)
    second, third = float(np.square(centred).sum()), float((centred**3).sum())
    if second <= 1e-12 * total or total < 3:
        return np.full(len(n), np.nan)
    f = n / total
    variance = second * f * (total - n) / (total - 1)
    moment = third * f * (total - n) * (total - 2 * n) / ((total - 1) * (total - 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        z, skew = sums / np.sqrt(variance), moment / variance**1.5
        flat = np.abs(skew) < 1e-6
        shape = 4 / np.where(flat, 1, skew) ** 2
        along = shape + z * np.sqrt(shape) * np.sign(skew)  # a gamma variable of this shape, mirrored if skew < 0
        low = special.gammainc(shape, np.maximum(along, 0))
        high = special.gammaincc(shape, np.maximum(along, 0))
        low, high = np.where(flat, special.ndtr(z), low), np.where(flat, special.ndtr(-z), high)
    return np.clip(2 * np.minimum(low, high), 0, 1)


def _wilson(p: Floats, n: Ints) -> tuple[Floats, Floats]:
    """Wilson's interval, of many proportions at once; see ``intervals.wilson``."""
    z = z_of()
    with np.errstate(divide="ignore", invalid="ignore"):
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        scale = 1 + z**2 / n
        low, high = (p + z**2 / (2 * n) - half) / scale, (p + z**2 / (2 * n) + half) / scale
    return np.where(p == 0, 0.0, low), np.where(p == 1, 1.0, high)


def _newcombe(p: Floats, n: Ints, q: Floats, m: Ints) -> tuple[Floats, Floats]:
    """Newcombe's (1998) hybrid score interval of a difference of two independent proportions."""
    (p_low, p_high), (q_low, q_high) = _wilson(p, n), _wilson(q, m)
    gap = p - q
    return gap - np.hypot(p - p_low, q_high - q), gap + np.hypot(p_high - p, q - q_low)


def _student(mean: Floats, variance: Floats, n: Ints) -> tuple[Floats, Floats]:
    """Student's interval of a mean; NaN without spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance / n)
    half = np.where((n > 1) & (variance > 0), special.stdtrit(np.maximum(n - 1, 1), 0.975) * error, np.nan)
    return mean - half, mean + half


def _welch(gap: Floats, a: Floats, n: Ints, b: Floats, m: Ints) -> tuple[Floats, Floats]:
    """Welch's interval of a difference of two means, from the squared errors ``a`` and ``b``; NaN without spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
        half = special.stdtrit(freedom, 0.975) * np.sqrt(a + b)
    half = np.where((n > 1) & (m > 1) & (a + b > 0), half, np.nan)
    return gap - half, gap + half
