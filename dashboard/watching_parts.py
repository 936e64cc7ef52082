"""What watching a film needs: a model on frames of any dataset, its answers in rows, and clocks for reading ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.datasets.sequences import SequenceInfo
from dashboard.detection_parts import object_lists
from dashboard.errors import InputError
from dashboard.labels import ClassMap
from dashboard.tasks.base import Answering
from dashboard.tasks.detection import check_objects
from dashboard.types import Classification, Detections, Sample
from models.base import ModelAdapter, ModelSpec

LABELS, BOXES = "labels", "boxes"
DETECTED = "det"
TOP = 5  # labels kept a frame


@dataclass(frozen=True, eq=False)
class Labels:
    """What a classifier said of some frames.

    Attributes:
        top: (N, K) int64 the best classes, best first; K = 5, or fewer where there are fewer classes.
        score: (N, K) float64 their probabilities, 0..1.
        entropy: (N,) float64 of all probabilities in nats, 0..ln C; NaN of a multi-label model.
    """

    top: NDArray[np.int64]
    score: NDArray[np.float64]
    entropy: NDArray[np.float64]


def labelled(answers: Sequence[Classification]) -> Labels:
    """The best labels of some answers; of equal ones the first in class order."""
    scores = np.stack([a.scores for a in answers]).astype(np.float64)
    top = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    logs = np.log(scores, out=np.zeros_like(scores), where=scores > 0)
    entropy = np.where([a.multilabel for a in answers], np.nan, np.maximum(0, -(scores * logs).sum(axis=1)))
    return Labels(top, np.take_along_axis(scores, top, axis=1), entropy)


@dataclass(frozen=True, eq=False)
class WatchedPart:
    """Answers to some frames, in dataset order: labels or boxes.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        sequences: N names of sequences.
        frames: (N,) frame numbers, from 0.
        labels, boxes: one of them.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    sequences: Sequence[str]
    frames: NDArray[np.int64]
    labels: Labels | None = None
    boxes: Sequence[Detections] | None = None

    @property
    def nbytes(self) -> int:
        """What it holds, roughly."""
        return 150 * len(self.ids) + 80 * sum(len(d) for d in self.boxes or ())

    def table(self) -> pa.Table:
        """As an Arrow table."""
        columns: dict[str, pa.Array] = {
            "index": pa.array(self.index, pa.int64()),
            "id": pa.array(list(self.ids), pa.string()),
            "sequence": pa.array(list(self.sequences), pa.string()),
            "frame": pa.array(self.frames, pa.int64()),
        }
        if self.labels is not None:
            width = self.labels.top.shape[1]
            for name, values, kind in (
                ("top", self.labels.top, pa.int32()),
                ("score", self.labels.score, pa.float32()),
            ):
                flat = pa.array(np.ascontiguousarray(values).ravel(), kind, safe=False)
                columns[name] = pa.FixedSizeListArray.from_arrays(flat, width)
            columns["entropy"] = pa.array(self.labels.entropy, pa.float64())
        if self.boxes is not None:
            lists = object_lists(self.boxes, masked=False)
            columns |= {f"{DETECTED}_{name}": values for name, values in lists.items()}
        return pa.table(columns)

    @staticmethod
    def join(parts: Sequence[WatchedPart]) -> WatchedPart:
        """Several parts of one kind as one."""
        many = [p.labels for p in parts if p.labels is not None]
        labels = None
        if many:
            stacked = (np.concatenate([getattr(p, n) for p in many]) for n in ("top", "score", "entropy"))
            labels = Labels(*stacked)
        boxed = parts[0].boxes is not None
        return WatchedPart(
            np.concatenate([p.index for p in parts]),
            [i for p in parts for i in p.ids],
            [s for p in parts for s in p.sequences],
            np.concatenate([p.frames for p in parts]),
            labels,
            [d for p in parts for d in p.boxes or ()] if boxed else None,
        )


class Answers(Answering):
    """Labels or boxes of frames, in the model's own classes."""

    def __init__(self, kind: str, sequences: Sequence[SequenceInfo]) -> None:
        self.kind, self.sequences = kind, sequences
        self.batch_sizes = (8, 32) if kind == LABELS else (4, 16)
        self.starts = np.array([s.start for s in sequences], np.int64)

    def check(self, spec: ModelSpec, dataset: Dataset, answers: Sequence[Any]) -> None:
        """Raises InputError for answers of another kind, or past the class names."""
        del dataset
        if self.kind != LABELS:
            return check_objects(spec, answers)
        for answer in answers:
            if not isinstance(answer, Classification) or len(answer.scores) != len(spec.class_names):
                raise InputError(f"{spec.name} did not answer with {len(spec.class_names)} scores, one a class.")

    def part(
        self,
        spec: ModelSpec,
        dataset: Dataset,
        classes: ClassMap,
        indices: Sequence[int],
        ids: Sequence[str],
        answers: Sequence[Any],
    ) -> WatchedPart:
        """The answers with their place in the film."""
        index = np.array(indices, np.int64)
        place = np.searchsorted(self.starts, index, side="right") - 1
        where = index, ids, [self.sequences[p].name for p in place], index - self.starts[place]
        if self.kind == LABELS:
            return WatchedPart(*where, labels=labelled(answers))
        return WatchedPart(*where, boxes=list(answers))


class Clocked:
    """A dataset's pictures and a model's preprocessing, with the seconds that each takes in all threads together."""

    def __init__(self, adapter: ModelAdapter[Any, Any], dataset: Dataset) -> None:
        self._adapter, self._dataset, self._guard = adapter, dataset, threading.Lock()
        self.spec, self.ids = adapter.spec, dataset.ids
        self.seconds = {"read_s": 0.0, "preprocess_s": 0.0}

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self._dataset[index]
        return replace(sample, load=lambda: self._timed("read_s", sample.load))

    def preprocess(self, image: Any) -> Any:
        """As the model's."""
        return self._timed("preprocess_s", lambda: self._adapter.preprocess(image))

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        try:
            return work()
        finally:
            with self._guard:
                self.seconds[name] += time.perf_counter() - begin
