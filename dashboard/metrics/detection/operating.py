"""What counts at an operating point: a confidence, a matching IoU, a most of detections. No matching is done again.

A detection's match does not depend on detections below it, so raising the confidence only takes away from the end:
every number here is drawn from ``Matches`` as it is. The confusion matrix has the true positives of precision and
recall on its diagonal; what is left then meets across classes (best score first, then largest IoU), and what still
stands alone is confused with the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.metrics.detection.columns import Bools, Floats, Ints
from dashboard.metrics.detection.matching import IOUS, MOST, Matches, bit
from dashboard.metrics.detection.neighbours import Neighbours, pick_pairs


@dataclass(frozen=True)
class Point:
    """Where to operate.

    Attributes:
        confidence: detections below it are dropped, 0..1.
        iou: a place in ``IOUS``: 0 is .5, 9 is .95.
        most: detections kept per image and class, 1..100.
    """

    confidence: float
    iou: int = 0
    most: int = MOST

    @property
    def threshold(self) -> float:
        """The matching IoU."""
        return float(IOUS[self.iou])


@dataclass(frozen=True, eq=False)
class Outcome:
    """What each detection and each truth is at a point.

    Attributes:
        tp, fp: (D,) true and false positives among the detections; what is neither was dropped or ignored.
        wanted: (G,) truth that counts.
        found: (G,) truth that a detection found; wanted and not found is a miss.
        match: (G,) the detection that found it, -1 if none.
    """

    tp: Bools
    fp: Bools
    wanted: Bools
    found: Bools
    match: Ints

    @property
    def missed(self) -> Bools:
        """(G,) truth that counts and was not found."""
        return self.wanted & ~self.found


def outcome(matches: Matches, point: Point) -> Outcome:
    """Sort detections and truth into right, wrong and missed."""
    one = bit(point.iou)
    kept = (matches.scores >= point.confidence) & (matches.rank < point.most)
    tp = kept & ((matches.hit & one) != 0)
    fp = kept & (((matches.hit | matches.ignored) & one) == 0)
    pairs = ((matches.pair_hit & one) != 0) & kept[matches.pair_found]
    match = np.full(len(matches.truth_class), -1)
    match[matches.pair_truth[pairs]] = matches.pair_found[pairs]
    return Outcome(tp, fp, (matches.counted & 1) != 0, match >= 0, match)


def counts(matches: Matches, point: Point, classes: int) -> tuple[Ints, Ints, Ints]:
    """(C,) true positives, false positives and misses of each class."""
    out = outcome(matches, point)
    return (
        np.bincount(matches.classes[out.tp], minlength=classes),
        np.bincount(matches.classes[out.fp], minlength=classes),
        np.bincount(matches.truth_class[out.missed], minlength=classes),
    )


def rates(tp: Ints, fp: Ints, fn: Ints) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of counts of any shape; NaN where there is nothing to divide by."""
    hit, wrong, lost = (np.asarray(x, np.float64) for x in (tp, fp, fn))
    with np.errstate(divide="ignore", invalid="ignore"):
        return hit / (hit + wrong), hit / (hit + lost), 2 * hit / (2 * hit + wrong + lost)


@dataclass(frozen=True, eq=False)
class Cells:
    """Each detection and each truth in its cell of the confusion matrix; C is the background.

    Attributes:
        found, true: (K,) places of detections and truth; -1 for the background.
        row, column: (K,) the true and the predicted class, C for the background.
    """

    found: Ints
    true: Ints
    row: Ints
    column: Ints

    def matrix(self, classes: int) -> Ints:
        """(C + 1, C + 1) counts, [true, predicted]."""
        flat = np.bincount(self.row * (classes + 1) + self.column, minlength=(classes + 1) ** 2)
        return flat.reshape(classes + 1, classes + 1)


def confusion(matches: Matches, near: Neighbours, point: Point, classes: int) -> Cells:
    """The confusion matrix at a point, cell by cell."""
    out = outcome(matches, point)
    right = np.flatnonzero(out.found & out.wanted)
    alone, missed = out.fp.copy(), out.missed.copy()
    pairs = (near.pair_iou >= min(point.threshold, 1 - 1e-10)) & alone[near.pair_found] & missed[near.pair_truth]
    d, g, iou = near.pair_found[pairs], near.pair_truth[pairs], near.pair_iou[pairs]
    chosen = pick_pairs(d, g, iou, matches.scores[d], (len(matches), len(matches.truth_class)))
    d, g = d[chosen], g[chosen]
    alone[d], missed[g] = False, False
    lone, lost = np.flatnonzero(alone), np.flatnonzero(missed)
    label, truth = matches.classes, matches.truth_class
    return Cells(
        np.concatenate([out.match[right], d, lone, np.full(len(lost), -1)]),
        np.concatenate([right, g, np.full(len(lone), -1), lost]),
        np.concatenate([truth[right], truth[g], np.full(len(lone), classes), truth[lost]]),
        np.concatenate([label[out.match[right]], label[d], label[lone], np.full(len(lost), classes)]),
    )


@dataclass(frozen=True, eq=False)
class Sweep:
    """Precision, recall and F1 against confidence, all classes counted together.

    Attributes:
        confidence: (K,) falling; each is the score of at least one detection.
        precision, recall, f1: (K,) of the detections down to there.
    """

    confidence: Floats
    precision: Floats
    recall: Floats
    f1: Floats

    def best(self) -> float:
        """The confidence of the best F1, the highest of equal ones; NaN without detections."""
        if not len(self.f1) or np.isnan(self.f1).all():
            return float("nan")
        return float(self.confidence[int(np.nanargmax(self.f1))])


def sweep(matches: Matches, iou: int = 0, most: int = MOST, label: int | None = None) -> Sweep:
    """Every operating point at one matching IoU; ``label`` for one class alone."""
    one = bit(iou)
    keep = (matches.rank < most) & ((matches.ignored & one) == 0)
    wanted = (matches.counted & 1) != 0
    if label is not None:
        keep &= matches.classes == label
        wanted &= matches.truth_class == label
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-matches.scores[rows], kind="stable")]
    scores = matches.scores[rows]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(rows) else np.empty(0, np.int64)
    tp = np.cumsum((matches.hit[rows] & one) != 0)[last]
    precision, recall, f1 = rates(tp, last + 1 - tp, int(wanted.sum()) - tp)
    return Sweep(scores[last], precision, recall, f1)
