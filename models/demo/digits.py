"""Two small classifiers of handwritten digits, trained by this project on the training split of ``demo:digits``.

One is a straight line (softmax regression), the other a small convolutional network: what they confuse differs, which
is what a first look at a comparison should show. ``train_digits.py`` made both files.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import as_pil
from models.torch_adapter import TorchClassifier

if TYPE_CHECKING:
    from torch import nn

HERE = Path(__file__).parent
MEAN, STD = (0.306,), (0.375,)  # of the training split
_KINDS = {"digits_linear": "softmax regression, 650 parameters", "digits_cnn": "three convolutions, 5,306 parameters"}


def network(name: str) -> nn.Module:
    """The untrained architecture: (B, 1, 8, 8) normalised to (B, 10) logits."""
    from torch import nn

    if name == "digits_linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def block(channels: int, out: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]

    return nn.Sequential(
        *block(1, 8), *block(8, 12), nn.MaxPool2d(2), *block(12, 16), nn.Flatten(), nn.Linear(16 * 16, 10)
    )  # fmt: skip


class GreyEight:
    """A picture of any size to 8x8 grey by averaging areas, as the scans of the data set were made."""

    def __call__(self, image: Image) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 to (8, 8, 1) uint8."""
        grey = as_pil(image).convert("L")
        if grey.size != (8, 8):
            grey = grey.resize((8, 8), PIL.Image.Resampling.BOX)
        return np.array(grey)[:, :, None]

    def __str__(self) -> str:
        return "grey, resize 8x8 by area (Pillow)"


class DemoDigits:
    """``digits_linear`` and ``digits_cnn``."""

    settings = ("activation",)

    def specs(self) -> Iterable[ModelSpec]:
        """Both."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Always: the weights are part of the project."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
        """Load. Raises InputError if the file is missing or damaged."""
        from safetensors.torch import load_file

        net = network(spec.name)
        try:
            net.load_state_dict(load_file(spec.weights.location))
        except Exception as error:
            raise InputError(
                f"{spec.weights.location} is missing or damaged: restore it, or run python -m models.demo.train_digits."
            ) from error
        return TorchClassifier(net, spec, options, geometry=GreyEight(), mean=MEAN, std=STD)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(
        ModelSpec(
            name=name,
            task="classification",
            family="demo-digits",
            source=f"trained by this project on the first 1,200 of scikit-learn's digits: {kind}",
            weights=Weights.bundled(HERE / f"{name}.safetensors"),
            class_names=tuple("0123456789"),
            license="AGPL-3.0-or-later",
            paper="https://archive.ics.uci.edu/dataset/80",
            input_size=(8, 8),
            preprocessing=f"{GreyEight()}, mean {MEAN[0]}, std {STD[0]}",
        )
        for name, kind in _KINDS.items()
    )
