"""Detections as VOC XML, one file an image, a ``score`` or ``confidence`` in each object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dashboard.datasets.files import natural_key, unusable, walk
from dashboard.datasets.voc_xml import read_voc
from dashboard.detection_import_match import MASKED, Classes, Found, Images, Truth, without_files
from dashboard.detection_import_txt import place_files
from dashboard.errors import InputError


def read_xml(folder: Path, truth: Truth, names: Sequence[str] | None, partial: bool) -> Found:
    """Read a folder of XML files, each named like its image; boxes as in ``dashboard.datasets.voc_xml``.

    Args:
        folder: looked through with the folders in it.
        truth: the dataset.
        names: the predictions' class names, if they are not the truth's.
        partial: leave out files of images that the dataset does not have.

    Raises:
        InputError: naming the file and the object, counted from 1.
    """
    if truth.task == MASKED:
        raise InputError(f"{folder} holds VOC XML, which has boxes and no masks: score it for detection")
    images, classes = Images(truth), Classes(truth, names, partial)
    files = [e.path for e in walk(str(folder)) if e.name.lower().endswith(".xml") and not unusable(e)]
    place, notes = place_files(sorted(files, key=natural_key), folder, images, partial)
    image, labels, scores, boxes = [], [], [], []
    for file, index in place.items():
        for number, thing in enumerate(read_voc(Path(file), scored=True).objects, 1):
            label = classes.token(thing.name)
            if label is None:
                raise classes.wrong(f"{file}, object {number}", thing.name)
            image.append(index)
            labels.append(label)
            scores.append(thing.score)
            boxes.append(thing.xyxy)
    notes += [*classes.notes, *without_files(truth, {v: k for k, v in place.items()}, "file")]
    return Found(
        np.array(image, np.int64),
        np.array(labels, np.int64),
        np.array(scores, np.float64),
        np.array(boxes, np.float64).reshape(-1, 4),
        notes=notes,
    )
