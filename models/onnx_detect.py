"""YOLO detectors and segmenters exported to ONNX: raw boxes, or with suppression in the graph, with or without masks.

What the outputs mean is told once, at loading, from their shapes:

- (B, 4 + classes [+ P], anchors): raw, suppressed here as Ultralytics does;
- (B, N, 6 [+ P]): corners, score and class, suppressed in the graph (``nms=True``) or needing none (YOLO26, YOLOv10);
- the latter with ``head: RTDETRDecoder`` in the metadata: centre, width and height as fractions of the picture;
- a second output (B, P, h, w): the prototypes of masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image, Prediction
from models import class_names, coco, onnx_input, yolo_output
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.detection import LetterBox, Letterboxed, Size, Thresholds, check_finite, flag_setting, result
from models.onnx_session import Session
from models.preprocessing import input_size_setting, size_from_file
from models.torch_adapter import numbered

SETTINGS = ("conf", "input_size", "iou", "max_det", "multi_label")
TASKS = ("detect", "segment")  # as Ultralytics calls them
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")


class Outputs(NamedTuple):
    """What a batch gives.

    Attributes:
        rows: (B, ..., ...) the first output.
        prototypes: (B, P, h, w), or None without masks.
        sizes: (height, width) of each picture.
    """

    rows: NDArray[Any]
    prototypes: NDArray[Any] | None
    sizes: Sequence[Size]


@dataclass(frozen=True)
class Layout:
    """What the outputs are.

    Attributes:
        classes: how many; None if the outputs do not tell.
        suppressed: rows of corners, score and class; otherwise raw.
        fractions: boxes are fractions of the picture, centre first.
        masks: numbers a box that weigh prototypes, 0 without masks.
    """

    classes: int | None
    suppressed: bool
    fractions: bool
    masks: int


def finds_objects(session: Session) -> bool:
    """Whether a file is a detector's: Ultralytics says so in it, or its first output is a table a picture."""
    if onnx_input.is_ultralytics(session.metadata):
        return session.metadata.get("task", "") in TASKS
    first = session.outputs[0] if session.outputs else None
    return first is not None and len(first.shape) == 3 and 1 not in first.shape[1:] and first.type in _FLOATS


class OnnxDetector(ModelAdapter[Letterboxed, Outputs]):
    """One ONNX file that finds boxes, or boxes and masks.

    Args:
        path: for messages and the spec.
        session: the file, open.
        data: the file's bytes.
        options: settings: ``conf`` (0.001), ``iou`` (0.7), ``max_det`` (300; 100 with masks), ``multi_label``,
            ``input_size``, ``classes``.

    Raises:
        InputError: outputs of another kind, no class names where the outputs do not tell their number, a wrong setting.
    """

    def __init__(self, path: Path, session: Session, data: bytes, options: LoadOptions) -> None:
        self._session, self.device = session, session.device
        metadata = session.metadata
        self._input = onnx_input.read_input(path, session.inputs)
        if self._input.channels != 3:
            raise InputError(f"{path} takes grey pictures; only RGB detectors can be run.")
        try:
            size = _size(self._input, metadata, options)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        onnx_input.check_batch(path, self._input, size)
        fractions = metadata.get("head", "") == "RTDETRDecoder"
        self._geometry = LetterBox(size, stretch=fractions)
        self._wanted = [o.name for o in session.outputs if len(o.shape) in (3, 4) and o.type in _FLOATS][:2]
        # the layout is not known yet, but what it takes to run is
        self._layout = Layout(None, True, fractions, 0)
        self.spec = ModelSpec(
            name=path.name,
            task="detection",
            family="onnx",
            source=f"a file{', exported by Ultralytics' if onnx_input.is_ultralytics(metadata) else ''}",
            weights=Weights("file", str(path), len(data), hashlib.sha256(data).hexdigest()),
            license=metadata.get("license", "unknown").split(" ")[0] or "unknown",
            input_size=size,
            preprocessing=f"{self._geometry}, values {'0..255' if self._input.dtype == np.uint8 else '0..1'}",
        )
        grey = Letterboxed(np.full((*size, 3), 114, np.uint8), size)
        shapes = session.trial(lambda: self._shapes([grey]))
        self._layout = _layout(path, shapes, fractions)
        names, origin = _names(path, self._layout.classes, options, metadata)
        task = "instance-segmentation" if self._layout.masks else "detection"
        self.spec = replace(self.spec, task=task, class_names=names)
        self._thresholds = Thresholds(max_det=100 if self._layout.masks else 300).with_settings(options.settings)
        self._multi_label = flag_setting(options.settings, "multi_label", True)
        of = self._thresholds
        where = "in the graph or none" if self._layout.suppressed else f"at IoU {of.iou}"
        self.notes = {
            "threads": session.threads,
            "layout": "channels last" if self._input.channels_last else "channels first",
            "boxes": f"NMS {where}, confidence above {of.conf}, best {of.max_det}",
            "precision": "as in the file",
            "class names": origin,
        }
        if self._input.batch is not None:
            self.notes["batch size fixed by the file"] = self._input.batch
        config = f"{self.spec.weights.sha256} {self._geometry} {self._layout} {of} {self._multi_label}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    def preprocess(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 to the network's input size, still uint8, with the size that it had."""
        return self._geometry.apply(image)

    def forward(self, items: Sequence[Letterboxed]) -> Outputs:
        """The outputs as the file gives them. Raises OutOfMemory."""
        try:
            batch = np.stack([item.pixels for item in items])
            if not self._input.channels_last:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            if self._input.dtype != np.uint8:
                batch = np.multiply(batch, np.float32(1 / 255), dtype=np.float32).astype(self._input.dtype, copy=False)
            found = self._session.run(self._wanted, self._input.name, batch, self._input.batch)
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error
        prototypes = found[1] if len(found) > 1 else None
        return Outputs(found[0], prototypes, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """Suppress where the graph has not, undo the letterbox, clip; masks as run lengths at the picture's size."""
        import torch

        with torch.inference_mode():
            return [self._one(outputs, place) for place in range(len(outputs.sizes))]

    def close(self) -> None:
        """Drop the session."""
        self._session.close()

    def _one(self, outputs: Outputs, place: int) -> Prediction:
        import torch

        size, layout = outputs.sizes[place], self._layout
        rows = torch.from_numpy(np.asarray(outputs.rows[place], np.float32))
        check_finite(self.spec.name, bool(rows.sum().isfinite()))
        if layout.suppressed:
            kept = yolo_output.best(rows, self._thresholds).numpy()
        else:
            classes = len(self.spec.class_names)
            kept = yolo_output.suppress(rows, classes, self._thresholds, self._multi_label).numpy()
        number = kept[:, 5]
        if len(number) and not 0 <= number.min() <= number.max() < len(self.spec.class_names):
            raise InputError(
                f"{self.spec.name} gives class {number.max():.0f}, but has {len(self.spec.class_names)} class names: "
                "give all with --set classes=FILE."
            )
        boxes = (
            yolo_output.corners(kept[:, :4], size) if layout.fractions else self._geometry.restore(kept[:, :4], size)
        )
        answer = result(self.spec.name, boxes, kept[:, 4], number, size)
        if outputs.prototypes is None or not layout.masks:
            return answer
        prototypes = np.asarray(outputs.prototypes[place], np.float32)
        where = self._geometry.place(size)
        masks = yolo_output.instance_masks(kept[:, 6:], prototypes, answer.xyxy, where, size)
        return replace(answer, masks=masks)

    def _shapes(self, items: Sequence[Letterboxed]) -> list[tuple[int, ...]]:
        found = self.forward(items)
        return [one.shape for one in (found.rows, found.prototypes) if one is not None]


def _layout(path: Path, shapes: Sequence[tuple[int, ...]], fractions: bool) -> Layout:
    """What outputs of these shapes are. Raises InputError if they are none that is known."""
    words = ", ".join(str(shape[1:]) for shape in shapes)
    known = len(shapes[0]) == 3 and (len(shapes) == 1 or len(shapes[1]) == 4)
    masks = shapes[1][1] if known and len(shapes) == 2 else 0
    if known and shapes[0][2] == 6 + masks:
        return Layout(None, True, fractions, masks)
    if not known or fractions or not 4 + masks < shapes[0][1] < shapes[0][2]:
        raise InputError(
            f"{path} gives {words} a picture: (4 + classes, anchors) or (N, 6), and for masks (P, h, w), were "
            "expected; export it again with a recent Ultralytics. A class for every pixel must be whole numbers "
            "(h, w) or scores (classes, h, w)."
        )
    return Layout(shapes[0][1] - 4 - masks, False, False, masks)


def _names(
    path: Path, count: int | None, options: LoadOptions, metadata: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    names, origin = class_names.for_file(path, options, metadata)
    if not names and count == len(coco.NAMES):
        names, origin = coco.NAMES, "assumed to be COCO's (80 classes)"
    if not names and count is None:
        raise InputError(f"{path} does not say what its classes are: give their names with --set classes=FILE.")
    if not names and count is not None:
        names, origin = numbered(count), "unknown, numbered"
    if count is not None and len(names) != count:
        raise InputError(f"{path} has {count} classes but {len(names)} class names were given ({origin}).")
    return names, origin


def _size(wanted: onnx_input.Input, metadata: Mapping[str, str], options: LoadOptions) -> Size:
    """(height, width): the file's, else as set, else as exported, else 640. Raises InputError, not naming the file."""
    asked = input_size_setting(options.settings)
    if asked and wanted.size and asked != wanted.size:
        raise InputError(f"input_size={asked[0]}x{asked[1]} is not what the file takes: {wanted.size}.")
    return asked or size_from_file(*(wanted.size or onnx_input.size_in(metadata) or (640, 640)))
