"""What an ONNX file takes and how a picture is made so: from the file, from settings, or ImageNet's custom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.errors import InputError
from models.base import LoadOptions
from models.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ResizeCrop,
    input_size_setting,
    normalisation_setting,
    size_from_file,
)

MOST_IN_A_BATCH = 1024  # pictures that a file with a fixed batch size may take at once
MOST_PIXELS = 1 << 27  # of such a batch: 1.6 GB as float32 RGB
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@dataclass(frozen=True)
class Input:
    """How the network wants its pictures."""

    name: str
    dtype: Any
    channels: int
    channels_last: bool
    batch: int | None  # fixed by the file, or None
    size: tuple[int, int] | None


def read_input(path: Path, inputs: list[Any]) -> Input:
    """The one input. Raises InputError if the file is no image classifier."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _TYPES:
        got = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise InputError(f"{path} is no image classifier: one 4-dimensional float input was expected, got {got}.")
    first = inputs[0]
    shape = [d if isinstance(d, int) and d > 0 else None for d in first.shape]
    if shape[1] in (1, 3):
        last, channels, size = False, shape[1], shape[2:]
    elif shape[3] in (1, 3):
        last, channels, size = True, shape[3], shape[1:3]
    else:
        raise InputError(f"{path} takes {first.shape}: 3 (RGB) or 1 (grey) channels were expected, first or last.")
    fixed = (size[0], size[1]) if size[0] and size[1] else None
    return Input(first.name, _TYPES[first.type], channels, last, shape[0], fixed)


def read_output(path: Path, outputs: list[Any]) -> str:
    """The name of the output that can be scores. Raises InputError if none can."""
    fits = [o.name for o in outputs if o.type in ("tensor(float)", "tensor(float16)", "tensor(double)")]
    if not fits:
        raise InputError(f"{path} is no classifier that can be read: it gives no table of scores.")
    return fits[0]


def is_ultralytics(metadata: Mapping[str, str]) -> bool:
    """Whether Ultralytics exported the file."""
    return "ultralytics" in metadata.get("author", "").lower() or {"task", "stride"} <= metadata.keys()


def preprocessing(
    wanted: Input, metadata: Mapping[str, str], yolo: bool, options: LoadOptions
) -> tuple[ResizeCrop, tuple[float, ...], tuple[float, ...], bool]:
    """(geometry, mean, std, whether the normalisation is an assumption). Raises InputError, not naming the file."""
    told = {key: metadata[key].strip("[]() ") for key in ("mean", "std") if key in metadata}
    settings = {**told, **options.settings}
    assumed = not yolo and not {"mean", "std"} <= settings.keys() and wanted.dtype != np.uint8
    defaults = ((0.0,) * 3, (1.0,) * 3) if yolo else (IMAGENET_MEAN, IMAGENET_STD)
    mean, std = normalisation_setting(settings, *(numbers[: wanted.channels] for numbers in defaults))
    asked = input_size_setting(options.settings)
    if asked and wanted.size and asked != wanted.size:
        raise InputError(f"input_size={asked[0]}x{asked[1]} is not what the file takes: {wanted.size}.")
    size = asked or size_from_file(*(wanted.size or size_in(metadata) or (224, 224)))
    interpolation = settings.get("interpolation", metadata.get("interpolation", "bilinear" if yolo else "bicubic"))
    if interpolation not in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"):
        raise InputError(f"interpolation must be bilinear, bicubic, lanczos, box or nearest, got {interpolation!r}.")
    if size[0] != size[1]:
        return ResizeCrop(size, size, interpolation), mean, std, assumed
    text = settings.get("crop_pct", metadata.get("crop_pct", "1" if yolo else "0.875"))
    try:
        crop = float(text)
    except ValueError:
        crop = 0.0
    if not 0.1 <= crop <= 1:
        raise InputError(f"crop_pct must be in 0.1..1, got {text[:40]!r}.")
    return ResizeCrop(size, round(size[0] / crop), interpolation), mean, std, assumed


def size_in(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) that the exporter wrote into the file, if any."""
    text = metadata.get("imgsz", metadata.get("input_size", ""))[:100]
    numbers = "".join(c if c in "0123456789" else " " for c in text).split()[-2:]
    return (int(numbers[0]), int(numbers[-1])) if numbers else None


def check_batch(path: Path, wanted: Input, size: tuple[int, int]) -> None:
    """Raises InputError if the file takes only batches that no machine should be asked to make."""
    if wanted.batch and (wanted.batch > MOST_IN_A_BATCH or wanted.batch * size[0] * size[1] > MOST_PIXELS):
        raise InputError(
            f"{path} takes exactly {wanted.batch} pictures of {size[0]}x{size[1]} at once, which is too many: "
            "export it with a free batch size."
        )
