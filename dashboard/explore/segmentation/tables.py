"""Key figures, the class table, the slices and the confusion matrix of segmentation runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dashboard.explore import overview
from dashboard.explore.overview import Data, json_number
from dashboard.explore.segmentation.opened import Opened
from dashboard.metrics.segmentation.slices import SIZES, size_slices, slice_table
from dashboard.store import Run

OWN_NAMES = {"miou": "sem_miou", "mdice": "sem_mdice", "boundary_iou": "sem_boundary_iou"}
"""Metrics whose name means something else in another task: under which entry they are explained here."""
FIGURES = (
    *("miou", "mdice", "pixel_accuracy", "mean_pixel_accuracy", "frequency_weighted_iou"),
    *("boundary_iou", "boundary_f1"),
)
COLUMNS = {
    "regions": ("iou", "dice", "accuracy", "precision"),
    "outlines": ("boundary_iou", "boundary_f1", "boundary_precision", "boundary_recall"),
}
SLICES = ("presence", "size", "brightness")
BRIGHTNESS_BINS = 5


def explained(name: str) -> str:
    """Under which entry a metric of this task is explained."""
    return OWN_NAMES.get(name, name)


def figures_data(runs: Sequence[Run]) -> Data:
    """Cards with intervals, the best marked, and latency."""
    data = overview.figures_data(runs, [n for n in FIGURES if any(r.metrics.get(n) is not None for r in runs)])
    for card in data["figures"]:
        card["key"] = explained(card["key"])
    if any(r.timing.get("latency_ms") for r in runs):
        data["figures"].append(overview.latency_card(runs))
    data["warnings"] = overview.common_warnings(runs)
    return data


def other_figures(runs: Sequence[Run]) -> Data:
    """Cards of what is not among the key figures."""
    names = [n for n in dict.fromkeys(n for r in runs for n in r.metrics) if n not in FIGURES]
    data = overview.figures_data(runs, names)
    for card in data["figures"]:
        card["key"] = _loss_name(card["key"])
    return data


def _loss_name(name: str) -> str:
    """Losses per pixel are explained apart from those per picture."""
    return {"cross_entropy": "sem_cross_entropy", "focal": "sem_focal"}.get(name, explained(name))


def shown_classes(view: Opened) -> NDArray[np.int64]:
    """Classes that occur in truth or answers."""
    return np.flatnonzero(view.matrix.sum(axis=1) + view.matrix[:, :-1].sum(axis=0) > 0)


def table_data(view: Opened, columns: str = "regions", label: int | None = None) -> Data:
    """One row a class: its pixels, in how many images it is, and how well it is met."""
    _, values = overview.class_columns(view.run)
    rows = shown_classes(view)
    heads: list[Data] = [{"label": "ui.class", "kind": "name"}]
    heads += [{"explain": n, "kind": "count", "short": f"ui.short.{n}"} for n in ("pixels", "class_images")]
    table = {"pixels": view.matrix.sum(axis=1), "class_images": (view.pixels[:, :, 1] > 0).sum(axis=0)}
    for name in COLUMNS[columns]:
        if name in values:
            key = name if name == "boundary_f1" else f"sem_{name}"
            heads.append({"explain": key, "kind": "rate", "short": f"ui.short.{key}"})
            table[name] = values[name]
    place = [] if label is None else np.flatnonzero(rows == label).tolist()
    return {
        "key": f"{view.run.id} {columns}",
        "columns": heads,
        "rows": [[view.names[i], *(json_number(c[i]) for c in table.values())] for i in rows],
        "classes": rows.tolist(),
        "selected": place[0] if place else None,
        "sort": [3, 1] if len(rows) > 30 else None,
    }


def matrix_data(view: Opened) -> Data:
    """The pixel confusion matrix; classes that do not occur are left out, and "other" where nothing is."""
    true, found = np.nonzero(view.matrix)
    classes = len(view.names)
    used = np.unique(np.concatenate([shown_classes(view), found]))
    names = [*view.names, "ui.other"]
    place = np.searchsorted(used, np.arange(classes + 1))
    return {
        "key": view.run.id,
        "classes": [names[i] for i in used],
        "numbers": used.tolist(),
        "cells": [[int(place[a]), int(place[b]), int(view.matrix[a, b])] for a, b in zip(true, found, strict=True)],
        "one": None,
        "norm": "row",
        "explain": "sem_matrix",
        "unit": "ui.pixels",
    }


def brightness_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B + 1,) edges of bins with as many images each, whole numbers of 0..255, ends included."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.array([0.0, 256.0])
    inner = np.quantile(known, np.linspace(0, 1, BRIGHTNESS_BINS + 1)[1:-1]).round()
    return np.unique(np.concatenate([[0.0], inner, [256.0]]))


def slices(view: Opened, by: str, brightness: NDArray[np.float64] | None = None) -> list[Data]:
    """The slices of a run by one fact: each with its numbers, its name and the selection that is its images."""
    if by == "size":
        rows = size_slices(view.counts)
        return [
            dict(row) | {"name": f"ui.seg.size.{size}", "selection": {"kind": "size", "size": size, "class": None}}
            for size, row in zip(SIZES, rows, strict=True)
        ]
    groups: list[tuple[str, NDArray[np.bool_]]] = []
    picks: list[Data] = []
    if by == "presence":
        for c in shown_classes(view):
            groups.append((view.names[c], view.pixels[:, c, 1] > 0))
            picks.append({"kind": "presence", "class": int(c)})
    elif brightness is not None:
        edges = brightness_edges(brightness)
        for low, high in pairwise(edges):
            groups.append((f"{low:.0f}–{high - 1:.0f}", (brightness >= low) & (brightness < high)))
            picks.append({"kind": "brightness", "low": float(low), "high": float(high)})
    rows = slice_table(view.counts, groups)
    return [
        dict(row) | {"name": name, "selection": pick} for row, (name, _), pick in zip(rows, groups, picks, strict=True)
    ]
