"""A person's own photos: the class maps of up to four segmenters in synced panes, with areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.errors import InputError
from dashboard.explore import class_overlays
from dashboard.metrics.segmentation.probability import measure
from dashboard.tabs.compare_photos import ComparePhotos, Photo
from dashboard.types import Image, Segmentation

TASK = "semantic-segmentation"


class SegmentationPhotos(ComparePhotos):
    """Handlers of the panel."""

    tasks = (TASK,)
    truth = TASK
    first = ("scenes_sem_nano", "scenes_sem_small")
    wanted = "a segmenter"
    prefix = "sph"
    texts = "ui.sphotos"

    def load(self, name: str) -> Any:
        """A segmenter; an instance segmenter as one that gives class maps."""
        return self.engine.model(name, task=TASK)

    def pane(self, adapter: Any, found: Any, note: str, stages: Sequence[float]) -> dict[str, Any]:
        """A model's class map, and how sure it is where it says so."""
        if not isinstance(found, Segmentation):
            raise InputError(f"{adapter.spec.name} does not answer with class maps: choose a segmenter.")
        sure = None if found.probabilities is None else measure(found.probabilities, found.class_ids, None).confidence
        return class_overlays.map_pane(
            adapter.spec.name,
            found.class_ids,
            confidence=sure,
            class_names=adapter.spec.class_names,
            note=note,
            stages=stages,
        )

    def truth_pane(self, photo: Photo) -> dict[str, Any]:
        """The true classes."""
        assert isinstance(photo.truth, Segmentation)
        return class_overlays.map_pane(
            "ui.cmp.truth", photo.truth.class_ids, class_names=photo.class_names, ignore=photo.truth.ignore_index
        )

    def count(self, pane: dict[str, Any]) -> int:
        """Classes in the map."""
        return len(pane["areas"])

    def payload(self, key: str, photo: Photo, image: Image, panes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Class maps over the photo."""
        return class_overlays.map_payload(key, photo.name, image, panes)
