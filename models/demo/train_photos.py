"""Train an enhancer of photos: ``python -m models.demo.train_photos --model denoise --minutes 30``; ``--judge`` it.

A dozen photos are few, so each is there in several sizes, and patches of it are turned, mirrored, made darker, grey or
a negative, and their colours exchanged. A corner of each photo is not trained on: its PSNR is what decisions rest on.
``--judge`` compares with the classics on the photos that are held out altogether; where a classic has a setting, the
best for each photo is taken, which no one without the clean photo could choose.

The bundled weights were trained on two threads of a shared processor: the denoiser for 30 minutes (13,000 steps),
``sr_x2`` for 14 (2,900), then ``sr_x4`` from its weights (``--origin``) for 16 (4,700). In the denoiser's run contrasts
were drawn, and the photos' sizes rounded, a little differently.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from dashboard.datasets.degrade import is_grey, parse
from dashboard.datasets.photo_split import photo_paths
from dashboard.datasets.resize import imresize
from models.base import LoadOptions, Weights
from models.demo.photos import HERE, SCALES, DemoPhotos, network

Image = NDArray[np.uint8]
SIZES = 1, 0.8, 0.62, 0.48, 0.36  # of the photos: their details at several scales
CORNER = 0.3  # of a photo's height and width, lower right: for validation
SMALLEST = 160  # pixels of a photo's shorter side
LOUDEST = 55  # sigma of the noise, of 255
NOISES = "noise:15", "noise:25", "noise:50"
RATE = 1e-3
PATCHES = {"sr_x2": (40, 16), "sr_x4": (32, 16), "denoise": (80, 16)}  # the input's side, and how many a step
LARGER = 1.6  # times, in the last third: fewer and larger patches, less of them near an edge


def photos(split: str) -> list[Image]:
    """(H, W, 3) uint8 each; grey ones are the same in all three channels."""
    return [np.asarray(PIL.Image.open(path).convert("RGB")) for path in photo_paths(split)]


def smaller(image: Image, scale: int) -> Image:
    """The picture ``scale`` times smaller as the dataset makes it; its sides are multiples of the scale."""
    return image if scale == 1 else parse(f"bicubic:{scale}").apply(image, 0, "")


def noisy(image: NDArray[Any], sigma: float, rng: np.random.Generator, alike: bool) -> Image:
    """With Gaussian noise, clipped and rounded to uint8; ``alike``: the same in all channels, as a grey picture's."""
    shape = (*image.shape[:2], 1) if alike else image.shape
    noise = rng.standard_normal(shape, np.float32) * np.float32(sigma)
    return np.rint(np.clip(image + noise, 0, 255)).astype(np.uint8)


class Patches:
    """Endless patches of the training photos, with what the network is to make of them."""

    def __init__(self, scale: int, seed: int) -> None:
        self.scale, self.rng = scale, np.random.default_rng(seed)
        self.pairs: list[tuple[Image, Image]] = []  # (input, output), aligned
        shares = []
        for path, photo in zip(photo_paths("train"), photos("train"), strict=True):
            for size in SIZES:
                height, width = (int(side * size) // scale * scale for side in photo.shape[:2])
                if min(height, width) < SMALLEST:
                    continue
                image = photo[:height, :width]
                if size != 1:
                    image = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
                self.pairs.append((smaller(image, scale), image))
                compressed = path.suffix == ".jpg" and size == 1  # its blocks are no detail to learn
                shares.append(math.sqrt(height * width) * (0.5 if compressed else 1))
        self.shares = np.array(shares) / sum(shares)

    def batch(self, side: int, many: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Two (B, 3, H, W) float32 in 0..1; the input is of whole levels."""
        pairs = [self._pair(side) for _ in range(many)]
        found, wanted = (np.stack(images).transpose(0, 3, 1, 2) for images in zip(*pairs, strict=True))
        return (
            torch.from_numpy(np.ascontiguousarray(found)).float() / 255,
            torch.from_numpy(np.ascontiguousarray(wanted)).float() / 255,
        )

    def _pair(self, side: int) -> tuple[Image, NDArray[np.float32]]:
        rng, scale = self.rng, self.scale
        while True:
            small, large = self.pairs[rng.choice(len(self.pairs), p=self.shares)]
            height, width = small.shape[:2]
            if side > (1 - CORNER) * min(height, width):
                continue
            y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
            if y + side <= (1 - CORNER) * height or x + side <= (1 - CORNER) * width:
                break
        found = small[y : y + side, x : x + side]
        wanted = large[scale * y : scale * (y + side), scale * x : scale * (x + side)]
        grey, tones = rng.uniform() < 0.2, self._tones()
        turns, mirrored, order = int(rng.integers(4)), rng.integers(2), rng.permutation(3)

        def changed(image: Image) -> NDArray[np.float32]:
            part = np.rot90(image, turns)[:, :: -1 if mirrored else 1][..., order]
            if grey:
                luma = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
                part = np.repeat(luma[..., None], 3, axis=2)
            return tones[part]

        target = changed(wanted)
        if scale > 1:
            return np.rint(changed(found)).astype(np.uint8), target
        sigma = rng.uniform(0, LOUDEST)
        return noisy(target, sigma, rng, alike=grey and rng.uniform() < 0.8), target

    def _tones(self) -> NDArray[np.float32]:
        """(256,) a new level for each, in 0..255: less contrast, a gamma, a negative, or none of them."""
        rng, levels = self.rng, np.linspace(0, 1, 256)
        if rng.uniform() < 0.3:
            contrast = rng.uniform(0.3, 1)
            levels = rng.uniform(0, 1 - contrast) + contrast * levels
        if self.scale == 1:  # bent tones would not be what the smaller picture of a bent one is
            levels = levels ** math.exp(rng.uniform(-0.5, 0.5))
        return np.asarray(255 * (levels[::-1] if rng.uniform() < 0.2 else levels), np.float32)


def progress(minutes: float | None, steps: int, begin: float) -> Iterator[float]:
    """The share done before each step, from ``begin``: of ``minutes``, or without them of ``steps``."""
    started, step = time.monotonic(), 0
    while True:
        share = step / steps if minutes is None else (time.monotonic() - started) / (60 * minutes)
        if share >= 1:
            return
        yield begin + (1 - begin) * share
        step += 1


def train(
    name: str, minutes: float | None, steps: int, path: Path, begin: float = 0.0, origin: Path | None = None
) -> None:
    """One network; the average of its weights is saved to ``path`` now and then and at the end.

    With ``begin`` above 0 it is what is left of a training that had come so far, with the weights in ``path``. From
    ``origin``, weights of another enlargement, it takes all that fits.
    """
    torch.manual_seed(0)
    net = network(f"photos_{name}")
    if begin:
        net.load_state_dict(load_file(path))
    elif origin is not None:
        known = {key: value for key, value in load_file(origin).items() if not key.startswith("tail")}
        net.load_state_dict(known, strict=False)
    net = net.train().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimiser = torch.optim.Adam(net.parameters(), RATE, betas=(0.9, 0.99))
    patches = Patches(SCALES[f"photos_{name}"], seed=round(1000 * begin))
    told, saved, started = math.nan, time.monotonic(), time.monotonic()
    for step, done in enumerate(progress(minutes, steps, begin)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * (0.002 + 0.998 * (1 + math.cos(math.pi * done)) / 2)
        side, many = PATCHES[name]
        if done > 2 / 3:
            side, many = round(side * LARGER) // 4 * 4, round(many / LARGER**2)
        found, wanted = patches.batch(side, many)
        with torch.autocast("cpu", torch.bfloat16, enabled=done < 0.92):
            answer = net(found.contiguous(memory_format=torch.channels_last))
        loss = (answer - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), max(0.001, 1 / (1 + step / 5)))
        value = float(loss.detach())
        told = value if math.isnan(told) else 0.99 * told + 0.01 * value
        if step % 200 == 0:
            print(f"{done:6.1%} {time.monotonic() - started:5.0f} s, step {step}, loss {255 * told:.3f}", flush=True)
        if time.monotonic() - saved > 150:
            save(average, path)
            print(validate(name, average), flush=True)
            saved = time.monotonic()
    save(average, path)
    print(
        f"{name}: {step + 1} steps, {(time.monotonic() - started) / 60:.1f} minutes; validation:",
        validate(name, average),
    )


def save(net: torch.nn.Module, path: Path) -> None:
    """Write the weights as float16: answers stay within a level of what float32 gives."""
    half = {key: value.half().contiguous() for key, value in net.state_dict().items()}
    temporary = path.with_suffix(".part")
    temporary.write_bytes(to_bytes(half))
    temporary.replace(path)


def run(net: torch.nn.Module, image: Image) -> Image:
    """The network's answer of one (H, W, 3) uint8 picture, uint8."""
    with torch.inference_mode():
        batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        answer = net(batch.contiguous(memory_format=torch.channels_last))
        return (answer[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def psnr(a: NDArray[Any], b: NDArray[Any], border: int = 0) -> float:
    """PSNR in dB of values in 0..255, ``border`` pixels cropped."""
    error = (a.astype(np.float64) - b)[border or None : -border or None, border or None : -border or None]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def validate(name: str, net: torch.nn.Module) -> dict[str, float]:
    """Mean PSNR in dB, of colour and grey photos apart, over the corners that are not trained on."""
    scale = SCALES[f"photos_{name}"]
    rows: dict[str, list[float]] = {}
    for path, photo in zip(photo_paths("train"), photos("train"), strict=True):
        top, left = (math.ceil(side * (1 - CORNER)) + 2 for side in photo.shape[:2])
        corner = photo[top:, left:][:160, :160]
        corner = np.ascontiguousarray(corner[: len(corner) // 4 * 4, : corner.shape[1] // 4 * 4])
        for text in (f"bicubic:{scale}",) if scale > 1 else NOISES:
            found = parse(text).apply(corner, 0, path.name)
            kind = f"{text} {'grey' if is_grey(corner) else 'colour'}"
            rows.setdefault(kind, []).append(psnr(corner, run(net, found), scale if scale > 1 else 0))
            if scale > 1:
                rows.setdefault(f"{kind}, bicubic", []).append(psnr(corner, imresize(found, scale), scale))
    return {kind: round(float(np.mean(values)), 2) for kind, values in rows.items()}


def judge(name: str, path: Path) -> None:
    """Print PSNR in dB on the held-out photos, of the weight file as the app runs it and of the classics.

    It is that of the luma for enlargements, with a border cropped, as published tables have it.
    """
    spec = next(spec for spec in DemoPhotos().specs() if spec.name == f"photos_{name}")
    spec = dataclasses.replace(spec, weights=Weights("bundled", str(path)))
    model = DemoPhotos().load(spec, LoadOptions(device="cpu", threads=2))
    scale = model.scale
    for text in (f"bicubic:{scale}",) if scale > 1 else NOISES:
        table = []
        for file, photo in zip(photo_paths("test"), photos("test"), strict=True):
            clean, found = parse(text).crop(photo), parse(text).apply(photo, 0, file.name)
            answers = enlarged(found, scale) if scale > 1 else denoised(found, float(text.partition(":")[2]))
            answer: Any = model.predict([found])[0]
            answers["network"] = [answer.rgb]
            scores = {way: max(score(clean, each, scale) for each in tries) for way, tries in answers.items()}
            table.append(scores)
            print(f"{text:10} {file.name:14}", ", ".join(f"{way} {score:.2f}" for way, score in scores.items()))
        means = {way: np.mean([scores[way] for scores in table]) for way in table[0]}
        print(f"{text:10} {'mean':14}", ", ".join(f"{way} {score:.2f}" for way, score in means.items()), flush=True)


def enlarged(image: Image, scale: int) -> dict[str, list[Image]]:
    """A picture larger by the classics."""
    size = scale * image.shape[1], scale * image.shape[0]
    lanczos = PIL.Image.fromarray(image).resize(size, PIL.Image.Resampling.LANCZOS)
    return {"bicubic": [imresize(image, scale)], "Lanczos": [np.asarray(lanczos)]}


def denoised(image: Image, sigma: float) -> dict[str, list[Image]]:
    """A picture without its noise by the classics, which are told sigma, in several settings each."""
    from skimage import restoration

    grey = is_grey(image)
    share, noise, axis = (image[..., 0] if grey else image) / 255, sigma / 255, None if grey else -1
    means = [
        restoration.denoise_nl_means(share, size, reach, h * noise, True, noise, channel_axis=axis)
        for h in (0.5, 0.65, 0.8, 1.0)
        for size, reach in ((5, 6), (7, 11))
    ]
    total = [
        restoration.denoise_tv_chambolle(share, w * noise, channel_axis=axis) for w in (0.5, 0.7, 0.9, 1.1, 1.4, 1.8)
    ]
    wavelet = [
        restoration.denoise_wavelet(
            share, noise, method=method, convert2ycbcr=ycc, channel_axis=axis, rescale_sigma=True, wavelet=kind
        )
        for method in ("BayesShrink", "VisuShrink")
        for ycc in {False, not grey}
        for kind in ("db1", "db4")
    ]

    def whole(found: list[Any]) -> list[Image]:
        eight = [np.rint(255 * np.clip(each, 0, 1)).astype(np.uint8) for each in found]
        return [np.repeat(each[..., None], 3, axis=2) for each in eight] if grey else eight

    return {"noisy": [image], "non-local means": whole(means), "TV": whole(total), "wavelet": whole(wavelet)}


def score(clean: Image, found: Image, scale: int) -> float:
    """What published tables give: PSNR of the luma without a border of ``scale`` pixels, else of all."""
    return psnr(luma(clean), luma(found), scale) if scale > 1 else psnr(clean, found)


def luma(image: Image) -> NDArray[np.float64]:
    """(H, W) BT.601 luma in 16..235, as published tables of enlargement take it."""
    return 16 + image @ np.array([65.481, 128.553, 24.966]) / 255


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(PATCHES), default="denoise")
    parser.add_argument("--minutes", type=float, help="train this long")
    parser.add_argument("--steps", type=int, default=15_000, help="train so many steps, without --minutes")
    parser.add_argument("--folder", type=Path, default=HERE, help="where to write the weights")
    parser.add_argument("--resume", type=float, default=0.0, help="go on with the weights there, this share done")
    parser.add_argument("--origin", type=Path, help="weights of the other super-resolver to begin with")
    parser.add_argument("--judge", action="store_true", help="only judge the weights that are there")
    given = parser.parse_args()
    torch.set_num_threads(2)
    path = given.folder / f"photos_{given.model}.safetensors"
    if not given.judge:
        train(given.model, given.minutes, given.steps, path, given.resume, given.origin)
    else:
        judge(given.model, path)


if __name__ == "__main__":
    main()
