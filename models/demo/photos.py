"""Three small enhancers of photos, trained by this project on the training half of ``photo_split.py``.

``photos_sr_x2`` and ``photos_sr_x4`` enlarge: a few residual blocks (Lim et al. 2017, "Enhanced Deep Residual Networks
for Single Image Super-Resolution") add to the bicubic enlargement what it lacks, through a pixel shuffle (Shi et al.
2016). ``photos_denoise`` takes away Gaussian noise of an unknown level, sigma 0 to 55 of 255, colour or grey: a small
U-Net of such blocks at half and quarter resolution (after Zhang et al. 2021, "Plug-and-Play Image Restoration with Deep
Denoiser Prior") predicts the noise. The weights are safetensors: nothing is ever unpickled. ``train_photos.py`` made
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dashboard.errors import InputError
from dashboard.types import EnhancedImage, Prediction
from models.base import LoadOptions, ModelSpec, Weights
from models.enhancement import SETTINGS, Answers, TorchEnhancer
from models.tiling import Sizes, usual
from models.torch_adapter import choose_device

if TYPE_CHECKING:
    import torch
    from torch import nn

HERE = Path(__file__).parent
SCALES = {"photos_sr_x2": 2, "photos_sr_x4": 4, "photos_denoise": 1}  # how many times larger the answer is
PAPERS = {
    "photos_sr_x2": "https://arxiv.org/abs/1707.02921",
    "photos_sr_x4": "https://arxiv.org/abs/1707.02921",
    "photos_denoise": "https://arxiv.org/abs/2008.13751",
}  # whose ideas they are; both far smaller here
SIZES = {1: Sizes(multiple=4)}  # of the input's sides, by scale; any where it is not named
REACH = 48  # pixels around one that the denoiser sees; the two that enlarge see no farther than usual tiles allow
WIDTH, BLOCKS = 64, 4  # of the two that enlarge: channels, and residual blocks of two convolutions
WIDTHS, DEPTHS = (48, 96), (2, 3, 2)  # of the denoiser: at half and quarter resolution; blocks down, below and up


def network(name: str) -> nn.Module:
    """The untrained architecture: (B, 3, H, W) in 0..1, sides as ``SIZES`` says, to (B, 3, sH, sW), about 0..1."""
    from torch import nn
    from torch.nn import functional

    def conv(into: int, out: int, gain: float = 1.0) -> nn.Conv2d:
        layer = nn.Conv2d(into, out, 3, padding=1)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.weight.data *= gain
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        return layer

    class Block(nn.Sequential):
        """Two convolutions that correct their input; near nothing at first."""

        def __init__(self, width: int) -> None:
            super().__init__(conv(width, width), nn.ReLU(), conv(width, width, 0.1))

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features + super().forward(features)

    def blocks(width: int, many: int) -> nn.Sequential:
        return nn.Sequential(*(Block(width) for _ in range(many)))

    class SuperResolver(nn.Module):
        """Bicubic plus what it lacks."""

        def __init__(self, scale: int) -> None:
            super().__init__()
            self.scale = scale
            self.head, self.body = conv(3, WIDTH), blocks(WIDTH, BLOCKS)
            self.tail = conv(WIDTH, 3 * scale**2, 0.1)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            # antialias: the kernel of Keys with a = -0.5, as MATLAB and Pillow have it; without it a is -0.75
            size = batch.shape[2] * self.scale, batch.shape[3] * self.scale
            bicubic = functional.interpolate(batch, size, mode="bicubic", antialias=True)
            first = self.head(batch)
            lacking = self.tail(first + self.body(first))
            return bicubic + functional.pixel_shuffle(lacking, self.scale).to(batch.dtype)

    class Denoiser(nn.Module):
        """The input less its noise."""

        def __init__(self) -> None:
            super().__init__()
            half, quarter = WIDTHS
            self.head = conv(3 * 4, half)
            self.down, self.middle, self.up = (blocks(w, n) for w, n in zip((half, quarter, half), DEPTHS, strict=True))
            self.narrow, self.widen = nn.Conv2d(half, quarter, 2, stride=2), nn.Conv2d(quarter, 4 * half, 1)
            self.tail = conv(half, 3 * 4, 0.1)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            first = self.head(functional.pixel_unshuffle(batch, 2))
            fine = self.down(first)
            coarse = self.middle(self.narrow(fine))
            fine = self.up(fine + functional.pixel_shuffle(self.widen(coarse), 2))
            noise = functional.pixel_shuffle(self.tail(first + fine), 2)
            return batch - noise.to(batch.dtype)

    return Denoiser() if SCALES[name] == 1 else SuperResolver(SCALES[name])


class PhotoEnhancer(TorchEnhancer):
    """Gives a grey picture of a grey one."""

    def postprocess(self, outputs: Answers) -> list[Prediction]:
        """As for others; where the three channels were equal, the mean of the answer's, to the nearest level."""
        found = super().postprocess(outputs)
        return [
            _grey(one) if picture.grey and isinstance(one, EnhancedImage) else one
            for one, picture in zip(found, outputs.pictures, strict=True)
        ]


class DemoPhotos:
    """``photos_sr_x2``, ``photos_sr_x4`` and ``photos_denoise``."""

    settings = SETTINGS

    def specs(self) -> Iterable[ModelSpec]:
        """All three."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Always: the weights are part of the project."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> PhotoEnhancer:
        """Load. Raises InputError if the file is missing or damaged."""
        from safetensors.torch import load_file

        net = network(spec.name)
        try:
            net.load_state_dict(load_file(spec.weights.location))  # half precision becomes single
        except Exception as error:
            short = spec.name.removeprefix("photos_")
            raise InputError(
                f"{spec.weights.location} is missing or damaged: restore it, or run python -m models.demo.train_photos "
                f"--model {short}."
            ) from error
        scale = SCALES[spec.name]
        sizes = SIZES.get(scale, Sizes())
        tiling = None
        if scale == 1:
            tiling = replace(usual(choose_device(options), scale, sizes), overlap=2 * REACH)  # so that no seam shows
        return PhotoEnhancer(net, spec, options, sizes=sizes, tiling=tiling)


def _grey(answer: EnhancedImage) -> EnhancedImage:
    mean = (answer.rgb.sum(axis=2, dtype=np.uint16) + 1) // 3  # of whole levels a third or two thirds are left
    return replace(answer, pixels=mean.astype(np.uint8))


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(
        ModelSpec(
            name=name,
            task="enhancement",
            family="demo-photos",
            source="trained by this project on photos of scikit-image, scikit-learn and Ultralytics",
            weights=Weights.bundled(HERE / f"{name}.safetensors"),
            license="AGPL-3.0-or-later",
            paper=PAPERS[name],
            preprocessing=f"RGB, 0..1; {SIZES.get(scale, Sizes())}",
        )
        for name, scale in SCALES.items()
    )
