"""Why AP is lost: each wrong detection and each missed object gets one cause, and each cause the AP50 it costs.

Source: Bolya, Foley, Hays, Hoffman: TIDE, ECCV 2020, and its ``tidecv``. A false positive, in this order, is a
localisation error (its best IoU with truth of its class is between t_b and t_f), a classification error (IoU of at
least t_f with truth of another class), a duplicate (at least t_f with truth that is already found), background (no IoU
above t_b), or both (the rest). Truth that is not found and that no localisation or classification error would find is
missed. What a cause costs is the AP at t_f when it alone is repaired, less the AP as it is, and never below 0; costs do
not add up. Unlike tidecv, up to 100 detections count per image *and class*, as in COCO's AP, and a class that is only
predicted is left out of the mean instead of counting 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.metrics.detection.columns import Ints
from dashboard.metrics.detection.matching import Matches, bit
from dashboard.metrics.detection.neighbours import Neighbours
from dashboard.metrics.detection.precision import group_precision, mean, truth_counts

FOREGROUND, BACKGROUND = 0.5, 0.1
CAUSES = ("classification", "localisation", "both", "duplicate", "background", "missed")
NONE = -1


@dataclass(frozen=True, eq=False)
class Causes:
    """What is wrong with what.

    Attributes:
        found: (D,) a place in ``CAUSES``, -1 where nothing is wrong.
        truth: (G,) 5 where an object is missed, else -1.
        target: (D,) the truth that a localisation or classification error was meant for, else -1.
    """

    found: Ints
    truth: Ints
    target: Ints


def causes(matches: Matches, near: Neighbours) -> Causes:
    """Give every error its cause, at t_f = .5 and t_b = .1."""
    one = bit(0)
    wrong = ((matches.hit | matches.ignored) & one) == 0
    taken = np.zeros(len(matches.truth_class), bool)
    taken[matches.pair_truth[(matches.pair_hit & one) != 0]] = True
    place = {name: i for i, name in enumerate(CAUSES)}
    found = np.full(len(matches), place["both"])
    most = np.maximum(near.same, near.other)
    found[most <= BACKGROUND] = place["background"]
    duplicate = (near.same >= FOREGROUND) & np.append(taken, False)[near.same_truth]
    found[duplicate] = place["duplicate"]
    found[near.other >= FOREGROUND] = place["classification"]
    found[(near.same >= BACKGROUND) & (near.same <= FOREGROUND)] = place["localisation"]
    found[~wrong] = NONE
    target = np.full(len(matches), -1)
    for name, whose in (("classification", near.other_truth), ("localisation", near.same_truth)):
        rows = found == place[name]
        target[rows] = whose[rows]
    target[np.append(taken, False)[target]] = -1
    reachable = np.zeros(len(taken), bool)
    reachable[target[target >= 0]] = True
    missed = ((matches.counted & 1) != 0) & ~taken & ~reachable
    return Causes(found, np.where(missed, place["missed"], NONE), target)


def costs(matches: Matches, why: Causes, classes: int) -> dict[str, float]:
    """The AP50 that each cause costs, by its name; NaN if there is no truth at all."""
    one = bit(0)
    kept = (matches.ignored & one) == 0
    right = (matches.hit & one) != 0
    truths = truth_counts(matches, classes)[:, 0]
    base = _average(matches, matches.classes, kept, right, truths)
    found: dict[str, float] = {}
    for i, name in enumerate(CAUSES):
        if name == "missed":
            fewer = truths - np.bincount(matches.truth_class[why.truth == i], minlength=classes)
            found[name] = _average(matches, matches.classes, kept, right, fewer)
        else:
            mine = why.found == i
            mended = _best_of_each(why.target, matches.scores, mine)
            labels = matches.classes.copy()
            labels[mended] = matches.truth_class[why.target[mended]]
            keep, hit = kept & ~mine, right.copy()
            keep[mended] = hit[mended] = True
            found[name] = _average(matches, labels, keep, hit, truths)
        found[name] = max(found[name] - base, 0.0) if base == base else base
    return found


def _best_of_each(target: Ints, scores: np.ndarray, mine: np.ndarray) -> Ints:
    """Of the detections meant for the same truth, for whatever cause, only the best by score becomes right."""
    rows = np.flatnonzero(target >= 0)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    best = rows[np.unique(target[rows], return_index=True)[1]]
    return best[mine[best]]


def _average(matches: Matches, labels: Ints, keep: np.ndarray, right: np.ndarray, truths: Ints) -> float:
    """The mean AP at one threshold of detections that count as told."""
    return mean(group_precision(matches.scores, labels, keep, right, truths))


def counts(why: Causes) -> dict[str, int]:
    """How often each cause occurs."""
    found = np.bincount(np.concatenate([why.found, why.truth]) + 1, minlength=len(CAUSES) + 1)
    return {name: int(found[i + 1]) for i, name in enumerate(CAUSES)}
