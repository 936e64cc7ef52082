"""How bright pictures are: measured once a dataset, in threads, and kept beside the runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.pipeline import default_workers
from dashboard.types import Image

LUMA = np.array([0.299, 0.587, 0.114])  # BT.601


def mean_luma(image: Image) -> float:
    """Mean BT.601 luma of an (H, W, 3) picture, 0..255, over a grid of at most some ten thousand of its pixels."""
    step = max(1, int(max(image.shape[:2]) / 128))
    return float(image[::step, ::step].reshape(-1, 3).mean(axis=0) @ LUMA)


def brightness(pictures: Dataset, folder: Path) -> NDArray[np.float64]:
    """(len(pictures),) mean luma of each picture, 0..255, by dataset position; NaN where it cannot be read.

    Args:
        pictures: the dataset.
        folder: where the measurements are kept, one file a dataset; it need not exist.
    """
    file = folder / f"brightness-{pictures.fingerprint}.npz"
    try:
        with np.load(file, allow_pickle=False) as kept:
            values: NDArray[np.float64] = kept["luma"]
        if values.shape == (len(pictures),):
            return values
    except (OSError, ValueError, KeyError, BadZipFile):
        pass

    def one(index: int) -> float:
        try:
            return mean_luma(pictures[index].image)
        except InputError:
            return float("nan")

    with ThreadPoolExecutor(default_workers(), thread_name_prefix="brightness") as pool:
        values = np.fromiter(pool.map(one, range(len(pictures))), np.float64, len(pictures))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, luma=values)
        part.replace(file)
    except OSError:  # a full or read-only disk: it is measured again next time
        pass
    return values
