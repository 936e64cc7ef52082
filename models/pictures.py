"""What every enhancer shares: a picture with or without alpha, grey or not, and its answer. numpy and OpenCV only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.resize import imresize
from dashboard.types import EnhancedImage, Image


class Picture(NamedTuple):
    """A picture as it goes into an enhancer.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, 255 opaque, or None.
        grey: whether the three channels are equal everywhere.
    """

    pixels: Image
    alpha: NDArray[np.uint8] | None
    grey: bool

    @property
    def plane(self) -> NDArray[np.uint8]:
        """(H, W) uint8: the one channel of a grey picture."""
        return np.ascontiguousarray(self.pixels[..., 0])


def as_picture(image: Image) -> Picture:
    """Part colour from alpha and see whether it is grey.

    Args:
        image: (H, W, 3) uint8 RGB, or (H, W, 4) with alpha; not changed.

    Raises:
        ValueError: another array.
    """
    array: NDArray[Any] = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ValueError(f"image must be (H, W, 3) uint8 RGB or (H, W, 4) with alpha, got {array.dtype} {array.shape}")
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    pixels = array[..., :3]
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
    return Picture(pixels, alpha, grey)


def answer(
    picture: Picture, pixels: NDArray[np.uint8], scale: int, alpha: NDArray[np.uint8] | None = None
) -> EnhancedImage:
    """The enhanced picture; its alpha is ``alpha`` if given, else that of the picture, enlarged bicubically.

    Args:
        picture: that went in.
        pixels: (H * scale, W * scale) or with 3 channels, uint8: what came out.
        scale: how many times larger.
        alpha: (H * scale, W * scale) uint8, or None.
    """
    if alpha is None and picture.alpha is not None:
        alpha = picture.alpha if scale == 1 else imresize(picture.alpha, scale)
    return EnhancedImage(pixels, scale, alpha)


def to_ycc(rgb: NDArray[Any]) -> NDArray[np.float32]:
    """RGB to luma and two chromas, BT.601 at full range as in JPEG.

    Args:
        rgb: (H, W, 3) uint8, or floats in 0..255.

    Returns:
        (H, W, 3) float32: Y in 0..255, Cr and Cb in 0..255 around 128.
    """
    import cv2

    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb), np.float32) * 255


def from_ycc(ycc: NDArray[Any]) -> NDArray[np.uint8]:
    """Back to (H, W, 3) uint8 RGB: rounded, cut off at 0 and 255."""
    import cv2

    return to_bytes(cv2.cvtColor(np.asarray(ycc, np.float32) / 255, cv2.COLOR_YCrCb2RGB) * 255)


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats in 0..255 to uint8: rounded (halves to even), cut off at 0 and 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
