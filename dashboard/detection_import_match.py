"""Whose detection is it, and of what class: images and classes of predictions found among a dataset's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.labels import is_index, match_classes, normalise

MASKED = "instance-segmentation"


class Truth(Protocol):
    """What is needed of a dataset (``sizes``, ``image_ids`` and ``category_ids`` too, where it has them)."""

    ids: list[str]
    task: str
    class_names: tuple[str, ...]
    class_ids: tuple[str, ...]
    targets: Any

    def __len__(self) -> int: ...


@dataclass(eq=False)
class Found:
    """Detections as read, in the file's order.

    Attributes:
        image: (D,) positions in the dataset, -1 where it has no such image.
        classes: (D,) class numbers of the dataset, -1 where it has no such class.
        scores: (D,) in 0..1.
        xyxy: (D, 4) pixels.
        masks: D compressed run lengths, or None.
        areas: (D,) pixels as the file has them, or None.
        notes: what was assumed.
    """

    image: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    xyxy: NDArray[np.float64]
    masks: list[bytes] | None = None
    areas: NDArray[np.float64] | None = None
    notes: list[str] = field(default_factory=list)


def sizes_of(truth: Truth) -> NDArray[np.int64]:
    """(N, 2) height and width of each image, 0 where unknown."""
    sizes = getattr(truth, "sizes", None)
    if sizes is None:
        sizes = [target.size or (0, 0) for target in truth.targets]
    return np.asarray(sizes, np.int64).reshape(-1, 2)


class Images:
    """A dataset's images, looked up by COCO's number, id, file name, or file name without suffix."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.numbers: NDArray[np.int64]
        given = getattr(truth, "image_ids", None)
        self._names: dict[str, int] | None = None
        if given is not None:
            self.numbers, self.by_number = given, "image ids"
            self._places = np.arange(len(given))
        else:  # Ultralytics writes the number in a picture's name where that is one
            stems = [_stem(identity) for identity in truth.ids]
            pairs = {int(s): i for i, s in enumerate(stems) if is_index(s)}
            if len(pairs) != sum(map(is_index, stems)):
                pairs = {}  # 1.jpg and 01.jpg: numbers decide nothing
            self.numbers, self.by_number = np.array(list(pairs), np.int64), "the numbers in file names"
            self._places = np.array(list(pairs.values()), np.int64)
        order = np.argsort(self.numbers, kind="stable")
        self.numbers, self._places = self.numbers[order], self._places[order]

    def numbered(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """(D,) positions of numbers, -1 where there is none."""
        if not len(self.numbers):
            return np.full(len(wanted), -1)
        found = np.minimum(np.searchsorted(self.numbers, wanted), len(self.numbers) - 1)
        return np.where(self.numbers[found] == wanted, self._places[found], -1)

    def named(self, name: str) -> int:
        """Position of an id, a file name or one without suffix, -1 if there is none or several."""
        if self._names is None:
            self._names = {}
            for key in (_stem, _without_suffix, _base, _itself):  # the strictest last, so that it wins
                seen: dict[str, int] = {}
                for i, identity in enumerate(self.truth.ids):
                    k = key(identity)
                    seen[k] = -1 if k in seen else i
                self._names |= seen
        clean = name.replace("\\", "/").removeprefix("./")
        while clean:  # /somewhere/else/val/1.jpg is val/1.jpg
            for end in (clean, _without_suffix(clean)):
                if end in self._names:
                    return self._names[end]
            clean = clean.partition("/")[2]
        return -1

    def unknown(self, where: str, name: object) -> InputError:
        """The error for an image that is not in the dataset."""
        known = self.truth.ids[0] if getattr(self.truth, "image_ids", None) is None else int(self.numbers[0])
        return InputError(
            f"{where}: the image {str(name)[:100]!r} is not in the truth, whose images are like {known!r}: "
            "correct it, or set the option partial=true to leave such predictions out"
        )


def _itself(identity: str) -> str:
    return identity


def _base(identity: str) -> str:
    return identity.rpartition("/")[2]


def _stem(identity: str) -> str:
    return _without_suffix(_base(identity))


def _without_suffix(identity: str) -> str:
    folder, slash, base = identity.rpartition("/")
    name, dot, _ = base.rpartition(".")
    return folder + slash + (name if dot and name else base)


class Classes:
    """A dataset's classes, looked up by the predictions' class number or name.

    Args:
        truth: the dataset.
        names: the predictions' class names in the order of their numbers; default the dataset's.
        partial: whether a class with objects may be unknown to the predictions.

    Raises:
        InputError: for names of which none, or not all that have objects, are the dataset's.
    """

    def __init__(self, truth: Truth, names: Sequence[str] | None, partial: bool) -> None:
        self.truth = truth
        self.names = tuple(names) if names is not None else truth.class_names
        self.given = names is not None
        self.to_truth = np.arange(len(truth.class_names))
        self.notes: list[str] = []
        if names is not None:
            self.to_truth = self._matched(partial)
        self._tokens: dict[str, int | None] = {}
        self._by_name: dict[str, int] = {}
        for circle in (normalise, _itself):
            for i, name in enumerate(self.names):
                self._by_name[circle(name)] = int(self.to_truth[i])
            for i, name in enumerate(truth.class_names):
                self._by_name.setdefault(circle(name), i)

    def _matched(self, partial: bool) -> NDArray[np.int64]:
        """(P,) the dataset's class of each of the predictions', -1 for none."""
        own = self.truth.class_names
        to_own = match_classes(own, self.truth.class_ids, self.names, (), used=[False] * len(own)).to_model
        lost = [own[i] for i in np.flatnonzero(to_own < 0).tolist() if used(self.truth)[i]]
        if (to_own < 0).all() or (lost and not partial):
            raise InputError(
                f"The class{'es' * (len(lost) > 1)} {', '.join(map(repr, lost[:5]))} of the truth "
                f"{'are' if len(lost) > 1 else 'is'} not among the {len(self.names)} names given for the predictions"
                f".{did_you_mean(lost[0], self.names) if lost else ''} Use the same names, or set partial=true"
            )
        if lost:
            self.notes.append(f"The predictions do not know {len(lost)} classes of the truth: {_some(lost)}.")
        out = np.full(len(self.names), -1)
        out[to_own[to_own >= 0]] = np.flatnonzero(to_own >= 0)
        return out

    def token(self, text: str) -> int | None:
        """The dataset's class of a cell (a number or a name); -1 if it has none, None if the cell means nothing."""
        if text not in self._tokens:
            self._tokens[text] = self._token(text)
        return self._tokens[text]

    def _token(self, text: str) -> int | None:
        number = text
        if "." in text and text.rstrip("0").endswith("."):  # 3.0, 3.000000
            number = text.rstrip("0").rstrip(".")
        if is_index(number) and text not in self._by_name:
            return int(self.to_truth[int(number)]) if int(number) < len(self.names) else None
        for key in (text, normalise(text)):
            if key in self._by_name:
                return self._by_name[key]
        return None

    def wrong(self, where: str, text: str) -> InputError:
        """The error for a cell that means no class."""
        of = "names given" if self.given else "classes of the truth"
        if is_index(text):
            return InputError(
                f"{where}: class number {text} is past the list of {len(self.names)} {of}, which are counted from 0: "
                "correct it, or name the predictions' classes with --classes FILE"
            )
        return InputError(
            f"{where}: {text[:60]!r} is neither a class number in 0..{len(self.names) - 1} nor one of the {of}."
            f"{did_you_mean(text, self.names) or ' Correct it, or name the classes with --classes FILE.'}"
        )


def used(truth: Truth) -> list[bool]:
    """(C,) which classes have objects."""
    own = getattr(truth, "used", None)
    if own is not None:
        return list(own)
    seen = np.zeros(len(truth.class_names), bool)
    for target in truth.targets:
        seen[target.class_ids] = True
    return seen.tolist()


def first_of(faults: Iterable[tuple[NDArray[np.bool_], str]]) -> tuple[int, str] | None:
    """The earliest entry that has any fault, and which."""
    found = [(int(flags.argmax()), name) for flags, name in faults if flags.any()]
    return min(found) if found else None


def without_files(truth: Truth, have: Mapping[int, object], what: str) -> list[str]:
    """The note on images that have no file of predictions."""
    bare = [identity for i, identity in enumerate(truth.ids) if i not in have]
    if not bare:
        return []
    return [f"{len(bare)} of {len(truth)} images have no {what} and count as without detections: {_some(bare)}."]


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
