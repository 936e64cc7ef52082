"""Charts over detection runs; each point knows the objects it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard import figures
from dashboard.explore.detection.opened import Opened
from dashboard.explore.overview import Data
from dashboard.metrics.detection import tide
from dashboard.metrics.detection.evidence import Evidence
from dashboard.metrics.detection.matching import AREAS, IOUS
from dashboard.metrics.detection.metrics import iou_histogram, object_histogram, score_histogram
from dashboard.metrics.detection.operating import Point, sweep
from dashboard.metrics.detection.precision import RECALLS, mean
from dashboard.results import Distribution, Scalars

CHARTS = ("det_pr", "det_confidence", "tide", "ious", "sizes", "iou", "score", "objects")
OWN = ("coco", "operating", "voc", "tide", "masks")
"""Metrics whose results the charts above are about; what any other metric brings is charted as it is."""
POINTS = 300
PATTERNS = ("", "/", ".", "x")


def charts(views: Sequence[Opened]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = dict.fromkeys(name for v in views for name, r in v.run.results().items() if not isinstance(r, Scalars))
    return [*CHARTS, *(name for name in found if name.partition(".")[0] not in OWN)]


def chart(views: Sequence[Opened], kind: str, point: Point, label: int | None = None, focus: int = 0) -> figures.Figure:
    """One chart.

    A point's ``customdata`` is ``[selection, run]``: what a click on it selects, and the place of the run.
    """
    make = {
        "det_pr": _pr,
        "det_confidence": _confidence,
        "tide": _tide,
        "ious": _over_ious,
        "sizes": _sizes,
    }.get(kind)
    if make is not None:
        return make(views, point, label)
    if kind not in CHARTS:
        return figures.draw(views[focus].run.results()[kind])
    return _histogram(views[focus], kind, point, focus)


def _pr(views: Sequence[Opened], point: Point, label: int | None) -> figures.Figure:
    """Interpolated precision against recall at the point's IoU: the mean over classes, or one class's own curve."""
    traces: list[Data] = []
    for k, view in enumerate(views):
        found = view.accumulated
        if label is None:
            y = _mean_over_classes(found.precision[point.iou, :, :, 0])
            name = f"{view.run.model} · AP {point.threshold:.2f} {mean(y):.3f}"
            line = figures.line(RECALLS, y, name, k) | {"hovertemplate": figures.hover(name, "recall", "precision")}
            line["customdata"] = [[{"kind": "recall", "step": step}, k] for step in range(len(RECALLS))]
            traces.append(line)
            continue
        if not found.truths[label, 0]:
            continue
        curve = sweep(view.matches, point.iou, label=label)
        keep = _thinned(len(curve.confidence))
        exact = mean(found.precision[point.iou, :, label, 0])
        name = f"{view.run.model} · {view.names[label]} · AP {point.threshold:.2f} {exact:.3f}"
        recall, precision, at = curve.recall[keep], curve.precision[keep], curve.confidence[keep]
        traces.append(figures.line(recall, precision, name, k) | _scored(at, label, k, name, "recall", "precision"))
        step = figures.line(RECALLS, found.precision[point.iou, :, label, 0], name, k, showlegend=False, opacity=0.45)
        traces.append(step | {"hoverinfo": "skip", "hovertemplate": None})
        near = int(np.searchsorted(-curve.confidence, -point.confidence, "right")) - 1
        if near >= 0:
            marker = {"symbol": figures.SYMBOLS[k % 4], "size": 11, "color": figures.COLORS[k % 4]}
            traces.append(
                {"type": "scatter", "mode": "markers", "x": [curve.recall[near]], "y": [curve.precision[near]]}
                | {"marker": marker, "showlegend": False, "name": "ui.det.here"}
                | _scored(curve.confidence[near : near + 1], label, k, name, "recall", "precision")
            )
    shared = figures.unit_square(figures.layout("ui.axis.recall", "ui.axis.precision"))
    shared |= {"uirevision": f"det_pr-{label}", "showlegend": True}
    return {"data": traces, "layout": shared}


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    """(R, C) to (R,), classes without truth left out."""
    known = values[:, ~np.isnan(values[0])]
    return known.mean(axis=1) if known.size else np.full(len(values), np.nan)


def _thinned(count: int) -> np.ndarray:
    """Places of at most ``POINTS`` points."""
    return np.unique(np.linspace(0, count - 1, min(POINTS, count)).astype(int)) if count else np.empty(0, int)


def _scored(at: np.ndarray, label: int | None, k: int, name: str, x: str, y: str) -> Data:
    """Points that know their confidence and select what is at least as sure."""
    picks: list[Any] = [[{"kind": "score", "class": label, "low": float(t), "high": 2.0}, k, float(t)] for t in at]
    text = f"{figures.plain(name)}<br>{x} %{{x:.3f}} · {y} %{{y:.3f}} · t %{{customdata[2]:.3f}}<extra></extra>"
    return {"customdata": picks, "hovertemplate": text}


def _confidence(views: Sequence[Opened], point: Point, label: int | None) -> figures.Figure:
    """Precision, recall and F1 against confidence at the point's IoU; a line where the point is."""
    traces: list[Data] = []
    for k, view in enumerate(views):
        curve = sweep(view.matches, point.iou, point.most, label)
        keep = _thinned(len(curve.confidence))
        at = curve.confidence[keep]
        for name, dash in (("precision", "dash"), ("recall", "dot"), ("f1", "solid")):
            title = f"{view.run.model} · {name}"
            line = figures.line(at, getattr(curve, name)[keep], title, k)
            line["line"] = line["line"] | {"dash": dash, "width": 2 if name == "f1" else 1.4}
            traces.append(line | _scored(at, label, k, title, "confidence", name))
    shared = figures.unit_square(figures.layout("ui.axis.confidence", "ui.axis.value"))
    mark = {"type": "line", "x0": point.confidence, "x1": point.confidence, "y0": 0, "y1": 1, "yref": "paper"}
    shared["shapes"] = [mark | {"line": {"color": "#9ca3af", "width": 1, "dash": "dot"}}]
    shared["uirevision"] = f"det_confidence-{label}"
    return {"data": traces, "layout": shared}


def _tide(views: Sequence[Opened], point: Point, label: int | None) -> figures.Figure:
    """The AP50 that each cause of errors costs, and how often it occurs."""
    del point, label
    traces = []
    for k, view in enumerate(views):
        cost = tide.costs(view.matches, view.causes, len(view.names))
        often = tide.counts(view.causes)
        picks = [[{"kind": "cause", "cause": c}, k, often[c]] for c in tide.CAUSES]
        text = "%{x}<br>AP50 −%{y:.3f}<br>%{customdata[2]} ×<extra>" + figures.plain(view.run.model) + "</extra>"
        traces.append(
            _bars([f"ui.cause.{c}" for c in tide.CAUSES], [cost[c] for c in tide.CAUSES], view, k, picks, text)
        )
    return {"data": traces, "layout": figures.layout("", "ui.axis.ap_lost", barmode="group")}


def _bars(x: Sequence[Any], y: Sequence[float], view: Opened, k: int, picks: list[Any], text: str) -> Data:
    """A run's bars, told apart by colour and pattern."""
    marker = {"color": figures.COLORS[k % 4], "pattern": {"shape": PATTERNS[k % 4]}}
    known = [float(v) if np.isfinite(v) else None for v in y]
    return {
        "type": "bar",
        "name": figures.plain(view.run.model),
        "x": list(x),
        "y": known,
        "customdata": picks,
        "marker": marker,
        "hovertemplate": text,
    }


def _over_ious(views: Sequence[Opened], point: Point, label: int | None) -> figures.Figure:
    """AP against the matching IoU: the mean over classes, or of one."""
    traces = []
    for k, view in enumerate(views):
        p = view.accumulated.precision[..., 0]
        y = np.array([mean(p[t] if label is None else p[t, :, label]) for t in range(len(IOUS))])
        who = view.run.model if label is None else f"{view.run.model} · {view.names[label]}"
        line = figures.line(IOUS, y, who, k, mode="lines+markers")
        line["marker"] = {"symbol": figures.SYMBOLS[k % 4], "size": 7}
        line["customdata"] = [[{"kind": "loose", "iou": t, "class": label}, k] for t in range(len(IOUS))]
        traces.append(line | {"hovertemplate": figures.hover(who, "IoU", "AP")})
    shared = figures.layout("ui.axis.matching_iou", "ui.axis.ap")
    shared["yaxis"] |= {"range": [0, 1.02]}
    shared["xaxis"] |= {"tick0": 0.5, "dtick": 0.1}
    return {"data": traces, "layout": shared}


def _sizes(views: Sequence[Opened], point: Point, label: int | None) -> figures.Figure:
    """AP by the size of objects; a click shows the missed ones of that size."""
    traces = []
    names = list(AREAS)
    for k, view in enumerate(views):
        p, truths = view.accumulated.precision, view.accumulated.truths
        values = [mean(p[..., a] if label is None else p[:, :, label, a]) for a in range(len(names))]
        often = [int((truths[:, a] if label is None else truths[label, a]).sum()) for a in range(len(names))]
        picks = [[{"kind": "size", "size": n, "class": label}, k, often[a]] for a, n in enumerate(names)]
        text = "%{x}<br>AP %{y:.3f}<br>%{customdata[2]} ×<extra>" + figures.plain(view.run.model) + "</extra>"
        traces.append(_bars([f"ui.size.{n}" for n in names], values, view, k, picks, text))
    shared = figures.layout("", "ui.axis.ap", barmode="group")
    shared["yaxis"] |= {"range": [0, 1.02]}
    return {"data": traces, "layout": shared}


def _histogram(view: Opened, kind: str, point: Point, k: int) -> figures.Figure:
    """How IoUs, confidences or objects per image are spread."""
    data = Evidence(len(view.batch), {view.kind: view.matches}, {view.kind: view.near})
    make = {"iou": iou_histogram, "score": score_histogram, "objects": object_histogram}[kind]
    found: Distribution = make(data, point)
    figure = figures.distribution(found, k)
    for trace, group in zip(figure["data"], found.counts, strict=True):
        edges = zip(found.edges[:-1], found.edges[1:], strict=True)
        what = {"kind": "objects"} if kind == "objects" else {"kind": "bin", "of": kind}
        trace["customdata"] = [
            [what | {"low": float(a), "high": float(b), "group": group}, k, float(a), float(b)] for a, b in edges
        ]
        trace["hovertemplate"] = "%{customdata[2]:.2f} – %{customdata[3]:.2f}<br>%{y}<extra></extra>"
    figure["layout"]["yaxis"]["title"]["text"] = "ui.axis.images" if kind == "objects" else "ui.axis.detections"
    if kind == "score":  # most detections are unsure ones: right ones would not be seen beside them
        figure["layout"] |= {"barmode": "group"}
        figure["layout"]["yaxis"] |= {"type": "log"}
        for trace in figure["data"]:
            trace.pop("width")
    if kind == "objects":
        figure["layout"]["barmode"] = "group"
        for trace in figure["data"]:
            trace.pop("width")
    return figure
