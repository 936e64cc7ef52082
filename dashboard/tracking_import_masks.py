"""A tracker's masks made elsewhere (MOTS text), checked against a truth of masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import listed
from dashboard.datasets.mot_rows import looks_like_rows
from dashboard.datasets.mots_rows import MaskRows, check_masks, is_empty, looks_like_masks, read_masks
from dashboard.datasets.mots_rules import MaskRules, mask_tracks
from dashboard.datasets.sequences import SequenceInfo
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import Tracks


def rules_of(truth: Dataset) -> MaskRules | None:
    """How a truth of masks is read; None for boxes."""
    found: Any = getattr(truth, "mask_rules", None)
    return found


def of_kind(files: Sequence[Path], truth: Dataset, notes: list[str]) -> list[Path]:
    """Files without those of boxes beside files of masks of the same name, or the reverse, whichever the truth is."""
    wanted = rules_of(truth) is not None
    masked = {file: looks_like_masks(file) for file in files}
    right = {file.stem.lower() for file, kind in masked.items() if kind is wanted}
    other = [file for file, kind in masked.items() if kind is not wanted and file.stem.lower() in right]
    other = [file for file in other if masked[file] or looks_like_rows(file)]
    if other:
        names = ("masks", "boxes")
        notes.append(f"{len(other)} files of {names[wanted]} beside those of {names[not wanted]} are left out.")
    return [file for file in files if file not in set(other)]


def check_kind(files: Sequence[Path | None], truth: Dataset) -> None:
    """Raise InputError for a tracker's boxes beside a truth of masks, or the reverse."""
    masked = rules_of(truth) is not None
    for file in files:
        if file is None or is_empty(file):
            continue
        if not masked and looks_like_masks(file):
            raise InputError(
                f"{file} holds masks (MOTS), but the truth of {truth.source} is boxes: give the tracker's boxes, "
                "frame,id,x,y,w,h a line, or a truth of masks"
            )
        if masked and looks_like_rows(file) and not looks_like_masks(file):
            raise InputError(
                f"{file} holds boxes, but the truth of {truth.source} is masks (MOTS): give the tracker's masks, "
                "frame id class height width rle a line, or a truth of boxes"
            )


def read_mask_tracks(
    files: Sequence[Path | None],
    sequences: Sequence[SequenceInfo],
    rules: MaskRules,
    classes: Mapping[int, int],
    notes: list[str],
) -> list[Tracks]:
    """A tracker's masks of each sequence; none where there is no file.

    Args:
        files: (S,) of each sequence, or None.
        sequences: S of the truth.
        rules: how the truth is read, which says where frames begin.
        classes: the truth's class of each class number; masks of others are left out.
        notes: takes up what was left out.

    Raises:
        InputError: naming the file and line.
    """
    out, lost = [], dict[int, int]()
    for file, sequence in zip(files, sequences, strict=True):
        if file is None:
            out.append(Tracks.none())
            continue
        rows = read_masks(file)
        check_masks(rows, rules.first, len(sequence), f"of the truth's sequence {sequence.name}", truth=False)
        _check_size(rows, sequence)
        for number, count in zip(*np.unique(rows.values[:, 2], return_counts=True), strict=True):
            if int(number) not in classes:
                lost[int(number)] = lost.get(int(number), 0) + int(count)
        out.append(mask_tracks(rows, rules.first, classes, truth=False))
    if lost:
        notes.append(
            f"{sum(lost.values())} masks of class {listed(list(map(str, sorted(lost))))} are left out: the truth has "
            f"{', '.join(f'{n} {rules.class_names[k]}' for n, k in classes.items())}."
        )
    return out


def _check_size(rows: MaskRows, sequence: SequenceInfo) -> None:
    """Raise InputError for masks of pictures of another size than the truth's."""
    if rows.size is None or rows.size == sequence.size:
        return
    height, width = rows.size
    if sequence.size is None:
        raise InputError(
            f"{rows.where(0)}: the mask is of a picture of {height} x {width} pixels (height x width), but nothing "
            f"says how large {sequence.name} is: put a seqinfo.ini with imWidth and imHeight beside its truth"
        )
    raise InputError(
        f"{rows.where(0)}: the mask is of a picture of {height} x {width} pixels, but the truth's sequence "
        f"{sequence.name} is of {sequence.size[0]} x {sequence.size[1]} (height x width): is it another sequence's?"
    )
