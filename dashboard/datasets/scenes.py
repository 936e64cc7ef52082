"""``demo:scenes``: scikit-learn's digits over scikit-image's photos, with exact truth; always here, no download.

Digits of random class, size, turn, contrast and stroke lie over parts of photos, cut by the edge of the picture, by one
another and by pieces in front; every box is tight around the visible pixels of its mask. Some pictures are empty. Some
hold a dense cluster of small digits of one class, which is a single crowd region as in COCO (``iscrowd``): its mask is
what is visible of all of them. For semantic segmentation each pixel is a digit's (a crowd's too) or "background". The
dataset is held out: the project's demo models learn from other digits (the first 1200, as with ``demo:digits``) and
other photos.

The truth depends on scikit-learn's digits and on numpy's frozen random stream alone; the pixels depend on Pillow too
(see ``scene_painting``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np

from dashboard import masks
from dashboard.datasets.scene_layout import Layout, arrange
from dashboard.datasets.scene_painting import paint, photo_files, photo_of
from dashboard.types import Detections, Image, Sample, Segmentation

COUNT = 300
SIZES = ((256, 256), (192, 256), (256, 192), (240, 320), (320, 320))  # (height, width), in turn
TASKS = ("detection", "instance-segmentation", "semantic-segmentation")
DIGITS = tuple("0123456789")


class Scenes:
    """Digits over photos with exact boxes and masks, crowds and empty pictures: 300 that no demo model was trained on.

    Args:
        task: "detection" (boxes only), "instance-segmentation" (boxes and masks) or "semantic-segmentation" (a class
            for every pixel, the first one "background"). An object's area is its mask's, as in COCO.
    """

    name = "scenes"
    class_ids: tuple[str, ...] = ()
    multilabel = False
    source = "demo:scenes"
    warnings: tuple[str, ...] = ()
    format: str | None = None
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(self, task: str = "detection") -> None:
        if task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
        self.task = task
        self.class_names = ("background", *DIGITS) if task == "semantic-segmentation" else DIGITS
        self.ids = [f"scene-{i:04d}" for i in range(COUNT)]

    @cached_property
    def targets(self) -> list[Detections] | list[Segmentation]:
        """(N,) truths; made at the first demand, in about a second."""
        layouts = (arrange("test", i, size_of(i)) for i in range(COUNT))
        if self.task == "semantic-segmentation":
            return [Segmentation(layout.semantic()) for layout in layouts]
        return [truth(layout, self.task != "detection") for layout in layouts]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        return Sample(
            id=self.ids[index],
            load=partial(_picture, index),
            target=self.targets[index],
            tags=MappingProxyType({"photo": photo_of("test", index, size_of(index))}),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def _objects(self) -> list[Detections]:
        """The truth as objects, whatever the task."""
        if self.task == "semantic-segmentation":
            return Scenes("detection").targets  # type: ignore[return-value]
        return self.targets  # type: ignore[return-value]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the truth and of the photos' files, the same for all tasks."""
        digest = hashlib.blake2b(b"scenes-1", digest_size=10)
        for target in self._objects:
            digest.update(np.array(target.size, "<i8").tobytes())
            for values in (target.xyxy, target.areas, target.crowd, target.class_ids):
                digest.update(np.asarray(values).astype("<f8").tobytes())
        for file in photo_files("test"):
            digest.update(file.read_bytes())
        return digest.hexdigest()


def scene(split: str, index: int, size: tuple[int, int] = (256, 256)) -> tuple[Image, Layout]:
    """Any scene of the "train" or "test" split: the picture and its truth (boxes, masks, crowd, semantic map)."""
    layout = arrange(split, index, size)
    return paint(layout, split, index), layout


def size_of(index: int) -> tuple[int, int]:
    """(height, width) of a picture of the dataset."""
    return SIZES[index % len(SIZES)]


def truth(layout: Layout, masked: bool) -> Detections:
    """A layout as detections: xyxy boxes, areas in visible pixels, crowd flags, and masks if wanted."""
    return Detections(
        xyxy=layout.boxes(),
        class_ids=np.array(layout.labels, np.int64),
        masks=masks.encode(layout.masks()) if masked else None,
        size=layout.size,
        areas=np.array(layout.areas, np.float64),
        crowd=np.array(layout.crowd, bool),
    )


def _picture(index: int) -> Image:
    return scene("test", index, size_of(index))[0]
