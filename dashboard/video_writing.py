"""Videos of sequences: the file that browsers play for one, and one with the tracks drawn in."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.disk import friendly_os_errors
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import Tracks
from dashboard.track_drawing import TrackPainter
from dashboard.types import Detections, Image
from dashboard.video_encoding import BASE, even_size, resized, stop_if_set, write_video

__all__ = ["Proxy", "annotated", "pictures", "proxy", "ready", "write_video"]

OnFrame = Callable[[int, int], None]
"""Called with how many frames are written and how many there are."""

MOST_PIXELS = 1280 * 720
_LEGIBLE, _MOST_FACTOR = 640, 4  # pictures are enlarged by a whole factor towards this width, to be drawn into
_VERSION = 1  # of proxies: raised when they are made in another way


@dataclass(frozen=True, eq=False)
class Proxy:
    """The file that browsers play for a sequence.

    Attributes:
        path: the file; its k-th frame is the sequence's k-th.
        times: (F,) seconds at which the file shows each frame, ascending from 0.
        size: (height, width) of the file in pixels; the whole picture fills it, whatever its size.
    """

    path: Path
    times: NDArray[np.float64]
    size: tuple[int, int]


def proxy(
    dataset: Any,
    sequence: int | str | SequenceInfo,
    folder: str | Path,
    progress: OnFrame | None = None,
    cancel: threading.Event | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Proxy:
    """The file that browsers play for a sequence: the video itself if they can play it, else a copy in ``folder``.

    The copy is made once; of two that ask at the same time, one waits for the other. A frame that cannot be read shows
    the one before it, so that frame k stays the k-th.

    Args:
        dataset: of sequences (``dashboard.datasets.sequences``).
        sequence: its number, name or ``SequenceInfo``.
        folder: where copies are kept.
        progress: called as the copy is made.
        cancel: set it from another thread to stop.
        most_pixels: larger pictures are made smaller.

    Raises:
        InputError: the pictures are not here, or the copy cannot be written.
        Cancelled: ``cancel`` was set.
    """
    made = ready(dataset, sequence, folder, most_pixels)
    if made is not None:
        return made
    info = _with_pictures(dataset, sequence)
    made = _planned(dataset, info, folder, most_pixels)
    path = made.path
    with friendly_os_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path, cancel):
        if not path.is_file():
            frames = _told(pictures(dataset, info, made.size), len(info), progress)
            write_video(path, frames, made.size, fps=info.fps or 25.0, crf=23, preset="superfast", cancel=cancel)
    return made


def ready(
    dataset: Any, sequence: int | str | SequenceInfo, folder: str | Path, most_pixels: int = MOST_PIXELS
) -> Proxy | None:
    """What ``proxy`` gives, if it is there already; None if it would have to be made."""
    info = _sequence(dataset, sequence)
    original = _original(dataset, info, most_pixels)
    if original is not None or not info.pictures:
        return original
    with contextlib.suppress(InputError):  # its first picture cannot be read, say: making it tells why
        made = _planned(dataset, info, folder, most_pixels)
        return made if made.path.is_file() else None
    return None


def annotated(
    dataset: Any,
    sequence: int | str | SequenceInfo,
    found: Tracks | Callable[[int], Detections],
    path: str | Path,
    class_names: Sequence[str] = (),
    trail: int = 30,
    progress: OnFrame | None = None,
    cancel: threading.Event | None = None,
    most_pixels: int | None = None,
) -> Path:
    """Write a sequence's video with boxes, ids, class names and trails drawn; small pictures are enlarged.

    Args:
        dataset: of sequences, with pictures.
        sequence: its number, name or ``SequenceInfo``.
        found: all boxes, in the picture's pixels, or a function that gives those of frame k, from 0, with
            ``track_ids``.
        path: where, ending in ``.mp4``.
        class_names: by class number.
        trail: frames that a trail goes back.
        progress: called as it is written.
        cancel: set it from another thread to stop.
        most_pixels: larger pictures are made smaller; None for any size.

    Raises:
        InputError: the pictures are not here, there is no encoder, or the file cannot be written.
        Cancelled: ``cancel`` was set; there is no file.
    """
    info = _with_pictures(dataset, sequence)
    at = found if callable(found) else _frames_of(found, len(info))
    height, width = info.size or dataset[info.start].image.shape[:2]
    factor = min(_MOST_FACTOR, max(1, _LEGIBLE // max(height, width)))
    size = even_size((height * factor, width * factor), most_pixels)
    painter = TrackPainter(class_names, trail, (size[1] / width, size[0] / height))

    def drawn() -> Iterator[tuple[float, Image]]:
        for k, (seconds, image) in enumerate(pictures(dataset, info, size if factor == 1 else None)):
            yield seconds, painter.draw(resized(image, size), at(k))

    write_video(path, _told(drawn(), len(info), progress), size, fps=info.fps or 25.0, cancel=cancel)
    return Path(path)


def pictures(
    dataset: Any, sequence: int | str | SequenceInfo, size: tuple[int, int] | None = None
) -> Iterator[tuple[float, Image]]:
    """(seconds, picture) of every frame of a sequence; one that cannot be read is the one before it, or black.

    Args:
        dataset: of sequences, with pictures.
        sequence: its number, name or ``SequenceInfo``.
        size: (height, width) that they are wanted at, where scaling while decoding is cheaper; others keep theirs.
    """
    info = _sequence(dataset, sequence)
    height, width = info.size or (0, 0)
    image: Image | None = np.zeros((height, width, 3), np.uint8) if info.size else None
    scaled = getattr(dataset, "frame", None) if size is not None and info.video is not None else None
    for k, seconds in enumerate(info.seconds()):
        try:
            image = scaled(info.start + k, size) if scaled else dataset[info.start + k].image
        except InputError:
            if image is None:
                raise
        assert image is not None
        yield float(seconds), image


def _sequence(dataset: Any, sequence: int | str | SequenceInfo) -> SequenceInfo:
    if isinstance(sequence, SequenceInfo):
        return sequence
    found = sequences_of(dataset)
    return found[sequence] if isinstance(sequence, int) else next(s for s in found if s.name == sequence)


def _with_pictures(dataset: Any, sequence: int | str | SequenceInfo) -> SequenceInfo:
    info = _sequence(dataset, sequence)
    if not info.pictures:
        raise InputError(f"The frames of {info.name} are not here, only its boxes: give the folder with its pictures")
    return info


def _frames_of(tracks: Tracks, frames: int) -> Callable[[int], Detections]:
    """The boxes of a frame."""
    starts = tracks.offsets(frames)

    def at(k: int) -> Detections:
        rows = slice(starts[k], starts[k + 1])
        scores = None if tracks.scores is None else tracks.scores[rows]
        return Detections(tracks.xyxy[rows], tracks.class_ids[rows], scores, track_ids=tracks.ids[rows])

    return at


def _planned(dataset: Any, info: SequenceInfo, folder: str | Path, most_pixels: int) -> Proxy:
    """What a copy would be: its name by what is in it, its times and size."""
    size = even_size(info.size or dataset[info.start].image.shape[:2], most_pixels)
    what = f"{_VERSION}\0{dataset.fingerprint}\0{info.name}\0{size}".encode("utf-8", "replace")
    path = Path(folder) / f"{hashlib.blake2b(what, digest_size=12).hexdigest()}.mp4"
    times: NDArray[np.float64] = _ticks(info.seconds()).astype(np.float64) * float(BASE)
    return Proxy(path, times, size)


def _original(dataset: Any, info: SequenceInfo, most_pixels: int) -> Proxy | None:
    """The video itself, if browsers play it and all of it is meant."""
    videos = getattr(dataset, "videos", None)
    if videos is None or not dataset.cut.whole:
        return None
    video = videos[next(k for k, s in enumerate(dataset.sequences) if s.name == info.name)]
    if video is None or not video.playable or video.size[0] * video.size[1] > most_pixels:
        return None
    return Proxy(video.path, video.times, video.size)


def _told(frames: Iterable[tuple[float, Image]], total: int, progress: OnFrame | None) -> Iterator[tuple[float, Image]]:
    for done, frame in enumerate(frames):
        if progress is not None:
            progress(done, total)
        yield frame
    if progress is not None:
        progress(total, total)


@contextlib.contextmanager
def _alone(path: Path, cancel: threading.Event | None) -> Iterator[None]:
    """Only one thread of one process makes a file; others wait for it, unless they are cancelled."""
    lock = FileLock(f"{path}.lock", thread_local=False)
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            stop_if_set(cancel)
    try:
        yield
    finally:
        lock.release()


def _ticks(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """(F,) times in units of ``BASE``, from 0, each at least one after the one before."""
    ticks = np.round((seconds - seconds[0]) / float(BASE)).astype(np.int64)
    steps = np.arange(len(ticks))
    return np.maximum.accumulate(ticks - steps) + steps
