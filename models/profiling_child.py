"""A model's cold start, in a process of its own: ``python -m models.profiling_child``, told on its input.

Nothing of the project is imported before the clock runs. Standard input is one JSON object: ``model``, ``options`` (of
``LoadOptions``), ``task``, ``height`` and ``width`` of the picture. Standard output ends with one JSON line::

    {"seconds": {"import_s", "load_s", "first_s", "total_s"}, "memory_mb": {"before", "loaded", "steady", "peak", ...}}

``import_s`` is torch and what loads models; ``load_s`` includes the libraries that this one model needs. ``before`` is
the process with torch imported and no model; ``peak`` the most that the process ever had. On CUDA ``gpu_steady`` and
``gpu_peak`` are torch's own allocations.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

STEADY = 5  # further pictures before memory is called steady
_MB = 1e6


def main() -> None:
    """Load, look at a picture, say what it took. A refusal is ``{"error": ...}``."""
    asked = json.load(sys.stdin)
    start = time.perf_counter()
    import torch

    from dashboard.errors import InputError
    from models.load import load_model

    imported = time.perf_counter()
    try:
        print("\n" + json.dumps(_measure(asked, imported - start, load_model, torch)))
    except InputError as error:
        print("\n" + json.dumps({"error": str(error)}))


def _measure(asked: dict[str, Any], import_s: float, load_model: Any, torch: Any) -> dict[str, Any]:
    from models.base import LoadOptions
    from models.profiling_formulas import made_picture

    memory = {"before": resident_mb()}
    picture = made_picture(asked["height"], asked["width"])
    start = time.perf_counter()
    adapter = load_model(asked["model"], LoadOptions(**asked["options"]), asked["task"])
    loaded = time.perf_counter()
    memory["loaded"] = resident_mb()
    first = time.perf_counter()
    adapter.predict([picture])
    ended = time.perf_counter()
    for _ in range(STEADY):
        adapter.predict([picture])
    memory |= {"steady": resident_mb(), "peak": peak_mb()}
    if adapter.device.startswith("cuda"):
        memory |= {
            "gpu_steady": torch.cuda.memory_allocated(adapter.device) / _MB,
            "gpu_peak": torch.cuda.max_memory_allocated(adapter.device) / _MB,
        }
    load_s, first_s = loaded - start, ended - first
    seconds = {"import_s": import_s, "load_s": load_s, "first_s": first_s, "total_s": load_s + first_s}
    return {"seconds": seconds, "memory_mb": memory}


def resident_mb() -> float:
    """Megabytes of memory that this process holds."""
    import psutil

    return float(psutil.Process().memory_info().rss) / _MB


def peak_mb() -> float:
    """The most megabytes that this process has held.

    Not ``ru_maxrss`` where there is better: Linux starts it at the size of the process that called this one.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / _MB
    except OSError:
        pass
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / _MB
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


if __name__ == "__main__":
    main()
