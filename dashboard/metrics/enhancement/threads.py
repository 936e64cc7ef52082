"""How many threads pictures are measured in."""

from __future__ import annotations

import os

WORKERS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
"""One for each core this process may run on, at most 8."""
