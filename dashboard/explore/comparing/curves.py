"""Curves of up to eight runs in one frame: those of the task's own charts, and how samples' scores are spread."""

from __future__ import annotations

import numpy as np

from dashboard import explore, figures
from dashboard.comparing.shapes import Comparison
from dashboard.explore import detection, tracking
from dashboard.explore.comparing.pairs import RIGHT_WRONG, groups_of
from dashboard.explore.comparing.shown import DASHES, SYMBOLS, color, run_names, said
from dashboard.explore.detection.opened import point_of
from dashboard.explore.overview import Data
from dashboard.store import Run

GREY = "#9ca3af"
OWN = {
    "classification": ("roc", "pr", "reliability"),
    "detection": ("det_pr", "det_confidence", "ious"),
    "instance-segmentation": ("det_pr", "det_confidence", "ious"),
    "tracking": ("alpha",),
}
ONLY = {"det_confidence": " · f1", "alpha": " · HOTA"}
"""Of charts with several curves a run, the one that is kept."""
MOST_STEPS = 1000


def curve_kinds(comparison: Comparison) -> list[str]:
    """What can be drawn over the runs."""
    kinds = list(OWN.get(comparison.task, ()))
    if comparison.task == "classification":
        there = set(explore.charts(comparison.runs))
        kinds = [k for k in kinds if k in there]
    return kinds if groups_of(comparison) == RIGHT_WRONG else [*kinds, "spread"]


def curves(comparison: Comparison, kind: str) -> figures.Figure:
    """One chart over all runs; a task's own curves are those of all samples of each run, "spread" of the common ones.

    Raises:
        InputError: what a run has stored is damaged or gone.
    """
    if kind == "spread":
        return _spread(comparison)
    names, traces = run_names(comparison.runs), []
    shared: Data = {}
    for k, run in enumerate(comparison.runs):
        figure = _alone(run, kind)
        shared = shared or figure["layout"]
        for trace in figure["data"]:
            backdrop = trace.get("line", {}).get("color") == GREY
            if backdrop and (k or trace.get("customdata") is not None):  # one diagonal; no thin lines of every class
                continue
            if kind in ONLY and not str(trace.get("name", "")).endswith(ONLY[kind]):
                continue
            traces.append(trace if backdrop else _restyled(trace, k, figures.plain(run.model), names[k]))
    shared["uirevision"] = f"vs-{kind}"
    shared["showlegend"] = True
    return {"data": traces, "layout": shared, "explain": EXPLAINED.get(kind, kind)}


EXPLAINED = {"ious": "ap", "alpha": "chart_trk_alpha"}


def _alone(run: Run, kind: str) -> figures.Figure:
    """The task's chart of one run."""
    if run.task == "classification":
        return explore.chart([run], kind)
    if run.task == "tracking":
        return tracking.chart([tracking.opened(run)], kind, "HOTA")
    return detection.chart([detection.opened(run)], kind, point_of(0.0, 0.5, 100))


def _restyled(trace: Data, k: int, model: str, name: str) -> Data:
    """A first run's curve in the look and by the name of the k-th."""
    found = {**trace, "customdata": None}
    found.pop("customdata")
    title, text = (str(trace.get(f, "")) for f in ("name", "hovertemplate"))
    if title.startswith(model):
        found["name"] = figures.plain(name) + title[len(model) :]
    if text.startswith(model) and "customdata" not in text:
        found["hovertemplate"] = figures.plain(name) + text[len(model) :]
    elif "customdata" in text:
        found["hovertemplate"] = f"{found['name']}<br>%{{x:.3f}} · %{{y:.3f}}<extra></extra>"
    if "line" in trace:
        found["line"] = trace["line"] | {"color": color(k), "dash": DASHES[k % 8], "width": 2}
    if "marker" in trace:
        found["marker"] = trace["marker"] | {"color": color(k), "symbol": SYMBOLS[k % 8]}
    return found


def _spread(comparison: Comparison) -> figures.Figure:
    """Which share of the common samples has at most a score: a curve further right has better samples."""
    traces = []
    names = run_names(comparison.runs)
    for k, scores in enumerate(comparison.scores):
        known = np.sort(scores[~np.isnan(scores)])
        share = np.arange(1, len(known) + 1) / max(1, len(known))
        drawn = np.isfinite(known)  # what is made exactly has infinite PSNR: the curve ends below 1
        known, share = known[drawn], share[drawn]
        if len(known) > MOST_STEPS:
            keep = np.unique(np.linspace(0, len(known) - 1, MOST_STEPS).astype(int))
            known, share = known[keep], share[keep]
        line = figures.line(known, share, names[k], k)
        line["line"] = {"color": color(k), "dash": DASHES[k % 8], "width": 2, "shape": "hv"}
        traces.append(line)
    shared = figures.layout(said(comparison.task, comparison.score_name), "ui.vs.axis.share", showlegend=True)
    shared["yaxis"] |= {"range": [0, 1.02]}
    return {"data": traces, "layout": shared, "explain": "chart_vs_spread"}
