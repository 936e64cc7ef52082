"""A finished run: its facts as ``run.json`` has them, and the files beside it, read when they are asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from dashboard import results as results_io
from dashboard.errors import InputError
from dashboard.naming import SETTLED_NS
from dashboard.results import MetricResult

SCHEMA = 1


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
        title, tags: what a person calls it; not part of ``run.json``.
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
    created_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="milliseconds"))
    path: Path = Path()
    title: str = ""
    tags: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """The class names behind the numbers, in order. Raises InputError if their file is damaged."""
        try:
            return list(_classes(self.path, _written(self.path / "classes.json"))[0])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{self.path / 'classes.json'} is missing or damaged ({error}): delete that folder and run again."
            ) from error

    @property
    def class_ids(self) -> list[str]:
        """Their WordNet ids, or none."""
        _ = self.classes  # says what is wrong
        return list(_classes(self.path, _written(self.path / "classes.json"))[1])

    def results(self) -> dict[str, MetricResult]:
        """Per-class tables, matrices and curves, by ``metric.result`` name. Raises InputError if they are damaged."""
        try:
            return dict(_results(self.path, _written(self.path / "results.npz")))
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise InputError(
                f"{self.path / 'results.npz'} is missing or damaged ({error}): delete that folder and run again."
            ) from error

    @property
    def rows_path(self) -> Path:
        """The per-sample rows (Parquet)."""
        return self.path / "rows.parquet"

    @property
    def predictions_path(self) -> Path:
        """The stored predictions (Parquet)."""
        return self.path / "predictions.parquet"


def _written(file: Path) -> int:
    """When a file was written, so that what is kept of it is dropped when it changes. Raises OSError if it is gone."""
    return file.stat().st_mtime_ns


@lru_cache(8)  # with a thousand classes one is ten megabytes
def _results(path: Path, _written_at: int) -> Mapping[str, MetricResult]:
    """A run's results, kept for a while."""
    return results_io.load(path / "results.npz")


@lru_cache(64)
def _classes(path: Path, _written_at: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A run's class names and ids, kept for a while."""
    facts = json.loads((path / "classes.json").read_text("utf-8"))
    names, ids = facts["names"], facts["ids"]
    if not all(isinstance(part, list) and all(isinstance(x, str) for x in part) for part in (names, ids)):
        raise ValueError("names and ids must be lists of texts")
    return tuple(names), tuple(ids)


def facts_of(run: Run) -> dict[str, Any]:
    """What ``run.json`` holds."""
    facts = asdict(run) | {"schema": SCHEMA}
    for name in ("path", "title", "tags"):
        facts.pop(name)
    return facts


def recorded(folder: Path) -> Run:
    """What ``run.json`` says, remembered for as long as the file stays what it is.

    Raises:
        InputError: it was written by a newer version.
        OSError, ValueError, KeyError, TypeError, RecursionError: it is damaged.
    """
    status = (folder / "run.json").stat()
    if time.time_ns() - status.st_mtime_ns < SETTLED_NS:
        return _read(folder)
    return _kept_facts(folder, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(20_000)
def _kept_facts(folder: Path, _written: tuple[int, ...]) -> Run:
    """The same, kept: a thousand runs are read once, not at every look at the list."""
    return _read(folder)


def _read(folder: Path) -> Run:
    facts = json.loads((folder / "run.json").read_text("utf-8"))
    _check(facts)
    if facts.pop("schema") > SCHEMA:
        raise InputError(f"{folder} was written by a newer Loupe: update this one to read it.")
    facts["intervals"] = {k: tuple(v) for k, v in facts["intervals"].items()}
    return Run(**facts, path=folder)


def _check(facts: Any) -> None:
    """Raise ValueError unless ``run.json`` holds what a run is made of."""
    if not isinstance(facts, dict):
        raise ValueError("not a JSON object")
    kinds: dict[str, type] = {"samples": int, "schema": int}
    kinds |= dict.fromkeys(("id", "task", "model", "dataset", "created_at"), str)
    kinds |= dict.fromkeys(("metrics", "intervals", "facts", "timing", "environment"), dict)
    _of_kind(facts, kinds, required=True)
    _of_kind(facts["facts"], _FACTS)
    _of_kind(facts["facts"].get("dataset_facts", {}), {"source": str, "warnings": list, "options": dict})
    _of_kind(facts["facts"].get("tracker", {}), {"changed": dict, "settings": dict})
    _of_kind(facts["timing"], {"latency_ms": dict, "stages_ms": dict})
    _numbers("metrics", facts["metrics"])
    for part in ("latency_ms", "stages_ms"):
        _numbers(part, facts["timing"].get(part, {}))
    _numbers("timing", {k: v for k, v in facts["timing"].items() if not isinstance(v, (dict, str))})
    for name, ends in facts["intervals"].items():
        if not (isinstance(ends, list) and len(ends) == 2):
            raise ValueError(f"the interval of {name} must be two numbers, got {ends!r:.50}")
        _numbers(f"the interval of {name}", dict(enumerate(ends)))


_FACTS: dict[str, type] = {
    **dict.fromkeys(("dataset_facts", "model_facts", "tracker", "detector", "settings", "profile"), dict),
    **dict.fromkeys(("skipped", "used_classes", "sequences"), list),
}


def _of_kind(facts: dict[str, Any], kinds: Mapping[str, type], required: bool = False) -> None:
    for name, kind in kinds.items():
        if (required or name in facts) and not isinstance(facts.get(name), kind):
            raise ValueError(f"{name} must be {kind.__name__}, got {facts.get(name)!r:.50}")


def _numbers(what: str, values: Mapping[Any, Any]) -> None:
    """Raise ValueError unless all are numbers that fit a float, or null."""
    for name, value in values.items():
        good = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
        if not good or (isinstance(value, int) and abs(value) > 1 << 1000):
            raise ValueError(f"{what}: {name} must be a number, got {value!s:.50}")
