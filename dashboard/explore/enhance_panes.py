"""Pictures beside their reference, as the enhancement view draws them: lossless PNG, local SSIM, the worst regions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.degrade import is_grey
from dashboard.enhancement_parts import encode
from dashboard.explore.overview import Data, json_number
from dashboard.metrics.enhancement.no_reference import plain_numbers
from dashboard.metrics.enhancement.regions import worst
from dashboard.metrics.enhancement.ssim import ssim_map
from dashboard.types import EnhancedImage, Image

INPUT, REFERENCE = "ui.ev.input", "ui.ev.reference"
NUMBERS = ("psnr", "ssim", "psnr_y", "ssim_y")
PLAIN = ("sharpness", "noise", "contrast", "colourfulness")
REGIONS = 6
MOST_PIXELS = 6_000_000
"""A picture with more is made smaller for the page by a whole factor: six of them have to fit in a browser."""
HIGHER = (*NUMBERS,)


def reduction(size: tuple[int, int]) -> int:
    """The whole factor by which a picture of (height, width) is made smaller for the page; mostly 1."""
    factor = 1
    while size[0] * size[1] > MOST_PIXELS * factor**2:
        factor += 1
    return factor


def plain_pane(title: str, role: str, picture: EnhancedImage, reduced: int = 1) -> Data:
    """A picture and nothing of what is known about it.

    Args:
        title: a text, or a key of the app's texts.
        role: "input" or "reference".
        picture: its pixels.
        reduced: the factor by which all panes are made smaller.
    """
    shown = smaller(picture, reduced)
    height, width = shown.size
    pane: Data = {"title": title, "role": role, "image": png_uri(shown), "size": [width, height], "numbers": {}}
    if reduced > 1:
        pane["full"] = list(picture.size[::-1])
    return pane


def given_pane(title: str, role: str, picture: EnhancedImage, reduced: int = 1, note: str | None = None) -> Data:
    """The input or the reference, with what can be said of it alone; grey where its channels are equal.

    Args:
        title: a text, or a key of the app's texts.
        role: "input" or "reference".
        picture: its pixels.
        reduced: the factor by which all panes are made smaller.
        note: beside the title.
    """
    pixels = picture.pixels
    grey = pixels.ndim == 3 and picture.alpha is None and is_grey(pixels)
    shown = EnhancedImage(np.ascontiguousarray(pixels[..., 0]), picture.scale) if grey else picture
    plain = {name: shown_number(value) for name, value in plain_numbers(picture.rgb).items()}
    return plain_pane(title, role, shown, reduced) | {"plain": plain, "note": note}


def model_pane(
    title: str,
    picture: EnhancedImage,
    reference: Image | None,
    numbers: Mapping[str, float],
    border: int = 0,
    reduced: int = 1,
    note: str | None = None,
    stages: Sequence[float] | None = None,
) -> Data:
    """What a model made: its picture, its numbers, its local SSIM and the regions where it is worst.

    Args:
        title: the model's name.
        picture: its answer.
        reference: (H, W, 3) uint8 of the same size, or None.
        numbers: as ``dashboard.metrics.enhancement.measured.measure`` gives them.
        border: pixels at each border that are left out of the numbers, and of the regions.
        reduced: the factor by which all panes are made smaller for the page.
        note: beside the title.
        stages: milliseconds of preprocess, forward and postprocess.
    """
    pane = plain_pane(title, "model", picture, reduced) | {"note": note, "stages": stages}
    pane["numbers"] = {n: shown_number(numbers[n]) for n in NUMBERS if n in numbers} if reference is not None else {}
    pane["plain"] = {n: shown_number(numbers[n]) for n in PLAIN if n in numbers}
    if reference is None:
        return pane
    found = picture.rgb
    local = ssim_map(found, reference)
    small: Any = local
    if reduced > 1:
        small = cv2.resize(local, (pane["size"][0], pane["size"][1]), interpolation=cv2.INTER_AREA)
    levels = np.clip(np.rint(small * 255), 0, 255).astype(np.uint8)
    pane["maps"] = {"ssim": png_uri(EnhancedImage(levels))}
    difference = found.astype(np.int16) - reference
    squared = np.square(difference, dtype=np.float32).mean(axis=2)
    pane["regions"] = {
        "ssim": _regions(1 - local.mean(axis=2), border, reduced, lambda v: 1 - v),
        "squared": _regions(squared, border, reduced, lambda v: v),
    }
    return pane


def _regions(badness: NDArray[np.floating], border: int, reduced: int, value: Any) -> list[Data]:
    """The worst regions of a map, in the page's pixels."""
    height, width = badness.shape
    inner = badness[border : height - border, border : width - border] if border else badness
    return [
        {
            "x": round((x + border) / reduced),
            "y": round((y + border) / reduced),
            "w": max(1, round(w / reduced)),
            "h": max(1, round(h / reduced)),
            "value": float(value(v)),
        }
        for x, y, w, h, v in worst(inner, REGIONS)
    ]


def failed_pane(title: str, reason: str) -> Data:
    """A model that has no answer."""
    return {"title": title, "role": "model", "image": None, "size": [1, 1], "numbers": {}, "error": reason}


def payload(
    key: str,
    title: str,
    panes: Sequence[Data],
    size: tuple[int, int],
    border: int = 0,
    reduced: int = 1,
) -> Data:
    """A picture and its panes as the view takes them; the best number among the models is marked.

    Args:
        key: of the picture; zoom is kept while it stays the same.
        title: its name.
        panes: one to six.
        size: (height, width) of answers and reference in pixels, before they are made smaller.
        border: pixels at each border that are left out of the numbers.
        reduced: the factor by which panes were made smaller for the page.

    Raises:
        ValueError: another number of panes.
    """
    if not 1 <= len(panes) <= 6:
        raise ValueError(f"panes must be one to six, got {len(panes)}")
    marked = [dict(p) for p in panes]
    models = [p for p in marked if p["role"] == "model" and p["numbers"]]
    for pane in models:
        pane["best"] = []
    if len(models) > 1:
        for name in HIGHER:
            values = [_comparable(p["numbers"].get(name)) for p in models]
            top = max(values)
            if top > -np.inf and min(values) < top:
                for pane, value in zip(models, values, strict=True):
                    if value == top:
                        pane["best"].append(name)
    reference = next((k for k, p in enumerate(marked) if p["role"] == "reference"), None)
    height, width = (-(-s // reduced) if reduced > 1 else s for s in size)
    return {
        "key": key,
        "title": title,
        "width": width,
        "height": height,
        "reduced": reduced,
        "border": border,
        "reference": reference,
        "panes": marked,
    }


def no_picture(key: str, title: str, reason: str) -> Data:
    """What the view shows where there is nothing to show: a sentence, or a key of the app's texts."""
    return {"key": key, "title": title, "error": reason, "panes": []}


def shown_number(value: float) -> float | str | None:
    """A number for the page: None where undefined, "inf" where infinite."""
    return "inf" if np.isposinf(value) else json_number(float(value))


def _comparable(value: Any) -> float:
    return np.inf if value == "inf" else -np.inf if value is None else float(value)


def smaller(picture: EnhancedImage, reduced: int) -> EnhancedImage:
    """The same picture, averaged over squares of ``reduced`` pixels."""
    if reduced == 1:
        return picture
    height, width = (-(-s // reduced) for s in picture.size)

    def shrink(pixels: Any) -> Any:
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)

    alpha = None if picture.alpha is None else shrink(picture.alpha)
    return EnhancedImage(shrink(picture.pixels), picture.scale, alpha)


def png_uri(picture: EnhancedImage) -> str:
    """A picture as a lossless data URI."""
    return f"data:image/png;base64,{base64.b64encode(encode(picture)).decode()}"
