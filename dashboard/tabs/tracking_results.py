"""Handlers of the tracking results panel: what a click shows. The layout is in ``tracking_panel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from dashboard.errors import InputError
from dashboard.explore import tracking as explore
from dashboard.explore.overview import same_data
from dashboard.explore.tracking.export import table_csv
from dashboard.explore.tracking.opened import Opened, opened
from dashboard.reporting.tables import harmless
from dashboard.store import Run
from dashboard.tabs.common import new_file, put
from dashboard.tabs.results import how_measured
from dashboard.tabs.runs_shown import RunsPanel, names_of
from dashboard.tabs.tracking_player import Player, film_said
from dashboard.views.strings import t

OUTPUTS = 16  # of ``TrackingResults.show``
START: dict[str, Any] = {"runs": [], "focus": 0, "sequence": None, "only": None}


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs.

    Attributes:
        match: "class" or "any": whether a box may match a true one of another class.
        what, columns: rows of the table ("sequence", "class") and which of its columns.
        kind, measure: which chart, and over what it is drawn.
    """

    match: str = "class"
    what: str = "sequence"
    columns: str = "summary"
    kind: str = "alpha"
    measure: str = "HOTA"

    @property
    def agnostic(self) -> bool:
        """Whether classes need not agree."""
        return self.match == "any"


class TrackingResults(RunsPanel[Opened, Controls]):
    """Handlers of the panel. The state also has the ``sequence`` that plays, and the ``only`` class shown, or None."""

    tab = "tracking"
    most_runs = 4

    def __init__(self, engine: Any, tasks: Sequence[str] = ("tracking",)) -> None:
        super().__init__(engine, tasks)
        self.player = Player(engine)

    def open(self, run: Run, controls: Controls | None) -> Opened:
        """A run opened."""
        del controls
        return opened(run)

    def show(
        self, ids: Sequence[str], focus: str | None, controls: Controls, sequence: str | None = None
    ) -> tuple[Any, ...]:
        """Everything in the panel for some runs."""
        views = self.views(ids, controls)
        if not views:
            nothing = (gr.Radio([], value=None), gr.Dropdown([], value=None), gr.Radio(), gr.Radio())
            parts = (gr.Radio(), gr.Radio(), gr.Dropdown(), gr.Button())
            return dict(START), *nothing, *(None,) * (OUTPUTS - 11), "", "", *parts
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        names = [s.tracks.name for s in views[at].sequences]
        sequence = sequence if sequence in names else explore.liveliest(views[at])
        state = {**START, "runs": [v.run.id for v in views], "focus": at, "sequence": sequence}
        kinds = explore.charts(views)
        asked, controls = controls.kind, replace(controls, kind=controls.kind if controls.kind in kinds else kinds[0])
        said = [(t(f"ui.trk.chart.{k}") if k in explore.CHARTS else k, k) for k in kinds]
        return (
            state,
            put(gr.Radio, views[at].run.id, focus, choices=names_of(views), visible=len(views) > 1),
            gr.Dropdown(choices=names, value=sequence, visible=len(names) > 1),
            gr.Radio(visible=any(v.several for v in views)),
            put(gr.Radio, controls.kind, asked, choices=said),
            *self.numbers(views, state, controls),
            self.play(views, state, controls),
            explore.other_figures(views, controls.agnostic),
            self._left_out(views, at),
            how_measured([v.run for v in views], self.engine.public),
            *self._useful(views, controls),
        )

    @staticmethod
    def _useful(views: list[Opened], controls: Controls) -> tuple[Any, ...]:
        """Rows and columns of the table, the measure of the chart, and the list of switches, where there are any."""
        known = any(v.known for v in views)
        measure = gr.Dropdown(visible=known and controls.kind == "sequences")
        return gr.Radio(visible=known), gr.Radio(visible=known), measure, gr.Button(interactive=known)

    def numbers(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """Figures, table and chart."""
        return (
            explore.figures_data(views, controls.agnostic),
            self._table(views, state, controls),
            explore.chart(views, controls.kind, controls.measure, state["focus"], controls.agnostic),
        )

    def _table(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The table of the run in focus."""
        view = self.in_focus(views, state)
        what = controls.what if view.known else "sequence"
        return explore.table_data(view, what, controls.columns, controls.agnostic, state["sequence"])

    def play(self, views: list[Opened], state: dict[str, Any], controls: Controls) -> Any:
        """The sequence in the player: runs on the same data as the one in focus, whose story is told."""
        view = self.in_focus(views, state)
        shown = [v for v in views if same_data(v.run, view.run)]
        return self.player.value(shown, state["sequence"], controls.agnostic) | {
            "focus": shown.index(view),
            "only": state["only"],
        }

    def film(self, state: dict[str, Any], said: str, controls: Controls) -> tuple[Any, Any, Any]:
        """How far the video of the sequence is; once it is there it plays."""
        if not state["runs"]:
            return gr.skip(), gr.Timer(active=False), ""
        views = self.opened(state, controls)
        making = self.player.film(self.in_focus(views, state).run, state["sequence"])
        busy = making is not None and not making.error
        value = self.play(views, state, controls) if said and making is None else gr.skip()
        return value, gr.Timer(active=busy), film_said(making)

    @staticmethod
    def _left_out(views: list[Opened], at: int) -> str:
        """Runs on other data, that cannot play beside the one in focus."""
        others = [v.run.model for v in views if not same_data(v.run, views[at].run)]
        return f"{t('ui.trk.other')} {', '.join(others)}" if others else ""

    def rechosen(
        self, state: dict[str, Any], ids: Sequence[str] | None, focus: str | None, controls: Controls
    ) -> tuple[Any, ...]:
        """Runs were chosen, here or in another tab; nothing happens for the echo of one's own choice."""
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * OUTPUTS
        return self.show(ids or [], focus, controls, state["sequence"])

    def refocused(
        self, state: dict[str, Any], ids: Sequence[str], focus: str | None, controls: Controls
    ) -> tuple[Any, ...]:
        """Another run in focus; the sequence stays."""
        return self.show(ids, focus, controls, state["sequence"])

    def on_sequence(self, state: dict[str, Any], sequence: str | None, controls: Controls) -> tuple[Any, ...]:
        """Another sequence plays."""
        views = self.opened(state, controls)
        state = {**state, "sequence": sequence or state["sequence"], "only": None}
        return state, self._table(views, state, controls), self.play(views, state, controls)

    def on_match(self, state: dict[str, Any], controls: Controls) -> tuple[Any, ...]:
        """Classes have to agree, or not: everything counted anew from what is stored."""
        views = self.opened(state, controls)
        others = explore.other_figures(views, controls.agnostic)
        return *self.numbers(views, state, controls), self.play(views, state, controls), others

    def on_table(self, state: dict[str, Any], controls: Controls) -> Any:
        """Other rows or columns."""
        return self._table(self.opened(state, controls), state, controls)

    def on_kind(self, state: dict[str, Any], controls: Controls) -> tuple[Any, Any]:
        """Another chart, or over another measure, which only that of the sequences has."""
        views = self.opened(state, controls)
        chart = explore.chart(views, controls.kind, controls.measure, state["focus"], controls.agnostic)
        return chart, gr.Dropdown(visible=controls.kind == "sequences")

    def on_row(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A row of the table: a sequence plays; of a class, the sequence that has most errors of it, without others."""
        view = self.in_focus(self.opened(state, controls), state)
        if controls.what == "class" and view.known:
            classes = self._table([view], {**state, "focus": 0}, controls)["classes"]
            if not (isinstance(event.index, int) and 0 <= event.index < len(classes)):
                raise InputError("There is no such row: reload the page and click again.")
            label = int(classes[event.index])
            if label == state["only"]:  # the same row again lets go
                return self._to(state, state["sequence"], controls)
            name, frame = explore.worst_of_class(view, label, controls.agnostic)
            state, dropdown, player = self._to(state, name, controls)
            return {**state, "only": label}, dropdown, player | {"only": label, "seek": frame}
        names = [s.tracks.name for s in view.sequences]
        if not (isinstance(event.index, int) and 0 <= event.index < len(names)):
            raise InputError("There is no such row: reload the page and click again.")
        return self._to(state, names[event.index], controls)

    def on_bar(self, state: dict[str, Any], controls: Controls, event: gr.SelectData) -> tuple[Any, ...]:
        """A bar of a sequence: it plays."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        picked = data[0] if isinstance(data, list) and data else None
        if not (isinstance(picked, dict) and picked.get("kind") == "sequence"):
            return state, gr.skip(), gr.skip()
        return self._to(state, str(picked.get("name")), controls)

    def _to(self, state: dict[str, Any], name: str, controls: Controls) -> tuple[Any, ...]:
        """Play a sequence by name."""
        views = self.opened(state, controls)
        names = [s.tracks.name for s in self.in_focus(views, state).sequences]
        if name not in names:
            raise InputError("There is no such sequence: reload the page and click again.")
        state = {**state, "sequence": name, "only": None}
        return state, gr.Dropdown(value=name), self.play(views, state, controls)

    def _focused(self, state: dict[str, Any], controls: Controls) -> Opened:
        return self.in_focus(self.opened(state, controls), state)

    def save_mot(self, state: dict[str, Any], controls: Controls) -> str:
        """Tracks of all sequences as a zip of MOT txt."""
        view = self._focused(state, controls)
        return str(explore.mot_zip(view, new_file(f"{view.run.id}-mot.zip")))

    def save_csv(self, state: dict[str, Any], controls: Controls) -> str:
        """Tracks as CSV."""
        view = self._focused(state, controls)
        return _csv(explore.tracks_table(view), f"{view.run.id}-tracks.csv")

    def save_events(self, state: dict[str, Any], controls: Controls) -> str:
        """Switches, fragments and losses as CSV."""
        view = self._focused(state, controls)
        if not view.known:
            raise InputError("Without a truth there are no switches to list: nobody knows which identity is right.")
        return _csv(explore.events_table(view, controls.agnostic), f"{view.run.id}-events.csv")

    def save_video(self, state: dict[str, Any], controls: Controls) -> str:
        """The sequence that plays, with boxes and identities drawn."""
        view = self._focused(state, controls)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in str(state["sequence"]))
        return str(self.player.annotated(view, state["sequence"], new_file(f"{view.run.id}-{name}.mp4")))


def _csv(frame: Any, name: str) -> str:
    """A table as a file; names from data cannot be formulas of a spreadsheet."""
    for column in ("sequence", "class"):
        frame[column] = [harmless(v) for v in frame[column]]
    path = new_file(name)
    path.write_text(table_csv(frame), "utf-8")
    return str(path)
