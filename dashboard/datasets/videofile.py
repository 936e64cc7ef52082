"""Reading videos: any frame of a file as (H, W, 3) uint8 RGB, exactly, by several threads, in flat memory.

Frames are decoded by FFmpeg (through PyAV, whose wheels carry it), which uses several threads of its own. One decoder
goes forward behind a lock and keeps the last frames as they come out of it, undecoded to RGB; threads that ask for
frames close to one another (the workers of an evaluation ask for i, i + 1, i + 2 in any order) find theirs there and
turn them into RGB outside the lock. A frame far ahead or behind is reached from the key frame before it.

Frame i is the i-th in the order of presentation. RGB follows what the file says of its matrix and range; where it says
nothing, BT.601 and limited range, as FFmpeg and OpenCV have it. Rotation is honoured, an aspect of pixels is not.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.videofile_index import Facts, read_facts
from dashboard.datasets.videofile_open import (
    MAX_PUBLIC_MINUTES,
    VIDEO_SUFFIXES,
    is_video_name,
    looks_like_container,
    open_container,
    unreadable,
    video_stream,
)
from dashboard.errors import InputError
from dashboard.types import Image

__all__ = ["MAX_PUBLIC_MINUTES", "VIDEO_SUFFIXES", "VideoFile", "is_video_name", "open_video"]

BUFFER_BYTES = 96_000_000  # of decoded frames kept, undecoded to RGB: 31 of 1080p
_FEWEST = 4  # frames kept, however large
_REFILL = 8  # frames' worth of work that going to a key frame costs
_local = threading.local()


class VideoFile:
    """A video to look frames up in. Safe to use from several threads.

    Attributes:
        path: the file.
        frames: how many there are.
        times: (F,) seconds of each from the first, ascending.
        fps: frames a second, the mean; ``nominal`` is what the file says, or None.
        size: (height, width) in pixels, upright.
        codec: FFmpeg's name.
        colour: how YUV becomes RGB, such as "bt709 limited".
        rotation: degrees clockwise that the stored frames are turned by to be upright.
        duration: seconds, the last frame's included.
        playable: whether browsers play the file as it is, each frame when it is due.
        notes: sentences to show.
    """

    def __init__(self, path: Path, facts: Facts, decoder: Any = None) -> None:
        self.path = path
        self.times: NDArray[np.float64] = facts.index.seconds()
        self.frames = len(self.times)
        self.nominal = facts.nominal
        self.fps = _rate(self.times, facts.nominal)
        height, width = facts.stored
        self.size = (width, height) if facts.turn % 2 else (height, width)
        self.codec, self.colour = facts.codec, facts.colour
        self.rotation = (360 - 90 * facts.turn) % 360
        self.duration = float(self.times[-1]) + 1 / self.fps
        self.playable = facts.playable
        self.notes = facts.notes
        self._decoder = decoder or _Decoder(path, facts)
        weakref.finalize(self, self._decoder.close).atexit = False

    def __len__(self) -> int:
        return self.frames

    def frame(self, index: int, size: tuple[int, int] | None = None) -> Image:
        """Frame ``index`` in the order of presentation, (H, W, 3) uint8 RGB, upright; a new array at each call.

        Args:
            index: from 0.
            size: (height, width) to scale it to, averaging, at less cost than afterwards; None for its own.

        Raises:
            IndexError: there is no such frame.
            InputError: naming file and frame, if it cannot be decoded.
        """
        if not 0 <= index < self.frames:
            raise IndexError(f"frame {index} of {self.frames}")
        return self._decoder.rgb(index, size or self.size)

    def close(self) -> None:
        """Let go of the decoder and its frames; the next frame asked for opens it again."""
        self._decoder.close()


def open_video(path: str | Path, longest_s: float | None = None) -> VideoFile:
    """Open a video; its packets are read once, and nothing is decoded but the first frame.

    Args:
        path: the file, of any kind that FFmpeg knows.
        longest_s: seconds above which it is refused; None for any length.

    Raises:
        InputError: naming the file: missing, not a video, truncated, unknown codec, protected, too large, too long.
    """
    path = Path(path)
    try:
        import av
    except ImportError:
        return _by_opencv(path, longest_s, "PyAV is not installed (pip install av)")
    try:
        return VideoFile(path, read_facts(path, longest_s))
    except InputError as error:
        if not isinstance(error.__cause__, av.error.FFmpegError) or not looks_like_container(path):
            raise
        try:
            return _by_opencv(path, longest_s, "PyAV cannot read it")
        except InputError:
            raise error from error.__cause__


def _by_opencv(path: Path, longest_s: float | None, why: str) -> VideoFile:
    from dashboard.datasets.videofile_opencv import CaptureDecoder, capture_facts

    facts = capture_facts(path, longest_s, why)
    return VideoFile(path, facts, CaptureDecoder(path, facts))


def _rate(times: NDArray[np.float64], nominal: float | None) -> float:
    """Frames a second: the mean, or what the file says where that differs by rounding only."""
    if len(times) < 2:
        return nominal or 25.0
    mean = (len(times) - 1) / float(times[-1])
    return nominal if nominal and abs(mean - nominal) < 2e-3 * nominal else mean


class _Decoder:
    """One decoder going forward, the last frames it gave, and the way back to a key frame."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self.path, self.facts, self.index = path, facts, facts.index
        self._going = threading.Lock()  # held while decoding
        self._looking = threading.Lock()  # held while the kept frames are looked at
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._bytes = 0
        self._wanted: Counter[int] = Counter()
        self._container: Any = None
        self._packets: Any = None
        self._stream: Any = None
        self._at = -1  # the last frame that came out
        self._from = 0  # frames shown before the key frame that decoding began at refer to what was not decoded
        self._ended = False

    def rgb(self, index: int, size: tuple[int, int]) -> Image:
        """A frame of that (height, width), converted in the calling thread."""
        return _to_rgb(self._get(index), self.facts, size)

    def close(self) -> None:
        """Forget decoder and frames."""
        with self._going:
            self._shut()
            with self._looking:
                self._kept.clear()
                self._bytes = 0

    def _get(self, index: int) -> Any:
        with self._looking:
            self._wanted[index] += 1
        try:
            found = self._lookup(index)
            if found is None:
                with self._going:
                    found = self._lookup(index) or self._decode_to(index)
            return found
        finally:
            with self._looking:
                self._wanted[index] -= 1
                if not self._wanted[index]:
                    del self._wanted[index]

    def _lookup(self, index: int) -> Any:
        with self._looking:
            return self._kept.get(index)

    def _decode_to(self, index: int) -> Any:
        """Decode until the frame comes out. Raises InputError if it does not."""
        import av

        try:
            self._approach(index)
            while True:
                if self._at >= index or self._ended:
                    found = self._lookup(index)
                    if found is not None:
                        return found
                    raise InputError(
                        f"{self.path}: frame {index + 1} of {len(self.index.pts)} cannot be decoded: the file is "
                        "damaged there; record or copy it again, or cut that part out"
                    )
                self._step()
        except (av.error.FFmpegError, OSError) as error:
            self._shut()
            if not self.path.is_file():
                raise InputError(f"{self.path} is not there any more: put it back") from error
            raise unreadable(self.path, error) from error

    def _approach(self, index: int) -> None:
        """Go on from where the decoder stands, or from the key frame before, whichever is nearer."""
        standing = self._container is not None and not self._ended and self._at < index
        if not self.index.ordered:
            if not standing:
                self._start()
            return
        key = self.index.key_of(index)
        place = int(np.searchsorted(self.index.pts, self.index.keys[key]))
        if standing and index - self._at <= index - place + _REFILL:
            return
        self._seek(key)

    def _start(self) -> None:
        self._shut()
        self._container = open_container(self.path)
        self._stream = video_stream(self._container, self.path)
        self._stream.thread_type = "AUTO"
        self._packets = self._container.demux(self._stream)

    def _seek(self, key: int) -> None:
        """To a key frame; an earlier one where the container lands behind it."""
        if self._container is None:
            self._start()
            if key == 0:
                return
        wanted, back = int(self.index.keys[key]), 1
        while key > 0:
            self._container.seek(int(self.index.keys[key]), stream=self._stream, backward=True)
            self._packets = self._container.demux(self._stream)
            first = next((p for p in self._packets if p.is_keyframe and p.size and p.pts is not None), None)
            if first is not None and first.pts <= wanted:
                self._from = int(np.searchsorted(self.index.pts, first.pts))
                self._at, self._ended = self._from - 1, False
                self._feed(first)
                return
            key, back = key - back, 2 * back
        self._start()

    def _step(self) -> None:
        self._feed(next(self._packets))

    def _feed(self, packet: Any) -> None:
        """Give the decoder a packet (an empty one at the end) and keep what comes out."""
        import av

        self._ended = not packet.size
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # a damaged packet: its frame is missing, others follow
            return
        for frame in frames:
            place = self._place(frame)
            if place is not None:
                self._at = max(self._at, place)
                self._keep(place, frame)

    def _place(self, frame: Any) -> int | None:
        """Which frame has come out; None if it is none of those."""
        if not self.index.ordered:
            return self._at + 1 if self._at + 1 < len(self.index.pts) else None
        if frame.pts is None:
            return None
        place = int(np.searchsorted(self.index.pts, frame.pts))
        there = self._from <= place < len(self.index.pts) and self.index.pts[place] == frame.pts
        return place if there else None

    def _keep(self, place: int, frame: Any) -> None:
        """Add a frame; the oldest that nobody waits for go, to stay within the bounds."""
        with self._looking:
            if place in self._kept:
                return
            self._kept[place] = frame
            self._bytes += _bytes(frame)
            for old in list(self._kept):
                if self._bytes <= BUFFER_BYTES or len(self._kept) <= _FEWEST:
                    break
                if old != place and old not in self._wanted:
                    self._bytes -= _bytes(self._kept.pop(old))

    def _shut(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = self._packets = self._stream = None
        self._at, self._from, self._ended = -1, 0, False


def _bytes(frame: Any) -> int:
    return sum(plane.buffer_size for plane in frame.planes)


def _to_rgb(frame: Any, facts: Facts, size: tuple[int, int]) -> Image:
    """(H, W, 3) uint8, upright. Frames that change size on the way are brought to the first one's."""
    reformatter = getattr(_local, "reformatter", None)
    if reformatter is None:
        from av.video.reformatter import VideoReformatter

        reformatter = _local.reformatter = VideoReformatter()
    height, width = size[::-1] if facts.turn % 2 else size
    kind = "BILINEAR" if (height, width) == (frame.height, frame.width) else "AREA"
    pixels = reformatter.reformat(frame, width, height, "rgb24", interpolation=kind).to_ndarray()
    if facts.turn:
        pixels = np.rot90(pixels, facts.turn)
    if facts.flip:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
