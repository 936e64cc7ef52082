"""Where runs live: one folder a run, appearing whole or not at all, shared by the app, the command line and visitors.

::

    STORE/runs/<run>/run.json             facts, settings, key figures, timing, environment
                     label.json           title and tags that a person gave (``dashboard.naming``)
                     classes.json         class names (and WordNet ids) behind the numbers
                     predictions.parquet  index, id, target, scores (C values each)
                     rows.parquet         one small row a sample: predicted, confidence, losses, ...
                     results.npz          per-class tables, matrices and curves (``dashboard.results``)
          unfinished/<run>/part-*.parquet predictions so far, each file whole; ``settings.json``
          trash/<run>/                    deleted, to be taken back for a while (``dashboard.history``)
          locks/<run>.lock                held (by the operating system) while a process works on that run

A run's id follows from model, data and settings (their fingerprints), so the same work finds its predictions again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dashboard.disk import friendly_os_errors, write_json
from dashboard.errors import InputError, did_you_mean
from dashboard.naming import FILE, read_label
from dashboard.run import Run as Run
from dashboard.run import facts_of, recorded

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


class Draft:
    """A run in the making: a folder only this process writes to, while it holds the lock."""

    def __init__(self, store: Store, run_id: str, lock: FileLock) -> None:
        self.store, self.run_id, self._lock = store, run_id, lock
        self.path = store.root / "unfinished" / run_id
        self.path.mkdir(parents=True, exist_ok=True)

    def parts(self) -> list[Path]:
        """Whole part files, in the order they were written."""
        return sorted(self.path.glob("part-*.parquet"))

    def next_part(self) -> Path:
        """The name for the next part, after all that are there."""
        last = max((int(p.stem.rpartition("-")[2]) for p in self.parts()), default=-1)
        return self.path / f"part-{last + 1:06d}.parquet"

    def drop_parts_from(self, part: Path) -> None:
        """Forget a part that cannot be read (a crash of the machine, say), and those after it: order is kept."""
        for later in self.parts():
            if later >= part:
                later.unlink()

    def clean(self) -> None:
        """Leave nothing but whole parts: what comes after them is made again from them."""
        for file in self.path.iterdir():
            if file not in self.parts():
                with contextlib.suppress(OSError):
                    file.unlink()

    def restart(self) -> None:
        """Forget what was done so far."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)

    def finish(self, run: Run) -> Run:
        """Write run.json and let the folder appear among the runs in one rename.

        The parts go last: a process killed anywhere before the rename leaves them, and nothing has to be done again.
        """
        write_json(self.path / "run.json", facts_of(run))
        target = self.store.root / "runs" / self.run_id
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            trash = self.store.root / "unfinished" / f".old-{self.run_id}"
            shutil.rmtree(trash, ignore_errors=True)
            with self.store.labelling():
                if (target / FILE).is_file():
                    shutil.copyfile(target / FILE, self.path / FILE)
                target.rename(trash)
                self.path.rename(target)
            shutil.rmtree(trash, ignore_errors=True)
        else:
            self.path.rename(target)
        for litter in [*target.glob("part-*"), *target.glob("*.tmp")]:
            with contextlib.suppress(OSError):
                litter.unlink()
        return self.store.get(self.run_id)

    def release(self) -> None:
        """Let others have it; an empty draft leaves nothing behind."""
        with contextlib.suppress(OSError):
            if self.path.exists() and not self.parts():
                shutil.rmtree(self.path)
        self._lock.release()


class Store:
    """A folder of runs. Cheap to make; holds no state but its path."""

    def __init__(self, root: str | Path) -> None:
        """Use ``root``, made when first written to. Raises InputError if it is a file or no path at all."""
        try:
            self.root = Path(root).expanduser().resolve()
            is_file = self.root.exists() and not self.root.is_dir()
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, an unknown ~user, a NUL
            raise InputError(
                f"The store {str(root)[:200]!r} is no usable path ({error}): give a folder with --store."
            ) from error
        if is_file:
            raise InputError(f"The store {self.root} is a file: give a folder with --store.")

    def get(self, run_id: str) -> Run:
        """The finished run called ``run_id``. Raises InputError if there is none or it is damaged."""
        if not self.has(run_id):
            known = [p.name for p in (self.root / "runs").glob("*") if p.is_dir()]
            raise InputError(
                f"No run is called {run_id!r} in {self.root}.{did_you_mean(run_id, known)} It may have been deleted."
            )
        folder = self.root / "runs" / run_id
        try:
            title, tags = read_label(folder)
            return replace(recorded(folder), title=title, tags=tags)
        except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{folder / 'run.json'} is damaged ({error}): delete that folder and run again."
            ) from error

    def runs(self, task: str | None = None) -> list[Run]:
        """Every finished run, newest first; damaged ones are left out."""
        found = []
        for run_id in self.ids():
            with contextlib.suppress(InputError):
                found.append(self.get(run_id))
        found = [r for r in found if task in (None, r.task)]
        return sorted(found, key=lambda r: (r.created_at, r.id), reverse=True)

    def ids(self) -> list[str]:
        """Names of the folders that should hold a finished run each, in no order."""
        try:
            with os.scandir(self.root / "runs") as entries:
                return [e.name for e in entries if e.is_dir() and _ID.fullmatch(e.name)]
        except OSError:  # nothing was run yet
            return []

    @contextlib.contextmanager
    def labelling(self) -> Iterator[None]:
        """Hold the labels: two processes that give a run a tag each both succeed. Raises InputError, OSError."""
        (self.root / "locks").mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / "locks" / ".labels.lock", timeout=10):
                yield
        except Timeout:
            raise InputError(f"Labels in {self.root} are being written by another process: try again.") from None

    def relocated(self, run: Run, dataset_facts: Mapping[str, Any]) -> Run:
        """The run, told where its pictures are now, if the place it knew is gone. Numbers never change."""
        known = run.facts.get("dataset_facts", {})
        old, new = str(known.get("source", "")), str(dataset_facts["source"])
        if old == new or Path(old).exists() or not Path(new).exists():
            return run
        moved = {k: dataset_facts[k] for k in ("source", "format", "options")}
        run = replace(run, facts={**run.facts, "dataset_facts": {**known, **moved}})
        with contextlib.suppress(OSError):  # a store that cannot be written still answers
            write_json(run.path / "run.json", facts_of(run))
        return run

    def has(self, run_id: str) -> bool:
        """Whether that run is finished; False for what cannot be a run's id."""
        return bool(_ID.fullmatch(run_id)) and (self.root / "runs" / run_id / "run.json").is_file()

    def unfinished(self, run_id: str) -> bool:
        """Whether something of that run was kept from an earlier try."""
        return any((self.root / "unfinished" / run_id).glob("part-*.parquet"))

    def delete(self, run_id: str) -> None:
        """Remove a finished run, a damaged one too. Raises InputError if there is none."""
        if not self.has(run_id):
            self.get(run_id)  # says what is wrong
        trash = self.root / "unfinished" / f".old-{run_id}"
        with friendly_os_errors(self.root):
            trash.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(trash, ignore_errors=True)
            (self.root / "runs" / run_id).rename(trash)
        shutil.rmtree(trash, ignore_errors=True)

    @contextlib.contextmanager
    def draft(self, run_id: str) -> Iterator[Draft]:
        """Hold ``run_id`` for writing. Raises InputError if somebody else is at it, or the disk is full."""
        if not _ID.fullmatch(run_id):
            raise ValueError(f"run_id must be letters, digits, '.', '_' and '-', got {run_id!r}")
        with friendly_os_errors(self.root):
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / "locks" / f"{run_id}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise InputError(
                    f"The run {run_id} is being worked on already (by the app or another command): wait for it to end."
                ) from None
            try:
                draft = Draft(self, run_id, lock)
            except BaseException:
                lock.release()
                raise
            try:
                yield draft
            finally:
                draft.release()


def run_id_for(model: str, dataset: str, key: Mapping[str, Any]) -> str:
    """A readable id that changes when anything in ``key`` does (fingerprints, settings that change predictions)."""
    digest = sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:10]
    return f"{_slug(model)}_{_slug(dataset)}_{digest}"


def _slug(name: str) -> str:
    """A name as part of a folder name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60] or "x"
