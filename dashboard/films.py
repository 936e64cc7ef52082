"""Videos that browsers play: made once for a sequence, one after another, behind what is on the page already."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.datasets.sequences import sequences_of
from dashboard.disk import prune_files
from dashboard.errors import InputError
from dashboard.video_writing import Proxy, proxy, ready

MOST_BYTES = 4 << 30
"""Of copies that are kept; the longest unused go first."""
AGAIN_S = 20.0
"""Before what failed is tried again: a page that asks every second should tell why, not try every second."""


@dataclass
class Making:
    """A copy under way.

    Attributes:
        done, total: frames.
        future: its end.
        ended: when that was, of ``time.monotonic``.
    """

    done: int = 0
    total: int = 0
    future: Future[Proxy] | None = None
    ended: float = math.inf

    @property
    def stands(self) -> bool:
        """Whether nothing has to be begun: it is under way, or has failed just now."""
        busy = self.future is None or not self.future.done()
        return busy or (bool(self.error) and time.monotonic() - self.ended < AGAIN_S)

    @property
    def error(self) -> str:
        """Why it failed, in one sentence; "" if it did not, or not yet."""
        if self.future is None or not self.future.done():
            return ""
        problem = self.future.exception()
        return "" if problem is None else str(problem)


class Films:
    """Copies for browsers in a folder. Safe to use from several threads; holds nothing but what is being made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool: ThreadPoolExecutor | None = None
        self._guard = threading.Lock()
        self._making: dict[tuple[str, str], Making] = {}

    def ready(self, dataset: Any, place: int) -> Proxy | None:
        """The video of a sequence, if it is there: the file itself, or a copy."""
        try:
            found = ready(dataset, place, self.folder)
        except InputError:
            return None
        if found is not None and found.path.parent == self.folder:
            with contextlib.suppress(OSError):
                os.utime(found.path)
        return found

    def ask(self, dataset: Any, place: int) -> Making:
        """Have a copy made, if nobody has yet; how far it is."""
        info = sequences_of(dataset)[place]
        key = (dataset.fingerprint, info.name)
        with self._guard:
            known = self._making.get(key)
            if known is not None and known.stands:
                return known
            made = self._making[key] = Making(0, len(info))
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="films")
            made.future = self._pool.submit(self._make, dataset, place, made)
            return made

    def _make(self, dataset: Any, place: int, made: Making) -> Proxy:
        def told(done: int, total: int) -> None:
            made.done, made.total = done, total

        try:
            found = proxy(dataset, place, self.folder, told)
            prune_files(self.folder.glob("*.mp4"), MOST_BYTES, found.path)
            return found
        finally:
            made.ended = time.monotonic()
