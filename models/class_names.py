"""The names behind a file's outputs, when the file does not carry them."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from dashboard.errors import InputError
from dashboard.textfiles import read_text
from models import imagenet
from models.base import LoadOptions

MOST_BYTES = 4 << 20


def for_file(path: Path, options: LoadOptions, metadata: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Names and where they come from: ``classes=FILE``, ``<file>.classes.txt``, then the file's own metadata.

    Returns:
        (names, origin in words), or two empty values.
    """
    given = options.settings.get("classes")
    if given is not None:
        return read(Path(os.path.expanduser(given))), given
    sidecar = path.with_name(path.name + ".classes.txt")
    if sidecar.is_file():
        return read(sidecar), sidecar.name
    for key in ("names", "classes", "class_names", "labels"):
        names = parse(metadata.get(key, ""))
        if names:
            return names, "the file's metadata"
    return (), ""


def for_count(count: int) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """(names, WordNet ids, note) to assume for ``count`` outputs: ImageNet's thousand; else nothing."""
    if count != 1000:
        return (), (), ""
    names, ids = imagenet.classes(1000)
    return names, ids, "assumed to be ImageNet's (1000 outputs)"


def ids_for(names: tuple[str, ...]) -> tuple[str, ...]:
    """ImageNet's WordNet ids if ``names`` are ImageNet's in order, whatever their spelling; else ()."""
    if len(names) != 1000:
        return ()
    known, ids = imagenet.classes(1000)
    if names == ids:
        return ids
    same = sum(_plain(a) == _plain(b) for a, b in zip(names, known, strict=True))
    return ids if same > 900 else ()


def read(path: Path) -> tuple[str, ...]:
    """One name a line. Raises InputError naming the file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large for a list of class names.")
    except OSError as error:
        raise InputError(f"{path} cannot be read as a list of class names, one a line: {error}.") from error
    names = read_text(path).splitlines()  # refuses what never ends, too
    while names and not names[-1].strip():
        names.pop()
    if not names or any(not name.strip() for name in names):
        raise InputError(f"{path} must hold one class name a line without gaps.")
    return tuple(name.strip() for name in names)


def parse(text: str) -> tuple[str, ...]:
    """Names from ``{0: 'a', 1: 'b'}`` or ``["a", "b"]`` as exporters write them; () if it is neither."""
    try:
        value = ast.literal_eval(text) if 0 < len(text) <= MOST_BYTES else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # TypeError: {[]: 1}
        return ()
    return from_value(value)


def from_value(value: object) -> tuple[str, ...]:
    """Names from a list, or from a mapping of 0..C-1 to names; () if it is neither."""
    if isinstance(value, dict):
        try:
            by_number = {int(key): str(name) for key, name in value.items()}
        except (TypeError, ValueError, OverflowError, RecursionError):
            return ()
        if sorted(by_number) != list(range(len(by_number))):
            return ()
        return tuple(by_number[i] for i in range(len(by_number)))
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return tuple(value)
    return ()


def _plain(name: str) -> str:
    return name.partition(",")[0].replace("_", " ").strip().lower()
