"""Charts over runs; each point knows the samples it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard import figures
from dashboard.explore.overview import Data, class_columns, shown_classes
from dashboard.explore.thresholds import truth_of
from dashboard.predictions import class_scores
from dashboard.results import Curves, Distribution, Scalars
from dashboard.store import Run

KNOWN_CHARTS = ("roc", "pr", "reliability", "confidence")


def charts(runs: Sequence[Run]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = list(dict.fromkeys(name for run in runs for name in run.results()))
    short = {name.rpartition(".")[2]: name for name in found}
    known = [k for k in KNOWN_CHARTS if k in short]
    handled = {short[k] for k in known} | {n for n in found if n.endswith((".scores", ".per_class", ".confusion"))}
    return known + [n for n in found if n not in handled]


def chart(runs: Sequence[Run], kind: str, label: int | None = None, focus: int = 0) -> figures.Figure:
    """One chart over runs. Points carry (class, threshold) or (low, high, group), so that a click finds its samples."""
    results = [{n.rpartition(".")[2]: r for n, r in run.results().items()} | run.results() for run in runs]
    present = [(k, r[kind]) for k, r in enumerate(results) if kind in r]
    first = present[0][1]
    if kind in ("roc", "pr") and isinstance(first, Curves):
        return _curves(runs, [(k, c) for k, c in present if isinstance(c, Curves)], kind, label, focus)
    if kind == "reliability" and isinstance(first, Curves):
        return _reliability([(runs[k].model, k, c) for k, c in present if isinstance(c, Curves)])
    if isinstance(first, Distribution):
        return figures.distribution(dict(present).get(focus, first), focus)  # type: ignore[arg-type]
    figure = figures.draw(first)
    for k, result in present[1:]:
        if isinstance(result, (Curves, Scalars)):
            more = figures.draw(result)["data"]
            figure["data"] += [t | {"name": f"{runs[k].model} {t.get('name', '')}"} for t in more]
    return figure


def _curves(
    runs: Sequence[Run], present: Sequence[tuple[int, Curves]], kind: str, label: int | None, focus: int
) -> figures.Figure:
    """ROC or PR: every run's average and the focused run's classes as thin lines, or the picked class, marked."""
    traces: list[Data] = [figures.diagonal()] if kind == "roc" else []
    for k, curves in present:
        names, classes = runs[k].classes, list(curves.labels)
        if k == focus and label is None and len(shown_classes(runs[k], class_columns(runs[k])[1])) <= 12:
            for name in names:
                if name in classes:
                    faint = {"color": "#9ca3af", "width": 1, "dash": "solid"}
                    traces.append(
                        _class_line(
                            curves, classes.index(name), names.index(name), name, k, line=faint, showlegend=False
                        )
                    )
        if label is None:
            average = next((a for a in ("macro average", "micro average") if a in classes), None)
            if average:
                i, area = classes.index(average), curves.areas.get(average, np.nan)
                title = f"{runs[k].model} · {average}" + (f" {area:.3f}" if np.isfinite(area) else "")
                line = figures.line(curves.x[i], curves.y[i], title, k)
                traces.append(line | {"hovertemplate": figures.hover(title, curves.x_name, curves.y_name)})
        elif names[label] in classes:
            i, area = classes.index(names[label]), curves.areas.get(names[label], np.nan)
            title = f"{runs[k].model} · {names[label]}" + (f" {area:.3f}" if np.isfinite(area) else "")
            traces.append(_class_line(curves, i, label, title, k))
            traces += _marks(runs[k], label, kind, k)
    shared = figures.unit_square(figures.layout(figures.axis(present[0][1].x_name), figures.axis(present[0][1].y_name)))
    if kind == "pr":  # AP adds up steps, so that is what is drawn
        for trace in traces:
            if trace["mode"] == "lines":
                trace["line"] = trace["line"] | {"shape": "vh"}
    shared["uirevision"] = f"{kind}-{label}"
    return {"data": traces, "layout": shared}


def _class_line(curves: Curves, i: int, label: int, name: str, k: int, **more: Any) -> Data:
    """A class's curve whose points say which class and threshold they are."""
    trace = figures.line(curves.x[i], curves.y[i], name, k, **more)
    if curves.thresholds is not None:
        t = np.nan_to_num(np.asarray(curves.thresholds[i], float), posinf=1.0000001)
        trace["customdata"] = [[label, float(v), k] for v in t]
        trace["hovertemplate"] = (
            f"{figures.plain(name)}<br>x %{{x:.3f}} · y %{{y:.3f}} · t %{{customdata[1]:.3f}}<extra></extra>"
        )
    return trace


def _marks(run: Run, label: int, kind: str, k: int) -> list[Data]:
    """Youden's point and the best-F1 point on a class's curve, from exact counts."""
    _, columns = class_columns(run)
    scores, positive = class_scores(run.predictions_path, label), truth_of(run, label)
    found = []
    for name, symbol in (("youden", "triangle-up"), ("best_f1", "diamond")):
        t = columns[f"{name}_threshold"][label]
        if not np.isfinite(t):
            continue
        passed = scores >= t
        tp, fp = int((passed & positive).sum()), int((passed & ~positive).sum())
        recall, fpr, precision = tp / positive.sum(), fp / (~positive).sum(), tp / max(1, tp + fp)
        x, y = (fpr, recall) if kind == "roc" else (recall, precision)
        marker = {"symbol": symbol, "size": 11, "color": figures.COLORS[k % 4], "line": {"color": "#fff", "width": 1}}
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"explain.{name}.name",
                "x": [x],
                "y": [y],
                "marker": marker,
                "customdata": [[label, float(t), k]],
                "hovertemplate": f"t {t:.3f}<br>x %{{x:.3f}} · y %{{y:.3f}}<extra></extra>",
                "showlegend": k == 0,
            }
        )
    return found


def _reliability(present: Sequence[tuple[str, int, Curves]]) -> figures.Figure:
    """Accuracy against confidence; a point's size is its share of the samples."""
    traces: list[Data] = [figures.diagonal()]
    for name, k, curves in present:
        counts = np.asarray(curves.weights[0]) if curves.weights is not None else np.ones(len(curves.x[0]))
        bins = 15
        low = np.minimum((np.asarray(curves.x[0]) * bins).astype(int), bins - 1) / bins
        trace = figures.line(curves.x[0], curves.y[0], name, k, mode="lines+markers")
        trace["marker"] = {
            "symbol": figures.SYMBOLS[k % 4],
            "color": figures.COLORS[k % 4],
            "size": list(6 + 14 * np.sqrt(counts / max(1, counts.sum()))),
        }
        edges = zip(low, counts, strict=True)
        trace["customdata"] = [[float(a), float(a + 1 / bins), None, k, int(n)] for a, n in edges]
        trace["hovertemplate"] = (
            f"{figures.plain(name)}<br>%{{x:.3f}} → %{{y:.3f}}<br>n %{{customdata[4]}}<extra></extra>"
        )
        traces.append(trace)
    shared = figures.unit_square(figures.layout("ui.axis.confidence", "ui.axis.accuracy"))
    return {"data": traces, "layout": shared}
