"""Ultralytics' ``data.yaml``: class names and where the pictures of a split are. Nothing in it is run or downloaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dashboard.datasets.boxes import inside
from dashboard.datasets.files import is_image, natural_key, unusable, walk
from dashboard.errors import InputError
from dashboard.textfiles import read_text

SPLITS = ("val", "test", "train")
_OTHER_NAMES = {"val": ("valid", "validation"), "test": ("testing",), "train": ("training",)}
_MOST = 1_000_000  # characters
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # builds plain values only, in C where that is there
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_DEEPEST = 20
_MOST_CLASSES = 100_000


@dataclass
class Listing:
    """Pictures that belong together, and what else there is to say.

    Attributes:
        root: the folder that ids are relative to.
        names: class names in the order of the class numbers.
        pictures: files, in order.
        labels: label files that may belong to no picture are looked for here.
        warnings: sentences to show.
    """

    root: Path
    names: tuple[str, ...]
    pictures: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def looks_right(file: Path) -> bool:
    """Whether a file is a YAML with names and a split; never raises, reads little."""
    if file.suffix.lower() not in (".yaml", ".yml"):
        return False
    try:
        if not file.is_file():
            return False
        with open(file, "rb") as stream:
            head = stream.read(65_536).decode("utf-8", "replace")
    except OSError:
        return False
    split = "|".join([*SPLITS, *(other for others in _OTHER_NAMES.values() for other in others)])
    return bool(re.search(r"^names\s*:", head, re.M) and re.search(rf"^({split})\s*:", head, re.M))


def read_yaml(file: Path, split: str | None, bounds: Path | None) -> Listing:
    """The pictures of a split.

    Args:
        file: a data.yaml.
        split: its key, by default val, else test, else train.
        bounds: a folder that no path may leave, or None.

    Raises:
        InputError: naming the file and the key.
    """
    data = _load(file)
    names = _names(data, file)
    root, warnings = _root(data, file, bounds)
    if "download" in data:
        warnings.append(f"{file.name}: 'download' is ignored; nothing is downloaded or run.")
    key, places = _split(data, file, split)
    listing = Listing(root, names, warnings=warnings)
    seen: dict[str, None] = {}
    for place in places:
        target = _resolve(place, root, file, key, bounds)
        if target.is_dir():
            found = [e.path for e in walk(str(target)) if is_image(e.name) and not unusable(e)]
            seen |= dict.fromkeys(sorted(found, key=natural_key))
            listing.labels += _label_files(target)
        else:
            seen |= dict.fromkeys(_listed(target, root, bounds))
    listing.pictures = list(seen)
    if not listing.pictures:
        raise InputError(f"{file}: {key}: there are no pictures in {', '.join(places)}: put them there")
    return listing


def _load(file: Path) -> dict[str, Any]:
    text = read_text(file)
    if len(text) > _MOST:
        raise InputError(f"{file} is larger than {_MOST / 1e6:g} MB: give a data.yaml")
    try:
        _refuse_bombs(text, file)
        data = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "it cannot be read"
        raise InputError(f"{file}{where}: not valid YAML ({what}): correct it there") from error
    except (RecursionError, ValueError, OverflowError) as error:  # thousands of brackets, dates that do not exist
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is not valid YAML: correct it") from error
    if not isinstance(data, dict):
        raise InputError(f"{file} holds no keys: give a data.yaml with names, and train, val or test")
    if "kpt_shape" in data:
        raise InputError(f"{file} is of a pose dataset (kpt_shape), whose lines are no polygons: give one of boxes")
    return data


def _refuse_bombs(text: str, file: Path) -> None:
    """Aliases may stand for any number of copies, and brackets in brackets overflow the stack of a parser in C."""
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, yaml.AliasToken):
            raise InputError(f"{file} has aliases (*name), which could blow it up: write the values out")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEEPEST:
            raise InputError(f"{file} is not a data.yaml: its values are nested {_DEEPEST} deep and more")


def _names(data: dict[str, Any], file: Path) -> tuple[str, ...]:
    names, count = data.get("names"), data.get("nc")
    if isinstance(names, dict):
        numbers = list(names)
        if not all(type(n) is int for n in numbers) or sorted(numbers) != list(range(len(numbers))):
            raise InputError(f"{file}: names must be numbered 0, 1, 2, ... without gaps, got {str(numbers[:5])[:80]}")
        names = [names[n] for n in range(len(names))]
    if not isinstance(names, list) or not names or len(names) > _MOST_CLASSES:
        raise InputError(f"{file}: names must be a list of class names, or numbers and names: write them")
    for number, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, (str, int, float)) or not str(name).strip():
            raise InputError(f"{file}: name {number} is {str(name)[:40]!r}, not a class name: put it in quotes")
    if count is not None and count != len(names):
        raise InputError(f"{file}: nc says {str(count)[:20]} classes, but {len(names)} names are there: correct one")
    return tuple(str(n).strip() for n in names)


def _root(data: dict[str, Any], file: Path, bounds: Path | None) -> tuple[Path, list[str]]:
    """The folder that the other paths start from."""
    given = data.get("path")
    if given in (None, "", "."):
        return file.parent, []
    if not isinstance(given, str) or "\0" in given:
        raise InputError(f"{file}: path must be a folder, got {str(given)[:60]!r}")
    path = Path(given)
    if bounds is not None and not inside(file.parent / path, bounds):
        if path.is_absolute():
            raise InputError(f"{file}: path {given!r:.200} leads outside the dataset; remove it, or make it relative")
        return file.parent, [f"{file.name}: path {given!r:.100} is not here; the file's own folder is taken."]
    if path.is_absolute():
        if not path.is_dir():
            raise InputError(f"{file}: path {given!r:.200} is not there: remove it, or make it relative to the file")
        return path, []
    if (file.parent / path).is_dir():
        return file.parent / path, []
    return file.parent, [f"{file.name}: path {given!r:.100} is not here; the file's own folder is taken."]


def _split(data: dict[str, Any], file: Path, split: str | None) -> tuple[str, list[str]]:
    """The key of the split, and the folders or lists it names."""
    wanted = (split,) if split else SPLITS
    for name in wanted:
        for key in (name, *_OTHER_NAMES.get(name, ())):
            value = data.get(key)
            if not value:
                continue
            places = value if isinstance(value, list) else [value]
            if not all(isinstance(p, str) and p.strip() and "\0" not in p for p in places):
                raise InputError(f"{file}: {key} must be a folder, a list file or several, got {str(value)[:60]!r}")
            return key, places
    have = [key for key in data if key in SPLITS or any(key in o for o in _OTHER_NAMES.values())]
    if split:
        raise InputError(f"{file} has no split {split!r}: it has {', '.join(have) or 'none'} (option split)")
    raise InputError(f"{file} names no pictures: add train, val or test")


def _resolve(place: str, root: Path, file: Path, key: str, bounds: Path | None) -> Path:
    """A folder or a list of pictures; a leading ``../`` too many is forgiven, as Ultralytics does."""
    tries = [root / place, *([root / place[3:]] if place.startswith("../") else []), file.parent / place]
    if bounds is not None:
        tries = [path for path in tries if inside(path, bounds)]
        if not tries:
            raise InputError(f"{file}: {key}: {place!r:.200} leads outside the dataset; only files in it are read")
    for path in tries:
        if path.is_dir() or (path.is_file() and path.suffix.lower() == ".txt"):
            return path
    raise InputError(f"{file}: {key}: {place!r:.200} is neither a folder nor a .txt list there: correct it")


def _label_files(folder: Path) -> list[str]:
    """Label files that belong to the pictures of a folder: in ``labels`` for ``images``, or beside them."""
    other = swapped(str(folder))
    where = folder if other is None or not Path(other).is_dir() else Path(other)
    return [e.path for e in walk(str(where)) if e.name.lower().endswith(".txt")]


def swapped(path: str) -> str | None:
    """A path with its last folder ``images`` as ``labels``, as Ultralytics pairs them; None if there is none."""
    parts = Path(path).parts
    places = [i for i, part in enumerate(parts) if part == "images"]
    return str(Path(*parts[: places[-1]], "labels", *parts[places[-1] + 1 :])) if places else None


def _listed(file: Path, root: Path, bounds: Path | None) -> list[str]:
    """The pictures in a list file, one a line, relative to it or to the dataset."""
    lines = read_text(file).splitlines()
    return list_pictures(file, lines, [file.parent, root], bounds)


def list_pictures(file: Path, lines: Sequence[str], bases: Sequence[Path], bounds: Path | None) -> list[str]:
    """Pictures named in lines, looked for under each of ``bases`` in turn.

    Raises:
        InputError: naming the file and line of one that leads outside, is not there or is no picture's name.
    """
    out = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if not name:
            continue
        where = f"{file}, line {number}"
        if not is_image(name) or "\0" in name:
            raise InputError(f"{where}: {name!r:.100} is not the name of a picture: correct it")
        tries = [base / name.removeprefix("./") for base in bases]
        if bounds is not None:
            tries = [path for path in tries if inside(path, bounds)]
            if not tries:
                raise InputError(f"{where}: {name!r:.200} leads outside the dataset; only files in it are read")
        found = next((path for path in tries if path.is_file()), None)
        if found is None:
            raise InputError(f"{where}: the picture {name!r:.200} is not there: correct the path or remove the line")
        out.append(str(found))
    return out
