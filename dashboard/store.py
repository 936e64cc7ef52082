"""Where runs live: one folder a run, appearing whole or not at all, shared by the app, the command line and visitors.

::

    STORE/runs/<run>/run.json             facts, settings, key figures, timing, environment
                     classes.json         class names (and WordNet ids) behind the numbers
                     predictions.parquet  index, id, target, scores (C values each)
                     rows.parquet         one small row a sample: predicted, confidence, losses, ...
                     results.npz          per-class tables, matrices and curves (``dashboard.results``)
          unfinished/<run>/part-*.parquet predictions so far, each file whole; ``settings.json``
          locks/<run>.lock                held (by the operating system) while a process works on that run

A run's id follows from model, data and settings (their fingerprints), so the same work finds its predictions again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dashboard import results as results_io
from dashboard.errors import InputError, did_you_mean
from dashboard.results import MetricResult

SCHEMA = 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


@dataclass(frozen=True)
class Run:
    """A finished evaluation: facts here, arrays on disk.

    Attributes:
        id: unique in its store.
        task, model, dataset: what was run on what, as short names.
        samples: how many were scored.
        metrics: key figures by CONTRACT name; None where undefined.
        intervals: their 95 % intervals, (low, high).
        facts: everything else that was recorded (model and dataset facts, settings, skipped files, notes).
        timing, environment: see CONTRACT.
        created_at: ISO 8601, UTC.
        path: its folder.
    """

    id: str
    task: str
    model: str
    dataset: str
    samples: int
    metrics: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    path: Path = Path()

    @property
    def classes(self) -> list[str]:
        """The class names behind the numbers, in order."""
        return list(_classes(self.path, self.created_at))

    def results(self) -> dict[str, MetricResult]:
        """Per-class tables, matrices and curves, by ``metric.result`` name."""
        return dict(_results(self.path, self.created_at))

    @property
    def rows_path(self) -> Path:
        """The per-sample rows (Parquet)."""
        return self.path / "rows.parquet"

    @property
    def predictions_path(self) -> Path:
        """The stored predictions (Parquet)."""
        return self.path / "predictions.parquet"


@lru_cache(32)
def _results(path: Path, _created_at: str) -> Mapping[str, MetricResult]:
    """A run's results, kept for a while: a run on disk never changes."""
    return results_io.load(path / "results.npz")


@lru_cache(64)
def _classes(path: Path, _created_at: str) -> tuple[str, ...]:
    """A run's class names, kept for a while."""
    return tuple(json.loads((path / "classes.json").read_text("utf-8"))["names"])


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
        """The name for the next part."""
        return self.path / f"part-{len(self.parts()):06d}.parquet"

    def restart(self) -> None:
        """Forget what was done so far."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)

    def finish(self, run: Run) -> Run:
        """Write run.json, drop the parts, and let the folder appear among the runs in one rename."""
        facts = asdict(run) | {"schema": SCHEMA}
        facts.pop("path")
        write_json(self.path / "run.json", facts)
        for part in self.parts():
            part.unlink()
        target = self.store.root / "runs" / self.run_id
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            trash = self.store.root / "unfinished" / f".old-{self.run_id}"
            shutil.rmtree(trash, ignore_errors=True)
            target.rename(trash)
            self.path.rename(target)
            shutil.rmtree(trash, ignore_errors=True)
        else:
            self.path.rename(target)
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
        """Use ``root``, made when first written to. Raises InputError if it is a file."""
        self.root = Path(root).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"The store {self.root} is a file: give a folder with --store.")

    def get(self, run_id: str) -> Run:
        """The finished run called ``run_id``. Raises InputError if there is none or it is damaged."""
        folder = self.root / "runs" / run_id
        if not _ID.fullmatch(run_id) or not (folder / "run.json").is_file():
            known = [p.name for p in (self.root / "runs").glob("*") if p.is_dir()]
            raise InputError(
                f"No run is called {run_id!r} in {self.root}.{did_you_mean(run_id, known)} It may have been deleted."
            )
        try:
            facts = json.loads((folder / "run.json").read_text("utf-8"))
            if facts.pop("schema") > SCHEMA:
                raise InputError(f"{folder} was written by a newer Loupe: update this one to read it.")
            facts["intervals"] = {k: tuple(v) for k, v in facts["intervals"].items()}
            return Run(**facts, path=folder)
        except (ValueError, KeyError, TypeError, OSError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{folder / 'run.json'} is damaged ({error}): delete that folder and run again.") from error

    def runs(self, task: str | None = None) -> list[Run]:
        """Every finished run, newest first; damaged ones are left out."""
        found = []
        for file in (self.root / "runs").glob("*/run.json"):
            with contextlib.suppress(InputError):
                found.append(self.get(file.parent.name))
        found = [r for r in found if task in (None, r.task)]
        return sorted(found, key=lambda r: (r.created_at, r.id), reverse=True)

    def has(self, run_id: str) -> bool:
        """Whether that run is finished."""
        return (self.root / "runs" / run_id / "run.json").is_file()

    def unfinished(self, run_id: str) -> bool:
        """Whether something of that run was kept from an earlier try."""
        return any((self.root / "unfinished" / run_id).glob("part-*.parquet"))

    def delete(self, run_id: str) -> None:
        """Remove a finished run. Raises InputError if there is none."""
        run = self.get(run_id)
        trash = self.root / "unfinished" / f".old-{run.id}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(trash, ignore_errors=True)
        run.path.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)

    @contextlib.contextmanager
    def draft(self, run_id: str) -> Iterator[Draft]:
        """Hold ``run_id`` for writing. Raises InputError if another process or visitor is at it, or the disk is full."""
        with friendly_os_errors(self.root):
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / "locks" / f"{run_id}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise InputError(
                    f"The run {run_id} is being worked on already (by the app or another command): wait for it to end."
                ) from None
            draft = Draft(self, run_id, lock)
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


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is whole or absent. NaN becomes null."""
    part = path.with_suffix(path.suffix + ".tmp")
    part.write_text(json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False), "utf-8")
    os.replace(part, path)


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
    if isinstance(value, Sequence) or isinstance(value, (set, frozenset)):
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
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise InputError(
                f"{error.filename or place} cannot be written ({error.strerror}): choose another folder with --store."
            ) from error
        raise
