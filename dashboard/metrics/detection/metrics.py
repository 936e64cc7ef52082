"""The registered metrics of detection and instance segmentation, all computed from one matching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dashboard.metrics.detection import bootstrap, operating, tide, voc
from dashboard.metrics.detection.columns import Floats
from dashboard.metrics.detection.evidence import Collected, Evidence
from dashboard.metrics.detection.matching import AREAS, IOUS
from dashboard.metrics.detection.precision import RECALLS, Accumulated, accumulate
from dashboard.results import ClassTable, Curves, Distribution, Matrix, MetricResult, Scalars

BACKGROUND = "background"


def _class_means(values: Floats, axis: tuple[int, ...]) -> Floats:
    """Means that leave out what is undefined; NaN where everything is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / known.sum(axis=axis)


def fractions(values: Mapping[str, float], between: Mapping[str, tuple[float, float]] | None = None) -> Scalars:
    """Numbers in 0..1 of which more is better."""
    return Scalars(values, between or {}, dict.fromkeys(values, ""), dict.fromkeys(values, True))


def ap_columns(found: Accumulated) -> dict[str, Floats]:
    """(C,) columns of AP: over all IoUs, at .5, at .75, by size, and AR with 100 detections."""
    p = found.precision
    columns = {"ap": _class_means(p[..., 0], (0, 1)), "ap_50": _class_means(p[0, :, :, 0], (0,))}
    columns["ap_75"] = _class_means(p[5, :, :, 0], (0,))
    columns |= {f"ap_{n}": _class_means(p[..., a], (0, 1)) for a, n in enumerate(AREAS) if a}
    columns["ar_100"] = _class_means(found.recall[:, :, 0, -1], (0,))
    return columns


class CocoAP(Collected):
    """COCO's twelve numbers, of masks where there are any and of boxes, per class too, and the mean PR curves."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class``, ``pr``. Raises ValueError without data."""
        data, classes = self.joined(), len(self.class_names)
        values: dict[str, float] = {}
        between: dict[str, tuple[float, float]] = {}
        columns: dict[str, Any] = {}
        curves: dict[str, MetricResult] = {}
        for kind, matches in data.matches.items():
            prefix = "" if kind == data.kind else "box_"
            found = accumulate(matches, classes)
            values |= {prefix + k: v for k, v in found.summary().items()}
            if len(self.class_names):
                limits = bootstrap.intervals(matches, data.images, classes, times=_times(len(matches)))
                between |= {prefix + k: v for k, v in limits.items()}
            if not prefix:
                columns["support"] = found.truths[:, 0]
                curves["pr"] = _mean_curves(found)
            columns |= {prefix + k: v for k, v in ap_columns(found).items()}
        scores = fractions(values, between)
        return {"scores": scores, "per_class": ClassTable(self.class_names, columns), **curves}


def _times(detections: int) -> int:
    """Resamples: a thousand, fewer where one takes long, but never less than 200."""
    return int(np.clip(bootstrap.TIMES * 600_000 / max(detections, 1), 200, bootstrap.TIMES))


def _mean_curves(found: Accumulated) -> Curves:
    """Interpolated precision against recall, the mean over classes, one curve for each matching IoU."""
    mean = _class_means(found.precision[..., 0], (2,))
    score = _class_means(found.scores[..., 0], (2,))
    labels = [f"IoU {t:.2f}" for t in IOUS]
    areas = {name: float(np.mean(y)) for name, y in zip(labels, mean, strict=True)}
    return Curves([RECALLS] * len(IOUS), list(mean), labels, list(score), "recall", "precision", areas)


class VocAP(Collected):
    """PASCAL VOC's average precision at IoU 0.5, by eleven points and by area."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class``. Raises ValueError without data."""
        points, area = voc.average_precision(*self.joined().main, len(self.class_names))
        values = {"voc_ap_11": float(_class_means(points, (0,))), "voc_ap_area": float(_class_means(area, (0,)))}
        table = ClassTable(self.class_names, {"voc_ap_11": points, "voc_ap_area": area})
        return {"scores": fractions(values), "per_class": table}


class OperatingPoint(Collected):
    """Precision, recall, F1 and confusions at one confidence (that of the best F1) and IoU 0.5."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class``, ``confusion``, ``confidence``, ``iou``, ``score``, ``objects``."""
        data, names = self.joined(), self.class_names
        matches, near = data.main
        curve = operating.sweep(matches)
        best = curve.best()
        point = operating.Point(0.0 if np.isnan(best) else best)
        tp, fp, fn = operating.counts(matches, point, len(names))
        p, r, f = operating.rates(tp, fp, fn)
        total = operating.rates(tp.sum(), fp.sum(), fn.sum())
        values = dict(zip(("precision", "recall", "f1"), map(float, total), strict=True))
        values["operating_confidence"] = best
        table: dict[str, Any] = {"precision": p, "recall": r, "f1": f, "tp": tp, "fp": fp, "fn": fn}
        cells = operating.confusion(matches, near, point, len(names)).matrix(len(names))
        labels = [*names, BACKGROUND]
        return {
            "scores": Scalars(
                values, {}, dict.fromkeys(values, ""), dict.fromkeys(("precision", "recall", "f1"), True)
            ),
            "per_class": ClassTable(names, table),
            "confusion": Matrix(cells, labels, labels),
            "confidence": sweep_curves(curve),
            "iou": iou_histogram(data, point),
            "score": score_histogram(data, point),
            "objects": object_histogram(data, point),
        }


def sweep_curves(curve: operating.Sweep, most: int = 400) -> Curves:
    """Precision, recall and F1 against confidence, thinned out to what a screen shows."""
    keep = np.unique(np.linspace(0, len(curve.confidence) - 1, min(most, len(curve.confidence))).astype(int))
    x = curve.confidence[keep]
    ys = [curve.precision[keep], curve.recall[keep], curve.f1[keep]]
    return Curves([x] * 3, ys, ["precision", "recall", "f1"], [x] * 3, "confidence", "value")


def iou_histogram(data: Evidence, point: operating.Point, bins: int = 20) -> Distribution:
    """Of the kept detections, right and wrong, the largest IoU with truth of their class."""
    matches, near = data.main
    out = operating.outcome(matches, point)
    edges = np.linspace(0, 1, bins + 1)
    groups = {"correct": out.tp, "wrong": out.fp}
    return Distribution(edges, {k: np.histogram(near.same[v], edges)[0] for k, v in groups.items()}, "", "iou")


def score_histogram(data: Evidence, point: operating.Point, bins: int = 20) -> Distribution:
    """Confidence of all detections, right and wrong at the point's IoU."""
    matches, _ = data.main
    out = operating.outcome(matches, operating.Point(0.0, point.iou, point.most))
    edges = np.linspace(0, 1, bins + 1)
    groups = {"correct": out.tp, "wrong": out.fp}
    counts = {k: np.histogram(matches.scores[v], edges)[0] for k, v in groups.items()}
    return Distribution(edges, counts, "", "confidence")


def object_histogram(data: Evidence, point: operating.Point) -> Distribution:
    """Objects per image: true ones, and detections that are kept."""
    matches, _ = data.main
    out = operating.outcome(matches, point)
    true = np.bincount(matches.truth_image[out.wanted], minlength=data.images)
    found = np.bincount(matches.image[out.tp | out.fp], minlength=data.images)
    most = int(max(true.max(initial=0), found.max(initial=0)))
    step = max(1, -(-(most + 1) // 40))
    edges = np.arange(0, most + 1 + step, step) - 0.5
    counts = {"true": np.histogram(true, edges)[0], "predicted": np.histogram(found, edges)[0]}
    return Distribution(edges, counts, "objects", "objects")


class ErrorCauses(Collected):
    """Why AP is lost, after TIDE: six causes, what each costs and how often it occurs."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``: ``tide_CAUSE`` is the AP50 it costs, ``tide_CAUSE_count`` how often. Raises ValueError."""
        matches, near = self.joined().main
        why = tide.causes(matches, near)
        values = {f"tide_{k}": v for k, v in tide.costs(matches, why, len(self.class_names)).items()}
        counts = tide.counts(why)
        values |= {f"tide_{k}_count": float(n) for k, n in counts.items()}
        units = dict.fromkeys(values, "") | {f"tide_{k}_count": "objects" for k in counts}
        return {"scores": Scalars(values, units=units, higher_is_better=dict.fromkeys(values, False))}


class MaskQuality(Collected):
    """How good the masks of found objects are: IoU, Dice and boundary IoU of the pairs matched at IoU 0.5.

    Pairs count at the confidence of the best F1. ``miou_all`` counts missed objects as 0.
    """

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``; nothing for boxes. Raises ValueError without data."""
        data = self.joined()
        if data.boundary is None:
            return {}
        matches, _ = data.main
        best = operating.sweep(matches).best()
        point = operating.Point(0.0 if np.isnan(best) else best)
        out = operating.outcome(matches, point)
        kept = (matches.pair_hit & np.uint64(1)) != 0
        kept &= out.tp[matches.pair_found]
        iou, edges = matches.pair_iou[kept], data.boundary[kept]
        wanted = int(out.wanted.sum())
        nothing = float("nan")
        values = {
            "miou": float(iou.mean()) if iou.size else nothing,
            "mdice": float((2 * iou / (1 + iou)).mean()) if iou.size else nothing,
            "boundary_iou": float(edges.mean()) if iou.size else nothing,
            "miou_all": float(iou.sum() / wanted) if wanted else nothing,
        }
        return {"scores": fractions(values)}
