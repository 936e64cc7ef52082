"""Frames of MOTChallenge sequences as a dataset: pictures read and truths cut out when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dashboard.datasets.files import _file_digest
from dashboard.datasets.images import read_image
from dashboard.datasets.mots_rules import MaskRules
from dashboard.datasets.sequences import SequenceInfo
from dashboard.datasets.tracks_frames import FrameTruths
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import REGION, Tracks
from dashboard.types import Image, Sample

_BLOCK = 256  # files a thread takes at a time


class MotDataset:
    """Frames of sequences, with true tracks where there are any. Implements ``TrackingDataset``.

    Attributes:
        benchmark: the rules by which truth counts, "MOT17" or "custom".
        recipe: a sentence on them.
        mask_rules: how masks are read, if the truth is masks; None for boxes.
        files: (N,) pictures of the frames; "" where there is none.
    """

    task = "tracking"
    multilabel = False
    class_ids: tuple[str, ...] = ()
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *,
        name: str,
        source: str,
        sequences: Sequence[SequenceInfo],
        keys: Sequence[str],
        tracks: Sequence[Tracks | None],
        files: Sequence[str],
        benchmark: str,
        recipe: str,
        class_names: Sequence[str],
        mask_rules: MaskRules | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self.name, self.source, self.warnings = name, source, tuple(warnings)
        self.sequences, self.files, self.class_names = tuple(sequences), list(files), tuple(class_names)
        self.benchmark, self.recipe, self.mask_rules = benchmark, recipe, mask_rules
        self.has_truth = any(one is not None for one in tracks)
        self.ids = [f"{one.name}/{frame + 1:06d}" for one in self.sequences for frame in range(len(one))]
        self._keys, self._tracks = list(keys), list(tracks)
        self.targets = FrameTruths(self.sequences, self.truth_tracks)
        self._starts = np.array([one.start for one in self.sequences], np.int64)

    @property
    def used(self) -> list[bool]:
        """(C,) which classes have objects."""
        seen = np.zeros(len(self.class_names), bool)
        for tracks in self._tracks:
            if tracks is not None:
                seen[tracks.class_ids if tracks.role is None else tracks.class_ids[tracks.role != REGION]] = True
        return seen.tolist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        one = self.sequences[int(np.searchsorted(self._starts, index, "right")) - 1]
        file = self.files[index]
        return Sample(
            id=self.ids[index],
            load=partial(read_image, file) if file else partial(_no_picture, self.ids[index], self.source),
            target=self.targets[index],
            source=Path(file) if file else None,
            sequence=one.name,
            frame=index - one.start + 1,
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def truth_tracks(self, k: int) -> Tracks | None:
        """The truth of the ``k``-th sequence in columns, frames from 0; None if it has none."""
        return self._tracks[k]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the sequences, their truth, and every picture's size and ends; not of where the dataset lies."""
        digest = hashlib.blake2b("\0".join(["mot-1", self.benchmark, *self.class_names]).encode(), digest_size=10)
        for key, one, tracks in zip(self._keys, self.sequences, self._tracks, strict=True):
            digest.update(f"\0{key}\0{len(one)}\0{one.fps}\0{tracks is None}\0".encode("utf-8", "surrogateescape"))
            if tracks is not None:
                for values in (tracks.frame, tracks.ids, tracks.class_ids, tracks.xyxy, tracks.role):
                    digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
                if tracks.masks is not None:
                    digest.update(f"{one.size}".encode() + b"\0".join(tracks.masks))
        files = [file for file in self.files if file]
        blocks = [files[i : i + _BLOCK] for i in range(0, len(files), _BLOCK)]
        with ThreadPoolExecutor(8) as pool:
            for edges in pool.map(lambda block: [_file_digest(file) for file in block], blocks):
                digest.update(b"".join(edges))
        return digest.hexdigest()


def _no_picture(identity: str, source: str) -> Image:
    raise InputError(f"{source} has no picture of {identity}: put it into the sequence's folder img1")
