"""The colours of colour-coded masks: palette files in the layouts that tools write, and colours to label numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.labels import normalise
from dashboard.textfiles import read_text

UNKNOWN = 65535
"""Label of a colour that the palette does not have."""
_CVAT = re.compile(r"([^:]+):\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*(:.*)?")
_ODD = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, halves of surrogate pairs
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_HEADER = frozenset(
    {*("name", "label", "class", "classes", "category", "id", "index", "value", "pixel", "number")}
    | {*("r", "g", "b", "red", "green", "blue", "color", "colour", "rgb", "hex")}
)
_STRIP = 1 << 21  # pixels looked up in one go


@dataclass(frozen=True)
class Entry:
    """One line of a palette file.

    Attributes:
        where: "palette.txt, line 3", for errors.
        label: the number that the file gives, or None.
        name: of the class, or None.
        colour: red, green, blue in 0..255, or None where the file only numbers classes.
    """

    where: str
    label: int | None
    name: str | None
    colour: tuple[int, int, int] | None


@dataclass(frozen=True, eq=False)
class Palette:
    """Labels, their names and their colours.

    Attributes:
        path: the file.
        labels: (P,) label number of each entry: as the file numbers them, else 0, 1, ... in its order. Entries of one
            name have one label.
        names: (P,) class names; None where the file has only colours.
        colours: (P,) red << 16 | green << 8 | blue; -1 without colour.
        segments: whether colours are numbers of segments, so that only RGB says anything (COCO panoptic).
    """

    path: Path
    labels: NDArray[np.int64]
    names: tuple[str | None, ...]
    colours: NDArray[np.int64]
    segments: bool = False

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """Colours, ascending, and their labels."""
        order = np.argsort(self.colours)
        order = order[self.colours[order] >= 0]
        return self.colours[order].astype(np.uint32), self.labels[order].astype(np.uint16)

    @property
    def coloured(self) -> bool:
        """Whether there are colours at all."""
        return bool((self.colours >= 0).any())

    def lookup(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """(..., 3) colours to (...) labels, ``UNKNOWN`` for colours that are not there."""
        colours, labels = self._sorted
        flat = rgb.reshape(-1, 3)
        out = np.empty(len(flat), np.uint16)
        for start in range(0, len(flat), _STRIP):
            red, green, blue = flat[start : start + _STRIP].astype(np.uint32).T
            packed = red << 16 | green << 8 | blue
            place = np.minimum(np.searchsorted(colours, packed), len(colours) - 1)
            out[start : start + _STRIP] = np.where(colours[place] == packed, labels[place], UNKNOWN)
        return out.reshape(rgb.shape[:-1])

    def listed(self) -> list[tuple[int, str | None]]:
        """(label, name) of each label once, ascending."""
        return sorted(dict(zip(self.labels.tolist(), self.names, strict=True)).items())


def read_palette(path: Path) -> Palette:
    """A palette file.

    Text: a line a class with its red, green and blue (or #rrggbb) and its name, in either order, parted by commas,
    tabs, semicolons or spaces; with or without a number before, a header, comments (#); CVAT's
    ``name:r,g,b:parts:actions``; lines without names; numbers and names without colours (Roboflow's ``_classes.csv``).
    JSON: {name: [r, g, b]}; a list of [r, g, b]; a list of objects with name, color (or r, g, b) and id, itself or
    under "labels", "classes" or "categories".

    Raises:
        InputError: naming the file and the line or entry.
    """
    text = read_text(path)
    structured = path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "[")
    entries = list(_from_json(text, path) if structured else _from_lines(text, path))
    if not entries:
        raise InputError(f"{path} has no colours: write a line a class, name,r,g,b")
    if (
        not structured
        and any(e.label is None for e in entries)
        and all(e.name is None for e in entries if e.label is not None)
    ):
        # "background,0,0,0" and then "1,200,0,0": the class is called 1
        entries = [e if e.label is None else replace(e, label=None, name=str(e.label)) for e in entries]
    numbered = [e for e in entries if e.label is not None]
    if numbered and len(numbered) < len(entries):
        odd = next(e for e in entries if e.label is None)
        raise InputError(f"{odd.where}: no number, where other entries have one: give all of them one, or none")
    return Palette(
        path,
        np.array(_labels(entries), np.int64),
        tuple(e.name for e in entries),
        np.array(_colours(entries), np.int64),
    )


def _labels(entries: Sequence[Entry]) -> list[int]:
    """One a name; entries without names are classes of their own."""
    by_name: dict[str, int] = {}
    named: dict[int, Entry] = {}
    out: list[int] = []
    for entry in entries:
        key = entry.name if entry.name is not None else f"\0{len(out)}"
        label = entry.label if entry.label is not None else by_name.setdefault(key, len(by_name))
        if not 0 <= label < UNKNOWN:
            raise InputError(f"{entry.where}: the number {label} is not in 0..{UNKNOWN - 1}: correct it")
        first = named.setdefault(label, entry)
        if first.name != entry.name:
            raise InputError(
                f"{entry.where}: {entry.name!r:.60} has the number {label}, as {first.name!r:.60}: give each its own"
            )
        out.append(label)
    return out


def _colours(entries: Sequence[Entry]) -> list[int]:
    """Packed; a colour may not mean two classes."""
    first: dict[int, Entry] = {}
    out: list[int] = []
    for entry in entries:
        if entry.colour is None:
            out.append(-1)
            continue
        if max(entry.colour) > 255:
            raise InputError(f"{entry.where}: the colour {_shown(entry.colour)} is past 255: correct it")
        packed = entry.colour[0] << 16 | entry.colour[1] << 8 | entry.colour[2]
        other = first.setdefault(packed, entry)
        if other.name != entry.name or (other is not entry and entry.name is None):
            raise InputError(
                f"{entry.where}: the colour {_shown(entry.colour)} is also that of {other.where.rpartition(', ')[2]}: "
                "give each class its own, or keep one of them"
            )
        out.append(packed)
    return out


def _shown(colour: Sequence[int]) -> str:
    return ",".join(map(str, colour))


def _from_lines(text: str, path: Path) -> Iterator[Entry]:
    started = False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or (line.startswith("#") and not _HEX.match(line)) or line.startswith("//"):
            continue
        where = f"{path}, line {number}"
        cvat = _CVAT.fullmatch(line)
        if cvat:
            yield Entry(where, None, cvat[1].strip(), (int(cvat[2]), int(cvat[3]), int(cvat[4])))
            started = True
            continue
        cells = _cells(line)
        if not started and set(normalise(" ".join(cells)).split()) <= _HEADER:
            started = True
            continue
        yield _of_cells(cells, where, line)
        started = True


def _cells(line: str) -> list[str]:
    """A line's cells; numbers that stand in one cell are parted."""
    split = re.split(r"[,;\t]", line) if re.search(r"[,;\t]", line) else line.split()
    out: list[str] = []
    for raw in split:
        cell = raw.strip().strip("\"'()[]").strip()
        out += cell.split() if re.fullmatch(r"\d+(\s+\d+)+", cell) else [cell] * bool(cell)
    return out


def _of_cells(cells: Sequence[str], where: str, line: str) -> Entry:
    """Numbers at one end are the colour, with the class's number before it; what is left is the name."""
    colour: tuple[int, int, int] | None = None
    hexes = [c for c in cells if _HEX.fullmatch(c)]
    rest = [c for c in cells if not _HEX.fullmatch(c)]
    if len(hexes) == 1:
        colour = _of_hex(hexes[0])
    head = next((i for i, c in enumerate(rest) if not _is_number(c)), len(rest))
    tail = next((i for i, c in enumerate(reversed(rest)) if not _is_number(c)), len(rest))
    numbers: list[int] = []
    if colour is None and max(head, tail) >= 3:
        front = head >= 3
        numbers = [int(c) for c in (rest[:head] if front else rest[len(rest) - tail :])]
        rest = rest[head:] if front else rest[: len(rest) - tail]
        colour = (numbers[-3], numbers[-2], numbers[-1])
        numbers = numbers[:-3]
        if rest and _is_number(rest[0]) and not numbers and len(rest) > 1:  # 7 road 128 64 128
            numbers, rest = [int(rest[0])], rest[1:]
    elif rest and _is_number(rest[0]):
        numbers, rest = [int(rest[0])], rest[1:]
    if len(numbers) > 1 or (colour is None and not (numbers and rest)):
        raise InputError(f"{where}: {line[:60]!r} is no class with its colour: write name,r,g,b")
    return Entry(where, numbers[0] if numbers else None, " ".join(rest) or None, colour)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) <= 6


def _of_hex(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _from_json(text: str, path: Path) -> Iterator[Entry]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}): correct it there, or write name,r,g,b lines") from error
    if isinstance(value, dict):
        inner = next((value[k] for k in ("labels", "classes", "categories") if isinstance(value.get(k), list)), None)
        pairs: list[tuple[Any, Any]] = list(value.items()) if inner is None else [(None, v) for v in inner]
    elif isinstance(value, list):
        pairs = [(None, v) for v in value]
    else:
        raise InputError(f"{path} is no palette: write a JSON object of name and [r, g, b], or a list")
    for number, (key, item) in enumerate(pairs, 1):
        where = f"{path}, entry {number}"
        label, name, colour = None, key, item
        if isinstance(item, dict):
            name = next((item[k] for k in ("readable", "name", "label", "title") if k in item), key)
            label = next((item[k] for k in ("id", "index", "value") if item.get(k) is not None), None)
            if label is not None and type(label) is not int:
                raise InputError(
                    f"{where}: the number {str(label)[:40]!r} is no whole number: write one, or leave all out"
                )
            colour = next((item[k] for k in ("color", "colour", "rgb") if k in item), None)
            if colour is None:
                colour = [item.get(k) for k in ("r", "g", "b")]
        if isinstance(colour, str) and _HEX.fullmatch(colour):
            colour = _of_hex(colour)
        fits = isinstance(colour, (list, tuple)) and len(colour) == 3
        if not fits or not all(type(c) is int and c >= 0 for c in colour):
            raise InputError(f"{where}: {str(item)[:60]!r} has no colour: write [r, g, b], each 0 to 255, or #rrggbb")
        yield Entry(where, label, _name(name, where), (colour[0], colour[1], colour[2]))


def _name(value: Any, where: str) -> str | None:
    """A name in JSON, or None where there is none."""
    if value is None or type(value) is int:
        return None if value is None else str(value)
    if not isinstance(value, str) or not value.strip() or _ODD.search(value):
        raise InputError(f"{where}: {str(value)[:60]!r} is no name of a class: write one line of text")
    return value
