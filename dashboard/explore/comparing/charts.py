"""Charts of a comparison: differences with their intervals, and how good a run is for what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.comparing.recorded import latency, same_model
from dashboard.comparing.shapes import Comparison, Difference, Figure
from dashboard.explore.comparing.deciding import verdict
from dashboard.explore.comparing.shown import color, digits, marker, run_names, said
from dashboard.explore.overview import Data
from dashboard.store import Run

COSTS = ("latency", "profile_latency", "params", "macs", "size_mb", "memory_mb")
"""What a run may cost: its own batch-1 latency; and of its model's profile: latency, parameters, MACs, size, memory."""
MOST_METRICS = 10
LOG_FROM = 20
"""Costs are drawn on a logarithmic axis if the largest is this many times the smallest."""
GREY = "#9ca3af"


def forest(comparison: Comparison, name: str) -> figures.Figure:
    """Gains over the baseline with their intervals: the first metrics that have the unit of the one called ``name``.

    Of a metric whose low values are good the sign is turned, so that right is better everywhere; what the data cannot
    show is drawn faintly. If neither is good, differences as they are, of metrics of that kind. A point's
    ``customdata`` is [run, difference as it is, verdict as a text key].
    """
    first = comparison.figure(name)
    neutral = first.higher_is_better is None
    alike = [f for f in comparison.figures if f.unit == first.unit and not f.recorded]
    wanted = [f for f in alike if (f.higher_is_better is None) == neutral]
    wanted = [f for f in wanted if f.name == name or wanted.index(f) < MOST_METRICS]
    found = {(d.run, d.metric): d for d in comparison.differences if np.isfinite(d.value)}
    traces = []
    for run, title in enumerate(run_names(comparison.runs)):
        pairs = [(f, found[run, f.name]) for f in wanted if (run, f.name) in found]
        if pairs:
            traces.append(_gains(comparison, run, figures.plain(title), pairs))
    shared = figures.layout(
        "ui.vs.difference" if neutral else "ui.vs.gain", "", scattermode="group", scattergap=0.4, showlegend=True
    )
    shared["yaxis"] = {"type": "category", "autorange": "reversed", "automargin": True, "title": {"text": ""}}
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    shared["xaxis"] |= {"nticks": 5, "tickangle": 0}
    shared["shapes"] = [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": line}]
    shared["uirevision"] = f"forest {first.unit} {comparison.baseline}"
    return {"data": traces, "layout": shared, "explain": "chart_vs_forest"}


def _sign(figure: Figure) -> int:
    """-1 where low is good, else 1."""
    return -1 if figure.higher_is_better is False else 1


def _gains(comparison: Comparison, run: int, title: str, pairs: Sequence[tuple[Figure, Difference]]) -> Data:
    """One run's gains."""
    up = [(d.high - d.value, d.value - d.low)[:: _sign(f)] for f, d in pairs]
    verdicts = [verdict(f, d) for f, d in pairs]
    shown = f"%{{customdata[1]:+.{digits(pairs[0][0])}f}} {pairs[0][0].unit}"
    error = {"type": "data", "symmetric": False, "thickness": 1.6, "width": 4, "color": color(run)}
    return {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "name": title,
        "x": [d.value * _sign(f) for f, d in pairs],
        "y": [said(comparison.task, f.name) for f, _ in pairs],
        "error_x": error | {"array": [_length(a) for a, _ in up], "arrayminus": [_length(b) for _, b in up]},
        "marker": marker(run, opacity=[0.4 if v in ("same", "unknown") else 1.0 for v in verdicts]),
        "customdata": [[run, d.value, f"ui.vs.word.{v}"] for (_, d), v in zip(pairs, verdicts, strict=True)],
        "hovertemplate": f"{title}<br>%{{y}} {shown}<extra></extra>",
    }


def _length(value: float) -> float | str:
    """An error bar's length; what is no number is drawn as none."""
    return float(max(value, 0.0)) if np.isfinite(value) else "none"


def costs_known(comparison: Comparison, profiles: Sequence[Run] = ()) -> dict[str, NDArray[np.float64]]:
    """(R,) of each cost that at least two runs have; NaN for the others.

    Args:
        comparison: the runs.
        profiles: stored profiles (runs of the task "profile"), the newest first; a run's is that of the same model.
    """
    table = {name: np.full(len(comparison.runs), np.nan) for name in COSTS}
    for figure in comparison.figures:
        if figure.recorded and figure.name in COSTS:
            table[figure.name] = figure.values.copy()
    for k, run in enumerate(comparison.runs):
        table["latency"][k] = latency(run)
        kept = next((p.facts.get("profile") for p in profiles if same_model(p, run)), None)
        for name, value in _profiled(kept or {}).items():
            if value is not None:
                table[name][k] = float(value)
    return {name: values for name, values in table.items() if np.isfinite(values).sum() > 1}


def _profiled(facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Costs as a stored profile has them."""
    size, memory = facts.get("size_bytes"), facts.get("memory_mb") or {}
    plain: Mapping[str, Any] = next(iter(facts.get("variants") or []), {})
    return {
        "profile_latency": (plain.get("latency_ms") or {}).get("p50"),
        "params": facts.get("params"),
        "macs": facts.get("macs"),
        "size_mb": None if size is None else size / 1e6,
        "memory_mb": memory.get("gpu_peak") or memory.get("peak"),
    }


def front(cost: NDArray[np.float64], value: NDArray[np.float64], higher_is_better: bool) -> list[int]:
    """The Pareto front, cheapest first: runs than which no other is both cheaper and better (or equal in one)."""
    gain = value if higher_is_better else -value
    known = np.flatnonzero(np.isfinite(cost) & np.isfinite(gain))
    order = known[np.lexsort((-gain[known], cost[known]))]
    found, best = [], -np.inf
    for k in order.tolist():
        if gain[k] > best:
            found.append(k)
            best = gain[k]
    return found


def scatter(comparison: Comparison, name: str, cost: str, costs: Mapping[str, NDArray[np.float64]]) -> figures.Figure:
    """A metric against a cost, a mark a run; the Pareto front as a line of steps.

    A point's ``customdata`` is [run].
    """
    figure, x = comparison.figure(name), costs[cost]
    better = figure.higher_is_better is not False
    names = run_names(comparison.runs)
    best = [] if figure.higher_is_better is None else front(x, figure.values, better)
    traces: list[Data] = []
    if len(best) > 1:
        line = {"color": GREY, "width": 1.5, "dash": "dash", "shape": "hv"}
        traces.append(
            {"type": "scatter", "mode": "lines", "name": "ui.vs.front", "line": line, "hoverinfo": "skip"}
            | {"x": x[best].tolist(), "y": figure.values[best].tolist()}
        )
    for k, run in enumerate(names):
        if not (np.isfinite(x[k]) and np.isfinite(figure.values[k])):
            continue
        traces.append(_mark(figure, k, run, float(x[k])))
    shared = figures.layout(f"ui.vs.cost.{cost}", said(comparison.task, name), showlegend=True)
    known = x[np.isfinite(x)]
    if known.min() > 0 and known.max() / known.min() > LOG_FROM:
        shared["xaxis"] |= {"type": "log", "dtick": "D2" if known.max() / known.min() < 300 else 1}
    shared["uirevision"] = f"{name}/{cost}/{comparison.baseline}"
    return {"data": traces, "layout": shared, "explain": "chart_vs_pareto"}


def _mark(figure: Figure, k: int, name: str, x: float) -> Data:
    """One run, with the interval of its value."""
    value, (low, high) = float(figure.values[k]), figure.intervals[k]
    shown = f"%{{y:.{digits(figure)}f}} {figure.unit}"
    error = {"type": "data", "symmetric": False, "array": [_length(high - value)], "arrayminus": [_length(value - low)]}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": figures.plain(name),
        "x": [x],
        "y": [value],
        "error_y": error | {"thickness": 1.4, "width": 4, "color": color(k)},
        "marker": marker(k, 12),
        "customdata": [[k]],
        "hovertemplate": f"{figures.plain(name)}<br>%{{x:.4g}}<br>{shown}<extra></extra>",
    }
