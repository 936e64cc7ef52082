"""Detections made elsewhere, checked and put in the order of a dataset, for ``score``.

Layouts: COCO results JSON (boxes, run lengths, polygons); a folder of .txt, one an image; a folder of VOC XML with
scores; or a zip of any. Nothing is repaired silently: what does not fit is an error that names the file and the line
or entry, and what was assumed is in ``notes``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.archive import extract_cached
from dashboard.datasets.files import walk
from dashboard.datasets.opening import cache_folder
from dashboard.detection_import_coco import read_results
from dashboard.detection_import_match import Found, Truth, sizes_of
from dashboard.detection_import_txt import read_txt
from dashboard.detection_import_voc import read_xml
from dashboard.errors import InputError

_BLOCK = 100_000  # rows looked at in one go
_BEYOND = 1.0  # pixels past the picture's edge that are worth a word


@dataclass(frozen=True, eq=False)
class ImportedDetections:
    """Detections beside the truth, those of one image together and in the file's order.

    Attributes:
        image: (D,) int64 positions in the dataset, ascending.
        class_ids: (D,) int64 in the order of the truth's classes.
        scores: (D,) float64 in 0..1.
        xyxy: (D, 4) float64 pixels, half-open; not clipped to the picture.
        masks: D compressed run lengths (``dashboard.masks``), or None; there when the truth has masks.
        areas: (D,) float64 pixels, by which a detection is small, medium or large, of COCO results: width times height
            (by which pycocotools goes even for masks), or the mask's where there is no box. Else None.
        notes: sentences on what was assumed and left out.
    """

    image: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    xyxy: NDArray[np.float64]
    masks: list[bytes] | None = None
    areas: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image)


def import_detections(
    path: str | Path,
    truth: Truth,
    *,
    names: Sequence[str] | None = None,
    columns: str | None = None,
    units: str | None = None,
    partial: bool = False,
    limit: int | None = None,
    cache_dir: str | Path | None = None,
) -> ImportedDetections:
    """Read detections and put them beside a dataset's truth.

    Args:
        path: a COCO results JSON, a folder of .txt or VOC XML, or a zip of one of these.
        truth: the dataset; instance segmentation needs a mask for each detection.
        names: names behind the predictions' class numbers, in their order; default the dataset's own.
        columns: of .txt, such as "class,score,x,y,w,h"; default "class,cx,cy,w,h,score". See
            ``dashboard.detection_import_txt.layout``.
        units: of .txt, "rel" (fractions of the image, the default) or "px".
        partial: leave out detections of images that the dataset does not have, and let the predictions not know some
            of its classes.
        limit: only those of the first images of the dataset.
        cache_dir: where a zip is unpacked; default ``cache_folder()``.

    Raises:
        InputError: one sentence naming the file and the line or entry (counted from 1), and the remedy.
    """
    path = Path(path)
    try:
        there = path.exists()
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror or error}): check the path") from error
    if not there:
        raise InputError(f"{path} does not exist: check the path")
    if path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        unpacked = extract_cached(path, cache_dir or cache_folder())
        try:
            found = _read(unpacked.root, truth, names, columns, units, partial)
        except InputError as error:
            raise InputError(str(error).replace(str(unpacked.root), str(path))) from error
    else:
        found = _read(path, truth, names, columns, units, partial)
    return _in_order(found, truth, limit)


def _read(
    path: Path, truth: Truth, names: Sequence[str] | None, columns: str | None, units: str | None, partial: bool
) -> Found:
    """By what the path holds."""
    if path.is_file() and path.suffix.lower() == ".json":
        return read_results(path, truth, names, partial)
    if not path.is_dir():
        what = "one file (give the folder of all)" if path.suffix.lower() in (".txt", ".xml") else "of no known kind"
        raise InputError(
            f"{path} is {what}: detections are a COCO results JSON, a folder of .txt or of VOC XML, or a zip"
        )
    kinds: dict[str, list[str]] = {".txt": [], ".xml": [], ".json": []}
    for entry in walk(str(path)):
        suffix = Path(entry.name).suffix.lower()
        if suffix in kinds:
            kinds[suffix].append(entry.path)
    if kinds[".json"] and not kinds[".xml"] and len(kinds[".txt"]) <= 1:
        if len(kinds[".json"]) > 1:
            raise InputError(f"{path} holds {len(kinds['.json'])} JSON files: give the one with the results")
        return read_results(Path(kinds[".json"][0]), truth, names, partial)
    if kinds[".xml"] and kinds[".txt"]:
        raise InputError(f"{path} holds .txt and .xml files: give a folder with one kind of predictions")
    if kinds[".xml"]:
        return read_xml(path, truth, names, partial)
    if kinds[".txt"]:
        return read_txt(path, truth, names, columns, units, partial)
    raise InputError(f"{path} holds no .txt, .xml or .json files: give the folder of the predictions")


def _in_order(found: Found, truth: Truth, limit: int | None) -> ImportedDetections:
    """Only what is of the dataset's images and classes, by image."""
    notes = list(found.notes)
    unknown, foreign = found.image < 0, found.classes < 0
    if unknown.any():
        notes.append(f"{int(unknown.sum())} detections of images that are not in the truth left out.")
    if (foreign & ~unknown).any():
        notes.append(f"{int((foreign & ~unknown).sum())} detections of classes that the truth does not have left out.")
    keep = ~(unknown | foreign)
    if limit is not None:
        keep &= found.image < limit
    rows: NDArray[np.int64] | slice
    ordered = bool((np.diff(found.image) >= 0).all())
    if ordered and keep.all():
        rows = slice(None)
    else:
        rows = np.flatnonzero(keep)
        if not ordered:
            rows = rows[np.argsort(found.image[rows], kind="stable")]
    masks = found.masks
    if masks is not None and not isinstance(rows, slice):
        masks = [masks[i] for i in rows.tolist()]
    image, xyxy = found.image[rows], found.xyxy[rows]
    beyond = _beyond(image, xyxy, sizes_of(truth))
    if beyond:
        notes.append(f"{beyond} boxes reach more than a pixel beyond their picture; they are kept as they are.")
    return ImportedDetections(
        image=image,
        class_ids=found.classes[rows],
        scores=found.scores[rows],
        xyxy=xyxy,
        masks=masks,
        areas=None if found.areas is None else found.areas[rows],
        notes=tuple(notes),
    )


def _beyond(image: NDArray[np.int64], xyxy: NDArray[np.float64], sizes: NDArray[np.int64]) -> int:
    """How many boxes leave their picture, where its size is known."""
    count = 0
    for start in range(0, len(image), _BLOCK):
        box, size = xyxy[start : start + _BLOCK], sizes[image[start : start + _BLOCK]]
        out = (box[:, :2] < -_BEYOND).any(axis=1) | (box[:, 2:] > size[:, ::-1] + _BEYOND).any(axis=1)
        count += int((out & size.all(axis=1)).sum())
    return count
