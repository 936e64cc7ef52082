"""What runs recorded of their own costs: it is not computed on the common samples, and has no interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dashboard.comparing.shapes import Figure
from dashboard.store import Run, Store


def latency(run: Run) -> float:
    """Milliseconds that one image waits at batch 1 (p50), of tracking plus the tracker's mean; NaN if unknown.

    What is timed of a tracking run is its detector, which trackers of the same detections share.
    """
    found = _number((run.timing.get("latency_ms") or {}).get("p50"))
    if run.task != "tracking":
        return found
    frames, spent = _number(run.timing.get("frames")), _number(run.timing.get("track_s"))
    return found + 1e3 * spent / frames if frames > 0 else np.nan


def _throughput(run: Run) -> Any:
    """Of tracking it is the detector's alone: the whole way's is FPS."""
    return None if run.task == "tracking" else run.timing.get("throughput_per_s")


def same_model(profile: Run, run: Run) -> bool:
    """Whether a profile is of a run's model: the same name, and not known to be of other weights."""
    known = (profile.facts.get("profile") or {}).get("fingerprints") or ()
    own = (run.facts.get("model_facts") or {}).get("fingerprint")
    return profile.model == run.model and (not known or own is None or own in known)


def _fps(run: Run) -> Any:
    return run.metrics.get("FPS")


COSTS: dict[str, tuple[Callable[[Run], Any], bool, str]] = {
    "latency_ms": (latency, False, "ms"),
    "throughput_per_s": (_throughput, True, "/s"),
    "FPS": (_fps, True, "/s"),
}
"""Name to where it stands, whether higher is better, and its unit."""


def recorded_figures(runs: Sequence[Run]) -> list[Figure]:
    """Costs that at least one of the runs knows; parameters as the newest profile of its model has them."""
    known = [(name, better, unit, [of(run) for run in runs]) for name, (of, better, unit) in COSTS.items()]
    known.append(("params", False, "params", _params(runs)))
    figures = []
    for name, better, unit, found in known:
        values = np.array([_number(value) for value in found])
        if np.isfinite(values).any():
            figures.append(Figure(name, better, unit, values, np.full((len(runs), 2), np.nan), recorded=True))
    return figures


def _params(runs: Sequence[Run]) -> list[Any]:
    """Of each run; its store is read once."""
    folders = {run.path.parent.parent for run in runs if run.path.parent.name == "runs"}
    profiles = {folder: Store(folder).runs("profile") for folder in folders}
    of_store = [profiles.get(run.path.parent.parent, []) for run in runs]
    return [
        next((p.metrics.get("params") for p in there if same_model(p, run)), None)
        for run, there in zip(runs, of_store, strict=True)
    ]


def _number(value: Any) -> float:
    """A finite number, or NaN."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if usable else np.nan
