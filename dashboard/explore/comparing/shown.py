"""How runs and metrics of a comparison are called and marked: eight runs can be told apart, without colour too."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from dashboard import explain, figures
from dashboard.comparing.shapes import Comparison, Figure
from dashboard.explore.overview import Data
from dashboard.naming import label_of
from dashboard.store import Run

PREFIX = {
    "detection": "det_",
    "instance-segmentation": "det_",
    "semantic-segmentation": "sem_",
    "tracking": "trk_",
}
OTHER_NAMES = {"latency_ms": "latency", "throughput_per_s": "throughput", "correct": "top1", "mota": "MOTA"}
COUNTED = ("count", "objects", "params")
SYMBOLS = (*figures.SYMBOLS, *(f"{s}-open" for s in figures.SYMBOLS))
DASHES = (*figures.DASHES, "longdash", "longdashdot", "3px,3px", "12px,3px")


def entry(task: str, name: str) -> str:
    """Under which name a metric of a task is explained; its own name where nothing is written of it."""
    for found in (PREFIX.get(task, "") + name, name, OTHER_NAMES.get(name, "")):
        if found and explain.entry(found, "en") is not None:
            return found
    return name


def said(task: str, name: str) -> str:
    """A metric's name for an axis or a legend: a text key, translated in the browser."""
    found = entry(task, name)
    return f"explain.{found}.name" if explain.entry(found, "en") is not None else name


def run_names(runs: Sequence[Run]) -> list[str]:
    """Names of runs that differ: the model, or a title; of twins also what tells them apart, in the shortest way.

    That is the dataset, else the number of samples, else when it was made.
    """
    names = [label_of(r) for r in runs]
    for more in TELLING:
        twins: dict[str, set[str]] = {}
        for name, run in zip(names, runs, strict=True):
            twins.setdefault(name, set()).add(more(run))
        names = [n if len(twins[n]) == 1 else f"{n} · {more(r)}" for n, r in zip(names, runs, strict=True)]
    return names


TELLING: tuple[Callable[[Run], str], ...] = (
    lambda r: r.dataset,
    lambda r: f"{r.samples:,}",
    lambda r: r.created_at[:10],
    lambda r: r.created_at[11:16],
    lambda r: r.created_at[11:19],
    lambda r: r.id,
)
"""What may tell runs of one name apart, the first that does."""


def breakable(name: str) -> str:
    """A name that may go on in another line behind its own signs, never within a word."""
    return re.sub(r"[_+/·-]", lambda found: found.group() + "\u200b", name)


def color(k: int) -> str:
    """The k-th run's colour: there are four, the second four have hollow symbols and other dashes."""
    return figures.COLORS[k % 4]


def digits(figure: Figure) -> int:
    """Decimals worth showing."""
    if figure.unit in ("dB", "ms", "px"):
        return 2
    return 0 if figure.unit in COUNTED else 3


def unit_of(figure: Figure) -> str:
    """The unit to be written behind a number, "" for a fraction."""
    return figure.unit if figure.unit not in COUNTED else ""


def runs_data(comparison: Comparison) -> list[Data]:
    """Every run's id, name, what it is of, and whether it is the baseline."""
    names = run_names(comparison.runs)
    return [
        {
            "id": run.id,
            "name": name,
            "note": f"{run.dataset} · {run.samples:,}",
            "baseline": k == comparison.baseline,
            "left": int(comparison.left_out[k]),
        }
        for k, (run, name) in enumerate(zip(comparison.runs, names, strict=True))
    ]


def marker(k: int, size: int = 9, **more: Any) -> Data:
    """The k-th run's symbol in a chart."""
    return {
        "color": color(k),
        "symbol": SYMBOLS[k % 8],
        "size": size,
        "line": {"width": 1.5, "color": color(k)},
        **more,
    }
