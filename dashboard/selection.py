"""From a click to exactly the samples behind it: a selection is a small mapping, answered by one query over rows."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dashboard.errors import InputError
from dashboard.metrics.losses import LOSSES, focal
from dashboard.predictions import class_scores
from dashboard.store import Run

Selection = Mapping[str, Any]
ALL: Selection = {"kind": "all"}


SINGLE_LABEL = ("cell", "rejected", "confidence")  # kinds that need one true and one predicted label


def literal(path: Path) -> str:
    """A path that DuckDB does not read as a pattern."""
    return glob.escape(str(path))


def sorts(columns: Sequence[str]) -> list[str]:
    """The orders that rows with these columns can be put in: their own, and by each loss, hardest first."""
    return ["dataset", *(name for name, loss in LOSSES.items() if set(loss.needs) <= set(columns))]


def checked(selection: Any, classes: int) -> Selection:
    """A selection from outside (a browser), if it is one. Raises InputError otherwise.

    Args:
        selection: see ``select``.
        classes: how many the run has.
    """
    wanted = {
        "all": (),
        "cell": ("true", "predicted", "threshold"),
        "rejected": ("true", "threshold"),
        "class": ("class",),
        "score": ("class", "threshold"),
        "one": ("class", "threshold"),
        "confidence": ("low", "high"),
    }
    good = isinstance(selection, Mapping) and selection.get("kind") in wanted
    for name in wanted[selection["kind"]] if good else ():
        value = selection.get(name)
        whole = name in ("true", "predicted", "class")
        good &= isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        good = good and (0 <= value < classes if whole else -1 <= value <= 2)  # NaN is in no range
    if good and selection["kind"] == "one":
        good = selection.get("cell") in ("tp", "fp", "fn", "tn")
    if good and selection["kind"] == "confidence":
        good = selection.get("correct") in (True, False, None)
    if not good:
        raise InputError("That selection is not understood: reload the page and click again.")
    return selection


def usable_sort(run: Run, sort: str) -> str:
    """``sort`` if the run's rows allow it, else a loss they have, else their own order (answers without scores)."""
    possible = run_sorts(run)
    return sort if sort in possible else possible[min(1, len(possible) - 1)]


def run_sorts(run: Run) -> list[str]:
    """The orders that a run's rows can be put in."""
    return sorts(pq.read_schema(run.rows_path).names)


def _where(selection: Selection, multilabel: bool) -> tuple[str, list[Any]]:
    """A selection as SQL over rows; the kinds that need full scores are answered in ``select``."""
    kind = selection["kind"]
    if kind in ("all", "score", "one"):
        return "true", []
    if kind == "cell":
        return "label = ? and predicted = ? and confidence >= ?", [
            selection["true"],
            selection["predicted"],
            selection.get("threshold", 0.0),
        ]
    if kind == "rejected":
        return "label = ? and confidence < ?", [selection["true"], selection["threshold"]]
    if kind == "class":
        if multilabel:
            return "list_contains(labels, ?)", [selection["class"]]
        return "label = ? or predicted = ?", [selection["class"]] * 2
    if kind == "confidence":
        where, values = _between(float(selection["low"]), float(selection["high"]))
        if selection.get("correct") is not None:
            where += " and correct" if selection["correct"] else " and not correct"
        return where, values
    raise ValueError(f"selection kind must be a known one, got {kind!r}")


def _between(low: float, high: float) -> tuple[str, list[Any]]:
    """SQL for confidences in [low, high), closed at 1.

    A bar of a histogram is counted as ``floor(confidence * bins)``; its edges, rounded, would put a confidence of 0.15
    (typed by a person, say) in another bar. So an interval that is one of n equal parts is asked for in the same way.
    """
    bins = round(1 / (high - low)) if high - low > 1e-4 else 0
    place = round(low * bins)
    if bins and abs(low * bins - place) < 1e-6 and abs(high * bins - place - 1) < 1e-6:
        return "least(floor(confidence::double * ?), ?) = ?", [float(bins), bins - 1, place]
    return f"confidence >= ? and confidence {'<=' if high >= 1 else '<'} ?", [low, high]


def select(
    run: Run,
    selection: Selection = ALL,
    sort: str = "dataset",
    gamma: float = 2.0,
    errors_only: bool = False,
) -> pd.DataFrame:
    """The rows of the samples a selection stands for.

    Args:
        run: whose rows.
        selection: ``{"kind": ...}``: "all"; "cell" (true, predicted, threshold); "rejected" (true, threshold); "class"
            (class: samples whose truth or prediction it is); "confidence" (low, high, correct or None: half-open, the
            last bin closed); "score" (class, threshold: samples whose score for the class reaches it: what a ROC or PR
            point accepts); "one" (class, cell in tp/fp/fn/tn, threshold on the class's score).
        sort: "dataset" (its own order) or a loss of ``LOSSES``, hardest first.
        gamma: of the focal loss.
        errors_only: leave out what was right.

    Returns:
        A frame with the rows' columns, plus ``loss`` when sorted by one, plus ``score`` for "score" and "one".

    Raises:
        InputError: if the sort is unknown or the run has not what the selection needs.
    """
    multilabel = bool(run.facts.get("multilabel"))
    if multilabel and selection["kind"] in SINGLE_LABEL:
        raise InputError(f"{run.id} has several labels a picture, so there is no one answer to pick by: pick a class.")
    where, values = _where(selection, multilabel)
    if errors_only:
        where = f"({where}) and not correct"
    with duckdb.connect() as db:
        frame = db.execute(
            f"select * from read_parquet(?) where {where} order by index", [literal(run.rows_path), *values]
        ).df()
    if selection["kind"] in ("score", "one"):
        frame = _by_score(run, frame, selection)
    if sort == "dataset":
        return frame.reset_index(drop=True)
    known = sorts(list(frame.columns))
    if sort not in known:
        raise InputError(f"{run.id} cannot be sorted by {sort!r}: choose one of {', '.join(known)}.")
    return _sorted(frame, sort, gamma)


def _by_score(run: Run, frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Keep the rows on the right side of a threshold on one class's score."""
    if not run.facts.get("has_scores", True):
        raise InputError(f"{run.id} has predicted labels only: a threshold on a class needs scores.")
    label = int(selection["class"])
    scores = pd.Series(class_scores(run.predictions_path, label), index=_positions(run))
    score = scores.reindex(frame["index"]).to_numpy().astype(np.float64)  # a threshold is not rounded to float32
    is_class = frame["labels"].map(lambda s: label in s) if "labels" in frame else frame["label"] == label
    accepted = score >= selection["threshold"]
    cell = selection.get("cell")
    keep = {
        None: accepted,
        "tp": accepted & is_class,
        "fp": accepted & ~is_class,
        "fn": ~accepted & is_class,
        "tn": ~accepted & ~is_class,
    }[cell]
    return frame.assign(score=score)[np.asarray(keep)]


def _positions(run: Run) -> np.ndarray:
    """Dataset positions in the order of the stored predictions."""
    with duckdb.connect() as db:
        return db.execute("select index from read_parquet(?)", [literal(run.predictions_path)]).fetchnumpy()["index"]


def _sorted(frame: pd.DataFrame, sort: str, gamma: float) -> pd.DataFrame:
    """Hardest first; undefined losses last."""
    loss = LOSSES[sort]
    columns = {name: frame[name].to_numpy() for name in loss.needs}
    values = focal(columns["true_score"], gamma) if sort == "focal" else loss.of(columns)
    frame = frame.assign(loss=values)
    return frame.sort_values("loss", ascending=loss.hardest == "lowest", kind="stable", na_position="last").reset_index(
        drop=True
    )


def join_runs(frame: pd.DataFrame, others: Sequence[Run]) -> list[pd.DataFrame]:
    """The same samples' rows in other runs, aligned by id; samples another run lacks are missing (NaN) there."""
    found = []
    for run in others:
        with duckdb.connect() as db:
            db.register("wanted", frame[["id"]])
            rows = db.execute(
                "select r.* from read_parquet(?) r semi join wanted using (id)", [literal(run.rows_path)]
            ).df()
        found.append(rows.set_index("id").reindex(frame["id"]).reset_index())
    return found
