"""Classes in which a run gains or loses: a table, the largest loss first, and a chart with the intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.comparing.shapes import ClassDifferences, Comparison
from dashboard.explore.comparing.shown import breakable, color, entry, marker, run_names, said
from dashboard.explore.overview import Data, json_number

MOST_DRAWN = 24
FEWEST = 6
"""Samples that differ, all one way, from which the sign test says that it is no chance: 2 / 2**6 is below 0.05."""
GREY = "#9ca3af"
NO_BAR = [1e9, 2e9]
"""A range no number reaches, so that the table draws no bar under a difference."""


def class_names(comparison: Comparison) -> list[str]:
    """The per-class metrics there are, those first whose differences have intervals."""
    return [c.metric for c in sorted(comparison.classes, key=lambda c: not np.isfinite(c.low).any())]


def order_of(found: ClassDifferences, run: int, baseline: int) -> NDArray[np.int64]:
    """Class numbers, the largest loss first; those without a difference are left out."""
    gap = found.values[run] - found.values[baseline]
    known = np.flatnonzero(np.isfinite(gap))
    return known[np.argsort(gap[known], kind="stable")]


def told(found: ClassDifferences, run: int, baseline: int) -> NDArray[np.int8]:
    """(C,) 1 where a class is better, -1 where worse, 0 where it may be either.

    The interval has to leave zero out, and the difference to be worth ``FEWEST`` of the class's samples: fewer may all
    point one way by chance (the sign test), which an interval from so few cannot know.
    """
    with np.errstate(invalid="ignore"):
        worth = np.abs(found.values[run] - found.values[baseline]) * found.support >= FEWEST - 1e-9
        sign = (found.low[run] > 0).astype(np.int8) - (found.high[run] < 0).astype(np.int8)
    return np.where(worth, sign, 0).astype(np.int8)


def class_table(comparison: Comparison, metric: str, run: int) -> Data:
    """One row a class: its support, both values, the difference with its interval, and what that says, or why nothing.

    Where no class has an interval, nothing can be said, and these columns are left out. ``classes`` has the class names
    of the rows.
    """
    found = _of(comparison, metric)
    gap = found.values[run] - found.values[comparison.baseline]
    names = run_names(comparison.runs)
    rows, sign = [], told(found, run, comparison.baseline)
    order = [*order_of(found, run, comparison.baseline).tolist(), *np.flatnonzero(~np.isfinite(gap)).tolist()]
    for c in order:
        word = f"ui.vs.word.{_says(int(sign[c]), gap[c], found.low[run, c], found.high[run, c])}"
        values = (found.values[comparison.baseline, c], found.values[run, c], gap[c], found.low[run, c])
        numbers = [json_number(float(v)) for v in (*values, found.high[run, c])]
        rows.append([found.classes[c], int(found.support[c]), *numbers, word])
    key = entry(comparison.task, metric)
    told_apart = bool(np.isfinite(found.low[run]).any())
    columns: list[Data] = [
        {"label": "ui.class", "kind": "name"},
        SUPPORT.get(comparison.task, {"explain": "support", "short": "ui.short.support"}) | {"kind": "count"},
        {"text": breakable(names[comparison.baseline]), "kind": "rate"},
        {"text": breakable(names[run]), "kind": "rate"},
        {"explain": "vs_class_difference", "short": "ui.vs.difference", "kind": "rate", "range": NO_BAR},
        {"label": "ui.vs.low", "kind": "rate", "range": NO_BAR},
        {"label": "ui.vs.high", "kind": "rate", "range": NO_BAR},
        {"label": "ui.vs.says", "kind": "word"},
    ]
    shown = len(columns) if told_apart else len(columns) - 3
    return {
        "key": f"{metric} {run} {comparison.baseline} " + " ".join(r.id for r in comparison.runs),
        "columns": columns[:shown],
        "rows": [row[:shown] for row in rows],
        "classes": [found.classes[c] for c in order],
        "metric": key,
        "sort": None,
    }


def _says(sign: int, gap: float, low: float, high: float) -> str:
    """What a class's difference and its interval say, or why they say nothing; ``sign`` is what ``told`` says."""
    if sign:
        return "better" if sign > 0 else "worse"
    if not np.isfinite(gap):
        return "none"
    if gap and not np.isfinite(low):
        return "few"
    return "thin" if low > 0 or high < 0 else "same"


SUPPORT: dict[str, Data] = {
    "detection": {"explain": "objects"},
    "instance-segmentation": {"explain": "objects"},
    "semantic-segmentation": {"explain": "pixels", "short": "ui.vs.pixels"},
    "tracking": {"explain": "trk_support"},
}
"""What a class's support is counted in."""


def class_chart(comparison: Comparison, metric: str, run: int) -> figures.Figure:
    """Both values of a class joined by a line, the largest loss on top; where it is told, the line is thick.

    With more classes than fit, those that lose and gain most. A point's ``customdata`` is [class].
    """
    found = _of(comparison, metric)
    base, names = comparison.baseline, run_names(comparison.runs)
    order = order_of(found, run, base)
    if len(order) > MOST_DRAWN:
        order = np.concatenate([order[: MOST_DRAWN // 2], order[-MOST_DRAWN // 2 :]])
    sign = told(found, run, comparison.baseline)
    labels = [figures.plain(found.classes[c]) for c in order]
    traces: list[Data] = []
    for strong in (False, True):
        x: list[float | None] = []
        y: list[str | None] = []
        for c, label in zip(order.tolist(), labels, strict=True):
            if bool(sign[c]) == strong:
                x += [float(found.values[base, c]), float(found.values[run, c]), None]
                y += [label, label, None]
        width, name = (4, "ui.vs.told") if strong else (1.2, "ui.vs.untold")
        line = {"color": GREY, "width": width, "dash": "solid" if strong else "dot"}
        traces.append({"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line} | SKIPPED)
    for k in (base, run):
        text = [_interval(found, c, run) for c in order]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": figures.plain(names[k]),
                "x": found.values[k, order].tolist(),
                "y": labels,
                "marker": marker(k, 10, color=color(k)),
                "customdata": [[found.classes[c], t] for c, t in zip(order, text, strict=True)],
                "hovertemplate": f"{figures.plain(names[k])}<br>%{{y}} %{{x:.3f}}<br>%{{customdata[1]}}<extra></extra>",
            }
        )
    shared = figures.layout(said(comparison.task, metric), "", showlegend=True)
    shared["yaxis"] = {"type": "category", "autorange": "reversed", "automargin": True, "title": {"text": ""}}
    shared["yaxis"] |= {"categoryorder": "array", "categoryarray": labels, "dtick": 1, "tickfont": {"size": 10}}
    shared["xaxis"] |= {"range": _span(found.values[[base, run]][:, order])}
    shared["uirevision"] = f"{metric} {run} {base}"
    return {"data": traces, "layout": shared, "explain": "chart_vs_classes"}


SKIPPED = {"hoverinfo": "skip"}


def _span(values: NDArray[np.float64]) -> list[float]:
    """The part of 0..1 that has all values, with room for the marks."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    room = max(0.05, 0.06 * (high - low))
    return [max(-0.03, low - room), min(1.03, high + room)]


def _interval(found: ClassDifferences, c: int, run: int) -> str:
    """The interval of a class's difference in words."""
    low, high = found.low[run, c], found.high[run, c]
    return f"Δ 95 %: {low:+.3f} … {high:+.3f}" if np.isfinite(low) and np.isfinite(high) else ""


def _of(comparison: Comparison, metric: str) -> ClassDifferences:
    return next((c for c in comparison.classes if c.metric == metric), comparison.classes[0])
