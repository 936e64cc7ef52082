"""Where a model is worse than elsewhere: slices of the samples, tested so that noise is not taken for a finding.

A slice is what some attribute (or two together) says of a sample: dark pictures, small ones of a class. Its mean score
is compared with that of all other samples by a permutation test: were the attribute without effect, the slice would be
a random draw of as many samples (``permutation``). For right-or-wrong scores that is Fisher's exact test; for others
the draw's tails are approximated, not by a normal distribution, since scores are skewed and slices small. The smaller
tail is doubled. Over all slices p-values are corrected by Holm (1979): the chance that any slice at all is called a
finding by luck stays under 5 %, however the slices overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dashboard.metrics.intervals import z_of
from dashboard.metrics.paired import holm, mcnemar_exact, paired_t
from dashboard.metrics.permutation import of_right, of_sums, same

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

    A value of its own that more than one in ``most`` samples has is a bin (no object at all, pictures of one size);
    what lies below, between and above such values is cut into quantiles.

    Args:
        values: (N,) NaN where unknown.
        most: bins, about; fewer where values repeat.

    Returns:
        (N,) bins from 0 in ascending order, -1 where unknown; and (B, 2) the least and the greatest value in each.
    """
    known = np.isfinite(values)
    different, counts = np.unique(values[known], return_counts=True)
    if not len(different):
        return np.full(len(values), -1), np.empty((0, 2))
    share = counts.sum() / most
    starts = [0]  # of bins, among the different values
    heavy = np.append(np.flatnonzero(counts > share), len(different))
    after = 0
    for at in heavy.tolist():
        ends = np.cumsum(counts[after:at])
        if at > after:
            parts = max(1, round(ends[-1] / share))
            starts += [after, *(after + 1 + np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts)).tolist()]
        starts.append(at)
        after = at + 1
        starts.append(after)
    first = np.unique([k for k in starts if k < len(different)])
    last = np.append(first[1:], len(different)) - 1
    bins = np.searchsorted(different[first], values, side="right") - 1
    return np.where(known, bins, -1), np.stack([different[first], different[last]], axis=1)


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
    there = np.isfinite(scores)
    known = scores[there]
    total, largest = len(known), float(np.abs(known).max(initial=0))
    binary = bool(np.isin(known, (0.0, 1.0)).all())
    scale = float(known.mean()) if total else 0.0
    centred = known - scale
    place = np.cumsum(there) - 1  # of each sample among those with a score
    within = [_moments(centred[place[s.rows[there[s.rows]]]]) for s in slices]
    n = np.array([k for k, _, _ in within], np.int64)
    sums, squares = np.array([m for _, *m in within], np.float64).reshape(-1, 2).T
    left = total - n
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, rest = np.where(n > 0, sums / n, np.nan), np.where(left > 0, -sums / left, np.nan)
        between = np.where((n > 0) & (left > 0), (mean - rest) ** 2 * n * left / max(1, total), 0)
        outside = np.square(centred).sum() - squares - between  # the rest's squares around its own mean
        variance = np.where(n > 1, _beyond_rounding(squares / n, largest) * n / (n - 1), np.nan)
        outside = np.where(left > 1, _beyond_rounding(outside / left, largest) * left / (left - 1), np.nan)
    mean, rest = mean + scale, rest + scale
    if binary:
        low, high = _wilson(mean, n)
        gap_low, gap_high = _newcombe(mean, n, rest, left)
        p = of_right(np.rint(mean * n), n, int(known.sum()), total)
    else:
        low, high = _student(mean, variance, n)
        gap_low, gap_high = _welch(mean - rest, variance / np.maximum(n, 1), n, outside / np.maximum(left, 1), left)
        p = of_sums(sums, n, centred, largest)
    p = np.where((n >= smallest) & (left >= smallest), p, np.nan)
    return Tested(n, mean, low, high, rest, mean - rest, gap_low, gap_high, p, holm(p))


def _moments(centred: Floats) -> tuple[int, float, float]:
    """How many, their sum, and the sum of their squares around their own mean."""
    total = float(centred.sum())
    return len(centred), total, float(np.square(centred - total / max(1, len(centred))).sum())


def _beyond_rounding(variance: Floats, largest: float) -> Floats:
    """0 where a variance is what rounding makes of equal scores."""
    return np.where(same(variance, largest), 0.0, variance)


@dataclass(frozen=True, eq=False)
class Gaps:
    """One run against another in S slices, sample by sample; NaN where undefined.

    Attributes:
        n: (S,) samples that both have a score of.
        run, baseline: (S,) their means there.
        gap, low, high: (S,) run minus baseline and the paired Student's 95 % interval.
        p: (S,) two-sided: McNemar's exact test for right or wrong, else Student's paired test, or the same
            corrected for skewness, whichever finds less.
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
    elif np.isfinite(p):
        p = max(p, _johnson(d))
    return low, high, p if len(d) >= smallest else np.nan


def _johnson(d: Floats) -> float:
    """Two-sided p of a mean of 0 by Student's t corrected for skewness (Johnson, JASA 73, 1978); n at least 3.

    Far out in the tails, which matter where there are many slices, Student's own is ten times too small for few skewed
    differences.
    """
    n, mean = len(d), float(d.mean())
    variance, third = float(d.var(ddof=1)), float(((d - mean) ** 3).sum()) * n / ((n - 1) * (n - 2))
    t = (mean + third / (6 * variance * n) + third * mean**2 / (3 * variance**2)) / (variance / n) ** 0.5
    return 2 * float(special.stdtr(n - 1, -abs(t)))


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
