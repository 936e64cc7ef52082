"""Classes against the rest, from stored scores, a block of them in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.metrics.costs import Events, G, Ladder, Prices, of_class, place
from dashboard.naming import label_of
from dashboard.operating.samples import Common
from dashboard.predictions import batches, class_scores
from dashboard.store import Run

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Positive = Callable[[int], NDArray[np.bool_]]
"""(N,) which of the common samples are of a class."""


def class_events(run: Run, places: Ints, classes: Ints, label: int, positive: NDArray[np.bool_]) -> Events:
    """One class against the rest on the common samples; a class that the model does not know is never answered.

    Args:
        run: whose scores.
        places: for each of its rows the place among the common samples, or -1.
        classes: for each of its classes the common number.
        label: the common number of the class.
        positive: (N,) which of the common samples are of it.

    Raises:
        InputError: the run has answers without scores.
    """
    own = np.flatnonzero(classes == label)
    if not own.size:
        nothing, lost = np.empty(0, np.int64), np.flatnonzero(positive)
        return Events(len(positive), 1, nothing, np.empty(0), nothing, nothing, nothing, lost, np.zeros_like(lost))
    _needs_scores(run)
    mine = places >= 0
    found = class_scores(run.predictions_path, int(own[0]))
    scores = np.zeros(len(positive), found.dtype)
    scores[places[mine]] = found[mine]
    return of_class(scores, positive)


def class_ladders(run: Run, shared: Common, places: Ints, classes: Ints, positive: Positive) -> Ladder:
    """Every class against the rest; see ``class_events``. Raises InputError for answers without scores."""
    _needs_scores(run)
    count, half = len(shared.names), shared.half
    true = np.stack([positive(label) for label in range(count)], axis=1)  # (N, C)
    hits, everything = (np.zeros(2 * count * G, np.int64) for _ in range(2))
    for here, scores in _blocks(run, places):
        key = (half[here][:, None] * count + classes) * G + place(scores)
        everything += np.bincount(key.ravel(), minlength=len(everything))
        hits += np.bincount(key[true[here][:, classes]], minlength=len(hits))
    hit, rest = hits.reshape(2, count, G), (everything - hits).reshape(2, count, G)
    dropped = np.cumsum(hit, axis=-1) - hit
    wrong = rest[..., ::-1].cumsum(axis=-1)[..., ::-1]
    truth = np.stack([true[half == h].sum(axis=0) for h in range(2)])
    lost = truth - hit.sum(axis=-1)  # of classes that the model does not know
    missed = np.broadcast_to(lost[..., None], wrong.shape)
    samples = np.bincount(half, minlength=2).astype(np.int64)
    return Ladder(samples, *(x.astype(np.int32) for x in (wrong, missed, dropped)))


def class_costs(
    run: Run, places: Ints, classes: Ints, true: NDArray[np.bool_], prices: Prices, threshold: Floats
) -> Floats:
    """(N,) the cost of each sample at its own threshold, over all classes; scores are read once.

    Args:
        run: whose scores.
        places: for each of its rows the place among the common samples, or -1.
        classes: for each of its classes the common number.
        true: (N, C) which classes each of the common samples has.
        prices: of all common classes.
        threshold: (N,).

    Raises:
        InputError: the run has answers without scores.
    """
    _needs_scores(run)
    unknown = np.setdiff1d(np.arange(true.shape[1]), classes)
    total: Floats = (true[:, unknown] * prices.miss[unknown]).sum(axis=1)
    for here, scores in _blocks(run, places):
        kept, truth = scores >= threshold[here][:, None], true[here][:, classes]
        total[here] += (prices.false_positive[classes] * (kept & ~truth)).sum(axis=1)
        total[here] += (prices.miss[classes] * (truth & ~kept)).sum(axis=1)
    return total


def _blocks(run: Run, places: Ints) -> Iterator[tuple[Ints, NDArray[np.floating]]]:
    """Places of common samples, and their (B, C_r) scores, a block at a time."""
    start = 0
    for _, batch in batches(run.predictions_path):
        here = places[start : start + len(batch)]
        start += len(batch)
        mine = here >= 0
        if mine.any():
            yield here[mine], batch.read()[mine]


def _needs_scores(run: Run) -> None:
    if not run.facts.get("has_scores", True):
        raise InputError(f"{label_of(run)} has predicted labels only: a threshold on a class needs scores.")
