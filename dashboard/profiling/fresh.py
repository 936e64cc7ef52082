"""A model's cold start and memory, measured in a process that has nothing else in it (``models.profiling_child``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dashboard.errors import Cancelled
from models.base import LoadOptions

ROOT = Path(__file__).parents[2]
LONGEST_S = 300.0


@dataclass(frozen=True)
class Fresh:
    """What a fresh process says.

    Attributes:
        seconds: "import_s", "load_s", "first_s", "total_s"; empty if it could not be measured.
        memory_mb: "before", "loaded", "steady", "peak"; on CUDA "gpu_steady" and "gpu_peak".
        why_not: one sentence if it could not be measured.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    why_not: str = ""


def cold_start(
    model: str,
    options: LoadOptions,
    task: str | None,
    size: tuple[int, int],
    cancel: threading.Event | None = None,
) -> Fresh:
    """Load a model in a new process and let it look at a picture of ``size`` (height, width).

    Raises:
        Cancelled: ``cancel`` was set; the process is ended.
    """
    asked = {
        "model": str(Path(model).resolve()) if Path(model).is_file() else model,
        "options": {**asdict(options), "settings": dict(options.settings)},
        "task": task,
        "height": size[0],
        "width": size[1],
    }
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-m", "models.profiling_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    said, begun = "", json.dumps(asked)
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            said, complaint = process.communicate(begun, timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            begun = None  # type: ignore[assignment]  # it has been handed over
            if (cancel is not None and cancel.is_set()) or time.monotonic() > deadline:
                process.kill()
                process.communicate()
                if cancel is not None and cancel.is_set():
                    raise Cancelled("Stopped.") from None
                return Fresh(why_not=f"The cold start took more than {LONGEST_S:.0f} s and was not measured.")
    return _read(said, process.returncode, complaint)


def _read(said: str, status: int, complaint: str) -> Fresh:
    try:
        found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        if "error" in found:
            return Fresh(why_not=f"The cold start could not be measured: {found['error']}")
        return Fresh(found["seconds"], found["memory_mb"])
    except (IndexError, ValueError, KeyError, TypeError):
        last = (complaint.strip().splitlines() or [f"it ended with status {status}"])[-1][:160]
        return Fresh(why_not=f"The cold start could not be measured ({last}).")
