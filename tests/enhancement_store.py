"""A store with runs of enhancement for tests: small pictures, enlarged by methods that learn nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Run, Store
from models.load import load_model

COUNT = 6


def folder_of(root: Path) -> Path:
    """Clean pictures p0.png, p1.png, ...: the later, the finer their stripes; the last is flat."""
    folder = root / "clean"
    folder.mkdir(parents=True)
    for k in range(COUNT):
        y, x = np.mgrid[:48, : 40 + 4 * k]
        wave = 60 * np.sin(x * (k + 1) / 6) + 50 * np.sin(y * (k + 1) / 9)
        grey = np.full(x.shape, 128.0) if k == COUNT - 1 else 128 + wave
        picture = np.dstack([grey, grey[:, ::-1], 255 - grey]).round().astype(np.uint8)
        assert cv2.imwrite(str(folder / f"p{k}.png"), picture)
    return folder


def runs_in(
    root: Path, models: tuple[str, ...] = ("nearest", "bicubic"), degrade: str = "bicubic:2"
) -> tuple[Store, list[Run]]:
    """A store with a run of each model on ``folder_of`` made worse."""
    folder = root / "clean" if (root / "clean").is_dir() else folder_of(root)
    data = open_dataset(folder, task="enhancement", options={"degrade": degrade})
    store = Store(root / "store")
    return store, [evaluate(load_model(m), data, store, Settings(latency=False)) for m in models]
