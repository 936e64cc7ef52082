"""The only loop over a dataset and the only clock: decode in threads, one device queue, parts written as they come."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.environment import describe_environment
from dashboard.errors import Cancelled, InputError
from dashboard.finishing import finish
from dashboard.labels import ClassMap, match_classes
from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.multilabel import MultiLabel
from dashboard.predictions import Part, done_indices, part_facts, write_part
from dashboard.store import Draft, Run, Store, friendly_os_errors, run_id_for
from models.base import ModelAdapter, OutOfMemory

PART_SECONDS = 5.0  # at most this much work is lost in a crash
PART_BYTES = 8 << 20
MAX_SKIPPED = 0.5  # more unreadable pictures than this is an error, not a detail


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    Attributes:
        batch_size: pictures a forward pass; None for 32 on a CPU and 128 on CUDA.
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


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows.

    Attributes:
        stage: "loading", "running", "scoring", "done".
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
    if spec.task != dataset.task:
        raise InputError(f"{spec.name} does {spec.task}, but {dataset.name} is a {dataset.task} dataset: pick another.")
    if settings.limit is not None and settings.limit < 1:
        raise InputError(f"--limit must be at least 1, got {settings.limit}.")
    if settings.batch_size is not None and settings.batch_size < 1:
        raise InputError(f"--batch-size must be at least 1, got {settings.batch_size}.")
    classes = match_classes(dataset.class_names, dataset.class_ids, spec.class_names, spec.class_ids, settings.mapping)
    key = {
        "model": adapter.fingerprint,
        "dataset": dataset.fingerprint,
        "limit": settings.limit if settings.limit is not None and settings.limit < len(dataset) else None,
        "classes": classes.to_model.tolist(),
        "task": spec.task,
    }
    return run_id_for(spec.name, dataset.name, key), classes


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
    run_id, classes = plan(adapter, dataset, settings)
    if store.has(run_id) and not settings.restart:
        run = store.get(run_id)
        say(Progress("done", run.samples, run.samples, live=_numbers(run.metrics), resumed=run.samples))
        return run
    with store.draft(run_id) as draft:
        if settings.restart:
            draft.restart()
        try:
            return _Evaluation(adapter, dataset, classes, draft, settings, say, cancel or threading.Event()).run()
        finally:
            adapter.reset()


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
        self.batch_size = settings.batch_size or (128 if adapter.device.startswith("cuda") else 32)
        self.clock = _Clock()
        self.skipped: dict[int, str] = {}
        self.notes: dict[str, Any] = {}
        names = adapter.spec.class_names
        self.live: Confusion | MultiLabel = MultiLabel(names) if dataset.multilabel else Confusion(names)
        self.live_count = 0

    def run(self) -> Run:
        """Predict what is missing, then score everything."""
        done = self._take_up()
        todo = [i for i in range(self.total) if i not in done]
        self.resumed = self.total - len(todo)
        self._report("running", len(done))
        with friendly_os_errors(self.draft.store.root):
            self._predict(todo, len(done))
            if len(self.skipped) > MAX_SKIPPED * self.total or len(self.skipped) == self.total:
                first = next(iter(self.skipped.values()))
                raise InputError(
                    f"{len(self.skipped)} of {self.total} pictures of {self.dataset.name} cannot be read: {first}"
                )
            self._report("scoring", self.total - len(self.skipped))
            timing = self._timing()
            return finish(self.draft, self._facts(), timing, self.dataset.multilabel)

    def _take_up(self) -> set[int]:
        """Go on where an earlier try stopped: its samples and its clock."""
        parts = self.draft.parts()
        for part in parts:
            facts = part_facts(part)
            self.clock.wall += float(facts.get("wall_s", 0))
            self.clock.model += float(facts.get("model_s", 0))
        done = set(done_indices(parts).tolist())
        self.clock.samples = len(done)
        return done

    def _predict(self, todo: Sequence[int], already: int) -> None:
        """The loop. Parts are flushed at batch borders, so a continued run forms the same batches."""
        pending: list[Part] = []
        started = last_part = last_said = time.perf_counter()
        model_at_part = self.clock.model
        recent: deque[tuple[float, int]] = deque([(started, already)], maxlen=20)
        done = already

        def flush() -> None:
            nonlocal last_part, model_at_part
            if not pending:
                return
            now = time.perf_counter()
            facts = {"wall_s": now - last_part, "model_s": self.clock.model - model_at_part}
            write_part(self.draft.next_part(), _join(pending), facts)
            self.clock.wall += facts["wall_s"]
            last_part, model_at_part = now, self.clock.model
            pending.clear()

        self._warm_up(todo)
        last_part = time.perf_counter()
        try:
            for indices, items in self._decoded(todo):
                part = self._infer(indices, items)
                pending.append(part)
                done += len(part.ids)
                self.clock.samples += len(part.ids)
                now = time.perf_counter()
                recent.append((now, done))
                size = sum(p.scores.nbytes for p in pending)
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

    def _warm_up(self, todo: Sequence[int]) -> None:
        """One forward pass outside the clock: the first costs more (allocation, kernel choice)."""
        for index in todo[:3]:
            with contextlib.suppress(InputError):
                self.adapter.forward([self.adapter.preprocess(self.dataset[index].image)])
                return

    def _decoded(self, todo: Sequence[int]) -> Iterator[tuple[list[int], list[Any]]]:
        """Batches of preprocessed items in order, decoded ahead in threads; unreadable pictures are noted and left out."""
        workers = self.settings.workers or min(8, os.cpu_count() or 1)

        def load(index: int) -> Any:
            return self.adapter.preprocess(self.dataset[index].image)

        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            ahead: deque[tuple[int, Future[Any]]] = deque()
            waiting = iter(todo)
            indices: list[int] = []
            items: list[Any] = []
            try:
                while True:
                    while len(ahead) < 2 * self.batch_size + workers and (index := next(waiting, None)) is not None:
                        ahead.append((index, pool.submit(load, index)))
                    if not ahead:
                        break
                    index, future = ahead.popleft()
                    try:
                        items.append(future.result())
                        indices.append(index)
                    except InputError as error:
                        self.skipped[index] = str(error)
                    if len(items) == self.batch_size:
                        yield indices, items
                        indices, items = [], []
                if items:
                    yield indices, items
            finally:
                for _, future in ahead:
                    future.cancel()

    def _infer(self, indices: list[int], items: list[Any]) -> Part:
        """One batch through the model. Out of memory halves the batch and goes on."""
        predictions: list[Any] = []
        start, size = 0, len(items)
        while start < len(items):
            try:
                begin = time.perf_counter()
                outputs = self.adapter.forward(items[start : start + size])
                self.clock.model += time.perf_counter() - begin
                predictions += self.adapter.postprocess(outputs)
                start += size
            except OutOfMemory as error:
                if size == 1:
                    raise InputError(
                        f"{self.adapter.spec.name} does not fit in the memory of {self.adapter.device} even with one "
                        "picture a batch: choose --device cpu or a smaller model."
                    ) from error
                size = max(1, size // 2)
                self.batch_size = size
                self.notes["batch size after running out of memory"] = size
        scores = np.stack([p.scores for p in predictions])
        part = Part(np.array(indices), [self.dataset[i].id for i in indices], scores, self._targets(indices))
        self.live.update(ClassificationBatch(part.ids, part.scores, part.targets))
        self.live_count += len(indices)
        return part

    def _targets(self, indices: Sequence[int]) -> NDArray[Any]:
        """The truth of some samples in the model's class order."""
        truth = self.dataset.targets
        if not self.dataset.multilabel:
            return self.classes.to_model[np.asarray([truth[i] for i in indices], np.int64)]
        hot = np.zeros((len(indices), len(self.adapter.spec.class_names)), bool)
        for row, index in enumerate(indices):
            hot[row, self.classes.to_model[list(truth[index])]] = True
        return hot

    def _report(self, stage: str, done: int, recent: deque[tuple[float, int]] | None = None) -> None:
        """Say how far it is."""
        rate = 0.0
        if recent and len(recent) > 1 and recent[-1][0] > recent[0][0]:
            rate = (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])
        left = (self.total - len(self.skipped) - done) / rate if rate else None
        live = {}
        if self.live_count and isinstance(self.live, Confusion):
            hits = self.live.ranks
            live = {"top1": float(hits[0] / hits.sum()), "top5": float(hits[:5].sum() / hits.sum())}
        self.say(Progress(stage, done, self.total, rate, left, live, len(self.skipped), self.resumed))

    def _timing(self) -> dict[str, Any]:
        """CONTRACT's timing. Latency is a run of its own: batch 1, warm, synchronised."""
        timing: dict[str, Any] = {
            "wall_s": self.clock.wall,
            "model_s": self.clock.model,
            "pipeline_efficiency": self.clock.model / self.clock.wall if self.clock.wall else None,
            "throughput_per_s": self.clock.samples / self.clock.wall if self.clock.wall else None,
        }
        if self.settings.latency:
            timing |= measure_latency(self.adapter, self.dataset)
        return timing

    def _facts(self) -> dict[str, Any]:
        """What is recorded beside the numbers."""
        spec = self.adapter.spec
        limit = self.settings.limit
        return {
            "task": spec.task,
            "model": spec.name,
            "dataset": self.dataset.name,
            "class_names": list(spec.class_names),
            "class_ids": list(spec.class_ids),
            "used_classes": sorted({int(i) for i in self.classes.to_model}),
            "model_facts": {
                "family": spec.family,
                "source": spec.source,
                "license": spec.license,
                "paper": spec.paper,
                "preprocessing": spec.preprocessing,
                "fingerprint": self.adapter.fingerprint,
                "notes": dict(self.adapter.notes),
            },
            "dataset_facts": {
                "source": self.dataset.source,
                "fingerprint": self.dataset.fingerprint,
                "classes": len(self.dataset.class_names),
                "warnings": list(self.dataset.warnings),
                "format": getattr(self.dataset, "format", None),
                "options": dict(getattr(self.dataset, "options", {})),
            },
            "classes_matched_by": self.classes.how,
            "settings": {"batch_size": self.batch_size, "limit": limit, "seed": self.settings.seed},
            "skipped": [{"id": self.dataset[i].id, "reason": why} for i, why in sorted(self.skipped.items())],
            "notes": self.notes,
            "environment": describe_environment(self.adapter.device),
        }


def measure_latency(adapter: ModelAdapter[Any, Any], dataset: Dataset, budget_s: float = 1.5) -> dict[str, Any]:
    """Batch-1 latency over a few of the dataset's pictures, decoding left out, stages timed apart.

    Returns:
        ``latency_ms``: p50, p90, p99 of preprocess + forward + postprocess; ``stages_ms``: the median of each stage.
    """
    images = []
    for index in range(min(len(dataset), 16)):
        with contextlib.suppress(InputError):
            images.append(dataset[index].image)
        if len(images) == 4:
            break
    if not images:
        return {"latency_ms": {"p50": None, "p90": None, "p99": None}}
    times: list[tuple[float, float, float]] = []
    begin = time.perf_counter()
    while (time.perf_counter() - begin < budget_s or len(times) < 5) and len(times) < 200:
        image = images[len(times) % len(images)]
        t0 = time.perf_counter()
        item = adapter.preprocess(image)
        t1 = time.perf_counter()
        outputs = adapter.forward([item])
        t2 = time.perf_counter()
        adapter.postprocess(outputs)
        times.append((t1 - t0, t2 - t1, time.perf_counter() - t2))
    ms = np.array(times[2:]) * 1e3  # the first two warm up
    total = np.percentile(ms.sum(1), [50, 90, 99])
    stages = np.median(ms, 0)
    return {
        "latency_ms": dict(zip(("p50", "p90", "p99"), map(float, total), strict=True)),
        "stages_ms": dict(zip(("preprocess", "forward", "postprocess"), map(float, stages), strict=True)),
    }


def _join(parts: Sequence[Part]) -> Part:
    """Several parts as one."""
    return Part(
        np.concatenate([p.index for p in parts]),
        [i for p in parts for i in p.ids],
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.targets for p in parts]),
    )


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are defined."""
    return {k: v for k, v in metrics.items() if v is not None}
