"""What scoring has in common over tasks: options, the run's name and facts, and a run that is whole or not there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dashboard.datasets.archive import extract_cached
from dashboard.datasets.base import Dataset
from dashboard.datasets.opening import cache_folder
from dashboard.disk import digest_of, friendly_os_errors
from dashboard.environment import describe_environment
from dashboard.errors import InputError
from dashboard.finishing import dataset_facts
from dashboard.store import Draft, Run, Store, run_id_for


def opened_folder(path: Path, wanted: str, cache_dir: str | Path | None = None) -> tuple[Path, IO[bytes] | None]:
    """The folder that predictions are in: as given, or what a zip of it is unpacked to.

    Args:
        path: a folder or a zip.
        wanted: what to give, for errors: "give the folder of all".
        cache_dir: where a zip is unpacked; default ``cache_folder()``.

    Returns:
        The folder, and for a zip the file that keeps it from being cleaned away while it is open.

    Raises:
        InputError: it is not there, or neither of both.
    """
    try:
        there, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror or error}): check the path") from error
    if not there:
        raise InputError(f"{path} does not exist: check the path")
    if is_file and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        unpacked = extract_cached(path, cache_dir or cache_folder())
        return unpacked.root, unpacked.in_use
    if not path.is_dir():
        raise InputError(f"{path} is no folder or zip: {wanted}")
    return path, None


class Import:
    """Predictions made elsewhere, on their way into the store.

    Args:
        truth: the dataset.
        predictions: the file or folder.
        name: of the model behind it; default the file's name.
        limit: only the first N samples.
        settings: KEY=VALUE pairs.
        options: the keys that the task knows.

    Raises:
        InputError: an unknown option, a limit below 1, predictions that cannot be read.
    """

    def __init__(
        self,
        truth: Dataset,
        predictions: Path,
        name: str | None,
        limit: int | None,
        settings: Mapping[str, str] | None,
        options: Sequence[str],
    ) -> None:
        if limit is not None and limit < 1:
            raise InputError(f"--limit must be at least 1, got {limit}.")
        self.settings = dict(settings or {})
        for option in self.settings:
            if option not in options:
                known = " and ".join(part for part in (", ".join(options[:-1]), options[-1]) if part)
                raise InputError(f"--set {option}: scoring takes {known}.")
        self.truth, self.predictions, self.limit = truth, predictions, limit
        self.model = name or predictions.stem
        self.partial = self.settings.get("partial", "false").lower() in ("true", "1", "yes") or bool(limit)
        self.digest = digest_of(predictions)

    def run_id(self, **key: Any) -> str:
        """The run's name: the same predictions on the same data, read in the same way, have the same."""
        own = {"file": self.digest, "dataset": self.truth.fingerprint, "limit": self.limit, "task": self.truth.task}
        return run_id_for(self.model, self.truth.name, own | key | self.settings)

    def known(self, store: Store, run_id: str) -> Run | None:
        """The run, if it was scored before."""
        return store.relocated(store.get(run_id), dataset_facts(self.truth)) if store.has(run_id) else None

    def facts(self, class_names: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
        """What is recorded beside the numbers."""
        source = f"predictions imported from {self.predictions.name}"
        return {
            "task": self.truth.task,
            "model": self.model,
            "dataset": self.truth.name,
            "class_names": list(class_names),
            "class_ids": [],
            "model_facts": {"source": source, "fingerprint": self.digest[:16]},
            "dataset_facts": dataset_facts(self.truth),
            "settings": {"limit": self.limit, **self.settings},
            "skipped": [],
            "notes": {"import": list(notes)},
            "environment": describe_environment(),
        }

    def stored(self, store: Store, run_id: str, write: Callable[[Draft], Run]) -> Run:
        """The run that ``write`` makes; if anything fails on the way, nothing is left of it."""
        with friendly_os_errors(store.root), store.draft(run_id) as draft:
            draft.restart()
            try:
                return write(draft)
            except ValueError as error:
                draft.restart()
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{self.predictions}: {error}.") from error
            except BaseException:
                draft.restart()
                raise
