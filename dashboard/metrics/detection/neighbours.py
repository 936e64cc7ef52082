"""What lies near each detection whatever its class: for confusions between classes and for the causes of errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.detection.columns import DetectionBatch, Floats, Ints, Kind
from dashboard.metrics.detection.matching import Matches, stable
from dashboard.metrics.detection.overlaps import blocks, box_iou, boxes, mask_iou, ranges

CONFUSED = 0.5


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The truth near the detections of ``Matches``, crowds and ignored truth left out.

    Attributes:
        same, other: (D,) the largest IoU with truth of the detection's class, and of the other classes; 0 if none.
        same_truth, other_truth: (D,) whose that is, a place in the batch's truth; -1 if none.
        claim: (D,) the truth of its class that the detection overlaps most, crowds and ignored truth included, the
            first of equal ones; -1 if none.
        claim_iou: (D,) by how much.
        pair_found, pair_truth, pair_iou: (P,) pairs of different classes whose IoU is at least .5.
    """

    same: Floats
    other: Floats
    same_truth: Ints
    other_truth: Ints
    claim: Ints
    claim_iou: Floats
    pair_found: Ints
    pair_truth: Ints
    pair_iou: Floats


def neighbours(batch: DetectionBatch, matches: Matches, kind: Kind = "bbox") -> Neighbours:
    """Look around each detection."""
    plain = ~(batch.truth.crowd | batch.truth.ignore)
    order = stable(matches.image)
    first, count = ranges(matches.image[order], batch.truth.image)
    found_boxes, truth_boxes = boxes(batch.found.xyxy[matches.row[order]]), boxes(batch.truth.xyxy)
    best = {name: (np.zeros(len(order)), np.full(len(order), -1)) for name in ("same", "other", "claim")}
    none = np.empty(0, np.int64)
    pairs: list[tuple[Ints, Ints, Floats]] = [(none, none, np.empty(0))]
    for d, g in blocks(first, count):
        if kind == "segm":
            iou = mask_iou(batch, matches.row[order[d]], g, None)
            d, g, iou = d[iou > 0], g[iou > 0], iou[iou > 0]
        else:
            d, g, iou = box_iou(found_boxes, truth_boxes, d, g, None)
        agree = matches.classes[order[d]] == batch.truth.classes[g]
        kinds = {"same": agree & plain[g], "other": ~agree & plain[g], "claim": agree}
        for name, those in kinds.items():
            _keep_best(*best[name], d[those], g[those], iou[those])
        near = kinds["other"] & (iou >= CONFUSED)
        pairs.append((order[d[near]], g[near], iou[near]))
    (same, whose), (other, others), (claim_iou, claim) = (_unsorted(order, *found) for found in best.values())
    joined = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return Neighbours(same, other, whose, others, claim, claim_iou, *joined)


def _keep_best(value: Floats, whose: Ints, d: Ints, g: Ints, iou: Floats) -> None:
    """Each detection's largest overlap, the earlier truth of equal ones; ``d`` ascends."""
    if not d.size:
        return
    start = np.flatnonzero(np.concatenate([[True], d[1:] != d[:-1]]))
    most = np.maximum.reduceat(iou, start)
    often = np.diff(np.append(start, len(d)))
    places = np.where(iou == np.repeat(most, often), np.arange(len(d)), len(d))
    first = np.minimum.reduceat(places, start)
    value[d[start]], whose[d[start]] = most, g[first]


def _unsorted(order: Ints, value: Floats, whose: Ints) -> tuple[Floats, Ints]:
    """Back in the order of the detections."""
    out, places = np.empty_like(value), np.empty_like(whose)
    out[order], places[order] = value, whose
    return out, places


def pick_pairs(pair_found: Ints, pair_truth: Ints, iou: Floats, scores: Floats, sizes: tuple[int, int]) -> NDArray:
    """Greedy one-to-one choice among pairs: by falling score, then by falling IoU; positions of those chosen.

    Args:
        pair_found: (P,) places of detections.
        pair_truth: (P,) places of truth.
        iou: (P,).
        scores: (P,) of the detection.
        sizes: how many detections and truths there are.
    """
    taken_found, taken_truth = np.zeros(sizes[0], bool), np.zeros(sizes[1], bool)
    left = np.lexsort((pair_truth, -iou, pair_found, -scores))
    chosen = []
    while left.size:  # each round takes every pair that is the first of both its ends
        d, g = pair_found[left], pair_truth[left]
        place = np.arange(len(left))
        first_d, first_g = np.full(sizes[0], len(left)), np.full(sizes[1], len(left))
        np.minimum.at(first_d, d, place)
        np.minimum.at(first_g, g, place)
        now = (first_d[d] == place) & (first_g[g] == place)
        chosen.append(left[now])
        taken_found[d[now]] = taken_truth[g[now]] = True
        left = left[~(taken_found[d] | taken_truth[g])]
    return np.concatenate([np.empty(0, np.int64), *chosen])
