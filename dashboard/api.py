"""Loupe from Python: what the app and the command line do, as functions for notebooks and scripts.

All of them take names or paths where those are convenient, objects where they are at hand, keep runs in the same store
as the app (``$LOUPE_STORE``, else ``.loupe`` in the home folder), and raise ``InputError`` with one sentence that says
what is wrong and what to do.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dashboard.errors import InputError
from dashboard.tasks import TASKS

if TYPE_CHECKING:
    from dashboard.datasets.base import Dataset
    from dashboard.engine import Engine
    from dashboard.profiling.shapes import Profile
    from dashboard.store import Run
    from models.base import LoadOptions, ModelAdapter


@lru_cache(4)
def _engine(store: str) -> Engine:
    """What keeps models and datasets for the next call."""
    from dashboard.engine import Engine

    return Engine(store)


def engine_on(store: str | Path | None) -> Engine:
    """What works on a store; the same for the same store."""
    from dashboard.engine import default_store

    return _engine(str(Path(store or default_store()).expanduser().absolute()))


def _options(
    device: str, precision: str, allow_code: bool, settings: Mapping[str, Any] | None
) -> tuple[LoadOptions, dict[str, str]]:
    """How models are loaded, and what is left for the dataset's format."""
    from dashboard.settings import settings_for_data, settings_for_models
    from models.base import LoadOptions

    words = {str(k): str(v) for k, v in (settings or {}).items()}
    for_models = settings_for_models(words)
    loaded = LoadOptions(
        device=device, precision=cast(Any, precision), allow_code=allow_code, settings=for_models
    )  # fmt: skip
    return loaded, settings_for_data(words)


def _task_of(model: str | ModelAdapter[Any, Any], task: str | None, engine: Engine, options: LoadOptions) -> str:
    """The task asked for, else the model's own."""
    if task is not None:
        if task not in TASKS:
            raise InputError(f"There is no task {task!r}; there are: {', '.join(TASKS.names())}.")
        return task
    if not isinstance(model, str):
        return model.spec.task
    from models.load import as_file, find_spec

    return find_spec(model).task if as_file(model) is None else engine.model(model, options).spec.task


def evaluate(
    model: str | Path | ModelAdapter[Any, Any],
    dataset: str | Path | Dataset,
    task: str | None = None,
    *,
    format: str | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str = "fp32",
    degrade: str | None = None,
    seed: int = 0,
    mapping: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    restart: bool = False,
    allow_code: bool = False,
    store: str | Path | None = None,
    quiet: bool = False,
    cancel: threading.Event | None = None,
) -> Run:
    """Run a model over a dataset; the same model, data and settings are not run twice.

    Args:
        model: a listed name (``list_models``), a weight file, ``DETECTOR+TRACKER``, or a loaded adapter.
        dataset: ``demo:NAME``, a folder, file or zip, or an opened dataset.
        task: "classification", "detection" ...; the model's own by default.
        format: the dataset's format, if it is not recognised.
        limit: only the first N samples.
        batch_size: pictures a forward pass; the task's own by default.
        device: "auto", "cpu" or "cuda:N".
        precision: "fp32", "fp16" or "bf16".
        degrade: of enhancement, how inputs are made: "bicubic:4", "noise:25", "jpeg:10", "blur:1.6".
        seed: of what is random in that.
        mapping: dataset class to model class, where names do not meet by themselves.
        settings: what ``--set KEY=VALUE`` takes.
        restart: forget earlier predictions of this run.
        allow_code: let a weight file run the code inside it.
        store: folder of runs.
        quiet: no progress on standard error.
        cancel: set it from another thread to stop; what was finished is kept.

    Raises:
        InputError: in one sentence.
        Cancelled: ``cancel`` was set.
    """
    from dashboard.evaluation import Settings
    from dashboard.evaluation import evaluate as run_model
    from dashboard.printing import Bar
    from models.load import check_loadable

    engine = engine_on(store)
    model = str(model) if isinstance(model, Path) else model
    options, for_data = _options(device, precision, allow_code, settings)
    task = _task_of(model, task, engine, options)
    if isinstance(model, str):
        check_loadable(model, task, options.settings)
    if degrade is not None:
        for_data |= {"degrade": degrade} | ({"seed": str(seed)} if seed else {})
    data = _opened(engine, dataset, format, task, for_data)
    how = Settings(
        batch_size=batch_size, limit=limit, seed=seed, mapping=dict(mapping) if mapping else None, restart=restart
    )  # fmt: skip
    how.check()
    adapter = engine.model(model, options, task) if isinstance(model, str) else model
    show = Bar(adapter.spec.name, quiet)
    try:
        return run_model(adapter, data, engine.store, how, show, cancel)
    finally:
        show.clear()


def _opened(
    engine: Engine,
    dataset: str | Path | Dataset,
    format: str | None,
    task: str,
    options: Mapping[str, str],
    **more: Any,
) -> Dataset:
    """A dataset, opened if it is not yet."""
    if isinstance(dataset, (str, Path)):
        return engine.dataset(str(dataset), format, task, options, **more)
    if format is not None or options:
        raise InputError(f"{dataset.name} is open already: format and settings are for one that is still to be opened.")
    return dataset


def score(
    dataset: str | Path | Dataset,
    predictions: str | Path,
    task: str,
    *,
    name: str | None = None,
    format: str | None = None,
    classes: str | Path | None = None,
    limit: int | None = None,
    settings: Mapping[str, Any] | None = None,
    store: str | Path | None = None,
) -> Run:
    """Evaluate predictions made elsewhere; no model is needed.

    Args:
        dataset: the truth: ``demo:NAME``, a path, or an opened dataset.
        predictions: the file or folder of them.
        task: "classification", "detection" ...
        name: what to call the model behind them; default the file's name.
        format: the dataset's format, if it is not recognised.
        classes: a file with the names behind class numbers, one a line.
        limit: only the first N samples.
        settings: what ``--set KEY=VALUE`` takes; ``columns`` and ``units`` of txt files, too.
        store: folder of runs.

    Raises:
        InputError: in one sentence that names the file and line.
    """
    from dashboard.scoring import score as score_file

    engine = engine_on(store)
    task = _task_of("", task, engine, cast(Any, None))
    options, for_data = _options("auto", "fp32", False, settings)
    truth = _opened(engine, dataset, format, task, for_data, labels_only=True)
    return score_file(
        truth, Path(predictions).expanduser(), engine.store, name=name, classes=str(classes) if classes else None,
        limit=limit, settings=options.settings,
    )  # fmt: skip


def profile(
    model: str | Path,
    task: str | None = None,
    *,
    input_size: tuple[int, int] | None = None,
    batch_sizes: Sequence[int] | None = None,
    variants: Sequence[str] | None = None,
    dataset: str | Path | Dataset | None = None,
    limit: int | None = None,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    allow_code: bool = False,
    store: str | Path | None = None,
    keep: bool = True,
) -> Profile:
    """What a model costs: parameters, MACs, time, memory, cold start, and what other ways of running it gain.

    Args:
        model: a listed name or a weight file.
        task: what it is used for; its own by default.
        input_size: (height, width) in pixels; models that take any size need it.
        batch_sizes: of throughput.
        variants: such as ``("channels_last", "bf16")``; see ``dashboard.profiling``.
        dataset: to see what each variant costs in accuracy.
        limit: its first N samples.
        device: "auto", "cpu" or "cuda:N".
        settings: what ``--set KEY=VALUE`` takes.
        allow_code: let a weight file run the code inside it.
        store: folder of runs.
        keep: list it among the runs.

    Raises:
        InputError: in one sentence.
    """
    from dashboard.profiling.kept import write_profile
    from dashboard.profiling.profile import profile as measure

    engine = engine_on(store)
    options, for_data = _options(device, "fp32", allow_code, settings)
    more: dict[str, Any] = {} if variants is None else {"variants": tuple(variants)}
    if dataset is not None:
        used_for = _task_of(str(model), task, engine, options)
        more["dataset"] = _opened(engine, dataset, None, used_for, for_data)
    found = measure(
        str(model), options, task=task, input_size=input_size, batch_sizes=batch_sizes, limit=limit,
        store=engine.store, **more,
    )  # fmt: skip
    if keep:
        write_profile(engine.store, found)
    return found
