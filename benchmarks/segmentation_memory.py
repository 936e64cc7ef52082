"""Memory of counting many pictures: 1024 x 2048 pixels, 19 classes, read from PNG as in an evaluation.

    python -m benchmarks.segmentation_memory [--pictures 50 200 500] [--height 1024] [--width 2048] [--classes 19]

Each number of pictures is counted in a fresh process, in batches of eight, up to all results (1,000 resamples
included). Shown are the seconds, and the peak of memory above what stood before, of which the encoded maps (the same
few, again and again) are no part. The peer is what holding all maps would take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.detection_ap import Clock
from benchmarks.segmentation_confusion import scene

DIFFERENT, BATCH = 8, 8


def work(pictures: int, height: int, width: int, classes: int) -> dict[str, Any]:
    """What a fresh process does."""
    from dashboard.classmaps import Decoded, encode
    from dashboard.metrics.segmentation.columns import SegmentationBatch
    from dashboard.metrics.segmentation.metrics import BoundaryQuality, ImageLosses, PixelConfusion

    drawn = [tuple(encode(m) for m in scene(height, width, classes, seed)) for seed in range(DIFFERENT)]
    metrics = [make([str(c) for c in range(classes)]) for make in (PixelConfusion, BoundaryQuality, ImageLosses)]
    with Clock() as clock:
        for start in range(0, pictures, BATCH):
            places = range(start, min(start + BATCH, pictures))
            truth, found = (Decoded([drawn[p % DIFFERENT][side] for p in places]) for side in (0, 1))
            batch = SegmentationBatch([str(p) for p in places], truth, found, classes)
            for metric in metrics:
                metric.update(batch)
        results = [metric.compute() for metric in metrics]
    return clock.result([results[0]["scores"].values["miou"]])  # type: ignore[union-attr]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--pictures", type=int, nargs="+", default=[50, 200, 500])
    for name, value in {"height": 1024, "width": 2048, "classes": 19}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.height, args.width, args.classes)))
        return
    print(f"pictures of {args.height} x {args.width} pixels, {args.classes} classes")
    peaks = []
    for pictures in args.pictures:
        sizes = [f"--{name}={getattr(args, name)}" for name in ("height", "width", "classes")]
        command = [sys.executable, "-m", "benchmarks.segmentation_memory", *sizes, f"--case={pictures}"]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        whole = 2 * pictures * args.height * args.width / 2**20
        peaks.append(found["megabytes"])
        print(
            f"  {pictures:5d} pictures {found['wall']:7.1f} s, {1000 * found['wall'] / pictures:6.1f} ms each | "
            f"peak {found['megabytes']:7.1f} MB, all maps {whole:8.1f} MB | mIoU {found['stats'][0]:.4f}"
        )
    print(f"  most to least peak: {np.max(peaks) / np.min(peaks):.2f} x")


if __name__ == "__main__":
    main()
