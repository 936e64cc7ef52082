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

_OBJECTS = ("detection", "instance-segmentation")
_DETECTION = "dashboard.metrics.detection.metrics"
METRICS.register("coco", f"{_DETECTION}:CocoAP", task=_OBJECTS, multilabel=False)
METRICS.register("operating", f"{_DETECTION}:OperatingPoint", task=_OBJECTS, multilabel=False)
METRICS.register("voc", f"{_DETECTION}:VocAP", task=_OBJECTS, multilabel=False)
METRICS.register("tide", f"{_DETECTION}:ErrorCauses", task=_OBJECTS, multilabel=False)
METRICS.register("masks", f"{_DETECTION}:MaskQuality", task="instance-segmentation", multilabel=False)

_PIXELS = "dashboard.metrics.segmentation.metrics"
METRICS.register("pixels", f"{_PIXELS}:PixelConfusion", task="semantic-segmentation", multilabel=False)
METRICS.register("boundaries", f"{_PIXELS}:BoundaryQuality", task="semantic-segmentation", multilabel=False)
METRICS.register("images", f"{_PIXELS}:ImageLosses", task="semantic-segmentation", multilabel=False)

_PICTURES = "dashboard.metrics.enhancement.metrics"
METRICS.register("fidelity", f"{_PICTURES}:Fidelity", task="enhancement", multilabel=False)
METRICS.register("losses", f"{_PICTURES}:Losses", task="enhancement", multilabel=False)
METRICS.register("noreference", f"{_PICTURES}:NoReference", task="enhancement", multilabel=False)
METRICS.register("spread", f"{_PICTURES}:Spread", task="enhancement", multilabel=False)

_TRACKS = "dashboard.metrics.tracking.metrics"
METRICS.register("clear", f"{_TRACKS}:Clear", task="tracking", multilabel=False)
METRICS.register("identity", f"{_TRACKS}:Identity", task="tracking", multilabel=False)
METRICS.register("hota", f"{_TRACKS}:Hota", task="tracking", multilabel=False)


def signature(task: str, multilabel: bool) -> list[str]:
    """What a run's numbers were computed by; a run whose signature differs is out of date."""
    return [f"version {VERSION}", *METRICS.names(task=task, multilabel=multilabel)]
