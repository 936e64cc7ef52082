"""``yolo``: Ultralytics' data.yaml with images/ and labels/, or Darknet's obj.names with a .txt for each picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar

from dashboard.datasets.boxes import TASKS, BoxDataset, chosen_task, flag, listed
from dashboard.datasets.files import is_ignored
from dashboard.datasets.sizes import read_sizes
from dashboard.datasets.yolo_darknet import find_names, read_darknet
from dashboard.datasets.yolo_labels import is_number, label_name, read_objects
from dashboard.datasets.yolo_yaml import Listing, looks_right, read_yaml, swapped
from dashboard.errors import InputError

_TRIED = 100  # files looked into to recognise labels


class Yolo:
    """YOLO's data.yaml (images/ and labels/) or Darknet's obj.names, one .txt of relative boxes or polygons a picture.

    Lines are ``class cx cy w h`` or a polygon, ``class x y x y x y ...``, in fractions of the picture; for detection a
    polygon counts as the box around it. A picture without a label file is one without objects. Nothing in data.yaml is
    run or downloaded, and ``*.cache`` files are never read.
    """

    task = TASKS
    suffixes = (".yaml", ".yml", ".data")
    options: ClassVar[Mapping[str, str]] = {
        "split": "val, test or train of data.yaml (default the first there is), or a folder of that name",
        "images": "the folder of the pictures, if they are not beside the labels",
        "classes": "a file of class names, one a line, if there is no data.yaml and no obj.names",
        "task": "detection or instance-segmentation (set by what is evaluated)",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
    }

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a data.yaml or obj.data, or a folder with one, class names or images/ and labels/."""
        if not path.is_dir():
            return looks_right(path) or (path.suffix.lower() == ".data" and path.is_file())
        if _yamls(path) or ((path / "images").is_dir() and (path / "labels").is_dir()):
            return True
        return find_names(path) is not None and _has_labels(path)

    def open(self, path: Path, options: Mapping[str, str]) -> BoxDataset:
        """Index it; ``options`` as above.

        Raises:
            InputError: naming the file and line.
        """
        task = chosen_task(options)
        root = path if path.is_dir() else path.parent
        bounds = root if flag(options, "confine", False) else None
        yamls = [path] if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir() else _yamls(root)
        if path.is_dir() or path.suffix.lower() in (".yaml", ".yml"):
            listing = self._by_yaml(root, yamls, options, bounds) if yamls else read_darknet(path, options, bounds)
        else:
            listing = read_darknet(path, options, bounds)
        labels, found = _pair(listing)
        warnings = listing.warnings + _unmatched(path, listing, labels, found)
        names_from = yamls[0].name if yamls else "the class names"
        sizes = read_sizes(listing.pictures)
        return BoxDataset(
            name=path.resolve().name if path.is_dir() else path.resolve().parent.name,
            task=task,
            source=str(path),
            ids=_ids(listing, path),
            files=listing.pictures,
            sizes=sizes,
            class_names=listing.names,
            objects=read_objects(labels, sizes, listing.names, task == TASKS[1], names_from),
            warnings=warnings,
        )

    def _by_yaml(self, root: Path, yamls: Sequence[Path], options: Mapping[str, str], bounds: Path | None) -> Listing:
        if len(yamls) > 1:
            names = ", ".join(f.name for f in yamls[:5])
            raise InputError(f"{root} holds several YAML files with names and splits ({names}): give the one meant")
        for option in ("images", "classes"):
            if options.get(option):
                raise InputError(f"option {option} is for folders without a YAML; {yamls[0]} says where things are")
        return read_yaml(yamls[0], options.get("split") or None, bounds)


def _yamls(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            files = sorted(Path(e.path) for e in entries if not is_ignored(e.name))
    except OSError:
        return []
    return [f for f in files if looks_right(f)]


def _has_labels(folder: Path) -> bool:
    """Whether a .txt file in a folder, or in those in it, begins with a line of numbers like a label's."""
    for pattern in ("*.txt", "*/*.txt"):
        for file in islice(folder.glob(pattern), _TRIED):
            try:
                if not file.is_file():
                    continue
                with open(file, "rb") as stream:
                    cells = stream.readline(4096).decode("utf-8", "replace").split()
            except OSError:
                continue
            if len(cells) >= 5 and all(is_number(cell) for cell in cells):
                return True
    return False


def _pair(listing: Listing) -> tuple[list[str | None], set[str]]:
    """The label file of each picture, None where there is none, and those that were found.

    In turn: the folder ``labels`` for the last ``images`` in the path, the same folder, the same name anywhere.
    """
    by_path = {label_name(file): file for file in listing.labels}
    by_stem: dict[str, str | None] = {}
    for file in listing.labels:
        stem = Path(file).stem
        by_stem[stem] = None if stem in by_stem else file  # a name that occurs twice decides nothing
    stems: dict[str, int] = {}
    for picture in listing.pictures:
        stems[Path(picture).stem] = stems.get(Path(picture).stem, 0) + 1
    out: list[str | None] = []
    first: dict[str, str] = {}
    for picture in listing.pictures:
        name = label_name(picture)
        before = first.setdefault(name, picture)
        if before != picture:
            raise InputError(
                f"{picture} and {os.path.basename(before)} would share one label file, {os.path.basename(name)}.txt: "
                "rename or remove one of them"
            )
        out.append(_label_of(picture, by_path, by_stem if stems[Path(picture).stem] == 1 else {}))
    found = {file for file in out if file is not None}
    return out, found


def _label_of(picture: str, by_path: Mapping[str, str], by_stem: Mapping[str, str | None]) -> str | None:
    other = swapped(picture)
    for name in ([other] if other is not None else []) + [picture]:
        name = label_name(name)
        if name in by_path:
            return by_path[name]
        if os.path.isfile(name + ".txt"):
            return name + ".txt"
    return by_stem.get(Path(picture).stem)


def _unmatched(path: Path, listing: Listing, labels: Sequence[str | None], found: set[str]) -> list[str]:
    """Warnings of pictures without labels and labels without pictures; an error if none belong together."""
    if not found:
        raise InputError(
            f"{path}: none of the {len(listing.pictures)} pictures has a label file: labels are .txt files of the "
            "pictures' names, beside them or in labels/ for images/"
        )
    warnings = []
    bare = [os.path.basename(p) for p, label in zip(listing.pictures, labels, strict=True) if label is None]
    if bare:
        warnings.append(
            f"{len(bare)} of {len(labels)} pictures have no label file and count as without objects: {listed(bare)}."
        )
    lone = [os.path.basename(file) for file in listing.labels if file not in found]
    if lone:
        warnings.append(f"{len(lone)} label files without a picture passed over: {listed(lone)}.")
    return warnings


def _ids(listing: Listing, path: Path) -> list[str]:
    """Paths relative to the dataset; of pictures that lie elsewhere, relative to the folder they share."""
    root = os.path.abspath(listing.root)
    files = [os.path.abspath(p) for p in listing.pictures]
    if not all(file.startswith(root + os.sep) for file in files):
        folders = {os.path.dirname(file) for file in files}
        root = os.path.commonpath(folders)
    ids = [Path(os.path.relpath(file, root)).as_posix() for file in files]
    odd = next((i for i in ids if not i.isprintable()), None)
    if odd is not None:
        raise InputError(f"{path}: the picture {odd!r:.100} has a name that is no text: rename it")
    return ids
