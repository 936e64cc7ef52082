"""Films that were watched, as the store has them: answers to every frame, how steady they are, and key figures."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.disk import friendly_os_errors
from dashboard.errors import InputError, did_you_mean
from dashboard.store import Store
from dashboard.tracking_parts import side_of
from dashboard.types import Detections
from dashboard.watching_parts import DETECTED, LABELS, Labels
from dashboard.watching_stability import (
    DetectionStability,
    LabelStability,
    detection_stability,
    follows,
    label_stability,
)

SCHEMA = 1
FOLDER = "watched"
LEAST_SCORE = 0.25
"""Boxes below it are not looked at unless asked for: detectors answer with many they hardly believe in."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A film that a model was run over, without a truth.

    Attributes:
        id: unique in its store.
        path: its folder.
        kind: "labels" of a classifier, or "boxes" of a detector.
        model, dataset: short names.
        class_names: (C,) the model's.
        timing: ``cold_ms`` of the first frame (None unless the model had just been loaded), ``load_s`` of loading it,
            warm ``latency_ms`` (p50, p90, p99) and ``stages_ms`` of one frame at a time, ``throughput_per_s`` of the
            whole with reading side by side, and ``frame_ms``: the means of reading, preprocessing and the model.
        facts: everything else that was recorded.
    """

    id: str
    path: Path
    kind: str
    model: str
    dataset: str
    class_names: tuple[str, ...]
    timing: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> pa.Table:
        """One row a frame that could be read. Raises InputError if the file is gone or damaged."""
        try:
            return pq.read_table(self.path / "frames.parquet").combine_chunks()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path / 'frames.parquet'} is missing or damaged ({error}): delete that folder and watch again."
            ) from error

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """(N,) dataset positions, ascending."""
        return self.table.column("index").to_numpy().astype(np.int64)

    @cached_property
    def labels(self) -> Labels:
        """Of a classifier. Raises ValueError if these are boxes."""
        if self.kind != LABELS:
            raise ValueError(f"{self.id} has boxes, no labels")
        count = len(self.index)
        top, score = (_flat(self.table, name).reshape(count, -1) for name in ("top", "score"))
        return Labels(top.astype(np.int64), score.astype(np.float64), self.table.column("entropy").to_numpy())

    @cached_property
    def following(self) -> NDArray[np.bool_]:
        """(N,) whether a row is the very next frame of the row before it."""
        names, frames = (self.table.column(name) for name in ("sequence", "frame"))
        return follows(names.to_pylist(), frames.to_numpy().astype(np.int64))

    def boxes(self, least_score: float = LEAST_SCORE) -> list[Detections]:
        """(N,) of a detector, those of a score of at least 0..1. Raises ValueError if these are labels."""
        side = side_of(self.table, DETECTED)
        if side is None:
            raise ValueError(f"{self.id} has labels, no boxes")
        every = (side.frame(i) for i in range(len(self.index)))
        return [d.take(d.scores >= least_score) for d in every if d.scores is not None]

    def stability(self, least_score: float = LEAST_SCORE) -> LabelStability | DetectionStability:
        """How steady it is over the whole film; over a frame that could not be read nothing is compared."""
        return _stability(self, least_score if self.kind != LABELS else 0.0)


@lru_cache(8)
def _stability(watched: Watched, least_score: float) -> LabelStability | DetectionStability:
    """The same, kept for a while."""
    if watched.kind == LABELS:
        first, score = watched.labels.top[:, 0], watched.labels.score[:, 0]
        return label_stability(first, score, watched.labels.entropy, watched.following)
    return detection_stability(watched.boxes(least_score), len(watched.class_names), watched.following)


def _flat(table: pa.Table, name: str) -> NDArray[Any]:
    column = table.column(name).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return column.flatten().to_numpy(zero_copy_only=False)


def has(store: Store, watched_id: str) -> bool:
    """Whether that film was watched to its end."""
    return bool(watched_id) and Path(watched_id).name == watched_id and _file(store, watched_id).is_file()


def _file(store: Store, watched_id: str) -> Path:
    return store.root / FOLDER / watched_id / "watched.json"


def get(store: Store, watched_id: str) -> Watched:
    """What was watched under an id. Raises InputError if there is none or it is damaged."""
    if not has(store, watched_id):
        known = [p.name for p in (store.root / FOLDER).glob("*") if p.is_dir()]
        raise InputError(f"Nothing watched is called {watched_id!r} in {store.root}.{did_you_mean(watched_id, known)}")
    file = _file(store, watched_id)
    try:
        facts = json.loads(file.read_text("utf-8"))
        if facts["schema"] > SCHEMA:
            raise InputError(f"{file.parent} was written by a newer Loupe: update this one to read it.")
        names = tuple(facts["class_names"])
        who = (facts["kind"], facts["model"], facts["dataset"])
        return Watched(watched_id, file.parent, *who, names, facts["timing"], facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is damaged ({error}): delete that folder and watch again.") from error


def everything(store: Store) -> list[Watched]:
    """All that was watched, newest first; what is damaged is left out."""
    files = sorted((store.root / FOLDER).glob("*/watched.json"), key=lambda f: f.stat().st_mtime, reverse=True)
    found = []
    for file in files:
        with contextlib.suppress(InputError):
            found.append(get(store, file.parent.name))
    return found


def delete(store: Store, watched_id: str) -> None:
    """Forget what was watched. Raises InputError if there is none."""
    if not has(store, watched_id):
        get(store, watched_id)  # says what is wrong
    with friendly_os_errors(store.root):
        shutil.rmtree(_file(store, watched_id).parent)


def figures(watched: Watched, least_score: float = LEAST_SCORE) -> dict[str, float]:
    """Key figures by the names of their explanations; NaN where unknown.

    Times are in milliseconds but ``load_s``; ``throughput`` in frames a second; the rest are shares of 0..1, but
    ``label_run`` in frames, ``entropy`` in nats, and ``trk_counts``, the mean number of boxes a frame. Boxes of a
    score below ``least_score`` are left out.
    """
    timing, warm = watched.timing, watched.timing.get("latency_ms") or {}
    times = {
        "load_s": timing.get("load_s"),
        "cold_start": timing.get("cold_ms"),
        **{f"warm_{name}": warm.get(name) for name in ("p50", "p90", "p99")},
        "throughput": timing.get("throughput_per_s"),
    }
    found = {name: np.nan if value is None else float(value) for name, value in times.items()}
    steady = watched.stability(least_score)
    if isinstance(steady, LabelStability):
        found |= {
            "label_flicker": steady.flicker,
            "label_run": float(steady.longest[1]),
            "label_confidence": steady.confidence,
            "entropy": steady.entropy,
        }
    else:
        found |= {
            "trk_counts": float(steady.counts.sum(1).mean()) if len(steady.counts) else np.nan,
            "blink": steady.blink,
            "linked": steady.linked,
            "class_flips": steady.class_flips,
            "box_jitter": steady.jitter,
        }
    return found


def table_csv(watched: Watched, least_score: float = LEAST_SCORE) -> str:
    """One line a frame: its labels with scores, or how many boxes of each class it has."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    where = [watched.table.column(name).to_pylist() for name in ("id", "sequence", "frame")]
    names = watched.class_names
    if watched.kind == LABELS:
        labels = watched.labels
        ranks = range(1, labels.top.shape[1] + 1)
        rows.writerow(["id", "sequence", "frame", *(f"{part}{k}" for k in ranks for part in ("label", "score"))])
        for i, (name, sequence, frame) in enumerate(zip(*where, strict=True)):
            best = zip(labels.top[i], labels.score[i], strict=True)
            rows.writerow([name, sequence, frame + 1, *(v for c, s in best for v in (names[c], f"{s:.6f}"))])
    else:
        steady = watched.stability(least_score)
        assert isinstance(steady, DetectionStability)
        rows.writerow(["id", "sequence", "frame", *names])
        for i, (name, sequence, frame) in enumerate(zip(*where, strict=True)):
            rows.writerow([name, sequence, frame + 1, *steady.counts[i].tolist()])
    return out.getvalue()
