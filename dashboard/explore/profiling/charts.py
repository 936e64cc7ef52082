"""Charts over profiles: stages, throughput over batch sizes, cold start, memory, and what a faster way is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import figures
from dashboard.explore.overview import Data
from dashboard.explore.profiling.opened import Opened, names_of
from dashboard.explore.profiling.tables import metric_of
from dashboard.profiling.shapes import Variant

STAGES = (("preprocess", "ui.cmp.stage.pre"), ("forward", "ui.cmp.stage.fwd"), ("postprocess", "ui.cmp.stage.post"))
STARTS = (("import_s", "ui.prf.start.import"), ("load_s", "ui.prf.start.load"), ("first_s", "ui.prf.start.first"))
MEMORY = ("before", "loaded", "steady", "peak", "gpu_steady", "gpu_peak")
SEGMENTS = ("#64748b", figures.COLORS[0], "#d9a514")
"""Of stages and of the parts of a start: none is a model's colour but the network's own."""
PATTERNS = ("", "/", ".", "x")
MARKS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon")
"""One a way of running."""
APART = 20
"""How many times faster one line may be than another before the scale is a log, on which the slower one is seen."""


def stages(views: Sequence[Opened]) -> figures.Figure:
    """Where the time of one picture goes."""
    ways = [v.usual for v in views]
    values = [{} if w is None else w.stages_ms for w in ways]
    return _stacked(names_of(views), values, STAGES, "ui.axis.ms", "%{x:.3g} ms") | {"explain": "latency_stages"}


def cold_start(views: Sequence[Opened]) -> figures.Figure:
    """What a fresh process takes until its first answer."""
    values = [v.profile.cold_start for v in views]
    return _stacked(names_of(views), values, STARTS, "ui.axis.s", "%{x:.3g} s") | {"explain": "prf_cold_start"}


def _stacked(
    names: Sequence[str],
    values: Sequence[Mapping[str, float]],
    parts: Sequence[tuple[str, str]],
    title: str,
    said: str,
) -> figures.Figure:
    """One bar a model, its parts one after another, the first model on top."""
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": label,
            "x": [v.get(key) for v in values],
            "y": [figures.plain(n) for n in names],
            "marker": {"color": SEGMENTS[k % 3], "pattern": {"shape": ("", "", "/")[k % 3]}},
            "hovertemplate": f"%{{y}}<br>{said}",
        }
        for k, (key, label) in enumerate(parts)
    ]
    shared = figures.layout(title, "", barmode="stack")
    shared["yaxis"] = {"type": "category", "autorange": "reversed", "automargin": True}
    shared["xaxis"] |= {"rangemode": "tozero"}
    shared["legend"] |= {"traceorder": "normal"}
    shared["bargap"] = 0.5 if len(names) < 3 else 0.3
    return {"data": traces, "layout": shared}


def throughput(views: Sequence[Opened], ways_of: Opened | None = None) -> figures.Figure:
    """Pictures a second over batch sizes: a line a model, or a line a way of one model."""
    if ways_of is None:
        lines = [(n, v.usual) for n, v in zip(names_of(views), views, strict=True)]
        told = [_line(figures.plain(n), way, figures.COLORS[k % 4], k) for k, (n, way) in enumerate(lines)]
    else:
        colour = figures.COLORS[next((k for k, v in enumerate(views) if v is ways_of), 0) % 4]
        told = [_line(f"ui.prf.way.{w.name}", w, colour, k) for k, w in enumerate(ways_of.ran)]
    traces = [trace for trace in told if trace is not None]
    sizes = sorted({b for trace in traces for b in trace["x"]})
    shared = figures.layout("ui.axis.batch", "ui.axis.per_s")
    shared["xaxis"] |= {"type": "log", "tickvals": sizes, "ticktext": [str(s) for s in sizes]}
    tops = [max(trace["y"]) for trace in traces]
    apart = len(tops) > 1 and max(tops) > APART * min(tops) > 0
    shared["yaxis"] |= {"type": "log"} if apart else {"rangemode": "tozero"}
    return {"data": traces, "layout": shared, "explain": "throughput_vs_batch"}


def _line(name: str, way: Variant | None, colour: str, k: int) -> Data | None:
    """One line over batch sizes."""
    if way is None or not way.throughput:
        return None
    points = sorted((int(b), float(t)) for b, t in way.throughput.items())
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [b for b, _ in points],
        "y": [t for _, t in points],
        "line": {"color": colour, "dash": figures.DASHES[k % 4], "width": 2},
        "marker": {"symbol": MARKS[k % len(MARKS)], "size": 7, "color": colour},
        "hovertemplate": "× %{x}<br>%{y:.4g}/s",
    }


def memory(views: Sequence[Opened]) -> figures.Figure:
    """Memory of the process before, after loading, while it runs, and at most."""
    keys = [k for k in MEMORY if any(k in v.profile.memory_mb for v in views)]
    traces = [
        {
            "type": "bar",
            "name": figures.plain(name),
            "x": [f"ui.prf.memory.{k}" for k in keys],
            "y": [view.profile.memory_mb.get(k) for k in keys],
            "marker": {"color": figures.COLORS[i % 4], "pattern": {"shape": PATTERNS[i % 4]}},
            "hovertemplate": "%{x}<br>%{y:.4g} MB",
        }
        for i, (view, name) in enumerate(zip(views, names_of(views), strict=True))
    ]
    shared = figures.layout("", "ui.axis.mb", barmode="group")
    shared["xaxis"] = {"type": "category"}
    return {"data": traces, "layout": shared, "explain": "steady_memory"}


def ways(views: Sequence[Opened]) -> figures.Figure:
    """Latency of every way: the median as a bar, up to p99 as a whisker."""
    traces = []
    for i, (view, name) in enumerate(zip(views, names_of(views), strict=True)):
        ran = [w for w in view.ran if "p50" in w.latency_ms]
        middle = [w.latency_ms["p50"] for w in ran]
        above = [w.latency_ms.get("p99", m) - m for w, m in zip(ran, middle, strict=True)]
        trace: dict[str, Any] = {
            "type": "bar",
            "name": figures.plain(name),
            "x": [f"ui.prf.way.{w.name}" for w in ran],
            "y": middle,
            "error_y": {"type": "data", "symmetric": False, "array": above, "arrayminus": [0.0] * len(above)},
            "marker": {"color": figures.COLORS[i % 4], "pattern": {"shape": PATTERNS[i % 4]}},
            "hovertemplate": "%{x}<br>p50 %{y:.4g} ms",
        }
        trace["error_y"] |= {"thickness": 1.2, "color": "#8a8f98"}
        traces.append(trace)
    shared = figures.layout("", "ui.axis.ms", barmode="group")
    shared["xaxis"] = {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared, "explain": "latency_percentiles"}


def worth(views: Sequence[Opened]) -> figures.Figure | None:
    """Accuracy against latency, a point a way: lower right loses on both. None if no accuracy was measured.

    Of models of several tasks those of the first one's: another task's metric has no place on the same axis.
    """
    metric, entry = next((found for view in views if (found := metric_of(view))[0]), ("", ""))
    if not metric:
        return None
    traces: list[Data] = []
    for i, (view, name) in enumerate(zip(views, names_of(views), strict=True)):
        ran = [w for w in view.ran if "p50" in w.latency_ms and w.accuracy.get(metric) is not None]
        if metric_of(view)[0] != metric:
            continue
        order = sorted(range(len(ran)), key=lambda k: ran[k].latency_ms["p50"])
        ranks = [order.index(k) for k in range(len(ran))]  # neighbours have their names above and below
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": figures.plain(name),
                "x": [w.latency_ms["p50"] for w in ran],
                "y": [w.accuracy[metric] for w in ran],
                "text": [f"ui.prf.way.{w.name}" for w in ran],
                "textposition": ["bottom center" if rank % 2 else "top center" for rank in ranks],
                "textfont": {"size": 10},
                "marker": {
                    "color": figures.COLORS[i % 4],
                    "symbol": [MARKS[view.profile.variants.index(w) % len(MARKS)] for w in ran],
                    "size": 11,
                },
                "hovertemplate": "%{text}<br>%{x:.4g} ms · %{y:.4f}",
            }
        )
    shared = figures.layout("ui.axis.ms", f"explain.{entry}.name")
    shared["yaxis"] |= {"range": _room([float(y) for trace in traces for y in trace["y"]]), "automargin": True}
    shared["xaxis"] |= {"range": _room([0.0, *(float(x) for trace in traces for x in trace["x"])])}
    return {"data": traces, "layout": shared, "explain": "accuracy_cost"}


def _room(values: Sequence[float]) -> list[float]:
    """A range with room around values for what is written beside them, equal values too."""
    low, high = min(values), max(values)
    room = max(0.18 * (high - low), 1e-3 * abs(high), 1e-6)
    return [low - room, high + room]
