"""The metric protocol. State is sufficient statistics, so parts of a dataset can be merged in any grouping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from dashboard.results import MetricResult

B = TypeVar("B", contravariant=True)


class Metric(Protocol[B]):
    """Counts or sums over samples.

    Laws, checked by one contract test for every registered metric: merging with an empty metric changes nothing;
    merging halves equals one pass; ``merge`` leaves its inputs unchanged; ``compute`` twice gives the same; it pickles;
    ``compute`` without data raises ValueError; a one-sample batch, a batch of everything and any split agree.
    """

    def update(self, batch: B) -> None:
        """Take in a batch."""
        ...

    def merge(self, other: Any) -> Any:
        """Return a new metric over both inputs' data. Raises ValueError if they count different classes."""
        ...

    def compute(self) -> Mapping[str, MetricResult]:
        """Results by name. Raises ValueError without data."""
        ...
