"""Tags that a person gives: a CSV with a column of ids or paths, and any others, which are tags."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dashboard.datasets.csv_labels import PATH_COLUMNS
from dashboard.errors import InputError
from dashboard.textfiles import read_text

DELIMITERS = (",", "\t", ";", "|")
ID_COLUMNS = ("id", "image_id", "name", *PATH_COLUMNS)
MOST_TAGS = 64
MOST_PUBLIC = 20_000_000
"""Bytes of a table on a public server: it is read as a whole, and takes ten times as much memory."""


@dataclass(frozen=True, eq=False)
class Tags:
    """Tags of some samples.

    Attributes:
        columns: tag name to one cell a sample, "" where it has none.
        matched: how many of the samples have a line.
        unmatched: lines that are no sample's.
    """

    columns: dict[str, list[str]]
    matched: int
    unmatched: int


def read_tags(file: str | Path, ids: Sequence[str], public: bool = False) -> Tags:
    """Read a table and line it up with samples: by id or by a path that ends in one, else by the file's name, else
    by that without its suffix.

    Args:
        file: a CSV or TSV in UTF-8 or UTF-16; its first line names the columns, one of them ``ID_COLUMNS``.
        ids: the samples.
        public: whether a stranger sent it: ``MOST_PUBLIC`` bytes then.

    Raises:
        InputError: naming the file and line.
    """
    text = read_text(file, MOST_PUBLIC) if public else read_text(file)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{file} is empty: write a header such as id,weather and one line per image.")
    delimiter = max(DELIMITERS, key=lambda d: len(next(csv.reader([lines[start][:65_536]], delimiter=d), [])))
    header = [name.strip() for name in next(csv.reader([lines[start][:65_536]], delimiter=delimiter), [])]
    lower = [name.lower() for name in header]
    at = next((lower.index(name) for name in ID_COLUMNS if name in lower), None)
    if at is None:
        shown = ", ".join(" ".join(n.split())[:40] for n in header[:6])
        raise InputError(f"{file}, line {start + 1}: no column is called id or path (there are {shown}): name one so.")
    names = {i: name for i, name in enumerate(header) if i != at and name}
    if not names:
        raise InputError(f"{file}, line {start + 1}: there is no column beside {header[at]!r}: add one with tags.")
    if len(names) > MOST_TAGS or len(set(names.values())) < len(names):
        why = f"more than {MOST_TAGS} columns" if len(names) > MOST_TAGS else "two columns of one name"
        raise InputError(f"{file}, line {start + 1}: {why}: keep one of each that matters.")
    where = _Finder(ids)
    columns = {name: [""] * len(ids) for name in names.values()}
    seen: dict[int, int] = {}
    unmatched = 0
    reader = csv.reader(io.StringIO("\n".join(lines[start + 1 :])), delimiter=delimiter)
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            line = start + 1 + reader.line_num
            if len(row) != len(header):
                raise InputError(f"{file}, line {line}: {len(row)} cells where the header has {len(header)}.")
            place = where(row[at].strip())
            if place is None:
                unmatched += 1
                continue
            if place in seen:
                raise InputError(f"{file}, lines {seen[place]} and {line} are about the same image: remove one.")
            seen[place] = line
            for i, name in names.items():
                columns[name][place] = row[i].strip()
    except csv.Error as error:
        raise InputError(f"{file}, line {start + 1 + reader.line_num}: not readable as CSV ({error}).") from error
    if not seen:
        raise InputError(f"{file}: none of its lines is about an image of these runs, whose ids look like {ids[0]!r}.")
    return Tags(columns, len(seen), unmatched)


class _Finder:
    """From what a table calls a picture to its place; a bare name counts only if it is one picture's."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.exact = {name: place for place, name in enumerate(ids)}
        self.names: dict[str, int | None] = {}
        self.stems: dict[str, int | None] = {}
        for place, name in enumerate(ids):
            path = PurePosixPath(name.replace("\\", "/"))
            for known, key in ((self.names, path.name), (self.stems, path.stem)):
                known[key] = None if key in known else place

    def __call__(self, text: str) -> int | None:
        clean = text.replace("\\", "/").removeprefix("./")
        path = PurePosixPath(clean)
        for ending in (clean, *("/".join(path.parts[k:]) for k in range(1, len(path.parts)))):
            if ending in self.exact:
                return self.exact[ending]
        found = self.names.get(path.name)
        return found if found is not None else self.stems.get(path.stem)
