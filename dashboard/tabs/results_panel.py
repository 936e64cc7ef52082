"""Finished runs side by side: figures, class table, charts, matrix with threshold, and the pictures behind a click."""

from __future__ import annotations

import html
import json
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from dashboard import explore
from dashboard.disk import jsonable
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.finishing import out_of_date, refresh
from dashboard.metrics.losses import LOSSES
from dashboard.selection import ALL, checked, run_sorts, select, usable_sort
from dashboard.store import Run
from dashboard.tabs import App
from dashboard.tabs.common import EVENT, run_choices, shown, toast, visible
from dashboard.views import ChartView, DetailView, FiguresView, GalleryView, MatrixView, TableView
from dashboard.views.strings import I18N, t

PAGE = 24


class Results:
    """Handlers of the results panel. A visitor's state travels through ``gr.State``; here is only the engine."""

    def __init__(self, engine: Engine, task: str) -> None:
        self.engine, self.task = engine, task
        self._thumb = lru_cache(4096)(self._make_thumb)

    def choices(self) -> list[tuple[str, str]]:
        """Every run of the task, newest first."""
        return run_choices(visible(self.engine, self.task))

    def default(self, wanted: str | None = None) -> list[str]:
        """What to show first: the run asked for, else the newest run and others on the same data."""
        if wanted and any(r.id == wanted for r in self.engine.store.runs(self.task)):
            return [wanted]
        runs = visible(self.engine, self.task)
        same = [r for r in runs if runs and _data(r) == _data(runs[0])]
        return [r.id for r in reversed(same[:2])]

    def runs(self, ids: Sequence[str] | None) -> list[Run]:
        """The chosen runs that are still there."""
        return [run for run in map(self._run, (ids or [])[:4]) if run is not None]

    def _run(self, run_id: str) -> Run | None:
        """One run, or a warning on the page."""
        try:
            run = self.engine.store.get(run_id)
            if out_of_date(run):
                gr.Info(f"Computing the metrics of {run.model} anew from its stored predictions …")
                run = refresh(self.engine.store, run)
            return run
        except InputError as error:
            gr.Warning(html.escape(shown(error)))
            return None

    def opened(self, request: gr.Request) -> tuple[Any, ...]:
        """The page has opened: fill in the runs (``?run=ID`` asks for one)."""
        chosen = self.default(request.query_params.get("run"))
        return gr.Dropdown(choices=self.choices(), value=chosen), *self.show(chosen, None, "cross_entropy", 2.0, False)

    def chosen(self, ids: list[str], focus: str | None, sort: str, gamma: float, errors: bool) -> tuple[Any, ...]:
        """Other runs were chosen."""
        return self.show(ids, focus, sort, gamma, errors)

    def show(
        self, ids: Sequence[str], focus: str | None, sort: str, gamma: float, errors: bool, kind: str = "roc"
    ) -> tuple[Any, ...]:
        """Everything in the panel for some runs; the selection starts anew."""
        runs = self.runs(ids)
        if not runs:
            empty = {"runs": [], "focus": 0, "selection": ALL, "label": None, "kind": kind, "most": PAGE}
            none = (None,) * 4
            return empty, gr.Radio(choices=[], value=None), *none, gr.Radio(), None, None, "", None, gr.Dropdown()
        place = next((k for k, r in enumerate(runs) if r.id == focus), 0)
        state = {"runs": [r.id for r in runs], "focus": place, "selection": dict(ALL), "label": None, "most": PAGE}
        kinds = explore.charts(runs)
        kind = kind if kind in kinds else next(iter(kinds), "")
        state["kind"] = kind
        sort = usable_sort(runs[place], sort)
        return (
            state,
            gr.Radio(choices=[(_name(r, runs), r.id) for r in runs], value=runs[place].id, visible=len(runs) > 1),
            explore.figures_data(runs),
            explore.table_data(runs[place]),
            explore.matrix_data(runs[place]),
            explore.chart(runs, kind, None, place) if kind else None,
            gr.Radio(
                choices=[(t(f"ui.chart.{k}") if k in explore.KNOWN_CHARTS else k, k) for k in kinds], value=kind or None
            ),
            self.gallery(state, sort, gamma, errors),
            explore.figures_data(runs, explore.other_figures(runs)),
            how_measured(runs, self.engine.public),
            None,
            gr.Dropdown(choices=cast(Any, orders(run_sorts(runs[place]))), value=sort),
        )

    def gallery(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, start: int = 0) -> Any:
        """The pictures of the selection; those from ``start`` on are added to the ones already shown."""
        runs = self.runs(state["runs"])
        if not runs:
            return None
        pictures = self.engine.pictures(runs[state["focus"]])
        order = (usable_sort(runs[state["focus"]], sort), sane(gamma), errors)
        data, _ = explore.gallery_data(
            runs, pictures, state["selection"], *order, state["focus"], state["most"], self._thumbnail, start
        )
        return data

    def select(
        self, state: dict[str, Any], selection: dict[str, Any], sort: str, gamma: float, errors: bool
    ) -> tuple[Any, Any]:
        """A click chose some samples."""
        runs = self.runs(state["runs"])
        if not runs:
            raise InputError("Choose a run first.")
        selection = dict(checked(selection, len(runs[state["focus"]].classes)))
        state = {**state, "selection": selection, "most": PAGE}
        return state, self.gallery(state, sort, gamma, errors)

    def on_cell(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A matrix cell."""
        return self.select(state, event.value, sort, gamma, errors)

    def on_class(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A row of the class table: its pictures, its curve, its threshold. The same row again lets go."""
        runs, focus = self.runs(state["runs"]), state["focus"]
        table = explore.table_data(runs[focus])
        if not (isinstance(event.index, int) and 0 <= event.index < len(table["classes"])):
            raise InputError("There is no such row: reload the page and click again.")
        label = table["classes"][event.index]
        label = None if label == state["label"] else label
        selection = dict(ALL) if label is None else {"kind": "class", "class": label}
        state, gallery = self.select({**state, "label": label}, selection, sort, gamma, errors)
        return (
            state,
            explore.table_data(runs[focus], label),
            explore.chart(runs, state["kind"], label, focus) if state["kind"] else None,
            explore.matrix_data(runs[focus], label),
            gallery,
        )

    def on_point(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A point of a curve, or a bar."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not isinstance(data, list) or len(data) < 2:
            gr.Info("An average has no pictures of its own: pick a class in the table, then click its curve.")
            return state, gr.skip()
        if state["kind"] in ("roc", "pr"):
            selection: dict[str, Any] = {"kind": "score", "class": data[0], "threshold": data[1]}
        else:
            group = {"correct": True, "wrong": False}.get(str(data[2])) if len(data) > 2 else None
            selection = {"kind": "confidence", "low": data[0], "high": data[1], "correct": group}
        return self.select(state, selection, sort, gamma, errors)

    def on_kind(self, state: dict[str, Any], kind: str) -> tuple[Any, Any]:
        """Another chart."""
        runs = self.runs(state["runs"])
        if not runs or not kind:
            return state, None
        return {**state, "kind": kind}, explore.chart(runs, kind, state["label"], state["focus"])

    def on_more(self, state: dict[str, Any], sort: str, gamma: float, errors: bool) -> tuple[Any, Any]:
        """More pictures."""
        start = state["most"]
        state = {**state, "most": start + 2 * PAGE}
        return state, self.gallery(state, sort, gamma, errors, start)

    def on_clear(self, state: dict[str, Any], sort: str, gamma: float, errors: bool) -> tuple[Any, Any]:
        """No selection any more."""
        return self.select(state, dict(ALL), sort, gamma, errors)

    def on_picture(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A picture, large; or the one ``step`` further in the same order."""
        runs, value = self.runs(state["runs"]), event.value if isinstance(event.value, dict) else {}
        index, step = value.get("index"), value.get("step", 0)
        if not runs or not isinstance(index, int) or step not in (-1, 0, 1):
            raise InputError("There is no such picture: reload the page and click again.")
        if step:
            run = runs[state["focus"]]
            order = select(run, state["selection"], usable_sort(run, sort), sane(gamma), errors)["index"].tolist()
            if index in order:
                index = order[(order.index(index) + step) % len(order)]
        return explore.detail_data(runs, self.engine.pictures(runs[state["focus"]]), int(index), sane(gamma))

    def csv(self, state: dict[str, Any], sort: str, gamma: float, errors: bool) -> str:
        """The selection as a CSV file, every row of it, class names beside numbers."""
        runs = self.runs(state["runs"])
        if not runs:
            raise InputError("Choose a run first.")
        run = runs[state["focus"]]
        frame, names = select(run, state["selection"], usable_sort(run, sort), sane(gamma), errors), run.classes
        for column in ("label", "predicted"):
            if column in frame:
                frame.insert(
                    int(frame.columns.get_loc(column)) + 1, f"{column}_name", [names[i] for i in frame[column]]
                )  # type: ignore[arg-type]
        path = Path(tempfile.mkdtemp(prefix="loupe-")) / f"{run.id}-{state['selection']['kind']}.csv"
        for column in frame.columns:
            if frame[column].dtype == object or str(frame[column].dtype).startswith("str"):
                frame[column] = [harmless(v) for v in frame[column]]
        frame.to_csv(path, index=False)
        return str(path)

    def _thumbnail(self, pictures: Any, index: int) -> str | None:
        """Kept between calls, by the dataset's fingerprint."""
        return self._thumb(pictures.fingerprint, pictures.source, index)

    def _make_thumb(self, _fingerprint: str, source: str, index: int) -> str | None:
        dataset = next((d for d in list(self.engine._datasets.values()) if d.source == source), None)
        return explore.thumb_uri(dataset, index) if dataset is not None else None


def sane(gamma: float | None) -> float:
    """The focal loss's gamma as a person may leave it in a number field: empty is 2, and it stays within 0..10."""
    return 2.0 if gamma is None else min(10.0, max(0.0, float(gamma)))


def _data(run: Run) -> Any:
    """What a run was on."""
    return run.facts.get("dataset_facts", {}).get("fingerprint")


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of a dataset without where it is on this machine."""
    return {**facts, "source": Path(str(facts.get("source", ""))).name}


def _name(run: Run, runs: Sequence[Run]) -> str:
    """The model's name, made unique among those shown."""
    twins = [r for r in runs if r.model == run.model]
    return run.model if len(twins) == 1 else f"{run.model} ({run.dataset}, {run.samples})"


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet will not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def orders(names: Sequence[str]) -> list[tuple[Any, str]]:
    """Sort orders with their names in the reader's language."""
    return [(t("ui.sort.dataset") if n == "dataset" else I18N(f"explain.{n}.name"), n) for n in names]


def how_measured(runs: Sequence[Run], public: bool) -> str:
    """Settings, conventions and environment of each run, as HTML."""
    parts = []
    for run in runs:
        facts = {
            "run": run.id,
            "created": run.created_at,
            "model": run.facts.get("model_facts", {}),
            "dataset": _named(run.facts.get("dataset_facts", {})) if public else run.facts.get("dataset_facts", {}),
            "classes matched by": run.facts.get("classes_matched_by"),
            "settings": run.facts.get("settings", {}),
            "timing": run.timing,
            "environment": run.environment,
            "notes": run.facts.get("notes", {}),
            "skipped": run.facts.get("skipped", []),
        }
        text = json.dumps(jsonable(facts), indent=1, ensure_ascii=False)
        parts.append(f"<h4>{html.escape(run.model)}</h4><pre class='lp-facts'>{html.escape(text)}</pre>")
    return "".join(parts)


def results_panel(engine: Engine, app: App, task: str) -> gr.Dropdown:
    """Build the panel; returns the dropdown of shown runs."""
    do = Results(engine, task)
    state = gr.State({"runs": [], "focus": 0, "selection": dict(ALL), "label": None, "kind": "roc", "most": PAGE})
    with gr.Row(elem_classes=["lp-row", "lp-pick"]):
        runs = gr.Dropdown(
            [], multiselect=True, max_choices=4, label=t("ui.runs"), elem_id="cls-runs", scale=5, min_width=320
        )
        focus = gr.Radio([], label=t("ui.focus"), elem_id="cls-focus", interactive=True, scale=4, min_width=280)
    figures = FiguresView(elem_id="cls-figures")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            table = TableView(elem_id="cls-table")
        with gr.Column(scale=4, min_width=320):
            kind = gr.Radio([], show_label=False, container=False, elem_id="cls-kind", interactive=True)
            chart = ChartView(elem_id="cls-chart")
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=5, min_width=320):
            matrix = MatrixView(elem_id="cls-matrix")
        with gr.Column(scale=4, min_width=320):
            with gr.Row(elem_classes="lp-tools"):
                sort = gr.Dropdown(
                    cast(Any, orders(["dataset", *LOSSES])),
                    value="cross_entropy",
                    label=t("ui.sort"),
                    elem_id="cls-sort",
                    min_width=150,
                    scale=3,
                )
                gamma = gr.Number(
                    2.0,
                    step=0.5,
                    label=t("ui.gamma"),
                    elem_id="cls-gamma",
                    min_width=70,
                    scale=1,
                )
                errors = gr.Checkbox(False, label=t("ui.errors"), elem_id="cls-errors", min_width=90, scale=2)
            gallery = GalleryView(elem_id="cls-gallery")
            csv = gr.Button(t("ui.csv"), size="sm", elem_id="cls-csv")
            file = gr.DownloadButton(visible="hidden", elem_id="cls-csv-file")
    with gr.Accordion(t("ui.more"), open=False):
        more = FiguresView(elem_id="cls-more")
    with gr.Accordion(t("ui.how"), open=False):
        how = gr.HTML(elem_id="cls-how")
    detail = DetailView(elem_id="cls-detail")

    order: list[Any] = [sort, gamma, errors]
    everything = [state, focus, figures, table, matrix, chart, kind, gallery, more, how, detail, sort]
    app.on_load.append((toast(do.opened), [], [runs, *everything]))
    focus.input(toast(do.chosen), [runs, focus, *order], everything, **EVENT)
    runs.change(toast(_unless_same(do.chosen)), [state, runs, focus, *order], everything, **EVENT)
    kind.input(toast(do.on_kind), [state, kind], [state, chart], **EVENT)
    table.select(toast(do.on_class), [state, *order], [state, table, chart, matrix, gallery], **EVENT)
    matrix.select(toast(do.on_cell), [state, *order], [state, gallery], **EVENT)
    chart.select(toast(do.on_point), [state, *order], [state, gallery], **EVENT)
    for control in order:
        control.input(toast(do.gallery), [state, *order], gallery, **EVENT)
    gallery.select(toast(do.on_picture), [state, *order], detail, **EVENT)
    gallery.more(toast(do.on_more), [state, *order], [state, gallery], **EVENT)
    gallery.reset(toast(do.on_clear), [state, *order], [state, gallery], **EVENT)
    detail.select(toast(do.on_picture), [state, *order], detail, **EVENT)
    saved = csv.click(toast(do.csv), [state, *order], file, **EVENT)
    saved.success(None, js="() => document.querySelector('#cls-csv-file').click()", **EVENT)
    return runs


def _unless_same(function: Any) -> Any:
    """Act on runs set from another tab, not on the echo of one's own choice."""

    def changed(state: dict[str, Any], ids: list[str], *rest: Any) -> Any:
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * 12
        return function(ids, *rest)

    return changed
