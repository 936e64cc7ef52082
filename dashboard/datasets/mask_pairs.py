"""Which mask belongs to which picture, by folders and names as the usual data sets have them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.datasets.boxes import inside, listed
from dashboard.datasets.files import is_image, natural_key, printable, subfolders, unusable, walk
from dashboard.datasets.mask_paths import given_path, no_file
from dashboard.errors import InputError, did_you_mean
from dashboard.textfiles import read_text

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "leftimg8bit", "photos", "pictures", "rgb")
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "gt", "groundtruth", "ground_truth", "gtfine"),
    *("segmentationclass", "segmentations", "segmentation", "labelids", "targets"),
)
_SPLITS = ("val", "valid", "validation", "dev", "test", "testing", "train", "training")  # the first that is there
_MASK_ENDS = (  # of masks' names, after the picture's; if a picture has several masks, the first that is there
    *("", "_gtFine_labelTrainIds", "_labelTrainIds", "_gtFine_labelIds", "_labelIds", "_mask", "_masks", "_label"),
    *("_labels", "_gt", "_seg", "_segmentation", "_semantic", "_L", "_P", "_lab", "-mask"),
)
_IMAGE_ENDS = ("_leftImg8bit", "_image", "_img", "_rgb", "_sat")


@dataclass(frozen=True)
class Folders:
    """Where things are.

    Attributes:
        root: the dataset's folder: where both lie.
        images: of the pictures; None if they are not here.
        masks: of the masks.
        notes: what was chosen.
    """

    root: Path
    images: Path | None
    masks: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """Pictures with their masks.

    Attributes:
        mask: (N,) the mask's place for each picture, -1 if there is none.
        unused: masks of no picture.
    """

    mask: list[int]
    unused: list[int]


def find_folders(path: Path, options: Mapping[str, str], confine: bool, need_images: bool) -> Folders:
    """The folders of pictures and masks, as named by options, or else by their names.

    Raises:
        InputError: naming what is not there, and the option that says where it is.
    """
    given = {key: _given(path, key, options, confine) for key in ("images", "masks")}
    root, notes = _root(path, options.get("split", ""))
    images = given["images"] or _named(root, IMAGE_FOLDERS)
    masks = given["masks"] or _named(root, MASK_FOLDERS)
    if masks is None and apart(files_in(root, Counter()))[1]:
        images, masks = images or root, root  # side by side
    if masks is None:
        have = ", ".join(subfolders(root)[:8]) or "none"
        raise InputError(
            f"{path} has no folder of masks (masks, labels, annotations, gt, ...) with pictures in it; its folders are "
            f"{have}: name the one that is meant with the option masks=FOLDER"
        )
    if images is None and need_images:
        have = ", ".join(subfolders(root)[:8]) or "none"
        raise InputError(
            f"{path} has masks in {masks.name}, but no folder of pictures (images, img, JPEGImages, ...); its folders "
            f"are {have}: name the one that is meant with the option images=FOLDER"
        )
    return Folders(root, images, masks, tuple(notes))


def files_in(folder: Path, others: Counter[str]) -> list[str]:
    """Pictures under a folder, as paths relative to it with forward slashes, in natural order; others are counted."""
    found: list[str] = []
    for entry in walk(str(folder)):
        why = unusable(entry) if is_image(entry.name) else os.path.splitext(entry.name)[1].lower() or "no suffix"
        if why:
            others[printable(why)] += 1
        else:
            found.append(os.path.relpath(entry.path, folder).replace(os.sep, "/"))
    return sorted(found, key=natural_key)


def holds_pictures(folder: Path) -> bool:
    """Whether there is any picture under a folder."""
    return any(is_image(entry.name) for entry in walk(str(folder)))


def take_split(
    names: Mapping[str, list[str]], folders: Folders, split: str
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Only the pictures and masks of a split: a folder in theirs, or a list of names.

    Args:
        names: "images" and "masks" to relative paths.
        folders: where they are.
        split: as asked for; "" for the whole, or the split that is for evaluation where there are several.

    Returns:
        The same with fewer paths, and what was chosen.
    """
    tops = {key: sorted({n.partition("/")[0] for n in paths if "/" in n}) for key, paths in names.items()}
    wholly = {key for key, paths in names.items() if paths and all("/" in n for n in paths)}
    notes: tuple[str, ...] = ()
    if not split:
        main = "images" if "images" in wholly else "masks"
        splits = [s for s in _SPLITS if s in {t.lower() for t in tops[main]}]
        if main not in wholly or len(splits) < 2 or len(splits) < len(tops[main]):
            return dict(names), ()
        split = splits[0]
        notes = (_only(tops[main], split),)
    elif folders.root.name.lower() == split.lower():
        return dict(names), ()
    lists = [folders.root / "ImageSets" / "Segmentation" / f"{split}.txt", folders.root / f"{split}.txt"]
    file = next((f for f in lists if os.path.isfile(f) and inside(f, folders.root)), None)  # of any length
    if any(split.lower() == t.lower() for found in tops.values() for t in found):
        here = {key: split.lower() in (t.lower() for t in found) for key, found in tops.items()}
        return {key: _under(paths, split) if here[key] else list(paths) for key, paths in names.items()}, notes
    if file is None:
        have = sorted({t for found in tops.values() for t in found})
        raise InputError(
            f"{folders.root} has no split {split!r:.60} (option split): no folder of that name in "
            f"{(folders.images or folders.masks).name}, and no ImageSets/Segmentation/{split:.60}.txt."
            f"{did_you_mean(split, have)}"
        )
    return _listed_in(file, names), notes


def pair(
    images: Sequence[str],
    masks: Sequence[str],
    aliases: Sequence[Sequence[str]] | None = None,
    ends: Sequence[str] = _MASK_ENDS,
) -> Pairs:
    """Find each picture's mask: the same relative path but for the suffix, or with a usual ending; else the same name.

    Args:
        images: (N,) relative paths, or ids.
        masks: relative paths.
        aliases: (N,) further names of each picture.
        ends: what may stand between a picture's name and its mask's suffix, the preferred first.

    Raises:
        InputError: naming two pictures, or two masks, that cannot be told apart.
    """
    best = Pairs([-1] * len(images), list(range(len(masks))))
    for bare in (False, True):
        found = _pair(images, masks, aliases or [()] * len(images), ends, bare)
        if found.mask.count(-1) < best.mask.count(-1):
            best = found
        if -1 not in best.mask:
            break
    return best


def _pair(
    images: Sequence[str], masks: Sequence[str], aliases: Sequence[Sequence[str]], ends: Sequence[str], bare: bool
) -> Pairs:
    """By paths, or by ``bare`` names."""

    def key(path: str) -> str:
        clean = path.replace("\\", "/").removeprefix("./")
        return clean.rpartition("/")[2] if bare else clean

    by_key: dict[str, list[tuple[int, int]]] = {}  # name without ending: rank of the ending, and place
    for place, mask in enumerate(masks):
        stem = _stem(key(mask))
        for rank, end in enumerate(ends):
            if stem.endswith(end) and len(stem) > len(end):
                by_key.setdefault(stem[: len(stem) - len(end)], []).append((rank, place))
    taken: dict[int, int] = {}
    known: set[int] = set()  # masks of any picture, chosen or not
    out: list[int] = []
    for number, (image, more) in enumerate(zip(images, aliases, strict=True)):
        stem = _stem(key(image))
        stems = [
            stem,
            *(stem[: -len(end)] for end in _IMAGE_ENDS if stem.endswith(end)),
            *(_stem(key(a)) for a in more),
        ]
        hits = sorted({hit for s in stems for hit in by_key.get(s, ())})
        if len(hits) > 1 and hits[0][0] == hits[1][0]:
            two = " and ".join(repr(masks[place]) for _, place in hits[:2])
            if bare:
                hits = []  # names that several folders have decide nothing
            else:
                raise InputError(f"{two} both are masks of {image!r}: keep one of them")
        known.update(place for _, place in hits)
        place = hits[0][1] if hits else -1
        other = taken.setdefault(place, number)
        if place >= 0 and other != number:
            if bare:
                return Pairs([-1] * len(images), list(range(len(masks))))
            raise InputError(
                f"{images[other]!r} and {image!r} differ only in their extension or ending, so {masks[place]!r} could "
                "belong to both: remove or rename one of them"
            )
        out.append(place)
    return Pairs(out, [i for i in range(len(masks)) if i not in known])


def apart(files: Sequence[str], ends: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """Pictures, and masks: those whose names end as masks' do (``ends``, or the usual endings)."""
    usual = tuple(end for end in ends or _MASK_ENDS if end)
    masks = [f for f in files if _stem(f).endswith(usual)]
    return [f for f in files if not _stem(f).endswith(usual)], masks


def refuse_missing(where: Path, images: Sequence[str], pairs: Pairs, allowed: bool, remedy: str) -> list[str]:
    """The note that pictures without masks are left out; an InputError unless that is ``allowed``."""
    missing = [images[i] for i, place in enumerate(pairs.mask) if place < 0]
    if not missing:
        return []
    text = f"{len(missing)} of {len(images)} pictures have no mask"
    if allowed and len(missing) < len(images):
        return [f"{text} and are left out: {listed(missing)}."]
    odd = no_file(where, {_stem(name.rpartition("/")[2]) for name in missing})
    raise InputError(f"{where}: {text}: {listed(missing)}{odd}; {remedy}")


def _given(path: Path, key: str, options: Mapping[str, str], confine: bool) -> Path | None:
    text = options.get(key)
    if not text:
        return None
    folder = given_path(text, key, [path], path if confine else None)
    if not folder.is_dir():
        what = "pictures" if key == "images" else "masks"
        raise InputError(f"{folder} is not a folder (option {key}): give the folder of the {what}")
    return folder


def _root(path: Path, split: str) -> tuple[Path, list[str]]:
    """The folder that holds images and masks: the path, the only folder in it, or that of a split."""
    here = path
    for _ in range(4):
        if _named(here, MASK_FOLDERS):
            return here, []
        inner = subfolders(here)
        having = {name.lower(): name for name in inner if _named(here / name, MASK_FOLDERS)}
        chosen = having.get(split.lower()) or next((having[s] for s in _SPLITS if s in having), None)
        if chosen is not None:
            others = [name for name in having.values() if name != chosen]
            return here / chosen, [_only(having.values(), chosen)] if others and not split else []
        if len(inner) != 1:
            break
        here = here / inner[0]
    return path, []


def _only(splits: Iterable[str], chosen: str) -> str:
    return f"Of {', '.join(sorted(splits))} only {chosen!r} is read; the option split=NAME chooses another."


def _named(root: Path, names: Iterable[str]) -> Path | None:
    """The first folder of such a name that holds pictures."""
    have = {name.lower(): name for name in reversed(subfolders(root))}
    return next((root / have[n] for n in names if n in have and holds_pictures(root / have[n])), None)


def _stem(path: str) -> str:
    return os.path.splitext(path)[0] if is_image(path) else path


def _under(paths: Sequence[str], split: str) -> list[str]:
    return [p for p in paths if p.partition("/")[0].lower() == split.lower() and "/" in p]


def _listed_in(file: Path, names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Only what a list names, one a line, with or without folder and suffix."""
    wanted: dict[str, int] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        words = line.split()
        if words:
            wanted.setdefault(_stem(words[0].replace("\\", "/").rpartition("/")[2]), number)
    key = "images" if "images" in names else "masks"
    kept = [p for p in names[key] if _stem(p.rpartition("/")[2]) in wanted]
    lost = set(wanted) - {_stem(p.rpartition("/")[2]) for p in kept}
    if lost or not kept:
        first = min(lost, key=lambda name: wanted[name], default="")
        raise InputError(f"{file}, line {wanted.get(first, 1)}: there is no picture {first!r:.80}: correct the list")
    return {**names, key: kept}
