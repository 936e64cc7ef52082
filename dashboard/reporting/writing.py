"""Files whole or as they were, and one sentence where they cannot be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dashboard.disk import friendly_os_errors
from dashboard.errors import InputError


def check_place(out: Path) -> None:
    """Say so before any work if a file cannot be written. Raises InputError."""
    why = ""
    try:
        if out.is_dir():
            why = "it is a folder"
        elif not out.parent.is_dir():
            why = f"there is no folder {out.parent}"
        elif out.exists() and not out.is_file():
            why = "it is a device or a pipe"
        elif (out.parent / "run.json").is_file():
            why = "it would stand among a run's own files"
        elif not os.access(out if out.exists() else out.parent, os.W_OK):
            why = "permission denied"
    except (OSError, ValueError) as error:  # a name too long, a NUL
        why = str(getattr(error, "strerror", None) or error)
    if why:
        raise InputError(f"{out} cannot be written ({why}): give another file.")


@contextlib.contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``out`` at the end; what was there stays if anything fails.

    Raises:
        InputError: the place cannot be written.
    """
    check_place(out)
    part = out.with_name(f".{out.name[:40]}.{os.getpid()}.tmp{out.suffix}")
    try:
        with friendly_os_errors(out.parent):
            try:
                yield part
                os.replace(part, out)
            except (PermissionError, FileNotFoundError) as error:  # nothing can be made in /proc, say
                raise InputError(f"{out} cannot be written ({error.strerror}): give another file.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(out: Path, data: bytes) -> Path:
    """Write a file so that it is whole or as it was. Raises InputError if it cannot be written."""
    with whole(out) as part:
        part.write_bytes(data)
    return out
