"""A new evaluation: pick data and models, watch it run, go on to the results. The work outlives a reload."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import gradio as gr

from dashboard.datasets import DEMOS
from dashboard.datasets.base import Dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.jobs import ACTIVE, Job, Work
from dashboard.labels import read_mapping
from dashboard.scoring import score
from dashboard.settings import settings_for_data, settings_for_models, settings_of_lines
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, owner_of, run_choices, shown, toast
from dashboard.views import ProgressView
from dashboard.views.strings import STRINGS, t
from models.load import check_loadable, find_spec, looks_like_path, model_rows
from models.trackers import TRACKERS

LIVE = {
    **{name: name for name in ("top1", "top5", "f1", "precision", "recall", "pixel_accuracy")},
    "miou": "sem_miou",  # only semantic segmentation has it while it runs
    "psnr": "psnr",
    "boxes": "trk_counts",
}
"""Numbers shown while a model runs, and under which entry they are explained."""
USUAL_TRACKER = "bytetrack"
"""Of a detector that was dropped as a file."""
IDLE = {"state": "idle", "steps": []}
PUBLIC_SETTINGS = (
    *("activation", "mean", "std", "normalisation", "input_size", "interpolation", "crop_pct", "arch", "multilabel"),
    *("degrade", "seed", "grey", "sigma", "tile", "overlap"),
    *("conf", "iou", "max_det", "agnostic_iou", "benchmark", "fps", "stride", "start", "seconds", "split"),
    *sorted({setting.name for _, tracker in TRACKERS.items() for setting in tracker.settings}),
)
DROPPED: Mapping[str, Sequence[str]] = {"tracking": ["video", ".gif", ".ts", ".txt", ".zip"]}
"""Files of data that a tab takes, where these are not ``USUAL_FILES``."""
MOST_PUBLIC_BATCH = 64
"""Pictures a forward pass that a stranger may ask for: a server's memory is everybody's."""
USUAL_FILES = (".zip", ".csv", ".tsv", ".json")


def refuse_paths(names: Sequence[str], settings: Mapping[str, str]) -> None:
    """On a public server nothing that a visitor typed is taken for a path, there or not. Raises InputError."""
    for name in names:
        first, plus, _ = name.partition("+")  # of a detector and a tracker
        path = bool(plus) and looks_like_path(first)
        if plus and not path:
            find_spec(first)  # before anybody looks whether there is a file of that name
        if path or find_spec(name).weights.origin == "file":
            raise InputError("Paths cannot be typed on a public server: drop the weight file instead.")
    for key in settings:
        if key not in PUBLIC_SETTINGS:
            raise InputError(f"{key} cannot be set on a public server; these can: {', '.join(PUBLIC_SETTINGS)}.")


class Evaluate:
    """Handlers of the evaluation panel."""

    def __init__(self, engine: Engine, tasks: Sequence[str]) -> None:
        self.engine, self.tasks = engine, tasks

    def start(
        self,
        task: str,
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
        degrade: str | None,
        elsewhere: str | None,
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
        if task == "tracking":
            weights = [f"{name}+{USUAL_TRACKER}" for name in weights or []]
        chosen = list(dict.fromkeys([*(names or []), *(weights or [])]))
        if not source:
            raise InputError("Choose a built-in dataset, type a path, or drop a zip.")
        if task not in self.tasks:
            raise InputError("Choose what to evaluate.")
        if not (1 <= len(chosen) <= 4 or (elsewhere and not chosen)):
            raise InputError(f"Choose one to four models, not {len(chosen)}.")
        settings = settings_of_lines(more)
        if (degrade or "").strip():
            settings["degrade"] = str(degrade).strip()
        if self.engine.public:
            refuse_paths(names or [], settings)
        for name in chosen:
            check_loadable(name, task, settings_for_models(settings))
        only_labels = bool(elsewhere and not chosen)
        if file and task == "tracking":
            source = str(self.engine.keep(file))
        dataset = self.engine.dataset(source, None, task, settings_for_data(settings), labels_only=only_labels)
        options = replace(self.engine.options, precision=cast(Any, precision), settings=settings_for_models(settings))
        if self.engine.public:
            batch = min(batch, MOST_PUBLIC_BATCH)
        how = Settings(
            batch_size=int(batch) or None, limit=int(limit) or None, mapping=read_mapping(mapping) if mapping else None
        )
        works: list[tuple[str, Work]] = []
        for name in chosen:

            def work(say: Any, cancel: Any, name: str = name) -> str:
                return evaluate(self.engine.model(name, options, task), dataset, self.engine.store, how, say, cancel).id

            works.append((f"{name.rpartition('/')[2] if name in (weights or []) else name} · {dataset.name}", work))
        if elsewhere:
            works.append(self._scoring(Path(elsewhere), dataset, settings, how.limit))
        started = self.engine.jobs.start(works, owner=owner_of(self.engine, request))
        return started.id, *self.poll(started.id)

    def _scoring(
        self, path: Path, dataset: Dataset, settings: Mapping[str, str], limit: int | None
    ) -> tuple[str, Work]:
        """Predictions made elsewhere as a step like a model's."""

        def work(say: Any, cancel: Any) -> str:
            del cancel
            say(Progress("scoring", 0, len(dataset)))
            return score(dataset, path, self.engine.store, limit=limit, settings=settings_for_models(settings)).id

        return f"{path.name} · {dataset.name}", work

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
            job_data(job),
            gr.Timer(active=active),
            gr.Button(interactive=not active),
            gr.Button(interactive=active),
            gr.Button(visible=bool(job is not None and not active and job.run_ids)),
        )

    def models(self, task: str) -> Any:
        """The models that can do a task and are here."""
        return gr.Dropdown(choices=[r["name"] for r in model_rows(task=task) if r["here"]], value=[])

    def results(self, job_id: str | None) -> tuple[Any, Any]:
        """Open the job's runs."""
        job = self.engine.jobs.get(job_id)
        runs = run_choices([r for r in self.engine.store.runs() if r.task in self.tasks])
        return gr.Dropdown(choices=runs, value=job.run_ids if job else []), gr.Tabs(selected="results")


def refused_in_place(start: Callable[..., Any], engine: Engine, current: int) -> Callable[..., Any]:
    """``Evaluate.start`` whose refusal stays on the page, where an earlier job's end stood, besides a toast.

    Args:
        start: the handler.
        engine: has the jobs.
        current: the place of the current job's id among the inputs.
    """

    @functools.wraps(start)
    def guarded(*inputs: Any) -> Any:
        try:
            return start(*inputs)
        except InputError as error:
            job = engine.jobs.get(inputs[current])
            if job is not None and job.state in ACTIVE:
                raise
            gr.Warning(html.escape(shown(error)), duration=12)
            said = {"state": "failed", "error": shown(error), "steps": []}
            return None, said, gr.Timer(active=False), gr.Button(), gr.Button(), gr.Button(visible=False)

    return guarded


def job_data(job: Job | None) -> dict[str, Any]:
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
            "live": {LIVE[k]: v for k, v in s.progress.live.items() if k in LIVE},
        }
        for s in job.steps
    ]
    return {"state": job.state, "error": shown(job.error), "steps": steps}


def evaluate_panel(
    engine: Engine,
    app: App,
    tab: str,
    inner: gr.Tabs,
    runs: gr.Dropdown,
    tasks: Sequence[str] = (),
    prefix: str = "ev",
) -> None:
    """Build the panel.

    Args:
        engine: does the work.
        app: what tabs share.
        tab: the tab it stands in.
        inner: the tabs inside that tab.
        runs: that tab's dropdown of shown runs.
        tasks: what can be evaluated here; the tab's own task if there is no choice.
        prefix: of the elements' ids.
    """
    tasks = tuple(tasks) or (tab,)
    do = Evaluate(engine, tasks)
    job, timer = app.jobs[tab]

    def said(key: str) -> Any:
        """A text of this tab, where it has one of its own."""
        return t(f"{key}.{tab}" if f"{key}.{tab}" in STRINGS else key)

    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=1, min_width=320):
            gr.Markdown(t("ui.data"), elem_classes="lp-step")
            with gr.Group():
                task = gr.Radio(
                    [(t(f"ui.task.{k}"), k) for k in tasks], value=tasks[0], show_label=False, container=False,
                    visible=len(tasks) > 1, elem_id=f"{prefix}-task", interactive=True,
                )  # fmt: skip
                demo = gr.Dropdown(
                    DEMOS.names(task=tasks[0]), value=None, label=t("ui.data.demo"), elem_id=f"{prefix}-demo"
                )
                path = gr.Textbox(
                    label=said("ui.data.path"), elem_id=f"{prefix}-path", visible=not engine.public, max_lines=1
                )
                file = gr.File(
                    label=said("ui.data.file"),
                    file_types=list(DROPPED.get(tab, USUAL_FILES)),
                    elem_id=f"{prefix}-file",
                    elem_classes="lp-drop",
                    height=84,
                )
                degrade = gr.Dropdown(
                    ["bicubic:2", "bicubic:3", "bicubic:4", "noise:15", "noise:25", "noise:50", "jpeg:10", "blur:1.6"],
                    value=None, allow_custom_value=True, label=t("ui.degrade"), info=t("ui.degrade.hint"),
                    visible=tab == "enhancement", elem_id=f"{prefix}-degrade",
                )  # fmt: skip
            gr.Markdown(t("ui.models"), elem_classes="lp-step")
            with gr.Group():
                here = [r["name"] for r in model_rows(task=tasks[0]) if r["here"]]
                names = gr.Dropdown(
                    here, value=[], multiselect=True, max_choices=4, allow_custom_value=True,
                    label=t("ui.models.pick"), info=said("ui.models.hint"), elem_id=f"{prefix}-models",
                )  # fmt: skip
                weights = gr.File(
                    label=said("ui.models.file"),
                    file_count="multiple",
                    elem_id=f"{prefix}-weights",
                    elem_classes="lp-drop",
                    height=84,
                )
            gr.Markdown(t("ui.elsewhere"), elem_classes="lp-step")
            elsewhere = gr.File(
                label=t(f"ui.elsewhere.{tab}"), file_types=[".json", ".zip", ".csv", ".parquet", ".npz", ".txt"],
                elem_id=f"{prefix}-elsewhere", elem_classes="lp-drop", height=84,
            )  # fmt: skip
        with gr.Column(scale=1, min_width=320):
            with gr.Row():
                run = gr.Button(t("ui.run"), variant="primary", elem_id=f"{prefix}-run")
                stop = gr.Button(t("ui.stop"), variant="stop", interactive=False, elem_id=f"{prefix}-stop")
            bar = ProgressView(IDLE, elem_id=f"{prefix}-progress")
            show = gr.Button(t("ui.show"), visible=False, variant="primary", elem_id=f"{prefix}-show")
            with gr.Accordion(t("ui.advanced"), open=False, elem_id=f"{prefix}-advanced"):
                with gr.Row():
                    limit = gr.Number(0, minimum=0, precision=0, label=t("ui.limit"), elem_id=f"{prefix}-limit")
                    batch = gr.Number(0, minimum=0, precision=0, label=t("ui.batch"), elem_id=f"{prefix}-batch")
                    precision = gr.Dropdown(
                        ["fp32", "bf16", "fp16"], value="fp32", label=t("ui.precision"), elem_id=f"{prefix}-precision"
                    )
                mapping = gr.File(
                    label=t("ui.data.mapping"),
                    file_types=[".csv", ".json"],
                    elem_id=f"{prefix}-mapping",
                    elem_classes="lp-drop",
                    height=90,
                )
                more = gr.Textbox(label=t("ui.settings"), lines=2, elem_id=f"{prefix}-settings")
            gr.Markdown(
                said("ui.help.data"),
                elem_id=f"{prefix}-help",
                elem_classes="lp-help",
            )

    status = [bar, timer, run, stop, show]
    inputs = [task, demo, path, file, mapping, names, weights, limit, batch, precision, more, degrade, elsewhere, job]
    run.click(toast(refused_in_place(do.start, engine, len(inputs) - 1)), inputs, [job, *status], **EVENT)
    stop.click(do.stop, job, None, queue=False, **EVENT)
    timer.tick(do.poll, job, status, queue=False, **EVENT)
    show.click(do.results, job, [runs, inner], **EVENT)
    if len(tasks) > 1:
        task.input(do.models, task, names, **LATEST)
    app.on_load.append((do.poll, [job], status))
