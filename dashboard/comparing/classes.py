"""One list of classes for all runs: another run's classes are found among the baseline's, by id or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.align import name, title
from dashboard.errors import InputError
from dashboard.labels import match_classes
from dashboard.store import Run

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of all runs.

    Attributes:
        names: (C,) the baseline's, then those that only other runs know.
        of: each run's classes' places among them, one (C_r,) array a run.
        notes: what a reader must know.
    """

    names: Sequence[str]
    of: Sequence[Ints]
    notes: Sequence[str]


def join_classes(runs: Sequence[Run], baseline: int, used: Sequence[NDArray[np.bool_]]) -> Classes:
    """Bring the runs' class lists together.

    Args:
        runs: at least two.
        baseline: whose order counts.
        used: (C_r,) a run, which classes its truth has on the common samples: these have to be known to the baseline.

    Raises:
        InputError: for one that is not, naming both runs.
    """
    base = runs[baseline]
    names, ids = base.classes, base.class_ids
    every, places, notes = list(names), [], []
    for run, needed in zip(runs, used, strict=True):
        own = run.classes
        if own == names:
            places.append(np.arange(len(own)))
            continue
        try:
            found = match_classes(own, run.class_ids, names, ids, used=needed.tolist()).to_model.copy()
        except InputError as error:
            raise InputError(f"{title(run)} and {title(base)} have class lists that do not agree: {error}.") from error
        for alone in np.flatnonzero(found < 0):
            found[alone] = every.index(own[alone], len(names)) if own[alone] in every[len(names) :] else len(every)
            if found[alone] == len(every):
                every.append(own[alone])
        places.append(found)
        if len(own) != len(names):
            notes.append(f"{name(run)} knows {len(own):,} classes, {name(base)} {len(names):,}; matched by name.")
        else:
            notes.append(f"{name(run)} and {name(base)} have their classes in another order; matched by name.")
    return Classes(every, places, list(dict.fromkeys(notes)))


def same_truth(runs: Sequence[Run], baseline: int, run: int, sample: str) -> InputError:
    """What to say when two runs were told different truths of a sample."""
    return InputError(
        f"{title(runs[run])} and {title(runs[baseline])} have different truth for {sample!r}: they are not on the same "
        "data; score both on one of them."
    )
