"""A detector and a dataset of objects made of arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dashboard import masks
from dashboard.types import Detections, Sample
from models.base import ModelAdapter, ModelSpec, Weights

SIZE = (24, 32)


def objects(index: int, classes: int, masked: bool) -> Detections:
    """The truth of a picture: none to three squares."""
    rng = np.random.default_rng([7, index])
    count = index % 4
    corner, side = rng.integers(0, 14, (count, 2)), rng.integers(3, 10, (count, 1))
    xyxy = np.concatenate([corner, corner + side], axis=1).astype(float)
    shapes = np.zeros((count, *SIZE), bool)
    for mask, (x1, y1, x2, y2) in zip(shapes, xyxy.astype(int), strict=True):
        mask[y1:y2, x1:x2] = True
    runs = masks.encode(shapes) if masked else None
    return Detections(xyxy, rng.integers(0, classes, count), None, runs, SIZE, None, np.zeros(count, bool))


class FakeObjects:
    """Pictures whose first pixel holds the sample's number, with squares."""

    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    multilabel = False
    source = "fake:objects"

    def __init__(self, size: int = 30, task: str = "detection", class_names: Sequence[str] = ("a", "b", "c")) -> None:
        self.name, self.fingerprint, self.task = "objects", f"objects-{task}-{size}", task
        self.class_names = tuple(class_names)
        self.ids = [f"{i:03d}.png" for i in range(size)]
        self.targets = [objects(i, len(self.class_names), task != "detection") for i in range(size)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        def load() -> np.ndarray:
            picture = np.zeros((*SIZE, 3), np.uint8)
            picture[0, 0] = index >> 16, index >> 8 & 255, index & 255
            return picture

        return Sample(id=self.ids[index], load=load, target=self.targets[index])

    def __iter__(self):
        return (self[i] for i in range(len(self)))


class FakeDetector(ModelAdapter[int, list[int]]):
    """Finds the truth, a little off, and something that is not there; class names may be in another order."""

    device = "cpu"

    def __init__(
        self, class_names: Sequence[str] = ("a", "b", "c"), task: str = "detection", truth_names: Sequence[str] = "abc"
    ) -> None:
        self.spec = ModelSpec("finder", task, "fake", "tests", Weights("bundled", "-"), tuple(class_names))
        self.fingerprint, self.notes = f"finder-{task}", {}
        self.truth_names = list(truth_names)
        self.batches: list[list[int]] = []

    def preprocess(self, image: np.ndarray) -> int:
        return int(np.dot(image[0, 0].astype(np.int64), (1 << 16, 1 << 8, 1)))

    def forward(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        return list(items)

    def postprocess(self, outputs: list[int]) -> list[Detections]:
        return [self._answer(i) for i in outputs]

    def _answer(self, index: int) -> Detections:
        masked = self.spec.task == "instance-segmentation"
        truth = objects(index, len(self.truth_names), True)
        names = list(self.spec.class_names)
        labels = [names.index(self.truth_names[c]) for c in truth.class_ids]
        extra = np.array([[20.0, 2.0, 30.0, 9.0]])
        shape = np.zeros((1, *SIZE), bool)
        shape[0, 2:9, 20:30] = True
        return Detections(
            np.concatenate([truth.xyxy + np.array([0.0, 0.0, 1.0, 0.0]), extra]),
            np.array([*labels, len(names) - 1]),
            np.array([*np.linspace(0.9, 0.6, len(labels)), 0.5]),
            [*(truth.masks or ()), *masks.encode(shape)] if masked else None,
            SIZE,
        )


def without_masks(found: Detections) -> Detections:
    """The same with boxes only."""
    return replace(found, masks=None)
