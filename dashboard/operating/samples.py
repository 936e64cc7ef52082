"""The samples that several runs have in common, each once, in two halves that do not depend on the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.store import Run

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Common:
    """Samples that all runs have.

    Attributes:
        ids: (N,) in the order of the first run.
        half: (N,) 0 or 1, by a hash of the id.
        places: R arrays: for each row of a run its place among ``ids``, -1 if the others lack it.
        names: (C,) the runs' class names, those of the first run first.
        classes: R arrays: for each class of a run its place among ``names``.
    """

    ids: Sequence[str]
    half: Ints
    places: Sequence[Ints]
    names: Sequence[str]
    classes: Sequence[Ints]


def common(runs: Sequence[Run]) -> Common:
    """Line runs up by sample id and by class name.

    Raises:
        InputError: they have no sample in common, or rows that cannot be read.
    """
    each = [ids_of(run) for run in runs]
    shared = set(each[0]).intersection(*each[1:])
    if not shared:
        raise InputError("These runs have no image in common: compare runs on the same data.")
    ids = [i for i in each[0] if i in shared]
    at = {name: place for place, name in enumerate(ids)}
    places = [np.array([at.get(i, -1) for i in own], np.int64) for own in each]
    names = list(dict.fromkeys(name for run in runs for name in run.classes))
    number = {name: k for k, name in enumerate(names)}
    half = np.array([blake2b(i.encode(), digest_size=1).digest()[0] & 1 for i in ids], np.int64)
    return Common(ids, half, places, names, [np.array([number[n] for n in run.classes], np.int64) for run in runs])


def ids_of(run: Run) -> Sequence[str]:
    """Sample ids in the order of a run's rows. Raises InputError if they cannot be read."""
    try:
        return _ids(run.rows_path, run.rows_path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{run.rows_path} is damaged or gone ({error}): delete that run, start anew.") from error


@lru_cache(16)
def _ids(path: Path, _written: int) -> Sequence[str]:
    return tuple(pq.read_table(path, columns=["id"]).column(0).to_pylist())
