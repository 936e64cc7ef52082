"""The pictures on which a run and the baseline differ, and one of them large in the task's own view."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gradio as gr

from dashboard import explore as classification
from dashboard.comparing.shapes import Comparison
from dashboard.datasets.sequences import sequences_of
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import comparing as explore
from dashboard.explore import tracking
from dashboard.explore.comparing.large import marked, pair_first
from dashboard.explore.comparing.shown import run_names
from dashboard.explore.small import small_picture
from dashboard.tabs import App, Compared
from dashboard.tabs.common import EVENT, LATEST, PICK, Choice, toast
from dashboard.tabs.compare import Panel, comparison_of, is_place
from dashboard.tabs.compare_classes import against, place_of
from dashboard.tabs.tracking_player import Player
from dashboard.views import CompareView, DetailView, EnhanceView, GalleryView, TracksView
from dashboard.views.comparing import GroupsView
from dashboard.views.strings import t

PAGE = 24
START: dict[str, Any] = {"for": None, "run": None, "group": None, "class": None, "most": PAGE, "sample": None}
LARGE = 4  # views of one picture, of which one is in use
VIEW_OF = {"classification": 0, "enhancement": 2, "tracking": 3}
"""Which of them a task uses: details, panes (1, all others), enhancement's or the player."""
NOTES = {
    "tracking": "ui.vs.frames",
    "detection": "ui.vs.tally",
    "instance-segmentation": "ui.vs.tally",
}
"""What has to be said of a task's pictures."""
SCROLL = """() => { const all = [...document.querySelectorAll('#cmp-panes, #cmp-enhance, #cmp-tracks')];
  all.find((e) => e.offsetParent)?.scrollIntoView({behavior: 'smooth', block: 'nearest'}); }"""


class Pictures(Panel):
    """Handlers of the panel.

    State: the ``run`` (its id) held against the baseline, the ``group`` of samples, the ``class`` they are to have (a
    name or None), how many are at ``most`` shown, and the ``sample`` that is large, a place in ``Comparison.ids``.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "pictures", 3 + LARGE)
        self.player = Player(engine)
        self._thumb = lru_cache(4096)(self._make_thumb)
        self._small = lru_cache(2048)(self._make_small)

    def show(self, state: dict[str, Any], comparison: Comparison, asked: dict[str, Any]) -> tuple[Any, ...]:
        """What is asked for; else the group with the most to see, of the run that was looked at before."""
        runs = against(comparison)
        new = asked and asked != (state["for"] or [None, None, None])[2]
        run = place_of(comparison, asked["run"] if new else state["run"])
        state = {**START, "run": comparison.runs[run].id, "class": asked["class"] if new else None}
        state["group"] = asked["group"] if new and asked["group"] else self.fullest(comparison, run, state["class"])
        state, *values = self.filled(comparison, state, choices=runs)
        return state, *values, *self.large(comparison, state)

    @staticmethod
    def fullest(comparison: Comparison, run: int, label: str | None) -> str:
        """Where there is something to see: the run's wins, or its losses if there are more."""
        asked = explore.Asked(run, explore.groups_of(comparison)[0], label)
        first, second, *_ = explore.counts_data(comparison, run, asked)
        return str(second["name"] if second["n"] > first["n"] else first["name"])

    def asked(self, comparison: Comparison, state: dict[str, Any]) -> explore.Asked:
        """The state as what is asked for."""
        return explore.Asked(place_of(comparison, state["run"]), state["group"], state["class"])

    def filled(
        self, comparison: Comparison, state: dict[str, Any], choices: Any = None, start: int = 0
    ) -> tuple[Any, ...]:
        """State, the choice of a run, the groups and the gallery; the first picture becomes the large one."""
        asked = self.asked(comparison, state)
        names = run_names(comparison.runs)
        data, order = explore.gallery_data(comparison, asked, self.thumb(comparison, asked), start, state["most"])
        state = {**state, "sample": order[0] if order else None}
        said = {"a": names[asked.run], "b": names[comparison.baseline]}
        groups = {"groups": explore.counts_data(comparison, asked.run, asked), "vars": said, "run": asked.run}
        if any(comparison.left_out):
            groups["note"] = {"key": "ui.vs.aligned", "vars": {"n": f"{len(comparison.ids):,}"}}
        elif comparison.task in NOTES:
            groups["note"] = {"key": NOTES[comparison.task], "vars": {}}
        radio = gr.Radio(choices=choices, value=state["run"], visible=len(choices) > 1) if choices else gr.skip()
        return state, radio, groups, data

    def large(self, comparison: Comparison, state: dict[str, Any], opened: bool = False) -> tuple[Any, ...]:
        """The picture in the task's view, the others away; of classification it covers the page, so only if opened."""
        use = VIEW_OF.get(comparison.task, 1)
        value = None
        if state["sample"] is not None and (use or opened):
            value = self._value(comparison, state)
        kinds = (DetailView, CompareView, EnhanceView, TracksView)
        return tuple(
            kind(value if k == use else None, visible=k == use and (value is not None or k == 0))
            for k, kind in enumerate(kinds)
        )

    def _value(self, comparison: Comparison, state: dict[str, Any]) -> Any:
        run, sample = place_of(comparison, state["run"]), int(state["sample"])
        base = comparison.runs[comparison.baseline]
        if comparison.task == "tracking":
            return self._played(comparison, run, sample)
        return explore.large(comparison, run, sample, self.engine.pictures(base))

    def _played(self, comparison: Comparison, run: int, sample: int) -> Any:
        """The sequence of a frame, from there on."""
        position = int(comparison.index[comparison.baseline, sample])
        places = pair_first(comparison, run)
        views = [tracking.opened(comparison.runs[k]) for k in places]
        name, frame = frame_of(views[0], self.engine.pictures(views[0].run), position, comparison.ids[sample])
        self.player.film(comparison.runs[comparison.baseline], name)  # is made meanwhile, for the next click
        value = self.player.value(views, name)
        return marked(value, places) | {"focus": 0, "seek": frame}

    def thumb(self, comparison: Comparison, asked: explore.Asked) -> Any:
        """From a place in ``Comparison.ids`` to a small picture with what the run made of it."""
        pictures = self.engine.pictures(comparison.runs[comparison.baseline])

        def made(sample: int) -> str | None:
            position = int(comparison.index[comparison.baseline, sample])
            if comparison.task == "classification":
                return self._thumb(pictures.fingerprint, pictures.source, position) if pictures is not None else None
            small = self._small(pictures.fingerprint, pictures.source, position) if pictures is not None else None
            return explore.small(comparison, asked.run, sample, small, asked.label)

        return made

    def _make_thumb(self, fingerprint: str, source: str, position: int) -> str | None:
        dataset = self._dataset(fingerprint, source)
        return classification.thumb_uri(dataset, position) if dataset is not None else None

    def _make_small(self, fingerprint: str, source: str, position: int) -> Any:
        dataset = self._dataset(fingerprint, source)
        return small_picture(dataset, position) if dataset is not None else None

    def _dataset(self, fingerprint: str, source: str) -> Any:
        kept = list(self.engine._datasets.values())
        return next((d for d in kept if d.source == source and d.fingerprint == fingerprint), None)

    def again(self, state: dict[str, Any], ids: Sequence[str], baseline: str, **new: Any) -> tuple[Any, ...]:
        """Another group, run or class: state, groups, gallery and the large picture."""
        comparison = comparison_of(self.engine, ids, baseline)
        state = {**state, "most": PAGE, **new}
        if state["group"] not in explore.groups_of(comparison):
            state["group"] = self.fullest(comparison, place_of(comparison, state["run"]), state["class"])
        state, _, groups, gallery = self.filled(comparison, state)
        return state, groups, gallery, *self.large(comparison, state)

    def on_group(
        self, state: dict[str, Any], ids: Sequence[str], baseline: str, event: gr.SelectData
    ) -> tuple[Any, ...]:
        """Another group."""
        group = event.value.get("group") if isinstance(event.value, dict) else None
        return self.again(state, ids, baseline, group=group)

    def on_run(self, state: dict[str, Any], ids: Sequence[str], baseline: str, run: str) -> tuple[Any, ...]:
        """Another run against the baseline."""
        return self.again(state, ids, baseline, run=run)

    def on_reset(self, state: dict[str, Any], ids: Sequence[str], baseline: str) -> tuple[Any, ...]:
        """Of all classes."""
        return self.again(state, ids, baseline, **{"class": None})

    def on_more(self, state: dict[str, Any], ids: Sequence[str], baseline: str) -> tuple[Any, Any]:
        """More pictures."""
        comparison = comparison_of(self.engine, ids, baseline)
        start, sample = state["most"], state["sample"]
        state, _, _, gallery = self.filled(comparison, {**state, "most": start + 2 * PAGE}, start=start)
        return {**state, "sample": sample}, gallery

    def on_picture(
        self, state: dict[str, Any], ids: Sequence[str], baseline: str, event: gr.SelectData
    ) -> tuple[Any, ...]:
        """A picture, large; or the one ``step`` further in the same order."""
        comparison = comparison_of(self.engine, ids, baseline)
        value = event.value if isinstance(event.value, dict) else {}
        sample, step = value.get("index"), value.get("step", 0)
        if not is_place(sample, len(comparison.ids)) or step not in (-1, 0, 1):
            raise InputError("There is no such picture: reload the page and click again.")
        order = explore.chosen(comparison, self.asked(comparison, state))[0].tolist()
        if step and sample in order:
            sample = order[(order.index(sample) + step) % len(order)]
        state = {**state, "sample": sample}
        return state, *self.large(comparison, state, opened=True)


def frame_of(view: tracking.Opened, pictures: Any, position: int, name: str) -> tuple[str, int]:
    """The sequence and the frame (counted from 0) at a position in the data of a tracking run."""
    before = 0
    for info in [] if pictures is None else sequences_of(pictures):
        if position < info.stop:
            return info.name, position - before
        before = info.stop
    for stored in view.sequences:
        if name.startswith(stored.tracks.name):
            return stored.tracks.name, 0
    return view.sequences[0].tracks.name, 0


def create(engine: Engine, app: App, compared: Compared) -> None:
    """Build the panel inside its ``gr.Tab``."""
    del app
    do = Pictures(engine)
    state = gr.State(dict(START))
    problem = gr.Markdown(visible=False, elem_id="cmp-pictures-problem")
    with gr.Column(elem_classes="lp-body", visible=False) as body:
        run = Choice([], label=t("ui.vs.against"), elem_id="cmp-against", interactive=True, visible=False)
        groups = GroupsView(elem_id="cmp-groups")
        gallery = GalleryView(elem_id="cmp-gallery")
        views = [
            DetailView(elem_id="cmp-detail"),
            CompareView(elem_id="cmp-panes", visible=False),
            EnhanceView(elem_id="cmp-enhance", visible=False),
            TracksView(elem_id="cmp-tracks", visible=False),
        ]
    do.connect(compared, state, problem, [run, groups, gallery, *views], body)
    choice = [state, compared.runs, compared.baseline]
    filled = [state, groups, gallery, *views]
    groups.select(toast(do.on_group), choice, filled, **PICK)
    run.input(toast(do.on_run), [*choice, run], filled, **LATEST)
    gallery.reset(toast(do.on_reset), choice, filled, **EVENT)
    gallery.more(toast(do.on_more), choice, [state, gallery], **EVENT)
    gallery.select(toast(do.on_picture), choice, [state, *views], **PICK).success(None, js=SCROLL, **EVENT)
    views[0].select(toast(do.on_picture), choice, [state, *views], **EVENT)
