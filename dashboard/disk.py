"""Writing to a disk that may be full or read-only: files whole or absent, and one sentence when it fails."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import Timeout

from dashboard.errors import InputError

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is whole or absent. NaN becomes null."""
    part = path.with_suffix(path.suffix + ".tmp")
    try:
        part.write_text(json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False), "utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    """Hash of a file, read a piece at a time; of a folder, over its files' names and contents, links followed once.

    Raises InputError if it is not there, cannot be read, or never ends (a pipe, a device).
    """
    digest = sha256()
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"{path} is no ordinary file or folder: give one.")
        files = sorted(files_under(path)) if path.is_dir() else [path]
        for file in files:
            if file != path:
                digest.update(file.relative_to(path).as_posix().encode("utf-8", "surrogateescape"))
            with file.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    digest.update(piece)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    return digest.hexdigest()


def prune_files(files: Iterable[Path], most_bytes: int, keep: Path, keep_s: float = math.inf) -> None:
    """Take away the files that were not used for longest, by their times, while there are more than ``most_bytes``.

    Args:
        files: to look at.
        most_bytes: that may stay.
        keep: one that stays, whatever its size.
        keep_s: seconds without use after which any other goes.
    """
    spent, now = 0, time.time()
    with contextlib.suppress(OSError):  # another process tidies up, too
        for used, size, file in sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in files), reverse=True):
            spent += size
            if file != keep and (spent > most_bytes or used < now - keep_s):
                file.unlink(missing_ok=True)


def files_under(folder: Path) -> Iterator[Path]:
    """Every ordinary file under a folder; a folder that links lead to twice is looked at once. Raises OSError."""
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (file for name in names if (file := Path(here, name)).is_file())


def _raise(error: OSError) -> None:
    raise error


def jsonable(value: Any) -> Any:
    """Plain JSON values: NaN and infinities to None, numpy numbers and paths to Python's."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, (Sequence, set, frozenset)):
        return [jsonable(v) for v in value]
    return str(value)


@contextlib.contextmanager
def friendly_os_errors(place: Path) -> Iterator[None]:
    """Turn a full or read-only disk into one sentence. What was finished stays."""
    try:
        yield
    except OSError as error:
        if isinstance(error, Timeout):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"The disk under {place} is full: free some space and start again; finished parts are kept."
            ) from error
        if error.errno == errno.EFBIG:
            raise InputError(
                f"A file under {place} became larger than the disk or a limit allows: choose another folder with "
                "--store, or raise the limit (ulimit -f); finished parts are kept."
            ) from error
        nowhere = error.errno == errno.ENOENT and not place.exists()  # no folder can be made in /proc, say
        if nowhere or error.errno in UNWRITABLE:
            raise InputError(
                f"{error.filename or place} cannot be written ({error.strerror}): choose another folder with --store."
            ) from error
        raise
