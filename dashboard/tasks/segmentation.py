"""Semantic segmentation: a class for every pixel, counted in the dataset's own classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds
from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.labels import ClassMap
from dashboard.metrics.segmentation.columns import SegmentationBatch
from dashboard.metrics.segmentation.counting import pair_counts
from dashboard.metrics.segmentation.counts import count, join
from dashboard.metrics.segmentation.probability import measure
from dashboard.pipeline import default_workers
from dashboard.predictions import Part
from dashboard.results import MetricResult
from dashboard.segmentation_parts import SegmentationPart, segmentation_batches
from dashboard.segmentation_rows import counts_table
from dashboard.tasks.base import Task, computed
from dashboard.types import Segmentation, class_dtype, ignore_of
from models.base import ModelSpec


class SegmentationTask(Task):
    """Class maps. Answers are renumbered to the dataset's classes; a class that it does not have is "other"."""

    batch_sizes = (4, 16)
    ignores = True

    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which classes have pixels."""
        own = getattr(dataset, "used", None)
        if own is not None:
            return list(own)
        seen = np.zeros(1 << 16, bool)
        targets: Any = dataset.targets
        for target in targets:
            seen[np.unique(target.class_ids)] = True
        return seen[: len(dataset.class_names)].tolist()

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """The dataset's; those that a mapping file sends to one class of the model are one, "car + truck"."""
        names = list(dataset.class_names)
        first = _first_of(classes)
        joined = [
            " + ".join(names[j] for j in np.flatnonzero(first == i)) if first[i] == i else names[i]
            for i in range(len(names))
        ]
        return joined, dataset.class_ids

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for answers that are no class maps, or past the class names."""
        for answer in answers:
            if not isinstance(answer, Segmentation):
                raise InputError(f"{spec.name} did not answer with a class for every pixel: it does not fit.")
            if answer.class_ids.max() >= len(spec.class_names):
                raise InputError(
                    f"{spec.name} answered with class {answer.class_ids.max()}, but has {len(spec.class_names)} class "
                    "names: give as many names as it has classes."
                )

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """Maps, encoded, and what the probabilities say of the truth; the probabilities are let go."""
        to_dataset, to_model, merged = _tables(classes, len(spec.class_names))
        count_of = len(dataset.class_names)
        ignore = ignore_of(count_of)

        def one(index: int, identity: str, answer: Segmentation) -> SegmentationPart:
            target: Any = dataset.targets[index]
            truth: ClassIds = target.class_ids
            if answer.size != target.size:
                (h, w), (th, tw) = answer.size, target.size
                raise InputError(
                    f"{identity} is {w}x{h} pixels, but its truth in {dataset.name} is {tw}x{th}: these are not the "
                    "pictures that were labelled; give theirs, or correct the masks."
                )
            confidence, losses = None, {}
            if answer.probabilities is not None:
                own = to_model[truth] if target.ignore_index is None else _with_ignored(to_model, target)
                measured = measure(answer.probabilities, answer.class_ids, own, _NOT)
                confidence, losses = measured.confidence, {k: np.array([v]) for k, v in measured.losses.items()}
            kept = merged[truth] if target.ignore_index is None else _with_ignored(merged, target)
            kept = np.where(kept == _NOT, ignore, kept).astype(class_dtype(count_of))
            found = to_dataset[answer.class_ids]
            return SegmentationPart.of([index], [identity], [found], [kept], [confidence], losses, classes=count_of)

        with ThreadPoolExecutor(default_workers(), thread_name_prefix="maps") as pool:
            return SegmentationPart.join(list(pool.map(one, indices, ids, answers)))

    def live(self, class_names: Sequence[str], dataset: Dataset) -> _Live:
        """Pixel accuracy and mIoU so far."""
        return _Live(len(class_names))

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Every image is counted once, a few at a time; all metrics draw from these counts."""
        parts, rows = [], []
        for index, batch in segmentation_batches(predictions, len(class_names)):
            parts.append(count(batch))
            rows.append(counts_table(index, batch.ids, parts[-1]))
        whole = join(parts)
        if rows_path is not None:
            pq.write_table(pa.concat_tables(rows), rows_path, compression="zstd")
        return computed(whole, class_names, task, multilabel), len(whole.sizes)


_NOT = 65535
"""In tables of class numbers: a pixel that does not count."""


def _first_of(classes: ClassMap) -> NDArray[np.int64]:
    """(Cd,) for each dataset class the first one that is the same model class; -1 for those that are none."""
    to_model = classes.to_model
    first = np.array([int(np.flatnonzero(to_model == m)[0]) for m in to_model], np.int64)
    return np.where(to_model < 0, -1, first)


def _tables(classes: ClassMap, outputs: int) -> tuple[NDArray[Any], NDArray[np.uint16], NDArray[np.uint16]]:
    """Lookup tables: model class to dataset class (C = other), dataset class to model class, and to merged class."""
    to_model = classes.to_model
    count_of = len(to_model)
    to_dataset = np.full(outputs, count_of, class_dtype(count_of))
    for number in reversed(range(count_of)):
        if to_model[number] >= 0:
            to_dataset[to_model[number]] = number
    own = np.where(to_model < 0, _NOT, to_model).astype(np.uint16)
    merged = np.where(to_model < 0, _NOT, _first_of(classes)).astype(np.uint16)
    return to_dataset, own, merged


def _with_ignored(table: NDArray[np.uint16], target: Segmentation) -> NDArray[np.uint16]:
    """A truth through a table, pixels that do not count as ``_NOT``."""
    full = np.full(np.iinfo(target.class_ids.dtype).max + 1, _NOT, np.uint16)
    full[: len(table)] = table
    full[target.ignore_index] = _NOT
    return full[target.class_ids]


class _Live:
    """The confusion of all pixels so far."""

    def __init__(self, classes: int) -> None:
        self.matrix = np.zeros((classes, classes + 1), np.int64)

    def update(self, part: Part) -> None:
        """Count a part."""
        if not isinstance(part, SegmentationPart):
            raise TypeError(f"a SegmentationPart was expected, got {type(part).__name__}")
        self._add(part.batch())

    def take_up(self, path: Path) -> None:
        """Count what is stored."""
        for _, batch in segmentation_batches(path, len(self.matrix)):
            self._add(batch)

    def _add(self, batch: SegmentationBatch) -> None:
        for truth, found in zip(batch.truth, batch.found, strict=True):
            self.matrix += pair_counts(truth, found, len(self.matrix))

    def values(self) -> Mapping[str, float]:
        """Both, once there are pixels that count."""
        right = self.matrix.diagonal().astype(float)
        union = self.matrix.sum(axis=1) + self.matrix[:, :-1].sum(axis=0) - right
        if not self.matrix.any():
            return {}
        return {
            "miou": float((right[union > 0] / union[union > 0]).mean()),
            "pixel_accuracy": float(right.sum() / self.matrix.sum()),
        }
