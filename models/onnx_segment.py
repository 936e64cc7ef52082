"""Semantic segmenters as ONNX files: scores a class, or class maps with the choice made in the graph.

What the first output means is told once, at loading, from its shape and type:

- (B, C, h, w) floats: logits, or what the operator at the end of the graph makes of them (softmax, sigmoid), a class
  each; a single one is an object and the background;
- (B, h, w) or (B, 1, h, w) integers: class numbers, as Ultralytics exports them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image, Prediction, Segmentation, class_dtype
from models import class_names, onnx_input, voc
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.detection import LetterBox, Letterboxed, Placement, Size, check_finite
from models.onnx_graph import Graph
from models.onnx_session import Session
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, input_size_setting, normalisation_setting, size_from_file
from models.segmentation import BACKGROUND, Geometry, Resize, geometry_setting, names_of_outputs
from models.torch_adapter import activation_setting
from models.upsampling import Upsampled

SETTINGS = ("activation", "classes", "input_size", "mean", "std")
MULTIPLE = 32  # of which the sides of an input of free size are
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_WHOLE = tuple(f"tensor({kind})" for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "bool"))
_ACTIVATIONS = {"softmax": "none", "sigmoid": "sigmoid", "log_softmax": "softmax", "logits": "softmax"}
_SMALLEST = 1e-6  # of a probability, before its logit is taken


class Outputs(NamedTuple):
    """What a batch gives, picture by picture: (C, h, w) scores or (h, w) class numbers, and (height, width)."""

    maps: Sequence[NDArray[Any]]
    sizes: Sequence[Size]


def gives_maps(session: Session) -> bool:
    """Whether a file is a semantic segmenter's: Ultralytics says so in it, or its first output is a map a picture."""
    if onnx_input.is_ultralytics(session.metadata):
        return session.metadata.get("task", "") == "semantic"
    first = session.outputs[0] if session.outputs else None
    if first is None:
        return False
    if first.type in _WHOLE:
        return len(first.shape) in (3, 4)
    return first.type in _FLOATS and len(first.shape) == 4 and list(first.shape[2:]) != [1, 1]


class OnnxSegmenter(ModelAdapter[Letterboxed, Outputs]):
    """One ONNX file that gives a class, or scores a class, for every pixel.

    An input of fixed size is filled whatever the picture's shape (letterboxed if Ultralytics exported it); one of free
    size gets the picture as it is. What the file does not say of the normalisation is taken as ImageNet's custom.

    Args:
        path: for messages and the spec.
        session: the file, open.
        graph: what was read of it.
        data: the file's bytes.
        options: settings: ``activation`` (softmax, sigmoid, or none for probabilities), ``classes``, ``input_size``,
            ``mean``, ``std``.

    Raises:
        InputError: outputs of another kind, class numbers without names, a wrong setting.
    """

    def __init__(self, path: Path, session: Session, graph: Graph, data: bytes, options: LoadOptions) -> None:
        self._session, self.device = session, session.device
        metadata = session.metadata
        yolo = onnx_input.is_ultralytics(metadata)
        self._input = onnx_input.read_input(path, session.inputs)
        if self._input.channels != 3:
            raise InputError(f"{path} takes grey pictures; only RGB segmenters can be run.")
        first = session.outputs[0]
        self._output, self._chosen = first.name, first.type in _WHOLE
        ending = "class numbers" if self._chosen else graph.ending(first.name)
        self.activation = activation_setting(options, _ACTIVATIONS.get(ending, "none"))
        self._probabilities = ending == "sigmoid"
        try:
            self._geometry = _geometry(self._input, metadata, yolo, options)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        size = getattr(self._geometry, "size", (256, 256))
        onnx_input.check_batch(path, self._input, size)
        told: dict[str, str] = {key: metadata[key].strip("[]() ") for key in ("mean", "std") if key in metadata}
        usual = ((0.0,) * 3, (1.0,) * 3) if yolo else (IMAGENET_MEAN, IMAGENET_STD)
        mean, std = normalisation_setting({**told, **options.settings}, *usual)
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        assumed = not yolo and not {"mean", "std"} <= {*told, *options.settings} and self._input.dtype != np.uint8
        words = "values 0..255" if self._input.dtype == np.uint8 else f"mean {mean}, std {std}"
        self.spec = ModelSpec(
            name=path.name,
            task="semantic-segmentation",
            family="onnx",
            source=f"a file{', exported by Ultralytics' if yolo else ''}",
            weights=Weights("file", str(path), len(data), hashlib.sha256(data).hexdigest()),
            license=metadata.get("license", "unknown").split(" ")[0] or "unknown",
            input_size=size,
            preprocessing=f"{self._geometry}, {words}",
        )
        grey = self.preprocess(np.full((*size, 3), 114, np.uint8))
        (probe,) = session.trial(lambda: self.forward([grey])).maps
        names, origin = class_names.for_file(path, options, metadata)
        if self._chosen:
            names, origin = _names_of_numbers(path, names, origin)
        else:
            background = self.activation == "sigmoid" or len(probe) == 1
            if not names and len(probe) == len(voc.NAMES):
                names, origin = voc.NAMES, "assumed to be VOC's (21 outputs)"
            names = names_of_outputs(str(path), names, len(probe), background)
        self.spec = replace(self.spec, class_names=names)
        self.notes = {
            "threads": session.threads,
            "layout": "channels last" if self._input.channels_last else "channels first",
            "outputs": ending if self._chosen else f"{ending} at the end of the graph, taken as {self.activation}",
            "precision": "as in the file",
            "preprocessing": "assumed, ImageNet's custom" if assumed else "from the file or as set",
            "class names": origin or "unknown, numbered",
        }
        if self._input.batch is not None:
            self.notes["batch size fixed by the file"] = self._input.batch
        config = f"{self.spec.weights.sha256} {self.spec.preprocessing} {self.activation} {self._input}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    def preprocess(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 to the network's input size, still uint8, with the size that it had."""
        return self._geometry.apply(image)

    def forward(self, items: Sequence[Letterboxed]) -> Outputs:
        """The maps as the file gives them; inputs of one size run together. Raises OutOfMemory."""
        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, item in enumerate(items):
            shapes.setdefault(item.pixels.shape, []).append(place)
        maps: list[Any] = [None] * len(items)
        try:
            for places in shapes.values():
                found = self._run(np.stack([items[place].pixels for place in places]))
                for place, one in zip(places, found, strict=True):
                    maps[place] = one
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error
        return Outputs(maps, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """The class of every pixel; probabilities, where the file gives scores, are made when asked for."""
        one = self._numbers if self._chosen else self._scores
        return [one(found, size) for found, size in zip(outputs.maps, outputs.sizes, strict=True)]

    def close(self) -> None:
        """Drop the session."""
        self._session.close()

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        if self._input.dtype != np.uint8:
            batch = ((batch.astype(np.float32) / 255 - self._mean) / self._std).astype(self._input.dtype)
        if not self._input.channels_last:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        (found,) = self._session.run([self._output], self._input.name, batch, self._input.batch)
        if self._chosen and found.ndim == 4 and found.shape[1] == 1:
            found = found[:, 0]
        if found.ndim != (3 if self._chosen else 4) or not found.size:
            wanted = "(B, h, w) class numbers" if self._chosen else "(B, classes, h, w) scores"
            raise InputError(f"{self.spec.name} is no semantic segmenter: {wanted} were expected, got {found.shape}.")
        return found

    def _scores(self, found: NDArray[Any], size: Size) -> Segmentation:
        import torch

        scores = torch.from_numpy(np.ascontiguousarray(found, np.float32))
        check_finite(self.spec.name, bool(scores.isfinite().all()))
        if self.activation == "none" and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
            raise InputError(
                f"{self.spec.name} gives {scores.min():.3g}..{scores.max():.3g}, not probabilities: load it with "
                "--set activation=softmax (or sigmoid)."
            )
        if self._probabilities or (self.activation == "none" and len(scores) == 1):
            scores = scores.clamp(_SMALLEST, 1 - _SMALLEST).logit()
        alone = self.activation == "sigmoid" or len(scores) == 1
        if alone:  # the softmax of (0, x) is (1 - sigmoid(x), sigmoid(x))
            scores = torch.cat([torch.zeros_like(scores[:1]), scores])
        given = self.activation == "none" and not alone
        shown = Upsampled(scores, self._geometry.place(size), size, probabilities=given)
        return Segmentation(shown.class_ids(), probabilities=shown)

    def _numbers(self, found: NDArray[Any], size: Size) -> Segmentation:
        classes = len(self.spec.class_names)
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= classes:
            raise InputError(
                f"{self.spec.name} gives class {low if low < 0 else high}, but has {classes} class names: give all "
                "with --set classes=FILE."
            )
        rows, columns = _nearest(found.shape, self._geometry.place(size), size)
        ids: Any = found[rows[:, None], columns].astype(class_dtype(classes))
        return Segmentation(ids)


def _geometry(wanted: onnx_input.Input, metadata: Mapping[str, str], yolo: bool, options: LoadOptions) -> Geometry:
    """How pictures go in. Raises InputError, not naming the file."""
    if wanted.size is None:
        told = onnx_input.size_in(metadata)
        default = LetterBox(size_from_file(*(told or (640, 640)))) if yolo else Resize(None, MULTIPLE)
        return geometry_setting(options.settings, default, MULTIPLE)
    asked = None if options.settings.get("input_size") == "native" else input_size_setting(options.settings)
    if "input_size" in options.settings and asked != wanted.size:
        words = options.settings["input_size"][:40]
        raise InputError(f"input_size={words} is not what the file takes: {wanted.size[0]}x{wanted.size[1]}.")
    return LetterBox(wanted.size if asked else size_from_file(*wanted.size), stretch=not yolo)


def _names_of_numbers(path: Path, names: tuple[str, ...], origin: str) -> tuple[tuple[str, ...], str]:
    """A graph that has made the choice does not tell how many classes there are."""
    if not names:
        raise InputError(f"{path} does not say what its classes are: give their names with --set classes=FILE.")
    return (names if len(names) > 1 else (BACKGROUND, *names)), origin


def _nearest(shape: Sequence[int], where: Placement, size: Size) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a class map for the picture's, as torch's ``interpolate(mode="nearest")`` twice."""

    def places(length: int, to: int) -> NDArray[np.int64]:
        scale = np.float32(length) / np.float32(to)
        return np.minimum((np.arange(to, dtype=np.float32) * scale).astype(np.int64), length - 1)

    found = []
    for axis, before in enumerate((where.top, where.left)):
        inside = places(shape[axis], where.outer[axis])[before : before + where.inner[axis]]
        found.append(inside[places(where.inner[axis], size[axis])])
    return found[0], found[1]
