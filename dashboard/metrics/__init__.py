"""Metrics. One file a family, one line each here; everything listed is computed, charted and contract-tested."""

from __future__ import annotations

from dashboard.metrics.base import Metric
from dashboard.registry import Registry

VERSION = 1
"""Raise it when a metric's numbers change: stored runs are then computed anew from their predictions."""

METRICS: Registry[type[Metric]] = Registry("metric")
METRICS.register("confusion", "dashboard.metrics.confusion:Confusion", task="classification", multilabel=False)
METRICS.register("calibration", "dashboard.metrics.calibration:Calibration", task="classification", multilabel=False)
METRICS.register("ranking", "dashboard.metrics.ranking:Ranking", task="classification", multilabel=False)
METRICS.register("multilabel", "dashboard.metrics.multilabel:MultiLabel", task="classification", multilabel=True)


def signature(task: str, multilabel: bool) -> list[str]:
    """What a run's numbers were computed by; a run whose signature differs is out of date."""
    return [f"version {VERSION}", *METRICS.names(task=task, multilabel=multilabel)]
