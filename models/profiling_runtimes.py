"""The same network in another runtime, behind the same preprocessing and postprocessing: ONNX Runtime, OpenVINO, a
compiled graph.

The network is exported by torch and put back into its adapter as a torch module that calls the other runtime, so that
whatever differs is the runtime's. ``why_not`` sentences are for people.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from models.base import ModelAdapter
from models.torch_adapter import TorchClassifier
from models.torch_segment import TorchSegmenter, one_output, tensor_of

if TYPE_CHECKING:
    import torch
    from torch import nn

RUNTIMES = {"onnxruntime": "onnxruntime", "openvino": "openvino"}
"""Variant to the package it needs."""


class CannotRun(Exception):
    """Why a network cannot run in a runtime, one sentence."""


def move(adapter: ModelAdapter[Any, Any], item: Any, runtime: str) -> None:
    """Let ``adapter`` run its network in another runtime from now on.

    Args:
        adapter: plain: nothing folded, single precision, on the CPU for runtimes of their own.
        item: one preprocessed picture; the network is exported with the input that it gets of it.
        runtime: "onnxruntime", "openvino" or "compiled".

    Raises:
        CannotRun: a package is missing, the network has other inputs or outputs than one tensor, torch cannot export
            it, or the runtime cannot run it.
    """
    if runtime == "compiled":
        _compile(adapter, item)
        version = importlib.metadata.version("torch")
    else:
        package = RUNTIMES[runtime]
        if importlib.util.find_spec(package) is None:
            raise CannotRun(f"The package {package} is not installed: pip install {package}.")
        if adapter.device != "cpu":
            raise CannotRun(f"{runtime} is compared on the CPU only: choose --device cpu.")
        _export(adapter, item, runtime)
        version = importlib.metadata.version(package)
    adapter.fingerprint = hashlib.sha256(f"{adapter.fingerprint} {runtime} {version}".encode()).hexdigest()[:16]
    adapter.notes = {**adapter.notes, "runtime": f"{runtime} {version}"}


def _compile(adapter: Any, item: Any) -> None:
    import torch

    net = adapter.network
    if net is None:
        raise CannotRun("There is no torch network to compile.")
    try:
        adapter.network = torch.compile(net)
        adapter.forward([item])
    except Exception as error:
        adapter.network = net
        raise CannotRun(f"torch.compile does not work here ({_short(error)}).") from error


def _export(adapter: Any, item: Any, runtime: str) -> None:
    import torch

    from models.enhancement import TorchEnhancer

    if not isinstance(adapter, (TorchClassifier, TorchSegmenter, TorchEnhancer)):
        raise CannotRun(
            "Only classifiers, semantic segmenters and enhancers that are torch networks are exported: a detector's "
            "boxes are made partly outside the graph; load its own ONNX export to compare."
        )
    net = adapter.network
    batch = _input_of(adapter, net, item)
    sizes = not isinstance(adapter, TorchClassifier)  # these take pictures of any size
    try:
        data = onnx_bytes(net, batch, sizes)
    except Exception as error:
        raise CannotRun(f"torch cannot export this network to ONNX ({_short(error)}).") from error
    try:
        run = _opened(runtime, data, adapter._threads)
        made = _foreign(run)
        with torch.inference_mode():
            before, one = tensor_of(net(batch)), made(batch)
        if before.shape != one.shape:
            raise CannotRun(f"{runtime} gives {tuple(one.shape)} where torch gives {tuple(before.shape)}.")
        made.several = _takes_two(run, batch, one)
    except CannotRun:
        raise
    except Exception as error:
        raise CannotRun(f"{runtime} cannot run what torch exports ({_short(error)}).") from error
    adapter.network = made


def onnx_bytes(net: nn.Module, batch: torch.Tensor, sizes: bool) -> bytes:
    """A network as an ONNX file.

    Args:
        net: gives a tensor, or one in a tuple or a dictionary's "out".
        batch: (B, C, H, W) what it is traced with.
        sizes: let height and width vary, not the batch alone.

    Raises:
        Exception: whatever torch says if it cannot.
    """
    import torch

    axes = {0: "batch", 2: "height", 3: "width"} if sizes else {0: "batch"}
    output = io.BytesIO()
    with torch.inference_mode(False), torch.no_grad(), _quiet():
        torch.onnx.export(
            one_output(net),
            (batch.clone(),),
            output,  # type: ignore[arg-type]  # a file-like object is taken as well
            input_names=["image"],
            output_names=["output"],
            dynamic_axes={"image": axes, "output": {0: "batch"}},
            dynamo=False,
        )
    return output.getvalue()


def _input_of(adapter: Any, net: nn.Module, item: Any) -> torch.Tensor:
    """The tensor that the network gets of one picture."""
    import torch

    found: list[tuple[Any, Any]] = []
    handle = net.register_forward_pre_hook(lambda _, args, kwargs: found.append((args, kwargs)), with_kwargs=True)
    try:
        adapter.forward([item])
    finally:
        handle.remove()
    args, kwargs = found[0]
    if len(args) != 1 or kwargs or not isinstance(args[0], torch.Tensor):
        raise CannotRun("The network takes more than one tensor, which is not exported here.")
    return args[0]


def _opened(runtime: str, data: bytes, threads: int) -> Callable[[Any], Any]:
    """What maps a (B, C, H, W) float32 array to the network's answer."""
    if runtime == "openvino":
        import openvino  # type: ignore[import-not-found, unused-ignore]

        core = openvino.Core()
        how = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # bf16 otherwise, where the processor has it
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(core.read_model(io.BytesIO(data)), "CPU", how)
        return lambda batch: compiled(batch)[0]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["output"], {"image": batch})[0]


def _foreign(run: Callable[[Any], Any]) -> Any:
    """A torch module whose forward is ``run``, one picture at a time unless ``several``."""
    import torch
    from torch import nn

    class Foreign(nn.Module):
        several = False

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            values = np.ascontiguousarray(batch.float().numpy())
            if self.several or len(values) == 1:
                return torch.from_numpy(np.asarray(run(values)))
            return torch.from_numpy(np.concatenate([run(values[i : i + 1]) for i in range(len(values))]))

    return Foreign().eval()


def _takes_two(run: Callable[[Any], Any], batch: torch.Tensor, answer: torch.Tensor) -> bool:
    """Whether the exported graph answers two pictures at once, each as alone: tracing may have fixed the batch."""
    try:
        both = np.asarray(run(np.ascontiguousarray(batch.repeat(2, 1, 1, 1).float().numpy())))
    except Exception:  # whatever the runtime says, it does not
        return False
    bound = 1e-3 * max(1.0, float(answer.abs().max()))
    return both.shape[0] == 2 and bool(np.abs(both - answer.numpy()).max() <= bound)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's advice."""
    import torch

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    core: Any = torch._C
    printing = core._jit_onnx_log  # the whole graph, where an operator is unknown
    core._jit_onnx_log = lambda *_: None
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # an operator that ONNX does not have
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        core._jit_onnx_log = printing
        torch.backends.mha.set_fastpath_enabled(fast)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:140]}"
