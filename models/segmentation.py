"""What every semantic segmenter shares: how a picture becomes its input and where in it the picture lies, and settings.

numpy, Pillow and OpenCV only; the networks are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dashboard.errors import InputError
from dashboard.types import Image
from models.detection import LetterBox, Letterboxed, Placement, Size, as_rgb, rate_setting
from models.preprocessing import LARGEST, as_pil, input_size_setting
from models.torch_adapter import numbered

THINNEST = 8  # times its shorter side that a picture's longer side may have after the resize; thinner ones shrink more
SETTINGS = ("activation", "classes", "input_size", "mean", "overlap", "std", "window")
NATIVE = "native"
BACKGROUND = "background"


class Geometry(Protocol):
    """How a picture becomes a network's input; its ``str`` says so in words and is part of the fingerprint."""

    def apply(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 RGB to the input, still uint8. Raises ValueError for another array."""
        ...

    def place(self, size: Size) -> Placement:
        """Where in the input a picture of ``size`` (height, width) lies."""
        ...


@dataclass(frozen=True)
class Resize:
    """torchvision's resize (the shorter side to ``side`` pixels, the shape kept, bilinear with Pillow), or none.

    Attributes:
        side: pixels; None leaves the picture as it is.
        multiple: the input's height and width are made multiples of it by repeating the picture's edge below and to the
            right.
    """

    side: int | None = None
    multiple: int = 1

    def place(self, size: Size) -> Placement:
        """In the top left corner."""
        inner = self._resized(size)
        height, width = (-(-side // self.multiple) * self.multiple for side in inner)
        return Placement(0, 0, inner, (height, width))

    def apply(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 RGB to the input, still uint8."""
        import PIL.Image

        image = as_rgb(image)
        size = image.shape[0], image.shape[1]
        where = self.place(size)
        if where.inner != size:
            image = np.asarray(as_pil(image).resize(where.inner[::-1], PIL.Image.Resampling.BILINEAR))
        below, right = where.outer[0] - where.inner[0], where.outer[1] - where.inner[1]
        if below or right:
            image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        return Letterboxed(np.ascontiguousarray(image), size)

    def _resized(self, size: Size) -> Size:
        """torchvision truncates the longer side."""
        if self.side is None:
            return size
        short, long = min(size), max(size)
        if long > THINNEST * short:
            side, most = max(round(THINNEST * self.side * short / long), 1), THINNEST * self.side
        else:
            side, most = self.side, int(self.side * long / short)
        return (side, most) if size[0] <= size[1] else (most, side)

    def __str__(self) -> str:
        how = "as it is" if self.side is None else f"resize the shorter side to {self.side} bilinear (Pillow)"
        return f"{how}, its edge repeated to multiples of {self.multiple}" if self.multiple > 1 else how


def geometry_setting(settings: Mapping[str, str], default: Geometry, multiple: int) -> Geometry:
    """How pictures go in: ``default``, unless ``input_size=`` asks for another size.

    ``native`` is the picture as it is, one number the length of its shorter side, ``HxW`` exactly that size whatever
    its shape. Of a letterbox, either is the size of the box.

    Args:
        settings: KEY=VALUE pairs.
        default: the model's own.
        multiple: of which the network wants its input's sides, in pixels.

    Raises:
        InputError: naming the setting.
    """
    text = settings.get("input_size", "").lower()
    if text == NATIVE:
        return Resize(None, multiple)
    if "input_size" not in settings:
        return default
    if not set(text) <= set("0123456789x"):
        raise InputError(
            f"input_size must be {NATIVE}, one number of pixels or HxW up to {LARGEST}, such as 520 or 512x1024, got "
            f"{text[:40]!r}."
        )
    asked = input_size_setting(settings)
    assert asked is not None
    height, width = (min(-(-side // multiple) * multiple, LARGEST) for side in asked)
    if isinstance(default, LetterBox):
        return LetterBox((height, width), default.stride, rect=default.rect, stretch=default.stretch)
    if "x" in text:
        return LetterBox((height, width), multiple, stretch=True)
    return Resize(asked[0], multiple)


@dataclass(frozen=True)
class Windows:
    """When a picture is looked at piece by piece.

    Attributes:
        side: of a window in pixels of the network's input, a multiple of ``models.sliding.ALIGNED``.
        overlap: of neighbouring windows, as a fraction of their side, 0..0.75.
        above: pixels of a network's input from which on windows are used; None for never.
    """

    side: int = 1024
    overlap: float = 0.25
    above: int | None = 4_000_000

    def apply_to(self, size: Size) -> bool:
        """Whether an input of (height, width) is looked at piece by piece."""
        return self.above is not None and size[0] * size[1] > self.above and max(size) > self.side

    def __str__(self) -> str:
        if self.above is None:
            return "none"
        when = f"for inputs above {self.above / 1e6:g} megapixels, " if self.above else ""
        return f"{when}{self.side}x{self.side} pixels, overlapping by {self.overlap:.0%}"


def window_setting(settings: Mapping[str, str], default: Windows, multiple: int) -> Windows:
    """``window=`` a side in pixels (0: never), rounded up to ``multiple``, and ``overlap=`` 0..0.75.

    Raises:
        InputError: naming the setting.
    """
    overlap = rate_setting(settings, "overlap", default.overlap, most=0.75)
    text = settings.get("window")
    if text is None:
        return Windows(default.side, overlap, default.above)
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= LARGEST):
        raise InputError(f"window must be a side in pixels up to {LARGEST}, or 0 for none, got {text[:40]!r}.")
    side = -(-int(text) // multiple) * multiple
    return Windows(side, overlap, 0) if side else Windows(default.side, overlap, None)


def names_of_outputs(name: str, names: tuple[str, ...], outputs: int, background: bool) -> tuple[str, ...]:
    """The class names of a network with so many outputs; numbers if there are none.

    Args:
        name: the model's, for messages.
        names: as given; the background may be left out.
        outputs: how many.
        background: whether a background is put before them.

    Raises:
        InputError: as many names as there are not classes.
    """
    if background and len(names) != outputs + 1:
        names = (BACKGROUND, *(names or numbered(outputs)))
    found = names or numbered(outputs)
    if len(found) != outputs + background:
        has = f"{outputs} classes{' and the background' if background else ''}"
        raise InputError(f"{name} has {has}, but {len(names) - background} class names were given.")
    return found
