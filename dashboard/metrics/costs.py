"""What wrong answers and misses cost, at every threshold: where to operate when errors have a price.

A model proposes answers with scores; those below a threshold are dropped. An answer that is wrong costs what a false
positive of its class costs, a truth that no kept answer finds costs what a miss of its class costs. Everything is
counted once; other prices only weigh the counts anew (Elkan, The foundations of cost-sensitive learning, IJCAI 2001;
Drummond and Holte, Cost curves, Machine Learning 65, 2006).

A threshold chosen on the data it is judged by looks better than it will be. So it is also chosen on one half of the
samples and judged on the other, both ways (two-fold cross-fitting).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.detection.matching import MOST, Matches, bit
from dashboard.metrics.intervals import NONE, Interval, z_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 1000
THRESHOLDS: Floats = np.append(np.arange(STEPS + 1) / STEPS, np.inf)
"""(G,) 0, .001, .. 1, and one that nothing reaches."""
G = len(THRESHOLDS)
HALVES = 2
FEW = 20  # samples in a half, without which nothing is cross-fitted
ROUNDING = 1e-10
"""Costs that differ by a smaller share are equal, whatever their unit: sums in another order."""


@dataclass(frozen=True, eq=False)
class Events:
    """Proposed answers of N samples, and what keeping or dropping each of them means; -1 is no class.

    Attributes:
        samples: N.
        classes: C.
        sample: (E,) whose each is.
        score: (E,) 0..1; it is kept if this reaches the threshold.
        wrong: (E,) the class of which it is a false positive, if kept.
        missed_kept: (E,) the class that is missed although it is kept (the true one of a wrong answer).
        missed_dropped: (E,) the class that is missed if it is dropped.
        lost_sample, lost_class: (L,) truth that no answer finds at any threshold.
    """

    samples: int
    classes: int
    sample: Ints
    score: NDArray[np.floating]
    wrong: Ints
    missed_kept: Ints
    missed_dropped: Ints
    lost_sample: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    lost_class: Ints = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, eq=False)
class Prices:
    """What errors cost, in any unit.

    Attributes:
        false_positive, miss: (C,) each at least 0.
        abstain: what no answer costs, whatever the class; None if it is a miss of the true class.

    Raises:
        ValueError: a price that is negative or not finite.
    """

    false_positive: Floats
    miss: Floats
    abstain: float | None = None

    def __post_init__(self) -> None:
        given = [*self.false_positive, *self.miss, 0.0 if self.abstain is None else self.abstain]
        if not (np.isfinite(given).all() and min(given) >= 0):
            raise ValueError("prices must be finite and at least 0")

    def of(self, label: int) -> Prices:
        """Those of one class alone."""
        one = slice(label, label + 1)
        return Prices(self.false_positive[one], self.miss[one], self.abstain)


@dataclass(frozen=True, eq=False)
class Ladder:
    """Counts at every threshold of ``THRESHOLDS``, by half of the samples and by class.

    Attributes:
        samples: (H,) in each half.
        wrong: (H, C, G) false positives.
        missed: (H, C, G) misses although something was answered, or that nothing finds.
        dropped: (H, C, G) misses because the answer was dropped.
    """

    samples: Ints
    wrong: NDArray[np.integer]
    missed: NDArray[np.integer]
    dropped: NDArray[np.integer]

    def costs(self, prices: Prices) -> Floats:
        """(H, C, G) total cost of each class: as what was answered wrongly, and as what was missed."""
        per_drop = prices.miss if prices.abstain is None else np.full_like(prices.miss, prices.abstain)
        own = prices.false_positive[:, None] * self.wrong
        own += prices.miss[:, None] * self.missed
        own += per_drop[:, None] * self.dropped
        return own

    def of(self, label: int) -> Ladder:
        """Of one class alone."""
        one = slice(label, label + 1)
        return Ladder(self.samples, self.wrong[:, one], self.missed[:, one], self.dropped[:, one])


def place(scores: NDArray[np.floating]) -> Ints:
    """(E,) the highest of ``THRESHOLDS`` that each score reaches, exactly; scores lie in 0..1."""
    s = np.asarray(scores, np.float64)
    at = np.clip((s * STEPS).astype(np.int64), 0, STEPS)
    at -= THRESHOLDS[at] > s
    at += (at < STEPS) & (THRESHOLDS[np.minimum(at + 1, STEPS)] <= s)
    return np.maximum(at, 0)


def ladder(events: Events, half: Ints) -> Ladder:
    """Count everything at every threshold.

    Args:
        events: of N samples.
        half: (N,) 0 or 1.
    """
    shape = (HALVES, events.classes, G)
    side, at = half[events.sample], place(events.score)

    def histogram(label: Ints) -> Ints:
        mine = label >= 0
        flat = (side[mine] * events.classes + label[mine]) * G + at[mine]
        return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)

    def reached(label: Ints) -> Ints:
        return histogram(label)[..., ::-1].cumsum(axis=-1)[..., ::-1]

    lost = np.bincount(half[events.lost_sample] * events.classes + events.lost_class, minlength=HALVES * shape[1])
    missed = reached(events.missed_kept) + lost.reshape(HALVES, -1, 1)
    out = histogram(events.missed_dropped)
    dropped = np.cumsum(out, axis=-1) - out
    parts = [x.astype(np.int32) for x in (reached(events.wrong), missed, dropped)]
    return Ladder(np.bincount(half, minlength=HALVES).astype(np.int64), *parts)


def sample_costs(events: Events, prices: Prices, threshold: Floats) -> Floats:
    """(N,) the cost of each sample at its own threshold, (N,)."""
    kept = events.score >= threshold[events.sample]
    total = np.zeros(events.samples)

    def add(label: Ints, which: NDArray[np.bool_], price: Floats) -> None:
        mine = which & (label >= 0)
        total[:] += np.bincount(events.sample[mine], price[label[mine]], events.samples)

    add(events.wrong, kept, prices.false_positive)
    add(events.missed_kept, kept, prices.miss)
    free = np.full_like(prices.miss, 0 if prices.abstain is None else prices.abstain)
    add(events.missed_dropped, ~kept, prices.miss if prices.abstain is None else free)
    return total + np.bincount(events.lost_sample, prices.miss[events.lost_class], events.samples)


@dataclass(frozen=True, eq=False)
class Choice:
    """The best threshold, in costs a sample; arrays of the shape that was asked for.

    Attributes:
        threshold: the best on all samples; infinite where it is best to answer nothing; where nothing is cheaper than
            the present operating point, the present threshold, or NaN if that is none.
        cost: there, on the samples it was chosen by: optimistic.
        now: at the present operating point.
        fitted: cross-fitted: chosen on each half, judged on the other; NaN with fewer than ``FEW`` samples in a half.
        halves: (H, ...) the threshold that each half is judged at, chosen on the other.
    """

    threshold: Floats
    cost: Floats
    now: Floats
    fitted: Floats
    halves: Floats

    @property
    def gain(self) -> Floats:
        """What changing would seem to save a sample."""
        return self.now - self.cost

    @property
    def fitted_gain(self) -> Floats:
        """What changing saves a sample on samples that the threshold was not chosen by; may be negative."""
        return self.now - self.fitted


def choose(curve: Floats, now: Floats, samples: Ints, present: Floats | float, rule: bool = False) -> Choice:
    """The cheapest threshold; of equally cheap ones that nearest the present one, which stays where none is cheaper.

    Args:
        curve: (H, ..., G) total cost of each half at each threshold.
        now: (H, ...) total cost of each half at the present operating point.
        samples: (H,) in each half.
        present: (...) the present threshold, or one to compare with where there is a rule.
        rule: whether what is done at present is no threshold but another rule: the most probable class.
    """
    count = max(1, int(samples.sum()))
    offered = np.append(curve, now[..., None], axis=-1)
    whole = offered.sum(axis=0)
    best = _cheapest(whole, present)
    halves = np.stack([_cheapest(offered[1 - h], present) for h in range(HALVES)])
    judged = np.stack([_at(offered[h], halves[h]) for h in range(HALVES)])
    fitted = judged.sum(axis=0) / count if samples.min() >= FEW else np.full(whole.shape[:-1], np.nan)
    kept = np.nan if rule else present

    def named(places: Ints) -> Floats:
        return np.where(places == G, kept, THRESHOLDS[np.minimum(places, G - 1)])

    return Choice(named(best), _at(whole, best) / count, now.sum(axis=0) / count, fitted, named(halves))


def _at(curve: Floats, places: Ints) -> Floats:
    return np.take_along_axis(curve, np.asarray(places)[..., None], -1)[..., 0]


def _cheapest(curve: Floats, present: Floats | float) -> Ints:
    """(...) places of the least cost; among equals what there is now, which is the last, or nearest its threshold."""
    least = curve.min(axis=-1, keepdims=True)
    far = np.abs(np.minimum(THRESHOLDS, 2.0) - np.asarray(present, np.float64)[..., None])
    far = np.append(far, np.full((*far.shape[:-1], 1), -1.0), axis=-1)
    return np.where(curve <= least * (1 + ROUNDING), far, np.inf).argmin(axis=-1)


def mean_interval(saved: Floats) -> Interval:
    """Normal 95 % interval of the mean of (N,) paired savings; NaN with fewer than ``FEW`` or without any spread."""
    if len(saved) < FEW or saved.std() == 0:
        return NONE
    half = z_of() * float(saved.std(ddof=1)) / len(saved) ** 0.5
    return float(saved.mean()) - half, float(saved.mean()) + half


def of_answers(labels: Ints, predicted: Ints, confidence: NDArray[np.floating], classes: int) -> Events:
    """One answer a sample, the most probable class, given or withheld (abstaining below a confidence).

    A wrong answer is a false positive of the class that was answered and a miss of the true one.
    """
    right = labels == predicted
    none = np.full(len(labels), -1, np.int64)
    return Events(
        len(labels),
        classes,
        np.arange(len(labels)),
        confidence,
        np.where(right, none, predicted),
        np.where(right, none, labels),
        labels.astype(np.int64),
    )


def of_class(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Events:
    """One class against the rest: a sample is said to be of it if its score reaches the threshold."""
    zero, none = np.zeros(len(scores), np.int64), np.full(len(scores), -1, np.int64)
    wrong, dropped = np.where(positive, none, zero), np.where(positive, zero, none)
    return Events(len(scores), 1, np.arange(len(scores)), scores, wrong, none, dropped)


def of_objects(matches: Matches, images: int, classes: int, iou: int = 0) -> Events:
    """Objects: a detection that matched nothing is a false positive, truth without a kept match is missed.

    Args:
        matches: of all images.
        images: how many there are.
        classes: how many there are.
        iou: a place in ``matching.IOUS``.
    """
    one = bit(iou)
    hit = ((matches.hit & one) != 0) & (matches.rank < MOST)
    wrong = (((matches.hit | matches.ignored) & one) == 0) & (matches.rank < MOST)
    pairs = (matches.pair_hit & one) != 0
    found = np.zeros(len(matches.truth_class), bool)
    found[matches.pair_truth[pairs & hit[matches.pair_found]]] = True
    lost = ((matches.counted & 1) != 0) & ~found
    keep = hit | wrong
    none = np.full(int(keep.sum()), -1, np.int64)
    return Events(
        images,
        classes,
        matches.image[keep],
        matches.scores[keep],
        np.where(wrong[keep], matches.classes[keep], none),
        none,
        np.where(hit[keep], matches.classes[keep], none),
        matches.truth_image[lost],
        matches.truth_class[lost],
    )


def only(events: Events, label: int) -> Events:
    """What happens to one class alone, which then is class 0."""
    named = (events.wrong, events.missed_kept, events.missed_dropped)
    mine = np.any([x == label for x in named], axis=0)
    lost = events.lost_class == label
    wrong, kept, dropped = (np.where(x[mine] == label, 0, -1) for x in named)
    sample, score = events.sample[mine], events.score[mine]
    nothing = np.zeros(int(lost.sum()), np.int64)
    return Events(events.samples, 1, sample, score, wrong, kept, dropped, events.lost_sample[lost], nothing)
