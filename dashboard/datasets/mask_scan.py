"""One look at every mask of a dataset, in threads: sizes, and how many pixels have which number. Kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.files import _file_digest
from dashboard.datasets.images import big_ones_alone
from dashboard.datasets.mask_files import Labels, read_labels
from dashboard.datasets.palette import Palette
from dashboard.types import IGNORED

_STRIP = 1 << 20  # pixels counted in one go
_THREADS = 8
_KEPT = 64  # scans in the cache
_WORTH_S = 1.0  # of looking, from which on it is kept
_VERSION = b"mask-scan-2"


@dataclass(frozen=True, eq=False)
class Scan:
    """What the masks of N pictures hold.

    Attributes:
        sizes: (N, 2) height and width in pixels.
        mask: (K,) mask number, ascending.
        labels: (K,) numbers that occur in it, ascending within a mask.
        pixels: (K,) how many pixels have it.
    """

    sizes: NDArray[np.int64]
    mask: NDArray[np.int64]
    labels: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def highest(self, ignored: Sequence[int] = IGNORED) -> int:
        """The highest number that occurs, those ``ignored`` aside; -1 if there is none."""
        counted = self.labels[~np.isin(self.labels, ignored)]
        return int(counted.max(initial=-1))

    def per_class(self, table: NDArray[np.uint16], classes: int) -> NDArray[np.int64]:
        """(N, C) pixels of each class, ``table`` giving the class of each number."""
        of = table[self.labels].astype(np.int64)
        known = of < classes
        place = self.mask[known] * classes + of[known]
        out = np.bincount(place, self.pixels[known], len(self.sizes) * classes)
        return out.astype(np.int64).reshape(-1, classes)


def scan(files: Sequence[str], palettes: Sequence[Palette | None], by_colour: bool | None, cache: Path | None) -> Scan:
    """Read every mask once, or take what an earlier scan of the same files found.

    Args:
        files: N masks.
        palettes: N, see ``read_labels``.
        by_colour: likewise.
        cache: folder of scans, or None.

    Raises:
        InputError: of the first mask that cannot be read, see ``read_labels``.
    """
    kept = cache / f"{_key(files, palettes, by_colour)}.npz" if cache is not None else None
    if kept is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            with np.load(kept) as stored:
                found = Scan(*(stored[name] for name in ("sizes", "mask", "labels", "pixels")))
            os.utime(kept)
            return found
    began = time.perf_counter()

    def look(file: str, palette: Palette | None) -> tuple[tuple[int, int], NDArray[np.int64], NDArray[np.int64]]:
        with big_ones_alone():
            return _count(read_labels(file, palette, by_colour))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="masks") as pool:
        try:
            rows = list(pool.map(look, files, palettes))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the first fault is told at once
            raise
    found = Scan(
        np.array([size for size, _, _ in rows], np.int64).reshape(-1, 2),
        np.repeat(np.arange(len(rows)), [len(labels) for _, labels, _ in rows]),
        np.concatenate([np.empty(0, np.int64), *(labels for _, labels, _ in rows)]),
        np.concatenate([np.empty(0, np.int64), *(pixels for _, _, pixels in rows)]),
    )
    if kept is not None and time.perf_counter() - began > _WORTH_S:
        with contextlib.suppress(OSError):  # a scan that cannot be kept is made again
            _keep(kept, found)
    return found


def _count(labels: Labels) -> tuple[tuple[int, int], NDArray[np.int64], NDArray[np.int64]]:
    """Size, numbers and their pixels."""
    size = np.iinfo(labels.dtype).max + 1
    flat = labels.reshape(-1)
    counts = np.zeros(size, np.int64)
    for start in range(0, len(flat), _STRIP):
        counts += np.bincount(flat[start : start + _STRIP], minlength=size)
    here = np.flatnonzero(counts)
    return (labels.shape[0], labels.shape[1]), here, counts[here]


def _key(files: Sequence[str], palettes: Sequence[Palette | None], by_colour: bool | None) -> str:
    """Hash of every file's size and both ends (a PNG ends with a checksum of its pixels), and of how it is read."""
    digest = hashlib.blake2b(_VERSION, digest_size=12)
    digest.update(str(by_colour).encode() + hash_of(palettes))
    for piece in digests(files):
        digest.update(piece)
    return digest.hexdigest()


def hash_of(palettes: Sequence[Palette | None]) -> bytes:
    """Hash of the palettes of some masks, which mostly have one."""
    digest, last = hashlib.blake2b(digest_size=12), None
    for palette in palettes:
        if palette is not last and palette is not None:
            digest.update(b"%d\0" % len(palette.labels) + palette.labels.tobytes() + palette.colours.tobytes())
        last = palette
    return digest.digest()


def digests(files: Sequence[str]) -> list[bytes]:
    """Hash of each file's size and both ends."""
    each: Callable[[Sequence[str]], list[bytes]] = lambda block: [_file_digest(file) for file in block]  # noqa: E731
    with ThreadPoolExecutor(_THREADS) as pool:
        return [d for block in pool.map(each, [files[i : i + 256] for i in range(0, len(files), 256)]) for d in block]


def _keep(path: Path, found: Scan) -> None:
    """Write a scan so that it is whole or absent, and drop the ones unused for longest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {n: getattr(found, n) for n in ("sizes", "mask", "labels", "pixels")}
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, **columns)
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    old = sorted(path.parent.glob("*.npz"), key=lambda p: p.stat().st_mtime)
    for file in old[:-_KEPT]:
        file.unlink(missing_ok=True)
