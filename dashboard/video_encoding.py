"""Writing videos that browsers play: H.264 in MP4, each frame at its time, the file whole or absent.

There are no B-frames, so that no edit list shifts the times, and a key frame every dozen frames, so that going to any
of them is quick. Colours are BT.709, limited range, and tagged so.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dashboard.disk import friendly_os_errors
from dashboard.errors import Cancelled, InputError
from dashboard.types import Image

BASE = Fraction(1, 90_000)  # seconds of a unit of time in the file
_GOP = 12
_SMALLEST = 16  # pixels of a side: one block of H.264
_ENCODERS = ("libx264", "libopenh264")
_BT709, _LIMITED = 1, 1  # ITU-T H.273


def write_video(
    path: str | Path,
    frames: Iterable[tuple[float, Image]],
    size: tuple[int, int],
    *,
    fps: float = 25.0,
    crf: int = 18,
    preset: str = "veryfast",
    cancel: threading.Event | None = None,
) -> int:
    """Write an H.264 file that is whole or absent.

    Args:
        path: where, ending in ``.mp4``.
        frames: (seconds, (H, W, 3) uint8 RGB), times ascending; pictures are resized to ``size`` where they differ.
        size: (height, width) of the video in pixels, both even (``even_size``).
        fps: frames a second, for the rate control and the last frame's duration.
        crf: quality, 0 (lossless) to 51.
        preset: x264's, from "ultrafast" to "veryslow".
        cancel: set it from another thread to stop.

    Returns:
        How many frames were written.

    Raises:
        InputError: no encoder, no frames, the disk full, or a folder that cannot be written.
        Cancelled: ``cancel`` was set; there is no file.
    """
    path = Path(path)
    with friendly_os_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=".part.mp4")
        os.close(handle)
    try:
        with friendly_os_errors(path.parent):
            count = _encode(part, frames, size, fps, {"crf": str(crf), "preset": preset}, cancel)
            if not count:
                raise InputError(f"{path} would have no frames: choose at least one")
            os.chmod(part, 0o644)
            os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
    return count


def even_size(size: tuple[int, int], most_pixels: int | None = None) -> tuple[int, int]:
    """The nearest size that H.264 can have, sides even and 16 or more, of at most ``most_pixels`` pixels."""
    height, width = size
    scale = 1.0 if most_pixels is None else min(1.0, (most_pixels / (height * width)) ** 0.5)
    return max(_SMALLEST, round(height * scale / 2) * 2), max(_SMALLEST, round(width * scale / 2) * 2)


def encoder() -> str:
    """The name of an H.264 encoder. Raises InputError where there is none."""
    try:
        import av
    except ImportError as error:
        raise InputError("Videos cannot be written here: install PyAV (pip install av)") from error
    for name in _ENCODERS:
        with contextlib.suppress(av.codec.codec.UnknownCodecError, ValueError):
            return str(av.Codec(name, "w").name)
    raise InputError(
        f"H.264 cannot be written here: PyAV has none of the encoders {', '.join(_ENCODERS)}; install its wheel "
        "(pip install --force-reinstall --only-binary :all: av)"
    )


def _encode(
    part: str,
    frames: Iterable[tuple[float, Image]],
    size: tuple[int, int],
    fps: float,
    options: dict[str, str],
    cancel: threading.Event | None,
) -> int:
    height, width = size
    if height % 2 or width % 2:
        raise ValueError(f"size must be even, got {size}")
    name = encoder()
    import av

    rate = Fraction(fps).limit_denominator(1001)
    count, last = 0, -1
    movie = {"movflags": "+faststart", "video_track_timescale": str(BASE.denominator)}
    with av.open(part, "w", format="mp4", options=movie) as container:
        stream: Any = container.add_stream(name, rate=rate, options=options if name == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base, context.gop_size, context.max_b_frames = BASE, _GOP, 0
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        waiting = _Durations(container, max(1, round(1 / (float(rate) * float(BASE)))))
        first = None
        for seconds, image in frames:
            stop_if_set(cancel)
            first = seconds if first is None else first
            frame = _yuv(image, size)
            last = frame.pts = max(last + 1, round((seconds - first) / float(BASE)))
            frame.time_base = BASE
            waiting.mux(stream.encode(frame))
            count += 1
        if count:
            waiting.mux(stream.encode())
            waiting.end()
    return count


def _yuv(image: Image, size: tuple[int, int]) -> Any:
    """A picture as a frame of the video's size and colours."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(resized(image, size)), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="itu709", dst_color_range="MPEG")


def resized(image: Image, size: tuple[int, int]) -> Image:
    """A picture at (height, width): averaged where it becomes smaller; whole factors keep their pixels as squares."""
    height, width = size
    if image.shape[:2] == size:
        return image
    rows, columns = height / image.shape[0], width / image.shape[1]
    if rows == columns and rows == int(rows):
        kind = cv2.INTER_NEAREST
    else:
        kind = cv2.INTER_AREA if rows * columns < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=kind)  # type: ignore[return-value]


class _Durations:
    """Gives each packet the time until the next: without it the last frame would last no time and never be shown."""

    def __init__(self, container: Any, usual: int) -> None:
        self.container, self.usual, self.held = container, usual, None

    def mux(self, packets: Iterable[Any]) -> None:
        """Write all but the last."""
        for packet in packets:
            if self.held is not None:
                self.held.duration = packet.pts - self.held.pts
                self.container.mux(self.held)
            self.held = packet

    def end(self) -> None:
        """Write the last."""
        if self.held is not None:
            self.held.duration = self.usual
            self.container.mux(self.held)


def stop_if_set(cancel: threading.Event | None) -> None:
    """Raises Cancelled if a person stopped the work."""
    if cancel is not None and cancel.is_set():
        raise Cancelled
