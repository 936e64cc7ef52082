"""Another tracker, or other settings of it, on detections that are stored: no detector is loaded, no model runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dashboard.datasets.base import Dataset
from dashboard.disk import friendly_os_errors
from dashboard.environment import describe_environment
from dashboard.errors import InputError
from dashboard.evaluation import OnProgress, Progress
from dashboard.finishing import finish
from dashboard.store import Draft, Run, Store, run_id_for
from dashboard.tasks.tracking import tracker_facts
from dashboard.tracking_pass import take_over, track_all
from models.trackers import Tracker
from models.tracking import combined_fingerprint


def can_retrack(run: Run) -> bool:
    """Whether the run has stored detections that another tracker can run on."""
    return run.task == "tracking" and bool(run.facts.get("detections")) and run.predictions_path.is_file()


def retrack(
    run: Run,
    tracker: Tracker,
    dataset: Dataset | None,
    store: Store,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """A run of the same detector on the same data with another tracker.

    Args:
        run: has the detections.
        tracker: a fresh one, used by nobody else.
        dataset: the run's, for trackers that look at pictures; None if it is gone.
        store: where the new run goes; one of the same tracker and settings is returned as it is.
        progress: told how far it is.
        cancel: set it from another thread to stop.

    Raises:
        InputError: nothing is stored to run on, the tracker needs pictures that are gone, somebody else is at it.
        Cancelled: ``cancel`` was set.
    """
    say, cancel = progress or (lambda _: None), cancel or threading.Event()
    if not can_retrack(run):
        raise InputError(f"{run.id} has no stored detections: evaluate a detector with a tracker first.")
    if dataset is None and tracker.needs_images:
        raise InputError(
            f"{tracker.name} looks at the pictures of {run.dataset}, which are gone or have changed: choose a tracker "
            "that goes by boxes alone (or gmc_method none), or bring them back."
        )
    detector: Mapping[str, Any] = run.facts["detector"]
    name = f"{detector['name']}+{tracker.name}"
    fingerprint = combined_fingerprint(detector["fingerprint"], tracker)
    key = {**run.facts["key"], "model": fingerprint}
    run_id = run_id_for(name, run.dataset, key)
    if store.has(run_id):
        found = store.get(run_id)
        say(Progress("done", found.samples, found.samples, resumed=found.samples))
        return found
    started = time.perf_counter()

    def told(stage: str, done: int, total: int) -> None:
        rate = done / max(time.perf_counter() - started, 1e-6)
        say(Progress(stage, done, total, rate, (total - done) / rate if done else None, resumed=total))

    def write(draft: Draft) -> Run:
        draft.restart()
        try:
            _take_over(draft, run)
            timing = {**run.timing, "detections_of": run.timing.get("detections_of") or run.id}
            timing |= track_all(draft, tracker, dataset, told, cancel.is_set)
            told("scoring", run.samples, run.samples)
            return finish(draft, _facts(run, tracker, name, fingerprint, key), timing, multilabel=False)
        except BaseException:
            draft.restart()
            raise

    with friendly_os_errors(store.root), store.draft(run_id) as draft:
        return write(draft)


def _take_over(draft: Draft, run: Run) -> None:
    """The run's detections. Raises InputError if their file is damaged."""
    try:
        take_over(draft, run.predictions_path)
    except pa.ArrowInvalid as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{run.predictions_path} is damaged ({why}): delete that run, start anew.") from error


def _facts(run: Run, tracker: Tracker, name: str, fingerprint: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """The other run's facts with this tracker in them."""
    known = dict(run.facts)
    model = dict(known["model_facts"])
    detector_source = str(model.get("source", "")).split(";")[0]
    notes = {k: v for k, v in model.get("notes", {}).items() if k not in known["tracker"]["settings"]}
    model |= {
        "source": f"{detector_source}; {tracker.title} of {tracker.source}",
        "fingerprint": fingerprint,
        "notes": {**notes, "tracker": tracker.title, **tracker.values},
    }
    named: dict[str, Any] = {"task": run.task, "model": name, "dataset": run.dataset}
    named |= {"class_names": run.classes, "class_ids": run.class_ids}
    return {
        **known,
        **named,
        "environment": describe_environment("cpu"),
        "model_facts": model,
        "tracker": tracker_facts(tracker),
        "key": dict(key),
    }
