"""What the formats on disk share: a list of files with truths, and the hash that notices when they change."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.images import IMAGE_SUFFIXES, read_image
from dashboard.errors import InputError
from dashboard.types import Classification, Sample

_EDGE = 8192  # bytes at each end of a file that enter the fingerprint
_PLAIN = (".bmp", ".dib", ".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff")
"""Pictures that may change in the middle and nowhere else: their pixels are not packed. They are hashed whole."""
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


class FileDataset:
    """Pictures in files, with one label each or several. Implements ``Dataset``.

    Attributes:
        ids: (N,) one a sample, unique.
        targets: (N,) int64 class numbers; when ``multilabel``, a list of N tuples of class numbers.
        files: (N,) where the pictures are.
    """

    task = "classification"
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *,
        name: str,
        source: str,
        ids: Sequence[str],
        files: Sequence[str],
        targets: NDArray[np.int64] | Sequence[tuple[int, ...]],
        class_names: Sequence[str],
        class_ids: Sequence[str] = (),
        multilabel: bool = False,
        warnings: Sequence[str] = (),
        tags: Mapping[str, Sequence[str | float]] | None = None,
    ) -> None:
        if not len(ids) == len(files) == len(targets):
            raise ValueError(f"ids, files and targets must be as many, got {len(ids)}, {len(files)}, {len(targets)}")
        self.name = name
        self.source = source
        self.ids = list(ids)
        self.files = list(files)
        self.targets = targets
        self.class_names = tuple(class_names)
        self.class_ids = tuple(class_ids)
        self.multilabel = multilabel
        self.warnings = tuple(warnings)
        self._tags = dict(tags or {})

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        target, classes = self.targets[index], len(self.class_names)
        return Sample(
            id=self.ids[index],
            load=partial(read_image, self.files[index]),
            target=Classification.from_labels(target, classes)
            if isinstance(target, tuple)
            else Classification.from_label(int(target), classes),
            source=Path(self.files[index]),
            tags={key: values[index] for key, values in self._tags.items()},
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, labels, class names, and every file's size and first and last 8 KB; computed at the first use.

        It does not depend on where the dataset lies, so a folder and its zip have the same.
        """
        digest = hashlib.blake2b(digest_size=10)
        digest.update(
            "\0".join(["files-1", *self.class_names, *self.class_ids, str(self.multilabel)]).encode(
                "utf-8", "surrogateescape"
            )
        )
        blocks = [self.files[i : i + 256] for i in range(0, len(self.files), 256)]
        with ThreadPoolExecutor(8) as pool:
            edges = chain.from_iterable(pool.map(lambda block: [_file_digest(file) for file in block], blocks))
            for identity, target, edge in zip(self.ids, self.targets, edges, strict=True):
                label = target if isinstance(target, tuple) else (int(target),)
                digest.update(f"\0{identity}\0{label}\0".encode("utf-8", "surrogateescape") + edge)
        return digest.hexdigest()


def _file_digest(path: str) -> bytes:
    """Hash of a file's size and both ends; of unpacked pictures, of all of it."""
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return b"unreadable"
            size = status.st_size
            if path.lower().endswith(_PLAIN):
                digest = hashlib.blake2b(digest_size=16, salt=size.to_bytes(16, "little"))
                while piece := stream.read(1 << 20):
                    digest.update(piece)
                return digest.digest()
            data = stream.read(_EDGE) or b""
            if size > _EDGE:
                stream.seek(max(_EDGE, size - _EDGE))
                data += stream.read(_EDGE) or b""
    except OSError:
        return b"unreadable"
    return hashlib.blake2b(data, digest_size=16, salt=size.to_bytes(16, "little")).digest()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting: a named pipe would keep us for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key in which ``img2`` comes before ``img10``."""
    parts = re.split(r"(\d+)", name)
    return [(int(p), "") if i % 2 else (-1, p) for i, p in enumerate(parts)], name


def is_image(name: str) -> bool:
    """Whether a file's name says it is a picture."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def unusable(entry: os.DirEntry[str]) -> str:
    """Why a file that is named like a picture is passed over, "" if it is not.

    Pipes, sockets and devices could keep a reader for ever. Links that lead nowhere are kept: they are reported as
    unreadable, by name.
    """
    if not is_text(entry.name):
        return "name that is not UTF-8"
    if entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path)):
        return ""
    return "no ordinary file"


def is_text(name: str) -> bool:
    """Whether a name can be written down: on Linux a file's name is any bytes, of which Python keeps the odd ones."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """A name with the bytes that are no text as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden or the operating system's, and not worth a word."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Every file of any kind under ``folder`` that is not hidden, following links once.

    Raises:
        InputError: naming a folder that cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    if is_ignored(entry.name):
                        continue
                    if entry.is_dir():
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError as error:
            raise InputError(
                f"{printable(error.filename or here)} cannot be read ({error.strerror}): check the folder's permissions"
            ) from error


def subfolders(folder: Path) -> list[str]:
    """Names of the folders directly in ``folder``, hidden ones aside, in torchvision's order."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not is_ignored(e.name))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): check the folder's permissions") from error


def passed_over(suffixes: Counter[str]) -> list[str]:
    """The warning about files that are not pictures, counted by kind, as a list of none or one."""
    if not suffixes:
        return []
    kinds = ", ".join(f"{kind} {count}" for kind, count in suffixes.most_common(5))
    total = suffixes.total()
    return [f"{total} file{'s' * (total > 1)} that {'are' if total > 1 else 'is'} not a picture passed over ({kinds})."]
