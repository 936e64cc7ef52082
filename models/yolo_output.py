"""From a YOLO head's numbers to boxes and masks, as Ultralytics does it: suppression and mask prototypes."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.detection import Placement, Size, Thresholds, place_mask

if TYPE_CHECKING:
    import torch

MOST_CANDIDATES = 30_000  # that suppression looks at in a picture
CLASS_OFFSET = 7680.0  # pixels that boxes are moved by a class, so that classes do not suppress each other
FIRST = 4  # times max_det: the candidates of the first round


def suppress(outputs: torch.Tensor, classes: int, thresholds: Thresholds, multi_label: bool = True) -> torch.Tensor:
    """Non-maximum suppression of one picture's raw outputs, with Ultralytics' results, class offset included.

    Args:
        outputs: (4 + classes + E, A) float32: centre x, centre y, width, height in input pixels; a score a class; E
            further numbers (mask coefficients), for each of A anchors.
        classes: how many.
        thresholds: conf, iou and max_det.
        multi_label: an anchor may give a box for each class above ``conf`` (``yolo val``), not only for its best
            (``yolo predict``).

    Returns:
        (N, 6 + E): xyxy in input pixels, score, class, the further numbers; best first.

    Unlike the original it has no time limit, after which that one drops the rest of a batch. As suppression goes from
    the best box downwards, the first ``max_det`` survivors can be told from the best few candidates; more are looked
    at only when those do not suffice.
    """
    import torch
    import torchvision

    some = (outputs[4 : 4 + classes].amax(0) > thresholds.conf).nonzero().squeeze(1)
    columns = outputs.index_select(1, some)  # (4 + classes + E, n)
    scores = columns[4 : 4 + classes].T
    if multi_label and classes > 1:
        anchor, label = (scores > thresholds.conf).nonzero(as_tuple=True)
        score = scores[anchor, label]
    else:
        score, label = scores.max(1) if len(some) else (scores.new_empty(0), some)
        anchor = torch.arange(len(some), device=outputs.device)
    score, order = score.sort(descending=True, stable=True)
    score, order = score[:MOST_CANDIDATES], order[:MOST_CANDIDATES]
    looked = FIRST * thresholds.max_det
    while True:
        anchors, labels = anchor[order[:looked]], label[order[:looked]]
        centre, half = columns[:2, anchors], columns[2:4, anchors] / 2
        boxes = torch.cat([centre - half, centre + half]).T
        apart = boxes + (labels * CLASS_OFFSET)[:, None].to(boxes.dtype)
        keep = torchvision.ops.nms(apart, score[:looked], thresholds.iou)[: thresholds.max_det]
        if len(keep) == thresholds.max_det or looked >= len(score):
            break
        looked *= 4
    more = columns[4 + classes :, anchors[keep]].T
    return torch.cat([boxes[keep], score[keep, None], labels[keep, None].to(boxes.dtype), more], 1)


def best(rows: torch.Tensor, thresholds: Thresholds) -> torch.Tensor:
    """Rows (N, 6 + E) of an end-to-end head, best first already: those above ``conf``, at most ``max_det``."""
    return rows[rows[:, 4] > thresholds.conf][: thresholds.max_det]


def corners(boxes: NDArray[Any], size: Size) -> NDArray[np.float64]:
    """(N, 4) centre, width and height as fractions of a picture of ``size`` to xyxy in its pixels (RT-DETR)."""
    boxes = np.asarray(boxes, np.float64)
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1) * (size[::-1] * 2)


def instance_masks(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    boxes: NDArray[Any],
    where: Placement,
    size: Size,
) -> list[bytes]:
    """Masks at the picture's own resolution (Ultralytics' ``process_mask_native``, ``retina_masks=True``).

    Prototypes are enlarged bilinearly until the padding can be cut off at whole pixels, cut, enlarged to the picture,
    thresholded at 0 (probability 0.5) and cropped to the box. Both enlargements are linear and go along rows and
    columns apart, so together they are two matrices, and only what lies inside a box is ever computed: a hundred masks
    of a large picture take no more memory than the largest box.

    Args:
        coefficients: (N, P).
        prototypes: (P, h, w), a quarter of the network's input.
        boxes: (N, 4) xyxy in the picture's pixels, clipped to it.
        where: the picture in the network's input.
        size: (height, width) of the picture.

    Returns:
        N run lengths (``dashboard.masks``).
    """
    count, high, wide = prototypes.shape
    factor = 4 // gcd(4, where.top, where.left, *where.inner)
    down = _enlargement(high, factor, where.top * factor // 4, where.inner[0] * factor // 4, size[0])
    across = _enlargement(wide, factor, where.left * factor // 4, where.inner[1] * factor // 4, size[1])
    logits = (coefficients @ prototypes.reshape(count, -1)).reshape(-1, high, wide)
    found = []
    for picture, box in zip(logits, boxes, strict=True):
        x1, y1, x2, y2 = (ceil(float(side)) for side in box)  # pixels whose number is in [x1, x2)
        rows, top, bottom = _part(down, y1, y2)
        columns, left, right = _part(across, x1, x2)
        inside = columns @ picture[top:bottom, left:right].T @ rows.T
        found.append(place_mask(inside > 0, x1, y1, size))
    return found


def _part(enlargement: NDArray[np.float32], start: int, end: int) -> tuple[NDArray[np.float32], int, int]:
    """Rows ``start``..``end`` of a matrix, and the first and the end of the columns that they need."""
    if start >= end:
        return enlargement[:0, :0], 0, 0
    first = int(np.flatnonzero(enlargement[start])[0])
    last = int(np.flatnonzero(enlargement[end - 1])[-1]) + 1
    return enlargement[start:end, first:last], first, last


@lru_cache(maxsize=64)
def _enlargement(length: int, factor: int, offset: int, inner: int, target: int) -> NDArray[np.float32]:
    """(target, length) weights: enlarge ``factor`` times, keep ``inner`` from ``offset``, resize to ``target``."""
    first = _bilinear(length, length * factor)[offset : offset + inner]
    index, weight = _neighbours(inner, target)
    after = np.minimum(index + 1, inner - 1)
    return ((1 - weight)[:, None] * first[index] + weight[:, None] * first[after]).astype(np.float32)


def _bilinear(length: int, target: int) -> NDArray[np.float64]:
    index, weight = _neighbours(length, target)
    matrix = np.zeros((target, length))
    rows = np.arange(target)
    matrix[rows, index] += 1 - weight
    matrix[rows, np.minimum(index + 1, length - 1)] += weight
    return matrix


def _neighbours(length: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(first neighbour, weight of the second) of each of ``target`` pixels (``align_corners=False``)."""
    source = np.maximum((np.arange(target) + 0.5) * (length / target) - 0.5, 0)
    index = np.minimum(source.astype(np.int64), length - 1)
    return index, source - index
