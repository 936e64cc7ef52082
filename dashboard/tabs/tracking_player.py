"""A sequence of some runs for the player: its video is made once, then every browser plays it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.opening import cache_folder
from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.engine import Engine
from dashboard.errors import Cancelled, InputError
from dashboard.explore import tracking as explore
from dashboard.explore.tracking.opened import Opened
from dashboard.metrics.tracking.columns import Tracks
from dashboard.store import Run
from dashboard.types import Detections
from dashboard.video_writing import Proxy, annotated, proxy
from dashboard.views import film_data


@dataclass(frozen=True, eq=False)
class _Shown:
    """What is known of a sequence besides its boxes."""

    fps: float | None
    size: tuple[int, int] | None
    times: NDArray[np.float64] | None
    video: Mapping[str, Any] | None
    note: str | None


class Player:
    """Makes the values of a ``TracksView``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def folder(self) -> Path:
        """Where videos for browsers are kept."""
        return cache_folder().parent / "films"

    def value(self, views: Sequence[Opened], sequence: str, agnostic: bool = False, wait: bool = False) -> Any:
        """A sequence of runs on the same data; ``wait`` until its video is made."""
        if not views:
            return None
        s = self._shown(views[0].run, sequence, wait)
        return explore.tracks_value(views, sequence, agnostic, s.fps, s.times, s.size, s.video, s.note)

    def value_of(
        self, dataset: Any, place: int, views: Sequence[Opened], others: Sequence[Mapping[str, Any]], wait: bool = False
    ) -> Any:
        """A sequence of a dataset with some runs on it, and panes that are made elsewhere."""
        info: SequenceInfo = sequences_of(dataset)[place]
        s = self._of(dataset, place, wait)
        panes = [dict(p) for p in others]
        return explore.tracks_value(views, info.name, False, s.fps, s.times, s.size, s.video, s.note, len(info), panes)

    def is_missing(self, run: Run, sequence: str) -> bool:
        """Whether a video could be made that is not there yet."""
        dataset, place = self._sequence(run, sequence)
        return dataset is not None and self.ready(dataset, place) is None

    def annotated(self, view: Opened, sequence: str, path: Path) -> Path:
        """The sequence as a video with its boxes drawn. Raises InputError if the pictures are gone."""
        dataset, place = self._sequence(view.run, sequence)
        if dataset is None:
            raise InputError(f"The pictures of {sequence} are not here: bring them back to where they were.")
        boxes = boxes_of(view.sequences[view.place(sequence)].tracks.found)
        return annotated(dataset, place, boxes, path, view.names)

    def _sequence(self, run: Run, name: str) -> tuple[Any, int]:
        """The run's dataset and a sequence's place in it; None and 0 if its pictures are not here."""
        dataset = self.engine.pictures(run)
        for place, info in enumerate([] if dataset is None else sequences_of(dataset)):
            if info.name == name and info.pictures:
                return dataset, place
        return None, 0

    def ready(self, dataset: Any, place: int) -> Proxy | None:
        """The video, if it is made already."""
        stop = threading.Event()
        stop.set()
        try:
            return proxy(dataset, place, self.folder, cancel=stop)
        except (Cancelled, InputError):
            return None

    def _shown(self, run: Run, name: str, wait: bool) -> _Shown:
        """Rate, size and video of a sequence."""
        dataset, place = self._sequence(run, name)
        if dataset is None:
            stored: dict[str, Any] = next((s for s in run.facts.get("sequences", []) if s.get("name") == name), {})
            return _Shown(stored.get("fps"), None, None, None, "ui.trk.nofilm")
        return self._of(dataset, place, wait)

    def _of(self, dataset: Any, place: int, wait: bool) -> _Shown:
        """The same of a dataset that is there."""
        info: SequenceInfo = sequences_of(dataset)[place]
        made, note = self.ready(dataset, place), None
        if made is None and wait:
            try:
                made = proxy(dataset, place, self.folder)
            except InputError as error:
                note = str(error)
        elif made is None:
            note = "ui.trk.film"
        video = None
        if made is not None:
            with contextlib.suppress(OSError):
                video = film_data(made.path)
        times = made.times if made is not None else info.times
        return _Shown(info.fps, info.size, times, video, note)


def boxes_of(found: Tracks) -> Callable[[int], Detections]:
    """A sequence's boxes, frame by frame."""
    offsets = np.searchsorted(found.frame, np.arange(int(found.frame[-1]) + 2 if len(found) else 1))

    def of(frame: int) -> Detections:
        if frame + 1 >= len(offsets):
            return Detections.none()
        rows = slice(int(offsets[frame]), int(offsets[frame + 1]))
        scores = None if found.scores is None else found.scores[rows]
        return Detections(found.xyxy[rows], found.class_ids[rows], scores, track_ids=found.ids[rows])

    return of
