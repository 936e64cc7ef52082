"""Degradations, whose undoing is the task: ``bicubic:4``, ``noise:25``, ``jpeg:10``, ``blur:1.6``, chains with ``+``.

All are functions of the picture, a seed and a key (a sample's id) alone, so that order, subsets and threads do not
matter, and of libraries that are named in the recipe. A picture whose three channels are equal stays so.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.resize import imresize, to_bytes
from dashboard.errors import InputError, did_you_mean
from dashboard.types import Image

VERSION = 1  # of what the recipes do; a change makes other inputs of the same text
MAX_SCALE = 16
_STRIP = 64  # rows of noise drawn in one go
_BLURRED = 512  # rows blurred in one go
_JPEG_SIDE = 65_500  # pixels, libjpeg's limit


@dataclass(frozen=True)
class Step:
    """One degradation of a chain.

    Attributes:
        kind: "bicubic", "noise", "jpeg" or "blur".
        value: the factor, sigma in 8-bit levels, quality 1..100, or sigma in pixels.
    """

    kind: str
    value: float

    @property
    def text(self) -> str:
        """As it is typed, ``noise:25``."""
        return f"{self.kind}:{self.value:.10g}"


@dataclass(frozen=True)
class Degradation:
    """How inputs are made from clean pictures.

    Attributes:
        text: as it is typed, in one spelling: "blur:1.2+bicubic:2", "none".
        steps: in order; empty for "none".
    """

    text: str
    steps: tuple[Step, ...]

    @property
    def scale(self) -> int:
        """How many times wider and higher the clean picture is than the input."""
        return math.prod(int(step.value) for step in self.steps if step.kind == "bicubic")

    @property
    def recipe(self) -> str:
        """One sentence that says exactly what is done; "" for none."""
        if not self.steps:
            return ""
        crop = f"cropped at the bottom and right to a multiple of {self.scale} pixels" if self.scale > 1 else ""
        done = [crop] * bool(crop) + [_KINDS[step.kind].recipe.format(step.value) for step in self.steps]
        return f"Each clean picture is {', then '.join(done)} (recipe {VERSION}, {self.text})."

    def crop(self, image: Image) -> Image:
        """The clean picture without the rows and columns that do not fill a pixel of the input: the reference."""
        height, width = self.cropped(image.shape[0], image.shape[1])
        return np.ascontiguousarray(image[:height, :width])

    def cropped(self, height: int, width: int) -> tuple[int, int]:
        """Size of the reference, height and width in pixels; 0 where the picture is smaller than one pixel of input."""
        return height - height % self.scale, width - width % self.scale

    def apply(self, image: Image, seed: int, key: str) -> Image:
        """The input made from a clean picture, which is cropped first as ``crop`` does.

        Args:
            image: (H, W, 3) or (H, W) uint8.
            seed: of what is drawn at random.
            key: the sample's id, so that each picture has noise of its own; also what errors call it.

        Returns:
            (H // scale, W // scale, ...) uint8, a new array.

        Raises:
            InputError: the picture is too small to be made smaller, or too large for JPEG.
        """
        height, width = image.shape[:2]
        if not all(self.cropped(height, width)):
            raise InputError(
                f"{key} is {width}x{height} pixels, too small for {self.text}: leave it out, or choose a smaller factor"
            )
        out = self.crop(image)
        flat = out.ndim == 3 and is_grey(
            out
        )  # one channel is worked on: the same noise in all, and JPEG of one channel
        if flat:
            out = np.ascontiguousarray(out[..., 0])
        for number, step in enumerate(self.steps):
            out = _KINDS[step.kind].make(out, step.value, seed, f"{number}\0{key}")
        return np.repeat(out[..., None], 3, axis=2) if flat else np.array(out)


def parse(text: str) -> Degradation:
    """What a person typed, as a degradation; ``none`` leaves pictures as they are.

    Raises:
        InputError: an unknown kind, or a value that it does not take, with those that it does.
    """
    shown = text.strip().lower()
    if shown == "none":
        return Degradation("none", ())
    steps = tuple(_step(part.strip(), text) for part in shown.split("+"))
    found = Degradation("+".join(step.text for step in steps), steps)
    if found.scale > MAX_SCALE:
        raise InputError(
            f"degrade={text:.60} makes pictures {found.scale} times smaller in all: {MAX_SCALE} times is the most"
        )
    return found


def kinds() -> str:
    """The kinds with the values that they take, as a clause for errors and help."""
    return ", ".join(f"{name}:{kind.example} ({kind.takes})" for name, kind in _KINDS.items())


def is_grey(image: Image) -> bool:
    """Whether the three channels of an (H, W, 3) picture are equal everywhere; (H, W) is grey."""
    if image.ndim == 2:
        return True
    for start in range(0, len(image), _STRIP):  # a colour picture shows itself in its first rows
        rows = image[start : start + _STRIP]
        if not (np.array_equal(rows[..., 0], rows[..., 1]) and np.array_equal(rows[..., 0], rows[..., 2])):
            return False
    return True


def to_grey(image: Image) -> Image:
    """(H, W, 3) with BT.601 luma in all three channels, by the whole numbers of Pillow's convert("L")."""
    out = np.empty_like(image)
    for start in range(0, len(image), _STRIP):
        red, green, blue = (image[start : start + _STRIP, :, c].astype(np.uint32) for c in range(3))
        luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
        out[start : start + _STRIP] = luma[..., None]
    return out


def _step(part: str, text: str) -> Step:
    """One part of a chain."""
    kind, _, given = part.partition(":")
    if kind not in _KINDS:
        raise InputError(
            f"degrade={text:.60}: there is no degradation {kind[:30]!r}.{did_you_mean(kind, _KINDS)} There are "
            f"{kinds()}, chains such as blur:1.2+bicubic:2, and none by itself"
        )
    known = _KINDS[kind]
    try:
        value = float(given) if given.isascii() and "_" not in given else math.nan  # as a person writes numbers
    except ValueError:
        value = math.nan
    if not known.low <= value <= known.high or (known.whole and not value.is_integer()):  # NaN is in no range
        raise InputError(f"degrade={text:.60}: {kind} takes {known.takes}, as in {kind}:{known.example}")
    return Step(kind, value)


def _bicubic(image: Image, value: float, seed: int, key: str) -> Image:
    return imresize(image, 1 / value)


def _noise(image: Image, value: float, seed: int, key: str) -> Image:
    """Drawn in strips, which continue one stream: what is drawn does not depend on them."""
    words = np.frombuffer(hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).digest(), "<u4")
    draw = np.random.Generator(np.random.PCG64([seed, *words.tolist()]))
    out = np.empty_like(image)
    for start in range(0, len(image), _STRIP):
        rows = image[start : start + _STRIP]
        out[start : start + _STRIP] = to_bytes(rows + value * draw.standard_normal(rows.shape))
    return out


def _jpeg(image: Image, value: float, seed: int, key: str) -> Image:
    if max(image.shape[:2]) > _JPEG_SIDE:
        name = key.partition("\0")[2]
        raise InputError(f"{name} has more than {_JPEG_SIDE} pixels on a side, too many for JPEG: leave it out")
    options = [cv2.IMWRITE_JPEG_QUALITY, int(value)]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    bgr = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, options)
    out = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
    if out is None or out.shape != image.shape:
        raise RuntimeError(f"OpenCV did not make a JPEG of {image.shape}")
    pixels = np.asarray(out, np.uint8)
    return pixels if image.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])


def _blur(image: Image, value: float, seed: int, key: str) -> Image:
    radius = math.ceil(4 * value)
    at = np.arange(-radius, radius + 1)
    kernel = np.exp(-(at**2) / (2 * value**2))
    kernel /= kernel.sum()
    out = np.empty_like(image)
    planes = image.reshape(*image.shape[:2], -1)
    made: NDArray[np.uint8] = out.reshape(planes.shape)
    for channel in range(planes.shape[2]):
        # mirrored here: where the radius exceeds the picture, the filter's own borders are not SciPy's
        plane = np.pad(planes[..., channel], radius, mode="symmetric")
        for start in range(0, len(image), _BLURRED):
            rows = plane[start : start + _BLURRED + 2 * radius]
            blurred = cv2.sepFilter2D(rows, cv2.CV_64F, kernel, kernel)[radius:-radius, radius:-radius]
            made[start : start + _BLURRED, :, channel] = to_bytes(np.asarray(blurred, np.float64))
    return out


@dataclass(frozen=True)
class _Kind:
    """What a kind of degradation takes and does."""

    make: Callable[[Image, float, int, str], Image]
    low: float
    high: float
    whole: bool
    example: str
    takes: str
    recipe: str


_KINDS = {
    "bicubic": _Kind(
        make=_bicubic,
        low=2,
        high=MAX_SCALE,
        whole=True,
        example="4",
        takes=f"a whole factor 2..{MAX_SCALE}",
        recipe="made {:g} times smaller as by MATLAB's imresize (bicubic, a = -0.5, antialiased, mirrored borders, "
        "rounded to 8 bits in each direction)",
    ),
    "noise": _Kind(
        make=_noise,
        low=0.1,
        high=255,
        whole=False,
        example="25",
        takes="a standard deviation in 8-bit levels, 0.1..255",
        recipe="given white gaussian noise of standard deviation {:g} in 8-bit levels (NumPy's PCG64 from the seed and "
        "the picture's id; the same in all channels of a grey picture), rounded and clipped to 8 bits",
    ),
    "jpeg": _Kind(
        make=_jpeg,
        low=1,
        high=100,
        whole=True,
        example="10",
        takes="a whole quality 1..100",
        recipe="compressed as baseline JPEG of quality {:g} by OpenCV's libjpeg (chroma 4:2:0; a grey picture in one "
        "channel)",
    ),
    "blur": _Kind(
        make=_blur,
        low=0.1,
        high=20,
        whole=False,
        example="1.6",
        takes="a standard deviation in pixels, 0.1..20",
        recipe="blurred by a gaussian of standard deviation {:g} pixels (cut at 4 deviations, mirrored borders), "
        "rounded to 8 bits",
    ),
}
