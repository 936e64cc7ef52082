"""Handlers that start, follow and stop a profile. The work is a job, so that it outlives a reload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.datasets import DEMOS
from dashboard.datasets.base import Dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.jobs import ACTIVE, Job, Work
from dashboard.profiling.kept import write_profile
from dashboard.profiling.profile import profile
from dashboard.settings import size_of
from dashboard.store import Store
from dashboard.tabs.common import owner_of, run_choices, visible
from dashboard.tabs.evaluate_panel import job_data, refuse_paths
from models.load import as_file, check_loadable, find_spec, model_rows

MOST = 4
FIRST = "digits_cnn"
WAYS = ("channels_last", "fused", "bf16", "fp16", "onnxruntime", "openvino", "compiled")
"""Beside the plain fp32, which is always measured: the others are told by it."""
OWN_DATA = "own"
"""In place of a built-in dataset: the one that a built-in model was made for, and none for other models."""
MADE_FOR = {"demo-digits": "digits", "demo-scenes": "scenes", "demo-scenes-semantic": "scenes"}
"""Families of built-in models, and their data."""
FIRST_WAYS = ("channels_last", "fused", "bf16")
LIMIT = 100
MOST_PUBLIC = 1024


def here() -> list[str]:
    """Models whose weights are here; a detector with each of its trackers would be a long list and can be typed."""
    return [r["name"] for r in model_rows() if r["here"] and r["task"] != "tracking"]


class ProfileStart:
    """Handlers of the column on the left."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def start(
        self,
        names: Sequence[str] | None,
        weights: Sequence[str] | None,
        size: str | None,
        ways: Sequence[str] | None,
        demo: str | None,
        path: str | None,
        limit: float | None,
        current: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Check everything that can be checked now, then queue one step a model."""
        job = self.engine.jobs.get(current)
        if job is not None and job.state in ACTIVE:
            raise InputError("A profile is being measured already: wait for it or stop it first.")
        chosen = list(dict.fromkeys([*(names or []), *(weights or [])]))
        if not 1 <= len(chosen) <= MOST:
            raise InputError(f"Choose one to {MOST} models, not {len(chosen)}.")
        typed = (path or "").strip()
        if typed and self.engine.public:
            raise InputError("Paths cannot be typed on a public server: choose a built-in dataset instead.")
        pixels = size_of(size or "")
        unknown = [w for w in ways or [] if w not in WAYS]
        if unknown:
            raise InputError(f"There is no way of running called {unknown[0]!r:.60}: reload the page.")
        if self.engine.public:
            refuse_paths(names or [], {})
            if pixels is not None and max(pixels) > MOST_PUBLIC:
                raise InputError(f"On a public server pictures have at most {MOST_PUBLIC} pixels a side.")
        for name in chosen:
            check_loadable(name)
            if pixels is None and as_file(name) is None and find_spec(name).input_size is None:
                raise InputError(f"{name} takes pictures of any size: write an input size, such as 256x256.")
        source = typed or (f"demo:{demo}" if demo else "")
        kept = dict.fromkeys(("fp32", *(w for w in WAYS if w in (ways or []))))
        works = []
        for name in chosen:
            data = self._data(name, source)
            said = name.rpartition("/")[2] if name in (weights or []) else name
            works.append((said, self._work(name, pixels, tuple(kept), data, int(limit or 0) or None)))
        started = self.engine.jobs.start(works, owner=owner_of(self.engine, request, "-profile"))
        return started.id, *self.status(started.id)

    def _data(self, name: str, source: str) -> Dataset | str | None:
        """The dataset for a model's accuracy, None for none. Raises InputError if it cannot be read.

        What a weight file is for is known when it is loaded: its data are opened then, and named here.
        """
        if as_file(name) is not None:
            return source if source not in ("", f"demo:{OWN_DATA}") else None
        spec = find_spec(name)
        if source == f"demo:{OWN_DATA}":
            own = MADE_FOR.get(spec.family, "")
            source = f"demo:{own}" if own else ""
        if not source:
            return None
        demo = source.removeprefix("demo:")
        if source.startswith("demo:") and demo not in DEMOS.names(task=spec.task):
            raise InputError(f"{name} is a model for {spec.task}, which {demo} is not for: choose other data, or none.")
        return self.engine.dataset(source, None, spec.task)

    def _work(
        self,
        name: str,
        size: tuple[int, int] | None,
        ways: Sequence[str],
        data: Dataset | str | None,
        limit: int | None,
    ) -> Work:
        """One model's profile as a step of a job."""

        def work(say: Any, cancel: Any) -> str:
            found = profile(
                name, self.engine.options, input_size=size, variants=ways, dataset=data, limit=limit,
                store=self.engine.store, say=say, cancel=cancel,
            )  # fmt: skip
            return write_profile(self.engine.store, found).id

        return work

    def stop(self, job_id: str | None) -> None:
        """Ask the job to end; profiles that are finished are kept."""
        job = self.engine.jobs.get(job_id)
        if job is not None:
            job.cancel.set()

    def status(self, job_id: str | None) -> tuple[Any, ...]:
        """Bars, gauges, clock and buttons."""
        job = self.engine.jobs.get(job_id)
        active = job is not None and job.state in ACTIVE
        clock, gauges = gr.Timer(active=active), gauge_data(job, self.engine.store)
        return job_data(job), gauges, clock, gr.Button(interactive=not active), gr.Button(interactive=active)

    def poll(self, shown: Sequence[str] | None, job_id: str | None) -> tuple[Any, ...]:
        """How far it is; each profile is shown as soon as it is there, beside the job's other ones."""
        job = self.engine.jobs.get(job_id)
        ids = job.run_ids if job is not None else []
        runs: Any = gr.skip()
        if ids and not set(ids) <= set(shown or []):
            models = {self.engine.store.get(i).model for i in ids if self.engine.store.has(i)}
            others = [i for i in shown or [] if i not in ids and self._model(i) not in (None, *models)]
            value = [*others, *ids][-MOST:]
            runs = gr.Dropdown(choices=run_choices(visible(self.engine, "profile")), value=value)
        return *self.status(job_id), runs

    def _model(self, run_id: str) -> str | None:
        return self.engine.store.get(run_id).model if self.engine.store.has(run_id) else None


def gauge_data(job: Job | None, store: Store | None = None) -> dict[str, Any]:
    """The newest readings of what is being measured, as the gauges take them; in the end what was found, if kept."""
    if job is None:
        return {"on": False}
    step = next((s for s in job.steps if s.run_id is None and s.progress.stage != "queued"), job.steps[-1])
    live = step.progress.live
    shown = {"on": job.state == "running", "key": f"{job.id} {job.steps.index(step)}", "name": step.name}
    if job.state not in ACTIVE and store is not None and step.run_id is not None and store.has(step.run_id):
        found = store.get(step.run_id).metrics  # medians and the best batch, as the cards tell
        return shown | {"ended": True, "fps": found["throughput_per_s"], "latency_ms": found["latency_ms"]}
    return shown | {"fps": live.get("fps"), "latency_ms": live.get("latency_ms")}
