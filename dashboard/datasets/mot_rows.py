"""MOTChallenge text: ``frame,id,x,y,w,h,...`` a line, as columns, with every fault named by its line.

A million lines take about a second: Arrow reads what is well-formed, and only where it refuses are lines looked at one
by one. x and y are kept as they are, as TrackEval does: boxes are (x, y, x + w, y + h), although MOTChallenge's own
tools count pixels from 1.
"""

from __future__ import annotations

import io
import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.yolo_labels import is_number
from dashboard.errors import InputError
from dashboard.textfiles import read_text

MOST_FRAMES = 2_000_000  # of one sequence: 22 hours at 25 frames a second
MUST = 8  # columns that have to be finite where they are there: frame, id, x, y, w, h, confidence or flag, class
ORDER = "frame,id,x,y,w,h"
_WHOLE = 2**53  # from here on float64 skips whole numbers
_FARTHEST = 1e9  # pixels: beyond them areas lose their small digits, and then are no numbers
_MOST_COLUMNS = 100
_HEADERS = (  # names under which the first six columns go
    *({"frame", "frame_id", "frame_index", "frame_number"}, {"id", "track_id", "tracking_id", "identity", "object_id"}),
    *({"x", "left", "bb_left", "x_min", "xmin", "x1"}, {"y", "top", "bb_top", "y_min", "ymin", "y1"}),
    *({"w", "width", "bb_width"}, {"h", "height", "bb_height"}),
)


@dataclass(frozen=True, eq=False)
class Rows:
    """A file of boxes, in its own order.

    Attributes:
        file: where it is.
        values: (N, C) float64, C at least 6.
        text: the file's text, from which line numbers are found when there is something to say.
        header: whether it begins with a line of names.
    """

    file: str
    values: NDArray[np.float64]
    text: str = field(default="", repr=False)
    header: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def columns(self) -> int:
        """How many there are."""
        return self.values.shape[1]

    def line(self, row: int) -> int:
        """The line in the file, from 1, of a row."""
        written = (number for number, line in enumerate(_lines(self.text), 1) if line.strip())
        for _ in range(row + self.header):
            next(written)
        return next(written)

    def where(self, row: int) -> str:
        """The file and line of a row, for errors."""
        return f"{self.file}, line {self.line(row)}"

    def column(self, number: int, default: float) -> NDArray[np.float64]:
        """(N,) values of a column, counted from 0, or a default if there are not as many."""
        return self.values[:, number] if number < self.columns else np.full(len(self), default)


def read_rows(file: str | Path) -> Rows:
    """Read a file of boxes separated by commas, or by spaces or tabs. Empty lines and a header are passed over.

    Raises:
        InputError: naming the file and line: too few columns, or not as many as in the first line, what is no number.
    """
    text = read_text(file)
    first, end = _next_line(text, 0)
    header = bool(first) and _is_header(first, file)
    start = end if header else 0
    if header:
        first, end = _next_line(text, end)
    if not first:
        return Rows(str(file), np.empty((0, 6)), text, header)
    values = _fast(text[start:], first)
    if values is None:
        values = _slow(text, file, header)
    return Rows(str(file), values, text, header)


def looks_like_rows(file: Path) -> bool:
    """Whether a file begins like boxes of MOTChallenge: six numbers or more in its first line; never raises."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(4096)
    except OSError:
        return False
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16, as spreadsheets write it
    head = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    lines = [line for line in head.splitlines() if line.strip()]
    for line in lines[:2]:  # the first may be a header
        cells = _cells(line)
        if len(cells) >= len(_HEADERS) and all(map(is_number, cells[:6])):
            return True
    return False


def check_rows(rows: Rows, frames: int | None, length_from: str, tracked: str) -> None:
    """Raise InputError for the first row that cannot be part of a sequence, naming its line.

    Args:
        rows: of one sequence.
        frames: how many frames it has, if that is known.
        length_from: where the number of frames is from.
        tracked: what the file should be, for errors ("true tracks", "a tracker's output").
    """
    frame, identity, width, height = (rows.values[:, k] for k in (0, 1, 4, 5))
    most = MOST_FRAMES if frames is None else frames
    faults = [
        (frame != np.rint(frame), "frame", "is not a whole number: correct it"),
        (frame < 1, "frame", "is before the first, frames are counted from 1: renumber them"),
        (frame > most, "frame", _beyond(frames, length_from)),
        (
            (identity != np.rint(identity)) | (np.abs(identity) >= _WHOLE),
            "identity",
            "is not a whole number: correct it",
        ),
        (identity < 0, "identity", f"is negative; {tracked} has an identity in every line (is this a det.txt?)"),
        (width < 0, "width", "is negative: boxes are x,y,w,h in pixels, correct it"),
        (height < 0, "height", "is negative: boxes are x,y,w,h in pixels, correct it"),
    ]
    values = {"x": rows.values[:, 2], "y": rows.values[:, 3], "width": width, "height": height}
    far = f"is more than {_FARTHEST:g} pixels away: correct it"
    faults += [(np.abs(value) > _FARTHEST, name, far) for name, value in values.items()]
    found = [(int(flags.argmax()), name, why) for flags, name, why in faults if flags.any()]
    if found:
        row, name, why = min(found)
        value = {"frame": frame, "identity": identity, **values}[name][row]
        raise InputError(f"{rows.where(row)}: the {name} {value:.15g} {why}")
    twice = first_twice(frame.astype(np.int64), identity.astype(np.int64))
    if twice is not None:
        before, row = twice
        raise InputError(
            f"{rows.where(row)}: identity {identity[row]:.0f} stands twice in frame {frame[row]:.0f} (already in line "
            f"{rows.line(before)}); an identity has one box in a frame, remove one"
        )


def in_order(rows: Rows) -> NDArray[np.int64]:
    """(N,) rows by frame, those of one frame as in the file."""
    return np.argsort(rows.values[:, 0], kind="stable")


def boxes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) xyxy of rows."""
    xyxy = values[:, 2:6].copy()
    xyxy[:, 2:] += xyxy[:, :2]
    return xyxy


def first_twice(frame: NDArray[np.int64], ids: NDArray[np.int64]) -> tuple[int, int] | None:
    """The first row whose identity stood in its frame before, and where it did: (earlier row, row)."""
    order = np.lexsort((ids, frame))  # stable: of equals the earlier row comes first
    same = (np.diff(frame[order]) == 0) & (np.diff(ids[order]) == 0)
    if not same.any():
        return None
    places = np.flatnonzero(same)
    place = places[order[places + 1].argmin()]
    return int(order[place]), int(order[place + 1])


def _beyond(frames: int | None, length_from: str) -> str:
    if frames is None:
        return f"is past frame {MOST_FRAMES}, more than a sequence may have: correct it"
    return f"is past the last, {frames} ({length_from}): is it another sequence's? Correct it, or the length"


def _next_line(text: str, start: int) -> tuple[str, int]:
    """The first line from ``start`` on that is not blank, and where it ends; an empty one if there is none."""
    ink = re.compile(r"\S").search(text, start)
    if ink is None:
        return "", len(text)
    begin = 1 + max(text.rfind(end, start, ink.start()) for end in "\r\n")
    stop = re.compile(r"[\r\n]|$").search(text, ink.start())
    assert stop is not None
    return text[max(begin, start) : stop.start()], stop.start()


def _lines(text: str) -> list[str]:
    """Lines as Arrow counts them: ended by a line feed, a carriage return or both."""
    return re.split(r"\r\n|\r|\n", text)


def _cells(line: str) -> list[str]:
    """The cells of a line; one empty one after a last comma is none. Beyond the most, they are one."""
    if "," not in line:
        return line.split(None, _MOST_COLUMNS)
    cells = [cell.strip() for cell in line.split(",", _MOST_COLUMNS)]
    return cells if cells[-1] else cells[:-1]


def _is_header(line: str, file: str | Path) -> bool:
    """Whether the first line holds names. Raises InputError if they are in another order than the columns are here."""
    cells = [cell.strip("\"' ").lower().replace(" ", "_") for cell in _cells(line)]
    if not cells or any(is_number(cell) for cell in cells) or not all(re.match(r"[a-z#_]", cell) for cell in cells):
        return False
    if len(cells) >= 6 and all(cell in names for cell, names in zip(cells, _HEADERS, strict=False)):
        return True
    raise InputError(
        f"{file}: its first line, {line.strip()[:60]!r}, is no box and not the names {ORDER},...: put the columns in "
        "that order"
    )


def _fast(text: str, first: str) -> NDArray[np.float64] | None:
    """(N, C) values of a well-formed file, None if anything is odd."""
    import pyarrow as pa
    from pyarrow import csv

    count = len(_cells(first))
    if not 6 <= count <= _MOST_COLUMNS or '"' in first:
        return None
    if "," not in first:
        if "," in text:
            return None
        text = re.sub(r"(?m)^,|,$", "", re.sub(r"[ \t]+", ",", text))  # in this order: linear in long gaps
    how = csv.ConvertOptions(column_types={f"f{k}": pa.float64() for k in range(count)}, null_values=[])
    names = csv.ReadOptions(autogenerate_column_names=True)
    try:
        table = csv.read_csv(io.BytesIO(text.encode()), names, convert_options=how)
    except pa.ArrowInvalid:
        return None
    if table.num_columns != count:
        return None
    values = np.empty((table.num_rows, count))
    for k in range(count):
        values[:, k] = table.column(k).to_numpy()
    return values if np.isfinite(values).all() else None


def _slow(text: str, file: str | Path, header: bool) -> NDArray[np.float64]:
    """(N, C) values, line by line. Raises InputError naming the first line that is wrong."""
    out = array("d")  # a list of lists has eight times the size
    begun = width = 0
    for number, line in enumerate(_lines(text), 1):
        cells = _cells(line) if line.strip() else []
        if not cells:
            continue
        if header:
            header = False
            continue
        where = f"{file}, line {number}"
        if len(cells) == 6 and "," not in line and is_number(cells[4]) and not is_number(cells[5]):
            raise InputError(f"{where} holds a mask (MOTS), but boxes are read here: {ORDER} a line")
        if len(cells) < 6:
            raise InputError(
                f"{where} has {len(cells)} columns, but a box needs at least 6, {ORDER}: add what is missing"
            )
        if len(cells) > _MOST_COLUMNS:
            raise InputError(f"{where} has more than {_MOST_COLUMNS} columns, but a box is {ORDER},...: is it a table?")
        if begun and len(cells) != width:
            raise InputError(f"{where} has {len(cells)} columns, but line {begun} has {width}: correct it")
        if not begun:
            begun, width = number, len(cells)
        wrong = next((c for k, c in enumerate(cells) if not (is_number(c) or (k >= MUST and c.lower() == "nan"))), None)
        if wrong is not None:
            raise InputError(f"{where}: {wrong!r:.40} is not a finite number: correct it")
        out.extend(map(float, cells))
    return np.array(out, np.float64).reshape(-1, width or 6)
