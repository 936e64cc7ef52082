"""Whose prediction is it? The ids of a predictions file, found among a dataset's as they are, as paths or as names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.predictions_files import PredictionsFile


def place_ids(file: PredictionsFile, truth_ids: Sequence[str], partial: bool) -> tuple[NDArray[np.int64], list[str]]:
    """Find each prediction's sample.

    Returns:
        (N,) positions in the truth, -1 where there is none (only if ``partial``), and notes on what was assumed.

    Raises:
        InputError: for ids that occur twice, are unknown, or are missing, naming how many and the first three.
    """
    first: dict[str, int] = {}
    for i, identity in enumerate(file.ids):
        if first.setdefault(identity, i) != i:
            raise InputError(f"{file.where(first[identity], i)}: the id {identity!r} occurs twice, remove one")
    best, how = np.full(len(file.ids), -1, np.int64), ""
    for way, positions in _ways(file.ids, truth_ids):
        if (positions >= 0).sum() > (best >= 0).sum():
            best, how = positions, way
        if (best >= 0).all():
            break
    unknown = np.flatnonzero(best < 0)
    if len(unknown) and (not partial or len(unknown) == len(best)):
        shown = ", ".join(repr(file.ids[i]) for i in unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        raise InputError(
            f"{file.where(int(unknown[0]))}: {len(unknown)} of {len(best)} ids are not in the truth: {shown}; "
            f"its ids look like {truth_ids[0]!r}. Use those, or the option partial=true to leave such predictions out"
        )
    notes = [f"{file.path.name}: ids matched by {how}"] if how not in ("", "id") else []
    placed = best[best >= 0]
    by_position: dict[int, int] = {}
    for i in np.flatnonzero(best >= 0).tolist():
        other = by_position.setdefault(int(best[i]), i)
        if other != i:
            raise InputError(
                f"{file.where(other, i)}: {file.ids[other]!r} and {file.ids[i]!r} "
                f"both mean {truth_ids[best[i]]!r}; keep one"
            )
    missing = len(truth_ids) - len(placed)
    if missing and not partial:
        have = set(placed.tolist())
        names = [truth_ids[i] for i in range(len(truth_ids)) if i not in have][:3]
        shown = ", ".join(map(repr, names)) + (", ..." if missing > 3 else "")
        raise InputError(
            f"{file.path} has no prediction for {missing} of the {len(truth_ids)} samples: {shown}; "
            "add them, or set the option partial=true to score the others"
        )
    if len(unknown):
        notes.append(f"{file.path.name}: {len(unknown)} predictions for ids that are not in the truth left out")
    if missing:
        notes.append(f"{file.path.name}: no prediction for {missing} of {len(truth_ids)} samples, which are left out")
    return best, notes


def _ways(ids: Sequence[str], truth_ids: Sequence[str]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Ways to find ids among the truth's, strictest first: pairs of its name and (N,) positions."""

    def clean(identity: str) -> str:
        return identity.replace("\\", "/").removeprefix("./")

    def base(identity: str) -> str:
        return clean(identity).rpartition("/")[2]

    def stem(identity: str) -> str:
        name, dot, _ = base(identity).rpartition(".")
        return name if dot and name else base(identity)

    def no_suffix(identity: str) -> str:
        folder, slash, _ = clean(identity).rpartition("/")
        return folder + slash + stem(identity)

    keys: list[tuple[str, Callable[[str], str]]] = [
        ("id", str),
        ("path", clean),
        ("path without suffix", no_suffix),
        ("file name", base),
        ("file name without suffix", stem),
    ]
    for way, key in keys:
        positions: dict[str, int] = {}
        for i, identity in enumerate(truth_ids):
            k = key(identity)
            positions[k] = -1 if k in positions else i  # a name that occurs twice decides nothing
        yield way, np.array([positions.get(key(identity), -1) for identity in ids], np.int64)
        if way == "path":  # /somewhere/else/cat/1.jpg is cat/1.jpg
            yield "the end of the path", np.array([_longest_end(clean(i), positions) for i in ids], np.int64)


def _longest_end(path: str, positions: Mapping[str, int]) -> int:
    while path:
        if path in positions:
            return positions[path]
        path = path.partition("/")[2]
    return -1
