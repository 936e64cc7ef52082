"""95 % intervals of COCO's numbers by resampling images: matches are weighted, never made again.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993. An image drawn k times counts k times, as if its
detections and truth stood there k times (equal scores next to each other). Since AP is not linear, images drawn twice
raise it a little in every resample; the interval is therefore the percentiles' distances from the resamples' mean, laid
around the number itself.

Down the ranking of a class, precision rises from one true positive to the next until a false one comes. So the largest
precision from somewhere on, which is what AP reads, is always found at the end of such a series, and only there is it
worked out. The true positives of every series are a sparse product with the weights of many resamples at once. The
series of all sizes, thresholds and classes stand in one column, group by group; each group begins with a place of its
own that has none: there a running sum is set back to 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dashboard.metrics.detection.columns import Bools, Floats, Ints
from dashboard.metrics.detection.matching import AREAS, SPREAD, Matches, T, bit
from dashboard.metrics.detection.precision import LIMITS, RECALLS, A, R, ranking

Counts = NDArray[np.int32]
TIMES = 1000
FEWEST = 10
"""Images without which no interval is given."""
CELLS, WIDEST = 1 << 19, 64
"""Series times resamples that are worked on at once, and resamples: some megabytes a thread."""
EXACT = 1 << 22
"""Fewer detections than this, and their weights are summed exactly in single precision: sums stay below 2**24."""
NAMES = (
    "map",
    "map_50",
    "map_75",
    *(f"mar_{m}" for m in LIMITS),
    *(f"{k}_{n}" for n in list(AREAS)[1:] for k in ("map", "mar")),
)
_LATE = np.arange(R) / (R - 1) < RECALLS
"""Recalls that this many hundredths do not quite reach, the way floating-point numbers are rounded: .35, .41 ..."""


@dataclass(frozen=True, eq=False)
class _Column:
    """Places in the ranking, in groups; each group is led by an empty place.

    Attributes:
        places: (N,) ascending within a group; -1 leads it.
        group: (N,) ascending.
        begin: (G,) where each group begins.
        stride: more than the ranking has places.
    """

    places: Ints
    group: Ints
    begin: Ints
    stride: int

    @classmethod
    def of(cls, places: Ints, group: Ints, groups: int, stride: int) -> _Column:
        """Of places, ascending within ascending groups."""
        begin = np.searchsorted(group, np.arange(groups))
        led, of = np.insert(places, begin, -1), np.insert(group, begin, np.arange(groups))
        return cls(led, of, begin + np.arange(groups), stride)

    def at(self, places: Ints, group: Ints) -> Ints:
        """Where the first of a group stands that is not before each place; past the group's end if none is."""
        return np.searchsorted(self.group * self.stride + self.places, group * self.stride + places)

    def summing(self, places: Ints, group: Ints, image: Ints, images: int, values: NDArray[Any]) -> Any:
        """(N, images) matrix that adds each of ``values`` where ``at`` tells; what is past a group's end, nowhere."""
        row = self.at(places, group)
        known = np.append(self.group, -1)[row] == group
        shape = len(self.places), images
        return sparse.csr_array((values[known], (row[known], image[places[known]])), shape=shape)


class Resampler:
    """What all resamples share.

    Args:
        matches: of all images.
        images: how many there are.
        classes: how many there are.
    """

    def __init__(self, matches: Matches, images: int, classes: int) -> None:
        self.classes, self.kind = classes, np.float32 if len(matches) < EXACT else np.float64
        order = ranking(matches)
        image, label, within = matches.image[order], matches.classes[order], matches.within[order]
        hit, ignored, rank = matches.hit[order], matches.ignored[order], matches.rank[order]
        bits = [bit(t, a) for a in range(A) for t in range(T)]
        stride = len(order) + 2

        def flagged(flags: Sequence[Bools]) -> tuple[Ints, Ints]:
            """Places of what is flagged, and their groups; each array of flags has a group for every class."""
            places = [np.flatnonzero(f) for f in flags]
            return np.concatenate(places), np.concatenate([label[p] + k * classes for k, p in enumerate(places)])

        def summing(column: _Column, places: Ints, group: Ints, sign: int = 1) -> Any:
            return column.summing(places, group, image, images, np.full(len(places), sign, self.kind))

        def counting(flags: Sequence[Bools]) -> Any:
            """(groups, images) matrix that counts what is flagged."""
            places, group = flagged(flags)
            cells = np.ones(len(places), self.kind), (group, image[places])
            return sparse.csr_array(cells, shape=(len(flags) * classes, images))

        right = [(hit & one) != 0 for one in bits]
        last = [_ends(r, r | ((ignored & one) == 0), label) for r, one in zip(right, bits, strict=True)]
        self.series = _Column.of(*flagged(last), len(bits) * classes, stride)
        self.hits = summing(self.series, *flagged(right))
        self.few = [counting([r & (rank < limit) for r in right[:T]]) for limit in LIMITS[:-1]]
        # All detections of a size count, whatever the threshold: summed up wherever a series of their class ends.
        some = [np.logical_or.reduce(last[a * T : (a + 1) * T]) for a in range(A)]
        self.steps = _Column.of(*flagged(some), A * classes, stride)
        self.seen = summing(self.steps, *flagged([(within >> a) & 1 > 0 for a in range(A)]))
        size = self.series.group // (T * classes)
        self.step = self.steps.at(self.series.places, size * classes + self.series.group % classes)
        # But those of another size that are right count, too, and those of the size that are ignored do not.
        more, less = hit & ~SPREAD[within], ignored & SPREAD[within]
        odd = [summing(self.series, *flagged([(f & one) != 0 for one in bits]), s) for f, s in ((more, 1), (less, -1))]
        self.odd = odd[0] + odd[1] if odd[0].nnz + odd[1].nnz else None

        size, truth = np.nonzero((matches.counted >> np.arange(A, dtype=np.uint8)[:, None]) & 1)
        where = size * classes + matches.truth_class[truth], matches.truth_image[truth]
        self.truths = sparse.csr_array((np.ones(len(truth), self.kind), where), shape=(A * classes, images))
        self.lengths = np.diff(self.series.begin, append=len(self.series.places))
        self.height = (len(bits) * classes - 1.0) - self.series.group  # one step for each group still to come

    def summary(self, weights: Ints) -> dict[str, float]:
        """COCO's twelve numbers where image i counts ``weights[i]`` times."""
        return {name: float(values[0]) for name, values in self.summaries(weights[:, None]).items()}

    def summaries(self, weights: NDArray[Any]) -> dict[str, Floats]:
        """(B,) each of COCO's twelve numbers where image i counts ``weights[i, b]`` times, a whole number."""
        wide = int(np.clip(CELLS // max(len(self.series.places), 1), 1, WIDEST))
        tables = [self.hits, self.seen] if self.odd is None else [self.hits, self.seen, self.odd]
        held = [np.empty((wide, table.shape[0]), np.int32) for table in tables]  # once: fresh memory costs as much
        found: list[list[float]] = []
        for start in range(0, weights.shape[1], wide):
            times = np.ascontiguousarray(weights[:, start : start + wide], self.kind)
            truths, *few = ((table @ times).T.astype(np.float64) for table in (self.truths, *self.few))
            for table, counts in zip(tables, held, strict=True):
                counts[: times.shape[1]] = (table @ times).T
            found.extend(
                self._numbers([counts[k] for counts in held], truths[k], [f[k] for f in few])
                for k in range(times.shape[1])
            )
        return dict(zip(NAMES, np.array(found, np.float64).reshape(-1, len(NAMES)).T, strict=True))

    def _numbers(self, counts: Sequence[Counts], truths: Floats, few: Sequence[Floats]) -> list[float]:
        """One resample's, in the order of ``NAMES``; the counts are summed up in place."""
        hits, seen, *odd = counts
        wanted = truths.reshape(A, 1, self.classes)
        present = np.count_nonzero(wanted, axis=2)[:, 0]
        wanted = np.maximum(wanted, 1)
        got = _running(hits, self.series.begin)
        _running(seen, self.steps.begin)
        count = seen.take(self.step)
        for more in odd:
            _running(more, self.series.begin)
            count += more
        tp = hits.astype(np.float64)
        envelope = tp / np.maximum(count, 1, out=count)
        envelope += self.height  # a later group never reaches up to an earlier one
        backwards = envelope.view(np.int64)[::-1]  # numbers from 0 on are in the order of their bits: quicker so
        np.maximum.accumulate(backwards, out=backwards)
        envelope -= self.height

        # How many more recalls each series reaches, in hundredths of the truth; 0 is reached where a group begins.
        tp *= R - 1
        tp /= np.repeat(np.broadcast_to(wanted, (A, T, self.classes)).ravel(), self.lengths)
        reached = np.floor(tp)
        exact = np.flatnonzero(reached == tp)
        reached[exact] -= _LATE[reached[exact].astype(np.int64)]
        fresh = np.subtract(reached[1:], reached[:-1], out=tp[1:])
        fresh[self.series.begin[1:] - 1] = tp[0] = 1
        envelope *= tp
        sums = np.add.reduceat(envelope, self.series.begin[:: self.classes]).reshape(A, T)
        shares = [(f.reshape(T, -1) / wanted[0]).sum() for f in few]
        shares += list((got.reshape(A, T, -1) / wanted).sum(axis=(1, 2)))
        with np.errstate(invalid="ignore"):
            precision = np.where(present > 0, sums.T / (R * present), np.nan).T
            recall = np.array(shares) / (T * np.append(present[[0] * len(few)], present))
        means = precision.mean(axis=1)
        by_size = np.stack([means[1:], recall[len(LIMITS) :]], axis=1).ravel()
        return [means[0], precision[0, 0], precision[0, 5], *recall[: len(LIMITS)], *by_size]


def _ends(right: Bools, counted: Bools, label: Ints) -> Bools:
    """Where a series of true positives ends: the next detection of the class that counts is false, or there is none."""
    rows = np.flatnonzero(counted)
    mine, of = right[rows], label[rows]
    found = np.zeros(len(right), bool)
    found[rows] = mine & np.append(~mine[1:] | (of[1:] != of[:-1]), True)
    return found


def _running(counts: Counts, begin: Ints) -> Counts:
    """Sum up in place from each group's beginning; (G,) sums of whole groups."""
    whole = np.add.reduceat(counts, begin)
    counts[begin[1:]] = -whole[:-1]
    np.cumsum(counts, dtype=counts.dtype, out=counts)
    return whole


def intervals(
    matches: Matches, images: int, classes: int, times: int = TIMES, seed: int = 0, level: float = 0.95
) -> Mapping[str, tuple[float, float]]:
    """Intervals of COCO's twelve numbers; none below ten images.

    Args:
        matches: of all images.
        images: how many there are, those without detections or truth too.
        classes: how many there are.
        times: resamples.
        seed: of the draws; the same seed gives the same intervals, whatever the number of cores.
        level: coverage.
    """
    if images < FEWEST or not len(matches.truth_class):
        return {}
    sampler = Resampler(matches, images, classes)
    exact = sampler.summary(np.ones(images, np.int64))

    def draw(first: int) -> dict[str, Floats]:
        numbers = range(first, min(first + WIDEST, times))
        picks = (np.random.default_rng([seed, number]).integers(0, images, images) for number in numbers)
        return sampler.summaries(np.stack([np.bincount(p, minlength=images) for p in picks], axis=1))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        drawn = list(pool.map(draw, range(0, times, WIDEST)))
    found: dict[str, tuple[float, float]] = {}
    for name in NAMES:
        values = np.concatenate([d[name] for d in drawn])
        values = values[~np.isnan(values)]
        if len(values) >= 0.9 * times:
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) - values.mean() + exact[name]
            found[name] = (max(0.0, float(low)), min(1.0, float(high)))
    return found
