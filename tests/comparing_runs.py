"""Runs to compare: models whose answers are chosen, on data whose order, classes and truth may be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dashboard.evaluation import Settings, evaluate
from dashboard.store import Run, Store
from dashboard.types import Classification
from tests.fakes import FakeAdapter, FakeDataset


class Numbers(FakeDataset):
    """Some of the pictures, in any order, with the labels of ``FakeDataset`` or others."""

    def __init__(self, numbers: Sequence[int], labels: Sequence[int], class_names: Sequence[str]) -> None:
        super().__init__(
            size=max(numbers) + 1, class_names=class_names, fingerprint=f"{numbers} {labels} {class_names}"
        )
        self.numbers = list(numbers)
        self.ids = [f"folder/{i:05d}.png" for i in numbers]
        self.targets = np.asarray(labels, np.int64)

    def __getitem__(self, index: int):
        sample = super().__getitem__(index)
        number = self.numbers[index]

        def load() -> np.ndarray:
            picture = np.zeros((4, 4, 3), np.uint8)
            picture[0, 0] = number >> 16, number >> 8 & 255, number & 255
            return picture

        return type(sample)(id=sample.id, load=load, target=sample.target)


class Chosen(FakeAdapter):
    """Gives picture ``i`` the class ``answers[i]``, with a confidence of its own."""

    def __init__(self, answers: Sequence[int], class_names: Sequence[str], name: str = "chosen", seed: int = 0) -> None:
        super().__init__(class_names=class_names, name=name, fingerprint=f"{name} {list(answers)} {class_names} {seed}")
        self.answers, self.seed = np.asarray(answers), seed

    def postprocess(self, outputs: np.ndarray) -> list[Classification]:
        found = []
        for number in outputs:
            rng = np.random.default_rng([self.seed, int(number)])
            rest = rng.random(len(self.spec.class_names))
            scores = 0.4 * rest / rest.sum()
            scores[self.answers[number]] += 0.6
            found.append(Classification(scores.astype(np.float32)))
        return found


NAMES = ("cat", "dog", "bird")


def made(root: Path, labels: Sequence[int], *answers: Sequence[int], names: Sequence[str] = NAMES) -> list[Run]:
    """Runs of models with these answers on the same data."""
    data = Numbers(range(len(labels)), labels, names)
    return [run_of(root, data, Chosen(a, names, f"model{k}", k)) for k, a in enumerate(answers)]


def run_of(root: Path, data: FakeDataset, adapter: FakeAdapter) -> Run:
    """One run."""
    return evaluate(adapter, data, Store(root), Settings(latency=False))


def random_answers(labels: Sequence[int], accuracy: float, seed: int, classes: int = 3) -> np.ndarray:
    """Right in about this share of the cases."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(labels)
    wrong = (truth + rng.integers(1, classes, len(truth))) % classes
    return np.where(rng.random(len(truth)) < accuracy, truth, wrong)
