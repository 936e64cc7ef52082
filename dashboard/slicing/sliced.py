"""A comparison's samples, sliced: every slice of every run against the rest, and against the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.shapes import Comparison
from dashboard.metrics.slices import (
    SMALLEST,
    Attribute,
    Gaps,
    Slice,
    Tested,
    against_rest,
    against_run,
    explained,
    slices_of,
    worst_first,
)

ALIKE = "image"
"""The unit of a comparison whose samples do not depend on each other; others (frames of a film) cannot be tested."""
MOST_SLICES = 4000


@dataclass(eq=False)
class Sliced:
    """Slices of N samples.

    Attributes:
        comparison: the runs.
        attributes: what the samples are sliced by.
        slices: S slices with enough samples.
        tested: whether samples are independent, so that there are intervals and p-values.
        left_out: slices by two attributes that were left out because there are too many.
    """

    comparison: Comparison
    attributes: Sequence[Attribute]
    slices: Sequence[Slice]
    smallest: int
    left_out: int = 0
    _rest: dict[int, Tested] = field(default_factory=dict)
    _besides: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    _gaps: dict[int, Gaps] = field(default_factory=dict)

    @property
    def tested(self) -> bool:
        """See above."""
        return self.comparison.unit == ALIKE

    def rest(self, run: int) -> Tested:
        """Each slice of a run against all its other samples."""
        if run not in self._rest:
            smallest = self.smallest if self.tested else len(self.comparison.ids) + 1
            self._rest[run] = against_rest(self.comparison.scores[run], self.slices, smallest)
        return self._rest[run]

    def besides(self, run: int) -> NDArray[np.bool_]:
        """(S,) findings that one of their own parts explains."""
        if run not in self._besides:
            self._besides[run] = explained(self.comparison.scores[run], self.slices, self.rest(run).worse)
        return self._besides[run]

    def gaps(self, run: int) -> Gaps:
        """A run against the baseline in each slice."""
        if run not in self._gaps:
            scores, base = self.comparison.scores, self.comparison.baseline
            smallest = self.smallest if self.tested else len(self.comparison.ids) + 1
            self._gaps[run] = against_run(scores[run], scores[base], self.slices, smallest)
        return self._gaps[run]

    def findings(self, run: int) -> list[int]:
        """Places of the slices that are worse than chance makes them, the worst first, without the explained ones."""
        worse = self.rest(run).worse & ~self.besides(run)
        return [int(k) for k in self.order(run) if worse[k]]

    def order(self, run: int) -> list[int]:
        """All slices, worst first."""
        return [int(k) for k in worst_first(self.rest(run), self.besides(run))]

    def of(self, attribute: str) -> list[int]:
        """Places of the slices by one attribute alone, in the order of its bins."""
        return [k for k, s in enumerate(self.slices) if len(s.conditions) == 1 and s.conditions[0][0] == attribute]


def sliced(
    comparison: Comparison, attributes: Sequence[Attribute], smallest: int = SMALLEST, pairs: bool = True
) -> Sliced:
    """Slice a comparison's samples.

    Args:
        comparison: N samples.
        attributes: (N,) bins each.
        smallest: samples in a slice, and outside of it.
        pairs: by two attributes together, too.
    """
    found = slices_of(attributes, smallest, pairs)
    singles = sum(len(s.conditions) == 1 for s in found)
    kept = found
    if len(found) > MOST_SLICES:  # the largest pairs: the smaller ones could hardly be told from chance
        by_size = sorted(found[singles:], key=lambda s: -len(s.rows))
        kept = [*found[:singles], *by_size[: max(0, MOST_SLICES - singles)]]
    return Sliced(comparison, attributes, kept, smallest, len(found) - len(kept))
