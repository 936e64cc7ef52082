"""Pictures decoded ahead of the model, in threads, handed over in order; and the latency of one picture alone."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.datasets.images import BIG_PIXELS, big_ones_alone
from dashboard.errors import InputError
from dashboard.types import Image
from models.base import ModelAdapter

LONGEST_S = 10.0  # of measuring latency: where a picture takes many seconds, one after warming up has to do


@dataclass
class Items:
    """A batch under way: preprocessed pictures with their positions and ids."""

    indices: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)


def default_workers() -> int:
    """Decoding threads: one for each core this process may run on, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores)


def prepared(adapter: ModelAdapter[Any, Any], dataset: Dataset, index: int) -> tuple[Image, Any]:
    """A picture, and the same as the model takes it.

    Raises:
        InputError: it cannot be read, or this model cannot take it: there is no memory for it, it is a line of one
            pixel, say. Others can still be predicted.
    """
    sample = dataset[index]
    try:
        image = sample.image
        return image, adapter.preprocess(image)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{sample.id} does not fit in memory: scale it down, or remove it") from error
    except (ValueError, cv2.error) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{sample.id} cannot be brought to the size that {adapter.spec.name} takes ({why})") from error


def decoded(
    adapter: ModelAdapter[Any, Any],
    dataset: Dataset,
    todo: Sequence[int],
    batch_size: Callable[[], int],
    workers: int,
    unreadable: Callable[[int, str, str], None],
) -> Iterator[Items]:
    """Batches of preprocessed pictures in the order of ``todo``, whatever the number of threads.

    Two batches are kept ahead, so the model never waits unless decoding is slower than it, and memory does not grow.

    Args:
        adapter: whose ``preprocess`` is called in the threads.
        dataset: where pictures come from.
        todo: positions in it.
        batch_size: asked for anew at each batch (it may shrink).
        workers: threads.
        unreadable: told of a picture that cannot be read (position, id, reason); it is left out.
    """

    def load(index: int) -> tuple[str, Any]:
        try:
            with big_ones_alone():
                return dataset.ids[index], prepared(adapter, dataset, index)[1]
        except InputError as error:
            return dataset.ids[index], error

    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        ahead: deque[tuple[int, Future[tuple[str, Any]]]] = deque()
        waiting = iter(todo)
        batch = Items()
        try:
            while True:
                size = batch_size()
                while len(ahead) < 2 * size + workers and (index := next(waiting, None)) is not None:
                    ahead.append((index, pool.submit(load, index)))
                if not ahead:
                    break
                index, future = ahead.popleft()
                identity, item = future.result()
                if isinstance(item, InputError):
                    unreadable(index, identity, str(item))
                    continue
                batch.indices.append(index)
                batch.ids.append(identity)
                batch.items.append(item)
                if len(batch) >= size:
                    yield batch
                    batch = Items()
            if len(batch):
                yield batch
        finally:
            for _, future in ahead:
                future.cancel()


def decode_ms(dataset: Dataset, most: int = 12, budget_s: float = 0.5) -> float | None:
    """Median milliseconds of reading one picture after the other, alone; None if none can be read."""
    times: list[float] = []
    for index in range(min(len(dataset), most)):
        begin = time.perf_counter()
        with contextlib.suppress(InputError, MemoryError):
            _ = dataset[index].image
            times.append(time.perf_counter() - begin)
        if sum(times) > budget_s:
            break
    return 1e3 * float(np.median(times[1:] or times)) if times else None


def stage_seconds(
    adapter: ModelAdapter[Any, Any],
    images: Sequence[Image],
    budget_s: float,
    *,
    warm_up: int = 2,
    most: int = 198,
    watch: Callable[[int, float], None] | None = None,
) -> NDArray[np.float64]:
    """Seconds that each stage takes for one picture at a time, (N, 3): preprocess, forward, postprocess.

    ``forward`` returns when the device is done, so every stage's end is its true end.

    Args:
        adapter: warm or not.
        images: taken in turn.
        budget_s: of measuring, warming up included; at least three pictures are measured, one if they are very slow.
        warm_up: pictures that are not measured.
        most: pictures that are.
        watch: called between measured pictures with how many there are and the seconds of the last. What it raises
            ends it.
    """
    times: list[tuple[float, float, float]] = []
    begin = time.perf_counter()
    while len(times) < most + warm_up:
        spent, measured = time.perf_counter() - begin, len(times) - warm_up
        if (measured >= 3 and spent >= budget_s) or (measured >= 1 and spent >= LONGEST_S):
            break
        image = images[len(times) % len(images)]
        t0 = time.perf_counter()
        item = adapter.preprocess(image)
        t1 = time.perf_counter()
        outputs = adapter.forward([item])
        t2 = time.perf_counter()
        adapter.postprocess(outputs)
        times.append((t1 - t0, t2 - t1, time.perf_counter() - t2))
        if watch is not None and len(times) > warm_up:
            watch(len(times) - warm_up, sum(times[-1]))
    return np.array(times[warm_up:])


def latency_figures(seconds: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """``latency_ms`` (p50, p90, p99 of all stages together) and ``stages_ms`` (medians) of ``stage_seconds``."""
    ms = seconds * 1e3
    total = np.percentile(ms.sum(1), [50, 90, 99])
    return {
        "latency_ms": dict(zip(("p50", "p90", "p99"), map(float, total), strict=True)),
        "stages_ms": dict(zip(("preprocess", "forward", "postprocess"), map(float, np.median(ms, 0)), strict=True)),
    }


def measure_latency(adapter: ModelAdapter[Any, Any], dataset: Dataset, budget_s: float = 1.5) -> dict[str, Any]:
    """Batch-1 latency over a few of the dataset's pictures, decoding left out, stages timed apart.

    Returns:
        ``latency_ms``: p50, p90, p99 of preprocess + forward + postprocess; ``stages_ms``: the median of each stage,
        and of reading a picture (``decode``).
    """
    images = []
    for index in range(min(len(dataset), 16)):
        with contextlib.suppress(InputError):
            images.append(prepared(adapter, dataset, index)[0])
        if len(images) == 4 or sum(image.size for image in images) > 3 * BIG_PIXELS:  # no more memory than needed
            break
    if not images:
        return {"latency_ms": {"p50": None, "p90": None, "p99": None}}
    figures = latency_figures(stage_seconds(adapter, images, budget_s))  # the first two warm up
    return {**figures, "stages_ms": figures["stages_ms"] | {"decode": decode_ms(dataset)}}
