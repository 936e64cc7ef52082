"""What a model is to the rest of the house: a spec (facts, no weights) and an adapter (three steps, timed apart)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from dashboard.types import Image, Prediction

Batch = TypeVar("Batch")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Weights:
    """Where a model's numbers come from.

    Attributes:
        origin: "bundled" (in this project), "package" (a Python package that is installed), "url" (downloaded at first
            use), "file" (given by the user).
        location: what to open or download: a path, a package name, a URL or a hub id.
        size_bytes: of the file, None if unknown before the download.
        sha256: of the file, None if unknown.
    """

    origin: Literal["bundled", "package", "url", "file"]
    location: str
    size_bytes: int | None = None
    sha256: str | None = None

    @classmethod
    def bundled(cls, path: Path) -> Weights:
        """A file of this project; without size and hash if it is missing."""
        if not path.is_file():
            return cls("bundled", str(path))
        data = path.read_bytes()
        return cls("bundled", str(path), len(data), sha256(data).hexdigest())


@dataclass(frozen=True)
class ModelSpec:
    """Facts about a model, known without loading it.

    Attributes:
        name: what a person types; unique over all families.
        task: "classification", "detection", "instance-segmentation", "semantic-segmentation", "enhancement" or
            "tracking" (a detector and a tracker): the model's own; ``serves`` says what else it can be used for.
        family: the registry entry that loads it.
        class_names: (C,) names in the order of the model's outputs; empty if only known after loading.
        class_ids: (C,) WordNet ids in the same order, or empty.
        source: who published it, in words.
        weights: where its numbers come from.
        license: SPDX identifier of the weights, or "unknown".
        paper: a link or citation, or "".
        input_size: (height, width) in pixels, or None if any.
        preprocessing: how a picture becomes input, in words (resize backend included): it changes the accuracy.
    """

    name: str
    task: str
    family: str
    source: str
    weights: Weights
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    license: str = "unknown"
    paper: str = ""
    input_size: tuple[int, int] | None = None
    preprocessing: str = ""


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model.

    Attributes:
        device: "auto", "cpu" or "cuda:N".
        precision: "fp32", "fp16" or "bf16" (autocast; CPU takes fp32 and bf16).
        fuse: fold batch norms into convolutions and, unless ``channels_last`` says otherwise, use channels_last.
        channels_last: keep the channels of a pixel together in memory, or not; None for "as ``fuse``".
        threads: torch threads on the CPU; None for one a core.
        allow_code: let a weight file run the code inside it (TorchScript, pickles). Local use by choice only.
        settings: further KEY=VALUE pairs a family may understand.
        task: what the model is to be used for, where a file alone does not tell (ONNX); None for its own.
    """

    device: str = "auto"
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    fuse: bool = True
    threads: int | None = None
    allow_code: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    channels_last: bool | None = None

    @property
    def pixels_together(self) -> bool:
        """Whether networks run in channels_last."""
        return self.fuse if self.channels_last is None else self.channels_last

    @property
    def layout_key(self) -> tuple[str, ...]:
        """What the layout adds to a fingerprint: nothing unless it was asked for apart from ``fuse``."""
        return () if self.pixels_together == self.fuse else (f"channels_last {self.pixels_together}",)


class ModelAdapter(ABC, Generic[Item, Batch]):
    """A loaded model. ``predict`` is its three steps in turn; the evaluation loop calls them apart.

    One for "enhancement" also has ``scale``, how many times larger its answers are, and takes pictures with alpha,
    (H, W, 4), too. Where ``scale`` is None (any), ``at_scale(n)`` gives a light copy that enlarges n times.

    Attributes:
        spec: with class_names filled in.
        device: "cpu" or "cuda:N".
        fingerprint: a short hash of everything that can change its predictions (weights, preprocessing, precision).
        notes: what happened at loading that a person may want to know ("batch norms folded: 49", ...).
    """

    spec: ModelSpec
    device: str
    fingerprint: str
    notes: Mapping[str, Any]

    @abstractmethod
    def preprocess(self, image: Image) -> Item:
        """One picture, (H, W, 3) uint8 RGB, to one input item on the CPU. Called from several threads at once."""

    @abstractmethod
    def forward(self, items: Sequence[Item]) -> Batch:
        """The network itself on a batch of items; returns when the device is done (synchronised)."""

    @abstractmethod
    def postprocess(self, outputs: Batch) -> list[Prediction]:
        """Device outputs to one prediction a picture, on the CPU, numpy."""

    @property
    def network(self) -> Any | None:
        """The torch module behind it, for profiling; None where there is none (ONNX files, classical methods)."""
        return None

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Predictions for pictures, (H, W, 3) uint8 RGB each, any sizes."""
        return self.postprocess(self.forward([self.preprocess(image) for image in images]))

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """How many times faster a batch runs since batch norms are folded into convolutions; 1.0 if none are."""
        return 1.0

    def reset(self) -> None:
        """Forget state between sequences (trackers); nothing for models that see one picture at a time."""

    def close(self) -> None:
        """Give memory back. The adapter cannot be used after it."""


class ModelFamily(Protocol):
    """A source of models: one file in this package, one line in ``MODELS``.

    It may have an attribute ``settings``, a tuple of the keys of ``LoadOptions.settings`` that it understands, or such
    a tuple a task: others are then refused. Without it any key is let through.
    """

    def specs(self) -> Iterable[ModelSpec]:
        """Everything this family can load by name. Loads no weights and reaches no network."""
        ...

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights can be loaded without a download."""
        ...

    def load(self, spec: ModelSpec, options: LoadOptions) -> ModelAdapter[Any, Any]:
        """Load it. Raises InputError in one sentence: offline, damaged, of another architecture, out of memory."""
        ...


class FileLoader(Protocol):
    """A family that also opens files a person drops in, recognised by what is inside them."""

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether the file at ``path``, whose first bytes are ``head``, is this family's."""
        ...

    def load_file(self, path: Path, options: LoadOptions) -> ModelAdapter[Any, Any]:
        """Load it. Raises InputError; never runs code from the file unless ``options.allow_code``."""
        ...


SERVES: Mapping[str, tuple[str, ...]] = {
    "detection": ("detection", "instance-segmentation"),
    "semantic-segmentation": ("semantic-segmentation", "instance-segmentation"),
}
"""Tasks that models of several kinds can do: an instance segmenter's boxes are detections, and its masks make a class
map (``models.class_map``)."""


def serves(model_task: str, task: str) -> bool:
    """Whether a model of ``model_task`` can be used for ``task``."""
    return model_task in SERVES.get(task, (task,))


class OutOfMemory(RuntimeError):
    """The device ran out of memory during ``forward``; the same items may pass in a smaller batch."""
