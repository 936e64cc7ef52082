"""Reading videos with OpenCV, where PyAV is not installed or does not know the file: slower to go back, less exact."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dashboard.datasets.images import MAX_PIXELS
from dashboard.datasets.videofile_index import Facts, FrameIndex
from dashboard.datasets.videofile_open import check_file, looks_like_container, too_long, unreadable
from dashboard.errors import InputError
from dashboard.types import Image

_BASE = Fraction(1, 1_000_000)  # seconds of a unit of time
_AHEAD = 8  # frames kept for threads that ask out of order


def capture_facts(path: Path, longest_s: float | None, why: str) -> Facts:
    """What OpenCV finds in a video: its frames are counted by going through all of them.

    Args:
        path: the file.
        longest_s: seconds above which it is refused; None for any length.
        why: the reason, for the note.

    Raises:
        InputError: naming the file, if OpenCV cannot read it, or it is too large or too long.
    """
    check_file(path)
    if not looks_like_container(path):  # OpenCV would follow playlists and patterns to other files
        raise unreadable(path, ValueError("it does not begin like one"))
    capture = _open(path)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
        said = capture.get(cv2.CAP_PROP_FRAME_COUNT) / rate
        if longest_s is not None and said > longest_s:
            raise too_long(path, said, longest_s)
        there, first = capture.read()
        if not there:
            raise InputError(f"{path} has no frames that can be read: convert it to H.264 (MP4)")
        if first.shape[0] * first.shape[1] > MAX_PIXELS:
            raise InputError(f"{path} has frames of more than {MAX_PIXELS:,} pixels: scale it down")
        times = [capture.get(cv2.CAP_PROP_POS_MSEC)]
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    finally:
        capture.release()
    pts = np.round(np.array(times) * 1000).astype(np.int64)
    if (np.diff(pts) <= 0).any():
        pts = np.round(np.arange(len(pts)) / rate / float(_BASE)).astype(np.int64)
    note = f"{path.name} is read by OpenCV, since {why}: going back in it is slow."
    index = FrameIndex(pts, _BASE, pts[:1])
    return Facts(index, first.shape[:2], 0, False, rate, "unknown", "bgr24", "as OpenCV has it", False, (note,))


class CaptureDecoder:
    """Frames by OpenCV, which turns them upright itself; to go back it begins again."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self.path, self.frames, self.size = path, len(facts.index.pts), facts.stored
        self._guard = threading.Lock()
        self._capture: Any = None
        self._at = -1
        self._kept: dict[int, Image] = {}

    def rgb(self, index: int, size: tuple[int, int]) -> Image:
        """A frame of that (height, width), (H, W, 3) uint8 RGB. Raises InputError if it cannot be decoded."""
        with self._guard:
            if index not in self._kept:
                self._go(index)
            pixels = self._kept[index]
        if pixels.shape[:2] != size:
            pixels = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def close(self) -> None:
        """Forget decoder and frames."""
        with self._guard:
            self._shut()

    def _go(self, index: int) -> None:
        if self._capture is None or index <= self._at:
            self._shut()
            self._capture = _open(self.path)
        while self._at < index:
            near = index - self._at <= _AHEAD
            there, pixels = self._capture.read() if near else (self._capture.grab(), None)
            if not there:
                self._shut()
                raise InputError(
                    f"{self.path}: frame {index + 1} of {self.frames} cannot be decoded: the file is damaged there; "
                    "record or copy it again, or cut that part out"
                )
            self._at += 1
            if pixels is not None:
                self._kept[self._at] = pixels
        for old in [k for k in self._kept if k <= self._at - _AHEAD]:
            del self._kept[old]

    def _shut(self) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture, self._at = None, -1
        self._kept.clear()


def _open(path: Path) -> Any:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what is wrong is said in one sentence
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise unreadable(path, ValueError("OpenCV cannot open it"))
    return capture
