"""Large pictures piece by piece: overlapping tiles of which only the inner parts are kept, so that no seam shows.

Tiles begin at multiples of what the network's sides have to be multiples of, so that its grid lies in a tile as it lies
in the whole picture. Two neighbours share at least ``overlap`` pixels and meet in the middle of them: where a network
sees no farther than half the overlap around a pixel, the result is that of the whole picture. What a picture lacks for
a full size is mirrored at its lower and right edge, by places and not by a copy. The answer is written tile by tile
into 8 bits, so memory beyond it does not grow with the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError

SETTINGS = ("overlap", "tile")
LARGEST, SMALLEST = 16384, 16  # pixels of a tile's side
OVERLAP = 64  # pixels that neighbours share unless told otherwise
_CPU, _CUDA = 512, 1024  # pixels of a tile's side for networks that keep the size
Size = tuple[int, int]  # (height, width) in pixels


@dataclass(frozen=True)
class Sizes:
    """What a network wants its input's sides to be.

    Attributes:
        multiple: of which they are multiples, in pixels.
        minimum: that they reach, in pixels.
        square: whether height and width are the same.
    """

    multiple: int = 1
    minimum: int = 0
    square: bool = False

    def fit(self, length: int) -> int:
        """The shortest side that takes ``length`` pixels."""
        return -(-max(length, self.minimum, 1) // self.multiple) * self.multiple

    def padded(self, size: Size) -> Size:
        """The smallest input that takes a picture of ``size``."""
        height, width = self.fit(size[0]), self.fit(size[1])
        return (max(height, width),) * 2 if self.square else (height, width)

    def __str__(self) -> str:
        words = []
        if self.multiple > 1:
            words.append(f"sides mirrored up to multiples of {self.multiple}")
        if self.minimum > self.multiple:
            words.append(f"to at least {self.minimum} pixels")
        if self.square:
            words.append("to a square")
        return ", ".join(words) or "any size"


class Cut(NamedTuple):
    """A tile along one axis, in pixels of the picture.

    Attributes:
        start: its first pixel.
        stop: beyond its last; may lie beyond the picture, where it is mirrored.
        first: the first pixel that is kept of it.
        last: beyond the last that is kept.
    """

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Tiling:
    """When and how a picture is enhanced piece by piece.

    Attributes:
        side: (height, width) of a tile in pixels of the network's input.
        overlap: pixels that neighbours share at least.
        above: pixels of a picture from which on it is tiled; 0 for every picture longer than a tile, None for never.
        exact: every tile has exactly ``side``, mirrored where a picture is smaller: what the network takes is fixed.
    """

    side: Size
    overlap: int = OVERLAP
    above: int | None = 0
    exact: bool = False

    def plan(self, size: Size, sizes: Sizes) -> list[tuple[Cut, Cut]]:
        """(rows, columns) of every tile of a picture of ``size``; the whole picture is one tile where that is small."""
        padded = sizes.padded(size)
        whole = self.above is None or padded[0] * padded[1] <= self.above
        if self.exact:
            side = self.side
        elif whole:
            side = padded
        else:
            side = min(self.side[0], padded[0]), min(self.side[1], padded[1])
            if sizes.square:
                side = (max(side),) * 2
        rows, columns = (cuts(size[axis], side[axis], self.overlap, sizes.multiple) for axis in (0, 1))
        return list(product(rows, columns))

    def __str__(self) -> str:
        if self.exact:
            return f"exactly {self.side[0]}x{self.side[1]} pixels that share {self.overlap}"
        if self.above is None:
            return "none"
        when = f"pictures above {self.above / 1e6:.2g} megapixels in " if self.above else ""
        return f"{when}tiles of {self.side[0]}x{self.side[1]} pixels that share {self.overlap}"


def cuts(length: int, side: int, overlap: int, multiple: int = 1) -> list[Cut]:
    """Tiles of one length along an axis, evenly spread; the parts that are kept fill the axis without a gap.

    Args:
        length: of the axis in pixels.
        side: of a tile, a multiple of ``multiple``; may be more than ``length``.
        overlap: pixels that neighbours share at least, 0 to ``side - multiple``.
        multiple: of which every ``start`` is one.
    """
    padded = -(-length // multiple) * multiple
    if padded <= side:
        return [Cut(0, side, 0, length)]
    last = (padded - side) // multiple  # all in steps of ``multiple`` from here on
    step = max((side - overlap) // multiple, 1)
    count = -(-last // step) + 1
    starts = [multiple * (last * number // (count - 1)) for number in range(count)]
    meet = [(after + before + side) // 2 for before, after in pairwise(starts)]
    bounds = [0, *meet, length]
    return [Cut(start, start + side, *bounds[i : i + 2]) for i, start in enumerate(starts)]


def window(picture: NDArray[np.uint8], rows: Cut, columns: Cut) -> NDArray[np.uint8]:
    """The pixels of a tile, mirrored where it reaches beyond the picture; a view where it does not.

    Args:
        picture: (H, W) or (H, W, C).
        rows: where, down.
        columns: where, across.
    """
    height, width = picture.shape[:2]
    found = (
        picture[rows.start : rows.stop] if rows.stop <= height else picture[mirrored(height, rows.stop)[rows.start :]]
    )
    if columns.stop <= width:
        return found[:, columns.start : columns.stop]
    return found[:, mirrored(width, columns.stop)[columns.start :]]


def mirrored(length: int, to: int) -> NDArray[np.int64]:
    """(to,) places in 0..length-1: all in turn, then back and forth, the edge's own pixel not repeated."""
    if length == 1:
        return np.zeros(to, np.int64)
    places = np.arange(to) % (2 * length - 2)
    return np.where(places < length, places, 2 * length - 2 - places)


def enhanced(
    run: Callable[[Sequence[NDArray[np.uint8]]], Sequence[NDArray[np.uint8]]],
    pictures: Sequence[NDArray[np.uint8]],
    tiling: Tiling,
    sizes: Sizes,
    scale: int,
) -> list[NDArray[np.uint8]]:
    """Pictures of one size, tile by tile; a tile of all of them at once.

    Args:
        run: N windows, (h, w, C) uint8 each, to N answers, (h * scale, w * scale) or with channels, uint8.
        pictures: (H, W, C) uint8 each, all of one size.
        tiling: which tiles.
        sizes: what ``run`` wants.
        scale: how many times larger its answers are.

    Returns:
        (H * scale, W * scale) or with channels, uint8 each.
    """
    height, width = pictures[0].shape[:2]
    out: list[NDArray[np.uint8]] = []
    for rows, columns in tiling.plan((height, width), sizes):
        pieces = run([window(picture, rows, columns) for picture in pictures])
        if not out:
            out = [np.empty((height * scale, width * scale, *piece.shape[2:]), np.uint8) for piece in pieces]
        inner = [slice((cut.first - cut.start) * scale, (cut.last - cut.start) * scale) for cut in (rows, columns)]
        place = [slice(cut.first * scale, cut.last * scale) for cut in (rows, columns)]
        for whole, piece in zip(out, pieces, strict=True):
            whole[place[0], place[1]] = piece[inner[0], inner[1]]
    return out


def usual(device: str, scale: int, sizes: Sizes) -> Tiling:
    """Tiles whose answers are about 1024 pixels wide on a CPU and twice that on CUDA; pictures of up to two are whole.

    Args:
        device: "cpu" or "cuda:N".
        scale: of the network.
        sizes: what it wants.
    """
    most = _CPU if device == "cpu" else _CUDA
    side = _side(min(most, max(2 * most // scale, 128)), sizes)
    return Tiling((side, side), min(OVERLAP, side // 2), 2 * side * side)


def tile_setting(settings: Mapping[str, str], default: Tiling, sizes: Sizes) -> Tiling:
    """``tile=`` a side in pixels (0: never; rounded up to what the network takes) and ``overlap=`` in pixels.

    Args:
        settings: KEY=VALUE pairs.
        default: the model's own.
        sizes: what the network wants.

    Raises:
        InputError: naming the setting.
    """
    side, above = default.side, default.above
    asked = _pixels(settings, "tile", LARGEST)
    if asked is not None and default.exact:
        raise InputError(
            f"tile={asked} is not for a network that takes exactly {side[0]}x{side[1]} pixels: leave it out."
        )
    if asked is not None:
        side, above = ((_side(asked, sizes),) * 2, 0) if asked else (side, None)
    if asked and min(side) < SMALLEST:
        raise InputError(
            f"tile={asked} is too small, every pixel would be worked on many times: {SMALLEST} or more, or 0 for none."
        )
    most = min(side) // 2
    overlap = _pixels(settings, "overlap", most)
    return Tiling(side, min(default.overlap, most) if overlap is None else overlap, above, default.exact)


def _side(asked: int, sizes: Sizes) -> int:
    """A tile's side: what the network takes, and so long that half of it can be shared with the next."""
    return sizes.fit(max(asked, 2 * sizes.multiple if sizes.multiple > 1 else 1))


def _pixels(settings: Mapping[str, Any], key: str, most: int) -> int | None:
    text = settings.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) <= most):
        what = "or 0 for none" if key == "tile" else "half a tile's side"
        raise InputError(f"{key} must be a whole number of pixels up to {most}, {what}, got {text[:40]!r}.")
    return int(text)
