"""The pixels of a ``demo:scenes`` picture: a photo of scikit-image or scikit-learn behind the digits of a layout.

Only the picture depends on Pillow's resampling and JPEG decoder, by a grey level at most between versions; the truth
does not (see ``scene_layout``).
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.random import RandomState
from numpy.typing import NDArray

from dashboard.datasets.scene_layout import SPLITS, Layer, Layout
from dashboard.errors import InputError
from dashboard.types import Image

Canvas = NDArray[np.float32]
Background = Callable[[RandomState, str, tuple[int, int]], Canvas]

# The two halves of the stereo pair stay in one split. Photos with printed numerals or letters (text, page and
# clock_motion) and drawings are left out.
PHOTOS = {
    "train": (
        "astronaut.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png", "brick.png", "grass.png",
        "ihc.png", "retina.jpg", "hubble_deep_field.jpg", "camera.png", "sklearn:flower.jpg",
    ),
    "test": ("chelsea.png", "rocket.jpg", "gravel.png", "coins.png", "moon.png", "sklearn:china.jpg"),
}  # fmt: skip
LONG_SIDE = 768
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def photo_files(split: str) -> list[Path]:
    """The split's photos in the installed packages; nothing is downloaded."""
    folders = {"": _folder("skimage", "data"), "sklearn": _folder("sklearn", "datasets/images")}
    return [folders[package] / file for package, _, file in (name.rpartition(":") for name in PHOTOS[split])]


def photo_of(split: str, index: int, size: tuple[int, int]) -> str:
    """The name of the photo behind a scene."""
    return PHOTOS[split][_looks(split, index, size).randint(len(PHOTOS[split]))].rpartition(":")[2]


@functools.cache
def _photo(file: Path) -> PIL.Image.Image:
    """RGB, at most ``LONG_SIDE`` pixels long."""
    picture = PIL.Image.open(file).convert("RGB")
    shrink = LONG_SIDE / max(picture.size)
    if shrink < 1:
        width, height = picture.size
        picture = picture.resize((round(width * shrink), round(height * shrink)), PIL.Image.Resampling.BOX)
    return picture


def paint(layout: Layout, split: str, index: int, background: Background | None = None) -> Image:
    """The picture of a layout: (H, W, 3) uint8 RGB; the same for the same arguments.

    Args:
        layout: what lies where.
        split: "train" or "test": which photos.
        index: of the scene.
        background: makes what is behind the digits of (rng, split, size); ``photo_part``, the dataset's own, if None.
    """
    background = background or photo_part
    rng = _looks(split, index, layout.size)
    canvas, other = background(rng, split, layout.size), None
    looks: dict[int, float] = {}
    for layer in layout.layers:
        if layer.instance:
            _ink(canvas, layer, rng, looks)
            continue
        if other is None:
            other = background(rng, split, layout.size)
        _piece(canvas, layer, rng, other)
    strength = np.float32(rng.uniform(0, 8) / 104)  # two even bytes have a standard deviation of 104
    noise = np.frombuffer(rng.bytes(2 * canvas.size), np.uint8).reshape(2, *canvas.shape)
    canvas += (noise[0].astype(np.float32) + noise[1] - 255) * strength
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _looks(split: str, index: int, size: tuple[int, int]) -> RandomState:
    """The random numbers of a scene's looks; those of its layout are others."""
    return RandomState([SPLITS[split], index, *size, 1])


def photo_part(rng: RandomState, split: str, size: tuple[int, int]) -> Canvas:
    """A part of a photo, its light changed: (H, W, 3) float32 in 0..255."""
    picture = _photo(photo_files(split)[rng.randint(len(PHOTOS[split]))])  # the first number drawn: see photo_of
    height, width = size
    fit = min(picture.width / width, picture.height / height) * rng.uniform(0.35, 1.0)
    across, down = fit * width, fit * height
    left, top = rng.uniform(0, picture.width - across), rng.uniform(0, picture.height - down)
    part = picture.resize((width, height), PIL.Image.Resampling.BICUBIC, (left, top, left + across, top + down))
    turned, tinted, blurred = rng.uniform(size=3)
    gain, offset, tint = rng.uniform(0.6, 1.15), rng.uniform(-20, 30), rng.uniform(0.85, 1.15, 3)
    radius = rng.uniform(0.6, 2.0)
    if blurred < 0.3:
        part = part.filter(PIL.ImageFilter.GaussianBlur(radius))
    if turned < 0.5:
        part = part.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    light = (gain * (tint if tinted < 0.5 else np.ones(3))).astype(np.float32)
    return np.clip(np.asarray(part, np.float32) * light + np.float32(offset), 0, 255)


def _ink(canvas: Canvas, layer: Layer, rng: RandomState, looks: dict[int, float]) -> None:
    """Paint a digit lighter or darker than what it covers; the digits of one crowd go the same way."""
    sign, contrast, opacity, shadowed = rng.uniform(size=4)
    chroma = rng.uniform(-64, 64, 3)
    under, alpha = canvas[layer.window], layer.alpha.astype(np.float32)[..., None]
    solid = layer.alpha > 0.5
    grey = float((under[solid].mean(0) * GREY).sum())
    step = 255 * (0.3 + 0.6 * contrast)
    sign = looks.setdefault(layer.instance, sign)
    up = sign < 1 - grey / 255
    if (255 - grey if up else grey) < 0.8 * step:
        up = grey < 128
    colour = np.clip(grey + (step if up else -step) + chroma, 0, 255)
    if shadowed < 0.25:
        soft = PIL.Image.fromarray((layer.alpha * 255).astype(np.uint8))
        soft = soft.filter(PIL.ImageFilter.GaussianBlur(max(1.0, layer.height / 18)))
        shadow = np.asarray(soft, np.float32)[..., None] * np.float32(0.5 / 255)
        under += ((0 if up else 255) - under) * shadow
    shade = np.linspace(-12, 12, len(alpha))[:, None, None]
    ink = np.clip(colour + shade, 0, 255).astype(np.float32)
    under += (ink - under) * (alpha * np.float32(0.85 + 0.15 * opacity))


def _piece(canvas: Canvas, layer: Layer, rng: RandomState, other: Canvas) -> None:
    """Paste a piece of another background where the layer is solid."""
    height, width = layer.alpha.shape
    top, left = rng.randint(canvas.shape[0] - height + 1), rng.randint(canvas.shape[1] - width + 1)
    solid = layer.alpha > 0.5
    canvas[layer.window][solid] = other[top : top + height, left : left + width][solid]


@functools.cache
def _folder(package: str, inside: str) -> Path:
    """A folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"{package} is not installed: demo:scenes takes its photos from it (pip install -r requirements.txt)"
        )
    return Path(spec.origin).parent / inside
