"""Train a semantic segmenter of ``demo:scenes`` and judge it: ``python -m models.demo.train_scenes_semantic``.

It begins with what the instance segmenter of its size has learnt. Every picture is painted once and never seen again,
from the training digits and photos; a third of the pictures has digits as the dataset has them, the others have more
large ones. A dozen photos are few, so backgrounds are mixed from them with shapes that are no digits (``varied``). What
these shapes look like matters more than anything else here: with hard edges they were told from digits by their edges
alone, and the dark ground between a photo's coins was a digit; with soft edges it was not.

The bundled weights come from several runs on one or two threads of a shared processor, each going on with ``--resume``
where the one before had ended, as backgrounds and sizes were improved. The figures in README are of the last.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

from dashboard.datasets.scene_painting import photo_part
from dashboard.datasets.scenes import COUNT, Scenes
from models.base import LoadOptions, Weights
from models.demo import scenes, train_scenes
from models.demo.scenes_semantic import HERE, DemoScenesSemantic, network

LARGE = [(256, 256), (320, 320), (192, 256), (256, 192), (256, 320)]
TALLEST = 0.4, 0.95, 0.95  # of the shorter side, in turn: digits as large as the picture are the hardest to name
BATCH = 4  # many small steps: the pixels of a few pictures are samples enough
FIRST = 50_000_000  # scenes before are what the detectors have seen
RATE = 5e-3
GENTLY = 0.3  # of the rate for what the detector has learnt
COVERED = 0.1  # of a picture's pixels by digits


def start(name: str) -> Any:
    """The network with what the instance segmenter of that size has learnt; the rest is random."""
    net: Any = network(f"scenes_sem_{name}")
    detector: Any = scenes.network(f"scenes_{name}")
    detector.load_state_dict(load_file(scenes.HERE / f"scenes_{name}.safetensors"))
    head = detector.model[-1]
    known = (net.trunk, detector.model[: len(net.trunk)]), (net.digits, head.cv3[0]), (net.proto, head.proto)
    for own, theirs in known:
        own.load_state_dict(theirs.state_dict())
    for last in (net.classifier, net.auxiliary):  # what is known before looking: how many pixels are a digit's
        torch.nn.init.constant_(last.bias, math.log(COVERED / 10))
        torch.nn.init.constant_(last.bias[:1], math.log(1 - COVERED))
    return net


def truth_of(batch: dict[str, Any]) -> torch.Tensor:
    """(B, H / 2, W / 2) classes of a batch of ``train_scenes``: 0 for the background, 1 + digit."""
    instances, pictures = batch["masks"].long(), batch["batch_idx"].long()
    table = torch.zeros(len(instances), int(instances.max()) + 1, dtype=torch.long)
    first = torch.searchsorted(pictures, torch.arange(len(instances)))
    table[pictures, 1 + torch.arange(len(pictures)) - first[pictures]] = 1 + batch["cls"][:, 0].long()
    return table.gather(1, instances.flatten(1)).view_as(instances)


def loss_of(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus half the soft Dice loss of the batch, the mean over the digits."""
    logits = logits.float()
    if logits.shape[2:] != truth.shape[1:]:
        logits = functional.interpolate(logits, truth.shape[1:], mode="bilinear")
    shares = logits.softmax(1)
    hot = functional.one_hot(truth, logits.shape[1]).permute(0, 3, 1, 2).float()
    common, all_ = (shares * hot).sum((0, 2, 3)), (shares + hot).sum((0, 2, 3))
    dice = 1 - ((2 * common + 1) / (all_ + 1))[1:].mean()
    return functional.cross_entropy(logits, truth) + 0.5 * dice


def follow(averages: Any, values: Any, steps: Any) -> None:
    """The running average of the weights, in place: over all steps at first, over some five hundred later."""
    if torch.is_floating_point(averages[0]):
        torch._foreach_lerp_(averages, values, max(0.002, 1 / (1 + float(steps) / 10)))
    else:
        torch._foreach_copy_(averages, values)


def varied(rng: np.random.RandomState, split: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W, 3) in 0..255: parts of two photos, turned any way, and shapes that are no digits.

    A dozen photos are soon known by heart, and all in others that is like a stroke is then taken for a digit.
    """
    canvas = _turned(rng, split, size)
    mixed, shapes = rng.uniform(size=2)
    if mixed < 0.8:
        mask = PIL.Image.new("L", size[::-1])
        draw = PIL.ImageDraw.Draw(mask)
        if mixed < 0.4:
            for _ in range(rng.randint(1, 5)):
                draw.polygon([_place(rng, size) for _ in range(rng.randint(3, 6))], fill=int(rng.uniform(60, 256)))
        else:
            _rows(draw, rng, size)
        soft = rng.uniform(2, 12) if mixed < 0.2 else rng.uniform(0.5, 1.5)  # a hard edge would tell shapes from digits
        mask = mask.filter(PIL.ImageFilter.GaussianBlur(soft))
        share = np.asarray(mask, np.float32)[..., None] / 255
        canvas += (_ground(rng, split, size) - canvas) * (1 - share if rng.uniform() < 0.5 else share)
    if shapes < 0.6:
        mask = PIL.Image.new("L", size[::-1])
        draw = PIL.ImageDraw.Draw(mask)
        for _ in range(rng.randint(1, 7)):
            kind, (x, y), width = rng.randint(4), _place(rng, size), rng.randint(1, 9)
            reach = math.exp(rng.uniform(math.log(4), math.log(60)))
            if kind == 0:
                draw.line([(x, y), _place(rng, size), _place(rng, size)], fill=255, width=width)
            elif kind == 1:
                draw.ellipse([x - reach, y - reach, x + reach, y + reach * rng.uniform(0, 2)], fill=255)
            elif kind == 2:
                draw.rectangle([x - reach, y - reach, x + reach, y + reach * rng.uniform(0, 2)], 0, 255, width)
            else:
                corners = [(x + reach * a, y + reach * b) for a, b in rng.uniform(-1, 1, (3, 2))]
                draw.polygon(corners, fill=255)
        share = np.asarray(mask.filter(PIL.ImageFilter.GaussianBlur(0.6)), np.float32)[..., None] / 255
        canvas += (rng.uniform(0, 255, 3).astype(np.float32) - canvas) * share * np.float32(rng.uniform(0.4, 1))
    return canvas


def _ground(rng: np.random.RandomState, split: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """What shapes show, or what lies between them: one colour, a photo out of focus, or a photo."""
    kind = rng.uniform()
    if kind < 0.25:
        return np.full((*size, 3), rng.uniform(0, 255, 3), np.float32)
    part = _turned(rng, split, size)
    return np.asarray(cv2.GaussianBlur(part, (0, 0), rng.uniform(8, 30)), np.float32) if kind < 0.6 else part


def _rows(draw: PIL.ImageDraw.ImageDraw, rng: np.random.RandomState, size: tuple[int, int]) -> None:
    """Rows of discs or tiles, with gaps between them."""
    step = math.exp(rng.uniform(math.log(12), math.log(max(size) / 2)))
    wide, tall = step * rng.uniform(0.3, 0.55, 2)
    shape = draw.ellipse if rng.uniform() < 0.7 else draw.rectangle
    skew = rng.uniform(-0.5, 0.5)
    for row in range(-1, int(size[0] / step) + 2):
        for column in range(-2, int(size[1] / step) + 3):
            (dx, dy), grown = rng.uniform(-0.15, 0.15, 2), rng.uniform(0.7, 1.1)
            x, y = (column + skew * row % 1 + dx) * step, (row + dy) * step
            shape([x - wide * grown, y - tall * grown, x + wide * grown, y + tall * grown], fill=255)


def _turned(rng: np.random.RandomState, split: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """A part of a photo by quarters of a turn, some of them upside down or as negatives."""
    turns, flipped, negative, bent = rng.randint(4), *rng.uniform(size=3)
    part = np.rot90(photo_part(rng, split, size if turns % 2 == 0 else size[::-1]), turns)
    part = part[::-1] if flipped < 0.5 else part
    part = 255 - part if negative < 0.2 else part
    return np.ascontiguousarray(255 * (part / 255) ** np.float32(math.exp(bent - 0.5)), np.float32)


def _place(rng: np.random.RandomState, size: tuple[int, int]) -> tuple[float, float]:
    """(x, y) in a picture or a little outside it."""
    return rng.uniform(-0.1, 1.1) * size[1], rng.uniform(-0.1, 1.1) * size[0]


def train(name: str, minutes: float | None, images: int, path: Path, seed: int = 0, resume: float = 0.0) -> None:
    """One network from the detector's weights; the average of its weights is saved to ``path``.

    With ``resume`` it is what is left of a training that begins with the weights in ``path``, that share of it done.
    """
    torch.manual_seed(seed)
    net = start(name).train().to(memory_format=torch.channels_last)
    if resume:
        net.load_state_dict(load_file(path))
    detector = {part: getattr(net, part) for part in ("trunk", "digits", "proto")}
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=follow, use_buffers=True)
    groups = []
    for known in (True, False):
        mine = [(k, p) for k, p in net.named_parameters() if (k.split(".")[0] in detector) == known]
        for decayed in (True, False):
            chosen = [p for _, p in mine if (p.ndim > 1) == decayed]
            groups.append({"params": chosen, "weight_decay": 0.02 * decayed, "share": GENTLY if known else 1.0})
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.999))
    rng = np.random.RandomState(seed)
    begun = saved = time.monotonic()
    told = math.nan
    for step, share in enumerate(train_scenes.progress(minutes, images, BATCH)):
        done = resume + (1 - resume) * share
        rate = RATE * min(1, (step + 1) / 50) * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        sizes = train_scenes.SMALL if done < 0.5 else LARGE
        seen = step * BATCH
        batch = train_scenes.batch_of(
            FIRST + int(resume * FIRST) + seen,
            sizes[step % len(sizes)],
            rng,
            BATCH,
            tallest=TALLEST[step % len(TALLEST)],
            background=varied,
        )
        truth = truth_of(batch)
        for part in detector.values():  # its norms stay as they were: a few pictures are too few to measure them
            part.eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=done < 0.85):
            answer, auxiliary = net(batch["img"])
        main = loss_of(answer, truth)
        optimiser.zero_grad()
        (main + 0.4 * loss_of(auxiliary, truth)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimiser.step()
        average.update_parameters(net)
        value = float(main.detach())
        told = value if math.isnan(told) else 0.98 * told + 0.02 * value
        if step % 100 == 0:
            print(f"{done:6.1%} {time.monotonic() - begun:5.0f} s {seen:6d} images, loss {told:.3f}", flush=True)
        if time.monotonic() - saved > 200:
            save(average.module, path)
            saved = time.monotonic()
    print(f"{name}: {seen + BATCH} images, {(time.monotonic() - begun) / 60:.1f} minutes")
    save(average.module, path)


def save(net: torch.nn.Module, path: Path) -> None:
    """Write convolutions as float16, norms as float32."""
    half = copy.deepcopy(net)
    for parameter in half.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.half()
    train_scenes.save(half, path)


def confusion(name: str, path: Path, pictures: int = COUNT) -> NDArray[np.int64]:
    """(11, 11) pixels of the first held-out pictures, true class by found class, as the app runs the weight file."""
    spec = next(spec for spec in DemoScenesSemantic().specs() if spec.name == name)
    spec = dataclasses.replace(spec, weights=Weights("bundled", str(path)))
    model = DemoScenesSemantic().load(spec, LoadOptions(device="cpu", threads=1))
    data = Scenes("semantic-segmentation")
    classes = len(data.class_names)
    cells = np.zeros(classes * classes, np.int64)
    for i in range(pictures):
        sample = data[i]
        found: Any = model.predict([sample.image])[0]
        true: Any = sample.target
        cells += np.bincount(
            (true.class_ids.astype(np.int64) * classes + found.class_ids).ravel(), minlength=len(cells)
        )
    return cells.reshape(classes, classes)


def scores(cells: NDArray[np.int64]) -> dict[str, float]:
    """Pixel accuracy, mIoU, and the mean of the digits' IoU."""
    right = cells.diagonal()
    iou = right / (cells.sum(0) + cells.sum(1) - right)
    accuracy = float(right.sum() / cells.sum())
    return {"pixel accuracy": accuracy, "mIoU": float(iou.mean()), "mIoU of the digits": float(iou[1:].mean())}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["nano", "small"], default="nano")
    parser.add_argument("--minutes", type=float, help="train this long")
    parser.add_argument("--images", type=int, default=60_000, help="train on so many pictures, without --minutes")
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write the weights")
    parser.add_argument(
        "--resume", type=float, default=0.0, help="go on with the weights that are there, this share done"
    )
    parser.add_argument("--judge", action="store_true", help="only judge the weights that are there")
    given = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order
    path = given.folder / f"scenes_sem_{given.model}.safetensors"
    if not given.judge:
        train(given.model, given.minutes, given.images, path, resume=given.resume)
    found = scores(confusion(f"scenes_sem_{given.model}", path))
    print(f"{path}, {path.stat().st_size} bytes, held out:", ", ".join(f"{k} {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
