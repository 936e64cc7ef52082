"""Class maps made elsewhere, found beside the truth and read one at a time in the dataset's classes, for ``score``.

Layouts: a folder of index, palette or colour-coded PNG named as the dataset's pictures or masks, or a zip of it.
Nothing is repaired silently: what does not fit is an error that names the file and the pixel, and what was assumed is
in ``notes``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds
from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import listed
from dashboard.datasets.mask_classes import Numbering, default_ignored
from dashboard.datasets.mask_files import read_labels
from dashboard.datasets.mask_pairs import Pairs, files_in, pair
from dashboard.datasets.mask_paths import no_file
from dashboard.datasets.palette import Palette
from dashboard.detection_import_match import Classes
from dashboard.errors import InputError
from dashboard.importing import opened_folder

_NO_CLASS = 65535  # in tables of classes: what no class of the dataset is
_GIVEN = "the names given for the predictions"


@dataclass(frozen=True, eq=False)
class ImportedMasks:
    """Predicted masks beside the truth, in dataset order.

    Attributes:
        truth: the dataset.
        rows: (M,) int64 positions in the dataset, ascending.
        files: M mask files.
        numbering: what their numbers mean, in the dataset's classes.
        palette: for RGB masks, or None.
        by_colour: see ``read_labels``.
        root: folder that is called ``shown`` in errors (an unpacked zip).
        shown: what was given.
        notes: sentences on what was assumed and left out.
        in_use: kept while files of an unpacked zip are read.
    """

    truth: Dataset
    rows: NDArray[np.int64]
    files: list[str]
    numbering: Numbering
    palette: Palette | None
    by_colour: bool | None
    root: str
    shown: str
    notes: tuple[str, ...] = ()
    in_use: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def maps(self, place: int) -> tuple[ClassIds, ClassIds]:
        """The answer, 0..C (C where it says no class of the dataset), and the truth of the ``place``-th mask.

        Raises:
            InputError: naming the file, and what is wrong with it.
        """
        file, row = self.files[place], int(self.rows[place])
        targets: Any = self.truth.targets
        truth = targets[row].class_ids
        try:
            labels = read_labels(file, self.palette, self.by_colour)
            if labels.shape != truth.shape:
                (h, w), (th, tw) = labels.shape, truth.shape
                raise InputError(
                    f"{file} is {w}x{h} pixels, but the truth of {self.truth.ids[row]} is {tw}x{th}: give masks of the "
                    "truth's size (resized without smoothing, by the nearest pixel)"
                )
            return self.numbering.classes_of(labels, file, answer=True), truth
        except InputError as error:
            raise InputError(str(error).replace(self.root, self.shown)) from error


def import_masks(
    path: str | Path,
    truth: Dataset,
    *,
    names: Sequence[str] | None = None,
    partial: bool = False,
    limit: int | None = None,
    cache_dir: str | Path | None = None,
) -> ImportedMasks:
    """Find the predicted mask of every picture; none is read yet.

    Args:
        path: a folder of masks, or a zip of one.
        truth: the dataset.
        names: names behind the predictions' class numbers, in their order; default as in the dataset's own masks.
        partial: let the masks cover only some of the pictures, and others than the dataset's, and let the predictions
            not know some of its classes.
        limit: only those of the first pictures of the dataset.
        cache_dir: where a zip is unpacked; default ``cache_folder()``.

    Raises:
        InputError: one sentence naming the file or picture, and the remedy.
    """
    path = Path(path)
    root, in_use = opened_folder(path, "predicted class maps are PNG masks, give the folder of all", cache_dir)
    others: Counter[str] = Counter()
    files = files_in(root, others)
    if not files:
        kinds = f", only {', '.join(others)} files" if others else ""
        raise InputError(f"{path} holds no masks{kinds}: give a folder of PNG masks named as the dataset's pictures")
    try:
        pairs, notes = _placed(root, files, truth, partial, limit)
    except InputError as error:
        raise InputError(str(error).replace(str(root), str(path))) from error
    rows = [row for row, place in enumerate(pairs.mask) if place >= 0]
    numbers, palette, more = _numbered(truth, names, partial)
    asked: bool | None = getattr(truth, "by_colour", None)
    return ImportedMasks(
        truth=truth,
        rows=np.array(rows, np.int64),
        files=[str(root / files[pairs.mask[row]]) for row in rows],
        numbering=numbers,
        palette=palette,
        by_colour=False if asked is None and names is not None else asked,
        root=str(root),
        shown=str(path),
        notes=(*notes, *more),
        in_use=in_use,
    )


def _placed(
    root: Path, files: Sequence[str], truth: Dataset, partial: bool, limit: int | None
) -> tuple[Pairs, list[str]]:
    """Which file is whose, those past ``limit`` left out, and notes."""
    masks = getattr(truth, "masks", None)
    aliases = None if masks is None else [(Path(mask).name,) for mask in masks]
    pairs = pair(truth.ids, files, aliases)
    unknown, notes = pairs.unused, []
    if len(unknown) == len(files) or (unknown and not partial):
        raise InputError(
            f"{root}: {len(unknown)} of {len(files)} masks belong to no picture of the truth: "
            f"{listed([files[i] for i in unknown])}; its pictures are like {truth.ids[0]!r}: name masks as these, or "
            "set the option partial=true to leave such masks out"
        )
    if unknown:
        notes.append(
            f"{len(unknown)} masks of no picture of the truth left out: {listed([files[i] for i in unknown])}."
        )
    mask = [place if limit is None or row < limit else -1 for row, place in enumerate(pairs.mask)]
    wanted = truth.ids[:limit]
    missing = [identity for identity, place in zip(wanted, mask, strict=False) if place < 0]
    if missing and (not partial or len(missing) == len(wanted)):
        odd = no_file(root, {Path(identity).stem for identity in missing})
        raise InputError(
            f"{root} has no mask for {len(missing)} of the {len(wanted)} pictures: {listed(missing)}{odd}; add them, "
            "or set the option partial=true to score the others"
        )
    if missing:
        notes.append(f"{len(missing)} of {len(wanted)} pictures have no mask and are left out: {listed(missing)}.")
    return Pairs(mask, unknown), notes


def _numbered(
    truth: Dataset, names: Sequence[str] | None, partial: bool
) -> tuple[Numbering, Palette | None, list[str]]:
    """What the predictions' numbers and colours mean in the dataset's classes, and notes."""
    own: Numbering | None = getattr(truth, "numbering", None)
    palette: Palette | None = getattr(truth, "palette", None)
    if own is None:  # its truth is not in files: its numbers are its classes'
        numbers = list(enumerate(truth.class_names))
        own = Numbering.of(numbers, default_ignored([(i, str(i)) for i, _ in numbers])[0], truth.name)
    if names is None:
        return own, palette, []
    known = Classes(truth, names, partial)
    to_truth = known.to_truth
    numbered = list(enumerate(names))
    table = Numbering.of(
        numbered, default_ignored([(i, str(i)) for i, _ in numbered])[0], f"{_GIVEN} (--classes)"
    ).table
    table[[n for n in own.ignored if n >= len(names)]] = _NO_CLASS
    table[: len(names)] = np.where(to_truth < 0, _NO_CLASS, to_truth)
    foreign = [name for name, to in zip(names, to_truth, strict=True) if to < 0]
    notes = list(known.notes)
    if foreign:
        notes.append(f"Pixels of {listed(foreign)}, which the truth does not have, count as of no class.")
    if palette is not None:
        by_class = {int(to): number for number, to in enumerate(to_truth) if to >= 0}
        labels = [by_class.get(int(of), len(names)) for of in own.table[palette.labels]]
        palette = replace(palette, labels=np.array(labels, np.int64))
        table[len(names)] = _NO_CLASS if len(names) in labels else table[len(names)]
    return Numbering(truth.class_names, table, _GIVEN), palette, notes
