"""Everything that a run answered, for other tools, in the formats that ``score`` takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard import classmaps
from dashboard.datasets.base import Dataset
from dashboard.detection_parts import detection_batches
from dashboard.errors import InputError
from dashboard.explore.tracking.export import mot_zip, tracks_table
from dashboard.explore.tracking.opened import opened
from dashboard.predictions import batches
from dashboard.reporting.tables import csv_text
from dashboard.reporting.writing import whole
from dashboard.store import Run

FORMATS: dict[str, tuple[str, ...]] = {
    "classification": (".parquet", ".csv"),
    "detection": (".json", ".parquet", ".csv"),
    "instance-segmentation": (".json", ".parquet", ".csv"),
    "semantic-segmentation": (".zip",),
    "enhancement": (".zip",),
    "tracking": (".zip", ".parquet", ".csv"),
    "profile": (".json",),
}
"""By task, what its answers can be written as; the first is what ``score`` reads best."""


def write_predictions(run: Run, out: Path, data: Dataset | None = None) -> Path:
    """Write a run's answers by the suffix of ``out``, whole or not at all.

    * classification: CSV or Parquet ``id,label,score_0..``, or ``id,label,predicted`` where a run has no scores.
    * detection, instance segmentation: COCO results JSON; or one row a box as CSV or Parquet.
    * semantic segmentation: a zip of PNG maps of class numbers, with ``classes.txt``.
    * enhancement: a zip of PNG pictures.
    * tracking: a zip of MOTChallenge text; or one row a box.
    * profile: the profile as JSON.

    Args:
        run: any.
        out: the file.
        data: the run's dataset, for COCO's own numbers of images and classes; file names and positions without it.

    Raises:
        InputError: no such format for that task, damaged predictions, or ``out`` cannot be written.
    """
    suffix, known = out.suffix.lower(), FORMATS[run.task]
    if suffix not in known:
        raise InputError(f"{out}: predictions of {run.task} are written as {' or '.join(known)}: end its name so.")
    if not run.predictions_path.is_file() and run.task != "profile":
        raise InputError(f"The predictions of {run.id} were deleted: run the model again to have them.")
    with whole(out) as part:
        try:
            _write(run, part, suffix, data)
        except (pa.ArrowException, KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{run.predictions_path} is damaged ({error}): delete that run, start anew.") from error
    return out


def _write(run: Run, part: Path, suffix: str, data: Dataset | None) -> None:
    """The same, to a file that may be left half-written."""
    if run.task == "profile":
        part.write_text(json.dumps(run.facts.get("profile"), ensure_ascii=False, indent=1, default=dict), "utf-8")
    elif run.task == "classification":
        _tables(classification(run), part, suffix)
    elif run.task == "tracking":
        if suffix == ".zip":
            mot_zip(opened(run), part)
        else:
            _tables(iter([tracks_table(opened(run))]), part, suffix)
    elif run.task in ("detection", "instance-segmentation"):
        if suffix == ".json":
            _coco(run, part, data)
        else:
            _tables(boxes(run), part, suffix)
    else:
        _pictures(run, part)


def _tables(frames: Iterator[pd.DataFrame], part: Path, suffix: str) -> None:
    """Tables of the same columns, one after the other, as one file."""
    if suffix == ".csv":
        with part.open("w", encoding="utf-8", newline="") as file:
            for k, frame in enumerate(frames):
                text = csv_text(frame)
                file.write(text if k == 0 else text.partition("\n")[2])
        return
    writer: pq.ParquetWriter | None = None
    try:
        for frame in frames:
            schema = None if writer is None else writer.schema
            if schema is None:  # a first block without any object says nothing of its columns
                frame = frame.astype({c: "string" for c in frame if frame[c].dtype == object})
            table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(part, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def classification(run: Run) -> Iterator[pd.DataFrame]:
    """Blocks of ``id``, ``label`` and a score for each class, or what was answered where there are no scores."""
    names = np.array(run.classes, object)
    if not run.facts.get("has_scores", True):
        rows = pq.read_table(run.rows_path).to_pandas()
        frame = pd.DataFrame({"id": rows["id"], "label": names[rows["label"]], "predicted": names[rows["predicted"]]})
        confidence = rows.get("confidence")
        yield frame if confidence is None or confidence.isna().all() else frame.assign(score=confidence)
        return
    for _, batch in batches(run.predictions_path):
        scores, targets = batch.read(), batch.targets
        if targets.ndim == 1:
            label: Any = names[targets]
        else:
            label = ["|".join(names[np.flatnonzero(row)]) for row in targets]
        columns = {f"score_{i}": scores[:, i] for i in range(scores.shape[1])}
        yield pd.DataFrame({"id": batch.ids, "label": label, **columns})


def boxes(run: Run) -> Iterator[pd.DataFrame]:
    """Blocks of one row a detection: image, class, score, box in pixels (half-open)."""
    names = np.array(run.classes, object)
    for _, batch in detection_batches(run.predictions_path):
        found = batch.found
        columns = dict(zip(("left", "top", "right", "bottom"), found.xyxy.T, strict=True))
        image = np.array(batch.ids, object)[found.image]
        classes = {"class": names[found.classes], "class_number": found.classes}
        yield pd.DataFrame({"image": image, **classes, "score": found.scores, **columns})


def _coco(run: Run, part: Path, data: Dataset | None) -> None:
    """COCO results: numbers of images and categories as the dataset has them, else file names and positions from 1."""
    categories = _categories(run, data)
    numbers = getattr(data, "image_ids", None)
    with part.open("w", encoding="utf-8") as file:
        file.write("[")
        first = True
        for index, batch in detection_batches(run.predictions_path):
            found = batch.found
            size = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], axis=1)
            for k, (image, label) in enumerate(zip(found.image.tolist(), found.classes.tolist(), strict=True)):
                entry: dict[str, Any] = {
                    "image_id": batch.ids[image] if numbers is None else int(numbers[index[image]]),
                    "category_id": categories[label],
                    "bbox": size[k].tolist(),
                    "score": float(found.scores[k]),
                }
                if found.masks is not None:
                    height, width = batch.sizes[image].tolist()
                    entry["segmentation"] = {"size": [height, width], "counts": found.masks[k].decode("ascii")}
                file.write(("\n" if first else ",\n") + json.dumps(entry, ensure_ascii=False))
                first = False
        file.write("\n]\n")


def _categories(run: Run, data: Dataset | None) -> list[int]:
    """COCO's number of each of the run's classes."""
    own = getattr(data, "category_ids", None)
    if data is None or own is None or list(data.class_names) != run.classes:
        return list(range(1, len(run.classes) + 1))
    return [int(n) for n in own]


def _pictures(run: Run, part: Path) -> None:
    """A zip of PNG files, named as the samples."""
    maps = run.task == "semantic-segmentation"
    column = "found_map" if maps else "found_image"
    file = pq.ParquetFile(run.predictions_path)
    with ZipFile(part, "w", ZIP_STORED) as archive:
        used: set[str] = set()
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=["id", column]).to_pydict()
            for identity, data in zip(rows["id"], rows[column], strict=True):
                archive.writestr(inside(identity, used), _grey(data) if maps else data)
        if maps:
            archive.writestr("classes.txt", "\n".join(run.classes) + "\n", ZIP_DEFLATED)


def inside(identity: str, used: set[str]) -> str:
    """A sample's name as a PNG file's within an archive: never above it, never twice."""
    parts = [p for p in identity.replace("\\", "/").split("/") if p.strip(". ") and ":" not in p]
    whole_name = "/".join(parts) or "picture"
    name = PurePosixPath(whole_name).with_suffix(".png").as_posix()
    more = 1
    while name in used:
        name = f"{whole_name}.png" if more == 1 else f"{whole_name}-{more}.png"
        more += 1
    used.add(name)
    return name


def _grey(data: bytes) -> bytes:
    """A stored class map as other tools read it: grey, 8 or 16 bits."""
    ids = classmaps.decode(data)
    if ids.dtype == np.uint8:
        return data
    done, out = cv2.imencode(".png", ids)
    if not done:
        raise ValueError("a class map cannot be written as PNG")
    return out.tobytes()
