"""What a tracker sees of a detector: boxes, each object once, whatever class it was taken for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dashboard.errors import InputError
from dashboard.types import Detections, Image, Prediction
from models.base import ModelAdapter, serves
from models.trackers_plain import iou

AGNOSTIC = 0.7
"""The overlap from which on two boxes of one class are one object to Ultralytics' detectors, too."""


class BoxesForTracking(ModelAdapter[Any, Any]):
    """A detector that answers with boxes only, the same object not twice as two classes.

    Detectors suppress overlapping boxes class by class. Trackers match boxes of any class, so that a second box of
    another class begins a second track of the same object, and the two exchange their identities.

    Args:
        detector: a detector or instance segmenter, loaded; it is closed with this.
        overlap: IoU above which the less sure of two boxes of any class goes, 0..1; 1 keeps all.

    Raises:
        InputError: ``detector`` does not find objects.
    """

    def __init__(self, detector: ModelAdapter[Any, Any], overlap: float = AGNOSTIC) -> None:
        spec = detector.spec
        if not serves(spec.task, "detection"):
            raise InputError(f"{spec.name} is a model for {spec.task}: a tracker needs a detector, such as yolo11n.")
        self._detector, self._overlap = detector, overlap
        self.device, self.spec = detector.device, replace(spec, task="detection")
        config = f"{detector.fingerprint} boxes {overlap}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    @property
    def notes(self) -> dict[str, Any]:  # type: ignore[override]
        """The detector's, and what was done to its boxes."""
        words = "kept" if self._overlap >= 1 else f"the surest of those with IoU above {self._overlap}"
        return {**self._detector.notes, "boxes of different classes": words}

    @property
    def network(self) -> Any:
        """The detector's, for profiling."""
        return self._detector.network

    def preprocess(self, image: Image) -> Any:
        """The detector's."""
        return self._detector.preprocess(image)

    def forward(self, items: Sequence[Any]) -> Any:
        """The detector's."""
        return self._detector.forward(items)

    def postprocess(self, outputs: Any) -> list[Prediction]:
        """The detector's boxes, each object once."""
        return [self._boxes(found) for found in self._detector.postprocess(outputs)]

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """The detector's."""
        return self._detector.fusion_gain(batch_size, rounds)

    def reset(self) -> None:
        """The detector's."""
        self._detector.reset()

    def close(self) -> None:
        """Drop the network."""
        self._detector.close()

    def _boxes(self, found: Prediction) -> Detections:
        if not isinstance(found, Detections) or found.scores is None:
            raise InputError(f"{self.spec.name} did not answer with boxes and scores: it does not fit.")
        boxes = found if found.masks is None else replace(found, masks=None)
        return boxes if self._overlap >= 1 else once(boxes, self._overlap)


def once(found: Detections, overlap: float) -> Detections:
    """``found`` without boxes that overlap a surer one by more than ``overlap`` (IoU, 0..1), whatever their classes.

    Raises:
        ValueError: detections without scores.
    """
    if found.scores is None:
        raise ValueError("found must have scores")
    order = np.argsort(-found.scores, kind="stable")
    over = iou(found.xyxy[order], found.xyxy[order]) > overlap
    kept = np.ones(len(order), bool)
    for place in range(len(order)):
        if kept[place]:
            kept[place + 1 :] &= ~over[place, place + 1 :]
    return found if kept.all() else found.take(np.sort(order[kept]))
