"""A film that was watched, as a pane of the track player."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.sequences import SequenceInfo
from dashboard.watching_parts import LABELS
from dashboard.watching_stability import DetectionStability, LabelStability
from dashboard.watching_stored import LEAST_SCORE, Watched


def pane(watched: Watched, start: int, stop: int, least_score: float = LEAST_SCORE) -> dict[str, Any]:
    """A pane of the track player with some frames: labels with bars over the picture, or boxes.

    Boxes are coloured by their chain of links from frame to frame, which is no tracker: a blink begins a new one.

    Args:
        watched: the answers.
        start: of a sequence, ``SequenceInfo.start``: a dataset position.
        stop: likewise; the first position that is not in it.
        least_score: 0..1, of the boxes that are shown and linked.

    Returns:
        Plain JSON values; arrays as base64 of little-endian values. Frames that could not be read have no boxes, and
        labels of score 0.
    """
    if not 0 <= start <= stop:
        raise ValueError(f"start and stop must be ascending positions, got {start} and {stop}")
    rows = np.arange(*np.searchsorted(watched.index, [start, stop]))
    places, frames = watched.index[rows] - start, stop - start
    each = watched.timing.get("frame_ms") or {}
    model = (each.get("preprocess") or 0) + (each.get("model") or 0)
    stages = {"decode": each.get("read") or 0, "detect": model, "track": 0.0} if each else None
    where = watched, rows, places, frames
    shown = _labels(*where) if watched.kind == LABELS else _boxes(*where, least_score)
    common: dict[str, Any] = {"match": None, "missed": None, "lanes": [], "events": None, "error": None}
    return {"title": watched.model, "stages": stages, "fps": watched.timing.get("throughput_per_s")} | common | shown


def value(
    watched: Sequence[Watched],
    sequence: SequenceInfo,
    size: tuple[int, int],
    video: Mapping[str, Any] | None = None,
    note: str | None = None,
    times: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """What ``TracksView`` shows of a sequence that one or several models were run over: labels and boxes may be mixed.

    Args:
        watched: up to four, on the same data.
        sequence: which; all of it is shown, also frames that were not watched.
        size: (height, width) of its pictures in pixels.
        video: Gradio's file data, or None.
        note: a sentence, or a key of one.
        times: (F,) seconds at which ``video`` shows each frame; None for those of the sequence.
    """
    shown = sequence.times if times is None else times
    boxed = [w.class_names for w in watched if w.kind != LABELS]
    return {
        "key": f"{sequence.name} {' '.join(w.id for w in watched)}",
        "title": sequence.name,
        "frames": len(sequence),
        "first": 1,
        "width": size[1],
        "height": size[0],
        "fps": sequence.fps or 25.0,
        "times": None if shown is None else _b64(np.asarray(shown, np.float64)),
        "video": video,
        "note": note,
        "class_names": list(boxed[0]) if boxed else [],
        "truth": None,
        "panes": [pane(w, sequence.start, sequence.stop) for w in watched],
        "seek": None,
        "mark": None,
    }


def _labels(watched: Watched, rows: NDArray[np.int64], places: NDArray[np.int64], frames: int) -> dict[str, Any]:
    """Of a classifier; only names that occur travel."""
    labels, steady = watched.labels, watched.stability()
    assert isinstance(steady, LabelStability)
    used, own = np.unique(labels.top[rows], return_inverse=True)
    width = labels.top.shape[1]
    top, score = np.zeros((frames, width), np.uint16), np.zeros((frames, width), np.uint8)
    top[places] = own.reshape(-1, width)
    score[places] = np.rint(255 * np.clip(labels.score[rows], 0, 1))
    confidence, changed = np.full(frames, np.nan, np.float32), np.zeros(frames, np.uint8)
    confidence[places] = labels.score[rows, 0]
    changed[places] = steady.changed[rows]
    names = [watched.class_names[i] for i in used]
    return {
        "found": None,
        "labels": {"names": names, "top": _b64(top), "score": _b64(score), "k": width},
        "series": {"confidence": _b64(confidence), "changed": _b64(changed)},
    }


def _boxes(
    watched: Watched, rows: NDArray[np.int64], places: NDArray[np.int64], frames: int, least_score: float
) -> dict[str, Any]:
    """Of a detector."""
    steady, boxes = watched.stability(least_score), watched.boxes(least_score)
    assert isinstance(steady, DetectionStability)
    found, chains = [boxes[i] for i in rows], [steady.chains[i] for i in rows]
    counts = np.zeros(frames, np.int64)
    counts[places] = [len(d) for d in found]
    ids = _joined(chains, np.int32)
    place = np.repeat(places, counts[places])
    first, last = np.full(int(ids.max(initial=0)) + 1, frames), np.full(int(ids.max(initial=0)) + 1, -1)
    np.minimum.at(first, ids, place)
    np.maximum.at(last, ids, place)
    born, ended = (np.bincount(v[(v >= 0) & (v < frames)], minlength=frames) for v in (first, last))
    return {
        "found": {
            "offsets": _b64(np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)),
            "box": _b64(_joined([d.xyxy.ravel() for d in found], np.float32)),
            "id": _b64(ids),
            "class": _b64(_joined([d.class_ids for d in found], np.uint16)),
            "score": _b64(np.rint(255 * _joined([d.scores for d in found], np.float64)).astype(np.uint8)),
            "role": None,
        },
        "labels": None,
        "series": {n: _b64(v.astype(np.uint16)) for n, v in (("count", counts), ("born", born), ("ended", ended))},
    }


def _joined(arrays: Sequence[Any], kind: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0), *arrays]).astype(kind)


def _b64(values: NDArray[Any]) -> str:
    """An array as the browser reads it."""
    return base64.b64encode(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()).decode()
