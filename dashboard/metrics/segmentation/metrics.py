"""The registered metrics of semantic segmentation. All draw from the same counts, made once a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics import collected
from dashboard.metrics.intervals import FEW, NONE, normal_mean
from dashboard.metrics.segmentation.bootstrap import intervals
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counts import Counts, count, join, matrix, per_image
from dashboard.metrics.segmentation.scores import (
    NAMES,
    Floats,
    accuracy,
    boundary_scores,
    dice,
    image_scores,
    iou,
    mean,
    precision,
    scores,
)
from dashboard.results import ClassTable, Distribution, Matrix, MetricResult, Scalars

OTHER = "other"
"""The last column of the confusion matrix: pixels given a class that the data does not have, or none."""


class Collected(collected.Collected[SegmentationBatch, Counts]):
    """A metric that is computed from the counts of all images at the end."""

    join = staticmethod(join)

    def evidence(self, batch: SegmentationBatch) -> Counts:
        """Its counts. Raises ValueError for numbers past the class names, or maps of different sizes."""
        if batch.classes != len(self.class_names):
            raise ValueError(f"classes must be {len(self.class_names)}, as the class names, got {batch.classes}")
        return count(batch)


class PixelConfusion(Collected):
    """Pixel accuracy, IoU, Dice and the confusion matrix of pixels."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``classes`` and ``matrix``."""
        counts = self.joined()
        n = per_image(counts)
        total = n.sum(axis=0)
        ends = intervals(n, lambda m: scores(m) | {"iou": iou(m), "dice": dice(m)})
        values = scores(total)
        columns: dict[str, Any] = {"support": total[:, 1], "images": (n[..., 1] > 0).sum(axis=0)}
        columns |= {"iou": iou(total), "dice": dice(total), "accuracy": accuracy(total), "precision": precision(total)}
        for name in ("iou", "dice"):
            columns |= {f"{name}_low": ends[name][:, 0], f"{name}_high": ends[name][:, 1]}
        cells = matrix(counts)
        other = bool(cells[:, -1].any())
        names = [*self.class_names, OTHER] if other else self.class_names
        return {
            "scores": Scalars(
                {name: float(values[name]) for name in NAMES},
                {name: (float(ends[name][0]), float(ends[name][1])) for name in NAMES},
                dict.fromkeys(NAMES, ""),
                dict.fromkeys(NAMES, True),
            ),
            "classes": ClassTable(self.class_names, columns),
            "matrix": Matrix(cells if other else cells[:, :-1], self.class_names, names),
        }


class BoundaryQuality(Collected):
    """Boundary IoU and the boundary F score: how well outlines are met."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores`` and ``classes``."""
        counts = self.joined()
        columns = boundary_scores(counts)
        names = ("boundary_iou", "boundary_f1")
        return {
            "scores": Scalars(
                {name: float(mean(columns[name])) for name in names},
                {},
                dict.fromkeys(names, ""),
                dict.fromkeys(names, True),
            ),
            "classes": ClassTable(self.class_names, columns),
        }


class ImageLosses(Collected):
    """Numbers of single images: their mean IoU, and what their probabilities say."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, means over images with intervals, and ``iou``, how per-image IoU is spread."""
        counts = self.joined()
        each = image_scores(counts)
        columns: dict[str, Floats] = {"image_miou": each["iou"], "image_mdice": each["dice"], **counts.losses}
        values, ends = {}, {}
        for name, column in columns.items():
            known = column[np.isfinite(column)]
            values[name] = float(known.mean()) if known.size else np.nan
            ends[name] = _mean_interval(known, math.inf if name in UNBOUNDED else 1.0)
        edges = np.linspace(0, 1, 21)
        known = each["iou"][np.isfinite(each["iou"])]
        return {
            "scores": Scalars(
                values,
                ends,
                {name: "nat" if name in UNBOUNDED else "" for name in columns},
                {name: name.startswith("image_") for name in columns},
            ),
            "iou": Distribution(edges, {"images": np.histogram(known, edges)[0]}, name="image_iou"),
        }


UNBOUNDED = ("cross_entropy", "focal")
"""Losses that may be above 1."""


def _mean_interval(values: NDArray[np.float64], most: float) -> tuple[float, float]:
    """Of a mean over images (normal approximation), within 0..most; none below ten images, or if all are the same."""
    if len(values) < FEW or values.min() == values.max():
        return NONE
    low, high = normal_mean(float(values.sum()), float((values**2).sum()), len(values))
    return max(0.0, low), min(most, high)
