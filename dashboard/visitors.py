"""Whose runs are whose on a public server, and how everything that visitors left goes away again.

A run that a visitor has made belongs to him: there is a file ``STORE/visitors/<run>/<name>`` for each name that he is
known by, and who he is stands in it (two who drop the same data make the same run, and both have it). Others do not see
it listed, cannot change it, and are not told its name; whoever has its link, ``?run=<id>``, may look at it. What the
server itself has made on built-in data is everybody's. The store asks who is asking by a function that the web layer
sets, because handlers, and what they call, then need not hand a visitor around.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dashboard.disk import friendly_os_errors
from dashboard.errors import InputError
from dashboard.pruning import busy
from dashboard.store import Draft, Run, Store

FOLDER = "visitors"
KEEP_S = 24 * 3600.0
"""Seconds that what a visitor has made stays on a public server."""
UPLOADS_S = 6 * 3600
"""Seconds that what a visitor has dropped stays there."""
SWEEP_S = 600.0
SINCE = ".since"  # when the store first served strangers: what is older is the owner's


@dataclass(frozen=True)
class Visitor:
    """Who is asking.

    Attributes:
        names: what he is known by (a cookie, a browser session); the first is the one that lasts longest.
        linked: ids of runs that the link he came by names: he may see these, too.
    """

    names: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """Names as file names from which nobody learns a cookie."""
        return tuple(sha256(f"loupe {name}".encode()).hexdigest()[:32] for name in self.names if name)


class VisitorStore(Store):
    """A store that answers according to who is asking. Nobody (the server at its start) sees what is everybody's.

    Attributes:
        who: tells the visitor behind the current request, None outside any.
    """

    def __init__(self, root: str | Path, who: Callable[[], Visitor | None] = lambda: None) -> None:
        super().__init__(root)
        self.who = who

    def get(self, run_id: str) -> Run:
        """The run of that id, whoever made it: ids are not told to others. Raises InputError if there is none."""
        if not self.has(run_id):
            raise InputError(f"No run is called {run_id[:200]!r} here: it may have been deleted.")
        return super().get(run_id)

    def runs(self, task: str | None = None) -> list[Run]:
        """Everybody's runs, the visitor's own and those that his link names, newest first."""
        visitor = self.who() or Visitor()
        return [r for r in super().runs(task) if self._listed(r, visitor)]

    def _listed(self, run: Run, visitor: Visitor) -> bool:
        owners = self._owners(run.id)
        if owners is None:
            return built_in(run) or run.id in visitor.linked
        return run.id in visitor.linked or not owners.isdisjoint(visitor.marks)

    def _owners(self, run_id: str) -> set[str] | None:
        """Marks of the visitors who made a run; None if it is nobody's."""
        try:
            return set(os.listdir(self.root / FOLDER / run_id))
        except OSError:
            return None

    def is_own(self, run_id: str) -> bool:
        """Whether the visitor has made that run; others may have made it, too."""
        visitor, owners = self.who(), self._owners(run_id) if self.has(run_id) else None
        return visitor is not None and owners is not None and not owners.isdisjoint(visitor.marks)

    def delete(self, run_id: str) -> None:
        """Remove a run of the visitor's own; from his list only, if others have made it, too.

        Raises:
            InputError: it is not his, not there, or being made again now (which would make it nobody's).
        """
        self.get(run_id)  # says what is wrong
        visitor = self.who()
        if visitor is None or not self.is_own(run_id):
            raise InputError("On a public server you can only delete runs that you made yourself.")
        if busy(self, run_id):
            raise InputError(f"{run_id} is being worked on: wait for it to end, then delete it.")
        folder = self.root / FOLDER / run_id
        with friendly_os_errors(self.root), contextlib.suppress(FileNotFoundError):  # taken away meanwhile
            people = {mark: (folder / mark).read_text("ascii") for mark in self._owners(run_id) or ()}
            me = {people[mark] for mark in visitor.marks if mark in people}
            if set(people.values()) - me:
                for mark in (m for m, who in people.items() if who in me):
                    (folder / mark).unlink()
                return
        super().delete(run_id)
        shutil.rmtree(folder, ignore_errors=True)

    def relocated(self, run: Run, dataset_facts: Mapping[str, Any]) -> Run:
        """As ever; and the visitor who has asked for a run that was there already has made it, too."""
        if self._owners(run.id) is not None:
            self._mark(run.id)
        return super().relocated(run, dataset_facts)

    @contextlib.contextmanager
    def draft(self, run_id: str) -> Iterator[Draft]:
        """As ever; a new run is the visitor's from its first moment."""
        with super().draft(run_id) as draft:
            if not self.has(run_id) or self._owners(run_id) is not None:
                self._mark(run_id)  # made again, it is his, too
            yield draft

    def _mark(self, run_id: str) -> None:
        """The visitor who is asking has made this run; nothing outside a request."""
        visitor = self.who()
        marks = visitor.marks if visitor is not None else ()
        with friendly_os_errors(self.root):
            for mark in marks:
                file = self.root / FOLDER / run_id / mark
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(marks[0], "ascii")


def built_in(run: Run) -> bool:
    """Whether a run is about built-in data and a listed model, so that nothing in it is a person's own."""
    data = str(run.facts.get("dataset_facts", {}).get("source", ""))
    model = str(run.facts.get("model_facts", {}).get("source", ""))
    return data.startswith("demo:") and not model.startswith(("a file", "predictions imported"))


def sweep(root: Path, folders: tuple[Path, ...] = (), keep_s: float = KEEP_S) -> list[str]:
    """Take away what visitors made more than ``keep_s`` seconds ago; returns the ids of the runs that went.

    Args:
        root: of the store. Runs with a visitor's mark go, and what was watched, measured, left unfinished or thrown
            away since the store has been serving strangers; what its owner had there before stays.
        folders: of copies that are made again when needed (videos for browsers): files unused for as long go.
        keep_s: seconds.
    """
    before, since = time.time() - keep_s, _since(root)
    store, gone = Store(root), []
    for marks in _children(root / FOLDER):
        if not marks.is_dir() or _time(marks) >= before:
            continue
        run_id = marks.name
        if store.has(run_id):
            with contextlib.suppress(InputError):
                store.delete(run_id)
                gone.append(run_id)
        if not store.has(run_id):
            shutil.rmtree(root / "unfinished" / run_id, ignore_errors=True)
            shutil.rmtree(marks, ignore_errors=True)
            with contextlib.suppress(OSError):
                (root / "locks" / f"{run_id}.lock").unlink()
    old = [path for name in ("watched", "unfinished", "videos", "pictures") for path in _children(root / name)]
    old += (root / "trash").glob("*/*")
    old = [path for path in old if _time(path) >= since]
    for path in [*old, *(file for folder in folders for file in _children(folder))]:
        if _time(path) < before:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return gone


def _since(root: Path) -> float:
    """When the store first served strangers, which is noted the first time."""
    file = root / FOLDER / SINCE
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(exist_ok=False)
    return _time(file)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _time(path: Path) -> float:
    """When a file, or anything in a folder, was last written; now if it is gone meanwhile."""
    try:
        return max([path.stat().st_mtime, *(entry.stat().st_mtime for entry in _children(path))])
    except OSError:
        return time.time()
