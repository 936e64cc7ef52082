"""Enhancement: a picture for a picture, compared with its reference where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.enhancement_parts import EnhancementPart, enhancement_batches
from dashboard.errors import InputError
from dashboard.labels import ClassMap
from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.measured import Measured, join, measured
from dashboard.pipeline import default_workers
from dashboard.predictions import Part
from dashboard.results import MetricResult
from dashboard.tasks.base import Task, computed
from dashboard.types import EnhancedImage
from models.base import ModelAdapter, ModelSpec


class EnhancementTask(Task):
    """Pictures. There are no classes."""

    batch_sizes = (1, 4)
    classless = True

    def fitted(self, adapter: ModelAdapter[Any, Any], dataset: Dataset) -> ModelAdapter[Any, Any]:
        """A method that can do any scale, at the dataset's; a model as it is, if it has that scale.

        Raises:
            InputError: it has another.
        """
        return at_scale(adapter, getattr(dataset, "scale", 1), dataset.name)

    def used(self, dataset: Dataset) -> list[bool]:
        """Nothing: there are no classes."""
        del dataset
        return []

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """None."""
        del spec, dataset, classes
        return (), ()

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for answers that are no pictures."""
        del dataset
        for answer in answers:
            if not isinstance(answer, EnhancedImage):
                raise InputError(f"{spec.name} did not answer with a picture: it does not fit {spec.task}.")

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """Pictures and references, encoded."""
        del classes
        targets: Any = dataset.targets

        def one(index: int, identity: str, answer: EnhancedImage) -> EnhancementPart:
            truth: EnhancedImage | None = targets[index]
            if truth is not None and truth.size != answer.size:
                (h, w), (th, tw) = answer.size, truth.size
                raise InputError(
                    f"{spec.name} made {identity} {w}x{h} pixels, but its reference in {dataset.name} is {tw}x{th}: "
                    "give inputs and references that belong together."
                )
            return EnhancementPart.of(index, identity, answer, truth, getattr(dataset, "scale", 1))

        with ThreadPoolExecutor(default_workers(), thread_name_prefix="pictures") as pool:
            return EnhancementPart.join(list(pool.map(one, indices, ids, answers)))

    def live(self, class_names: Sequence[str], dataset: Dataset) -> _Live:
        """Mean PSNR so far."""
        del class_names, dataset
        return _Live()

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Every image is measured once, a few at a time; all metrics draw from these numbers."""
        parts, rows = [], []
        for index, batch in enhancement_batches(predictions):
            parts.append(measured(batch))
            rows.append(rows_table(index, batch, parts[-1]))
        whole = join(parts)
        if rows_path is not None:
            pq.write_table(pa.concat_tables(rows), rows_path, compression="zstd")
        return computed(whole, class_names, task, multilabel), len(whole.ids)


def at_scale(adapter: ModelAdapter[Any, Any], scale: int, data: str) -> ModelAdapter[Any, Any]:
    """The adapter for pictures that are to become ``scale`` times larger.

    Raises:
        InputError: it enlarges by another factor, or not at all.
    """
    own = getattr(adapter, "scale", 1)
    if own is None:
        fixed: ModelAdapter[Any, Any] = adapter.at_scale(scale)  # type: ignore[attr-defined]
        return fixed
    if own != scale:
        does = "keeps the size of pictures" if own == 1 else f"enlarges pictures {own} times"
        wants = "inputs of their references' size" if scale == 1 else f"inputs {scale} times smaller than references"
        remedy = "a model that keeps the size" if scale == 1 else f"a model of scale {scale} (or bicubic, lanczos)"
        raise InputError(f"{adapter.spec.name} {does}, but {data} has {wants}: pick {remedy}, or other data.")
    return adapter


def rows_table(index: NDArray[np.int64], batch: EnhancementBatch, found: Measured) -> pa.Table:
    """One row an image: its place, id, scale, border, and every number."""
    columns: dict[str, Any] = {
        "index": pa.array(index, pa.int64()),
        "id": pa.array(list(batch.ids), pa.string()),
        "scale": pa.array(list(batch.scales), pa.int32()),
        "border": pa.array(list(batch.borders), pa.int32()),
    }
    return pa.table(columns | {name: pa.array(values, pa.float64()) for name, values in found.columns.items()})


class _Live:
    """Mean PSNR of the images so far that have a reference and differ from it."""

    def __init__(self) -> None:
        self.known: list[float] = []

    def update(self, part: Part) -> None:
        """Count a part."""
        if not isinstance(part, EnhancementPart):
            raise TypeError(f"an EnhancementPart was expected, got {type(part).__name__}")
        self._add(part.psnr)

    def take_up(self, path: Path) -> None:
        """Count what is stored."""
        self._add(pq.read_table(path, columns=["psnr"]).column(0).to_numpy())

    def _add(self, values: NDArray[np.float64]) -> None:
        self.known += values[np.isfinite(values)].tolist()

    def values(self) -> Mapping[str, float]:
        """One number, once there is one."""
        return {"psnr": float(np.mean(self.known))} if self.known else {}
