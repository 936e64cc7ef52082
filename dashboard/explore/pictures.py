"""The pictures behind a selection, small and large, with what each run said of them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import duckdb
import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dashboard.datasets.base import Dataset
from dashboard.datasets.images import thumbnail
from dashboard.errors import InputError
from dashboard.explore.overview import Data, json_number
from dashboard.metrics.losses import LOSSES, focal
from dashboard.predictions import scores_of
from dashboard.selection import Selection, join_runs, literal, select
from dashboard.store import Run

THUMB, LARGE = 168, 1280


def gallery_data(
    runs: Sequence[Run],
    pictures: Dataset | None,
    selection: Selection,
    sort: str = "dataset",
    gamma: float = 2.0,
    errors_only: bool = False,
    focus: int = 0,
    most: int = 24,
    thumb: Callable[[Dataset, int], str | None] | None = None,
    start: int = 0,
) -> tuple[Data, list[int]]:
    """Cards ``start`` to ``most`` of a selection, and all its dataset positions in order."""
    frame = select(runs[focus], selection, sort, gamma, errors_only)
    head = frame.iloc[start:most]
    joined = join_runs(head, runs)
    names = runs[focus].classes
    sure = [confidence_known(run) for run in runs]
    cards = []
    for i, row in enumerate(head.itertuples()):
        answers = [_answer(r.iloc[i], run.classes, known) for r, run, known in zip(joined, runs, sure, strict=True)]
        card = {
            "id": row.id,
            "index": int(row.index),
            "truth": _truth(row, names),
            "answers": [a for a in answers if a],
        }
        if sort != "dataset":
            card["loss"] = json_number(float(row.loss))
        card["thumb"] = (thumb or thumb_uri)(pictures, int(row.index)) if pictures is not None else None
        cards.append(card)
    data = {
        "cards": cards,
        "total": len(frame),
        "title": title_of(selection, names, bool(runs[focus].facts.get("multilabel"))),
        "reset": selection["kind"] != "all",
        "start": start,
        "stamp": uuid.uuid4().hex,  # tells a new answer from the same one drawn again
    }
    return data, [int(i) for i in frame["index"]]


def _truth(row: Any, names: Sequence[str]) -> str:
    """The true label, or labels."""
    labels = getattr(row, "labels", None)
    return names[int(row.label)] if labels is None else ", ".join(names[i] for i in labels) or "∅"


def confidence_known(run: Run) -> bool:
    """Whether a run's rows say how sure it was: that of answers in labels only is stored as 1."""
    there = pq.read_schema(run.rows_path).names
    if "confidence" not in there or "rank" in there:
        return "confidence" in there
    return not bool(pc.all(pc.equal(pq.read_table(run.rows_path, columns=["confidence"])["confidence"], 1)).as_py())


def _answer(row: pd.Series, names: Sequence[str], sure: bool) -> Data | None:
    """What a run said of a sample, and how ``sure`` it was if that is known; None if it has not seen it."""
    if pd.isna(row["index"]):
        return None
    if "labels" in row:
        said = ", ".join(names[i] for i in row["predicted_labels"]) or "∅"
        return {"text": said, "right": bool(row["correct"]), "confidence": None}
    confidence = json_number(float(row["confidence"])) if sure else None
    return {"text": names[int(row["predicted"])], "right": bool(row["correct"]), "confidence": confidence}


def title_of(selection: Selection, names: Sequence[str], multilabel: bool = False) -> Data:
    """A selection in words: a text key and its facts."""
    kind = selection["kind"]
    facts = {
        "t": f"{selection.get('threshold', 0):.3f}",
        "class": names[selection["class"]] if "class" in selection else "",
        "true": names[selection["true"]] if "true" in selection else "",
        "predicted": names[selection["predicted"]] if selection.get("predicted", -1) >= 0 else "",
        "low": f"{selection.get('low', 0):.2f}",
        "high": f"{selection.get('high', 0):.2f}",
    }
    suffix = f".{selection['cell']}" if kind == "one" else ""
    if kind == "class" and multilabel:
        kind = "truth"
    if kind == "confidence" and selection.get("correct") is not None:
        suffix = ".correct" if selection["correct"] else ".wrong"
    return {"key": f"ui.selection.{kind}{suffix}", "vars": facts}


def thumb_uri(pictures: Dataset, index: int) -> str | None:
    """A small JPEG as a data URI; None if the picture cannot be read."""
    sample = pictures[index]
    try:
        return thumb_data(sample.source if sample.source is not None else sample.image, THUMB)
    except InputError:
        return None


def thumb_data(image: Any, size: int) -> str:
    """A JPEG of at most ``size`` pixels as a data URI. Raises InputError if the file cannot be read."""
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(image, size)).decode()


def detail_data(runs: Sequence[Run], pictures: Dataset | None, index: int, gamma: float = 2.0, top: int = 5) -> Data:
    """One sample, large: every run's top scores and losses."""
    with duckdb.connect() as db:
        query = "select * from read_parquet(?) where index = ?"
        rows = [db.execute(query, [literal(r.rows_path), index]).df() for r in runs]
    first = next(r for r in rows if len(r)).iloc[0]
    data: Data = {"id": first["id"], "index": index, "truth": _truth(first, runs[0].classes), "models": []}
    data |= _picture(pictures, index)
    for run, frame in zip(runs, rows, strict=True):
        if len(frame):
            data["models"].append(_model_detail(run, frame, index, gamma, top))
    return data


def _model_detail(run: Run, frame: pd.DataFrame, index: int, gamma: float, top: int) -> Data:
    """One run's view of one sample."""
    row, names = frame.iloc[0], run.classes
    true = {int(row["label"])} if "label" in row else {int(i) for i in row["labels"]}
    scores = scores_of(run.predictions_path, index) if run.facts.get("has_scores", True) else None
    best: list[int] = []
    if scores is not None:
        best = [int(i) for i in np.argsort(-scores, kind="stable")[:top]]
        best += [i for i in sorted(true) if i not in best]
    bars = (
        [{"name": names[i], "score": float(scores[i]), "truth": i in true} for i in best] if scores is not None else []
    )
    losses = []
    for name, loss in LOSSES.items():
        if set(loss.needs) <= set(frame.columns):
            columns = {c: frame[c].to_numpy() for c in loss.needs}
            value = focal(columns["true_score"], gamma) if name == "focal" else loss.of(columns)
            losses.append({"key": name, "value": json_number(float(value[0]))})
    return {"name": run.model, "right": bool(row["correct"]), "top": bars, "losses": losses}


def _picture(pictures: Dataset | None, index: int) -> Data:
    """The picture as a data URI of at most ``LARGE`` pixels, and its size in words."""
    if pictures is None:
        return {"image": None}
    try:
        image = pictures[index].image
    except InputError as error:
        return {"image": None, "missing": str(error)}
    height, width = image.shape[:2]
    small = max(height, width) <= 64
    pixels: Any = image
    scale = min(1.0, LARGE / max(height, width))
    if scale < 1:
        pixels = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    kind, options = (".png", []) if small else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88])
    done, data = cv2.imencode(kind, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    mime = "png" if small else "jpeg"
    uri = f"data:image/{mime};base64,{base64.b64encode(data.tobytes()).decode()}" if done else None
    return {"image": uri, "small": small, "size": f"{width} × {height}"}
