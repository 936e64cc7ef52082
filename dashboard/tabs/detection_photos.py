"""A person's own photos: boxes and masks of up to four models in synced panes, with counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.errors import InputError
from dashboard.explore import overlays
from dashboard.tabs.compare_photos import ComparePhotos, Photo
from dashboard.types import Detections, Image


class DetectionPhotos(ComparePhotos):
    """Handlers of the panel."""

    tasks = ("detection", "instance-segmentation")
    truth = "instance-segmentation"
    first = ("scenes_nano", "scenes_small")
    wanted = "a detector"
    prefix = "dph"
    texts = "ui.dphotos"
    at = overlays.CONFIDENCE

    def pane(self, adapter: Any, found: Any, note: str, stages: Sequence[float]) -> dict[str, Any]:
        """A model's objects."""
        if not isinstance(found, Detections):
            raise InputError(f"{adapter.spec.name} does not answer with boxes: choose a detector.")
        names = adapter.spec.class_names
        return overlays.pane(adapter.spec.name, found, class_names=names, note=note, stages=stages)

    def truth_pane(self, photo: Photo) -> dict[str, Any]:
        """The true objects."""
        assert isinstance(photo.truth, Detections)
        return overlays.pane("ui.cmp.truth", photo.truth, class_names=photo.class_names)

    def count(self, pane: dict[str, Any]) -> int:
        """Objects that are sure enough."""
        return sum(score >= overlays.CONFIDENCE for score in pane["score"])

    def payload(self, key: str, photo: Photo, image: Image, panes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Boxes and masks over the photo."""
        return overlays.picture_payload(key, photo.name, image, panes)
