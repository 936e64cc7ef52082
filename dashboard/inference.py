"""One batch through a model: out of memory halves it, and answers that do not fit the dataset are refused."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.labels import ClassMap
from dashboard.pipeline import Items, prepared
from dashboard.predictions import Part
from dashboard.spaces_gpu import FarAdapter
from dashboard.tasks.base import Answering
from dashboard.types import Prediction
from models.base import ModelAdapter, OutOfMemory


class Inference:
    """A model on a dataset.

    Attributes:
        batch_size: pictures a forward pass; becomes smaller when the device's memory does not do.
        seconds: spent inside the model.
        notes: what happened, for the run's facts.
    """

    def __init__(
        self,
        adapter: ModelAdapter[Any, Any],
        dataset: Dataset,
        classes: ClassMap,
        batch_size: int | None,
        task: Answering,
    ) -> None:
        self.adapter, self.dataset, self.classes, self.task = adapter, dataset, classes, task
        self.batch_size = batch_size or self.task.batch_sizes[adapter.device.startswith("cuda")]
        self.far = adapter if isinstance(adapter, FarAdapter) else None
        if self.far is not None:  # many batches a call
            self.batch_size = self.far.plan(self.batch_size)
        self.seconds = 0.0
        self.notes: dict[str, Any] = {}

    def warm_up(self, todo: Sequence[int]) -> None:
        """One forward pass outside the clock: the first costs more, and it shows whether the answers fit."""
        for index in todo[:3]:
            try:
                item = prepared(self.adapter, self.dataset, index)[1]
            except InputError:
                continue
            with contextlib.suppress(OutOfMemory):  # the loop deals with it
                self._answers(self.adapter.forward([item]), 1)
            return

    def run(self, batch: Items) -> Part:
        """One batch through the model. Out of memory halves the batch and goes on."""
        predictions: list[Prediction] = []
        start, size = 0, len(batch)
        while start < len(batch):
            items = batch.items[start : start + size]
            try:
                begin = time.perf_counter()
                outputs = self.adapter.forward(items)
                self.seconds += time.perf_counter() - begin
                predictions += self._answers(outputs, len(items))
                start += size
                if self.far is not None:
                    self.batch_size = self.far.items
            except OutOfMemory as error:
                if size == 1:
                    raise InputError(
                        f"{self.adapter.spec.name} does not fit in the memory of {self.adapter.device} even with one "
                        "picture a batch: choose --device cpu or a smaller model."
                    ) from error
                size = max(1, size // 2)
                self.batch_size = min(self.batch_size, size)
                self.notes["batch size after running out of memory"] = self.batch_size
        return self.task.part(self.adapter.spec, self.dataset, self.classes, batch.indices, batch.ids, predictions)

    def _answers(self, outputs: Any, count: int) -> list[Prediction]:
        """The model's answers, refused in one sentence if they are not what this dataset needs."""
        spec = self.adapter.spec
        try:
            answers = self.adapter.postprocess(outputs)
        except InputError:
            raise
        except ValueError as error:  # not probabilities
            raise InputError(f"{spec.name}: {error}.") from error
        if len(answers) != count:
            raise InputError(
                f"{spec.name} gave {len(answers)} answers to {count} pictures: the model does not fit Loupe."
            )
        self.task.check(spec, self.dataset, answers)
        return answers


def with_class_names(adapter: ModelAdapter[Any, Any], names: Sequence[str]) -> ModelAdapter[Any, Any]:
    """The same model under other names for its outputs (``--classes``). Raises InputError if they are not as many."""
    spec = adapter.spec
    if spec.class_names and len(spec.class_names) != len(names):
        raise InputError(f"{spec.name} has {len(spec.class_names)} outputs, but --classes names {len(names)}.")
    renamed = copy.copy(adapter)
    renamed.spec = replace(spec, class_names=tuple(names), class_ids=())
    return renamed
