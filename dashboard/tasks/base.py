"""What a task has to say about its answers: whether they fit, how they are stored, and how they are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from dashboard.datasets.base import Dataset
from dashboard.labels import ClassMap
from dashboard.predictions import Part
from dashboard.results import MetricResult
from models.base import ModelAdapter, ModelSpec


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


class Task(Protocol):
    """One kind of answer.

    Attributes:
        batch_sizes: pictures a forward pass on a CPU and on CUDA, unless said otherwise.
        ignores: whether a mapping file may send classes of the dataset to "ignore".
        classless: whether there are no classes that dataset and model have to agree on.
    """

    batch_sizes: tuple[int, int]
    ignores: bool
    classless: bool

    def fitted(self, adapter: ModelAdapter[Any, Any], dataset: Dataset) -> ModelAdapter[Any, Any]:
        """The model as this dataset needs it; the same, mostly. Raises InputError if it cannot be used for it."""
        ...

    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which of the dataset's classes have objects or samples."""
        ...

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """(C,) class names and ids (or none) in the order in which the run stores and counts."""
        ...

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError in one sentence if a model's answers are not what this dataset needs."""
        ...

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """Answers and their truth, in the order of ``names``, to be stored."""
        ...

    def live(self, class_names: Sequence[str], dataset: Dataset) -> Live:
        """A fresh count."""
        ...

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Every registered metric over stored predictions, by ``metric.result`` name, and the number of samples.

        ``rows_path`` is where one row a sample is written, or None.
        """
        ...
