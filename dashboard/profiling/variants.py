"""The ways in which the same weights are run: what each changes, and how one is measured.

Each changes one thing of plain "fp32" (nothing folded, channels first, single precision), so that its speed-up is its
own; "default" is how models are loaded unless said otherwise, batch norms folded and channels last together.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.errors import Cancelled, InputError, did_you_mean
from dashboard.evaluation import Settings, evaluate
from dashboard.history import change_tags
from dashboard.naming import BY_PROFILE
from dashboard.profiling import measuring
from dashboard.profiling.fresh import Fresh, cold_start
from dashboard.profiling.gpu import gpu_facts
from dashboard.profiling.shapes import Variant
from dashboard.store import Store
from dashboard.types import Image
from models.base import LoadOptions, ModelAdapter, OutOfMemory
from models.load import load_model

PLAIN, DEFAULT = "fp32", "default"
CHANGES: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "channels_last": {"channels_last": True},
    "fused": {"fuse": True},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "onnxruntime": {},
    "openvino": {},
    "compiled": {},
    DEFAULT: {},
}
"""Variant to what it changes of plain options."""
RUNTIMES = ("onnxruntime", "openvino", "compiled")
HEADLINES = ("top1", "map", "map_50", "miou", "HOTA", "MOTA", "IDF1", "psnr", "ssim", "f1_macro", "top5", "ece")
"""Metrics kept as what a variant costs in accuracy, where the task has them; the first that is there leads."""


@dataclass(frozen=True)
class Subject:
    """What is profiled.

    Attributes:
        name: of the model, or its file.
        options: as a person would load it.
        task: what it is used for.
        size: (height, width) of the pictures.
        images: of that size.
        batch_sizes: None for the usual.
        dataset, limit, store: to see what each variant costs in accuracy; None for not.
    """

    name: str
    options: LoadOptions
    task: str | None
    size: tuple[int, int]
    images: Sequence[Image]
    batch_sizes: Sequence[int] | None = None
    dataset: Dataset | None = None
    limit: int | None = None
    store: Store | None = None


@dataclass
class Measured:
    """A variant's numbers and what else came of it."""

    variant: Variant
    outputs: list[list[NDArray[np.float32]]]
    fresh: Fresh
    pictures: int = 0
    gpu: dict[str, Any] | None = None
    fingerprint: str = ""
    loaded: Mapping[str, Any] = field(default_factory=dict)  # what happened at loading, as the model notes it


def check_names(names: Sequence[str]) -> None:
    """Raises InputError for a variant that there is not."""
    for name in names:
        if name not in CHANGES:
            known = ", ".join(CHANGES)
            raise InputError(f"There is no variant {name[:80]!r}.{did_you_mean(name, CHANGES)} There are {known}.")


def options_of(variant: str, options: LoadOptions) -> LoadOptions:
    """How the model is loaded for a variant."""
    if variant == DEFAULT:
        return options
    return replace(options, **{"fuse": False, "channels_last": False, "precision": "fp32", **CHANGES[variant]})


def measure(
    variant: str,
    of: Subject,
    watch: measuring.Watch,
    plain: ModelAdapter[Any, Any],
    first: Measured | None = None,
) -> Measured:
    """Load, warm up, measure, evaluate, close. A way that fails has ``why_not``, whatever the vendor's library raises.

    Args:
        variant: which.
        of: what.
        watch: told how far it is.
        plain: the model in the plain variant, loaded; it stays so.
        first: what was measured of it, to compare with; None if that is what is to be measured.

    Raises:
        Cancelled: somebody stopped it.
        InputError: the plain variant, or the default one, cannot be run.
    """
    if first is None:
        return _measured(variant, of, watch, plain, plain, None)
    watch.step("loading")
    adapter = None
    try:
        adapter = load_model(of.name, options_of(variant, of.options), of.task)
        if variant in RUNTIMES:
            _move(adapter, of, variant)
        return _measured(variant, of, watch, adapter, plain, first)
    except Cancelled:
        raise
    except Exception as error:  # the others are worth having all the same
        if variant == DEFAULT:
            raise
        return Measured(Variant(variant, why_not=_why(error)), [], Fresh())
    finally:
        if adapter is not None:
            adapter.close()
        del adapter
        gc.collect()


def _why(error: Exception) -> str:
    """One sentence."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, (OutOfMemory, MemoryError)):
        return "There is not enough memory for it."
    return f"It cannot be run in this way ({type(error).__name__}: {' '.join(str(error).split())[:140]})."


def _move(adapter: ModelAdapter[Any, Any], of: Subject, variant: str) -> None:
    from models.profiling_runtimes import CannotRun, move

    try:
        move(adapter, adapter.preprocess(of.images[0]), variant)
    except CannotRun as error:
        raise InputError(str(error)) from error


def _measured(
    variant: str,
    of: Subject,
    watch: measuring.Watch,
    adapter: ModelAdapter[Any, Any],
    plain: ModelAdapter[Any, Any],
    first: Measured | None,
) -> Measured:
    timed = measuring.whole(adapter)
    watch.step("warming up")
    measuring.warm_up(timed, of.images, watch)
    _forget_peak(adapter.device)
    watch.step("latency")
    figures, pictures = measuring.latency(timed, of.images, watch)
    watch.step("throughput")
    rates = measuring.throughput(timed, of.images, of.batch_sizes, watch)
    gpu = gpu_facts(adapter.device) | _peak(adapter.device)
    outputs = measuring.raw_outputs(adapter, of.images)
    made = Variant(
        variant, latency_ms=figures["latency_ms"], stages_ms=figures["stages_ms"], throughput=rates, speedup=1.0
    )
    if first is not None:
        watch.step("latency")  # of both in turn
        gain = measuring.side_by_side(measuring.whole(plain), timed, of.images, watch)
        made = replace(made, speedup=gain, largest_difference=measuring.largest_difference(first.outputs, outputs))
    else:
        made = replace(made, largest_difference=0.0)
    if of.dataset is not None and of.store is not None:
        watch.step("accuracy")
        made = _evaluated(made, of, watch, adapter)
    fresh = Fresh()
    if variant not in RUNTIMES:
        watch.step("cold start")
        fresh = cold_start(of.name, options_of(variant, of.options), of.task, of.size, watch.cancel)
        peak = fresh.memory_mb.get("gpu_peak") or fresh.memory_mb.get("peak")
        made = replace(made, peak_memory_mb=peak)
    return Measured(made, outputs if first is None else [], fresh, pictures, gpu, adapter.fingerprint, adapter.notes)


def _evaluated(made: Variant, of: Subject, watch: measuring.Watch, adapter: ModelAdapter[Any, Any]) -> Variant:
    """With what it gets right on the dataset. The run carries the variant's name unless it is the default."""
    assert of.dataset is not None
    assert of.store is not None
    if made.name != DEFAULT and not hasattr(adapter, "tracker"):  # a tracked run's name says who tracked
        adapter = copy.copy(adapter)
        adapter.spec = replace(adapter.spec, name=f"{adapter.spec.name} ({made.name})")
    before = set(of.store.ids())
    run = evaluate(adapter, of.dataset, of.store, Settings(limit=of.limit), watch.within, watch.cancel)
    if run.id not in before:
        change_tags(of.store, [run.id], add=[BY_PROFILE])
    return replace(made, accuracy={k: run.metrics[k] for k in HEADLINES if k in run.metrics}, run=run.id)


def _forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> dict[str, float]:
    """Megabytes that torch has had on the card since ``_forget_peak``, and has now."""
    if not device.startswith("cuda"):
        return {}
    import torch

    return {
        "peak_mb": torch.cuda.max_memory_allocated(device) / 1e6,
        "steady_mb": torch.cuda.memory_allocated(device) / 1e6,
    }
