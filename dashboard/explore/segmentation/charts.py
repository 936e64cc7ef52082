"""Charts over segmentation runs; each bar and point knows the images it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.explore import overview
from dashboard.explore.overview import Data, json_number
from dashboard.explore.segmentation.opened import Opened
from dashboard.explore.segmentation.tables import shown_classes, slices
from dashboard.results import Scalars

CHARTS = ("class_iou", "class_dice", "image_iou", "iou_dice", "area", "presence", "size", "brightness")
SLICED = ("presence", "size", "brightness")
OWN = ("pixels", "boundaries", "images")
"""Metrics whose results the charts above are about; what any other metric brings is charted as it is."""
PATTERNS = ("", "/", ".", "x")
MOST_BARS = 40
BINS = np.linspace(0, 1, 21)


def charts(views: Sequence[Opened]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = dict.fromkeys(name for v in views for name, r in v.run.results().items() if not isinstance(r, Scalars))
    return [*CHARTS, *(name for name in found if name.partition(".")[0] not in OWN)]


def chart(
    views: Sequence[Opened],
    kind: str,
    label: int | None = None,
    focus: int = 0,
    brightness: Sequence[NDArray[np.float64] | None] | None = None,
) -> figures.Figure:
    """One chart.

    A point's ``customdata`` begins with ``[selection, run]``: what a click on it selects, and the place of the run.
    """
    if kind in ("class_iou", "class_dice"):
        return _per_class(views, kind.removeprefix("class_"), label) | {"explain": f"chart_{kind}"}
    if kind in SLICED:
        return _slices(views, kind, brightness or [None] * len(views)) | {"explain": f"slice_{kind}"}
    make = {"image_iou": _images, "iou_dice": _iou_dice, "area": _areas}.get(kind)
    if make is None:
        return figures.draw(views[focus].run.results()[kind])
    return make(views) | {"explain": f"chart_{kind}"}


def _bars(view: Opened, k: int, x: Any, y: Any, picks: Sequence[Any], text: str, **more: Any) -> Data:
    """A run's bars, told apart by colour and pattern."""
    return {
        "type": "bar",
        "name": figures.plain(view.run.model),
        "x": list(x),
        "y": [json_number(v) for v in y],
        "customdata": list(picks),
        "marker": {"color": figures.COLORS[k % 4], "pattern": {"shape": PATTERNS[k % 4]}},
        "hovertemplate": text + f"<extra>{figures.plain(view.run.model)}</extra>",
        **more,
    }


def _error(values: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> Data:
    """Plotly's error bars; none where there is no interval: it takes what is no number so, but 0 or null as a bar."""
    up, down = ([float(v) if np.isfinite(v) else "none" for v in ends] for ends in (high - values, values - low))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "color": "#7c818c"}


def _per_class(views: Sequence[Opened], name: str, label: int | None) -> figures.Figure:
    """IoU or Dice of each class with its 95 % interval, the lowest of the first run first."""
    rows = _order(views, name)
    traces = []
    for k, view in enumerate(views):
        columns = overview.class_columns(view.run)[1]
        values = np.asarray(columns[name], float)[rows]
        names = [figures.plain(view.names[c]) for c in rows]
        picks = [[{"kind": "class", "class": int(c)}, k] for c in rows]
        more: Data = {}
        if f"{name}_low" in columns:
            ends = [np.asarray(columns[f"{name}_{end}"], float)[rows] for end in ("low", "high")]
            more["error_y"] = _error(values, *ends)
        if label is not None:
            more["opacity"] = 0.9
        traces.append(_bars(view, k, names, values, picks, "%{x}<br>" + SAID[name] + " %{y:.3f}", **more))
    shared = figures.layout("", SAID[name], barmode="group")
    shared["yaxis"] |= {"range": [0, 1.02]}
    shared["xaxis"] |= {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared}


SAID = {"iou": "IoU", "dice": "Dice"}


def _order(views: Sequence[Opened], name: str) -> list[int]:
    """Classes of a chart: at most ``MOST_BARS``, those that the first run meets worst."""
    rows = [int(c) for c in shown_classes(views[0])]
    values = np.asarray(overview.class_columns(views[0].run)[1][name], float)
    if len(rows) > MOST_BARS:
        rows = sorted(rows, key=lambda c: np.inf if np.isnan(values[c]) else values[c])[:MOST_BARS]
    return rows


def _images(views: Sequence[Opened]) -> figures.Figure:
    """How many images have which mean IoU of their own."""
    traces = []
    for k, view in enumerate(views):
        values = view.iou
        often, _ = np.histogram(values[np.isfinite(values)], BINS)
        picks = [[{"kind": "bin", "low": float(a), "high": float(b)}, k, float(a), float(b)] for a, b in pairwise(BINS)]
        text = "%{customdata[2]:.2f} – %{customdata[3]:.2f}<br>%{y}"
        traces.append(_bars(view, k, (BINS[:-1] + BINS[1:]) / 2, often, picks, text))
    return {"data": traces, "layout": figures.layout("ui.axis.image_iou", "ui.axis.images", barmode="group")}


def _iou_dice(views: Sequence[Opened]) -> figures.Figure:
    """Every class at its IoU and Dice: all lie on one curve, D = 2 J / (1 + J)."""
    j = np.linspace(0, 1, 101)
    curve = figures.line(j, 2 * j / (1 + j), "D = 2J / (1 + J)", 0, hoverinfo="skip", hovertemplate=None)
    curve["line"] = {"color": "#9ca3af", "width": 1, "dash": "dot"}
    traces = [figures.diagonal(), curve]
    for k, view in enumerate(views):
        columns = overview.class_columns(view.run)[1]
        rows = shown_classes(view)
        x, y = (np.asarray(columns[n], float)[rows] for n in ("iou", "dice"))
        known = np.isfinite(x)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": figures.plain(view.run.model),
                "x": x[known].tolist(),
                "y": y[known].tolist(),
                "customdata": [
                    [{"kind": "class", "class": int(c)}, k, figures.plain(view.names[c])] for c in rows[known]
                ],
                "marker": {"symbol": figures.SYMBOLS[k % 4], "size": 9, "color": figures.COLORS[k % 4]},
                "hovertemplate": "%{customdata[2]}<br>IoU %{x:.3f} · Dice %{y:.3f}"
                f"<extra>{figures.plain(view.run.model)}</extra>",
            }
        )
    return {"data": traces, "layout": figures.unit_square(figures.layout("ui.axis.iou_plain", "ui.axis.dice"))}


def _areas(views: Sequence[Opened]) -> figures.Figure:
    """Answered pixels over true pixels of each class, on a logarithmic scale: above 1 it is given too often."""
    traces = []
    for k, view in enumerate(views):
        rows = _order(views, "iou")
        true, found = view.matrix.sum(axis=1)[rows], view.matrix[:, :-1].sum(axis=0)[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where((true > 0) & (found > 0), found / true, np.nan)
        names = [figures.plain(view.names[c]) for c in rows]
        picks = [
            [{"kind": "class", "class": int(c)}, k, int(a), int(b)] for c, a, b in zip(rows, true, found, strict=True)
        ]
        text = "%{x}<br>× %{y:.2f}<br>%{customdata[3]:,} / %{customdata[2]:,} px"
        point = _bars(view, k, names, ratio, picks, text, type="scatter", mode="markers")
        point["marker"] = {"color": figures.COLORS[k % 4], "symbol": figures.SYMBOLS[k % 4], "size": 9}
        traces.append(point)
    shared = figures.layout("", "ui.axis.area")
    shared["yaxis"] |= {"type": "log", "tickvals": [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20]}
    even = {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 1, "y1": 1}
    shared["shapes"] = [even | {"line": {"color": "#9ca3af", "width": 1, "dash": "dot"}}]
    shared["xaxis"] |= {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared}


def _slices(views: Sequence[Opened], by: str, brightness: Sequence[NDArray[np.float64] | None]) -> figures.Figure:
    """mIoU of each slice with its interval; a click shows its images."""
    traces = []
    for k, (view, values) in enumerate(zip(views, brightness, strict=True)):
        rows = slices(view, by, values)[:MOST_BARS]
        picks = [[r["selection"], k, r["images"]] for r in rows]
        y = np.array([r["miou"] for r in rows], float)
        more: Data = {}
        if rows:
            more["error_y"] = _error(y, *(np.array([r[f"miou_{end}"] for r in rows], float) for end in ("low", "high")))
        names = [r["name"] if r["name"].startswith("ui.") else figures.plain(r["name"]) for r in rows]
        traces.append(_bars(view, k, names, y, picks, "%{x}<br>mIoU %{y:.3f}<br>%{customdata[2]} ×", **more))
    shared = figures.layout(f"ui.axis.{by}", "ui.axis.miou", barmode="group")
    shared["yaxis"] |= {"range": [0, 1.02]}
    shared["xaxis"] |= {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared}
