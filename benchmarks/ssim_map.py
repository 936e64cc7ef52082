"""SSIM map and PSNR of a pair of pictures against scikit-image, torchmetrics and pytorch_msssim, in one run.

    python -m benchmarks.ssim_map [--rounds 5] [--sizes 1080x1920 2160x3840]

The pair is RGB bytes: a soft picture with grain and a flat part, and its JPEG. Every case begins with the bytes and
ends with a PSNR and a map at every pixel and channel, but pytorch_msssim, which gives a mean alone. All run in turns;
shown are medians on the wall and on the processor (which a busy machine leaves alone; ours uses all cores, torch too),
the median of the rounds' ratios, how far map and mean are from scikit-image's in float64, and the peak of memory above
the pair, each in a fresh process. torch's peers run on the smaller size only. Those not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from benchmarks.detection_ap import Clock

Pixels = np.ndarray
Case = Callable[[], tuple[float, Any]]
BASE = "scikit-image float64"
MARGIN = 5  # where windows leave the picture; torchmetrics mirrors otherwise there


def pair(height: int, width: int) -> tuple[Pixels, Pixels]:
    """A picture and its JPEG. The flat part is the hard case for float32."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    grain = cv2.resize(rng.normal(0, 12, (height // 2, width // 2, 3)).astype(np.float32), (width, height))
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    clean = np.clip(soft + grain, 0, 255).astype(np.uint8)
    clean[: height // 6] = 30
    packed = cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return cv2.imdecode(packed, cv2.IMREAD_COLOR), clean


def cases(a: Pixels, b: Pixels, torch_too: bool) -> dict[str, Case]:
    """By name: each gives a PSNR, and a map (or a mean where there is no map)."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from dashboard.metrics.enhancement.fidelity import psnr
    from dashboard.metrics.enhancement.ssim import ssim, ssim_map

    window: Any = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}

    def skimage(kind: Any) -> tuple[float, Any]:
        x, y = a.astype(kind), b.astype(kind)
        local = structural_similarity(x, y, full=True, channel_axis=2, **window)[1]
        return peak_signal_noise_ratio(b, a, data_range=255), local

    found: dict[str, Case] = {
        "ours": lambda: (psnr(a, b), ssim_map(a, b)),
        "ours, float64": lambda: (psnr(a, b), ssim_map(a, b, dtype=np.float64)),
        "ours, mean alone": lambda: (psnr(a, b), ssim(a, b)),
        BASE: lambda: skimage(np.float64),
        "scikit-image float32": lambda: skimage(np.float32),
    }
    return found | (torch_cases(a, b) if torch_too else {})


def torch_cases(a: Pixels, b: Pixels) -> dict[str, Case]:
    """The peers that take tensors, float32."""
    import torch

    def tensors() -> list[Any]:
        return [torch.from_numpy(p.astype(np.float32)).permute(2, 0, 1)[None] for p in (a, b)]

    found: dict[str, Case] = {}
    if importlib.util.find_spec("torchmetrics"):
        from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

        def torchmetrics() -> tuple[float, Any]:
            x, y = tensors()
            settings: Any = {"sigma": 1.5, "data_range": 255.0, "return_full_image": True}
            local: Any = structural_similarity_index_measure(x, y, **settings)[1]
            return float(peak_signal_noise_ratio(x, y, data_range=255.0)), local[0].permute(1, 2, 0).numpy()

        found["torchmetrics"] = torchmetrics
    if importlib.util.find_spec("pytorch_msssim"):
        import pytorch_msssim

        def msssim() -> tuple[float, Any]:
            x, y = tensors()
            error = float(((x - y) ** 2).mean())
            return 10 * np.log10(255**2 / error), float(pytorch_msssim.ssim(x, y, data_range=255))

        found["pytorch_msssim, mean alone"] = msssim
    missing = {"torchmetrics", "pytorch_msssim"} - {name.split(",")[0] for name in found}
    if missing:
        print(f"  not installed, left out: {', '.join(sorted(missing))}")
    return found


def agreement(found: Any, expected: Pixels) -> str:
    """How far a map, or a mean, is from the expected map."""
    inside = slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN)
    mean = expected[inside].mean()
    if isinstance(found, float):
        return f"mean {abs(found - mean):.0e}"
    off = abs(found[inside].mean(dtype=np.float64) - mean)
    return f"map {np.abs(found[inside] - expected[inside]).max():.0e}, mean {off:.0e}"


def memory(height: int, width: int, name: str) -> float:
    """Peak in MB of a case in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.ssim_map", f"--sizes={height}x{width}", f"--case={name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["megabytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sizes", nargs="+", default=["1080x1920", "2160x3840"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    args = parser.parse_args()
    for place, size in enumerate(args.sizes):
        height, width = map(int, size.split("x"))
        a, b = pair(height, width)
        work = cases(a, b, torch_too=place == 0)
        if args.case:
            cases(*pair(64, 64), torch_too=True)[args.case]()  # what is loaded at first use is no part of it
            with Clock() as clock:
                work[args.case]()
            print(json.dumps({"megabytes": clock.megabytes}))
            return
        print(f"SSIM map and PSNR of {height} x {width} RGB, {args.rounds} rounds in turns")
        clocks: dict[str, list[Clock]] = {name: [] for name in work}
        level, expected = work[BASE]()
        close = {}
        for number in range(args.rounds + 1):
            for name, function in work.items():
                with Clock() as clock:
                    db, found = function()
                if number:  # the first round warms up
                    clocks[name].append(clock)
                    continue
                close[name] = agreement(found, expected)
                if abs(db - level) > 1e-3:
                    raise SystemExit(f"{name} has another PSNR")
        for name, took in clocks.items():
            wall, processor = (statistics.median(getattr(c, kind) for c in took) for kind in ("wall", "processor"))
            ratio, busy = (
                statistics.median(
                    getattr(base, kind) / getattr(own, kind) for base, own in zip(clocks[BASE], took, strict=True)
                )
                for kind in ("wall", "processor")
            )
            print(
                f"  {name:28s} {1000 * wall:8.1f} ms, processor {1000 * processor:8.1f} ms | {ratio:5.1f} x as fast as "
                f"{BASE}, {busy:5.1f} x on the processor | {memory(height, width, name):7.1f} MB | {close[name]}"
            )


if __name__ == "__main__":
    main()
