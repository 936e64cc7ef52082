"""A film without a truth: what a classifier or a detector answers to every frame, stored once, and at what speed.

::

    STORE/watched/<id>/watched.json    facts, skipped frames, timing
                       frames.parquet  one row a frame: labels (the best few, with scores), or boxes
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.datasets.base import Dataset
from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.disk import friendly_os_errors, write_json
from dashboard.environment import describe_environment
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import MAX_SKIPPED, PART_BYTES, PART_SECONDS, OnProgress, Progress
from dashboard.finishing import dataset_facts
from dashboard.inference import Inference
from dashboard.labels import ClassMap
from dashboard.pipeline import decoded, default_workers, measure_latency
from dashboard.predictions import Part, compact, done_indices, part_facts, write_part
from dashboard.store import Draft, Store, run_id_for
from dashboard.watching_parts import BOXES, LABELS, Answers, Clocked
from dashboard.watching_stored import FOLDER, SCHEMA, Watched, get, has
from models.base import ModelAdapter

KINDS = {"classification": LABELS, "detection": BOXES, "instance-segmentation": BOXES}
CLOCKS = ("wall_s", "read_s", "preprocess_s", "model_s")
COLD = ("cold_ms", "load_s")


def watch(
    adapter: ModelAdapter[Any, Any],
    dataset: Dataset,
    store: Store,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    load_s: float | None = None,
    limit: int | None = None,
) -> Watched:
    """Run a classifier, or a detector without a tracker, over every frame of a film, and keep the answers.

    Frames are read ahead and never kept, so memory does not grow with the film. What was watched already by the same
    model on the same data is returned as it is, and a try that was stopped is continued.

    Args:
        adapter: the loaded model.
        dataset: frames of one or several sequences (``dashboard.datasets.sequences``); a truth is not looked at.
        store: where answers go.
        progress: called from this thread, a few times a second.
        cancel: set it from another thread to stop.
        load_s: how long loading the model took, if that was just now. Only then is its first frame a cold start.
        limit: only the first N frames.

    Returns:
        The answers and facts.

    Raises:
        InputError: a model that can do neither, data without frames or sequences, another process is at the same
            work, a full disk, too many frames that cannot be read.
        Cancelled: ``cancel`` was set; what was finished is kept and continued next time.
    """
    if adapter.spec.task not in KINDS:
        raise InputError(
            f"{adapter.spec.name} does {adapter.spec.task}: a film is watched with a classifier or a detector."
        )
    try:
        sequences = sequences_of(dataset)
    except TypeError as error:
        raise InputError(f"{dataset.name} is not a film: give a video, or a folder of its frames.") from error
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}.")
    total = min(len(dataset), limit or len(dataset))
    if not total:
        raise InputError(f"{dataset.name} has no frames: give a video, or a folder of its frames.")
    key = {
        "model": adapter.fingerprint,
        "names": adapter.spec.class_names,
        "dataset": dataset.fingerprint,
        "limit": total if total < len(dataset) else None,
        "schema": SCHEMA,
    }
    watched_id = run_id_for(adapter.spec.name, dataset.name, key)
    say = progress or (lambda _: None)
    if has(store, watched_id):
        say(Progress("done", total, total, resumed=total))
        return get(store, watched_id)
    with store.draft(watched_id) as draft:
        if has(store, watched_id):  # another process finished it just now
            return get(store, watched_id)
        draft.clean()
        try:
            return _Watching(adapter, dataset, sequences, draft, total, say, cancel or threading.Event(), load_s).run()
        finally:
            adapter.reset()


class _Watching:
    """A film being watched."""

    def __init__(
        self,
        adapter: ModelAdapter[Any, Any],
        dataset: Dataset,
        sequences: Sequence[SequenceInfo],
        draft: Draft,
        total: int,
        say: OnProgress,
        cancel: threading.Event,
        load_s: float | None,
    ) -> None:
        self.adapter, self.dataset, self.sequences, self.draft = adapter, dataset, sequences, draft
        self.total, self.say, self.cancel = total, say, cancel
        self.task = Answers(KINDS[adapter.spec.task], sequences)
        self.model = Inference(adapter, dataset, ClassMap(np.empty(0, np.int64), ""), None, self.task)
        self.clocked: Any = Clocked(adapter, dataset)
        self.skipped: dict[int, tuple[str, str]] = {}
        self.clock = dict.fromkeys(CLOCKS, 0.0)
        self.cold: dict[str, float | None] = {"cold_ms": None, "load_s": load_s}

    def run(self) -> Watched:
        """Answer what is missing, then put it in its place."""
        if self.cancel.is_set():
            raise Cancelled("Stopped before it began.")
        with friendly_os_errors(self.draft.store.root):
            done, earlier = self._take_up()
            todo = [i for i in range(self.total) if i not in done]
            self._start(todo)
            if earlier is not None:
                self.cold = earlier
            self._answer(todo, len(done))
            if len(self.skipped) > MAX_SKIPPED * self.total or len(self.skipped) == self.total:
                _, why = next(iter(self.skipped.values()))
                raise InputError(f"{len(self.skipped)} of {self.total} frames cannot be read: {why}")
            self.say(Progress("scoring", self.total, self.total, skipped=len(self.skipped), resumed=len(done)))
            return self._finish()

    def _take_up(self) -> tuple[set[int], dict[str, float | None] | None]:
        """Frames of an earlier try, whose clock goes on, and its cold start."""
        done: set[int] = set()
        cold: dict[str, float | None] | None = None
        for part in self.draft.parts():
            try:
                facts, indices = part_facts(part), done_indices([part])
            except (OSError, ValueError):  # cut short when the machine went down
                self.draft.drop_parts_from(part)
                break
            done.update(indices.tolist())
            for name in CLOCKS:
                self.clock[name] += float(facts.get(name, 0))
            if cold is None:
                cold = {name: float(facts[name]) if facts.get(name) not in (None, "None") else None for name in COLD}
        return done, cold

    def _start(self, todo: Sequence[int]) -> None:
        """The first frame alone: a cold start, where the model was just loaded; and whether the answers fit."""
        for index in todo[:3]:
            try:
                image = self.dataset[index].image
            except InputError:
                continue
            begin = time.perf_counter()
            answers = self.adapter.postprocess(self.adapter.forward([self.adapter.preprocess(image)]))
            took = 1e3 * (time.perf_counter() - begin)
            self.task.check(self.adapter.spec, self.dataset, answers)
            self.cold["cold_ms"] = took if self.cold["load_s"] is not None else None
            return

    def _answer(self, todo: Sequence[int], done: int) -> None:
        """The loop. Parts are written every few seconds, so little is lost."""
        pending: list[Part] = []
        resumed, model_s = done, 0.0
        started = said = last = time.perf_counter()
        at_part = dict.fromkeys(CLOCKS, 0.0)

        def flush() -> None:
            nonlocal last
            if not pending:
                return
            now = time.perf_counter()
            totals = {**self.clocked.seconds, "model_s": model_s}
            facts: dict[str, Any] = {k: totals[k] - at_part[k] for k in totals} | {"wall_s": now - last}
            write_part(self.draft.next_part(), pending[0].join(pending), facts | self.cold)
            for name in CLOCKS:
                self.clock[name] += facts[name]
            at_part.update(totals)
            last = now
            pending.clear()

        try:
            how = (lambda: self.model.batch_size), default_workers(), self._skip
            for batch in decoded(self.clocked, self.clocked, todo, *how):
                begin = time.perf_counter()
                pending.append(self.model.run(batch))
                now = time.perf_counter()
                model_s += now - begin
                done += len(batch)
                if now - last > PART_SECONDS or sum(p.nbytes for p in pending) > PART_BYTES:
                    flush()
                if now - said > 0.2 or done == self.total:
                    said, rate = now, (done - resumed) / (now - started)
                    left = (self.total - len(self.skipped) - done) / rate
                    self.say(Progress("running", done, self.total, rate, left, {}, len(self.skipped), resumed))
                if self.cancel.is_set():
                    raise Cancelled(f"Stopped after {done} of {self.total} frames; start again to continue.")
        finally:
            flush()

    def _skip(self, index: int, identity: str, reason: str) -> None:
        self.skipped[index] = (identity, reason)

    def _finish(self) -> Watched:
        """Facts and answers, as one folder that is there whole or not at all."""
        parts = self.draft.parts()
        compact(parts, self.draft.path / "frames.parquet")
        write_json(self.draft.path / "watched.json", self._facts())
        target = self.draft.store.root / FOLDER / self.draft.run_id
        target.parent.mkdir(parents=True, exist_ok=True)
        self.draft.path.rename(target)
        for litter in target.glob("part-*"):
            with contextlib.suppress(OSError):
                litter.unlink()
        self.say(Progress("done", self.total, self.total, skipped=len(self.skipped)))
        return get(self.draft.store, self.draft.run_id)

    def _facts(self) -> dict[str, Any]:
        """What is recorded beside the answers."""
        spec, frames = self.adapter.spec, self.total - len(self.skipped)
        wall = self.clock["wall_s"]
        covered = [s for s in self.sequences if s.start < self.total]
        each = {name: 1e3 * self.clock[f"{name}_s"] / frames for name in ("read", "preprocess", "model")}
        warm = measure_latency(self.adapter, self.dataset)
        return {
            "schema": SCHEMA,
            "kind": self.task.kind,
            "model": spec.name,
            "dataset": self.dataset.name,
            "class_names": list(spec.class_names),
            "frames": frames,
            "sequences": [{"name": s.name, "start": s.start, "stop": min(s.stop, self.total)} for s in covered],
            "skipped": [{"id": name, "reason": why} for _, (name, why) in sorted(self.skipped.items())],
            "notes": self.model.notes,
            "timing": {**self.cold, **warm, "throughput_per_s": frames / wall if wall else None, "wall_s": wall}
            | {"frame_ms": each},
            "dataset_facts": dataset_facts(self.dataset),
            "model_facts": {"fingerprint": self.adapter.fingerprint, "notes": dict(self.adapter.notes)},
            "environment": describe_environment(self.adapter.device),
        }
