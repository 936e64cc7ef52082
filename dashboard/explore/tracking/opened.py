"""A run of tracking opened for looking around: its sequences in columns, and the story of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.errors import InputError
from dashboard.metrics.tracking.story import Story, story
from dashboard.naming import label_of as label_of
from dashboard.store import Run
from dashboard.tracking_parts import StoredSequence, stored_sequences

MOST_STORIES = 32


@dataclass(eq=False)
class Opened:
    """A run with its tracks in memory.

    Attributes:
        run: the run.
        sequences: in the dataset's order.
        names: class names.
    """

    run: Run
    sequences: Sequence[StoredSequence]
    names: Sequence[str]
    _stories: dict[tuple[int, bool], Story] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The model, and how its tracker differs from the defaults."""
        return label_of(self.run)

    @property
    def known(self) -> bool:
        """Whether there is a truth."""
        return any(s.known for s in self.sequences)

    @property
    def several(self) -> bool:
        """Whether more than one class is counted, so that it matters whether classes have to agree."""
        return self.run.metrics.get("MOTA_agnostic") is not None

    def has(self, name: str) -> bool:
        """Whether it has frames of that sequence."""
        return any(s.tracks.name == name for s in self.sequences)

    def place(self, name: str | None) -> int:
        """Where the sequence of that name stands; 0 for one that is not there."""
        return next((k for k, s in enumerate(self.sequences) if s.tracks.name == name), 0)

    def story(self, place: int, agnostic: bool = False) -> Story:
        """What happened in a sequence, frame by frame; worked out once."""
        key = (place, agnostic)
        if key not in self._stories:
            while len(self._stories) >= MOST_STORIES:
                self._stories.pop(next(iter(self._stories)))
            self._stories[key] = story(self.sequences[place].tracks, agnostic)
        return self._stories[key]


def opened(run: Run) -> Opened:
    """Open a run; the same one again costs nothing. Raises InputError if its tracks are damaged or gone."""
    path = run.predictions_path
    try:
        found = _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged or gone ({error}): delete that run, start anew.") from error
    found.run, found.names = run, run.classes  # its facts may have changed meanwhile (renamed, moved)
    return found


@lru_cache(8)
def _read(path: Path, _written: int) -> Opened:
    """A run's sequences, kept for a while."""
    nothing: Any = None
    return Opened(nothing, list(stored_sequences(path)), ())
