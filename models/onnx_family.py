"""ONNX files through onnxruntime; here the classifiers: layout, size, classes and activation are read from the file.

Whether the outputs are logits or probabilities is decided once, by the operator that ends the graph (or by
``--set activation=...``), never by looking at a batch's values. What the file does not say is taken as ImageNet's
custom and noted: ``input_size=HxW``, ``mean=``, ``std=``, ``interpolation=``, ``crop_pct=`` and ``classes=FILE``
change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Classification, Image, Prediction
from models import class_names, onnx_detect, onnx_enhance, onnx_graph, onnx_input, onnx_segment
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.onnx_session import Session
from models.sniff import sniff

Item = NDArray[np.uint8]
_ENDINGS = {"softmax": "none", "sigmoid": "none", "log_softmax": "exp", "logits": "softmax"}


class Onnx:
    """Loads files only: classifiers, YOLO detectors, semantic segmenters, enhancers; there is nothing to list."""

    settings = {  # noqa: RUF012
        "classification": ("activation", "classes", "crop_pct", "input_size", "interpolation", "mean", "std"),
        "detection": ("classes", *onnx_detect.SETTINGS),
        "instance-segmentation": ("classes", *onnx_detect.SETTINGS),
        "semantic-segmentation": onnx_segment.SETTINGS,
        "enhancement": onnx_enhance.SETTINGS,
    }

    def specs(self) -> Iterable[ModelSpec]:
        """Nothing: these are files."""
        return ()

    def is_here(self, spec: ModelSpec) -> bool:
        """A file is here."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> Adapter:
        """The file behind ``spec``."""
        return self.load_file(Path(spec.weights.location), options)

    def accepts(self, path: Path, head: bytes) -> bool:
        """A protobuf that begins as ONNX does."""
        del head
        return sniff(path).name == "onnx"

    def load_file(self, path: Path, options: LoadOptions) -> Adapter:
        """Load. Raises InputError: damaged, in several files, custom operators, a model of another kind."""
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
            session = Session(path, data, options)
            if options.task == "enhancement" or (options.task is None and onnx_enhance.makes_pictures(session)):
                return onnx_enhance.OnnxEnhancer(path, session, data, options)
            if onnx_detect.finds_objects(session):
                return onnx_detect.OnnxDetector(path, session, data, options)
            if onnx_segment.gives_maps(session):
                return onnx_segment.OnnxSegmenter(path, session, graph, data, options)
            task = session.metadata.get("task", "classify")
            if onnx_input.is_ultralytics(session.metadata) and task != "classify":
                raise InputError(f"{path} is an Ultralytics model for {task[:40]}, which can not be used.")
            return OnnxClassifier(path, session, graph, data, options)
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
        session: the file, open.
        graph: what was read of it.
        data: the file's bytes.
        options: settings.
    """

    def __init__(
        self, path: Path, session: Session, graph: onnx_graph.Graph, data: bytes, options: LoadOptions
    ) -> None:
        from models.torch_adapter import activation_setting

        self._session, self.device = session, session.device
        metadata = session.metadata
        self._input = onnx_input.read_input(path, session.inputs)
        self._output = onnx_input.read_output(path, session.outputs)
        yolo = onnx_input.is_ultralytics(metadata)
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
            "threads": session.threads,
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
        black = np.zeros((*geometry.crop, self._input.channels), np.uint8)
        count = session.trial(lambda: self.forward([black])).shape[1]
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
        try:
            batch = np.stack(items)
            if self._input.dtype != np.uint8:
                batch = ((batch.astype(np.float32) / 255 - self._mean) / self._std).astype(self._input.dtype)
            if not self._input.channels_last:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            (outputs,) = self._session.run([self._output], self._input.name, batch, self._input.batch)
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error
        outputs = np.asarray(outputs, np.float32)
        if outputs.size == 0 or outputs.size != len(items) * max(outputs.shape[1:], default=0):
            raise InputError(
                f"{self.spec.name} is not a classifier: one row of scores a picture was expected, got {outputs.shape}."
            )
        return outputs.reshape(len(items), -1)

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
        self._session.close()


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


Adapter = OnnxClassifier | onnx_detect.OnnxDetector | onnx_segment.OnnxSegmenter | onnx_enhance.OnnxEnhancer
