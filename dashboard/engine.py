"""What the app and the command line share: the store, the jobs, and a few loaded models and opened datasets."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dashboard.datasets.base import Dataset
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.jobs import Jobs
from dashboard.store import Run, Store
from models.base import LoadOptions, ModelAdapter
from models.load import load_model

T = TypeVar("T")


def default_store() -> Path:
    """``$LOUPE_STORE``, else ``.loupe`` in the home folder."""
    return Path(os.environ.get("LOUPE_STORE") or Path.home() / ".loupe")


class Engine:
    """Holds what is costly to make again. Safe to use from several threads.

    Attributes:
        store: runs on disk.
        jobs: evaluations under way.
        options: how models are loaded unless said otherwise.
        public: a server for strangers: no paths of this machine may be typed, no code in weight files may run.
    """

    def __init__(
        self, store: str | Path | None = None, options: LoadOptions | None = None, public: bool = False
    ) -> None:
        self.store = Store(store or default_store())
        self.jobs = Jobs()
        self.options = options or LoadOptions()
        self.public = public
        if public:
            self.options = replace(self.options, allow_code=False)
        self._guard = threading.RLock()
        self._models: OrderedDict[Hashable, ModelAdapter[Any, Any]] = OrderedDict()
        self._datasets: OrderedDict[Hashable, Dataset] = OrderedDict()

    def model(self, name: str, options: LoadOptions | None = None) -> ModelAdapter[Any, Any]:
        """A loaded model by name or file; the last four are kept. Raises InputError in one sentence."""
        options = options or self.options
        key = (name, _stamp(name), options.device, options.precision, options.fuse, tuple(options.settings.items()))
        return self._kept(self._models, key, 4, lambda: load_model(name, options))

    def dataset(
        self,
        source: str,
        format: str | None = None,
        task: str = "classification",
        options: Mapping[str, str] | None = None,
    ) -> Dataset:
        """An opened dataset; the last eight are kept. Raises InputError in one sentence."""
        options = dict(options or {})
        key = (source, _stamp(source), format, task, tuple(options.items()))
        return self._kept(self._datasets, key, 8, lambda: open_dataset(source, format, task, options))

    def pictures(self, run: Run) -> Dataset | None:
        """The dataset behind a run, or None if it has moved or changed (the numbers stay, the pictures are gone)."""
        facts = run.facts.get("dataset_facts", {})
        with contextlib.suppress(InputError):
            dataset = self.dataset(facts["source"], facts.get("format"), run.task, facts.get("options"))
            if dataset.fingerprint == facts["fingerprint"]:
                return dataset
        return None

    def _kept(self, cache: OrderedDict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
        """From the cache, or made and kept; the one unused for longest goes."""
        with self._guard:
            if key not in cache:
                cache[key] = make()
                while len(cache) > most:
                    cache.popitem(last=False)
            cache.move_to_end(key)
            return cache[key]


def _stamp(source: str) -> float:
    """When a file or folder last changed, so that a changed one is opened anew; 0 for a name."""
    try:
        return os.stat(source).st_mtime
    except OSError:
        return 0.0
