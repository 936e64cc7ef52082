"""What an image's class probabilities say of its truth: measured once, in strips of rows, while both are at hand.

Only these few numbers a picture are kept; the probabilities themselves are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Probabilities

STRIP_BYTES = 8 << 20
GAMMA = 2.0
EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Measured:
    """Of one image.

    Attributes:
        losses: cross_entropy, focal (nat, mean over the pixels that count), soft_dice and soft_iou (0..1); NaN where no
            pixel counts.
        confidence: (H, W) uint8, 255 times the probability of the answered class.
    """

    losses: dict[str, float]
    confidence: NDArray[np.uint8]


def measure(
    probabilities: Probabilities, answer: NDArray[Any], truth: NDArray[Any] | None, ignore: int | None = None
) -> Measured:
    """Losses of an image's probabilities, and the confidence of its answer.

    - ``cross_entropy``: mean over pixels of -ln p, p the probability given to the true class.
    - ``focal``: mean of -(1 - p)^2 ln p (Lin et al. 2017, without alpha).
    - ``soft_dice``: 1 - mean over the true classes of 2 sum(p t) / (sum(p) + sum(t)) (Sudre et al. 2017), where t is 1
      on the class's pixels and 0 elsewhere, and sums are over the pixels that count.
    - ``soft_iou``: 1 - mean over the true classes of sum(p t) / (sum(p) + sum(t) - sum(p t)) (Rahman and Wang 2016).

    Probabilities are clipped at float32's epsilon before a logarithm.

    Args:
        probabilities: (C, H, W), in strips.
        answer: (H, W) in 0..C-1.
        truth: (H, W) in 0..C-1 or ``ignore``; None if it is not known: there are no losses then.
        ignore: the number of pixels that do not count, if there are any.
    """
    classes, height, width = probabilities.shape
    step = max(1, STRIP_BYTES // (4 * classes * width))
    confidence = np.empty((height, width), np.uint8)
    sums = np.zeros((3, classes))  # of p, of t, of p t
    logs = focal = 0.0
    for start in range(0, height, step):
        strip = slice(start, min(start + step, height))
        p = probabilities.rows(strip.start, strip.stop).reshape(classes, -1)
        picked = np.take_along_axis(p, answer[strip].reshape(1, -1).astype(np.intp), axis=0)[0]
        confidence[strip] = np.rint(255 * np.clip(picked, 0, 1)).astype(np.uint8).reshape(-1, width)
        if truth is None:
            continue
        true = truth[strip].reshape(-1)
        if ignore is not None and (true == ignore).any():
            counted = true != ignore
            p, true = p[:, counted], true[counted]
        if not true.size:
            continue
        right = np.take_along_axis(p, true[None].astype(np.intp), axis=0)[0].astype(np.float64)
        sums[0] += p.sum(axis=1, dtype=np.float64)
        sums[1] += np.bincount(true, minlength=classes)
        sums[2] += np.bincount(true, weights=right, minlength=classes)
        right = np.clip(right, EPS, 1 - EPS)
        each = -np.log(right)
        logs += float(each.sum())
        focal += float(((1 - right) ** GAMMA * each).sum())
    return Measured(_losses(sums, logs, focal), confidence)


def _losses(sums: NDArray[np.float64], logs: float, focal: float) -> dict[str, float]:
    given, true, both = sums[:, sums[1] > 0]
    pixels = true.sum()
    if not pixels:
        return dict.fromkeys(("cross_entropy", "focal", "soft_dice", "soft_iou"), np.nan)
    return {
        "cross_entropy": logs / pixels,
        "focal": focal / pixels,
        "soft_dice": float(1 - (2 * both / (given + true)).mean()),
        "soft_iou": float(1 - (both / (given + true - both)).mean()),
    }
