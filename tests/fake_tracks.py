"""Two objects that move through sequences of arithmetic, and a detector that sees them with known mistakes.

In every sequence object 1 walks right by two pixels a frame, and object 2 stands still and is gone in two frames. The
detector misses object 1 once, sees something that is not there once, and a ghost of a class of its own in every frame.
A tracker that forgets at once (``iou``) loses both identities once in a sequence, so all counts are known by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from dashboard.datasets.sequences import SequenceInfo
from dashboard.errors import InputError
from dashboard.types import Detections, Sample
from models.base import ModelAdapter, ModelSpec, Weights
from models.trackers import make_tracker
from models.tracking import TrackingAdapter
from models.tracking_boxes import BoxesForTracking

SIZE = (64, 96)
LENGTHS = (12, 8, 20)
GONE = (4, 5)  # frames, from 0, without object 2
MISSED, FALSE = 3, 6  # the frame in which object 1 is not seen, and that with a box too many
GHOST = (40.0, 2.0, 50.0, 12.0)


def true_objects(frame: int) -> list[tuple[int, int, tuple[float, float, float, float]]]:
    """Identity, class and box of what is in a frame, from 0."""
    walking = (1, 0, (4.0 + 2 * frame, 5.0, 24.0 + 2 * frame, 25.0))
    return [walking] if frame in GONE else [walking, (2, 1, (60.0, 30.0, 80.0, 50.0))]


def truth_of(frame: int) -> Detections:
    """The truth of a frame, from 0."""
    ids, classes, boxes = zip(*true_objects(frame), strict=True)
    return Detections(np.array(boxes), np.array(classes), size=SIZE, track_ids=np.array(ids))


def expected(lengths: Sequence[int] = LENGTHS) -> dict[str, float]:
    """What the tracker ``iou`` comes to; each sequence has at least 8 frames.

    It has 2 F - 2 true boxes, of which one is missed and one more is found; both objects are seen in over 80 % of their
    frames, each in two pieces under two identities. These are no fragments as TrackEval counts them class by class: it
    passes over frames in which a class has no box on one of the sides.
    """
    count, sequences = 2 * sum(lengths) - 2 * len(lengths), len(lengths)
    tp = count - sequences
    return {
        "TP": tp,
        "FP": sequences,
        "FN": sequences,
        "IDSW": 2 * sequences,
        "Frag": 0,
        "MT": 2 * sequences,
        "PT": 0,
        "ML": 0,
        "MOTP": 1.0,
        "MOTA": (tp - 3 * sequences) / count,
    }


class FakeTracks:
    """Frames whose first pixel holds the sequence and the frame."""

    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    task = "tracking"
    multilabel = False
    source = "fake:tracks"

    def __init__(
        self,
        lengths: Sequence[int] = LENGTHS,
        class_names: Sequence[str] = ("pedestrian", "car"),
        has_truth: bool = True,
        unreadable: Collection[str] = (),
        name: str = "walkers",
    ) -> None:
        stops = np.cumsum(lengths).tolist()
        self.sequences = tuple(
            SequenceInfo("abcdefgh"[k], stop - length, stop, 25.0, SIZE)
            for k, (stop, length) in enumerate(zip(stops, lengths, strict=True))
        )
        self.name, self.class_names, self.has_truth = name, tuple(class_names), has_truth
        self.fingerprint = f"tracks {list(lengths)} {self.class_names} {has_truth}"
        self.places = [(k, t) for k, length in enumerate(lengths) for t in range(length)]
        self.ids = [f"{self.sequences[k].name}/{t + 1:06d}" for k, t in self.places]
        self.targets = [truth_of(t) if has_truth else None for _, t in self.places]
        self.unreadable = set(unreadable)
        self.loaded: list[str] = []

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        k, frame = self.places[index]

        def load() -> np.ndarray:
            self.loaded.append(self.ids[index])
            if self.ids[index] in self.unreadable:
                raise InputError(f"{self.ids[index]} is not a picture")
            picture = np.random.default_rng(k).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            picture[0, 0] = k, frame, 0
            return picture

        names = (self.sequences[k].name, frame + 1)
        return Sample(self.ids[index], load, self.targets[index], sequence=names[0], frame=names[1])

    def __iter__(self):
        return (self[i] for i in range(len(self)))


class Finder(ModelAdapter[tuple[int, int], list[tuple[int, int]]]):
    """Boxes where objects are, but for the mistakes above; its classes are in another order than the dataset's."""

    device = "cpu"

    def __init__(self, class_names: Sequence[str] = ("ghost", "car", "person"), name: str = "finder") -> None:
        self.spec = ModelSpec(name, "detection", "fake", "tests", Weights("bundled", "-"), tuple(class_names))
        self.fingerprint, self.notes = f"{name} {class_names}", {}
        self.batches: list[list[tuple[int, int]]] = []
        self.on_batch = lambda: None

    @property
    def seen(self) -> list[tuple[int, int]]:
        """Every sequence and frame that went through, in order."""
        return [place for batch in self.batches for place in batch]

    def preprocess(self, image: np.ndarray) -> tuple[int, int]:
        return int(image[0, 0, 0]), int(image[0, 0, 1])

    def forward(self, items: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        self.batches.append(list(items))
        self.on_batch()
        return list(items)

    def postprocess(self, outputs: list[tuple[int, int]]) -> list[Detections]:
        return [self._answer(frame) for _, frame in outputs]

    def _answer(self, frame: int) -> Detections:
        ghost, car, person = range(3)
        found = [(person if label == 0 else car, box) for _, label, box in true_objects(frame)]
        if frame == MISSED:
            found = found[1:]
        if frame == FALSE:
            found.append((person, (2.0, 45.0, 12.0, 60.0)))
        found.append((ghost, GHOST))
        return Detections(
            np.array([box for _, box in found]), np.array([c for c, _ in found]), np.full(len(found), 0.9), size=SIZE
        )


def tracking(tracker: str = "iou", finder: Finder | None = None, **settings: str) -> TrackingAdapter:
    """A detector, by default a fresh ``Finder``, with a tracker."""
    return TrackingAdapter(BoxesForTracking(finder or Finder()), make_tracker(tracker, settings))
