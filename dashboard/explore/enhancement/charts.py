"""Charts over enhancement runs; each bar and point knows the images it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.explore.enhancement.opened import Opened
from dashboard.explore.enhancement.selecting import MEASURES
from dashboard.explore.overview import Data, json_number, same_data
from dashboard.results import Scalars

CHARTS = ("spread", "images", "versus")
OWN = ("fidelity", "losses", "noreference", "spread")
"""Metrics whose results the charts above are about; what any other metric brings is charted as it is."""
PATTERNS = ("", "/", ".", "x")
BINS = 20
MOST_NAMED = 40
GREY = "#9ca3af"


def charts(views: Sequence[Opened]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = dict.fromkeys(name for v in views for name, r in v.run.results().items() if not isinstance(r, Scalars))
    return [*CHARTS, *(name for name in found if name.partition(".")[0] not in OWN)]


def chart(views: Sequence[Opened], kind: str, measure: str = "psnr", focus: int = 0) -> figures.Figure:
    """One chart over one of ``MEASURES``.

    A point's ``customdata`` begins with ``[selection, run]``: what a click on it selects, and the place of the run.
    """
    measure = measure if measure in MEASURES else MEASURES[0]
    make = {"spread": _spread, "images": _images, "versus": _versus}.get(kind)
    if make is None:
        return figures.draw(views[focus].run.results()[kind])
    return make(views, measure, focus) | {"explain": f"chart_enh_{kind}"}


def edges_of(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(B + 1,) round edges over all finite values."""
    known = np.concatenate([v[np.isfinite(v)] for v in values])
    if not known.size:
        return np.array([0.0, 1.0])
    low, high = float(known.min()), float(known.max())
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    step = 10 ** np.floor(np.log10((high - low) / BINS))
    step = step * next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= BINS)
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.arange(first, last + 1) * step


def _spread(views: Sequence[Opened], measure: str, focus: int) -> figures.Figure:
    """How many images have which value."""
    del focus
    edges = edges_of([v.columns[measure] for v in views])
    traces = []
    digits = 1 if measure.startswith("psnr") else 3
    for k, view in enumerate(views):
        values = view.columns[measure]
        often, _ = np.histogram(values[np.isfinite(values)], edges)
        picks = []
        for a, b in pairwise(edges):
            pick = {"kind": "bin", "measure": measure, "low": float(a), "high": float(b), "last": bool(b == edges[-1])}
            picks.append([pick, k, f"{a:.{digits}f} – {b:.{digits}f}"])
        traces.append(
            {
                "type": "bar",
                "name": figures.plain(view.run.model),
                "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
                "y": often.tolist(),
                "customdata": picks,
                "marker": {"color": figures.COLORS[k % 4], "pattern": {"shape": PATTERNS[k % 4]}},
                "hovertemplate": f"%{{customdata[2]}}<br>%{{y}}<extra>{figures.plain(view.run.model)}</extra>",
            }
        )
    return {"data": traces, "layout": figures.layout(f"ui.axis.{measure}", "ui.axis.images", barmode="group")}


def _images(views: Sequence[Opened], measure: str, focus: int) -> figures.Figure:
    """Every image with the value of each run, the worst of the run in focus first."""
    first = views[focus]
    values = first.columns[measure]
    order = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
    names = [figures.plain(first.ids[i]) for i in order]
    few = len(order) <= MOST_NAMED
    traces = []
    for k, view in enumerate(views):
        if not same_data(view.run, first.run):
            continue
        at = [view.image(int(first.index[i])) for i in order]
        y = [None if a is None else json_number(float(view.columns[measure][a])) for a in at]
        picks = [[{"kind": "image", "index": int(first.index[i])}, k, figures.plain(first.ids[i])] for i in order]
        trace: Data = {
            "type": "scatter",
            "mode": "markers",
            "name": figures.plain(view.run.model),
            "x": names if few else list(range(1, len(order) + 1)),
            "y": y,
            "customdata": picks,
            "marker": {"color": figures.COLORS[k % 4], "symbol": figures.SYMBOLS[k % 4], "size": 8 if few else 5},
            "hovertemplate": f"%{{customdata[2]}}<br>%{{y:.3f}}<extra>{figures.plain(view.run.model)}</extra>",
        }
        traces.append(trace)
    shared = figures.layout("" if few else "ui.axis.rank", f"ui.axis.{measure}")
    if few:
        shared["xaxis"] |= {"type": "category", "automargin": True}
    return {"data": traces, "layout": shared}


def _versus(views: Sequence[Opened], measure: str, focus: int) -> figures.Figure:
    """Each image at the value of the run in focus and of every other: above the line the other is better."""
    first = views[focus]
    x = first.columns[measure]
    traces: list[Data] = []
    ends: list[float] = []
    for k, view in enumerate(views):
        if k == focus or not same_data(view.run, first.run):
            continue
        at = [view.image(int(i)) for i in first.index]
        y = np.array([np.nan if a is None else view.columns[measure][a] for a in at])
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        ends += [*x[known].tolist(), *y[known].tolist()]
        better = int((y[known] > x[known]).sum())
        mine, theirs = figures.plain(first.run.model), figures.plain(view.run.model)
        picks: list[Any] = [
            [{"kind": "image", "index": int(first.index[i])}, k, figures.plain(first.ids[i])] for i in known.tolist()
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{theirs} ({better}/{len(known)} ↑)",
                "x": x[known].tolist(),
                "y": y[known].tolist(),
                "customdata": picks,
                "marker": {"color": figures.COLORS[k % 4], "symbol": figures.SYMBOLS[k % 4], "size": 8},
                "hovertemplate": f"%{{customdata[2]}}<br>{mine} %{{x:.3f}}<br>{theirs} %{{y:.3f}}<extra></extra>",
            }
        )
    shared = figures.layout(f"ui.axis.{measure}", f"ui.axis.{measure}")
    shared["xaxis"]["title"]["text"] = f"{figures.plain(first.run.model)} · {SAID[measure]}"
    if ends:
        low, high = min(ends), max(ends)
        line = {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "showlegend": False}
        traces.insert(0, line | {"line": {"color": GREY, "width": 1, "dash": "dot"}, "hoverinfo": "skip"})
    return {"data": traces, "layout": shared}


SAID = {
    "psnr": "PSNR (RGB) dB",
    "ssim": "SSIM (RGB)",
    "psnr_y": "PSNR (Y) dB",
    "ssim_y": "SSIM (Y)",
    "ms_ssim": "MS-SSIM",
}
