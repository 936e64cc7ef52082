"""Operating points as a table, a chart and a table of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard import figures
from dashboard.explore.comparing.shown import DASHES, SYMBOLS, color
from dashboard.explore.overview import Data, json_number
from dashboard.explore.slicing.marks import marked
from dashboard.metrics.costs import THRESHOLDS
from dashboard.operating.points import ClassPoints, OperatingPoint

COLUMNS = ("cost_threshold_now", "cost_threshold", "cost_now", "cost_best", "cost_fitted", "cost_gain")


FEW: Data = {"key": "ui.cost.few"}
KEEP: Data = {"key": "ui.cost.keep"}


def threshold(value: Any) -> float | str | None:
    """For a table: infinite is its own text."""
    number = float(value)
    return "∞" if np.isinf(number) else json_number(number)


def best(value: Any, few: Any = False) -> Any:
    """The best threshold for a table: words where there is none."""
    return FEW if few else KEEP if np.isnan(value) else threshold(value)


def span(low: float, high: float) -> str:
    """An interval in few digits; a dash where there is none."""
    return f"{low:+.3g} … {high:+.3g}".replace("-", "−") if np.isfinite([low, high]).all() else "–"


def points_table(points: Sequence[OperatingPoint], names: Sequence[str], key: str = "") -> Data:
    """One row a run, by its name."""
    rows = []
    for k, (point, name) in enumerate(zip(points, names, strict=True)):
        c = point.choice
        numbers = [threshold(point.present), best(c.threshold, point.few)]
        numbers += [json_number(float(x)) for x in (c.now, *_unless(point.few, c.cost, c.fitted, c.fitted_gain))]
        verdict = {"key": f"ui.cost.{point.verdict}"}
        rows.append([marked(k, name), *numbers, span(point.low, point.high), verdict])
    most = max(float(x) for p in points for x in (p.choice.now, p.choice.cost)) or 1.0
    return {"key": key, "columns": [{"label": "ui.cost.run", "kind": "name"}, *_heads(most), *_ends()], "rows": rows,
            "still": True}  # fmt: skip


def _unless(few: Any, *values: Any) -> tuple[Any, ...]:
    """What a choice gives; nothing where there were too few to choose by."""
    return tuple(np.nan for _ in values) if few else values


def _heads(most: float) -> list[Data]:
    scales = {"cost_threshold_now": [0, 1], "cost_threshold": [0, 1], "cost_gain": [0, most]}
    return [
        {"explain": name, "kind": "short", "short": f"ui.short.{name}", "range": scales.get(name, [0, most])}
        for name in COLUMNS
    ]


def _ends() -> list[Data]:
    return [
        {"explain": "cost_interval", "kind": "name", "short": "ui.short.cost_interval"},
        {"label": "ui.cost.verdict", "kind": "name"},
    ]


def curve_chart(points: Sequence[OperatingPoint], names: Sequence[str], key: str = "") -> figures.Figure:
    """Cost of a sample against the threshold: each run's curve, where it stands now, and its cheapest point."""
    traces: list[Data] = []
    finite = np.isfinite(THRESHOLDS)
    x = THRESHOLDS[finite]
    legend: set[str] = set()
    for k, (point, called) in enumerate(zip(points, names, strict=True)):
        name = figures.plain(called)
        line = figures.line(x, point.curve[finite], called, k, line={"color": color(k), "dash": DASHES[k], "width": 2})
        traces.append(line | {"hovertemplate": f"{name}<br>t %{{x:.3f}} · %{{y:.4g}}<extra></extra>"})
        cheapest = float(point.choice.threshold)
        marks = [(point.present, float(point.choice.now), f"{SYMBOLS[k % 4]}-open", "ui.cost.now")]
        if np.isfinite(cheapest) and not point.few:
            marks.append((cheapest, float(point.choice.cost), SYMBOLS[k % 4], "ui.cost.best"))
        for at, cost, sign, said in marks:
            if np.isnan(at):
                continue
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": said,
                    "showlegend": said not in legend,
                    "x": [at],
                    "y": [cost],
                    "marker": {
                        "symbol": sign,
                        "size": 11,
                        "color": color(k),
                        "line": {"width": 2, "color": color(k)},
                    },
                    "hovertemplate": f"{name}<br>t {at:.3f} · {cost:.4g}<extra></extra>",
                }
            )
            legend.add(said)
        if np.isnan(point.present):  # the most probable class has a cost, but no place on the axis
            level = float(point.choice.now)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "ui.cost.argmax",
                    "showlegend": k == 0,
                    "x": [0, 1],
                    "y": [level, level],
                    "line": {"color": color(k), "dash": "dot", "width": 1},
                    "hovertemplate": f"{name}<br>%{{y:.4g}}<extra></extra>",
                }
            )
    shared = figures.layout("ui.cost.axis.threshold", "ui.cost.axis.cost", uirevision=key)
    shared["xaxis"] |= {"range": [-0.01, 1.01]}
    shared["yaxis"] |= {"range": [0, _height(points)]}
    return {"data": traces, "layout": shared, "explain": "chart_cost"}


def _height(points: Sequence[OperatingPoint]) -> float:
    """Where the chart ends: answering everything may cost a hundred times what matters, and would flatten the rest."""
    ends = [x for p in points for x in (float(p.choice.now), float(p.curve[-1]), 3 * float(p.choice.cost))]
    most = max(float(p.curve.max()) for p in points)
    return 1.1 * min(most, max(ends)) or 1.0


def class_table(points: ClassPoints, key: str = "") -> Data:
    """One row a class of a run: its best threshold, and what it saves; the most that is saved first."""
    c = points.choice
    columns = (c.now, c.cost, c.fitted, c.fitted_gain)
    rows: list[list[Any]] = [
        [
            name,
            int(n),
            best(t, points.few[i]),
            *map(json_number, (c.now[i], *_unless(points.few[i], *(x[i] for x in columns[1:])))),
        ]
        for i, (name, n, t) in enumerate(zip(points.names, points.support, c.threshold, strict=True))
    ]
    labels = points.labels.tolist()
    if points.together is not None:  # what a threshold of each class its own adds up to, beside one for all
        one, total = points.together, [json_number(float(x.sum())) for x in columns]
        support = int(points.support.sum())
        shared = [json_number(float(x)) for x in (one.now, one.cost, one.fitted, one.fitted_gain)]
        rows.append([{"key": "ui.cost.row.own"}, support, None, *total])
        rows.append([{"key": "ui.cost.row.one"}, support, threshold(one.threshold), *shared])
        labels += [-1, -1]
    most = max((float(x) for row in rows for x in row[3:5] if x is not None), default=0) or 1.0
    heads: list[Data] = [{"label": "ui.class", "kind": "name"}, {"label": "ui.cost.support", "kind": "count"}]
    return {"key": key, "columns": heads + _heads(most)[1:], "rows": rows, "sort": [len(heads) + 4, -1],
            "labels": labels,}  # fmt: skip
