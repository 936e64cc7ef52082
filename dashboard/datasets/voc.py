"""``voc``: Pascal VOC, one XML a picture in Annotations/, the pictures in JPEGImages/."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np

from dashboard.datasets.boxes import BoxDataset, Objects, flag, inside, listed, missing_pictures
from dashboard.datasets.files import is_ignored, is_image, is_text, natural_key, subfolders, unusable
from dashboard.datasets.sizes import read_sizes
from dashboard.datasets.voc_xml import VocFile, looks_right, read_voc
from dashboard.errors import InputError, did_you_mean
from dashboard.labels import read_class_names
from dashboard.textfiles import read_text


class Voc:
    """Pascal VOC: Annotations/ of one XML a picture, JPEGImages/ (or XML files beside the pictures).

    xmin, ymin, xmax and ymax are taken as the edges of the box, as FiftyOne, supervision and Darknet's converter take
    them, so that widths are xmax - xmin; with ``corners=pixels`` as VOC's own evaluation does, which counts pixels from
    1 and both ends in: (xmin - 1, ymin - 1, xmax, ymax). Objects marked ``difficult`` count like others, so that the
    numbers are those of the same boxes in COCO's or YOLO's format, which have no such mark; with ``difficult=ignore``
    they need not be found, as in VOC's own evaluation. Classes are the names that occur, sorted. Pictures without an
    XML are no part.
    """

    task = "detection"
    suffixes = (".xml",)
    options: ClassVar[Mapping[str, str]] = {
        "images": "the folder of the pictures, if it is not JPEGImages, images or the XML files' own",
        "split": "only the pictures listed in ImageSets/Main/SPLIT.txt",
        "classes": "a file of class names, one a line, fixing their order (default the names found, sorted)",
        "corners": "edges (xmax - xmin wide, default) or pixels (both ends in and counted from 1, as VOC's devkit)",
        "difficult": "count or ignore objects that are marked so (default count; VOC's own evaluation ignores them)",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when only the labels are needed and the pictures may be elsewhere",
    }

    def detect(self, path: Path) -> bool:
        """Whether a folder, or Annotations in it, holds XML files that begin like VOC's."""
        if not path.is_dir():
            return False
        return any(looks_right(file) for file in _xml_in(_annotations(path))[:3])

    def open(self, path: Path, options: Mapping[str, str]) -> BoxDataset:
        """Index the folder; ``options`` as above.

        Raises:
            InputError: naming the file and the object (counted from 1).
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: voc wants the folder that holds Annotations and JPEGImages")
        folder = _annotations(path)
        root = folder.parent if folder.name == "Annotations" else folder
        bounds = path if flag(options, "confine", False) else None
        files = _take_split(_xml_in(folder), root, options)
        if not files:
            raise InputError(f"{path} holds no XML files, neither there nor in Annotations: put them there")
        blocks = [files[i : i + 64] for i in range(0, len(files), 64)]
        with ThreadPoolExecutor(2) as pool:
            read = [f for block in pool.map(lambda b: [read_voc(file) for file in b], blocks) for f in block]
        places = _picture_folders(root, folder, options, bounds)
        pictures, unused = _match(files, read, places)
        shared = _root_of(path if path in places[0].parents or path == places[0] else places[0], pictures)
        ids = [Path(os.path.relpath(p, shared)).as_posix() for p in pictures]
        _refuse_twice(ids, files)
        missing = [i for i, picture in enumerate(pictures) if not os.path.isfile(picture)]
        remedy = "put them into JPEGImages or give their folder with the option images=FOLDER"
        warnings = missing_pictures(str(path), ids, missing, flag(options, "require_files", True), remedy)
        if unused:
            warnings.append(f"{len(unused)} pictures without an XML file left out: {listed(unused)}.")
        names = _classes(read, files, folder, options, bounds)
        objects, notes = _objects(read, names, options)
        return BoxDataset(
            name=path.resolve().name,
            task="detection",
            source=str(path),
            ids=ids,
            files=pictures,
            sizes=_sizes(read, pictures),
            class_names=names,
            objects=objects,
            warnings=warnings + notes,
        )


def _annotations(path: Path) -> Path:
    """The folder of the XML files: Annotations, at most under a few wrapping folders, or the folder itself."""
    here = path
    for _ in range(4):
        if (here / "Annotations").is_dir():
            return here / "Annotations"
        inner = subfolders(here)
        if len(inner) != 1 or _xml_in(here):
            break
        here = here / inner[0]
    return path


def _xml_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.lower().endswith(".xml") and not is_ignored(e.name)]
    except OSError:
        return []
    return [folder / name for name in sorted(names, key=natural_key) if is_text(name)]


def _take_split(files: list[Path], root: Path, options: Mapping[str, str]) -> list[Path]:
    """Only those named in ImageSets/Main/SPLIT.txt."""
    split = options.get("split")
    if not split:
        return files
    folder = root / "ImageSets" / "Main"
    lists = sorted(p.stem for p in folder.glob("*.txt"))
    if split not in lists:
        raise InputError(
            f"{folder} has no list {split!r:.60} (option split).{did_you_mean(split, lists)} "
            f"It has {', '.join(lists[:8]) or 'none'}"
        )
    by_stem = {file.stem: file for file in files}
    out = []
    for number, line in enumerate(read_text(folder / f"{split}.txt").splitlines(), 1):
        name = line.split()[0] if line.split() else ""
        if name and name not in by_stem:
            raise InputError(f"{folder / split}.txt, line {number}: {name!r:.80} has no XML file in Annotations")
        if name:
            out.append(by_stem[name])
    return out


def _picture_folders(root: Path, folder: Path, options: Mapping[str, str], bounds: Path | None) -> list[Path]:
    """Where pictures are looked for, in turn."""
    given = options.get("images")
    if given:
        path = Path(os.path.expanduser(given))
        path = path if path.is_absolute() or path.is_dir() else root / path
        if bounds is not None and not inside(path, bounds):
            raise InputError(f"{given} lies outside the dataset's folder (option images); only files in it are read")
        if not path.is_dir():
            raise InputError(f"{given} is not a folder (option images): give the folder of the pictures")
        return [path]
    up = folder.resolve().parent
    tries = [root / "JPEGImages", root / "images", folder, root, up / "JPEGImages", up / "images", up.parent / "images"]
    tries = [p for p in dict.fromkeys(tries) if p.is_dir() and (bounds is None or inside(p, bounds))]
    having = [p for p in tries if any(is_image(name) for name in os.listdir(p))]
    return having[:1] or [root / "JPEGImages" if folder.name == "Annotations" else folder]


def _match(files: Sequence[Path], read: Sequence[VocFile], folders: Sequence[Path]) -> tuple[list[str], list[str]]:
    """The picture of each XML file, by the name it gives or by its own; and the names of pictures left over."""
    folder = folders[0]
    names: list[str] = []
    if folder.is_dir():
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if is_image(e.name) and not unusable(e))
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(os.path.splitext(name)[0], []).append(name)
    known, out = set(names), []
    for file, voc in zip(files, read, strict=True):
        said = voc.filename.replace("\\", "/").rpartition("/")[2]
        same = by_stem.get(file.stem, [])
        if said in known:
            name = said
        elif len(same) > 1:
            raise InputError(f"{file}: it could belong to {' or '.join(same)}: name one in <filename>")
        else:
            name = same[0] if same else said if is_image(said) else file.stem + ".jpg"
        out.append(os.path.join(folder, name))
    used = {os.path.basename(p) for p in out}
    return out, [name for name in names if name not in used]


def _root_of(folder: Path, pictures: Sequence[str]) -> str:
    root = os.path.abspath(folder)
    return root if all(os.path.abspath(p).startswith(root + os.sep) for p in pictures) else os.path.dirname(pictures[0])


def _refuse_twice(ids: Sequence[str], files: Sequence[Path]) -> None:
    first: dict[str, Path] = {}
    for identity, file in zip(ids, files, strict=True):
        before = first.setdefault(identity, file)
        if before != file:
            raise InputError(f"{file}: its picture {identity!r} is also that of {before.name}: keep one of them")


def _sizes(read: Sequence[VocFile], pictures: Sequence[str]) -> np.ndarray:
    """(N, 2) height and width as the files say, else as the pictures' headers do, else 0."""
    sizes = np.array([voc.size for voc in read], np.int64).reshape(-1, 2)
    unknown = [i for i in np.flatnonzero((sizes == 0).any(axis=1)).tolist() if os.path.isfile(pictures[i])]
    sizes[(sizes == 0).any(axis=1)] = 0
    if unknown:
        sizes[unknown] = read_sizes([pictures[i] for i in unknown])
    return sizes


def _classes(
    read: Sequence[VocFile], files: Sequence[Path], folder: Path, options: Mapping[str, str], bounds: Path | None
) -> tuple[str, ...]:
    found = {o.name for voc in read for o in voc.objects}
    given = options.get("classes")
    if not given:
        if not found:
            raise InputError(f"{folder}: no XML file holds an object: name the classes with the option classes=FILE")
        return tuple(sorted(found))
    path = Path(os.path.expanduser(given))
    if bounds is not None and not inside(path, bounds):
        raise InputError(f"{given} lies outside the dataset's folder (option classes); only files in it are read")
    names = read_class_names(path, unique=True)
    for voc, file in zip(read, files, strict=True):
        for number, thing in enumerate(voc.objects, 1):
            if thing.name not in names:
                raise InputError(
                    f"{file}, object {number}: {thing.name!r:.60} is not among the {len(names)} classes of {path}."
                    f"{did_you_mean(thing.name, names) or ' Add it there or correct it.'}"
                )
    return names


def _objects(read: Sequence[VocFile], names: Sequence[str], options: Mapping[str, str]) -> tuple[Objects, list[str]]:
    """The objects of all files, and what there is to say about difficult ones."""
    how = options.get("difficult", "count")
    if how not in ("count", "ignore"):
        raise InputError(f"option difficult={how:.40}: it must be count or ignore")
    corners = options.get("corners", "edges")
    if corners not in ("edges", "pixels"):
        raise InputError(f"option corners={corners:.40}: it must be edges or pixels")
    shift = np.array([1.0, 1.0, 0.0, 0.0]) * (corners == "pixels")
    number = {name: i for i, name in enumerate(names)}
    flat = [o for voc in read for o in voc.objects]
    difficult = np.array([o.difficult for o in flat], bool)
    notes = []
    if difficult.any() and how == "count":
        notes.append(
            f"{int(difficult.sum())} objects marked difficult count like others; VOC's own evaluation leaves them out, "
            "as the option difficult=ignore does."
        )
    objects = Objects(
        image=np.repeat(np.arange(len(read)), [len(voc.objects) for voc in read]),
        classes=np.array([number[o.name] for o in flat], np.int64),
        xyxy=np.array([o.xyxy for o in flat], np.float64).reshape(-1, 4) - shift,
        crowd=np.zeros(len(flat), bool),
        ignore=difficult & (how == "ignore"),
    )
    return objects, notes
