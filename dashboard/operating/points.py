"""The cheapest operating point of each run, over all classes or for one, and of each class by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.metrics.costs import ROUNDING, Choice, Ladder, Prices, choose, mean_interval, sample_costs
from dashboard.operating.decisions import Answers, Decisions
from dashboard.operating.samples import Common

Floats = NDArray[np.float64]
FEW_OF_CLASS = 10
"""Images or objects of a class without which no threshold is chosen for it: it stays as it is."""
ARGMAX = 0.5
"""What a threshold of one class against the rest is compared with where the most probable class is answered."""


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """One run at given prices; costs are a sample's.

    Attributes:
        present: the threshold in use; NaN where the most probable class is answered, whatever its score.
        choice: the best threshold, and what it costs.
        low, high: 95 % interval of the cross-fitted saving; NaN where there is none.
        curve: (G,) cost at each of ``THRESHOLDS``.
        few: whether it is for a class of which there are too few to choose by, so that nothing changes.
    """

    present: float
    choice: Choice
    low: float
    high: float
    curve: Floats
    few: bool = False

    @property
    def verdict(self) -> str:
        """ "gain" or "loss" where the interval of the saving is on one side of 0, else "unsure", "none" or "few"."""
        if self.few:
            return "few"
        if float(self.choice.gain) <= ROUNDING * float(self.choice.now):
            return "none"
        return "gain" if self.low > 0 else "loss" if self.high < 0 else "unsure"


def prices_of(
    names: Sequence[str],
    false_positive: float | None,
    miss: float | None,
    abstain: float | None = None,
    own: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> Prices:
    """Prices as a person has set them; what is left empty in ``own`` (by class name) costs what it does in general.

    Raises:
        InputError: a price that is missing, negative or no number.
    """
    for what, price in (("a false positive", false_positive), ("a miss", miss)):
        _checked(price, what)
    if abstain is not None:
        _checked(abstain, "an abstention")
    number = {name: k for k, name in enumerate(names)}
    columns = np.array([[float(false_positive or 0)] * len(names), [float(miss or 0)] * len(names)])
    for name, given in (own or {}).items():
        if name not in number:
            raise InputError(f"There is no class {name!r} in these runs: choose another.")
        for column, price, what in zip(columns, given, ("a false positive", "a miss"), strict=True):
            if price is not None:
                column[number[name]] = _checked(price, f"{what} of {name}")
    return Prices(columns[0], columns[1], abstain)


def _checked(price: float | None, what: str) -> float:
    if price is None or not math.isfinite(price) or not 0 <= price <= 1e9:
        raise InputError(f"The cost of {what} must be a number of at least 0, got {price}.")
    return float(price)


def operating_points(views: Sequence[Decisions], prices: Prices, label: int | None = None) -> list[OperatingPoint]:
    """Every run at some prices; ``label`` for one class against the rest."""
    return [_point(view, prices, label) for view in views]


def _point(view: Decisions, prices: Prices, label: int | None) -> OperatingPoint:
    half, count = view.common.half, view.samples
    if label is not None:
        prices = Prices(prices.false_positive, prices.miss)  # abstaining is about all classes together
    ladder = view.whole() if label is None else view.each().of(label)
    curve = ladder.costs(prices if label is None else prices.of(label)).sum(axis=1)
    now = view.now(label, prices)
    argmax = label is not None and isinstance(view, Answers)
    present = ARGMAX if argmax else view.present
    few = label is not None and int(_support(ladder)[0]) < FEW_OF_CLASS
    offered = np.full_like(curve, np.inf) if few else curve
    choice = choose(offered, np.bincount(half, now, 2).astype(np.float64), ladder.samples, present, argmax)
    low, high = _interval(view, prices, label, now, choice) if np.isfinite(choice.fitted) else (np.nan, np.nan)
    return OperatingPoint(np.nan if argmax else present, choice, low, high, curve.sum(axis=0) / max(1, count), few)


def _support(ladder: Ladder) -> NDArray[np.int64]:
    """(C,) how many of the truth."""
    return (ladder.missed[..., -1].astype(np.int64) + ladder.dropped[..., -1]).sum(axis=0)


def _interval(view: Decisions, prices: Prices, label: int | None, now: Floats, choice: Choice) -> tuple[float, float]:
    """Of the saving on samples that the threshold was not chosen by, given the two thresholds."""
    threshold = choice.halves[view.common.half]
    if label is None:
        after = view.sample_costs(prices, threshold)
    else:
        after = sample_costs(view.one(label), prices.of(label), threshold)
    return mean_interval(now - np.where(np.isnan(threshold), now, after))


@dataclass(frozen=True, eq=False)
class ClassPoints:
    """Each class against the rest, for one run; costs are a sample's.

    Attributes:
        names: (K,) classes that occur or were answered.
        labels: (K,) their common numbers.
        support: (K,) how many of the truth.
        few: (K,) whether these are too few to choose a threshold by, so that the class stays as it is.
        choice: arrays of (K,).
        together: all classes at one common threshold, if that is a thing to do (not for the most probable class).
    """

    names: Sequence[str]
    labels: NDArray[np.int64]
    support: NDArray[np.int64]
    few: NDArray[np.bool_]
    choice: Choice
    together: Choice | None


def class_points(view: Decisions, prices: Prices) -> ClassPoints:
    """The best threshold of every class of a run. Raises InputError for answers without scores."""
    prices = Prices(prices.false_positive, prices.miss)
    ladder = view.each()
    wrong, missed = view.each_now()
    now = prices.false_positive * wrong + prices.miss * missed
    support = _support(ladder)
    shown = np.flatnonzero((support > 0) | (wrong.sum(axis=0) > 0))
    curve = ladder.costs(prices)[:, shown]
    answers = isinstance(view, Answers)
    present = ARGMAX if answers else view.present
    few = support[shown] < FEW_OF_CLASS
    offered = np.where(few[:, None], np.inf, curve)
    choice = choose(offered, now[:, shown], ladder.samples, np.full(len(shown), present), answers)
    together = None
    if not answers:
        together = choose(curve.sum(axis=1), now[:, shown].sum(axis=1), ladder.samples, present)
    shared: Common = view.common
    return ClassPoints([shared.names[int(i)] for i in shown], shown, support[shown], few, choice, together)
