"""What flows through the house: samples and predictions, validated, numpy only.

Images are (H, W, 3) uint8 RGB everywhere inside; conversion happens only where files are read and at vendor edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Classification:
    """One image's class probabilities, or its truth.

    Attributes:
        scores: (C,) float32 or float64, each in 0..1. Single-label scores sum to 1 (softmax); multi-label scores are
            independent (sigmoid). A truth is 0 or 1 in each place.
        multilabel: whether several classes can be right at once.
    """

    scores: NDArray[np.floating]
    multilabel: bool = False

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores)
        if scores.ndim != 1 or scores.size == 0 or scores.dtype.kind != "f":
            raise ValueError(f"scores must be a (C,) float array with C >= 1, got {scores.dtype} {scores.shape}")
        if not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1 + 1e-5:
            raise ValueError("scores must be finite probabilities in 0..1 (apply softmax or sigmoid to logits first)")
        object.__setattr__(self, "scores", scores)

    @classmethod
    def from_label(cls, label: int, classes: int) -> Classification:
        """The truth of an image with one label, an index in 0..classes-1."""
        return cls.from_labels([label], classes, multilabel=False)

    @classmethod
    def from_labels(cls, labels: Iterable[int], classes: int, multilabel: bool = True) -> Classification:
        """The truth of an image with a set of labels (empty is allowed when multi-label)."""
        scores = np.zeros(classes, np.float32)
        for label in labels:
            if not 0 <= label < classes:
                raise ValueError(f"label must be in 0..{classes - 1}, got {label}")
            scores[label] = 1
        return cls(scores, multilabel)

    @property
    def label(self) -> int:
        """The most probable class (of a truth: its label)."""
        return int(self.scores.argmax())

    @property
    def labels(self) -> tuple[int, ...]:
        """Of a truth: every class that is right."""
        return tuple(int(i) for i in np.flatnonzero(self.scores > 0.5))


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects of one image: truth, or a model's answer; boxes, and masks where there are any.

    Attributes:
        xyxy: (N, 4) float64 boxes in pixels, left, top, right, bottom, half-open: (0, 0, 1, 1) is the first pixel.
        class_ids: (N,) int64, from 0.
        scores: (N,) float64 in 0..1; None for a truth.
        masks: N masks as COCO's compressed run lengths (``dashboard.masks``), or None if there are only boxes.
        size: (height, width) of the image in pixels; needed when there are masks. None if unknown.
        areas: (N,) float64 pixels, by which an object counts as small, medium or large, where it is not the box's own
            (COCO's truth says it per object); None for the box's.
        crowd: (N,) bool: regions that absorb any number of detections and need not be found (COCO's ``iscrowd``).
        ignore: (N,) bool: objects that need not be found, but take one detection each (VOC's ``difficult``).
        track_ids: (N,) int64, or None.

    Raises:
        ValueError: naming the field that does not fit.
    """

    xyxy: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None
    masks: Sequence[bytes] | None = None
    size: tuple[int, int] | None = None
    areas: NDArray[np.float64] | None = None
    crowd: NDArray[np.bool_] | None = None
    ignore: NDArray[np.bool_] | None = None
    track_ids: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        xyxy = np.asarray(self.xyxy, np.float64).reshape(-1, 4)
        count = len(xyxy)
        if not np.isfinite(xyxy).all() or (xyxy[:, 2:] < xyxy[:, :2]).any():
            raise ValueError("xyxy must be finite boxes with right >= left and bottom >= top")
        object.__setattr__(self, "xyxy", xyxy)
        kinds: dict[str, type] = {"class_ids": np.int64, "scores": np.float64, "areas": np.float64}
        kinds |= {"crowd": np.bool_, "ignore": np.bool_, "track_ids": np.int64}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if value is None:
                continue
            array: NDArray[Any] = np.asarray(value).astype(kind, copy=False)
            if array.shape != (count,):
                raise ValueError(f"{name} must be one value a box, ({count},), got {array.shape}")
            object.__setattr__(self, name, array)
        if count and self.class_ids.min() < 0:
            raise ValueError(f"class_ids must be 0 or more, got {self.class_ids.min()}")
        if self.scores is not None and not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise ValueError("scores must be finite and in 0..1")
        if self.masks is not None and (len(self.masks) != count or self.size is None):
            raise ValueError(f"masks must be one a box ({count}) and come with the image's size")

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def none(cls, size: tuple[int, int] | None = None, scored: bool = False, masked: bool = False) -> Detections:
        """No objects at all: of a truth, or (``scored``) of a model."""
        scores = np.empty(0) if scored else None
        return cls(np.empty((0, 4)), np.empty(0, np.int64), scores, [] if masked else None, size)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> Detections:
        """Some of them: by a mask or by positions."""
        places = np.arange(len(self))[keep]
        arrays = ("xyxy", "class_ids", "scores", "areas", "crowd", "ignore", "track_ids")
        picked: dict[str, Any] = {n: None if getattr(self, n) is None else getattr(self, n)[places] for n in arrays}
        masks = None if self.masks is None else [self.masks[i] for i in places]
        return Detections(**picked, masks=masks, size=self.size)


IGNORED = (255, 65535)
"""Numbers of a pixel that does not count, in a truth of bytes and of two bytes a pixel."""


def class_dtype(classes: int) -> type[np.uint8] | type[np.uint16]:
    """What a class map of so many classes is kept in: bytes up to 254 classes, two bytes a pixel up to 65,534.

    Raises:
        ValueError: more classes than that.
    """
    if not 1 <= classes < IGNORED[1]:
        raise ValueError(f"classes must be in 1..{IGNORED[1] - 1}, got {classes}")
    return np.uint8 if classes < IGNORED[0] else np.uint16


def ignore_of(classes: int) -> int:
    """The number of a pixel that does not count, among so many classes: 255, or 65535 above 254 classes."""
    return IGNORED[class_dtype(classes) is np.uint16]


class Probabilities(Protocol):
    """Class probabilities of one picture, handed out in strips of rows, so that they never stand in memory whole.

    Attributes:
        shape: (C, H, W).
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """See above."""
        ...

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """(C, stop - start, W) probabilities of some rows, each in 0..1; over the classes they sum to 1."""
        ...


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of one image: truth, or a model's answer.

    Attributes:
        class_ids: (H, W) uint8 or uint16, from 0.
        ignore_index: the number of pixels that do not count; None if all do.
        probabilities: of a model's answer, if it has them. They are asked once, while the truth is at hand, and are
            never stored.

    Raises:
        ValueError: naming the field that does not fit.
    """

    class_ids: NDArray[np.uint8] | NDArray[np.uint16]
    ignore_index: int | None = None
    probabilities: Probabilities | None = None

    def __post_init__(self) -> None:
        ids: NDArray[Any] = np.asarray(self.class_ids)
        if ids.ndim != 2 or not ids.size or ids.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"class_ids must be an (H, W) map of uint8 or uint16, got {ids.dtype} {ids.shape}")
        if self.probabilities is not None and tuple(self.probabilities.shape[1:]) != ids.shape:
            raise ValueError(f"probabilities must be of {ids.shape}, as class_ids, got {self.probabilities.shape[1:]}")
        object.__setattr__(self, "class_ids", ids)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.class_ids.shape[0]), int(self.class_ids.shape[1])


@dataclass(frozen=True, eq=False)
class EnhancedImage:
    """A picture as an answer: restored, enlarged or otherwise enhanced; or the reference that it is compared with.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, or (H, W) uint8 grey.
        scale: how many times wider and higher it is than the picture it was made from.
        alpha: (H, W) uint8, 255 opaque, of a picture that came with it; None otherwise.

    Raises:
        ValueError: naming the field that does not fit.
    """

    pixels: Image
    scale: int = 1
    alpha: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        pixels: NDArray[Any] = np.asarray(self.pixels)
        grey = pixels.ndim == 2
        if pixels.dtype != np.uint8 or not pixels.size or not (grey or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise ValueError(f"pixels must be (H, W, 3) or (H, W) uint8, got {pixels.dtype} {pixels.shape}")
        if self.scale < 1:
            raise ValueError(f"scale must be 1 or more, got {self.scale}")
        if self.alpha is not None and (self.alpha.shape != pixels.shape[:2] or self.alpha.dtype != np.uint8):
            raise ValueError(f"alpha must be {pixels.shape[:2]} uint8, got {self.alpha.dtype} {self.alpha.shape}")
        object.__setattr__(self, "pixels", pixels)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def rgb(self) -> Image:
        """(H, W, 3) uint8; grey is the same in all three."""
        return self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=2)


Prediction = Classification | Detections | Segmentation | EnhancedImage  # a union, as tasks are added


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of a dataset, its picture loaded only when looked at.

    Attributes:
        id: unique within its dataset and stable over time (a path relative to the dataset, for files).
        load: returns the picture, (H, W, 3) uint8 RGB; raises InputError naming the file if it cannot be read.
        target: the truth, or None.
        source: the file behind the picture, if there is one.
        sequence, frame: of a video.
        tags: free facts a person may slice by.
    """

    id: str
    load: Callable[[], Image]
    target: Prediction | None = None
    source: Path | None = None
    sequence: str | None = None
    frame: int | None = None
    tags: Mapping[str, str | float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def image(self) -> Image:
        """The picture, read anew at each access (nothing is kept in memory)."""
        return self.load()
