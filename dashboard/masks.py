"""Instance masks as COCO's compressed run lengths: column-major runs, a few bytes a mask instead of a picture.

The coding and the rasterising of polygons are pycocotools', so that they are COCO's to the pixel; the overlap of masks
is that of ultrafast-pycocotools where it is installed, which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

try:  # the same numbers in half the time
    from ultrafast_pycocotools.mask import iou as overlap
except ImportError:
    overlap = coco.iou

Size = tuple[int, int]
MOST_AREAS = 200  # pycocotools' area overflows from 256 masks on, under numpy 2
_PIECE = 400_000  # bytes of run lengths checked in one go
_MOST_PIXELS = 1 << 28  # 16384 x 16384: what can be unpacked without harm
_FAR = 1e8  # coordinates are 32-bit numbers after five-fold magnification
_MOST_DIGITS = 6  # of a number in compressed run lengths, more than one: 35 bits
_LONGEST = 4_000_000  # pixels of outline, each of which takes 60 bytes while a polygon is filled


def encode(masks: NDArray[np.bool_] | NDArray[np.uint8]) -> list[bytes]:
    """(N, H, W) masks, true where the object is, to N run lengths."""
    stacked = np.asfortranarray(np.asarray(masks).astype(np.uint8, copy=False).transpose(1, 2, 0))
    return [r["counts"] for r in coco.encode(stacked)] if stacked.shape[2] else []


def decode(masks: Sequence[bytes], size: Size) -> NDArray[np.bool_]:
    """N run lengths of images of ``size`` (height, width) to (N, H, W) bool."""
    if not len(masks):
        return np.zeros((0, *size), bool)
    return coco.decode(_dicts(masks, size)).transpose(2, 0, 1).astype(bool)


def from_polygons(polygons: Sequence[Sequence[float] | NDArray[np.float64]], size: Size) -> bytes:
    """One object's polygons (x, y, x, y, ... in pixels, three points or more each) as one mask, as COCO fills them.

    Raises:
        ValueError: naming the polygon and what is wrong with it.
    """
    _check_size(size)
    if not len(polygons):
        raise ValueError("there is no polygon")
    parts = [np.asarray(polygon, np.float64) for polygon in polygons]
    fault = polygon_fault(np.concatenate([p.reshape(-1) for p in parts]), np.array([p.size for p in parts]))
    if fault is not None:
        raise ValueError(f"polygon {fault[0] + 1} {fault[1]}")
    return coco.merge(coco.frPyObjects(parts, *size))["counts"]


def polygon_fault(coordinates: NDArray[np.float64], lengths: NDArray[np.int64]) -> tuple[int, str] | None:
    """The first of many polygons that cannot be filled, and why.

    Args:
        coordinates: (K,) x, y, x, y, ... of all polygons, one after the other.
        lengths: (P,) how many of them belong to each.

    Returns:
        Its position and what is wrong, to be put behind "the polygon", or None if all are good.
    """
    odd = np.flatnonzero((lengths < 6) | (lengths % 2 == 1))
    if len(odd):
        count = int(lengths[odd[0]])
        many = f"{count // 2} point{'s' * (count // 2 != 1)}"
        return int(odd[0]), f"has {many}, not three or more" if count % 2 == 0 else f"has {count} numbers, not pairs"
    if not len(lengths):
        return None
    owner = np.repeat(np.arange(len(lengths)), lengths)
    wild = np.flatnonzero(~(np.abs(coordinates) < _FAR))
    if len(wild):
        return int(owner[wild[0]]), f"has the coordinate {coordinates[wild[0]]:g}"
    steps = np.abs(np.diff(coordinates.reshape(-1, 2), axis=0, append=0)).max(axis=1)
    ends = np.cumsum(lengths) // 2
    steps[ends - 1] = 0
    long = np.flatnonzero(np.add.reduceat(steps, ends - lengths // 2) > _LONGEST)
    return (int(long[0]), f"is more than {_LONGEST:,} pixels long") if len(long) else None


def from_runs(counts: Sequence[int], size: Size) -> bytes:
    """COCO's uncompressed run lengths. Raises ValueError unless they are whole numbers that add up to the image."""
    _check_size(size)
    if any(type(run) is not int or run < 0 for run in counts):
        raise ValueError("has runs that are no whole numbers from 0")
    if sum(counts) != size[0] * size[1]:
        raise ValueError(_other_size(sum(counts), size))
    return coco.frPyObjects({"counts": list(counts), "size": list(size)}, *size)["counts"]


def size_fault(sizes: NDArray[np.int64]) -> tuple[int, str] | None:
    """The first of (N, 2) heights and widths that a mask cannot have, and why, to be put behind "the mask"."""
    large = np.flatnonzero((sizes < 1).any(axis=1) | (sizes.astype(float).prod(axis=1) >= _MOST_PIXELS))
    if not len(large):
        return None
    height, width = sizes[large[0]].tolist()
    return int(large[0]), f"is of {height:,} x {width:,} pixels (height x width), which no picture here can have"


def first_fault(masks: Sequence[bytes], sizes: Size | NDArray[np.int64]) -> tuple[int, str] | None:
    """The first of many run lengths from outside that is damaged or of another size, and why.

    Such must never reach pycocotools, which reads and writes past its memory then. All are decoded here with numpy:
    characters "0" to "o" carry five bits each and a flag that more follow, the lowest first; a number is signed, and
    from the fourth on the difference to the one before the last.

    Args:
        masks: N compressed run lengths.
        sizes: (height, width) of all, or (N, 2) of each.

    Returns:
        Its position and what is wrong, to be put behind "the mask", or None if all are good.
    """
    if not len(masks):
        return None
    pixels = np.broadcast_to(np.asarray(sizes, np.int64).reshape(-1, 2), (len(masks), 2))
    wrong = size_fault(pixels)
    if wrong is not None:
        return wrong
    lengths = np.fromiter(map(len, masks), np.int64, len(masks))
    bounds = np.flatnonzero(np.diff(np.cumsum(lengths) // _PIECE, prepend=-1)).tolist()
    for start, stop in zip(bounds, [*bounds[1:], len(masks)], strict=True):
        fault = _fault(b"".join(masks[start:stop]), lengths[start:stop], pixels[start:stop])
        if fault is not None:
            return start + fault[0], fault[1]
    return None


def areas(masks: Sequence[bytes], size: Size) -> NDArray[np.float64]:
    """(N,) pixels of each mask."""
    pieces = [_dicts(masks[i : i + MOST_AREAS], size) for i in range(0, len(masks), MOST_AREAS)]
    return np.concatenate([np.empty(0), *(np.asarray(coco.area(p), np.float64).reshape(-1) for p in pieces)])


def union(masks: Sequence[bytes], size: Size) -> bytes:
    """The pixels of one mask or several as one."""
    return coco.merge(_dicts(masks, size))["counts"]


def boxes(masks: Sequence[bytes], size: Size) -> NDArray[np.float64]:
    """(N, 4) xyxy boxes tight around each mask; zeros for an empty one."""
    if not len(masks):
        return np.empty((0, 4))
    xywh = np.asarray(coco.toBbox(_dicts(masks, size)), np.float64).reshape(-1, 4)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def iou(
    first: Sequence[bytes], second: Sequence[bytes], size: Size, crowd: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """(N, M) intersection over union; over the first's own area where the second is a crowd (M,)."""
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)))
    flags = np.zeros(len(second), np.uint8) if crowd is None else np.asarray(crowd, np.uint8)
    return np.asarray(overlap(_dicts(first, size), _dicts(second, size), flags.tolist()))


def _dicts(masks: Sequence[bytes], size: Size) -> list[dict[str, Any]]:
    """As pycocotools takes them."""
    return [{"size": list(size), "counts": m} for m in masks]


def _check_size(size: Size) -> None:
    if min(size) < 1 or size[0] * size[1] >= _MOST_PIXELS:
        raise ValueError(f"of {size[0]:,} x {size[1]:,} pixels (height x width) is empty or too large to be read")


def _other_size(total: int, size: Sequence[int]) -> str:
    height, width = size
    return (
        f"is of another size: its runs add up to {total:,} pixels, the image has {height} x {width} = "
        f"{height * width:,} (height x width)"
    )


def _fault(data: bytes, lengths: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[int, str] | None:
    """As ``first_fault``, of a piece whose run lengths are joined."""
    codes = np.frombuffer(data, np.uint8) - np.uint8(48)
    stops = np.cumsum(lengths)
    damaged = lengths == 0
    damaged[np.searchsorted(stops, np.flatnonzero(codes > 63), "right")] = True
    damaged[~damaged] |= codes[stops[~damaged] - 1] > 31  # the end says that more follows
    ends = np.flatnonzero(codes < 32)  # of the numbers
    begins = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    damaged[np.searchsorted(stops, begins[ends - begins > _MOST_DIGITS], "right")] = True
    count = int(damaged.argmax()) if damaged.any() else len(lengths)
    if count:
        used = int(np.searchsorted(ends, stops[count - 1]))
        values = _numbers(codes, begins[:used], ends[:used])
        first = np.searchsorted(begins[:used], stops[:count] - lengths[:count])
        found = _sum_fault(values, first, sizes[:count])
        if found is not None:
            return found
    return (count, "has damaged run lengths") if count < len(lengths) else None


def _numbers(codes: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers whose five-bit digits, the lowest first, are between ``begins`` and ``ends``, both included."""
    digits = ends - begins
    top = codes[ends].astype(np.int64)
    values = (top - ((top & 0x10) << 1)) << (5 * digits)
    which = np.flatnonzero(digits)
    for digit in range(int(digits.max(initial=0))):
        values[which] += (codes[begins[which] + digit] & 0x1F).astype(np.int64) << (5 * digit)
        which = which[digits[which] > digit + 1]
    return values


def _sum_fault(values: NDArray[np.int64], first: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[int, str] | None:
    """The first of some masks, whose numbers begin at ``first``, that has a negative run or is of another size."""
    count = np.diff(first, append=len(values))
    order = np.arange(len(values)) - np.repeat(first, count)
    odd = (order & 1).astype(bool)
    later = order > 0
    runs = values.copy()
    for chain in (odd, ~odd & later):
        summed = np.cumsum(values * chain)
        runs[chain] = (summed - np.repeat(summed[first], count))[chain]
    wild = (runs < 0) | (runs >= _MOST_PIXELS)
    runs[wild] = 0
    damaged = np.add.reduceat(wild, first) > 0
    totals = np.add.reduceat(runs, first)
    wrong = damaged | (totals != sizes.prod(axis=1))
    if not wrong.any():
        return None
    place = int(wrong.argmax())
    if damaged[place]:
        return place, "has damaged run lengths"
    return place, _other_size(int(totals[place]), sizes[place].tolist())


def run_ends(packed: Sequence[bytes]) -> list[NDArray[np.int64]]:
    """Where each run ends, counted in pixels down the columns; the first run is background."""
    lengths = np.fromiter(map(len, packed), np.int64, len(packed))
    codes = np.frombuffer(b"".join(packed), np.uint8) - np.uint8(48)
    ends = np.flatnonzero(codes < 32)
    begins = np.concatenate([[0], ends[:-1] + 1])
    values = _numbers(codes, begins, ends)
    first = np.searchsorted(begins, np.cumsum(lengths) - lengths)
    out = []
    for numbers in np.split(values, first[1:]):
        runs = numbers.copy()
        runs[1::2] = np.cumsum(numbers[1::2])  # from the fourth on, each is the difference to the one before the last
        runs[2::2] = np.cumsum(numbers[2::2])
        out.append(np.cumsum(runs))
    return out
