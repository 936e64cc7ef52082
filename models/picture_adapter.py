"""What every network that makes a picture of a picture shares: its modes for grey, colour and alpha, and its tiles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.resize import imresize
from dashboard.types import Image, Prediction
from models import tiling as tiles
from models.base import ModelAdapter
from models.pictures import Picture, answer, as_picture, from_ycc, to_bytes, to_ycc

Pixels = NDArray[np.uint8]
WORDS = {1: "grey", 3: "RGB", 4: "RGB and alpha"}
"""What networks take, by their channels."""


class Answers(NamedTuple):
    """What a batch gives, picture by picture: (H, W), (H, W, 3) or (H, W, 4) uint8, and the picture it was made of."""

    pixels: Sequence[Pixels]
    pictures: Sequence[Picture]


class PictureAdapter(ModelAdapter[Picture, Answers]):
    """A network of 1, 3 or 4 channels on pictures of any kind and size; subclasses run it on windows of one size.

    Attributes:
        scale: how many times larger the answer is.
    """

    scale: int
    _channels: int  # that it takes
    _gives: int  # channels
    _sizes: tiles.Sizes
    _tiling: tiles.Tiling

    @abstractmethod
    def _pictures(self, windows: Sequence[Pixels]) -> list[Pixels]:
        """Windows, (h, w, C) uint8 with the network's channels, to (H, W) or (H, W, C') uint8."""

    @abstractmethod
    def _plane(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, h, w) in 0..255, not rounded, through a network of one channel to (B, H, W, C') in 0..255."""

    def preprocess(self, image: Image) -> Picture:
        """(H, W, 3) uint8 RGB, or (H, W, 4) with alpha; nothing is changed. Raises ValueError for another array."""
        return as_picture(image)

    def forward(self, items: Sequence[Picture]) -> Answers:
        """The answers as uint8, on the CPU: pictures of one size run together, large ones tile by tile.

        Raises:
            OutOfMemory: the batch, or a tile, does not fit.
            InputError: outputs that are not numbers.
        """
        groups: dict[tuple[int, int, str], list[int]] = {}
        for place, item in enumerate(items):
            groups.setdefault((*item.pixels.shape[:2], self._kind(item)), []).append(place)
        found: list[Any] = [None] * len(items)
        for (_, _, kind), places in groups.items():
            pictures = [_channels_of(items[place], kind) for place in places]
            run = {"luma": self._lumas, "planes": self._planes}.get(kind, self._pictures)
            made = tiles.enhanced(run, pictures, self._tiling, self._sizes, self.scale)
            for place, one in zip(places, made, strict=True):
                found[place] = one
        return Answers(found, list(items))

    def postprocess(self, outputs: Answers) -> list[Prediction]:
        """Pictures, with alpha where the one that went in had it."""
        return [self._one(pixels, picture) for pixels, picture in zip(outputs.pixels, outputs.pictures, strict=True)]

    def _one(self, pixels: Pixels, picture: Picture) -> Prediction:
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            alpha = np.ascontiguousarray(pixels[..., 3]) if picture.alpha is not None else None
            return answer(picture, np.ascontiguousarray(pixels[..., :3]), self.scale, alpha)
        return answer(picture, pixels, self.scale)

    def _kind(self, item: Picture) -> str:
        """How a picture goes in: "rgb", "rgba", or with one channel "grey", "planes", "luma"."""
        if self._channels != 1:
            return "rgb" if self._channels == 3 else "rgba"
        if item.grey:
            return "grey"
        return "planes" if self.scale == self._gives == 1 else "luma"

    def _planes(self, windows: Sequence[Pixels]) -> list[Pixels]:
        """(h, w, 3), each channel by itself."""
        planes = self._pictures([window[..., c : c + 1] for window in windows for c in range(3)])
        return [np.stack(planes[3 * place : 3 * place + 3], axis=2) for place in range(len(windows))]

    def _lumas(self, windows: Sequence[Pixels]) -> list[Pixels]:
        """(h, w, 3), the luma through the network, the chroma enlarged bicubically."""
        coloured = [to_ycc(window) for window in windows]
        lumas = self._plane(np.stack([one[..., 0] for one in coloured]))
        if self._gives != 1:
            return [to_bytes(one) for one in lumas]
        found = []
        for one, large in zip(coloured, lumas, strict=True):
            chroma = np.stack([imresize(one[..., c].astype(np.float64), self.scale) for c in (1, 2)], axis=2)
            found.append(from_ycc(np.dstack([large, chroma])))
        return found


def in_words(channels: int, scale: int) -> str:
    """How pictures go in, for the spec."""
    if channels != 1:
        return f"{WORDS[channels]}, 0..1"
    colour = "three channels one by one" if scale == 1 else "its luma (BT.601), the chroma bicubic"
    return f"grey, 0..1; of a colour picture {colour}"


def _channels_of(picture: Picture, kind: str) -> Pixels:
    """What goes through the tiles: (H, W, 1), (H, W, 3) or (H, W, 4) uint8."""
    if kind == "grey":
        return picture.pixels[..., :1]
    if kind != "rgba":
        return picture.pixels
    alpha = np.full(picture.pixels.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.dstack([picture.pixels, alpha])
