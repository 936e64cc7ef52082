"""Outlines of many objects, polygons or run lengths, kept as columns and made into masks only when asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.errors import InputError

Say = Callable[[int], str]
"""How an error names an object, from its position."""


class Shapes:
    """Outlines of D objects: each some polygons, or a run-length mask.

    Attributes:
        coordinates: (K,) x, y, x, y, ... in pixels, of all polygons one after the other.
        polygon_ends: (P + 1,) where each polygon begins in ``coordinates``, and the end.
        object_ends: (D + 1,) where the polygons of each object begin, and the end.
        runs: the compressed run lengths of objects without polygons, by the object's position.
    """

    def __init__(
        self,
        coordinates: NDArray[np.float64],
        polygon_lengths: NDArray[np.int64],
        object_polygons: NDArray[np.int64],
        runs: dict[int, bytes] | None = None,
    ) -> None:
        self.coordinates = coordinates
        self.polygon_ends = np.concatenate([[0], np.cumsum(polygon_lengths)])
        self.object_ends = np.concatenate([[0], np.cumsum(object_polygons)])
        self.runs = runs or {}

    def __len__(self) -> int:
        return len(self.object_ends) - 1

    def mask(self, place: int, size: masks.Size) -> bytes:
        """One object's mask as run lengths, in an image of ``size`` (height, width)."""
        if place in self.runs:
            return self.runs[place]
        ends = self.polygon_ends[self.object_ends[place] : self.object_ends[place + 1] + 1].tolist()
        parts = [self.coordinates[a:b] for a, b in pairwise(ends)]
        return masks.from_polygons(parts, size)

    def areas(self) -> NDArray[np.float64]:
        """(D,) pixels: of polygons the sum of their areas (shoelace formula), as COCO's own files have it."""
        xy = self.coordinates.reshape(-1, 2)
        out = np.zeros(len(self))
        if len(xy):
            after = np.arange(1, len(xy) + 1)
            starts, ends = self.polygon_ends[:-1] // 2, self.polygon_ends[1:] // 2
            after[ends - 1] = starts
            cross = xy[:, 0] * xy[after, 1] - xy[after, 0] * xy[:, 1]
            each = np.abs(np.add.reduceat(cross, starts)) / 2
            np.add.at(out, self._owners(), each)
        for place, runs in self.runs.items():
            out[place] = masks.areas([runs], (1, 1))[0]  # the area does not depend on the size
        return out

    def boxes(self, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """(D, 4) xyxy around each object, in images of ``sizes`` (D, 2)."""
        xy = self.coordinates.reshape(-1, 2)
        out = np.zeros((len(self), 4))
        if len(xy):
            starts = (self.polygon_ends[:-1] // 2)[self.object_ends[:-1][np.diff(self.object_ends) > 0]]
            have = np.diff(self.object_ends) > 0
            out[have, :2] = np.minimum.reduceat(xy, starts)
            out[have, 2:] = np.maximum.reduceat(xy, starts)
        for place, runs in self.runs.items():
            out[place] = masks.boxes([runs], (int(sizes[place, 0]), int(sizes[place, 1])))[0]
        return out

    def hashed(self) -> Iterable[bytes]:
        """What a fingerprint is made of."""
        yield self.coordinates.tobytes()
        yield self.polygon_ends.astype("<i8").tobytes()
        yield self.object_ends.astype("<i8").tobytes()
        for place, runs in self.runs.items():
            yield b"%d:%s;" % (place, runs)

    def _owners(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self)), np.diff(self.object_ends))


def from_coco(segmentations: Sequence[Any], sizes: NDArray[np.int64], say: Say) -> Shapes:
    """COCO's ``segmentation`` of D objects: lists of polygons, or run lengths (compressed or not).

    Args:
        segmentations: as parsed from JSON.
        sizes: (D, 2) height and width of each object's image.
        say: names an object in errors.

    Raises:
        InputError: naming the object: no outline, a polygon of two points, a mask of another size, damaged runs.
    """
    polygons: list[Any] = []
    count = np.zeros(len(segmentations), np.int64)
    runs: dict[int, bytes] = {}
    for place, given in enumerate(segmentations):
        if type(given) is list and given:
            if type(given[0]) is not list:
                given = [given]  # one polygon, without the list around it
            polygons += given
            count[place] = len(given)
        elif type(given) is dict:
            runs[place] = _runs(given, (int(sizes[place, 0]), int(sizes[place, 1])), place, say)
        else:
            raise InputError(f"{say(place)} has no segmentation: add its polygons or run lengths")
    owner = np.repeat(np.arange(len(segmentations)), count)
    flat = _numbers(polygons, owner, say)
    lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
    fault = masks.polygon_fault(flat, lengths)
    if fault is not None:
        place = int(owner[fault[0]])
        number = fault[0] - int(np.searchsorted(owner, place)) + 1
        raise InputError(f"{say(place)}: polygon {number} {fault[1]}: correct or remove it")
    fault = masks.size_fault(np.maximum(sizes, 1))  # unknown ones, 0, do for polygons' areas and boxes
    if fault is not None:
        raise InputError(f"{say(fault[0])}: the mask {fault[1]}: correct the image's size")
    places = list(runs)
    fault = masks.first_fault(list(runs.values()), sizes[places])
    if fault is not None:
        raise InputError(f"{say(places[fault[0]])}: the mask {fault[1]}: write it for this image again")
    return Shapes(flat, lengths, count, runs)


def _numbers(polygons: list[Any], owner: NDArray[np.int64], say: Say) -> NDArray[np.float64]:
    """All coordinates one after the other."""
    flat = array("d")
    try:
        if set(map(type, polygons)) <= {list}:
            flat.extend(chain.from_iterable(polygons))
            return np.frombuffer(flat, np.float64) if len(flat) else np.empty(0)
    except (TypeError, OverflowError):
        pass
    for polygon, place in zip(polygons, owner.tolist(), strict=True):
        wrong = polygon if type(polygon) is not list else next((v for v in polygon if not _is_real(v)), None)
        if wrong is not None or type(polygon) is not list:
            raise InputError(f"{say(place)}: a polygon holds {_short(wrong)}, not numbers x, y, x, y, ...: correct it")
    raise InputError(f"{say(0)}: the polygons are not lists of numbers")


def _runs(given: dict[str, Any], size: masks.Size, place: int, say: Say) -> bytes:
    """Compressed run lengths as they are (still to be checked), others checked and compressed."""
    counts, own = given.get("counts"), given.get("size")
    if type(own) is not list or len(own) != 2 or not all(type(v) is int for v in own):
        raise InputError(f"{say(place)}: the mask's size is {_short(own)}, not [height, width]: correct it")
    if tuple(own) != size:
        raise InputError(
            f"{say(place)}: the mask is of another size, {own[0]} x {own[1]}, than its image, {size[0]} x {size[1]} "
            "(height x width): write it for this image again"
        )
    try:
        if type(counts) is list:
            return masks.from_runs(counts, size)
        if type(counts) is str:
            return counts.encode("utf-8", "surrogatepass")  # what is not ASCII fails the check
    except ValueError as error:
        raise InputError(f"{say(place)}: the mask {error}: write it for this image again") from error
    raise InputError(f"{say(place)}: the mask's counts are {_short(counts)}, not run lengths: write it again")


def _is_real(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
