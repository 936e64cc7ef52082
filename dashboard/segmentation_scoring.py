"""Class maps made elsewhere, scored and explored like any run."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import flag
from dashboard.datasets.images import big_ones_alone
from dashboard.finishing import finish
from dashboard.importing import Import
from dashboard.labels import read_class_names
from dashboard.pipeline import default_workers
from dashboard.predictions import write_part
from dashboard.segmentation_import import ImportedMasks, import_masks
from dashboard.segmentation_parts import SegmentationPart
from dashboard.store import Draft, Run, Store

OPTIONS = ("partial",)
_PART_ROWS = 64  # images in a part: encoded maps, some kilobytes each


def score_masks(
    truth: Dataset,
    predictions: Path,
    store: Store,
    name: str | None = None,
    classes: str | None = None,
    limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Evaluate a folder of predicted masks against a dataset and store the run.

    Args:
        truth: the dataset.
        predictions: a folder of PNG masks, or a zip of it (``dashboard.segmentation_import``).
        store: where the run goes; the same predictions on the same data are scored once.
        name: what to call the model behind them; default the folder's name.
        classes: a file of names behind the predictions' class numbers.
        limit: only the first N images of the dataset.
        settings: ``partial`` true to let the masks cover only a part of the images.

    Raises:
        InputError: naming the file, the pixel and the remedy.
    """
    made = Import(truth, predictions, name, limit, settings, OPTIONS)
    names = read_class_names(classes) if classes else None
    run_id = made.run_id(classes=names)
    known = made.known(store, run_id)
    if known is not None:
        return known
    partial = flag(made.settings, "partial", False)
    found = import_masks(predictions, truth, names=names, partial=partial, limit=limit)
    facts = made.facts(truth.class_names, found.notes) | {"multilabel": False}

    def write(draft: Draft) -> Run:
        _write(draft, found)
        return finish(draft, facts, {}, multilabel=False)

    return made.stored(store, run_id, write)


def _write(draft: Draft, found: ImportedMasks) -> None:
    """Every mask beside its truth, encoded at once: memory holds one pair of maps a thread."""
    count = len(found.truth.class_names)

    def one(place: int) -> SegmentationPart:
        with big_ones_alone():
            answer, truth = found.maps(place)
            row = int(found.rows[place])
            return SegmentationPart.of([row], [found.truth.ids[row]], [answer], [truth], classes=count)

    with ThreadPoolExecutor(default_workers(), thread_name_prefix="masks") as pool:
        for first in range(0, len(found), _PART_ROWS):
            places = range(first, min(first + _PART_ROWS, len(found)))
            write_part(draft.next_part(), SegmentationPart.join(list(pool.map(one, places))), {})
