"""Metrics. One file a family, one line each here; everything listed is computed, charted and contract-tested."""

from __future__ import annotations

from dashboard.metrics.base import Metric
from dashboard.registry import Registry

METRICS: Registry[type[Metric]] = Registry("metric")
METRICS.register("confusion", "dashboard.metrics.confusion:Confusion", task="classification", multilabel=False)
METRICS.register("calibration", "dashboard.metrics.calibration:Calibration", task="classification", multilabel=False)
METRICS.register("ranking", "dashboard.metrics.ranking:Ranking", task="classification", multilabel=False)
METRICS.register("multilabel", "dashboard.metrics.multilabel:MultiLabel", task="classification", multilabel=True)
