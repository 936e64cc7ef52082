"""Where a dataset's classes meet a model's: by WordNet id, by name, by number, or by a mapping file; never by guess.

A dataset's "tabby cat" has to become output 281 of a network before anything can be counted. The match is made once,
before any inference, and what cannot be matched is an error that says so.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.textfiles import read_text

_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDNET = re.compile(r"n\d{8}")
IGNORE = "ignore"
"""In a mapping, where the pixels of a class do not count (``match_classes(ignorable=True)``)."""
_REMEDY = "give a mapping file (CSV lines or a JSON object of dataset class and model class)"


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Which model output each dataset class is.

    Attributes:
        to_model: (Cd,) int64, the model's class number of each dataset class; -1 for one that is none of the model's,
            which only a class without samples may be, or one that the mapping sends to "ignore".
        how: "WordNet ids", "names", "indices", "mapping file", or several of them joined by " and ".
    """

    to_model: NDArray[np.int64]
    how: str


def match_classes(
    dataset_names: Sequence[str],
    dataset_ids: Sequence[str],
    model_names: Sequence[str],
    model_ids: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    used: Sequence[bool] | None = None,
    ignorable: bool = False,
) -> ClassMap:
    """Find every dataset class among a model's.

    In this order, per class: the mapping; WordNet ids; the same name; the same name but for case, punctuation and
    spacing; the first of comma-separated synonyms; any synonym. When every dataset class is a bare number and the model
    has names, the numbers are taken as output indices, provided all are within its range.

    Args:
        dataset_names: (Cd,) names, which may themselves be WordNet ids or indices.
        dataset_ids: (Cd,) WordNet ids, or empty.
        model_names: (Cm,) names in the order of the outputs.
        model_ids: (Cm,) WordNet ids, or empty.
        mapping: dataset class (name or id) to model class (name, id or index), for all classes or some.
        used: (Cd,) which classes have samples, all by default. The others need not be known to the model.
        ignorable: whether the mapping may send a class to "ignore": it then is none of the model's (-1).

    Raises:
        InputError: for used classes that match nothing, or more than one model class, or one that is already taken.
    """
    if not dataset_names:
        raise InputError("The dataset has no classes: check that it is not empty")
    needed = [True] * len(dataset_names) if used is None else list(used)
    if len(needed) != len(dataset_names):
        raise ValueError(f"used must have {len(dataset_names)} entries, one a class, got {len(needed)}")
    if not model_names:
        raise InputError(
            "The model does not name its classes: give them with --classes FILE, one a line in output order"
        )
    model = _ModelClasses(model_names, model_ids)
    ids = list(dataset_ids) or [n if _WORDNET.fullmatch(n) else "" for n in dataset_names]
    mapping, own = dict(mapping or {}), set(dataset_names)
    if mapping and mapping.keys().isdisjoint([*dataset_names, *ids]):
        first = next(iter(mapping))
        raise InputError(
            f"The mapping names none of the dataset's classes: {first!r} is none.{did_you_mean(first, dataset_names)}"
            " Each entry is a dataset class, then a model class"
        )
    found: list[int | None] = []
    routes: list[str] = []
    for name, identity, must in zip(dataset_names, ids, needed, strict=True):
        wanted = mapping.get(name, mapping.get(identity) if identity else None)
        index: int | None
        if wanted is not None and ignorable and wanted == IGNORE and model.named(wanted, refuse=False) is None:
            index, route = -1, "mapping file"
        elif wanted is not None:
            index, route = model.mapped(name, wanted), "mapping file"
        elif identity and identity in model.by_id:
            index, route = model.by_id[identity], "WordNet ids"
        else:
            index, route = model.named(name, refuse=must), "names"
            if index is not None and model.names[index] != name and model.names[index] in own:
                index = None  # the very name of another class: CD4- is not CD4+
        found.append(index)
        routes.append(route)
    if not mapping and any(index is None and must for index, must in zip(found, needed, strict=True)):
        by_number = _as_indices(dataset_names, needed, len(model_names))
        if by_number is not None:
            found, routes = by_number, ["indices"] * len(by_number)
    found = _without_taken(found, needed)
    _refuse_unmatched(dataset_names, found, needed, model)
    to_model = np.array([-1 if index is None else index for index in found], np.int64)
    _refuse_collisions(dataset_names, to_model, routes, needed, model)
    took = {route for route, must in zip(routes, needed, strict=True) if must}
    order = [r for r in ("mapping file", "WordNet ids", "names", "indices") if r in took]
    return ClassMap(to_model, " and ".join(order))


def used_classes(targets: NDArray[np.int64] | Sequence[int] | Sequence[tuple[int, ...]], classes: int) -> list[bool]:
    """Which of a dataset's classes have samples, from its targets (class numbers, or tuples of them)."""
    found: set[int] = set()
    if isinstance(targets, np.ndarray):
        found.update(np.unique(targets).tolist())
    else:
        for target in targets:
            found.update(target if isinstance(target, tuple) else (int(target),))
    return [number in found for number in range(classes)]


class _ModelClasses:
    """A model's class names, looked up in widening circles."""

    def __init__(self, names: Sequence[str], ids: Sequence[str]) -> None:
        self.names = list(names)
        self.ids = list(ids)
        self.by_id = {identity: i for i, identity in enumerate(ids) if identity}
        self.circles: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(4)]
        for i, name in enumerate(names):
            synonyms = [spelling(s) for s in name.split(",")]
            self.circles[0][name].append(i)
            self.circles[1][spelling(name)].append(i)
            self.circles[2][synonyms[0]].append(i)
            for synonym in set(synonyms):
                self.circles[3][synonym].append(i)

    def named(self, name: str, refuse: bool = True) -> int | None:
        """The class of that name, None if there is none. Several raise InputError, or are None unless ``refuse``."""
        synonyms = [spelling(s) for s in name.split(",")]
        for circle, keys in enumerate([[name], [spelling(name)], synonyms[:1], synonyms]):
            hits = sorted({i for key in keys if key for i in self.circles[circle].get(key, ())})
            if len(hits) == 1:
                return hits[0]
            if hits and not refuse:
                return None
            if hits:
                raise InputError(
                    f"The dataset's class {_short(name)} matches {len(hits)} classes of the model, "
                    f"{' and '.join(self.describe(i) for i in hits[:4])}: "
                    f"rename the class to its WordNet id, or {_REMEDY}"
                )
        return None

    def mapped(self, name: str, wanted: str) -> int:
        """The class a mapping asks for, by id, name or index."""
        if wanted in self.by_id:
            return self.by_id[wanted]
        index = self.named(wanted)
        if index is None and is_index(wanted) and int(wanted) < len(self.names):
            index = int(wanted)
        if index is None:
            raise InputError(
                f"The mapping sends {_short(name)} to {_short(wanted)}, which is not a class of the model "
                f"({len(self.names)} classes).{did_you_mean(wanted, self.names)}"
            )
        return index

    def describe(self, index: int) -> str:
        identity = f", {self.ids[index]}" if self.ids else ""
        return f"{self.names[index]!r} (output {index}{identity})"


def _without_taken(found: Sequence[int | None], needed: Sequence[bool]) -> list[int | None]:
    """A class without samples gives way to another that means the same output."""
    taken = {index for index, must in zip(found, needed, strict=True) if must}
    result: list[int | None] = []
    for index, must in zip(found, needed, strict=True):
        result.append(index if must or index not in taken else None)
        taken.add(index)
    return result


def _refuse_unmatched(
    dataset_names: Sequence[str], found: Sequence[int | None], needed: Sequence[bool], model: _ModelClasses
) -> None:
    rows = zip(dataset_names, found, needed, strict=True)
    missing = [name for name, index, must in rows if must and index is None]
    if not missing:
        return
    shown = ", ".join(map(_short, missing[:5])) + (", ..." if len(missing) > 5 else "")
    if all(is_index(n) for n in model.names):
        hint = " The model has only numbers for names: give its class names with --classes FILE, one a line, or"
    elif all(_WORDNET.fullmatch(n) for n in missing) and not model.ids:
        hint = " These are WordNet ids and the model only has names: rename the folders, or"
    elif all(is_index(n) for n in missing):
        top = max(int(n) for n in missing)
        hint = f" As numbers they would have to be in 0..{len(model.names) - 1}, but {top} occurs: renumber from 0, or"
        if top < len(model.names):
            hint = " Numbers only count as output indices when every class is one: rename the others, or"
    else:
        hint = did_you_mean(missing[0], model.names) or f" The model has {', '.join(map(repr, model.names[:3]))}, ..."
        hint += " Rename the classes, or" if hint.endswith("?") else ": rename the classes, or"
    raise InputError(
        f"{len(missing)} of the dataset's {sum(needed)} classes {'is' if len(missing) == 1 else 'are'} "
        f"not among the model's {len(model.names)}: {shown}.{hint} {_REMEDY}"
    )


def _refuse_collisions(
    dataset_names: Sequence[str],
    to_model: NDArray[np.int64],
    routes: Sequence[str],
    needed: Sequence[bool],
    model: _ModelClasses,
) -> None:
    """Two dataset classes in one model class: only a mapping may say that."""
    taken: dict[int, int] = {}
    for i, index in enumerate(to_model.tolist()):
        if not needed[i]:
            continue
        first = taken.setdefault(index, i)
        if first != i and not routes[first] == routes[i] == "mapping file":
            raise InputError(
                f"The dataset's classes {dataset_names[first]!r} and {dataset_names[i]!r} both match the model's "
                f"{model.describe(index)}: merge or rename them, or {_REMEDY} that sends both there"
            )


def is_index(name: str) -> bool:
    """Whether a name is a class number. ``int`` refuses thousands of digits, which are a name like any other."""
    return name.isascii() and name.isdigit() and len(name) <= 18


def _as_indices(names: Sequence[str], needed: Sequence[bool], classes: int) -> list[int | None] | None:
    """Class numbers, if every needed name is one and these are within range."""
    if not all(is_index(n) for n, must in zip(names, needed, strict=True) if must):
        return None
    numbers = [int(n) if is_index(n) and int(n) < classes else None for n in names]
    have = [number for number, must in zip(numbers, needed, strict=True) if must]
    return numbers if None not in have and len(set(have)) == len(have) else None


def _short(name: str) -> str:
    """A name in quotes, cut where it is no longer one."""
    return repr(name) if len(name) <= 100 else f"{name[:100]!r}..."


def distinct_names(names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Names that can be keys: ImageNet has two cranes, which are told apart by their WordNet ids, or else by number."""
    often = Counter(names)
    return [
        name if often[name] == 1 else f"{name} ({ids[i] if len(ids) == len(names) else i})"
        for i, name in enumerate(names)
    ]


def normalise(name: str) -> str:
    """Letters and digits of any script in lower case, single spaces: "Grey_Whale's" becomes "grey whales"."""
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"['’`]", "", name.casefold())).split())


def spelling(name: str) -> str:
    """What names that may differ in spelling are compared by; "" for one that must be as written: -1 is not 1."""
    key = normalise(name)
    return key if key == name.strip() or any(map(str.isalpha, key)) else ""


def read_mapping(path: str | Path) -> dict[str, str]:
    """Read a mapping file: CSV lines ``dataset class,model class`` (a header of these words is skipped), or JSON.

    Raises:
        InputError: naming the file and the line or entry.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        try:
            pairs = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}); correct it there") from error
        except (ValueError, RecursionError) as error:  # thousands of digits, or of brackets
            raise InputError(f"{path} is not a JSON object of dataset class and model class; correct it") from error
        for key, value in pairs.items():
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                what = type(value).__name__ if isinstance(value, (dict, list)) else repr(value)
                raise InputError(f"{path}: entry {_short(key)} must be a model class (text or a number), got {what}")
            if _SURROGATE.search(f"{key}{value}"):
                raise InputError(f"{path}: entry {_short(key)} is not text (half of a surrogate pair); correct it")
        return {key: str(value).strip() for key, value in pairs.items()}
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    mapping: dict[str, str] = {}
    lines: dict[str, int] = {}
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            line = reader.line_num
            if len(cells) != 2 or not all(cells):
                raise InputError(
                    f"{path}, line {line}: expected two cells, dataset class and model class, got {len(cells)}: "
                    "put names that contain a comma in double quotes"
                )
            if not lines and [normalise(c) for c in cells] in (["dataset class", "model class"], ["dataset", "model"]):
                continue
            if cells[0] in mapping:
                raise InputError(f"{path}, lines {lines[cells[0]]} and {line}: {cells[0]!r} is mapped twice, keep one")
            mapping[cells[0]], lines[cells[0]] = cells[1], line
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not readable as CSV ({error})") from error
    if not mapping:
        raise InputError(f"{path} maps no class: write one line per class, dataset class,model class")
    return mapping


def read_class_names(path: str | Path, unique: bool = False) -> tuple[str, ...]:
    """Read class names, one a line, in the order of the class numbers.

    Args:
        path: a text file.
        unique: refuse a name that occurs twice (a model may have two cranes, a dataset's labels may not).

    Raises:
        InputError: naming the file and line.
    """
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    if not any(lines):
        raise InputError(f"{path} has no class names: write one a line, in the order of the class numbers")
    first: dict[str, int] = {}
    for number, name in enumerate(lines, 1):
        if not name:
            raise InputError(
                f"{path}, line {number}: empty line among the class names, which would shift their numbers"
            )
        if unique and name in first:
            raise InputError(f"{path}, lines {first[name]} and {number}: the class {name!r} occurs twice, remove one")
        first.setdefault(name, number)
    return tuple(lines)
