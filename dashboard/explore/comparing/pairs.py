"""The samples on which a run and the baseline differ: who wins where, filtered by class, the clearest first."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.comparing.shapes import Comparison
from dashboard.errors import InputError
from dashboard.explore import detection, segmentation, tracking
from dashboard.explore.comparing.shown import run_names
from dashboard.explore.comparing.small import DETECTION, tally
from dashboard.explore.overview import Data
from dashboard.explore.pictures import confidence_known
from dashboard.store import Run

RIGHT_WRONG = ("only_run", "only_baseline", "neither", "both")
WINS_LOSSES = ("wins", "losses", "ties")
GROUPS = (*RIGHT_WRONG, *WINS_LOSSES)
Thumb = Callable[[int], str | None]
"""From a place in ``Comparison.ids`` to a small picture."""


@dataclass(frozen=True)
class Asked:
    """Which samples are wanted.

    Attributes:
        run: the place of the run that is held against the baseline.
        group: one of ``groups_of``.
        label: only samples whose truth has the class of that name; None for all.
    """

    run: int
    group: str
    label: str | None = None


def groups_of(comparison: Comparison) -> tuple[str, ...]:
    """How samples are told apart: by who is right where answers are right or wrong, else by who scores higher."""
    binary = comparison.task == "classification" and bool(np.isin(comparison.scores, (0.0, 1.0)).all())
    return RIGHT_WRONG if binary else WINS_LOSSES


def masks(comparison: Comparison, run: int) -> dict[str, NDArray[np.bool_]]:
    """(N,) of each group of a run against the baseline: which samples it has; every sample is in one of them."""
    if groups_of(comparison) == RIGHT_WRONG:
        own, base = comparison.scores[run] > 0.5, comparison.scores[comparison.baseline] > 0.5
        return {"only_run": own & ~base, "only_baseline": base & ~own, "neither": ~own & ~base, "both": own & base}
    outcome = comparison.outcome(run)
    return {"wins": outcome > 0, "losses": outcome < 0, "ties": outcome == 0}


def counts_data(comparison: Comparison, run: int, asked: Asked | None = None) -> list[Data]:
    """Each group with its number of samples, of the class that is asked for if any."""
    within = labelled(comparison, asked.label) if asked is not None and asked.label is not None else None
    return [
        {"name": name, "n": int((mask if within is None else mask & within).sum())}
        | ({"on": asked.group == name} if asked is not None else {})
        for name, mask in masks(comparison, run).items()
    ]


def chosen(comparison: Comparison, asked: Asked) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of the wanted samples in ``Comparison.ids``, the clearest first, and (n,) how far apart the two are.

    Of right and wrong answers those come first that were wrong with most confidence (of which both were right: with
    least); their gap is that of the confidences. All others are ordered by the gap of their scores, ties as they come.

    Raises:
        InputError: there is no such run, group or class.
    """
    if not (0 <= asked.run < len(comparison.runs)) or asked.run == comparison.baseline:
        raise InputError("There is no such run beside the baseline: pick another.")
    found = masks(comparison, asked.run)
    if asked.group not in found:
        raise InputError("There is no such group of images: reload the page and click again.")
    mask = found[asked.group]
    if asked.label is not None:
        mask = mask & labelled(comparison, asked.label)
    places = np.flatnonzero(mask)
    if asked.group in WINS_LOSSES:
        with np.errstate(invalid="ignore"):  # two identical pictures are both infinitely good
            gap = (comparison.scores[asked.run] - comparison.scores[comparison.baseline])[places]
        if asked.group == "ties":
            return places, gap
        by = np.argsort(-np.abs(gap), kind="stable")
        return places[by], gap[by]
    own, base = (confidences(comparison, k)[places] for k in (asked.run, comparison.baseline))
    key = {"only_run": -base, "only_baseline": -own, "neither": -(own + base), "both": np.minimum(own, base)}
    by = np.argsort(np.nan_to_num(key[asked.group], nan=np.inf), kind="stable")
    return places[by], (own - base)[by]


def rows_of(run: Run, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a run's rows by dataset position; columns that it lacks are left out.

    The confidence of a file that has labels only is unknown: it is stored as 1.
    """
    there = pq.read_schema(run.rows_path).names
    kept = [c for c in dict.fromkeys(["index", *columns]) if c in there]
    found = pq.read_table(run.rows_path, columns=kept).to_pandas().set_index("index")
    if "confidence" in found and not confidence_known(run):
        found["confidence"] = np.nan
    return found


def confidences(comparison: Comparison, run: int) -> NDArray[np.float64]:
    """(N,) how sure a run was of its answer; NaN where that is not known."""
    rows = rows_of(comparison.runs[run], ["confidence"])
    if "confidence" not in rows:
        return np.full(len(comparison.ids), np.nan)
    return rows["confidence"].reindex(comparison.index[run]).to_numpy(np.float64)


def labelled(comparison: Comparison, name: str) -> NDArray[np.bool_]:
    """(N,) which samples have a class in the baseline's truth; of tasks whose samples have none, all.

    Raises:
        InputError: there is no such class.
    """
    run, index = comparison.runs[comparison.baseline], comparison.index[comparison.baseline]
    if comparison.task == "enhancement":
        return np.ones(len(index), bool)
    if name not in run.classes:
        raise InputError(f"The baseline has no class {name!r}: pick another class.")
    label = run.classes.index(name)
    if comparison.task == "classification":
        rows = rows_of(run, ["label", "labels"]).reindex(index)
        if "label" in rows:
            return (rows["label"] == label).to_numpy(bool)
        return np.array([label in set(s) if s is not None else False for s in rows["labels"]], bool)
    if comparison.task == "tracking":
        return _frames_with(run, label, comparison.ids)
    view: Any
    if comparison.task == "semantic-segmentation":
        view = segmentation.opened(run)
        has = view.pixels[:, label, 1] > 0
    else:
        view = detection.opened(run)
        truth = view.batch.truth
        has = np.bincount(truth.image[truth.classes == label], minlength=len(view.index)) > 0
    at = np.searchsorted(view.index, index)
    return np.asarray(has[np.minimum(at, len(has) - 1)] & (at < len(has)), bool)


def _frames_with(run: Run, label: int, ids: Sequence[str]) -> NDArray[np.bool_]:
    """(N,) which frames ("sequence/frame", counted from 1) have a class in the truth."""
    there = set()
    for stored in tracking.opened(run).sequences:
        truth = stored.tracks.truth
        there |= {(stored.tracks.name, int(f) + 1) for f in np.unique(truth.frame[truth.class_ids == label])}
    parts = (name.rpartition("/") for name in ids)
    return np.array([frame.isdigit() and (name, int(frame)) in there for name, _, frame in parts], bool)


def gallery_data(
    comparison: Comparison, asked: Asked, thumb: Thumb, start: int = 0, most: int = 24
) -> tuple[Data, list[int]]:
    """Cards ``start`` to ``most`` of the wanted samples with every run's answer, and the places of all in order."""
    places, gap = chosen(comparison, asked)
    head = places[start:most]
    said = answers_of(comparison, head)
    names = run_names(comparison.runs)
    cards = [
        {
            "id": comparison.ids[place],
            "index": int(place),
            "truth": said["truth"][i],
            "answers": [said["answers"][k][i] | {"at": k} for k in _order(comparison, asked.run)],
            "thumb": thumb(int(place)),
        }
        | _badge(comparison, asked, float(gap[start + i]))
        for i, place in enumerate(head)
    ]
    facts = {"a": names[asked.run], "b": names[comparison.baseline], "class": asked.label or ""}
    suffix = ".class" if asked.label is not None else ""
    data = {
        "cards": cards,
        "total": len(places),
        "title": {"key": f"ui.vs.title.{asked.group}{suffix}", "vars": facts},
        "reset": asked.label is not None,
        "start": start,
        "stamp": uuid.uuid4().hex,  # tells a new answer from the same one drawn again
    }
    return data, places.tolist()


def _order(comparison: Comparison, run: int) -> list[int]:
    """The pair that is looked at first, then the others."""
    pair = [run, comparison.baseline]
    return [*pair, *(k for k in range(len(comparison.runs)) if k not in pair)]


def _badge(comparison: Comparison, asked: Asked, gap: float) -> Data:
    """By how much the two differ, on the picture."""
    if asked.group not in ("wins", "losses") or not np.isfinite(gap):
        return {}
    digits = 2 if comparison.score_name.startswith("psnr") else 3
    return {"loss": abs(gap), "badge": f"{gap:+.{digits}f}"}


def answers_of(comparison: Comparison, places: NDArray[np.int64]) -> dict[str, Any]:
    """What each run said of some samples, and their truth where it fits in a word."""
    if comparison.task == "classification":
        found = [_labels(run, comparison.index[k][places]) for k, run in enumerate(comparison.runs)]
        return {"truth": found[comparison.baseline][0], "answers": [f[1] for f in found]}
    name = SHORT.get(comparison.score_name, comparison.score_name)
    unit = " dB" if comparison.score_name.startswith("psnr") else ""
    digits = 2 if unit else 3
    texts = []
    for k, run in enumerate(comparison.runs):
        more = _tallies(run, comparison.index[k][places])
        values = comparison.scores[k][places].tolist()
        plain = ["–" if np.isnan(v) else f"{name} ∞" if np.isinf(v) else f"{name} {v:.{digits}f}{unit}" for v in values]
        said = [m or p for m, p in zip(more, plain, strict=True)]
        texts.append([{"text": text, "right": None, "confidence": None, "bare": True} for text in said])
    return {"truth": [None] * len(places), "answers": texts}


SHORT = {"f1": "F1", "miou": "mIoU", "psnr": "PSNR", "psnr_y": "PSNR", "ssim": "SSIM", "mota": "MOTA", "hota": "HOTA"}


def _tallies(run: Run, index: NDArray[np.int64]) -> list[str]:
    """What a run found and missed in images by dataset position, of detection."""
    if run.task not in DETECTION:
        return [""] * len(index)
    view = detection.opened(run)
    return [tally(view, int(i)) for i in index]


def _labels(run: Run, index: NDArray[np.int64]) -> tuple[list[str], list[Data]]:
    """Of samples by dataset position: their true labels in words, and what a run took them for."""
    columns = ["label", "labels", "predicted", "predicted_labels", "confidence", "correct"]
    rows = rows_of(run, columns).reindex(index)
    names = run.classes
    truths, answers = [], []
    for row in rows.to_dict("records"):
        several = "labels" in row
        truths.append(_joined(names, row["labels"]) if several else names[int(row["label"])])
        text = _joined(names, row["predicted_labels"]) if several else names[int(row["predicted"])]
        sure = row.get("confidence")
        known = not several and sure is not None and np.isfinite(sure)
        answers.append({"text": text, "right": bool(row["correct"]), "confidence": float(sure) if known else None})
    return truths, answers


def _joined(names: Sequence[str], labels: Sequence[int]) -> str:
    return ", ".join(names[int(i)] for i in labels) or "∅"
