"""Confusion of two class maps against scikit-learn and torchmetrics, in one run on the same maps.

    python -m benchmarks.segmentation_confusion [--height 1024] [--width 2048] [--classes 19] [--rounds 15]

Every case gets its maps as it likes them best, made before the clock starts: arrays of bytes for us, those that count
as flat arrays for scikit-learn, flat int64 tensors for torchmetrics (pip install torchmetrics; it is among what tests
need), with its own check of the values and without. Ours checks them always. All run in turns; medians are shown, and
all counts are compared. "everything" is what a picture costs in an evaluation: confusion, both boundary scores and the
rows that are kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

Maps = np.ndarray


def scene(height: int, width: int, classes: int, seed: int = 0) -> tuple[Maps, Maps]:
    """A street: four layers, 150 shapes before them, a strip that does not count; the answer is moved and speckled."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    for layer in range(4):
        truth[layer * height // 4 :] = layer % classes
    for _ in range(150):
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        corners = np.stack([np.cos(around), np.sin(around)], axis=1) * rng.uniform(0.4, 1, (24, 1))
        corners = corners * rng.integers(2, max(3, height // 5)) + [rng.integers(0, width), rng.integers(0, height)]
        cv2.fillPoly(truth, [corners.astype(np.int32)], int(rng.integers(0, classes)))
    found = np.roll(truth, (2, 3), (0, 1))
    for _ in range(40):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        cv2.circle(found, centre, int(rng.integers(3, 40)), int(rng.integers(0, classes)), -1)
    truth[-height // 16 :] = 255
    return truth, found


def cases(truth: Maps, found: Maps, classes: int) -> dict[str, Callable[[], Any]]:
    """By name: each gives the (C, C) confusion matrix, or anything that can be made an array."""
    from sklearn.metrics import confusion_matrix

    from dashboard.metrics.segmentation.columns import SegmentationBatch
    from dashboard.metrics.segmentation.counting import pair_counts
    from dashboard.metrics.segmentation.counts import count, matrix

    counted = truth != 255
    flat = truth[counted], found[counted]
    out: dict[str, Callable[[], Any]] = {
        "ours": lambda: pair_counts(truth, found, classes)[:, :classes],
        "ours, everything": lambda: matrix(count(SegmentationBatch(["a"], [truth], [found], classes)))[:, :classes],
        "scikit-learn": lambda: confusion_matrix(*flat, labels=range(classes)),
    }
    if importlib.util.find_spec("torchmetrics") is None:
        print("  torchmetrics is not installed: left out")
        return out
    import torch
    from torchmetrics.classification import MulticlassConfusionMatrix

    tensors = [torch.from_numpy(m.astype(np.int64)).ravel() for m in (found, truth)]
    for name, check in (("torchmetrics", True), ("torchmetrics, unchecked", False)):
        metric = MulticlassConfusionMatrix(classes, ignore_index=255, validate_args=check)

        def update(metric: Any = metric) -> Any:
            metric.reset()
            metric.update(*tensors)
            return metric.confmat

        out[name] = update
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in {"height": 1024, "width": 2048, "classes": 19, "rounds": 15}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    print(f"confusion of {args.height} x {args.width} pixels, {args.classes} classes, {args.rounds} rounds in turns")
    work = cases(*scene(args.height, args.width, args.classes), args.classes)
    expected = np.asarray(work["ours"]())
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(args.rounds + 1):
        for name, function in work.items():
            start = time.perf_counter()
            found = np.asarray(function())
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
            elif not (found == expected).all():
                raise SystemExit(f"{name} counts otherwise")
    base = statistics.median(times["ours"])
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"  {name:24s} {1000 * middle:8.2f} ms, least {1000 * min(seconds):8.2f} ms {middle / base:7.1f} x")


if __name__ == "__main__":
    main()
