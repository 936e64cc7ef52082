"""Loupe's evaluation loop against a plain torch loop, its memory against the number of samples, and its start-up.

    python benchmarks/evaluation_loop.py [speed] [memory] [startup] [--images N] [--rounds R] [--samples N]

* speed: the same JPEGs through ``efficientnet_lite0``, Loupe's ``evaluate`` (metrics and storing included) and a
  ``DataLoader`` with the same preprocessing, the same eager float32 network and torchmetrics, in turns, on all cores.
  Prints samples a second, their ratio, and how much of Loupe's wall time was spent inside the model.
* memory: peak memory of fresh processes that evaluate 200 and 20,000 small pictures over 1,000 classes.
* startup: ``--help`` against a bare interpreter.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SIZE = (500, 375)  # ImageNet's commonest
WORKERS = 2
CLASSES = 20


def make_pictures(folder: Path, count: int) -> None:
    """JPEGs with the statistics of photographs: crops of scikit-image's own under seeded noise, in class folders."""
    from PIL import Image
    from skimage import data

    rng = np.random.default_rng(0)
    photos = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    big = [Image.fromarray(p).resize((1000, 750), Image.Resampling.BICUBIC) for p in photos]
    noise = rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
    for i in range(count):
        left, top = rng.integers(0, (500, 375))
        crop = np.asarray(big[i % len(big)].crop((left, top, left + SIZE[0], top + SIZE[1])), np.float64)
        pixels = np.clip(crop * rng.uniform(0.7, 1.2) + np.roll(noise, i, axis=1), 0, 255).astype(np.uint8)
        path = folder / str(i % CLASSES) / f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)


def loupe(folder: Path, store: Path) -> tuple[float, float, float]:
    """Samples a second over everything (scoring and storing included), the model's share of the loop, top-1."""
    from dashboard.datasets.opening import open_dataset
    from dashboard.evaluation import Settings, evaluate
    from dashboard.store import Store
    from models.load import load_model

    dataset, adapter = open_dataset(folder), load_model("efficientnet_lite0")
    begin = time.perf_counter()
    run = evaluate(adapter, dataset, Store(store), Settings(latency=False, restart=True))
    seconds = time.perf_counter() - begin
    return len(dataset) / seconds, run.timing["pipeline_efficiency"], float(run.metrics["top1"] or 0)


class Pictures:
    """A map-style data set as everybody writes it."""

    def __init__(self, folder: Path, transform: object) -> None:
        self.files, self.transform = sorted(folder.glob("*/*.jpg")), transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[object, int]:
        from PIL import Image

        path = self.files[index]
        with Image.open(path) as picture:
            return self.transform(picture.convert("RGB")), int(path.parent.name)  # type: ignore[operator]


def plain(folder: Path) -> tuple[float, float]:
    """Samples a second and top-1 of a ``DataLoader``, timm's own transform, the eager network and torchmetrics."""
    import timm.data
    import torch
    import torchmetrics.classification as tm
    from torch.utils.data import DataLoader

    from models.base import LoadOptions
    from models.load import load_model

    adapter = load_model("efficientnet_lite0", LoadOptions(fuse=False))
    net = adapter.network  # type: ignore[attr-defined]
    transform = timm.data.create_transform(
        input_size=(3, 224, 224), interpolation="bicubic", crop_pct=0.875, mean=(0.498,) * 3, std=(0.502,) * 3
    )
    k = 1000
    metrics = [
        *(tm.MulticlassAccuracy(k, top_k=n, average="micro") for n in (1, 5)),
        *(tm.MulticlassPrecision(k), tm.MulticlassRecall(k), tm.MulticlassF1Score(k)),
        *(tm.MulticlassConfusionMatrix(k), tm.MulticlassCalibrationError(k)),
    ]
    batches = DataLoader(Pictures(folder, transform), batch_size=32, num_workers=WORKERS)
    begin = time.perf_counter()
    with torch.inference_mode():
        for images, labels in batches:
            scores = net(images).softmax(1)
            for metric in metrics:
                metric.update(scores, labels)
    values = [metric.compute() for metric in metrics]
    return len(batches.dataset) / (time.perf_counter() - begin), float(values[0])  # type: ignore[arg-type]


def speed(images: int, rounds: int) -> None:
    """Both in turns."""
    with tempfile.TemporaryDirectory() as folder:
        photos, store = Path(folder) / "photos", Path(folder) / "store"
        make_pictures(photos, images)
        make_pictures(Path(folder) / "warm", 2 * CLASSES)
        loupe(Path(folder) / "warm", store)
        plain(Path(folder) / "warm")
        ratios, shares = [], []
        for turn in range(rounds):
            ours, share, top1 = loupe(photos, store)
            theirs, other = plain(photos)
            ratios.append(ours / theirs)
            shares.append(share)
            print(
                f"  {turn + 1}: Loupe {ours:.1f}/s ({share:.3f} of the loop inside the model), DataLoader and "
                f"torchmetrics {theirs:.1f}/s, ratio {ours / theirs:.2f}; top-1 {top1:.4f} and {other:.4f}",
                flush=True,
            )
    print(f"speed over {images} JPEGs of {SIZE[0]}x{SIZE[1]}: ratio {statistics.median(ratios):.2f}, above 1 is faster")
    print(f"inside the model: {statistics.median(shares):.3f} of the wall time (target >= 0.95)")


def evaluate_small(samples: int) -> None:
    """In a process of its own: a fast model of 1,000 classes over small pictures. Prints peak memory in MB."""
    from dashboard.evaluation import Settings, evaluate
    from dashboard.store import Store
    from dashboard.types import Classification, Sample
    from models.base import ModelAdapter, ModelSpec, Weights

    names = tuple(f"class {i}" for i in range(1000))

    class Numbers:
        """``samples`` pictures of noise."""

        name, task, class_names, class_ids, multilabel = "numbers", "classification", names, (), False
        source, warnings, fingerprint = "numbers", (), "1"
        targets = np.arange(samples) % 1000
        ids = tuple(f"folder/{i:06d}.jpg" for i in range(samples))

        def __len__(self) -> int:
            return samples

        def __getitem__(self, index: int) -> Sample:
            def load() -> np.ndarray:
                return np.random.default_rng(index).integers(0, 256, (64, 64, 3), np.uint8)

            return Sample(f"folder/{index:06d}.jpg", load, Classification.from_label(index % 1000, 1000))

        def __iter__(self):
            return (self[i] for i in range(samples))

    class Fast(ModelAdapter):
        """Scores from the picture's first bytes."""

        device, fingerprint, notes = "cpu", "fast", {}
        spec = ModelSpec("fast", "classification", "none", "benchmark", Weights("bundled", "-"), names)
        table = np.random.default_rng(0).random((256, 1000), np.float32) ** 8

        def preprocess(self, image: np.ndarray) -> np.ndarray:
            return image

        def forward(self, items) -> np.ndarray:
            return self.table[[int(i[0, 0, 0]) for i in items]] + self.table[[int(i[0, 0, 1]) for i in items]]

        def postprocess(self, outputs: np.ndarray) -> list[Classification]:
            return [Classification(row / row.sum()) for row in outputs]

    with tempfile.TemporaryDirectory() as store:
        evaluate(Fast(), Numbers(), Store(store), Settings(latency=False))
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def memory(most: int) -> None:
    """Peak memory for few and for many samples. Some buffers are of a fixed size, which 200 samples do not fill."""
    peaks = []
    for samples in (200, most // 3, most):
        command = [sys.executable, __file__, "--small", str(samples)]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"  {samples:,} samples: peak {peaks[-1]:.0f} MB", flush=True)
    scores = most * 4000 / 1e6
    print(
        f"memory to {most:,} samples of 1,000 scores ({scores:.0f} MB): from 200 ratio {peaks[2] / peaks[0]:.2f} "
        f"({peaks[2] - peaks[0]:.0f} MB), from {most // 3:,} ratio {peaks[2] / peaks[1]:.2f}"
    )


def startup(rounds: int = 7) -> None:
    """``--help`` and a bare interpreter, in turns."""
    times: dict[str, list[float]] = {"help": [], "bare": []}
    commands = {"help": [sys.executable, "-m", "dashboard", "--help"], "bare": [sys.executable, "-c", "pass"]}
    for _ in range(rounds):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            times[name].append(time.perf_counter() - begin)
    shown, bare = (statistics.median(t) for t in times.values())
    print(f"startup: --help {shown:.3f} s, python -c pass {bare:.3f} s, ratio {shown / bare:.1f} (target < 0.5 s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["speed", "memory", "startup"])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--small", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.small:
        evaluate_small(arguments.small)
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if "startup" in arguments.parts:
        startup()
    if "memory" in arguments.parts:
        memory(arguments.samples)
    if "speed" in arguments.parts:
        speed(arguments.images, arguments.rounds)


if __name__ == "__main__":
    main()
