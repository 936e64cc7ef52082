"""Stored tracks: one row a frame, with what the detector found, what the tracker made of it, and what is true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.detection_parts import CROWD, IGNORE, object_lists
from dashboard.metrics.tracking.columns import ASIDE, DISTRACTOR, SequenceTracks, Tracks
from dashboard.types import Detections

DETECTED, FOUND, TRUE = "det", "found", "true"


@dataclass(frozen=True)
class TrackingPart:
    """Detections, tracks and truth of some frames, in dataset order.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        sequences: N names of sequences.
        frames: (N,) frame numbers, from 0.
        sizes: (N, 2) height and width in pixels, 0 where unknown.
        detected: N ``Detections`` without track ids; None where only tracks are known.
        found: N ``Detections`` with track ids; None while the tracker has not run.
        truth: N ``Detections`` with track ids; None where there is no truth at all.
        masked: whether masks of tracks and truth are stored.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    sequences: Sequence[str]
    frames: NDArray[np.int64]
    sizes: NDArray[np.int64]
    detected: Sequence[Detections] | None = None
    found: Sequence[Detections] | None = None
    truth: Sequence[Detections] | None = None
    masked: bool = False

    @property
    def nbytes(self) -> int:
        """What it holds, roughly."""
        sides = (self.detected, self.found, self.truth)
        return (88 + 200 * self.masked) * sum(len(d) for side in sides for d in side or ())

    def table(self) -> pa.Table:
        """As an Arrow table."""
        columns: dict[str, pa.Array] = {
            "index": pa.array(self.index, pa.int64()),
            "id": pa.array(list(self.ids), pa.string()),
            "sequence": pa.array(list(self.sequences), pa.string()),
            "frame": pa.array(self.frames, pa.int64()),
            "height": pa.array(self.sizes[:, 0], pa.int32()),
            "width": pa.array(self.sizes[:, 1], pa.int32()),
        }
        for side, images in ((DETECTED, self.detected), (FOUND, self.found), (TRUE, self.truth)):
            if images is not None:
                lists = object_lists(images, self.masked and side != DETECTED, tracked=side != DETECTED)
                columns |= {f"{side}_{name}": values for name, values in lists.items()}
        return pa.table(columns)

    @staticmethod
    def join(parts: Sequence[TrackingPart]) -> TrackingPart:
        """Several parts as one."""

        def joined(name: str) -> list[Any] | None:
            values = [getattr(p, name) for p in parts]
            return None if values[0] is None else [v for value in values for v in value]

        return TrackingPart(
            np.concatenate([p.index for p in parts]),
            joined("ids") or [],
            joined("sequences") or [],
            np.concatenate([p.frames for p in parts]),
            np.concatenate([p.sizes for p in parts]),
            joined("detected"),
            joined("found"),
            joined("truth"),
            parts[0].masked,
        )


def has_tracks(path: Path) -> bool:
    """Whether a stored file holds a tracker's answers, not only a detector's. Raises OSError, ArrowInvalid."""
    return f"{FOUND}_x0" in pq.read_schema(path).names


def without_tracks(table: pa.Table) -> pa.Table:
    """What the detector said, and the truth."""
    return table.select([name for name in table.column_names if not name.startswith(f"{FOUND}_")])


def _lists(table: pa.Table, name: str) -> pa.ListArray:
    column = table.column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _flat(table: pa.Table, name: str) -> NDArray[Any]:
    return _lists(table, name).flatten().to_numpy(zero_copy_only=False)


@dataclass(frozen=True, eq=False)
class Side:
    """One side of some frames in columns.

    Attributes:
        offsets: (F + 1,) where each frame's rows begin.
        xyxy, class_ids, scores, flags, tracks: (N, 4) and (N,) columns; ``tracks`` is -1 for detections.
        masks: N run lengths, or None.
    """

    offsets: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    flags: NDArray[np.uint8]
    tracks: NDArray[np.int64]
    masks: list[bytes] | None = None

    def frame(self, place: int, size: tuple[int, int] | None = None) -> Detections:
        """The objects of one frame: boxes, classes, scores and, if there are any, track ids."""
        rows = slice(int(self.offsets[place]), int(self.offsets[place + 1]))
        tracks = self.tracks[rows]
        known = bool(len(tracks)) and bool((tracks >= 0).all())
        return Detections(
            self.xyxy[rows], self.class_ids[rows], self.scores[rows], size=size, track_ids=tracks if known else None
        )


def side_of(table: pa.Table, side: str) -> Side | None:
    """One side of a stored table; None if it is not there."""
    if f"{side}_x0" not in table.column_names:
        return None
    classes = _lists(table, f"{side}_class")
    counts = classes.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    count = int(counts.sum())
    tracked = f"{side}_track" in table.column_names
    return Side(
        np.concatenate([[0], np.cumsum(counts)]),
        np.stack([_flat(table, f"{side}_x{i}").astype(np.float64) for i in range(4)], axis=1),
        _flat(table, f"{side}_class").astype(np.int64),
        _flat(table, f"{side}_score").astype(np.float64),
        _flat(table, f"{side}_flags").astype(np.uint8),
        _flat(table, f"{side}_track").astype(np.int64) if tracked else np.full(count, -1, np.int64),
        _lists(table, f"{side}_mask").flatten().to_pylist() if f"{side}_mask" in table.column_names else None,
    )


@dataclass(frozen=True, eq=False)
class StoredSequence:
    """A sequence as a run has it.

    Attributes:
        tracks: both sides; the truth is empty where there is none.
        known: whether there is a truth.
        index: (R,) dataset positions of the frames that are stored: those that could be read.
        frames: (R,) their numbers, from 0.
        ids: R sample ids.
        detected: (R,) how many boxes the detector gave; None if only tracks are known.
    """

    tracks: SequenceTracks
    known: bool
    index: NDArray[np.int64]
    frames: NDArray[np.int64]
    ids: Sequence[str]
    detected: NDArray[np.int64] | None = None


def stored_sequences(path: Path) -> Iterator[StoredSequence]:
    """Every sequence of a run, in the dataset's order.

    Raises:
        ValueError: the file does not hold tracks.
    """
    schema = pq.read_schema(path)
    if f"{FOUND}_x0" not in schema.names:
        raise ValueError("no tracks are stored")
    left = {f"{DETECTED}_{name}" for name in ("x0", "x1", "x2", "x3", "score", "area", "flags")}
    left |= {f"{FOUND}_area", f"{TRUE}_area"}
    table = pq.read_table(path, columns=[n for n in schema.names if n not in left])
    names = table.column("sequence").to_pylist()
    starts = [i for i in range(len(names)) if i == 0 or names[i] != names[i - 1]]
    for start, stop in zip(starts, [*starts[1:], len(names)], strict=True):
        yield _stored(table.slice(start, stop - start).combine_chunks(), names[start])


def _stored(table: pa.Table, name: str) -> StoredSequence:
    """One sequence's rows."""
    frames = table.column("frame").to_numpy().astype(np.int64)
    height, width = (int(table.column(k)[0].as_py()) for k in ("height", "width"))
    found, true = side_of(table, FOUND), side_of(table, TRUE)
    assert found is not None
    detected = _lists(table, f"{DETECTED}_class") if f"{DETECTED}_class" in table.column_names else None
    tracks = SequenceTracks(
        name,
        int(frames[-1]) + 1,
        Tracks.none() if true is None else _tracks(true, frames, role=True),
        _tracks(found, frames),
        (height, width) if height else None,
    )
    counts = None if detected is None else detected.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    index = table.column("index").to_numpy().astype(np.int64)
    return StoredSequence(tracks, true is not None, index, frames, table.column("id").to_pylist(), counts)


def _tracks(side: Side, frames: NDArray[np.int64], role: bool = False) -> Tracks:
    """A side's rows with their frames."""
    flags = side.flags  # both at once: a region
    roles = ((flags & IGNORE > 0) * DISTRACTOR + (flags & CROWD > 0) * ASIDE).astype(np.uint8)
    return Tracks(
        np.repeat(frames, np.diff(side.offsets)),
        side.tracks,
        side.class_ids,
        side.xyxy,
        None if role else side.scores,
        roles if role and roles.any() else None,
        side.masks,
    )
