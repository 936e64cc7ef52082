"""Key figures, warnings and the per-class table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dashboard.results import ClassTable
from dashboard.store import Run

Data = dict[str, Any]
KEY_FIGURES = (
    *("top1", "top5", "balanced_accuracy", "f1_macro", "auroc_macro", "ece", "log_loss"),
    *("map", "f1_samples", "subset_accuracy", "hamming_loss", "bce"),
)
LOWER_IS_BETTER = (
    *("ece", "mce", "log_loss", "brier", "hamming_loss", "bce"),
    *("cross_entropy", "focal", "soft_dice", "soft_iou"),
)
UNBOUNDED = ("log_loss", "cross_entropy", "focal")
"""Losses that may be above 1."""
IMBALANCE = 5  # largest class over smallest
TABLE = ("support", "precision", "recall", "f1", "specificity", "average_precision", "auroc")


def class_columns(run: Run) -> tuple[list[str], dict[str, np.ndarray]]:
    """Every per-class column of a run in one table: class names, and column name to (C,) values."""
    names: list[str] = []
    columns: dict[str, np.ndarray] = {}
    for result in run.results().values():
        if isinstance(result, ClassTable):
            names = list(result.classes)
            columns = {**result.columns, **columns}
    return names, columns


def shown_classes(run: Run, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Classes worth a row: those the truth or a prediction has (a model may know a thousand others)."""
    seen = np.asarray(columns["support"]) > 0
    if "predicted" in columns:
        seen |= np.asarray(columns["predicted"]) > 0
    return np.flatnonzero(seen)


def figures_data(runs: Sequence[Run], names: Sequence[str] | None = None) -> Data:
    """Cards of key figures with intervals, the best marked; ``names`` None for the usual ones."""
    chosen = [n for n in (names or KEY_FIGURES) if any(r.metrics.get(n) is not None for r in runs)]
    few = all(len(r.classes) <= 5 for r in runs)
    cards = [_card(runs, n) for n in chosen if not (few and n == "top5")]
    if names is None and any(r.timing.get("latency_ms") for r in runs):
        cards.append(latency_card(runs))
    if incomparable(runs):
        unmark(cards)
    models = [{"name": r.model, "note": f"{r.dataset} · {r.samples:,}"} for r in runs]
    return {"models": models, "figures": cards, "warnings": warnings(runs) if names is None else []}


def different_data(runs: Sequence[Run]) -> bool:
    """Whether some runs are on other data than others: their numbers do not compare."""
    return len({r.facts.get("dataset_facts", {}).get("fingerprint") for r in runs}) > 1


def incomparable(runs: Sequence[Run]) -> bool:
    """Whether some runs are on other data than others, or on more of it: none of them is the best."""
    return different_data(runs) or len({r.samples for r in runs}) > 1


UNSEEN: Data = {"text": "–", "right": None, "confidence": None, "bare": True}
"""What a picture's card says of a run that has not seen it; it keeps its place, by which runs are told apart."""


def same_data(run: Run, other: Run) -> bool:
    """Whether two runs are on the same data, so that a position in it means the same picture."""
    return not different_data([run, other])


def unmark(cards: Sequence[Data]) -> None:
    """Of runs that are ``incomparable`` none is better."""
    for card in cards:
        for cell in card["cells"]:
            cell.pop("best", None)


def other_figures(runs: Sequence[Run]) -> list[str]:
    """Names of the scalars that are not key figures, in the order they were computed."""
    names = dict.fromkeys(n for r in runs for n in r.metrics)
    return [n for n in names if n not in KEY_FIGURES]


def _card(runs: Sequence[Run], name: str) -> Data:
    """One metric over runs."""
    values = [r.metrics.get(name) for r in runs]
    cells: list[Data] = []
    for run, value in zip(runs, values, strict=True):
        low, high = run.intervals.get(name, (None, None))
        cells.append({"value": value, "low": low, "high": high})
    mark_best(cells, name in LOWER_IS_BETTER)
    ends = [x for c in cells for x in (c["value"], c["high"]) if x is not None]
    return {"key": name, "cells": cells, "scale": [0, max([1.0, *ends])] if name in UNBOUNDED else [0, 1]}


def latency_card(runs: Sequence[Run]) -> Data:
    """Median batch-1 latency, with the evaluation's throughput as a note."""
    cells: list[Data] = []
    for run in runs:
        rate = run.timing.get("throughput_per_s")
        note = _per_second(rate) if rate else ""
        cells.append({"value": (run.timing.get("latency_ms") or {}).get("p50"), "note": note})
    mark_best(cells, lower=True)
    return {"key": "latency", "cells": cells, "format": "ms"}


def _per_second(rate: float) -> str:
    """A rate in three digits."""
    return f"{rate / 1e3:.3g}k/s" if rate >= 999.5 else f"{rate:.3g}/s"


def mark_best(cells: list[Data], lower: bool) -> None:
    """A star for the best of several, unless they are equal."""
    values = [c["value"] for c in cells if c["value"] is not None]
    if len(values) < 2 or min(values) == max(values):
        return
    best = min(values) if lower else max(values)
    for cell in cells:
        cell["best"] = cell["value"] == best


def warnings(runs: Sequence[Run]) -> list[Data]:
    """What a reader must know before believing the numbers, as text keys with their facts."""
    found: list[Data] = []
    for run in runs[:1]:
        names, columns = class_columns(run)
        support = np.asarray(columns["support"])
        present = np.flatnonzero(support)
        if present.size > 1 and not run.facts.get("multilabel"):
            big, small = present[support[present].argmax()], present[support[present].argmin()]
            if support[big] >= IMBALANCE * support[small]:
                share = support[big] / support.sum()
                facts = {"big": names[big], "n": int(support[big]), "small": names[small], "m": int(support[small])}
                found.append(
                    {
                        "key": "ui.warn.imbalance" + (".many" if share < 0.1 else ""),
                        "explain": "imbalance",
                        "vars": facts | {"share": f"{share:.0%}"},
                    }
                )
    return found + common_warnings(runs)


def common_warnings(runs: Sequence[Run]) -> list[Data]:
    """What the dataset's reader noted, pictures left out, and runs that do not compare."""
    found: list[Data] = []
    for run in runs[:1]:
        found += [{"text": w} for w in run.facts.get("dataset_facts", {}).get("warnings", [])]
    for run in runs:
        skipped = run.facts.get("skipped", [])
        if skipped:
            first = ", ".join(s["id"] for s in skipped[:3]) + (" …" if len(skipped) > 3 else "")
            found.append({"key": "ui.warn.skipped", "vars": {"n": len(skipped), "first": first, "model": run.model}})
    if different_data(runs):
        found.append({"key": "ui.warn.datasets"})
    elif incomparable(runs):
        found.append({"key": "ui.warn.parts", "vars": {"n": ", ".join(f"{r.samples:,}" for r in runs)}})
    return found


def table_data(run: Run, selected: int | None = None) -> Data:
    """The per-class table; ``classes`` maps its rows to class numbers."""
    names, columns = class_columns(run)
    rows = shown_classes(run, columns)
    present = [c for c in TABLE if c in columns]
    heads = [{"label": "ui.class", "kind": "name"}]
    heads += [{"explain": c, "kind": "count" if c == "support" else "rate", "short": f"ui.short.{c}"} for c in present]
    values = [[names[i], *(json_number(columns[c][i]) for c in present)] for i in rows]
    place = [] if selected is None else np.flatnonzero(rows == selected).tolist()
    sort = [1 + present.index("f1"), 1] if len(rows) > 30 and "f1" in present else None
    return {
        "key": run.id,
        "columns": heads,
        "rows": values,
        "classes": rows.tolist(),
        "selected": place[0] if place else None,
        "sort": sort,
    }


def json_number(value: Any) -> float | int | None:
    """A number for JSON, None where undefined."""
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not np.isfinite(number) else number
