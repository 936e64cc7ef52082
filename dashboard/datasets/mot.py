"""``mot``: MOTChallenge's folders of sequences, or a single gt.txt, of boxes or (MOTS) of masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from dashboard.datasets.boxes import flag, listed
from dashboard.datasets.mask_paths import given_path
from dashboard.datasets.mot_dataset import MotDataset
from dashboard.datasets.mot_rows import MOST_FRAMES, Rows, boxes, check_rows, in_order, read_rows
from dashboard.datasets.mot_rules import Rules, choose, roles
from dashboard.datasets.mot_scan import INFO, Facts, Place, find, looks_right, missing_frames, read_facts
from dashboard.datasets.mots_rows import MaskRows, check_masks, read_masks
from dashboard.datasets.mots_rules import (
    MaskRules,
    all_masks,
    check_classes,
    choose_masks,
    mask_tracks,
    named_kitti,
)
from dashboard.datasets.sequences import SequenceInfo
from dashboard.datasets.sizes import read_size
from dashboard.errors import InputError
from dashboard.labels import read_class_names
from dashboard.metrics.tracking.columns import Tracks

FPS = 25.0  # where nothing says it
_LAYOUT = "a folder of sequences with gt/gt.txt, img1/ and seqinfo.ini each, or a gt.txt"


class Mot:
    """MOTChallenge: folders of sequences (gt/gt.txt, img1/, seqinfo.ini), or a single gt.txt.

    Boxes are x, y, x + width, y + height as they stand in the file, as TrackEval takes them (MOTChallenge's own tools
    count pixels from 1). MOT15 to MOT20 are told by their names, else by their columns; of MOT16, MOT17 and MOT20
    pedestrians count, and distractors are treated as TrackEval does. Others (DanceTrack, SportsMOT, one's own) are
    custom: every class that occurs counts. Masks (MOTSChallenge, KITTI MOTS) are told by their lines, and may also be
    files SEQUENCE.txt side by side.
    """

    task = "tracking"
    suffixes = (".txt",)
    options: ClassVar[Mapping[str, str]] = {
        "benchmark": "auto (default), MOT15, MOT16, MOT17, MOT20 or custom; MOTS or KITTI-MOTS of masks: what counts",
        "class_list": "a file of class names, one a line, the first is class 1: custom data with several classes",
        "split": "only sequences in folders of that name (train, test, val)",
        "fps": "frames a second, where no seqinfo.ini says it (default 25)",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when only the truth is needed and the pictures may be elsewhere",
    }

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a text file of boxes, or holds a gt.txt, a seqinfo.ini or a folder img1 at any depth."""
        return looks_right(path)

    def open(self, path: Path, options: Mapping[str, str]) -> MotDataset:
        """Index it; ``options`` as above.

        Raises:
            InputError: naming the file and line, or the sequence.
        """
        confine, required = flag(options, "confine", False), flag(options, "require_files", True)
        places, warnings = _chosen(find(path, confine), path, options.get("split"))
        names = None
        if options.get("class_list"):
            file = given_path(options["class_list"], "class_list", [path, Path()], path if confine else None)
            names = read_class_names(file, unique=True)
        rate = _rate(options)
        facts = [read_facts(place) for place in places]
        wanted = options.get("benchmark", "auto")
        masked = all_masks([place.truth for place in places if place.truth is not None])
        truths = (_masks if masked else _boxes)(places, facts, wanted, names, str(path))
        sequences: list[SequenceInfo] = []
        tracks: list[Tracks | None] = []
        files: list[str] = []
        for place, fact, one in zip(places, facts, truths, strict=True):
            length = _length(place, fact, one.last, required)
            tracks.append(None if one.tracks is None else one.tracks(length))
            shown = [str(fact.folder / fact.pictures[n]) if n in fact.pictures else "" for n in range(1, length + 1)]
            size = fact.size
            if any(shown) and (size is None or one.size is not None):  # masks have to fit the pictures
                size = read_size(next(file for file in shown if file))
            size = size if one.size is None else _same(one.size, size, place)
            start = len(files)
            files += shown
            rate_here = fact.fps or rate or FPS
            sequences.append(SequenceInfo(place.name, start, len(files), rate_here, size, pictures=all(shown)))
        chosen = [one.rules for one in truths]
        warnings += _remarks(places, facts, tracks, sequences, files, chosen, rate)
        return MotDataset(
            name=places[0].name if path.is_file() else path.resolve().name,
            source=str(path),
            sequences=sequences,
            keys=[place.key for place in places],
            tracks=tracks,
            files=files,
            benchmark=" and ".join(sorted({rules.benchmark for rules in chosen})),
            recipe=_recipe(chosen),
            class_names=chosen[0].class_names,
            mask_rules=chosen[0] if isinstance(chosen[0], MaskRules) else None,
            warnings=warnings,
        )


@dataclass(frozen=True)
class _Truth:
    """The truth of a sequence: its rules, the last frame that has any (from 1), its tracks if there are N frames."""

    rules: Rules | MaskRules
    last: int = 0
    size: tuple[int, int] | None = None
    tracks: Callable[[int], Tracks] | None = None


def _boxes(
    places: Sequence[Place], facts: Sequence[Facts], wanted: str, names: Sequence[str] | None, where: str
) -> list[_Truth]:
    """The truth of boxes, and what counts."""
    rows = [None if place.truth is None else read_rows(place.truth) for place in places]
    chosen = choose(wanted, [str(p.folder.resolve()) for p in places], rows, names, where)
    out = []
    for one, rules, fact in zip(rows, chosen, facts, strict=True):
        last = int(min(max(one.values[:, 0].max(), 0), MOST_FRAMES)) if one is not None and len(one) else 0
        out.append(_Truth(rules, last, tracks=None if one is None else partial(_tracks, one, rules, fact)))
    return out


def _masks(
    places: Sequence[Place], facts: Sequence[Facts], wanted: str, names: Sequence[str] | None, where: str
) -> list[_Truth]:
    """The truth of masks, and what counts."""
    del where
    rows = [None if place.truth is None else read_masks(place.truth) for place in places]
    kitti = any(named_kitti(str(p.folder.resolve())) for p in places) or any(fact.from_0 for fact in facts)
    informed = any((place.folder / INFO).is_file() for place in places)
    file = next(str(place.truth) for place in places if place.truth is not None)
    rules = choose_masks(wanted, rows, names, kitti, informed, file)
    out = []
    for one, fact in zip(rows, facts, strict=True):
        if one is None:
            out.append(_Truth(rules))
            continue
        last = int(one.values[:, 0].max()) - rules.first + 1 if len(one) else 0
        out.append(_Truth(rules, min(max(last, 0), MOST_FRAMES), one.size, partial(_mask_tracks, one, rules, fact)))
    return out


def _same(masks: tuple[int, int], size: tuple[int, int] | None, place: Place) -> tuple[int, int]:
    """The size that masks and pictures have. Raises InputError if they differ."""
    if size is not None and size != masks:
        raise InputError(
            f"{place.truth}: the masks are of pictures of {masks[0]} x {masks[1]} pixels, but those of {place.name} "
            f"are of {size[0]} x {size[1]} (height x width): correct one of them"
        )
    return masks


def _mask_tracks(rows: MaskRows, rules: MaskRules, fact: Facts, length: int) -> Tracks:
    """True tracks of masks by frame, checked."""
    check_masks(rows, rules.first, None if fact.length is None else length, fact.length_from, truth=True)
    check_classes(rows, rules)
    return mask_tracks(rows, rules.first, {number: k for k, number in enumerate(rules.numbers)}, truth=True)


def _chosen(places: list[Place], path: Path, split: str | None) -> tuple[list[Place], list[str]]:
    """Sequences of a split; those with truth, where some have it. Raises InputError if there is none."""
    if not places:
        raise InputError(f"{path} holds no sequences: give {_LAYOUT}")
    if split:
        inside = [p for p in places if split in (*p.key.split("/"), path.name, path.resolve().parent.name)]
        if not inside:
            known = sorted({part for p in places for part in p.key.split("/")[:-1]})
            raise InputError(
                f"{path} has no sequences in a folder {split[:40]!r} (option split): "
                f"{'there are ' + ', '.join(known[:8]) if known else 'leave the option out'}"
            )
        places = inside
    bare = [place.name for place in places if place.truth is None]
    if not bare or len(bare) == len(places):
        return places, []
    left = (
        f"{len(bare)} sequences without gt/gt.txt left out: {listed(bare)}; the option split=FOLDER takes one folder's."
    )
    return [place for place in places if place.truth is not None], [left]


def _rate(options: Mapping[str, str]) -> float | None:
    """The option ``fps``. Raises InputError where it is no number above 0."""
    given = options.get("fps", "").strip()
    try:
        rate = float(given) if given else None
    except ValueError:
        rate = -1.0
    if rate is not None and not 0 < rate < 1e6:
        raise InputError(f"option fps={given[:40]}: it must be a number of frames a second, above 0")
    return rate


def _length(place: Place, fact: Facts, last: int, required: bool) -> int:
    """Frames of a sequence. Raises InputError if it has none, or a picture is missing that is needed."""
    length = fact.length or 0
    if fact.length is None or (fact.length_from != INFO and not required):
        length = max(length, last)
    if not length:
        raise InputError(
            f"{place.truth or place.folder} has no boxes, and without pictures or {INFO} nothing says how long the "
            f"sequence {place.name} is: put a {INFO} with seqLength into its folder"
        )
    missing = missing_frames(fact, length) if required else []
    if len(missing) == length:
        raise InputError(
            f"{place.folder} has no pictures ({fact.folder.name}/000001.jpg, ...), which a detector needs: put them "
            "there, or score tracks made elsewhere, which needs none"
        )
    if missing:
        raise InputError(
            f"{fact.folder}: {len(missing)} of {length} frames have no picture, the first is {missing[0]} "
            f"(such as {missing[0]:06d}.jpg): put it there, or correct {fact.length_from}"
        )
    return length


def _tracks(rows: Rows, rules: Rules, fact: Facts, length: int) -> Tracks:
    """True tracks by frame, checked."""
    check_rows(rows, None if fact.length is None else length, fact.length_from, "a file of true tracks")
    flat = (rows.values[:, 4] == 0) | (rows.values[:, 5] == 0)
    if flat.any():
        row = int(flat.argmax())
        raise InputError(f"{rows.where(row)}: the box has no width or no height: correct or remove it")
    role, classes = roles(rows, rules)
    order = in_order(rows)
    values = rows.values[order]
    frame, ids = values[:, 0].astype(np.int64) - 1, values[:, 1].astype(np.int64)
    return Tracks(frame, ids, classes[order], boxes(values), role=role[order] if role.any() else None)


def _remarks(
    places: Sequence[Place],
    facts: Sequence[Facts],
    tracks: Sequence[Tracks | None],
    sequences: Sequence[SequenceInfo],
    files: Sequence[str],
    chosen: Sequence[Rules | MaskRules],
    rate: float | None,
) -> list[str]:
    """What was assumed, and what is missing."""
    out = [fact.note for fact in facts if fact.note]
    if any(one is not None for one in tracks):
        out += [f"Read as {rules.benchmark}: {rules.why} (option benchmark)." for rules in chosen[:1] if rules.why]
    untimed = [place.name for place, fact in zip(places, facts, strict=True) if fact.fps is None]
    if untimed and rate is None:
        out.append(f"{FPS:g} frames a second are assumed of {listed(untimed)}: no {INFO} says it (option fps).")
    empty = [place.name for place, one in zip(places, tracks, strict=True) if one is not None and not len(one)]
    if empty:
        out.append(f"The truth of {listed(empty)} is empty: every box that a tracker gives there is wrong.")
    if isinstance(chosen[0], MaskRules):
        out.append(
            "The truth is masks: a tracker's masks are compared with them, and the player shows the boxes around them. "
            "A detector's boxes are compared with those boxes, and regions to ignore do nothing then."
        )
    bare = [one.name for one in sequences if not one.pictures]
    if bare:
        gone = files.count("")
        out.append(f"{gone} of {len(files)} pictures are not here, so they cannot be shown: {listed(bare)}.")
    return out


def _recipe(chosen: Sequence[Rules | MaskRules]) -> str:
    """How truth is read, in a sentence."""
    boxes = "Boxes are x, y, x + width, y + height as they stand in the file."
    sentences = dict.fromkeys(rules.sentence for rules in chosen)
    return " ".join(sentences if isinstance(chosen[0], MaskRules) else [boxes, *sentences])
