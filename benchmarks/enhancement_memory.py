"""Memory of measuring many enhanced pictures: 1080 x 1920 pixels, read from PNG as in an evaluation.

    python -m benchmarks.enhancement_memory [--pictures 4 16 64] [--height 1080] [--width 1920] [--batch 4]

Each number of pictures is measured in a fresh process, all numbers and all results. Shown are the seconds, and the peak
of memory above what stood before, of which the encoded pictures (the same few, again and again) are no part. The peer
is what holding all pictures and references would take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.detection_ap import Clock
from benchmarks.ssim_map import pair

DIFFERENT = 2


def work(pictures: int, height: int, width: int, batch: int) -> dict[str, Any]:
    """What a fresh process does."""
    from dashboard.enhancement_parts import Decoded, encode
    from dashboard.metrics.enhancement.columns import EnhancementBatch
    from dashboard.metrics.enhancement.measured import measured
    from dashboard.metrics.enhancement.metrics import Fidelity, Losses, NoReference, Spread
    from dashboard.types import EnhancedImage

    drawn = [tuple(encode(EnhancedImage(p)) for p in pair(height + k, width)) for k in range(DIFFERENT)]
    metrics: Any = [make() for make in (Fidelity, Losses, NoReference, Spread)]
    with Clock() as clock:
        for start in range(0, pictures, batch):
            places = range(start, min(start + batch, pictures))
            found, truth = (Decoded([drawn[p % DIFFERENT][side] for p in places]) for side in (0, 1))
            fours = [4] * len(places)
            numbers = measured(EnhancementBatch([str(p) for p in places], found, truth, fours, fours))
            for metric in metrics:
                metric.take(numbers)
        results = [metric.compute() for metric in metrics]
    return clock.result([results[0]["scores"].values["psnr"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--pictures", type=int, nargs="+", default=[4, 16, 64])
    for name, value in {"height": 1080, "width": 1920, "batch": 4}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.height, args.width, args.batch)))
        return
    print(f"pictures of {args.height} x {args.width} pixels, {args.batch} at a time")
    peaks = []
    for pictures in args.pictures:
        sizes = [f"--{name}={getattr(args, name)}" for name in ("height", "width", "batch")]
        command = [sys.executable, "-m", "benchmarks.enhancement_memory", *sizes, f"--case={pictures}"]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        whole = 2 * 3 * pictures * args.height * args.width / 2**20
        peaks.append(found["megabytes"])
        print(
            f"  {pictures:5d} pictures {found['wall']:7.1f} s, {1000 * found['wall'] / pictures:6.1f} ms each | "
            f"peak {found['megabytes']:7.1f} MB, all pictures {whole:8.1f} MB | PSNR {found['stats'][0]:.4f}"
        )
    print(f"  most to least peak: {np.max(peaks) / np.min(peaks):.2f} x")


if __name__ == "__main__":
    main()
