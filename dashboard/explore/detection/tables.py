"""Key figures, the class table and the confusion matrix of detection runs at an operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dashboard.explore import overview
from dashboard.explore.detection.opened import Opened
from dashboard.explore.overview import Data, json_number
from dashboard.metrics.detection.matching import IOUS
from dashboard.metrics.detection.metrics import BACKGROUND, ap_columns
from dashboard.metrics.detection.operating import Point, confusion, counts, rates
from dashboard.store import Run

EXPLAINED = {"map": "det_map", "precision": "det_precision", "recall": "det_recall", "f1": "det_f1"}
FIGURES = ("map", "map_50", "map_75", "mar_100", "miou", "boundary_iou", "box_map")
COLUMNS = ("summary", "ious")
RATES = ("precision", "recall", "f1")


def explained(name: str) -> str:
    """Under which entry a metric of detection is explained."""
    return f"det_{name}" if name.startswith(("map", "mar_")) or name in RATES else name


def figures_data(runs: Sequence[Run], views: Sequence[Opened], point: Point) -> Data:
    """Cards: AP as stored with its intervals, and precision, recall and F1 at the point."""
    runs = [_by_boxes(r) if v.kind == "bbox" and v.batch.masked else r for r, v in zip(runs, views, strict=True)]
    data = overview.figures_data(runs, [n for n in FIGURES if any(r.metrics.get(n) is not None for r in runs)])
    for card in data["figures"]:
        card["key"] = explained(card["key"])
    live = [rates(*(c.sum() for c in counts(v.matches, point, len(v.names)))) for v in views]
    for k, name in enumerate(RATES):
        cells: list[Data] = [{"value": json_number(r[k])} for r in live]
        overview.mark_best(cells, lower=False)
        data["figures"].append({"key": explained(name), "cells": cells, "scale": [0, 1]})
    if any(r.timing.get("latency_ms") for r in runs):
        data["figures"].append(overview.latency_card(runs))
    if overview.incomparable(runs):
        overview.unmark(data["figures"])
    data["warnings"] = overview.common_warnings(runs)
    return data


def _by_boxes(run: Run) -> Run:
    """A run of masks as its boxes see it."""
    metrics = {k: run.metrics.get(f"box_{k}") for k in run.metrics if f"box_{k}" in run.metrics}
    between = {k.removeprefix("box_"): v for k, v in run.intervals.items() if k.startswith("box_")}
    return replace(run, metrics=metrics, intervals=between)


def other_figures(runs: Sequence[Run]) -> Data:
    """Everything else that was computed."""
    names = dict.fromkeys(n for r in runs for n in r.metrics)
    left = [n for n in names if n not in (*FIGURES, *RATES) and not n.endswith("_count")]
    data = overview.figures_data(runs, left)
    for card in data["figures"]:
        card["key"] = explained(card["key"])
    return data


def table_data(view: Opened, point: Point, columns: str = "summary", label: int | None = None) -> Data:
    """One row a class that occurs: AP by threshold and size, and what counts at the point; or AP at each IoU."""
    found = view.accumulated
    support = found.truths[:, 0]
    tp, fp, fn = counts(view.matches, point, len(view.names))
    rows = np.flatnonzero((support > 0) | (tp + fp > 0))
    heads: list[Data] = [{"label": "ui.class", "kind": "name"}, {"explain": "objects", "kind": "count"}]
    if columns == "ious":
        with np.errstate(invalid="ignore"):
            table = {f"{t:.2f}": found.precision[k, :, :, 0].mean(axis=0) for k, t in enumerate(IOUS)}
        table = {"ap": ap_columns(found)["ap"], **table}
        heads += [{"explain": "ap", "kind": "rate", "short": "ui.short.ap"}]
        heads += [{"label": f"AP {t:.2f}"[:7], "kind": "rate"} for t in IOUS]
    else:
        table = ap_columns(found)
        table |= {f"det_{n}": v for n, v in zip(RATES, rates(tp, fp, fn), strict=True)}
        heads += [{"explain": n, "kind": "rate", "short": f"ui.short.{n.removeprefix('det_')}"} for n in table]
    values = [[view.names[i], int(support[i]), *(json_number(c[i]) for c in table.values())] for i in rows]
    place = [] if label is None else np.flatnonzero(rows == label).tolist()
    key = f"{view.run.id} {view.kind} {columns}"
    return {
        "key": key,
        "columns": heads,
        "rows": values,
        "classes": rows.tolist(),
        "selected": place[0] if place else None,
        "sort": [2, 1] if len(rows) > 30 else None,
    }


def matrix_data(view: Opened, point: Point) -> Data:
    """The confusion matrix at a point, with background; classes that do not occur are left out."""
    cells = confusion(view.matches, view.near, point, len(view.names))
    side = len(view.names) + 1
    pairs, often = np.unique(cells.row * side + cells.column, return_counts=True)
    row, column = pairs // side, pairs % side
    used = np.unique(np.concatenate([row, column, [side - 1]]))
    names = [*view.names, BACKGROUND]
    place = np.searchsorted(used, np.arange(side))
    return {
        "key": f"{view.run.id} {view.kind}",
        "classes": [names[i] if i < side - 1 else "ui.background" for i in used],
        "numbers": used.tolist(),
        "cells": [[int(place[a]), int(place[b]), int(n)] for a, b, n in zip(row, column, often, strict=True)],
        "one": None,
    }
