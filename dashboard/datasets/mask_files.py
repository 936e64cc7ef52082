"""One mask file to the numbers written in it: index PNG (grey, palette, 16-bit), or colours through a palette."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from dashboard.datasets.images import MAX_PIXELS, _load, _open, _orientation, _read_file, alone_if_big
from dashboard.datasets.palette import UNKNOWN, Palette
from dashboard.errors import InputError

Labels = NDArray[np.uint8] | NDArray[np.uint16]
_LOSSLESS = ("PNG", "BMP", "PPM", "TIFF")  # writers of GIF renumber its colours
_PNG_DEPTH = 24  # the byte of a PNG that says how many bits a sample has (PNG specification, IHDR)
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF
# a damaged TIFF raises as well; in threads, filters can only be set once for all
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")


def read_labels(path: str | os.PathLike[str], palette: Palette | None = None, by_colour: bool | None = None) -> Labels:
    """The number of every pixel as the mask has it.

    Args:
        path: a PNG (or BMP, PPM, TIFF). Grey: its values, 1 to 16 bits. With a palette inside: its indices. RGB:
            the labels of ``palette`` of its colours.
        palette: for RGB.
        by_colour: whether the colours or the indices of palette PNG count; None where they must not contradict each
            other by ``palette``.

    Returns:
        (H, W) uint8, or uint16 where the file has 16 bits or ``palette`` has larger labels.

    Raises:
        InputError: naming the file (and pixel) and the remedy.
    """
    name = os.fspath(path)
    data = _read_file(path)
    image = _open(data, name, MAX_PIXELS)
    with alone_if_big(image.width * image.height):
        return _labels(image, data, name, palette, by_colour)


def _labels(image: PILImage.Image, data: bytes, name: str, palette: Palette | None, by_colour: bool | None) -> Labels:
    """Of a file whose header is read."""
    if image.format not in _LOSSLESS or str(image.info.get("compression", "")).endswith(("jpeg", "webp")):
        raise InputError(
            f"{name} is a {image.format} file, which does not keep class numbers as they are: save masks as PNG"
        )
    depth = _bits(image, data, name)
    mode = image.mode
    if palette is not None and palette.segments and mode not in ("RGB", "RGBA"):
        raise InputError(
            f"{name} has pixels of kind {mode}: save COCO panoptic PNG as 8-bit RGB, as {palette.path} wants"
        )
    _load(image, name)
    if _orientation(image) > 1:
        raise InputError(f"{name} has an EXIF orientation, which masks may not have: save it upright as PNG")
    if mode == "P":
        return _of_palette_image(image, name, palette, by_colour)
    if mode == "1":
        return np.asarray(image).astype(np.uint8)
    if mode == "L":
        ids: NDArray[np.uint8] = np.asarray(image)
        return ids // (255 // ((1 << depth) - 1)) if depth in (2, 4) else ids  # Pillow stretches these to 0..255
    if mode.startswith("I;16") or mode == "I":
        return _of_wide(np.asarray(image), name)
    if depth == 16:
        raise InputError(f"{name} has 16 bits a channel: save colour-coded masks as 8-bit RGB, or as class numbers")
    if mode in ("LA", "RGBA"):
        image = _opaque(image, name)
        mode = image.mode
        if mode == "L":
            return np.asarray(image)
    if mode != "RGB":
        raise InputError(f"{name} has pixels of kind {mode}: save masks as 8-bit grey, palette or RGB PNG")
    return _of_colours(np.asarray(image), name, palette)


def _bits(image: Any, data: bytes, name: str) -> int:
    """Bits a sample. Raises InputError where Pillow would give other numbers than the file has."""
    if image.format == "PNG":
        return data[_PNG_DEPTH]
    if image.format == "TIFF":
        if image.mode == "L" and image.tag_v2.get(_PHOTOMETRIC) == 0:
            raise InputError(
                f"{name} is a TIFF with white as 0, whose numbers are turned on reading: save masks as PNG"
            )
        return int(image.tag_v2.get(_BITS, (8,))[0])
    if image.format == "PPM" and image.mode != "F" and isinstance(image.tile[0].args, tuple):
        highest = image.tile[0].args[1]
        if highest != (65535 if image.mode == "I" else 255):
            raise InputError(
                f"{name} says that its highest value is {highest}, so that its numbers are rescaled on reading: "
                "save masks as PNG"
            )
    return 8


def _of_palette_image(image: PILImage.Image, name: str, palette: Palette | None, by_colour: bool | None) -> Labels:
    """Indices, once the palette file, if there is one, agrees."""
    ids: NDArray[np.uint8] = np.asarray(image)
    if palette is None or not palette.coloured or by_colour is False:
        return ids
    flat = image.getpalette("RGB") or []
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(flat) // 3] = np.array(flat, np.uint8).reshape(-1, 3)
    labels = palette.lookup(colours)
    if by_colour:
        if (labels == UNKNOWN)[ids].any():
            return _of_colours(colours[ids], name, palette)  # says which pixel
        return _narrow(labels[ids], palette)
    here = np.flatnonzero(np.bincount(ids.reshape(-1), minlength=256))
    differ = here[(labels[here] != here) & (labels[here] != UNKNOWN)]
    if len(differ):
        wrong = int(differ[0])
        raise InputError(
            f"{name}: pixels with the number {wrong} have the colour {_colour(colours[wrong])}, which {palette.path} "
            f"calls {labels[wrong]}: say which one counts with the option palette_png=numbers or palette_png=colours"
        )
    return ids


def _of_wide(values: NDArray[Any], name: str) -> Labels:
    """16-bit grey."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise InputError(f"{name} has values from {low} to {high}: masks hold class numbers of at most 16 bits")
    return values.astype(np.uint16)


def _opaque(image: PILImage.Image, name: str) -> PILImage.Image:
    """Without an alpha channel that says nothing."""
    alpha = np.asarray(image.getchannel("A"))
    if (alpha != 255).any():
        row, column = np.argwhere(alpha != 255)[0].tolist()
        raise InputError(
            f"{name} is transparent at row {row}, column {column}, which says no class: save it without alpha channel"
        )
    return image.convert(image.mode[:-1])


def _of_colours(rgb: NDArray[np.uint8], name: str, palette: Palette | None) -> Labels:
    if palette is None or not palette.coloured:
        grey = bool((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all())
        hint = "save it as 8-bit grey, since its three channels are the same, or add" if grey else "add"
        raise InputError(
            f"{name} is an RGB mask and there is no palette that says which colour is which class: {hint} a palette "
            "file beside the masks' folder (palette.txt, a line a class: name,r,g,b), or name it by palette=FILE"
        )
    labels = palette.lookup(rgb)
    if (labels == UNKNOWN).any():
        row, column = np.argwhere(labels == UNKNOWN)[0].tolist()
        often = int((labels == UNKNOWN).sum())
        raise InputError(
            f"{name}: the pixel at row {row}, column {column} has the colour {_colour(rgb[row, column])}, which "
            f"{palette.path} does not have ({often:,} pixels of unknown colours): add it there, as void if it does not "
            "count, or save the mask without smoothing"
        )
    return _narrow(labels, palette)


def _narrow(labels: NDArray[np.uint16], palette: Palette) -> Labels:
    return labels.astype(np.uint8) if palette.labels.max() < 256 else labels


def _colour(rgb: NDArray[Any]) -> str:
    return ",".join(str(int(v)) for v in rgb)


def where_is(labels: Labels, value: int) -> tuple[int, int]:
    """Row and column of the first pixel of that number."""
    row, column = np.argwhere(labels == value)[0].tolist()
    return row, column
