"""Detections made elsewhere, scored and explored like any run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.detection_import import ImportedDetections, import_detections
from dashboard.detection_parts import DetectionPart
from dashboard.finishing import finish
from dashboard.importing import Import
from dashboard.labels import read_class_names
from dashboard.predictions import OBJECT_ROWS, write_part
from dashboard.store import Draft, Run, Store
from dashboard.types import Detections

OPTIONS = ("columns", "units", "partial")


def score_detections(
    truth: Dataset,
    predictions: Path,
    store: Store,
    name: str | None = None,
    classes: str | None = None,
    limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Evaluate a file or folder of detections against a dataset and store the run.

    Args:
        truth: the dataset.
        predictions: COCO results JSON, a folder or zip of txt files, or of VOC XML.
        store: where the run goes; the same predictions on the same data are scored once.
        name: what to call the model behind them; default the file's name.
        classes: a file of names behind the predictions' class numbers.
        limit: only the first N images of the dataset.
        settings: ``columns`` and ``units`` of txt files; ``partial`` true to let them cover only a part.

    Raises:
        InputError: naming the file, the line or entry, and the remedy.
    """
    made = Import(truth, predictions, name, limit, settings, OPTIONS)
    names = read_class_names(classes) if classes else None
    run_id = made.run_id(classes=names)
    known = made.known(store, run_id)
    if known is not None:
        return known
    columns, units = made.settings.get("columns"), made.settings.get("units")
    found = import_detections(predictions, truth, names=names, columns=columns, units=units, partial=made.partial)
    facts = made.facts(truth.class_names, found.notes) | {"multilabel": False}

    def write(draft: Draft) -> Run:
        _write(draft, found, truth, min(limit or len(truth), len(truth)))
        return finish(draft, facts, {}, multilabel=False)

    return made.stored(store, run_id, write)


def _write(draft: Draft, found: ImportedDetections, truth: Dataset, images: int) -> None:
    """Every image of the dataset, those without detections too, as parts of bounded size."""
    masked = truth.task == "instance-segmentation"
    targets: Any = truth.targets
    ends = np.searchsorted(found.image, np.arange(images + 1))
    known: Any = getattr(truth, "sizes", None)
    for first in range(0, images, OBJECT_ROWS):
        places = range(first, min(first + OBJECT_ROWS, images))
        true = [targets[i] for i in places]
        sizes = [t.size or (known[i] if known is not None else (0, 0)) for t, i in zip(true, places, strict=True)]
        part = DetectionPart(
            np.arange(places.start, places.stop),
            [truth.ids[i] for i in places],
            np.array(sizes, np.int64),
            [_of_image(found, ends[i], ends[i + 1], size, masked) for i, size in zip(places, sizes, strict=True)],
            true,
            masked,
        )
        write_part(draft.next_part(), part, {})


def _of_image(found: ImportedDetections, start: int, stop: int, size: Any, masked: bool) -> Detections:
    """The detections of one image."""
    mine = slice(start, stop)
    return Detections(
        found.xyxy[mine],
        found.class_ids[mine],
        found.scores[mine],
        found.masks[start:stop] if masked and found.masks is not None else None,
        (int(size[0]), int(size[1])) if size[0] else None,
        None if found.areas is None else found.areas[mine],
    )
