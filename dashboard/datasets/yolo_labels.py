"""YOLO label files: ``class cx cy w h`` or ``class x y x y ...`` a line, in fractions of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.boxes import Objects
from dashboard.datasets.shapes import Shapes
from dashboard.errors import InputError
from dashboard.masks import polygon_fault, size_fault
from dashboard.textfiles import read_text

_SLACK = 0.01  # beyond 0..1 that Ultralytics lets pass, for what rounding does
_BLOCK = 64  # files a thread takes at a time


@dataclass(frozen=True)
class _Row:
    """A line of a label file."""

    line: int
    label: int
    values: list[float]


def read_objects(
    labels: Sequence[str | None], sizes: NDArray[np.int64], names: Sequence[str], masked: bool, names_from: str
) -> Objects:
    """The objects of N pictures.

    Args:
        labels: (N,) label files, None where there is none.
        sizes: (N, 2) height and width of the pictures.
        names: (C,) class names.
        masked: whether every object needs a polygon.
        names_from: where the names are from, for errors.

    Raises:
        InputError: naming the file and line: a wrong number of columns, a class number past the list, values that are
            not numbers in 0..1 (Ultralytics' tolerance of 0.01 included), a box where a polygon is needed.
    """
    files = [f for f in labels if f is not None]
    where = {file: place for place, file in enumerate(labels) if file is not None}
    blocks = [files[i : i + _BLOCK] for i in range(0, len(files), _BLOCK)]

    def read(block: Sequence[str]) -> list[list[_Row]]:
        return [read_rows(file, names, masked, names_from) for file in block]

    with ThreadPoolExecutor(4) as pool:
        rows = [rows for found in pool.map(read, blocks) for rows in found]
    image = np.repeat(np.array([where[f] for f in files], np.int64), [len(r) for r in rows])
    flat = [row for found in rows for row in found]
    wide = sizes[image, 1].astype(np.float64)
    high = sizes[image, 0].astype(np.float64)
    lengths = np.array([len(row.values) for row in flat], np.int64)
    xyxy = np.empty((len(flat), 4))
    plain = np.flatnonzero(lengths == 4)
    outlined = np.flatnonzero(lengths != 4)
    box = np.array([flat[i].values for i in plain.tolist()], np.float64).reshape(-1, 4)
    half = box[:, 2:] / 2
    xyxy[plain] = np.concatenate([box[:, :2] - half, box[:, :2] + half], axis=1)
    for i in outlined.tolist():
        xs, ys = flat[i].values[::2], flat[i].values[1::2]
        xyxy[i] = min(xs), min(ys), max(xs), max(ys)
    xyxy *= np.stack([wide, high, wide, high], axis=1)
    shapes = None
    if masked:
        points = np.array([v for row in flat for v in row.values], np.float64).reshape(-1, 2)
        scale = np.repeat(np.stack([wide, high], axis=1), lengths // 2, axis=0)
        shapes = Shapes((points * scale).reshape(-1), lengths, np.ones(len(flat), np.int64))
        fault = size_fault(sizes[image]) or polygon_fault(shapes.coordinates, lengths)
        if fault is not None:
            file = labels[int(image[fault[0]])]
            raise InputError(f"{file}, line {flat[fault[0]].line}: the outline {fault[1]}: correct it")
    nothing = np.zeros(len(flat), bool)
    return Objects(
        image=image,
        classes=np.array([row.label for row in flat], np.int64),
        xyxy=xyxy,
        crowd=nothing,
        ignore=nothing.copy(),
        areas=None if shapes is None else shapes.areas(),
        shapes=shapes,
    )


def read_rows(file: str, names: Sequence[str], masked: bool, names_from: str) -> list[_Row]:
    """The lines of one label file, checked."""
    out = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        where = f"{file}, line {number}"
        values = _values(cells, where)
        if len(values) == 5:
            if masked:
                raise InputError(f"{where} has a box and no polygon: write class x y x y ..., or choose detection")
            if min(values[3:]) < 0:
                raise InputError(f"{where}: width and height {values[3]:g} {values[4]:g} are negative: correct them")
        elif len(values) < 7 or len(values) % 2 == 0:
            hint = "; a score makes it a prediction" if len(values) == 6 else ""
            raise InputError(
                f"{where} has {len(values)} columns, not 5 (class cx cy w h) or a polygon's 7, 9, 11, ... "
                f"(class x y x y x y ...){hint}: correct it"
            )
        label = values[0]
        if label != int(label) or label < 0:
            raise InputError(f"{where}: the class {cells[0]!r:.40} is not a whole number from 0: correct it")
        if label >= len(names):
            raise InputError(
                f"{where}: class number {int(label)} is past the list of {len(names)} names in {names_from}, which are "
                f"counted from 0: correct it or add the name"
            )
        if min(values) < -_SLACK or max(values[1:]) > 1 + _SLACK:
            wrong = next(c for c, v in zip(cells[1:], values[1:], strict=True) if not -_SLACK <= v <= 1 + _SLACK)
            raise InputError(
                f"{where}: {wrong!r:.40} is outside 0..1, the fractions of the picture: divide by its size"
            )
        out.append(_Row(number, int(label), values[1:]))
    return out


def _values(cells: Sequence[str], where: str) -> list[float]:
    """Finite numbers."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if not values or not all(-1e300 < v < 1e300 for v in values) or any("_" in cell for cell in cells):
        wrong = next((c for c in cells if not is_number(c)), cells[0])
        raise InputError(f"{where}: {wrong!r:.40} is not a finite number: correct it")
    return values


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number as files write them."""
    try:
        return "_" not in cell and -1e300 < float(cell) < 1e300
    except ValueError:
        return False


def label_name(path: str) -> str:
    """A path without its suffix, forward slashes: what a picture and its label file share."""
    return Path(path).with_suffix("").as_posix()
