"""Small files that the dataset tests are made of."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def gradient(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """A smooth colourful (H, W, 3) uint8 picture that no rotation or flip leaves as it is."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y * 2 + seed * 40) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def encode(pixels: np.ndarray, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write(path: Path, seed: int = 0) -> Path:
    """A picture of the kind its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}[path.suffix.lower()]
    path.write_bytes(encode(gradient(seed=seed), kind))
    return path


def png_of_size(width: int, height: int) -> bytes:
    """A valid PNG header that claims any size, with hardly any pixels behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png16(pixels: np.ndarray) -> bytes:
    """(H, W) or (H, W, 3) uint16 as a 16-bit PNG."""
    import cv2

    return cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


def zipped(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """An archive of files by name."""
    with zipfile.ZipFile(path, "w", compression) as z:
        for name, data in entries.items():
            z.writestr(name, data)
    return path


def zip_folder(folder: Path, target: Path, inside: str = "") -> Path:
    """A folder as a zip, its files under the folder ``inside``."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, str(Path(inside) / file.relative_to(folder)))
    return target
