"""Detections made elsewhere, scored and explored like any run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.detection_import import ImportedDetections, import_detections
from dashboard.detection_parts import DetectionPart
from dashboard.disk import digest_of, friendly_os_errors
from dashboard.environment import describe_environment
from dashboard.errors import InputError
from dashboard.finishing import dataset_facts, finish
from dashboard.labels import read_class_names
from dashboard.predictions import OBJECT_ROWS, write_part
from dashboard.store import Draft, Run, Store, run_id_for
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
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}.")
    settings = dict(settings or {})
    for option in settings:
        if option not in OPTIONS:
            raise InputError(f"--set {option}: scoring detections takes {', '.join(OPTIONS)}.")
    names = read_class_names(classes) if classes else None
    digest = digest_of(predictions)
    key: dict[str, Any] = {"file": digest, "dataset": truth.fingerprint, "classes": names, "limit": limit}
    model = name or predictions.stem
    run_id = run_id_for(model, truth.name, key | settings | {"task": truth.task})
    if store.has(run_id):
        return store.relocated(store.get(run_id), dataset_facts(truth))
    found = import_detections(
        predictions,
        truth,
        names=names,
        columns=settings.get("columns"),
        units=settings.get("units"),
        partial=settings.get("partial", "false").lower() in ("true", "1", "yes") or bool(limit),
    )
    facts = {
        "task": truth.task,
        "model": model,
        "dataset": truth.name,
        "class_names": list(truth.class_names),
        "class_ids": [],
        "multilabel": False,
        "model_facts": {"source": f"predictions imported from {predictions.name}", "fingerprint": digest[:16]},
        "dataset_facts": dataset_facts(truth),
        "settings": {"limit": limit, **settings},
        "skipped": [],
        "notes": {"import": list(found.notes)},
        "environment": describe_environment(),
    }
    with friendly_os_errors(store.root), store.draft(run_id) as draft:
        draft.restart()
        try:
            _write(draft, found, truth, min(limit or len(truth), len(truth)))
            return finish(draft, facts, {}, multilabel=False)
        except ValueError as error:
            draft.restart()
            if isinstance(error, InputError):
                raise
            raise InputError(f"{predictions}: {error}.") from error
        except BaseException:
            draft.restart()
            raise


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
