"""The closed set of shapes a metric may return. Numbers only; drawing is done elsewhere (``figures``).

Undefined numbers are NaN (shown as "n/a"), never 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scalars:
    """Single numbers by name.

    Attributes:
        values: name to number; NaN where undefined.
        intervals: name to (low, high) of its 95 % interval, for those that have one.
        units: name to unit ("" = a fraction in 0..1, "nat", "ms", ...).
        higher_is_better: name to True, False, or absent where neither.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ClassTable:
    """One row a class.

    Attributes:
        classes: (C,) names.
        columns: metric name to a (C,) array; NaN where undefined. ``support`` counts the truth.
    """

    classes: Sequence[str]
    columns: Mapping[str, NDArray[np.floating | np.integer]]


@dataclass(frozen=True, eq=False)
class Curves:
    """Several curves in one frame of reference.

    Attributes:
        x, y: one (P_k,) array a curve.
        labels: one name a curve.
        thresholds: the score at each point, one (P_k,) array a curve, or None.
        x_name, y_name: what the axes are.
        areas: name to the area the curve is known by (AUROC, AP), NaN where undefined.
        diagonal: draw the line y = x for reference (ROC, reliability).
        weights: samples behind each point (reliability), one (P_k,) array a curve, or None.
    """

    x: Sequence[NDArray[np.floating]]
    y: Sequence[NDArray[np.floating]]
    labels: Sequence[str]
    thresholds: Sequence[NDArray[np.floating]] | None = None
    x_name: str = "x"
    y_name: str = "y"
    areas: Mapping[str, float] = field(default_factory=dict)
    diagonal: bool = False
    weights: Sequence[NDArray[np.floating | np.integer]] | None = None


@dataclass(frozen=True, eq=False)
class Matrix:
    """Counts of (row, column) pairs: for a confusion matrix, [true, predicted].

    Attributes:
        counts: (R, K) non-negative integers.
        rows, columns: (R,) and (K,) names.
        row_name, column_name: what they are.
    """

    counts: NDArray[np.integer]
    rows: Sequence[str]
    columns: Sequence[str]
    row_name: str = "true"
    column_name: str = "predicted"


@dataclass(frozen=True, eq=False)
class Distribution:
    """A histogram, or two laid over each other.

    Attributes:
        edges: (B + 1,) bin edges, ascending.
        counts: group name ("correct", "wrong") to (B,) counts.
        unit: of the edges.
        name: what is counted.
    """

    edges: NDArray[np.floating]
    counts: Mapping[str, NDArray[np.integer]]
    unit: str = ""
    name: str = ""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Numbers over frames, with marked events.

    Attributes:
        frames: (F,) frame numbers.
        series: name to an (F,) array.
        events: (frame, kind, text) triples.
    """

    frames: NDArray[np.integer]
    series: Mapping[str, NDArray[np.floating | np.integer]]
    events: Sequence[tuple[int, str, str]] = ()


MetricResult = Scalars | ClassTable | Curves | Matrix | Distribution | Timeline
SHAPES: dict[str, type] = {t.__name__: t for t in (Scalars, ClassTable, Curves, Matrix, Distribution, Timeline)}


def save(results: Mapping[str, MetricResult], path: Path) -> None:
    """Write results to one ``.npz`` (arrays, plus a JSON header; no pickles). Raises OSError as numpy does."""
    arrays: dict[str, NDArray[Any]] = {}

    def pack(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            key = f"a{len(arrays)}"
            arrays[key] = value
            return {"__array__": key}
        if isinstance(value, Mapping):
            return {"__map__": [[k, pack(v)] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return [pack(v) for v in value]
        return value.item() if isinstance(value, np.generic) else value

    header = {
        name: {"shape": type(r).__name__, "fields": {f.name: pack(getattr(r, f.name)) for f in fields(r)}}
        for name, r in results.items()
    }
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez_compressed(file, header=text, **arrays)  # type: ignore[arg-type]


def load(path: Path) -> dict[str, MetricResult]:
    """Read what ``save`` wrote. Raises OSError or ValueError for a damaged file."""
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())

        def unpack(value: Any) -> Any:
            if isinstance(value, dict) and "__array__" in value:
                return file[value["__array__"]]
            if isinstance(value, dict) and "__map__" in value:
                return {k: unpack(v) for k, v in value["__map__"]}
            if isinstance(value, list):
                return [unpack(v) for v in value]
            return value

        return {
            name: SHAPES[entry["shape"]](**{k: unpack(v) for k, v in entry["fields"].items()})
            for name, entry in header.items()
        }
