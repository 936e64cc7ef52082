"""Detection and instance segmentation: any number of objects a picture, with boxes or masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.datasets.base import Dataset
from dashboard.detection_parts import DetectionPart, detection_batches
from dashboard.errors import InputError
from dashboard.labels import ClassMap
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.metrics.detection.evidence import evidence, join
from dashboard.metrics.detection.matching import match
from dashboard.metrics.detection.operating import Point, counts
from dashboard.predictions import Part
from dashboard.results import MetricResult
from dashboard.tasks.base import Task, computed
from dashboard.types import Detections
from models.base import ModelSpec

LIVE = Point(0.25)


class DetectionTask(Task):
    """Boxes; masks are left aside."""

    masked = False

    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which classes have objects."""
        own = getattr(dataset, "used", None)
        if own is not None:
            return list(own)
        seen = np.zeros(len(dataset.class_names), bool)
        targets: Any = dataset.targets
        for target in targets:
            seen[target.class_ids] = True
        return seen.tolist()

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """The model's."""
        return spec.class_names, spec.class_ids

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for answers that are no detections, past the class names, or without wanted masks."""
        check_objects(spec, answers)
        for answer in answers:
            if self.masked and len(answer) and answer.masks is None:
                raise InputError(f"{spec.name} gives boxes without masks: evaluate it for detection.")

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """Objects and truth; objects of classes that the dataset does not have are left out."""
        del spec
        known = np.unique(classes.to_model[classes.to_model >= 0])
        targets: Any = dataset.targets
        truth = [_renumbered(targets[i], classes, self.masked) for i in indices]
        for identity, answer, true in zip(ids, answers, truth, strict=True):
            if answer.size and true.size and tuple(answer.size) != tuple(true.size):
                (h, w), (th, tw) = answer.size, true.size
                raise InputError(
                    f"{identity} is {w}x{h} pixels, but its truth in {dataset.name} says {tw}x{th}: these are not the "
                    "pictures that were labelled; give theirs, or correct the labels."
                )
        found = [self._plain(a.take(np.isin(a.class_ids, known))) for a in answers]
        sizes = [a.size or t.size or (0, 0) for a, t in zip(answers, truth, strict=True)]
        return DetectionPart(np.array(indices), ids, np.array(sizes, np.int64), found, truth, self.masked)

    def _plain(self, found: Detections) -> Detections:
        return found if self.masked else replace(found, masks=None)

    def live(self, class_names: Sequence[str], dataset: Dataset) -> _Live:
        """Precision, recall and F1 so far."""
        return _Live(len(class_names))

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Everything is matched once, a row group at a time; all metrics draw from that."""
        parts, rows = [], []
        for index, batch in detection_batches(predictions):
            parts.append(evidence(batch))
            rows.append(_rows(index, batch))
        whole = join(parts)
        if rows_path is not None:
            pq.write_table(pa.concat_tables(rows), rows_path, compression="zstd")
        return computed(whole, class_names, task, multilabel), whole.images


class InstanceSegmentationTask(DetectionTask):
    """Masks, and the boxes around them."""

    masked = True


def check_objects(spec: ModelSpec, answers: Sequence[Any]) -> None:
    """Raises InputError for answers that are no scored detections, or past the class names."""
    for answer in answers:
        if not isinstance(answer, Detections) or answer.scores is None:
            raise InputError(f"{spec.name} did not answer with scored objects: it does not fit {spec.task}.")
        if len(answer) and answer.class_ids.max() >= len(spec.class_names):
            raise InputError(
                f"{spec.name} answered with class {answer.class_ids.max()}, but has {len(spec.class_names)} class "
                "names: give as many names as it has classes."
            )


def _renumbered(truth: Detections, classes: ClassMap, masked: bool) -> Detections:
    """Truth in the model's class numbers."""
    return replace(truth, class_ids=classes.to_model[truth.class_ids], masks=truth.masks if masked else None)


def _rows(index: Any, batch: DetectionBatch) -> pa.Table:
    """One small row an image."""
    plain = ~(batch.truth.crowd | batch.truth.ignore)
    return pa.table(
        {
            "index": index,
            "id": pa.array(list(batch.ids)),
            "height": batch.sizes[:, 0],
            "width": batch.sizes[:, 1],
            "objects": np.bincount(batch.truth.image[plain], minlength=len(batch)),
            "detections": np.bincount(batch.found.image, minlength=len(batch)),
        }
    )


class _Live:
    """Right, wrong and missed so far, at a confidence of .25 and an IoU of .5."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros(3, np.int64)

    def update(self, part: Part) -> None:
        """Count a part."""
        if not isinstance(part, DetectionPart):
            raise TypeError(f"a DetectionPart was expected, got {type(part).__name__}")
        self._add(part.batch())

    def take_up(self, path: Path) -> None:
        """Count what is stored."""
        for _, batch in detection_batches(path):
            self._add(batch)

    def _add(self, batch: DetectionBatch) -> None:
        boxes = DetectionBatch(
            batch.ids, batch.sizes, replace(batch.found, masks=None), replace(batch.truth, masks=None)
        )
        self.counts += np.array([c.sum() for c in counts(match(boxes), LIVE, self.classes)])

    def values(self) -> Mapping[str, float]:
        """F1 and its parts."""
        tp, fp, fn = map(float, self.counts)
        if not tp + fp + fn:
            return {}
        return {"f1": 2 * tp / (2 * tp + fp + fn), "precision": tp / max(tp + fp, 1), "recall": tp / max(tp + fn, 1)}
