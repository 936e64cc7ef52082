"""What a dataset is: an ordered, countable thing that yields samples and can say when it has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Sample


@runtime_checkable
class Dataset(Protocol):
    """An ordered collection of samples with unique ids.

    Attributes:
        name: short, for people.
        task: "classification", ...
        class_names: (C,) in the order of the truth's class numbers.
        class_ids: (C,) WordNet ids where the format has them, else empty.
        multilabel: whether a sample can have several labels.
        source: where it is, as given ("demo:digits", a path).
        warnings: sentences to show (a class without images, files passed over).
        ids: (N,) every sample's id, without building samples.
        targets: (N,) int64 class numbers; when ``multilabel``, N tuples of class numbers; of detection and instance
            segmentation, N ``Detections``, made when asked for.
        fingerprint: short hash that changes when ids, labels, or file contents (size and first and last 8 KB) change.
    """

    name: str
    task: str
    class_names: tuple[str, ...]
    class_ids: tuple[str, ...]
    multilabel: bool
    source: str
    warnings: tuple[str, ...]
    ids: list[str]
    targets: NDArray[np.int64] | Sequence[Any]

    @property
    def fingerprint(self) -> str:
        """See above; computed at the first demand."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


class DatasetFormat(Protocol):
    """A format on disk: one file in this package, one line in ``DATASETS``.

    Attributes:
        task: what its datasets are for; of several, ``open`` is told which by the option ``task``.
    """

    task: str | tuple[str, ...]

    def detect(self, path: Path) -> bool:
        """Whether ``path`` (a folder or a file) looks like this format. Cheap; reads no pictures."""
        ...

    def open(self, path: Path, options: Mapping[str, str]) -> Dataset:
        """Index it (no pictures decoded). Raises InputError naming the file, line or folder and the remedy."""
        ...
