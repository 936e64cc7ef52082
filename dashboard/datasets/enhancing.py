"""What the datasets for enhancement share: inputs and references made when asked for, and what their files are like."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

from dashboard.datasets.boxes import listed
from dashboard.datasets.files import _open_at_once
from dashboard.datasets.images import _orientation, _plugins, _sniff
from dashboard.datasets.mask_scan import digests
from dashboard.datasets.sizes import _TURNED
from dashboard.errors import InputError
from dashboard.types import EnhancedImage, Image, Prediction, Sample

TASK = "enhancement"
_BLOCK = 64  # files a thread takes at a time
_BITS = 258  # a tag of TIFF
_PNG_DEPTH = 24  # the byte of a PNG that says how many bits a sample has (PNG specification, IHDR)


@dataclass(frozen=True)
class Header:
    """What a picture's header says.

    Attributes:
        height, width: in pixels, upright (EXIF orientation honoured).
        deep: whether samples have more than 8 bits.
        alpha: whether there is transparency.
    """

    height: int
    width: int
    deep: bool
    alpha: bool


class LazySample(Sample):
    """A sample whose ``target`` is made at each access: it is given as a function."""

    @property
    def target(self) -> Prediction | None:
        """The reference, or None."""
        return self._make()

    @target.setter  # type: ignore[override]
    def target(self, make: Callable[[], Prediction | None] | Prediction | None) -> None:
        made = make if callable(make) else lambda: make  # of a copy, a reference itself
        object.__setattr__(self, "_make", made)  # the class is frozen; its own __init__ sets fields in this way

    _make: Callable[[], Prediction | None]


class References(Sequence[EnhancedImage | None]):
    """The references of N pictures, each made when asked for."""

    def __init__(self, count: int, make: Callable[[int], EnhancedImage | None]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> EnhancedImage | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[EnhancedImage | None]: ...
    def __getitem__(self, index: int | slice) -> EnhancedImage | list[EnhancedImage | None] | None:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"image {index} of {self._count}")
        return self._make(index % self._count)


class EnhancementDataset(ABC):
    """Pictures to enhance, with references or without. Implements ``Dataset``; a subclass says how both are made.

    Attributes:
        ids: (N,) one a sample, unique.
        files: (N,) where the inputs are, or the clean pictures that they are made from.
        scale: how many times wider and higher a reference is than its input.
        recipe: one sentence on how inputs are made; "" where they are files.
        targets: (N,) references, read when asked for; None where there are none.
    """

    task = TASK
    multilabel = False
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})
    scale: int = 1
    recipe: str = ""
    name_suffix = ""
    """What follows the folder's name in ``name``: the same pictures made worse in another way are other data."""

    def __init__(self, name: str, source: str, ids: Sequence[str], files: Sequence[str]) -> None:
        if len(ids) != len(files):
            raise ValueError(f"ids and files must be as many, got {len(ids)} and {len(files)}")
        self.name = name
        self.source = source
        self.ids = list(ids)
        self.files = list(files)
        self.targets: Sequence[EnhancedImage | None] = References(len(ids), self.reference)

    @abstractmethod
    def input(self, index: int) -> Image:
        """What a model is given: (H, W, 3) uint8 RGB."""

    @abstractmethod
    def reference(self, index: int) -> EnhancedImage | None:
        """What its answer is compared with."""

    @abstractmethod
    def hashed(self) -> list[str]:
        """What makes the inputs besides the files, for the fingerprint; begins with the kind of dataset."""

    def all_files(self) -> list[Sequence[str]]:
        """Lists of (N,) files that are read."""
        return [self.files]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        make: Any = partial(self.reference, index)
        return LazySample(self.ids[index], partial(self.input, index), make, source=Path(self.files[index]))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, how inputs are made, and every file's size and first and last 8 KB; made at the first use.

        It does not depend on where the dataset lies, so a folder and its zip have the same.
        """
        digest = hashlib.blake2b("\0".join(self.hashed()).encode("utf-8", "surrogateescape"), digest_size=10)
        for identity, *pieces in zip(self.ids, *(digests(files) for files in self.all_files()), strict=True):
            digest.update(f"\0{identity}\0".encode("utf-8", "surrogateescape") + b"".join(pieces))
        return digest.hexdigest()


def read_headers(files: Sequence[str]) -> list[Header]:
    """What each picture's header says; no pixel is decoded.

    Raises:
        InputError: naming the first file that is missing or is not a picture.
    """
    blocks = [files[i : i + _BLOCK] for i in range(0, len(files), _BLOCK)]
    with ThreadPoolExecutor(8) as pool:
        return [h for block in pool.map(lambda block: [read_header(file) for file in block], blocks) for h in block]


def read_header(file: str) -> Header:
    """What a picture's header says.

    Raises:
        InputError: naming the file, if it is missing, not a picture, or its header is damaged.
    """
    try:
        if not os.path.isfile(file):
            raise InputError(f"{file} is not there or no ordinary file: check the path")
        with open(file, "rb", opener=_open_at_once) as stream:
            head = stream.read(32)
            kind = _sniff(head, file)
            stream.seek(0)
            try:
                picture: Any = _plugins()[kind][0](stream, file)
                deep = _deep(picture, kind, head)
            except Exception as error:  # plugins raise anything on a damaged header
                raise InputError(
                    f"{file} begins like a {kind} picture but is truncated or damaged: copy or download it again"
                ) from error
            width, height = picture.size
            if _orientation(picture) >= _TURNED:
                width, height = height, width
            alpha = picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info
            return Header(height, width, deep, alpha)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}): check that it is readable") from error


def _deep(picture: Any, kind: str, head: bytes) -> bool:
    """Whether samples have more than 8 bits. Pillow's mode does not say it of 16-bit colour."""
    if kind == "PNG":
        return head[_PNG_DEPTH] > 8
    if kind == "TIFF":
        return max(picture.tag_v2.get(_BITS, (8,))) > 8
    return picture.mode.startswith(("I", "F"))


def deep_note(ids: Sequence[str], deep: Sequence[bool]) -> list[str]:
    """The warning that pictures of more than 8 bits are reduced, as a list of none or one."""
    these = [i for i, is_deep in zip(ids, deep, strict=True) if is_deep]
    if not these:
        return []
    return [f"Reduced to 8 bits a channel, of more: {len(these)} of {len(ids)} pictures ({listed(these)})."]


def alpha_note(ids: Sequence[str], alpha: Sequence[bool]) -> list[str]:
    """The warning that transparency is left out, as a list of none or one."""
    these = [i for i, is_clear in zip(ids, alpha, strict=True) if is_clear]
    if not these:
        return []
    return [f"Transparency is left out of the comparison: {len(these)} of {len(ids)} pictures ({listed(these)})."]
