"""Pairs of a detection and a truth in the same image, and how much they overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.metrics.detection.columns import DetectionBatch, Floats, Ints, Kind, Objects, runs

PAIRS_AT_ONCE = 1 << 15  # what stays in a core's cache
DIGITS = 9


def boxes(xyxy: Floats) -> Floats:
    """(5, N) left, top, right, bottom and area.

    Sides are rounded to 1e-9 px, so that a width written in decimals comes back as it was written after x + w - x:
    areas and ties are then those of tools that keep boxes as x, y, w, h.
    """
    sides = np.round(xyxy[:, 2:] - xyxy[:, :2], DIGITS)
    return np.stack([*xyxy.T, sides[:, 0] * sides[:, 1]])


def box_iou(
    found: Floats, truth: Floats, d: Ints, g: Ints, crowd: NDArray[np.bool_] | None
) -> tuple[Ints, Ints, Floats]:
    """The pairs (d, g) that overlap, and how much: intersection over union, or over the detection's own area where the
    truth is a crowd.

    Args:
        found: ``boxes`` of detections.
        truth: ``boxes`` of truth.
        d: (P,) places of detections.
        g: (P,) places of truth.
        crowd: a flag a truth, or None if there are no crowds.
    """
    width = np.minimum(found[2][d], truth[2][g])
    width -= np.maximum(found[0][d], truth[0][g])
    near = np.flatnonzero(width > 0)
    d, g, width = d[near], g[near], width[near]
    height = np.minimum(found[3][d], truth[3][g])
    height -= np.maximum(found[1][d], truth[1][g])
    near = np.flatnonzero(height > 0)
    d, g = d[near], g[near]
    own, other = found[4][d], truth[4][g]
    shared = width[near]
    shared *= height[near]
    union = own + other
    union -= shared
    if crowd is not None:
        union = np.where(crowd[g], own, union)
    shared /= union
    return d, g, shared


def blocks(first: Ints, count: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Every pair (row i, ``first[i]`` ... ``first[i] + count[i] - 1``), a bounded number at a time, rows in order."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIRS_AT_ONCE, "right")))
        n = count[start:stop]
        total = int(n.sum())
        if total:
            rows = np.repeat(np.arange(start, stop), n)
            offset = np.repeat(first[start:stop] - (np.cumsum(n) - n), n)
            yield rows, offset + np.arange(total)
        start = stop


def ranges(keys: Ints, among: Ints) -> tuple[Ints, Ints]:
    """For each of the ascending ``keys``: where its run begins in the ascending ``among``, and how long it is."""
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    new = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    unique = keys[new]
    low, high = np.searchsorted(among, unique, "left"), np.searchsorted(among, unique, "right")
    often = np.diff(np.append(new, len(keys)))
    return np.repeat(low, often), np.repeat(high - low, often)


def own_areas(objects: Objects, sizes: NDArray[np.int64], kind: Kind) -> Floats:
    """(D,) pixels of each object: as given, else its mask's (segm) or its box's."""
    if not np.isnan(objects.areas).any():
        return objects.areas
    own = box_areas(objects.xyxy) if kind == "bbox" else mask_areas(objects, sizes)
    return np.where(np.isnan(objects.areas), own, objects.areas)


def box_areas(xyxy: Floats) -> Floats:
    """(N,) pixels of each box, as ``boxes`` has them."""
    parts = [boxes(xyxy[i : i + PAIRS_AT_ONCE])[4].copy() for i in range(0, len(xyxy), PAIRS_AT_ONCE)]
    return np.concatenate([np.empty(0), *parts])


def mask_areas(objects: Objects, sizes: NDArray[np.int64]) -> Floats:
    """(D,) pixels of each mask."""
    found = objects.masks
    if found is None:
        raise ValueError("masks are needed, but there are only boxes")
    out = np.empty(len(objects))
    for image, start, stop in runs(objects.image):
        out[start:stop] = masks.areas(found[start:stop], (int(sizes[image, 0]), int(sizes[image, 1])))
    return out


def mask_iou(batch: DetectionBatch, d: Ints, g: Ints, crowd: NDArray[np.bool_] | None) -> Floats:
    """(P,) overlap of the masks of pairs, image by image."""
    found, truth = batch.found.masks, batch.truth.masks
    if found is None or truth is None:
        raise ValueError("masks are needed on both sides, but there are only boxes")
    out = np.zeros(len(d))
    if not len(d):
        return out
    group = batch.found.image[d]
    if (batch.found.classes[d] == batch.truth.classes[g]).all():
        group = group + batch.truth.classes[g] * len(batch)
    order = np.argsort(group, kind="stable")
    for number, start, stop in runs(group[order]):
        here = order[start:stop]
        size = batch.sizes[number % len(batch)].tolist()
        rows, row = _numbered(d[here].tolist())
        cols, col = _numbered(g[here].tolist())
        flags = None if crowd is None else crowd[cols]
        first, second = ([m[i] for i in at] for m, at in ((found, rows), (truth, cols)))
        out[here] = masks.iou(first, second, (size[0], size[1]), flags)[row, col]
    return out


def _numbered(places: Sequence[int]) -> tuple[list[int], list[int]]:
    """The different ones as they come, and where each of ``places`` is among them."""
    at = {place: i for i, place in enumerate(dict.fromkeys(places))}
    return list(at), [at[place] for place in places]
