"""Small pages around one view, each in a process of its own, for tests of the view alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(module: str) -> Iterator[str]:
    """The page that ``python -m module`` launches and whose address it prints; gives that address."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-m", module], cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = next((s for s in process.stdout if s.startswith("http")), "")
        assert line, "the page did not start"
        yield line.strip()
    finally:
        process.terminate()
        process.wait(20)
