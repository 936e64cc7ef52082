"""From stored predictions to a finished run: rows, metrics, files. No model is needed, whatever metric is new."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dashboard import results as results_io
from dashboard.datasets.base import Dataset
from dashboard.disk import friendly_os_errors, write_json
from dashboard.errors import InputError
from dashboard.labels import distinct_names
from dashboard.metrics import signature
from dashboard.predictions import compact
from dashboard.results import MetricResult, Scalars
from dashboard.store import Draft, Run, Store
from dashboard.tasks import task_of
from models.base import ModelAdapter


def compute_metrics(
    predictions: Path, class_names: list[str], task: str, multilabel: bool, rows_path: Path | None = None
) -> tuple[dict[str, MetricResult], int]:
    """Every registered metric of a task over stored predictions.

    Args:
        predictions: what ``compact`` wrote.
        class_names: (C,) names in score order.
        task: which metrics of the registry.
        multilabel: likewise.
        rows_path: where to write the per-sample rows as well, or None.

    Returns:
        Results by ``metric.result`` name, and the number of samples.
    """
    return task_of(task).compute(predictions, class_names, task, multilabel, rows_path)


def model_facts(adapter: ModelAdapter[Any, Any]) -> dict[str, Any]:
    """What a run keeps of its model."""
    known = ("family", "source", "license", "paper", "preprocessing")
    found = {name: getattr(adapter.spec, name) for name in known}
    return found | {"fingerprint": adapter.fingerprint, "notes": dict(adapter.notes)}


def dataset_facts(dataset: Dataset) -> dict[str, Any]:
    """What a run keeps of its dataset: enough to open it again, from any folder, and to notice that it has changed."""
    path = Path(os.path.expanduser(dataset.source))
    made = {k: v for k in ("recipe", "scale") if (v := getattr(dataset, k, None))}
    return made | {
        "source": str(path.resolve()) if path.exists() else dataset.source,
        "fingerprint": dataset.fingerprint,
        "classes": len(dataset.class_names),
        "warnings": list(dataset.warnings),
        "format": getattr(dataset, "format", None),
        "options": dict(getattr(dataset, "options", {})),
    }


def key_figures(
    results: Mapping[str, MetricResult],
) -> tuple[dict[str, float | None], dict[str, tuple[float, float]]]:
    """All scalars as one mapping (NaN as None), and their intervals."""
    values: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for result in results.values():
        if isinstance(result, Scalars):
            values |= {k: (float(v) if np.isfinite(v) else None) for k, v in result.values.items()}
            intervals |= {
                k: (float(a), float(b)) for k, (a, b) in result.intervals.items() if np.isfinite([a, b]).all()
            }
    return values, intervals


def finish(draft: Draft, facts: dict[str, Any], timing: Mapping[str, Any], multilabel: bool) -> Run:
    """Turn a draft whose parts are all there into a run.

    Args:
        draft: holds the parts.
        facts: must name task, model, dataset, class_names, class_ids and environment; the rest is kept as it is.
        timing: see CONTRACT.
        multilabel: whether targets are sets.

    Returns:
        The finished run, now visible to everyone. If anything fails on the way, only the parts are left.
    """
    draft.clean()
    try:
        return _finish(draft, facts, timing, multilabel)
    except BaseException:
        draft.clean()
        raise


def _finish(draft: Draft, facts: dict[str, Any], timing: Mapping[str, Any], multilabel: bool) -> Run:
    """The files beside the parts, one after the other."""
    facts = facts | {"class_names": distinct_names(facts["class_names"], facts["class_ids"])}
    compact(draft.parts(), draft.path / "predictions.parquet")
    results, samples = compute_metrics(
        draft.path / "predictions.parquet",
        facts["class_names"],
        facts["task"],
        multilabel,
        draft.path / "rows.parquet",
    )
    return write_run(draft, facts | {"multilabel": multilabel}, timing, results, samples)


def write_run(
    draft: Draft, facts: Mapping[str, Any], timing: Mapping[str, Any], results: Mapping[str, MetricResult], samples: int
) -> Run:
    """Write what is not predictions or rows, and let the run appear."""
    facts = dict(facts)
    names, ids = facts.pop("class_names"), facts.pop("class_ids")
    facts["metrics_by"] = signature(facts["task"], facts["multilabel"])
    values, intervals = key_figures(results)
    values |= task_of(facts["task"]).timed(timing)
    results_io.save(results, draft.path / "results.npz")
    write_json(draft.path / "classes.json", {"names": names, "ids": ids})
    kept = {"created_at": facts.pop("created_at")} if "created_at" in facts else {}
    run = Run(
        id=draft.run_id,
        task=facts.pop("task"),
        model=facts.pop("model"),
        dataset=facts.pop("dataset"),
        samples=samples,
        metrics=values,
        intervals=intervals,
        timing=timing,
        environment=facts.pop("environment"),
        facts=facts,
        **kept,
    )
    return draft.finish(run)


def out_of_date(run: Run) -> bool:
    """Whether metrics were added or changed since the run's numbers were computed."""
    multilabel = bool(run.facts.get("multilabel"))
    if not run.facts.get("has_scores", True) or run.facts.get("metrics_by") == signature(run.task, multilabel):
        return False
    return run.predictions_path.is_file()  # nothing to compute from: the numbers stay as they are


def refresh(store: Store, run: Run) -> Run:
    """Compute a run's numbers anew from its stored predictions; no model runs, and its id and date stay.

    Raises:
        InputError: somebody else is at it, its predictions are damaged, or the disk is full.
    """
    with friendly_os_errors(store.root), store.draft(run.id) as draft:
        draft.restart()
        predictions = draft.path / "predictions.parquet"
        try:
            os.link(run.predictions_path, predictions)
        except OSError:  # a file system without links
            shutil.copyfile(run.predictions_path, predictions)
        multilabel = bool(run.facts.get("multilabel"))
        try:
            computed = compute_metrics(predictions, run.classes, run.task, multilabel, draft.path / "rows.parquet")
        except (ValueError, pa.ArrowException) as error:
            raise InputError(f"{run.predictions_path} is damaged ({error}): delete that run, start anew.") from error
        named: dict[str, Any] = {
            "task": run.task,
            "model": run.model,
            "dataset": run.dataset,
            "created_at": run.created_at,
        }
        named |= {"class_names": run.classes, "class_ids": run.class_ids, "environment": dict(run.environment)}
        return write_run(draft, {**run.facts, **named}, run.timing, *computed)
