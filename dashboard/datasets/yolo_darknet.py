"""Darknet's layout: class names in obj.names, a .txt for each picture, lists of pictures in obj.data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dashboard.datasets.boxes import inside
from dashboard.datasets.files import is_image, natural_key, unusable, walk
from dashboard.datasets.yolo_yaml import Listing, list_pictures
from dashboard.errors import InputError
from dashboard.labels import read_class_names
from dashboard.textfiles import read_text

_NAMES = ("obj.names", "classes.txt", "classes.names", "names.txt", "labels.txt")
_LISTS = ("train.txt", "valid.txt", "val.txt", "test.txt")
_NOT_LABELS = frozenset({*_NAMES, *_LISTS, "readme.txt", "license.txt", "requirements.txt", "readme.roboflow.txt"})
_KEYS = {"val": "valid", "valid": "valid", "test": "test", "train": "train"}


def find_names(folder: Path) -> Path | None:
    """The file of class names in a folder or its ``labels`` or ``data``: a usual name, or the only ``*.names``."""
    for here in (folder, folder / "labels", folder / "data"):
        for name in _NAMES:
            if (here / name).is_file():
                return here / name
        try:
            others = sorted(here.glob("*.names")) if here.is_dir() else []
        except OSError:
            others = []
        if len(others) == 1 and others[0].is_file():
            return others[0]
    return None


def read_darknet(path: Path, options: Mapping[str, str], bounds: Path | None) -> Listing:
    """The pictures and label files of a folder or an obj.data.

    Args:
        path: the folder or the obj.data.
        options: ``split``, ``images`` and ``classes``.
        bounds: a folder that no path may leave, or None.

    Raises:
        InputError: naming the file and line: no class names, no pictures, a list that names one that is not there.
    """
    folder = path if path.is_dir() else path.parent
    data = path if path.is_file() else _the_data(folder)
    keys = _read_data(data) if data is not None else {}
    names_file = _names_file(folder, keys, options, bounds)
    names = read_class_names(names_file)
    listing = Listing(folder, names)
    count = keys.get("classes", "")
    if count.isdecimal() and count.isascii() and int(count) != len(names):
        raise InputError(f"{data}: classes = {count:.20}, but {names_file.name} has {len(names)} names: correct one")
    files = list(walk(str(folder)))
    listing.labels = [e.path for e in files if _is_label(e, names_file)]
    listing.pictures = _by_list(folder, keys, options, bounds)
    if not listing.pictures:
        pictures, listing.warnings = _pictures(folder, files, options, bounds)
        listing.pictures = sorted(pictures, key=natural_key)
        _take_split(path, listing, options)
    if not listing.pictures:
        raise InputError(
            f"{path} holds {len(listing.labels)} label files but no pictures: "
            "give the folder of the pictures with the option images=FOLDER"
        )
    return listing


def _is_label(entry: os.DirEntry[str], names_file: Path) -> bool:
    name = entry.name.lower()
    return name.endswith(".txt") and name not in _NOT_LABELS and entry.path != str(names_file) and entry.is_file()


def _the_data(folder: Path) -> Path | None:
    """The only ``*.data`` of a folder."""
    found = [f for f in sorted(folder.glob("*.data")) if f.is_file()]
    return found[0] if len(found) == 1 else None


def _read_data(file: Path) -> dict[str, str]:
    """Lines ``key = value``."""
    keys = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{file}, line {number}: expected key = value, got {text!r:.60}")
        keys[key.strip()] = value.strip()
    return keys


def _names_file(folder: Path, keys: Mapping[str, str], options: Mapping[str, str], bounds: Path | None) -> Path:
    given = options.get("classes")
    if given:
        path = Path(os.path.expanduser(given))
        path = path if path.is_absolute() or path.is_file() else folder / path
        if bounds is not None and not inside(path, bounds):
            raise InputError(f"{given} lies outside the dataset's folder (option classes); only files in it are read")
        return path
    found = _near(folder, keys.get("names"), bounds) or find_names(folder)
    if found is None:
        raise InputError(
            f"{folder} has label files but no class names: add obj.names or classes.txt, one name a line, a data.yaml, "
            "or give them with the option classes=FILE"
        )
    return found


def _near(folder: Path, name: str | None, bounds: Path | None) -> Path | None:
    """A file that obj.data names: as it says from here or one up (Darknet's own folder), or of that name here."""
    if not name or "\0" in name:
        return None
    for path in (folder / name, folder.parent / name, folder / os.path.basename(name)):
        if path.is_file() and (bounds is None or inside(path, bounds)):
            return path
    return None


def _by_list(folder: Path, keys: Mapping[str, str], options: Mapping[str, str], bounds: Path | None) -> list[str]:
    """The pictures that obj.data, or a list such as train.txt, names; none if there is no such list."""
    if options.get("images"):
        return []
    split = options.get("split")
    wanted = [_KEYS.get(split, split)] if split else ["valid", "test", "train"]
    for key in wanted:
        names = [keys.get(key), *([key + ".txt"] if not split or key != "valid" else ["valid.txt", "val.txt"])]
        for name in names:
            file = _near(folder, name, bounds)
            if file is None:
                continue
            lines = [_local(line, folder) for line in read_text(file).splitlines()]
            if any((base / line).is_file() for line in lines if is_image(line) for base in (folder, folder.parent)):
                return list_pictures(file, lines, [folder, folder.parent], bounds)
    return []  # or the pictures of the list are elsewhere


def _local(line: str, folder: Path) -> str:
    """Lists are written for Darknet's own folder (data/obj_train_data/1.jpg): drop what is not here from the front."""
    name = line.strip().replace("\\", "/")
    rest = name
    while rest:
        if (folder / rest.lstrip("/")).is_file():
            return rest.lstrip("/")
        rest = rest.partition("/")[2]
    return name


def _pictures(
    folder: Path, files: list[os.DirEntry[str]], options: Mapping[str, str], bounds: Path | None
) -> tuple[list[str], list[str]]:
    """The pictures in the folder given, in this one, or in ``images`` one or two levels up."""
    given = options.get("images")
    if given:
        path = Path(os.path.expanduser(given))
        path = path if path.is_absolute() or path.is_dir() else folder / path
        if bounds is not None and not inside(path, bounds):
            raise InputError(f"{given} lies outside the dataset's folder (option images); only files in it are read")
        if not path.is_dir():
            raise InputError(f"{given} is not a folder (option images): give the folder of the pictures")
        return _in(path), []
    here = [e.path for e in files if is_image(e.name) and not unusable(e)]
    if here:
        return here, []
    for up in (folder.resolve().parent, folder.resolve().parent.parent):
        if bounds is None and (up / "images").is_dir():
            found = _in(up / "images")
            if found:
                return found, [f"The pictures are those in {up / 'images'}."]
    return [], []


def _in(folder: Path) -> list[str]:
    return [e.path for e in walk(str(folder)) if is_image(e.name) and not unusable(e)]


def _take_split(path: Path, listing: Listing, options: Mapping[str, str]) -> None:
    """Only the pictures in folders named like the split."""
    split = options.get("split")
    if not split:
        return
    names = {split, _KEYS.get(split, split)}
    kept = [p for p in listing.pictures if names & set(Path(p).parts)]
    if not kept:
        raise InputError(f"{path} has no split {split!r}: neither a list {split}.txt nor a folder of that name")
    listing.pictures = kept
    listing.labels = [p for p in listing.labels if names & set(Path(p).parts)] or listing.labels
