"""PASCAL VOC's average precision at IoU 0.5.

Source: Everingham et al., The PASCAL VOC Challenge, IJCV 2010, and the devkit's ``VOCevaldet``: each detection, by
falling score, claims the truth of its class that it overlaps most; the first claim of at least 0.5 is right, later ones
and lower overlaps are wrong; claims on difficult objects (and crowds) do not count. AP is the mean of the interpolated
precision at recalls 0, .1 ... 1 (VOC 2007), or the area under the interpolated curve (from 2010 on). The best hundred
detections per image and class are used.
"""

from __future__ import annotations

import numpy as np

from dashboard.metrics.detection.columns import Floats
from dashboard.metrics.detection.matching import Matches
from dashboard.metrics.detection.neighbours import Neighbours
from dashboard.metrics.detection.precision import ranking

OVERLAP = 0.5


def average_precision(matches: Matches, near: Neighbours, classes: int) -> tuple[Floats, Floats]:
    """(C,) 11-point and (C,) area AP; NaN for classes without truth that counts."""
    wanted = (matches.counted & 1) != 0
    order = ranking(matches)
    claim = np.where(near.claim_iou >= OVERLAP, near.claim, -1)[order]
    counts = np.append(wanted, True)[claim]  # -1 reads the last: a detection without truth is wrong, and counts
    first = np.zeros(len(order), bool)
    first[np.unique(claim, return_index=True)[1]] = True
    right = first & (claim >= 0) & counts
    label = matches.classes[order]
    start = np.searchsorted(label, np.arange(classes + 1))
    truths = np.bincount(matches.truth_class[wanted], minlength=classes)
    points, area = np.full(classes, np.nan), np.full(classes, np.nan)
    for c in np.flatnonzero(truths):
        mine = slice(start[c], start[c + 1])
        points[c], area[c] = _of_class(right[mine][counts[mine]], int(truths[c]))
    return points, area


def _of_class(right: np.ndarray, truths: int) -> tuple[float, float]:
    """11-point and area AP of one class from its detections by falling score."""
    tp = np.cumsum(right)
    recall = tp / truths
    precision = tp / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.arange(11) / 10, "left")
    points = np.append(best, 0.0)[at].sum() / 11
    return float(points), float((np.diff(recall, prepend=0.0) * best).sum())
