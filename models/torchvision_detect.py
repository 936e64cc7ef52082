"""torchvision's detectors and Mask R-CNN as ``torchvision/NAME``, trained on COCO.

Pictures go in as they are; the network resizes them itself (bilinear) and its boxes come back in the picture's pixels.
Thresholds are torchvision's own, as its published figures have them. ``python -m models.torchvision_detect`` rewrites
the table of what there is, so that listing does not import torchvision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.types import Image, Prediction
from models import coco, downloads, tables
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import Letterboxed, Size, Thresholds, as_rgb, place_mask, result
from models.preprocessing import input_size_setting
from models.torch_adapter import load_tensors
from models.torch_detection import TorchDetector

if TYPE_CHECKING:
    import torch
    from torch import nn

PREFIX = "torchvision/"
TABLE = tables.HERE / "torchvision_detectors.tsv"
CATEGORIES = 91  # outputs of a network trained on COCO: the background, and COCO's numbers 1..90 of which 80 are used
_ZERO = 1e-30
"""Nothing beside any variance; some versions of PyTorch (2.11) refuse 0."""
_EPS_ZERO = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")  # as torchvision loads them


class TorchvisionDetectors:
    """Faster and Mask R-CNN, RetinaNet, FCOS, SSD and SSDlite."""

    settings = ("conf", "input_size", "iou", "max_det")

    def specs(self) -> Iterable[ModelSpec]:
        """Every one with its COCO weights."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``torchvision/maskrcnn_resnet50_fpn.COCO_V1``."""
        return next((spec for row, spec in _rows() if name == f"{spec.name}.{row['weights']}"), None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights are in torch's folder."""
        return downloads.torch_file(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchvisionDetector:
        """Load, downloading at first use. Raises InputError (quickly) when the weights cannot be had."""
        path = downloads.fetch_file(spec, spec.weights.location, check_hash=True)
        try:
            net = build(spec.name.removeprefix(PREFIX))
            missing, unexpected = net.load_state_dict(load_tensors(path), strict=False)
            # the published networks have frozen batch norms, which do not count their batches
            wrong = [name for name in (*missing, *unexpected) if not name.endswith("num_batches_tracked")]
            if wrong:
                raise ValueError(f"{wrong[0]} does not fit")
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} cannot be loaded as {spec.name}: {reason}; delete it and retry.") from error
        return TorchvisionDetector(net, spec, options)


def build(name: str, classes: int = CATEGORIES) -> nn.Module:
    """An untrained torchvision detector. Raises InputError for a name torchvision does not have."""
    import torchvision
    from torch.nn import BatchNorm2d

    known = torchvision.models.list_models(module=torchvision.models.detection)
    if name not in known:
        raise InputError(f"torchvision has no detector called {name!r}.{did_you_mean(name, known)}")
    net: nn.Module = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=classes)
    for module in net.modules():
        if name in _EPS_ZERO and isinstance(module, BatchNorm2d):
            module.eps = _ZERO
    return net


class Outputs(NamedTuple):
    """What a batch gives: per picture torchvision's dictionary before it is brought back, and the picture's size."""

    found: Sequence[dict[str, Any]]
    sizes: Sequence[Size]


class TorchvisionDetector(TorchDetector):
    """A torchvision detection network.

    Args:
        net: the network on the CPU, in float32; it is changed in place (folded, moved, thresholds set).
        spec: its facts; ``task``, ``input_size`` and ``preprocessing`` are filled in, ``class_names`` if empty.
        options: device, precision, folding, threads, and settings ``conf``, ``iou``, ``max_det`` (the network's own
            where not given), ``input_size`` (HxW: the shorter side H, the longer at most W).
        labels: (outputs,) the class number of each of the network's outputs, -1 for those that are no class (the
            background, numbers that COCO does not use); by default COCO's 91.

    Raises:
        InputError: a wrong setting, no such device, too little memory.
    """

    def __init__(
        self, net: nn.Module, spec: ModelSpec, options: LoadOptions, *, labels: NDArray[np.int64] | None = None
    ) -> None:
        if labels is None:
            labels = np.full(CATEGORIES, -1)
            labels[list(coco.CATEGORY_IDS)] = np.arange(len(coco.NAMES))
            spec = replace(spec, class_names=spec.class_names or coco.NAMES)
        self._labels = labels
        self._masked = getattr(getattr(net, "roi_heads", None), "mask_roi_pool", None) is not None
        head: Any = getattr(net, "roi_heads", net)
        of = Thresholds(head.score_thresh, head.nms_thresh, head.detections_per_img).with_settings(options.settings)
        head.score_thresh, head.nms_thresh, head.detections_per_img = of.conf, of.iou, of.max_det
        transform: Any = net.transform
        asked = input_size_setting(options.settings)
        if asked and transform.fixed_size and asked != _input_size(transform):
            own = "{}x{}".format(*_input_size(transform))
            raise InputError(f"{spec.name} takes pictures of {own} only: leave input_size out.")
        if asked and not transform.fixed_size:
            transform.min_size, transform.max_size = (min(asked),), max(asked)
        height, width = _input_size(transform)
        words = (
            f"resize to {height}x{width}"
            if transform.fixed_size
            else f"resize the shorter side to {height}, the longer to at most {width}"
        )
        spec = replace(
            spec,
            task="instance-segmentation" if self._masked else "detection",
            input_size=(height, width),
            preprocessing=f"{words}, bilinear (torch), mean {tuple(transform.image_mean)}, std "
            f"{tuple(transform.image_std)}",
        )
        notes: dict[str, Any] = {
            "boxes": f"NMS at IoU {of.iou}, confidence above {of.conf}, best {of.max_det}",
        }
        super().__init__(net, spec, options, [spec.preprocessing, of], notes)
        transform.postprocess = _unprocessed
        if options.fuse:
            self.notes = {**self.notes, "batch norms folded": _fold(net)}
        self.start(64, 64)

    def preprocess(self, image: Image) -> Letterboxed:
        """The picture as it is, (H, W, 3) uint8; one so thin that the network's resize would lose it is widened."""
        image = as_rgb(image)
        size = image.shape[0], image.shape[1]
        least = ceil(max(size) / max(self.spec.input_size or size)) + 1
        if min(size) < least:
            import cv2

            wider = max(size[1], least), max(size[0], least)
            image = np.asarray(cv2.resize(image, wider, interpolation=cv2.INTER_NEAREST), np.uint8)
        return Letterboxed(image, size)

    def forward(self, items: Sequence[Letterboxed]) -> Outputs:
        """Boxes before they are brought back to the picture. Raises OutOfMemory if the batch does not fit.

        Pictures of one size run together, others apart: padded to a common size they would see different borders.
        """
        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, item in enumerate(items):
            shapes.setdefault(item.pixels.shape, []).append(place)
        found: list[dict[str, Any]] = [{}] * len(items)
        for places in shapes.values():
            with self.running():
                batch = self.batch([items[place].pixels for place in places])
                for place, answer in zip(places, self.network(batch), strict=True):
                    found[place] = answer
        return Outputs(found, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """Boxes in the picture's pixels, classes without gaps, masks (above 0.5) as run lengths."""
        import torch

        with torch.inference_mode():
            return [self._one(found, size) for found, size in zip(outputs.found, outputs.sizes, strict=True)]

    def _one(self, found: dict[str, Any], size: Size) -> Prediction:
        from torchvision.models.detection.transform import resize_boxes

        boxes = resize_boxes(found["boxes"].float().cpu(), found["resized"], size)
        classes = self._labels[found["labels"].cpu().numpy()]
        known = np.flatnonzero(classes >= 0)
        scores = found["scores"].float().cpu().numpy()
        masks = _paste(found["masks"].float().cpu()[known], boxes[known], size) if self._masked else None
        return result(self.spec.name, boxes[known].numpy(), scores[known], classes[known], size, masks)


def _paste(masks: torch.Tensor, boxes: torch.Tensor, size: Size) -> list[bytes]:
    """(N, 1, 28, 28) probabilities in their boxes as run lengths: torchvision's ``paste_masks_in_image`` above 0.5.

    That one makes a float picture of every mask first; here only the box is ever made.
    """
    from torch.nn.functional import interpolate
    from torchvision.models.detection.roi_heads import expand_boxes, expand_masks

    height, width = size
    padded, scale = expand_masks(masks, 1)
    pasted = []
    for mask, corners in zip(padded, expand_boxes(boxes, scale).long().tolist(), strict=True):
        left, top, right, bottom = corners
        high, wide = max(bottom - top + 1, 1), max(right - left + 1, 1)
        x1, y1, x2, y2 = max(left, 0), max(top, 0), min(right + 1, width), min(bottom + 1, height)
        if x1 >= x2 or y1 >= y2:
            pasted.append(place_mask(np.zeros((0, 0), bool), 0, 0, size))
            continue
        full = interpolate(mask[None], (high, wide), mode="bilinear", align_corners=False)[0, 0]
        inside = full[y1 - top : y2 - top, x1 - left : x2 - left] > 0.5
        pasted.append(place_mask(inside.numpy().T, x1, y1, size))
    return pasted


def _unprocessed(found: list[dict[str, Any]], resized: Sequence[Size], sizes: Sequence[Size]) -> list[dict[str, Any]]:
    """In the place of ``GeneralizedRCNNTransform.postprocess``: keep what it would have needed."""
    del sizes
    return [{**one, "resized": (int(shape[0]), int(shape[1]))} for one, shape in zip(found, resized, strict=True)]


def _fold(net: Any) -> int:
    """Fold the backbone's batch norms; how many."""
    import torch

    from models.fusing import fold_batch_norms

    class Features(torch.nn.Module):
        """The backbone with one tensor for its result."""

        def __init__(self) -> None:
            super().__init__()
            self.net = net.backbone

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            found = self.net(batch)
            maps = found.values() if isinstance(found, dict) else [found]
            return torch.cat([one.flatten(1) for one in maps], 1)

    generator = torch.Generator().manual_seed(0)
    probe = torch.rand(1, 3, *((320, 320) if net.transform.fixed_size else (128, 128)), generator=generator)
    return len(fold_batch_norms(Features().eval(), probe)[1])


def _input_size(transform: Any) -> Size:
    if transform.fixed_size:
        return int(transform.fixed_size[1]), int(transform.fixed_size[0])
    return int(transform.min_size[-1]), int(transform.max_size)


@cache
def _rows() -> tuple[tuple[dict[str, str], ModelSpec], ...]:
    return tuple((row, _spec(row)) for row in tables.read(TABLE))


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(spec for _, spec in _rows())


def _spec(row: dict[str, str]) -> ModelSpec:
    masks = f", mask AP {row['mask_ap']}" if row["mask_ap"] else ""
    return ModelSpec(
        name=PREFIX + row["name"],
        task="instance-segmentation" if row["mask_ap"] else "detection",
        family="torchvision-detection",
        source=f"torchvision, {row['weights']} (COCO val2017: box AP {row['box_ap']}{masks})",
        weights=Weights("url", row["url"], int(row["bytes"])),
        class_names=coco.NAMES,
        license="BSD-3-Clause",
        paper=row["paper"],
        input_size=(int(row["height"]), int(row["width"])),
        preprocessing="resize by the network, ImageNet mean and std",
    )


def table_rows() -> list[dict[str, Any]]:
    """A row for each of torchvision's detectors with COCO's weights (keypoint networks find people only)."""
    import torchvision

    rows = []
    for name in torchvision.models.list_models(module=torchvision.models.detection):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        if len(weights.meta["categories"]) != CATEGORIES:
            continue
        height, width = _input_size(build(name).transform)
        scores = weights.meta["_metrics"]["COCO-val2017"]
        rows.append(
            {
                "name": name,
                "weights": weights.name,
                "height": height,
                "width": width,
                "box_ap": scores["box_map"],
                "mask_ap": scores.get("mask_map", ""),
                "bytes": round(weights.meta["_file_size"] * 2**20),
                "url": weights.url,
                "paper": weights.meta.get("recipe") or "",
            }
        )
    return rows


if __name__ == "__main__":
    tables.write(TABLE, table_rows())
