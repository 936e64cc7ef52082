"""Reading pictures: any ordinary file to (H, W, 3) uint8 RGB, or one sentence saying why not.

Pixels equal those of the reference pipelines (timm, torchvision), which decode with Pillow and ``convert("RGB")``:

* JPEGs are decoded by OpenCV, which is faster and frees the GIL, but only after a self-check has shown, once a process,
  that its pixels are identical to Pillow's; everything else, and everything when the check fails, goes through Pillow.
* EXIF orientation is honoured (the reference pipelines ignore it; here a photo is judged upright).
* Alpha is dropped, not composited: transparent pixels show the colour stored beneath, as ``convert("RGB")`` has it.
* 16-bit grey is divided by 257 (65535 becomes 255), where ``convert("RGB")`` would clip all but the darkest values to
  white; 16-bit colour keeps its high byte. CMYK is converted by Pillow. Of an animation the first frame is read.

Files are recognised by their first bytes, not their names, among a closed list of formats; Pillow's plugins are called
directly, since ``PIL.Image.open`` is replaced by other libraries and would try every plugin it knows.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PILImage
from PIL import ImageFile

from dashboard.errors import InputError
from dashboard.types import Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k"}
)
MAX_PIXELS = 128_000_000  # 384 MB as RGB: the 108-megapixel photos of phones fit, decompression bombs do not

BIG_PIXELS = 24_000_000  # those with more are decoded one at a time, see ``big_ones_alone``
_BLOCK = 1 << 18  # pixels converted in one go
_big = threading.RLock()
_thread = threading.local()

_FORMATS = {  # Pillow's format name: the module that reads it
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "PPM": "PpmImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
}
_ORIENTATION = 0x0112  # the EXIF tag
_COLOR_RGB = getattr(cv2, "IMREAD_COLOR_RGB", None)  # OpenCV 4.11 and later
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def read_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture in a file, (H, W, 3) uint8 RGB, upright.

    Raises:
        InputError: naming the file, if it is missing, a folder, empty, not a picture, truncated, damaged, or has more
            than ``max_pixels`` pixels (known from its header, before anything is decoded).
    """
    return _decode(_read_file(path), os.fspath(path), max_pixels)


def read_image_bytes(data: bytes, name: str = "the image", max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture in ``data``, (H, W, 3) uint8 RGB, upright; ``name`` is what errors call it.

    Raises:
        InputError: as ``read_image`` does.
    """
    return _decode(data, name, max_pixels)


def thumbnail(
    image: str | os.PathLike[str] | Image, size: int = 160, quality: int = 85, max_pixels: int = MAX_PIXELS
) -> bytes:
    """Return a small JPEG whose longer side is at most ``size`` pixels.

    JPEG files are decoded at a half, a quarter or an eighth of their size where that suffices. Pictures of at most half
    the size are enlarged by a whole factor without smoothing, so the pixels of an 8x8 digit stay visible as squares.

    Args:
        image: a file, or an (H, W, 3) or (H, W) uint8 array.
        size: longer side in pixels.
        quality: of the JPEG, 1..100.
        max_pixels: as in ``read_image``.

    Raises:
        InputError: as ``read_image`` does.
    """
    if isinstance(image, np.ndarray):
        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)
    else:
        bgr = _small_bgr(_read_file(image), os.fspath(image), size, max_pixels)
    height, width = bgr.shape[:2]
    longest = max(height, width)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if longest > size:
        shape = (max(1, round(width * size / longest)), max(1, round(height * size / longest)))
        bgr = cv2.resize(bgr, shape, interpolation=cv2.INTER_AREA)
    elif longest * 2 <= size:
        factor = size // longest
        bgr = bgr.repeat(factor, axis=0).repeat(factor, axis=1)
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, jpeg = cv2.imencode(".jpg", bgr, options)
    if not done:
        raise InputError(f"{image if not isinstance(image, np.ndarray) else 'The image'} could not be made a thumbnail")
    return jpeg.tobytes()


def _read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file that begins like a picture (so a 10 GB text named .jpg is refused after 32 bytes)."""
    file = Path(path)
    try:
        if not file.is_file():
            if file.is_dir():
                raise InputError(f"{path} is a folder, not a picture: give a single image file")
            raise InputError(f"{path} does not exist: check the path" if not file.exists() else f"{path} is not a file")
        with open(file, "rb") as stream:
            _sniff(stream.read(32), os.fspath(path))
            stream.seek(0)
            return stream.read()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check that it is there and readable"
        ) from error


@functools.cache
def _plugins() -> dict[str, tuple]:
    found = {}
    for name, module in _FORMATS.items():
        try:
            importlib.import_module(f"PIL.{module}")
        except ImportError:  # an older Pillow
            continue
        if name in PILImage.OPEN:
            found[name] = PILImage.OPEN[name]
    return found


def _sniff(head: bytes, name: str) -> str:
    """Pillow's name of the format that ``head`` belongs to."""
    if not head:
        raise InputError(f"{name} is empty (0 bytes): copy or download it again, or remove it")
    for fmt, (_, accept) in _plugins().items():
        verdict = accept(head)
        if verdict and not isinstance(verdict, str):
            return fmt
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc"):
        raise InputError(f"{name} is a HEIC photo, which is not supported: export it as JPEG or PNG")
    raise InputError(
        f"{name} is not an image (it does not begin like a JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or JPEG 2000): "
        "remove it, or replace it by a picture"
    )


def _open(data: bytes, name: str, max_pixels: int) -> PILImage.Image:
    """The header, read; the pixel count checked."""
    fmt = _sniff(data[:32], name)
    if fmt == "WEBP" and int.from_bytes(data[4:8], "little") + 8 > len(data) + 1:
        raise _truncated(name)
    try:
        image = _plugins()[fmt][0](io.BytesIO(data), name)
    except Exception as error:  # plugins raise anything on a damaged header: SyntaxError, struct.error, IndexError, ...
        raise InputError(
            f"{name} begins like a {fmt} picture but is truncated or damaged: copy or download it again, or remove it"
        ) from error
    if image.format == "JPEG" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise _truncated(name)  # no end marker after the last scan, which Pillow misses where zeros fill the file up
    width, height = image.size
    if width * height > max_pixels:
        raise InputError(
            f"{name} says it has {width:,} x {height:,} pixels, more than the limit of {max_pixels:,}: "
            "scale it down, or remove it"
        )
    return image


@contextlib.contextmanager
def big_ones_alone() -> Iterator[None]:
    """A picture of more than ``BIG_PIXELS`` that this thread reads is the only one under way until the block ends.

    Other threads that come to a big picture wait; those with ordinary ones go on. So memory holds one of them at a
    time, with whatever is made of it, and not one a thread.
    """
    with contextlib.ExitStack() as until_done:
        _thread.until_done = until_done
        try:
            yield
        finally:
            _thread.until_done = None


@contextlib.contextmanager
def alone_if_big(pixels: int) -> Iterator[None]:
    """Decode a picture of so many pixels: a big one alone, and on to the end of this thread's ``big_ones_alone``."""
    if pixels <= BIG_PIXELS:
        yield
        return
    until_done = getattr(_thread, "until_done", None)
    if until_done is not None:
        until_done.enter_context(_big)
    with _big:
        yield


def _decode(data: bytes, name: str, max_pixels: int) -> Image:
    header = _open(data, name, max_pixels)
    with alone_if_big(header.width * header.height):
        return _pixels(header, data, name)


def _pixels(header: PILImage.Image, data: bytes, name: str) -> Image:
    """Decode what has been opened."""
    if _is_plain_jpeg(header, data) and _opencv_equals_pillow():
        flags = cv2.IMREAD_IGNORE_ORIENTATION | (_COLOR_RGB if _COLOR_RGB is not None else cv2.IMREAD_COLOR)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is not None and pixels.shape == (header.height, header.width, 3):
            if _COLOR_RGB is None:
                pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            return _upright(pixels, _orientation(header))
    _load(header, name)
    return _upright(_to_rgb(header, name), _orientation(header))  # after loading: some formats keep EXIF at the end


def _small_bgr(data: bytes, name: str, size: int, max_pixels: int) -> Image:
    """The picture as BGR, of at least ``size`` pixels on its longer side if it has them, cheaply."""
    header = _open(data, name, max_pixels)
    factor = next((f for f in (8, 4, 2) if max(header.size) >= f * size), 1)
    if factor > 1 and _is_plain_jpeg(header, data):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is not None:
            return _upright(pixels, _orientation(header))
    return np.ascontiguousarray(_decode(data, name, max_pixels)[..., ::-1])


def _is_plain_jpeg(header: PILImage.Image, data: bytes) -> bool:
    """Grey or colour JPEG that ends with its end marker. Without the marker it may be cut short; Pillow decides."""
    return header.format == "JPEG" and header.mode in ("L", "RGB") and data.endswith(b"\xff\xd9")


def _load(image: PILImage.Image, name: str) -> None:
    """Decode with Pillow."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # a global that other libraries set: half a picture is not the picture
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image.load()
    except MemoryError as error:
        raise InputError(f"{name} does not fit in memory: scale it down, or remove it") from error
    except EOFError as error:
        raise _truncated(name) from error
    except Exception as error:  # as at opening
        if "truncated" in str(error) or "incomplete" in str(error):
            raise _truncated(name) from error
        raise InputError(
            f"{name} is damaged and cannot be decoded ({error}): copy or download it again, or remove it"
        ) from error


def _truncated(name: str) -> InputError:
    return InputError(
        f"{name} is truncated (the file ends before the picture does): copy or download it again, or remove it"
    )


def _to_rgb(image: PILImage.Image, name: str) -> Image:
    """Pixels of a loaded Pillow image, of any mode."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _grey(np.asarray(image), lambda v: (v.astype(np.uint32) * 255 + 32895) >> 16)  # v / 257, rounded
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        low, high = float(values.min()), float(values.max())
        tops = (1, 255, 65535) if image.mode == "F" else (255, 65535)  # the usual ranges of 32-bit TIFFs
        top = next((top for top in tops if low >= 0 and high <= top), None)
        if top is not None:
            factor = 255 / top
            return _grey(values, lambda v: np.rint(v.astype(np.float64) * factor))
        raise InputError(f"{name} has values from {low:g} to {high:g}: save it with 8 or 16 bits per channel")
    image.info.pop("transparency", None)  # else Pillow warns that it is dropped
    try:
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except ValueError as error:
        raise InputError(f"{name} has colours of kind {image.mode}: save it as RGB or grey") from error


def _grey(values: np.ndarray, to_byte: Callable[[np.ndarray], np.ndarray]) -> Image:
    """(H, W) of any numbers as RGB, converted in blocks: a big picture in wider numbers would fill the memory."""
    flat, out = values.reshape(-1), np.empty((values.size, 3), np.uint8)
    for start in range(0, flat.size, _BLOCK):
        out[start : start + _BLOCK] = to_byte(flat[start : start + _BLOCK])[:, None]
    return out.reshape(*values.shape, 3)


def _orientation(image: PILImage.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF: the picture itself is good
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> Image:
    """Undo an EXIF orientation, 1..8 (Exif 2.32, table 6)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


@functools.cache
def _opencv_equals_pillow() -> bool:
    """Whether both JPEG decoders give the same pixels here (they do where both carry libjpeg-turbo)."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    picture = cv2.resize(noise, (93, 71), interpolation=cv2.INTER_LINEAR)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    for subsampling in (0, 1, 2):  # 4:4:4, 4:2:2, 4:2:0
        for progressive in (False, True):
            buffer = io.BytesIO()
            PILImage.fromarray(picture).save(
                buffer, "JPEG", quality=85, subsampling=subsampling, progressive=progressive
            )
            decoder = _plugins()["JPEG"][0](io.BytesIO(buffer.getvalue()), "")
            ours = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), flags)
            if ours is None or not np.array_equal(np.asarray(decoder), ours[..., ::-1]):
                return False
    return True
