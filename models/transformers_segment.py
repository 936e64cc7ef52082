"""Semantic segmenters of the ``transformers`` library (SegFormer, UPerNet, Mask2Former, ...), once they are loaded.

The class of a pixel is what the library's ``post_process_semantic_segmentation`` says, which makes a float map of every
class at the picture's size; here only strips of it are ever made. Class names are those of the config: labels that were
reduced for training (``do_reduce_labels``) have no name there, and the network no output for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dashboard.types import Image, Prediction, Segmentation
from models.base import LoadOptions, ModelSpec
from models.detection import Placement, Size, as_rgb, check_finite
from models.preprocessing import input_size_setting
from models.torch_detection import TorchDetector, check_names
from models.transformers_detect import Prepared, input_size
from models.upsampling import Upsampled

if TYPE_CHECKING:
    import torch

SETTINGS = ("classes", "input_size")
_MASKS = (384, 384)  # the size at which the library weighs Mask2Former's masks


class Outputs(NamedTuple):
    """What a batch gives, picture by picture: (C, h, w) scores, the size of the input, (height, width)."""

    scores: Sequence[torch.Tensor]
    inputs: Sequence[Size]
    sizes: Sequence[Size]


class TransformersSegmenter(TorchDetector):
    """A semantic segmentation network of ``transformers`` with its own processor before it.

    Args:
        net: on the CPU, in float32. It gives ``logits`` a class, or ``class_queries_logits`` and
            ``masks_queries_logits`` (Mask2Former, MaskFormer).
        processor: its image processor.
        spec: its facts; class names are the network's own.
        options: device, precision, threads, and the setting ``input_size`` (HxW).
        notes: more facts for ``notes``.

    Raises:
        InputError: a wrong setting, no such device, too little memory, other names than classes.
    """

    def __init__(
        self, net: Any, processor: Any, spec: ModelSpec, options: LoadOptions, notes: dict[str, Any] | None = None
    ) -> None:
        self._processor = processor
        self._asked = input_size_setting(options.settings)
        size = self._asked or input_size(processor)
        names = net.config.id2label
        spec = replace(
            spec,
            class_names=tuple(str(names[number]) for number in sorted(names)),
            input_size=size,
            preprocessing=f"{type(processor).__name__}, {size[0]}x{size[1]}",
        )
        super().__init__(net, spec, options, [processor.to_json_string(), size], notes)
        self._masks = "UniversalSegmentation" in type(net).__name__ or "MaskFormer" in type(net).__name__
        self.start(*size)

    def preprocess(self, image: Image) -> Prepared:
        """The processor's resize and normalisation."""
        image = as_rgb(image)
        size = image.shape[0], image.shape[1]
        more = {"size": {"height": self._asked[0], "width": self._asked[1]}} if self._asked else {}
        found = self._processor(images=image, return_tensors="np", input_data_format="channels_last", **more)
        return Prepared(np.asarray(found["pixel_values"][0], np.float32), size)

    def forward(self, items: Sequence[Prepared]) -> Outputs:
        """Scores as float32 on the device. Raises OutOfMemory if the batch does not fit.

        Pictures of one shape run together, others apart, so that none sees another's padding.
        """
        import torch

        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, item in enumerate(items):
            shapes.setdefault(item.pixels.shape, []).append(place)
        scores: list[Any] = [None] * len(items)
        for places in shapes.values():
            with self.running():
                batch = torch.from_numpy(np.stack([items[place].pixels for place in places])).to(self.device)
                found = self._scores(self.network(pixel_values=batch))
            for place, one in zip(places, found, strict=True):
                scores[place] = one
        inputs = [(item.pixels.shape[1], item.pixels.shape[2]) for item in items]
        return Outputs(scores, inputs, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """The class of every pixel, and probabilities that are made when they are asked for."""
        return [self._one(*one) for one in zip(*outputs, strict=True)]

    def _scores(self, found: Any) -> torch.Tensor:
        """(B, C, h, w) logits; of Mask2Former how much of a pixel's queries is each class, not summing to 1."""
        import torch

        if not self._masks:
            logits: torch.Tensor = found.logits.float()
            return logits
        of_classes = found.class_queries_logits.float().softmax(-1)[..., :-1]  # the last is "nothing"
        masks = torch.nn.functional.interpolate(found.masks_queries_logits.float(), _MASKS, mode="bilinear")
        return torch.einsum("bqc,bqhw->bchw", of_classes, masks.sigmoid())

    def _one(self, scores: torch.Tensor, outer: Size, size: Size) -> Segmentation:
        check_names(self.spec, len(scores))
        check_finite(self.spec.name, bool(scores.isfinite().all()))
        if self._masks:
            scores = scores.clamp(min=float(np.finfo(np.float32).tiny))
        shown = Upsampled(scores, Placement(0, 0, outer, outer), size, direct=True, probabilities=self._masks)
        return Segmentation(shown.class_ids(), probabilities=shown)
