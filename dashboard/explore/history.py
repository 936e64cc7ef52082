"""The list of runs as the page shows it: plain data, without Gradio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dashboard.comparing.shapes import MOST_RUNS
from dashboard.history import search_text
from dashboard.naming import label_of
from dashboard.pruning import Going, Use, size_of
from dashboard.store import Run
from dashboard.watching_stored import Watched

WATCHED = "watched:"
"""Begins the id of a row that is no run, but what a model said of a video without a truth."""
VIDEO = "video"
"""In place of their task."""
MOST_GOING = 200
"""Lines of what would go that are shown; the sum is of all."""
_COUNT, _DB, _SHORT = "count", "db", "short"
FIGURES: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "classification": (("top1", "top1", ""), ("top5", "top5", ""), ("f1_macro", "f1_macro", ""), ("ece", "ece", "")),
    "detection": (("map", "det_map", ""), ("map_50", "det_map_50", ""), ("f1", "det_f1", "")),
    "instance-segmentation": (("map", "det_map", ""), ("map_50", "det_map_50", ""), ("miou", "miou", "")),
    "semantic-segmentation": (("miou", "sem_miou", ""), ("pixel_accuracy", "pixel_accuracy", "")),
    "enhancement": (("psnr", "psnr", _DB), ("ssim", "ssim", ""), ("psnr_y", "psnr_y", _DB)),
    "tracking": (("HOTA", "HOTA", ""), ("MOTA", "MOTA", ""), ("IDF1", "IDF1", ""), ("IDSW", "IDSW", _COUNT)),
    "profile": (
        ("params", "params", _SHORT),
        ("macs", "macs", _SHORT),
        ("latency_ms", "latency", _SHORT),
        ("throughput_per_s", "throughput", _SHORT),
    ),
}
"""Of each task the figures in the list, the most telling first: metric, its explanation, how it is written."""


def history_data(
    runs: Sequence[Run],
    watched: Sequence[Watched] = (),
    chosen: Sequence[str] | None = None,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """Rows for the list.

    Args:
        runs: finished ones.
        watched: films without a truth that models were run over.
        chosen: ids to be marked; None leaves the choice as it is.
        others: ids of runs that somebody else made, who alone may delete them.
    """
    rows = [*map(_row, runs), *map(_watched_row, watched)]
    for row in rows:
        if row["id"] in others:
            row["others"] = True
    figures = {
        task: [{"metric": metric, "explain": explain, "kind": kind} for metric, explain, kind in known]
        for task, known in FIGURES.items()
    }
    tasks = list(dict.fromkeys([*FIGURES, *(row["task"] for row in rows)]))
    data = {"rows": rows, "figures": figures, "tasks": tasks, "most": MOST_RUNS}
    return data if chosen is None else data | {"chosen": list(chosen)}


def asked_data(rows: Sequence[Mapping[str, Any]], forever: bool) -> dict[str, Any]:
    """The question before rows of the list are deleted: all of them by name, whether or not they can be undone."""
    names = ("title", "model", "dataset", "date")
    return {"rows": [{name: row[name] for name in names} for row in rows], "forever": forever}


def _row(run: Run) -> dict[str, Any]:
    shown = FIGURES.get(run.task, ())
    return {
        "id": run.id,
        "task": run.task,
        "title": run.title,
        "model": label_of(run, titled=False),
        "dataset": run.dataset,
        "tags": list(run.tags),
        "n": run.samples,
        "size": size_of(run.path),
        "date": run.created_at,
        "metrics": {metric: run.metrics.get(metric) for metric, _, _ in shown},
        "text": search_text(run),
        "bare": bool(run.facts.get("predictions_removed")),
    }


def _watched_row(watched: Watched) -> dict[str, Any]:
    written = datetime.fromtimestamp((watched.path / "watched.json").stat().st_mtime, timezone.utc)
    return {
        "id": WATCHED + watched.id,
        "task": VIDEO,
        "title": "",
        "model": watched.model,
        "dataset": watched.dataset,
        "tags": [],
        "n": int(watched.facts.get("frames") or 0),
        "size": size_of(watched.path),
        "date": written.isoformat(timespec="seconds"),
        "metrics": {},
        "text": f"{watched.model} {watched.dataset} {VIDEO} {watched.id}".casefold(),
        "watched": True,
    }


def disk_data(uses: Sequence[Use]) -> dict[str, Any]:
    """What every part of the store takes."""
    rows = [{"key": f"ui.hist.use.{use.name}", "count": use.count, "bytes": use.bytes} for use in uses]
    return {"rows": rows, "total": sum(use.bytes for use in uses)}


def going_data(going: Sequence[Going] | None) -> dict[str, Any] | None:
    """What would go, the largest first; None is nothing to show."""
    if going is None:
        return None
    largest = sorted(going, key=lambda thing: -thing.bytes)
    rows = [{"text": thing.name, "what": f"ui.hist.kind.{thing.kind}", "bytes": thing.bytes} for thing in largest]
    return {"rows": rows[:MOST_GOING], "going": len(going), "total": sum(thing.bytes for thing in going)}
