"""COCO panoptic PNG: colours are numbers of segments (R + 256 G + 65536 B), and a JSON says the class of each.

A file's segments are a palette of its own, so its pixels are read as those of any colour-coded mask.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.datasets.files import is_ignored
from dashboard.datasets.jsonfile import read_json
from dashboard.datasets.mask_paths import given_path
from dashboard.datasets.palette import UNKNOWN, Palette
from dashboard.errors import InputError

_HEAD = 1 << 20  # bytes of a JSON that are looked at to recognise it
_KEY = b'"segments_info"'


@dataclass(frozen=True, eq=False)
class Panoptic:
    """What a panoptic JSON says.

    Attributes:
        path: the JSON.
        listed: (category id, name) in the file's order.
        void: the label of pixels of no segment.
        segments: of each PNG's name, the numbers of its segments and their category ids.
    """

    path: Path
    listed: list[tuple[int, str]]
    void: int
    segments: dict[str, tuple[list[int], list[int]]]

    def palettes(self, masks: Sequence[str]) -> list[Palette]:
        """A palette for each mask file. Raises InputError for a file that the JSON does not list, or another has."""
        out = []
        first: dict[str, str] = {}
        for mask in masks:
            name = os.path.basename(mask)
            if first.setdefault(name, mask) != mask:
                raise InputError(
                    f"{first[name]} and {mask} have one name, so {self.path} does not say whose its annotation is: "
                    "give each its own"
                )
            if name not in self.segments:
                raise InputError(f"{mask} is not among the annotations of {self.path}: add it there or remove the file")
            numbers, categories = self.segments[name]
            ids = np.array([0, *numbers], np.int64)
            colours = (ids & 255) << 16 | (ids & 0xFF00) | ids >> 16
            labels = np.array([self.void, *categories], np.int64)
            out.append(Palette(self.path, labels, (None,) * len(ids), colours, segments=True))
        return out


def find_panoptic(path: Path, options: Mapping[str, str], confine: bool) -> tuple[Panoptic, dict[str, str]] | None:
    """The panoptic JSON in a folder or its annotations/, and where its PNG (and pictures) are, as options.

    Raises:
        InputError: several of them, or one that is none.
    """
    given = options.get("annotations")
    if given:
        files = [given_path(given, "annotations", [path, path / "annotations"], path if confine else None)]
    else:
        files = [f for folder in (path, path / "annotations") for f in _json_in(folder) if _looks_right(f)]
    if not files:
        return None
    if len(files) > 1:
        names = ", ".join(f.relative_to(path).as_posix() for f in files[:8])
        raise InputError(f"{path} holds several panoptic files, {names}: name one with the option annotations=FILE")
    file = files[0]
    split = file.stem.rpartition("_")[2]
    where = {}
    for key, folders in {
        "masks": (file.with_suffix(""), path / file.stem),
        "images": (path / split, path / "images" / split),
    }.items():
        here = next((f for f in folders if f.is_dir()), None)
        if here is not None:
            where[key] = str(here.absolute())
    return _parse(file), where


def _json_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.lower().endswith(".json") and not is_ignored(e.name)]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def _looks_right(file: Path) -> bool:
    """Whether its beginning or end speaks of segments; never raises."""
    try:
        if not file.is_file():  # a pipe would never end
            return False
        with open(file, "rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _HEAD))
            return _KEY in head or _KEY in stream.read(_HEAD)
    except OSError:
        return False


def _parse(file: Path) -> Panoptic:
    """Categories, and the segments of each PNG."""
    content: Any = read_json(file)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(k), list) for k in ("annotations", "categories")
    ):
        raise InputError(f"{file} is no panoptic JSON: it needs the lists annotations and categories")
    listed: list[tuple[int, str]] = []
    for number, category in enumerate(content["categories"], 1):
        identity = category.get("id") if isinstance(category, dict) else None
        if type(identity) is not int or not 0 <= identity < UNKNOWN - 1 or not isinstance(category.get("name"), str):
            raise InputError(f"{file}, category {number}: it needs a name and an id in 0..{UNKNOWN - 2}")
        listed.append((identity, category["name"]))
    known = {identity for identity, _ in listed}
    if len(known) < len(listed) or len({name for _, name in listed}) < len(listed):
        raise InputError(f"{file}: two categories have the same id or name: give each its own")
    segments: dict[str, tuple[list[int], list[int]]] = {}
    first: dict[str, int] = {}
    for number, entry in enumerate(content["annotations"], 1):
        where = f"{file}, annotation {number}"
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(entry.get("segments_info"), list):
            raise InputError(f"{where}: it needs file_name and segments_info")
        pairs: list[tuple[Any, Any]] = [
            (s.get("id"), s.get("category_id")) for s in entry["segments_info"] if isinstance(s, dict)
        ]
        for identity, category in pairs:
            fits = type(identity) is int and 0 < identity < 1 << 24
            if not fits or type(category) is not int or category not in known:
                raise InputError(
                    f"{where}: the segment {str(identity)[:40]} of category {str(category)[:40]} needs an id in "
                    "1..16777215 and a category of the file: correct it"
                )
        if len({i for i, _ in pairs}) < len(entry["segments_info"]):
            raise InputError(f"{where}: two segments have the same id, or one is none: correct it")
        name = os.path.basename(name)
        if first.setdefault(name, number) != number:
            raise InputError(
                f"{file}, annotations {first[name]} and {number}: both are of {name!r:.80}: keep one of them"
            )
        segments[name] = ([i for i, _ in pairs], [c for _, c in pairs])
    return Panoptic(file, listed, 0 if 0 not in known else UNKNOWN - 1, segments)
