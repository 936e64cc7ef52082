"""COCO results JSON: a list of ``{image_id, category_id, bbox, score}``, with ``segmentation`` where there are masks.

Files of plain boxes are read by DuckDB, which parses in parallel straight into columns: millions of entries in about a
second. Whatever it does not take, or takes and finds odd, is read again piece by piece with care, so that the entry
(counted from 1) can be named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dashboard.datasets.coco_json import FARTHEST, Entries
from dashboard.datasets.jsonfile import collector_paused, is_not_finite, read_bytes, why
from dashboard.datasets.shapes import from_coco
from dashboard.detection_import_match import MASKED, Classes, Found, Images, Truth, first_of, sizes_of
from dashboard.errors import InputError

_SMALL = 2_000_000  # bytes, below which starting DuckDB is not worth it
_PIECE = 16_000_000  # bytes parsed at a time
_ROUNDING = 1e-6  # by which a score may pass 1
_COLUMNS = "{image_id: 'DOUBLE', category_id: 'DOUBLE', bbox: 'DOUBLE[]', score: 'DOUBLE'}"
_QUERY = f"""
    SELECT image_id, category_id, score, bbox[1] AS x, bbox[2] AS y, bbox[3] AS w, bbox[4] AS h, len(bbox) AS n
    FROM read_json(?, format = 'array', columns = {_COLUMNS}, maximum_object_size = 1048576)
"""


@dataclass(eq=False)
class _Table:
    """Entries as columns: images as numbers or names, boxes as x, y, width, height."""

    images: NDArray[np.int64] | list[Any]
    categories: NDArray[np.int64]
    scores: NDArray[np.float64]
    xywh: NDArray[np.float64]
    masks: list[bytes] | None = None
    areas: NDArray[np.float64] | None = None
    place: NDArray[np.int64] | None = None


def read_results(path: Path, truth: Truth, names: Sequence[str] | None, partial: bool) -> Found:
    """Read a results file.

    Args:
        path: the file: a list, or an object with the list under "annotations" or "predictions".
        truth: the dataset. Image ids are COCO's, or file names (with or without suffix).
        names: the predictions' class names; then category ids are numbers in this list.
        partial: leave out what is of images that the dataset does not have.

    Raises:
        InputError: naming the file and the entry, counted from 1.
    """
    images = Images(truth)
    masked = truth.task == MASKED
    table = None if masked else _fast(path)
    if table is None:
        with collector_paused():
            table = _careful(path, truth, images, masked, partial)
    place = _places(path, table, images) if table.place is None else table.place
    classes, notes = _classes(path, table.categories, truth, names, partial)
    _check(path, table, images, place, classes, partial)
    areas = table.xywh[:, 2] * table.xywh[:, 3] if table.areas is None else table.areas
    table.xywh[:, 2:] += table.xywh[:, :2]
    scores = np.minimum(table.scores, 1)
    return Found(place, classes.astype(np.int64), scores, table.xywh, table.masks, areas, notes)


def _fast(path: Path) -> _Table | None:
    """Columns of a regular file of boxes, None if it is not one (or if that is not known)."""
    if not path.is_file() or path.stat().st_size < max(_SMALL, 64) or any(c in str(path) for c in "*?["):
        return None
    with open(path, "rb") as stream:  # DuckDB would overlook a list that is not closed
        stream.seek(-64, os.SEEK_END)
        if not stream.read().rstrip().endswith(b"]"):
            return None
    import duckdb

    try:
        with duckdb.connect() as connection:
            found: dict[str, Any] = connection.execute(_QUERY, [str(path.resolve())]).fetchnumpy()
    except duckdb.Error:
        return None
    if any(isinstance(column, np.ma.MaskedArray) for column in found.values()):
        return None  # something is missing
    xywh = np.stack([found.pop(side) for side in "xywh"], axis=1)
    ids = [found.pop(key) for key in ("image_id", "category_id")]
    regular = (found.pop("n") == 4).all() and np.isfinite(xywh).all() and (xywh[:, 2:] >= 0).all()
    if not regular or not all((np.abs(v) < 2**53).all() and (v == np.floor(v)).all() for v in ids):
        return None
    if not np.isfinite(found["score"]).all():
        return None
    return _Table(ids[0].astype(np.int64), ids[1].astype(np.int64), found["score"], xywh)


def _careful(path: Path, truth: Truth, images: Images, masked: bool, partial: bool) -> _Table:
    """Columns of any file, checked entry by entry."""
    sizes = sizes_of(truth) if masked else None
    parts: list[_Table] = []
    for first, rows in _pieces(path):
        parts.append(_piece(Entries(path, "", rows, first), truth, images, masked, partial, sizes))
    if not parts:
        nothing = np.empty(0, np.int64)
        return _Table(nothing, nothing, np.empty(0), np.empty((0, 4)), [] if masked else None, None, nothing)
    place = np.concatenate([_places(path, part, images) if part.place is None else part.place for part in parts])
    ids: list[Any] = [i for part in parts for i in part.images]
    return _Table(
        ids,
        np.concatenate([part.categories for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.xywh for part in parts]),
        [m for part in parts for m in part.masks or ()] if masked else None,
        np.concatenate([p.xywh[:, 2] * p.xywh[:, 3] if p.areas is None else p.areas for p in parts]),
        place,
    )


def _piece(
    entries: Entries, truth: Truth, images: Images, masked: bool, partial: bool, sizes: NDArray[np.int64] | None
) -> _Table:
    """Columns of some entries."""
    ids = entries.values("image_id")
    odd = next((i for i, v in enumerate(ids) if type(v) not in (int, str)), None)
    if odd is not None:
        raise InputError(f"{entries.say(odd)}: 'image_id' is {ids[odd]!r:.60}, not a number or a name: correct it")
    categories = entries.whole("category_id")
    scores = entries.real("score")
    have, xywh = entries.boxes
    table = _Table(ids, categories, scores, xywh)
    table.place = _places(entries.file, table, images)
    if not masked and have.all():
        return table
    lost = np.flatnonzero(table.place < 0)
    if len(lost) and not partial:
        raise images.unknown(entries.say(int(lost[0])), ids[lost[0]])
    segmentations = entries.optional("segmentation")
    wanted = np.flatnonzero((table.place >= 0) & (~have | masked))
    bare = next((i for i in wanted.tolist() if not segmentations[i]), None)
    if bare is not None:
        what = "no 'segmentation', which instance segmentation needs" if have[bare] else "no 'bbox'"
        raise InputError(f"{entries.say(bare)} has {what}: add it, or score the file for detection")
    sizes = sizes_of(truth) if sizes is None else sizes
    own = sizes[table.place[wanted]]
    unknown = np.flatnonzero((own == 0).any(axis=1))
    if len(unknown):
        name = truth.ids[table.place[wanted[unknown[0]]]]
        raise InputError(f"The size of the image {name!r} is not known, which masks need: give its picture")
    shapes = from_coco([segmentations[i] for i in wanted], own, lambda i: entries.say(int(wanted[i])))
    masks = [shapes.mask(i, (int(own[i, 0]), int(own[i, 1]))) for i in range(len(wanted))]
    from dashboard import masks as run_lengths

    table.areas = xywh[:, 2] * xywh[:, 3]  # as pycocotools has it where there is a box
    for i, place in enumerate(wanted.tolist()):
        if not have[place]:
            size = (int(own[i, 0]), int(own[i, 1]))
            box = run_lengths.boxes([masks[i]], size)[0]
            xywh[place] = box[0], box[1], box[2] - box[0], box[3] - box[1]
            table.areas[place] = run_lengths.areas([masks[i]], size)[0]
    if masked:
        by_place = dict(zip(wanted.tolist(), masks, strict=True))
        table.masks = [by_place.get(i, b"") for i in range(len(ids))]
    return table


def _pieces(path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Entries a few megabytes at a time, with the number of those before them.

    A list is cut behind a closing brace and a comma. That such a place is between two entries is certain once what is
    before it parses, since inside of an entry or a text it could not.
    """
    data = read_bytes(path)
    start = len(data) - len(data.lstrip()) if data[:1].isspace() else 0
    if data[start : start + 1] != b"[":
        yield 0, _listed(path, data)
        return
    start, first = start + 1, 0
    while True:
        cut = data.rfind(b"},", start, start + _PIECE) if len(data) - start > _PIECE else -1
        if cut >= 0:
            try:
                rows = orjson.loads(b"".join((b"[", data[start : cut + 1], b"]")))
                yield first, rows
                first, start = first + len(rows), cut + 2
                continue
            except orjson.JSONDecodeError:
                pass  # not between two entries, or not JSON: the rest as a whole will tell
        try:
            rows = orjson.loads(b"[" + data[start:])
        except orjson.JSONDecodeError as error:
            raise _broken(path, error, first) from error
        yield first, rows
        return


def _listed(path: Path, data: bytes) -> list[Any]:
    """The list in an object."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        what = "NaN or a number that is too large" if is_not_finite(error) else why(error)
        raise InputError(f"{path}, line {error.lineno}: {what}") from error
    if isinstance(value, dict):
        for key in ("annotations", "predictions"):
            if isinstance(value.get(key), list):
                return value[key]
    raise InputError(f"{path} is no COCO results file: it must be a list of image_id, category_id, bbox and score")


def _broken(path: Path, error: orjson.JSONDecodeError, first: int) -> InputError:
    """The error for what is not JSON, with the number of the entry."""
    before = error.doc[: error.pos]
    where = ""
    for cut in (before.rfind("},"), before.rfind("}")):
        try:
            complete = len(orjson.loads(before[: cut + 1] + "]")) if cut >= 0 else 0
            where = f", entry {first + complete + 1}"
            break
        except orjson.JSONDecodeError:
            continue
    if is_not_finite(error):
        return InputError(
            f"{path}{where}: NaN, Infinity or a number as large, where a finite one should be: correct it"
        )
    return InputError(f"{path}{where}: {why(error)}")


def _places(path: Path, table: _Table, images: Images) -> NDArray[np.int64]:
    """(D,) positions in the dataset, -1 for unknown images."""
    if isinstance(table.images, np.ndarray):
        return images.numbered(table.images)
    ids = table.images
    if all(type(i) is int and abs(i) < 1 << 62 for i in ids):
        return images.numbered(np.array(ids, np.int64))
    known: dict[Any, int] = {}
    for i in set(ids):
        if type(i) is int:
            known[i] = int(images.numbered(np.array([i]))[0]) if abs(i) < 1 << 62 else -1
        else:
            known[i] = images.named(i)
    return np.array([known[i] for i in ids], np.int64)


def _classes(
    path: Path, categories: NDArray[np.int64], truth: Truth, names: Sequence[str] | None, partial: bool
) -> tuple[NDArray[np.int64], list[str]]:
    """(D,) the dataset's class of each category id (-1: one it does not have, -2: unknown), and notes."""
    own = getattr(truth, "category_ids", None)
    if names is None and own is not None:
        found = np.minimum(np.searchsorted(own, categories), len(own) - 1)
        return np.where(own[found] == categories, found, -2), []
    classes = Classes(truth, names, partial)
    if not len(categories):
        return categories, classes.notes
    count, low, high = len(classes.names), int(categories.min()), int(categories.max())
    start = 1 if low >= 1 and (names is None or high == count) and high <= count else 0
    numbers = categories - start
    inside = (numbers >= 0) & (numbers < count)
    found = np.where(inside, classes.to_truth[np.where(inside, numbers, 0)], -2)
    what = "the names given" if names is not None else "the dataset's classes"
    note = f"{path.name}: category ids taken as the numbers of {what}, counted from {start}."
    return found, [note, *classes.notes]


def _check(
    path: Path, table: _Table, images: Images, place: NDArray[np.int64], classes: NDArray[np.int64], partial: bool
) -> None:
    """Raise InputError for the earliest entry with an unknown image or category, or a score outside 0..1."""
    known = place >= 0
    outside = ~((table.scores >= 0) & (table.scores <= 1 + _ROUNDING))
    lost = np.zeros(len(place), bool) if partial and known.any() else ~known
    far = np.abs(table.xywh).max(axis=1, initial=0) > FARTHEST
    fault = first_of([(lost, "image"), (classes == -2, "category"), (outside, "score"), (far, "box")])
    if fault is None:
        return
    entry, kind = fault
    where = f"{path}, entry {entry + 1}"
    if kind == "box":
        raise InputError(
            f"{where}: 'bbox' is {table.xywh[entry].tolist()!r:.90}, which is no box of a picture: correct it"
        )
    if kind == "image":
        raise images.unknown(where, table.images[entry])
    if kind == "category":
        own = getattr(images.truth, "category_ids", None)
        which = f"{len(images.truth.class_names)} categories"
        like = f", whose ids are like {int(own[0])}" if own is not None else ""
        raise InputError(
            f"{where}: category_id {table.categories[entry]} is not among the {which} of the truth{like}: correct it, "
            "or name the predictions' classes with --classes FILE"
        )
    raise InputError(
        f"{where}: the score {table.scores[entry]:g} is outside 0..1: divide by the largest, or apply a sigmoid"
    )
