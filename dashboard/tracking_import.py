"""A tracker's output made elsewhere: MOTChallenge text, one file a sequence, found beside the truth and checked.

Layouts: one text file where the dataset has one sequence; else a folder or zip with ``SEQUENCE.txt`` each, at any depth
(MOTChallenge's ``data/SEQUENCE.txt`` too). A line is ``frame,id,x,y,w,h[,score[,class[,...]]]``, frames from 1;
beside a truth of masks it is MOTS' ``frame id class height width rle`` (``dashboard.tracking_import_masks``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.base import Dataset
from dashboard.datasets.boxes import listed
from dashboard.datasets.files import natural_key, unusable, walk
from dashboard.datasets.mot_rows import Rows, boxes, check_rows, in_order, looks_like_rows, read_rows
from dashboard.datasets.mots_rows import looks_like_masks
from dashboard.datasets.sequences import SequenceInfo, sequences_of
from dashboard.errors import InputError, did_you_mean
from dashboard.importing import opened_folder
from dashboard.labels import match_classes, read_class_names
from dashboard.metrics.tracking.columns import Tracks
from dashboard.tracking_import_masks import check_kind, of_kind, read_mask_tracks, rules_of

SYNONYMS = {"pedestrian": "pedestrian, person", "person": "person, pedestrian"}
"""MOTChallenge's people are COCO's."""
NAMES = "classes.txt"  # beside the tracks: names behind their class numbers
_SCORE, _CLASS = 6, 7  # columns, from 0


@dataclass(frozen=True, eq=False)
class ImportedTracks:
    """A tracker's output for a dataset.

    Attributes:
        sequences: one ``Tracks`` a sequence of the dataset, in its order; empty where there is no file.
        notes: sentences on what was assumed and left out.
    """

    sequences: list[Tracks]
    notes: tuple[str, ...] = ()


def import_tracks(
    path: str | Path,
    truth: Dataset,
    *,
    names: Sequence[str] | None = None,
    partial: bool = False,
    cache_dir: str | Path | None = None,
) -> ImportedTracks:
    """Read a tracker's output.

    Args:
        path: a text file, or a folder or zip of one a sequence.
        truth: the dataset, with ``sequences``.
        names: behind the class numbers; default those of a classes.txt beside the tracks, else the dataset's.
        partial: let sequences be without a file (they count as without tracks), and leave out files of others.
        cache_dir: where a zip is unpacked; default ``cache_folder()``.

    Raises:
        InputError: naming the file and line, or the sequence: files that are missing or of no sequence, frames past
            the end, an identity twice in a frame, boxes of negative size, unknown classes.
    """
    path = Path(path)
    sequences = sequences_of(truth)
    notes: list[str] = []
    if path.is_file() and path.suffix.lower() != ".zip":
        root, in_use = path, None
        files = _the_only(path, sequences, partial)
        taken = [one.name for one, file in zip(sequences, files, strict=True) if file is not None]
        if taken and "-" in path.stem and path.stem != taken[0]:  # MOT17-04-FRCNN, say
            notes.append(f"{path.name} is taken for the tracks of sequence {taken[0]!r}: is it of another?")
    else:
        root, in_use = opened_folder(path, "give a MOTChallenge text file, or a folder of one a sequence", cache_dir)
        files = _by_name(root, path, truth, partial, notes)
        if names is None and (root / NAMES).is_file() and rules_of(truth) is None:  # masks have numbers of their own
            names = read_class_names(root / NAMES)
            notes.append(f"Class numbers are those of {NAMES} beside the tracks.")
    try:
        check_kind(files, truth)
        rules = rules_of(truth)
        if rules is None:
            tracks = _boxes(files, truth, names, partial, notes)
        else:
            known = dict(zip(rules.numbers, range(len(rules.numbers)), strict=True))
            if names is not None:
                known = {n: k for n, k in enumerate(_matched(truth, names, partial, notes).tolist(), 1) if k >= 0}
            tracks = read_mask_tracks(files, sequences, rules, known, notes)
    except InputError as error:
        raise InputError(str(error).replace(str(root), str(path))) from error
    finally:
        if in_use is not None:
            in_use.close()
    missing = [one.name for one, file in zip(sequences, files, strict=True) if file is None]
    if missing:
        notes.append(
            f"{len(missing)} of {len(files)} sequences have no file and count as without tracks: {listed(missing)}."
        )
    for place, sequence in enumerate(sequences):
        if files[place] is not None:
            notes += _doubts(tracks[place], sequence, _truth(truth, place))
    return ImportedTracks(tracks, tuple(notes))


def _boxes(
    files: Sequence[Path | None], truth: Dataset, names: Sequence[str] | None, partial: bool, notes: list[str]
) -> list[Tracks]:
    """The boxes of each sequence; none where there is no file."""
    rows = [None if file is None else read_rows(file) for file in files]
    for one, sequence in zip(rows, sequences_of(truth), strict=True):
        if one is not None:
            check_rows(one, len(sequence), f"of the truth's sequence {sequence.name}", "a tracker's output")
    classes = _classes(rows, truth, names, partial, notes)
    scored = _scored(rows, notes)
    return [Tracks.none() if one is None else _tracks(one, of, scored) for one, of in zip(rows, classes, strict=True)]


def _the_only(path: Path, sequences: Sequence[SequenceInfo], partial: bool) -> list[Path | None]:
    """A single file, of the only sequence or the one it is named after."""
    if len(sequences) == 1:
        return [path]
    found: list[Path | None] = [path if one.name.lower() == path.stem.lower() else None for one in sequences]
    if partial and any(found):
        return found
    raise InputError(
        f"{path} is one file, but the truth has {len(sequences)} sequences ({listed([s.name for s in sequences])}): "
        "give a folder or zip with a file SEQUENCE.txt of each"
        + ("" if not any(found) else ", or set the option partial=true to count the others as without tracks")
    )


def _by_name(root: Path, path: Path, truth: Dataset, partial: bool, notes: list[str]) -> list[Path | None]:
    """The file of each sequence in a folder, by its name."""
    sequences = sequences_of(truth)
    every = [e.path for e in walk(str(root)) if e.name.lower().endswith(".txt") and not unusable(e)]
    place = {one.name.lower(): k for k, one in enumerate(sequences)}
    found: list[Path | None] = [None] * len(sequences)
    others: list[str] = []
    beside: list[str] = []
    for file in of_kind([Path(name) for name in sorted(every, key=natural_key)], truth, notes):
        shown = file.relative_to(root).as_posix()
        k = place.get(file.stem.lower())
        if k is None:
            (others if looks_like_rows(file) or looks_like_masks(file) else beside).append(shown)
            continue
        before = found[k]
        if before is not None:
            raise InputError(
                f"{path}: {before.relative_to(root).as_posix()!r} and {shown!r} are both of the sequence "
                f"{sequences[k].name}: give the folder of one tracker"
            )
        found[k] = file
    known = [one.name for one in sequences]
    if others and not (partial and any(found)):
        name = Path(others[0]).stem
        raise InputError(
            f"{path}: {others[0]!r} is of no sequence of the truth, which has {listed(known)}."
            f"{did_you_mean(name, known)} Name files after their sequences"
            + (", or set the option partial=true to leave such files out" if any(found) else "")
        )
    if others:
        notes.append(f"{len(others)} files of sequences that the truth does not have left out: {listed(others)}.")
    missing = [name for name, file in zip(known, found, strict=True) if file is None]
    if missing and not (partial and any(found)):
        raise InputError(
            f"{path} has no file for {len(missing)} of {len(known)} sequences: {listed(missing)}; add "
            f"{missing[0]}.txt (empty if nothing was found there)"
            + (", or set the option partial=true" if any(found) else "")
        )
    beside = [name for name in beside if Path(name).name != NAMES]
    if beside:
        notes.append(f"{len(beside)} text files without boxes left out: {listed(beside)}.")
    return found


def _classes(
    rows: Sequence[Rows | None], truth: Dataset, names: Sequence[str] | None, partial: bool, notes: list[str]
) -> list[NDArray[np.int64]]:
    """(N,) the dataset's class of each box of each sequence, -1 where it is none of the dataset's."""
    count = len(truth.class_names)
    numbers = [np.empty(0) if one is None else one.column(_CLASS, -1.0) for one in rows]
    seen = np.unique(np.concatenate([np.unique(one) for one in numbers]))
    if count < 2 and (names is None or not (seen >= 0).any()):
        if len(seen) > 1:
            shown = ", ".join(f"{n:g}" for n in seen[:8])
            notes.append(
                f"The tracks have classes {shown}; all count as {''.join(truth.class_names) or 'one'}: to take only "
                "some, name them with --classes FILE."
            )
        return [np.zeros(len(one), np.int64) for one in numbers]
    if len(seen) and not (seen >= 0).any():
        bare = next(one for one in rows if one is not None and len(one))
        raise InputError(
            f"{bare.file} has no classes (column {_CLASS + 1}), but the truth has {count}: write frame,id,x,y,w,h,"
            "score,class with classes counted from 1"
        )
    given = truth.class_names if names is None else tuple(names)
    to_truth = np.arange(count) if names is None else _matched(truth, names, partial, notes)
    first = 0 if (seen == 0).any() else 1
    for one, values in zip(rows, numbers, strict=True):
        odd = (values != np.rint(values)) | (values < first) | (values >= first + len(given))
        if one is not None and odd.any():
            row = int(odd.argmax())
            of = "names given" if names is not None else "classes of the truth"
            raise InputError(
                f"{one.where(row)}: class {values[row]:g} is not one of the {len(given)} {of}, counted from {first}: "
                "correct it, or name the tracks' classes with --classes FILE"
            )
    if first == 0:
        notes.append("Class numbers are counted from 0, since one is 0.")
    out = [to_truth[values.astype(np.int64) - first] for values in numbers]
    lost = sum(int((one < 0).sum()) for one in out)
    if lost:
        notes.append(f"{lost} boxes of classes that the truth does not have are left out.")
    return out


def _matched(truth: Dataset, names: Sequence[str], partial: bool, notes: list[str]) -> NDArray[np.int64]:
    """(P,) the dataset's class of each name, -1 for none."""
    own = truth.class_names
    wide = [SYNONYMS.get(name, name) for name in own]
    to_own = match_classes(wide, truth.class_ids, names, (), used=[False] * len(own)).to_model
    used: list[bool] = list(getattr(truth, "used", [True] * len(own)))
    lost = [own[k] for k in np.flatnonzero(to_own < 0).tolist() if used[k]]
    if (to_own < 0).all() or (lost and not partial):
        raise InputError(
            f"The class{'es' * (len(lost) > 1)} {listed(lost, 5)} of the truth {'are' if len(lost) > 1 else 'is'} not "
            f"among the {len(names)} names given for the tracks.{did_you_mean(lost[0], names) if lost else ''} Use the "
            "same names, or set partial=true"
        )
    if lost:
        notes.append(f"The tracks do not know {len(lost)} classes of the truth: {listed(lost)}.")
    out = np.full(len(names), -1)
    out[to_own[to_own >= 0]] = np.flatnonzero(to_own >= 0)
    return out


def _scored(rows: Sequence[Rows | None], notes: list[str]) -> bool:
    """Whether the tracks have scores: a column of numbers in 0..1 in every file."""
    values = [one.column(_SCORE, -1.0) for one in rows if one is not None and len(one)]
    if all(((v >= 0) & (v <= 1)).all() for v in values):
        return bool(values)
    if any((v != -1).any() for v in values):
        notes.append("Scores (column 7) are left out, since some are outside 0..1.")
    return False


def _tracks(rows: Rows, classes: NDArray[np.int64], scored: bool) -> Tracks:
    """Columns by frame, without boxes of other classes."""
    order = in_order(rows)
    order = order[classes[order] >= 0]
    values = rows.values[order]
    frame, ids = values[:, 0].astype(np.int64) - 1, values[:, 1].astype(np.int64)
    return Tracks(frame, ids, classes[order], boxes(values), rows.column(_SCORE, 1.0)[order] if scored else None)


def _truth(truth: Any, place: int) -> Tracks | None:
    """The truth of a sequence in columns, where the dataset has it so."""
    own = getattr(truth, "truth_tracks", None)
    return None if own is None else own(place)


def _doubts(found: Tracks, sequence: SequenceInfo, true: Tracks | None) -> list[str]:
    """Notes on tracks that can hardly be of this sequence, or have nothing in them."""
    if not len(found):
        return [f"The file of {sequence.name} has no boxes: nothing was found there."]
    out = []
    flat = int((found.xyxy[:, 2:] <= found.xyxy[:, :2]).any(axis=1).sum())
    if flat:
        out.append(f"{flat} boxes of {sequence.name} have no width or no height and match nothing.")
    if sequence.size is not None:
        height, width = sequence.size
        out_of_it = (found.xyxy[:, 2:] <= 0).any(axis=1) | (found.xyxy[:, 0] >= width) | (found.xyxy[:, 1] >= height)
        if out_of_it.all():
            return [
                *out,
                f"All boxes of {sequence.name} lie outside its pictures of {width}x{height} pixels: are they of "
                "another sequence, or fractions of the picture?",
            ]
    if true is not None and len(true) and not _meet(found, true, len(sequence)):
        out.append(f"No box of {sequence.name} overlaps a true one in its frame: are they of another sequence?")
    return out


def _meet(found: Tracks, true: Tracks, frames: int) -> bool:
    """Whether any box overlaps a true one in the same frame; as a rule those of the first frames do."""
    a, b = found.offsets(frames), true.offsets(frames)
    for k in range(frames):
        ours, theirs = found.xyxy[a[k] : a[k + 1], None], true.xyxy[None, b[k] : b[k + 1]]
        low, high = np.maximum(ours[..., :2], theirs[..., :2]), np.minimum(ours[..., 2:], theirs[..., 2:])
        if (high > low).all(axis=-1).any():
            return True
    return False
