"""torchvision's semantic segmenters as ``torchvision/NAME``, trained on the COCO images that have VOC's classes.

A picture is resized as torchvision does it for its published figures. The network is run up to its coarse logits; what
torchvision's own ``forward`` does to them afterwards happens in strips, with the same result. ``python -m
models.torchvision_segment`` rewrites the table of what there is, so that listing does not import torchvision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError, did_you_mean
from models import downloads, tables, voc
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from models.segmentation import SETTINGS, Resize
from models.torch_adapter import load_tensors
from models.torch_segment import TorchSegmenter

if TYPE_CHECKING:
    import torch
    from torch import nn

PREFIX = "torchvision/"
TABLE = tables.HERE / "torchvision_segmenters.tsv"
AUXILIARY = "aux_classifier."  # a second classifier that only training needs


class TorchvisionSegmenters:
    """DeepLabV3, FCN and LR-ASPP."""

    settings = SETTINGS

    def specs(self) -> Iterable[ModelSpec]:
        """Every one with its weights for VOC's classes."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``torchvision/fcn_resnet50.COCO_WITH_VOC_LABELS_V1``."""
        return next((spec for row, spec in _rows() if name == f"{spec.name}.{row['weights']}"), None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights are in torch's folder."""
        return downloads.torch_file(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchSegmenter:
        """Load, downloading at first use. Raises InputError (quickly) when the weights cannot be had."""
        path = downloads.fetch_file(spec, spec.weights.location, check_hash=True)
        name = spec.name.removeprefix(PREFIX)
        try:
            tensors = load_tensors(path)
            net = build(name)
            net.load_state_dict({key: value for key, value in tensors.items() if not key.startswith(AUXILIARY)})
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} cannot be loaded as {spec.name}: {reason}; delete it and retry.") from error
        return adapter(net, name, spec, options)


def build(name: str, classes: int = len(voc.NAMES)) -> nn.Module:
    """An untrained torchvision segmenter, no auxiliary classifier. Raises InputError for a name it does not have."""
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models.segmentation)
    if name not in names:
        raise InputError(f"torchvision has no segmenter called {name!r}.{did_you_mean(name, names)}")
    more = {} if name.startswith("lraspp") else {"aux_loss": False}
    net: nn.Module = torchvision.models.get_model(
        name, weights=None, weights_backbone=None, num_classes=classes, **more
    )
    return net


def known() -> tuple[str, ...]:
    """torchvision's names of its segmenters."""
    return tuple(row["name"] for row, _ in _rows())


def recognised(keys: Collection[str]) -> str | None:
    """Which of torchvision's segmenters has tensors of these names, if any has."""
    if "backbone.conv1.weight" in keys and "classifier.4.weight" in keys:
        kind = "deeplabv3" if any(key.startswith("classifier.0.convs.") for key in keys) else "fcn"
        return f"{kind}_resnet{101 if 'backbone.layer3.22.conv1.weight' in keys else 50}"
    if "backbone.16.0.weight" in keys:  # the last layer of MobileNetV3's features
        if "classifier.cbr.0.weight" in keys:
            return "lraspp_mobilenet_v3_large"
        return "deeplabv3_mobilenet_v3_large" if "classifier.0.convs.0.0.weight" in keys else None
    return None


def adapter(net: nn.Module, name: str, spec: ModelSpec, options: LoadOptions, **more: Any) -> TorchSegmenter:
    """A torchvision network with the resize that its weights were published with."""
    side = next((int(row["resize"]) for row, _ in _rows() if row["name"] == name), 520)
    return TorchSegmenter(
        coarse(net), spec, options, geometry=Resize(side), mean=IMAGENET_MEAN, std=IMAGENET_STD, **more
    )


def coarse(net: Any) -> nn.Module:
    """The network up to its coarse logits, which torchvision's ``forward`` would interpolate to the input's size."""
    from torch import nn

    class Coarse(nn.Module):
        """Backbone and classifier; LR-ASPP's classifier takes both of the backbone's outputs, the others' one."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.classifier = net.backbone, net.classifier

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            features = self.backbone(batch)
            logits: torch.Tensor = self.classifier(features.get("out", features))
            return logits

    return Coarse().eval()


@cache
def _rows() -> tuple[tuple[dict[str, str], ModelSpec], ...]:
    return tuple((row, _spec(row)) for row in tables.read(TABLE))


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(spec for _, spec in _rows())


def _spec(row: dict[str, str]) -> ModelSpec:
    side = int(row["resize"])
    return ModelSpec(
        name=PREFIX + row["name"],
        task="semantic-segmentation",
        family="torchvision-segmentation",
        source=f"torchvision, {row['weights']} (COCO val2017, VOC's classes: mIoU {row['miou']}, pixel accuracy "
        f"{row['pixel_accuracy']})",
        weights=Weights("url", row["url"], int(row["bytes"])),
        class_names=voc.NAMES,
        license="BSD-3-Clause",
        paper=row["paper"],
        input_size=(side, side * 4 // 3),
        preprocessing=f"{Resize(side)}, ImageNet mean and std",
    )


def table_rows() -> list[dict[str, Any]]:
    """A row for each of torchvision's segmenters with weights for VOC's classes."""
    import torchvision

    rows = []
    for name in torchvision.models.list_models(module=torchvision.models.segmentation):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        if tuple(weights.meta["categories"][1:]) != voc.NAMES[1:]:
            continue
        (scores,) = weights.meta["_metrics"].values()
        rows.append(
            {
                "name": name,
                "weights": weights.name,
                "resize": weights.transforms().resize_size[0],
                "miou": scores["miou"],
                "pixel_accuracy": scores["pixel_acc"],
                "bytes": round(weights.meta["_file_size"] * 2**20),
                "url": weights.url,
                "paper": weights.meta.get("recipe") or "",
            }
        )
    return rows


if __name__ == "__main__":
    tables.write(TABLE, table_rows())
