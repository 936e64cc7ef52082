"""Detections as text, one file an image: Ultralytics' ``class cx cy w h score``, its polygons, or any other order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard import masks as run_lengths
from dashboard.datasets.files import natural_key, unusable, walk
from dashboard.datasets.yolo_labels import is_number
from dashboard.detection_import_match import MASKED, Classes, Found, Images, Truth, sizes_of, without_files
from dashboard.errors import InputError
from dashboard.textfiles import read_text

DEFAULT_COLUMNS = "class,cx,cy,w,h,score"
BOXES = (("x", "y", "w", "h"), ("cx", "cy", "w", "h"), ("x1", "y1", "x2", "y2"))
UNITS = ("rel", "px")
_TOKENS = ("class", "score", "x", "y", "w", "h", "cx", "cy", "x1", "y1", "x2", "y2", "-")
_NOT_PREDICTIONS = frozenset({"classes.txt", "readme.txt", "license.txt", "names.txt", "labels.txt"})
_FAR = 2.0  # relative coordinates beyond which they are pixels
_ROUNDING = 1e-6  # by which a score may pass 1
_BLOCK = 64  # files a thread takes at a time


@dataclass(frozen=True)
class Layout:
    """What the columns are.

    Attributes:
        count: how many there are.
        label, score: their numbers.
        box: the numbers of the four that make the box.
        kind: which of ``BOXES`` these are.
    """

    count: int
    label: int
    score: int
    box: tuple[int, int, int, int]
    kind: tuple[str, str, str, str]


@dataclass(eq=False)
class _File:
    """One file's lines: classes, scores and boxes (as they stand), and polygons where lines have them."""

    lines: list[int]
    labels: list[str]
    scores: list[float]
    boxes: list[list[float]]
    outlines: list[list[float]]


def layout(columns: str) -> Layout:
    """Make sense of names such as "class,score,x,y,w,h".

    ``x y`` are left and top, ``cx cy`` the centre, ``x1 y1 x2 y2`` two corners; ``-`` is a column to pass over.

    Raises:
        InputError: for an unknown or repeated name, or if class, score or a whole box is not among them.
    """
    names = [name.strip().lower() for name in columns.replace(";", ",").split(",")]
    for name in names:
        if name not in _TOKENS:
            raise InputError(f"columns {columns!r:.100}: {name!r:.40} is not one of {', '.join(_TOKENS)}")
        if name != "-" and names.count(name) > 1:
            raise InputError(f"columns {columns!r:.100}: {name!r} occurs twice")
    kind = next((box for box in BOXES if set(box) <= set(names)), None)
    missing = [name for name in ("class", "score") if name not in names]
    extra = set(names) - {"class", "score", "-", *(kind or ())}
    if missing or kind is None or extra:
        raise InputError(
            f"columns {columns!r:.100} must hold class, score and one of x,y,w,h or cx,cy,w,h or x1,y1,x2,y2 "
            f"(such as {DEFAULT_COLUMNS}); pass over others with -"
        )
    box = tuple(names.index(side) for side in kind)
    return Layout(len(names), names.index("class"), names.index("score"), box, kind)  # type: ignore[arg-type]


def read_txt(
    folder: Path,
    truth: Truth,
    names: Sequence[str] | None,
    columns: str | None,
    units: str | None,
    partial: bool,
) -> Found:
    """Read a folder of .txt files, each named like its image.

    Args:
        folder: looked through with the folders in it.
        truth: the dataset.
        names: the predictions' class names in the order of their numbers.
        columns: see ``layout``; by default Ultralytics' (``save_txt`` with ``save_conf``), polygons included.
        units: "rel", fractions of the image (the default), or "px".
        partial: leave out files of images that the dataset does not have.

    Raises:
        InputError: naming the file and line.
    """
    if units is not None and units not in UNITS:
        raise InputError(f"units {units!r:.40}: they must be {' or '.join(UNITS)}")
    how = layout(columns or DEFAULT_COLUMNS)
    masked = truth.task == MASKED
    images, classes = Images(truth), Classes(truth, names, partial)
    files = sorted(
        (e.path for e in walk(str(folder)) if e.name.lower().endswith(".txt") and not unusable(e)), key=natural_key
    )
    place, notes = place_files([f for f in files if not _is_other(f, images)], folder, images, partial)
    chosen = list(place)
    blocks = [chosen[i : i + _BLOCK] for i in range(0, len(chosen), _BLOCK)]

    def read(block: Sequence[str]) -> list[_File]:
        return [_read(file, how, columns is None, masked) for file in block]

    with ThreadPoolExecutor(4) as pool:
        parts = [part for parts in pool.map(read, blocks) for part in parts]
    found = _together(chosen, parts, [place[file] for file in chosen], classes, how, units or "rel", truth)
    found.notes = [*classes.notes, *notes, *without_files(truth, {v: k for k, v in place.items()}, "file")]
    return found


def place_files(files: Sequence[str], folder: Path, images: Images, partial: bool) -> tuple[dict[str, int], list[str]]:
    """Each file's image, by its path or its name without suffix, and notes.

    Raises:
        InputError: naming a file of an unknown image, or two of one image.
    """
    place: dict[str, int] = {}
    owner: dict[int, str] = {}
    lost: list[str] = []
    for file in files:
        name = os.path.relpath(file, folder)
        index = images.named(os.path.splitext(name)[0])
        if index < 0 and partial:
            lost.append(name)
            continue
        if index < 0:
            raise images.unknown(file, os.path.splitext(name)[0])
        if index in owner:
            raise InputError(f"{file} and {owner[index]} are both of the image {images.truth.ids[index]!r}: keep one")
        place[file], owner[index] = index, file
    if not place:
        what = "of images of the truth" if lost else "at all"
        raise InputError(f"{folder} holds no files {what}: give a folder with one file an image, named like it")
    shown = ", ".join(map(repr, lost[:3])) + (", ..." if len(lost) > 3 else "")
    return place, [f"{len(lost)} files of images that are not in the truth left out: {shown}."] if lost else []


def _is_other(file: str, images: Images) -> bool:
    """Whether a file is named like a list of classes, and no image is."""
    name = os.path.basename(file).lower()
    return name in _NOT_PREDICTIONS and images.named(os.path.splitext(os.path.basename(file))[0]) < 0


def _read(file: str, how: Layout, free: bool, masked: bool) -> _File:
    """One file. ``free``: lines of other lengths are polygons."""
    out = _File([], [], [], [], [])
    for number, line in enumerate(read_text(file).splitlines(), 1):
        cells = [c.strip() for c in line.split(",")] if "," in line else line.split()
        if not any(cells):
            continue
        where = f"{file}, line {number}"
        outline: list[float] = []
        if len(cells) == how.count and not (masked and free):
            values = _numbers(where, [cells[i] for i in (how.score, *how.box)])
            score, box = values[0], values[1:]
            label = cells[how.label]
            if how.kind[2] == "w" and min(box[2:]) < 0:
                raise InputError(f"{where}: width {box[2]:g} and height {box[3]:g} must not be negative: correct them")
            if how.kind[2] == "x2" and (box[2] < box[0] or box[3] < box[1]):
                raise InputError(f"{where}: the box ends before it begins: are the columns in another order?")
        else:
            label, outline, score = _outline(where, cells, how, free, masked)
            box = [min(outline[::2]), min(outline[1::2]), max(outline[::2]), max(outline[1::2])]
        if not 0 <= score <= 1 + _ROUNDING:
            raise InputError(f"{where}: the score {score:g} is outside 0..1: correct it, or check the order of columns")
        out.lines.append(number)
        out.labels.append(label)
        out.scores.append(min(score, 1.0))
        out.boxes.append(box)
        out.outlines.append(outline)
    return out


def _outline(where: str, cells: list[str], how: Layout, free: bool, masked: bool) -> tuple[str, list[float], float]:
    """A polygon's line, ``class x y x y x y ... score``."""
    count = len(cells)
    if free and count >= 8 and count % 2 == 0:
        values = _numbers(where, cells[1:])
        return cells[0], values[:-1], values[-1]
    if masked and not free:
        raise InputError(f"{where}: columns are for boxes; instance segmentation takes class x y x y x y ... score")
    if free and count == how.count - 1:
        raise InputError(
            f"{where} has {count} columns and no score: write the predictions with it (Ultralytics: save_conf=True)"
        )
    if free:
        wanted = "a polygon's 8, 10, ... (class x y x y x y ... score)"
        wanted = wanted if masked else f"{how.count} ({DEFAULT_COLUMNS.replace(',', ' ')}) or {wanted}"
        raise InputError(f"{where} has {count} columns, not {wanted}: correct it, or name them with --columns")
    raise InputError(f"{where} has {count} columns, but {how.count} are named by --columns: correct it or them")


def _numbers(where: str, cells: Sequence[str]) -> list[float]:
    """Finite numbers."""
    try:
        values = [float(cell) for cell in cells]
        if all(-1e300 < v < 1e300 for v in values) and not any("_" in cell for cell in cells):
            return values
    except ValueError:
        pass
    wrong = next(cell for cell in cells if not is_number(cell))
    raise InputError(f"{where}: {wrong!r:.40} is not a finite number: correct it")


def _together(
    files: Sequence[str],
    parts: Sequence[_File],
    place: Sequence[int],
    classes: Classes,
    how: Layout,
    units: str,
    truth: Truth,
) -> Found:
    """All files as columns in pixels."""
    image = np.repeat(np.array(place, np.int64), [len(p.lines) for p in parts])
    labels = []
    for file, part in zip(files, parts, strict=True):
        for line, text in zip(part.lines, part.labels, strict=True):
            number = classes.token(text)
            if number is None:
                raise classes.wrong(f"{file}, line {line}", text)
            labels.append(number)
    boxes = np.array([b for part in parts for b in part.boxes], np.float64).reshape(-1, 4)
    outlines = [o for part in parts for o in part.outlines]
    boxed = np.array([not o for o in outlines], bool)
    xyxy = boxes.copy()
    if how.kind[0] == "cx":
        xyxy[boxed, :2] = boxes[boxed, :2] - boxes[boxed, 2:] / 2
    if how.kind[2] == "w":
        xyxy[boxed, 2:] = xyxy[boxed, :2] + boxes[boxed, 2:]
    scale = _scale(files, parts, place, xyxy, units, truth)[image]
    xyxy *= np.concatenate([scale, scale], axis=1)
    masks = None
    if truth.task == MASKED:
        masks = _masks(files, parts, image, outlines, scale, truth)
    scores = np.array([s for part in parts for s in part.scores], np.float64)
    return Found(image, np.array(labels, np.int64), scores, xyxy, masks)


def _scale(
    files: Sequence[str],
    parts: Sequence[_File],
    place: Sequence[int],
    xyxy: NDArray[np.float64],
    units: str,
    truth: Truth,
) -> NDArray[np.float64]:
    """(N, 2) pixels that 1 is, across and down, for each image of the dataset."""
    if units == "px":
        return np.ones((len(truth), 2))
    sizes = sizes_of(truth)
    far = np.flatnonzero((np.abs(xyxy) > _FAR).any(axis=1))
    ends = np.cumsum([len(part.lines) for part in parts])
    if len(far):
        which = int(np.searchsorted(ends, far[0], "right"))
        line = parts[which].lines[int(far[0]) - int(ends[which])]
        raise InputError(f"{files[which]}, line {line}: the box is far outside 0..1: for pixels pass --units px")
    unknown = next((i for i, part in zip(place, parts, strict=True) if part.lines and not sizes[i].all()), None)
    if unknown is not None:
        raise InputError(
            f"The size of the image {truth.ids[unknown]!r} is not known, which relative boxes need: give its picture, "
            "or boxes in pixels (--units px)"
        )
    return sizes[:, ::-1].astype(np.float64)


def _masks(
    files: Sequence[str],
    parts: Sequence[_File],
    image: NDArray[np.int64],
    outlines: Sequence[Sequence[float]],
    scale: NDArray[np.float64],
    truth: Truth,
) -> list[bytes]:
    """Run lengths of each polygon."""
    sizes = sizes_of(truth)
    where = [(file, line) for file, part in zip(files, parts, strict=True) for line in part.lines]
    out = []
    for i, outline in enumerate(outlines):
        height, width = sizes[image[i]].tolist()
        if not height or not width:
            raise InputError(f"The size of the image {truth.ids[image[i]]!r} is not known, which masks need")
        points = np.array(outline).reshape(-1, 2) * scale[i]
        try:
            out.append(run_lengths.from_polygons([points.reshape(-1)], (height, width)))
        except ValueError as error:
            raise InputError(f"{where[i][0]}, line {where[i][1]}: {error}: correct it") from error
    return out
