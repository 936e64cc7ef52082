"""Ultralytics' semantic segmenters (YOLO26 ``-sem``), once their network is built.

What happens to a picture equals ``yolo predict`` of that picture alone: letterboxed, padded to the next multiple of
the stride only, and the logits interpolated to the input's size first and from there, without the padding, to the
picture's.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any

from dashboard.errors import InputError
from models import class_names
from models.base import LoadOptions, ModelSpec
from models.detection import LetterBox, flag_setting
from models.preprocessing import LARGEST
from models.segmentation import SETTINGS as COMMON
from models.torch_segment import TorchSegmenter

KIND = "SemanticSegmentationModel"
SETTINGS = tuple(sorted((*COMMON, "rect")))
USUAL = 1024  # pixels a side, where a checkpoint does not say
CITYSCAPES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
"""The 19 classes that are evaluated (Cordts et al. 2016, https://www.cityscapes-dataset.com)."""


def segmenter(
    net: Any,
    spec: ModelSpec,
    options: LoadOptions,
    *,
    image_size: tuple[int, int] = (USUAL, USUAL),
    notes: dict[str, Any] | None = None,
) -> TorchSegmenter:
    """A network of Ultralytics that gives a class for every pixel.

    Args:
        net: a ``SemanticSegmentationModel`` on the CPU, in float32; it is changed in place (folded, moved).
        spec: its facts; class names are taken from the network if empty.
        options: as ``TorchSegmenter`` takes them, and the setting ``rect`` (true; false pads to the full size).
        image_size: (height, width) of the input in pixels; rounded up to the network's stride.
        notes: more facts for ``notes``.

    Raises:
        InputError: another kind of network, a wrong setting, no such device, too little memory, other names than
            classes.
    """
    if type(net).__name__ != KIND:
        raise InputError(f"{spec.name} holds an Ultralytics {type(net).__name__}, not a semantic segmenter.")
    stride = max(int(net.stride.max()), 32)
    height, width = (min(ceil(side / stride) * stride, LARGEST) for side in image_size)
    net.model[-1].aux_head = None  # which only training needs
    names = spec.class_names or class_names.from_value(getattr(net, "names", None))
    rect = flag_setting(options.settings, "rect", True)
    return TorchSegmenter(
        net.float(),
        replace(spec, class_names=names),
        options,
        geometry=LetterBox((height, width), stride, rect=rect),
        multiple=stride,
        notes=notes,
    )
