"""A run of semantic segmentation opened for looking around: the counts of every image. Maps stay on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.metrics.segmentation.counts import Counts, matrix, per_image
from dashboard.metrics.segmentation.scores import image_scores
from dashboard.segmentation_parts import StoredMaps, maps_of
from dashboard.segmentation_rows import counts_of
from dashboard.store import Run


@dataclass(eq=False)
class Opened:
    """A run with the counts of its images in memory.

    Attributes:
        run: the run.
        index: (N,) dataset positions of its images, ascending.
        ids: N sample ids.
        counts: what was counted in each of them.
    """

    run: Run
    index: NDArray[np.int64]
    ids: Sequence[str]
    counts: Counts

    @cached_property
    def names(self) -> list[str]:
        """(C,) class names."""
        return self.run.classes

    @cached_property
    def matrix(self) -> NDArray[np.int64]:
        """(C, C + 1) pixels of all images, [true, answered]; the last column is "other"."""
        return matrix(self.counts)

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(N, C, 3) pixels of each class in each image: right, true, answered."""
        return per_image(self.counts)

    @cached_property
    def wrong(self) -> NDArray[np.int64]:
        """(N,) pixels that count and are wrong."""
        off = self.counts.true != self.counts.found
        return np.bincount(self.counts.image[off], self.counts.pixels[off], len(self.index)).astype(np.int64)

    @cached_property
    def counted(self) -> NDArray[np.int64]:
        """(N,) pixels that count."""
        return np.bincount(self.counts.image, self.counts.pixels, len(self.index)).astype(np.int64)

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """(N,) of each image: see ``image_scores``."""
        return image_scores(self.counts)

    @property
    def iou(self) -> NDArray[np.float64]:
        """(N,) mean IoU of each image, 0..1, NaN where no pixel counts."""
        return self.scores["iou"]

    @cached_property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """(N,) of every loss that pictures are ordered by, larger is harder; NaN where undefined."""
        losses = self.counts.losses
        return {
            "loss_image_iou": 1 - self.iou,
            "loss_image_dice": 1 - self.scores["dice"],
            "sem_cross_entropy": losses["cross_entropy"],
            "sem_focal": losses["focal"],
            "soft_dice": losses["soft_dice"],
            "soft_iou": losses["soft_iou"],
        }

    def image(self, index: int) -> int | None:
        """The place of the image at a dataset position; None if the run has not seen it."""
        at = int(np.searchsorted(self.index, index))
        return at if at < len(self.index) and self.index[at] == index else None

    def maps(self, index: int) -> StoredMaps | None:
        """The stored maps of the image at a dataset position. Raises InputError if they are damaged or gone."""
        path = self.run.predictions_path
        try:
            return _maps(path, index, path.stat().st_mtime_ns)
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
    """The counts of a run's images."""
    index, ids, counts = counts_of(pq.read_table(path))
    nothing: Any = None
    return Opened(nothing, index, ids, counts)


@lru_cache(128)
def _maps(path: Path, index: int, _written: int) -> StoredMaps | None:
    """One image's maps, still encoded, kept for a while."""
    return maps_of(path, index)
