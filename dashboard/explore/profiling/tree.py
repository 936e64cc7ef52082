"""Where in a network its parameters, its work and its time are: layers summed up by the module that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import figures
from dashboard.profiling.shapes import Layer

SIZES = ("macs", "params", "ms")
"""What a sector can be as large as."""
ROOT = "·"
KINDS = {
    "conv": "#2563eb", "pointwise": "#0e7490", "grouped": "#9333ea", "linear": "#d9480f", "attention": "#be185d",
    "norm": "#4d7c0f", "pool": "#b45309", "other": "#57606f",
}  # fmt: skip
"""What a layer is, and its colour, dark enough for white letters."""
MODULE, SHADE = "#64748b", 0.5
"""What a module's colour is mixed with, and how much of it is that of the kind that most of it is."""
MOST_RINGS = 5
TOTAL = {"macs": " MACs", "params": "", "ms": " ms"}
"""What stands after the sum in the middle."""
UNITS = {"macs": "%{value:,} MACs", "params": "%{value:,}", "ms": "%{value:.3f} ms"}


def sizes(layers: Sequence[Layer]) -> list[str]:
    """What these layers can be measured by."""
    return [s for s in SIZES if any(_size(layer, s) for layer in layers)]


def tree(layers: Sequence[Layer], by: str) -> figures.Figure:
    """A sunburst; a sector's ``customdata`` is the layer table's row: a layer's own, of a module its largest layer's.

    Layers are coloured by what they are, modules by what most of them is; traces without a point make the legend.

    Args:
        layers: in the order of the table.
        by: one of SIZES.
    """
    kinds: dict[str, dict[str, float]] = {}  # of each sector, how much of it is of which kind
    label: dict[str, str] = {ROOT: ""}
    parent: dict[str, str] = {ROOT: ""}
    largest: dict[str, tuple[float, int]] = {}
    own: dict[str, Layer] = {}
    for row, layer in enumerate(layers):
        size = _size(layer, by)
        if not size:
            continue
        parts = [p for p in re.split(r"[./]", layer.path) if p] or [layer.kind]
        for depth in range(len(parts) + 1):
            node = ".".join([ROOT, *parts[:depth]])
            if depth:
                parent[node], label[node] = ".".join([ROOT, *parts[: depth - 1]]), _label(parts[:depth])
            inside = kinds.setdefault(node, {})
            inside[kind_of(layer)] = inside.get(kind_of(layer), 0) + size
            if node not in largest or size > largest[node][0]:
                largest[node] = (size, row)
        own[node] = layer
        if parts[-1].isdecimal():
            label[node] = f"{parts[-1]} · {layer.kind}"
    total = {node: sum(inside.values()) for node, inside in kinds.items()}
    label[ROOT] = f"{si(total.get(ROOT, 0.0))}{TOTAL[by]}"
    nodes = list(total)
    said = [n.removeprefix(ROOT).removeprefix(".") + (f" · {own[n].kind}" if n in own else "") for n in nodes]
    trace: dict[str, Any] = {
        "type": "sunburst",
        "ids": [figures.plain(n) for n in nodes],
        "labels": [figures.plain(label[n]) for n in nodes],
        "parents": [figures.plain(parent[n]) for n in nodes],
        "values": [total[n] for n in nodes],
        "customdata": [[{"kind": "layer", "row": largest[n][1]}] for n in nodes],
        "text": [figures.plain(text) for text in said],
        "textinfo": "label",
        "branchvalues": "total",
        "maxdepth": MOST_RINGS,
        "sort": False,  # in the order they run
        "insidetextorientation": "auto",
        "leaf": {"opacity": 1},
        "marker": {
            "colors": [_colour(kinds[n], n in own) if n != ROOT else "" for n in nodes],
            "line": {"width": 1, "color": "#ffffff55"},
        },
        "domain": {"x": [0, 1], "y": [0.13, 1]},
        "hovertemplate": f"%{{text}}<br>{UNITS[by]}<br>%{{percentRoot:.1%}}<extra></extra>",
    }
    keys = [_key(kind) for kind in KINDS if kind in kinds.get(ROOT, {})]
    shared = {
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "uniformtext": {"minsize": 8, "mode": "hide"},
        "uirevision": f"tree {by}",
        "xaxis": {"visible": False, "fixedrange": True},
        "yaxis": {"visible": False, "fixedrange": True},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 0.11, "yanchor": "top"}
        | {"itemclick": False, "itemdoubleclick": False, "font": {"size": 11}},
    }
    return {"data": [trace, *keys], "layout": shared, "explain": "chart_layers"}


def kind_of(layer: Layer) -> str:
    """What a layer is, one of KINDS."""
    if layer.rule == "conv":
        if layer.terms.get("groups", 1) > 1:
            return "grouped"
        return "pointwise" if layer.terms.get("kh") == layer.terms.get("kw") == 1 else "conv"
    if layer.rule == "batch_norm" or "Norm" in layer.kind:
        return "norm"
    return layer.rule if layer.rule in KINDS else "other"


def _label(parts: Sequence[str]) -> str:
    """A module's own name; a number's with that of what it is in."""
    return ".".join(parts[-2:]) if parts[-1].isdecimal() else parts[-1]


def _colour(inside: Mapping[str, float], alone: bool) -> str:
    """Of a layer its kind's, of a module a shade of that of the kind that most of it is."""
    most = KINDS[max(inside, key=lambda kind: inside[kind])]
    if alone:
        return most
    mixed = [round(SHADE * int(most[k : k + 2], 16) + (1 - SHADE) * int(MODULE[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _key(kind: str) -> dict[str, Any]:
    """A line of the legend: sunbursts have none."""
    marker = {"color": KINDS[kind], "symbol": "square", "size": 10}
    name = f"ui.prf.kind.{kind}"
    return {"type": "scatter", "mode": "markers", "name": name, "x": [None], "y": [None], "marker": marker}


def si(value: float) -> str:
    """A number in three digits with the letter of its thousands: "1.81 G"."""
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * scale:
            return f"{float(f'{value / scale:.3g}'):g} {letter}"
    return f"{float(f'{value:.3g}'):g}"


def _size(layer: Layer, by: str) -> float:
    """How large a layer is."""
    return float({"macs": layer.macs, "params": layer.params}.get(by, layer.ms or 0.0))
