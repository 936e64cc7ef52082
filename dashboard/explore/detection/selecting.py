"""Which objects, and so which images, a click means; and in which order the images come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.explore.detection.opened import Opened
from dashboard.metrics.detection.columns import Bools
from dashboard.metrics.detection.losses import confidence_losses, pair_losses
from dashboard.metrics.detection.matching import AREAS, IOUS, bit
from dashboard.metrics.detection.operating import Outcome, Point, confusion, outcome
from dashboard.metrics.detection.overlaps import own_areas
from dashboard.metrics.detection.precision import RECALLS, image_precision
from dashboard.metrics.detection.tide import CAUSES

Selection = Mapping[str, Any]
ALL: Selection = {"kind": "all"}
ORDERS = (
    "dataset",
    "errors",
    "missed",
    "false_positives",
    "f1_error",
    "ap_error",
    "loss_iou",
    "loss_giou",
    "loss_l1",
    "loss_smooth_l1",
    "loss_confidence_bce",
    "loss_confidence_focal",
)
GROUPS = ("correct", "wrong")


@dataclass(frozen=True, eq=False)
class Selected:
    """What a selection means.

    Attributes:
        images: places in the batch, in the wanted order.
        values: what they are ordered by, likewise; NaN where undefined.
        found, truth: flags of the objects that are meant, by place in ``Opened.matches`` and by row of the truth.
    """

    images: NDArray[np.int64]
    values: NDArray[np.float64]
    found: Bools
    truth: Bools


def checked(selection: Any, classes: int) -> Selection:
    """A selection as it came from the browser. Raises InputError if it means nothing."""
    if not isinstance(selection, Mapping) or not isinstance(selection.get("kind"), str):
        raise InputError("There is no such selection: reload the page and click again.")
    kind = selection["kind"]

    def number(name: str, low: float, high: float) -> bool:
        value = selection.get(name)
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    def label(name: str, most: int) -> bool:
        return isinstance(selection.get(name), int) and number(name, 0, most)

    group = selection.get("group")
    fits = {
        "all": True,
        "class": label("class", classes - 1),
        "cell": label("true", classes) and label("predicted", classes),
        "cause": selection.get("cause") in CAUSES,
        "size": selection.get("size") in AREAS and label("class", classes - 1) | (selection.get("class") is None),
        "score": number("low", 0, 1) and (selection.get("class") is None or label("class", classes - 1)),
        "bin": selection.get("of") in ("iou", "score") and number("low", 0, 1) and number("high", 0, 1.01),
        "recall": label("step", len(RECALLS) - 1),
        "loose": label("iou", len(IOUS) - 1) and (selection.get("class") is None or label("class", classes - 1)),
        "objects": number("low", -1, 1e9) and number("high", -1, 1e9),
    }
    if not fits.get(kind, False) or group not in (None, *GROUPS, "true", "predicted"):
        raise InputError("There is no such selection: reload the page and click again.")
    return dict(selection)


def selected(view: Opened, selection: Selection, point: Point, order: str = "dataset") -> Selected:
    """The images of a selection at a point.

    Args:
        view: the run.
        selection: as ``checked`` gives it.
        point: confidence, matching IoU, most detections.
        order: one of ``ORDERS``; all but the first put the hardest first, and images where it is undefined last.
    """
    out = outcome(view.matches, point)
    found, truth = _objects(view, selection, point, out)
    images = np.zeros(len(view.batch), bool)
    images[view.matches.image[found]] = True
    images[view.matches.truth_image[truth]] = True
    if selection["kind"] == "all":
        images[:] = True
    if selection["kind"] == "objects":
        per_image = _per_image(view, out, selection.get("group") == "predicted")
        images = (per_image >= selection["low"]) & (per_image < selection["high"])
    places = np.flatnonzero(images)
    if order == "dataset" or order not in ORDERS:
        return Selected(places, np.full(len(places), np.nan), found, truth)
    values = per_image_values(view, point)[order][places]
    by = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    return Selected(places[by], values[by], found, truth)


def _per_image(view: Opened, out: Outcome, predicted: bool) -> NDArray[np.int64]:
    """Objects of each image, true ones or kept detections."""
    if predicted:
        return np.bincount(view.matches.image[out.tp | out.fp], minlength=len(view.batch))
    return np.bincount(view.matches.truth_image[out.wanted], minlength=len(view.batch))


def _objects(view: Opened, selection: Selection, point: Point, out: Outcome) -> tuple[Bools, Bools]:
    """Flags of the objects that are meant."""
    m = view.matches
    found, truth = np.zeros(len(m), bool), np.zeros(len(m.truth_class), bool)
    kind, label = selection["kind"], selection.get("class")
    kept = out.tp | out.fp
    if kind == "class":
        return kept & (m.classes == label), out.wanted & (m.truth_class == label)
    if kind == "cell":
        cells = confusion(m, view.near, point, len(view.names))
        mine = (cells.row == selection["true"]) & (cells.column == selection["predicted"])
        found[cells.found[mine & (cells.found >= 0)]] = True
        truth[cells.true[mine & (cells.true >= 0)]] = True
    elif kind == "cause":
        number = CAUSES.index(selection["cause"])
        found, truth = view.causes.found == number, view.causes.truth == number
    elif kind == "size":
        low, high = AREAS[selection["size"]]
        areas = own_areas(view.batch.truth, view.batch.sizes, view.kind)
        truth = out.missed & (areas >= low) & (areas <= high)
        truth &= True if label is None else m.truth_class == label
    elif kind == "recall":  # each class down to the score at which it reaches that recall
        down_to = view.accumulated.scores[point.iou, selection["step"], :, 0]
        with np.errstate(invalid="ignore"):
            found = _anywhere(view, point) & (m.scores >= down_to[m.classes]) & (down_to[m.classes] > 0)
    elif kind == "loose":  # right at IoU .5, wrong at that one; at .5 itself all that are right
        strict = (m.hit & bit(selection["iou"])) != 0
        found = kept & ((m.hit & bit(0)) != 0) & (~strict if selection["iou"] else strict)
        found &= True if label is None else m.classes == label
    elif kind in ("score", "bin"):
        values = view.near.same if selection.get("of") == "iou" else m.scores
        within = (values >= selection["low"]) & (values < selection.get("high", 2.0))
        within |= (values == 1) & (selection.get("high", 2.0) >= 1)
        if kind == "bin" and selection["of"] == "score":
            out = outcome(m, Point(0.0, point.iou, point.most))
        those = {"correct": out.tp, "wrong": out.fp}.get(str(selection.get("group")), out.tp | out.fp)
        if kind == "score":
            those = _anywhere(view, point)
        found = those & within & (True if label is None else m.classes == label)
    return found, truth


def _anywhere(view: Opened, point: Point) -> Bools:
    """Detections that count at the point's IoU, at any confidence."""
    out = outcome(view.matches, Point(0.0, point.iou, point.most))
    return out.tp | out.fp


def per_image_values(view: Opened, point: Point) -> dict[str, NDArray[np.float64]]:
    """(N,) of every order but the dataset's: larger is harder; NaN where there is nothing to measure."""
    m, images = view.matches, len(view.batch)
    out = outcome(m, point)
    tp = np.bincount(m.image[out.tp], minlength=images)
    fp = np.bincount(m.image[out.fp], minlength=images)
    fn = np.bincount(m.truth_image[out.missed], minlength=images)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1_error = 1 - 2 * tp / (2 * tp + fp + fn)
    values = {
        "errors": (fp + fn).astype(float),
        "missed": fn.astype(float),
        "false_positives": fp.astype(float),
        "f1_error": f1_error,
    }
    values["ap_error"] = 1 - image_precision(m, images, point.iou)
    hit = np.flatnonzero(out.found)
    pairs = pair_losses(
        view.batch.found.xyxy[m.row[out.match[hit]]], view.batch.truth.xyxy[hit], _pair_iou(view, point, hit)
    )
    values |= {k: _means(m.truth_image[hit], v, images) for k, v in pairs.items()}
    kept = np.flatnonzero(out.tp | out.fp)
    sure = confidence_losses(m.scores[kept], out.tp[kept])
    return values | {k: _means(m.image[kept], v, images) for k, v in sure.items()}


def _pair_iou(view: Opened, point: Point, truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """The IoU of each found truth with what found it."""
    m = view.matches
    iou = np.zeros(len(m.truth_class))
    mine = (m.pair_hit >> np.uint64(point.iou)) & np.uint64(1) > 0
    iou[m.pair_truth[mine]] = m.pair_iou[mine]
    return iou[truth]


def _means(image: NDArray[np.int64], values: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Mean an image; NaN without any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(image, values, images) / np.bincount(image, minlength=images)
