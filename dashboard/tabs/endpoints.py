"""What programs may ask of the app: lists, numbers, a comparison, and a model's answer to one picture.

These are the only events that are listed under "API", and the tools of the MCP server where there is one. They answer
with what the page shows to the same visitor; nothing here takes a path of the server's machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from dashboard.datasets.images import read_image
from dashboard.datasets.opening import list_datasets
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.printing import run_json
from dashboard.reporting.private import without_paths
from dashboard.store import Run
from dashboard.tabs.common import shown, toast, visible
from dashboard.tabs.compare import chosen_runs
from dashboard.tabs.evaluate_panel import refuse_paths
from dashboard.tasks import TASKS
from dashboard.types import Classification, Detections, Prediction
from models.load import check_loadable, find_spec, model_rows

Rows = list[dict[str, Any]]
MOST_ROWS = 200
MOST_CLASSES = 5
PREDICTED = ("classification", "detection", "instance-segmentation")


class Endpoints:
    """Handlers of the endpoints."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def models(self, task: str = "") -> Rows:
        """Models that can be used now: name, task, licence and size.

        Args:
            task: only models that can do this, such as "classification" or "detection"; all if empty.
        """
        known = ("name", "task", "family", "source", "license", "size_mb", "input_size")
        return [{k: row[k] for k in known} for row in model_rows(task=_task(task)) if row["here"]]

    def datasets(self, task: str = "") -> Rows:
        """Built-in datasets and dataset formats.

        Args:
            task: only those of this task; all if empty.
        """
        return list(list_datasets(_task(task)))

    def runs(self, task: str = "") -> Rows:
        """Finished evaluations, newest first: id, task, model, dataset, samples and key figures.

        Args:
            task: only evaluations of this task; all if empty.
        """
        found = visible(self.engine, _task(task))[:MOST_ROWS]
        return [
            {"run": r.id, "task": r.task, "model": r.model, "dataset": r.dataset, "samples": r.samples}
            | {"metrics": dict(r.metrics), "created_at": r.created_at}
            for r in found
        ]

    def run(self, run_id: str) -> dict[str, Any]:
        """One evaluation in full: metrics, numbers of every class, timing and environment.

        Args:
            run_id: as listed by "runs".
        """
        run = self.engine.store.get(str(run_id))
        return self._told(run_json(run), [run])

    def _told(self, value: dict[str, Any], runs: Sequence[Run]) -> dict[str, Any]:
        """The same, to strangers without where things are on this machine."""
        return _cleaned(value, without_paths(self.engine.store, runs)) if self.engine.public else value

    def compare(self, run_ids: list[str], baseline: str = "") -> dict[str, Any]:
        """Two to eight evaluations of a task on the same samples: differences with paired 95 % intervals and p-values.

        Args:
            run_ids: as listed by "runs".
            baseline: the one that the others are compared with; the first if empty.
        """
        if not isinstance(run_ids, list):
            raise InputError("run_ids must be a list of runs' ids.")
        runs, place = chosen_runs(self.engine, [str(i) for i in run_ids], str(baseline))
        from dashboard.commands import comparison_json
        from dashboard.comparing.compare import compare as compare_runs

        return self._told(comparison_json(compare_runs(runs, place)), runs)

    def predict(self, picture: str | None, model: str) -> dict[str, Any]:
        """What a model makes of one picture: classes with scores, or boxes with classes and scores.

        Args:
            picture: an uploaded picture.
            model: a classifier or detector, as listed by "models".
        """
        if not picture:
            raise InputError("Give a picture.")
        name = str(model or "").strip()
        if self.engine.public:
            refuse_paths([name], {})
        check_loadable(name)
        task = find_spec(name).task
        if task not in PREDICTED:
            raise InputError(f"{name} does {task}: choose a model for {' or '.join(PREDICTED)}.")
        adapter = self.engine.model(name)
        try:
            image = read_image(Path(picture))
        except InputError as error:
            raise InputError(str(error).replace(picture, Path(picture).name)) from error
        return prediction_json(adapter.predict([image])[0], adapter.spec.class_names)


def prediction_json(found: Prediction, names: Sequence[str]) -> dict[str, Any]:
    """An answer as plain values: the likeliest classes, or every box with its class, xyxy in pixels."""
    if isinstance(found, Classification):
        best = np.argsort(-found.scores, kind="stable")[:MOST_CLASSES]
        return {"classes": [{"class": names[i], "score": float(found.scores[i])} for i in best]}
    if not isinstance(found, Detections):
        raise ValueError(f"found must be of {PREDICTED}, got {type(found).__name__}")
    scores = found.scores if found.scores is not None else np.full(len(found), np.nan)
    boxes = [
        {"class": names[int(c)], "score": float(s), "xyxy": [round(float(v), 2) for v in box]}
        for c, s, box in zip(found.class_ids, scores, found.xyxy, strict=True)
    ]
    return {"boxes": boxes}


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """JSON whose texts have gone through ``clean``."""
    if isinstance(value, dict):
        return {k: _cleaned(v, clean) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(v, clean) for v in value]
    return clean(shown(value)) if isinstance(value, str) else value


def _task(task: str) -> str | None:
    """A task, or None for all. Raises InputError for anything else."""
    text = str(task or "").strip()
    if text and text not in TASKS:
        raise InputError(f"There is no task {text[:80]!r}; there are: {', '.join(TASKS.names())}.")
    return text or None


def create_endpoints(engine: Engine) -> None:
    """Declare them inside the page."""
    do = Endpoints(engine)
    named: list[Callable[..., Any]] = [do.models, do.datasets, do.runs, do.run, do.compare]
    for function in named:
        gr.api(toast(function), api_name=function.__name__)
    with gr.Row(visible=False):
        picture, model = gr.File(label="picture", file_types=["image"]), gr.Textbox(label="model")
        answer, go = gr.JSON(label="answer"), gr.Button("predict")
    go.click(
        toast(do.predict), [picture, model], answer, api_name="predict", concurrency_id="device", concurrency_limit=1
    )
