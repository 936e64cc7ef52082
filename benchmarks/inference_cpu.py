"""How much faster the adapter runs a batch than the plain eager model does: ``python -m benchmarks.inference_cpu``.

efficientnet_lite0 with its real weights, the same pictures, the same threads, in alternation. The adapter's time
includes normalising the pictures; the plain model gets a batch that is ready. Prints plain time / adapter time (median
of rounds).
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import timm
import torch

from models.base import LoadOptions
from models.load import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    adapter = load_model("efficientnet_lite0", LoadOptions(device="cpu"))
    unfused = load_model("efficientnet_lite0", LoadOptions(device="cpu", fuse=False))
    plain = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    plain.load_state_dict(unfused.network.state_dict())

    rng = np.random.default_rng(0)
    items = [rng.integers(0, 256, (224, 224, 3), np.uint8) for _ in range(args.batch_size)]
    batch = unfused._batch(items).contiguous()

    def run_plain() -> torch.Tensor:
        with torch.no_grad():
            return plain(batch)

    difference = float((adapter.forward(items) - run_plain()).abs().max())
    times: dict[str, list[float]] = {"adapter": [], "plain": []}
    for _ in range(args.rounds):
        for name, run in (("plain", run_plain), ("adapter", lambda: adapter.forward(items))):
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    ratios = [p / a for p, a in zip(times["plain"], times["adapter"], strict=True)]
    for name, seconds in times.items():
        print(f"{name}: {1000 * statistics.median(seconds) / args.batch_size:.2f} ms a picture")
    print(f"ratio: {statistics.median(ratios):.2f} (largest difference of logits {difference:.1e})")


if __name__ == "__main__":
    main()
