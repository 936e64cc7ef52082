"""What the graphics card is doing, as NVML tells; nothing without one, or without the package ``nvidia-ml-py``."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def gpu_facts(device: str) -> dict[str, Any]:
    """A CUDA device's name, utilisation and memory.

    Args:
        device: "cuda:N" as torch numbers them; for "cpu" nothing is said.

    Returns:
        ``name``, ``memory_total_mb``, ``memory_used_mb`` (by everybody), ``utilisation`` (0..1, over the driver's last
        sample, up to a second), ``power_w``; as many as the driver tells.
    """
    torch = sys.modules.get("torch")
    if not device.startswith("cuda") or torch is None:
        return {}
    found: dict[str, Any] = {"name": torch.cuda.get_device_name(device)}
    try:
        import pynvml
    except ImportError:
        return found
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            handle = _handle(pynvml, torch, device)
            with contextlib.suppress(pynvml.NVMLError):
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                found |= {"memory_total_mb": memory.total / 1e6, "memory_used_mb": memory.used / 1e6}
            with contextlib.suppress(pynvml.NVMLError):
                found["utilisation"] = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            with contextlib.suppress(pynvml.NVMLError):
                found["power_w"] = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
        finally:
            pynvml.nvmlShutdown()
    return found


def _handle(pynvml: Any, torch: Any, device: str) -> Any:
    """NVML counts all cards, torch those it may see: they are matched by their UUID."""
    number = torch.device(device).index or 0
    uuid = getattr(torch.cuda.get_device_properties(number), "uuid", None)
    if uuid is not None:
        with contextlib.suppress(pynvml.NVMLError):
            return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    return pynvml.nvmlDeviceGetHandleByIndex(number)
