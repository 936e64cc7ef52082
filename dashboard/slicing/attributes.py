"""From measurements, truth, names and tags to attributes that samples can be sliced by, with readable bins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.comparing.shapes import Comparison
from dashboard.datasets.base import Dataset
from dashboard.explore.detection.opened import opened
from dashboard.metrics.slices import Attribute, quantile_codes
from dashboard.store import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_VALUES = 40
"""Different values of a name or tag above which it tells samples apart rather than groups them."""
BINS = 4
FEW_NUMBERS = 6  # different numbers up to which each is a bin of its own
HAS = "has"
OBJECTS = ("detection", "instance-segmentation")


def attributes_of(
    comparison: Comparison,
    measured: Mapping[str, Floats] | None,
    pictures: Dataset | None,
    tags: Mapping[str, Sequence[str]] | None = None,
) -> list[Attribute]:
    """Everything that is known of the samples of a comparison.

    Args:
        comparison: N samples.
        measured: by position in the baseline's data, see ``measuring``; None if the pictures are gone.
        pictures: the baseline's data, whose tags count; None if gone.
        tags: given by a person: name to one cell a sample.
    """
    base = comparison.runs[comparison.baseline]
    index = comparison.index[comparison.baseline]
    found = [*_classes(base, index), *_folders(comparison.ids)]
    if measured is not None:
        width, height = measured["width"][index], measured["height"][index]
        real = width > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(numeric("pixels", np.where(real, width * height, np.nan)))
            found.append(numeric("aspect", np.where(real, width / height, np.nan)))
        found += [numeric(name, measured[name][index]) for name in ("brightness", "contrast", "sharpness")]
    if base.task in OBJECTS:
        found += _objects(base, index)
    if pictures is not None:
        found += _own_tags(pictures, index)
    given = [tagged(name, cells) for name, cells in (tags or {}).items()]
    found += [a for a in given if a is not None]
    return _renamed(_different([a for a in found if telling(a)]))


def _renamed(attributes: Sequence[Attribute]) -> list[Attribute]:
    """Tags that are called as something else is, told apart from it."""
    seen: Counter[str] = Counter()
    found = []
    for attribute in attributes:
        name = attribute.name
        if name != HAS:
            seen[name] += 1
            name = f"{name} ({seen[name]})" if seen[name] > 1 else name
        found.append(replace(attribute, name=name))
    return found


def _different(attributes: Sequence[Attribute]) -> list[Attribute]:
    """Without those that group the samples as an earlier one does (a film's folder and its name)."""
    found: list[Attribute] = []
    seen: set[bytes] = set()
    for attribute in attributes:
        _, first, codes = np.unique(attribute.codes, return_index=True, return_inverse=True)
        key = np.argsort(np.argsort(first, kind="stable"))[codes].tobytes()  # bins numbered as they come
        if attribute.name == HAS or key not in seen:
            seen.add(key)
            found.append(attribute)
    return found


def telling(attribute: Attribute) -> bool:
    """Whether it tells some samples from others."""
    seen = np.unique(attribute.codes)
    return len(seen) > 1


def numeric(name: str, values: Floats, bins: int = BINS) -> Attribute:
    """Numbers, NaN where unknown: each its own bin where they are few, else bins from their least to greatest."""
    known = values[np.isfinite(values)]
    different = np.unique(known)
    if 0 < len(different) <= FEW_NUMBERS:
        codes = np.where(np.isfinite(values), np.searchsorted(different, values), -1)
        return Attribute(name, codes, _apart([_number(v) for v in different]))
    codes, ends = quantile_codes(values, bins)
    texts = [tuple(dict.fromkeys(map(_number, pair))) for pair in ends.tolist()]
    return Attribute(name, codes, _apart([" – ".join(pair) for pair in texts]))


def _number(value: float) -> str:
    """Three digits, with a thin mark at thousands; whole numbers whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.3g}"


def _apart(labels: list[str]) -> list[str]:
    """Labels that look the same, told apart."""
    often = Counter(labels)
    return [f"{label} ({k + 1})" if often[label] > 1 else label for k, label in enumerate(labels)]


def tagged(name: str, cells: Sequence[str]) -> Attribute | None:
    """Cells as numbers if all are, or as text; "" is unknown. None if there are too many different ones."""
    given = [c for c in cells if c != ""]
    try:
        numbers = np.array([float(c) if c != "" else np.nan for c in cells])
        if given and np.isfinite(numbers).sum() == len(given) and "_" not in "".join(given):  # 2011_09_26 is a name
            return numeric(name, numbers)
    except ValueError:
        pass
    return worded(name, cells)


def worded(name: str, cells: Sequence[str]) -> Attribute | None:
    """Cells as text, though they look like numbers; "" is unknown. None if there are too many different ones."""
    labels = sorted({c for c in cells if c != ""})
    if not 0 < len(labels) <= MOST_VALUES:
        return None
    number = {label: k for k, label in enumerate(labels)}
    return Attribute(name, np.array([number.get(c, -1) for c in cells], np.int64), labels)


def _classes(run: Run, index: Ints) -> list[Attribute]:
    """The class of each sample; of several labels, or of objects, which classes it has."""
    names = run.classes
    if run.task == "classification" and not run.facts.get("multilabel"):
        rows = pq.read_table(run.rows_path, columns=["index", "label"])
        label = _at(rows.column("index").to_numpy(), rows.column("label").to_numpy(), index)
        shown = np.unique(label)
        codes = np.searchsorted(shown, label)
        return [Attribute("class", codes, [names[int(i)] for i in shown])]
    present: dict[int, NDArray[np.bool_]] = {}
    if run.task == "classification":
        rows = pq.read_table(run.rows_path, columns=["index", "labels"])
        labels = rows.column("labels")
        flat = labels.combine_chunks()
        counts = np.array([len(x) for x in labels.to_pylist()])
        sample = np.repeat(np.arange(len(counts)), counts)
        which = flat.flatten().to_numpy().astype(np.int64)
        position = rows.column("index").to_numpy()
    elif run.task in OBJECTS:
        view = opened(run)
        sample, which, position = view.batch.truth.image, view.batch.truth.classes, view.index
    else:
        return []
    often = np.bincount(which, minlength=len(names))
    for label_ in np.argsort(-often, kind="stable")[:MOST_VALUES].tolist():
        if often[label_]:
            has = np.zeros(len(position), bool)
            has[sample[which == label_]] = True
            present[label_] = has
    return [
        Attribute(HAS, np.where(_at(position, has, index), 0, -1), [names[label_]]) for label_, has in present.items()
    ]


def _at(position: Ints, values: NDArray[np.generic], index: Ints) -> NDArray[np.generic]:
    """Values that stand at ascending positions, at some of these."""
    return values[np.searchsorted(position, index)]


def _folders(ids: Sequence[str]) -> list[Attribute]:
    """The folder that an id names; where folders are just the classes they count once."""
    folders = [str(PurePosixPath(i.replace("\\", "/")).parent) for i in ids]
    attribute = worded("folder", ["" if f == "." else f for f in folders])
    return [] if attribute is None else [attribute]


def _objects(run: Run, index: Ints) -> list[Attribute]:
    """How many objects of the truth a picture has, and how large the middle one is, as a share of its sides."""
    view = opened(run)
    truth, sizes = view.batch.truth, view.batch.sizes.astype(np.float64)
    count = np.bincount(truth.image, minlength=len(view.batch)).astype(np.float64)
    area = np.clip(truth.xyxy[:, 2:] - truth.xyxy[:, :2], 0, None).prod(axis=1)
    whole = sizes.prod(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 100 * np.sqrt(area / np.where(whole > 0, whole, np.nan)[truth.image])
    middle = np.full(len(view.batch), np.nan)
    order = np.lexsort((share, truth.image))
    ends = np.searchsorted(truth.image[order], np.arange(len(view.batch) + 1))
    some = np.flatnonzero(np.diff(ends))
    middle[some] = share[order][(ends[some] + ends[some + 1] - 1) // 2]
    return [numeric("objects", _at(view.index, count, index)), numeric("object_size", _at(view.index, middle, index))]  # type: ignore[arg-type]


def _own_tags(pictures: Dataset, index: Ints) -> list[Attribute]:
    """Tags that the dataset brings along (a CSV's other columns), and the sequence of a frame."""
    first = pictures[int(index[0])]
    if not first.tags and first.sequence is None:
        return []
    samples = [pictures[int(i)] for i in index]
    found = [tagged(name, [str(s.tags.get(name, "")) for s in samples]) for name in first.tags]
    if first.sequence is not None:
        found.append(worded("sequence", [s.sequence or "" for s in samples]))
    return [a for a in found if a is not None]
