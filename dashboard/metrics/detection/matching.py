"""Who found what: COCO's greedy matching of detections with truth, for every IoU threshold and area range at once.

Source: ``pycocotools.cocoeval.COCOeval.evaluateImg``, whose results this gives exactly. Within an image and a class,
detections take their truth in the order of their scores (equal scores: as they came); each takes the free truth with
the largest IoU (equal ones: the later), ignored truth only if nothing else is left, and a crowd as often as it likes.

Here each pair of a detection and a truth carries one bit for each IoU threshold in each area range, so that one walk
over the pairs settles all of them; and since images and classes do not touch each other, the k-th pairs of all of them
are settled together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.detection.columns import DetectionBatch, Floats, Ints, Kind
from dashboard.metrics.detection.overlaps import blocks, box_iou, boxes, mask_iou, own_areas, ranges

Bits = NDArray[np.uint64]
IOUS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MOST = 100
T = len(IOUS)
ONE = np.uint64(1)
_LOWEST = float(min(IOUS[0], 1 - 1e-10))
_LADDER = np.minimum(IOUS, 1 - 1e-10)
_FULL = (1 << T) - 1
SPREAD = np.array([sum(_FULL << (a * T) for a in range(len(AREAS)) if m >> a & 1) for m in range(16)], np.uint64)
"""From bit a to the ten bits of the a-th range."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The outcome for N images. Detections stand in the order (class, image, rank), batch after batch.

    Bit ``a * 10 + t`` belongs to the a-th area range of ``AREAS`` and the t-th threshold of ``IOUS``.

    Attributes:
        row: (D,) where each detection stands in the batch's ``found``; those past the 100 best of their image and
            class are not here.
        image, classes, scores: (D,) of the detection.
        rank: (D,) its place by score within image and class, from 0.
        hit: (D,) bits, true positive.
        ignored: (D,) bits, neither right nor wrong (it took an ignored truth or a crowd, or is of another size).
        within: (D,) bits of the area ranges a detection's own area lies in: bit a.
        truth_image, truth_class: (G,) of the truth, in the batch's order.
        counted: (G,) bits of the area ranges in which the truth counts: bit a.
        pair_found, pair_truth: (P,) places among the detections and the truth here, of pairs that matched anywhere.
        pair_iou: (P,) their IoU.
        pair_hit: (P,) bits, where they are each other's match and the truth counts.
    """

    row: Ints
    image: Ints
    classes: Ints
    scores: Floats
    rank: NDArray[np.int32]
    hit: Bits
    ignored: Bits
    within: NDArray[np.uint8]
    truth_image: Ints
    truth_class: Ints
    counted: NDArray[np.uint8]
    pair_found: Ints
    pair_truth: Ints
    pair_iou: Floats
    pair_hit: Bits

    def __len__(self) -> int:
        return len(self.row)


def bit(threshold: int, area: int = 0) -> np.uint64:
    """The bit of a threshold (its place in ``IOUS``) and an area range (its place in ``AREAS``)."""
    return np.uint64(1 << (area * T + threshold))


def match(batch: DetectionBatch, kind: Kind = "bbox", most: int = MOST) -> Matches:
    """Match the detections of a batch with its truth, class by class.

    Args:
        batch: columns of detections and truth.
        kind: overlap of boxes or of masks.
        most: detections kept per image and class, the best by score (COCO: 100).

    Raises:
        ValueError: masks are wanted, but there are none.
    """
    found, truth = batch.found, batch.truth
    row, key, rank = _ranked(found.image, found.classes, found.scores, len(batch))
    if rank.size and rank.max() >= most:
        kept = rank < most
        row, key, rank = row[kept], key[kept], rank[kept]
    truth_key = truth.classes * len(batch) + truth.image
    truth_row = stable(truth_key)
    first, count = ranges(key, truth_key[truth_row])
    d, g, iou = _overlapping(batch, kind, row, truth_row, first, count)

    within = _inside(own_areas(found, batch.sizes, kind))[row]
    counts = _inside(own_areas(truth, batch.sizes, kind))
    counts[truth.crowd | truth.ignore] = 0
    wanted = SPREAD[counts][truth_row]
    hit, passed, pair_hit = _settle(d, g, iou, first, wanted, truth.crowd[truth_row])
    ignored = passed | (SPREAD[15 & ~within] & ~hit)
    used = np.flatnonzero(pair_hit)
    return Matches(
        row=row,
        image=found.image[row],
        classes=found.classes[row],
        scores=found.scores[row],
        rank=rank,
        hit=hit,
        ignored=ignored,
        within=within,
        truth_image=truth.image,
        truth_class=truth.classes,
        counted=counts,
        pair_found=d[used],
        pair_truth=truth_row[g[used]],
        pair_iou=iou[used],
        pair_hit=pair_hit[used],
    )


def by_score(scores: Floats) -> Ints:
    """Places by falling score, equal scores as they stand: a quick sort whose ties are put in order afterwards."""
    order = np.argsort(-scores)
    falling = scores[order]
    tied = np.zeros(len(order), np.int64)
    np.cumsum(falling[1:] != falling[:-1], out=tied[1:])
    del falling
    tied *= len(order)
    order += tied
    order.sort()
    order -= tied
    return order


def stable(key: Ints) -> Ints:
    """A stable order of non-negative keys; numpy sorts 16 bits in linear time."""
    if not key.size:
        return np.empty(0, np.int64)
    order, top, shift = None, int(key.max()), 0
    while order is None or top >> shift:
        digit = ((key if order is None else key[order]) >> shift).astype(np.uint16)
        step = np.argsort(digit, kind="stable")
        order, shift = step if order is None else order[step], shift + 16
    return order


def _ranked(image: Ints, classes: Ints, scores: Floats, images: int) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """Detections by (class, image, score falling): their rows, keys and places within image and class."""
    key = classes * images + image
    row = by_score(scores)
    row = row[stable(key[row])]
    key = key[row]
    if not key.size:
        return row, key, np.empty(0, np.int32)
    new = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    often = np.diff(np.append(new, len(key)))
    rank = np.arange(len(key)) - np.repeat(new, often)
    return row, key, rank.astype(np.int32)


def _overlapping(
    batch: DetectionBatch, kind: Kind, row: Ints, truth_row: Ints, first: Ints, count: Ints
) -> tuple[Ints, Ints, Floats]:
    """Pairs whose overlap reaches the lowest threshold, detections in order."""
    crowd = batch.truth.crowd if batch.truth.crowd.any() else None
    truth = boxes(batch.truth.xyxy[truth_row])
    flags = None if crowd is None else crowd[truth_row]
    parts: list[tuple[Ints, Ints, Floats]] = []
    for d, g in blocks(first, count):
        if kind == "segm":  # not only where boxes meet: a file's boxes may lie anywhere
            iou = mask_iou(batch, row[d], truth_row[g], crowd)
        else:
            low = d[0]
            found = boxes(batch.found.xyxy[row[low : d[-1] + 1]])  # of this block alone: memory
            d, g, iou = box_iou(found, truth, d - low, g, flags)
            d += low
        near = iou >= _LOWEST
        parts.append((d[near], g[near], iou[near]))
    if not parts:
        none = np.empty(0, np.int64)
        return none, none, np.empty(0)
    d, g, iou = (np.concatenate(column) for column in zip(*parts, strict=True))
    return d, g, iou


def _inside(areas: Floats) -> NDArray[np.uint8]:
    """(N,) bit a where an area lies within the a-th range, both ends included."""
    bits = np.zeros(len(areas), np.uint8)
    for a, (low, high) in enumerate(AREAS.values()):
        bits |= ((areas >= low) & (areas <= high)).astype(np.uint8) << a
    return bits


def _settle(
    d: Ints, g: Ints, iou: Floats, first: Ints, wanted: Bits, crowd: NDArray[np.bool_]
) -> tuple[Bits, Bits, Bits]:
    """Walk over the pairs.

    Args:
        d: (P,) the pairs' detections, ascending; detections stand by class, image and rank.
        g: (P,) their truth.
        iou: (P,) their overlap.
        first: (D,) where a detection's truth begins: the same for all of an image and class.
        wanted: (G,) bits in which the truth counts.
        crowd: (G,) flags.

    Returns:
        (D,) bits in which a detection took truth that counts, and truth that is ignored; (P,) bits of the former.
    """
    hit, passed, pair_hit = (np.zeros(n, np.uint64) for n in (len(first), len(first), len(d)))
    if not len(d):
        return hit, passed, pair_hit
    order = np.lexsort((-g, -iou, d))
    steps = np.searchsorted(_LADDER, iou, "right").astype(np.uint64)
    reach = ((ONE << steps) - ONE) * np.uint64(sum(1 << (a * T) for a in range(len(AREAS))))
    free = wanted.copy()
    for pairs in _by_turn(first[d], order):
        p, q = d[pairs], g[pairs]
        take = reach[pairs] & free[q] & ~hit[p]
        free[q] ^= take
        hit[p] |= take
        pair_hit[pairs] = take
    left = ~wanted & SPREAD[15]
    order = order[((reach & left[g] & ~hit[d]) != 0)[order]]
    for pairs in _by_turn(first[d[order]], order):
        p, q = d[pairs], g[pairs]
        take = reach[pairs] & left[q] & ~hit[p] & ~passed[p]
        left[q] ^= np.where(crowd[q], np.uint64(0), take)
        passed[p] |= take
    return hit, passed, pair_hit


def _by_turn(group: Ints, order: Ints) -> list[Ints]:
    """The pairs in ``order``, whose groups stand together in ``group``, in turns: the first of each group, ..."""
    if not len(order):
        return []
    new = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    often = np.diff(np.append(new, len(group)))
    turn = np.arange(len(group)) - np.repeat(new, often)
    return np.split(order[stable(turn)], np.cumsum(np.bincount(turn))[:-1])
