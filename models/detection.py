"""What every detector shares: letterboxing and its exact undoing, the thresholds, masks in place, and the result.

numpy and OpenCV only; the networks are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard import masks as run_lengths
from dashboard.errors import InputError
from dashboard.types import Detections, Image

Size = tuple[int, int]  # (height, width) in pixels
PADDING = 114  # the grey around a letterboxed picture


class Letterboxed(NamedTuple):
    """A picture made ready for a detector.

    Attributes:
        pixels: (h, w, 3) uint8 RGB at the network's input size.
        size: (height, width) of the picture it was, in pixels.
    """

    pixels: NDArray[np.uint8]
    size: Size


def as_rgb(image: Image) -> Image:
    """``image`` itself. Raises ValueError unless it is (H, W, 3) uint8 with H, W >= 1."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) uint8 RGB, got {image.dtype} {image.shape}")
    return image


@dataclass(frozen=True)
class Placement:
    """Where a picture lies inside the network's input, in whole pixels.

    Attributes:
        top: rows of padding above.
        left: columns of padding before.
        inner: (height, width) of the resized picture.
        outer: (height, width) of the input.
    """

    top: int
    left: int
    inner: Size
    outer: Size


@dataclass(frozen=True)
class LetterBox:
    """Ultralytics' ``LetterBox``: resize keeping the shape, centre, and fill up with grey 114.

    Attributes:
        size: (height, width) of the network's input in pixels.
        stride: of the network, in pixels; ``rect`` pads to multiples of it.
        rect: pad to the next multiple of ``stride`` only, so that pictures of other shapes give other inputs
            (``yolo predict``'s ``rect=True``); False pads to ``size`` (``rect=False``).
        stretch: fill ``size`` whatever the picture's shape, without padding (RT-DETR).
    """

    size: Size
    stride: int = 32
    rect: bool = False
    stretch: bool = False

    def place(self, size: Size) -> Placement:
        """Where a picture of ``size`` goes."""
        height, width = size
        if self.stretch:
            return Placement(0, 0, self.size, self.size)
        gain = min(self.size[0] / height, self.size[1] / width)
        inner = max(round(height * gain), 1), max(round(width * gain), 1)  # a thin picture keeps one pixel
        down, across = self.size[0] - inner[0], self.size[1] - inner[1]
        if self.rect:
            down, across = down % self.stride, across % self.stride
        # the odd pixel goes below and to the right
        return Placement(down // 2, across // 2, inner, (inner[0] + down, inner[1] + across))

    def apply(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 RGB to the network's input, still uint8. Raises ValueError for another array."""
        import cv2

        image = as_rgb(image)
        size = image.shape[0], image.shape[1]
        where = self.place(size)
        if size != where.inner:
            image = np.asarray(cv2.resize(image, where.inner[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        if where.inner == where.outer:
            return Letterboxed(np.ascontiguousarray(image), size)
        pixels = np.full((*where.outer, 3), PADDING, np.uint8)
        pixels[where.top : where.top + where.inner[0], where.left : where.left + where.inner[1]] = image
        return Letterboxed(pixels, size)

    def restore(self, boxes: NDArray[Any], size: Size) -> NDArray[np.float64]:
        """(N, 4) xyxy boxes in the input's pixels to pixels of the picture of ``size``; not clipped."""
        where = self.place(size)
        scale = np.array([size[1] / where.inner[1], size[0] / where.inner[0]] * 2)
        return (np.asarray(boxes, np.float64) - [where.left, where.top, where.left, where.top]) * scale

    def __str__(self) -> str:
        to = f"{self.size[0]}x{self.size[1]}"
        if self.stretch:
            return f"stretch to {to} bilinear (OpenCV)"
        until = f"multiples of {self.stride}" if self.rect else "the full size"
        return f"letterbox to {to} bilinear (OpenCV), grey padding to {until}"


@dataclass(frozen=True)
class Thresholds:
    """Which of a network's boxes are kept.

    Attributes:
        conf: least score, exclusive, 0..1.
        iou: overlap above which the lower-scored of two boxes of a class goes, 0..1.
        max_det: most boxes a picture.
    """

    conf: float = 0.001
    iou: float = 0.7
    max_det: int = 300

    def with_settings(self, settings: Mapping[str, str]) -> Thresholds:
        """As ``conf=``, ``iou=`` and ``max_det=`` ask. Raises InputError for values that make no sense."""
        return replace(
            self,
            conf=rate_setting(settings, "conf", self.conf),
            iou=rate_setting(settings, "iou", self.iou),
            max_det=_count_setting(settings, "max_det", self.max_det),
        )


def rate_setting(settings: Mapping[str, str], key: str, default: float, most: float = 1) -> float:
    """A number in 0..``most``. Raises InputError for anything else."""
    text = settings.get(key)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise InputError(f"{key} must be a number in 0..{most:g}, got {text[:40]!r}.")
    return value


def _count_setting(settings: Mapping[str, str], key: str, default: int) -> int:
    text = settings.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= 30_000 and len(text) < 9):
        raise InputError(f"{key} must be a whole number in 1..30000, got {text[:40]!r}.")
    return int(text)


def flag_setting(settings: Mapping[str, str], key: str, default: bool) -> bool:
    """Yes or no: 1/0, true/false, yes/no, on/off. Raises InputError for anything else."""
    text = settings.get(key)
    if text is None:
        return default
    if text.lower() not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
        raise InputError(f"{key} must be true or false, got {text[:40]!r}.")
    return text.lower() in ("1", "true", "yes", "on")


def clipped(boxes: NDArray[Any], size: Size) -> NDArray[np.float64]:
    """(N, 4) xyxy boxes cut off at the picture's edges (0..width, 0..height)."""
    height, width = size
    return np.asarray(boxes, np.float64).reshape(-1, 4).clip(0, [width, height, width, height])


def result(
    name: str,
    boxes: NDArray[Any],
    scores: NDArray[Any],
    class_ids: NDArray[Any],
    size: Size,
    masks: list[bytes] | None = None,
) -> Detections:
    """One picture's detections from what a network says.

    Args:
        name: the model's, for messages.
        boxes: (N, 4) xyxy in the picture's pixels; clipped to it here.
        scores: (N,) 0..1, up to float rounding.
        class_ids: (N,) from 0, any number type.
        size: (height, width) of the picture.
        masks: N run lengths, or None.

    Raises:
        InputError: boxes or scores that are not numbers, or scores outside 0..1.
    """
    scores = np.asarray(scores, np.float64).reshape(-1)
    check_finite(name, bool(np.isfinite(scores).all() and np.isfinite(boxes).all()))
    if len(scores) and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
        raise InputError(f"{name} gives scores of {scores.min():.3g}..{scores.max():.3g}, which are not in 0..1.")
    xyxy = clipped(boxes, size)
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2])  # a network may give a box inside out
    return Detections(xyxy, np.asarray(class_ids).astype(np.int64), scores.clip(0, 1), masks=masks, size=size)


def check_finite(name: str, finite: bool) -> None:
    """Raises InputError, naming the model, unless its outputs are ``finite``."""
    if not finite:
        raise InputError(
            f"{name} gives outputs that are not numbers (NaN): its weights are damaged, or the precision is too low "
            "for it; try fp32."
        )


def place_mask(columns: NDArray[np.bool_], left: int, top: int, size: Size) -> bytes:
    """A mask that is empty outside a rectangle, as run lengths of the whole picture, made from the rectangle alone.

    Args:
        columns: (w, h) bool: the rectangle transposed, as run lengths go down the columns.
        left: the rectangle's first column in the picture.
        top: its first row; ``left + w`` and ``top + h`` must not exceed the picture.
        size: (height, width) of the picture.

    Returns:
        The same bytes as ``dashboard.masks.encode`` of the full picture.
    """
    height, width = size
    wide, high = columns.shape
    if left < 0 or top < 0 or left + wide > width or top + high > height:
        raise ValueError(f"a mask of {high}x{wide} at row {top}, column {left} is not inside {height}x{width}")
    fenced = np.zeros(wide * (high + 1) + 1, np.int8)  # a false after each column parts the runs
    fenced[1:].reshape(wide, high + 1)[:, :high] = columns
    edges = np.flatnonzero(np.diff(fenced, append=np.int8(0)))
    column, row = np.divmod(edges, high + 1)
    places = (left + column) * height + top + row
    # a run to the picture's last row goes on in the next column if that begins with one
    joined = np.flatnonzero(places[1:] == places[:-1])
    places = np.delete(places, np.concatenate([joined, joined + 1]))
    counts = np.diff(np.concatenate([[0], places, [height * width]]))
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return run_lengths.from_runs(counts.tolist(), size)
