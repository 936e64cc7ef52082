"""Small sequences for tests of tracking metrics: boxes that wander, a tracker that errs in every way it can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.metrics.tracking.columns import SequenceTracks, Tracks

Row = Sequence[float]
"""(frame from 0, identity, left, top, width, height[, class[, role]])"""


def tracks(rows: Sequence[Row] | np.ndarray, roles: bool = False) -> Tracks:
    """Rows, in any order of frames, as one side of a sequence."""
    table = np.zeros((0, 8)) if not len(rows) else np.array([[*row, *([0] * (8 - len(row)))] for row in rows], float)
    table = table[np.argsort(table[:, 0], kind="stable")]
    xyxy = table[:, 2:6].copy()
    xyxy[:, 2:] += xyxy[:, :2]
    frame, ids, classes, role = (table[:, k].astype(np.int64) for k in (0, 1, 6, 7))
    return Tracks(frame, ids, classes, xyxy, role=role.astype(np.uint8) if roles else None)


def sequence(truth: Sequence[Row], found: Sequence[Row], frames: int, roles: bool = False) -> SequenceTracks:
    """A sequence of rows."""
    return SequenceTracks("s", frames, tracks(truth, roles), tracks(found))


def line(
    held: str, place: float = 0, identity: int | None = None, size: float = 10, shift: float = 0, class_id: int = 0
) -> list[tuple[float, ...]]:
    """Rows of a box that stands still: one character a frame, ``.`` for none, otherwise its identity.

    Args:
        held: "11.2" is identity 1 in frames 0 and 1, 2 in frame 3.
        place: left edge.
        identity: instead of the characters'.
        size: of its sides.
        shift: added to the left edge; a quarter of ``size`` makes an IoU of 0.6 with the box at ``place``.
        class_id: of all rows.
    """
    return [
        (f, int(c) if identity is None else identity, place + shift, 0, size, size, class_id)
        for f, c in enumerate(held)
        if c != "."
    ]


def wandering(
    seed: int, frames: int = 12, objects: int = 4, classes: int = 1, whole: bool = False, roles: bool = False
) -> SequenceTracks:
    """Objects on a small field, followed by a tracker with misses, swaps, ghosts and identities used again.

    Args:
        seed: of everything.
        frames: F.
        objects: true identities.
        classes: their classes, the tracker's are sometimes wrong.
        whole: coordinates are small whole numbers: many overlaps are exactly the same.
        roles: some truth is a distractor, or stands aside.
    """
    rng = np.random.default_rng(seed)
    truth: list[Row] = []
    found: list[Row] = []
    empty = rng.random(frames) < 0.15
    silent = rng.random(frames) < 0.15
    field, side = (6, 4) if whole else (60.0, 20.0)
    for g in range(objects):
        at = rng.uniform(0, field, 2)
        kind, role = int(rng.integers(classes)), int(rng.integers(3)) if roles and rng.random() < 0.5 else 0
        held = int(rng.integers(1, objects + 2))
        for f in range(frames):
            at = at + rng.normal(0, side / 10, 2)
            if rng.random() < 0.15 or empty[f]:
                continue
            box = [*at, side, side * 1.5]
            seen = [b + rng.normal(0, side / 8) for b in box]
            if whole:
                box, seen = np.round(box), np.maximum(np.round(seen), [-99, -99, 1, 1])
            truth.append((f, g * 3 + 1, *box, kind, role))
            if rng.random() < 0.1:
                held = int(rng.integers(1, objects + 2))
            if rng.random() < 0.85 and not silent[f] and all(r[:2] != (f, held) for r in found):
                found.append((f, held, *seen, kind if rng.random() < 0.9 else int(rng.integers(classes)), 0))
    for f in range(frames):
        ghost = 50 + int(rng.integers(3))
        if rng.random() < 0.3 and not silent[f]:
            found.append((f, ghost, *rng.integers(0, int(field), 2), side, side, int(rng.integers(classes)), 0))
    order = rng.permutation(len(truth)).tolist()
    return SequenceTracks(f"s{seed}", frames, tracks([truth[k] for k in order], roles), tracks(found))


def several(count: int, classes: int, seed: int = 0) -> list[SequenceTracks]:
    """Some sequences, one of them without truth, one in which nothing is found, one in which nothing is."""
    made = [
        wandering(seed + k, frames=6 + k % 5, objects=2 + k % 4, classes=classes, roles=k % 3 == 0)
        for k in range(count)
    ]
    for k, (no_truth, no_found) in enumerate([(True, False), (False, True), (True, True)], 1):
        if k < count - 1:
            s = made[k]
            made[k] = SequenceTracks(
                s.name, s.frames, Tracks.none() if no_truth else s.truth, Tracks.none() if no_found else s.found
            )
    return made
