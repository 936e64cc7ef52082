"""Two small instance segmenters of digits in photos, trained by this project on the training split of ``demo:scenes``.

Both are Ultralytics' YOLO11-seg; the small one has five times the weights of the nano one, which misses more and
confuses more. The architecture is a YAML file, the weights are safetensors beside it: nothing is ever unpickled.
``train_scenes.py`` made the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import InputError
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import LetterBox
from models.ultralytics_detect import SETTINGS, UltralyticsDetector
from models.ultralytics_family import import_ultralytics

if TYPE_CHECKING:
    from torch import nn

HERE = Path(__file__).parent
SIDE = 256  # pixels of the input
_KINDS = {
    "scenes_nano": "YOLO11-seg narrowed, 0.56 million parameters",
    "scenes_small": "YOLO11n-seg, 2.8 million parameters",
}


def network(name: str) -> nn.Module:
    """The untrained architecture, from the YAML file of that name: (B, 3, H, W) in 0..1, sides multiples of 32."""
    import yaml

    plan = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    net: nn.Module = import_ultralytics().SegmentationModel(plan, ch=3, nc=plan["nc"], verbose=False)
    return net


class DemoScenes:
    """``scenes_nano`` and ``scenes_small``."""

    settings = SETTINGS

    def specs(self) -> Iterable[ModelSpec]:
        """Both."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Always: the weights are part of the project."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> UltralyticsDetector:
        """Load. Raises InputError if a file is missing or damaged."""
        from safetensors.torch import load_file

        try:
            net = network(spec.name)
            net.load_state_dict(load_file(spec.weights.location))
        except Exception as error:
            short = spec.name.removeprefix("scenes_")
            raise InputError(
                f"{spec.weights.location} or the YAML file beside it is missing or damaged: restore it, or run "
                f"python -m models.demo.train_scenes --model {short}."
            ) from error
        return UltralyticsDetector(net, spec, options, image_size=SIDE)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(
        ModelSpec(
            name=name,
            task="instance-segmentation",
            family="demo-scenes",
            source=f"trained by this project on the training split of demo:scenes: {kind}",
            weights=Weights.bundled(HERE / f"{name}.safetensors"),
            class_names=tuple("0123456789"),
            license="AGPL-3.0-or-later",
            paper="https://docs.ultralytics.com/models/yolo11",
            input_size=(SIDE, SIDE),
            preprocessing=f"{LetterBox((SIDE, SIDE))}, values 0..1",
        )
        for name, kind in _KINDS.items()
    )
