"""Handlers that show stored profiles: what a click shows. The layout is in ``profile``."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import profiling as explore
from dashboard.explore.profiling import Opened
from dashboard.explore.profiling.opened import names_of
from dashboard.profiling.shapes import Layer
from dashboard.store import Run
from dashboard.tabs.common import put
from dashboard.tabs.results import how_measured
from dashboard.tabs.runs_shown import RunsPanel
from dashboard.views.strings import t

START: dict[str, Any] = {"runs": [], "focus": 0}
OUTPUTS = 18
RULES = ("conv", "linear", "batch_norm", "pool", "attention", "other")
"""Kinds of layers that are explained."""
KINDS = ("worth", "throughput")
"""Charts of ways beside their latency."""


class ProfileResults(RunsPanel[Opened, None]):
    """Handlers of the results. State: ``runs`` shown, and the one in ``focus``, whose layers are shown."""

    tab = "profile"
    most_runs = 4
    at_first = 4

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, ("profile",))

    def open(self, run: Run, controls: None) -> Opened:
        """A profile. Raises InputError if it is damaged."""
        return explore.opened(run)

    def default(self, wanted: str | None = None) -> list[str]:
        """The profile asked for, else the newest one of each of the last few models, oldest first."""
        if wanted and self.engine.store.has(wanted) and self.engine.store.get(wanted).task in self.tasks:
            return [wanted]
        newest = {r.model: r.id for r in reversed(self._visible())}
        order = dict.fromkeys(r.model for r in self._visible())
        return [newest[m] for m in list(order)[: self.at_first]][::-1]

    def first(
        self, state: dict[str, Any], ids: Sequence[str] | None, job_id: str | None, request: gr.Request
    ) -> tuple[Any, Any]:
        """The tab is opened: profiles to begin with, or an invitation. Another tab may have chosen ``ids`` already."""
        own = self.engine.jobs.get(job_id)
        done = [i for i in (own.run_ids if own is not None else []) if self.engine.store.has(i)]
        chosen = state["runs"] or list(ids or []) or self.default(request.query_params.get("run")) or done
        return gr.Dropdown(choices=self.choices(), value=chosen), "" if chosen else t("ui.prf.none")

    def rechosen(
        self, state: dict[str, Any], ids: Sequence[str] | None, focus: str | None, by: str, kind: str
    ) -> tuple[Any, ...]:
        """Other profiles; nothing happens for the echo of one's own choice."""
        if list(ids or []) == state["runs"]:
            return (gr.skip(),) * OUTPUTS
        return self.show(ids, focus, by, kind)

    def show(self, ids: Sequence[str] | None, focus: str | None, by: str, kind: str) -> tuple[Any, ...]:
        """Everything for some profiles."""
        views = self.views(ids, None)
        if not views:
            empty = (None,) * 5
            radios = gr.Radio(choices=[], value=None, visible=False)
            return dict(START), radios, t("ui.prf.none"), *empty, by, None, "", None, None, None, None, kind, None, ""
        inside = [k for k, v in enumerate(views) if v.profile.layers] or [len(views) - 1]
        at = next((k for k, v in enumerate(views) if v.run.id == focus), inside[-1])
        choices = [(n, v.run.id) for n, v in zip(names_of(views), views, strict=True)]
        kinds = [k for k in KINDS if k != "worth" or explore.worth(views) is not None]
        asked, kind = kind, kind if kind in kinds else kinds[0]
        state = {"runs": [v.run.id for v in views], "focus": at}
        return (
            state,
            put(gr.Radio, views[at].run.id, focus, choices=choices, visible=len(views) > 1),
            "",
            explore.figures_data(views),
            explore.stages(views),
            explore.throughput(views),
            explore.cold_start(views),
            explore.memory(views),
            *self._network(views[at], by),
            {"models": [], "figures": [], "warnings": busy} if (busy := explore.busy(views)) else None,
            explore.ways_table(views),
            explore.ways(views),
            put(gr.Radio, kind, asked, choices=[(t(f"ui.prf.more.{k}"), k) for k in kinds]),
            self._more(views, at, kind),
            how_html(views, self.engine.public),
        )  # fmt: skip

    @staticmethod
    def _network(view: Opened, by: str) -> tuple[Any, Any, Any, Any]:
        """Sunburst, formula and table of a network, the layer with most work picked."""
        layers = view.profile.layers
        there = explore.sizes(layers)
        if not there:
            return gr.Radio(visible=False), None, t("ui.prf.nolayers"), None
        asked, by = by, by if by in there else there[0]
        largest = max(range(len(layers)), key=lambda k: layers[k].macs)
        radio = put(gr.Radio, by, asked, choices=[(t(f"ui.prf.by.{s}"), s) for s in there], visible=True)
        return radio, explore.tree(layers, by), layer_html(layers[largest]), explore.layers_table(view, largest)

    @staticmethod
    def _more(views: list[Opened], at: int, kind: str) -> Any:
        return explore.worth(views) if kind == "worth" else explore.throughput(views, views[at])

    def refocused(self, state: dict[str, Any], focus: str | None, by: str, kind: str) -> tuple[Any, ...]:
        """Another model's layers."""
        views = self.opened(state, None)
        at = next((k for k, v in enumerate(views) if v.run.id == focus), 0)
        return {**state, "focus": at}, *self._network(views[at], by), self._more(views, at, kind)

    def on_size(self, state: dict[str, Any], by: str) -> Any:
        """Sectors by parameters, work or time."""
        layers = self.in_focus(self.opened(state, None), state).profile.layers
        return explore.tree(layers, by) if by in explore.sizes(layers) else gr.skip()

    def on_kind(self, state: dict[str, Any], kind: str) -> Any:
        """Another chart of the ways."""
        return self._more(self.opened(state, None), state["focus"], kind)

    def on_row(self, state: dict[str, Any], event: gr.SelectData) -> str:
        """A row of the layer table: its formulas with its numbers."""
        return layer_html(self._layer(state, event.index)[1])

    def on_sector(self, state: dict[str, Any], event: gr.SelectData) -> tuple[Any, Any]:
        """A sector of the sunburst: its row in the table; of a module, that of its largest layer."""
        data = event.value.get("data") if isinstance(event.value, dict) else None
        picked = data[0] if isinstance(data, list) and data else None
        if not (isinstance(picked, dict) and picked.get("kind") == "layer"):
            return gr.skip(), gr.skip()
        view, layer = self._layer(state, picked.get("row"))
        return layer_html(layer), explore.layers_table(view, picked["row"])

    def _layer(self, state: dict[str, Any], row: Any) -> tuple[Opened, Layer]:
        view = self.in_focus(self.opened(state, None), state)
        if not (isinstance(row, int) and 0 <= row < len(view.profile.layers)):
            raise InputError("There is no such row: reload the page and click again.")
        return view, view.profile.layers[row]


def layer_html(layer: Layer) -> str:
    """A layer's counts: each formula, then the same in this layer's numbers. Symbols are the same in every language."""
    shape = "×".join(map(str, layer.output))
    rule = layer.rule if layer.rule in RULES else "other"
    about = f'<button type="button" class="lp-info" data-explain="layer_{rule}" '
    about += 'aria-label="?">i</button>'
    said = {"params": "params", "macs": "MACs", "flops": "FLOPs"}
    rows = []
    for line in explore.lines(layer):
        steps = [f"<code>{html.escape(text)}</code>" for text in (line.rule, line.numbers) if text]
        rows.append(f"<dt>{said[line.what]}</dt><dd>{' = '.join([*steps, f'<b>{line.value:,}</b>'])}</dd>")
    title = f"<b>{html.escape(layer.path)}</b> · {html.escape(layer.kind)} · {shape}"
    return f'<section class="lp-layer"><h4>{title}{about}</h4><dl>{"".join(rows)}</dl></section>'


def how_html(views: Sequence[Opened], public: bool) -> str:
    """How it was measured, in sentences, then everything that was recorded."""
    told = []
    for view in views:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in view.profile.notes)
        told.append(how_measured([view.run], public).replace("</h4>", f"</h4><ul>{notes}</ul>", 1))
    return "".join(told)
