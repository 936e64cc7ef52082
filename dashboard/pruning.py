"""What the store takes on disk, and what can go: always listed before it goes, and nothing that is in use."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from dashboard.disk import friendly_os_errors, write_json
from dashboard.errors import InputError
from dashboard.naming import BY_PROFILE, label_of
from dashboard.run import facts_of
from dashboard.store import Store
from dashboard.watching_stored import everything

UNUSED_S = 3600.0
"""A kept video younger than this stays: its run may be under way."""
DAY_S = 86_400.0


@dataclass(frozen=True)
class Use:
    """What one part of the store takes.

    Attributes:
        name: "runs", "watched", "unfinished", "trash", "videos", "pictures", "films" or "archives".
        bytes: of all its files.
        count: of its entries.
    """

    name: str
    bytes: int
    count: int


@dataclass(frozen=True)
class Going:
    """One thing that would go.

    Attributes:
        kind: "unfinished", "predictions", "videos", "pictures", "oldest" or "trash".
        name: for people.
        path: the file or folder.
        bytes: that would be free.
    """

    kind: str
    name: str
    path: Path
    bytes: int


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files under a folder; 0 for what is gone. Links are not followed."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(Path(entry.path))
                else:
                    with contextlib.suppress(OSError):
                        total += entry.stat(follow_symlinks=False).st_size
    except NotADirectoryError:
        return path.lstat().st_size
    except OSError:
        return total
    return total


def disk_use(store: Store, films: Path | None = None, archives: Path | None = None) -> list[Use]:
    """What every part takes, also outside the store: videos made for browsers, and unpacked zips."""
    places = {name: store.root / name for name in ("runs", "watched", "unfinished", "videos")}
    found = [Use(name, size_of(place), len(_folders(place))) for name, place in places.items()]
    trash = [folder for kind in ("runs", "watched") for folder in _folders(store.root / "trash" / kind)]
    found.append(Use("trash", sum(map(size_of, trash)), len(trash)))
    measured = _files(store.root / "pictures")
    found.append(Use("pictures", sum(map(size_of, measured)), len(measured)))
    if films is not None:
        files = list(films.glob("*.mp4"))
        found.append(Use("films", sum(map(size_of, files)), len(files)))
    if archives is not None:
        found.append(Use("archives", size_of(archives), len(_folders(archives))))
    return found


def unfinished(store: Store, days: float) -> list[Going]:
    """What is left of runs that were stopped and not touched for some days; what is worked on now stays."""
    limit = time.time() - days * DAY_S
    return [
        Going("unfinished", folder.name, folder, size_of(folder))
        for folder in _folders(store.root / "unfinished")
        if _touched(folder) <= limit and not busy(store, folder.name)
    ]


def predictions(store: Store, run_ids: Iterable[str]) -> list[Going]:
    """The stored predictions of runs; numbers, tables and curves stay, single answers are gone."""
    runs = [store.get(run_id) for run_id in run_ids]
    return [
        Going("predictions", f"{label_of(run)} · {run.dataset}", run.predictions_path, size_of(run.predictions_path))
        for run in runs
        if run.predictions_path.is_file()
    ]


def unused_videos(store: Store) -> list[Going]:
    """Kept videos that no run, nothing watched and nothing in the trash is about."""
    if _folders(store.root / "unfinished"):
        return []  # a run under way, or one to go on with, may be about any of them
    used = {above for source in _sources(store) for above in Path(source).parents}
    young = time.time() - UNUSED_S
    return [
        Going(
            "videos", ", ".join(sorted(f.name for f in folder.rglob("*") if f.is_file())[:3]), folder, size_of(folder)
        )
        for folder in _folders(store.root / "videos")
        if folder not in used and _touched(folder) <= young
    ]


def measurements(store: Store) -> list[Going]:
    """What was measured of the pictures of datasets (``dashboard.slicing``); measured again when it is asked for."""
    return [Going("pictures", file.name, file, size_of(file)) for file in _files(store.root / "pictures")]


def _sources(store: Store) -> list[str]:
    """Where the data is of everything that may be looked at, or brought back, or gone on with."""
    found = [r.facts.get("dataset_facts", {}) for r in store.runs("tracking")]
    found += [w.facts.get("dataset_facts", {}) for w in everything(store)]
    for file in store.root.glob("trash/*/*/*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
            known = json.loads(file.read_text("utf-8"))
            found.append(known.get("dataset_facts") or known["facts"]["dataset_facts"])
    return [str(facts.get("source", "")) for facts in found]


def oldest(store: Store, most_bytes: float) -> list[Going]:
    """The oldest runs, as long as all runs together take more than ``most_bytes``; those with a title or tags stay."""
    runs = store.runs()
    sizes = {run.id: size_of(run.path) for run in runs}
    spent, found = sum(sizes.values()), []
    for run in reversed(runs):
        if spent <= most_bytes:
            break
        if not (run.title or set(run.tags) - {BY_PROFILE}):
            spent -= sizes[run.id]
            found.append(
                Going("oldest", f"{label_of(run)} · {run.dataset} · {run.created_at[:10]}", run.path, sizes[run.id])
            )
    return found


def trash(store: Store) -> list[Going]:
    """Everything in the trash."""
    folders = [folder for kind in ("runs", "watched") for folder in _folders(store.root / "trash" / kind)]
    return [Going("trash", folder.name, folder, size_of(folder)) for folder in folders]


def remove(store: Store, going: Sequence[Going]) -> int:
    """Take things away for good; what is in use by now, or gone already, is passed over. Returns the bytes set free.

    Raises:
        InputError: the store cannot be written.
        ValueError: something that is not inside the store.
    """
    free = 0
    for thing in going:
        if store.root not in thing.path.parents:
            raise ValueError(f"{thing.path} is not inside {store.root}")
        with friendly_os_errors(store.root):
            free += _remove(store, thing)
    return free


def _remove(store: Store, thing: Going) -> int:
    """One thing; 0 bytes if it stays or is gone."""
    size = size_of(thing.path) if thing.path.exists() else 0
    if thing.kind == "unfinished":
        try:
            with FileLock(store.root / "locks" / f"{thing.name}.lock", timeout=0, thread_local=False):
                shutil.rmtree(thing.path, ignore_errors=False)
        except (Timeout, FileNotFoundError):
            return 0
        return size
    if thing.kind == "predictions":
        return _without_predictions(store, thing.path.parent.name) and size
    if thing.kind == "oldest":
        try:
            store.delete(thing.path.name)
        except InputError:
            if thing.path.exists():
                raise
            return 0
        return size
    with contextlib.suppress(FileNotFoundError):
        if thing.path.is_dir():
            shutil.rmtree(thing.path)
        else:
            thing.path.unlink()
    return size


def _without_predictions(store: Store, run_id: str) -> bool:
    """Take a run's predictions away and note it, so that nobody looks for them; False if they were gone."""
    if not store.has(run_id):
        return False
    run = store.get(run_id)
    facts = {**run.facts, "has_scores": False, "predictions_removed": True}
    write_json(run.path / "run.json", facts_of(replace(run, facts=facts)))
    run.predictions_path.unlink(missing_ok=True)
    return True


def _folders(place: Path) -> list[Path]:
    """Folders right under a place; none if there is no such place."""
    try:
        return sorted(f for f in place.iterdir() if f.is_dir() and not f.is_symlink())
    except OSError:
        return []


def _files(place: Path) -> list[Path]:
    """Files right under a place; none if there is no such place."""
    try:
        return sorted(f for f in place.iterdir() if f.is_file())
    except OSError:
        return []


def _touched(folder: Path) -> float:
    """When anything in a folder was written last, in seconds since the epoch."""
    times = [0.0]
    for place in (folder, *folder.rglob("*")):
        with contextlib.suppress(OSError):
            times.append(place.lstat().st_mtime)
    return max(times)


def busy(store: Store, run_id: str) -> bool:
    """Whether somebody works on that run now."""
    file = store.root / "locks" / f"{run_id}.lock"
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0, thread_local=False):
            return False
    except (Timeout, OSError):
        return True
