"""Detectors of the ``transformers`` library (DETR, RT-DETR, D-FINE, RF-DETR and their kin), once they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Image, Prediction
from models.base import LoadOptions, ModelSpec
from models.detection import Size, Thresholds, as_rgb, check_finite, result
from models.torch_detection import TorchDetector

if TYPE_CHECKING:
    import torch

SETTINGS = ("conf", "max_det")
_UNUSED = "N/A"  # how DETR calls the numbers that COCO does not use


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
        size = input_size(processor)
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


def input_size(processor: Any) -> Size:
    """(height, width) that a processor makes of a picture, or its shorter and longest side."""
    size = dict(processor.size or {})
    if "height" in size:
        return int(size["height"]), int(size["width"])
    shortest = int(size.get("shortest_edge") or 800)
    return shortest, int(size.get("longest_edge") or shortest)
