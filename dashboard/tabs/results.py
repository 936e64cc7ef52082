"""Handlers of the results panel: what a click shows. The layout is in ``results_panel``."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from dashboard import explore
from dashboard.disk import jsonable
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.overview import incomparable
from dashboard.finishing import out_of_date, refresh
from dashboard.reporting.tables import harmless
from dashboard.selection import ALL, checked, select, usable_sort
from dashboard.store import Run
from dashboard.tabs.common import new_file, own, put, run_choices, shown, visible
from dashboard.views.strings import I18N, t

PAGE = 24
OUTPUTS = 12  # of ``Results.show``


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
        runs = own(visible(self.engine, self.task))
        same = [r for r in runs if not incomparable([r, runs[0]])]
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
        wanted = request.query_params.get("run")
        chosen = self.default(wanted)
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
            empty = {"runs": [], "focus": 0, "selection": ALL, "label": None, "kind": kind, "of": 0, "most": PAGE}
            none = (None,) * 4
            return empty, gr.Radio(choices=[], value=None), *none, gr.Radio(), None, None, "", None, gr.skip()
        place = next((k for k, r in enumerate(runs) if r.id == focus), 0)
        state = {"runs": [r.id for r in runs], "focus": place, "selection": dict(ALL), "label": None}
        kinds = explore.charts(runs)
        kind = kind if kind in kinds else next(iter(kinds), "")
        state |= {"kind": kind, "of": place, "most": PAGE}
        asked, sort = sort, usable_sort(runs[place], sort)
        names = [(t(f"ui.chart.{k}") if k in explore.KNOWN_CHARTS else k, k) for k in kinds]
        return (
            state,
            put(gr.Radio, runs[place].id, focus, choices=[(_name(r, runs), r.id) for r in runs], visible=len(runs) > 1),
            explore.figures_data(runs),
            explore.table_data(runs[place]),
            explore.matrix_data(runs[place]),
            explore.chart(runs, kind, None, place) if kind else None,
            gr.Radio(choices=names, value=kind or None),
            self.gallery(state, sort, gamma, errors),
            explore.figures_data(runs, explore.other_figures(runs)),
            how_measured(runs, self.engine.public),
            None,
            gr.skip() if sort == asked else sort,
        )

    def gallery(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, start: int = 0) -> Any:
        """The pictures of the selection; those from ``start`` on are added to the ones already shown."""
        runs = self.runs(state["runs"])
        if not runs:
            return None
        of = min(state.get("of", state["focus"]), len(runs) - 1)
        pictures = self.engine.pictures(runs[of])
        order = (usable_sort(runs[of], sort), sane(gamma), errors)
        data, _ = explore.gallery_data(
            runs, pictures, state["selection"], *order, of, state["most"], self._thumbnail, start
        )
        return data | {"of": runs[of].model if len(runs) > 1 and state["selection"]["kind"] != "all" else ""}

    def resort(self, state: dict[str, Any], sort: str, gamma: float, errors: bool) -> tuple[Any, Any]:
        """Another order. One that the run has not (a multi-label run has no cross-entropy) becomes one that it has."""
        runs = self.runs(state["runs"])
        used = usable_sort(runs[min(state.get("of", 0), len(runs) - 1)], sort) if runs else sort
        return self.gallery(state, sort, gamma, errors), gr.skip() if used == sort else used

    def select(
        self,
        state: dict[str, Any],
        selection: dict[str, Any],
        sort: str,
        gamma: float,
        errors: bool,
        of: int | None = None,
    ) -> tuple[Any, Any]:
        """A click chose some samples, of the run that is focused or of the ``of``-th."""
        runs, of = self.runs(state["runs"]), state["focus"] if of is None else of
        if not (isinstance(of, int) and 0 <= of < len(runs)):
            raise InputError("Choose a run first.")
        selection = dict(checked(selection, len(runs[of].classes)))
        state = {**state, "selection": selection, "of": of, "most": PAGE}
        return state, self.gallery(state, sort, gamma, errors)

    def on_cell(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A matrix cell."""
        return self.select(state, event.value, sort, gamma, errors)

    def on_class(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A row of the class table: its pictures first. The same row again lets go."""
        runs = self.runs(state["runs"])
        classes = explore.table_data(runs[state["focus"]])["classes"] if runs else []
        if not (isinstance(event.index, int) and 0 <= event.index < len(classes)):
            raise InputError("There is no such row: reload the page and click again.")
        label = None if classes[event.index] == state["label"] else classes[event.index]
        selection = dict(ALL) if label is None else {"kind": "class", "class": label}
        return self.select({**state, "label": label}, selection, sort, gamma, errors)

    def class_views(self, state: dict[str, Any]) -> tuple[Any, Any]:
        """Then the picked class's curves and its threshold, which look at every score."""
        runs, label = self.runs(state["runs"]), state["label"]
        if not runs:
            return gr.skip(), gr.skip()
        patch = {"patch": True, **explore.class_data(runs[state["focus"]], label)}
        return explore.chart(runs, state["kind"], label, state["focus"]) if state["kind"] else None, patch

    def on_point(self, state: dict[str, Any], sort: str, gamma: float, errors: bool, event: gr.SelectData) -> Any:
        """A point of a curve, or a bar: the samples of the run it was drawn for."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        curve = state["kind"] in ("roc", "pr")
        if not isinstance(data, list) or len(data) < (3 if curve else 4):
            gr.Info("An average has no pictures of its own: pick a class in the table, then click its curve.")
            return state, gr.skip()
        if curve:
            selection: dict[str, Any] = {"kind": "score", "class": data[0], "threshold": data[1]}
        else:
            group = {"correct": True, "wrong": False}.get(str(data[2]))
            selection = {"kind": "confidence", "low": data[0], "high": data[1], "correct": group}
        return self.select(state, selection, sort, gamma, errors, of=data[2] if curve else data[3])

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
            run = runs[min(state.get("of", 0), len(runs) - 1)]
            order = select(run, state["selection"], usable_sort(run, sort), sane(gamma), errors)["index"].tolist()
            if index in order:
                index = order[(order.index(index) + step) % len(order)]
        return explore.detail_data(runs, self.engine.pictures(runs[state["focus"]]), int(index), sane(gamma))

    def csv(self, state: dict[str, Any], sort: str, gamma: float, errors: bool) -> str:
        """The selection as a CSV file, every row of it, class names beside numbers."""
        runs = self.runs(state["runs"])
        if not runs:
            raise InputError("Choose a run first.")
        run = runs[min(state.get("of", 0), len(runs) - 1)]
        frame, names = select(run, state["selection"], usable_sort(run, sort), sane(gamma), errors), run.classes
        for column in ("label", "predicted"):
            if column in frame:
                frame.insert(
                    int(frame.columns.get_loc(column)) + 1, f"{column}_name", [names[i] for i in frame[column]]
                )  # type: ignore[arg-type]
        path = new_file(f"{run.id}-{state['selection']['kind']}{'-errors' * errors}.csv")
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


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of a dataset without where it is on this machine."""
    return {**facts, "source": Path(str(facts.get("source", ""))).name}


def _name(run: Run, runs: Sequence[Run]) -> str:
    """The model's name, made unique among those shown."""
    twins = [r for r in runs if r.model == run.model]
    return run.model if len(twins) == 1 else f"{run.model} ({run.dataset}, {run.samples})"


def orders(names: Sequence[str]) -> list[tuple[Any, str]]:
    """Sort orders with their names in the reader's language."""
    return [(t("ui.sort.dataset") if n == "dataset" else I18N(f"explain.{n}.name"), n) for n in names]


def how_measured(runs: Sequence[Run], public: bool) -> str:
    """Settings, conventions and environment of each run, as HTML; what a run has nothing of is left out."""
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
        said = {key: value for key, value in facts.items() if value}
        text = json.dumps(jsonable(said), indent=1, ensure_ascii=False)
        parts.append(f"<h4>{html.escape(run.model)}</h4><pre class='lp-facts'>{html.escape(text)}</pre>")
    return "".join(parts)


def unless_same(function: Any) -> Any:
    """Act on runs set from another tab, not on the echo of one's own choice."""

    def changed(state: dict[str, Any], ids: list[str], *rest: Any) -> Any:
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * OUTPUTS
        return function(ids, *rest)

    return changed
