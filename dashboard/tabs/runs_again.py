"""A run once more with a change: another model, precision, number of samples, degradation or setting; same data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.history import WATCHED
from dashboard.jobs import ACTIVE, Work
from dashboard.naming import label_of
from dashboard.settings import DATA_SETTINGS, settings_for_data, settings_for_models, settings_of_lines
from dashboard.store import Run
from dashboard.tabs import TAB_OF, TABS, App
from dashboard.tabs.common import EVENT, owner_of, toast
from dashboard.tabs.evaluate_panel import MOST_PUBLIC_BATCH, job_data, refuse_paths
from dashboard.tasks import TASKS
from dashboard.views import ProgressView
from dashboard.views.history import HistoryView
from dashboard.views.strings import t
from dashboard.visitors import VisitorStore, built_in
from models.load import check_loadable, model_rows

DEGRADATIONS = ("bicubic:2", "bicubic:3", "bicubic:4", "noise:15", "noise:25", "noise:50", "jpeg:10", "blur:1.6")
SKIP = (gr.skip(), gr.skip())


class Again:
    """Handlers of the panel. ``tabs``: those whose "New evaluation" shows the job, too, also after a reload."""

    def __init__(self, engine: Engine, table: Callable[[Sequence[str]], Any], tabs: Sequence[str] = ()) -> None:
        self.engine, self.table, self.tabs = engine, table, tabs

    def run(self, ids: Sequence[str] | None) -> Run | None:
        """The one that is chosen, if it was an evaluation."""
        if len(ids or []) != 1 or ids[0].startswith(WATCHED) or not self.engine.store.has(ids[0]):  # type: ignore[index]
            return None
        run, store = self.engine.store.get(ids[0]), self.engine.store  # type: ignore[index]
        if isinstance(store, VisitorStore) and not (store.is_own(run.id) or built_in(run)):
            return None  # who has a link to somebody's run may look at it, not work on his data
        return run if run.task in TASKS.names() and run.facts.get("dataset_facts", {}).get("source") else None

    def prefilled(self, ids: Sequence[str] | None) -> tuple[Any, ...]:
        """The form as the chosen run was made."""
        run = self.run(ids)
        if run is None:
            return gr.Markdown(t("ui.hist.again.none")), gr.Column(visible=False), *(gr.skip() for _ in range(6))
        settings = run.facts.get("settings", {})
        data = dict(run.facts["dataset_facts"].get("options") or {})
        degrade = data.pop("degrade", None)
        changed = run.facts.get("tracker", {}).get("changed", {})
        lines = [f"{k}={v}" for k, v in {**data, **changed}.items() if k in DATA_SETTINGS or k in changed]
        precision = str(run.facts.get("model_facts", {}).get("notes", {}).get("precision", "fp32"))
        here = [row["name"] for row in model_rows(task=run.task) if row["here"]]
        model = run.model if "family" in run.facts.get("model_facts", {}) else None
        return (
            gr.Markdown(f"**{_plain(label_of(run))}** · {_plain(run.dataset)}"),
            gr.Column(visible=True),
            gr.Dropdown(choices=list(dict.fromkeys([*([model] if model else []), *here])), value=model),
            gr.Dropdown(value=precision if precision in ("fp32", "bf16", "fp16") else "fp32"),
            gr.Number(value=int(settings.get("limit") or 0)),
            gr.Number(value=int(settings.get("batch_size") or 0)),
            gr.Dropdown(value=degrade, visible=run.task == "enhancement"),
            gr.Textbox(value="\n".join(lines)),
        )

    def start(
        self,
        ids: Sequence[str] | None,
        model: str | None,
        precision: str,
        limit: float | None,
        batch: float | None,
        degrade: str | None,
        more: str,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Check what can be checked now, then queue it."""
        run = self.run(ids)
        if run is None:
            raise InputError("Choose one run in the list that a model was run for.")
        name = (model or "").strip()
        if not name:
            raise InputError("Choose a model.")
        settings = settings_of_lines(more)
        if (degrade or "").strip() and run.task == "enhancement":
            settings["degrade"] = str(degrade).strip()
        if self.engine.public:
            refuse_paths([name], settings)
            batch = min(batch or 0, MOST_PUBLIC_BATCH)
        work = self.work(run, name, precision, int(limit or 0) or None, int(batch or 0) or None, settings)
        job = self.engine.jobs.start([work], owner=owner_of(self.engine, request))
        tab = TAB_OF.get(run.task, run.task)
        shared = [part for name in self.tabs for part in ((job.id, gr.Timer(active=True)) if name == tab else SKIP)]
        return job.id, *self.poll(job.id), *shared

    def work(
        self,
        run: Run,
        model: str,
        precision: str,
        limit: int | None,
        batch_size: int | None,
        settings: Mapping[str, str],
    ) -> tuple[str, Work]:
        """One evaluation on a run's data, as a step of a job.

        Raises:
            InputError: the data is gone, or model, data and settings do not go together.
        """
        known = run.facts["dataset_facts"]
        check_loadable(model, run.task, settings_for_models(settings))
        old = {k: v for k, v in (known.get("options") or {}).items() if k not in DATA_SETTINGS}
        options = {**old, **settings_for_data(settings)}
        dataset = self.engine.dataset(str(known["source"]), known.get("format"), run.task, options)
        load = replace(self.engine.options, precision=cast(Any, precision), settings=settings_for_models(settings))
        how = Settings(batch_size=batch_size, limit=limit, seed=int(run.facts.get("settings", {}).get("seed") or 0))
        how.check()

        def work(say: Any, cancel: Any) -> str:
            what = (self.engine.model(model, load, run.task), dataset, self.engine.store)
            made = evaluate(*what, how, say, cancel)
            if not made.predictions_path.is_file():  # it was there already, and its predictions were taken away
                made = evaluate(*what, replace(how, restart=True), say, cancel)
            return made.id

        return f"{model} · {dataset.name}", work

    def poll(self, job_id: str | None) -> tuple[Any, ...]:
        """How far it is."""
        job = self.engine.jobs.get(job_id)
        active = job is not None and job.state in ACTIVE
        return job_data(job), gr.Timer(active=active), gr.Button(interactive=not active), gr.Button(interactive=active)

    def ended(self, job_id: str | None) -> tuple[Any, Any]:
        """When it is done, the new run stands in the list and is chosen."""
        job = self.engine.jobs.get(job_id)
        if job is None or job.state in ACTIVE or not job.run_ids:
            return gr.skip(), gr.skip()
        return self.table(job.run_ids), job.run_ids

    def stop(self, job_id: str | None) -> None:
        """Ask it to end; what was finished is kept."""
        job = self.engine.jobs.get(job_id)
        if job is not None:
            job.cancel.set()


def _plain(text: str) -> str:
    """A name inside Markdown: nothing in it means anything."""
    return "".join(f"&#{ord(c)};" if not c.isalnum() and c != " " else c for c in text)


def again_panel(
    engine: Engine, app: App, chosen: gr.State, table: HistoryView, rows: Callable[[Sequence[str]], Any]
) -> None:
    """Build the panel beside the list."""
    tabs = [name for name in TABS.names(task=True) if name in app.jobs]
    do = Again(engine, rows, tabs)
    job = gr.State(None)
    timer = gr.Timer(0.5, active=False)
    with gr.Accordion(t("ui.hist.again"), open=False, elem_id="runs-again"):
        about = gr.Markdown(t("ui.hist.again.none"), elem_id="runs-again-of")
        with gr.Column(visible=False) as form:
            model = gr.Dropdown(
                [], value=None, allow_custom_value=True, label=t("ui.hist.model"), elem_id="runs-again-model"
            )
            with gr.Row():
                precision = gr.Dropdown(
                    ["fp32", "bf16", "fp16"], value="fp32", label=t("ui.precision"), min_width=110,
                    elem_id="runs-again-precision",
                )  # fmt: skip
                limit = gr.Number(
                    0, minimum=0, precision=0, label=t("ui.hist.limit"), min_width=110, elem_id="runs-again-limit"
                )
                batch = gr.Number(
                    0, minimum=0, precision=0, label=t("ui.hist.batch"), min_width=110, elem_id="runs-again-batch"
                )
            degrade = gr.Dropdown(
                list(DEGRADATIONS), value=None, allow_custom_value=True, label=t("ui.degrade"), visible=False,
                elem_id="runs-again-degrade",
            )  # fmt: skip
            more = gr.Textbox(label=t("ui.settings"), lines=2, elem_id="runs-again-settings")
            with gr.Row():
                start = gr.Button(t("ui.run"), variant="primary", size="sm", elem_id="runs-again-start")
                stop = gr.Button(t("ui.stop"), variant="stop", size="sm", interactive=False, elem_id="runs-again-stop")
        bar = ProgressView(elem_id="runs-again-progress")
    fields: list[Any] = [model, precision, limit, batch, degrade, more]
    shared: list[Any] = [part for name in tabs for part in app.jobs[name]]
    chosen.change(do.prefilled, chosen, [about, form, *fields], **EVENT)
    start.click(toast(do.start), [chosen, *fields], [job, bar, timer, start, stop, *shared], **EVENT)
    stop.click(do.stop, job, None, queue=False, **EVENT)
    polled = timer.tick(do.poll, job, [bar, timer, start, stop], queue=False, **EVENT)
    polled.then(do.ended, job, [table, chosen], queue=False, **EVENT)
