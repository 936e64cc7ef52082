"""The one place where a torch classifier runs: device, precision, layout, folding, threads, softmax, fingerprint."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Classification, Image, Prediction
from models.base import LoadOptions, ModelAdapter, ModelSpec, OutOfMemory

if TYPE_CHECKING:
    import torch
    from torch import nn

Item = NDArray[np.uint8]  # (H, W, C) uint8: a quarter of the memory, and of the transfer, of floats


def cpu_threads(options: LoadOptions) -> int:
    """How many threads to use on the CPU: as asked, or one for each core this process may run on."""
    if options.threads is not None:
        if options.threads < 1:
            raise InputError(f"threads must be at least 1, got {options.threads}.")
        return options.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_device(options: LoadOptions) -> str:
    """ "cpu" or "cuda:N". Raises InputError in one sentence if the device or the precision is not to be had."""
    import torch

    name = options.device.lower()
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = "cuda:0"
    if name.startswith("cuda:") and name[5:].isdecimal():
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name[5:]) >= count:
            have = f"this machine has {count}" if count else "no CUDA device is available here"
            raise InputError(f"Device {options.device!r} cannot be used: {have}; use 'auto' or 'cpu'.")
    elif name != "cpu":
        raise InputError(f"Device must be 'auto', 'cpu' or 'cuda:N', got {options.device!r}.")
    if options.precision not in ("fp32", "fp16", "bf16"):
        raise InputError(f"Precision must be fp32, fp16 or bf16, got {options.precision!r}.")
    if name == "cpu" and options.precision == "fp16":
        raise InputError("Precision fp16 needs a CUDA device; on the CPU use fp32 or bf16.")
    return name


def activation_setting(options: LoadOptions, default: str = "softmax") -> str:
    """ "softmax" (one label) or "sigmoid" (several), from ``activation=...``; families may allow "none"."""
    value = options.settings.get("activation", default).lower()
    if value not in ("softmax", "sigmoid", "none"):
        raise InputError(f"activation must be softmax, sigmoid or none, got {value!r}.")
    return value


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes whose names are not known: their numbers."""
    return tuple(str(i) for i in range(count))


def load_tensors(path: Path) -> Any:
    """``torch.load`` that runs no code from the file, and prints no warnings about how it was pickled."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn every way in which torch says "out of memory" into ``OutOfMemory``."""
    import torch

    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        text = str(error)
        signs = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "not enough memory")
        if not isinstance(error, torch.OutOfMemoryError) and not any(s in text for s in signs):
            raise
        short = text.splitlines()[0]
    else:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise OutOfMemory(short)


@contextmanager
def first_run(name: str, height: int, width: int) -> Iterator[None]:
    """Turn what goes wrong in a network's first run, or on its way to the device, into an InputError."""
    try:
        with memory_errors():
            yield
    except InputError:
        raise
    except (OutOfMemory, MemoryError) as error:
        raise InputError(
            f"{name} needs more memory than there is, even for one picture of {height}x{width}: choose --device cpu, a "
            "smaller model or a smaller input size."
        ) from error
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{name} does not take {height}x{width} pictures: give its size with --set input_size=HxW ({reason})."
        ) from error


class TorchClassifier(ModelAdapter[Item, "torch.Tensor"]):
    """A torch network that maps (B, C, H, W) normalised floats to (B, classes) logits.

    Args:
        net: the network, on the CPU, in float32.
        spec: its facts; ``class_names`` is filled with numbers if empty.
        options: device, precision, folding, threads; ``settings["activation"]``.
        geometry: a picture to (H, W, C) uint8 at the network's input size; called from several threads. Its ``str``
            and the normalisation are part of the fingerprint.
        mean: per channel, on the 0..1 scale.
        std: per channel, on the 0..1 scale.
        notes: more facts for ``notes``.
        outputs_probabilities: the network ends in a softmax itself.

    Raises:
        InputError: no such device, precision not available there, too little memory, another input size, more outputs
            than names.
    """

    def __init__(
        self,
        net: nn.Module,
        spec: ModelSpec,
        options: LoadOptions,
        *,
        geometry: Callable[[Image], Item],
        mean: Sequence[float],
        std: Sequence[float],
        notes: dict[str, Any] | None = None,
        outputs_probabilities: bool = False,
    ) -> None:
        import torch

        self.device = choose_device(options)
        self.activation = activation_setting(options, "none" if outputs_probabilities else "softmax")
        self._threads = cpu_threads(options)
        torch.set_num_threads(self._threads)
        self._geometry = geometry
        self._net: nn.Module | None = net.eval()
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        self._norms: dict[str, nn.Module] = {}  # folded away; kept to measure what folding gains
        self._channels_last = options.pixels_together
        self.notes = dict(notes or {})
        config = [str(geometry), list(mean), list(std), options.precision, self.activation, options.fuse]
        self.fingerprint = fingerprint(net, *config, *options.layout_key)

        # x / 255, then (x - mean) / std, as one multiplication and one addition
        scale = np.array(std, np.float64)
        self._scale = torch.tensor(1 / (255 * scale), dtype=torch.float32).view(1, -1, 1, 1)
        self._shift = torch.tensor(-np.array(mean, np.float64) / scale, dtype=torch.float32).view(1, -1, 1, 1)

        height, width = spec.input_size or (224, 224)
        generator = torch.Generator().manual_seed(0)
        with first_run(spec.name, height, width):
            probe = torch.rand(1, len(mean), height, width, generator=generator)
            if options.fuse:
                from models.fusing import fold_batch_norms

                logits, self._norms = fold_batch_norms(net, probe)
                self.notes["batch norms folded"] = len(self._norms)
            else:
                with torch.inference_mode():
                    logits = net(probe)
        classes = _class_count(logits, spec)
        names = spec.class_names or numbered(classes)
        if len(names) != classes:
            raise InputError(f"{spec.name} has {classes} outputs but {len(names)} class names were given.")
        if not spec.class_names:
            self.notes["class names"] = "unknown, numbered"
        ids = spec.class_ids if len(spec.class_ids) == classes else ()
        self.spec = replace(spec, class_names=names, class_ids=ids)

        target = torch.device(self.device)
        with first_run(spec.name, height, width):
            net.to(target)
            if self._channels_last:
                net.to(memory_format=torch.channels_last)
            self._scale, self._shift = self._scale.to(target), self._shift.to(target)
        dtypes = {"fp16": torch.float16, "bf16": torch.bfloat16}
        self._dtype = dtypes.get(options.precision)
        self.notes["threads"] = self._threads
        self.notes["layout"] = "channels last" if self._channels_last else "channels first"

    def preprocess(self, image: Image) -> Item:
        """(H, W, 3) uint8 to the network's input size, still uint8."""
        return self._geometry(image)

    def forward(self, items: Sequence[Item]) -> torch.Tensor:
        """(B, classes) float32 logits on the device. Raises OutOfMemory if the batch does not fit."""
        import torch

        with torch.inference_mode(), memory_errors():
            return self._run(self._network, self._batch(items))

    def postprocess(self, outputs: torch.Tensor) -> list[Prediction]:
        """Logits to probabilities, in float32, and to numpy."""
        import torch

        if self.activation == "softmax":
            outputs = torch.softmax(outputs, dim=1)
        elif self.activation == "sigmoid":
            outputs = torch.sigmoid(outputs)
        scores = outputs.clamp(0, 1).cpu().numpy()
        if not np.isfinite(scores).all():
            raise InputError(
                f"{self.spec.name} gives outputs that are not numbers (NaN): its weights are damaged, or the precision "
                "is too low for it; try fp32."
            )
        multilabel = self.activation == "sigmoid"
        return [Classification(row, multilabel) for row in scores]

    def close(self) -> None:
        """Drop the network; CUDA memory is handed back."""
        import torch

        self._net = None
        self._norms = {}
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def fusion_gain(self, batch_size: int = 8, rounds: int = 5) -> float:
        """How many times faster a batch runs since batch norms are folded; measured now, in alternation.

        Also kept in ``notes["fusion gain"]``. 1.0 if nothing is folded.
        """
        import copy

        import torch

        if not self._norms:
            return 1.0
        plain = copy.deepcopy(self._network)
        for name, norm in self._norms.items():  # values differ from the original's; the work is the same
            plain.set_submodule(name, copy.deepcopy(norm).to(self.device))
        height, width = self.spec.input_size or (224, 224)
        noise = np.random.default_rng(0).integers(0, 256, (height, width, self._scale.shape[1]), np.uint8)
        times: dict[nn.Module, list[float]] = {self._network: [], plain: []}
        with torch.inference_mode(), memory_errors():
            batch = self._batch([noise] * batch_size)
            for net in times:
                self._run(net, batch)
            for _ in range(rounds):
                for net, seconds in times.items():
                    start = time.perf_counter()
                    self._run(net, batch)
                    seconds.append(time.perf_counter() - start)
        folded, unfolded = (statistics.median(seconds) for seconds in times.values())
        self.notes["fusion gain"] = round(unfolded / folded, 3)  # type: ignore[index]
        return unfolded / folded

    @property
    def network(self) -> nn.Module:
        """The network as it runs (folded, on the device), for profiling."""
        return self._network

    @network.setter
    def network(self, net: nn.Module) -> None:
        """Run another one in its place that maps the same to the same (exported, compiled); nothing is checked."""
        self._net, self._norms = net, {}

    @property
    def _network(self) -> nn.Module:
        if self._net is None:
            raise ValueError(f"{self.spec.name} has been closed")
        return self._net

    def _batch(self, items: Sequence[Item]) -> torch.Tensor:
        """uint8 items to normalised floats (B, C, H, W) on the device; stacked NHWC is channels-last already."""
        import torch

        stacked = torch.from_numpy(np.stack(items))
        if self.device != "cpu":
            stacked = stacked.pin_memory().to(self.device, non_blocking=True)
        batch = stacked.permute(0, 3, 1, 2).float().mul_(self._scale).add_(self._shift)
        return batch if self._channels_last else batch.contiguous()

    def _run(self, net: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        import torch

        if torch.get_num_threads() != self._threads:  # another library has lowered it meanwhile
            torch.set_num_threads(self._threads)
        kind = batch.device.type
        with torch.autocast(kind, dtype=self._dtype) if self._dtype is not None else nullcontext():
            outputs = _logits(net(batch))
        outputs = outputs.float()
        if kind == "cuda":
            torch.cuda.synchronize(batch.device)
        return outputs


def _logits(outputs: Any) -> torch.Tensor:
    """The first of several outputs (auxiliary heads, Ultralytics' pairs)."""
    while isinstance(outputs, (tuple, list)):
        outputs = outputs[0]
    return outputs


def _class_count(outputs: Any, spec: ModelSpec) -> int:
    import torch

    logits = _logits(outputs)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[0] != 1:
        shape = tuple(getattr(logits, "shape", ())) or type(logits).__name__
        raise InputError(f"{spec.name} is not a classifier: one row of scores a picture was expected, got {shape}.")
    return int(logits.shape[1])


def fingerprint(net: nn.Module, *config: Any) -> str:
    """16 hex digits of sha256 over every tensor (name, type, shape, bytes) and ``config``."""
    import torch

    digest = hashlib.sha256(repr(config).encode())
    for name, tensor in net.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            continue
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {flat.dtype} {tuple(flat.shape)}".encode())
        digest.update(flat.view(-1).view(torch.uint8).numpy().data if flat.numel() else b"")
    return digest.hexdigest()[:16]
