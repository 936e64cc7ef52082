"""What detectors that run in torch share: device, precision, layout, threads, a first run, the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models.base import LoadOptions, ModelAdapter, ModelSpec
from models.detection import check_finite
from models.torch_adapter import choose_device, cpu_threads, fingerprint, first_run, memory_errors

if TYPE_CHECKING:
    import torch
    from torch import nn


class TorchDetector(ModelAdapter[Any, Any]):
    """A torch network that finds objects; families say how pictures go in and what comes out.

    Args:
        net: the network, on the CPU, in float32. It is changed in place (folded, moved).
        spec: its facts, class names included.
        options: device, precision, threads.
        config: what else can change predictions: goes into the fingerprint.
        notes: more facts for ``notes``.

    Raises:
        InputError: no such device, precision not available there, weights that are not numbers.
    """

    def __init__(
        self, net: nn.Module, spec: ModelSpec, options: LoadOptions, config: Sequence[Any], notes: dict[str, Any] | None
    ) -> None:
        import torch

        self.device = choose_device(options)
        self.spec = spec
        self._threads = cpu_threads(options)
        torch.set_num_threads(self._threads)
        self._dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(options.precision)
        self._net: nn.Module | None = net.eval()
        for parameter in net.parameters():
            parameter.requires_grad_(False)
            check_finite(spec.name, bool(parameter.isfinite().all()))
        self._channels_last = options.pixels_together
        self.fingerprint = fingerprint(net, *config, options.precision, options.fuse, *options.layout_key)
        self.notes = {
            **(notes or {}),
            "threads": self._threads,
            "layout": "channels last" if self._channels_last else "channels first",
        }

    def start(self, height: int, width: int) -> None:
        """Move to the device and run one grey picture. Raises InputError if it does not fit."""
        import torch

        picture = np.full((height, width, 3), 114, np.uint8)
        with first_run(self.spec.name, height, width):
            self.network.to(torch.device(self.device))
            if self._channels_last:
                self.network.to(memory_format=torch.channels_last)
            self.postprocess(self.forward([self.preprocess(picture)]))

    @property
    def network(self) -> nn.Module:
        """The network as it runs (folded, on the device), for profiling."""
        if self._net is None:
            raise ValueError(f"{self.spec.name} has been closed")
        return self._net

    @network.setter
    def network(self, net: nn.Module) -> None:
        """Run another one in its place that maps the same to the same (exported, compiled); nothing is checked."""
        self._net = net

    def close(self) -> None:
        """Drop the network; CUDA memory is handed back."""
        import torch

        self._net = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around the network's work: no gradients, the chosen precision, all threads, and done at the end."""
        import torch

        if torch.get_num_threads() != self._threads:  # another library has lowered it meanwhile
            torch.set_num_threads(self._threads)
        kind = self.device.partition(":")[0]
        precision = torch.autocast(kind, dtype=self._dtype) if self._dtype is not None else nullcontext()
        with torch.inference_mode(), memory_errors(), precision:
            yield
            if kind == "cuda":
                torch.cuda.synchronize(self.device)

    def batch(self, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Pictures of one size, (H, W, 3) uint8, to (B, 3, H, W) floats in 0..1 on the device."""
        import torch

        stacked = torch.from_numpy(np.stack(pictures))
        if self.device != "cpu":
            stacked = stacked.pin_memory().to(self.device, non_blocking=True)
        batch = stacked.permute(0, 3, 1, 2).float().div_(255)
        return batch if self._channels_last else batch.contiguous()


def check_names(spec: ModelSpec, classes: int) -> tuple[str, ...]:
    """``spec``'s class names, or numbers if it has none. Raises InputError if they are not ``classes``."""
    from models.torch_adapter import numbered

    names = spec.class_names or numbered(classes)
    if len(names) != classes:
        raise InputError(f"{spec.name} has {classes} classes but {len(names)} class names were given.")
    return names
