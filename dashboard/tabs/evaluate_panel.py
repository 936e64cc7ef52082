"""A new evaluation: pick data and models, watch it run, go on to the results. The work outlives a reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import gradio as gr

from dashboard.cli import settings_for_data, settings_for_models, settings_of
from dashboard.datasets import DEMOS
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.jobs import ACTIVE, Job, Work
from dashboard.labels import read_mapping
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, run_choices, shown, toast
from dashboard.views import ProgressView
from dashboard.views.strings import t
from models.load import check_loadable, find_spec, model_rows

IDLE = {"state": "idle", "steps": []}
PUBLIC_SETTINGS = (
    *("activation", "mean", "std", "normalisation", "input_size", "interpolation", "crop_pct", "arch", "multilabel"),
)


def refuse_paths(names: Sequence[str], settings: Mapping[str, str]) -> None:
    """On a public server nothing that a visitor typed is taken for a path, there or not. Raises InputError."""
    for name in names:
        find_spec(name)
    for key in settings:
        if key not in PUBLIC_SETTINGS:
            raise InputError(f"{key} cannot be set on a public server; these can: {', '.join(PUBLIC_SETTINGS)}.")


class Evaluate:
    """Handlers of the evaluation panel."""

    def __init__(self, engine: Engine, task: str) -> None:
        self.engine, self.task = engine, task

    def start(
        self,
        demo: str | None,
        path: str,
        file: str | None,
        mapping: str | None,
        names: Sequence[str] | None,
        weights: Sequence[str] | None,
        limit: float,
        batch: float,
        precision: str,
        more: str,
        current: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Check everything that can be checked now, then queue one step a model."""
        job = self.engine.jobs.get(current)
        if job is not None and job.state in ACTIVE:
            raise InputError("An evaluation is running already: wait for it or stop it first.")
        typed = (path or "").strip()
        if typed and self.engine.public:
            raise InputError("Paths cannot be typed on a public server: drop a zip instead.")
        if sum(map(bool, (demo, typed, file))) > 1:
            raise InputError("Data was given twice: keep one of built-in dataset, path and dropped file.")
        source = file or typed or (f"demo:{demo}" if demo else "")
        chosen = list(dict.fromkeys([*(names or []), *(weights or [])]))
        if not source:
            raise InputError("Choose a built-in dataset, type a path, or drop a zip.")
        if not 1 <= len(chosen) <= 4:
            raise InputError(f"Choose one to four models, not {len(chosen)}.")
        settings = settings_of([line.strip() for line in (more or "").splitlines() if line.strip()])
        if self.engine.public:
            refuse_paths(names or [], settings)
        for name in chosen:
            check_loadable(name, task=self.task)
        dataset = self.engine.dataset(source, None, self.task, settings_for_data(settings))
        options = replace(self.engine.options, precision=cast(Any, precision), settings=settings_for_models(settings))
        how = Settings(
            batch_size=int(batch) or None, limit=int(limit) or None, mapping=read_mapping(mapping) if mapping else None
        )
        works: list[tuple[str, Work]] = []
        for name in chosen:

            def work(say: Any, cancel: Any, name: str = name) -> str:
                return evaluate(self.engine.model(name, options), dataset, self.engine.store, how, say, cancel).id

            works.append((f"{name.rpartition('/')[2] if name in (weights or []) else name} · {dataset.name}", work))
        started = self.engine.jobs.start(works, owner=request.session_hash or "")
        return started.id, *self.poll(started.id)

    def stop(self, job_id: str | None) -> None:
        """Ask the job to end; what was finished is kept."""
        job = self.engine.jobs.get(job_id)
        if job is not None:
            job.cancel.set()

    def poll(self, job_id: str | None) -> tuple[Any, ...]:
        """How far it is, whether to go on asking, and which buttons make sense."""
        job = self.engine.jobs.get(job_id)
        active = job is not None and job.state in ACTIVE
        return (
            _view(job),
            gr.Timer(active=active),
            gr.Button(interactive=not active),
            gr.Button(interactive=active),
            gr.Button(visible=bool(job is not None and not active and job.run_ids)),
        )

    def results(self, job_id: str | None) -> tuple[Any, Any]:
        """Open the job's runs."""
        job = self.engine.jobs.get(job_id)
        runs = run_choices(self.engine.store.runs(self.task))
        return gr.Dropdown(choices=runs, value=job.run_ids if job else []), gr.Tabs(selected="results")


def _view(job: Job | None) -> dict[str, Any]:
    """A job as the progress view takes it."""
    if job is None:
        return IDLE
    steps = [
        {
            "name": s.name,
            "stage": s.progress.stage,
            "done": s.progress.done,
            "total": s.progress.total,
            "rate": s.progress.rate,
            "left": s.progress.seconds_left,
            "skipped": s.progress.skipped,
            "resumed": s.progress.resumed,
            "live": {k: v for k, v in s.progress.live.items() if k in ("top1", "top5", "map")},
        }
        for s in job.steps
    ]
    return {"state": job.state, "error": shown(job.error), "steps": steps}


def evaluate_panel(engine: Engine, app: App, task: str, inner: gr.Tabs, runs: gr.Dropdown) -> None:
    """Build the panel."""
    do = Evaluate(engine, task)
    job, timer = app.jobs[task]
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=1, min_width=320):
            gr.Markdown(t("ui.data"), elem_classes="lp-step")
            with gr.Group():
                demo = gr.Dropdown(DEMOS.names(task=task), value=None, label=t("ui.data.demo"), elem_id="ev-demo")
                path = gr.Textbox(label=t("ui.data.path"), elem_id="ev-path", visible=not engine.public, max_lines=1)
                file = gr.File(
                    label=t("ui.data.file"), file_types=[".zip", ".csv", ".tsv"], elem_id="ev-file", height=84
                )
            gr.Markdown(t("ui.models"), elem_classes="lp-step")
            with gr.Group():
                here = [r["name"] for r in model_rows(task=task) if r["here"]]
                names = gr.Dropdown(
                    here, value=[], multiselect=True, max_choices=4, allow_custom_value=True,
                    label=t("ui.models.pick"), info=t("ui.models.hint"), elem_id="ev-models",
                )  # fmt: skip
                weights = gr.File(label=t("ui.models.file"), file_count="multiple", elem_id="ev-weights", height=84)
        with gr.Column(scale=1, min_width=320):
            with gr.Row():
                run = gr.Button(t("ui.run"), variant="primary", elem_id="ev-run")
                stop = gr.Button(t("ui.stop"), variant="stop", interactive=False, elem_id="ev-stop")
            bar = ProgressView(IDLE, elem_id="ev-progress")
            show = gr.Button(t("ui.show"), visible=False, variant="primary", elem_id="ev-show")
            with gr.Accordion(t("ui.advanced"), open=False, elem_id="ev-advanced"):
                with gr.Row():
                    limit = gr.Number(0, minimum=0, precision=0, label=t("ui.limit"), elem_id="ev-limit")
                    batch = gr.Number(0, minimum=0, precision=0, label=t("ui.batch"), elem_id="ev-batch")
                    precision = gr.Dropdown(
                        ["fp32", "bf16", "fp16"], value="fp32", label=t("ui.precision"), elem_id="ev-precision"
                    )
                mapping = gr.File(
                    label=t("ui.data.mapping"), file_types=[".csv", ".json"], elem_id="ev-mapping", height=90
                )
                more = gr.Textbox(label=t("ui.settings"), lines=2, elem_id="ev-settings")
            gr.Markdown(t("ui.help.data"), elem_id="ev-help", elem_classes="lp-help")

    status = [bar, timer, run, stop, show]
    inputs = [demo, path, file, mapping, names, weights, limit, batch, precision, more, job]
    run.click(toast(do.start), inputs, [job, *status], **EVENT)
    stop.click(do.stop, job, None, queue=False, **EVENT)
    timer.tick(do.poll, job, status, queue=False, **EVENT)
    show.click(do.results, job, [runs, inner], **EVENT)
    app.on_load.append((do.poll, [job], status))
