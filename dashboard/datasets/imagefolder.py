"""``imagefolder``: one folder a class, named by class name, WordNet id or index (torchvision's ``ImageFolder``)."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from dashboard.datasets import csv_labels
from dashboard.datasets.files import (
    FileDataset,
    is_image,
    is_text,
    natural_key,
    passed_over,
    printable,
    subfolders,
    unusable,
    walk,
)
from dashboard.errors import InputError

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval", "holdout"})
_WORDNET = re.compile(r"n\d{8}")


class ImageFolder:
    """One folder per class, its name the class name, WordNet id or index; pictures inside, at any depth.

    Classes are in torchvision's order (sorted by name), but for folders named 0, 1, ..., 10: these are sorted as the
    numbers they stand for. Samples are sorted by class, then by path with numbers in natural order.
    """

    task = "classification"
    options: ClassVar[Mapping[str, str]] = {}

    def detect(self, path: Path) -> bool:
        """Whether a folder holds folders with pictures, and no CSV that names the pictures' labels."""
        if not path.is_dir() or csv_labels.find_csv(path) is not None:
            return False
        folders = subfolders(path)
        entries = (entry for name in folders for entry in walk(str(path / name)))
        return any(is_image(entry.name) and not unusable(entry) for entry in entries)

    def open(self, path: Path, options: Mapping[str, str]) -> FileDataset:
        """Index the folder. There are no options.

        Raises:
            InputError: no folders, no pictures in them, splits (train, val) where classes should be, or a class
                folder whose name is not UTF-8 (such files are passed over).
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: imagefolder wants a folder with one folder per class")
        root, warnings = _descend(path)
        classes = subfolders(root)
        _refuse_odd_names(root, classes)
        if classes and all(name.isascii() and name.isdigit() for name in classes):
            classes.sort(key=lambda name: (int(name), name))
        others: Counter[str] = Counter()
        ids: list[str] = []
        files: list[str] = []
        targets: list[int] = []
        empty: list[str] = []
        loose, loose_images = _loose(root, others)
        for number, name in enumerate(classes):
            found = _pictures(root / name, others)
            for file in found:
                ids.append(f"{name}/{file}")
                files.append(os.path.join(root, name, file))
            targets += [number] * len(found)
            if not found:
                empty.append(name)
        if not files:
            raise InputError(_why_nothing(path, classes, loose_images, others))
        _refuse_splits(path, root, classes, set(empty), ids)
        if empty:
            shown = ", ".join(repr(n) for n in empty[:5]) + (", ..." if len(empty) > 5 else "")
            warnings.append(f"{len(empty)} of {len(classes)} classes without pictures: {shown}.")
        if len(classes) - len(empty) > 1 and all(identity.count("/") > 1 for identity in ids):
            warnings.append(
                "All pictures lie deeper than the first folders, which are taken as classes: is that meant?"
            )
        if loose_images:
            warnings.append(f"{loose_images} pictures outside the class folders passed over ({loose} for one).")
        return FileDataset(
            name=path.resolve().name,
            source=str(path),
            ids=ids,
            files=files,
            targets=np.array(targets, np.int64),
            class_names=classes,
            class_ids=classes if all(_WORDNET.fullmatch(n) for n in classes) else (),
            warnings=warnings + passed_over(others),
        )


def _descend(path: Path) -> tuple[Path, list[str]]:
    """Into the only folder, while there is just one and it holds folders rather than pictures."""
    root = path
    while True:
        inside = subfolders(root)
        if len(inside) != 1 or _loose(root, Counter())[1]:
            break
        deeper = root / inside[0]
        if _loose(deeper, Counter())[1] or not subfolders(deeper):
            break
        root = deeper
    return root, [f"The class folders are inside {root.relative_to(path).as_posix()!r}."] if root != path else []


def _pictures(folder: Path, others: Counter[str]) -> list[str]:
    """Posix paths of the pictures under a class folder in natural order; other files are counted by suffix."""
    found: list[str] = []
    start = len(str(folder)) + 1
    for entry in walk(str(folder)):
        identity = entry.path[start:].replace(os.sep, "/")
        if why := _why_not(entry, identity):
            others[why] += 1
        else:
            found.append(identity)
    return sorted(found, key=natural_key)


def _loose(root: Path, others: Counter[str]) -> tuple[str, int]:
    """A picture that lies directly in ``root`` and how many there are; other files are counted by suffix."""
    first, count = "", 0
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_dir():
                continue
            if why := _why_not(entry, entry.name):
                others[why] += 1
            else:
                first, count = min(first or entry.name, entry.name), count + 1
    return first, count


def _why_not(entry: os.DirEntry[str], identity: str) -> str:
    """What keeps a file from being a sample: its suffix, its kind or its name; "" if nothing does."""
    if not is_image(entry.name):
        return printable(os.path.splitext(entry.name)[1].lower()) or "no suffix"
    return unusable(entry) if is_text(identity) else "name that is not UTF-8"


def _refuse_odd_names(root: Path, classes: list[str]) -> None:
    """Class names are keys in files and pages, so they have to be text."""
    odd = next((name for name in (str(root), *classes) if not is_text(name)), None)
    if odd is not None:
        raise InputError(
            f"{printable(str(root))}: the folder name '{printable(odd)}' is not UTF-8 text: rename that folder"
        )


def _why_nothing(path: Path, classes: list[str], loose_images: int, others: Counter[str]) -> str:
    if loose_images:
        return (
            f"{path} has {loose_images} pictures but no class folders with pictures: put them into one folder "
            "per class, or give a CSV with the columns path,label"
        )
    if classes:
        return (
            f"{path} has {len(classes)} folders but no pictures in them: give the folder that holds the class folders"
        )
    if others:
        return f"{path} holds no pictures ({others.total()} other files): give a folder with one folder per class"
    return f"{path} is empty: give a folder with one folder of pictures per class"


def _refuse_splits(path: Path, root: Path, classes: list[str], empty: set[str], ids: list[str]) -> None:
    """Folders named train, val, ... whose pictures lie a level deeper are not classes."""
    direct = {identity.partition("/")[0] for identity in ids if identity.count("/") == 1}
    splits = [name for name in classes if name.lower() in _SPLITS and name not in direct and name not in empty]
    if splits and len(splits) == len(classes) - len(empty):
        choices = " or ".join(str(root / name) for name in splits)
        raise InputError(f"{path} holds splits ({', '.join(splits)}), not classes: choose one of them, {choices}")
