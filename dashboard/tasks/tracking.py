"""Tracking: a detector's boxes in every frame, and a tracker that says which of them are the same object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.datasets.sequences import sequences_of
from dashboard.labels import ClassMap, match_classes
from dashboard.metrics.tracking.evidence import evidence, join
from dashboard.metrics.tracking.story import story
from dashboard.metrics.tracking.unsupervised import SHORT, Unsupervised, unsupervised
from dashboard.predictions import Part
from dashboard.results import MetricResult, Scalars
from dashboard.store import Draft
from dashboard.tasks.base import Say, Task, computed
from dashboard.tasks.detection import check_objects
from dashboard.tracking_import import SYNONYMS
from dashboard.tracking_parts import StoredSequence, TrackingPart, stored_sequences
from dashboard.tracking_pass import drop_superseded, take_over, timing_taken_over, track_all
from dashboard.types import Detections
from models.base import ModelAdapter, ModelSpec
from models.trackers import make_tracker


class TrackingTask(Task):
    """Boxes with identities. Answers are renumbered to the dataset's classes, where it has any.

    While the model runs only the detector does; the tracker goes over what is stored at the end, so that another
    tracker, or other settings of it, need no inference.
    """

    batch_sizes = (4, 16)

    def classes(self, spec: ModelSpec, dataset: Dataset, mapping: Mapping[str, str] | None) -> ClassMap:
        """Which class of the model each of the dataset's is; a video without truth takes all of the model's."""
        if not dataset.class_names:
            return ClassMap(np.arange(len(spec.class_names)), "the model's own")
        names = [SYNONYMS.get(name, name) if name not in (mapping or {}) else name for name in dataset.class_names]
        meet = (names, dataset.class_ids, spec.class_names, spec.class_ids)
        return match_classes(*meet, mapping, self.used(dataset), self.ignores)

    def used(self, dataset: Dataset) -> list[bool]:
        """(C,) which classes have objects."""
        own = getattr(dataset, "used", None)
        return [True] * len(dataset.class_names) if own is None else list(own)

    def names(self, spec: ModelSpec, dataset: Dataset, classes: ClassMap) -> tuple[Sequence[str], Sequence[str]]:
        """The dataset's, or the model's where it has none."""
        if not dataset.class_names:
            return spec.class_names, spec.class_ids
        return dataset.class_names, dataset.class_ids

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for answers that are no detections, or past the class names."""
        del dataset
        check_objects(spec, answers)

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> Part:
        """What was detected, and the truth; objects of classes that the dataset does not have are left out."""
        to_own = np.full(len(spec.class_names), -1, np.int64)
        known = np.flatnonzero(classes.to_model >= 0)
        to_own[classes.to_model[known]] = known
        detected = [_renumbered(answer, to_own) for answer in answers]
        samples = [dataset[i] for i in indices]
        sizes = [answer.size or _size(dataset, i) or (0, 0) for answer, i in zip(answers, indices, strict=True)]
        truth: list[Detections] | None = None
        if getattr(dataset, "has_truth", True):
            truth = [_boxes(s.target) for s in samples]
        return TrackingPart(
            np.array(indices, np.int64),
            ids,
            [s.sequence or "" for s in samples],
            np.array([(s.frame or 1) - 1 for s in samples], np.int64),
            np.array(sizes, np.int64).reshape(-1, 2),
            detected=detected,
            truth=truth,
        )

    def live(self, class_names: Sequence[str], dataset: Dataset) -> _Live:
        """How many boxes a frame there are."""
        del class_names, dataset
        return _Live()

    def begin(self, draft: Draft, adapter: ModelAdapter[Any, Any], key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Detections of the same detector on the same data, stored by another tracker's run."""
        drop_superseded(draft)  # before anything counts what they cost a second time
        if draft.parts():
            return timing_taken_over(draft)
        shared: Any = adapter
        wanted = detections_key(shared.detector.fingerprint, key)
        for run in draft.store.runs("tracking"):
            if run.facts.get("detections") == wanted and run.predictions_path.is_file():
                try:
                    timing = {**run.timing, "detections_of": run.timing.get("detections_of") or run.id}
                    take_over(draft, run.predictions_path, timing)
                except (OSError, ValueError):  # damaged, or without detections: detect anew
                    continue
                return timing
        return None

    def complete(
        self,
        draft: Draft,
        adapter: ModelAdapter[Any, Any],
        dataset: Dataset,
        class_names: Sequence[str],
        say: Say,
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """The tracker, over all that was detected."""
        del class_names
        shared: Any = adapter  # several evaluations may have the same adapter, but a tracker remembers
        tracker = make_tracker(shared.tracker.name, {k: str(v) for k, v in shared.tracker_settings.items()})
        clock = track_all(draft, tracker, dataset, say, cancelled)
        return {k: float(clock[k]) for k in ("track_s", "look_s", "frames")}

    def facts(self, adapter: ModelAdapter[Any, Any], dataset: Dataset, key: Mapping[str, Any]) -> dict[str, Any]:
        """The sequences, and what is needed to run another tracker on the same detections."""
        found: Any = adapter
        limit = key.get("limit")
        return {
            "detections": detections_key(found.detector.fingerprint, key),
            "key": dict(key),
            "detector": {"name": found.detector.spec.name, "fingerprint": found.detector.fingerprint},
            "tracker": tracker_facts(found.tracker),
            **sequence_facts(dataset, limit),
        }

    def timed(self, timing: Mapping[str, Any]) -> Mapping[str, float]:
        """FPS: frames a second of all there is to do, with decoding and detecting side by side as they ran."""
        frames, wall = timing.get("frames"), timing.get("wall_s")
        if not frames or not wall:
            return {}
        return {"FPS": frames / (wall + timing.get("track_s", 0.0) + timing.get("look_s", 0.0))}

    def compute(
        self, predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None
    ) -> tuple[dict[str, MetricResult], int]:
        """Every sequence is matched once; all metrics draw from that."""
        parts, rows, loose, frames = [], [], [], 0
        for stored in stored_sequences(predictions):
            frames += len(stored.frames)
            loose.append(unsupervised(stored.tracks))
            if stored.known:
                parts.append(evidence([stored.tracks]))
            if rows_path is not None:
                rows.append(_rows(stored))
        if rows_path is not None:
            pq.write_table(pa.concat_tables(rows), rows_path, compression="zstd")
        results: dict[str, MetricResult] = {"watched.scores": watched_scores(loose)}
        if parts:
            results |= computed(join(parts), class_names, task, multilabel)
        return results, frames


def detections_key(detector: str, key: Mapping[str, Any]) -> str:
    """What the detections of a run are known by: its key, with the detector's fingerprint in the model's place."""
    own = {**key, "model": detector}
    return sha256(json.dumps(own, sort_keys=True, default=str).encode()).hexdigest()[:20]


def tracker_facts(tracker: Any) -> dict[str, Any]:
    """What a run records of its tracker."""
    usual = {s.name: s.default for s in tracker.settings}
    changed = {k: v for k, v in tracker.values.items() if v != usual[k]}
    return {"name": tracker.name, "title": tracker.title, "settings": dict(tracker.values), "changed": changed}


def sequence_facts(dataset: Dataset, limit: int | None) -> dict[str, Any]:
    """The sequences that a run covers."""
    covered = [s for s in sequences_of(dataset) if limit is None or s.start < limit]
    return {
        "truth": bool(getattr(dataset, "has_truth", True)),
        "sequences": [{"name": s.name, "start": s.start, "stop": s.stop, "fps": s.fps} for s in covered],
    }


def _renumbered(found: Detections, to_own: NDArray[np.int64]) -> Detections:
    """Detections in the run's class numbers, without masks and without those of other classes."""
    classes = to_own[found.class_ids]
    kept = replace(found, class_ids=np.maximum(classes, 0), masks=None, track_ids=None)
    return kept if (classes >= 0).all() else kept.take(classes >= 0)


def _size(dataset: Dataset, index: int) -> tuple[int, int] | None:
    """Height and width of a frame, from its sequence."""
    return next((s.size for s in sequences_of(dataset) if s.start <= index < s.stop), None)


def _boxes(truth: Any) -> Detections:
    """A frame's truth without masks; empty where there is none."""
    return replace(truth, masks=None) if isinstance(truth, Detections) else Detections.none()


def _rows(stored: StoredSequence) -> pa.Table:
    """One row a frame: its counts."""
    tracks = stored.tracks
    columns: dict[str, Any] = {
        "index": stored.index,
        "id": pa.array(list(stored.ids), pa.string()),
        "sequence": pa.array([tracks.name] * len(stored.ids), pa.string()),
        "frame": stored.frames + 1,
        "found": np.bincount(tracks.found.frame, minlength=tracks.frames)[stored.frames],
    }
    if stored.known:
        told = story(tracks)
        columns |= {name: getattr(told, name)[stored.frames] for name in ("tp", "fp", "fn", "idsw")}
    return pa.table(columns)


def watched_scores(sequences: Sequence[Unsupervised]) -> Scalars:
    """What can be said of tracks without a truth, over all sequences; NaN without tracks.

    ``births`` is how many identities there are, ``track_length`` the mean frames from birth to death, ``trk_flicker``
    the share with fewer than three boxes, ``track_gaps`` and ``class_changes`` sums, ``box_jitter`` one less the mean
    IoU of a box with the one before, ``trk_counts`` boxes a frame.
    """
    lived = np.concatenate([u.death - u.birth for u in sequences])
    boxes = np.concatenate([u.lengths for u in sequences])
    overlap = np.concatenate([u.overlap for u in sequences])
    overlap = overlap[np.isfinite(overlap)]
    frames = sum(len(u.boxes) for u in sequences)
    known = len(lived) > 0
    values = {
        "births": float(len(lived)),
        "track_length": float(lived.mean()) if known else np.nan,
        "trk_flicker": float((boxes < SHORT).mean()) if known else np.nan,
        "track_gaps": float(sum(u.gaps.sum() for u in sequences)) if known else np.nan,
        "class_changes": float(sum(u.class_changes.sum() for u in sequences)) if known else np.nan,
        "box_jitter": float(1 - overlap.mean()) if overlap.size else np.nan,
        "trk_counts": float(sum(u.boxes.sum() for u in sequences) / frames) if frames else np.nan,
    }
    units = {"births": "count", "track_length": "frames", "track_gaps": "count", "class_changes": "count"}
    return Scalars(values, units=units | {"trk_counts": "boxes"})


class _Live:
    """Boxes a frame so far."""

    def __init__(self) -> None:
        self.frames = self.boxes = 0

    def update(self, part: Part) -> None:
        """Count a part."""
        if not isinstance(part, TrackingPart):
            raise TypeError(f"a TrackingPart was expected, got {type(part).__name__}")
        self.frames += len(part.ids)
        self.boxes += sum(len(d) for d in part.detected or ())

    def take_up(self, path: Path) -> None:
        """Count what is stored."""
        lengths = pq.read_table(path, columns=["det_class"]).column(0).combine_chunks()
        self.frames += len(lengths)
        self.boxes += sum(len(values) for values in lengths.to_pylist())

    def values(self) -> Mapping[str, float]:
        """One number, once there are frames."""
        return {"boxes": self.boxes / self.frames} if self.frames else {}
