"""A GPU that is lent for seconds: Hugging Face's ZeroGPU, where a GPU call runs in a process of its own.

On such a Space ``spaces.GPU`` forks a process that has a GPU, hands it the arguments by pickle, and gets the result the
same way; a call may last 60 s and is booked on the visitor's quota. So a model stands twice: here on the CPU, for
what it is called, its classes and its preprocessing, and there on the GPU, loaded at the first call of that process.
Only pictures that are ready for the network travel there, and answers in numpy back, many batches a call so that
waiting for a GPU counts little. Everywhere else nothing of this is used.

The emulation of CUDA that ``spaces`` installs holds in the thread that imports it only, and models are loaded in
others: that is why none is put "on cuda" here in the main process.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dashboard.errors import InputError
from dashboard.types import Image, Prediction
from models.base import LoadOptions, ModelAdapter, OutOfMemory
from models.load import load_model

LONGEST_S = 60
"""What is asked of ZeroGPU for a call."""
AIM_S = 20.0
"""What a call is aimed to last: a slow picture, or a GPU that has to be woken, then still fits."""
MOST_ITEMS = 1024
MOST_BYTES = 256 << 20
"""Of prepared pictures in one call."""
WORDLESS = ("semantic-segmentation",)
"""Tasks whose answers hold on to the device (class probabilities, asked for later): they stay on the CPU."""

ON = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true") and bool(importlib.util.find_spec("spaces"))
"""Whether this is a ZeroGPU Space."""


@dataclass(frozen=True)
class Recipe:
    """How to load the model again in another process.

    Attributes:
        name: listed, or a file.
        task: what for.
        options: how; the device is chosen there.
        settings: those of ``options``, which can be a key of nothing as a dict.
        scale: of an enhancer that enlarges by any factor, once it is known.
    """

    name: str
    task: str | None
    options: tuple[Any, ...]
    settings: tuple[tuple[str, str], ...]
    scale: int | None = None

    @classmethod
    def of(cls, name: str, task: str | None, options: LoadOptions) -> Recipe:
        """From what ``load_model`` takes."""
        how = (options.precision, options.fuse, options.allow_code, options.task)
        return cls(name, task, how, tuple(sorted(options.settings.items())))

    def load(self, device: str) -> ModelAdapter[Any, Any]:
        """The model; on one thread (``_alone``)."""
        precision, fuse, allow_code, task = self.options
        options = LoadOptions(
            device=device, precision=precision, fuse=fuse, allow_code=allow_code, task=task, threads=1,
            settings=dict(self.settings),
        )  # fmt: skip
        made: Any = load_model(self.name, options, self.task)
        return made if self.scale is None else made.at_scale(self.scale)


@lru_cache(1)
def _alone(_process: int) -> None:
    """Work on one thread: this process is a fork, and OpenMP would wait for threads that only its parent has."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@lru_cache(2)
def _there(recipe: Recipe, device: str) -> ModelAdapter[Any, Any]:
    """The model in the GPU's process, kept as long as that lives."""
    return recipe.load(device)


def _answers(recipe: Recipe, items: Sequence[Any], together: int, device: str = "cuda:0") -> tuple[str, Any]:
    """Runs in the GPU's process: pictures in batches, and what came of them.

    Returns:
        ("ok", predictions), or ("input", sentence) or ("memory", sentence): an exception would only arrive by name.
    """
    try:
        _alone(os.getpid())
        adapter = _there(recipe, device)
        found: list[Prediction] = []
        for start in range(0, len(items), together):
            found += adapter.postprocess(adapter.forward(items[start : start + together]))
        return "ok", found
    except InputError as error:
        return "input", str(error)
    except OutOfMemory as error:
        return "memory", str(error)
    except ValueError as error:
        return "value", str(error)


def _lent() -> Callable[..., tuple[str, Any]]:
    """``_answers`` as ZeroGPU runs it; decorated when this module is imported, as it asks."""
    if not ON:
        return _answers
    import spaces

    return spaces.GPU(duration=LONGEST_S)(_answers)


answers = _lent()


class FarAdapter(ModelAdapter[Any, list[Prediction]]):
    """A model whose network runs in the GPU's process.

    Args:
        name: as for ``load_model``.
        options: likewise; the device is not looked at.
        task: likewise.
        call: what runs ``_answers`` there.

    Attributes:
        near: the same model on this side's CPU.
        together: pictures a forward pass over there; smaller when memory does not do.
        items: pictures a call, as many as take about ``AIM_S`` seconds.
    """

    def __init__(
        self,
        name: str,
        options: LoadOptions,
        task: str | None = None,
        call: Callable[..., tuple[str, Any]] | None = None,
    ) -> None:
        self.near = load_model(name, replace(options, device="cpu"), task)
        self.recipe = Recipe.of(name, task, options)
        self.spec, self.fingerprint, self.device = self.near.spec, self.near.fingerprint, "cuda:0"
        self.notes = {**self.near.notes, "gpu": "lent by ZeroGPU call by call"}
        self.together, self.items = 16, 32
        self._call = call or answers

    def __getattr__(self, name: str) -> Any:
        """What only some models have (a tracker, a scale) is the near one's."""
        if name.startswith("__") or name == "near":  # while it is copied there is none yet
            raise AttributeError(name)
        return getattr(self.near, name)

    def at_scale(self, scale: int) -> FarAdapter:
        """The same, enlarging ``scale`` times."""
        made = copy.copy(self)
        near: Any = self.near
        made.near, made.recipe = near.at_scale(scale), replace(self.recipe, scale=scale)
        made.spec, made.fingerprint = made.near.spec, made.near.fingerprint
        return made

    def plan(self, batch_size: int) -> int:
        """Take pictures ``batch_size`` together over there; how many to hand to the first ``forward``."""
        self.together = max(1, batch_size)
        self.items = 2 * self.together
        return self.items

    def preprocess(self, image: Image) -> Any:
        """Here, on the CPU."""
        return self.near.preprocess(image)

    def forward(self, items: Sequence[Any]) -> list[Prediction]:
        """One call to the GPU's process. Raises OutOfMemory if not even one picture fits there."""
        while True:
            begin = time.perf_counter()
            try:
                kind, found = self._call(self.recipe, list(items), self.together)
            except Exception as error:  # no GPU was free, or the visitor's quota is spent: gradio's own error
                if type(error).__module__.partition(".")[0] != "gradio":
                    raise
                raise InputError(f"No GPU could be had: {_plain(getattr(error, 'message', error))}") from error
            if kind == "memory" and self.together > 1:
                self.together = max(1, self.together // 2)
                continue
            break
        if kind == "memory":
            raise OutOfMemory(found)
        if kind != "ok":
            raise (InputError if kind == "input" else ValueError)(found)
        self._learn(items, time.perf_counter() - begin)
        return found

    def _learn(self, items: Sequence[Any], seconds: float) -> None:
        """How many pictures the next call takes; growing slowly, as the first calls load the model, too."""
        size = sum(getattr(item, "nbytes", 1 << 20) for item in items) / max(1, len(items))
        aim = AIM_S / max(seconds / max(1, len(items)), 1e-6)
        self.items = int(max(self.together, min(aim, 4 * self.items, MOST_ITEMS, MOST_BYTES / max(size, 1.0))))

    def postprocess(self, outputs: list[Prediction]) -> list[Prediction]:
        """Done over there already."""
        return outputs

    def reset(self) -> None:
        """Of the near one: what has a state (a tracker) runs here."""
        self.near.reset()

    def close(self) -> None:
        """Of the near one."""
        self.near.close()


def _plain(message: object) -> str:
    """A message of ZeroGPU on one line without its links."""
    return " ".join(re.sub(r"<[^>]*>", " ", str(message)).split())[:300]


def load_for(name: str, options: LoadOptions, task: str | None, asked: bool) -> ModelAdapter[Any, Any]:
    """``load_model`` on a ZeroGPU Space: a model that runs on its GPU if a visitor has asked for it.

    Args:
        name: as for ``load_model``.
        options: likewise; the device is not looked at.
        task: likewise.
        asked: whether somebody whose quota it may take is behind it; what the server makes by itself runs on the CPU.
    """
    near = replace(options, device="cpu")
    if not asked or task in WORDLESS:
        return load_model(name, near, task)
    made = FarAdapter(name, options, task)
    return made if made.spec.task not in WORDLESS else made.near
