"""Average precision and recall from matches, as COCO accumulates them.

Source: ``pycocotools.cocoeval.COCOeval.accumulate``: detections of a class over all images by falling score (equal
scores in image order), precision made monotone from the right, read at 101 recalls; recall at the best 1, 10 and 100
detections per image and class. A class without truth (of that size) is undefined and out of every mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.detection.columns import Floats, Ints
from dashboard.metrics.detection.matching import AREAS, SPREAD, Bits, Matches, T, bit, by_score, stable

RECALLS = np.linspace(0.0, 1.0, 101)
LIMITS = (1, 10, 100)
A, R = len(AREAS), len(RECALLS)
_EPS = float(np.spacing(1))


@dataclass(frozen=True, eq=False)
class Accumulated:
    """Precision and recall of every class, threshold and size; NaN where there is no truth.

    Attributes:
        precision: (T, R, C, A) interpolated precision at ``RECALLS``, with 100 detections per image and class.
        scores: (T, R, C, A) the score down to which that recall is reached; 0 where it never is.
        recall: (T, C, A, 3) the recall with the best 1, 10, 100.
        truths: (C, A) objects that count.
    """

    precision: Floats
    scores: Floats
    recall: Floats
    truths: Ints

    def summary(self) -> dict[str, float]:
        """COCO's twelve numbers by torchmetrics' names; NaN where undefined."""
        ap, ar = self.precision, self.recall
        names = list(AREAS)
        found = {"map": mean(ap[..., 0]), "map_50": mean(ap[0, ..., 0]), "map_75": mean(ap[5, ..., 0])}
        found |= {f"map_{n}": mean(ap[..., a]) for a, n in enumerate(names) if a}
        found |= {f"mar_{limit}": mean(ar[..., 0, m]) for m, limit in enumerate(LIMITS)}
        found |= {f"mar_{n}": mean(ar[..., a, -1]) for a, n in enumerate(names) if a}
        return found


def mean(values: NDArray[np.floating]) -> float:
    """Mean of what is defined; NaN if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def ranking(matches: Matches) -> Ints:
    """Places of the detections by class, then score falling, then image and rank."""
    order = by_score(matches.scores)
    return order[stable(matches.classes[order])]


def truth_counts(matches: Matches, classes: int) -> Ints:
    """(C, A) objects that count."""
    counts = [np.bincount(matches.truth_class[(matches.counted >> a & 1) > 0], minlength=classes) for a in range(A)]
    return np.stack(counts, axis=1)


def accumulate(matches: Matches, classes: int) -> Accumulated:
    """Precision at 101 recalls for ``classes`` classes."""
    truths = truth_counts(matches, classes)
    order = ranking(matches)
    class_start = np.searchsorted(matches.classes[order], np.arange(classes + 1))
    within = matches.within[order]
    odd = matches.ignored & SPREAD[matches.within]  # of the size, yet ignored: it took ignored truth
    touched = np.flatnonzero((matches.hit | odd)[order])  # the others just count as wrong, if of the size
    rows = order[touched]
    hit, odd, scores = matches.hit[rows], odd[rows], matches.scores[rows]
    outside = hit & ~SPREAD[matches.within[rows]]  # of another size, yet right
    rank, label = matches.rank[rows], matches.classes[rows]
    first = np.searchsorted(label, np.arange(classes + 1))  # where a class begins among those

    need = needed(truths)
    precision = np.full((T, R, classes, A), np.nan)
    reached = np.full((T, R, classes, A), np.nan)
    recall = np.full((T, classes, A, len(LIMITS)), np.nan)
    for a in range(A):
        present = np.flatnonzero(truths[:, a])
        precision[:, :, present, a] = reached[:, :, present, a] = 0
        sized = np.concatenate([[0], np.cumsum((within >> a) & 1, dtype=np.int64)])
        regular = sized[touched + 1] - sized[class_start[label]]
        for t in range(T):
            one = bit(t, a)
            places = np.flatnonzero(hit & one)
            found = label[places]
            counts = np.bincount(found, minlength=classes)
            starts = np.cumsum(counts) - counts
            tp = np.arange(1, len(places) + 1) - starts[found]
            seen = regular[places] + _changes(outside, odd, one, places, first[found])
            envelope = tp / ((seen - tp) + tp + _EPS)
            read(envelope, scores[places], counts, starts, need[:, :, a], precision[t, :, :, a], reached[t, :, :, a])
            for m, limit in enumerate(LIMITS):
                few = counts if limit >= 100 else np.bincount(found[rank[places] < limit], minlength=classes)
                recall[t, present, a, m] = few[present] / truths[present, a]
    return Accumulated(precision, reached, recall, truths)


def _changes(outside: Bits, odd: Bits, one: np.uint64, places: Ints, first: Ints) -> Ints | int:
    """How many more detections count down to each place, since its class began, than those of the size."""
    more, less = (outside & one) != 0, (odd & one) != 0
    if not (more.any() or less.any()):
        return 0
    total = np.concatenate([[0], np.cumsum(more.astype(np.int64) - less)])
    return total[places + 1] - total[first]


def needed(truths: Ints) -> Ints:
    """(C, R, A) true positives needed to reach each recall: the least n with n / truths >= recall, at least 1."""
    total = np.maximum(truths, 1)[:, None, :].astype(np.float64)
    wanted = RECALLS[None, :, None]
    n = np.ceil(wanted * total - 1e-6)
    n += n / total < wanted  # as the division rounds, not as the product does
    n -= (n > 0) & ((n - 1) / total >= wanted)
    return np.maximum(n, 1).astype(np.int64)


def read(
    precision: Floats, scores: Floats, counts: Ints, starts: Ints, need: Ints, out: Floats, out_scores: Floats
) -> None:
    """Write the monotone precision, and the score, at each recall of each class into (R, C) ``out``."""
    if not len(precision):
        return
    reachable = need <= counts[:, None]
    label, step = np.nonzero(reachable)
    at = starts[label] + need[label, step] - 1
    best = np.zeros(need.shape)
    best[label, step] = np.maximum.reduceat(precision, at)
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    out[step, label] = best[label, step]
    out_scores[step, label] = scores[at]


def group_precision(
    scores: Floats, labels: Ints, keep: NDArray[np.bool_], right: NDArray[np.bool_], truths: Ints
) -> Floats:
    """Average precision of any grouping of detections (classes, images) at one threshold.

    Args:
        scores: (D,) confidences.
        labels: (D,) group of each detection, 0..G-1.
        keep: (D,) which count at all.
        right: (D,) which are true positives.
        truths: (G,) objects to be found.

    Returns:
        (G,) AP at 101 recalls; NaN where there is nothing to find.
    """
    rows = np.flatnonzero(keep)
    rows = rows[by_score(scores[rows])]
    rows = rows[stable(labels[rows])]
    label, places = labels[rows], np.flatnonzero(right[rows])
    groups = len(truths)
    start = np.searchsorted(label, np.arange(groups + 1))
    counts = np.bincount(label[places], minlength=groups)
    starts = np.cumsum(counts) - counts
    tp = np.arange(1, len(places) + 1) - starts[label[places]]
    seen = places - start[label[places]] + 1
    out = np.zeros((R, groups))
    read(tp / seen, scores[rows][places], counts, starts, needed(truths[:, None])[:, :, 0], out, np.zeros_like(out))
    return np.where(truths > 0, out.mean(axis=0), np.nan)


def image_precision(matches: Matches, images: int, threshold: int = 0) -> Floats:
    """(N,) AP of each image alone at one IoU threshold, its classes pooled; NaN where there is nothing to find."""
    one = bit(threshold)
    truths = np.bincount(matches.truth_image[(matches.counted & 1) > 0], minlength=images)
    keep, right = (matches.ignored & one) == 0, (matches.hit & one) != 0
    return group_precision(matches.scores, matches.image, keep, right, truths)
