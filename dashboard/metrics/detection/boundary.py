"""How well the outlines of masks agree."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.metrics.detection.columns import DetectionBatch, Floats, Ints
from dashboard.metrics.detection.matching import Matches

DILATION = 0.02
"""Width of the band along an outline, as a part of the image's diagonal."""


def boundary_iou(batch: DetectionBatch, matches: Matches) -> Floats:
    """(P,) boundary IoU of the matched pairs: IoU of the parts of both masks that lie near their own outlines.

    Source: Cheng, Girshick, Dollar, Berg, Kirillov: Boundary IoU, CVPR 2021, and its ``boundary_iou_api``: near is
    within 2 % of the image's diagonal, and the image's border is an outline.
    """
    found, truth = batch.found.masks, batch.truth.masks
    if found is None or truth is None:
        raise ValueError("masks are needed, but there are only boxes")
    out = np.zeros(len(matches.pair_found))
    if not len(out):
        return out
    ends = [
        masks.run_ends([m[i] for i in rows])
        for m, rows in ((found, matches.row[matches.pair_found].tolist()), (truth, matches.pair_truth.tolist()))
    ]
    for pair, (image, a, b) in enumerate(zip(matches.image[matches.pair_found].tolist(), *ends, strict=True)):
        height, width = batch.sizes[image].tolist()
        if len(a) < 2 or len(b) < 2:
            continue  # an empty mask shares nothing
        low = min(a[0], b[0]) // height * height
        high = -(-max(_last(a), _last(b)) // height) * height
        both = np.stack([_pixels(e, low, high, height) for e in (a, b)])
        out[pair] = _band_iou(both, max(1, round(DILATION * float(np.hypot(height, width)))))
    return out


def _last(ends: Ints) -> int:
    """Where the last run of the object ends."""
    return int(ends[-1] if len(ends) % 2 == 0 else ends[-2])


def _pixels(ends: Ints, low: int, high: int, height: int) -> NDArray[np.bool_]:
    """(columns, height) pixels between two places."""
    lengths: Ints = np.diff(np.clip(ends, low, high), prepend=low).astype(np.int64)
    flags = np.arange(len(ends)) % 2 == 1
    pixels = np.repeat(flags, lengths)
    return np.concatenate([pixels, np.zeros(high - low - len(pixels), bool)]).reshape(-1, height)


def _band_iou(both: NDArray[np.bool_], width: int) -> float:
    """IoU of the bands of two (2, H, W) masks; worked out where there is something."""
    either = both[0] | both[1]
    rows, cols = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    if not rows.size:
        return 0.0
    crop = both[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].astype(np.uint8)
    a, b = (band(m, width) for m in crop)
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 0.0


def band(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """The part of a mask within ``width`` pixels (chessboard) of what is outside it; outside the array is outside."""
    inside = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(inside, np.ones((2 * width + 1, 2 * width + 1), np.uint8))
    return (mask > 0) & (inside[1:-1, 1:-1] == 0)
