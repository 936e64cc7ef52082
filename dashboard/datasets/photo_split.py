"""Which photos of installed packages the enhancers of this project learn from, and which they are judged on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PHOTOS = {
    "train": (
        "skimage:astronaut.png", "skimage:coffee.png", "skimage:motorcycle_left.png", "skimage:motorcycle_right.png",
        "skimage:brick.png", "skimage:grass.png", "skimage:ihc.png", "skimage:retina.jpg",
        "skimage:hubble_deep_field.jpg", "skimage:camera.png", "skimage:cell.png", "sklearn:flower.jpg",
        "ultralytics:bus.jpg", "ultralytics:zidane.jpg",
    ),
    "test": (
        "skimage:chelsea.png", "skimage:rocket.jpg", "skimage:coins.png", "skimage:gravel.png", "skimage:moon.png",
        "skimage:text.png", "sklearn:china.jpg",
    ),
}  # fmt: skip
"""The two halves of the stereo pair stay in one split."""
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images", "ultralytics": "assets"}


def photo_paths(split: str) -> list[Path]:
    """The split's photos, where the installed packages keep them; nothing is imported or downloaded.

    Raises:
        ValueError: neither "train" nor "test".
    """
    if split not in PHOTOS:
        raise ValueError(f"split must be train or test, got {split!r}")
    return [_path(*name.split(":")) for name in PHOTOS[split]]


def _path(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package}, which carries {file}, is not installed")
    return Path(spec.origin).parent / _FOLDERS[package] / file
