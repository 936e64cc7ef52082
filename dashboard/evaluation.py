"""The only loop over a dataset and the only clock: decode in threads, one device queue, parts written as they come."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.datasets.base import Dataset
from dashboard.disk import friendly_os_errors
from dashboard.environment import describe_environment
from dashboard.errors import Cancelled, InputError
from dashboard.finishing import dataset_facts, finish, model_facts, out_of_date, refresh
from dashboard.inference import Inference
from dashboard.labels import ClassMap
from dashboard.pipeline import decoded, default_workers, measure_latency
from dashboard.predictions import Part, done_indices, part_facts, write_part
from dashboard.store import Draft, Run, Store, run_id_for
from dashboard.tasks import task_of
from models.base import ModelAdapter, serves

PART_SECONDS = 5.0  # at most this much work is lost in a crash
PART_BYTES = 2 << 20
MAX_SKIPPED = 0.5  # more unreadable pictures than this is an error, not a detail


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    Attributes:
        batch_size: pictures a forward pass; None for the task's own (``Task.batch_sizes``).
        limit: only the first N samples.
        seed: kept for tasks that draw random numbers.
        mapping: dataset class to model class, where names do not meet by themselves.
        restart: forget an unfinished run instead of going on with it, and a finished one instead of reusing it.
        workers: decoding threads; None for one a core, at most 8.
        latency: measure batch-1 latency afterwards (a second or two).
    """

    batch_size: int | None = None
    limit: int | None = None
    seed: int = 0
    mapping: Mapping[str, str] | None = None
    restart: bool = False
    workers: int | None = None
    latency: bool = True

    def check(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for name in ("limit", "batch_size", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {value}.")


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows.

    Attributes:
        stage: "loading", "running", "tracking", "scoring", "done".
        done, total: samples.
        rate: samples a second over the last seconds.
        seconds_left: estimate, None while unknown.
        live: metrics so far.
        skipped: pictures that could not be read so far.
        resumed: samples that were there from an earlier try.
    """

    stage: str
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    live: Mapping[str, float] = field(default_factory=dict)
    skipped: int = 0
    resumed: int = 0


OnProgress = Callable[[Progress], None]


@dataclass
class _Clock:
    """Seconds of wall time and inside the model, earlier tries included."""

    wall: float = 0.0
    model: float = 0.0
    samples: int = 0


def plan(adapter: ModelAdapter[Any, Any], dataset: Dataset, settings: Settings) -> tuple[str, ClassMap]:
    """Check that model and dataset meet, before any inference, and name the run.

    Returns:
        The run's id, and the map from the dataset's classes to the model's.

    Raises:
        InputError: other task, classes that do not meet, a bad setting.
    """
    spec = adapter.spec
    if not serves(spec.task, dataset.task):
        raise InputError(f"{spec.name} does {spec.task}, but {dataset.name} is a {dataset.task} dataset: pick another.")
    settings.check()
    classes = task_of(dataset.task).classes(spec, dataset, settings.mapping)
    return run_id_for(spec.name, dataset.name, _key(adapter, dataset, settings, classes)), classes


def _key(adapter: ModelAdapter[Any, Any], dataset: Dataset, settings: Settings, classes: ClassMap) -> dict[str, Any]:
    """What changes a run's answers."""
    return {
        "model": adapter.fingerprint,
        "dataset": dataset.fingerprint,
        "limit": settings.limit if settings.limit is not None and settings.limit < len(dataset) else None,
        "classes": classes.to_model.tolist(),
        "names": adapter.spec.class_names,
        "task": dataset.task,
    }


def evaluate(
    adapter: ModelAdapter[Any, Any],
    dataset: Dataset,
    store: Store,
    settings: Settings | None = None,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Run:
    """Run a model over a dataset and store the run; what is already there is not done again.

    Args:
        adapter: the loaded model.
        dataset: ordered samples with truth.
        store: where the run goes; a finished run of the same model, data and settings is returned as it is.
        settings: see ``Settings``.
        progress: called from this thread, a few times a second.
        cancel: set it from another thread to stop.

    Returns:
        The finished run.

    Raises:
        InputError: model and data do not meet, another process is at the same run, the disk is full, too many
            unreadable pictures.
        Cancelled: ``cancel`` was set; what was finished is kept and continued next time.
    """
    settings = settings or Settings()
    say = progress or (lambda _: None)
    if serves(adapter.spec.task, dataset.task):
        adapter = task_of(dataset.task).fitted(adapter, dataset)
    run_id, classes = plan(adapter, dataset, settings)
    if store.has(run_id) and not settings.restart:
        return _reused(store, run_id, dataset, say)
    with store.draft(run_id) as draft:
        if settings.restart:
            draft.restart()
        elif store.has(run_id):  # another process finished it just now
            return _reused(store, run_id, dataset, say)
        try:
            return _Evaluation(adapter, dataset, classes, draft, settings, say, cancel or threading.Event()).run()
        finally:
            adapter.reset()


def _reused(store: Store, run_id: str, dataset: Dataset, say: OnProgress) -> Run:
    """A finished run as it is, except that its pictures are looked for where the dataset is now."""
    run = store.relocated(store.get(run_id), dataset_facts(dataset))
    if out_of_date(run):
        run = refresh(store, run)
    say(Progress("done", run.samples, run.samples, live=_numbers(run.metrics), resumed=run.samples))
    return run


class _Evaluation:
    """One evaluation under way. Split in steps so that each can be read alone."""

    def __init__(
        self,
        adapter: ModelAdapter[Any, Any],
        dataset: Dataset,
        classes: ClassMap,
        draft: Draft,
        settings: Settings,
        say: OnProgress,
        cancel: threading.Event,
    ) -> None:
        self.adapter, self.dataset, self.classes, self.draft = adapter, dataset, classes, draft
        self.settings, self.say, self.cancel = settings, say, cancel
        self.total = min(len(dataset), settings.limit or len(dataset))
        self.task = task_of(dataset.task)
        self.model = Inference(adapter, dataset, classes, settings.batch_size, self.task)
        self.clock = _Clock()
        self.skipped: dict[int, tuple[str, str]] = {}
        self.class_names, self.class_ids = self.task.names(adapter.spec, dataset, classes)
        self.live = self.task.live(self.class_names, dataset)
        self.key = _key(adapter, dataset, settings, classes)
        self.known_timing: Mapping[str, Any] | None = None
        self.stage_began = 0.0

    def run(self) -> Run:
        """Predict what is missing, then score everything."""
        if self.cancel.is_set():
            raise Cancelled("Stopped before it began.")
        with friendly_os_errors(self.draft.store.root):
            if not self.settings.restart:
                self.known_timing = self.task.begin(self.draft, self.adapter, self.key)
        done = self._take_up()
        todo = [i for i in range(self.total) if i not in done]
        self.resumed = self.total - len(todo)
        self._report("running", len(done))
        with friendly_os_errors(self.draft.store.root):
            self._predict(todo, len(done))
            if len(self.skipped) > MAX_SKIPPED * self.total or len(self.skipped) == self.total:
                _, first = next(iter(self.skipped.values()))
                raise InputError(
                    f"{len(self.skipped)} of {self.total} pictures of {self.dataset.name} cannot be read: {first}"
                )
            self._report("scoring", self.total - len(self.skipped))
            timing = dict(self.known_timing or self._timing())
            how = (self.draft, self.adapter, self.dataset, self.class_names, self._say_stage, self.cancel.is_set)
            timing |= self.task.complete(*how)
            facts = self._facts() | self.task.facts(self.adapter, self.dataset, self.key)
            return finish(self.draft, facts, timing, self.dataset.multilabel)

    def _say_stage(self, stage: str, done: int, total: int) -> None:
        """How far what comes after the model is."""
        self.stage_began = self.stage_began or time.perf_counter()
        rate = done / max(time.perf_counter() - self.stage_began, 1e-3)
        left = (total - done) / rate if rate else None
        self.say(Progress(stage, done, total, rate, left, self.live.values(), len(self.skipped), self.resumed))

    def _take_up(self) -> set[int]:
        """Go on where an earlier try stopped: its samples and its clock."""
        done: set[int] = set()
        for part in self.draft.parts():
            try:
                facts, indices = part_facts(part), done_indices([part])
                self.live.take_up(part)
            except (OSError, ValueError):  # cut short when the machine went down: predict it again
                self.draft.drop_parts_from(part)
                break
            done.update(indices.tolist())
            self.clock.wall += float(facts.get("wall_s", 0))
            self.clock.model += float(facts.get("model_s", 0))
        self.clock.samples = len(done)
        return done

    def _predict(self, todo: Sequence[int], already: int) -> None:
        """The loop. Parts are flushed at batch borders, so a continued run forms the same batches."""
        pending: list[Part] = []
        started = last_part = last_said = time.perf_counter()
        model_at_part = self.model.seconds
        recent: deque[tuple[float, int]] = deque([(started, already)], maxlen=20)
        done = already

        def flush() -> None:
            nonlocal last_part, model_at_part
            if not pending:
                return
            now = time.perf_counter()
            facts = {"wall_s": now - last_part, "model_s": self.model.seconds - model_at_part}
            write_part(self.draft.next_part(), pending[0].join(pending), facts)
            self.clock.wall += facts["wall_s"]
            self.clock.model += facts["model_s"]
            last_part, model_at_part = now, self.model.seconds
            pending.clear()

        self.model.warm_up(todo)
        workers = self.settings.workers or default_workers()
        last_part = time.perf_counter()
        try:
            for batch in decoded(self.adapter, self.dataset, todo, lambda: self.model.batch_size, workers, self._skip):
                part = self.model.run(batch)
                self._count(part)
                pending.append(part)
                done += len(part.ids)
                self.clock.samples += len(part.ids)
                now = time.perf_counter()
                recent.append((now, done))
                size = sum(p.nbytes for p in pending)
                if now - last_part > PART_SECONDS or size > PART_BYTES:
                    flush()
                if now - last_said > 0.2:
                    last_said = now
                    self._report("running", done, recent)
                if self.cancel.is_set():
                    raise Cancelled(f"Stopped after {done} of {self.total}; start again to continue from there.")
        finally:
            flush()
        self._report("running", done, recent)

    def _count(self, part: Part) -> None:
        """Into the numbers shown while it runs; they are a check of the scores, too."""
        try:
            self.live.update(part)
        except ValueError as error:
            raise InputError(f"{self.adapter.spec.name}: {error}.") from error

    def _skip(self, index: int, identity: str, reason: str) -> None:
        """Note a picture that cannot be read."""
        self.skipped[index] = (identity, reason)

    def _report(self, stage: str, done: int, recent: deque[tuple[float, int]] | None = None) -> None:
        """Say how far it is."""
        rate = 0.0
        if recent and len(recent) > 1 and recent[-1][0] > recent[0][0]:
            rate = (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])
        left = (self.total - len(self.skipped) - done) / rate if rate else None
        self.say(Progress(stage, done, self.total, rate, left, self.live.values(), len(self.skipped), self.resumed))

    def _timing(self) -> dict[str, Any]:
        """CONTRACT's timing. Latency is a run of its own: batch 1, warm, synchronised."""
        timing: dict[str, Any] = {
            "wall_s": self.clock.wall,
            "model_s": self.clock.model,
            "pipeline_efficiency": self.clock.model / self.clock.wall if self.clock.wall else None,
            "throughput_per_s": self.clock.samples / self.clock.wall if self.clock.wall else None,
        }
        if self.settings.latency and self.model.far is None:  # a call to a lent GPU is mostly waiting
            timing |= measure_latency(self.adapter, self.dataset)
            timing["fusion_gain"] = self.adapter.fusion_gain(batch_size=4, rounds=3)
        return timing

    def _facts(self) -> dict[str, Any]:
        """What is recorded beside the numbers."""
        return {
            "task": self.dataset.task,
            "model": self.adapter.spec.name,
            "dataset": self.dataset.name,
            "class_names": list(self.class_names),
            "class_ids": list(self.class_ids),
            "used_classes": sorted({int(i) for i in self.classes.to_model if i >= 0}),
            "model_facts": model_facts(self.adapter),
            "dataset_facts": dataset_facts(self.dataset),
            "classes_matched_by": self.classes.how,
            "settings": {"batch_size": self.model.batch_size, "limit": self.settings.limit, "seed": self.settings.seed},
            "skipped": [{"id": name, "reason": why} for _, (name, why) in sorted(self.skipped.items())],
            "notes": self.model.notes,
            "environment": describe_environment(self.adapter.device),
        }


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are defined."""
    return {k: v for k, v in metrics.items() if v is not None}
