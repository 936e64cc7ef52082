"""From what a person typed or dropped (``demo:digits``, a folder, a CSV, a zip) to a dataset."""

from __future__ import annotations

import inspect
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dashboard.datasets import DATASETS, DEMOS
from dashboard.datasets.archive import Limits, extract_cached
from dashboard.datasets.base import Dataset, DatasetFormat
from dashboard.datasets.files import is_image, is_text, printable
from dashboard.errors import InputError, did_you_mean
from dashboard.registry import Registry

_DEMO = "demo:"
_WANTED = {  # what to give, by task
    "classification": "a folder with one folder of pictures per class, a CSV or a zip",
    "detection": "a COCO instances JSON, a folder or zip in YOLO's or VOC's layout",
    "instance-segmentation": "a COCO instances JSON, or a folder or zip with YOLO polygons",
    "semantic-segmentation": "a folder or zip that holds images and masks",
    "enhancement": "a folder or zip of inputs and references, or of clean pictures with a degradation",
    "tracking": "a video, a folder of frames, a MOTChallenge folder or gt.txt, or a zip of these",
}
_ANY = "a dataset of this task"


def open_dataset(
    source: str | Path,
    format: str | None = None,
    task: str = "classification",
    options: Mapping[str, str] | None = None,
    cache_dir: str | Path | None = None,
    limits: Limits | None = None,
    labels_only: bool = False,
    longest_s: float | None = None,
) -> Dataset:
    """Open a built-in dataset, a folder, a file or a zip.

    Args:
        source: ``demo:NAME`` or a path. A zip is unpacked into the cache once, and its files are confined to it.
        format: a name in ``DATASETS``; recognised if None.
        task: only formats of this task are considered; those of several are opened for it.
        options: KEY=VALUE pairs for the format.
        cache_dir: where zips are unpacked; default ``cache_folder()``.
        limits: what a zip may hold.
        labels_only: the pictures need not be there (scoring predictions made elsewhere).
        longest_s: how many seconds videos may last together, where that is limited.

    The dataset remembers its ``format`` and the ``options`` given, so that it can be opened again.

    Raises:
        InputError: one sentence naming the path (and line or entry) and the remedy.
    """
    text = str(source).strip().strip("\"'")
    if not text:
        raise InputError(f"No dataset is given: type a path or demo:NAME, or drop {_WANTED.get(task, _ANY)}")
    if not is_text(text):
        raise InputError(f"{printable(text)} has a name that is not UTF-8 text: rename it")
    if text.startswith(_DEMO):
        return _open_demo(text, task, options or {})
    if format is not None:
        _check_format(format, task)
    try:
        path = Path(os.path.expanduser(text))
        there = path.exists()
    except OSError as error:  # no permission, a name too long
        raise InputError(f"{text} cannot be opened ({error}): check the path") from error
    if not there:
        raise InputError(f"{text} does not exist: check the path{_near(path)}")
    if not _is_zip(path):
        return _open_path(path, text, format, task, options or {}, labels_only, longest_s=longest_s)
    unpacked = extract_cached(path, cache_dir or cache_folder(), limits)
    try:
        how = (format, task, options or {}, labels_only, True, longest_s)
        dataset = _open_path(unpacked.root, text, *how)
    except InputError as error:
        raise InputError(str(error).replace(str(unpacked.root), text)) from error
    dataset.name, dataset.source = path.stem + getattr(dataset, "name_suffix", ""), text
    dataset.in_use = unpacked.in_use  # type: ignore[attr-defined]
    if unpacked.skipped:
        kinds = ", ".join(f"{suffix or 'no suffix'} {count}" for suffix, count in unpacked.skipped.items())
        dataset.warnings = (*dataset.warnings, f"{sum(unpacked.skipped.values())} files not unpacked ({kinds}).")
    return dataset


def list_datasets(task: str | None = None) -> list[dict[str, str]]:
    """Formats and built-in datasets, a row for each task: name, kind ("format" or "built-in"), task, description."""
    facts = {} if task is None else {"task": task}
    rows = []
    for name, entry in DATASETS.items(**facts):
        rows += [_row(name, "format", t, entry) for t in _tasks(DATASETS, name) if task in (None, t)]
    for name, demo in DEMOS.items(**facts):
        rows += [_row(_DEMO + name, "built-in", t, demo) for t in _tasks(DEMOS, name) if task in (None, t)]
    return rows


def cache_folder() -> Path:
    """Where zips are unpacked: ``$LOUPE_CACHE``, else ``loupe`` in the user's cache folder."""
    given = os.environ.get("LOUPE_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loupe" / "datasets"


def _row(name: str, kind: str, task: str, entry: object) -> dict[str, str]:
    description = (inspect.getdoc(entry) or "").partition("\n")[0]
    return {"name": name, "kind": kind, "task": task, "description": description}


def _open_demo(source: str, task: str, options: Mapping[str, str]) -> Dataset:
    name = source.removeprefix(_DEMO)
    if name not in DEMOS:
        known = ", ".join(_DEMO + n for n in DEMOS.names())
        raise InputError(
            f"There is no built-in dataset {source!r}.{did_you_mean(name, DEMOS.names())} There are: {known}"
        )
    tasks = _tasks(DEMOS, name)
    if task not in tasks:
        raise InputError(f"{source} is for {' and '.join(tasks)}, not for {task}: choose that task")
    demo: Callable[..., Dataset] = DEMOS.get(name)
    takes = getattr(demo, "options", {})
    _refuse_unknown(source, options, takes)
    if takes:
        return demo(options=options)
    return demo(task=task) if isinstance(DEMOS.facts(name)["task"], tuple) else demo()


def _refuse_unknown(what: str, options: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Raises InputError for an option that a format or built-in dataset does not have."""
    for option in options:
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InputError(f"{what} has no option {option!r}: {takes}.{did_you_mean(option, known)}")


def _tasks(registry: Registry[Any], name: str) -> tuple[str, ...]:
    """What a format or built-in dataset is for: one task, or any of several."""
    task = registry.facts(name)["task"]
    return task if isinstance(task, tuple) else (task,)


def _check_format(format: str, task: str) -> None:
    if format not in DATASETS:
        known = DATASETS.names(task=task)
        raise InputError(
            f"No dataset format is called {format!r}.{did_you_mean(format, known)} "
            f"For {task} there are: {', '.join(known)}"
        )
    if task not in _tasks(DATASETS, format):
        raise InputError(f"The format {format!r} is for {' and '.join(_tasks(DATASETS, format))}, not for {task}")


def _open_path(
    path: Path,
    text: str,
    format: str | None,
    task: str,
    options: Mapping[str, str],
    labels_only: bool,
    confine: bool = False,
    longest_s: float | None = None,
) -> Dataset:
    """Open a folder or file that is no zip; ``confine`` forbids paths out of it to formats that hold paths."""
    name = format or _recognise(path, text, task)
    chosen = _format(name)
    known = getattr(chosen, "options", {})
    refused: Mapping[str, str] = getattr(chosen, "refused", {})  # those that another format takes, with the reason
    for option in refused:
        if option in options:
            raise InputError(f"{text} {refused[option]} (option {option})")
    _refuse_unknown(f"The format {name!r}", options, known)
    implied = {"task": task}
    if confine:
        implied["confine"] = "true"
    if labels_only:
        implied["require_files"] = "false"
    if longest_s is not None:
        implied["longest_s"] = f"{longest_s:g}"
    dataset = chosen.open(path, {**options, **{key: value for key, value in implied.items() if key in known}})
    dataset.format, dataset.options = name, dict(options)  # type: ignore[attr-defined]
    return dataset


def _recognise(path: Path, text: str, task: str) -> str:
    """The first format of the task that knows the path."""
    names = DATASETS.names(task=task)
    for name in names:
        if _format(name).detect(path):
            return name
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"{text} is empty: give {_WANTED.get(task, _ANY)}")
    if path.is_file() and is_image(path.name):
        raise InputError(f"{text} is a single picture, not a dataset: give {_WANTED.get(task, _ANY)}")
    here = {f.suffix.lower() for f in path.iterdir()} if path.is_dir() else {path.suffix.lower()}
    for name in names:  # a format that would have the file by its suffix says best what is wrong in it
        if here & set(getattr(_format(name), "suffixes", ())):
            _format(name).open(path, {"task": task} if "task" in getattr(_format(name), "options", {}) else {})
    if path.is_dir() and task == "classification":
        _format(names[0]).open(path, {})
    known = "; ".join(f"{row['name']}: {row['description']}" for row in list_datasets(task) if row["kind"] == "format")
    raise InputError(f"{text} is no dataset for {task} that is recognised; the formats are: {known}")


def _format(name: str) -> DatasetFormat:
    """The format of that name, ready to use: the registry holds classes."""
    entry = DATASETS.get(name)
    return entry() if isinstance(entry, type) else entry


def _is_zip(path: Path) -> bool:
    """Whether a file says it is a zip by its name or its contents."""
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def _near(path: Path) -> str:
    """Close names in the folder where the path should be."""
    try:
        return "." + did_you_mean(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    except OSError:
        return ""
