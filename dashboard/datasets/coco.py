"""``coco``: an instances JSON as COCO's, with the pictures beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from dashboard.datasets.boxes import TASKS, BoxDataset, chosen_task, flag, inside, missing_pictures
from dashboard.datasets.coco_json import objects, parse
from dashboard.datasets.files import is_ignored
from dashboard.datasets.jsonfile import read_json
from dashboard.datasets.sizes import read_sizes
from dashboard.errors import InputError, did_you_mean

_HEAD = 65_536  # bytes at each end that are looked at to recognise a file
_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_MOST_FOLDERS = 64  # looked into for pictures
_TRIED = 20  # pictures by which a folder is chosen


class Coco:
    """COCO instances JSON (boxes, polygons, run lengths, crowds) with its pictures.

    Boxes become x, y, x + width, y + height. An object's size class goes by the annotation's ``area``; where that is
    missing, by its outline's, else its box's. ``iscrowd`` may be missing. Categories without objects count as classes.
    """

    task = TASKS
    suffixes = (".json",)
    options: ClassVar[Mapping[str, str]] = {
        "annotations": "which JSON is meant, if a folder holds several (a name, or a path within it)",
        "images": "the folder of the pictures, if it is not found beside the JSON",
        "task": "detection or instance-segmentation (set by what is evaluated)",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when only the labels are needed and the pictures may be elsewhere",
    }

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a JSON with COCO's lists, or a folder that holds one."""
        if path.is_dir():
            return any(_looks_right(file) for file in _json_files(path))
        return path.suffix.lower() == ".json" and _looks_right(path)

    def open(self, path: Path, options: Mapping[str, str]) -> BoxDataset:
        """Index the file; ``options`` as above.

        Raises:
            InputError: naming the file and the entry.
        """
        task = chosen_task(options)
        file = _the_json(path, options) if path.is_dir() else path
        content = parse(read_json(file), file)
        confine = flag(options, "confine", False)
        if confine:
            _refuse_outside(file, content.names)
        files = _locate(path, file, content.names, options, confine)
        missing = [i for i, name in enumerate(files) if not os.path.isfile(name)]
        warnings = missing_pictures(
            str(file),
            content.names,
            missing,
            flag(options, "require_files", True),
            "put them beside the JSON (in images/, say) or give their folder with the option images=FOLDER",
        )
        sizes = content.sizes
        unknown = np.flatnonzero((sizes == 0).any(axis=1))
        if len(unknown) and not missing:
            sizes[unknown] = read_sizes([files[i] for i in unknown])
        elif len(unknown) and task == TASKS[1]:
            raise InputError(
                f"{file}: the image {content.names[unknown[0]]!r} has no height and width, which masks need: add them"
            )
        return BoxDataset(
            name=path.resolve().name if path.is_dir() else path.stem,
            task=task,
            source=str(path),
            ids=content.names,
            files=files,
            sizes=sizes,
            class_names=content.class_names,
            objects=objects(content, sizes, masked=task == TASKS[1]),
            warnings=content.warnings + warnings,
            image_ids=content.image_ids,
            category_ids=content.category_ids,
        )


def _looks_right(file: Path) -> bool:
    """Whether a file's beginning or end has two of COCO's keys; never raises."""
    try:
        if not file.is_file():  # a pipe would never end
            return False
        with open(file, "rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _HEAD))
            tail = stream.read(_HEAD)
    except OSError:
        return False
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    return sum(key in head or key in tail for key in _KEYS) >= 2


def _json_files(folder: Path) -> Iterator[Path]:
    """JSON files in a folder, in ``annotations`` in it, or else in the folders in it."""
    for here in (folder, folder / "annotations"):
        yield from _json_in(here)
    for name in _subfolders(folder):
        if name != "annotations":
            yield from _json_in(folder / name)


def _json_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.name.lower().endswith(".json") and not is_ignored(e.name))
    except OSError:
        return []


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not is_ignored(e.name) and e.is_dir())[:_MOST_FOLDERS]
    except OSError:
        return []


def _the_json(folder: Path, options: Mapping[str, str]) -> Path:
    """The annotations that are meant by their folder. Raises InputError if that is not clear."""
    every = list(_json_files(folder))
    files = [file for file in every if _looks_right(file)]
    wanted = options.get("annotations")
    if wanted:
        by_name = [f for f in every if wanted in (f.name, f.stem, f.relative_to(folder).as_posix())]
        if len(by_name) == 1:
            return by_name[0]
        names = [f.relative_to(folder).as_posix() for f in every]
        raise InputError(
            f"{folder} has {'several files' if by_name else 'no file'} {wanted!r} (option annotations)."
            f"{did_you_mean(wanted, names)} It has {', '.join(names[:8]) or 'no JSON at all'}"
        )
    if not files:
        if every:
            return every[0]  # reading it says what is wrong with it
        raise InputError(f"{folder} holds no COCO instances JSON, neither there nor in annotations/: put it there")
    instances = [f for f in files if f.name.startswith("instances")]
    if len(instances if instances else files) == 1:
        return (instances or files)[0]
    names = [f.relative_to(folder).as_posix() for f in files]
    raise InputError(
        f"{folder} holds several annotation files, {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}: "
        "name the one that is meant with the option annotations=FILE"
    )


def _refuse_outside(file: Path, names: Sequence[str]) -> None:
    for name in names:
        clean = name.replace("\\", "/")
        if clean.startswith("/") or ":" in clean.partition("/")[0] or ".." in clean.split("/"):
            raise InputError(f"{file}: the picture {name!r:.100} lies outside the dataset's folder; only it is read")


def _locate(path: Path, file: Path, names: Sequence[str], options: Mapping[str, str], confine: bool) -> list[str]:
    """Where the pictures are: of all folders that come into question the one that has most of a few of them."""
    root = path if path.is_dir() else file.parent
    given = options.get("images")
    if given:
        folder = Path(os.path.expanduser(given))
        folders = [folder if folder.is_absolute() else root / folder]
        if not folders[0].is_dir():
            raise InputError(f"{folders[0]} is not a folder (option images): give the folder of the pictures")
        if confine and not inside(folders[0], root):
            raise InputError(f"{given} lies outside the dataset's folder (option images); only files in it are read")
    else:
        split = file.stem.rpartition("_")[2]
        folders = _candidates(root, file.parent, split, confine)
    tried = [names[i] for i in np.linspace(0, len(names) - 1, min(_TRIED, len(names)), dtype=int)]
    best, most, flat = folders[0], 0, False
    for bare in (False, True):  # as written, then without folders in the names
        for folder in folders:
            count = sum(os.path.isfile(folder / (os.path.basename(n) if bare else n)) for n in tried)
            if count > most:
                best, most, flat = folder, count, bare
        if most:
            break
    if flat and len({os.path.basename(n) for n in names}) == len(names):
        return [os.path.join(best, os.path.basename(name)) for name in names]
    return [os.path.join(best, name) for name in names]


def _candidates(root: Path, beside: Path, split: str, confine: bool) -> list[Path]:
    """Folders that may hold the pictures, the likeliest first."""
    bases = [beside, beside.parent, root]
    if confine:
        bases = [base for base in bases if inside(base, root)]
    found: dict[Path, None] = {}
    for base in bases:
        for folder in (base, base / "images", base / split, base / "images" / split):
            found[folder] = None
    own = [b for b in bases if b in (beside, root) or (beside.name == "annotations" and b == beside.parent)]
    for base in [b / extra for b in own for extra in ("", "images")]:  # any folder, but of this dataset alone
        for name in _subfolders(base):
            found[base / name] = None
    return [folder for folder in found if folder.is_dir()] or [beside]
