"""What a video file holds, found by reading its packets: which frames there are, when each is shown, how it is turned.

Nothing is decoded but the first frame, except where packets do not say when their frames are shown (raw streams, AVI
with frames out of order): these are decoded once to be counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.videofile_open import (
    begins_like_picture,
    check_file,
    check_stream,
    open_container,
    protected,
    too_long,
    unreadable,
    video_stream,
)
from dashboard.errors import InputError

_UNIT = 1 << 16  # one, in a display matrix's fixed point (ISO 14496-12, 8.3.2)
_WEB = {"h264": (".mp4", ".m4v", ".mov"), "vp8": (".webm",), "vp9": (".webm", ".mp4"), "av1": (".webm", ".mp4")}
_WEB_PIXELS = ("yuv420p", "yuvj420p")
_LONG_GOP = 600  # frames between key frames above which browsers take too long to go to one


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Which frames a file holds, in the order in which they are shown.

    Attributes:
        pts: (F,) int64 presentation times in units of ``base``, ascending.
        base: seconds of a unit.
        keys: (K,) int64 presentation times of the frames that decoding can begin at, ascending.
        ordered: whether decoded frames carry these times; where not, they are told apart by counting from the first.
    """

    pts: NDArray[np.int64]
    base: Fraction
    keys: NDArray[np.int64]
    ordered: bool = True

    def seconds(self) -> NDArray[np.float64]:
        """(F,) from the first frame."""
        return (self.pts - self.pts[0]).astype(np.float64) * float(self.base)

    def key_of(self, frame: int) -> int:
        """Number of the key frame to decode from, in ``keys``."""
        return max(0, int(np.searchsorted(self.keys, self.pts[frame], "right")) - 1)


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of a video before it is played.

    Attributes:
        index: its frames.
        stored: (height, width) in pixels as decoded, before turning.
        turn: quarter turns counter-clockwise to show it upright, 0..3; ``flip`` mirrors left and right after that.
        nominal: frames a second as the file says; None if it does not.
        codec, pixels: FFmpeg's names of the codec and the pixel format.
        colour: how YUV becomes RGB: "bt601", "bt709", "bt2020", and "limited" or "full" range; "rgb" needs nothing.
        playable: whether browsers play the file, frame for frame as it is read here.
        notes: sentences to show.
    """

    index: FrameIndex
    stored: tuple[int, int]
    turn: int
    flip: bool
    nominal: float | None
    codec: str
    pixels: str
    colour: str
    playable: bool
    notes: tuple[str, ...] = ()


def read_facts(path: Path, longest_s: float | None = None) -> Facts:
    """What a video holds.

    Args:
        path: the file.
        longest_s: seconds above which it is refused; None for any length.

    Raises:
        InputError: missing, no video, truncated, unknown codec, protected, too large or too long, in one sentence.
    """
    import av

    check_file(path)
    try:
        with open_container(path) as container:
            stream = video_stream(container, path)
            check_stream(container, stream, path, longest_s)
            scan = _Scan(path, container, stream, longest_s)
            return scan.facts()
    except InputError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable(path, error) from error


class _Scan:
    """One pass over a file's packets, and what follows from it."""

    def __init__(self, path: Path, container: Any, stream: Any, longest_s: float | None) -> None:
        self.path, self.container, self.stream, self.longest_s = path, container, stream, longest_s
        self.base = Fraction(stream.time_base or Fraction(1, 1000))
        self.codec = str(stream.codec_context.name)
        self.discarded = 0
        self.first: Any = None

    def facts(self) -> Facts:
        """Everything. Raises InputError."""
        stream = self.stream
        nominal = next((float(r) for r in (stream.guessed_rate, stream.average_rate, stream.base_rate) if r), None)
        said = int(stream.frames or 0)
        index = self._index(nominal)
        first = self._first_frame()
        if len(index.pts) == 1 and begins_like_picture(self.path):  # a GIF or AVIF that does not move
            raise InputError(f"{self.path} holds a single picture, not a video: give a video, or a folder of frames")
        notes = []
        if said - self.discarded > len(index.pts) + 1:
            notes.append(f"{self.path.name} is cut short: {said} frames are announced and {len(index.pts)} are there.")
        turn, flip = turned(first)
        return Facts(
            index=index,
            stored=(first.height, first.width),
            turn=turn,
            flip=flip,
            nominal=nominal,
            codec=self.codec,
            pixels=first.format.name,
            colour=colour_of(first),
            playable=self._playable(index, first, bool(turn) or flip),
            notes=tuple(notes),
        )

    def _packets(self) -> Iterator[Any]:
        """Those of the stream that hold a frame to be shown. Raises InputError where the video is too long."""
        began: float | None = None
        for packet in self.container.demux(self.stream):
            if not packet.size or packet.is_discard or not _shown(self.codec, packet):
                self.discarded += bool(packet.size)
                continue
            if _is_encrypted(packet):
                raise protected(self.path)
            when = packet.dts if packet.pts is None else packet.pts
            if self.longest_s is not None and when is not None:
                seconds = float(when * self.base)
                began = seconds if began is None else began
                if seconds - began > self.longest_s:
                    raise too_long(self.path, seconds - began, self.longest_s)
            yield packet

    def _index(self, nominal: float | None) -> FrameIndex:
        known: list[int] = []
        keys: list[int] = []
        unknown = False
        for packet in self._packets():
            if packet.pts is None:
                unknown = True
                continue
            known.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        if not known and not unknown:
            raise self._no_frames()
        pts, starts = np.unique(np.array(known, np.int64)), np.unique(np.array(keys, np.int64))
        mixed = "avi" in self.container.format.name and len(starts) < len(known)  # their order is that of decoding
        if unknown or mixed or len(pts) < len(known):
            return self._counted(nominal, starts)
        if len(starts):
            pts = pts[
                pts >= starts[0]
            ]  # a recording begun in the middle: nothing before its first key frame can be seen
        return FrameIndex(pts, self.base, starts if len(starts) else pts[:1])

    def _counted(self, nominal: float | None, keys: NDArray[np.int64]) -> FrameIndex:
        """Found by decoding everything, where packets do not say when frames are shown."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            stream.thread_type = "AUTO"
            pts = [frame.pts for frame in decoded(container, stream)]
        if not pts:
            raise self._no_frames()
        times = np.array([-1 if p is None else p for p in pts], np.int64)
        if None not in pts and (np.diff(times) > 0).all():
            return FrameIndex(times, self.base, np.intersect1d(keys, times) if len(keys) else times[:1])
        rate = Fraction(nominal or 25.0).limit_denominator(100_000)
        return FrameIndex(np.arange(len(pts)), 1 / rate, np.zeros(1, np.int64), ordered=False)

    def _no_frames(self) -> InputError:
        return InputError(f"{self.path} has no frames that can be read: record or copy it again")

    def _first_frame(self) -> Any:
        """The first frame that can be decoded."""
        with open_container(self.path) as container:
            for frame in decoded(container, video_stream(container, self.path)):
                return frame
        raise InputError(
            f"{self.path} holds {self.codec} video of which no frame can be decoded: it is damaged or protected; "
            "convert it to H.264 (MP4)"
        )

    def _playable(self, index: FrameIndex, first: Any, is_turned: bool) -> bool:
        """Whether browsers show frame k at the k-th time, of the same size and the same way up."""
        ratio = self.stream.sample_aspect_ratio
        longest = int(np.diff(np.searchsorted(index.pts, [*index.keys, index.pts[-1] + 1])).max())
        return (
            self.path.suffix.lower() in _WEB.get(_plain(self.codec), ())
            and first.format.name in _WEB_PIXELS
            and not is_turned
            and ratio in (None, 0, 1)
            and index.ordered
            and index.pts[0] == 0
            and not self.discarded
            and longest <= _LONG_GOP
        )


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Every frame that can be decoded, in order; damaged packets are passed over."""
    import av

    for packet in container.demux(stream):
        with contextlib.suppress(av.error.FFmpegError):
            yield from packet.decode()


def _shown(codec: str, packet: Any) -> bool:
    """Whether a packet holds a picture to be shown: VP8 has some that only others refer to (RFC 6386, 9.1)."""
    return _plain(codec) != "vp8" or bool(bytes(memoryview(packet)[:1])[0] & 0x10)


def _is_encrypted(packet: Any) -> bool:
    return hasattr(packet, "has_sidedata") and packet.has_sidedata("encryption_info")


def _plain(codec: str) -> str:
    """The codec's name without that of the library which decodes it."""
    return {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(codec, codec)


def turned(frame: Any) -> tuple[int, bool]:
    """Quarter turns counter-clockwise and whether to mirror after them, by a frame's display matrix (ISO 14496-12)."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / _UNIT
            flip = bool(a * d - b * c < 0)
            if flip:  # turned first, then mirrored left and right
                a = -a
            turn = round(-np.degrees(np.arctan2(b, a)) / 90) % 4
            return turn, flip
    return 0, False


def colour_of(frame: Any) -> str:
    """How a frame's YUV becomes RGB: the matrix (BT.601 where the file does not say) and the range."""
    name = frame.format.name
    if "rgb" in name or "bgr" in name or name.startswith(("gbr", "pal8", "gray", "mono")):
        return "rgb" if "gray" not in name and "mono" not in name else "grey"
    matrix = {1: "bt709", 9: "bt2020", 10: "bt2020"}.get(int(frame.colorspace), "bt601")
    full = int(frame.color_range) == 2 or name.startswith("yuvj")
    return f"{matrix} {'full' if full else 'limited'}"
