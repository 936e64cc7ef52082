"""Enhanced pictures for tests: a batch of them, and pieces of it."""

from __future__ import annotations

import numpy as np

from dashboard.metrics.enhancement.columns import EnhancementBatch


def pictures(images: int, seed: int = 0) -> EnhancementBatch:
    """Small pictures, each a little off its reference; one equal to it, one without, one smaller than SSIM's window."""
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for k in range(images):
        size = (18 + k % 5, 21 + k % 3, 3) if k != images // 3 else (6, 9, 3)
        clean = np.cumsum(rng.integers(-9, 10, size), axis=1).clip(-100, 100).astype(np.int16) + 128
        noisy = (clean + rng.normal(0, 2 + k % 7, size)).clip(0, 255).astype(np.uint8)
        truth.append(clean.astype(np.uint8))
        found.append(noisy)
    found[images // 2] = truth[images // 2].copy()
    references: list[np.ndarray | None] = [*truth]
    references[images - 2] = None
    return EnhancementBatch(
        [f"{k}" for k in range(images)],
        found,
        references,
        [1 + k % 2 for k in range(images)],
        [k % 2 * 2 for k in range(images)],
    )


def picture_piece(whole: EnhancementBatch, rows: slice) -> EnhancementBatch:
    """Some pictures of a batch."""
    parts = (whole.ids, whole.found, whole.truth, whole.scales, whole.borders)
    return EnhancementBatch(*(part[rows] for part in parts))
