"""The registered metrics of tracking. All draw from the same counts, made once a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dashboard.metrics import collected
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.counts import PLAIN, Counts, merge
from dashboard.metrics.tracking.evidence import Evidence, evidence, join
from dashboard.metrics.tracking.hota import ALPHAS
from dashboard.metrics.tracking.overlap import Floats
from dashboard.results import ClassTable, Curves, MetricResult, Scalars

AGNOSTIC = "_agnostic"
"""Ending of numbers for which boxes of different classes may match."""
UNITS = dict.fromkeys(scores.COUNTED, "count") | {"FP_per_frame": "boxes/frame"}
Numbers = Callable[[Counts, Any], Mapping[str, Floats]]
"""From counts and the frames behind each row to numbers by name."""


class Collected(collected.Collected[Sequence[SequenceTracks], Evidence]):
    """A metric that is computed from the counts of all sequences at the end."""

    join = staticmethod(join)

    def evidence(self, batch: Sequence[SequenceTracks]) -> Evidence:
        """The counts of some sequences."""
        return evidence(batch)

    def take(self, found: Evidence) -> None:
        """Take in what was counted. Raises ValueError for class numbers past the class names."""
        for counts in found.counts:
            counts.rows(len(self.class_names))
        super().take(found)

    def _tables(self, names: Sequence[str], numbers: Numbers) -> dict[str, Any]:
        """``scores``, ``per_class`` and ``per_sequence``; of several classes ``per_sequence_agnostic``, too."""
        found = self.joined()
        values = {name: float(value[0]) for name, value in numbers(found.whole.pooled(), found.whole.frames).items()}
        ends = {name: found.intervals[name] for name in names if name in found.intervals}
        if len(found.whole.classes) > 1:
            other = numbers(merge(found.agnostic), found.whole.frames)
            values |= {f"{name}{AGNOSTIC}": float(other[name][0]) for name in names}
        plain = [name.removesuffix(AGNOSTIC) for name in values]
        rows = found.whole.rows(len(self.class_names))
        results = {
            "scores": Scalars(
                values,
                ends,
                {k: UNITS.get(p, "") for k, p in zip(values, plain, strict=True)},
                {k: p not in scores.LOWER for k, p in zip(values, plain, strict=True) if p not in ("PT", "PTR")},
            ),
            "per_class": ClassTable(self.class_names, _columns(rows, names, numbers(rows, rows.frames))),
            "per_sequence": _by_sequence(found.names, found.counts, names, numbers),
        }
        if len(found.whole.classes) > 1:
            results[f"per_sequence{AGNOSTIC}"] = _by_sequence(found.names, found.agnostic, names, numbers)
        return results


class Clear(Collected):
    """CLEAR MOT: matches frame by frame, and how often a truth is handed from one identity to another."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class`` and ``per_sequence``."""
        return self._tables(scores.CLEAR, lambda c, frames: scores.clear(c.plain, frames))


class Identity(Collected):
    """IDF1, IDP and IDR: how much of each truth one identity has, over the whole sequence."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class`` and ``per_sequence``."""
        return self._tables(scores.IDENTITY, lambda c, _: scores.identity(c.plain))


class Hota(Collected):
    """HOTA: finding boxes (DetA) and keeping identities (AssA) in one number, and both apart."""

    def compute(self) -> Mapping[str, MetricResult]:
        """``scores``, ``per_class``, ``per_sequence`` and ``over_alpha``."""
        results = self._tables(scores.HOTA, lambda c, _: scores.hota(c.plain, c.alpha))
        pooled = self.joined().whole.pooled()
        each = scores.over_alpha(pooled.plain, pooled.alpha)
        names = ("HOTA", "DetA", "AssA", "LocA")
        return results | {
            "over_alpha": Curves(
                [ALPHAS] * len(names),
                [each[name][0] for name in names],
                names,
                x_name="IoU threshold",
                y_name="score",
                areas={name: results["scores"].values[name] for name in names},
            )
        }


def _by_sequence(titles: Sequence[str], counts: Sequence[Counts], names: Sequence[str], numbers: Numbers) -> ClassTable:
    """A row a sequence, its classes pooled."""
    pooled = [c.pooled() for c in counts]
    frames = np.array([c.frames for c in counts])
    plain, alpha = np.concatenate([c.plain for c in pooled]), np.concatenate([c.alpha for c in pooled])
    stacked = Counts(np.arange(len(pooled)), plain, alpha, int(frames.sum()))
    return ClassTable(list(titles), {"frames": frames} | _columns(stacked, names, numbers(stacked, frames)))


def _columns(counts: Counts, names: Sequence[str], found: Mapping[str, Floats]) -> dict[str, Any]:
    """Columns of a table, a row a row of counts; ``support`` is true boxes."""
    support = counts.plain[:, PLAIN.index("TP")] + counts.plain[:, PLAIN.index("FN")]
    kinds = {name: np.int64 if name in scores.COUNTED else np.float64 for name in names}
    return {"support": support.astype(np.int64)} | {name: found[name].astype(kinds[name]) for name in names}
