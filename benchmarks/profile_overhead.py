"""Whether a profile's clock is right, and what it costs: ``python -m benchmarks.profile_overhead``.

Two networks of torchvision with random weights (time does not depend on them). For each, in one process:

* the profile's median of the network's step against the median of ``torch.utils.benchmark`` over the same work;
* a loop as ``stage_seconds`` runs it, its clock and its watch included, against the same three steps in a bare loop.

Both are taken in alternation, many short rounds, so that a busy machine slows both. Printed are ratios of medians, of
the fastest tenth (what other processes disturb least), and for the loops of the processor time that they take.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
import torchvision
from torch.utils.benchmark import Timer

from dashboard.pipeline import stage_seconds
from dashboard.profiling.measuring import Watch
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import ResizeCrop
from models.profiling_formulas import made_picture
from models.torch_adapter import TorchClassifier

QUANTILES = {"median": 0.5, "fastest tenth": 0.1}
NAMES = ("resnet18", "mobilenet_v3_large")


def adapted(name: str, threads: int | None) -> TorchClassifier:
    torch.manual_seed(0)
    spec = ModelSpec(name, "classification", "benchmark", "", Weights("file", ""), input_size=(224, 224))
    net = torchvision.models.get_model(name, weights=None)
    options = LoadOptions(device="cpu", fuse=False, threads=threads)
    geometry = ResizeCrop((224, 224), 224, "bilinear")
    return TorchClassifier(net, spec, options, geometry=geometry, mean=(0.5,) * 3, std=(0.25,) * 3)


def bare(adapter: TorchClassifier, image: np.ndarray, pictures: int) -> None:
    """The three steps without any clock inside."""
    for _ in range(pictures):
        adapter.postprocess(adapter.forward([adapter.preprocess(image)]))


def ratios(first: list[float], second: list[float]) -> str:
    """Of the medians, and of the fastest tenths."""
    return "  ".join(f"{np.quantile(first, q) / np.quantile(second, q):.3f} ({name})" for name, q in QUANTILES.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=5, help="of a round")
    parser.add_argument("--threads", type=int, help="of torch; 1 where other processes use the cores, too")
    args = parser.parse_args()
    watch = Watch(lambda _: None, None, 1)
    for name in NAMES:
        adapter, image = adapted(name, args.threads), made_picture(224, 224)
        item = adapter.preprocess(image)
        timer = Timer(
            "run([item])", globals={"run": adapter.forward, "item": item}, num_threads=torch.get_num_threads()
        )
        bare(adapter, image, 10)
        forward, theirs = list[float](), list[float]()
        spent: dict[str, list[tuple[float, float]]] = {"timed": [], "bare": []}
        for _ in range(args.rounds):
            start = time.perf_counter(), time.process_time()
            seconds = stage_seconds(adapter, [image], 60, warm_up=0, most=args.pictures, watch=watch.picture)
            spent["timed"].append((time.perf_counter() - start[0], time.process_time() - start[1]))
            forward += seconds[:, 1].tolist()
            start = time.perf_counter(), time.process_time()
            bare(adapter, image, args.pictures)
            spent["bare"].append((time.perf_counter() - start[0], time.process_time() - start[1]))
            theirs += [timer.timeit(1).median for _ in range(args.pictures)]
        ours, reference = statistics.median(forward), statistics.median(theirs)
        print(f"{name}: network {1e3 * ours:.2f} ms, torch.utils.benchmark {1e3 * reference:.2f} ms")
        print(f"  network / torch.utils.benchmark:  {ratios(forward, theirs)}")
        wall, cpu = ([[one[k] for one in spent[which]] for which in spent] for k in (0, 1))
        print(f"  timed loop / bare loop, wall:      {ratios(*wall)}")
        print(f"  timed loop / bare loop, processor: {ratios(*cpu)}", flush=True)
    # what the clock itself takes, without the noise of a network: four readings and the watch
    picture = 1e-3
    start = time.perf_counter()
    for _ in range(10_000):
        for _ in range(4):
            time.perf_counter()
        watch.picture(1, picture)
    print(f"clock and watch: {1e3 * (time.perf_counter() - start) / 10_000:.4f} ms a picture")


if __name__ == "__main__":
    main()
