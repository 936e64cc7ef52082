"""A run opened for looking around: its detections, its truth, and who matched whom. Kept for a while."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.detection_parts import of_image, whole_batch
from dashboard.errors import InputError
from dashboard.metrics.detection.columns import DetectionBatch, Kind
from dashboard.metrics.detection.matching import IOUS, Matches, match
from dashboard.metrics.detection.neighbours import Neighbours, neighbours
from dashboard.metrics.detection.operating import Point, sweep
from dashboard.metrics.detection.precision import Accumulated, accumulate
from dashboard.metrics.detection.tide import Causes, causes
from dashboard.store import Run
from dashboard.types import Detections


@dataclass(eq=False)
class Opened:
    """A run with its objects in memory.

    Attributes:
        run: the run.
        kind: by which overlap it is judged: masks where there are any, or boxes.
        index: (N,) dataset positions of its images.
        batch: their objects.
    """

    run: Run
    kind: Kind
    index: NDArray[np.int64]
    batch: DetectionBatch

    @cached_property
    def matches(self) -> Matches:
        """Who matched whom."""
        return match(self.batch, self.kind)

    @cached_property
    def near(self) -> Neighbours:
        """What lies near each detection."""
        return neighbours(self.batch, self.matches, self.kind)

    @cached_property
    def accumulated(self) -> Accumulated:
        """Precision and recall of every class."""
        return accumulate(self.matches, len(self.names))

    @cached_property
    def causes(self) -> Causes:
        """Why each error is one."""
        return causes(self.matches, self.near)

    @cached_property
    def names(self) -> list[str]:
        """(C,) class names."""
        return self.run.classes

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """For each row of ``batch.found`` its place in ``matches``; -1 past the hundred best."""
        places = np.full(len(self.batch.found), -1)
        places[self.matches.row] = np.arange(len(self.matches))
        return places

    @cached_property
    def best(self) -> float:
        """The confidence of the best F1 at IoU .5, rounded down to a hundredth."""
        found = sweep(self.matches).best()
        return 0.0 if np.isnan(found) else float(np.floor(found * 100) / 100)

    def image(self, index: int) -> int | None:
        """Where the image at a dataset position is in the batch; None if the run has not seen it."""
        at = int(np.searchsorted(self.index, index))
        return at if at < len(self.index) and self.index[at] == index else None

    def found(self, image: int) -> tuple[Detections, NDArray[np.int64]]:
        """An image's detections and their rows."""
        return of_image(self.batch, image, "found")

    def truth(self, image: int) -> tuple[Detections, NDArray[np.int64]]:
        """An image's truth and its rows."""
        return of_image(self.batch, image, "truth")


def opened(run: Run, kind: Kind | None = None) -> Opened:
    """Open a run; the same one again costs nothing.

    Args:
        run: of detection or instance segmentation.
        kind: "bbox" or "segm"; the foremost there is if None, and boxes if there are no masks.

    Raises:
        InputError: its predictions are damaged or gone.
    """
    try:
        written = run.predictions_path.stat().st_mtime_ns
        base = _read(run.predictions_path, written)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{run.predictions_path} is damaged or gone ({error}): delete that run, start anew."
        ) from error
    kinds = base[1].kinds
    found = _opened(run.predictions_path, written, kind if kind in kinds else kinds[0])
    found.run = run  # its facts may have changed meanwhile (renamed, moved)
    return found


@lru_cache(6)
def _read(path: Path, _written: int) -> tuple[NDArray[np.int64], DetectionBatch]:
    """Everything a run stored."""
    return whole_batch(path)


@lru_cache(8)
def _opened(path: Path, written: int, kind: Kind) -> Opened:
    """The same by one kind of overlap, so that what was worked out is kept."""
    index, batch = _read(path, written)
    return Opened(None, kind, index, batch)  # type: ignore[arg-type]


def point_of(confidence: float, iou: float, most: float) -> Point:
    """What sliders say, as a point; numbers out of range are brought into it."""
    place = int(np.abs(IOUS - iou).argmin())
    return Point(float(np.clip(confidence, 0, 1)), place, int(np.clip(most, 1, 100)))
