"""Every number of semantic segmentation as a function of counts. Formulas are written here and nowhere else.

All but the boundary scores follow from three numbers a class, ``n[..., c, :]``: its pixels that are right, its true
pixels and its answered pixels (Long, Shelhamer, Darrell: Fully convolutional networks, CVPR 2015, and Garcia-Garcia et
al. 2017). A class that is in neither truth nor answer is undefined, NaN, and left out of means: it is not 0. Pixels
answered "other" are true pixels that are not right. Any leading axes: images, resamples, slices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.segmentation.counts import Counts, per_class_edges, per_image

Floats = NDArray[np.float64]
NAMES = ("pixel_accuracy", "mean_pixel_accuracy", "miou", "frequency_weighted_iou", "mdice")


def iou(n: NDArray[Any]) -> Floats:
    """(..., C) right / (true + answered - right), the Jaccard index."""
    return _ratio(n[..., 0], n[..., 1] + n[..., 2] - n[..., 0])


def dice(n: NDArray[Any]) -> Floats:
    """(..., C) 2 right / (true + answered), the F1 of pixels."""
    return _ratio(2 * n[..., 0], n[..., 1] + n[..., 2])


def accuracy(n: NDArray[Any]) -> Floats:
    """(..., C) right / true, the recall of a class's pixels; undefined where it is not in the truth."""
    return _ratio(n[..., 0], n[..., 1])


def precision(n: NDArray[Any]) -> Floats:
    """(..., C) right / answered; undefined where it is not in the answer."""
    return _ratio(n[..., 0], n[..., 2])


def scores(n: NDArray[Any]) -> dict[str, Floats]:
    """Each (...): the numbers of ``NAMES``.

    - pixel_accuracy: right pixels of all that count.
    - mean_pixel_accuracy: mean of ``accuracy`` over the classes of the truth.
    - miou, mdice: means over the classes of truth or answer.
    - frequency_weighted_iou: IoU weighted by the part of the pixels that is the class's in the truth.
    """
    true = n[..., 1].astype(np.float64)
    each = iou(n)
    weighted = np.where(true > 0, np.nan_to_num(each) * true, 0).sum(axis=-1)
    return {
        "pixel_accuracy": _ratio(n[..., 0].sum(axis=-1), n[..., 1].sum(axis=-1)),
        "mean_pixel_accuracy": mean(accuracy(n)),
        "miou": mean(each),
        "frequency_weighted_iou": _ratio(weighted, true.sum(axis=-1)),
        "mdice": mean(dice(n)),
    }


def image_scores(counts: Counts) -> dict[str, Floats]:
    """(N,) of each image: iou and dice, means over the classes that occur in its truth or answer; pixel_accuracy.

    NaN where no pixel counts. The mean of these over images is not mIoU: there a class's pixels are added up over all
    images before the ratio is taken, here every image weighs the same, and a class only in images that have it.
    """
    n = per_image(counts)
    found = scores(n)
    return {"iou": found["miou"], "dice": found["mdice"], "pixel_accuracy": found["pixel_accuracy"]}


def boundary_scores(counts: Counts) -> dict[str, Floats]:
    """(C,) each, from pixels summed over images: boundary_iou, and boundary_precision, _recall and _f1.

    Precision is the part of the answer's outline that is near the truth's, recall the part of the truth's that is near
    the answer's, F1 their harmonic mean. A class without an outline (it fills whole pictures, or occurs in none) is
    undefined; one that only one side has scores 0. MATLAB's ``bfscore`` and Csurka et al. take the score of each image
    and average images; summed pixels agree with how every other number here is made, and give a picture with a long
    outline more weight than one with a speck.
    """
    both, either, found, found_hit, true, true_hit = per_class_edges(counts).T
    hits, lines = _ratio(found_hit, found), _ratio(true_hit, true)
    some = (found > 0) | (true > 0)
    p, r = np.nan_to_num(hits), np.nan_to_num(lines)
    f1 = np.where(some, _ratio(2 * p * r, p + r, empty=0.0), np.nan)
    return {
        "boundary_iou": _ratio(both, either),
        "boundary_f1": f1,
        "boundary_precision": hits,
        "boundary_recall": lines,
    }


def mean(values: Floats) -> Floats:
    """(...) over the last axis, undefined ones left out; NaN if all are."""
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def _ratio(part: Any, whole: Any, empty: float = np.nan) -> Floats:
    """Part over whole; ``empty`` where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, empty), where=whole != 0)
