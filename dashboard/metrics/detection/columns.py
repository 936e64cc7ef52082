"""Detections and truth of many images as columns: what matching works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dashboard.types import Detections

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Kind = Literal["bbox", "segm"]


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of N images, those of one image together and in their order.

    Attributes:
        image: (D,) image number, ascending.
        classes: (D,) class numbers.
        xyxy: (D, 4) boxes in pixels.
        scores: (D,) confidences; zeros for a truth.
        areas: (D,) pixels, by which an object is small, medium or large; NaN where it is the box's (or mask's) own.
        crowd, ignore: (D,) flags of a truth, see ``Detections``.
        masks: D compressed run lengths, or None if there are only boxes.
    """

    image: Ints
    classes: Ints
    xyxy: Floats
    scores: Floats
    areas: Floats
    crowd: Bools
    ignore: Bools
    masks: Sequence[bytes] | None = None

    def __len__(self) -> int:
        return len(self.image)

    def take(self, keep: NDArray[Any]) -> Objects:
        """Some of them, by a flag each or by (ascending) positions."""
        names = ("image", "classes", "xyxy", "scores", "areas", "crowd", "ignore")
        picked: dict[str, Any] = {name: getattr(self, name)[keep] for name in names}
        shapes = None if self.masks is None else [self.masks[i] for i in np.arange(len(self))[keep]]
        return Objects(**picked, masks=shapes)


def columns(images: Sequence[Detections], masked: bool = False) -> Objects:
    """One ``Detections`` an image, as columns, with their masks if wanted. Raises ValueError if those are missing."""
    counts = [len(d) for d in images]

    def flat(name: str, kind: type, missing: Any) -> NDArray[Any]:
        parts = [getattr(d, name) for d in images]
        parts = [np.full(n, missing, kind) if p is None else p for p, n in zip(parts, counts, strict=True)]
        return np.concatenate([np.empty(0, kind), *parts])

    boxes = np.concatenate([np.empty((0, 4)), *(d.xyxy for d in images)])
    if masked and any(d.masks is None for d in images if len(d)):
        raise ValueError("masks are needed for every object, but some images have boxes only")
    return Objects(
        np.repeat(np.arange(len(images)), counts),
        flat("class_ids", np.int64, 0),
        boxes,
        flat("scores", np.float64, 0.0),
        flat("areas", np.float64, np.nan),
        flat("crowd", np.bool_, False),
        flat("ignore", np.bool_, False),
        [m for d in images for m in d.masks or ()] if masked else None,
    )


@dataclass(eq=False)
class DetectionBatch:
    """Answers and truth of N images.

    Attributes:
        ids: (N,) sample ids.
        sizes: (N, 2) height and width of each image in pixels, 0 where unknown.
        found: what a model answered.
        truth: what is there.

    Raises:
        ValueError: an image number out of range, columns of different lengths, or image numbers not ascending.
    """

    ids: Sequence[str]
    sizes: NDArray[np.int64]
    found: Objects
    truth: Objects

    def __post_init__(self) -> None:
        for name, objects in (("found", self.found), ("truth", self.truth)):
            image = objects.image
            if image.size and (image[0] < 0 or image[-1] >= len(self.ids) or (np.diff(image) < 0).any()):
                raise ValueError(f"{name}.image must ascend within 0..{len(self.ids) - 1}")
            for column in ("classes", "xyxy", "scores", "areas", "crowd", "ignore"):
                if len(getattr(objects, column)) != len(image):
                    raise ValueError(
                        f"{name}.{column} must have {len(image)} rows, got {len(getattr(objects, column))}"
                    )
        scores = self.found.scores
        if not ((scores >= 0) & (scores <= 1)).all():
            row = int(np.flatnonzero(~((scores >= 0) & (scores <= 1)))[0])
            raise ValueError(f"sample {self.ids[self.found.image[row]]!r}: scores must be in 0..1, got {scores[row]}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def masked(self) -> bool:
        """Whether there are masks on both sides."""
        return self.found.masks is not None and self.truth.masks is not None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """By which overlaps things are judged, the foremost first: masks where there are any, and boxes."""
        return ("segm", "bbox") if self.masked else ("bbox",)

    @classmethod
    def of(
        cls, ids: Sequence[str], found: Sequence[Detections], truth: Sequence[Detections], masked: bool = False
    ) -> DetectionBatch:
        """From one ``Detections`` an image each. Raises ValueError if masks are wanted and missing."""
        if not len(ids) == len(found) == len(truth):
            raise ValueError(f"ids, found and truth must be of one length, got {len(ids)}, {len(found)}, {len(truth)}")
        sizes = [a.size or b.size or (0, 0) for a, b in zip(found, truth, strict=True)]
        return cls(ids, np.array(sizes, np.int64).reshape(-1, 2), columns(found, masked), columns(truth, masked))


def runs(ascending: Ints) -> Iterator[tuple[int, int, int]]:
    """(value, start, stop) of each run of equal values."""
    if len(ascending):
        edges = np.flatnonzero(np.diff(ascending)) + 1
        for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(ascending)], strict=True):
            yield int(ascending[start]), start, stop
