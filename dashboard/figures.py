"""One function a result shape: numbers to a Plotly figure, a JSON-ready dict (``graph_objects.Figure`` takes it).

Arrays travel as typed base64, which is what Plotly itself does, only without building its objects: milliseconds instead
of seconds for a thousand curves. Axis titles may be text keys, translated in the browser.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.results import ClassTable, Curves, Distribution, Matrix, MetricResult, Scalars, Timeline

Figure = dict[str, Any]
COLORS = ("#2563eb", "#d9480f", "#0f9f6e", "#9333ea")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "triangle-up", "square", "diamond")


def packed(values: Any) -> dict[str, Any]:
    """An array as Plotly's typed base64: floats as float32, whole numbers in the smallest type that holds them."""
    a = np.asarray(values)
    if a.dtype.kind in "iub":
        low, high = (int(a.min()), int(a.max())) if a.size else (0, 0)
        a = a.astype(np.min_scalar_type(high) if low >= 0 else np.int32)
        if a.dtype == np.uint64:
            a = a.astype(np.float64)
    else:
        a = a.astype(np.float32)
    out: dict[str, Any] = {
        "dtype": a.dtype.str[1:],
        "bdata": base64.b64encode(np.ascontiguousarray(a).tobytes()).decode(),
    }
    if a.ndim == 2:
        out["shape"] = f"{a.shape[0]}, {a.shape[1]}"
    return out


def plain(text: str) -> str:
    """A name as Plotly shows it letter for letter: it takes tags, links and ``%{...}`` in texts for its own."""
    return html.escape(str(text), quote=False).replace("%{", "%&#123;")


SHORT = {"false positive rate": "FPR", "true positive rate": "TPR"}


def hover(name: str, x: str = "x", y: str = "y", threshold: str = "") -> str:
    """What is shown at a point: the curve, both values by name, and the threshold where there is one."""
    text = f"{plain(name)}<br>{SHORT.get(x, x)} %{{x:.3f}} · {SHORT.get(y, y)} %{{y:.3f}}"
    return text + (f" · t %{{{threshold}:.3f}}" if threshold else "") + "<extra></extra>"


def layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    """The layout every chart shares; zoom is kept while ``uirevision`` stays the same."""
    return {
        "margin": {"l": 54, "r": 12, "t": 8, "b": 44},
        "xaxis": {"title": {"text": x, "standoff": 8}},
        "yaxis": {"title": {"text": y, "standoff": 8}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        "hovermode": "closest",
        "uirevision": f"{x}/{y}",
        **more,
    }


def line(
    x: NDArray[Any], y: NDArray[Any], name: str, k: int = 0, thresholds: NDArray[Any] | None = None, **more: Any
) -> dict[str, Any]:
    """One curve in the k-th model's colour and dash; ``customdata`` carries the threshold of each point."""
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "x": packed(x),
        "y": packed(y),
        "line": {"color": COLORS[k % 4], "dash": DASHES[k % 4], "width": 2},
        "hovertemplate": hover(name),
    }
    if thresholds is not None:
        trace["customdata"] = packed(thresholds)
        trace["hovertemplate"] = hover(name, threshold="customdata")
    return trace | more


def curves(result: Curves, only: Sequence[str] | None = None, k: int = 0, prefix: str = "") -> Figure:
    """Curves in one frame; ``only`` these labels. A diagonal is drawn where it is the reference."""
    traces = []
    for i, label in enumerate(result.labels):
        if only is not None and label not in only:
            continue
        area = result.areas.get(label)
        name = f"{prefix}{label}" + ("" if area is None or not np.isfinite(area) else f" ({area:.3f})")
        thresholds = None if result.thresholds is None else result.thresholds[i]
        traces.append(line(result.x[i], result.y[i], name, k, thresholds))
    if result.diagonal:
        traces.insert(0, diagonal())
    return {"data": traces, "layout": unit_square(layout(axis(result.x_name), axis(result.y_name)))}


def axis(name: str) -> str:
    """An axis title as a text key where there is one."""
    return f"ui.axis.{name.replace(' ', '_')}"


def unit_square(shared: dict[str, Any]) -> dict[str, Any]:
    """A layout whose axes both run from 0 to 1."""
    for name in ("xaxis", "yaxis"):
        shared[name] |= {"range": [-0.01, 1.02], "tick0": 0, "dtick": 0.2}
    return shared


def diagonal() -> dict[str, Any]:
    """The line y = x."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": "#9ca3af", "width": 1, "dash": "dot"},
        "showlegend": False,
        "hoverinfo": "skip",
    }


def matrix(result: Matrix) -> Figure:
    """A heat map (the app has a livelier view; this is for reports and for metrics it does not know)."""
    heat = {
        "type": "heatmap",
        "z": packed(result.counts),
        "x": [plain(c) for c in result.columns],
        "y": [plain(r) for r in result.rows],
        "colorscale": "Blues",
        "colorbar": {"thickness": 10},
    }
    shared = layout(axis(result.column_name), axis(result.row_name))
    shared["yaxis"]["autorange"] = "reversed"
    return {"data": [heat], "layout": shared}


def distribution(result: Distribution, k: int = 0) -> Figure:
    """Stacked bars, groups told apart by colour and pattern."""
    centers, widths = (result.edges[1:] + result.edges[:-1]) / 2, np.diff(result.edges)
    palette = {"correct": "#0f9f6e", "wrong": "#d9480f"}
    traces = []
    for i, (group, counts) in enumerate(result.counts.items()):
        span = np.stack([result.edges[:-1], result.edges[1:]], 1)
        traces.append(
            {
                "type": "bar",
                "name": f"ui.group.{group}",
                "x": packed(centers),
                "y": packed(counts),
                "width": packed(widths),
                "customdata": [[float(a), float(b), group, k] for a, b in span],
                "marker": {
                    "color": palette.get(group, COLORS[(k + i) % 4]),
                    "pattern": {"shape": "/" if group == "wrong" else ""},
                },
                "hovertemplate": "%{customdata[0]:.2f} – %{customdata[1]:.2f}<br>%{y}<extra></extra>",
            }
        )
    return {"data": traces, "layout": layout(axis(result.name or "value"), "ui.axis.count", barmode="stack")}


def timeline(result: Timeline) -> Figure:
    """Series over frames, events as marks on the axis."""
    traces = [line(result.frames, values, name, i) for i, (name, values) in enumerate(result.series.items())]
    if result.events:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "events",
                "x": [e[0] for e in result.events],
                "y": [0] * len(result.events),
                "text": [f"{e[1]}: {e[2]}" for e in result.events],
                "marker": {"symbol": "x", "color": "#d9480f"},
            }
        )
    return {"data": traces, "layout": layout("ui.axis.frame", "ui.axis.value")}


def class_table(result: ClassTable) -> Figure:
    """Every rate as grouped bars over classes."""
    traces = [
        {"type": "bar", "name": name, "x": [plain(c) for c in result.classes], "y": packed(values)}
        for name, values in result.columns.items()
        if np.asarray(values).dtype.kind == "f"
    ]
    return {"data": traces, "layout": layout("ui.axis.class", "ui.axis.value", barmode="group")}


def scalars(result: Scalars) -> Figure:
    """Bars with their intervals."""
    names = [n for n, v in result.values.items() if np.isfinite(v)]
    values = np.array([result.values[n] for n in names])
    bounds = np.array([result.intervals.get(n, (result.values[n],) * 2) for n in names]).reshape(-1, 2)
    error = {"type": "data", "symmetric": False, "array": list(bounds[:, 1] - values)}
    error["arrayminus"] = list(values - bounds[:, 0])
    bar = {"type": "bar", "x": names, "y": packed(values), "error_y": error}
    return {"data": [bar], "layout": layout("", "ui.axis.value")}


DRAW: Mapping[type, Callable[..., Figure]] = {
    Scalars: scalars,
    ClassTable: class_table,
    Curves: curves,
    Matrix: matrix,
    Distribution: distribution,
    Timeline: timeline,
}


def draw(result: MetricResult) -> Figure:
    """Any result as a figure; what a metric without a view of its own gets."""
    return DRAW[type(result)](result)
