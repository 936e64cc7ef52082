"""What the app and the command line share: the store, the jobs, and a few loaded models and opened datasets."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dashboard.datasets.archive import Limits
from dashboard.datasets.base import Dataset
from dashboard.datasets.cache import prune
from dashboard.datasets.opening import cache_folder, open_dataset
from dashboard.datasets.videofile import MAX_PUBLIC_MINUTES
from dashboard.disk import digest_of, friendly_os_errors
from dashboard.errors import InputError
from dashboard.films import Films
from dashboard.jobs import Jobs
from dashboard.spaces_gpu import ON, load_for
from dashboard.store import Run, Store
from dashboard.visitors import KEEP_S, VisitorStore, sweep
from models.base import LoadOptions, ModelAdapter
from models.load import load_model

T = TypeVar("T")
MOST_UNPACKED = 4_000_000_000  # bytes of an archive that a stranger may drop
LONGEST_JOB_S = 900.0  # of a visitor's work on a public server: others wait for it
LOOK_AGAIN_S = 60.0  # before looking again for pictures that were gone


def default_store() -> Path:
    """``$LOUPE_STORE``, else ``.loupe`` in the home folder."""
    return Path(os.environ.get("LOUPE_STORE") or Path.home() / ".loupe")


class Engine:
    """Holds what is costly to make again. Safe to use from several threads.

    Attributes:
        store: runs on disk.
        jobs: evaluations under way.
        options: how models are loaded unless said otherwise.
        films: videos for browsers.
        preparing: tab to the job that makes its first results, at the first start.
        public: a server for strangers: no paths of this machine may be typed, no code in weight files may run.
    """

    def __init__(
        self, store: str | Path | None = None, options: LoadOptions | None = None, public: bool = False
    ) -> None:
        self.store = (VisitorStore if public else Store)(store or default_store())
        self.jobs = Jobs(LONGEST_JOB_S if public else None)
        self.options = options or LoadOptions()
        self.preparing: dict[str, str] = {}
        self.public = public
        self.films = Films(cache_folder().parent / "films")
        if public:
            self.options = replace(self.options, allow_code=False)
        if ON:  # CUDA is only emulated in this process
            self.options = replace(self.options, device="cpu")
        self._guard = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._models: OrderedDict[Hashable, ModelAdapter[Any, Any]] = OrderedDict()
        self._datasets: OrderedDict[Hashable, Dataset] = OrderedDict()
        self._gone: dict[Hashable, float] = {}  # datasets that were not there, and when that was seen

    def model(self, name: str, options: LoadOptions | None = None, task: str | None = None) -> ModelAdapter[Any, Any]:
        """A loaded model by name or file, to be used for ``task`` (its own by default); the last four are kept.

        Raises:
            InputError: in one sentence.
        """
        return self.model_and_cost(name, options, task)[0]

    def model_and_cost(
        self, name: str, options: LoadOptions | None = None, task: str | None = None
    ) -> tuple[ModelAdapter[Any, Any], float | None]:
        """The same, and the seconds that loading took; None if it was loaded before."""
        spent: list[float] = []
        options = options or self.options
        asked = ON and isinstance(self.store, VisitorStore) and self.store.who() is not None
        how = (options.device, options.precision, options.fuse, options.channels_last, options.threads)
        key = (name, _stamp(name), task, asked, *how, options.allow_code, tuple(sorted(options.settings.items())))

        def make() -> ModelAdapter[Any, Any]:
            begin = time.perf_counter()
            made = load_for(name, options, task, asked) if ON else load_model(name, options, task)
            spent.append(time.perf_counter() - begin)
            return made

        return self._kept(self._models, key, 4, make), (spent[0] if spent else None)

    def dataset(
        self,
        source: str,
        format: str | None = None,
        task: str = "classification",
        options: Mapping[str, str] | None = None,
        labels_only: bool = False,
    ) -> Dataset:
        """An opened dataset; the last eight are kept. Raises InputError in one sentence.

        ``labels_only``: the pictures need not be there (scoring predictions made elsewhere).
        """
        options = dict(options or {})
        if self.public and Path(source).suffix.lower() in CONFINED:
            options["confine"] = "true"  # a stranger's file must not point at this machine's pictures
        key = (source, _stamp(source), format, task, labels_only, tuple(sorted(options.items())))

        def make() -> Dataset:
            if not self.public:
                return open_dataset(source, format, task, options, labels_only=labels_only)
            bounds = {"limits": Limits(total_bytes=MOST_UNPACKED), "longest_s": 60.0 * MAX_PUBLIC_MINUTES}
            return open_dataset(source, format, task, options, labels_only=labels_only, **bounds)  # type: ignore[arg-type]

        return self._kept(self._datasets, key, 8, make)

    def keep(self, upload: str) -> Path:
        """A dropped file where it stays: uploads are taken away after some hours, and a run's video should not be.

        On a public server it stays where it is, that is, goes after some hours: strangers fill nobody's disk. A text
        file is put into a folder called "dropped", after which its sequence is named.
        """
        source = Path(upload)
        text = source.suffix.lower() == ".txt"
        if self.public and not text:
            return source
        place = source.parent if self.public else self.store.root / "videos" / digest_of(source)[:16]
        folder = place / "dropped" if text else place
        target = folder / source.name
        if not target.is_file():
            with friendly_os_errors(self.store.root):
                folder.mkdir(parents=True, exist_ok=True)
                temporary = folder / f".{os.getpid()}-{threading.get_ident()}.tmp"
                try:
                    shutil.copyfile(source, temporary)
                    os.replace(temporary, target)
                finally:
                    temporary.unlink(missing_ok=True)
        return target

    def pictures(self, run: Run) -> Dataset | None:
        """The dataset behind a run, or None if it has moved or changed (the numbers stay, the pictures are gone)."""
        facts = run.facts.get("dataset_facts", {})
        if not facts.get("source"):  # answers that were scored without pictures, or a run of other making
            return None
        key = (run.id, run.created_at, _stamp(str(facts["source"])))
        if self._gone.get(key, 0.0) > time.monotonic() - LOOK_AGAIN_S:
            return None
        with contextlib.suppress(InputError):
            dataset = self.dataset(facts["source"], facts.get("format"), run.task, facts.get("options"))
            if dataset.fingerprint == facts.get("fingerprint"):
                return dataset
        self._gone[key] = time.monotonic()
        return None

    def tidy(self) -> None:
        """Of a public server: take away what visitors left a while ago; from memory, too, when nobody is at work."""
        if self.jobs.idle:
            with self._guard:  # and with datasets their hold on unpacked archives
                self._models.clear()
                self._datasets.clear()
                self._gone.clear()
        prune(cache_folder(), KEEP_S)
        downloads = (p for p in Path(tempfile.gettempdir()).glob("loupe-*") if p.is_dir())
        sweep(self.store.root, (self.films.folder, *downloads))

    def _kept(self, cache: OrderedDict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
        """From the cache, or made and kept; the one unused for longest goes.

        Two visitors who want the same thing wait for one making of it; all others go on.
        """
        with self._guard:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                with self._guard:
                    found = cache.get(key)
                if found is None:
                    found = make()
                with self._guard:
                    cache[key] = found
                    cache.move_to_end(key)
                    while len(cache) > most:
                        cache.popitem(last=False)
                return found
        finally:
            with self._guard:
                if not making.locked():
                    self._making.pop(key, None)


STAMPED = (".csv", ".tsv", ".txt", ".json", ".yaml", ".yml", ".names", ".data")  # say what is in a dataset's folder
CONFINED = (".csv", ".tsv", ".json", ".yaml", ".yml", ".data", ".names", ".txt")  # may name pictures anywhere
STAMPS = 20_000  # files looked at to see whether a folder has changed


def _stamp(source: str) -> tuple[float, ...]:
    """When a file, or a folder with its folders and labels, last changed, so that it is opened anew; () for a name."""
    try:
        own = os.stat(source).st_mtime
        if not os.path.isdir(source):
            return (own,)
        stamps, folders, looked = [own], [source], 0
        while folders and looked < STAMPS:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    looked += 1
                    folder = entry.is_dir(follow_symlinks=False)
                    if folder or entry.name.lower().endswith(STAMPED):
                        stamps.append(entry.stat().st_mtime)
                    if folder:
                        folders.append(entry.path)
        return (own, float(len(stamps)), max(stamps))
    except (OSError, ValueError):
        return ()
