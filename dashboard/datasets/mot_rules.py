"""What MOTChallenge's flag and class columns mean: which boxes count, which are distractors, which stand aside.

In MOT16, MOT17 and MOT20, class 1 is a pedestrian and counts if its flag is not 0; people on vehicles, static people,
"distractors" and reflections (2, 7, 8, 12; in MOT20 also vehicles, 6) are distractors: a tracker's box that is matched
with one is taken away before anything is counted. The rest takes part in that matching and counts for nothing. MOT15
has no classes. This is TrackEval's ``MotChallenge2DBox.get_preprocessed_seq_data``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.datasets.mot_rows import Rows
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import ASIDE, COUNTED, DISTRACTOR

BENCHMARKS = ("MOT15", "MOT16", "MOT17", "MOT20", "custom")
PEDESTRIAN = ("pedestrian",)
_DISTRACTORS = {"MOT16": (2, 7, 8, 12), "MOT17": (2, 7, 8, 12), "MOT20": (2, 6, 7, 8, 12)}
_CLASSES = 13  # in MOT16 to MOT20
_ONLY_THERE = 7  # classes from here on (static people, distractors, ...) are hardly anyone else's
_NAMED = re.compile(r"(?<![a-z0-9])(?:2d)?mot(?:20)?(15|16|17|20)(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Rules:
    """How truth is read.

    Attributes:
        benchmark: one of ``BENCHMARKS``.
        numbers: (C,) numbers in the class column that count, in the order of ``class_names``; empty if it is not read.
        class_names: (C,).
        why: how the benchmark was found, for people; "" if there was nothing to find.
    """

    benchmark: str
    numbers: tuple[int, ...]
    class_names: tuple[str, ...]
    why: str = ""

    @property
    def sentence(self) -> str:
        """What counts."""
        if self.benchmark == "MOT15":
            return "MOT15: every box whose flag is not 0 counts."
        if self.benchmark == "custom":
            return "Every box whose flag is not 0 counts, of each class."
        numbers = ", ".join(map(str, _DISTRACTORS[self.benchmark]))
        return (
            f"{self.benchmark}: pedestrians (class 1) whose flag is not 0 count; a tracker's box matched with a "
            f"distractor (classes {numbers}) is taken away first, as TrackEval does."
        )


def named_benchmark(path: str) -> str | None:
    """The benchmark that a sequence's folder, or one of the two around it, names: MOT17-02-FRCNN, 2DMOT2015/train/x."""
    for part in reversed(path.replace("\\", "/").split("/")[-3:]):
        found = _NAMED.search(part)
        if found:
            return f"MOT{found[1]}"
    return None


def choose(
    wanted: str, paths: Sequence[str], rows: Sequence[Rows | None], names: Sequence[str] | None, where: str
) -> list[Rules]:
    """The rules of each sequence.

    Args:
        wanted: a name in ``BENCHMARKS``, or "auto".
        paths: (S,) folders of the sequences, which may name their benchmark.
        rows: (S,) their truth, None where there is none.
        names: class names given for custom data: the first is class 1.
        where: the dataset, for errors.

    Raises:
        InputError: an unknown benchmark, or names for one whose classes are fixed; sequences of different kinds.
    """
    by_name = {"auto": "auto"} | {name.lower(): name for name in BENCHMARKS}
    benchmark = by_name.get(wanted.strip().lower() or "auto")
    if benchmark is None:
        raise InputError(f"option benchmark={wanted[:40]}: it must be auto, {', '.join(BENCHMARKS)}")
    if names is not None and benchmark not in ("auto", "custom"):
        raise InputError(
            f"option class_list: {benchmark} has one class that counts; leave it out, or set benchmark=custom"
        )
    count = len(paths)
    truths = [one for one in rows if one is not None]
    if names is not None:
        return [Rules("custom", tuple(range(1, len(names) + 1)), tuple(names), "class_list is given")] * count
    if benchmark not in ("auto", "custom"):
        return [Rules(benchmark, (), PEDESTRIAN)] * count
    if benchmark == "custom":
        return [_custom(truths, "")] * count
    seen = _numbers(truths)
    if len(seen) and seen.max() < 1:
        return [Rules("MOT15", (), PEDESTRIAN, "it has no classes")] * count
    found = [named_benchmark(path) for path in paths]
    if not truths and not all(found):
        return [Rules("custom", (), ())] * count  # the detector's classes
    if all(found):
        return [Rules(str(name), (), PEDESTRIAN, f"{name} is in its path") for name in found]
    if any(found):
        raise InputError(
            f"{where}: the paths of {sum(map(bool, found))} of {count} sequences say which benchmark they are of, "
            f"the others do not: set the option benchmark, one of {', '.join(BENCHMARKS)}"
        )
    if not len(seen):
        return [Rules("MOT15", (), PEDESTRIAN)] * count
    if seen.min() >= 1 and seen.max() <= _CLASSES and seen.max() >= _ONLY_THERE and 1 in seen:
        return [Rules("MOT17", (), PEDESTRIAN, f"its classes, {_some(seen)}, are as in MOT16 and MOT17")] * count
    return [_custom(truths, "neither its path nor its classes are MOTChallenge's")] * count


def roles(rows: Rows, rules: Rules) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(N,) roles and class numbers (from 0) of the boxes of a sequence.

    Raises:
        InputError: naming the line of a class that the rules do not know.
    """
    marked = np.trunc(rows.column(6, 1.0)) != 0  # TrackEval makes it a whole number, too
    role = np.where(marked, COUNTED, ASIDE).astype(np.uint8)
    classes = np.zeros(len(rows), np.int64)
    if rules.benchmark in _DISTRACTORS:
        number = rows.column(7, 1.0)
        odd = (number != np.rint(number)) | (number < 1) | (number > _CLASSES)
        if odd.any():
            row = int(odd.argmax())
            raise InputError(
                f"{rows.where(row)}: class {number[row]:g} is none of {rules.benchmark}'s, 1 to {_CLASSES}: correct "
                "it, or set the option benchmark=custom"
            )
        role[number != 1] = ASIDE
        role[np.isin(number, _DISTRACTORS[rules.benchmark])] = DISTRACTOR
    elif rules.numbers:
        number = rows.column(7, -1.0)
        known = np.array(rules.numbers, np.float64)
        place = np.minimum(np.searchsorted(known, number), len(known) - 1)
        odd = known[place] != number
        if odd.any():
            row = int(odd.argmax())
            raise InputError(
                f"{rows.where(row)}: class {number[row]:g} is past the list of {len(known)} classes, which are counted "
                "from 1: correct it, or the option class_list"
            )
        classes = place.astype(np.int64)
    return role, classes


def _custom(rows: Sequence[Rows], why: str) -> Rules:
    """Every class that occurs counts, by its number; a single one is MOTChallenge's first, a pedestrian."""
    seen = _numbers(rows)
    if (seen != np.rint(seen)).any():
        for one in rows:
            odd = one.column(7, 1.0) != np.rint(one.column(7, 1.0))
            if odd.any():
                raise InputError(
                    f"{one.where(int(odd.argmax()))}: the class (column 8) is not a whole number: correct it"
                )
    if len(seen) == 1:
        return Rules("custom", (), PEDESTRIAN, why)
    return Rules("custom", tuple(int(n) for n in seen), tuple(f"class {n:.0f}" for n in seen), why)


def _numbers(rows: Sequence[Rows]) -> NDArray[np.float64]:
    """The numbers in the class columns, ascending."""
    return np.unique(np.concatenate([np.unique(one.column(7, -1.0)) for one in rows] or [np.empty(0)]))


def _some(numbers: NDArray[np.float64]) -> str:
    return ", ".join(f"{n:.0f}" for n in numbers)
