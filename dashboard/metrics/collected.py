"""A metric that is computed at the end from what all metrics of its task share: counted, matched or measured once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Sized
from typing import Any, Generic, TypeVar

from dashboard.results import MetricResult

B = TypeVar("B", bound=Sized)  # a batch
E = TypeVar("E")  # what it is made into, once for all metrics


class Collected(ABC, Generic[B, E]):
    """Base class: ``evidence``, ``join`` and ``compute`` are a task's and a metric's own.

    Args:
        class_names: (C,) names.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        self.parts: list[E] = []

    @abstractmethod
    def evidence(self, batch: B) -> E:
        """What a batch gives. Raises ValueError for one that does not fit the class names."""

    @staticmethod
    @abstractmethod
    def join(parts: Sequence[E]) -> E:
        """That of several batches, in order. Raises ValueError without data."""

    @abstractmethod
    def compute(self) -> Mapping[str, MetricResult]:
        """Results by name. Raises ValueError without data."""

    def update(self, batch: B) -> None:
        """Take in a batch. Raises ValueError for one that does not fit the class names."""
        if len(batch):
            self.take(self.evidence(batch))

    def take(self, found: E) -> None:
        """Take in what a batch gave."""
        self.parts.append(found)

    def merge(self, other: Any) -> Any:
        """A new metric over both inputs' data, this one's first. Raises ValueError if the classes differ."""
        if self.class_names != other.class_names:
            raise ValueError("only metrics over the same classes can be merged")
        merged = type(self)(self.class_names)
        merged.parts = [*self.parts, *other.parts]
        return merged

    def joined(self) -> E:
        """Everything so far. Raises ValueError without data."""
        found = self.join(self.parts)
        self.parts = [found]
        return found
