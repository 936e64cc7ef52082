"""A model and a dataset made of arithmetic: fast, exact, and able to fail on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

import numpy as np

from dashboard.errors import InputError
from dashboard.types import Classification, Sample
from models.base import ModelAdapter, ModelSpec, OutOfMemory, Weights


class FakeDataset:
    """Pictures of 4x4 pixels whose first pixel holds the sample's number."""

    task = "classification"
    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    source = "fake:numbers"

    def __init__(
        self,
        size: int = 100,
        classes: int = 5,
        unreadable: Collection[int] = (),
        multilabel: bool = False,
        fingerprint: str = "data-1",
        name: str = "numbers",
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.name, self.fingerprint, self.multilabel = name, fingerprint, multilabel
        self.class_names = tuple(class_names or (f"class {i}" for i in range(classes)))
        self.unreadable = set(unreadable)
        self.ids = [f"folder/{i:05d}.png" for i in range(size)]
        labels = (np.arange(size) * 7 + np.arange(size) // 3) % len(self.class_names)
        several = [tuple(sorted({int(k), int(k + i) % len(self.class_names)})) for i, k in enumerate(labels)]
        self.targets = several if multilabel else labels.astype(np.int64)
        self.loaded: list[int] = []

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        def load() -> np.ndarray:
            self.loaded.append(index)
            if index in self.unreadable:
                raise InputError(f"{self.ids[index]} is not a picture")
            picture = np.zeros((4, 4, 3), np.uint8)
            picture[0, 0] = index >> 16, index >> 8 & 255, index & 255
            return picture

        target, classes = self.targets[index], len(self.class_names)
        truth = (
            Classification.from_labels(target, classes)
            if self.multilabel
            else Classification.from_label(int(target), classes)
        )
        return Sample(id=self.ids[index], load=load, target=truth)

    def __iter__(self):
        return (self[i] for i in range(len(self)))


class FakeAdapter(ModelAdapter[int, np.ndarray]):
    """Scores from a hash of the sample's number, so that every sample has its own, whatever the batch."""

    device = "cpu"

    def __init__(
        self,
        classes: int = 5,
        multilabel: bool = False,
        fingerprint: str = "model-1",
        name: str = "hasher",
        room: int | None = None,
        delay: float = 0.0,
        decode_delay: float = 0.0,
        dtype: type = np.float32,
        class_names: Sequence[str] | None = None,
        task: str = "classification",
    ) -> None:
        names = tuple(class_names or (f"class {i}" for i in range(classes)))
        self.spec = ModelSpec(name, task, "fake", "tests", Weights("bundled", "-"), names)
        self.fingerprint, self.notes = fingerprint, {}
        self.multilabel, self.room, self.delay, self.decode_delay, self.dtype = (
            multilabel,
            room,
            delay,
            decode_delay,
            dtype,
        )
        self.batches: list[list[int]] = []
        self.cancel_after: tuple[int, threading.Event] | None = None

    @property
    def seen(self) -> list[int]:
        """Every sample that went through the network, in order."""
        return [i for batch in self.batches for i in batch]

    def preprocess(self, image: np.ndarray) -> int:
        number = int(np.dot(image[0, 0].astype(np.int64), (1 << 16, 1 << 8, 1)))
        if self.decode_delay:
            time.sleep(self.decode_delay * (number % 3))
        return number

    def forward(self, items: Sequence[int]) -> np.ndarray:
        if self.room is not None and len(items) > self.room:
            raise OutOfMemory("no room")
        self.batches.append(list(items))
        if self.delay:
            time.sleep(self.delay)
        if self.cancel_after and len(self.batches) >= self.cancel_after[0]:
            self.cancel_after[1].set()
        return np.array(items)

    def postprocess(self, outputs: np.ndarray) -> list[Classification]:
        columns = np.arange(1, len(self.spec.class_names) + 1)
        logits = np.sin(np.outer(outputs * 12.9898 + 1, columns * 78.233)) * 4
        if self.multilabel:
            scores = 1 / (1 + np.exp(-logits))
        else:
            scores = np.exp(logits)
            scores /= scores.sum(axis=1, keepdims=True)
        return [Classification(row.astype(self.dtype), self.multilabel) for row in scores]
