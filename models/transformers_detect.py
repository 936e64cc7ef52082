"""DETR, RT-DETR, D-FINE, RF-DETR and their kin from the Hugging Face hub, as ``transformers/OWNER/NAME``.

An optional extra: ``pip install transformers``. Weights are read from safetensors only; no code from the hub is run.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image, Prediction
from models import coco, downloads
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import Size, Thresholds, as_rgb, check_finite, result
from models.torch_detection import TorchDetector

if TYPE_CHECKING:
    import torch

PREFIX = "transformers/"
HUB = "https://huggingface.co/"
FILE = "model.safetensors"
_UNUSED = "N/A"  # how DETR calls the numbers that COCO does not use
# name -> (input, paper); all trained on COCO (some after Objects365)
_KNOWN = {
    "PekingU/rtdetr_r18vd": ((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_r50vd": ((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_r101vd": ((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_v2_r18vd": ((640, 640), "https://arxiv.org/abs/2407.17140"),
    "PekingU/rtdetr_v2_r50vd": ((640, 640), "https://arxiv.org/abs/2407.17140"),
    "ustc-community/dfine-xlarge-coco": ((640, 640), "https://arxiv.org/abs/2410.13842"),
    "Roboflow/rf-detr-base": ((560, 560), "https://github.com/roboflow/rf-detr"),
    "facebook/detr-resnet-50": ((800, 1333), "https://arxiv.org/abs/2005.12872"),
    "facebook/detr-resnet-101": ((800, 1333), "https://arxiv.org/abs/2005.12872"),
}


class Transformers:
    """Object detectors of the ``transformers`` library."""

    settings = ("conf", "max_det")

    def specs(self) -> Iterable[ModelSpec]:
        """A few that are published; any other is loaded by its full name."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``transformers/OWNER/NAME`` of any detector on the hub."""
        repository = name.removeprefix(PREFIX)
        if repository == name or not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository, re.ASCII):
            return None
        return _spec(repository, None, "", ())

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the library is installed and the weights are in the hub's cache."""
        found = downloads.hub_file(_repository(spec), [FILE])
        return found is not None and importlib.util.find_spec("transformers") is not None

    def load(self, spec: ModelSpec, options: LoadOptions) -> TransformersDetector:
        """Load, downloading at first use. Raises InputError without the library, offline, or for no detector."""
        if importlib.util.find_spec("transformers") is None:
            raise InputError(
                f"{spec.name} needs the transformers library, which is not installed: pip install transformers."
            )
        found = downloads.hub_file(_repository(spec), [FILE])
        folder = downloads.download(spec, HUB, lambda: _download(_repository(spec))) if found is None else found.parent
        return from_folder(folder, spec, options)


def from_folder(folder: Path, spec: ModelSpec, options: LoadOptions) -> TransformersDetector:
    """What ``save_pretrained`` wrote: a config, a processor's config and safetensors."""
    from transformers import AutoImageProcessor, AutoModelForObjectDetection
    from transformers.utils import logging

    logging.disable_progress_bar()
    how = {"local_files_only": True, "trust_remote_code": False}
    try:
        net = AutoModelForObjectDetection.from_pretrained(str(folder), use_safetensors=True, **how)
        processor = AutoImageProcessor.from_pretrained(str(folder), **how)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder} cannot be loaded as a detector of transformers: {reason}.") from error
    spec = replace(spec, weights=replace(spec.weights, size_bytes=(folder / FILE).stat().st_size))
    return TransformersDetector(net.float(), processor, spec, options)


class Prepared(NamedTuple):
    """A picture as the processor makes it: (3, h, w) float32, normalised; and its own (height, width)."""

    pixels: NDArray[np.float32]
    size: Size


class Outputs(NamedTuple):
    """What a batch gives, picture by picture: (queries, classes) logits, (queries, 4) boxes, (height, width)."""

    logits: Sequence[torch.Tensor]
    boxes: Sequence[torch.Tensor]
    sizes: Sequence[Size]


class TransformersDetector(TorchDetector):
    """A detection network of ``transformers`` with its own processor before and behind it.

    Args:
        net: on the CPU, in float32.
        processor: its image processor.
        spec: its facts; class names are the network's own, without the numbers that stand for no class.
        options: device, precision, threads, and settings ``conf`` (0.001) and ``max_det`` (300).
        notes: more facts for ``notes``.

    Raises:
        InputError: a wrong setting, no such device, too little memory.
    """

    def __init__(
        self, net: Any, processor: Any, spec: ModelSpec, options: LoadOptions, notes: dict[str, Any] | None = None
    ) -> None:
        self._processor = processor
        self._thresholds = of = Thresholds().with_settings(options.settings)
        names = [str(net.config.id2label[number]) for number in sorted(net.config.id2label)]
        real = [number for number, name in enumerate(names) if name != _UNUSED]
        self._labels = np.full(len(names) + 1, -1)  # DETR has one output more, for "nothing"
        self._labels[real] = np.arange(len(real))
        size = _input_size(processor)
        spec = replace(
            spec,
            class_names=tuple(names[number] for number in real),
            input_size=size,
            preprocessing=f"{type(processor).__name__}, {size[0]}x{size[1]}",
        )
        config = [processor.to_json_string(), of]
        notes = {**(notes or {}), "boxes": f"no NMS, confidence above {of.conf}, best {of.max_det}"}
        super().__init__(net, spec, options, config, notes)
        self.start(*size)

    def preprocess(self, image: Image) -> Prepared:
        """The processor's resize and normalisation."""
        image = as_rgb(image)
        size = image.shape[0], image.shape[1]
        pixels = self._processor(images=image, return_tensors="np", input_data_format="channels_last")["pixel_values"]
        return Prepared(np.asarray(pixels[0], np.float32), size)

    def forward(self, items: Sequence[Prepared]) -> Outputs:
        """Logits and boxes as float32. Raises OutOfMemory if the batch does not fit.

        Pictures of one shape run together, others apart, so that none sees another's padding.
        """
        import torch

        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, item in enumerate(items):
            shapes.setdefault(item.pixels.shape, []).append(place)
        logits: list[Any] = [None] * len(items)
        boxes: list[Any] = [None] * len(items)
        for places in shapes.values():
            with self.running():
                batch = torch.from_numpy(np.stack([items[place].pixels for place in places])).to(self.device)
                found = self.network(pixel_values=batch)
            for number, place in enumerate(places):
                logits[place], boxes[place] = found.logits[number].float(), found.pred_boxes[number].float()
        return Outputs(logits, boxes, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """The processor's choice of boxes, best first, in the picture's pixels."""
        import torch

        with torch.inference_mode():
            return [self._one(*one) for one in zip(*outputs, strict=True)]

    def _one(self, logits: torch.Tensor, boxes: torch.Tensor, size: Size) -> Prediction:
        check_finite(self.spec.name, bool(logits.sum().isfinite() and boxes.sum().isfinite()))
        said = SimpleNamespace(logits=logits[None].cpu(), pred_boxes=boxes[None].cpu())
        of = self._thresholds
        found = self._processor.post_process_object_detection(said, threshold=of.conf, target_sizes=[size])[0]
        scores, numbers = found["scores"].numpy(), self._labels[found["labels"].numpy()]
        kept = np.argsort(-scores, kind="stable")
        kept = kept[numbers[kept] >= 0][: of.max_det]
        return result(self.spec.name, found["boxes"].numpy()[kept], scores[kept], numbers[kept], size)


def _input_size(processor: Any) -> Size:
    size = dict(processor.size or {})
    if "height" in size:
        return int(size["height"]), int(size["width"])
    shortest = int(size.get("shortest_edge") or 800)
    return shortest, int(size.get("longest_edge") or shortest)


def _repository(spec: ModelSpec) -> str:
    return spec.weights.location.removeprefix(HUB)


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, allow_patterns=["*.json", FILE]))


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(_spec(name, size, paper, coco.NAMES) for name, (size, paper) in _KNOWN.items())


def _spec(repository: str, size: Size | None, paper: str, names: tuple[str, ...]) -> ModelSpec:
    return ModelSpec(
        name=PREFIX + repository,
        task="detection",
        family="transformers",
        source="Hugging Face hub, through the transformers library (an optional extra)",
        weights=Weights("url", HUB + repository),
        class_names=names,
        license="Apache-2.0" if names else "unknown",
        paper=paper,
        input_size=size,
        preprocessing="the model's own image processor",
    )
