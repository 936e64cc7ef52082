"""How far answers are from their references to a network's eye: measured once a run when asked for, and kept."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dashboard.enhancement_parts import pictures_of
from dashboard.errors import InputError
from dashboard.store import Run


def why_not() -> str | None:
    """Why it cannot be measured, in one sentence; None if it can."""
    from models.perceptual import why_not as reason

    return reason()


def distances(run: Run, index: NDArray[np.int64], folder: Path) -> NDArray[np.float64]:
    """(N,) perceptual loss of a run's images (``models.perceptual``); NaN without a reference.

    Args:
        run: the run.
        index: (N,) dataset positions of its images.
        folder: where the measurements are kept, one file a run; it need not exist.

    Raises:
        InputError: the network's weights are not here.
    """
    reason = why_not()
    if reason is not None:
        raise InputError(reason)
    written = run.predictions_path.stat().st_mtime_ns
    file = folder / f"perceptual-{run.id}-{written}.npz"
    try:
        with np.load(file, allow_pickle=False) as kept:
            values: NDArray[np.float64] = kept["distance"]
        if values.shape == index.shape:
            return values
    except (OSError, ValueError, KeyError, BadZipFile):
        pass
    from models.perceptual import Perceptual

    network = Perceptual()
    values = np.full(len(index), np.nan)
    for place, position in enumerate(index):
        stored = pictures_of(run.predictions_path, int(position))
        found, truth = stored.pixels if stored is not None else (None, None)
        if found is not None and truth is not None:
            values[place] = network.distance(found, truth)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, distance=values)
        part.replace(file)
    except OSError:  # a full or read-only disk: it is measured again next time
        pass
    return values
