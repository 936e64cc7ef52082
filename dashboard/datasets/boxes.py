"""What the detection formats share: objects as columns, one ``Detections`` an image made from them when asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import overload

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.files import _file_digest
from dashboard.datasets.images import read_image
from dashboard.datasets.shapes import Shapes
from dashboard.errors import InputError
from dashboard.types import Detections, Sample

TASKS = ("detection", "instance-segmentation")


@dataclass(frozen=True, eq=False)
class Objects:
    """The true objects of N images, those of one image together and in their order.

    Attributes:
        image: (D,) image number, ascending.
        classes: (D,) class numbers.
        xyxy: (D, 4) boxes in pixels, half-open.
        areas: (D,) pixels, by which an object is small, medium or large, or None where it is the box's own.
        crowd, ignore: (D,) flags, see ``Detections``.
        shapes: their outlines, or None if there are only boxes.
    """

    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignore: NDArray[np.bool_]
    areas: NDArray[np.float64] | None = None
    shapes: Shapes | None = None

    def __len__(self) -> int:
        return len(self.image)


class Targets(Sequence[Detections]):
    """The truth of N images, each made when asked for: polygons become masks then, and not before."""

    def __init__(self, objects: Objects, sizes: NDArray[np.int64]) -> None:
        self.objects = objects
        self.sizes = sizes
        self._ends = np.searchsorted(objects.image, np.arange(len(sizes) + 1)).tolist()

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> Detections: ...
    @overload
    def __getitem__(self, index: slice) -> list[Detections]: ...
    def __getitem__(self, index: int | slice) -> Detections | list[Detections]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        index %= len(self)
        objects, here = self.objects, slice(self._ends[index], self._ends[index + 1])
        height, width = self.sizes[index].tolist()
        size = (height, width) if height and width else None
        masks = None
        if objects.shapes is not None and size is not None:
            masks = [objects.shapes.mask(i, size) for i in range(here.start, here.stop)]
        return Detections(
            xyxy=objects.xyxy[here],
            class_ids=objects.classes[here],
            masks=masks,
            size=size,
            areas=None if objects.areas is None else objects.areas[here],
            crowd=objects.crowd[here],
            ignore=objects.ignore[here],
        )


class BoxDataset:
    """Pictures in files, with boxes (and masks). Implements ``Dataset``.

    Attributes:
        ids: (N,) one a sample, unique.
        files: (N,) where the pictures are, or should be.
        sizes: (N, 2) height and width of each picture in pixels, 0 where unknown.
        objects: the truth of all images as columns.
        targets: the truth, one ``Detections`` an image.
        image_ids: (N,) COCO's number of each image, or None in other formats.
        category_ids: (C,) COCO's number of each class, or None in other formats.
    """

    multilabel = False
    class_ids: tuple[str, ...] = ()
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *,
        name: str,
        task: str,
        source: str,
        ids: Sequence[str],
        files: Sequence[str],
        sizes: NDArray[np.int64],
        class_names: Sequence[str],
        objects: Objects,
        warnings: Sequence[str] = (),
        image_ids: NDArray[np.int64] | None = None,
        category_ids: NDArray[np.int64] | None = None,
    ) -> None:
        if not len(ids) == len(files) == len(sizes):
            raise ValueError(f"ids, files and sizes must be as many, got {len(ids)}, {len(files)}, {len(sizes)}")
        self.name = name
        self.task = task
        self.source = source
        self.ids = list(ids)
        self.files = list(files)
        self.sizes = np.asarray(sizes, np.int64).reshape(-1, 2)
        self.class_names = tuple(class_names)
        self.objects = objects
        self.targets = Targets(objects, self.sizes)
        self.warnings = tuple(warnings)
        self.image_ids = image_ids
        self.category_ids = category_ids

    @property
    def used(self) -> list[bool]:
        """(C,) which classes have objects."""
        return np.isin(np.arange(len(self.class_names)), self.objects.classes).tolist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        file = self.files[index]
        return Sample(id=self.ids[index], load=partial(read_image, file), target=self.targets[index], source=Path(file))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, class names, truth, and every file's size and first and last 8 KB; computed at the first use.

        It does not depend on where the dataset lies, so a folder and its zip have the same.
        """
        objects = self.objects
        digest = hashlib.blake2b(digest_size=10)
        digest.update("\0".join(["boxes-1", *self.class_names]).encode("utf-8", "surrogateescape"))
        columns = (objects.image, objects.classes, objects.xyxy, objects.crowd, objects.ignore, self.sizes)
        for column in (*columns, np.empty(0) if objects.areas is None else objects.areas):
            digest.update(b"\0%d\0" % column.size + np.ascontiguousarray(column).tobytes())
        for piece in objects.shapes.hashed() if objects.shapes is not None else ():
            digest.update(piece)
        blocks = [self.files[i : i + 256] for i in range(0, len(self.files), 256)]
        with ThreadPoolExecutor(8) as pool:
            edges = chain.from_iterable(pool.map(lambda block: [_file_digest(file) for file in block], blocks))
            for identity, edge in zip(self.ids, edges, strict=True):
                digest.update(f"\0{identity}\0".encode("utf-8", "surrogateescape") + edge)
        return digest.hexdigest()


def chosen_task(options: Mapping[str, str]) -> str:
    """The task that a format of both is opened for."""
    task = options.get("task", TASKS[0])
    if task not in TASKS:
        raise InputError(f"option task={task}: it must be {' or '.join(TASKS)}")
    return task


def flag(options: Mapping[str, str], name: str, default: bool) -> bool:
    """An option that is true or false."""
    value = options.get(name, "").strip().lower()
    if value in ("", "true", "false", "1", "0", "yes", "no"):
        return default if not value else value in ("true", "1", "yes")
    raise InputError(f"option {name}={options[name]}: it must be true or false")


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few of some names, quoted."""
    return ", ".join(map(repr, names[:most])) + (", ..." if len(names) > most else "")


def inside(path: str | Path, folder: str | Path) -> bool:
    """Whether a path stays within a folder, links followed."""
    real = os.path.realpath(folder)
    return os.path.realpath(path) == real or os.path.realpath(path).startswith(real.rstrip(os.sep) + os.sep)


def missing_pictures(where: str, ids: Sequence[str], missing: Sequence[int], required: bool, remedy: str) -> list[str]:
    """The warning that pictures are not here; an InputError if they are needed."""
    if not missing:
        return []
    some = listed([ids[i] for i in missing])
    if required:
        raise InputError(f"{where}: {len(missing)} of {len(ids)} pictures are missing: {some}; {remedy}")
    return [f"{len(missing)} of {len(ids)} pictures are not here, so they cannot be shown: {some}."]
