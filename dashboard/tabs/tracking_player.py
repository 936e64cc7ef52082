"""A sequence of some runs for the player: its video is made once, then every browser plays it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import tracking as explore
from dashboard.explore.tracking.opened import Opened
from dashboard.films import Making
from dashboard.store import Run
from dashboard.video_writing import annotated
from dashboard.views import film_data
from dashboard.views.strings import t


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

    def value(self, views: Sequence[Opened], sequence: str, agnostic: bool = False) -> Any:
        """A sequence of runs on the same data."""
        if not views:
            return None
        dataset, place = self._sequence(views[0].run, sequence)
        s = self._stored(views[0].run, sequence) if dataset is None else self._of(dataset, place)
        return explore.tracks_value(views, sequence, agnostic, s.fps, s.times, s.size, s.video, s.note)

    def value_of(self, dataset: Any, place: int, views: Sequence[Opened], others: Sequence[Mapping[str, Any]]) -> Any:
        """A sequence of a dataset with some runs on it, and panes that are made elsewhere."""
        info: SequenceInfo = sequences_of(dataset)[place]
        s = self._of(dataset, place)
        panes = [dict(p) for p in others]
        return explore.tracks_value(views, info.name, False, s.fps, s.times, s.size, s.video, s.note, len(info), panes)

    def film(self, run: Run, sequence: str) -> Making | None:
        """The video being made; None if it is there, or there is none to be made."""
        dataset, place = self._sequence(run, sequence)
        return None if dataset is None else self.film_of(dataset, place)

    def film_of(self, dataset: Any, place: int) -> Making | None:
        """The same of a dataset that is there."""
        films = self.engine.films
        if not sequences_of(dataset)[place].pictures or films.ready(dataset, place) is not None:
            return None
        return films.ask(dataset, place)

    def annotated(self, view: Opened, sequence: str, path: Path) -> Path:
        """The sequence as a video with its boxes drawn. Raises InputError if the pictures are gone."""
        dataset, place = self._sequence(view.run, sequence)
        if dataset is None:
            raise InputError(f"The pictures of {sequence} are not here: bring them back to where they were.")
        found = view.sequences[view.place(sequence)].tracks.found
        return annotated(dataset, place, found, path, view.names)

    def _sequence(self, run: Run, name: str) -> tuple[Any, int]:
        """The run's dataset and a sequence's place in it; None and 0 if its pictures are not here."""
        dataset = self.engine.pictures(run)
        for place, info in enumerate([] if dataset is None else sequences_of(dataset)):
            if info.name == name and info.pictures:
                return dataset, place
        return None, 0

    @staticmethod
    def _stored(run: Run, name: str) -> _Shown:
        """What the run knows itself."""
        known: dict[str, Any] = next((s for s in run.facts.get("sequences", []) if s.get("name") == name), {})
        return _Shown(known.get("fps"), None, None, None, "ui.trk.nofilm")

    def _of(self, dataset: Any, place: int) -> _Shown:
        """Rate, size and video of a sequence whose dataset is there."""
        info: SequenceInfo = sequences_of(dataset)[place]
        if not info.pictures:
            return _Shown(info.fps, info.size, info.times, None, "ui.trk.nofilm")
        made, video = self.engine.films.ready(dataset, place), None
        if made is not None:
            with contextlib.suppress(OSError):
                video = film_data(made.path)
        times = made.times if made is not None else info.times
        return _Shown(info.fps, info.size, times, video, None)


def film_said(making: Making | None) -> str:
    """How far a video is, for the page."""
    if making is None:
        return ""
    if making.error:
        return f"⚠ {making.error}"
    return f"{t('ui.trk.film')} {making.done:,} / {making.total:,}"
