"""ONNX classifiers through onnxruntime: layout, size, classes and output activation are read from the file.

Whether the outputs are logits or probabilities is decided once, by the operator that ends the graph (or by
``--set activation=...``), never by looking at a batch's values. What the file does not say is taken as ImageNet's
custom and noted: ``input_size=HxW``, ``mean=``, ``std=``, ``interpolation=``, ``crop_pct=`` and ``classes=FILE``
change it.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Classification, Image, Prediction
from models import class_names, onnx_graph, onnx_input
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.sniff import sniff

Item = NDArray[np.uint8]
TRIAL_SECONDS = 60  # for one picture at loading; a graph may hold an endless loop
_ENDINGS = {"softmax": "none", "sigmoid": "none", "log_softmax": "exp", "logits": "softmax"}


class Onnx:
    """Loads files only; there is nothing to list."""

    settings = ("activation", "classes", "crop_pct", "input_size", "interpolation", "mean", "std")

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
            raise InputError(
                f"{path} is not an ONNX file, or is cut off or malformed ({error}): export it again."
            ) from error
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
        except (OutOfMemory, MemoryError) as error:  # of the trial run with one picture
            raise InputError(
                f"{path} needs more memory than there is, even for one picture: take a smaller model or input size."
            ) from error


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
        self._how: Any = None
        self._session, self.device = _session(path, data, options, self._threads)
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self._input = onnx_input.read_input(path, self._session.get_inputs())
        self._output = onnx_input.read_output(path, self._session.get_outputs())
        yolo = "ultralytics" in metadata.get("author", "").lower() or {"task", "stride"} <= metadata.keys()
        if yolo and metadata.get("task", "classify") != "classify":
            raise InputError(f"{path} is an Ultralytics model for {metadata['task']}, not a classifier.")

        self._ending = graph.ending(self._output)
        wanted = activation_setting(options, _ENDINGS[self._ending]) if "activation" in options.settings else None
        self.activation = wanted or _ENDINGS[self._ending]
        self.multilabel = self.activation == "sigmoid" or (self.activation == "none" and self._ending == "sigmoid")

        try:
            geometry, mean, std, assumed = onnx_input.preprocessing(self._input, metadata, yolo, options)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        onnx_input.check_batch(path, self._input, geometry.crop)
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
        count = self._trial(path)
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
        try:
            batch = np.stack(items)
            if self._input.dtype != np.uint8:
                batch = ((batch.astype(np.float32) / 255 - self._mean) / self._std).astype(self._input.dtype)
            if not self._input.channels_last:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            size = self._input.batch or len(batch)
            return np.concatenate([self._run(batch[i : i + size], size) for i in range(0, len(batch), size)])
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error

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

    def _trial(self, path: Path) -> int:
        """One black picture, to see how many outputs there are. Raises InputError if it takes too long."""
        import onnxruntime

        self._how = onnxruntime.RunOptions()
        stop = threading.Timer(TRIAL_SECONDS, setattr, (self._how, "terminate", True))
        stop.daemon = True
        stop.start()
        try:
            return self.forward([np.zeros((*self._geometry.crop, self._input.channels), np.uint8)]).shape[1]
        except InputError as error:
            if self._how.terminate:
                raise InputError(f"{path} takes over {TRIAL_SECONDS} s for one picture: it may never end.") from error
            raise
        finally:
            stop.cancel()
            self._how = None

    def _run(self, batch: NDArray[Any], size: int) -> NDArray[np.float32]:
        have = len(batch)
        if have < size:  # the file takes exactly ``size``
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - have, axis=0)])
        try:
            outputs = self._session.run([self._output], {self._input.name: batch}, self._how)[0]
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
    # A second lock behind ``graph.external``: tensors in other files would be looked for in an empty folder, not in the
    # working directory; and the bytes are read as what was looked through, ONNX.
    how.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        with tempfile.TemporaryDirectory(prefix="loupe-") as empty:
            how.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            session = onnxruntime.InferenceSession(data, how, providers=providers, enable_fallback=0)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded by onnxruntime; it is damaged or too new: {text}") from error
    if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():  # CUDA's libraries did not load
        if name != "auto":
            raise InputError(f"Device {options.device!r} cannot be used for {path.name}: onnxruntime finds no CUDA.")
        device = "cpu"
    return session, device


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
