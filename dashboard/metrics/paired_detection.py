"""How far each class's AP may be off: everything is accumulated anew without one group of images after the other."""

from __future__ import annotations

import numpy as np

from dashboard.metrics.detection.columns import Floats
from dashboard.metrics.detection.evidence import restrict
from dashboard.metrics.detection.matching import Matches
from dashboard.metrics.detection.metrics import ap_columns
from dashboard.metrics.detection.precision import accumulate

GROUPS = 20
NAMES = ("ap", "ap_50")


def without_groups(matches: Matches, images: int, classes: int, seed: int = 0) -> dict[str, Floats]:
    """(K, C) AP of each class without each of K groups of images, by the names of ``NAMES``.

    Groups are drawn at random, the same ones for the same seed and number of images: so detectors are compared in
    pairs. Nothing is matched again. (A bootstrap would have to rank every class anew in a thousand resamples.)

    Args:
        matches: of all images.
        images: how many there are, at least ``GROUPS``.
        classes: C.
        seed: of the groups.
    """
    group = np.random.default_rng(seed).permutation(images) % GROUPS
    each = [ap_columns(accumulate(restrict(matches, group != k), classes)) for k in range(GROUPS)]
    return {name: np.stack([columns[name] for columns in each]) for name in NAMES}
