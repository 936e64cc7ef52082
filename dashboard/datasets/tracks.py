"""``demo:tracks``: digits that move over photos, with exact truth of who is where; always here, no download.

Six sequences of 150 frames: slow and fast, few and many, digits that cross, pass behind standing bars, leave and come
back (as the same identity) or arrive later, and a camera that pans. A box is tight around what is visible; a digit of
which less than a fifth is visible has no box in that frame. Digits and photos are those that ``demo:scenes`` holds out,
so its detectors fit at once and have seen neither. Frames are painted when asked for, in any order.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np

from dashboard.datasets.scene_painting import photo_files
from dashboard.datasets.sequences import SequenceInfo
from dashboard.datasets.tracks_frames import FrameTruths
from dashboard.datasets.tracks_layout import FPS, FRAMES, SCENARIOS, SIZE, Scenario, arranged, movers, visible
from dashboard.datasets.tracks_painting import painted, photo_behind
from dashboard.metrics.tracking.columns import Tracks
from dashboard.types import Sample

DIGITS = tuple("0123456789")


class DemoTracks:
    """Digits moving over photos with exact identities: 6 sequences of 150 frames that no demo model was trained on."""

    name = "tracks"
    task = "tracking"
    class_names = DIGITS
    class_ids: tuple[str, ...] = ()
    multilabel = False
    source = "demo:tracks"
    warnings: tuple[str, ...] = ()
    format: str | None = None
    options: Mapping[str, str] = MappingProxyType({})
    has_truth = True

    def __init__(self) -> None:
        self.sequences = tuple(
            SequenceInfo(scenario.name, k * FRAMES, (k + 1) * FRAMES, FPS, SIZE) for k, scenario in enumerate(SCENARIOS)
        )
        self.ids = [f"{one.name}/{frame + 1:06d}" for one in self.sequences for frame in range(len(one))]
        self.targets = FrameTruths(self.sequences, self.truth_tracks)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        scenario, frame = SCENARIOS[index // FRAMES], index % FRAMES
        return Sample(
            id=self.ids[index],
            load=partial(painted, scenario, frame),
            target=self.targets[index],
            sequence=scenario.name,
            frame=frame + 1,
            tags=MappingProxyType({"photo": photo_behind(scenario)}),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def truth_tracks(self, k: int) -> Tracks:
        """The truth of the ``k``-th sequence in columns, frames from 0."""
        return truth_of(SCENARIOS[k])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the truth and of the photos' files."""
        digest = hashlib.blake2b(b"tracks-1", digest_size=10)
        for scenario in SCENARIOS:
            tracks = truth_of(scenario)
            for values in (tracks.frame, tracks.ids, tracks.class_ids, tracks.xyxy):
                digest.update(np.asarray(values).astype("<f8").tobytes())
        for file in photo_files("test"):
            digest.update(file.read_bytes())
        return digest.hexdigest()


@functools.lru_cache(maxsize=8)
def truth_of(scenario: Scenario) -> Tracks:
    """The truth of a sequence in columns; made at the first demand."""
    found = [visible(arranged(scenario, frame)) for frame in range(FRAMES)]
    ids = np.concatenate([identities for identities, _ in found])
    labels = np.array([0, *(mover.label for mover in movers(scenario))], np.int64)
    frame = np.repeat(np.arange(FRAMES), [len(identities) for identities, _ in found])
    return Tracks(frame, ids, labels[ids], np.concatenate([boxes for _, boxes in found]))
