"""A person's own video: a detector with up to four trackers, classifiers beside them, in step; no truth is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr
import numpy as np

from dashboard.datasets.sequences import sequences_of
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore import tracking as explore
from dashboard.explore.overview import Data, json_number
from dashboard.explore.tracking.opened import Opened, opened
from dashboard.jobs import ACTIVE, Work
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, LATEST, owner_of, toast
from dashboard.tabs.evaluate_panel import IDLE, job_data, refuse_paths
from dashboard.tabs.tracking_player import Player, film_said
from dashboard.views import FiguresView, ProgressView, TableView, TracksView
from dashboard.views.strings import t
from dashboard.watching import watch
from dashboard.watching_pane import pane
from dashboard.watching_parts import BOXES
from dashboard.watching_stored import Watched, figures, get
from models.load import check_loadable, model_rows
from models.trackers import available_trackers

MOST = 4
WATCHED = "watched:"
EXAMPLE = "demo:tracks"
FIRST = ("bytetrack", "botsort")
ALONE = "none"
"""In place of a tracker: what the detector finds in every frame, nothing linked."""
SPEED = ("load_s", "cold_start", "warm_p50", "throughput")
STEADY = ("label_flicker", "label_run", "label_confidence", "trk_counts", "blink", "class_flips", "box_jitter")
RATES = ("label_flicker", "label_confidence", "blink", "class_flips", "box_jitter")


class Video:
    """Handlers of the panel. State: ``source``, ``options`` and ``answers`` (run ids, and ids of what was watched)."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.player = engine, Player(engine)
        self.begun: dict[str, dict[str, Any]] = {}  # what each job is about, for a page that is loaded again

    def start(
        self,
        file: str | None,
        path: str | None,
        detector: str | None,
        trackers: Sequence[str] | None,
        classifiers: Sequence[str] | None,
        seconds: float | None,
        current: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Check what can be checked now, then queue a step for each tracker and classifier."""
        job = self.engine.jobs.get(current)
        if job is not None and job.state in ACTIVE:
            raise InputError("A video is being worked on already: wait for it or stop it first.")
        typed = (path or "").strip()
        if typed and self.engine.public and typed != EXAMPLE:
            raise InputError("Paths cannot be typed on a public server: drop the video instead.")
        if file and typed:
            raise InputError("Two videos were given: keep the dropped one or the path.")
        if not (file or typed):
            raise InputError("Drop a video, type a path, or use the example video.")
        finder = (detector or "").strip()
        if trackers and not finder:
            raise InputError("Choose a detector: trackers follow what it finds.")
        names = [f"{finder}+{name}" for name in trackers or [] if name != ALONE]
        labels = [*([finder] if ALONE in (trackers or []) else []), *(classifiers or [])]
        if not 1 <= len(names) + len(labels) <= MOST:
            raise InputError(f"Choose one to {MOST} trackers and classifiers together, not {len(names) + len(labels)}.")
        if self.engine.public:
            refuse_paths([*names, *labels], {})
        for name in names:
            check_loadable(name, task="tracking")
        for name in labels:
            check_loadable(name, task="detection" if name == finder else "classification")
        source = str(self.engine.keep(file)) if file else typed
        options = {"seconds": f"{seconds:g}"} if seconds and source != EXAMPLE else {}
        dataset = self.engine.dataset(source, None, "tracking", options)
        works = [(f"{name} · {dataset.name}", self._tracking(name, dataset)) for name in names]
        tasks = {name: "detection" if name == finder else None for name in labels}
        works += [(f"{name} · {dataset.name}", self._labelling(name, dataset, tasks[name])) for name in labels]
        started = self.engine.jobs.start(works, owner=owner_of(self.engine, request, "-video"))
        state = {"source": source, "options": options, "answers": []}
        self.begun = {k: v for k, v in self.begun.items() if self.engine.jobs.get(k) is not None} | {started.id: state}
        return state, started.id, *self._status(started.id)

    def _tracking(self, name: str, dataset: Any) -> Work:
        def work(say: Any, cancel: Any) -> str:
            adapter = self.engine.model(name, self.engine.options, "tracking")
            return evaluate(adapter, dataset, self.engine.store, Settings(), say, cancel).id

        return work

    def _labelling(self, name: str, dataset: Any, task: str | None) -> Work:
        def work(say: Any, cancel: Any) -> str:
            adapter, spent = self.engine.model_and_cost(name, task=task)
            return WATCHED + watch(adapter, dataset, self.engine.store, say, cancel, spent).id

        return work

    def stop(self, job_id: str | None) -> None:
        """Ask the job to end; what was finished is kept."""
        job = self.engine.jobs.get(job_id)
        if job is not None:
            job.cancel.set()

    def _status(self, job_id: str | None) -> tuple[Any, ...]:
        """Bars, clock and buttons."""
        job = self.engine.jobs.get(job_id)
        active = job is not None and job.state in ACTIVE
        bars = job_data(job)
        return bars, gr.Timer(active=active), gr.Button(interactive=not active), gr.Button(interactive=active)

    def poll(self, state: dict[str, Any], job_id: str | None) -> tuple[Any, ...]:
        """How far it is; as soon as a model is done it plays, the next ones come beside it."""
        job = self.engine.jobs.get(job_id)
        answers = job.run_ids if job is not None else []
        if not state or answers == state["answers"]:
            return state, *(gr.skip(),) * 4, *self._status(job_id)
        state = {**state, "answers": answers}
        return state, *self.show(state, None), *self._status(job_id)

    def resumed(self, job_id: str | None) -> tuple[Any, ...]:
        """A page that is loaded again: the job that its browser remembers, and what is there of it so far."""
        state = self.begun.get(job_id or "", {}) if self.engine.jobs.get(job_id) is not None else {}
        return *self.poll(state, job_id), gr.Timer(active=bool(state))

    def _dataset(self, state: dict[str, Any], sequence: str | None) -> tuple[Any, list[str], int]:
        """The data, the names of its sequences, and the place of one of them; of the first where it is not there."""
        dataset = self.engine.dataset(state["source"], None, "tracking", state["options"])
        names = [s.name for s in sequences_of(dataset)]
        return dataset, names, names.index(sequence) if sequence in names else 0

    def _found(self, state: dict[str, Any]) -> tuple[list[Opened], list[Watched]]:
        """What is there so far: tracks, and labels."""
        ids = state["answers"]
        runs = [opened(self.engine.store.get(i)) for i in ids if not i.startswith(WATCHED)]
        return runs, [get(self.engine.store, i.removeprefix(WATCHED)) for i in ids if i.startswith(WATCHED)]

    def show(self, state: dict[str, Any], sequence: str | None) -> tuple[Any, ...]:
        """Figures of the trackers, the list of sequences, the player, and the table of the classifiers."""
        views, watched = self._found(state)
        dataset, names, place = self._dataset(state, sequence)
        info = sequences_of(dataset)[place]
        panes = [pane(w, info.start, info.stop) for w in watched]
        player = self.player.value_of(dataset, place, views, panes)
        if not views:
            player["class_names"] = next((list(w.class_names) for w in watched if w.kind == BOXES), [])
        return (
            explore.figures_data(views) if views else None,
            gr.Dropdown(choices=names, value=names[place], visible=len(names) > 1),
            player,
            labels_table(watched) if watched else None,
        )

    def on_sequence(self, state: dict[str, Any], sequence: str | None) -> Any:
        """Another sequence plays."""
        return self.show(state, sequence)[2] if state and state["answers"] else gr.skip()

    def film(
        self, state: dict[str, Any], sequence: str | None, said: str, job_id: str | None = None
    ) -> tuple[Any, Any, Any]:
        """How far the video of the sequence is; once it is there it plays.

        It is made when all models are done, whose speeds it would spoil.
        """
        if not state or not state["answers"]:
            return gr.skip(), gr.Timer(active=False), ""
        job = self.engine.jobs.get(job_id)
        if job is not None and job.state in ACTIVE:
            return gr.skip(), gr.Timer(active=True), ""
        dataset, _, place = self._dataset(state, sequence)
        making = self.player.film_of(dataset, place)
        busy = making is not None and not making.error
        value = self.show(state, sequence)[2] if said and making is None else gr.skip()
        return value, gr.Timer(active=busy), film_said(making)


def labels_table(watched: Sequence[Watched]) -> Data:
    """One row a model without tracker: cold and warm speed, and how steady its answers are."""
    heads: list[Data] = [{"label": "ui.vid.model", "kind": "name"}]
    rows = []
    found = [figures(w) for w in watched]
    names = [n for n in (*SPEED, *STEADY) if any(n in f for f in found)]
    for name in names:
        known = [f[name] for f in found if name in f and np.isfinite(f[name])]
        rate = name in RATES
        head: Data = {"kind": "rate" if rate else "short", "short": f"ui.short.{name}"}
        if name not in ("load_s", "warm_p50"):
            head["explain"] = name
        if not rate:
            head["range"] = [0.0, max([1e-9, *known])]
        heads.append(head)
    for one, numbers in zip(watched, found, strict=True):
        rows.append([one.model, *(json_number(float(numbers.get(n, np.nan))) for n in names)])
    return {"key": " ".join(w.id for w in watched), "columns": heads, "rows": rows, "still": True}


def video_panel(engine: Engine, app: App) -> None:
    """Build the panel."""
    do = Video(engine)
    state = gr.State({})
    job, timer = app.jobs["video"]
    here = [r["name"] for r in model_rows() if r["here"] and r["task"] in ("detection", "instance-segmentation")]
    classifiers = [r["name"] for r in model_rows(task="classification") if r["here"]]
    first = next((n for n in ("scenes_small", *here) if n in here), None)
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=3, min_width=300):
            file = gr.File(
                label=t("ui.vid.drop"), file_types=["video", ".zip", ".gif", ".ts"], elem_id="vid-file",
                elem_classes="lp-drop", height=130,
            )  # fmt: skip
            path = gr.Textbox(label=t("ui.vid.path"), elem_id="vid-path", visible=not engine.public, max_lines=1)
        with gr.Column(scale=4, min_width=300):
            with gr.Row():
                detector = gr.Dropdown(
                    here, value=first, allow_custom_value=True, label=t("ui.vid.detector"),
                    info=t("ui.vid.detector.hint"), elem_id="vid-detector", min_width=200,
                )  # fmt: skip
                trackers = gr.Dropdown(
                    cast(Any, [*((n, n) for n in available_trackers()), (t("ui.vid.alone"), ALONE)]),
                    value=list(FIRST), multiselect=True, max_choices=MOST,
                    label=t("ui.vid.trackers"), elem_id="vid-trackers", min_width=200,
                )  # fmt: skip
            with gr.Row():
                labels = gr.Dropdown(
                    classifiers, value=[], multiselect=True, max_choices=MOST, allow_custom_value=True,
                    label=t("ui.vid.classifiers"), elem_id="vid-classifiers", min_width=200,
                )  # fmt: skip
                seconds = gr.Number(0, minimum=0, label=t("ui.vid.seconds"), elem_id="vid-seconds", min_width=140)
            with gr.Row():
                go = gr.Button(t("ui.vid.go"), variant="primary", elem_id="vid-go", min_width=110)
                example = gr.Button(t("ui.vid.example"), elem_id="vid-example", min_width=110)
                stop = gr.Button(t("ui.stop"), variant="stop", interactive=False, elem_id="vid-stop", min_width=80)
    gr.Markdown(t("ui.vid.help"), elem_classes="lp-help")
    bar = ProgressView(IDLE, elem_id="vid-progress")
    figures_ = FiguresView(elem_id="vid-figures")
    sequence = gr.Dropdown([], label=t("ui.trk.sequence.pick"), visible=False, elem_id="vid-sequence", interactive=True)
    player = TracksView({"error": "ui.vid.empty"}, elem_id="vid-player")
    filming, film = gr.Timer(1.0, active=False), gr.Markdown(elem_id="vid-film", elem_classes="lp-help")
    table = TableView(elem_id="vid-table")

    status = [bar, timer, go, stop]
    shown = [figures_, sequence, player, table]
    given = [file, path, detector, trackers, labels, seconds, job]
    go.click(toast(do.start), given, [state, job, *status], **EVENT)
    example.click(lambda: (None, EXAMPLE), None, [file, path], **EVENT).then(
        toast(do.start), given, [state, job, *status], **EVENT
    )
    stop.click(do.stop, job, None, queue=False, **EVENT)
    filmed: dict[str, Any] = {
        "fn": toast(do.film), "inputs": [state, sequence, film, job], "outputs": [player, filming, film],
    }  # fmt: skip
    polled = timer.tick(toast(do.poll), [state, job], [state, *shown, *status], **EVENT)
    polled.success(**filmed, **LATEST)
    filming.tick(**filmed, **EVENT)
    app.on_load.append((toast(do.resumed), [job], [state, *shown, *status, filming]))
    sequence.input(toast(do.on_sequence), [state, sequence], player, **LATEST).success(**filmed, **LATEST)
