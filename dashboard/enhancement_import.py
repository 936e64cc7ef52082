"""Pictures enhanced elsewhere, found beside their references and read one at a time, for ``score``.

Layouts: a folder of pictures named as the dataset's, or a zip of it. A name may go on after the dataset's
(``baby_x4_SwinIR.png`` for ``baby.bmp``). Nothing is resized or converted silently: what does not fit is an error that
names the file, and what was assumed is in ``notes``.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.alpha import read_with_alpha
from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import listed
from dashboard.datasets.enhancing import Header, read_header, read_headers
from dashboard.datasets.mask_pairs import files_in
from dashboard.errors import InputError
from dashboard.importing import opened_folder
from dashboard.types import EnhancedImage

_GOES_ON = re.compile(r"[^0-9A-Za-z]|x\d")  # what may follow the dataset's name in a picture's


@dataclass(frozen=True, eq=False)
class ImportedPictures:
    """Enhanced pictures beside their references, in dataset order.

    Attributes:
        truth: the dataset.
        rows: (M,) int64 positions in the dataset, ascending.
        files: M picture files.
        root: folder that is called ``shown`` in errors (an unpacked zip).
        shown: what was given.
        notes: sentences on what was assumed and left out.
        in_use: kept while files of an unpacked zip are read.
    """

    truth: Dataset
    rows: NDArray[np.int64]
    files: list[str]
    root: str
    shown: str
    notes: tuple[str, ...] = ()
    in_use: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def check(self) -> None:
        """Raises InputError for a picture of more than 8 bits a channel whose reference has not, from their headers."""
        for place, header in enumerate(read_headers(self.files)):
            row = int(self.rows[place])
            own = self._reference(row) if header.deep else None
            if header.deep and not (own is not None and own.deep):
                raise InputError(
                    f"{self.files[place].replace(self.root, self.shown)} has 16 bits a channel, which its reference "
                    f"{self.truth.ids[row]} has not: save it with 8 bits a channel"
                )

    def _reference(self, row: int) -> Header | None:
        """What the header of a reference's file says; None where there is no file. Raises InputError if it is gone."""
        files = getattr(self.truth, "references", None) or getattr(self.truth, "files", None)
        return read_header(files[row]) if files else None

    def pair(self, place: int) -> tuple[EnhancedImage, EnhancedImage]:
        """The ``place``-th picture and its reference.

        Raises:
            InputError: naming the file: it cannot be read, has another size, or transparency.
        """
        file, row = self.files[place], int(self.rows[place])
        targets: Any = self.truth.targets
        truth: EnhancedImage | None = targets[row]
        identity = self.truth.ids[row]
        if truth is None:
            raise InputError(f"{identity} has no reference in {self.truth.name}: give clean pictures as the truth")
        try:
            pixels = read_with_alpha(file)
        except InputError as error:
            raise InputError(str(error).replace(self.root, self.shown)) from error
        name = file.replace(self.root, self.shown)
        if pixels.shape[2] == 4:
            own = self._reference(row)
            if (pixels[..., 3] != 255).any() and not (own is not None and own.alpha):
                raise InputError(
                    f"{name} has transparency, which its reference {identity} has not: save it without an alpha channel"
                )
            pixels = np.ascontiguousarray(pixels[..., :3])
        if pixels.shape[:2] != truth.size:
            (h, w), (th, tw) = pixels.shape[:2], truth.size
            raise InputError(
                f"{name} is {w}x{h} pixels, but its reference {identity} is {tw}x{th}: give pictures of their "
                "references' size (--degrade bicubic:4 crops these to a multiple of 4)"
            )
        return EnhancedImage(pixels, truth.scale), truth


def import_pictures(
    path: str | Path,
    truth: Dataset,
    *,
    partial: bool = False,
    limit: int | None = None,
    cache_dir: str | Path | None = None,
) -> ImportedPictures:
    """Find the enhanced picture of every reference; none is read yet.

    Args:
        path: a folder of pictures, or a zip of one.
        truth: the dataset.
        partial: let there be pictures for only some of the references, and others than the dataset's.
        limit: only those of the first samples of the dataset.
        cache_dir: where a zip is unpacked; default ``cache_folder()``.

    Raises:
        InputError: one sentence naming the file or picture, and the remedy.
    """
    path = Path(path)
    root, in_use = opened_folder(path, "give the folder of all enhanced pictures", cache_dir)
    files = files_in(root, Counter())
    if not files:
        raise InputError(f"{path} holds no pictures: give a folder of pictures named as the dataset's")
    found, unused = matched(truth.ids, files, str(path))
    notes = []
    if len(unused) == len(files) or (unused and not partial):
        raise InputError(
            f"{path}: {len(unused)} of {len(files)} pictures belong to none of the truth: {listed(unused)}; its "
            f"pictures are like {truth.ids[0]!r}: name them as these, or set the option partial=true to leave such "
            "pictures out"
        )
    if unused:
        notes.append(f"{len(unused)} pictures of none of the truth's left out: {listed(unused)}.")
    wanted = range(len(truth.ids) if limit is None else min(limit, len(truth.ids)))
    rows = [row for row in wanted if found[row] is not None]
    missing = [truth.ids[row] for row in wanted if found[row] is None]
    if missing and (not partial or not rows):
        raise InputError(
            f"{path} has no picture for {len(missing)} of the {len(wanted)} references: {listed(missing)}; add them, "
            "or set the option partial=true to score the others"
        )
    if missing:
        notes.append(f"{len(missing)} of {len(wanted)} references have no picture and are left out: {listed(missing)}.")
    taken = {*found, *unused}
    beside = [file for file in files if file not in taken]
    if beside:
        notes.append(
            f"{len(beside)} pictures left out, since another has the very name of the dataset's: {listed(beside)}."
        )
    pictures = ImportedPictures(
        truth=truth,
        rows=np.array(rows, np.int64),
        files=[str(root / str(found[row])) for row in rows],
        root=str(root),
        shown=str(path),
        notes=tuple(notes),
        in_use=in_use,
    )
    try:
        pictures.check()
    except InputError as error:
        raise InputError(str(error).replace(str(root), str(path))) from error
    return pictures


def matched(ids: Sequence[str], files: Sequence[str], shown: str) -> tuple[list[str | None], list[str]]:
    """Each id's file, and files of none: by path without suffix, by name, or by a name that goes on after the id's.

    Args:
        ids: (N,) sample ids, paths relative to their dataset.
        files: relative paths.
        shown: what errors call the folder.

    Raises:
        InputError: two files that could be the same sample's.
    """
    for key in (_plain, _bare):
        own = [key(identity) for identity in ids]
        if len(set(own)) < len(own):
            continue
        found, unused = _by(own, [key(file) for file in files], ids, files, shown)
        if len(unused) < len(files):
            return found, unused
    return [None] * len(ids), list(files)


def _by(
    own: Sequence[str], theirs: Sequence[str], ids: Sequence[str], files: Sequence[str], shown: str
) -> tuple[list[str | None], list[str]]:
    """The same, by names: the longest of the dataset's that a file's begins with is meant."""
    place = {name: i for i, name in enumerate(own)}
    found: list[str | None] = [None] * len(ids)
    exact: list[bool] = [False] * len(ids)
    unused = []
    for name, file in sorted(zip(theirs, files, strict=True)):
        cuts = [name, *(name[:k] for k in range(len(name) - 1, 0, -1) if _GOES_ON.match(name, k))]
        at = next((place[cut] for cut in cuts if cut in place), None)
        if at is None:
            unused.append(file)
            continue
        same = name == own[at]
        if found[at] is not None and exact[at] == same:
            raise InputError(f"{shown}: {found[at]!r} and {file!r} both may be of {ids[at]!r}: remove one of them")
        if found[at] is None or same:
            found[at], exact[at] = file, same
    return found, unused


def _plain(path: str) -> str:
    """A relative path without suffix."""
    return os.path.splitext(path.replace("\\", "/").removeprefix("./"))[0]


def _bare(path: str) -> str:
    return _plain(path).rpartition("/")[2]
