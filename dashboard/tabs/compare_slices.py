"""Slices: where each run is worse than elsewhere, beyond what chance makes of so many slices."""

from __future__ import annotations

import html
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import gradio as gr
import numpy as np

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore.comparing.shown import run_names
from dashboard.explore.slicing import slices as explore
from dashboard.metrics.slices import SMALLEST
from dashboard.reporting.tables import harmless
from dashboard.slicing.attributes import attributes_of
from dashboard.slicing.measuring import Making, Measurings
from dashboard.slicing.sliced import Sliced, sliced
from dashboard.tabs import App, Compared
from dashboard.tabs.common import EVENT, LATEST, PICK, Choice, Choices, Slider, new_file, put, toast
from dashboard.tabs.compare import comparison_of
from dashboard.tabs.compare_share import named
from dashboard.tabs.compare_slices_shown import Shown, attribute_name, fitting, names_of, place_of, progress, telling
from dashboard.views import ChartView, CompareView, DetailView, EnhanceView, GalleryView, ProgressView
from dashboard.views.said import SaidView, WideTable
from dashboard.views.strings import t

NAME = "slices"
PAGE = 24
OUTPUTS = 18  # of ``Slices.show``
BARS = 6  # the place of the progress among them
START: dict[str, Any] = {
    "for": None,
    "slice": None,
    "most": PAGE,
    "sample": None,
    "measured": True,
    "by": None,
    "fit": SMALLEST,
}


@dataclass(frozen=True)
class Controls:
    """What the panel's controls say, in the order in which they are the handlers' inputs.

    Attributes:
        pairs: whether slices are by two attributes, too.
        smallest: samples in a slice.
        tags: a file of tags, or None.
        against: "rest" or "baseline".
        focus: the run whose table and pictures are shown; None for the first.
        attribute: over which the chart is drawn; None for that of the worst slice.
    """

    pairs: bool = True
    smallest: float = SMALLEST
    tags: str | None = None
    against: str = "rest"
    focus: str | None = None
    attribute: str | None = None


class Slices(Shown):
    """Handlers of the panel.

    State: what it was made ``for`` and ``by`` which settings, the picked ``slice``, how many pictures are shown, and
    whether the slices on the page are by what was ``measured``, too: until all pictures are, they are not, so that
    rows stay where they are. ``fit`` is the least size of a slice that the panel chose; another is a person's.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.measurings = Measurings(engine.store.root / "pictures")
        self._made: dict[Hashable, Sliced] = {}

    def view(
        self, ids: Sequence[str] | None, baseline: str | None, controls: Controls, measure: bool = True
    ) -> tuple[Sliced, Making | None, list[str]]:
        """The slices, by what is measured only once all is; what is still being measured; and notes (text keys).

        Raises:
            InputError: fewer than two runs, a file of tags that cannot be read.
        """
        c = comparison_of(self.engine, ids, baseline)
        pictures = self.engine.pictures(c.runs[c.baseline])
        measured, making, notes = None, None, []
        if pictures is None:
            notes.append("ui.slice.note.gone")
        elif measure:
            known, making = self.measurings.ask(pictures, np.unique(c.index[c.baseline]))
            measured = known if making is None else None
        tags = self.tags(controls.tags, c) if controls.tags else None
        smallest, pairs = int(np.clip(controls.smallest, explore.LEAST, 1000)), bool(controls.pairs)
        stamps = tuple((r.id, r.rows_path.stat().st_mtime_ns) for r in c.runs)
        data = (pictures.fingerprint if pictures else None, measured is not None)
        key = (stamps, c.baseline, data, controls.tags, smallest, pairs)
        found = self._made.pop(key, None)
        if found is None:
            found = sliced(c, attributes_of(c, measured, pictures, tags.columns if tags else None), smallest, pairs)
        self._made[key] = found
        while len(self._made) > 6:
            self._made.pop(next(iter(self._made)), None)
        return found, making, notes

    def again(self, state: dict[str, Any], controls: Controls) -> tuple[Sliced, Making | None, list[str]]:
        """What the page shows, whatever else is asked for meanwhile. Raises InputError before there is anything."""
        ids, baseline = state["for"] or ([], None)
        return self.view(ids, baseline, replace(controls, **(state["by"] or {})), state["measured"])

    def opened(self, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any) -> Any:
        """The panel is looked at: for the first time, or again with the same runs."""
        if state["for"] == [list(ids or []), baseline]:
            return (gr.skip(),) * OUTPUTS
        return self.show({**START, "fit": state["fit"]}, ids, baseline, Controls(*told))

    def rechosen(
        self, front: str, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any
    ) -> Any:
        """Other runs were chosen, perhaps while another panel is looked at."""
        return self.opened(state, ids, baseline, *told) if front == NAME else (gr.skip(),) * OUTPUTS

    def asked(self, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any) -> Any:
        """Other settings: everything again."""
        return self.show(state, ids, baseline, Controls(*told))

    def ticked(self, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, *told: Any) -> Any:
        """The clock: how far measuring is, and everything again at its end."""
        c = comparison_of(self.engine, ids, baseline)
        pictures = self.engine.pictures(c.runs[c.baseline])
        if pictures is not None:
            _, making = self.measurings.ask(pictures, np.unique(c.index[c.baseline]), 0.1)
            if making is not None:
                skipped: list[Any] = [gr.skip()] * OUTPUTS
                skipped[BARS] = ProgressView(progress(making), visible=True)
                return tuple(skipped)
        return self.show(state, ids, baseline, Controls(*told))

    def show(
        self, state: dict[str, Any], ids: Sequence[str] | None, baseline: str | None, controls: Controls
    ) -> tuple[Any, ...]:
        """Everything in the panel."""
        fresh = state["for"] is None and controls.smallest == state["fit"]
        state = {**START, "for": [list(ids or []), baseline], "fit": state["fit"]}
        if len(ids or []) < 2:  # the tab itself says what to do
            return self._nothing(state)
        try:
            c = comparison_of(self.engine, ids, baseline)
        except InputError as error:
            return self._nothing(dict(START), f"⚠ {html.escape(str(error))}")  # looked at anew, it tries anew
        if fresh:
            state["fit"] = fitting(len(c.ids))
            controls = replace(controls, smallest=state["fit"])
        view, making, notes = self.view(ids, baseline, controls)
        run = place_of(c, controls.focus)
        names = names_of(view)
        first = next(iter(view.findings(run) or view.order(run)), None)
        state |= {"slice": first, "measured": making is None}
        state["by"] = {"pairs": controls.pairs, "smallest": controls.smallest, "tags": controls.tags}
        attribute = controls.attribute if controls.attribute in names else telling(view, first, names)
        choices = list(zip(run_names(c.runs), (r.id for r in c.runs), strict=True))
        rivals = [(t("ui.slice.rest"), "rest"), (t("ui.slice.baseline"), "baseline")]
        against = "rest" if run == c.baseline else controls.against
        return (
            state,
            gr.Button(visible=bool(controls.tags)),
            gr.Timer(active=making is not None),
            put(gr.Radio, c.runs[run].id, controls.focus, choices=choices),
            put(gr.Radio, against, controls.against, choices=rivals, visible=run != c.baseline),
            put(gr.Dropdown, attribute, controls.attribute, choices=[(attribute_name(n), n) for n in names]),
            ProgressView(progress(making), visible=making is not None),
            self.said(view, run, notes, controls.tags),
            explore.table_data(view, run, against, f"{c.runs[run].id}/{against}/{len(view.slices)}"),
            explore.chart(view, attribute) if attribute else None,
            self.gallery(view, first, run, 0, PAGE),
            DetailView(None, visible=True),
            CompareView(None, visible=False),
            EnhanceView(None, visible=False),
            gr.Slider(value=state["fit"]) if fresh else gr.skip(),
            gr.Markdown(visible=False),
            gr.Column(visible=True),
            gr.Column(visible=bool(view.slices)),
        )

    @staticmethod
    def _nothing(state: dict[str, Any], why: str = "") -> tuple[Any, ...]:
        """One sentence instead of the panel."""
        away = gr.Markdown(why, visible=bool(why)), gr.Column(visible=False), gr.skip()
        return state, gr.skip(), gr.Timer(active=False), *(gr.skip(),) * (OUTPUTS - 6), *away

    def retabled(self, state: dict[str, Any], *told: Any) -> tuple[Any, ...]:
        """Another run in focus, or against something else: table, sentence and pictures."""
        controls = Controls(*told)
        view, _, notes = self.again(state, controls)
        c, run = view.comparison, place_of(view.comparison, controls.focus)
        against = "rest" if run == c.baseline else controls.against
        first = next(iter(view.findings(run) or view.order(run)), None)
        return (
            {**state, "slice": first, "most": PAGE},
            put(gr.Radio, against, controls.against, visible=run != c.baseline),
            self.said(view, run, notes, controls.tags),
            explore.table_data(view, run, against, f"{c.runs[run].id}/{against}/{len(view.slices)}"),
            self.gallery(view, first, run, 0, PAGE),
        )

    def charted(self, state: dict[str, Any], *told: Any) -> Any:
        """The chart over another attribute."""
        controls = Controls(*told)
        view, _, _ = self.again(state, controls)
        known = controls.attribute is not None and view.of(controls.attribute)
        return explore.chart(view, controls.attribute) if known and controls.attribute else None

    def on_row(self, state: dict[str, Any], event: gr.SelectData, *told: Any) -> tuple[Any, ...]:
        """A row of the table: its pictures, and the chart over its attribute."""
        controls = Controls(*told)
        view, _, _ = self.again(state, controls)
        run = place_of(view.comparison, controls.focus)
        against = "rest" if run == view.comparison.baseline else controls.against
        places = explore.table_data(view, run, against)["slices"]
        if type(event.index) is not int or not 0 <= event.index < len(places):
            raise InputError("There is no such row: reload the page and click again.")
        place = places[event.index]
        attribute = telling(view, place, names_of(view))
        state = {**state, "slice": place, "most": PAGE}
        chart = explore.chart(view, attribute) if attribute else None
        return state, self.gallery(view, place, run, 0, PAGE), attribute, chart

    def on_dot(self, state: dict[str, Any], event: gr.SelectData, *told: Any) -> tuple[Any, ...]:
        """A dot of the chart: the pictures of its slice, by the scores of its run."""
        view, _, _ = self.again(state, Controls(*told))
        data = event.value.get("data") if isinstance(event.value, dict) else None
        if not (isinstance(data, list) and data and type(data[0]) is int and 0 <= data[0] < len(view.slices)):
            raise InputError("There is no such dot: reload the page and click again.")
        state = {**state, "slice": int(data[0]), "most": PAGE}
        return state, self.gallery(view, state["slice"], place_of(view.comparison, Controls(*told).focus), 0, PAGE)

    def on_more(self, state: dict[str, Any], *told: Any) -> tuple[Any, Any]:
        """More pictures."""
        view, _, _ = self.again(state, Controls(*told))
        start, run = state["most"], place_of(view.comparison, Controls(*told).focus)
        state = {**state, "most": start + 2 * PAGE}
        return state, self.gallery(view, state["slice"], run, start, state["most"])

    def on_picture(self, state: dict[str, Any], event: gr.SelectData, *told: Any) -> tuple[Any, ...]:
        """A picture of the slice, large, in the task's own view; or the one a step further."""
        view, _, _ = self.again(state, Controls(*told))
        run = place_of(view.comparison, Controls(*told).focus)
        sample = self.sample(view, state, run, event.value)
        return {**state, "sample": sample}, *self.large(view, run, sample)

    def csv(self, state: dict[str, Any], *told: Any) -> str:
        """Every slice of every run."""
        view, _, _ = self.again(state, Controls(*told))
        path = new_file(named(view.comparison.runs, "-slices.csv"))
        path.write_text(explore.csv_text(view, harmless), "utf-8")
        return str(path)


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside the current ``gr.Tab``."""
    del app
    do = Slices(engine)
    state, clock = gr.State(dict(START)), gr.Timer(1.5, active=False)
    note = gr.Markdown(visible=False, elem_id="slice-note")
    file = gr.DownloadButton(visible="hidden", elem_id="slice-csv-file")  # a column that comes back would show it
    with gr.Column(elem_id="slice-panel") as panel:
        with gr.Row(elem_classes=["lp-row", "lp-pick"]):
            focus = Choice(
                [], label=t("ui.slice.focus"), elem_id="slice-focus", interactive=True, scale=4, min_width=240
            )
            against = Choice(
                [(t("ui.slice.rest"), "rest"), (t("ui.slice.baseline"), "baseline")], value="rest", scale=3,
                label=t("ui.slice.against"), elem_id="slice-against", interactive=True, min_width=220, visible=False,
            )  # fmt: skip
            smallest = Slider(
                explore.LEAST,
                200,
                SMALLEST,
                step=5,
                label=t("ui.slice.smallest"),
                elem_id="slice-smallest",
                min_width=150,
                scale=2,
            )
            pairs = gr.Checkbox(True, label=t("ui.slice.pairs"), elem_id="slice-pairs", min_width=130, scale=1)
            with gr.Column(min_width=170, scale=2, elem_classes=["lp-slice-tags"]):
                tags = gr.UploadButton(
                    cast(Any, t("ui.slice.tags")), file_types=[".csv", ".tsv", ".txt"], size="sm", elem_id="slice-tags"
                )
                drop = gr.Button(t("ui.slice.untag"), size="sm", visible=False, elem_id="slice-untag")
        bars = ProgressView(elem_id="slice-progress", visible=False)
        said = SaidView(elem_id="slice-said")
        with gr.Column() as body:
            with gr.Row(elem_classes="lp-row"):
                with gr.Column(scale=9, min_width=340):
                    table = WideTable(elem_id="slice-table")
                    csv = gr.Button(t("ui.csv"), size="sm", elem_id="slice-csv")
                with gr.Column(scale=5, min_width=320):
                    attribute = Choices([], label=t("ui.slice.over"), elem_id="slice-over", interactive=True)
                    chart = ChartView(elem_id="slice-chart")
            gallery = GalleryView(elem_id="slice-gallery")
            detail = DetailView(elem_id="slice-detail")
            panes = CompareView(elem_id="slice-panes", visible=False)
            enhanced = EnhanceView(elem_id="slice-enhance", visible=False)
    same: list[Any] = [pairs, smallest, tags, against]  # choices of the others change with the runs
    controls: list[Any] = [*same, focus, attribute]
    large: list[Any] = [detail, panes, enhanced]
    everything = [state, drop, clock, focus, against, attribute, bars, said, table, chart, gallery, *large]
    everything += [smallest, note, panel, body]
    chosen: list[Any] = [state, compared.runs, compared.baseline, *same]
    compared.tab.select(toast(do.opened), chosen, everything, **LATEST)
    compared.runs.change(toast(do.rechosen), [compared.front, *chosen], everything, **EVENT)
    compared.baseline.change(toast(do.rechosen), [compared.front, *chosen], everything, **EVENT)
    for control in (pairs.input, smallest.release, tags.upload):
        control(toast(do.asked), [*chosen, focus, attribute], everything, **LATEST)
    clock.tick(toast(do.ticked), [*chosen, focus, attribute], everything, **EVENT)
    drop.click(lambda: None, None, tags, **EVENT).then(
        toast(do.asked), [*chosen, focus, attribute], everything, **EVENT
    )
    told: list[Any] = [state, *controls]
    for choice in (focus, against):
        choice.input(toast(do.retabled), told, [state, against, said, table, gallery], **LATEST)
    attribute.input(toast(do.charted), told, chart, **LATEST)
    table.select(toast(do.on_row), told, [state, gallery, attribute, chart], **PICK)
    chart.select(toast(do.on_dot), told, [state, gallery], **PICK)
    gallery.more(toast(do.on_more), told, [state, gallery], **EVENT)
    gallery.select(toast(do.on_picture), told, [state, *large], **PICK)
    detail.select(toast(do.on_picture), told, [state, *large], **EVENT)
    saved = csv.click(toast(do.csv), told, file, **EVENT)
    saved.success(None, js="() => document.querySelector('#slice-csv-file').click()", **EVENT)
