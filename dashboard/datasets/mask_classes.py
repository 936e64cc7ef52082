"""From the numbers in mask files to classes 0..C-1: which are classes, which do not count, which are a mistake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds
from dashboard.datasets.mask_files import Labels, where_is
from dashboard.errors import InputError, did_you_mean
from dashboard.labels import is_index, normalise, spelling
from dashboard.types import IGNORED, class_dtype, ignore_of

MOST_CLASSES = 4096
"""Pixels are counted in a table of every class by every class: with so many it has 134 MB."""
VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore", "ignored", "dont care"})
"""Names (normalised) that data sets give to pixels that do not count."""
_IGNORE, _STRAY = 65535, 65534  # in tables of classes
_INSTANCES = 1000  # Cityscapes' instance ids are 1000 times the class, and more


@dataclass(frozen=True, eq=False)
class Numbering:
    """What the numbers in mask files mean.

    Attributes:
        names: (C,) class names.
        table: (65536,) uint16 class of each number; 65535 for pixels that do not count, 65534 for what is no class.
        listed: what says which classes there are ("classes.txt"), for errors.
    """

    names: tuple[str, ...]
    table: NDArray[np.uint16]
    listed: str

    @classmethod
    def of(cls, listed: Sequence[tuple[int, str]], ignored: Iterable[int], where: str) -> Numbering:
        """Number the classes.

        Args:
            listed: (number in the files, name) in the order of the classes; a name may have several numbers.
            ignored: numbers that do not count, whether listed or not.
            where: what lists them.

        Raises:
            InputError: no class is left, or too many.
        """
        drop = set(ignored)
        names = list(dict.fromkeys(name for label, name in listed if label not in drop))
        if not 1 <= len(names) <= MOST_CLASSES:
            raise InputError(
                f"{where}: {len(names):,} classes count, and there must be 1 to {MOST_CLASSES:,}: check that the "
                "numbers in the masks are classes, not objects"
            )
        table = np.full(1 << 16, _STRAY, np.uint16)
        number = {name: i for i, name in enumerate(names)}
        for label, name in listed:
            if label not in drop:
                table[label] = number[name]
        table[sorted(drop)] = _IGNORE
        return cls(tuple(names), table, where)

    @property
    def ignored(self) -> list[int]:
        """Numbers that do not count."""
        return np.flatnonzero(self.table == _IGNORE).tolist()

    @property
    def numbers(self) -> list[int]:
        """Numbers of classes."""
        return np.flatnonzero(self.table < _STRAY).tolist()

    def ignoring(self, label: int) -> Numbering:
        """The same, with one more number that does not count."""
        table = self.table.copy()
        table[label] = _IGNORE
        return Numbering(self.names, table, self.listed)

    @cached_property
    def _maps(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]:
        """Tables for truths, for answers, and of what is no class."""
        count = len(self.names)
        kind = class_dtype(count)
        fits = np.where(self.table < _STRAY, self.table, 0)
        truth = np.where(self.table == _IGNORE, ignore_of(count), fits).astype(kind)
        found = np.where(self.table == _IGNORE, count, fits).astype(kind)
        return truth, found, (self.table == _STRAY).astype(np.uint8)

    def classes_of(self, labels: Labels, path: str, answer: bool = False) -> ClassIds:
        """(H, W) classes 0..C-1; where the pixel does not count ``ignore_of(C)``, or C in an ``answer``.

        Raises:
            InputError: naming ``path``, a number that is no class, and its pixel.
        """
        stray = through(self._maps[2], labels)
        if cv2.countNonZero(stray):
            raise self.stray(path, int(labels[tuple(np.argwhere(stray)[0])]), labels, answer=answer)
        return through(self._maps[int(answer)], labels)

    def stray(self, path: str, value: int, labels: Labels, also: str = "", answer: bool = False) -> InputError:
        """The error for a number that is no class."""
        row, column = where_is(labels, value)
        remedy = f"add the class there, or leave such pixels out with the option ignore={value}"
        if answer:
            remedy = "correct it, or name the predictions' own classes with --classes FILE"
        if value >= _INSTANCES:
            remedy = "it looks like the number of an object: give masks of classes"
        return InputError(
            f"{path}: the pixel at row {row}, column {column} has the number {value}{also}, which is none of the "
            f"classes of {self.listed} ({_spans(self.numbers)}): {remedy}"
        )


def through(table: NDArray[Any], labels: Labels) -> NDArray[Any]:
    """Numbers looked up in a table of 65536."""
    if labels.dtype == np.uint8 and table.dtype == np.uint8:
        return cv2.LUT(labels, table[:256])  # type: ignore[no-any-return]
    return table[labels]


def default_ignored(listed: Sequence[tuple[int, str]]) -> tuple[set[int], list[str]]:
    """Numbers that do not count unless said otherwise, and sentences on those that are named in the list.

    255 where it is no class and the classes fit into bytes, 65535, and classes with a name such as "void".
    """
    known = {label for label, _ in listed}
    ignored = {i for i in IGNORED if i not in known and (i != IGNORED[0] or not known or max(known) < i)}
    voids = [(label, name) for label, name in listed if normalise(name) in VOID_NAMES]
    if voids and len(voids) < len({name for _, name in listed}):
        shown = " and ".join(f"{name!r} ({label})" for label, name in voids)
        note = f"Pixels of {shown} do not count, by the name; the option ignore=none makes them a class like others."
        return ignored | {label for label, _ in voids}, [note]
    return ignored, []


def asked_ignored(text: str, listed: Sequence[tuple[int, str]]) -> set[int]:
    """Numbers that do not count, as asked for: numbers and class names parted by commas, or "none".

    255 and 65535 stay among them where they are no class, unless it is "none".

    Raises:
        InputError: for what is neither, or could be several classes.
    """
    tokens = [t.strip() for t in text.split(",") if t.strip()]
    if tokens == ["none"]:
        return set()
    numbers: dict[str, list[int]] = {}
    alike: dict[str, dict[str, None]] = {}
    for label, name in listed:
        numbers.setdefault(name, []).append(label)
        alike.setdefault(spelling(name), {})[name] = None
    out = default_ignored([(label, str(label)) for label, _ in listed])[0]
    for token in tokens:
        key = spelling(token)
        meant = [token] if token in numbers else list(alike.get(key, ())) if key else []
        if is_index(token) and int(token) < 1 << 16:
            out.add(int(token))
        elif len(meant) == 1:
            out.update(numbers[meant[0]])
        elif meant:
            some = " or ".join(f"{name!r:.60}" for name in meant[:3])
            raise InputError(
                f"option ignore={text:.60}: {token!r:.60} could be {some}: write it as the class is called"
            )
        else:
            raise InputError(
                f"option ignore={text:.60}: {token!r:.60} is neither a number in 0..65535 nor a class."
                f"{did_you_mean(token, [name for _, name in listed])} Give numbers or names parted by commas, or none"
            )
    return out


def _spans(numbers: Sequence[int]) -> str:
    """0..10, 12."""
    out: list[str] = []
    ends = [i for i, n in enumerate(numbers) if i + 1 == len(numbers) or numbers[i + 1] != n + 1]
    first = 0
    for end in ends:
        low, high = numbers[first], numbers[end]
        out.append(str(low) if low == high else f"{low}..{high}")
        first = end + 1
    return ", ".join(out[:6]) + (", ..." if len(out) > 6 else "")
