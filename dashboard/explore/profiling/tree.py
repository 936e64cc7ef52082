"""Where in a network its parameters, its work and its time are: layers summed up by the module that holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dashboard import figures
from dashboard.profiling.shapes import Layer

SIZES = ("macs", "params", "ms")
"""What a sector can be as large as."""
ROOT = "·"
PALETTE = ("#2563eb", "#0f9f6e", "#d9480f", "#9333ea", "#0e7490", "#be185d", "#4d7c0f", "#b45309", "#4338ca", "#64748b")
"""Dark enough for white letters."""
TOTAL = {"macs": " MACs", "params": "", "ms": " ms"}
"""What stands after the sum in the middle."""
UNITS = {"macs": "%{value:,} MACs", "params": "%{value:,}", "ms": "%{value:.3f} ms"}


def sizes(layers: Sequence[Layer]) -> list[str]:
    """What these layers can be measured by."""
    return [s for s in SIZES if any(_size(layer, s) for layer in layers)]


def tree(layers: Sequence[Layer], by: str) -> figures.Figure:
    """A sunburst; a sector's ``customdata`` is the layer table's row: a layer's own, of a module its largest layer's.

    Args:
        layers: in the order of the table.
        by: one of SIZES.
    """
    total: dict[str, float] = {}
    label: dict[str, str] = {ROOT: ""}
    parent: dict[str, str] = {ROOT: ""}
    largest: dict[str, tuple[float, int]] = {}
    for row, layer in enumerate(layers):
        size = _size(layer, by)
        if not size:
            continue
        parts = [p for p in re.split(r"[./]", layer.path) if p] or [layer.kind]
        above = ROOT
        for depth, part in enumerate(parts):
            node = f"{ROOT}.{'.'.join(parts[: depth + 1])}"
            parent[node], label[node] = above, part
            above = node
        for depth in range(len(parts) + 1):
            node = ".".join([ROOT, *parts[:depth]])
            total[node] = total.get(node, 0) + size
            if node not in largest or size > largest[node][0]:
                largest[node] = (size, row)
    label[ROOT] = f"{si(total.get(ROOT, 0.0))}{TOTAL[by]}"
    nodes = list(total)
    trace: dict[str, Any] = {
        "type": "sunburst",
        "ids": [figures.plain(n) for n in nodes],
        "labels": [figures.plain(label[n]) for n in nodes],
        "parents": [figures.plain(parent[n]) for n in nodes],
        "values": [total[n] for n in nodes],
        "customdata": [[{"kind": "layer", "row": largest[n][1]}] for n in nodes],
        "text": [figures.plain(n.removeprefix(ROOT).removeprefix(".")) for n in nodes],
        "textinfo": "label",
        "branchvalues": "total",
        "maxdepth": 4,
        "sort": False,  # in the order they run
        "insidetextorientation": "radial",
        "leaf": {"opacity": 0.85},
        "marker": {"line": {"width": 1, "color": "#ffffff55"}},
        "hovertemplate": f"%{{text}}<br>{UNITS[by]}<br>%{{percentRoot:.1%}}<extra></extra>",
    }
    shared = {
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "sunburstcolorway": list(PALETTE),
        "uniformtext": {"minsize": 8, "mode": "hide"},
        "uirevision": f"tree {by}",
    }
    return {"data": [trace], "layout": shared, "explain": "chart_layers"}


def si(value: float) -> str:
    """A number in three digits with the letter of its thousands: "1.81 G"."""
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * scale:
            return f"{float(f'{value / scale:.3g}'):g} {letter}"
    return f"{float(f'{value:.3g}'):g}"


def _size(layer: Layer, by: str) -> float:
    """How large a layer is."""
    return float({"macs": layer.macs, "params": layer.params}.get(by, layer.ms or 0.0))
