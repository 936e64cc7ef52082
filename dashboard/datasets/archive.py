"""Zip files from strangers: unpacked whole and inside their own folder, or not at all.

Everything is checked twice: what the archive declares, before a byte is written, and what really comes out, while
writing, since headers can lie. Only deflated and stored entries are read: Python decompresses the other methods in
pieces of unbounded size.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from dashboard.datasets.cache import NOTE, PARTIAL, hold, prune
from dashboard.datasets.files import is_ignored, is_image
from dashboard.datasets.images import IMAGE_SUFFIXES
from dashboard.errors import InputError

ALLOWED_SUFFIXES = IMAGE_SUFFIXES | {
    *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".names", ".data", ".ini", ".md"),
    *(".npz", ".npy", ".parquet", ".mp4", ".mov", ".avi", ".mkv", ".webm"),
    *(".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp", ".ogv"),
}
_CHUNK = 1 << 20
_MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        entries: files and folders.
        total_bytes: unpacked.
        ratio: unpacked to packed size, of the whole and of any entry, once it unpacks to more than ``free_bytes``.
            Pictures hardly shrink and label files shrink 5 to 30 times; a bomb shrinks 1000 times.
        free_bytes: unpacked size below which the ratio is not looked at.
    """

    entries: int = 200_000
    total_bytes: int = 20_000 * _MB
    ratio: float = 150
    free_bytes: int = 100 * _MB


@dataclass(frozen=True)
class Extracted:
    """An unpacked archive.

    Attributes:
        folder: where it is.
        root: the folder that holds the data: ``folder``, or the single folder inside it, unless that is a class folder.
        files: how many files were unpacked.
        skipped: entries of other kinds that were not, by suffix.
        in_use: kept by whoever reads from the folder, else the cache may clear it.
    """

    folder: Path
    root: Path
    files: int
    skipped: Mapping[str, int]
    in_use: IO[bytes] | None = field(default=None, compare=False, repr=False)


def extract_cached(zip_path: str | Path, cache_dir: str | Path, limits: Limits | None = None) -> Extracted:
    """Unpack into ``cache_dir`` under a name made from the archive's contents; a second use finds it there.

    Raises:
        InputError: as ``extract`` does.
    """
    zip_path = Path(zip_path)
    stem = re.sub(r"[^\w.-]+", "_", zip_path.stem)[:40] or "archive"
    target = Path(cache_dir) / f"{stem}-{_content_hash(zip_path)}"
    in_use = hold(target)
    if in_use is None:
        prune(target.parent)
        extract(zip_path, target, limits)
        in_use = hold(target)
    return replace(_describe(target), in_use=in_use)


def extract(zip_path: str | Path, target_dir: str | Path, limits: Limits | None = None) -> Extracted:
    """Unpack a zip into ``target_dir``, which must not exist yet and appears whole or not at all.

    Raises:
        InputError: naming the archive and the entry: not a zip or damaged; a path that leads outside, a link, an
            encrypted entry, a name twice; beyond the limits; the disk full.
    """
    zip_path, target, limits = Path(zip_path), Path(target_dir), limits or Limits()
    try:
        with zipfile.ZipFile(zip_path) as archive:
            wanted, skipped = _plan(archive, zip_path, limits)
            partial_dir = _make_partial(target, sum(i.file_size for i, _ in wanted), zip_path)
            try:
                _write(archive, wanted, partial_dir, zip_path)
                (partial_dir / NOTE).write_text(json.dumps({"files": len(wanted), "skipped": skipped}))
                _rename(partial_dir, target)
            finally:
                shutil.rmtree(partial_dir, ignore_errors=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(
            f"{zip_path} is not a zip archive or is damaged ({error}): download or make it again"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"{zip_path} does not fit on the disk of {target.parent}: free space or choose another cache"
            ) from error
        raise InputError(f"{zip_path} cannot be unpacked into {target.parent} ({error.strerror or error})") from error
    return _describe(target)


def _plan(
    archive: zipfile.ZipFile, zip_path: Path, limits: Limits
) -> tuple[list[tuple[zipfile.ZipInfo, str]], Counter[str]]:
    """Entries to write with their cleaned paths, and those passed over by suffix. All are checked."""
    entries = archive.infolist()
    if len(entries) > limits.entries:
        raise InputError(
            f"{zip_path} has {len(entries):,} entries, more than the limit of {limits.entries:,}: split it"
        )
    _check_sizes(entries, zip_path, limits)
    wanted: list[tuple[zipfile.ZipInfo, str]] = []
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    for info in entries:
        path = _safe_path(info, zip_path)
        if info.is_dir() or any(is_ignored(part) for part in path.split("/")):
            continue
        if path in seen:
            raise InputError(f"{zip_path}: entry {path!r} occurs twice; make the archive again")
        seen.add(path)
        suffix = os.path.splitext(path)[1].lower()
        if suffix in ALLOWED_SUFFIXES:
            wanted.append((info, path))
        else:
            skipped[suffix] += 1
    if not wanted:
        what = f"only files of other kinds ({', '.join(s or 'no suffix' for s in skipped)})" if skipped else "no files"
        raise InputError(f"{zip_path} has {what}: give one that holds pictures or labels")
    return wanted, skipped


def _check_sizes(entries: list[zipfile.ZipInfo], zip_path: Path, limits: Limits) -> None:
    total, packed = sum(i.file_size for i in entries), zip_path.stat().st_size
    if total > limits.total_bytes:
        raise InputError(
            f"{zip_path} unpacks to {total / 1e9:.1f} GB, more than the limit of {limits.total_bytes / 1e9:g} GB: "
            "split it, or unpack it yourself and give the folder"
        )
    named = [("the archive", total, packed)]
    named += [(f"entry {i.filename!r}", i.file_size, i.compress_size) for i in entries]
    for info in entries:
        if info.compress_size > 2 * info.file_size + 4096:  # deflate adds a few bytes in the worst case
            raise InputError(
                f"{zip_path}: entry {info.filename!r} holds more than the archive declares; it is not trusted"
            )
    for name, size, small in named:
        if size > limits.free_bytes and size > limits.ratio * max(small, 1):
            raise InputError(
                f"{zip_path} looks like a decompression bomb ({name} grows from {small / 1e6:.1f} MB to "
                f"{size / 1e6:,.0f} MB): unpack it yourself and give the folder, if you trust it"
            )


def _safe_path(info: zipfile.ZipInfo, zip_path: Path) -> str:
    """The entry's path with forward slashes, relative and without ``..``. Raises InputError otherwise."""
    name = info.filename.replace("\\", "/")

    def refuse(why: str) -> InputError:
        return InputError(
            f"{zip_path}: entry {info.filename!r} {why}, so nothing was unpacked; make the archive without it"
        )

    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in info.orig_filename:
        raise refuse("leads outside the archive")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refuse("is a link" if kind == stat.S_IFLNK else "is not an ordinary file")
    if info.flag_bits & 0x1:
        raise refuse("is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = zipfile.compressor_names.get(info.compress_type, info.compress_type)  # type: ignore[attr-defined]
        raise refuse(f"is compressed by {method} and not by deflate")
    return "/".join(parts)


def _make_partial(target: Path, total: int, zip_path: Path) -> Path:
    """An empty folder beside ``target``; leftovers of killed processes are cleared."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f"{PARTIAL}*"):
        if time.time() - old.stat().st_mtime > 86_400:
            shutil.rmtree(old, ignore_errors=True)
    if shutil.disk_usage(target.parent).free < total:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))


def _write(archive: zipfile.ZipFile, wanted: list[tuple[zipfile.ZipInfo, str]], folder: Path, zip_path: Path) -> None:
    root = folder.resolve()
    for info, path in wanted:
        out = root / path
        if not out.resolve().is_relative_to(root):  # _safe_path has seen to it; this is the second lock
            raise InputError(f"{zip_path}: entry {info.filename!r} leads outside the archive, so nothing was unpacked")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"{zip_path}: entry {path!r} lies in a folder that is also a file") from error
        left = info.file_size
        with archive.open(info) as packed, open(out, "xb") as unpacked:
            while chunk := packed.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise InputError(
                        f"{zip_path}: entry {path!r} is larger than the archive declares; it is not trusted"
                    )
                unpacked.write(chunk)
        if left:
            raise zipfile.BadZipFile(f"entry {path!r} is shorter than declared")


def _rename(partial_dir: Path, target: Path) -> None:
    partial_dir.chmod(0o755)
    try:
        os.replace(partial_dir, target)
    except OSError:
        if not (target / NOTE).is_file():  # another process was quicker otherwise, with the same contents
            raise


def _describe(folder: Path) -> Extracted:
    try:
        note = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is a damaged cache entry: delete it and try again") from error
    root = folder
    while True:
        inside = [entry for entry in root.iterdir() if not is_ignored(entry.name)]
        if len(inside) != 1 or not inside[0].is_dir() or _only_pictures(inside[0]):
            break
        root = inside[0]
    return Extracted(folder, root, note["files"], note["skipped"])


def _only_pictures(folder: Path) -> bool:
    """Whether a folder is a leaf with nothing but pictures: the only class, rather than a wrapping."""
    return all(is_image(entry.name) and entry.is_file() for entry in folder.iterdir() if not is_ignored(entry.name))


def _content_hash(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
    return digest.hexdigest()
