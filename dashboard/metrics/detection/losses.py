"""How far a detection is from its truth, one number a pair or a detection: what training minimises.

IoU loss: Yu et al., UnitBox, 2016. GIoU loss: Rezatofighi et al., CVPR 2019. Smooth L1: Girshick, Fast R-CNN, 2015.
Focal: Lin et al., RetinaNet, ICCV 2017.
"""

from __future__ import annotations

import numpy as np

from dashboard.metrics.detection.columns import Bools, Floats

EPS = 1e-7
BETA = 1.0
"""Pixels below which smooth L1 is quadratic."""
GAMMA = 2.0


def pair_losses(found: Floats, truth: Floats, iou: Floats | None = None) -> dict[str, Floats]:
    """(P,) losses of matched boxes.

    Args:
        found: (P, 4) xyxy in pixels.
        truth: (P, 4) likewise.
        iou: (P,) overlap of masks, where that is what counts; of the boxes if None.

    Returns:
        ``loss_iou`` 1 - IoU, ``loss_giou`` 1 - GIoU (0..2, boxes), ``loss_l1`` and ``loss_smooth_l1``, means over the
        four corner coordinates in pixels.
    """
    low, high = np.maximum(found[:, :2], truth[:, :2]), np.minimum(found[:, 2:], truth[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(found[:, 2:] - found[:, :2], axis=1) + np.prod(truth[:, 2:] - truth[:, :2], axis=1) - shared
    hull = np.prod(np.maximum(found[:, 2:], truth[:, 2:]) - np.minimum(found[:, :2], truth[:, :2]), axis=1)
    boxes = shared / np.maximum(union, EPS)
    giou = boxes - (hull - union) / np.maximum(hull, EPS)
    far = np.abs(found - truth)
    smooth = np.where(far < BETA, 0.5 * far**2 / BETA, far - 0.5 * BETA)
    own = boxes if iou is None else iou
    return {
        "loss_iou": 1 - own,
        "loss_giou": 1 - giou,
        "loss_l1": far.mean(axis=1),
        "loss_smooth_l1": smooth.mean(axis=1),
    }


def confidence_losses(scores: Floats, right: Bools, gamma: float = GAMMA) -> dict[str, Floats]:
    """(D,) losses of confidences against being right.

    Args:
        scores: (D,) in 0..1; clipped to 1e-7 from both ends.
        right: (D,) whether the detection is a true positive.
        gamma: of the focal loss.

    Returns:
        ``loss_confidence_bce`` (nats) and ``loss_confidence_focal``, -(1 - p)^gamma log p, p the score of what is true.
    """
    p = np.clip(np.where(right, scores, 1 - scores), EPS, 1 - EPS)
    return {"loss_confidence_bce": -np.log(p), "loss_confidence_focal": -((1 - p) ** gamma) * np.log(p)}
