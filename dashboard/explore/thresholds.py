"""What the browser needs to recompute matrix and rates at any threshold, without asking again."""

from __future__ import annotations

import base64

import duckdb
import numpy as np

from dashboard.explore.overview import Data, class_columns, json_number
from dashboard.metrics.ranking import threshold_counts
from dashboard.predictions import class_scores
from dashboard.selection import literal
from dashboard.store import Run


def _b64(values: np.ndarray, kind: str) -> str:
    """Little-endian bytes as text."""
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def to_grid(confidence: np.ndarray) -> np.ndarray:
    """The largest k with k/1000 <= confidence: at threshold k/1000 exactly those with a value >= k pass."""
    return np.searchsorted(np.arange(1001) / 1000, confidence.astype(np.float64), side="right") - 1


def matrix_data(run: Run, label: int | None = None) -> Data:
    """What the browser needs to recompute matrix, precision, recall and F1 at any threshold.

    Classes that neither truth nor predictions have are left out. ``label`` adds that class against the rest; a
    multi-label run has no matrix, only that.
    """
    if run.facts.get("multilabel"):
        data: Data = {"key": run.id, "classes": [], "numbers": [], "labels": "", "predicted": "", "confidence": ""}
        return data | class_data(run, label)
    with duckdb.connect() as db:
        columns = db.execute(
            "select label, predicted, confidence from read_parquet(?) order by index", [literal(run.rows_path)]
        ).fetchnumpy()
    names = run.classes
    used = np.unique(np.concatenate([columns["label"], columns["predicted"]]))
    place: np.ndarray = np.zeros(len(names), np.uint16)
    place[used] = np.arange(len(used))
    data = {
        "key": run.id,
        "classes": [names[i] for i in used],
        "numbers": used.tolist(),
        "labels": _b64(place[columns["label"]], "<u2"),
        "predicted": _b64(place[columns["predicted"]], "<u2"),
        "confidence": _b64(np.clip(to_grid(np.asarray(columns["confidence"])), 0, 1000), "<u2"),
    }
    return data | class_data(run, label)


def class_data(run: Run, label: int | None) -> Data:
    """One class against the rest as ``one``; None without a class, or without scores."""
    return {"one": None if label is None or not run.facts.get("has_scores", True) else one_class(run, label)}


def one_class(run: Run, label: int) -> Data:
    """One class against the rest: exact counts at every threshold of the slider, Youden's and the best-F1 threshold."""
    scores, positive = class_scores(run.predictions_path, label), truth_of(run, label)
    positives, negatives = threshold_counts(scores, positive)
    names, columns = class_columns(run)
    return {
        "index": label,
        "name": names[label],
        "positives": positives.tolist(),
        "negatives": negatives.tolist(),
        "youden": json_number(columns["youden_threshold"][label]),
        "best_f1": json_number(columns["best_f1_threshold"][label]),
    }


def truth_of(run: Run, label: int) -> np.ndarray:
    """(N,) bool, in dataset order: is the sample of that class."""
    column = "list_contains(labels, ?)" if run.facts.get("multilabel") else "label = ?"
    with duckdb.connect() as db:
        query = f"select {column} as hit from read_parquet(?) order by index"
        return np.asarray(db.execute(query, [label, literal(run.rows_path)]).fetchnumpy()["hit"], bool)
