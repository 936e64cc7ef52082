"""What a COCO instances file says: images, categories and annotations, checked and turned into columns.

Entries are named in errors by their number in the list, counted from 1, and their id.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.boxes import Objects
from dashboard.datasets.shapes import Shapes, from_coco
from dashboard.errors import InputError
from dashboard.labels import distinct_names

_LARGEST = 10_000_000  # pixels along a side


@dataclass(frozen=True, eq=False)
class Content:
    """Images by ascending id (as pycocotools walks them), classes by ascending category id.

    Attributes:
        names: (N,) file names.
        image_ids: (N,).
        sizes: (N, 2) height and width, 0 where the file does not say.
        class_names: (C,).
        category_ids: (C,).
        rows: the annotations.
        image, classes: (D,) of each annotation, as positions in the above.
        warnings: sentences to show.
    """

    names: list[str]
    image_ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    class_names: tuple[str, ...]
    category_ids: NDArray[np.int64]
    rows: Entries
    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    warnings: list[str]


@dataclass(frozen=True, eq=False)
class Entries:
    """One of the lists of a COCO file, or a part of it that begins at entry ``first`` (from 0)."""

    file: Path
    kind: str
    rows: list[Any]
    first: int = 0

    def say(self, place: int) -> str:
        """How an error names an entry."""
        row = self.rows[place]
        identity = row.get("id") if isinstance(row, dict) else None
        known = "" if identity is None or isinstance(identity, (dict, list)) else f" (id {identity!s:.40})"
        return f"{self.file}, {self.kind}entry {self.first + place + 1}{known}"

    def values(self, key: str) -> list[Any]:
        """One value an entry, all there."""
        try:
            return [row[key] for row in self.rows]
        except (KeyError, TypeError, IndexError):
            self._check_objects()
            place = next(i for i, row in enumerate(self.rows) if key not in row)
            raise InputError(f"{self.say(place)} has no {key!r}: add it") from None

    def optional(self, key: str) -> list[Any]:
        """One value an entry, None where it is missing."""
        self._check_objects()
        return [row.get(key) for row in self.rows]

    def whole(self, key: str) -> NDArray[np.int64]:
        """(N,) whole numbers, all there."""
        values = self.values(key)
        if set(map(type, values)) <= {int}:
            try:
                return np.array(values, np.int64)
            except OverflowError:
                pass
        place = next(i for i, v in enumerate(values) if type(v) is not int or abs(v) >= 1 << 63)
        raise InputError(f"{self.say(place)}: {key!r} is {values[place]!r:.60}, not a whole number: correct it")

    def real(self, key: str) -> NDArray[np.float64]:
        """(N,) finite numbers, all there."""
        values = self.values(key)
        if set(map(type, values)) <= {int, float}:
            try:
                found = np.array(values, np.float64)
                if np.isfinite(found).all():
                    return found
            except OverflowError:
                pass
        place = next(i for i, v in enumerate(values) if type(v) not in (int, float) or not abs(v) < 1e300)
        raise InputError(f"{self.say(place)}: {key!r} is {values[place]!r:.60}, not a finite number: correct it")

    def _check_objects(self) -> None:
        place = next((i for i, row in enumerate(self.rows) if type(row) is not dict), None)
        if place is not None:
            raise InputError(f"{self.say(place)} is not an object {{...}}: is this a COCO instances file?")

    @cached_property
    def boxes(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """(N,) whether an entry has a box, and (N, 4) x, y, width, height, NaN where not."""
        given = self.optional("bbox")
        have = np.array([bool(box) for box in given], bool)
        flat = array("d")
        try:
            there = given if have.all() else [box for box in given if box]
            if set(map(type, there)) <= {list} and set(map(len, there)) <= {4}:
                flat.extend(chain.from_iterable(there))
        except (TypeError, OverflowError):
            flat = array("d")
        out = np.full((len(given), 4), np.nan)
        if len(flat) == 4 * have.sum():
            out[have] = np.array(flat).reshape(-1, 4)
        near = np.abs(np.where(have[:, None], out, 0)).max(axis=1, initial=0) <= FARTHEST
        wrong = have & ~(np.isfinite(out).all(axis=1) & (out[:, 2:] >= 0).all(axis=1) & near)
        if wrong.any():
            place = next(i for i in np.flatnonzero(wrong).tolist() if not _is_box(given[i]))
            raise InputError(
                f"{self.say(place)}: 'bbox' is {given[place]!r:.90}, not four finite numbers x, y, width, height "
                "of which the last two are not negative: correct it"
            )
        return have, out


FARTHEST = 1e7
"""Pixels from the corner that a box may lie or reach; what is farther is no box of a picture."""


def _is_box(box: Any) -> bool:
    real = type(box) is list and len(box) == 4 and all(type(v) in (int, float) for v in box)
    return real and all(abs(v) <= FARTHEST for v in box) and box[2] >= 0 and box[3] >= 0


def parse(data: Any, file: Path) -> Content:
    """The lists of a COCO instances file, their ids checked and resolved.

    Raises:
        InputError: naming the file and the entry.
    """
    lists = _lists(data, file)
    names, image_ids, sizes = _images(lists["images"])
    class_names, category_ids = _categories(lists["categories"])
    rows = lists["annotations"]
    image = _positions(rows, "image_id", image_ids, "images")
    classes = _positions(rows, "category_id", category_ids, "categories")
    warnings = []
    identities = [v for v in rows.optional("id") if isinstance(v, (int, str))]
    twice = [v for v, count in Counter(identities).items() if count > 1]
    if twice:
        shown = ", ".join(map(str, twice[:3])) + (", ..." if len(twice) > 3 else "")
        warnings.append(f"{len(twice)} annotation ids occur more than once ({shown}); all annotations count.")
    return Content(names, image_ids, sizes, class_names, category_ids, rows, image, classes, warnings)


def objects(content: Content, sizes: NDArray[np.int64], masked: bool) -> Objects:
    """The annotations as columns, those of one image together and in the file's order.

    Args:
        content: of the file.
        sizes: (N, 2) height and width of the images.
        masked: whether each annotation needs an outline.

    Raises:
        InputError: naming the file and the entry.
    """
    order = np.argsort(content.image, kind="stable")
    rows = content.rows
    have, xywh = rows.boxes
    xywh = xywh.copy()
    area = _areas(rows)
    segmentations = rows.optional("segmentation")
    object_sizes = sizes[content.image]
    shapes: Shapes | None = None
    wanting = np.flatnonzero(~have | (np.isnan(area) & np.array([bool(s) for s in segmentations], bool)))
    if masked:
        shapes = _shapes(rows, segmentations, object_sizes, order)
    if len(wanting):
        some = _shapes(rows, segmentations, object_sizes, wanting)
        around = some.boxes(object_sizes[wanting])
        around[:, 2:] -= around[:, :2]
        xywh[wanting] = np.where(have[wanting, None], xywh[wanting], around)
        area[wanting] = np.where(np.isnan(area[wanting]), some.areas(), area[wanting])
    area = np.where(np.isnan(area), xywh[:, 2] * xywh[:, 3], area)
    xywh[:, 2:] += xywh[:, :2]
    crowd = _crowd(rows)
    return Objects(
        image=content.image[order],
        classes=content.classes[order],
        xyxy=xywh[order],
        crowd=crowd[order],
        ignore=np.zeros(len(order), bool),
        areas=area[order],
        shapes=shapes,
    )


def _shapes(rows: Entries, segmentations: list[Any], sizes: NDArray[np.int64], places: NDArray[np.int64]) -> Shapes:
    for place in places.tolist():
        if not segmentations[place]:
            what = "no segmentation" if "bbox" in rows.rows[place] else "neither bbox nor segmentation"
            raise InputError(f"{rows.say(place)} has {what}: add it, or open the file for the task detection")
    return from_coco([segmentations[i] for i in places], sizes[places], lambda i: rows.say(int(places[i])))


def _lists(data: Any, file: Path) -> dict[str, Entries]:
    if isinstance(data, list):
        raise InputError(
            f"{file} holds a list, as a results file does: give it as predictions, and an instances file as the truth"
        )
    keys = ("images", "annotations", "categories")
    missing = [k for k in keys if not isinstance(data, dict) or not isinstance(data.get(k), list)]
    if missing:
        raise InputError(f"{file} is not a COCO instances file: it has no list {' or '.join(map(repr, missing))}")
    for key in ("images", "categories"):
        if not data[key]:
            raise InputError(f"{file}: the list {key!r} is empty: give an instances file with images and categories")
    return {key: Entries(file, f"{key} ", data[key]) for key in keys}


def _images(entries: Entries) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    ids = entries.whole("id")
    names = entries.values("file_name")
    for place, name in enumerate(names):
        if type(name) is not str or not name.strip() or "\0" in name:
            raise InputError(f"{entries.say(place)}: 'file_name' is {name!r:.60}, not a file's name: correct it")
    _refuse_twice(entries, ids.tolist(), "id")
    _refuse_twice(entries, names, "file_name")
    sizes = np.array([_sides(entries, key) for key in ("height", "width")], np.int64).T
    sizes[(sizes == 0).any(axis=1)] = 0
    order = np.argsort(ids, kind="stable")
    return [names[i] for i in order], ids[order], sizes[order].reshape(-1, 2)


def _sides(entries: Entries, key: str) -> list[int]:
    values = entries.optional(key)
    for place, value in enumerate(values):
        if value is None:
            values[place] = 0
        elif type(value) not in (int, float) or not 1 <= value <= _LARGEST or int(value) != value:
            raise InputError(f"{entries.say(place)}: {key!r} is {value!r:.60}, not a number of pixels: correct it")
    return values


def _categories(entries: Entries) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    ids = entries.whole("id")
    _refuse_twice(entries, ids.tolist(), "id")
    names = entries.values("name")
    for place, name in enumerate(names):
        if type(name) is not str or not name.strip():
            raise InputError(f"{entries.say(place)}: 'name' is {name!r:.60}, not a class name: correct it")
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    return tuple(distinct_names([names[i] for i in order], [str(i) for i in ids])), ids


def _refuse_twice(entries: Entries, values: list[Any], key: str) -> None:
    if len(set(values)) == len(values):
        return
    first: dict[Any, int] = {}
    for place, value in enumerate(values):
        before = first.setdefault(value, place)
        if before != place:
            raise InputError(
                f"{entries.say(place)}: {key} {value!r} is also that of entry {before + 1}: keep one of them"
            )


def _positions(entries: Entries, key: str, known: NDArray[np.int64], of: str) -> NDArray[np.int64]:
    """Where each entry's ``key`` is among the (ascending) ids."""
    wanted = entries.whole(key)
    found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    wrong = np.flatnonzero(known[found] != wanted)
    if len(wrong):
        place = int(wrong[0])
        raise InputError(
            f"{entries.say(place)}: {key} {wanted[place]} is not among the {len(known)} {of} "
            f"({len(wrong)} such entries): add it there or remove the entry"
        )
    return found


def _areas(entries: Entries) -> NDArray[np.float64]:
    """(N,) pixels, NaN where the file does not say."""
    values = entries.optional("area")
    if set(map(type, values)) <= {int, float}:
        area = np.array(values, np.float64)
        if np.isfinite(area).all() and (area >= 0).all():
            return area
    for place, value in enumerate(values):
        if value is not None and (type(value) not in (int, float) or not 0 <= value < 1e300):
            raise InputError(f"{entries.say(place)}: 'area' is {value!r:.60}, not a number of pixels: correct it")
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _crowd(entries: Entries) -> NDArray[np.bool_]:
    values = entries.optional("iscrowd")
    if not set(values := [v if isinstance(v, (int, float)) else -1 if v else 0 for v in values]) <= {0, 1}:
        place = next(i for i, v in enumerate(values) if v not in (0, 1))
        raise InputError(
            f"{entries.say(place)}: 'iscrowd' is {entries.rows[place]['iscrowd']!r:.60}, not 0 or 1: correct it"
        )
    return np.array(values, bool)
