"""Frames a second and memory of going through a 1080p H.264 file, against OpenCV and plain PyAV, in one run.

``python benchmarks/video_reading.py [FRAMES]``. Each reader runs in a process of its own, so that memory is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

SIZE = (1080, 1920)


def make(path: Path, count: int) -> None:
    """Photo-like noise that drifts, with B-frames and key frames 250 apart, as cameras and x264 write them."""
    import av

    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (SIZE[0] // 8 + 40, SIZE[1] // 8 + 40, 3), np.uint8)
    big = cv2.resize(small, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 12, SIZE, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        for i in range(count):
            shift = i * 2 % 300
            picture = big[shift:, shift:][: SIZE[0], : SIZE[1]]
            grain = np.roll(noise, (37 * i, 91 * i), (0, 1))[..., None]
            frame = av.VideoFrame.from_ndarray(cv2.add(picture, np.repeat(grain, 3, 2)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def ours(path: str, threads: int) -> int:
    from dashboard.datasets.videofile import open_video

    video = open_video(path)
    with ThreadPoolExecutor(threads) as pool:
        pending = []
        for i in range(video.frames):
            pending.append(pool.submit(lambda k: video.frame(k).shape, i))
            if len(pending) > 2 * threads:
                pending.pop(0).result()
        for one in pending:
            one.result()
    return video.frames


def opencv(path: str) -> int:
    capture, count = cv2.VideoCapture(path), 0
    while True:
        there, pixels = capture.read()
        if not there:
            return count
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        count += 1


def pyav(path: str) -> int:
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(bool(frame.to_ndarray(format="rgb24").shape) for frame in container.decode(stream))


def pyav_decoding_only(path: str) -> int:
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


READERS = {
    "frame(i), 1 thread": lambda path: ours(path, 1),
    "frame(i), 4 threads": lambda path: ours(path, 4),
    "cv2.VideoCapture": opencv,
    "PyAV to RGB": pyav,
    "PyAV, decoding only": pyav_decoding_only,
}


def measure(name: str, path: str) -> dict[str, float]:
    import av  # noqa: F401

    began = time.perf_counter()
    count = READERS[name](path)
    seconds = time.perf_counter() - began
    return {"fps": count / seconds, "mb": _peak()}


def _peak() -> float:
    """Most megabytes of memory this process has had (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        make(path, count)
        print(f"{count} frames of 1080p H.264, {path.stat().st_size / 1e6:.1f} MB, {os.cpu_count()} processors")
        found: dict[str, dict[str, float]] = {}
        for name in [*READERS, *READERS]:  # twice, the better of both
            done = subprocess.run(
                [sys.executable, __file__, "--one", name, str(path)], capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout.splitlines()[-1])
            if name not in found or result["fps"] > found[name]["fps"]:
                found[name] = result
        base = found["cv2.VideoCapture"]["fps"]
        for name, result in found.items():
            print(f"{name:22} {result['fps']:7.1f} frames/s  {result['fps'] / base:5.2f} x cv2  {result['mb']:5.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
