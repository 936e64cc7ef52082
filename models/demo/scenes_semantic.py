"""Two small semantic segmenters of digits in photos, trained by this project on the training split of ``demo:scenes``.

Each begins as one of the project's instance segmenters (``scenes.py``) without its boxes: the features of three scales,
what the detector names at each place and its mask prototypes are put together on a finer grid, where every second pixel
gets an answer of its own. The small one has seven times the weights of the nano one. The weights are safetensors, the
trunk's architecture is the detector's YAML file: nothing is ever unpickled. ``train_scenes_semantic.py`` made them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.datasets.scenes import Scenes
from dashboard.errors import InputError
from models.base import LoadOptions, ModelSpec, Weights
from models.demo import scenes
from models.segmentation import SETTINGS, Resize
from models.torch_segment import TorchSegmenter

if TYPE_CHECKING:
    from torch import nn

HERE = Path(__file__).parent
SIDES = 32  # the input's height and width are multiples of it, in pixels
GEOMETRY = Resize(multiple=SIDES)
WIDTHS = {"scenes_sem_nano": 16, "scenes_sem_small": 32}  # channels of the finest level
LEVELS = 16, 13, 10  # of the detector's layers: strides 8, 16 and 32
REACH = 1, 3, 5, 9  # cells around which a digit named in the middle is heard of


def network(name: str) -> nn.Module:
    """The untrained architecture: (B, 3, H, W) in 0..1, sides multiples of 32, to (B, 11, H / 2, W / 2) logits.

    While it trains it gives a second, coarser answer as well, (B, 11, H / 8, W / 8).
    """
    import torch
    from torch import nn
    from torch.nn import functional

    detector: Any = scenes.network(name.replace("_sem", ""))
    from ultralytics.nn.modules import Conv  # after scenes.network, which explains how to install it

    head = detector.model[-1]
    digits, prototypes = head.nc, head.proto.cv3.conv.out_channels
    finest = detector.model[0].conv.out_channels
    width, classes = WIDTHS[name], digits + 1

    class Fused(nn.Module):
        """The detector's evidence, brought to one grid."""

        def __init__(self) -> None:
            super().__init__()
            self.trunk = detector.model[: head.f[0] + 1]
            self.digits, self.proto = head.cv3[0], head.proto
            channels = [detector.model[k].cv2.conv.out_channels for k in LEVELS]
            self.levels = nn.ModuleList(Conv(many, width, 1) for many in channels)
            around = len(LEVELS) * width + len(REACH) * digits
            self.middle = nn.Sequential(Conv(around, 2 * width, 3), Conv(2 * width, 2 * width, 3, d=2))
            self.coarse = nn.Sequential(Conv(2 * width + prototypes, 2 * width, 3), Conv(2 * width, width, 1))
            self.fine = nn.Sequential(Conv(width + finest, width, 3), Conv(width, width, 3))
            self.classifier, self.auxiliary = nn.Conv2d(width, classes, 1), nn.Conv2d(2 * width, classes, 1)

        def forward(self, batch: torch.Tensor) -> Any:
            made: list[torch.Tensor] = []
            for layer in self.trunk:
                parts = [made[k] if k >= 0 else (made or [batch])[k] for k in _inputs(layer.f)]
                made.append(layer(parts[0] if isinstance(layer.f, int) else parts))
            first, finest_level, prototypes = made[0], made[LEVELS[0]], self.proto(made[LEVELS[0]])
            seen = [enlarged(narrow(made[k]), finest_level) for narrow, k in zip(self.levels, LEVELS, strict=True)]
            named = self.digits(finest_level) / 4  # logits, about as large as the rest
            # a detector names a digit at its middle only: let the cells around hear of it
            seen += [functional.max_pool2d(named, cells, 1, cells // 2) for cells in REACH]
            middle = self.middle(torch.cat(seen, 1))
            coarse = self.coarse(torch.cat([enlarged(middle, prototypes), prototypes], 1))
            answer = self.classifier(self.fine(torch.cat([enlarged(coarse, first), first], 1)))
            return (answer, self.auxiliary(middle)) if self.training else answer

    def enlarged(small: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(small, like.shape[2:], mode="bilinear")

    return Fused()


def _inputs(source: int | list[int]) -> list[int]:
    return [source] if isinstance(source, int) else source


class DemoScenesSemantic:
    """``scenes_sem_nano`` and ``scenes_sem_small``."""

    settings = SETTINGS

    def specs(self) -> Iterable[ModelSpec]:
        """Both."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Always: the weights are part of the project."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchSegmenter:
        """Load. Raises InputError if a file is missing or damaged."""
        from safetensors.torch import load_file

        try:
            net = network(spec.name)
            net.load_state_dict(load_file(spec.weights.location))  # half precision becomes single
        except Exception as error:
            short = spec.name.removeprefix("scenes_sem_")
            raise InputError(
                f"{spec.weights.location} or scenes_{short}.yaml beside it is missing or damaged: restore it, or run "
                f"python -m models.demo.train_scenes_semantic --model {short}."
            ) from error
        return TorchSegmenter(net, spec, options, geometry=GEOMETRY, multiple=SIDES)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(
        ModelSpec(
            name=name,
            task="semantic-segmentation",
            family="demo-scenes-semantic",
            source="trained by this project on the training split of demo:scenes",
            weights=Weights.bundled(HERE / f"{name}.safetensors"),
            class_names=Scenes("semantic-segmentation").class_names,
            license="AGPL-3.0-or-later",
            paper="https://docs.ultralytics.com/models/yolo11",
            preprocessing=f"{GEOMETRY}, mean (0.0, 0.0, 0.0), std (1.0, 1.0, 1.0)",
        )
        for name in WIDTHS
    )
