"""Ultralytics' detectors and instance segmenters (YOLOv3 to YOLO26, RT-DETR), once their network is built.

What happens to a picture equals ``yolo predict`` with ``rect=False``, its masks those of ``retina_masks=True``; the
thresholds are those of ``yolo val``. That command also pads each batch of pictures of like shape to a rectangle of its
own, so a picture's boxes depend on its batch there; here they do not, and AP may differ in the third digit. Unlike
``predict``, detections whose mask is empty are kept, as ``val`` keeps them.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dashboard.errors import InputError
from dashboard.types import Image, Prediction
from models import yolo_output
from models.base import LoadOptions, ModelSpec
from models.detection import LetterBox, Letterboxed, Size, Thresholds, check_finite, flag_setting, result
from models.preprocessing import LARGEST, input_size_setting
from models.torch_detection import TorchDetector, check_names

if TYPE_CHECKING:
    import torch
    from torch import nn

SETTINGS = ("conf", "input_size", "iou", "max_det", "multi_label", "nms", "rect")
TASKS = {
    "DetectionModel": "detection",
    "RTDETRDetectionModel": "detection",
    "SegmentationModel": "instance-segmentation",
}


class Outputs(NamedTuple):
    """What a batch gives, picture by picture.

    Attributes:
        rows: per picture, the head's numbers: (4 + classes + E, anchors) raw, or (N, 6 + E) if the head suppresses.
        prototypes: per picture, (P, h, w), or empty without masks.
        sizes: (height, width) of each picture.
    """

    rows: Sequence[torch.Tensor]
    prototypes: Sequence[torch.Tensor]
    sizes: Sequence[Size]


class UltralyticsDetector(TorchDetector):
    """A network of Ultralytics that finds boxes, or boxes and masks.

    Args:
        net: a ``DetectionModel``, ``SegmentationModel`` or ``RTDETRDetectionModel`` on the CPU, in float32; it is
            changed in place (folded, moved).
        spec: its facts; ``task``, ``input_size`` and ``preprocessing`` are filled in, ``class_names`` from the network
            if empty.
        options: device, precision, folding, threads, and settings: ``conf`` (0.001), ``iou`` (0.7), ``max_det`` (300;
            100 with masks, as COCO counts at most a hundred objects a picture), ``multi_label`` (true: an anchor may
            give several classes, as in ``yolo val``; ``yolo predict`` has false), ``nms`` (true; false takes the
            NMS-free head of YOLO26 and YOLOv10, as Ultralytics' own ``nms=False``), ``rect`` (false; true pads to
            the next multiple of the stride only), ``input_size``.
        image_size: side, or (height, width), of the input in pixels; rounded up to the network's stride.
        notes: more facts for ``notes``.

    Raises:
        InputError: another kind of network, a wrong setting, no such device, too little memory, as many names as there
            are not classes.
    """

    def __init__(
        self,
        net: nn.Module,
        spec: ModelSpec,
        options: LoadOptions,
        *,
        image_size: int | tuple[int, int] = 640,
        notes: dict[str, Any] | None = None,
    ) -> None:
        kind = type(net).__name__
        if kind not in TASKS:
            raise InputError(f"{spec.name} holds an Ultralytics {kind}, not a detector or an instance segmenter.")
        from models import class_names

        self._masked = TASKS[kind] == "instance-segmentation"
        self._wants_masks = self._masked and options.task != "detection"  # they cost as much as the network, if small
        self._normalised = kind == "RTDETRDetectionModel"  # its boxes are fractions of the picture
        self._thresholds = Thresholds(max_det=100 if self._masked else 300).with_settings(options.settings)
        self._multi_label = flag_setting(options.settings, "multi_label", True)
        head: Any = net.model[-1]  # type: ignore[index]
        can_do_without = getattr(head, "one2one_cv2", None) is not None
        self._suppressed = self._normalised or (can_do_without and not flag_setting(options.settings, "nms", True))

        asked = image_size if isinstance(image_size, tuple) else (image_size, image_size)
        stride = max(int(net.stride.max()), 32) if hasattr(net, "stride") else 32  # type: ignore[operator, union-attr]
        height, width = (ceil(side / stride) * stride for side in input_size_setting(options.settings) or asked)
        if max(height, width) > LARGEST:
            raise InputError(f"{spec.name} takes multiples of {stride} pixels, and no picture of {height}x{width}.")
        rect = flag_setting(options.settings, "rect", False) and not self._normalised
        self._geometry = LetterBox((height, width), stride, rect=rect, stretch=self._normalised)

        self._classes = int(head.nc)
        spec = replace(
            spec,
            task=TASKS[kind],
            class_names=spec.class_names or class_names.from_value(getattr(net, "names", None)),
            input_size=(height, width),
            preprocessing=f"{self._geometry}, values 0..1",
        )
        spec = replace(spec, class_names=check_names(spec, self._classes))
        config = [str(self._geometry), self._thresholds, self._multi_label, self._suppressed]
        super().__init__(net.float(), spec, options, config, notes)
        self.notes = {**self.notes, "boxes": self._words()}
        if can_do_without:
            head.end2end = self._suppressed  # before folding, which removes the other head
            head.max_det = max(self._thresholds.max_det, 300)
        if options.fuse:
            self.notes = {**self.notes, "batch norms folded": _fold(net)}
        self.start(height, width)

    def preprocess(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 to the network's input size, still uint8, with the size that it had."""
        return self._geometry.apply(image)

    def forward(self, items: Sequence[Letterboxed]) -> Outputs:
        """The head's numbers as float32 on the device. Raises OutOfMemory if the batch does not fit."""
        shapes: dict[tuple[int, ...], list[int]] = {}  # one, unless padding is to the stride only
        for place, item in enumerate(items):
            shapes.setdefault(item.pixels.shape, []).append(place)
        rows: list[Any] = [None] * len(items)
        prototypes: list[Any] = [None] * len(items)
        for places in shapes.values():
            with self.running():
                found = self.network(self.batch([items[place].pixels for place in places]))[0]
                boxes, masks = found if self._masked else (found, None)
                boxes = boxes.float()
                masks = masks.float() if masks is not None and self._wants_masks else None
            for number, place in enumerate(places):
                rows[place] = boxes[number]
                prototypes[place] = None if masks is None else masks[number]
        return Outputs(rows, prototypes if self._wants_masks else (), [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """Suppress, undo the letterbox, clip to the picture; masks as run lengths at the picture's resolution."""
        import torch

        with torch.inference_mode():
            return [self._one(outputs, place) for place in range(len(outputs.sizes))]

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """How many times faster a batch runs since batch norms are folded; measured now, in alternation."""
        if not self.notes.get("batch norms folded"):
            return 1.0
        height, width = self._geometry.size
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        with self.running():
            batch = self.batch([noise] * batch_size)
        plain = _unfolded(self.network).to(self.device)
        times: dict[nn.Module, list[float]] = {self.network: [], plain: []}
        for turn in range(rounds + 1):
            for net, seconds in times.items():
                start = time.perf_counter()
                with self.running():
                    net(batch)
                if turn:  # the first warms up
                    seconds.append(time.perf_counter() - start)
        folded, unfolded = (statistics.median(seconds) for seconds in times.values())
        self.notes = {**self.notes, "fusion gain": round(unfolded / folded, 3)}
        return unfolded / folded

    def _one(self, outputs: Outputs, place: int) -> Prediction:
        size, rows = outputs.sizes[place], outputs.rows[place]
        check_finite(self.spec.name, bool(rows.sum().isfinite()))  # a score that is NaN is below any threshold
        if self._suppressed:
            kept = yolo_output.best(rows, self._thresholds)
        else:
            kept = yolo_output.suppress(rows, self._classes, self._thresholds, self._multi_label)
        found = kept.cpu().numpy()
        if self._normalised:
            boxes = yolo_output.corners(found[:, :4], size)
        else:
            boxes = self._geometry.restore(found[:, :4], size)
        answer = result(self.spec.name, boxes, found[:, 4], found[:, 5], size)
        if not self._wants_masks:
            return answer
        prototypes = outputs.prototypes[place].cpu().numpy()
        masks = yolo_output.instance_masks(found[:, 6:], prototypes, answer.xyxy, self._geometry.place(size), size)
        return replace(answer, masks=masks)

    def _words(self) -> str:
        of = self._thresholds
        if self._suppressed:
            return f"best {of.max_det} of the network's own, confidence above {of.conf}"
        several = "several classes" if self._multi_label else "the best class"
        return f"NMS at IoU {of.iou}, confidence above {of.conf}, best {of.max_det}, {several} an anchor"


def _unfolded(net: nn.Module) -> nn.Module:
    """A copy with batch norms where there were some: its values are others, its work is that of the original."""
    from torch.nn import BatchNorm2d

    plain = copy.deepcopy(net)
    for module in plain.modules():
        if type(module).__name__ in ("Conv", "DWConv") and module.__dict__.pop("forward", None) is not None:
            layer: Any = module
            layer.bn = BatchNorm2d(layer.conv.out_channels).eval()
    return plain


def _fold(net: Any) -> int:
    """Ultralytics' own folding: batch norms into convolutions, unused heads dropped. How many norms went."""
    from torch import nn

    def norms() -> int:
        return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())

    before = norms()
    net.fuse(verbose=False)
    return before - norms()
