"""What a task has to say about its answers: whether they fit, how they are stored, and how they are counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.labels import ClassMap, match_classes
from dashboard.metrics import METRICS
from dashboard.predictions import Part
from dashboard.results import MetricResult
from models.base import ModelAdapter, ModelSpec

if TYPE_CHECKING:
    from dashboard.store import Draft

Say = Callable[[str, int, int], None]
"""Told of the stage, and how much of it is done of how much."""


class Live(Protocol):
    """Numbers shown while a model runs; counting is a check of the answers, too."""

    def update(self, part: Part) -> None:
        """Count a part. Raises ValueError if it is not what the task needs."""
        ...

    def take_up(self, path: Path) -> None:
        """Count what an earlier try stored. Raises OSError or ValueError if the file is damaged."""
        ...

    def values(self) -> Mapping[str, float]:
        """Numbers so far, by name; none without data."""
        ...


def computed(whole: Any, class_names: Sequence[str], task: str, multilabel: bool) -> dict[str, MetricResult]:
    """Every registered metric of a task, drawn from what was counted once, by ``metric.result`` name."""
    results: dict[str, MetricResult] = {}
    for name, make in METRICS.items(task=task, multilabel=multilabel):
        metric: Any = make(class_names)  # type: ignore[call-arg]
        metric.take(whole)
        results |= {f"{name}.{key}": value for key, value in metric.compute().items()}
    return results


class Answering(ABC):
    """What has to be said of a model's answers while it runs: whether they fit, and how they are stored.

    Attributes:
        batch_sizes: pictures a forward pass on a CPU and on CUDA, unless said otherwise.
    """

    batch_sizes: tuple[int, int] = (8, 32)

    @abstractmethod
    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError in one sentence if a model's answers are not what this dataset needs."""

    @abstractmethod
    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """Answers and their truth, if there is one, in the order in which classes are counted, to be stored."""


class Task(Answering):
    """One kind of answer. What most tasks do alike is written here; the rest has to be said by each.

    Attributes:
        ignores: whether a mapping file may send classes of the dataset to "ignore".
        classless: whether there are no classes that dataset and model have to agree on.
    """

    ignores = False
    classless = False

    def fitted(self, adapter: ModelAdapter[Any, Any], dataset: Dataset) -> ModelAdapter[Any, Any]:
        """The model as this dataset needs it; the same, mostly. Raises InputError if it cannot be used for it."""
        del dataset
        return adapter

    def classes(self, spec: ModelSpec, dataset: Dataset, mapping: Mapping[str, str] | None) -> ClassMap:
        """Which class of the model each of the dataset's is. Raises InputError where they do not meet."""
        if self.classless:
            return ClassMap(np.empty(0, np.int64), "")
        meet = (dataset.class_names, dataset.class_ids, spec.class_names, spec.class_ids)
        return match_classes(*meet, mapping, self.used(dataset), self.ignores)

    @abstractmethod
    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which of the dataset's classes have objects or samples."""

    @abstractmethod
    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """(C,) class names and ids (or none) in the order in which the run stores and counts."""

    @abstractmethod
    def live(self, class_names: Sequence[str], dataset: Dataset) -> Live:
        """A fresh count."""

    def begin(self, draft: Draft, adapter: ModelAdapter[Any, Any], key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Take over answers that another run of ``draft.store`` has already, as a part.

        Args:
            draft: of the run that begins, without parts, or that goes on, with those of an earlier try.
            adapter: the model.
            key: what a run is known by (``evaluation.plan``).

        Returns:
            The timing of the run that they are, or were at an earlier try, taken from; None if there is none.
        """
        del draft, adapter, key
        return None

    def complete(
        self,
        draft: Draft,
        adapter: ModelAdapter[Any, Any],
        dataset: Dataset,
        class_names: Sequence[str],
        say: Say,
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """What has to be done once all answers are there, before they are counted.

        Returns:
            What it adds to the run's timing.

        Raises:
            Cancelled: ``cancelled`` said so.
        """
        del draft, adapter, dataset, class_names, say, cancelled
        return {}

    def facts(self, adapter: ModelAdapter[Any, Any], dataset: Dataset, key: Mapping[str, Any]) -> dict[str, Any]:
        """What a run of this task records besides what all do."""
        del adapter, dataset, key
        return {}

    def timed(self, timing: Mapping[str, Any]) -> Mapping[str, float]:
        """Key figures that are times."""
        del timing
        return {}

    @abstractmethod
    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Every registered metric over stored predictions, by ``metric.result`` name, and the number of samples.

        ``rows_path`` is where one row a sample is written, or None.
        """
