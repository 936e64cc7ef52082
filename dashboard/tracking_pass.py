"""A tracker over stored detections: seconds, whatever the detector cost."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import ChainMap, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.datasets.base import Dataset
from dashboard.datasets.images import big_ones_alone
from dashboard.detection_parts import object_lists
from dashboard.errors import Cancelled, InputError
from dashboard.predictions import compact, part_facts
from dashboard.store import Draft
from dashboard.tracking_parts import DETECTED, FOUND, has_tracks, side_of, without_tracks
from dashboard.types import Detections, Image

AHEAD = 4  # frames read before the tracker asks for them


def take_over(draft: Draft, predictions: Path, timing: Mapping[str, Any] | None = None) -> None:
    """Another run's detections and truth as the first part of ``draft``, with what they cost it.

    Raises:
        OSError, ValueError: the file is damaged, or without detections.
    """
    file = pq.ParquetFile(predictions)
    names = [n for n in file.schema_arrow.names if not n.startswith(f"{FOUND}_")]
    if f"{DETECTED}_x0" not in names:
        raise ValueError("no detections are stored")
    target = draft.next_part()
    facts = {"timing": json.dumps(timing, default=str)} if timing else {}
    _write(target, (file.read_row_group(g, columns=names) for g in range(file.num_row_groups)), facts)


def timing_taken_over(draft: Draft) -> Mapping[str, Any] | None:
    """The timing that ``take_over`` was given at an earlier try; None if nothing was taken over."""
    for part in draft.parts():
        try:
            facts = part_facts(part)
        except (OSError, ValueError):  # cut short when the machine went down
            return None
        if "timing" in facts:
            found: Mapping[str, Any] = json.loads(facts["timing"])
            return found
    return None


def drop_superseded(draft: Draft) -> None:
    """Take away the parts that one with tracks was made of, where an earlier try ended before it did so itself."""
    parts = draft.parts()
    with contextlib.suppress(OSError, ValueError):  # cut short when the machine went down: it is made again
        if parts and has_tracks(parts[-1]):
            for part in parts[:-1]:
                part.unlink()


def track_all(
    draft: Draft,
    tracker: Any,
    dataset: Dataset | None,
    say: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> Mapping[str, float]:
    """Run a tracker over a draft's detections; its parts then are one, with the tracks.

    Args:
        draft: has all detections in its parts.
        tracker: a fresh one (``models.trackers.Tracker``).
        dataset: has the frames; None where the tracker does not look at them.
        say: told how far it is.
        cancelled: asked at every frame.

    Returns:
        ``frames``, ``track_s`` inside the tracker, and ``look_s`` spent waiting for frames it wanted to see.

    Raises:
        Cancelled: the detections stay as they were.
        InputError: a frame that the tracker needs cannot be read.
    """
    drop_superseded(draft)
    parts = draft.parts()
    if has_tracks(parts[-1]):  # an earlier try came this far
        kept = part_facts(parts[-1])
        return {k: float(kept.get(k, "nan")) for k in ("frames", "track_s", "look_s")}
    for part in filter(has_tracks, parts):  # frames that could not be read then were added since: track anew
        file = pq.ParquetFile(part)
        tables = (without_tracks(file.read_row_group(g)) for g in range(file.num_row_groups))
        _write(part, tables, part_facts(part))
    raw = draft.path / "detections.parquet"
    compact(parts, raw)
    clock = {"frames": 0.0, "track_s": 0.0, "look_s": 0.0}
    facts = ChainMap[str, Any](clock, _carried(parts))
    try:
        target = draft.next_part()
        _write(target, _tracked(raw, tracker, dataset, say, cancelled, clock), facts)
    finally:
        tracker.reset()
        raw.unlink(missing_ok=True)
    for part in parts:
        part.unlink()
    return clock


def _carried(parts: Sequence[Path]) -> dict[str, Any]:
    """What is known of the time that the detections in some parts took, for the part that comes in their place."""
    facts = [part_facts(part) for part in parts]
    known: dict[str, Any] = {k: sum(float(f.get(k, 0)) for f in facts) for k in ("wall_s", "model_s")}
    timing = next((f["timing"] for f in facts if "timing" in f), None)
    return known if timing is None else {**known, "timing": timing}


def _tracked(
    raw: Path,
    tracker: Any,
    dataset: Dataset | None,
    say: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
    clock: dict[str, float],
) -> Iterator[pa.Table]:
    """The stored tables, one a row group, with the tracks."""
    file = pq.ParquetFile(raw)
    total, sequence, last, said = file.metadata.num_rows, None, -1, 0.0
    for group in range(file.num_row_groups):
        table = without_tracks(file.read_row_group(group)).combine_chunks()
        side = side_of(table, DETECTED)
        assert side is not None
        names, frames = table.column("sequence").to_pylist(), table.column("frame").to_pylist()
        sizes = np.stack([table.column(k).to_numpy() for k in ("height", "width")], axis=1).tolist()
        index = table.column("index").to_pylist()
        found: list[Detections] = []
        for place, image in enumerate(_frames(dataset, index, bool(tracker.needs_images), clock)):
            if cancelled():
                raise Cancelled("Stopped while tracking; what the detector found is kept.")
            size = (int(sizes[place][0]), int(sizes[place][1]))
            if names[place] != sequence:
                tracker.reset()
                sequence, last = names[place], frames[place] - 1
            begin = time.perf_counter()
            for _ in range(last + 1, frames[place]):  # frames that could not be read: nothing was seen in them
                tracker.update(Detections.none(size, scored=True), image, size)
            last = frames[place]
            found.append(tracker.update(side.frame(place, size), image, size))
            clock["track_s"] += time.perf_counter() - begin
            clock["frames"] += 1
            if time.monotonic() - said > 0.2:
                said = time.monotonic()
                say("tracking", int(clock["frames"]), total)
        lists = object_lists(found, masked=False, tracked=True)
        for name, values in lists.items():
            table = table.append_column(f"{FOUND}_{name}", values)
        yield table
    say("tracking", total, total)


def _frames(
    dataset: Dataset | None, index: Sequence[int], wanted: bool, clock: dict[str, float]
) -> Iterator[Image | None]:
    """The pictures at some positions, read ahead; None each where nobody looks at them."""
    if not wanted:
        yield from (None for _ in index)
        return
    assert dataset is not None

    def read(position: int) -> Image:
        with big_ones_alone():
            return dataset[position].image

    with ThreadPoolExecutor(2, thread_name_prefix="frames") as pool:
        ahead: deque[Future[Image]] = deque()
        waiting = iter(index)
        try:
            for _ in index:
                while len(ahead) < AHEAD and (position := next(waiting, None)) is not None:
                    ahead.append(pool.submit(read, position))
                begin = time.perf_counter()
                image = ahead.popleft().result()
                clock["look_s"] += time.perf_counter() - begin
                yield image
        finally:
            for future in ahead:
                future.cancel()


def _write(target: Path, tables: Iterator[pa.Table], facts: Mapping[str, Any]) -> None:
    """Tables as one part, whole or absent; ``facts``, as they are at the end, travel in its metadata."""
    temporary = target.with_suffix(".tmp")
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            if writer is None:
                schema, how = table.schema.remove_metadata(), {"compression": "lz4", "use_dictionary": False}
                # with a schema of Arrow's own in the file, what is added at the end would not be read with it
                writer = pq.ParquetWriter(temporary, schema, store_schema=False, **how)
            writer.write_table(table)
        if writer is None:
            raise InputError("There are no frames to track in: check the data.")
        writer.add_key_value_metadata({k: str(v) for k, v in facts.items()})
        writer.close()
        os.replace(temporary, target)
    finally:
        if writer is not None and writer.is_open:
            writer.close()
        temporary.unlink(missing_ok=True)
