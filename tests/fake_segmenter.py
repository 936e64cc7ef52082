"""A segmenter and a dataset of class maps made of arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.types import Sample, Segmentation, class_dtype, ignore_of
from models.base import ModelAdapter, ModelSpec, Weights

SIZE = (12, 16)
NAMES = ("background", "a", "b")


def truth_of(index: int, classes: int = 3) -> np.ndarray:
    """(12, 16): left half background, right half class 1 + index % (classes - 1), first row ignored."""
    ids = np.zeros(SIZE, class_dtype(classes))
    ids[:, 8:] = 1 + index % (classes - 1)
    ids[0] = ignore_of(classes)
    return ids


class Softened:
    """(C, H, W) probabilities: ``sure`` for the answered class, the rest shared."""

    def __init__(self, ids: np.ndarray, classes: int, sure: float) -> None:
        self.shape = (classes, *ids.shape)
        self.full = np.full(self.shape, (1 - sure) / (classes - 1), np.float32)
        np.put_along_axis(self.full, ids[None].astype(np.int64), sure, axis=0)

    def rows(self, start: int, stop: int) -> np.ndarray:
        return self.full[:, start:stop]


class FakeMaps:
    """Pictures whose first pixel holds the sample's number, with class maps."""

    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    multilabel = False
    source = "fake:maps"
    task = "semantic-segmentation"

    def __init__(self, size: int = 20, class_names: Sequence[str] = NAMES) -> None:
        self.name, self.fingerprint = "maps", f"maps-{size}-{class_names}"
        self.class_names = tuple(class_names)
        self.ids = [f"{i:03d}.png" for i in range(size)]
        count = len(class_names)
        self.targets = [Segmentation(truth_of(i, count), ignore_of(count)) for i in range(size)]
        self.used = [True] * count

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        def load() -> np.ndarray:
            picture = np.full((*SIZE, 3), 10 * (index % 20), np.uint8)
            picture[0, 0] = index >> 16, index >> 8 & 255, index & 255
            return picture

        return Sample(id=self.ids[index], load=load, target=self.targets[index])

    def __iter__(self):
        return (self[i] for i in range(len(self)))


class FakeSegmenter(ModelAdapter[int, list[int]]):
    """Gives the truth moved one column to the left, in its own class order, with probabilities if it has any."""

    device = "cpu"

    def __init__(self, class_names: Sequence[str] = NAMES, sure: float | None = 0.8, name: str = "mover") -> None:
        self.spec = ModelSpec(
            name, "semantic-segmentation", "fake", "tests", Weights("bundled", "-"), tuple(class_names)
        )
        self.fingerprint, self.notes, self.sure = f"{name}-{class_names}-{sure}", {}, sure
        self.batches: list[list[int]] = []

    def preprocess(self, image: np.ndarray) -> int:
        return int(np.dot(image[0, 0].astype(np.int64), (1 << 16, 1 << 8, 1)))

    def forward(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        return list(items)

    def postprocess(self, outputs: list[int]) -> list[Segmentation]:
        return [self.answer(i) for i in outputs]

    def answer(self, index: int) -> Segmentation:
        names = list(self.spec.class_names)
        ids = np.zeros(SIZE, class_dtype(len(names)))
        wanted = NAMES[1 + index % 2]
        ids[:] = names.index("background")
        ids[:, 7:] = names.index(wanted if wanted in names else "background")
        probabilities = None if self.sure is None else Softened(ids, len(names), self.sure)
        return Segmentation(ids, probabilities=probabilities)
