"""``paired``: a folder of inputs and one of references beside each other, paired by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.boxes import flag, inside, listed
from dashboard.datasets.enhancing import TASK, EnhancementDataset, Header, alpha_note, deep_note, read_headers
from dashboard.datasets.files import passed_over
from dashboard.datasets.images import read_image
from dashboard.datasets.mask_pairs import files_in
from dashboard.datasets.mask_paths import given_path
from dashboard.datasets.paired_names import Picture, Sorted, match, sort_out, take_split, unmatched
from dashboard.datasets.sizes import is_turned
from dashboard.errors import InputError
from dashboard.types import EnhancedImage, Image


class Paired:
    """Inputs and references in two folders (input/target, LR/HR, low/high, blur/sharp, noisy/GT, ...), paired by name.

    Names are the same but for the extension and usual endings (0801x4, img_LR, img_noisy). The two folders may lie in
    each of many scenes or splits. A reference has its input's size, or is a whole number of times larger.
    """

    task = TASK
    options: ClassVar[Mapping[str, str]] = {
        "input": "the folder of the inputs, if it is not called input, LR, lq, low, noisy, blur, rain, hazy, ...",
        "target": "the folder of the references, if it is not called target, HR, hq, high, clean, sharp, GT, ...",
        "split": "only this split, where folders are called train, test, val, ...",
        "without_pair": "skip leaves out pictures without a partner (default error)",
        "alpha": "ignore leaves out transparency that only one of a pair has (default error)",
        "scale": "how many times larger references are; found out where the inputs are here, else 1",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when only the references are needed and the inputs may be elsewhere",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "degrade": "has inputs and references of its own: give the folder of clean pictures, without inputs",
    }

    def detect(self, path: Path) -> bool:
        """Whether a folder has pictures on both sides, by the names of folders or files."""
        if not path.is_dir():
            return False
        found = sort_out(files_in(path, Counter()))
        return bool(found.inputs and found.targets)

    def open(self, path: Path, options: Mapping[str, str]) -> PairedDataset:
        """Pair the files by name and compare their headers; ``options`` as above.

        Raises:
            InputError: a side that is not there, files without a partner, two with one name, sizes, bits or
                transparency that do not fit, each named.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: paired wants a folder that holds inputs and references")
        required = flag(options, "require_files", True)
        skip = _choice(options, "without_pair", ("error", "skip")) == "skip"
        ignore_alpha = _choice(options, "alpha", ("error", "ignore")) == "ignore"
        (input_root, inputs), (target_root, targets), notes = _sides(path, options, required)
        if not inputs:  # only when they are not needed
            pairs = [(place, place) for place in range(len(targets))]
            inputs = targets
        else:
            try:
                pairs = match(inputs, targets)
                notes += unmatched(str(path), inputs, targets, pairs, skip)
            except InputError as error:
                raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
        here = inputs is not targets
        data = PairedDataset(
            name=path.resolve().name,
            source=str(path),
            ids=_ids([inputs[i] for i, _ in pairs]),
            files=[str((input_root if here else path / "input") / inputs[i].path) for i, _ in pairs],
            references=[str(target_root / targets[j].path) for _, j in pairs],
            scale=None if here else _scale(options),
            ignore_alpha=ignore_alpha,
        )
        if here and options.get("scale") and _scale(options) != data.scale:
            raise InputError(
                f"{path}: references are {data.scale} times as large as their inputs, not {_scale(options)} times "
                "(option scale): leave it out"
            )
        data.warnings = (*notes, *data.remarks())
        return data


class PairedDataset(EnhancementDataset):
    """Inputs and references in files.

    Attributes:
        files: (N,) the inputs; paths that are not there, where they are elsewhere.
        references: (N,) the files of the references.
        sizes: (N, 2) height and width of each reference in pixels.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        ids: Sequence[str],
        files: Sequence[str],
        references: Sequence[str],
        scale: int | None,
        ignore_alpha: bool = False,
    ) -> None:
        super().__init__(name, source, ids, files)
        self.references = list(references)
        self._truths = read_headers(self.references)
        self._here = scale is None
        self._inputs = read_headers(self.files) if self._here else []
        self.sizes: NDArray[np.int64] = np.array([(h.height, h.width) for h in self._truths], np.int64).reshape(-1, 2)
        if scale is None:
            self.scale = self._checked_scale()
            self._check_kinds(ignore_alpha)
        else:
            self.scale = scale

    def input(self, index: int) -> Image:
        """What a model is given: (H, W, 3) uint8 RGB."""
        if not self._here:
            raise InputError(f"The input of {self.ids[index]} is not here: {self.source} holds references only")
        return self._read(self.files[index], self._inputs[index])

    def reference(self, index: int) -> EnhancedImage:
        """What its answer is compared with."""
        return EnhancedImage(self._read(self.references[index], self._truths[index]), self.scale)

    def hashed(self) -> list[str]:
        """The kind, and the scale."""
        return ["paired-1", str(self.scale)]

    def all_files(self) -> list[Sequence[str]]:
        """Inputs and references."""
        return [self.files, self.references]

    def remarks(self) -> list[str]:
        """What there is to say: bits and transparency that are left out, inputs that are not here."""
        clear = [t.alpha or i.alpha for i, t in zip(self._inputs or self._truths, self._truths, strict=True)]
        notes = deep_note(self.ids, [t.deep for t in self._truths]) + alpha_note(self.ids, clear)
        if not self._here:
            notes.append(
                f"Inputs are not here, so they cannot be shown; references are taken as {self.scale} times larger "
                "(option scale)."
            )
        return notes

    def _read(self, file: str, header: Header) -> Image:
        image = read_image(file)
        if image.shape[:2] != (header.height, header.width):
            raise InputError(f"{file} has changed since the dataset was opened: open it again")
        return image

    def _checked_scale(self) -> int:
        """How many times larger all references are. Raises InputError where one is not, or not as the others."""
        scales = [_times(i, t) for i, t in zip(self._inputs, self._truths, strict=True)]
        wrong = [place for place, times in enumerate(scales) if times is None]
        if wrong:
            place = wrong[0]
            ours, theirs = self._inputs[place], self._truths[place]
            others = f" ({len(wrong)} of {len(scales)} pairs do not fit)" if len(wrong) > 1 else ""
            raise InputError(
                f"{self.references[place]} is {theirs.width}x{theirs.height} pixels, but its input {self.ids[place]} "
                f"is {ours.width}x{ours.height}{others}: {self._remedy(place)}"
            )
        usual, _ = Counter(s for s in scales if s is not None).most_common(1)[0]
        odd = next((place for place, times in enumerate(scales) if times != usual), None)
        if odd is not None:
            raise InputError(
                f"{self.references[odd]} is {scales[odd]} times as large as its input {self.ids[odd]}, but that of "
                f"{self.ids[scales.index(usual)]} is {usual} times: give a dataset of each scale"
            )
        return usual

    def _remedy(self, place: int) -> str:
        ours, theirs = self._inputs[place], self._truths[place]
        if _times(theirs, ours) is not None:
            return "the input is the larger one: exchange the folders (options input=FOLDER and target=FOLDER)"
        turned = is_turned(self.files[place]) != is_turned(self.references[place])
        if turned and _times(Header(ours.width, ours.height, False, False), theirs) is not None:
            return "only one of them is turned by an EXIF mark: turn both in the same way"
        return "a reference must have its input's size, or be a whole number of times larger in both directions"

    def _check_kinds(self, ignore_alpha: bool) -> None:
        """Raises InputError where only one of a pair has more than 8 bits, or transparency."""
        for place, (ours, theirs) in enumerate(zip(self._inputs, self._truths, strict=True)):
            files = (self.files[place], self.references[place])
            if ours.deep != theirs.deep:
                deep, plain = files if ours.deep else files[::-1]
                raise InputError(
                    f"{deep} has more than 8 bits a channel, but {plain}, with which it is paired, has 8: save both "
                    "with the same number of bits"
                )
            if ours.alpha != theirs.alpha and not ignore_alpha:
                clear, plain = files if ours.alpha else files[::-1]
                raise InputError(
                    f"{clear} has transparency (an alpha channel), but {plain}, with which it is paired, has none: "
                    "save both without, or leave it out with the option alpha=ignore"
                )


def _sides(
    path: Path, options: Mapping[str, str], required: bool
) -> tuple[tuple[Path, list[Picture]], tuple[Path, list[Picture]], list[str]]:
    """Inputs and references, each with the folder that their paths are relative to, and notes."""
    within = path if flag(options, "confine", False) else None
    given: dict[str, Path] = {}
    for key in ("input", "target"):
        if options.get(key):
            given[key] = given_path(options[key], key, [path], within)
            if not given[key].is_dir():
                raise InputError(f"{given[key]} is not a folder (option {key}): give the folder of the {key}s")
    others: Counter[str] = Counter()
    names = files_in(path, others)
    roots = {"input": given.get("input", path), "target": given.get("target", path)}
    found = sort_out([name for name in names if not any(inside(path / name, folder) for folder in given.values())])
    notes = passed_over(others)
    if found.rest and not given:
        notes.append(f"{len(found.rest)} pictures in other folders left out ({listed(found.rest)}).")
    inputs = _all_in(given["input"]) if "input" in given else found.inputs
    targets = _all_in(given["target"]) if "target" in given else found.targets
    try:
        found, more = take_split(Sorted(inputs, targets, []), options.get("split", ""))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    for key, side in (("input", found.inputs), ("target", found.targets)):
        if not side and (required or key == "target"):
            what, usual = (
                ("inputs", "input, LR, low, noisy, blur") if key == "input" else ("references", "target, HR, GT")
            )
            raise InputError(
                f"{roots[key]} has no pictures that are {what}: call their folder {usual} ..., or name it by the "
                f"option {key}=FOLDER"
            )
    return (roots["input"], found.inputs), (roots["target"], found.targets), notes + more


def _all_in(folder: Path) -> list[Picture]:
    """Every picture under a folder, its path being its key."""
    return [Picture(name, name) for name in files_in(folder, Counter())]


def _ids(inputs: Sequence[Picture]) -> list[str]:
    """Keys less the folders that all have."""
    keys = [picture.key for picture in inputs]
    common = os.path.commonpath([os.path.dirname(key) for key in keys]) if keys else ""
    return [key[len(common) + 1 :] if common else key for key in keys]


def _times(ours: Header, theirs: Header) -> int | None:
    """How many times larger the second is, if it is so in both directions."""
    times = theirs.height // ours.height
    fits = times >= 1 and (theirs.height, theirs.width) == (times * ours.height, times * ours.width)
    return times if fits else None


def _scale(options: Mapping[str, str]) -> int:
    given = options.get("scale", "").strip() or "1"
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:4]) <= 64 and len(given) < 4):
        raise InputError(f"option scale={given[:40]}: it must be a whole number from 1 to 64")
    return int(given)


def _choice(options: Mapping[str, str], name: str, allowed: tuple[str, str]) -> str:
    value = options.get(name, "").strip().lower() or allowed[0]
    if value not in allowed:
        raise InputError(f"option {name}={value:.40}: it must be {allowed[1]} or {allowed[0]}")
    return value
