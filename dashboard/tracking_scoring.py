"""Tracks made elsewhere, scored and explored like any run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import listed
from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.errors import InputError
from dashboard.finishing import finish
from dashboard.importing import Import
from dashboard.labels import read_class_names
from dashboard.metrics.tracking.columns import Tracks
from dashboard.predictions import OBJECT_ROWS, write_part
from dashboard.store import Draft, Run, Store
from dashboard.tasks.tracking import sequence_facts
from dashboard.tracking_import import ImportedTracks, import_tracks
from dashboard.tracking_import_masks import rules_of
from dashboard.tracking_parts import TrackingPart
from dashboard.types import Detections

OPTIONS = ("partial",)


def score_tracks(
    truth: Dataset,
    predictions: Path,
    store: Store,
    name: str | None = None,
    classes: str | None = None,
    limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Evaluate a tracker's output against a dataset and store the run.

    Args:
        truth: the dataset.
        predictions: a text file of MOTChallenge or MOTS, or a folder or zip with one a sequence
            (``dashboard.tracking_import``).
        store: where the run goes; the same predictions on the same data are scored once.
        name: what to call the model behind them; default the file's name.
        classes: a file of names behind the predictions' class numbers.
        limit: only the first N frames of the dataset.
        settings: ``partial`` true to let them cover only a part of the sequences.

    Raises:
        InputError: naming the file, the line and the remedy.
    """
    made = Import(truth, predictions, name, limit, settings, OPTIONS)
    if not getattr(truth, "has_truth", True):
        raise InputError(f"{truth.source} has no truth to compare tracks with: give a MOTChallenge folder or a gt.txt.")
    names = read_class_names(classes) if classes else None
    run_id = made.run_id(classes=names)
    known = made.known(store, run_id)
    if known is not None:
        return known
    found = import_tracks(predictions, truth, names=names, partial=made.partial)
    bare = _without_truth(truth)
    notes = [f"{len(bare)} sequences without truth are left out: {listed(bare)}."] if bare else []
    facts = made.facts(truth.class_names, [*found.notes, *notes]) | {"multilabel": False}
    facts |= sequence_facts(truth, limit)
    facts["sequences"] = [s for s in facts["sequences"] if s["name"] not in bare]
    rules = rules_of(truth)
    if rules is not None:  # what masks are written with when they leave again
        facts["mots"] = {"first": rules.first, "numbers": list(rules.numbers)}

    def write(draft: Draft) -> Run:
        for place, sequence in enumerate(sequences_of(truth)):
            if sequence.name in bare:
                continue
            stop = sequence.stop if limit is None else min(sequence.stop, limit)
            for first in range(sequence.start, stop, OBJECT_ROWS):
                part = _part(truth, sequence, found, place, range(first, min(first + OBJECT_ROWS, stop)))
                write_part(draft.next_part(), part, {})
        return finish(draft, facts, {}, multilabel=False)

    return made.stored(store, run_id, write)


def _without_truth(truth: Dataset) -> list[str]:
    """Names of sequences of which no truth is known, among others of which it is."""
    targets: Any = truth.targets
    return [s.name for s in sequences_of(truth) if targets[s.start] is None]


def _part(truth: Dataset, sequence: SequenceInfo, found: ImportedTracks, place: int, positions: range) -> TrackingPart:
    """Some frames of a sequence: tracks and truth."""
    targets: Any = truth.targets
    frames = np.arange(positions.start, positions.stop) - sequence.start
    true = [targets[i] for i in positions]
    tracks = found.sequences[place]
    masked = rules_of(truth) is not None
    offsets = np.searchsorted(tracks.frame, np.append(frames, frames[-1] + 1))
    size = sequence.size or (0, 0)
    return TrackingPart(
        np.arange(positions.start, positions.stop),
        [truth.ids[i] for i in positions],
        [sequence.name] * len(positions),
        frames,
        np.tile(np.array(size, np.int64), (len(positions), 1)),
        found=[_detections(tracks, slice(a, b), sequence.size) for a, b in pairwise(offsets.tolist())],
        truth=true,
        masked=masked,
    )


def _detections(tracks: Tracks, rows: slice, size: tuple[int, int] | None) -> Detections:
    """One frame's tracks."""
    return Detections(
        tracks.xyxy[rows],
        tracks.class_ids[rows],
        np.ones(rows.stop - rows.start) if tracks.scores is None else tracks.scores[rows],
        None if tracks.masks is None else list(tracks.masks[rows]),
        size,
        track_ids=tracks.ids[rows],
    )
