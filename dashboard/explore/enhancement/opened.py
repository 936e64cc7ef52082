"""A run of enhancement opened for looking around: one row of numbers an image. Pictures stay on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.enhancement_parts import StoredPictures, pictures_of
from dashboard.errors import InputError
from dashboard.store import Run

_FACTS = ("index", "id", "scale", "border")


@dataclass(eq=False)
class Opened:
    """A run with the numbers of its images in memory.

    Attributes:
        run: the run.
        index: (N,) dataset positions of its images, ascending.
        ids: N sample ids.
        scales: (N,) how many times larger answers are than inputs.
        borders: (N,) pixels at each border that are left out of the numbers.
        columns: name to (N,) float64, see ``dashboard.metrics.enhancement.measured``; NaN where undefined.
    """

    run: Run
    index: NDArray[np.int64]
    ids: Sequence[str]
    scales: NDArray[np.int64]
    borders: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]

    @property
    def referenced(self) -> bool:
        """Whether there is any reference to compare with."""
        return not np.isnan(self.columns["mse"]).all()

    @property
    def super_resolution(self) -> bool:
        """Whether pictures were enlarged."""
        return bool((self.scales > 1).any())

    def image(self, index: int) -> int | None:
        """The place of the image at a dataset position; None if the run has not seen it."""
        at = int(np.searchsorted(self.index, index))
        return at if at < len(self.index) and self.index[at] == index else None

    def pictures(self, index: int) -> StoredPictures | None:
        """The stored pictures at a dataset position. Raises InputError if they are damaged or gone."""
        path = self.run.predictions_path
        try:
            return _pictures(path, index, path.stat().st_mtime_ns)
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(path, error) from error


def opened(run: Run) -> Opened:
    """Open a run; the same one again costs nothing. Raises InputError if its rows are damaged or gone."""
    try:
        found = _read(run.rows_path, run.rows_path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(run.rows_path, error) from error
    found.run = run  # its facts may have changed meanwhile (renamed, moved)
    return found


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is damaged or gone ({error}): delete that run, start anew.")


@lru_cache(8)
def _read(path: Path, _written: int) -> Opened:
    """The numbers of a run's images."""
    table = pq.read_table(path)
    if missing := {*_FACTS, "mse", "psnr"} - set(table.column_names):
        raise ValueError(f"there is no column {min(missing)}")
    facts = {name: table.column(name) for name in _FACTS}
    columns = {n: table.column(n).to_numpy() for n in table.column_names if n not in _FACTS}
    nothing: Any = None
    ids = facts["id"].to_pylist()
    scales, borders = (facts[name].to_numpy() for name in ("scale", "border"))
    return Opened(nothing, facts["index"].to_numpy(), ids, scales, borders, columns)


@lru_cache(16)
def _pictures(path: Path, index: int, _written: int) -> StoredPictures | None:
    """One image's pictures, still encoded, kept for a while."""
    return pictures_of(path, index)
