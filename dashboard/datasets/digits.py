"""``demo:digits``: scikit-learn's handwritten digits (8x8, UCI optdigits test set), always here, no download.

The first 1200 of the 1797 in scikit-learn's own order train the project's demo models and are never in the dataset; the
remaining 597 are held out.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Classification, Image, Sample

TRAIN_SIZE = 1200


class Digits:
    """Handwritten digits from scikit-learn, 8x8 pixels: the 597 that no demo model was trained on."""

    name = "digits"
    task = "classification"
    class_names = tuple("0123456789")
    class_ids: tuple[str, ...] = ()
    multilabel = False
    source = "demo:digits"
    warnings: tuple[str, ...] = ()
    format: str | None = None
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        images, labels = _load()
        self._images = images[TRAIN_SIZE:]
        self.targets: NDArray[np.int64] = labels[TRAIN_SIZE:]
        self.ids = [f"digit-{TRAIN_SIZE + i}" for i in range(len(self.targets))]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        target = Classification.from_label(int(self.targets[index]), len(self.class_names))
        return Sample(id=self.ids[index], load=partial(_rgb, self._images[index]), target=target)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the pixels and labels."""
        digest = hashlib.blake2b(b"digits-1", digest_size=10)
        digest.update(self._images.tobytes())
        digest.update(self.targets.astype("<i8").tobytes())
        return digest.hexdigest()


def train_split() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures the demo models may learn from: (1200, 8, 8, 3) uint8 RGB and (1200,) labels, none in ``Digits``."""
    images, labels = _load()
    return np.repeat(images[:TRAIN_SIZE, ..., None], 3, axis=3), labels[:TRAIN_SIZE].copy()


def _rgb(grey: NDArray[np.uint8]) -> Image:
    return np.repeat(grey[..., None], 3, axis=2)


@functools.cache
def _load() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(1797, 8, 8) uint8, scikit-learn's 0..16 scaled to 0..255, and (1797,) int64 labels."""
    from sklearn.datasets import load_digits  # most of a second, so only when asked for

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    images.setflags(write=False)
    return images, bunch.target.astype(np.int64)
