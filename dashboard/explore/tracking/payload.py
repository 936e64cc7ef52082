"""A sequence as the player takes it: columns as base64, which the browser reads without parsing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dashboard.explore.overview import Data
from dashboard.explore.tracking.opened import Opened
from dashboard.metrics.tracking.columns import Tracks
from dashboard.metrics.tracking.story import Story

MOST_PANES = 4


def packed(values: ArrayLike, kind: str) -> str:
    """An array as base64 of little-endian ``kind`` ("u2", "i4", "f4", ...); numbers that do not fit are cut."""
    array: NDArray[Any] = np.asarray(values)
    target = np.dtype(f"<{kind}" if kind[1:] != "1" else kind)
    if target.kind in "iu":
        limits = np.iinfo(target)
        array = np.clip(array, limits.min, limits.max)
    return base64.b64encode(np.ascontiguousarray(array).astype(target).tobytes()).decode("ascii")


def tracks_value(
    views: Sequence[Opened],
    sequence: str,
    agnostic: bool = False,
    fps: float | None = None,
    times: NDArray[np.float64] | None = None,
    size: tuple[int, int] | None = None,
    video: Mapping[str, Any] | None = None,
    note: Any = None,
    frames: int = 0,
    others: Sequence[Data] = (),
) -> Data:
    """What ``TracksView`` shows of one sequence.

    Args:
        views: runs on the same data.
        sequence: its name.
        agnostic: whether boxes of different classes may match.
        fps: of the video.
        times: (F,) seconds at which the video shows each frame, or None for an even rate.
        size: (height, width) of its pictures; taken from the boxes where nobody knows.
        video: Gradio's file data, or None.
        note: a sentence, or a key of one.
        frames: how many the sequence has; those that the runs have seen, if that is more.
        others: panes made elsewhere, after those of the runs; four are shown in all.
    """
    at = [(v, v.place(sequence) if v.has(sequence) else None) for v in views[:MOST_PANES]]
    stored = [v.sequences[k] for v, k in at if k is not None]
    frames = max([frames, *(s.tracks.frames for s in stored)])
    height, width = (
        size
        or next((s.tracks.size for s in stored if s.tracks.size), None)
        or _extent([side for s in stored for side in (s.tracks.found, s.tracks.truth)])
    )
    known = [s.tracks for s in stored if s.known]
    truth = max(known, key=lambda tracks: tracks.frames).truth if known else None  # a run may have stopped earlier
    panes = [*(_unseen(v) if k is None else _pane(v, k, frames, agnostic) for v, k in at), *others]
    panes = panes[:MOST_PANES]
    return {
        "key": f"{sequence} {int(agnostic)} {' '.join(p['title'] for p in panes)} {' '.join(v.run.id for v in views)}",
        "title": sequence,
        "frames": frames,
        "first": 1,
        "width": width,
        "height": height,
        "fps": fps or 25.0,
        "times": None if times is None else packed(times, "f8"),
        "video": video,
        "note": note,
        "class_names": list(views[0].names) if views else [],
        "truth": None if truth is None else _objects(truth, frames),
        "panes": panes,
        "seek": None,
        "mark": None,
    }


def _objects(tracks: Tracks, frames: int) -> Data:
    """One side's boxes."""
    return {
        "offsets": packed(tracks.offsets(frames), "u4"),
        "box": packed(tracks.xyxy, "f4"),
        "id": packed(tracks.ids, "i4"),
        "class": packed(tracks.class_ids, "u2"),
        "score": None if tracks.scores is None else packed(np.round(tracks.scores * 255), "u1"),
        "role": None if tracks.role is None else packed(tracks.role, "u1"),
    }


def _unseen(view: Opened) -> Data:
    """A run that ended before this sequence."""
    return {"title": view.label, "run": view.run.id, "found": None, "error": "ui.trk.unseen"}


def _pane(view: Opened, place: int, frames: int, agnostic: bool) -> Data:
    """One run's boxes, its numbers over time, lanes and events."""
    stored = view.sequences[place]
    pane: Data = {
        "title": view.label,
        "run": view.run.id,
        "found": _objects(stored.tracks.found, frames),
        "stages": stages_of(view.run.timing),
        "fps": view.run.metrics.get("FPS"),
        "match": None,
        "missed": None,
        "events": None,
        "error": None,
    }
    if not stored.known:
        return pane | _loose(stored.tracks.found, frames)
    told = view.story(place, agnostic)
    counts = {name: packed(_padded(getattr(told, name), frames), "u2") for name in ("tp", "fp", "fn", "idsw")}
    return pane | {
        "match": packed(told.found_match, "i4"),
        "missed": packed(told.truth_match == -1, "u1"),
        "series": counts | {"mota": packed(_padded(told.mota, frames), "f4")},
        "lanes": _lanes(told),
        "events": {
            "frame": packed(told.events.frame, "i4"),
            "kind": packed(told.events.kind, "u1"),
            "true": packed(told.events.identity, "i4"),
            "from": packed(told.events.before, "i4"),
            "to": packed(told.events.after, "i4"),
        },
    }


def _lanes(told: Story) -> list[Data]:
    """One a true identity, by first appearance: stretches in which the same found identity has it, or nobody."""
    lanes = told.lanes
    ends = np.searchsorted(lanes.lane, np.arange(len(lanes.identity) + 1))
    segments = np.stack([lanes.start, lanes.stop, lanes.holder], axis=1)
    order = np.argsort(lanes.start[ends[:-1]], kind="stable") if len(lanes.identity) else np.empty(0, np.int64)
    return [
        {
            "id": int(lanes.identity[k]),
            "class": int(lanes.class_id[k]),
            "segments": packed(segments[ends[k] : ends[k + 1]], "i4"),
        }
        for k in order
    ]


def _loose(found: Tracks, frames: int) -> Data:
    """Without a truth: how many there are, when they come and go, and a lane for each."""
    order = np.lexsort((found.frame, found.ids))
    ids, when = found.ids[order], found.frame[order]
    begins = np.flatnonzero(np.diff(ids, prepend=np.iinfo(np.int64).min))
    ends = np.append(begins[1:], len(ids))[: len(begins)]
    born = np.bincount(when[begins], minlength=frames) if len(ids) else np.zeros(frames, int)
    ended = np.bincount(when[ends - 1], minlength=frames) if len(ids) else np.zeros(frames, int)
    lanes = []
    for start, stop in sorted(zip(begins.tolist(), ends.tolist(), strict=True), key=lambda p: int(when[p[0]])):
        mine = when[start:stop]
        breaks = np.flatnonzero(np.diff(mine) > 1)
        firsts, lasts = np.append(mine[0], mine[breaks + 1]), np.append(mine[breaks], mine[-1]) + 1
        segments = np.stack([firsts, lasts, np.full(len(firsts), ids[start])], axis=1)
        classes = found.class_ids[order[start:stop]]
        most = int(np.bincount(classes).argmax())
        lanes.append({"id": int(ids[start]), "class": most, "segments": packed(segments, "i4")})
    count = np.bincount(found.frame, minlength=frames)
    return {
        "series": {"count": packed(count, "u2"), "born": packed(born, "u2"), "ended": packed(ended, "u2")},
        "lanes": lanes,
    }


def stages_of(timing: Mapping[str, Any]) -> dict[str, float] | None:
    """Milliseconds a frame: decode, detect and track; None if no model ran."""
    stages = timing.get("stages_ms") or {}
    frames = timing.get("frames")
    if not stages or not frames:
        return None
    found = {"detect": sum(stages.get(k, 0.0) for k in ("preprocess", "forward", "postprocess"))}
    if stages.get("decode") is not None:
        found = {"decode": float(stages["decode"])} | found
    return found | {"track": 1e3 * float(timing.get("track_s") or 0.0) / frames}


def _padded(values: NDArray[Any], frames: int) -> NDArray[Any]:
    """A run that stops earlier goes on with its last value, or with nothing."""
    missing = frames - len(values)
    if missing <= 0:
        return values
    last = values[-1] if values.dtype.kind == "f" and len(values) else 0
    return np.concatenate([values, np.full(missing, last, values.dtype)])


def _extent(sides: Sequence[Tracks]) -> tuple[int, int]:
    """A stage that all boxes fit on."""
    ends = [side.xyxy[:, 2:].max(axis=0) for side in sides if len(side)]
    if not ends:
        return 480, 640
    width, height = np.maximum.reduce(ends)
    return int(np.ceil(height)) + 8, int(np.ceil(width)) + 8
