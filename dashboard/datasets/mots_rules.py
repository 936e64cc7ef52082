"""Which masks of a MOTS truth count, where its frames begin, and the truth as tracks.

Class 1 is a car, 2 a pedestrian, 10 a region to ignore. MOTSChallenge has pedestrians alone and counts frames from 1,
KITTI MOTS has both and counts them from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.datasets.mots_rows import REGION_CLASS, MaskRows, by_frame, is_empty, looks_like_masks
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import COUNTED, REGION, Tracks

BENCHMARKS = ("MOTS", "KITTI-MOTS")
NUMBERS = {"car": 1, "pedestrian": 2}
_KITTI = re.compile(r"(?<![a-z])kitti(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class MaskRules:
    """How truth is read.

    Attributes:
        benchmark: one of ``BENCHMARKS``.
        first: the number of a sequence's first frame.
        numbers: (C,) class numbers that count, in the order of ``class_names``.
        class_names: (C,).
        why: how the benchmark was found, for people; "" if it was given.
    """

    benchmark: str
    first: int
    numbers: tuple[int, ...]
    class_names: tuple[str, ...]
    why: str = ""

    @property
    def sentence(self) -> str:
        """What counts."""
        return (
            f"{self.benchmark}: masks of {' and '.join(self.class_names)} count, compared by the IoU of masks; of what "
            "a tracker found, a mask that is matched with nothing and lies for more than half in a region to ignore "
            f"(class {REGION_CLASS}) is taken away first, as TrackEval does. Frames are counted from {self.first}."
        )


def all_masks(files: Sequence[Path]) -> bool:
    """Whether files of truth are MOTS' masks; empty ones are either.

    Raises:
        InputError: some are and some are not.
    """
    kinds = {file: looks_like_masks(file) for file in files if not is_empty(file)}
    if len(set(kinds.values())) < 2:
        return any(kinds.values())
    masked, boxed = (next(file for file, kind in kinds.items() if kind is wanted) for wanted in (True, False))
    raise InputError(
        f"{masked} holds masks (MOTS), but {boxed} boxes: a dataset has either, give the folder of one kind"
    )


def choose_masks(
    wanted: str,
    rows: Sequence[MaskRows | None],
    names: Sequence[str] | None,
    kitti: bool,
    informed: bool,
    file: str,
) -> MaskRules:
    """The rules of a dataset.

    Args:
        wanted: a name in ``BENCHMARKS``, or "auto".
        rows: (S,) the truth of the sequences, None where there is none.
        names: class names given: the first is class 1.
        kitti: whether paths or pictures say that it is KITTI MOTS.
        informed: whether a seqinfo.ini is there, as in MOTSChallenge.
        file: of masks, for errors.
    """
    if wanted != "auto" and wanted not in BENCHMARKS:
        raise InputError(
            f"option benchmark={wanted[:40]}: {file} holds masks (MOTS), so it must be auto, {', '.join(BENCHMARKS)}"
        )
    if names is not None and len(names) >= REGION_CLASS:
        raise InputError(
            f"option class_list has {len(names)} names, but class {REGION_CLASS} of masks (MOTS) is a region to "
            f"ignore: give {REGION_CLASS - 1} at most"
        )
    seen = {int(number) for one in rows if one is not None for number in np.unique(one.values[:, 2])}
    start = min((int(one.values[:, 0].min()) for one in rows if one is not None and len(one)), default=1)
    benchmark, why = (wanted, "") if wanted != "auto" else _told(start, seen, kitti, informed)
    first = int(benchmark == "MOTS")
    if names is not None:
        return MaskRules(benchmark, first, tuple(range(1, len(names) + 1)), tuple(names), why)
    of = {name: n for name, n in NUMBERS.items() if name == "pedestrian" or benchmark == "KITTI-MOTS" or n in seen}
    return MaskRules(benchmark, first, tuple(of.values()), tuple(of), why)


def _told(start: int, seen: set[int], kitti: bool, informed: bool) -> tuple[str, str]:
    """The benchmark, and what says so."""
    if start == 0:
        return "KITTI-MOTS", "frames are counted from 0"
    if kitti:
        return "KITTI-MOTS", "its path or its pictures say so"
    if not informed and NUMBERS["car"] in seen:
        return "KITTI-MOTS", "it has cars"
    return "MOTS", "nothing says that frames are counted from 0"


def named_kitti(path: str) -> bool:
    """Whether a folder, or one of the two around it, is named after KITTI."""
    return any(_KITTI.search(part) for part in path.replace("\\", "/").split("/")[-3:])


def check_classes(rows: MaskRows, rules: MaskRules) -> None:
    """Raises InputError naming the line of a class that the rules do not know."""
    odd = ~np.isin(rows.values[:, 2], (*rules.numbers, REGION_CLASS))
    if odd.any():
        row = int(odd.argmax())
        known = [f"{n} {name}" for n, name in zip(rules.numbers, rules.class_names, strict=True)]
        raise InputError(
            f"{rows.where(row)}: class {rows.values[row, 2]} is none of {', '.join(known)} and {REGION_CLASS}, a "
            "region to ignore: correct it, or name the classes with the option class_list"
        )


def mask_tracks(rows: MaskRows, first: int, classes: Mapping[int, int], truth: bool) -> Tracks:
    """Masks as tracks, by frame, with the boxes around them; those of other classes are left out.

    Args:
        rows: checked.
        first: the number of the first frame.
        classes: the dataset's class of each class number.
        truth: whether class 10 is regions, of which those of a frame become one.
    """
    if rows.size is None:
        return Tracks.none()
    number = rows.values[:, 2]
    counted = np.isin(number, list(classes))
    kept = np.flatnonzero(counted)
    packed = [rows.masks[row] for row in kept]
    frame, ids = rows.values[kept, 0], rows.values[kept, 1]
    role = np.full(len(kept), COUNTED, np.uint8)
    class_ids: NDArray[np.int64] = np.array([classes[n] for n in number[kept].tolist()], np.int64)
    regions = list(by_frame(rows, (number == REGION_CLASS) & truth))
    if regions:
        free = max(int(ids.max(initial=0)) + 1, int(rows.values[regions[0][0], 1]))  # an identity of no track's
        packed += [masks.union([rows.masks[row] for row in here], rows.size) for here in regions]
        frame = np.append(frame, [rows.values[here[0], 0] for here in regions])
        ids = np.append(ids, np.full(len(regions), free))
        class_ids = np.append(class_ids, np.zeros(len(regions), np.int64))
        role = np.append(role, np.full(len(regions), REGION, np.uint8))
    order = np.argsort(frame, kind="stable")
    packed = [packed[k] for k in order.tolist()]
    boxes = masks.boxes(packed, rows.size)
    return Tracks(
        frame[order] - first, ids[order], class_ids[order], boxes, role=role[order] if regions else None, masks=packed
    )
