"""The history of runs: what they are called, finding them, and a trash from which they come back.

A deleted run is moved, in one rename, to ``STORE/trash/runs/<run>``, and what was watched to ``STORE/trash/watched/``.
Things stay there for a week, unless the trash is emptied, or a newer thing of the same name is deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from dashboard import watching_stored
from dashboard.disk import friendly_os_errors, write_json
from dashboard.errors import InputError
from dashboard.naming import FILE, clean_tags, clean_title, label_of, read_label
from dashboard.store import Run, Store

Kind = Literal["runs", "watched"]
TRASH_DAYS = 7.0
MOST_NAME = 200
"""Characters of the name of anything in a store."""


def set_label(store: Store, run_id: str, title: str | None = None, tags: str | Iterable[str] | None = None) -> Run:
    """Give a run a title, or tags in place of those it has; None leaves them as they are. Returns the run anew.

    Raises:
        InputError: no such run, a title or tag that is too long, or a store that cannot be written.
    """
    new_title = None if title is None else clean_title(title)
    new_tags = None if tags is None else clean_tags(tags)
    folder = store.get(run_id).path
    with friendly_os_errors(store.root), store.labelling():
        old_title, old_tags = read_label(folder)
        _write(folder, old_title if new_title is None else new_title, old_tags if new_tags is None else new_tags)
    return store.get(run_id)


def change_tags(
    store: Store, run_ids: Iterable[str], add: str | Iterable[str] = (), drop: str | Iterable[str] = ()
) -> None:
    """Add tags to runs and take tags away; others stay, those that another process gives meanwhile, too.

    Raises:
        InputError: no such run, too many tags or one too long, or a store that cannot be written.
    """
    more, less = clean_tags(add), {tag.casefold() for tag in clean_tags(drop)}
    folders = [store.get(run_id).path for run_id in run_ids]
    with friendly_os_errors(store.root), store.labelling():
        labels = {folder: read_label(folder) for folder in folders}
        tags = {
            folder: clean_tags([*(tag for tag in old if tag.casefold() not in less), *more])
            for folder, (_, old) in labels.items()
        }  # all are good before the first is written
        for folder in folders:
            _write(folder, labels[folder][0], tags[folder])


def _write(folder: Path, title: str, tags: Sequence[str]) -> None:
    """Whole or not at all; no file without a title and tags."""
    if title or tags:
        write_json(folder / FILE, {"title": title, "tags": list(tags)})
    else:
        (folder / FILE).unlink(missing_ok=True)


def search_text(run: Run) -> str:
    """What a search looks through: title, tags, model, data, task, date and id, in lower case."""
    date = run.created_at[:16].replace("T", " ")
    return " ".join(
        [run.title, *(f"#{tag}" for tag in run.tags), label_of(run, titled=False), run.dataset, run.task, date, run.id]
    ).casefold()


def find(runs: Iterable[Run], text: str) -> list[Run]:
    """Runs that have every word of a text somewhere (``search_text``), in the order given."""
    wanted = text.casefold().split()
    return [run for run in runs if all(word in known for known in [search_text(run)] for word in wanted)]


def discard(store: Store, names: Iterable[str], kind: Kind = "runs") -> list[str]:
    """Move finished runs, or what was watched, to the trash; returns those that were there.

    Raises:
        InputError: none is there, or the store cannot be written.
    """
    names = list(dict.fromkeys(names))
    there = [name for name in names if _is_there(store, name, kind)]
    if names and not there:
        raise InputError(f"{names[0][:200]!r} is not in {store.root}: it may have been deleted already.")
    with friendly_os_errors(store.root):
        (store.root / "trash" / kind).mkdir(parents=True, exist_ok=True)
        _forget(store, time.time() - 86_400 * TRASH_DAYS)
        for name in there:
            away = store.root / "trash" / kind / name
            shutil.rmtree(away, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                os.utime(store.root / kind / name)  # first: what is old in the trash goes
                (store.root / kind / name).rename(away)
    return there


def _is_there(store: Store, name: str, kind: Kind) -> bool:
    if kind == "runs":
        return store.has(name)
    return len(name) <= MOST_NAME and watching_stored.has(store, name)


def discarded(store: Store, kind: Kind = "runs") -> list[str]:
    """What is in the trash, the latest first."""
    found = [(f.stat().st_mtime, f.name) for f in (store.root / "trash" / kind).glob("*") if f.is_dir()]
    return [name for _, name in sorted(found, reverse=True)]


def restore(store: Store, names: Iterable[str], kind: Kind = "runs") -> list[str]:
    """Take things back from the trash; returns those that came back: not what was made anew meanwhile.

    Raises:
        InputError: none is in the trash any more, all were made anew meanwhile, or the store cannot be written.
    """
    names, thrown = list(dict.fromkeys(names)), set(discarded(store, kind))
    there = [n for n in names if n in thrown]
    if names and not there:
        raise InputError(f"{names[0][:200]} is not in the trash of {store.root} any more: it cannot be brought back.")
    back = [n for n in there if not (store.root / kind / n).exists()]
    if there and not back:
        raise InputError(f"{there[0]} was made anew meanwhile: the new one stays listed, the old one in the trash.")
    with friendly_os_errors(store.root):
        for name in back:
            (store.root / kind / name).parent.mkdir(parents=True, exist_ok=True)
            (store.root / "trash" / kind / name).rename(store.root / kind / name)
    return back


def empty_trash(store: Store) -> None:
    """Take away for good what was deleted. Raises InputError if the store cannot be written."""
    with friendly_os_errors(store.root):
        _forget(store, float("inf"))


def _forget(store: Store, before: float) -> None:
    """Take away what was deleted before a time (seconds since the epoch)."""
    for folder in (store.root / "trash").glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # another process is at it, too
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder)
