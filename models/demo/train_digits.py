"""Train the two digit classifiers and judge them on the held-out split: ``python -m models.demo.train_digits``.

Deterministic (one seed, one thread), well under a minute. Rewrites the two safetensors files beside it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from dashboard.datasets.digits import Digits, train_split
from models.demo.digits import HERE, MEAN, STD, network


def normalised(images: np.ndarray) -> torch.Tensor:
    """(N, 8, 8, 3) uint8 grey-as-RGB to the networks' (N, 1, 8, 8)."""
    return ((torch.from_numpy(images[..., 0].copy()).float() / 255 - MEAN[0]) / STD[0])[:, None]


def shifted(batch: torch.Tensor) -> torch.Tensor:
    """Each picture moved by -1, 0 or 1 pixel either way: the only augmentation that suits digits of 8x8."""
    padded = functional.pad(batch, (1, 1, 1, 1), value=-MEAN[0] / STD[0])
    offsets = torch.randint(0, 3, (len(batch), 2)).tolist()
    return torch.stack([p[:, y : y + 8, x : x + 8] for p, (y, x) in zip(padded, offsets, strict=True)])


def train(name: str, images: torch.Tensor, labels: torch.Tensor, seed: int = 0) -> nn.Module:
    """One network, from scratch."""
    torch.manual_seed(seed)
    net = network(name)
    cnn = name == "digits_cnn"
    epochs, batch = (14, 50) if cnn else (40, 100)
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3 if cnn else 1e-2, weight_decay=5e-2)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3 if cnn else 1e-2, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            inputs = shifted(images[chosen]) if cnn else images[chosen]
            loss = functional.cross_entropy(net(inputs), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def judge(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> tuple[float, float]:
    """(accuracy, expected calibration error over equal bins of the highest probability)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [(which == b).mean() * abs(right[which == b].mean() - confidence[which == b].mean()) for b in set(which)]
    return float(right.mean()), float(sum(gaps))


def main(folder: Path = HERE) -> dict[str, tuple[float, float]]:
    """Train both into ``folder``; returns {name: (accuracy, ECE)} on the held-out split."""
    torch.set_num_threads(1)  # sums in one order: the same bytes each time
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # its sums depend on where memory happens to lie
    pictures, labels = train_split()
    held_out = Digits()
    held_images = normalised(np.stack([sample.image for sample in held_out]))
    results = {}
    for name in ("digits_linear", "digits_cnn"):
        start = time.perf_counter()
        net = train(name, normalised(pictures), torch.from_numpy(labels))
        with torch.inference_mode():
            probabilities = torch.softmax(net(held_images), 1).numpy()
        results[name] = judge(probabilities, held_out.targets)
        path = folder / f"{name}.safetensors"
        facts = {"about": "trained on scikit-learn's digits 0..1199; AGPL-3.0-or-later"}  # several would be unordered
        save_file({key: tensor.contiguous() for key, tensor in net.state_dict().items()}, path, facts)
        count = sum(p.numel() for p in net.parameters())
        print(
            f"{name}: held-out accuracy {results[name][0]:.4f}, ECE {results[name][1]:.4f}, {count} parameters, "
            f"{path.stat().st_size} bytes, {time.perf_counter() - start:.1f} s"
        )
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write the weights")
    main(parser.parse_args().folder)
