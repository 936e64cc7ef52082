"""95 % intervals of COCO's numbers by resampling images: matches are weighted, never made again.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993. An image drawn k times counts k times, as if its
detections and truth stood there k times (equal scores next to each other). Since AP is not linear, images drawn twice
raise it a little in every resample; the interval is therefore the percentiles' distances from the resamples' mean, laid
around the number itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.detection.columns import Floats, Ints
from dashboard.metrics.detection.matching import AREAS, MOST, SPREAD, Matches, T, bit
from dashboard.metrics.detection.precision import LIMITS, A, needed, ranking

TIMES = 1000
FEWEST = 10
"""Images without which no interval is given."""


@dataclass(frozen=True, eq=False)
class _Hits:
    """True positives of one threshold and size, in ranking order.

    Attributes:
        image, label: (P,) of each.
        few: for each of ``LIMITS`` below 100, which are among the best so many.
        place: (P,) how many detections stand before and at each.
        begin: (P,) how many stand before its class.
        starts: (C + 1,) where a class begins among those here.
        odd_image, odd_sign: detections that count although of another size (+1), or do not although of the size (-1).
        odd_upto, odd_begin: (P,) how many of those stand up to each, and before its class.
    """

    image: Ints
    label: Ints
    few: list[NDArray[np.bool_]]
    place: Ints
    begin: Ints
    starts: Ints
    odd_image: Ints
    odd_sign: Ints
    odd_upto: Ints
    odd_begin: Ints


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
        self.image, label = matches.image[order], matches.classes[order]
        class_start = np.searchsorted(label, np.arange(classes + 1))
        within = matches.within[order]
        self.sized = [(((within >> a) & 1) > 0).astype(np.int64) for a in range(A)]
        hit, ignored, rank = matches.hit[order], matches.ignored[order], matches.rank[order]
        more, less = hit & ~SPREAD[within], ignored & SPREAD[within]

        def hits(one: np.uint64) -> _Hits:
            place = np.flatnonzero(hit & one)
            odd = np.flatnonzero((more | less) & one)
            mine = label[place]
            return _Hits(
                self.image[place],
                mine,
                [rank[place] < limit for limit in LIMITS if limit < MOST],
                place + 1,
                class_start[mine],
                np.searchsorted(mine, np.arange(classes + 1)),
                self.image[odd],
                np.where(more[odd] & one, 1, -1),
                np.searchsorted(odd, place, "right"),
                np.searchsorted(odd, class_start)[mine],
            )

        self.hits = [[hits(bit(t, a)) for t in range(T)] for a in range(A)]
        rows = [np.flatnonzero((matches.counted >> a) & 1) for a in range(A)]
        self.truth = [(matches.truth_image[r], matches.truth_class[r]) for r in rows]

    def summary(self, weights: Ints) -> dict[str, float]:
        """COCO's twelve numbers where image i counts ``weights[i]`` times."""
        heavy = weights[self.image]
        found: dict[str, float] = {}
        for a, name in enumerate(AREAS):
            image, label = self.truth[a]
            truths = np.bincount(label, weights[image], self.classes).astype(np.int64)
            present = np.flatnonzero(truths)
            need = needed(truths[present][:, None])[:, :, 0]
            seen = np.concatenate([[0], np.cumsum(heavy * self.sized[a])])
            read = [self._one(h, weights, seen, truths, present, need) for h in self.hits[a]]
            precision, recalls = [p for p, _ in read], np.array([r for _, r in read])
            if a == 0:
                found |= {"map": _mean(precision), "map_50": precision[0], "map_75": precision[5]}
                found |= {f"mar_{limit}": _mean(recalls[:, m]) for m, limit in enumerate(LIMITS)}
            else:
                found |= {f"map_{name}": _mean(precision), f"mar_{name}": _mean(recalls[:, -1])}
        return found

    def _one(
        self, hits: _Hits, weights: Ints, seen: Ints, truths: Ints, present: Ints, need: Ints
    ) -> tuple[float, list[float]]:
        """Mean precision and mean recall (at each of ``LIMITS``) of one threshold and size."""
        if not len(present):
            return float("nan"), [float("nan")] * len(LIMITS)
        times = weights[hits.image]
        total = np.concatenate([[0], np.cumsum(times)])
        before = total[hits.starts]
        got = np.diff(before)[present]
        few = [np.bincount(hits.label, times * f, self.classes)[present] for f in hits.few]
        recalls = [float(np.mean(g / truths[present])) for g in (*few, got)]
        tp = total[1:] - before[hits.label]
        count = seen[hits.place] - seen[hits.begin]
        if len(hits.odd_sign):
            changed = np.concatenate([[0], np.cumsum(hits.odd_sign * weights[hits.odd_image])])
            count += changed[hits.odd_upto] - changed[hits.odd_begin]
        envelope = tp / np.maximum(count, 1)
        reached = np.flatnonzero(need <= got[:, None])
        if not len(reached):
            return 0.0, recalls
        which = np.repeat(np.arange(len(times)), times)  # the n-th true positive drawn, to its detection
        at = which[(before[present][:, None] + (need - 1)).ravel()[reached]]
        best = np.zeros(need.size)
        best[reached] = np.maximum.reduceat(envelope, at)
        best = np.maximum.accumulate(best.reshape(need.shape)[:, ::-1], axis=1)
        return float(best.mean()), recalls


def _mean(values: Sequence[float] | Floats) -> float:
    """NaN if there is no truth of that size."""
    return float(np.mean(values))


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
