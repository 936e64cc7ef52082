"""Detectors and semantic segmenters from the Hugging Face hub, as ``transformers/OWNER/NAME``.

An optional extra: ``pip install transformers``. Weights are read from safetensors only; no code from the hub is run.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from dashboard.errors import InputError
from models import coco, downloads, transformers_detect, transformers_segment
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import Size

PREFIX = "transformers/"
HUB = "https://huggingface.co/"
FILE = "model.safetensors"
DETECTION, SEMANTIC = "detection", "semantic-segmentation"
Adapter = transformers_detect.TransformersDetector | transformers_segment.TransformersSegmenter


class _Known(NamedTuple):
    """What is published of a model: its input, paper, licence, task."""

    size: Size
    paper: str
    license: str = "Apache-2.0"
    task: str = DETECTION


_SEGFORMER = ("https://arxiv.org/abs/2105.15203", "LicenseRef-NVIDIA-SegFormer", SEMANTIC)
_UPERNET = ("https://arxiv.org/abs/1807.10221", "MIT", SEMANTIC)
_MASK2FORMER = ("https://arxiv.org/abs/2112.01527", "unknown", SEMANTIC)
# detectors are trained on COCO (some after Objects365); segmenters on what their name says
_KNOWN = {
    "PekingU/rtdetr_r18vd": _Known((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_r50vd": _Known((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_r101vd": _Known((640, 640), "https://arxiv.org/abs/2304.08069"),
    "PekingU/rtdetr_v2_r18vd": _Known((640, 640), "https://arxiv.org/abs/2407.17140"),
    "PekingU/rtdetr_v2_r50vd": _Known((640, 640), "https://arxiv.org/abs/2407.17140"),
    "ustc-community/dfine-xlarge-coco": _Known((640, 640), "https://arxiv.org/abs/2410.13842"),
    "Roboflow/rf-detr-base": _Known((560, 560), "https://github.com/roboflow/rf-detr"),
    "facebook/detr-resnet-50": _Known((800, 1333), "https://arxiv.org/abs/2005.12872"),
    "facebook/detr-resnet-101": _Known((800, 1333), "https://arxiv.org/abs/2005.12872"),
    "nvidia/segformer-b0-finetuned-ade-512-512": _Known((512, 512), *_SEGFORMER),
    "nvidia/segformer-b2-finetuned-ade-512-512": _Known((512, 512), *_SEGFORMER),
    "nvidia/segformer-b5-finetuned-ade-640-640": _Known((640, 640), *_SEGFORMER),
    "nvidia/segformer-b0-finetuned-cityscapes-1024-1024": _Known((1024, 1024), *_SEGFORMER),
    "nvidia/segformer-b5-finetuned-cityscapes-1024-1024": _Known((1024, 1024), *_SEGFORMER),
    "openmmlab/upernet-convnext-tiny": _Known((512, 512), *_UPERNET),
    "openmmlab/upernet-swin-tiny": _Known((512, 512), *_UPERNET),
    "facebook/mask2former-swin-tiny-ade-semantic": _Known((512, 512), *_MASK2FORMER),
    "facebook/mask2former-swin-tiny-cityscapes-semantic": _Known((384, 384), *_MASK2FORMER),
}


class Transformers:
    """Object detectors and semantic segmenters of the ``transformers`` library."""

    settings = {DETECTION: transformers_detect.SETTINGS, SEMANTIC: transformers_segment.SETTINGS}  # noqa: RUF012

    def specs(self) -> Iterable[ModelSpec]:
        """A few that are published; any other is loaded by its full name."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``transformers/OWNER/NAME`` of any detector or semantic segmenter on the hub."""
        repository = name.removeprefix(PREFIX)
        if repository == name or not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository, re.ASCII):
            return None
        return _spec(repository, None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the library is installed and the weights are in the hub's cache."""
        found = downloads.hub_file(_repository(spec), [FILE])
        return found is not None and importlib.util.find_spec("transformers") is not None

    def load(self, spec: ModelSpec, options: LoadOptions) -> Adapter:
        """Load, downloading at first use. Raises InputError without the library, offline, or for another model."""
        if importlib.util.find_spec("transformers") is None:
            raise InputError(
                f"{spec.name} needs the transformers library, which is not installed: pip install transformers."
            )
        found = downloads.hub_file(_repository(spec), [FILE])
        folder = downloads.download(spec, HUB, lambda: _download(_repository(spec))) if found is None else found.parent
        return from_folder(folder, spec, options)


def from_folder(folder: Path, spec: ModelSpec, options: LoadOptions) -> Adapter:
    """What ``save_pretrained`` wrote: a config, a processor's config and safetensors."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    task = _task_in(folder) or spec.task
    kind = "a semantic segmenter" if task == SEMANTIC else "a detector"
    how: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        loader: Any = transformers.AutoModelForObjectDetection
        if task == SEMANTIC:
            universal = any("UniversalSegmentation" in name for name in _architectures(folder))
            loader = (
                transformers.AutoModelForUniversalSegmentation
                if universal
                else transformers.AutoModelForSemanticSegmentation
            )
        net: Any = loader.from_pretrained(str(folder), use_safetensors=True, **how)
        processor = transformers.AutoImageProcessor.from_pretrained(str(folder), **how)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder} cannot be loaded as {kind} of transformers: {reason}.") from error
    spec = replace(spec, task=task, weights=replace(spec.weights, size_bytes=(folder / FILE).stat().st_size))
    if task == SEMANTIC:
        return transformers_segment.TransformersSegmenter(net.float(), processor, spec, options)
    return transformers_detect.TransformersDetector(net.float(), processor, spec, options)


def _architectures(folder: Path) -> list[str]:
    """Class names in a model's config; none if it cannot be read."""
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures")
    except (OSError, ValueError, AttributeError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _task_in(folder: Path) -> str | None:
    names = " ".join(_architectures(folder))
    if "SemanticSegmentation" in names or "UniversalSegmentation" in names:
        return SEMANTIC
    return DETECTION if "ObjectDetection" in names else None


def _task_of(repository: str) -> str:
    """Told by the config if it is here, else by the name."""
    config = downloads.hub_file(repository, ["config.json"])
    found = None if config is None else _task_in(config.parent)
    semantic = re.search("segformer|upernet|mask2former|maskformer|semantic|segmentation", repository.lower())
    return found or (SEMANTIC if semantic else DETECTION)


def _repository(spec: ModelSpec) -> str:
    return spec.weights.location.removeprefix(HUB)


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, allow_patterns=["*.json", FILE]))


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(_spec(name, known) for name, known in _KNOWN.items())


def _spec(repository: str, known: _Known | None) -> ModelSpec:
    return ModelSpec(
        name=PREFIX + repository,
        task=known.task if known else _task_of(repository),
        family="transformers",
        source="Hugging Face hub, through the transformers library (an optional extra)",
        weights=Weights("url", HUB + repository),
        class_names=coco.NAMES if known and known.task == DETECTION else (),
        license=known.license if known else "unknown",
        paper=known.paper if known else "",
        input_size=known.size if known else None,
        preprocessing="the model's own image processor",
    )
