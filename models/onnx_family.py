"""ONNX classifiers through onnxruntime: layout, size, classes and output activation are read from the file.

Whether the outputs are logits or probabilities is decided once, by the operator that ends the graph (or by
``--set activation=...``), never by looking at a batch's values. What the file does not say is taken as ImageNet's
custom and noted: ``input_size=HxW``, ``mean=``, ``std=``, ``interpolation=``, ``crop_pct=`` and ``classes=FILE``
change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Classification, Image, Prediction
from models import class_names, onnx_graph
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, ResizeCrop, input_size_setting, normalisation_setting
from models.sniff import sniff

Item = NDArray[np.uint8]
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_ENDINGS = {"softmax": "none", "sigmoid": "none", "log_softmax": "exp", "logits": "softmax"}


class Onnx:
    """Loads files only; there is nothing to list."""

    def specs(self) -> Iterable[ModelSpec]:
        """Nothing: these are files."""
        return ()

    def is_here(self, spec: ModelSpec) -> bool:
        """A file is here."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> OnnxClassifier:
        """The file behind ``spec``."""
        return self.load_file(Path(spec.weights.location), options)

    def accepts(self, path: Path, head: bytes) -> bool:
        """A protobuf that begins as ONNX does."""
        del head
        return sniff(path).name == "onnx"

    def load_file(self, path: Path, options: LoadOptions) -> OnnxClassifier:
        """Load. Raises InputError: damaged, in several files, custom operators, or no image classifier."""
        data = path.read_bytes()
        try:
            graph = onnx_graph.parse(data)
        except ValueError as error:
            raise InputError(f"{path} is not an ONNX file, or is cut off ({error}): export it again.") from error
        if graph.external:
            raise InputError(
                f"{path} keeps its weights in other files: save it as one file (save_as_external_data off)."
            )
        if graph.domains:
            names = ", ".join(sorted(graph.domains))
            raise InputError(
                f"{path} uses operators of its own ({names}), which would need foreign code: export without."
            )
        try:
            return OnnxClassifier(path, data, graph, options)
        except UnicodeDecodeError as error:  # names inside the file; onnxruntime decodes them late
            raise InputError(f"{path} is damaged: a name in it is no text; export it again.") from error


@dataclass(frozen=True)
class _Input:
    """How the network wants its pictures."""

    name: str
    dtype: Any
    channels: int
    channels_last: bool
    batch: int | None  # fixed by the file, or None
    size: tuple[int, int] | None


class OnnxClassifier(ModelAdapter[Item, NDArray[np.float32]]):
    """One ONNX file, loaded.

    Args:
        path: for messages and the spec.
        data: the file's bytes.
        graph: what was read of them.
        options: device, threads, settings.
    """

    def __init__(self, path: Path, data: bytes, graph: onnx_graph.Graph, options: LoadOptions) -> None:
        from models.torch_adapter import activation_setting, cpu_threads

        self._threads = cpu_threads(options)
        self._session, self.device = _session(path, data, options, self._threads)
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self._input = _input(path, self._session.get_inputs())
        self._output = _output(path, self._session.get_outputs())
        yolo = "ultralytics" in metadata.get("author", "").lower() or {"task", "stride"} <= metadata.keys()
        if yolo and metadata.get("task", "classify") != "classify":
            raise InputError(f"{path} is an Ultralytics model for {metadata['task']}, not a classifier.")

        self._ending = graph.ending(self._output)
        wanted = activation_setting(options, _ENDINGS[self._ending]) if "activation" in options.settings else None
        self.activation = wanted or _ENDINGS[self._ending]
        self.multilabel = self.activation == "sigmoid" or (self.activation == "none" and self._ending == "sigmoid")

        geometry, mean, std, assumed = _preprocessing(self._input, metadata, yolo, options)
        self._geometry = geometry
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        words = f"{geometry}, mean {mean}, std {std}" if self._input.dtype != np.uint8 else f"{geometry}, values 0..255"

        self.notes = {
            "threads": self._threads,
            "layout": "channels last" if self._input.channels_last else "channels first",
            "outputs": f"{self._ending} at the end of the graph, then {self.activation}",
            "precision": "as in the file",
            "preprocessing": "assumed, ImageNet's custom" if assumed else "from the file or as set",
        }
        if self._input.batch is not None:
            self.notes["batch size fixed by the file"] = self._input.batch
        self.spec = ModelSpec(
            name=path.name,
            task="classification",
            family="onnx",
            source=f"a file{', exported by Ultralytics' if yolo else ''}",
            weights=Weights("file", str(path), len(data), hashlib.sha256(data).hexdigest()),
            license=metadata.get("license", "unknown").split(" ")[0] or "unknown",
            input_size=geometry.crop,
            preprocessing=words,
        )
        count = self.forward([np.zeros((*geometry.crop, self._input.channels), np.uint8)]).shape[1]
        self.spec = _with_classes(self.spec, count, path, options, metadata, self.notes)
        config = f"{self.spec.weights.sha256} {words} {self.activation} {self._input}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    def preprocess(self, image: Image) -> Item:
        """(H, W, 3) uint8 to (h, w, C) uint8 at the network's input size."""
        pixels = self._geometry(image)
        if self._input.channels == 1:
            import PIL.Image

            pixels = np.array(PIL.Image.fromarray(pixels).convert("L"))[:, :, None]
        return pixels

    def forward(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """(B, C) float32 as the file gives them. Raises OutOfMemory."""
        if self._session is None:
            raise ValueError(f"{self.spec.name} has been closed")
        batch = np.stack(items)
        if self._input.dtype != np.uint8:
            batch = ((batch.astype(np.float32) / 255 - self._mean) / self._std).astype(self._input.dtype)
        if not self._input.channels_last:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        size = self._input.batch or len(batch)
        return np.concatenate([self._run(batch[i : i + size], size) for i in range(0, len(batch), size)])

    def postprocess(self, outputs: NDArray[np.float32]) -> list[Prediction]:
        """To probabilities, by the rule chosen at loading."""
        scores = outputs.astype(np.float64)
        if self.activation == "softmax":
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        elif self.activation == "sigmoid":
            scores = 0.5 * (1 + np.tanh(0.5 * scores))
        elif self.activation == "exp":
            scores = np.exp(scores)
        if not np.isfinite(scores).all():
            raise InputError(f"{self.spec.name} gives outputs that are not numbers (NaN): the file is damaged.")
        if scores.min() < -1e-3 or scores.max() > 1 + 1e-3:
            raise InputError(
                f"{self.spec.name} gives {scores.min():.3g}..{scores.max():.3g}, not probabilities: load it with "
                "--set activation=softmax (or sigmoid)."
            )
        return [Classification(row, self.multilabel) for row in scores.clip(0, 1).astype(np.float32)]

    def close(self) -> None:
        """Drop the session."""
        self._session = None

    def _run(self, batch: NDArray[Any], size: int) -> NDArray[np.float32]:
        have = len(batch)
        if have < size:  # the file takes exactly ``size``
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - have, axis=0)])
        try:
            outputs = self._session.run([self._output], {self._input.name: batch})[0]
        except Exception as error:
            text = str(error)
            if any(sign in text for sign in ("Failed to allocate", "out of memory", "bad allocation", "OUT_OF_MEMORY")):
                raise OutOfMemory(text.splitlines()[0]) from error
            height, width = self._geometry.crop
            raise InputError(
                f"{self.spec.name} does not take {height}x{width} pictures: give its size with --set input_size=HxW "
                f"({' '.join(text.split())[:160]})."
            ) from error
        outputs = np.asarray(outputs, np.float32)
        if outputs.shape[0] != size or outputs.size == 0 or outputs.size != size * max(outputs.shape[1:], default=0):
            raise InputError(
                f"{self.spec.name} is not a classifier: one row of scores a picture was expected, got {outputs.shape}."
            )
        return outputs.reshape(size, -1)[:have]


def _session(path: Path, data: bytes, options: LoadOptions, threads: int) -> tuple[Any, str]:
    import onnxruntime

    device, providers = "cpu", ["CPUExecutionProvider"]
    name = options.device.lower()
    if name.startswith("cuda") or name == "auto":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            number = name.partition(":")[2] or "0"
            device, providers = f"cuda:{number}", [("CUDAExecutionProvider", {"device_id": number}), *providers]  # type: ignore[list-item]
        elif name != "auto":
            raise InputError(f"Device {options.device!r} cannot be used for {path.name}: this onnxruntime has no CUDA.")
    elif name != "cpu":
        raise InputError(f"Device must be 'auto', 'cpu' or 'cuda:N', got {options.device!r}.")
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = threads
    how.inter_op_num_threads = 1
    how.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, how, providers=providers, enable_fallback=0)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded by onnxruntime; it is damaged or too new: {text}") from error
    if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():  # CUDA's libraries did not load
        if name != "auto":
            raise InputError(f"Device {options.device!r} cannot be used for {path.name}: onnxruntime finds no CUDA.")
        device = "cpu"
    return session, device


def _input(path: Path, inputs: list[Any]) -> _Input:
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _TYPES:
        got = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise InputError(f"{path} is no image classifier: one 4-dimensional float input was expected, got {got}.")
    first = inputs[0]
    shape = [d if isinstance(d, int) and d > 0 else None for d in first.shape]
    if shape[1] in (1, 3):
        last, channels, size = False, shape[1], shape[2:]
    elif shape[3] in (1, 3):
        last, channels, size = True, shape[3], shape[1:3]
    else:
        raise InputError(f"{path} takes {first.shape}: 3 (RGB) or 1 (grey) channels were expected, first or last.")
    fixed = (size[0], size[1]) if size[0] and size[1] else None
    return _Input(first.name, _TYPES[first.type], channels, last, shape[0], fixed)


def _output(path: Path, outputs: list[Any]) -> str:
    fits = [o.name for o in outputs if o.type in ("tensor(float)", "tensor(float16)", "tensor(double)")]
    if not fits:
        raise InputError(f"{path} is no classifier that can be read: it gives no table of scores.")
    return fits[0]


def _preprocessing(
    wanted: _Input, metadata: Mapping[str, str], yolo: bool, options: LoadOptions
) -> tuple[ResizeCrop, tuple[float, ...], tuple[float, ...], bool]:
    """(geometry, mean, std, whether the normalisation is an assumption)."""
    told = {key: metadata[key].strip("[]() ") for key in ("mean", "std") if key in metadata}
    settings = {**told, **options.settings}
    assumed = not yolo and not {"mean", "std"} <= settings.keys() and wanted.dtype != np.uint8
    defaults = ((0.0,) * 3, (1.0,) * 3) if yolo else (IMAGENET_MEAN, IMAGENET_STD)
    mean, std = normalisation_setting(settings, *(numbers[: wanted.channels] for numbers in defaults))
    asked = input_size_setting(options.settings)
    if asked and wanted.size and asked != wanted.size:
        raise InputError(f"input_size={asked[0]}x{asked[1]} is not what the file takes: {wanted.size}.")
    size = wanted.size or asked or input_size_setting(_size_in(metadata)) or (224, 224)
    interpolation = settings.get("interpolation", metadata.get("interpolation", "bilinear" if yolo else "bicubic"))
    if interpolation not in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"):
        raise InputError(f"interpolation must be bilinear, bicubic, lanczos, box or nearest, got {interpolation!r}.")
    if size[0] != size[1]:
        return ResizeCrop(size, size, interpolation), mean, std, assumed
    try:
        crop = float(settings.get("crop_pct", metadata.get("crop_pct", "1" if yolo else "0.875")))
    except ValueError:
        crop = 0.0
    if not 0.1 <= crop <= 1:
        raise InputError(f"crop_pct must be in 0.1..1, got {settings.get('crop_pct')!r}.")
    return ResizeCrop(size, round(size[0] / crop), interpolation), mean, std, assumed


def _size_in(metadata: Mapping[str, str]) -> dict[str, str]:
    numbers = "".join(c if c.isdigit() else " " for c in metadata.get("imgsz", metadata.get("input_size", ""))).split()
    return {"input_size": "x".join(numbers[-2:])} if numbers else {}


def _with_classes(
    spec: ModelSpec, count: int, path: Path, options: LoadOptions, metadata: Mapping[str, str], notes: dict[str, Any]
) -> ModelSpec:
    from dataclasses import replace

    from models.torch_adapter import numbered

    names, origin = class_names.for_file(path, options, metadata)
    ids = class_names.ids_for(names)
    if not names:
        names, ids, origin = class_names.for_count(count)
    if not names:
        names, origin = numbered(count), "unknown, numbered"
    if len(names) != count:
        raise InputError(f"{path} has {count} outputs but {len(names)} class names were given ({origin}).")
    notes["class names"] = origin
    return replace(spec, class_names=names, class_ids=ids)
