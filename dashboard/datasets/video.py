"""``video``: a video, a folder of frames, or a folder or zip of several of either; no truth, only frames to follow."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.files import is_image, natural_key, passed_over, printable, unusable, walk
from dashboard.datasets.images import read_image
from dashboard.datasets.mask_scan import digests
from dashboard.datasets.sequences import SequenceInfo
from dashboard.datasets.sizes import read_sizes
from dashboard.datasets.videofile import VIDEO_SUFFIXES, VideoFile, is_video_name, open_video
from dashboard.datasets.videofile_open import holds_video, too_long
from dashboard.errors import InputError
from dashboard.types import Image, Sample

_MOT_FILES = frozenset({"seqinfo.ini", "gt.txt", "det.txt"})  # the format ``mot`` has these
_OPEN = 3  # videos whose decoders stay open: one is read to its end while the next begins
_MOST_RATE = 1000.0
_MOST_LIMITED_RATE = 60.0  # frames a second, where seconds are limited: a short video may have any number


class Video:
    """Videos (MP4, MOV, MKV, WebM, AVI, GIF ...) or folders of frames, one sequence each; there is no truth."""

    task = "tracking"
    suffixes = VIDEO_SUFFIXES
    options: ClassVar[Mapping[str, str]] = {
        "fps": "frames a second of folders of frames (default 25)",
        "stride": "every n-th frame only (default 1, all)",
        "start": "seconds at the beginning that are left out (default 0)",
        "seconds": "how many seconds are taken from there (default all)",
        "longest_s": "seconds that all sequences may last together, and 60 frames each, for servers that limit it",
    }

    def detect(self, path: Path) -> bool:
        """Whether a file is a video, or a folder has frames or videos within, and nothing of MOTChallenge."""
        if path.is_file():
            return is_video_name(path.name) or holds_video(path)
        found = False
        if path.is_dir():
            for entry in walk(str(path)):
                if entry.name.lower() in _MOT_FILES:
                    return False
                found = found or is_image(entry.name) or is_video_name(entry.name)
        return found

    def open(self, path: Path, options: Mapping[str, str]) -> VideoDataset:
        """Index it: packets of videos and headers of pictures are read, and one frame of each video is decoded.

        Raises:
            InputError: nothing to read, a broken video, frames of several sizes, an option out of its range.
        """
        cut = Cut.of(options)
        others: Counter[str] = Counter()
        sources = {printable(path.stem): _Source([path], True)} if path.is_file() else _sources(path, others)
        if not sources:
            raise InputError(f"{path} has no video and no frames: give a video, or a folder of frames")
        data = VideoDataset(path, sources, cut)
        data.warnings = (*data.warnings, *passed_over(+others))
        return data


@dataclass(frozen=True)
class _Source:
    """The files of a sequence: one video, or its frames in order."""

    files: list[Path]
    video: bool


@dataclass(frozen=True)
class Cut:
    """Which frames are taken.

    Attributes:
        fps: of folders of frames.
        stride: every n-th.
        start, seconds: the part that is taken; all of the rest where ``seconds`` is None.
        longest_s: limit on all sequences together; None for none.
    """

    fps: float = 25.0
    stride: int = 1
    start: float = 0.0
    seconds: float | None = None
    longest_s: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Cut:
        """From the format's options. Raises InputError naming the one that is out of its range."""
        fps = _number(options, "fps", 25.0, 0.01, _MOST_RATE)
        stride = _number(options, "stride", 1, 1, 1e6)
        start = _number(options, "start", 0.0, 0.0, 1e7)
        if stride != int(stride):
            raise InputError(f"option stride={options['stride']}: it must be a whole number, 1 or more")
        limits = [_number(options, o, 0.0, 1e-3, 1e7) if options.get(o) else None for o in ("seconds", "longest_s")]
        return cls(fps, int(stride), start, *limits)

    def places(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which frames are taken of those shown at these times."""
        stop = np.inf if self.seconds is None else self.start + self.seconds
        return np.flatnonzero((times >= self.start - 1e-9) & (times < stop - 1e-9))[:: self.stride]

    @property
    def whole(self) -> bool:
        """Whether every frame is taken."""
        return self.stride == 1 and self.start == 0 and self.seconds is None


class VideoDataset:
    """Frames of videos and folders, one sequence after the other. Implements ``TrackingDataset``, without truth.

    Attributes:
        sequences: see ``SequenceInfo``; ``video`` is None for folders of frames.
        videos: one a sequence; None for folders of frames.
        cut: which frames are taken.
        places: of each sequence, (F,) which frames of the file they are.
    """

    task = "tracking"
    multilabel = False
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    has_truth = False
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, sources: Mapping[str, _Source], cut: Cut) -> None:
        self.name = path.stem if path.is_file() else path.resolve().name
        self.source = str(path)
        self.cut = cut
        self.warnings: tuple[str, ...] = ()
        self.videos: list[VideoFile | None] = []
        self.places: list[NDArray[np.int64]] = []
        self._files: list[list[str]] = []
        self._guard = threading.Lock()
        self._open: OrderedDict[int, None] = OrderedDict()
        sequences: list[SequenceInfo] = []
        spent = 0.0
        for name, source in sources.items():
            info, seconds = self._add(name, source, sequences[-1].stop if sequences else 0)
            spent += seconds
            if cut.longest_s is not None and spent > cut.longest_s:
                raise too_long(path, spent, cut.longest_s)
            sequences.append(info)
            if cut.longest_s is not None and info.stop > _MOST_LIMITED_RATE * cut.longest_s:
                most = int(_MOST_LIMITED_RATE * cut.longest_s)
                raise InputError(
                    f"{path} has {info.stop:,} frames or more, more than the limit of {most:,} here: cut it to the "
                    "part that matters, or run Loupe on your own machine, where there is no limit"
                )
        self.sequences = tuple(sequences)
        self.ids = [f"{s.name}/{i:06d}" for s in sequences for i in range(1, len(s) + 1)]
        self.targets: Sequence[None] = [None] * len(self.ids)
        self._starts = np.array([s.start for s in sequences])

    def _add(self, name: str, source: _Source, start: int) -> tuple[SequenceInfo, float]:
        """Open one sequence; also how many seconds of video it is."""
        files, file, video = source.files, source.files[0], None
        if source.video:
            video = open_video(file, self.cut.longest_s)
            fps, size, all_times = video.fps, video.size, video.times
            self.warnings += video.notes
        else:
            fps, size = self.cut.fps, _one_size(files)
            all_times = np.arange(len(files)) / fps
        places = self.cut.places(all_times)
        if not len(places):
            where = f"{file.parent if video is None else file} lasts {all_times[-1] + 1 / fps:.2f} seconds"
            raise InputError(f"{where}: no frame is left by the options start and seconds; choose an earlier start")
        times = all_times[places] - all_times[places[0]]
        self.videos.append(video)
        self.places.append(places)
        self._files.append([str(f) for f in files])
        rate = fps / self.cut.stride
        info = SequenceInfo(name, start, start + len(places), rate, size, times, None if video is None else file)
        return info, float(all_times[-1]) + 1 / fps

    def frame(self, index: int, size: tuple[int, int] | None = None) -> Image:
        """The picture of a frame, (H, W, 3) uint8 RGB; of a video, scaled to ``size``, if that is given.

        Raises:
            InputError: naming file and frame.
        """
        k = int(np.searchsorted(self._starts, index, "right")) - 1
        place = int(self.places[k][index - self.sequences[k].start])
        video = self.videos[k]
        if video is None:
            return read_image(self._files[k][place])
        self._in_use(k)
        return video.frame(place, size)

    def _in_use(self, k: int) -> None:
        """Note that a video is read; the one that was not for longest gives its decoder and frames back."""
        with self._guard:
            self._open[k] = None
            self._open.move_to_end(k)
            last = self._open.popitem(last=False)[0] if len(self._open) > _OPEN else None
        if last is not None and (video := self.videos[last]) is not None:
            video.close()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        k = int(np.searchsorted(self._starts, index, "right")) - 1
        info, files = self.sequences[k], self._files[k]
        place = index - info.start
        source = files[0] if info.video is not None else files[int(self.places[k][place])]
        return Sample(
            self.ids[index], partial(self.frame, index), source=Path(source), sequence=info.name, frame=place + 1
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of names, which frames are taken, and every file's size and first and last 8 KB."""
        cut = self.cut
        digest = hashlib.blake2b(f"video-1\0{cut.stride}\0{cut.start}\0{cut.seconds}".encode(), digest_size=10)
        for info, files in zip(self.sequences, self._files, strict=True):
            rate = cut.fps if info.video is None else ""
            digest.update(f"\0{info.name}\0{rate}\0".encode("utf-8", "surrogateescape") + b"".join(digests(files)))
        return digest.hexdigest()


def _number(options: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = str(options.get(name, "")).strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InputError(f"option {name}={text[:40]}: it must be a number from {low:g} to {high:g}")
    return value


def _one_size(files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of all frames. Raises InputError naming two that differ."""
    sizes = read_sizes([str(f) for f in files])
    other = np.flatnonzero((sizes != sizes[0]).any(axis=1))
    if len(other):
        (h, w), (h2, w2) = sizes[0], sizes[other[0]]
        raise InputError(
            f"{files[0]} has {w} x {h} pixels and {files[other[0]].name} has {w2} x {h2}: frames of one sequence must "
            "be of one size; put each sequence into a folder of its own"
        )
    return int(sizes[0][0]), int(sizes[0][1])


def _sources(root: Path, others: Counter[str]) -> dict[str, _Source]:
    """Sequences below a folder, by name, in natural order: each video, and each folder that holds pictures."""
    videos: list[Path] = []
    frames: defaultdict[Path, list[Path]] = defaultdict(list)
    for entry in walk(str(root)):
        path, picture, video = Path(entry.path), is_image(entry.name), is_video_name(entry.name)
        if (picture or video) and (why := unusable(entry)):  # before it is opened: a pipe keeps who opens it
            others[why] += 1
            continue
        if picture and video:  # a GIF is either
            picture = not (video := holds_video(path))
        if video:
            videos.append(path)
        elif picture:
            frames[path.parent].append(path)
        else:
            others[path.suffix.lower() or "no suffix"] += 1
    if videos:  # a poster beside videos is no sequence
        others["single picture"] += sum(len(f) == 1 for f in frames.values())
        frames = defaultdict(list, {folder: f for folder, f in frames.items() if len(f) > 1})
    stems = Counter([v.with_suffix("") for v in videos] + list(frames))
    found = {}
    for file in videos:
        found[_name(file if stems[file.with_suffix("")] > 1 else file.with_suffix(""), root)] = _Source([file], True)
    for folder, pictures in frames.items():
        found[_name(folder, root)] = _Source(sorted(pictures, key=lambda p: natural_key(p.name)), False)
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))


def _name(place: Path, root: Path) -> str:
    """A sequence's name: the path within the dataset's folder, or that folder's name."""
    return printable(place.relative_to(root).as_posix() if place != root else root.resolve().name)
