"""Room in the cache of unpacked archives: what is old or too much goes, what a dataset still uses stays.

A folder is in use while somebody holds a shared lock on its note (the operating system lets go of it when a process
ends, however it ends). It is taken away by a rename, under an exclusive lock, so nobody finds half a folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, which refuses to remove files that are open
    fcntl = None  # type: ignore[assignment]

NOTE = ".archive.json"  # in each folder: what was passed over, for the second use
PARTIAL = ".unpacking-"  # begins the names of folders that are not whole
MOST_BYTES = 50_000_000_000
MOST_DAYS = 14
_FRESH = 3600  # seconds in which a folder is never taken away, whoever holds it
_DAY = 86_400


def hold(folder: Path) -> IO[bytes] | None:
    """Mark an unpacked archive as used now, and until the result is closed or forgotten; None if it is not there."""
    note = folder / NOTE
    try:
        stream = open(note, "rb")  # noqa: SIM115 - it is the caller's to keep
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_SH)
        if not os.path.samestat(os.fstat(stream.fileno()), note.stat()):
            return None
        os.utime(folder)  # the time of the last use
    except OSError:
        return None
    return stream


def prune(cache: Path, keep_s: float | None = None) -> None:
    """Take away unpacked archives not used for ``keep_s`` seconds, then the longest unused while there is too much.

    ``MOST_DAYS`` if that is not given.

    Folders in ``cache`` that are not unpacked archives are left alone.
    """
    now = time.time()
    found = sorted((_used(note.parent), note.parent) for note in cache.glob(f"*/{NOTE}"))
    sizes = {folder: _size(folder) for _, folder in found}
    total = sum(sizes.values())
    for used, folder in found:
        old = now - used > (MOST_DAYS * _DAY if keep_s is None else keep_s)
        if (old or total > MOST_BYTES) and now - used > _FRESH and _remove(folder):
            total -= sizes[folder]


def _used(folder: Path) -> float:
    """When a folder was last used; now, if another process is taking it away."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; 0 if another process is taking it away."""
    try:
        return sum(os.lstat(os.path.join(here, name)).st_size for here, _, files in os.walk(folder) for name in files)
    except OSError:
        return 0


def _remove(folder: Path) -> bool:
    """Take a folder away unless it is in use."""
    try:
        with open(folder / NOTE, "rb") as note:
            if fcntl is not None:
                fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            away = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
            os.replace(folder, away / "old")
    except OSError:  # in use, or not ours to change
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True
