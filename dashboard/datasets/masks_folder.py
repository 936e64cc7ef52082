"""``masks``: pictures in images/, class maps as index, palette or colour-coded PNG in masks/."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.boxes import flag, listed
from dashboard.datasets.files import passed_over
from dashboard.datasets.images import MAX_PIXELS, read_image
from dashboard.datasets.mask_classes import Numbering
from dashboard.datasets.mask_files import read_labels
from dashboard.datasets.mask_names import Named, named_classes, numbering
from dashboard.datasets.mask_pairs import (
    Folders,
    apart,
    files_in,
    find_folders,
    holds_pictures,
    pair,
    refuse_missing,
    take_split,
)
from dashboard.datasets.mask_panoptic import find_panoptic
from dashboard.datasets.mask_scan import Scan, digests, hash_of, scan
from dashboard.datasets.palette import Palette
from dashboard.datasets.sizes import is_turned, read_sizes
from dashboard.errors import InputError
from dashboard.types import Sample, Segmentation, ignore_of

TASK = "semantic-segmentation"


class Masks:
    """Class maps: images/ and masks/ of index, palette or colour-coded PNG, classes.txt or a palette file.

    A mask has its picture's name (or a usual ending such as _mask, _labelIds), size and place among sub-folders. Names
    come from classes.txt (one a line), a palette file (name,r,g,b) or the JSON of COCO panoptic PNG; else classes are
    called by their numbers. Pixels of 255 do not count, nor those of a class called void or unlabelled; the option
    ``ignore`` says otherwise.
    """

    task = TASK
    options: ClassVar[Mapping[str, str]] = {
        "images": "the folder of the pictures, if it is not called images, img, JPEGImages, ...",
        "masks": "the folder of the masks, if it is not called masks, labels, annotations, gt, ...",
        "split": "only this split: a folder in images and masks, or a list ImageSets/Segmentation/SPLIT.txt",
        "class_list": "a file of class names, one a line, if it is not classes.txt",
        "palette": "a file of colours, name,r,g,b a line, if it is not palette.txt, class_dict.csv, labelmap.txt, ...",
        "annotations": "the JSON of COCO panoptic PNG, if there are several",
        "palette_png": "numbers or colours: what counts in palette PNG whose colours contradict the palette file",
        "ignore": "numbers or names of classes that do not count, as 255 or 0,void; none counts all (default 255)",
        "ignore_index": "the same as ignore",
        "reduce_zero_label": "true where 0 does not count and classes are numbered from 1 (ADE20K)",
        "ending": "what follows a picture's name in its mask's, as _gtFine_labelIds, if it is not a usual one",
        "without_mask": "skip leaves out pictures that have no mask (default error)",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when only the masks are needed and the pictures may be elsewhere",
    }

    def detect(self, path: Path) -> bool:
        """Whether a folder has pictures somewhere within; ``open`` says best what is missing."""
        return path.is_dir() and holds_pictures(path)

    def open(self, path: Path, options: Mapping[str, str]) -> MaskDataset:
        """Index the folder and look at every mask; ``options`` as above.

        Raises:
            InputError: naming the file (and pixel) and the remedy.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: masks wants a folder that holds images and masks")
        confine, required = flag(options, "confine", False), flag(options, "require_files", True)
        how = options.get("palette_png", "numbers")
        if how not in ("numbers", "colours", "colors"):
            raise InputError(f"option palette_png={how:.40}: it must be numbers or colours")
        segments = find_panoptic(path, options, confine)
        folders = find_folders(path, {**(segments[1] if segments else {}), **options}, confine, required)
        if segments is not None:
            named = Named(segments[0].listed, (), None, str(segments[0].path), segments[0].void)
        else:
            places = [folders.root, folders.masks, folders.masks.parent, path]
            named = named_classes(places, path, options, confine)
        by_colour = None if "palette_png" not in options else how != "numbers"
        ids, files, masks, notes = _paired(path, folders, options)
        palettes: Sequence[Palette | None] = [named.palette] * len(masks)
        if segments is not None:
            palettes = segments[0].palettes(masks)
        found = scan(masks, palettes, by_colour, _cache())
        made, more = numbering(named, found, options)
        data = MaskDataset(
            name=path.resolve().name,
            source=str(path),
            ids=ids,
            files=files,
            masks=masks,
            scan=found,
            numbering=made,
            palettes=palettes,
            palette=named.palette,
            by_colour=by_colour,
        )
        data.check()
        data.warnings = (*folders.notes, *notes, *more, *data.remarks())
        return data


class MaskTargets(Sequence[Segmentation]):
    """The truth of N pictures, each read from its mask when asked for."""

    def __init__(self, data: MaskDataset) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data.masks)

    @overload
    def __getitem__(self, index: int) -> Segmentation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Segmentation]: ...
    def __getitem__(self, index: int | slice) -> Segmentation | list[Segmentation]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        data, file = self._data, self._data.masks[index]
        labels = read_labels(file, data.palettes[index], data.by_colour)
        if labels.shape != tuple(data.sizes[index]):
            raise InputError(f"{file} has changed since the dataset was opened: open it again")
        return Segmentation(data.numbering.classes_of(labels, file), ignore_of(len(data.class_names)))


class MaskDataset:
    """Pictures in files, with a class for every pixel in mask files. Implements ``Dataset``.

    Attributes:
        ids: (N,) one a sample, unique.
        files: (N,) where the pictures are; a path that is not there, where they are elsewhere.
        masks: (N,) the mask files.
        sizes: (N, 2) height and width of each picture in pixels.
        numbering: what the numbers in the masks mean.
        palettes: (N,) how colours of each mask are read, see ``read_labels``.
        palette: that of all masks, and of answers; None where there is none, or each has its own.
        by_colour: see ``read_labels``.
        targets: the truth, one ``Segmentation`` a picture, read when asked for.
    """

    task = TASK
    multilabel = False
    class_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    format: str | None = None  # set by open_dataset, with the options it was given
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *,
        name: str,
        source: str,
        ids: Sequence[str],
        files: Sequence[str],
        masks: Sequence[str],
        scan: Scan,
        numbering: Numbering,
        palettes: Sequence[Palette | None],
        palette: Palette | None,
        by_colour: bool | None,
    ) -> None:
        if not len(ids) == len(files) == len(masks) == len(scan.sizes) == len(palettes):
            raise ValueError(f"ids, files, masks and scan must be as many, got {len(ids)}, {len(files)}, {len(masks)}")
        self.name = name
        self.source = source
        self.ids = list(ids)
        self.files = list(files)
        self.masks = list(masks)
        self.scan = scan
        self.sizes = scan.sizes
        self.numbering = numbering
        self.class_names = numbering.names
        self.palettes = palettes
        self.palette = palette
        self.by_colour = by_colour
        self.targets = MaskTargets(self)

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(N, C) pixels of each class in each picture."""
        return self.scan.per_class(self.numbering.table, len(self.class_names))

    @property
    def used(self) -> list[bool]:
        """(C,) which classes have pixels."""
        return (self.pixels.sum(axis=0) > 0).tolist()

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
        """Hash of ids, class names, what numbers mean, and every picture's and mask's size and first and last 8 KB.

        A PNG ends with a checksum of its pixels. It does not depend on where the dataset lies, so a folder and its zip
        have the same.
        """
        digest = hashlib.blake2b(digest_size=10)
        digest.update("\0".join(["masks-1", *self.class_names, str(self.by_colour)]).encode("utf-8", "surrogateescape"))
        digest.update(self.numbering.table.tobytes() + hash_of(self.palettes))
        for identity, picture, mask in zip(self.ids, digests(self.files), digests(self.masks), strict=True):
            digest.update(f"\0{identity}\0".encode("utf-8", "surrogateescape") + picture + mask)
        return digest.hexdigest()

    def check(self) -> None:
        """Raises InputError for a number that is no class, or a mask of another size than its picture."""
        known = np.isin(self.scan.labels, [*self.numbering.numbers, *self.numbering.ignored])
        if not known.all():
            first = int(np.argmin(known))
            masks = len(np.unique(self.scan.mask[~known]))
            place = int(self.scan.mask[first])
            file = self.masks[place]
            also = f" (and {masks - 1} other mask{'s' * (masks > 2)} such numbers)" if masks > 1 else ""
            labels = read_labels(file, self.palettes[place], self.by_colour)
            raise self.numbering.stray(file, int(self.scan.labels[first]), labels, also)
        here = [i for i, file in enumerate(self.files) if os.path.isfile(file)]
        sizes = read_sizes([self.files[i] for i in here])
        differ = np.flatnonzero((sizes != self.sizes[here]).any(axis=1))
        if len(differ):
            place = here[int(differ[0])]
            (h, w), (mask_h, mask_w) = sizes[differ[0]].tolist(), self.sizes[place].tolist()
            if h * w > MAX_PIXELS:
                raise InputError(
                    f"{self.files[place]} says it has {w:,} x {h:,} pixels, more than the limit of {MAX_PIXELS:,}: "
                    "give a smaller one of its mask's size"
                )
            others = f" ({len(differ)} masks do not fit)" if len(differ) > 1 else ""
            turned = is_turned(self.files[place]) and (h, w) == (mask_w, mask_h)
            remedy = "the picture is shown upright, by its EXIF mark: turn the mask in the same way" if turned else ""
            raise InputError(
                f"{self.masks[place]} is {mask_w}x{mask_h} pixels, but its picture {self.ids[place]} is {w}x{h}"
                f"{others}: {remedy or 'give masks of the size of their pictures'}"
            )

    def remarks(self) -> list[str]:
        """What there is to say about the truth: pictures and classes without a pixel that counts."""
        blank = np.flatnonzero(~self.pixels.any(axis=1)).tolist()
        unused = [name for name, used in zip(self.class_names, self.used, strict=True) if not used]
        notes = []
        if blank:
            some = listed([self.ids[i] for i in blank])
            notes.append(f"Pictures without a pixel that counts: {len(blank)} of {len(self)} ({some}).")
        if unused:
            notes.append(f"{len(unused)} of {len(self.class_names)} classes do not occur: {listed(unused)}.")
        return notes


def _paired(
    path: Path, folders: Folders, options: Mapping[str, str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Ids, pictures, masks, and notes."""
    without = options.get("without_mask", "error")
    if without not in ("error", "skip"):
        raise InputError(f"option without_mask={without:.40}: it must be skip or error")
    others: Counter[str] = Counter()
    names = {"masks": files_in(folders.masks, Counter())}
    if folders.images is not None:
        names["images"] = files_in(folders.images, others)
        if not names["images"] and options.get("images"):
            raise InputError(f"{folders.images} has no pictures (option images): give the folder that they are in")
    names, notes = take_split(names, folders, options.get("split", ""))
    images, masks = names.get("images", []), names["masks"]
    said = [*notes, *passed_over(others)]
    ending = options.get("ending", "")
    if folders.images == folders.masks:
        images, masks = apart(images, [ending] if ending else None)
    elif ending:
        masks = apart(masks, [ending])[1]
    if not masks:
        raise InputError(
            f"{folders.masks} has no masks{f' whose names end in {ending}' * bool(ending)}: put them there"
        )
    if folders.images is None or not images:  # only when pictures are not needed
        ids = [os.path.splitext(m)[0] for m in masks]
        if len(set(ids)) < len(ids):
            twice = next(i for i, n in Counter(ids).items() if n > 1)
            raise InputError(f"{folders.masks}: two masks are called {twice!r} but for their extension: remove one")
        at = folders.root / "images"
        return ids, [str(at / i) for i in ids], [str(folders.masks / m) for m in masks], said
    pairs = pair(images, masks, ends=[ending]) if ending else pair(images, masks)
    remedy = "add them, or leave such pictures out with the option without_mask=skip"
    said += refuse_missing(folders.masks, images, pairs, without == "skip" or _few_are_usual(folders), remedy)
    if pairs.unused:
        said.append(f"{len(pairs.unused)} masks of no picture left out: {listed([masks[i] for i in pairs.unused])}.")
    kept = [(image, masks[place]) for image, place in zip(images, pairs.mask, strict=True) if place >= 0]
    return (
        [image for image, _ in kept],
        [str(folders.images / image) for image, _ in kept],
        [str(folders.masks / mask) for _, mask in kept],
        said,
    )


def _few_are_usual(folders: Folders) -> bool:
    """Whether the layout is Pascal VOC's, where only some of the pictures have masks."""
    return folders.masks.name == "SegmentationClass"


def _cache() -> Path:
    """Where scans of masks are kept."""
    from dashboard.datasets.opening import cache_folder  # it imports formats, which import this

    return cache_folder() / "masks"
