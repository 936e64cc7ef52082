"""Which input belongs to which reference, by the folders and names that the usual restoration sets have."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboard.datasets.boxes import listed
from dashboard.errors import InputError

Side = Literal["input", "target"]
INPUT_WORDS = frozenset(
    {"input", "inputs", "lq", "lr", "lrx2", "lrx3", "lrx4", "low", "lowres", "lowresolution", "lowlight", "lowquality"}
    | {"noisy", "noise", "blur", "blurred", "blurry", "rain", "rainy", "hazy", "haze", "degraded", "corrupted"}
    | {"damaged", "compressed", "dark", "underexposed", "distorted", "source", "lrbic", "lrbicx2", "lrbicx3", "lrbicx4"}
)
TARGET_WORDS = frozenset(
    {"target", "targets", "hq", "hr", "high", "highres", "highresolution", "highquality", "clean", "clear", "sharp"}
    | {"gt", "gts", "groundtruth", "reference", "references", "ref", "normal", "norain", "original", "originals"}
    | {"truth", "label", "labels", "gtmod", "gtmod4", "gtmod12"}
)
_MAKERS = frozenset({"bicubic", "unknown", "mild", "difficult", "wild"})  # DIV2K: how inputs were made
_SCALE = re.compile(r"x[2-9]|x1[0-6]", re.IGNORECASE)
_TAIL = re.compile(r"(?<=[0-9a-z])x(?:[2-9]|1[0-6])$", re.IGNORECASE)  # 0801x4, babyx4
_HEAD = re.compile(r"([a-z]+)(?=\d)", re.IGNORECASE)  # LOL v2: low00690, normal00690
_SPLITS = ("val", "valid", "validation", "dev", "test", "testing", "train", "training")  # the first that is there


@dataclass(frozen=True)
class Picture:
    """A file of one side.

    Attributes:
        path: relative to the dataset's folder, or to its side's where that is given.
        key: the same without what says which side it is on; begins what its partner's begins with.
    """

    path: str
    key: str


@dataclass(frozen=True)
class Sorted:
    """Files by side.

    Attributes:
        inputs, targets: in the order of the files.
        rest: paths on neither side.
    """

    inputs: list[Picture]
    targets: list[Picture]
    rest: list[str]


def sort_out(paths: Sequence[str]) -> Sorted:
    """Which files are inputs and which are references.

    A folder whose whole name says so (input, GT, ground_truth) counts more than one that has such a word among others
    (DIV2K_valid_LR_bicubic); only where no folders say it do the names of the files (0001_NOISY_SRGB_010.PNG).

    Args:
        paths: relative, with forward slashes.
    """
    inputs: list[Picture] = []
    targets: list[Picture] = []
    for deepest in (False, True):  # the first folder of a path that says it, else, as for rain/input, the last
        found: dict[bool, dict[Side, list[Picture]]] = {e: {"input": [], "target": []} for e in (True, False)}
        for path in paths:
            hit = _by_folder(path, deepest)
            if hit is not None:
                side, exact, key = hit
                found[exact][side].append(Picture(path, key))
        inputs = found[True]["input"] or found[False]["input"]
        targets = found[True]["target"] or found[False]["target"]
        if inputs and targets:
            break
    if not inputs and not targets:
        inputs, targets = _by_name(paths)
    taken = {picture.path for picture in (*inputs, *targets)}
    return Sorted(inputs, targets, [path for path in paths if path not in taken])


def take_split(found: Sorted, split: str) -> tuple[Sorted, list[str]]:
    """Only what lies in the folders of a split; "" chooses the one for evaluation where everything lies in several.

    Raises:
        InputError: there is no such split.
    """
    have = {picture.path: _split_of(picture.path) for picture in (*found.inputs, *found.targets)}
    splits = sorted(set(have.values()) - {""})
    notes = []
    if not split:
        if len(splits) < 2 or "" in have.values():
            return found, []
        split = next(s for s in _SPLITS if s in splits)
        notes = [f"Of {', '.join(splits)} only {split!r} is read; the option split=NAME chooses another."]
    elif split.lower() not in splits:
        raise InputError(
            f"there is no split {split!r:.60} (option split): the folders say {', '.join(splits) or 'none'}"
        )
    split = split.lower()
    inputs, targets = ([p for p in side if have[p.path] == split] for side in (found.inputs, found.targets))
    return Sorted(inputs, targets, found.rest), notes


def match(inputs: Sequence[Picture], targets: Sequence[Picture]) -> list[tuple[int, int]]:
    """Places of inputs and of their references: the same path but for the extension and side, else a usual ending.

    Usual endings are x4, _LR, _noisy, ... (any word that says a side, set apart by _, - or a dot); where paths differ
    the names alone must do.

    Raises:
        InputError: two files of a side that cannot be told apart.
    """
    best: list[tuple[int, int]] = []
    clash: InputError | None = None
    whole = len(inputs) + len(targets)
    for number, reduce in enumerate(_LEVELS):
        try:
            ours, theirs = _by_key(inputs, reduce, "input"), _by_key(targets, reduce, "target")
        except InputError as error:
            if number == 0:
                raise
            clash = clash or error
            continue
        pairs = [(place, theirs[key]) for key, place in ours.items() if key in theirs]
        if len(pairs) > len(best):
            best = pairs
        if 2 * len(best) == whole:
            break
    if not best and clash is not None:
        raise clash
    return sorted(best)


def unmatched(
    where: str, inputs: Sequence[Picture], targets: Sequence[Picture], pairs: Sequence[tuple[int, int]], skip: bool
) -> list[str]:
    """The note that files without a partner are left out.

    Raises:
        InputError: naming them, unless ``skip`` allows it and pairs are left.
    """
    ours, theirs = {i for i, _ in pairs}, {j for _, j in pairs}
    lone = [picture.path for place, picture in enumerate(inputs) if place not in ours]
    wanting = [picture.path for place, picture in enumerate(targets) if place not in theirs]
    if not lone and not wanting:
        return []
    parts = [f"{len(lone)} of {len(inputs)} inputs have no reference ({listed(lone)})"] * bool(lone)
    parts += [f"{len(wanting)} of {len(targets)} references have no input ({listed(wanting)})"] * bool(wanting)
    text = " and ".join(parts)
    if skip and pairs:
        return [f"{text}; they are left out."]
    also = ", or leave them out with the option without_pair=skip" if pairs else ""
    raise InputError(f"{where}: {text}: give both the same name{also}")


def reduced(stem: str) -> str:
    """A file's name, without extension, less what says its side or scale: 0801 of 0801x4, img of img_LR."""
    whole = stem
    head = _HEAD.match(stem)
    if head and _side(head[1]):
        stem = stem[head.end() :]
    stem = _TAIL.sub("", stem)
    parts = re.split(r"([_\-. ]+)", stem)
    kept = [i for i in range(0, len(parts), 2) if parts[i] and not _side(parts[i]) and not _SCALE.fullmatch(parts[i])]
    if not kept:
        return whole
    return "".join(parts[i] + (parts[i + 1] if n + 1 < len(kept) else "") for n, i in enumerate(kept))


def _side(word: str) -> Side | None:
    """What a word says, in any spelling: Ground_Truth, LR."""
    bare = re.sub(r"[_\-. ]", "", word.lower())
    return "input" if bare in INPUT_WORDS else "target" if bare in TARGET_WORDS else None


def _by_folder(path: str, deepest: bool) -> tuple[Side, bool, str] | None:
    """The side that the first or the ``deepest`` folder of a path says, whether by a whole name, and the key."""
    *folders, _ = path.split("/")
    for exact in (True, False):
        for place, folder in sorted(enumerate(folders), reverse=deepest):
            words = [folder] if exact else re.split(r"[_\-. ]+", folder)
            side = next((found for word in words if (found := _side(word))), None)
            if side:
                rest = "_".join(w for w in words if not exact and not _side(w) and w.lower() not in _MAKERS)
                return side, exact, _key(path, place, rest)
    return None


def _key(path: str, place: int, rest: str) -> str:
    """A path with the folder at ``place`` replaced, and without folders that are called by a scale (X4)."""
    *folders, name = path.split("/")
    kept = [rest if i == place else f for i, f in enumerate(folders) if not _SCALE.fullmatch(f)]
    return "/".join([*(f for f in kept if f), name])


def _by_name(paths: Sequence[str]) -> tuple[list[Picture], list[Picture]]:
    """Sides by the words in files' names; nothing unless half of the pictures make pairs."""
    sides: dict[Side, list[Picture]] = {"input": [], "target": []}
    keys: dict[Side, set[str]] = {"input": set(), "target": set()}
    for path in paths:
        folder, _, name = path.rpartition("/")
        stem = os.path.splitext(name)[0]
        side = next((found for word in re.split(r"[_\-. ]+", stem) if (found := _side(word))), None)
        if side and reduced(stem):
            sides[side].append(Picture(path, path))
            keys[side].add(f"{folder}/{reduced(stem)}")
    shared = len(keys["input"] & keys["target"])
    if not shared or 4 * shared < len(paths):  # of ordinary pictures a few may be called high_tide and low_tide
        return [], []
    return sides["input"], sides["target"]


def _split_of(path: str) -> str:
    words = [word for folder in path.split("/")[:-1] for word in re.split(r"[_\-. ]+", folder.lower())]
    return next((word for word in words if word in _SPLITS), "")


def _stem(key: str) -> str:
    return os.path.splitext(key)[0]


def _path_reduced(key: str) -> str:
    folder, slash, name = _stem(key).rpartition("/")
    return folder + slash + reduced(name)


_LEVELS: tuple[Callable[[str], str], ...] = (
    _stem,
    _path_reduced,
    lambda key: _stem(key).rpartition("/")[2],
    lambda key: reduced(_stem(key).rpartition("/")[2]),
)


def _by_key(pictures: Sequence[Picture], reduce: Callable[[str], str], side: Side) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, picture in enumerate(pictures):
        other = found.setdefault(reduce(picture.key), place)
        if other != place:
            two = f"{pictures[other].path!r} and {picture.path!r}"
            raise InputError(
                f"{two} ({'inputs' if side == 'input' else 'references'}) have the same name but for extension, folder "
                f"or ending: remove one of them, or name the folder that is meant (option {side}=FOLDER)"
            )
    return found
