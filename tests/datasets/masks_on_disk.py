"""Class maps on disk: four pictures with masks of three classes and a void border."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write

NAMES = ("sky", "road", "car")
COLOURS = {"sky": (70, 130, 180), "road": (128, 64, 128), "car": (0, 0, 142), "void": (0, 0, 0)}
HEIGHT, WIDTH = 24, 32  # of tests.datasets.pictures.gradient
FILES = ("1.jpg", "2.jpg", "3.jpg", "10.jpg")


def labels_of(index: int) -> np.ndarray:
    """(24, 32): sky above row 12, road below, a car of 4 x (3 + index) pixels, the first column 255."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[12:] = 1
    ids[10:14, 5 : 8 + index] = 2
    ids[:, 0] = 255
    return ids


def png(pixels: np.ndarray, palette: Any = None, **options: Any) -> bytes:
    """An array as PNG; with ``palette`` (a flat list of red, green, blue) as palette PNG."""
    image = Image.fromarray(pixels)
    if palette is not None:
        image.putpalette(palette)
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def coloured(ids: np.ndarray) -> np.ndarray:
    """(H, W, 3) in ``COLOURS``; 255 is void."""
    table = np.zeros((256, 3), np.uint8)
    for number, name in enumerate(NAMES):
        table[number] = COLOURS[name]
    return table[ids]


def make_masks(root: Path) -> None:
    """images/, masks/ of 8-bit grey PNG, classes.txt."""
    (root / "masks").mkdir(parents=True)
    for i, name in enumerate(FILES):
        write(root / "images" / name, i)
        (root / "masks" / name.replace(".jpg", ".png")).write_bytes(png(labels_of(i)))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))


def put(root: Path, index: int, pixels: np.ndarray, **options: Any) -> Path:
    """Replace a mask."""
    file = root / "masks" / FILES[index].replace(".jpg", ".png")
    file.write_bytes(png(pixels, **options))
    return file


def opened(path: Any, **options: str) -> Any:
    """The folder as a dataset."""
    return open_dataset(path, task="semantic-segmentation", options=options)


def refused(path: Any, match: str, **options: str) -> str:
    """The one sentence with which it is refused."""
    with pytest.raises(InputError, match=match) as info:
        opened(path, **options)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 700
    return text
