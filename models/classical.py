"""Baselines that learn nothing, by name: enlarging (``bicubic``, ``lanczos`` ...), denoising, sharpening, contrast.

They need no weights and run on the CPU. Settings are checked, method by method: ``--model nl_means --set sigma=25``.
``bm3d`` is there only if the package ``bm3d`` is installed: its licence allows non-commercial use only, so it is
no dependency of this project.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.types import Image, Prediction
from models import classical_methods as methods
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory, Weights
from models.classical_table import METHODS, SCALE, license_of
from models.pictures import Picture, answer, as_picture

Pixels = NDArray[np.uint8]


class Classical:
    """Methods without weights."""

    settings = tuple(sorted({s.key for method in METHODS.values() for s in method.settings} | {SCALE.key}))

    def specs(self) -> Iterable[ModelSpec]:
        """All of them; ``bm3d`` only where its package is installed."""
        return tuple(_spec(name) for name in METHODS if name != "bm3d" or importlib.util.find_spec("bm3d"))

    def is_here(self, spec: ModelSpec) -> bool:
        """There is nothing to download."""
        del spec
        return True

    def check_settings(self, name: str, settings: Mapping[str, str]) -> None:
        """Raises InputError for a setting that the method called ``name`` does not have."""
        check_settings(name, settings)

    def load(self, spec: ModelSpec, options: LoadOptions) -> ClassicalEnhancer:
        """Ready at once. Raises InputError for a setting that the method does not have, or out of its range."""
        return ClassicalEnhancer(spec, options)


class ClassicalEnhancer(ModelAdapter[Picture, "tuple[Sequence[Pixels], Sequence[Picture]]"]):
    """One method with its settings.

    Args:
        spec: as listed.
        options: of which only the settings count: the method's, and ``scale`` for those that enlarge.

    Attributes:
        scale: 1; of a method that enlarges, as set, or None until ``at_scale`` says.

    Raises:
        InputError: a setting that it does not have, or a value out of its range.
    """

    scale: int | None

    def __init__(self, spec: ModelSpec, options: LoadOptions) -> None:
        method = METHODS[spec.name]
        check_settings(spec.name, options.settings)
        self.values = {setting.key: setting.read(spec.name, options.settings) for setting in method.settings}
        asked = SCALE.read(spec.name, options.settings) if method.enlarges else 1
        self.spec, self.device, self._method = spec, "cpu", method
        self._closed = False
        self._set_scale(None if math.isnan(asked) else int(asked))

    def _set_scale(self, scale: int | None) -> None:
        self.scale = scale
        chosen = {key: "from the picture" if math.isnan(value) else value for key, value in self.values.items()}
        self.notes = {"threads": 1, "scale": "any" if scale is None else scale, **chosen}
        config = [self.spec.name, scale, sorted(chosen.items()), importlib.metadata.version(self._method.package)]
        self.fingerprint = hashlib.sha256(repr(config).encode()).hexdigest()[:16]

    def at_scale(self, scale: int) -> ClassicalEnhancer:
        """A light copy that enlarges ``scale`` times. Raises InputError if this one does not, or by another factor."""
        if scale != self.scale and self.scale is not None:
            does = f"enlarges {self.scale} times" if self.scale > 1 else "keeps the size of pictures"
            raise InputError(f"{self.spec.name} {does}, {scale} times was asked for: pick another, such as bicubic.")
        if not SCALE.low <= scale <= SCALE.high:
            raise InputError(f"scale must be a whole number in 1..{SCALE.high:g}, got {scale}.")
        fixed = copy(self)
        fixed._set_scale(scale)
        return fixed

    def preprocess(self, image: Image) -> Picture:
        """(H, W, 3) uint8 RGB, or (H, W, 4) with alpha; nothing is changed. Raises ValueError for another array."""
        return as_picture(image)

    def forward(self, items: Sequence[Picture]) -> tuple[Sequence[Pixels], Sequence[Picture]]:
        """One picture after another; a grey one (three equal channels) as one channel.

        Raises:
            InputError: nobody said how many times to enlarge.
            OutOfMemory: a picture too large.
        """
        if self._closed:
            raise ValueError(f"{self.spec.name} has been closed")
        try:
            return [self._one(item) for item in items], list(items)
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error

    def _one(self, item: Picture) -> Pixels:
        pixels = item.plane if item.grey else np.ascontiguousarray(item.pixels)
        if self._method.enlarges:
            if self.scale is None:
                raise InputError(f"{self.spec.name} enlarges by any factor: say which, for example --set scale=2.")
            return self._method.run(pixels, self.scale)
        if self.spec.name == "inpaint" and item.alpha is not None:
            return methods.inpaint(pixels, self.values, item.alpha == 0)
        return self._method.run(pixels, self.values)

    def postprocess(self, outputs: tuple[Sequence[Pixels], Sequence[Picture]]) -> list[Prediction]:
        """Pictures: grey (H, W) where a grey one went in; alpha enlarged bicubically, else as it was."""
        scale = self.scale or 1
        return [answer(picture, pixels, scale) for pixels, picture in zip(*outputs, strict=True)]

    def close(self) -> None:
        """There is nothing to give back."""
        self._closed = True


def check_settings(name: str, settings: Mapping[str, str]) -> None:
    """Raises InputError for a setting that the method called ``name`` does not have."""
    method = METHODS[name]
    keys = [setting.key for setting in ((*method.settings, SCALE) if method.enlarges else method.settings)]
    for key in settings:
        if key not in keys:
            has = f"it understands {', '.join(keys)}" if keys else "it has none"
            hint = did_you_mean(key, keys) or f" To set: {has}."
            raise InputError(f"{name} has no setting called {key[:80]!r}.{hint}")


def _spec(name: str) -> ModelSpec:
    method = METHODS[name]
    return ModelSpec(
        name=name,
        task="enhancement",
        family="classical",
        source=method.source,
        weights=Weights("package", "none needed", 0),
        license=license_of(method),
        paper=method.paper,
        preprocessing=method.words,
    )
