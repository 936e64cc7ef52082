"""Reading named tensors from safetensors, torch files and pickles, without running anything in them.

Pickles go through torch's ``weights_only``; what that refuses, and TorchScript, is refused here with a reason unless
code is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError
from models.base import LoadOptions
from models.sniff import check_pickle, pickle_globals, sniff
from models.torch_adapter import load_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
    "model",
    "net",
    "network",
    "weights",
)
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


@dataclass
class TensorFile:
    """What was found: tensors and text, or (only where code is allowed) a whole network."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    network: nn.Module | None = None


def read(path: Path, options: LoadOptions) -> TensorFile:
    """Raises InputError: would run code, damaged, no tensors in it, or too much to read."""
    kind = sniff(path).name
    if kind == "safetensors":
        return _read_safetensors(path)
    if kind == "torchscript":
        return TensorFile(network=_read_torchscript(path, options))
    import pickle

    if not options.allow_code:
        check_pickle(path)
    try:
        content = load_tensors(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        if not options.allow_code:
            raise InputError(_refusal(path, error)) from error
        import torch

        try:
            content = torch.load(path, map_location="cpu", weights_only=False)
        except Exception as second:
            raise InputError(f"{path} cannot be loaded ({type(second).__name__}: {second}).") from second
    except Exception as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}): copy or download it again.") from error
    return _unwrapped(path, content, options)


def _refusal(path: Path, error: Exception) -> str:
    known = ("torch.", "collections.OrderedDict", "numpy.")
    foreign = sorted(name for name in pickle_globals(path) if not name.startswith(known))
    if foreign or isinstance(error, AttributeError):
        return (
            f"{path} is a pickle that would run code when loaded (it refers to {', '.join(foreign[:3]) or 'objects'}): "
            "save the weights as safetensors or as a plain state dict, or allow code locally if you trust it."
        )
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return f"{path} cannot be read as torch weights; it is damaged, cut off, or not one ({first})."


def _read_safetensors(path: Path) -> TensorFile:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return TensorFile({key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {}))  # noqa: SIM118
    except Exception as error:
        raise InputError(f"{path} is a damaged safetensors file ({error}): copy or download it again.") from error


def _read_torchscript(path: Path, options: LoadOptions) -> nn.Module:
    if not options.allow_code:
        raise InputError(
            f"{path} is TorchScript, a program that would run here: export it to ONNX, save its weights as "
            "safetensors, or allow code locally if you trust it."
        )
    import torch

    try:
        return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise InputError(f"{path} is a damaged TorchScript archive ({type(error).__name__}).") from error


def _unwrapped(path: Path, content: Any, options: LoadOptions) -> TensorFile:
    """Tensors from a state dict, bare or under one of the names that trainers use."""
    from torch import Tensor, nn

    metadata: dict[str, str] = {}
    for _ in range(4):
        if isinstance(content, nn.Module):
            if options.allow_code:
                return TensorFile(network=content, metadata=metadata)
            break
        if not isinstance(content, Mapping):
            break
        for key in ("arch", "architecture"):
            if isinstance(content.get(key), str):
                metadata["arch"] = content[key]
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        inside = next((k for k in WRAPPERS if isinstance(content.get(k), (Mapping, nn.Module)) and content[k]), None)
        if inside is None:
            if tensors:
                return TensorFile(tensors, metadata)
            break
        content = content[inside]
    raise InputError(f"{path} holds no state dict: a mapping of names to tensors was expected.")


def stripped(tensors: dict[str, Tensor], wanted: set[str]) -> dict[str, Tensor]:
    """Without the prefix that DataParallel, torch.compile or a wrapping class put before every name."""
    for _ in range(4):
        if set(tensors) & wanted:
            return tensors
        prefix = next((p for p in PREFIXES if tensors and all(key.startswith(p) for key in tensors)), None)
        if prefix is None:
            return tensors
        tensors = {key[len(prefix) :]: value for key, value in tensors.items()}
    return tensors


def check_kinds(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises InputError for tensors that are not plain numbers stored in full."""
    import torch

    for key, tensor in tensors.items():
        what = ""
        if tensor.is_nested or tensor.layout != torch.strided:
            what = "sparse or nested"
        elif tensor.is_quantized:
            what = "quantized"
        elif tensor.is_complex():
            what = "of complex numbers"
        elif tensor.device.type == "meta":
            what = "without values (a meta tensor)"
        elif tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            what = "a small one repeated (expanded)"
        if what:
            raise InputError(f"{path} cannot be used: its tensor {key[:80]} is {what}; save plain numbers.")
