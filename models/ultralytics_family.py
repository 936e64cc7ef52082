"""Ultralytics' classifiers (``yolo11n-cls`` and the like) by name or as a ``.pt`` file.

Such a file is a pickle of a whole network. It is read by torch's restricted unpickler with Ultralytics' own list of
known layers, so no code in it runs; anything else in the file is a refusal. Importing Ultralytics has side effects (one
torch thread, another ``PIL.Image.open``, a settings folder in the home), which are undone or redirected here.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError
from models import class_names, downloads, imagenet
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import ResizeCrop, input_size_setting, size_from_file
from models.sniff import check_pickle, pickle_globals, sniff
from models.torch_adapter import TorchClassifier

if TYPE_CHECKING:
    from torch import nn

_RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
_NAMES = tuple(f"{series}{size}-cls" for series in ("yolov8", "yolo11", "yolo26") for size in "nsmlx")
_lock = threading.Lock()


class UltralyticsClassifiers:
    """YOLOv8, YOLO11 and YOLO26 classifiers, and any ``.pt`` of that kind."""

    settings = ("activation", "classes", "input_size")

    def specs(self) -> Iterable[ModelSpec]:
        """The published ImageNet models."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``ultralytics/yolo11n-cls`` and ``yolo11n-cls.pt``."""
        short = name.removeprefix("ultralytics/").removesuffix(".pt")
        return next((s for s in _specs() if s.name == short), None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the file was downloaded before."""
        return downloads.torch_file(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
        """Load, downloading at first use."""
        path = downloads.fetch_file(spec, spec.weights.location)
        return _adapter(path, spec, options)

    def accepts(self, path: Path, head: bytes) -> bool:
        """A torch file whose pickle names Ultralytics' classes."""
        del head
        return sniff(path).name == "torch" and any(name.startswith("ultralytics.") for name in pickle_globals(path))

    def load_file(self, path: Path, options: LoadOptions) -> TorchClassifier:
        """Load a checkpoint without running code from it (unless ``options.allow_code``)."""
        spec = ModelSpec(
            name=path.name,
            task="classification",
            family="ultralytics",
            source="a file",
            weights=Weights("file", str(path), path.stat().st_size),
            license="unknown",
        )
        return _adapter(path, spec, options)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    names, ids = imagenet.classes()
    return tuple(
        ModelSpec(
            name=name,
            task="classification",
            family="ultralytics",
            source="Ultralytics",
            weights=Weights("url", f"{_RELEASE}/{name}.pt"),
            class_names=names,
            class_ids=ids,
            license="AGPL-3.0",
            paper="https://docs.ultralytics.com/tasks/classify",
            input_size=(224, 224),
            preprocessing=f"{_geometry(224, 224)}, values 0..1",
        )
        for name in _NAMES
    )


def _geometry(height: int, width: int) -> ResizeCrop:
    """Ultralytics' ``classify_transforms``: a square keeps the picture's shape, anything else stretches."""
    return ResizeCrop((height, width), height if height == width else (height, width), "bilinear")


def import_ultralytics() -> Any:
    """``ultralytics.nn.tasks``, with the side effects of the import undone."""
    with _lock:
        import PIL.Image
        import torch

        before = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}
        threads, opener = torch.get_num_threads(), PIL.Image.open
        os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")
        os.environ.setdefault("YOLO_AUTOINSTALL", "0")
        os.environ.setdefault("YOLO_OFFLINE", "1")
        os.environ.setdefault("YOLO_VERBOSE", "False")
        if "YOLO_CONFIG_DIR" not in os.environ:
            os.environ["YOLO_CONFIG_DIR"] = str(_settings_folder())
        try:
            from ultralytics.nn import tasks
        finally:
            PIL.Image.open = opener
            torch.set_num_threads(threads)
            if before["OMP_NUM_THREADS"] is None:
                os.environ.pop("OMP_NUM_THREADS", None)
        return tasks


def _settings_folder() -> Path:
    """Somewhere of our own for the settings file that Ultralytics insists on writing."""
    folder = downloads.cache_home() / "loupe" / "ultralytics"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:  # a read-only home
        pass
    return Path(tempfile.mkdtemp(prefix="loupe-ultralytics-"))


def _adapter(path: Path, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
    from dataclasses import replace

    from torch import nn

    checkpoint = _read(path, options)
    net = checkpoint.get("ema") or checkpoint.get("model")
    if not isinstance(net, nn.Module) or type(net).__name__ != "ClassificationModel":
        what = type(net).__name__
        raise InputError(f"{path} holds an Ultralytics {what}, not a classifier: give a model trained for classify.")
    net = net.float().eval()
    channels = int(getattr(net, "yaml", {}).get("channels", 3) or 3)
    if channels != 3:
        raise InputError(f"{path} takes pictures of {channels} channels; only RGB models can be run.")

    how = _preprocessing(path, net, checkpoint, options)
    names = class_names.from_value(getattr(net, "names", None)) or spec.class_names
    given, origin = class_names.for_file(path, options, {}) if spec.weights.origin == "file" else ((), "")
    names = given or names
    spec = replace(
        spec,
        class_names=names,
        class_ids=class_names.ids_for(names),
        input_size=how.geometry.crop,
        preprocessing=f"{how.geometry}, mean {how.mean}, std {how.std}",
    )
    notes = {"class names": origin or "the file's own"}
    return TorchClassifier(
        _logits_only(net), spec, options, geometry=how.geometry, mean=how.mean, std=how.std, notes=notes
    )


def _read(path: Path, options: LoadOptions) -> dict[str, Any]:
    """The checkpoint's dictionary. Raises InputError for a file that is damaged or would run code."""
    tasks = import_ultralytics()
    import torch

    if options.allow_code:
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:
            raise InputError(f"{path} cannot be loaded ({type(error).__name__}: {error}).") from error
        return checkpoint if isinstance(checkpoint, dict) else {"model": checkpoint}
    if not hasattr(tasks, "_SafeLoad") or not tasks._SafeLoad.SUPPORTED:
        raise InputError(f"{path} cannot be loaded without running code by this version of ultralytics: upgrade it.")
    check_pickle(path)
    with tempfile.TemporaryDirectory(prefix="loupe-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = path
        if path.suffix != ".pt":  # Ultralytics goes by the ending
            named = Path(folder) / "weights.pt"
            shutil.copyfile(path, named)
        try:
            checkpoint, _ = tasks.torch_safe_load(str(named.resolve()), safe_only=True)
        except Exception as error:
            raise InputError(
                f"{path} is refused: it is damaged, or holds more than Ultralytics' own layers and loading it would "
                f"run code ({_foreign(path)}); export it to ONNX, or allow code locally if you trust it."
            ) from error
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path} is no Ultralytics checkpoint: a dictionary was expected.")
    return checkpoint


def _foreign(path: Path) -> str:
    ours = ("ultralytics.", "torch.", "torchvision.", "collections.", "pathlib.", "numpy.", "builtins.set")
    names = sorted(name for name in pickle_globals(path) if not name.startswith(ours))
    return "it refers to " + ", ".join(names[:3]) if names else "unreadable"


@dataclass(frozen=True)
class _How:
    geometry: ResizeCrop
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _preprocessing(path: Path, net: nn.Module, checkpoint: dict[str, Any], options: LoadOptions) -> _How:
    """As Ultralytics' predictor does it: the transforms in the checkpoint, else its defaults."""
    height, width = input_size_setting(options.settings) or _trained_size(path, checkpoint)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    interpolation = "bilinear"
    steps: Any = getattr(getattr(net, "transforms", None), "transforms", None) or ()
    if [type(step).__name__ for step in steps] == ["Resize", "CenterCrop", "ToTensor", "Normalize"]:
        size = steps[0].size
        if (size if isinstance(size, (tuple, list)) else (size, size)) == (height, width):
            mean = tuple(float(x) for x in steps[3].mean)
            std = tuple(float(x) for x in steps[3].std)
            interpolation = str(getattr(steps[0].interpolation, "value", "bilinear"))
    geometry = _geometry(height, width)
    return _How(ResizeCrop(geometry.crop, geometry.resize, interpolation), mean, std)


def _trained_size(path: Path, checkpoint: dict[str, Any]) -> tuple[int, int]:
    size = (checkpoint.get("train_args") or {}).get("imgsz", 224)
    sides = list(size) if isinstance(size, (list, tuple)) else [size]
    if len(sides) not in (1, 2) or not all(isinstance(side, int) for side in sides):
        return 224, 224
    try:
        return size_from_file(sides[0], sides[-1])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _logits_only(net: nn.Module) -> nn.Module:
    """Ultralytics gives (probabilities, logits); only the second keeps its precision under autocast."""
    from torch import Tensor, nn

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, batch: Tensor) -> Tensor:
            outputs = self.net(batch)
            return outputs[1] if isinstance(outputs, tuple) else outputs

    return Logits().eval()
