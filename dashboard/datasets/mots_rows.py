"""MOTS text: ``frame id class height width rle`` a line, separated by blanks, with every fault named by its line.

That is the format of MOTSChallenge (frames from 1) and KITTI MOTS (frames from 0); the last column is COCO's compressed
run lengths. As in TrackEval, masks of one frame must not overlap, except regions to ignore among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.datasets.mot_rows import MOST_FRAMES, first_twice
from dashboard.datasets.yolo_labels import is_number
from dashboard.errors import InputError
from dashboard.textfiles import read_text

ORDER = "frame id class height width rle"
REGION_CLASS = 10  # an area in which what is found does not count
_WHOLE = 2**53
_HEAD = 4096  # bytes in which the first line is looked for
_NAMES = ("frame", "identity", "class", "height", "width")


@dataclass(frozen=True, eq=False)
class MaskRows:
    """A file of masks, in its own order.

    Attributes:
        file: where it is.
        values: (N, 3) int64 frame, identity and class as they stand in the file.
        masks: N run lengths, of pictures of ``size``.
        size: (height, width) in pixels; None without masks.
        lines: (N,) line numbers, from 1.
    """

    file: str
    values: NDArray[np.int64]
    masks: list[bytes]
    size: tuple[int, int] | None
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def where(self, row: int) -> str:
        """The file and line of a row, for errors."""
        return f"{self.file}, line {self.lines[row]}"


def looks_like_masks(file: Path) -> bool:
    """Whether a file begins with a mask of MOTS; never raises."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(_HEAD)
    except OSError:
        return False
    head = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    return is_mask(next((line for line in head.splitlines() if line.strip()), ""))


def is_empty(file: Path) -> bool:
    """Whether there is nothing in a file, so that it may be of masks or of boxes; never raises."""
    try:
        return not file.stat().st_size
    except OSError:
        return False


def is_mask(line: str) -> bool:
    """Whether a line is five numbers and run lengths, with blanks between them."""
    cells = line.split(None, 6)
    if len(cells) != 6 or not all(map(is_number, cells[:5])):
        return False
    if not is_number(cells[5]):
        return "," not in cells[5]
    # Run lengths of a tiny picture may be digits alone: a mask then if they are of its size.
    height, width = (float(cell) for cell in cells[3:5])
    if not all(side == round(side) and 1 <= side < _WHOLE for side in (height, width)):
        return False
    return masks.first_fault([cells[5].encode()], (int(height), int(width))) is None


def read_masks(file: str | Path) -> MaskRows:
    """Read a file of masks. Empty lines are passed over.

    Raises:
        InputError: naming the file and line: what is no mask, no whole number, negative, of another size than the
            masks before, or cannot be decoded.
    """
    values: list[list[int]] = []
    packed: list[bytes] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        cells = line.split(None, 6)
        if len(cells) != 6 or "," in cells[0]:
            raise InputError(f"{where} {_no_mask(line, cells)}")
        values.append([_whole(cell, name, where) for cell, name in zip(cells[:5], _NAMES, strict=True)])
        if values[-1][3:] != values[0][3:]:
            height, width = values[0][3:]
            raise InputError(
                f"{where}: the mask is of a picture of {values[-1][3]} x {values[-1][4]} pixels, that in line "
                f"{lines[0]} of {height} x {width} (height x width): a sequence has one size, correct it"
            )
        packed.append(cells[5].encode("utf-8", "replace"))
        lines.append(number)
    columns = np.array(values, np.int64).reshape(-1, 5)
    size = (int(columns[0, 3]), int(columns[0, 4])) if len(columns) else None
    rows = MaskRows(str(file), columns[:, :3], packed, size, np.array(lines, np.int64))
    fault = None if size is None else masks.first_fault(packed, size)
    if fault is not None:
        raise InputError(f"{rows.where(fault[0])}: the mask {fault[1]}: write it again")
    return rows


def check_masks(rows: MaskRows, first: int, frames: int | None, length_from: str, truth: bool) -> None:
    """Raise InputError for the first row that cannot be part of a sequence, naming its line.

    Args:
        rows: of one sequence.
        first: the number of its first frame.
        frames: how many frames it has, if that is known.
        length_from: where the number of frames is from.
        truth: whether class 10 is regions to ignore, which may overlap each other and share identities.
    """
    frame, identity = rows.values[:, 0], rows.values[:, 1]
    last = first + (MOST_FRAMES if frames is None else frames) - 1
    wrong = (frame < first) | (frame > last)
    if wrong.any():
        row = int(wrong.argmax())
        if frame[row] < first:
            why = f"is before the first, {first}: renumber the frames, or set the option benchmark=KITTI-MOTS if they"
            why += " are counted from 0"
        else:
            why = f"is past the last, {last} ({length_from}): is it another sequence's? Correct it, or the length"
        raise InputError(f"{rows.where(row)}: the frame {frame[row]} {why}")
    region = (rows.values[:, 2] == REGION_CLASS) & truth
    own = np.flatnonzero(~region)
    twice = first_twice(frame[own], identity[own])
    if twice is not None:
        before, row = own[list(twice)].tolist()
        raise InputError(
            f"{rows.where(row)}: identity {identity[row]} stands twice in frame {frame[row]} (already in line "
            f"{rows.lines[before]}); an identity has one mask in a frame, remove one"
        )
    if truth and rows.size is not None:
        empty = (masks.areas(rows.masks, rows.size) == 0) & ~region
        if empty.any():
            raise InputError(f"{rows.where(int(empty.argmax()))}: the mask has no pixels: correct or remove it")
    _check_apart(rows, region)


def by_frame(rows: MaskRows, keep: NDArray[np.bool_]) -> Iterable[NDArray[np.int64]]:
    """Rows of each frame that has any, those of one frame as in the file."""
    places = np.flatnonzero(keep)
    order = places[np.argsort(rows.values[places, 0], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(rows.values[order, 0])) + 1) if len(order) else []


def _check_apart(rows: MaskRows, region: NDArray[np.bool_]) -> None:
    """Raise InputError for the first frame with masks that overlap, but for regions among themselves."""
    if rows.size is None:
        return
    for here in by_frame(rows, np.ones(len(rows), bool)):
        alone = here[~region[here]].tolist()
        groups = [[row] for row in alone]
        if len(alone) < len(here):
            groups.append(here[region[here]].tolist())
        if len(groups) == 1:
            continue
        packed = [_one([rows.masks[row] for row in group], rows.size) for group in groups]
        if masks.areas(packed, rows.size).sum() == masks.areas([masks.union(packed, rows.size)], rows.size)[0]:
            continue
        meet = np.triu(masks.iou(packed, packed, rows.size) > 0, 1)
        a, b = np.argwhere(meet)[0].tolist()
        raise InputError(_overlap(rows, groups[a], groups[b], region))


def _overlap(rows: MaskRows, first: list[int], second: list[int], region: NDArray[np.bool_]) -> str:
    """A sentence on two masks (or a mask and regions) that overlap."""
    a, b = first[0], second[0]
    if region[b] and rows.size is not None:
        b = next(row for row in second if masks.iou([rows.masks[a]], [rows.masks[row]], rows.size)[0, 0] > 0)
    ids = rows.values[:, 1]
    what = f"identity {ids[a]} and the region to ignore {ids[b]}" if region[b] else f"identities {ids[a]} and {ids[b]}"
    return (
        f"{rows.where(max(a, b))}: the masks of {what} overlap in frame {rows.values[a, 0]} (the other is in line "
        f"{rows.lines[min(a, b)]}); a pixel belongs to one of them, correct them"
    )


def _one(packed: list[bytes], size: tuple[int, int]) -> bytes:
    return packed[0] if len(packed) == 1 else masks.union(packed, size)


def _no_mask(line: str, cells: list[str]) -> str:
    """Why a line is no mask."""
    boxed = line.replace(",", " ").split(None, 6)[:6]
    if len(boxed) == 6 and all(map(is_number, boxed)):
        return f"holds a box, but the file begins with masks: a file has either; a mask is {ORDER}"
    return f"has {len(cells)}{' or more' * (len(cells) > 6)} columns, but a mask has 6, {ORDER}: correct it"


def _whole(cell: str, name: str, where: str) -> int:
    """A whole number from 0. Raises InputError."""
    if cell.isascii() and cell.isdigit() and len(cell) < 16:
        return int(cell)
    if is_number(cell) and float(cell) == round(float(cell)) and 0 <= float(cell) < _WHOLE:
        return int(float(cell))
    raise InputError(f"{where}: the {name} {cell[:40]!r} is not a whole number from 0: a mask is {ORDER}, correct it")
