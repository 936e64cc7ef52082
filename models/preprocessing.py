"""From a picture to a network's input size, with Pillow, pixel for pixel as torchvision's and timm's transforms do it.

The result stays uint8: a quarter of the memory of floats, and normalisation is done once a batch on the device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LARGEST = 8192  # pixels a side that a person may ask for
LARGEST_IN_FILE = 2048  # pixels a side that a weight file may ask for by itself
MOST_RESIZED = 1 << 24  # pixels after the resize: more are never made whole where the crop keeps only the centre
_FILTERS = {
    "nearest": PIL.Image.Resampling.NEAREST,
    "box": PIL.Image.Resampling.BOX,
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "hamming": PIL.Image.Resampling.HAMMING,
    "bicubic": PIL.Image.Resampling.BICUBIC,
    "lanczos": PIL.Image.Resampling.LANCZOS,
}


def as_pil(image: Image) -> PIL.Image.Image:
    """A Pillow picture of ``image``. Raises ValueError unless it is (H, W, 3) uint8 with H, W >= 1."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) uint8 RGB, got {image.dtype} {image.shape}")
    return PIL.Image.fromarray(image)


@dataclass(frozen=True)
class ResizeCrop:
    """Resize, then cut the centre out.

    Attributes:
        crop: (height, width) of the result in pixels.
        resize: the shorter side's length in pixels, or (height, width) whatever the picture's shape, or None.
        interpolation: Pillow's filter: "bilinear", "bicubic", "lanczos", "box", "hamming" or "nearest".
    """

    crop: tuple[int, int]
    resize: int | tuple[int, int] | None
    interpolation: str = "bicubic"

    def __call__(self, image: Image) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 to (*crop, 3) uint8."""
        picture = as_pil(image)
        size = self._resized(picture.size)
        if size[0] * size[1] > max(MOST_RESIZED, picture.width * picture.height):
            picture = self._centre_only(picture, size)
        elif size != picture.size:
            picture = picture.resize(size, _FILTERS[self.interpolation])
        return _centre_crop(picture, self.crop)

    def _centre_only(self, picture: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
        """The part of the picture resized to ``size`` that the crop keeps, made from that part of the source alone.

        A strip of 1x20000 pixels would become 256x5,120,000 first. Equal to the long way up to rounding.
        """
        target, box, cut = list(size), [0.0, 0.0, *map(float, picture.size)], [0, 0, *picture.size]
        for axis, crop in enumerate(reversed(self.crop)):
            if size[axis] > crop:
                scale, offset = picture.size[axis] / size[axis], round((size[axis] - crop) / 2)
                start, end = offset * scale, (offset + crop) * scale
                reach = math.ceil(3 * max(scale, 1)) + 2  # Lanczos looks 3 pixels around, the others less
                first = max(0, math.floor(start) - reach)
                cut[axis], cut[axis + 2] = first, min(picture.size[axis], math.ceil(end) + reach)
                target[axis], box[axis], box[axis + 2] = crop, start - first, end - first
        part = picture.crop((cut[0], cut[1], cut[2], cut[3]))
        box[2], box[3] = min(box[2], part.width), min(box[3], part.height)
        return part.resize((target[0], target[1]), _FILTERS[self.interpolation], (box[0], box[1], box[2], box[3]))

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after the resize; torchvision truncates the longer side."""
        if self.resize is None:
            return size
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        width, height = size
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def __str__(self) -> str:
        to = "" if self.resize is None else f"resize {_words(self.resize)} {self.interpolation} (Pillow), "
        return f"{to}centre crop {_words(self.crop)}"


def _words(size: int | tuple[int, int]) -> str:
    if isinstance(size, tuple):
        return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"
    return str(size)


def _centre_crop(picture: PIL.Image.Image, crop: tuple[int, int]) -> NDArray[np.uint8]:
    """torchvision's ``center_crop``: pads with black what is too small, rounds the offset half to even."""
    height, width = crop
    have_w, have_h = picture.size
    if have_w < width or have_h < height:
        canvas = PIL.Image.new(picture.mode, (max(have_w, width), max(have_h, height)))
        canvas.paste(picture, (max(0, (width - have_w) // 2), max(0, (height - have_h) // 2)))
        picture, (have_w, have_h) = canvas, canvas.size
    top, left = round((have_h - height) / 2), round((have_w - width) / 2)
    return np.array(picture.crop((left, top, left + width, top + height)))


def input_size_setting(settings: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) from ``input_size=HxW`` (or one number for a square), None if not given."""
    text = settings.get("input_size")
    if text is None:
        return None
    parts = text.lower().split("x")
    try:
        numbers = [int(p) for p in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(1 <= n <= LARGEST for n in numbers):
        raise InputError(f"input_size must be HxW in pixels up to {LARGEST}, such as 224x224, got {text[:40]!r}.")
    return numbers[0], numbers[-1]


def size_from_file(height: int, width: int) -> tuple[int, int]:
    """(height, width) as a weight file asks for it. Raises InputError for what only a person may ask for."""
    if not (1 <= height <= LARGEST_IN_FILE and 1 <= width <= LARGEST_IN_FILE):
        most = f"{LARGEST_IN_FILE}x{LARGEST_IN_FILE}"
        words = f"{height}x{width}" if max(height, width) < 10**9 else "over a billion"
        raise InputError(
            f"the file asks for pictures of {words} pixels, more than {most}: if that is meant, say so with "
            f"--set input_size=HxW (at most {LARGEST} a side)."
        )
    return height, width


def normalisation_setting(
    settings: Mapping[str, str], mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation on the 0..1 scale, from ``mean=R,G,B`` and ``std=R,G,B`` where given."""
    return _numbers(settings, "mean", mean), _numbers(settings, "std", std)


def _numbers(settings: Mapping[str, str], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    if key not in settings:
        return default
    try:
        numbers = tuple(float(x) for x in settings[key].split(","))
    except ValueError:
        numbers = ()
    if len(numbers) == 1:
        numbers *= len(default)
    bad = len(numbers) != len(default) or not np.isfinite(numbers).all() or (key == "std" and min(numbers) <= 0)
    if bad:
        wanted = f"{len(default)} numbers on the 0..1 scale separated by commas"
        raise InputError(f"{key} must be {wanted}{' above 0' if key == 'std' else ''}, got {settings[key]!r}.")
    return numbers
