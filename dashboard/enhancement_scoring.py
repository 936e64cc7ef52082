"""Pictures enhanced elsewhere, scored and explored like any run."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import flag
from dashboard.datasets.images import big_ones_alone
from dashboard.enhancement_import import ImportedPictures, import_pictures
from dashboard.enhancement_parts import EnhancementPart
from dashboard.errors import InputError
from dashboard.finishing import finish
from dashboard.importing import Import
from dashboard.pipeline import default_workers
from dashboard.predictions import write_part
from dashboard.store import Draft, Run, Store

OPTIONS = ("partial",)
_PART_ROWS = 8  # pictures in a part: some megabytes each


def score_pictures(
    truth: Dataset,
    predictions: Path,
    store: Store,
    name: str | None = None,
    classes: str | None = None,
    limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Compare a folder of enhanced pictures with their references and store the run.

    Args:
        truth: the dataset; its scale says how many pixels at each border do not count.
        predictions: a folder of pictures, or a zip of it (``dashboard.enhancement_import``).
        store: where the run goes; the same pictures on the same data are scored once.
        name: what to call the model behind them; default the folder's name.
        classes: must be None: there are no classes.
        limit: only the first N images of the dataset.
        settings: ``partial`` true to let there be pictures for only some of the references.

    Raises:
        InputError: naming the file and the remedy.
    """
    if classes:
        raise InputError("--classes is for tasks with classes, not for enhancement: leave it out.")
    made = Import(truth, predictions, name, limit, settings, OPTIONS)
    run_id = made.run_id()
    known = made.known(store, run_id)
    if known is not None:
        return known
    found = import_pictures(predictions, truth, partial=flag(made.settings, "partial", False), limit=limit)
    facts = made.facts((), found.notes) | {"multilabel": False}

    def write(draft: Draft) -> Run:
        _write(draft, found)
        return finish(draft, facts, {}, multilabel=False)

    return made.stored(store, run_id, write)


def _write(draft: Draft, found: ImportedPictures) -> None:
    """Every picture beside its reference, encoded at once: memory holds one pair a thread."""
    scale = getattr(found.truth, "scale", 1)

    def one(place: int) -> EnhancementPart:
        with big_ones_alone():
            answer, truth = found.pair(place)
            row = int(found.rows[place])
            return EnhancementPart.of(row, found.truth.ids[row], answer, truth, scale)

    with ThreadPoolExecutor(default_workers(), thread_name_prefix="pictures") as pool:
        for first in range(0, len(found), _PART_ROWS):
            places = range(first, min(first + _PART_ROWS, len(found)))
            write_part(draft.next_part(), EnhancementPart.join(list(pool.map(one, places))), {})
