"""95 % intervals of COCO's numbers by resampling images: matches are weighted, never made again.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993. An image drawn k times counts k times, as if its
detections and truth stood there k times (equal scores next to each other). Since AP is not linear, images drawn twice
raise it a little in every resample; the interval is therefore the percentiles' distances from the resamples' mean, laid
around the number itself.

All classes and thresholds of a size stand in one column, class by class and threshold by threshold. Each such group
begins with a place of its own that carries no weight: there a running sum is set back to 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dashboard.metrics.detection.columns import Floats, Ints
from dashboard.metrics.detection.matching import AREAS, SPREAD, Matches, T, bit
from dashboard.metrics.detection.precision import LIMITS, A, R, needed, ranking

TIMES = 1000
FEWEST = 10
"""Images without which no interval is given."""


@dataclass(frozen=True, eq=False)
class _Column:
    """Detections in groups, in ranking order, to be summed up by the weights of their images.

    Attributes:
        image: (N,) of each; one past the last image at the beginning of a group.
        begin: (G,) where each group begins.
        rows: (N,) what each is; -1 at the beginning of a group.
        group: (N,) its group.
        sign: (N,) +1 or -1, if some are to be taken away.
    """

    image: Ints
    begin: Ints
    rows: Ints
    group: Ints
    sign: Ints | None = None

    @classmethod
    def of(cls, image: Ints, rows: Ints, group: Ints, groups: int, none: int, sign: Ints | None = None) -> _Column:
        """Of ``rows``, ascending within ascending groups; ``image`` tells each row's image, ``none`` is no image."""
        begin = np.searchsorted(group, np.arange(groups))
        led = np.insert(rows, begin, -1)
        images = np.append(image, none)[led]
        signs = None if sign is None else np.insert(sign, begin, 1)
        return cls(images, begin + np.arange(groups), led, np.insert(group, begin, np.arange(groups)), signs)

    def upto(self, rows: Ints, group: Ints) -> Ints:
        """Where the last of a group is that stands at or before each row."""
        stride = int(max(self.rows.max(initial=0), rows.max(initial=0))) + 2
        return np.searchsorted(self.group * stride + self.rows + 1, group * stride + rows + 1, "right") - 1

    def sums(self, weights: Ints) -> tuple[Ints, Ints]:
        """(N,) sums since each group's beginning, and (G,) of whole groups."""
        times = weights[self.image]
        if self.sign is not None:
            times *= self.sign
        whole = np.add.reduceat(times, self.begin)
        times[self.begin[1:]] = -whole[:-1]
        return np.cumsum(times, out=times), whole


@dataclass(frozen=True, eq=False)
class _Size:
    """What is needed for one size.

    Attributes:
        truth_image, truth_class: of the objects that count.
        seen: detections of the size, by class.
        hits: true positives, by threshold and class.
        place: (N,) of each hit in ``seen``.
        label: (N,) class of each hit.
        height: (N,) one step for each group still to come.
        odd: detections that count although of another size, or do not although of the size; None if there are none.
        odd_place: (N,) of each hit in ``odd``.
        few: the hits among the best 1 and the best 10, by threshold and class; only where they are asked for.
    """

    truth_image: Ints
    truth_class: Ints
    seen: _Column
    hits: _Column
    place: Ints
    label: Ints
    height: Floats
    odd: _Column | None
    odd_place: Ints
    few: list[_Column]


class Resampler:
    """What all resamples share.

    Args:
        matches: of all images.
        images: how many there are.
        classes: how many there are.
    """

    def __init__(self, matches: Matches, images: int, classes: int) -> None:
        self.images, self.classes = images, classes
        order = ranking(matches)
        image, label, within = matches.image[order], matches.classes[order], matches.within[order]
        hit, ignored, rank = matches.hit[order], matches.ignored[order], matches.rank[order]
        more, less = hit & ~SPREAD[within], ignored & SPREAD[within]

        def column(flags: list[np.ndarray], signs: list[np.ndarray] | None = None) -> _Column:
            """Of flagged detections, one array of flags a threshold."""
            rows = [np.flatnonzero(f) for f in flags]
            group = np.concatenate([label[r] + t * classes for t, r in enumerate(rows)])
            sign = None if signs is None else np.concatenate([s[r] for s, r in zip(signs, rows, strict=True)])
            return _Column.of(image, np.concatenate(rows), group, classes * len(flags), images, sign)

        def size(a: int) -> _Size:
            bits = [bit(t, a) for t in range(T)]
            right = [(hit & b) != 0 for b in bits]
            seen, hits = column([(within >> a) & 1 > 0]), column(right)
            odd, odd_place = None, np.empty(0, np.int64)
            if any(((more | less) & b).any() for b in bits):
                odd = column([((more | less) & b) != 0 for b in bits], [np.where(more & b, 1, -1) for b in bits])
                odd_place = odd.upto(hits.rows, hits.group)
            counted = np.flatnonzero((matches.counted >> a) & 1)
            return _Size(
                truth_image=matches.truth_image[counted],
                truth_class=matches.truth_class[counted],
                seen=seen,
                hits=hits,
                place=seen.upto(hits.rows, hits.group % classes),
                label=hits.group % classes,
                height=(hits.group[-1] - hits.group).astype(np.float64),
                odd=odd,
                odd_place=odd_place,
                few=[column([r & (rank < limit) for r in right]) for limit in LIMITS[:-1]] if a == 0 else [],
            )

        self.sizes = [size(a) for a in range(A)]

    def summary(self, weights: Ints) -> dict[str, float]:
        """COCO's twelve numbers where image i counts ``weights[i]`` times."""
        weights = np.append(weights, 0)
        found: dict[str, float] = {}
        for size, name in zip(self.sizes, AREAS, strict=True):
            precision, recalls = self._size(size, weights)
            if name == "all":
                found |= {"map": float(precision.mean()), "map_50": float(precision[0]), "map_75": float(precision[5])}
                found |= {f"mar_{limit}": r for limit, r in zip(LIMITS, recalls, strict=True)}
            else:
                found |= {f"map_{name}": float(precision.mean()), f"mar_{name}": recalls[-1]}
        return found

    def _size(self, size: _Size, weights: Ints) -> tuple[Floats, list[float]]:
        """(T,) mean precisions, and mean recalls with the best few and with all."""
        truths = np.bincount(size.truth_class, weights[size.truth_image], self.classes).astype(np.int64)
        present = np.count_nonzero(truths)
        if not present:
            return np.full(T, np.nan), [float("nan")] * (len(size.few) + 1)
        tp, got = size.hits.sums(weights)
        share = np.tile(1 / np.maximum(truths, 1), T)
        recalls = [float((g * share).sum() / (T * present)) for g in (*(f.sums(weights)[1] for f in size.few), got)]

        seen, _ = size.seen.sums(weights)
        count = seen[size.place]
        if size.odd is not None:
            count += size.odd.sums(weights)[0][size.odd_place]
        envelope = tp / np.maximum(count, 1, out=count)
        envelope += size.height  # a later group never reaches up to an earlier one
        np.maximum.accumulate(envelope[::-1], out=envelope[::-1])
        envelope -= size.height

        reads, first = _reads(truths)
        tp += first[size.label]
        passed = reads[tp]
        fresh = np.diff(passed, prepend=0)  # how many of the 101 recalls each hit is the first to reach
        fresh[size.hits.begin] = 0
        envelope *= fresh
        return np.add.reduceat(envelope, size.hits.begin[:: self.classes]) / (R * present), recalls


def _reads(truths: Ints) -> tuple[Ints, Ints]:
    """How many of the 101 recalls 0, 1, 2 ... true positives reach, class after class; and where each class begins."""
    first = np.cumsum(truths + 1) - truths - 1
    need = needed(truths[:, None])[:, :, 0]
    need[truths == 0] = 0
    steps = np.bincount((first[:, None] + need).ravel(), minlength=int(first[-1] + truths[-1]) + 1)
    steps[first[1:]] -= R * (truths[:-1] > 0)
    return np.cumsum(steps), first


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

    def draw(number: int) -> dict[str, float]:
        picks = np.random.default_rng([seed, number]).integers(0, images, images)
        return sampler.summary(np.bincount(picks, minlength=images))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        drawn = list(pool.map(draw, range(times)))
    found: dict[str, tuple[float, float]] = {}
    for name in drawn[0]:
        values = np.array([d[name] for d in drawn])
        values = values[~np.isnan(values)]
        if len(values) >= 0.9 * times:
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) - values.mean() + exact[name]
            found[name] = (max(0.0, float(low)), min(1.0, float(high)))
    return found
