"""How long a loaded model takes: one picture at a time, and in batches. Every clock of a profile is in this file.

Before anything counts, the model runs warm; ``forward`` waits for the device, so nothing is still under way when a
clock is read. One thread does one thing after the other: no picture is prepared while another is in the network.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import OnProgress, Progress
from dashboard.pipeline import latency_figures, stage_seconds
from dashboard.types import Detections, Image, Prediction
from models.base import ModelAdapter, OutOfMemory

WARM_UP, WARM_UP_S = 3, 0.3  # at least these pictures, and these seconds
LATENCY_S, MOST_PICTURES = 2.0, 300
PAIRS_S, MOST_PAIRS = 1.0, 200  # of comparing two variants
BATCH_S, BATCHES_S = 0.4, 5.0  # of one batch size, and of all
SIZES = {"cpu": (1, 2, 4, 8, 16), "cuda": (1, 2, 4, 8, 16, 32, 64, 128)}
LARGE = 512 * 512  # pixels of a picture above which raw outputs of one alone are compared
LEAST_FREE = 0.1  # of the machine's memory, below which no larger batch is tried


class Watch:
    """Says how far a profile is, and ends it where it is stopped.

    Args:
        say: told a few times a second, or None.
        cancel: set to stop, or None.
        total: steps.
    """

    def __init__(self, say: OnProgress | None, cancel: threading.Event | None, total: int) -> None:
        self._say, self.cancel, self.total, self.done = say, cancel, total, 0
        self._stage, self._last = "loading", 0.0
        self._recent: deque[float] = deque(maxlen=15)
        self._live: dict[str, float] = {}

    def step(self, stage: str, done: int | None = None) -> None:
        """A new stage. Raises Cancelled."""
        self._stage, self.done = stage, self.done if done is None else done
        self._recent.clear()
        self.check()
        self._tell()

    def check(self) -> None:
        """Raises Cancelled if somebody has stopped it."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("Stopped.")

    def picture(self, _: int, seconds: float) -> None:
        """One picture took so long. Called between measurements; says something ten times a second."""
        self._recent.append(seconds)
        now = time.perf_counter()
        if now - self._last < 0.1:
            return
        usual = statistics.median(self._recent)
        self._live = {"latency_ms": 1e3 * usual, "fps": 1 / usual if usual else 0.0}
        self.check()
        self._tell()

    def batch(self, size: int, seconds: float) -> None:
        """A batch took so long."""
        self._live = {"latency_ms": 1e3 * seconds, "fps": size / seconds if seconds else 0.0}
        self.check()
        self._tell()

    def within(self, progress: Progress) -> None:
        """An evaluation inside the profile."""
        if self._say is not None:
            live = {**progress.live, **self._live}
            self._say(Progress("accuracy", progress.done, progress.total, progress.rate, progress.seconds_left, live))

    def _tell(self) -> None:
        self._last = time.perf_counter()
        if self._say is not None:
            self._say(Progress(self._stage, self.done, self.total, live=dict(self._live)))


class Followed(ModelAdapter[Any, Any]):
    """A tracking model whose third step is all that comes after its network, the tracker included.

    Args:
        adapter: with a ``tracker``.
    """

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.spec, self.device, self.fingerprint = adapter.spec, adapter.device, adapter.fingerprint

    def preprocess(self, image: Image) -> tuple[Image, Any]:
        """The detector's, beside the picture."""
        return image, self._adapter.preprocess(image)

    def forward(self, items: Sequence[tuple[Image, Any]]) -> tuple[list[Image], Any]:
        """The detector's, beside the pictures."""
        return [image for image, _ in items], self._adapter.forward([item for _, item in items])

    def postprocess(self, outputs: tuple[Sequence[Image], Any]) -> list[Prediction]:
        """The detector's boxes, tracked."""
        images, made = outputs
        tracker, tracks = self._adapter.tracker, list[Prediction]()
        for image, one in zip(images, self._adapter.postprocess(made), strict=True):
            assert isinstance(one, Detections)
            tracks.append(tracker.update(one, image if tracker.needs_images else None))
        return tracks


def whole(adapter: ModelAdapter[Any, Any]) -> ModelAdapter[Any, Any]:
    """What is timed: the model, with its tracker if it has one."""
    return Followed(adapter) if hasattr(adapter, "tracker") else adapter


def warm_up(adapter: ModelAdapter[Any, Any], images: Sequence[Image], watch: Watch) -> None:
    """Run until caches, thread pools and the device's clock have settled."""
    begin, done = time.perf_counter(), 0
    while done < WARM_UP or time.perf_counter() - begin < WARM_UP_S:
        adapter.predict([images[done % len(images)]])
        done += 1
        watch.check()


def latency(
    adapter: ModelAdapter[Any, Any], images: Sequence[Image], watch: Watch
) -> tuple[dict[str, dict[str, float]], int]:
    """``latency_ms`` and ``stages_ms`` at batch 1, and of how many pictures. The model is warm."""
    seconds = stage_seconds(adapter, images, LATENCY_S, warm_up=0, most=MOST_PICTURES, watch=watch.picture)
    return latency_figures(seconds), len(seconds)


def side_by_side(
    first: ModelAdapter[Any, Any], second: ModelAdapter[Any, Any], images: Sequence[Image], watch: Watch
) -> float:
    """How many times faster the second is: both take a picture in turn, so that a busy machine slows both.

    Returns:
        Median seconds of the first by those of the second, all stages, both warm.
    """
    times: tuple[list[float], list[float]] = ([], [])
    begin = time.perf_counter()
    for turn in range(MOST_PAIRS):
        if turn >= 3 and time.perf_counter() - begin > PAIRS_S:
            break
        for adapter, seconds in zip((first, second), times, strict=True):
            start = time.perf_counter()
            adapter.predict([images[turn % len(images)]])
            seconds.append(time.perf_counter() - start)
        watch.check()
    return statistics.median(times[0]) / statistics.median(times[1])


def throughput(
    adapter: ModelAdapter[Any, Any], images: Sequence[Image], sizes: Sequence[int] | None, watch: Watch
) -> dict[int, float]:
    """Pictures a second by batch size, all three steps one after the other.

    Args:
        adapter: warm.
        images: taken in turn.
        sizes: measured all, as far as there is memory; None for powers of two until ``BATCHES_S`` are over.
        watch: told of every batch.
    """
    found: dict[int, float] = {}
    begin = time.perf_counter()
    for size in sizes or SIZES[adapter.device.partition(":")[0]]:
        left = BATCHES_S - (time.perf_counter() - begin)
        usual = next(reversed(found.values()), None)
        if sizes is None and usual is not None and 3 * size / usual > left:  # one to warm up, two to measure
            break
        if found and not _room(adapter.device):
            break
        batch = [images[place % len(images)] for place in range(size)]
        try:
            found[size] = size / _batch_seconds(adapter, batch, watch)
        except (OutOfMemory, MemoryError):
            if not found:
                raise
            break
    return found


def _batch_seconds(adapter: ModelAdapter[Any, Any], batch: Sequence[Image], watch: Watch) -> float:
    """Median seconds of a batch, after one that does not count."""
    adapter.predict(batch)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 2 or (time.perf_counter() - begin < BATCH_S and len(times) < 100):
        start = time.perf_counter()
        adapter.postprocess(adapter.forward([adapter.preprocess(image) for image in batch]))
        times.append(time.perf_counter() - start)
        if len(times) == 1 or sum(times) > 0.1:
            watch.batch(len(batch), statistics.median(times))
    return statistics.median(times)


def _room(device: str) -> bool:
    """Whether enough of the machine's memory is free for a larger batch; CUDA says so itself."""
    if device != "cpu":
        return True
    import psutil

    memory = psutil.virtual_memory()
    return memory.available > LEAST_FREE * memory.total


def raw_outputs(adapter: ModelAdapter[Any, Any], images: Sequence[Image]) -> list[list[NDArray[np.float32]]]:
    """What the network gives for each picture alone, every array in it.

    Of large pictures only for the first: there may be a value for every class and pixel.
    """
    looked = images if images[0].shape[0] * images[0].shape[1] <= LARGE else images[:1]
    return [_arrays(adapter.forward([adapter.preprocess(image)])) for image in looked]


def _arrays(outputs: Any) -> list[NDArray[np.float32]]:
    if hasattr(outputs, "detach"):
        outputs = outputs.detach().float().cpu().numpy()
    if isinstance(outputs, np.ndarray):
        return [outputs.astype(np.float32)] if outputs.ndim else []
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    if isinstance(outputs, (tuple, list)):
        return [array for part in outputs for array in _arrays(part)]
    return []


def largest_difference(
    first: Sequence[Sequence[NDArray[np.float32]]], second: Sequence[Sequence[NDArray[np.float32]]]
) -> float | None:
    """The largest absolute difference of two models' ``raw_outputs``; None if these are not of the same shapes."""
    found = [0.0]
    for mine, others in zip(first, second, strict=True):
        if [a.shape for a in mine] != [b.shape for b in others] or not mine:
            return None
        for a, b in zip(mine, others, strict=True):
            found.append(float(np.abs(a - b).max(initial=0.0)))
    largest = float(np.max(found))  # not a number as soon as one is not
    return largest if np.isfinite(largest) else None


def pictures_of(dataset: Any, size: tuple[int, int], most: int = 4) -> list[Image]:
    """The first pictures of a dataset, brought to ``size`` (height, width).

    Raises:
        InputError: none of the first sixteen can be read.
    """
    import cv2

    found: list[Image] = []
    why = ""
    for index in range(min(len(dataset), 16)):
        try:
            image = np.asarray(dataset[index].image)[..., :3]
        except InputError as error:
            why = str(error)
            continue
        found.append(np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8))
        if len(found) == most:
            break
    if not found:
        raise InputError(f"None of the first pictures of {dataset.name} can be read: {why}")
    return found
