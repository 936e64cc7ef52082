"""An instance segmenter as a semantic one: its surest objects painted over each other, and background between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import masks
from dashboard.errors import InputError
from dashboard.types import Detections, Image, Prediction, Segmentation, class_dtype
from models.base import LoadOptions, ModelAdapter
from models.detection import rate_setting
from models.segmentation import BACKGROUND

SEMANTIC, INSTANCES = "semantic-segmentation", "instance-segmentation"
CONFIDENCE = 0.25  # where Ultralytics draws objects, too; the low scores that AP needs would cover the picture


class ClassMapOfInstances(ModelAdapter[Any, Any]):
    """A class for every pixel, from a model that finds objects with masks.

    Where masks overlap, the surest object's class counts. There are no probabilities.

    Args:
        adapter: an instance segmenter, loaded; it is closed with this.
        confidence: objects of this score or less are left out, 0..1.

    Raises:
        ValueError: ``adapter`` is no instance segmenter.
    """

    def __init__(self, adapter: ModelAdapter[Any, Any], confidence: float = CONFIDENCE) -> None:
        spec = adapter.spec
        if spec.task != INSTANCES:
            raise ValueError(f"adapter must be an instance segmenter, got one for {spec.task}")
        self._adapter, self._confidence = adapter, confidence
        self.device = adapter.device
        background = BACKGROUND if BACKGROUND not in spec.class_names else f"{BACKGROUND} (no object)"
        self.spec = replace(spec, task=SEMANTIC, class_names=(background, *spec.class_names), class_ids=())
        config = f"{adapter.fingerprint} class map {confidence}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    @property
    def notes(self) -> dict[str, Any]:  # type: ignore[override]
        """The instance segmenter's, and how its objects become a class map."""
        how = f"objects surer than {self._confidence}, the surest on top, background elsewhere"
        return {**self._adapter.notes, "class map": how}

    @property
    def network(self) -> Any:
        """The instance segmenter's, for profiling."""
        return self._adapter.network

    def preprocess(self, image: Image) -> Any:
        """The instance segmenter's."""
        return self._adapter.preprocess(image)

    def forward(self, items: Sequence[Any]) -> Any:
        """The instance segmenter's."""
        return self._adapter.forward(items)

    def postprocess(self, outputs: Any) -> list[Prediction]:
        """The instance segmenter's objects, painted."""
        return [self._painted(found) for found in self._adapter.postprocess(outputs)]

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """The instance segmenter's."""
        return self._adapter.fusion_gain(batch_size, rounds)

    def reset(self) -> None:
        """The instance segmenter's."""
        self._adapter.reset()

    def close(self) -> None:
        """Drop the network."""
        self._adapter.close()

    def _painted(self, found: Prediction) -> Segmentation:
        if not isinstance(found, Detections) or found.masks is None or found.size is None or found.scores is None:
            raise InputError(f"{self.spec.name} did not answer with masks: it does not fit.")
        return Segmentation(painted(found, self._confidence, len(self.spec.class_names)))


def painted(found: Detections, confidence: float, classes: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A class map of one picture's objects: 0 is the background, class ``k`` of an object becomes ``k + 1``.

    Args:
        found: objects with scores, masks and the picture's size.
        confidence: objects of this score or less are left out.
        classes: how many, the background included.

    Returns:
        (H, W) map; where masks overlap, that of the higher score, of equal scores the earlier one.

    Raises:
        ValueError: objects without scores, masks or size.
    """
    if found.masks is None or found.size is None or found.scores is None:
        raise ValueError("found must have scores, masks and a size")
    height, width = found.size
    kind: Any = class_dtype(classes)
    columns: NDArray[Any] = np.zeros(width * height, kind)  # runs go down the columns
    kept = np.flatnonzero(found.scores > confidence)
    order = kept[np.argsort(-found.scores[kept], kind="stable")][::-1].tolist()
    if order:
        for place, ends in zip(order, masks.run_ends([found.masks[place] for place in order]), strict=True):
            number = found.class_ids[place] + 1
            for start, stop in zip(ends[:-1:2].tolist(), ends[1::2].tolist(), strict=True):
                columns[start:stop] = number
    return np.ascontiguousarray(columns.reshape(width, height).T)


def for_instances(options: LoadOptions) -> LoadOptions:
    """``options`` that keep an instance segmenter from making masks which no class map would show."""
    return replace(options, settings={"conf": str(CONFIDENCE), **options.settings})


def class_map_of(adapter: ModelAdapter[Any, Any], options: LoadOptions) -> ModelAdapter[Any, Any]:
    """``adapter`` itself if it is a semantic segmenter; an instance segmenter with ``conf=`` (0.25) as one.

    Raises:
        InputError: ``conf`` is no rate.
    """
    if adapter.spec.task != INSTANCES:
        return adapter
    return ClassMapOfInstances(adapter, rate_setting(options.settings, "conf", CONFIDENCE))
