"""What flows through the house: samples and predictions, validated, numpy only.

Images are (H, W, 3) uint8 RGB everywhere inside; conversion happens only where files are read and at vendor edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Classification:
    """One image's class probabilities, or its truth.

    Attributes:
        scores: (C,) float32 or float64, each in 0..1. Single-label scores sum to 1 (softmax); multi-label scores are
            independent (sigmoid). A truth is 0 or 1 in each place.
        multilabel: whether several classes can be right at once.
    """

    scores: NDArray[np.floating]
    multilabel: bool = False

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores)
        if scores.ndim != 1 or scores.size == 0 or scores.dtype.kind != "f":
            raise ValueError(f"scores must be a (C,) float array with C >= 1, got {scores.dtype} {scores.shape}")
        if not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1 + 1e-5:
            raise ValueError("scores must be finite probabilities in 0..1 (apply softmax or sigmoid to logits first)")
        object.__setattr__(self, "scores", scores)

    @classmethod
    def from_label(cls, label: int, classes: int) -> Classification:
        """The truth of an image with one label, an index in 0..classes-1."""
        return cls.from_labels([label], classes, multilabel=False)

    @classmethod
    def from_labels(cls, labels: Iterable[int], classes: int, multilabel: bool = True) -> Classification:
        """The truth of an image with a set of labels (empty is allowed when multi-label)."""
        scores = np.zeros(classes, np.float32)
        for label in labels:
            if not 0 <= label < classes:
                raise ValueError(f"label must be in 0..{classes - 1}, got {label}")
            scores[label] = 1
        return cls(scores, multilabel)

    @property
    def label(self) -> int:
        """The most probable class (of a truth: its label)."""
        return int(self.scores.argmax())

    @property
    def labels(self) -> tuple[int, ...]:
        """Of a truth: every class that is right."""
        return tuple(int(i) for i in np.flatnonzero(self.scores > 0.5))


Prediction = Classification  # a union, as tasks are added


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of a dataset, its picture loaded only when looked at.

    Attributes:
        id: unique within its dataset and stable over time (a path relative to the dataset, for files).
        load: returns the picture, (H, W, 3) uint8 RGB; raises InputError naming the file if it cannot be read.
        target: the truth, or None.
        source: the file behind the picture, if there is one.
        sequence, frame: of a video.
        tags: free facts a person may slice by.
    """

    id: str
    load: Callable[[], Image]
    target: Prediction | None = None
    source: Path | None = None
    sequence: str | None = None
    frame: int | None = None
    tags: Mapping[str, str | float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def image(self) -> Image:
        """The picture, read anew at each access (nothing is kept in memory)."""
        return self.load()
