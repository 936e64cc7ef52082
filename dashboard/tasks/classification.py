"""Classification: one row of scores a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.labels import ClassMap, used_classes
from dashboard.metrics import METRICS
from dashboard.metrics.batch import ClassificationBatch, sample_rows
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.multilabel import MultiLabel
from dashboard.predictions import ClassificationPart, Part, batches
from dashboard.results import MetricResult
from dashboard.tasks.base import Task
from models.base import ModelSpec


class ClassificationTask(Task):
    """Single-label and multi-label classification."""

    batch_sizes = (32, 128)

    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which classes have samples."""
        return used_classes(dataset.targets, len(dataset.class_names))

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """The model's."""
        return spec.class_names, spec.class_ids

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for another number of scores, or softmax where several labels are wanted."""
        several = dataset.multilabel
        for answer in answers:
            if len(answer.scores) != len(spec.class_names):
                raise InputError(
                    f"{spec.name} gave {len(answer.scores)} scores for its {len(spec.class_names)} class names: "
                    "give as many names as it has outputs."
                )
            if answer.multilabel != several:
                what = "several labels a picture" if several else "one label a picture"
                how, fit = ("softmax", "sigmoid") if several else ("sigmoid", "softmax")
                raise InputError(
                    f"{dataset.name} has {what}, but {spec.name} scores by {how}: "
                    f"pass --set activation={fit} if the model was trained for that, or pick another."
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
        """Scores and labels."""
        scores = np.stack([a.scores for a in answers])
        if scores.dtype not in (np.float32, np.float64):
            scores = scores.astype(np.float32)
        truth: Any = dataset.targets
        if not dataset.multilabel:
            targets: Any = classes.to_model[np.asarray([truth[i] for i in indices], np.int64)]
        else:
            targets = np.zeros((len(indices), len(spec.class_names)), bool)
            for row, index in enumerate(indices):
                targets[row, classes.to_model[list(truth[index])]] = True
        return ClassificationPart(np.array(indices), ids, scores, targets)

    def live(self, class_names: Sequence[str], dataset: Dataset) -> _Live:
        """Top-1 and top-5 so far."""
        return _Live(class_names, dataset.multilabel)

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """A row group at a time."""
        found = METRICS.items(task=task, multilabel=multilabel)
        metrics: dict[str, Any] = {n: m(class_names) for n, m in found}  # type: ignore[call-arg]
        writer: pq.ParquetWriter | None = None
        samples = 0
        try:
            for index, batch in batches(predictions):
                for metric in metrics.values():
                    metric.update(batch)
                samples += len(index)
                if rows_path is not None:
                    table = pa.table({"index": index, **sample_rows(batch), **label_lists(batch)})
                    writer = writer or pq.ParquetWriter(rows_path, table.schema, compression="zstd")
                    writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        return {f"{n}.{key}": value for n, m in metrics.items() for key, value in m.compute().items()}, samples


def label_lists(batch: ClassificationBatch) -> dict[str, pa.Array]:
    """True and decided labels of a multi-label batch, as lists; nothing otherwise."""
    if not batch.multilabel:
        return {}
    decided: NDArray[np.bool_] = batch.read() >= 0.5
    kind = pa.list_(pa.int32())
    return {
        "labels": pa.array([np.flatnonzero(row) for row in batch.targets], kind),
        "predicted_labels": pa.array([np.flatnonzero(row) for row in decided], kind),
    }


class _Live:
    """Hits so far."""

    def __init__(self, class_names: Sequence[str], multilabel: bool) -> None:
        self.counts: Confusion | MultiLabel = MultiLabel(class_names) if multilabel else Confusion(class_names)

    def update(self, part: Part) -> None:
        """Count a part."""
        if not isinstance(part, ClassificationPart):
            raise TypeError(f"a ClassificationPart was expected, got {type(part).__name__}")
        self.counts.update(ClassificationBatch(part.ids, part.scores, part.targets))

    def take_up(self, path: Path) -> None:
        """Count what is stored; all of it or, if it is damaged, nothing."""
        for batch in [batch for _, batch in batches(path)]:
            self.counts.update(batch)

    def values(self) -> Mapping[str, float]:
        """Of a single-label task."""
        if isinstance(self.counts, MultiLabel) or not self.counts.ranks.sum():
            return {}
        hits = self.counts.ranks
        return {"top1": float(hits[0] / hits.sum()), "top5": float(hits[:5].sum() / hits.sum())}
