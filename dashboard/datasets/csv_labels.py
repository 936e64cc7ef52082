"""``csv``: a table of pictures and labels, ``path,label``, beside the pictures."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from dashboard.datasets.files import FileDataset
from dashboard.errors import InputError, did_you_mean
from dashboard.labels import read_class_names
from dashboard.textfiles import read_text

PATH_COLUMNS = ("path", "image", "file", "filename", "image_path", "file_path", "filepath", "file_name", "id")
LABEL_COLUMNS = ("label", "labels", "class", "classes", "class_name", "target", "targets")
_DELIMITERS = (",", "\t", ";", "|")
_SUFFIXES = (".csv", ".tsv")
_CELL = 65_536  # more of a first line is not looked at to recognise a file


class CsvLabels:
    """A CSV with the columns path and label (several labels joined by ; or |) beside the pictures.

    Paths are relative to the CSV, or absolute. Other columns become tags.
    """

    task = "classification"
    suffixes = _SUFFIXES
    options: ClassVar[Mapping[str, str]] = {
        "multilabel": "true or false; else several labels are allowed if some cell has several",
        "classes": "a file of class names, one a line, fixing their order (default classes.txt beside the CSV)",
        "confine": "true refuses paths outside the CSV's folder (always so in a zip)",
        "require_files": "false when only the labels are needed and the pictures may be elsewhere",
    }

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a CSV with these columns, or a folder that holds exactly one."""
        return (find_csv(path) if path.is_dir() else _header(path)) is not None

    def open(self, path: Path, options: Mapping[str, str]) -> FileDataset:
        """Index the table; ``options`` as above.

        Raises:
            InputError: naming the file and line.
        """
        file = path
        if path.is_dir():
            file = _the_csv(path)
        table = _read(file)
        known = _class_file(file, options)
        multilabel, cells = _split_labels(table, file, known, _flag(options, "multilabel"))
        class_names = known or _sorted_names({name for cell in cells for name in cell})
        numbers = {name: number for number, name in enumerate(class_names)}
        targets = _targets(table, cells, numbers, file, known is not None)
        ids, files = _locate(table, file, bool(_flag(options, "confine")))
        _refuse_duplicates(ids, table.lines, file)
        warnings = _check_files(files, table.lines, file, _flag(options, "require_files") is not False)
        absent = sorted(set(class_names) - {name for cell in cells for name in cell}, key=numbers.__getitem__)
        if absent:
            shown = ", ".join(repr(n) for n in absent[:5]) + (", ..." if len(absent) > 5 else "")
            warnings.append(f"{len(absent)} of {len(class_names)} classes without pictures: {shown}.")
        return FileDataset(
            name=path.resolve().name if path.is_dir() else path.stem,
            source=str(path),
            ids=ids,
            files=files,
            targets=targets if multilabel else np.array([t[0] for t in targets], np.int64),
            class_names=class_names,
            multilabel=multilabel,
            warnings=warnings,
            tags=table.tags,
        )


@dataclass
class _Table:
    """The columns of a CSV, and the line each row ends on."""

    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    tags: dict[str, list[str | float]] = field(default_factory=dict)
    delimiter: str = ","


@dataclass(frozen=True)
class _Header:
    names: list[str]
    path: int
    label: int
    delimiter: str


def find_csv(folder: Path) -> Path | None:
    """The one CSV directly in ``folder`` that has the columns, None if there is none or several."""
    try:
        files = [f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith(".")]
    except OSError:
        return None
    found = [f for f in sorted(files) if f.is_file() and _header(f) is not None]
    return found[0] if len(found) == 1 else None


def _the_csv(folder: Path) -> Path:
    """The CSV that is meant by its folder. Raises InputError if that is not clear."""
    found = find_csv(folder)
    names = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))
    if found is None and len(names) != 1:
        which = f"several ({', '.join(names[:5])}): give the one that is meant" if names else "none: put it there"
        raise InputError(f"{folder} must hold one CSV with the columns path and label, but holds {which}")
    return found or folder / names[0]


def _header(file: Path) -> _Header | None:
    """The header of a file that looks like ours, else None; never raises."""
    if file.suffix.lower() not in _SUFFIXES or not file.is_file():  # a pipe would never end
        return None
    try:
        with open(file, "rb") as stream:
            head = stream.read(_CELL)
        utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = head.decode("utf-16" if utf16 else "utf-8-sig", "replace").lstrip()
    except (OSError, UnicodeError):
        return None
    header = _parse_header(_lines(text[:_CELL]).readline().rstrip("\r\n"))
    return header if isinstance(header, _Header) else None


def _lines(text: str) -> io.StringIO:
    """The text by lines, which end with LF, CR LF or (old Macs) CR and nothing else, and keep their ends."""
    return io.StringIO(text, newline="")


def _parse_header(line: str) -> _Header | list[str]:
    """The columns under the delimiter that shows both, or the most names that any delimiter shows."""
    best: list[str] = []
    for delimiter in _DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error:  # a cell of more than 131,072 characters
            names = [line.strip()]
        lower = [name.lower() for name in names]
        path = next((lower.index(n) for n in PATH_COLUMNS if n in lower), None)
        label = next((lower.index(n) for n in LABEL_COLUMNS if n in lower), None)
        if path is not None and label is not None:
            return _Header(names, path, label, delimiter)
        if len(names) > len(best):
            best = names
    return best


def _read(file: Path) -> _Table:
    lines = list(_lines(read_text(file)))
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{file} is empty: write a header path,label and one line per picture")
    header = _parse_header(lines[start].rstrip("\r\n"))
    if isinstance(header, list):
        raise InputError(
            f"{file}, line {start + 1}: the header must name a path and a label column "
            f"(such as path,label), but the columns are {_shown(header) or 'empty'}"
        )
    table = _Table(delimiter=header.delimiter)
    extra = [i for i, name in enumerate(header.names) if i not in (header.path, header.label) and name]
    reader = csv.reader(lines[start + 1 :], delimiter=header.delimiter)
    columns: list[list[str]] = [[] for _ in extra]
    try:
        for row in reader:
            if not row or not any(cell.strip() for cell in row):
                continue
            line = start + 1 + reader.line_num
            if len(row) != len(header.names):
                raise InputError(
                    f"{file}, line {line}: {len(row)} cells where the header has {len(header.names)}: "
                    "put text that contains the delimiter in double quotes"
                )
            path = row[header.path].strip()
            if not path:
                raise InputError(f"{file}, line {line}: the path is empty; write it or remove the line")
            table.paths.append(path)
            table.labels.append(row[header.label].strip())
            table.lines.append(line)
            for column, i in zip(columns, extra, strict=True):
                column.append(row[i].strip())
    except csv.Error as error:
        raise InputError(f"{file}, line {start + 1 + reader.line_num}: not readable as CSV ({error})") from error
    if not table.paths:
        raise InputError(f"{file} has a header but no lines: write one line per picture")
    table.tags = {header.names[i]: _numbers(column) for i, column in zip(extra, columns, strict=True)}
    return table


def _shown(names: list[str]) -> str:
    """The first columns' names, cut short: what is named .csv may be anything."""
    return ", ".join(" ".join(name.split())[:40] for name in names[:8]) + (", ..." if len(names) > 8 else "")


def _numbers(column: list[str]) -> list[str | float]:
    """The column as numbers if it is all numbers."""
    try:
        return [float(cell) for cell in column]
    except ValueError:
        return list(column)


def _flag(options: Mapping[str, str], name: str) -> bool | None:
    value = options.get(name, "").strip().lower()
    if value not in ("", "true", "false", "1", "0", "yes", "no"):
        raise InputError(f"The option {name} must be true or false, got {options[name]!r}")
    return value in ("true", "1", "yes") if value else None


def _class_file(file: Path, options: Mapping[str, str]) -> tuple[str, ...] | None:
    if options.get("classes"):
        return read_class_names(options["classes"], unique=True)
    beside = file.parent / "classes.txt"
    return read_class_names(beside, unique=True) if beside.is_file() else None


def _split_labels(
    table: _Table, file: Path, known: tuple[str, ...] | None, wanted: bool | None
) -> tuple[bool, list[tuple[str, ...]]]:
    """Whether the table is multi-label, and the label names of each row."""
    whole = set(known or ())
    cells: list[tuple[str, ...]] = []
    for label in table.labels:
        names = [label] if wanted is False or label in whole else label.replace("|", ";").split(";")
        cells.append(tuple(dict.fromkeys(name.strip() for name in names if name.strip())))
    multilabel = any(len(cell) > 1 for cell in cells) if wanted is None else wanted
    if not multilabel:
        for cell, line in zip(cells, table.lines, strict=True):
            if not cell:
                raise InputError(
                    f"{file}, line {line}: no label; write one, or set the option multilabel=true if none is meant"
                )
    elif not any(cells):
        raise InputError(f"{file} has no label in any line: fill in the label column")
    return multilabel, cells


def _sorted_names(names: set[str]) -> tuple[str, ...]:
    if all(name.isascii() and name.isdigit() for name in names):  # by value, but int() has a limit of 4300 digits
        return tuple(sorted(names, key=lambda name: (len(name.lstrip("0")), name.lstrip("0"), name)))
    return tuple(sorted(names))


def _targets(
    table: _Table, cells: list[tuple[str, ...]], numbers: Mapping[str, int], file: Path, from_file: bool
) -> list[tuple[int, ...]]:
    targets = []
    for cell, line in zip(cells, table.lines, strict=True):
        for name in cell:
            if name not in numbers:
                where = "classes.txt or the classes given" if from_file else "the classes"
                raise InputError(
                    f"{file}, line {line}: unknown label {name!r}, which is not in {where} "
                    f"({len(numbers)} classes).{did_you_mean(name, numbers) or ' Correct it or add it there.'}"
                )
        targets.append(tuple(sorted(numbers[name] for name in cell)))
    return targets


def _locate(table: _Table, file: Path, confine: bool) -> tuple[list[str], list[str]]:
    """Ids (posix, relative to the CSV's folder where inside it) and file paths."""
    folder = os.path.abspath(file.parent)
    real = os.path.realpath(folder)
    ids, files = [], []
    for text, line in zip(table.paths, table.lines, strict=True):
        clean = text.replace("\\", "/") if os.sep == "/" else text
        full = os.path.normpath(os.path.join(folder, clean))
        inside = full.startswith(folder + os.sep)
        if confine and not (inside and os.path.realpath(full).startswith(real + os.sep)):
            raise InputError(
                f"{file}, line {line}: {text!r} lies outside the folder of the CSV; only files in it are read"
            )
        identity = (
            os.path.relpath(full, folder) if inside else full if os.path.isabs(clean) else os.path.normpath(clean)
        )
        ids.append(str(PurePosixPath(*Path(identity).parts)))
        files.append(full)
    return ids, files


def _refuse_duplicates(ids: list[str], lines: list[int], file: Path) -> None:
    first: dict[str, int] = {}
    for identity, line in zip(ids, lines, strict=True):
        before = first.setdefault(identity, line)
        if before != line:
            raise InputError(f"{file}, lines {before} and {line}: the picture {identity!r} occurs twice, remove one")


def _check_files(files: list[str], lines: list[int], file: Path, required: bool) -> list[str]:
    """No files missing, else an error, or a warning if they are not required."""
    missing = [i for i, path in enumerate(files) if not os.path.isfile(path)]
    if not missing:
        return []
    shown = ", ".join(f"{os.path.relpath(files[i], file.parent)} (line {lines[i]})" for i in missing[:3])
    more = ", ..." if len(missing) > 3 else ""
    if not required:
        return [f"{len(missing)} of {len(files)} pictures are not here, so they cannot be shown: {shown}{more}."]
    raise InputError(
        f"{file}: {len(missing)} of {len(files)} pictures are missing: {shown}{more}; "
        "paths are relative to the CSV's folder"
    )
