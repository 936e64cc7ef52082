"""Class maps for tests: a batch of pictures, pieces of it, and what hypothesis draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dashboard.metrics.segmentation.columns import LOSSES, SegmentationBatch
from dashboard.types import class_dtype, ignore_of


def maps(images: int, classes: int, seed: int = 0) -> SegmentationBatch:
    """Pictures of several sizes, truth in blocks, answers a little off; some pixels ignored, some "other"."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for k in range(images):
        height, width = 8 + k % 5, 12 + k % 3
        blocks = rng.integers(0, classes, (3, 4))
        ids = np.repeat(np.repeat(blocks, 5, axis=0), 5, axis=1)[:height, :width].astype(class_dtype(classes))
        answer = np.roll(ids, 1 + k % 2, axis=1)
        answer[rng.random(ids.shape) < 0.1] = classes
        ids[rng.random(ids.shape) < 0.1] = ignore_of(classes)
        truth.append(ids)
        found.append(answer)
    truth[images // 2][:] = ignore_of(classes)  # nothing counts in one of them
    losses = {name: rng.random(images) for name in LOSSES}
    return SegmentationBatch([f"{k}" for k in range(images)], truth, found, classes, losses)


def map_piece(whole: SegmentationBatch, rows: slice) -> SegmentationBatch:
    """Some pictures of a batch."""
    losses = {name: values[rows] for name, values in whole.losses.items()}
    return SegmentationBatch(whole.ids[rows], whole.truth[rows], whole.found[rows], whole.classes, losses)


@st.composite
def pairs(draw: Any, most: int = 6, side: int = 12, wide: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
    """Truth with ignored pixels, an answer with "other", and the number of classes."""
    classes = draw(st.sampled_from([255, 300])) if wide else draw(st.integers(1, most))
    kind, ignore = class_dtype(classes), ignore_of(classes)
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=side))
    some = st.sampled_from([0, classes - 1, classes // 2])
    truth = draw(arrays.arrays(kind, shape, elements=some | st.just(ignore)))
    found = draw(arrays.arrays(kind, shape, elements=some | st.just(classes)))
    return truth, found, classes
