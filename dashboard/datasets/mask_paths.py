"""Paths that options name, and what bears a mask's name without being a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from dashboard.datasets.boxes import inside
from dashboard.datasets.files import is_image
from dashboard.errors import InputError


def given_path(given: str, option: str, folders: Sequence[Path], within: Path | None) -> Path:
    """The file or folder that an option names.

    Args:
        given: absolute, beginning with ~, or relative to one of ``folders``.
        option: its key, for errors.
        folders: where it is looked for, in turn; the last where it is in none.
        within: the only folder that may be read, or None.

    Raises:
        InputError: nothing can have such a path, or it lies outside of ``within``.
    """
    path = Path(os.path.expanduser(given))  # Path.expanduser raises where there is no such user
    places = [folder / path for folder in folders]
    try:
        found = next((place for place in places if place.exists()), places[-1])
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found.stat()  # of a name with a NUL byte the above only says that nothing is there
        outside = within is not None and not inside(found, within)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"option {option}={given[:60]!r} cannot be read ({why}): check the path") from error
    if outside:
        raise InputError(f"{given} lies outside the dataset's folder (option {option}); only files in it are read")
    return found


def no_file(folder: Path, stems: Collection[str]) -> str:
    """A remark on the first thing under a folder that has one of the names, without suffix, and is no file; or ""."""
    for here, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = os.path.join(here, name)
            meant = is_image(name) and os.path.splitext(name)[0] in stems
            if meant and os.path.exists(path) and not os.path.isfile(path):
                return f" ({os.path.relpath(path, folder)!r} is there, but is no ordinary file)"
    return ""
