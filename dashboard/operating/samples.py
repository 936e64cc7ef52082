"""The samples that several runs have in common, in two halves that do not depend on the run, and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.align import align
from dashboard.comparing.classes import join_classes
from dashboard.store import Run

Ints = NDArray[np.int64]
Used = Callable[[Run, Ints], NDArray[np.bool_]]
"""(C_r,) which classes the truth of a run has in some of its rows."""


@dataclass(frozen=True, eq=False)
class Common:
    """Samples that all runs have.

    Attributes:
        ids: (N,) in the order of the baseline.
        half: (N,) 0 or 1, by a hash of the id.
        places: R arrays: for each row of a run its place among ``ids``, -1 if the others lack it.
        names: (C,) the runs' class names, those of the baseline first; each is different.
        classes: R arrays: for each class of a run its place among ``names``.
    """

    ids: Sequence[str]
    half: Ints
    places: Sequence[Ints]
    names: Sequence[str]
    classes: Sequence[Ints]


def common(runs: Sequence[Run], baseline: int, used: Used) -> Common:
    """Line runs up as a comparison does: by sample id, and by class id or name, however it is spelled.

    Raises:
        InputError: they have no sample in common, class lists that do not agree, or rows that cannot be read.
    """
    aligned = align(runs, baseline)
    places = []
    for rows, left_out in zip(aligned.rows, aligned.left_out, strict=True):
        place = np.full(len(rows) + left_out, -1)
        place[rows] = np.arange(len(rows))
        places.append(place)
    joined = join_classes(runs, baseline, [used(r, rows) for r, rows in zip(runs, aligned.rows, strict=True)])
    ids = [str(i) for i in aligned.ids]
    half = np.array([blake2b(i.encode(), digest_size=1).digest()[0] & 1 for i in ids], np.int64)
    return Common(ids, half, places, _different(joined.names), joined.of)


def _different(names: Sequence[str]) -> list[str]:
    """Names told apart: ImageNet has two cranes."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return found
