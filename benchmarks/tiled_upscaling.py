"""Memory of enlarging large photos four times, tile by tile, with a small network.

    python -m benchmarks.tiled_upscaling [--megapixels 3 12] [--tile 256] [--whole 1]

Each size runs in a fresh process. Shown are the seconds and the peak of memory beyond the picture and its answer; the
peer is the same network without tiles (``--whole``: up to how many megapixels it is tried; 0 for not at all).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.detection_ap import Clock

SCALE = 4


def network() -> Any:
    """Four convolutions of 32 channels and a pixel shuffle: 1 + 1 + 1 + 1 pixels of reach."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    inner = [layer for _ in range(2) for layer in (nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())]
    last = nn.Conv2d(32, 3 * SCALE**2, 3, padding=1)
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), *inner, last, nn.PixelShuffle(SCALE))


def photo(megapixels: float) -> np.ndarray:
    """3:4, a gradient with noise."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    ramp = np.linspace(0, 200, width).astype(np.uint8)
    picture = np.empty((height, width, 3), np.uint8)
    rng = np.random.default_rng(0)
    for row in range(height):
        picture[row] = ramp[:, None] + rng.integers(0, 50, (width, 3), np.uint8)
    return picture


def work(megapixels: float, tile: int) -> dict[str, Any]:
    """What a fresh process does. ``tile`` 0 for none."""
    from models.base import LoadOptions, ModelSpec, Weights
    from models.enhancement import TorchEnhancer

    spec = ModelSpec("small", "enhancement", "spandrel", "a benchmark", Weights("file", "nowhere"))
    adapter = TorchEnhancer(network(), spec, LoadOptions(device="cpu", settings={"tile": str(tile)}))
    adapter.predict([photo(0.1)])  # what is allocated once
    picture = photo(megapixels)
    with Clock() as clock:
        (answer,) = adapter.predict([picture])
    found = clock.result([float(answer.pixels[::64, ::64].mean())])
    return {**found, "answer": answer.pixels.nbytes / 2**20, "size": list(picture.shape[:2])}


def measured(megapixels: float, tile: int) -> dict[str, Any]:
    """In a fresh process."""
    command = [sys.executable, "-m", "benchmarks.tiled_upscaling", f"--case={megapixels}", f"--tile={tile}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "beyond": found["megabytes"] - found["answer"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--megapixels", type=float, nargs="+", default=[3, 12])
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--whole", type=float, default=1)
    parser.add_argument("--case", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.tile)))
        return
    print(f"x{SCALE}, tiles of {args.tile} pixels that share 64")
    beyond = []
    for megapixels in args.megapixels:
        found = measured(megapixels, args.tile)
        beyond.append(found["beyond"])
        print(
            f"  {found['size'][1]}x{found['size'][0]}: {found['wall']:6.1f} s, answer {found['answer']:6.0f} MB, "
            f"peak beyond picture and answer {found['beyond']:6.1f} MB"
        )
    print(f"  most beyond less least: {max(beyond) - min(beyond):.1f} MB")
    if args.whole:
        found = measured(args.whole, 0)
        print(f"  whole, {args.whole:g} megapixels: {found['wall']:6.1f} s, peak beyond {found['beyond']:6.1f} MB")


if __name__ == "__main__":
    main()
