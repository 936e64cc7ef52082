"""Train a model of ``demo:scenes`` and judge it: ``python -m models.demo.train_scenes --model nano --minutes 30``.

Every picture is painted once and never seen again, from the training digits and photos, so nothing is learnt by heart
but the 1,200 digits themselves. Digits are never mirrored, nothing is cut and pasted together. The learning rate
follows the share of the work done: with ``--images`` the run repeats to the bit on one machine, with ``--minutes`` it
ends on time. Rewrites the safetensors file beside it: the running average of the weights, now and then and at the end.

The bundled weights were trained on one thread of a shared processor in two halves, the second with ``--resume``: nano
43,000 + 21,000 pictures in 21 + 16 minutes, small 43,000 + 22,000 in 27 + 27. Longer would be better still.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from dashboard.datasets.scene_layout import arrange
from dashboard.datasets.scene_painting import Background, paint
from dashboard.datasets.scenes import COUNT, Scenes
from dashboard.types import Detections
from models.base import LoadOptions, Weights
from models.demo.scenes import HERE, DemoScenes, network

BATCH = 16
SMALL, LARGE = [(192, 192)], [(256, 256), (192, 256), (256, 192), (256, 256), (224, 224)]
AFTER = 100_000_000  # scenes from here on are not for learning
RATES = {"nano": 2.5e-3, "small": 2e-3}


def batch_of(
    start: int,
    size: tuple[int, int],
    rng: np.random.RandomState,
    pictures: int = BATCH,
    *,
    tallest: float = 0.4,
    background: Background | None = None,
) -> dict[str, Any]:
    """Scenes of the training split, as Ultralytics' losses take them.

    Args:
        start: the first scene.
        size: (height, width) in pixels.
        rng: of what is done to the pictures.
        pictures: how many scenes.
        tallest: of ordinary digits, as a share of the shorter side.
        background: see ``paint``.
    """
    images, labels, boxes, where, instances = [], [], [], [], []
    down, across = rng.randint(0, 2, 2)  # masks at half the size: every pixel has its turn, so edges are learnt whole
    for k in range(pictures):
        layout = arrange("train", start + k, size, crowds=False, heights=(11, int(min(size) * tallest)))
        picture = paint(layout, "train", start + k, background)[..., rng.permutation(3)]
        images.append(255 - picture if rng.uniform() < 0.2 else picture)
        xyxy = layout.boxes() / np.array([*size[::-1], *size[::-1]])
        boxes.append(np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]], axis=1))
        labels += layout.labels
        where += [k] * len(layout.labels)
        instances.append(layout.instances[down::2, across::2])
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return {
        "img": batch.contiguous(memory_format=torch.channels_last),
        "cls": torch.tensor(labels).float()[:, None],
        "bboxes": torch.from_numpy(np.concatenate(boxes)).float(),
        "batch_idx": torch.tensor(where).float(),
        "masks": torch.from_numpy(np.stack(instances)).float(),
    }


def as_float(outputs: Any) -> Any:
    """The same nest of outputs in single precision."""
    if isinstance(outputs, torch.Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return {key: as_float(value) for key, value in outputs.items()}
    return type(outputs)(as_float(value) for value in outputs) if isinstance(outputs, (list, tuple)) else outputs


def progress(minutes: float | None, images: int, pictures: int = BATCH) -> Iterator[float]:
    """The share of the work done, before each batch of ``pictures``, until it is 1."""
    start, step = time.monotonic(), 0
    while True:
        done = step * pictures / images if minutes is None else (time.monotonic() - start) / (60 * minutes)
        if done >= 1:
            return
        yield done
        step += 1


def settle(net: torch.nn.Module, batches: int = 40) -> torch.nn.Module:
    """Measure the batch norms' statistics anew: those gathered on the way belong to other weights than the average."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    net.train()
    rng = np.random.RandomState(1)
    with torch.no_grad():
        for k in range(batches):
            net(batch_of(AFTER + k * BATCH, LARGE[k % len(LARGE)], rng)["img"])
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    return net.eval()


def train(name: str, minutes: float | None, images: int, path: Path, seed: int = 0, resume: bool = False) -> None:
    """One network, from scratch; the average of its weights is saved to ``path``.

    With ``resume`` it is the second half of a training that begins with the weights in ``path``.
    """
    from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace

    torch.manual_seed(seed)
    net: Any = network(f"scenes_{name}").train().to(memory_format=torch.channels_last)
    if resume:
        net.load_state_dict(load_file(path))
    first = 0.5 if resume else 0.0
    net.args = IterableSimpleNamespace(**DEFAULT_CFG_DICT)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9985))
    decayed = [p for p in net.parameters() if p.ndim > 1 and p.requires_grad]
    others = [p for p in net.parameters() if p.ndim <= 1 and p.requires_grad]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.999))
    rng = np.random.RandomState(seed)
    losses: dict[str, float] = {}
    start = saved = time.monotonic()
    for step, share in enumerate(progress(minutes, images)):
        done = first + (1 - first) * share
        rate = RATES[name] * min(1, (step + 1) / 300) * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = rate
        sizes = SMALL if done < 0.55 else LARGE
        batch = batch_of(int(first * AFTER) + step * BATCH, sizes[step % len(sizes)], rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=done < 0.8):  # coarse, then fine
            outputs = net(batch["img"])
        loss, parts = net.loss(batch, as_float(outputs))
        optimiser.zero_grad()
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimiser.step()
        average.update_parameters(net)
        for key, value in parts.items():
            losses[key] = 0.98 * losses.get(key, float(value)) + 0.02 * float(value)
        if step % 100 == 0:
            told = " ".join(f"{key} {value:.3f}" for key, value in losses.items())
            print(f"{done:6.1%} {time.monotonic() - start:5.0f} s {step * BATCH:6d} images {told}", flush=True)
        if time.monotonic() - saved > 600:
            save(settle(average.module), path)
            saved = time.monotonic()
    print(f"{name}: {(step + 1) * BATCH} images, {(time.monotonic() - start) / 60:.1f} minutes")
    save(settle(average.module), path)


def save(net: torch.nn.Module, path: Path) -> None:
    """Write the weights as float32 (half precision moves boxes by more than a pixel), whole or not at all."""
    facts = {"about": "trained on demo:scenes' training split; AGPL-3.0-or-later"}  # several would be unordered
    tensors = {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in net.state_dict().items()}
    part = path.with_suffix(".part")
    part.write_bytes(to_bytes(tensors, facts))
    os.replace(part, path)


def average_precision(predictions: Sequence[Detections], targets: Sequence[Detections]) -> dict[str, float]:
    """pycocotools' AP and AP50 of boxes and, where the truth has masks, of masks; at most 100 detections a picture."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    results: dict[str, float] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i, "height": t.size[0], "width": t.size[1]} for i, t in enumerate(targets) if t.size],
            "categories": [{"id": c} for c in range(10)],
            "annotations": [a for i, target in enumerate(targets) for a in _annotations(target, i)],
        }
        for number, annotation in enumerate(truth.dataset["annotations"], 1):
            annotation["id"] = number
        truth.createIndex()
        found = [a for i, prediction in enumerate(predictions) for a in _annotations(prediction, i)]
        for kind in ("bbox", "segm") if targets[0].masks is not None else ("bbox",):
            if not found:  # which pycocotools cannot read
                results |= {f"{kind} AP": 0.0, f"{kind} AP50": 0.0}
                continue
            judge = COCOeval(truth, truth.loadRes([dict(a) for a in found]), kind)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
            results |= {f"{kind} AP": float(judge.stats[0]), f"{kind} AP50": float(judge.stats[1])}
    return results


def _annotations(objects: Detections, image: int) -> list[dict[str, Any]]:
    """As pycocotools takes them, truth or prediction."""
    rows = []
    for k, (x1, y1, x2, y2) in enumerate(objects.xyxy.tolist()):
        row: dict[str, Any] = {"image_id": image, "category_id": int(objects.class_ids[k])}
        row["bbox"] = [x1, y1, x2 - x1, y2 - y1]
        if objects.masks is not None and objects.size is not None:
            row["segmentation"] = {"size": list(objects.size), "counts": objects.masks[k]}
        if objects.scores is not None:
            row["score"] = float(objects.scores[k])
        if objects.areas is not None and objects.crowd is not None:
            row |= {"area": float(objects.areas[k]), "iscrowd": int(objects.crowd[k])}
        rows.append(row)
    return rows


def judge(name: str, path: Path, pictures: int = COUNT) -> dict[str, float]:
    """Average precision of a weight file on the first held-out pictures, as the app runs it."""
    spec = next(spec for spec in DemoScenes().specs() if spec.name == name)
    spec = dataclasses.replace(spec, weights=Weights("bundled", str(path)))
    model = DemoScenes().load(spec, LoadOptions(device="cpu", threads=1))
    data = Scenes(spec.task)
    found = [model.predict([data[i].image])[0] for i in range(pictures)]
    return average_precision(found, data.targets[:pictures])  # type: ignore[arg-type]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(RATES), default="nano")
    parser.add_argument("--minutes", type=float, help="train this long")
    parser.add_argument("--images", type=int, default=120_000, help="train on so many pictures, without --minutes")
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write the weights")
    parser.add_argument("--resume", action="store_true", help="the second half, from the weights that are there")
    parser.add_argument("--judge", action="store_true", help="only judge the weights that are there")
    given = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order
    path = given.folder / f"scenes_{given.model}.safetensors"
    if not given.judge:
        train(given.model, given.minutes, given.images, path, resume=given.resume)
    found = judge(f"scenes_{given.model}", path)
    print(f"{path}, {path.stat().st_size} bytes, held out:", ", ".join(f"{k} {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
