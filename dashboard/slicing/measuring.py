"""Size, brightness, contrast and sharpness of pictures: measured once a dataset, behind what is on the page already.

What is measured is kept in one Parquet file a dataset, by position; a run on part of the data has only that part
measured, and work that was interrupted goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.pipeline import default_workers
from dashboard.types import Image

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COLUMNS = ("width", "height", "brightness", "contrast", "sharpness")
SIDE = 512
"""Pixels of the longer side at which contrast and sharpness are measured: otherwise a large picture is never sharp."""
BLOCK = 512  # pictures between two words of how far it is; eight times as many are lost if the machine stops


def measure(image: Image) -> tuple[float, ...]:
    """``COLUMNS`` of an (H, W, 3) picture.

    Width and height in pixels as it is; of its luma (BT.601, 0..255), scaled down to ``SIDE`` if it is larger: the
    mean, the standard deviation (RMS contrast), and the variance of the Laplacian (Pech-Pacheco et al. 2000), which is
    low in a blurred picture and high in a sharp or noisy one.
    """
    height, width = image.shape[:2]
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    mean, deviation = cv2.meanStdDev(grey)
    _, rough = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    return float(width), float(height), float(mean[0, 0]), float(deviation[0, 0]), float(rough[0, 0]) ** 2


def kept(pictures: Dataset, folder: Path) -> dict[str, Floats]:
    """Each of ``COLUMNS``, (len(pictures),), as far as it has been measured; NaN elsewhere."""
    try:
        table = pq.read_table(_file(pictures, folder))
        found = {name: table.column(name).to_numpy().astype(np.float64) for name in COLUMNS}
        if all(len(x) == len(pictures) for x in found.values()):
            return found
    except (OSError, KeyError, pa.ArrowException):
        pass
    return {name: np.full(len(pictures), np.nan) for name in COLUMNS}


def _file(pictures: Dataset, folder: Path) -> Path:
    return folder / f"attributes-{pictures.fingerprint}.parquet"


def _keep(pictures: Dataset, folder: Path, columns: Mapping[str, Floats]) -> None:
    """Write what is known; on a full or read-only disk it is measured again next time."""
    file = _file(pictures, folder)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


def missing(columns: Mapping[str, Floats], wanted: Ints) -> Ints:
    """Which of the wanted positions have not been measured. A picture that cannot be read has a width of 0."""
    return wanted[np.isnan(columns["width"][wanted])]


def measure_all(
    pictures: Dataset,
    folder: Path,
    wanted: Ints,
    say: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Floats]:
    """Measure what is missing of the wanted positions, in threads; the same as ``kept`` afterwards.

    Args:
        pictures: the dataset.
        folder: where it is kept.
        wanted: positions.
        say: told how many of how many are done.
    """
    columns = kept(pictures, folder)
    todo = missing(columns, wanted)

    def one(index: int) -> tuple[float, ...]:
        try:
            return measure(pictures[index].image)
        except InputError:
            return (0.0, 0.0, np.nan, np.nan, np.nan)

    with ThreadPoolExecutor(default_workers(), thread_name_prefix="attributes") as pool:
        for start, block in _blocks(todo):
            values = np.array(list(pool.map(one, block.tolist())), np.float64).reshape(-1, len(COLUMNS))
            for name, column in zip(COLUMNS, values.T, strict=True):
                columns[name][block] = column
            say(start + len(block), len(todo))
            if (start // BLOCK) % 8 == 7:
                _keep(pictures, folder, columns)
    if len(todo):
        _keep(pictures, folder, columns)
    return columns


def _blocks(todo: Ints) -> Iterator[tuple[int, Ints]]:
    step = min(BLOCK, max(16, len(todo) // 50))
    for start in range(0, len(todo), step):
        yield start, todo[start : start + step]


@dataclass
class Making:
    """Pictures being measured.

    Attributes:
        done, total: pictures.
        future: its end.
    """

    done: int = 0
    total: int = 0
    future: Future[dict[str, Floats]] = field(default_factory=Future)


class Measurings:
    """Datasets being measured, one after another. Safe to use from several threads.

    What was measured last of each dataset is held until it is on disk, or as long as the disk cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._making: dict[str, Making] = {}

    def ask(self, pictures: Dataset, wanted: Ints, patience: float = 1.0) -> tuple[dict[str, Floats], Making | None]:
        """What is known now, and how far the rest is; None once all that is wanted is known.

        Args:
            pictures: the dataset.
            wanted: positions.
            patience: seconds to wait for a small rest.

        Raises:
            InputError: it could not be measured.
        """
        columns = kept(pictures, self.folder)
        if not len(missing(columns, wanted)):
            self._making.pop(pictures.fingerprint, None)
            return columns, None
        with self._guard:
            making = self._making.get(pictures.fingerprint)
            if making is None or (making.future.done() and not _covers(making, wanted)):
                making = self._making[pictures.fingerprint] = Making(0, len(missing(columns, wanted)))
                threading.Thread(  # of those that do not keep the program from ending
                    target=self._make, args=(pictures, wanted, making), daemon=True, name="slices"
                ).start()
        with contextlib.suppress(TimeoutError):
            columns = making.future.result(patience)
            if not len(missing(columns, wanted)):
                return columns, None
        return columns, making  # somebody else wanted others: the next question begins what is left

    def _make(self, pictures: Dataset, wanted: Ints, making: Making) -> None:
        def say(done: int, total: int) -> None:
            making.done, making.total = done, total

        with self._turn:
            try:
                making.future.set_result(measure_all(pictures, self.folder, wanted, say))
            except Exception as error:  # for whoever asks
                making.future.set_exception(error)


def _covers(making: Making, wanted: Ints) -> bool:
    """Whether an ended measurement has all that is wanted."""
    return making.future.exception() is None and not len(missing(making.future.result(), wanted))
