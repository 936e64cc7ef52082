"""What a number was measured on."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

PACKAGES = ("torch", "torchvision", "timm", "ultralytics", "onnxruntime", "numpy", "pillow", "av", "lap", "trackers")
"""Whose versions can change a number."""


def _version(package: str) -> str | None:
    """A package's version, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The CPU's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe_environment(device: str | None = None) -> dict[str, Any]:
    """Facts about this machine and its software. torch is asked only if it is loaded already."""
    facts: dict[str, Any] = {
        "loupe": _version("loupe") or "0.1.0",
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "device": device,
        "packages": {p: _version(p) for p in PACKAGES},
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        if device and device.startswith("cuda"):
            facts["gpu"] = torch.cuda.get_device_name(device)
    return facts
