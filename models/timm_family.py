"""Any pretrained timm classifier by name (``timm/resnet18.a1_in1k``), with its own preprocessing and class names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image
from models import downloads, imagenet, tables
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import MOST_RESIZED, ResizeCrop, as_pil, input_size_setting, normalisation_setting
from models.torch_adapter import TorchClassifier

if TYPE_CHECKING:
    from torch import nn

SAFE_FILES = ("model.safetensors", "open_clip_model.safetensors")
_FILES = (*SAFE_FILES, "pytorch_model.bin", "open_clip_pytorch_model.bin")

_MOST_OBLONG = 20  # times as long as wide: less is let through at any input size


class Timm:
    """timm's pretrained classifiers; the list comes from a table, so that listing does not import timm."""

    settings = ("activation", "input_size", "mean", "std")

    def specs(self) -> Iterable[ModelSpec]:
        """Every pretrained classifier whose label set is known."""
        return _specs()

    def resolve(self, name: str) -> ModelSpec | None:
        """``resnet18`` or ``timm/resnet18`` (timm's default weights), and names newer than the table."""
        prefix, slash, rest = name.partition("/")
        if slash and prefix != "timm":
            return None
        short = rest if slash else name
        listed = _by_short_name().get(short)
        return listed or (_from_timm(short) if slash else None)

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights are in the local cache."""
        location = spec.weights.location
        if location.startswith("https://huggingface.co/"):
            return _cached(location) is not None
        return downloads.torch_file(location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
        """Load, downloading at first use. Raises InputError (quickly) when the weights cannot be had."""
        cached = _cached(spec.weights.location)
        if cached is None and not self.is_here(spec):
            downloads.require(spec, spec.weights.location)  # before the slow import
        os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")  # both read when huggingface_hub is imported
        os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "20")
        import timm

        name = spec.name.removeprefix("timm/")
        if cached is not None and cached.name in SAFE_FILES and not _custom(name):
            try:
                net = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(cached)})
            except Exception as error:
                reason = " ".join(str(error).split())[:200]
                raise InputError(f"{cached} cannot be loaded as {spec.name}: {reason}; delete it and retry.") from error
        elif self.is_here(spec):
            net = timm.create_model(name, pretrained=True)
        else:
            net = downloads.download(spec, spec.weights.location, lambda: timm.create_model(name, pretrained=True))
        if not spec.class_names:
            names, ids = imagenet.classes(getattr(net, "num_classes", 0))
            spec = replace(spec, class_names=names, class_ids=ids)
        return adapter(net, spec, options)


def adapter(net: nn.Module, spec: ModelSpec, options: LoadOptions, **more: Any) -> TorchClassifier:
    """A timm network with the preprocessing of its own configuration (settings may change it)."""
    from timm.data import resolve_model_data_config

    config: dict[str, Any] = resolve_model_data_config(net, use_test_size=True)
    size = input_size_setting(options.settings) or tuple(config["input_size"][1:])
    config["input_size"] = (config["input_size"][0], *size)
    geometry = _geometry(config)
    mean, std = normalisation_setting(options.settings, tuple(config["mean"]), tuple(config["std"]))
    words = f"{geometry}, mean {mean}, std {std}"
    spec = replace(spec, input_size=size, preprocessing=words)
    return TorchClassifier(net, spec, options, geometry=geometry, mean=mean, std=std, **more)


def _geometry(config: dict[str, Any]) -> Any:
    height, width = config["input_size"][1:]
    crop, mode = config["crop_pct"], config.get("crop_mode", "center")
    if mode in (None, "center") and height == width and config["interpolation"] in ("bilinear", "bicubic"):
        return ResizeCrop((height, width), int(height / crop), config["interpolation"])
    if mode == "squash" and config["interpolation"] in ("bilinear", "bicubic"):
        return ResizeCrop((height, width), (int(height / crop), int(width / crop)), config["interpolation"])
    return _TimmTransforms(config)


class _TimmTransforms:
    """timm's own transforms up to the conversion to floats, for the rarer crop modes."""

    def __init__(self, config: dict[str, Any]) -> None:
        from timm.data import create_transform

        known = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
        self._config = {key: config[key] for key in known if key in config}
        self._steps = create_transform(**self._config, is_training=False, normalize=False).transforms[:-1]

    def __call__(self, image: Image) -> NDArray[np.uint8]:
        picture: PIL.Image.Image = as_pil(image)
        width, height = picture.size
        ratio = max(width, height) / min(width, height)
        if ratio > _MOST_OBLONG and ratio * max(self._config["input_size"][1:]) ** 2 > MOST_RESIZED:
            raise InputError(
                f"A picture of {width}x{height} pixels is too oblong for this model: cut a part out of it."
            )
        try:
            for step in self._steps:
                picture = step(picture)
        except (ValueError, MemoryError) as error:  # a side of no pixels after the resize
            raise InputError(f"A picture of {width}x{height} pixels cannot be resized for this model.") from error
        return np.array(picture)

    def __str__(self) -> str:
        return f"timm's transforms {self._config}"


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(_spec(row) for row in tables.read(tables.TIMM))


@cache
def _by_short_name() -> dict[str, ModelSpec]:
    """Name with tag, and the bare architecture for its default weights."""
    found: dict[str, ModelSpec] = {}
    for row, spec in zip(tables.read(tables.TIMM), _specs(), strict=True):
        found[row["name"]] = spec
        if row["default"] == "1":
            found[row["name"].partition(".")[0]] = spec
    return found


def _spec(row: dict[str, str]) -> ModelSpec:
    # the larger label sets are read when such a model is loaded
    names, ids = imagenet.classes(1000) if row["classes"] == "1000" else ((), ())
    location = f"https://huggingface.co/{row['hub']}" if row["hub"] else row["url"]
    return ModelSpec(
        name=f"timm/{row['name']}",
        task="classification",
        family="timm",
        source="timm (PyTorch Image Models)",
        weights=Weights("url", location, int(row["bytes"]) if row["bytes"] else None),
        class_names=names,
        class_ids=ids,
        license=row["license"],
        paper=row["paper"],
        input_size=(int(row["height"]), int(row["width"])),
        preprocessing="as published with the weights",
    )


@cache
def _from_timm(name: str) -> ModelSpec | None:
    """A model that the table lacks, from the installed timm."""
    import timm

    if not timm.is_model_pretrained(name):
        return None
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.num_classes:
        raise InputError(f"timm/{name} gives features, not classes: it is no classifier.")
    row = {
        "name": name,
        "classes": str(cfg.num_classes),
        "height": str(cfg.input_size[1]),
        "width": str(cfg.input_size[2]),
        "bytes": "",
        "license": tables.spdx(cfg.license),
        "hub": cfg.hf_hub_id or "",
        "url": str(cfg.url or ""),
        "paper": str(cfg.origin_url or ""),
    }
    return _spec(row)


def _custom(name: str) -> bool:
    """Whether timm reads these weights in a way of their own."""
    import timm

    cfg = timm.get_pretrained_cfg(name)
    return cfg is None or bool(cfg.custom_load)


def _cached(location: str) -> Any:
    if not location.startswith("https://huggingface.co/"):
        return None
    return downloads.hub_file(location.removeprefix("https://huggingface.co/"), _FILES)
