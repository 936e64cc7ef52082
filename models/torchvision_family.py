"""Any torchvision classifier as ``torchvision/NAME`` (its best weights) or ``torchvision/NAME.WEIGHTS``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from dashboard.errors import InputError, did_you_mean
from models import downloads, imagenet, tables
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, ResizeCrop, normalisation_setting
from models.torch_adapter import TorchClassifier, load_tensors

if TYPE_CHECKING:
    from torch import nn

PREFIX = "torchvision/"


class TorchvisionClassifiers:
    """torchvision's classifiers; the list comes from a table, so that listing does not import torchvision."""

    settings = ("activation", "mean", "std")

    def specs(self) -> Iterable[ModelSpec]:
        """Every classifier with its default weights."""
        return [spec for row, spec in _rows() if row["default"] == "1"]

    def resolve(self, name: str) -> ModelSpec | None:
        """``torchvision/resnet50.IMAGENET1K_V1``: weights that are not the default."""
        if not name.startswith(PREFIX) or "." not in name:
            return None
        return _named().get(name.removeprefix(PREFIX))

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights are in torch's folder."""
        return downloads.torch_file(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
        """Load, downloading at first use. Raises InputError (quickly) when the weights cannot be had."""
        path = downloads.fetch_file(spec, spec.weights.location, check_hash=True)

        name = spec.name.removeprefix(PREFIX).partition(".")[0]
        try:
            net = build(name)
            net.load_state_dict(load_tensors(path))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} cannot be loaded as {spec.name}: {reason}; delete it and retry.") from error
        return adapter(net, name, spec, options)


def build(name: str, classes: int = 1000) -> nn.Module:
    """An untrained torchvision classifier. Raises InputError for a name torchvision does not have."""
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise InputError(f"torchvision has no classifier called {name!r}.{did_you_mean(name, known)}")
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **extra)


def adapter(net: nn.Module, name: str, spec: ModelSpec, options: LoadOptions, **more: object) -> TorchClassifier:
    """A torchvision network with the resize and crop that its default (or named) weights were published with."""
    key = spec.name.removeprefix(PREFIX) if spec.family == "torchvision" else name
    row = _facts().get(key) or _facts().get(name) or {"crop": "224", "resize": "256", "interpolation": "bilinear"}
    geometry = _geometry(row)
    mean, std = normalisation_setting(options.settings, IMAGENET_MEAN, IMAGENET_STD)
    spec = replace(spec, input_size=geometry.crop, preprocessing=f"{geometry}, mean {mean}, std {std}")
    return TorchClassifier(net, spec, options, geometry=geometry, mean=mean, std=std, **more)  # type: ignore[arg-type]


def _geometry(row: dict[str, str]) -> ResizeCrop:
    crop = int(row["crop"])
    return ResizeCrop((crop, crop), int(row["resize"]), row["interpolation"])


@cache
def _rows() -> tuple[tuple[dict[str, str], ModelSpec], ...]:
    names, ids = imagenet.classes()
    return tuple(
        (
            row,
            ModelSpec(
                name=PREFIX + (row["name"] if row["default"] == "1" else f"{row['name']}.{row['weights']}"),
                task="classification",
                family="torchvision",
                source=f"torchvision, {row['weights']}",
                weights=Weights("url", row["url"], int(row["bytes"])),
                class_names=names,
                class_ids=ids,
                license=row["license"],
                paper=row["paper"],
                input_size=(int(row["crop"]), int(row["crop"])),
                preprocessing=f"{_geometry(row)}, ImageNet mean and std",
            ),
        )
        for row in tables.read(tables.TORCHVISION)
    )


@cache
def _named() -> dict[str, ModelSpec]:
    return {f"{row['name']}.{row['weights']}": spec for row, spec in _rows()}


@cache
def _facts() -> dict[str, dict[str, str]]:
    """Rows by ``NAME`` (the default weights) and ``NAME.WEIGHTS``."""
    found = {f"{row['name']}.{row['weights']}": row for row, _ in _rows()}
    return found | {row["name"]: row for row, _ in _rows() if row["default"] == "1"}
