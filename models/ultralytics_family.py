"""Ultralytics' classifiers, detectors, instance and semantic segmenters by name (``yolo11n-cls``, ``yolo11n``,
``yolo11n-seg``, ``yolo26n-sem``, ``rtdetr-l``) or as a ``.pt`` file.

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
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError
from models import class_names, coco, downloads, imagenet, ultralytics_semantic
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import LetterBox
from models.preprocessing import ResizeCrop, input_size_setting, size_from_file
from models.sniff import check_pickle, pickle_globals, sniff
from models.torch_adapter import TorchClassifier
from models.torch_segment import TorchSegmenter
from models.ultralytics_detect import SETTINGS, TASKS, UltralyticsDetector

if TYPE_CHECKING:
    from torch import nn

_RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
_SERIES = {
    "classification": ("yolov8{}-cls", "yolo11{}-cls", "yolo26{}-cls"),
    "detection": ("yolov8{}", "yolo11{}", "yolo12{}", "yolo26{}"),
    "instance-segmentation": ("yolov8{}-seg", "yolo11{}-seg", "yolo26{}-seg"),
    "semantic-segmentation": ("yolo26{}-sem", "yolo26{}-sem-ade20k"),
}
_RT_DETR = ("rtdetr-l", "rtdetr-x")
_KINDS = {
    "ClassificationModel": "classification",
    ultralytics_semantic.KIND: "semantic-segmentation",
    **TASKS,
}
Adapter = TorchClassifier | UltralyticsDetector | TorchSegmenter
_lock = threading.Lock()


class Ultralytics:
    """YOLOv8 to YOLO26 and RT-DETR, and any ``.pt`` of those kinds."""

    settings = {  # noqa: RUF012
        "classification": ("activation", "classes", "input_size"),
        "detection": ("classes", *SETTINGS),
        "instance-segmentation": ("classes", *SETTINGS),
        "semantic-segmentation": ultralytics_semantic.SETTINGS,
    }

    def specs(self) -> Iterable[ModelSpec]:
        """The published models: ImageNet's classifiers, COCO's detectors and instance segmenters, and semantic ones."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``ultralytics/yolo11n`` and ``yolo11n.pt``."""
        short = name.removeprefix("ultralytics/").removesuffix(".pt")
        return next((s for s in _specs() if s.name == short), None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the file was downloaded before."""
        return downloads.torch_file(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> Adapter:
        """Load, downloading at first use."""
        path = downloads.fetch_file(spec, spec.weights.location)
        return _adapter(path, spec, options)

    def accepts(self, path: Path, head: bytes) -> bool:
        """A torch file whose pickle names Ultralytics' classes."""
        del head
        return sniff(path).name == "torch" and any(name.startswith("ultralytics.") for name in pickle_globals(path))

    def load_file(self, path: Path, options: LoadOptions) -> Adapter:
        """Load a checkpoint without running code from it (unless ``options.allow_code``)."""
        spec = ModelSpec(
            name=path.name,
            task="",  # told by the network inside
            family="ultralytics",
            source="a file",
            weights=Weights("file", str(path), path.stat().st_size),
            license="unknown",
        )
        return _adapter(path, spec, options)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    names = {task: [name.format(size) for name in series for size in "nsmlx"] for task, series in _SERIES.items()}
    names["detection"] += _RT_DETR
    return tuple(_published(name, task) for task, several in names.items() for name in several)


def _published(name: str, task: str) -> ModelSpec:
    docs = {
        "classification": "tasks/classify",
        "detection": "tasks/detect",
        "instance-segmentation": "tasks/segment",
        "semantic-segmentation": "tasks/semantic",
    }
    ids: tuple[str, ...] = ()
    if task == "classification":
        (classes, ids), side, how = imagenet.classes(), 224, str(_geometry(224, 224))
    elif task == "semantic-segmentation":  # ADE20K's names come with the file
        classes, side = (() if name.endswith("ade20k") else ultralytics_semantic.CITYSCAPES), ultralytics_semantic.USUAL
        how = str(LetterBox((side, side), rect=True))
    else:
        classes, side = coco.NAMES, 640
        how = str(LetterBox((side, side), stretch=name in _RT_DETR))
    return ModelSpec(
        name=name,
        task=task,
        family="ultralytics",
        source="Ultralytics",
        weights=Weights("url", f"{_RELEASE}/{name}.pt"),
        class_names=classes,
        class_ids=ids,
        license="AGPL-3.0",
        paper=f"https://docs.ultralytics.com/{'models/rtdetr' if name in _RT_DETR else docs[task]}",
        input_size=(side, side),
        preprocessing=f"{how}, values 0..1",
    )


def _geometry(height: int, width: int) -> ResizeCrop:
    """Ultralytics' ``classify_transforms``: a square keeps the picture's shape, anything else stretches."""
    return ResizeCrop((height, width), height if height == width else (height, width), "bilinear")


def import_ultralytics() -> Any:
    """``ultralytics.nn.tasks``, with the side effects of the import undone."""
    with _lock:
        import cv2
        import PIL.Image
        import torch

        before = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}
        threads, opener, of_opencv = torch.get_num_threads(), PIL.Image.open, cv2.getNumThreads()
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
            cv2.setNumThreads(of_opencv)
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


def _adapter(path: Path, spec: ModelSpec, options: LoadOptions) -> Adapter:
    from torch import nn

    checkpoint = _read(path, options)
    net = checkpoint.get("ema") or checkpoint.get("model")
    task = _KINDS.get(type(net).__name__)
    if not isinstance(net, nn.Module) or task is None:
        what = type(net).__name__
        raise InputError(
            f"{path} holds an Ultralytics {what}, which can not be used: give a model trained for detect, segment, "
            "semantic or classify."
        )
    try:
        return _of_task(task, path, net, checkpoint, spec, options)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a network whose parts are not what they should be
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise InputError(f"{path} is damaged or too old: its network cannot be run ({reason}).") from error


def _of_task(
    task: str, path: Path, net: nn.Module, checkpoint: dict[str, Any], spec: ModelSpec, options: LoadOptions
) -> Adapter:
    net = net.float().eval()
    yaml = getattr(net, "yaml", {})
    channels = yaml.get("channels", 3) if isinstance(yaml, dict) else 3
    if channels not in (3, None):
        raise InputError(f"{path} takes pictures of {str(channels)[:40]} channels; only RGB models can be run.")
    names = class_names.from_value(getattr(net, "names", None)) or spec.class_names
    given, origin = class_names.for_file(path, options, {}) if spec.weights.origin == "file" else ((), "")
    names = given or names
    spec = replace(spec, task=task, class_names=names, class_ids=class_names.ids_for(names))
    notes = {"class names": origin or "the file's own"}
    if task == "classification":
        return _classifier(path, net, checkpoint, spec, options, notes)
    if task == "semantic-segmentation":
        usual = ultralytics_semantic.USUAL
        size = (usual, usual) if "input_size" in options.settings else _trained_size(path, checkpoint, usual)
        return ultralytics_semantic.segmenter(net, spec, options, image_size=size, notes=notes)
    return _detector(path, net, checkpoint, spec, options, notes)


def _classifier(
    path: Path,
    net: nn.Module,
    checkpoint: dict[str, Any],
    spec: ModelSpec,
    options: LoadOptions,
    notes: dict[str, Any],
) -> TorchClassifier:
    how = _preprocessing(path, net, checkpoint, options)
    words = f"{how.geometry}, mean {how.mean}, std {how.std}"
    spec = replace(spec, input_size=how.geometry.crop, preprocessing=words)
    return TorchClassifier(
        _logits_only(net), spec, options, geometry=how.geometry, mean=how.mean, std=how.std, notes=notes
    )


def _detector(
    path: Path,
    net: nn.Module,
    checkpoint: dict[str, Any],
    spec: ModelSpec,
    options: LoadOptions,
    notes: dict[str, Any],
) -> UltralyticsDetector:
    from torch.nn import Upsample

    for module in net.modules():
        if isinstance(module, Upsample) and not hasattr(module, "recompute_scale_factor"):
            module.recompute_scale_factor = None  # as torch before 1.11 saved it
    size = (640, 640) if "input_size" in options.settings else _trained_size(path, checkpoint, 640)
    return UltralyticsDetector(net, spec, options, image_size=size, notes=notes)


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


def _trained_size(path: Path, checkpoint: dict[str, Any], default: int = 224) -> tuple[int, int]:
    arguments = checkpoint.get("train_args")
    size = arguments.get("imgsz", default) if isinstance(arguments, dict) else default
    sides = list(size) if isinstance(size, (list, tuple)) else [size]
    if len(sides) not in (1, 2) or not all(isinstance(side, int) for side in sides):
        return default, default
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
