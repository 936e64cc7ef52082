"""Charts over tracking runs: HOTA over its thresholds, sequences, how well and how long each was followed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.explore.overview import Data, json_number
from dashboard.explore.tracking.opened import Opened
from dashboard.explore.tracking.tables import result_table
from dashboard.results import Curves, Scalars

CHARTS = ("alpha", "sequences", "coverage", "lengths")
OWN = ("clear", "identity", "hota", "watched")
"""Metrics whose results the charts above are about; what any other metric brings is charted as it is."""
MEASURES = ("HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN", "DetA", "AssA")
PATTERNS = ("", "/", ".", "x")
BINS = 20


def charts(views: Sequence[Opened]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = dict.fromkeys(name for v in views for name, r in v.run.results().items() if not isinstance(r, Scalars))
    own = CHARTS if any(v.known for v in views) else CHARTS[3:]
    return [*own, *(name for name in found if name.partition(".")[0] not in OWN)]


def chart(views: Sequence[Opened], kind: str, measure: str, focus: int = 0, agnostic: bool = False) -> figures.Figure:
    """One chart."""
    measure = measure if measure in MEASURES else MEASURES[0]
    if kind == "alpha":
        found = _alpha(views)
    elif kind == "sequences":
        found = _sequences(views, measure, agnostic)
    elif kind == "coverage":
        found = _coverage(views, agnostic)
    elif kind == "lengths":
        found = _lengths(views)
    else:
        return figures.draw(views[focus].run.results()[kind])
    return found | {"explain": f"chart_trk_{kind}"}


def _alpha(views: Sequence[Opened]) -> figures.Figure:
    """HOTA, DetA and AssA at each IoU that a match has to reach."""
    traces: list[Data] = []
    for k, view in enumerate(views):
        curves = view.run.results().get("hota.over_alpha")
        if not isinstance(curves, Curves):
            continue
        for i, name in enumerate(curves.labels):
            if name == "LocA":
                continue
            mine = figures.line(curves.x[i], curves.y[i], f"{view.label} · {name}", k)
            line = {"color": figures.COLORS[k % 4], "width": 3 if name == "HOTA" else 1.5}
            dash = {"HOTA": "solid", "DetA": "dash", "AssA": "dot"}.get(name, "dashdot")
            traces.append(mine | {"line": line | {"dash": dash}, "customdata": None})
    shared = figures.unit_square(figures.layout("ui.axis.alpha", "ui.axis.score"))
    return {"data": traces, "layout": shared}


def _sequences(views: Sequence[Opened], measure: str, agnostic: bool) -> figures.Figure:
    """One measure, a group of bars a sequence."""
    traces = []
    for k, view in enumerate(views):
        names, columns = result_table(view.run, "per_sequence", agnostic)
        if measure not in columns:
            continue
        title = figures.plain(view.label)
        traces.append(
            {
                "type": "bar",
                "name": title,
                "x": [figures.plain(n) for n in names],
                "y": [json_number(v) for v in columns[measure]],
                "marker": {"color": figures.COLORS[k % 4], "pattern": {"shape": PATTERNS[k % 4]}},
                "customdata": [[{"kind": "sequence", "name": n}, k] for n in names],
                "hovertemplate": f"%{{x}}<br>{measure} %{{y:.4g}}<extra>{title}</extra>",
            }
        )
    shared = figures.layout("ui.axis.sequence", measure, barmode="group")
    shared["xaxis"] |= {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared}


def _coverage(views: Sequence[Opened], agnostic: bool) -> figures.Figure:
    """How many true identities were matched in which share of their frames: MT from .8, ML below .2."""
    edges = np.linspace(0, 1, BINS + 1)
    traces = []
    for k, view in enumerate(views):
        shares = np.concatenate([_shares(view, place, agnostic) for place in range(len(view.sequences))])
        often, _ = np.histogram(shares, edges)
        traces.append(_bars(view, k, (edges[:-1] + edges[1:]) / 2, often, "%{x:.2f}"))
    shared = figures.layout("ui.axis.coverage", "ui.axis.identities", barmode="group")
    for at in (0.2, 0.8):
        line = {"color": "#9ca3af", "width": 1, "dash": "dot"}
        shape = {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        shared.setdefault("shapes", []).append(shape)
    return {"data": traces, "layout": shared}


def _shares(view: Opened, place: int, agnostic: bool) -> NDArray[np.float64]:
    """(G,) of each true identity of a sequence: the share of its frames in which it was matched."""
    truth, told = view.sequences[place].tracks.truth, view.story(place, agnostic)
    counted = told.truth_match != -2
    _, which = np.unique(truth.ids[counted], return_inverse=True)
    there = np.bincount(which)
    return np.bincount(which, told.truth_match[counted] >= 0, len(there)) / np.maximum(there, 1)


def _lengths(views: Sequence[Opened]) -> figures.Figure:
    """How many predicted identities live how long, in frames, on a scale of powers of two."""
    lengths: list[NDArray[Any]] = []
    for view in views:
        mine: list[NDArray[Any]] = []
        for stored in view.sequences:
            found = stored.tracks.found
            _, which = np.unique(found.ids, return_inverse=True)
            mine.append(np.bincount(which))
        lengths.append(np.concatenate(mine) if mine else np.empty(0, int))
    most = max((int(v.max()) for v in lengths if len(v)), default=1)
    edges = 2 ** np.arange(int(np.ceil(np.log2(most + 1))) + 1)
    names = [str(a) if b - a == 1 else f"{a}–{b - 1}" for a, b in pairwise(edges.tolist())]
    traces = []
    for k, (view, counts) in enumerate(zip(views, lengths, strict=True)):
        often, _ = np.histogram(counts, edges)
        traces.append(_bars(view, k, names, often, "%{x}"))
    shared = figures.layout("ui.axis.length", "ui.axis.identities", barmode="group")
    shared["margin"] |= {"r": 36}  # the last name is a long one
    shared["xaxis"] |= {"type": "category"}
    return {"data": traces, "layout": shared}


def _bars(view: Opened, k: int, x: Any, often: NDArray[np.int64], said: str) -> Data:
    """A run's bars."""
    title = figures.plain(view.label)
    return {
        "type": "bar",
        "name": title,
        "x": list(x),
        "y": often.tolist(),
        "marker": {"color": figures.COLORS[k % 4], "pattern": {"shape": PATTERNS[k % 4]}},
        "hovertemplate": f"{said}<br>%{{y}}<extra>{title}</extra>",
    }
