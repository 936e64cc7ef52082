"""Predictions made elsewhere (CSV, Parquet, npz), checked and put in the order of a dataset, for ``score``.

Layouts: ``id[,label],score_0..score_{C-1}``; ``id[,label],predicted[,score]``; npz with ``ids`` and ``scores``.
Nothing is repaired silently: what does not fit is an error that names the line, and what was assumed is in ``notes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError, did_you_mean
from dashboard.labels import is_index, match_classes, used_classes
from dashboard.predictions_files import PredictionsFile, read_predictions_file
from dashboard.predictions_ids import place_ids

ACTIVATIONS = ("none", "softmax", "sigmoid")
_BLOCK = 8192  # rows looked at in one go, so that checks need little memory
_SUM_TOLERANCE = 0.01  # rows rounded to a few digits still pass


class Truth(Protocol):
    """What is needed of a dataset."""

    ids: list[str]
    targets: NDArray[np.int64] | Sequence[tuple[int, ...]]
    class_names: tuple[str, ...]
    class_ids: tuple[str, ...]
    multilabel: bool


@dataclass(frozen=True, eq=False)
class ImportedPredictions:
    """Predictions beside the truth, in dataset order. Either ``scores`` or ``predicted`` is there.

    Without scores only the metrics that count right and wrong are possible; the others are undefined.

    Attributes:
        rows: (N,) int64 positions in the dataset, ascending.
        ids: N sample ids, the dataset's.
        targets: (N,) int64 class numbers; when multi-label (N, C) bool. In the order of ``class_names``.
        class_names: (C,) the predictions' classes.
        scores: (N, C) probabilities, float32 or float64 as in the file, or None.
        predicted: (N,) int64, when multi-label (N, C) bool, or None when there are scores.
        confidence: (N,) in 0..1, of ``predicted``, or None.
        notes: what was assumed ("ids matched by file name").
    """

    rows: NDArray[np.int64]
    ids: list[str]
    targets: NDArray[np.int64] | NDArray[np.bool_]
    class_names: tuple[str, ...]
    scores: NDArray[np.floating] | None = None
    predicted: NDArray[np.int64] | NDArray[np.bool_] | None = None
    confidence: NDArray[np.floating] | None = None
    notes: tuple[str, ...] = ()


def import_predictions(
    path: str | Path,
    truth: Truth,
    classes: Sequence[str] | None = None,
    activation: str = "none",
    partial: bool = False,
    mapping: Mapping[str, str] | None = None,
) -> ImportedPredictions:
    """Read predictions and put them beside a dataset's truth.

    Args:
        path: .csv, .tsv, .parquet or .npz.
        truth: the dataset.
        classes: names behind the class numbers, one for each score column; default the dataset's own order.
        activation: "softmax" or "sigmoid" when the file has logits.
        partial: let the file cover only a part of the dataset, or more than it.
        mapping: dataset class to one of ``classes``, as for models.

    Raises:
        InputError: naming the file and line (or row).
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    file = read_predictions_file(Path(path))
    rows, notes = place_ids(file, truth.ids, partial)
    names, to_class = _class_space(file, truth, classes, mapping)
    predicted: NDArray | None = None
    scores = file.scores
    if scores is None:
        assert file.predicted is not None  # read_predictions_file sees to it
        names, extra = _with_unseen(file, file.predicted, names, truth.multilabel, fixed=classes is not None)
        notes += extra
        predicted = _numbers(file, file.predicted, names, truth.multilabel, "predicted")
    else:
        scores = _activate(scores, activation)
        _check_scores(file, scores, truth.multilabel)
    targets = _targets(truth, to_class, len(names))
    keep = np.flatnonzero(rows >= 0)
    order = keep[np.argsort(rows[keep], kind="stable")]
    rows = rows[order]
    if file.labels is not None:
        _check_labels(file, truth, to_class, names, targets, rows, order)
    ordered = np.array_equal(order, np.arange(len(file.ids)))
    return ImportedPredictions(
        rows=rows,
        ids=[truth.ids[i] for i in rows],
        targets=targets[rows],
        class_names=names,
        scores=None if scores is None else scores if ordered else scores[order],
        predicted=None if predicted is None else predicted[order],
        confidence=None if file.confidence is None or scores is not None else _confidence(file)[order],
        notes=tuple(notes),
    )


def _class_space(
    file: PredictionsFile, truth: Truth, classes: Sequence[str] | None, mapping: Mapping[str, str] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of the predictions' classes, and the number among them of each dataset class."""
    own, names = truth.class_names, classes if classes is not None else file.class_names
    count = None if file.scores is None else file.scores.shape[1]
    if names is not None:
        if count is not None and count != len(names):
            raise InputError(f"{file.path} has {count} score columns, but {len(names)} class names were given for them")
        used = used_classes(truth.targets, len(own))
        return tuple(names), match_classes(own, truth.class_ids, names, (), mapping, used).to_model
    if count is None or count == len(own):
        return tuple(own), np.arange(len(own))
    if all(is_index(n) and int(n) < count for n in own):
        return tuple(map(str, range(count))), np.array([int(n) for n in own], np.int64)
    raise InputError(
        f"{file.path} has {count} score columns where the truth has {len(own)} classes: name the class of each column "
        "with --classes FILE, one a line"
    )


def _with_unseen(
    file: PredictionsFile, cells: Sequence[str], names: tuple[str, ...], multilabel: bool, fixed: bool
) -> tuple[tuple[str, ...], list[str]]:
    """Predicted names that no sample has become classes of their own: they are wrong answers, not bad input."""
    known = set(names)
    values = dict.fromkeys(v for cell in cells for v in _split(cell, known, multilabel))
    unseen = [v for v in values if v not in known]
    if fixed or not unseen or len(unseen) == len(values) or _as_numbers(values, len(names)):
        return names, []  # all are known, or they are numbers, or _numbers will say what is wrong
    shown = ", ".join(map(repr, unseen[:3])) + (", ..." if len(unseen) > 3 else "")
    return (*names, *unseen), [f"{file.path.name}: {len(unseen)} predicted classes occur in no truth: {shown}"]


def _split(cell: str, known: set[str], multilabel: bool) -> list[str]:
    if not multilabel or cell in known:
        return [cell]
    return [part.strip() for part in cell.replace("|", ";").split(";") if part.strip()]


def _as_numbers(values: Mapping[str, None], classes: int) -> bool:
    return all(is_index(v) and int(v) < classes for v in values)


def _numbers(
    file: PredictionsFile, cells: Sequence[str], names: tuple[str, ...], multilabel: bool, column: str
) -> NDArray[np.int64] | NDArray[np.bool_]:
    """Class numbers of a column of names or numbers: (N,) int64, or (N, C) bool when multi-label."""
    number = {name: i for i, name in enumerate(names)}
    known = set(number)
    values = dict.fromkeys(v for cell in cells for v in _split(cell, known, multilabel))
    if not values.keys() <= number.keys():
        if not _as_numbers(values, len(names)):
            bad = next(v for v in values if v not in number)
            row = next(i for i, cell in enumerate(cells) if bad in _split(cell, known, multilabel))
            raise InputError(
                f"{file.where(row)}: {column} {bad!r:.80} is neither a class name nor a number in 0..{len(names) - 1}."
                f"{did_you_mean(bad, names)}"
            )
        number = {v: int(v) for v in values}
    if not multilabel:
        return np.array([number[cell] for cell in cells], np.int64)
    hot = np.zeros((len(cells), len(names)), bool)
    for i, cell in enumerate(cells):
        hot[i, [number[v] for v in _split(cell, known, True)]] = True
    return hot


def _targets(truth: Truth, to_class: NDArray[np.int64], classes: int) -> NDArray:
    if not truth.multilabel:
        return to_class[np.asarray(truth.targets, np.int64)]
    hot = np.zeros((len(truth.ids), classes), bool)
    for i, labels in enumerate(truth.targets):
        hot[i, to_class[list(labels)]] = True
    return hot


def _check_labels(
    file: PredictionsFile,
    truth: Truth,
    to_class: NDArray[np.int64],
    names: tuple[str, ...],
    targets: NDArray,
    rows: NDArray[np.int64],
    order: NDArray[np.int64],
) -> None:
    """The file's own label column must say what the truth says."""
    cells = file.labels or []
    own = set(truth.class_names)
    in_own_names = all(v in own for cell in cells for v in _split(cell, own, truth.multilabel))
    space = truth.class_names if in_own_names else names
    said = _numbers(file, cells, space, truth.multilabel, "label")
    if in_own_names:
        if truth.multilabel:
            widened = np.zeros((len(cells), len(names)), bool)
            known = to_class >= 0  # a class without samples may have no column
            widened[:, to_class[known]] = said[:, known]
            said = widened
        else:
            said = to_class[said]
    differ = said[order] != targets[rows]
    differ = differ.any(axis=1) if differ.ndim == 2 else differ
    wrong = np.flatnonzero(differ)
    if len(wrong):
        row = int(order[wrong[0]])
        raise InputError(
            f"{file.where(row)}: the label {cells[row]!r} of {file.ids[row]!r} is not what the truth says "
            f"({len(wrong)} of {len(rows)} differ): check that both are of the same data and class order"
        )


def _activate(scores: NDArray[np.floating], activation: str) -> NDArray[np.floating]:
    """Softmax or sigmoid, block by block, in the array's own precision."""
    if activation == "none":
        return scores
    out = np.empty_like(scores)
    for i in range(0, len(scores), _BLOCK):
        block = scores[i : i + _BLOCK]
        with np.errstate(invalid="ignore"):
            if activation == "softmax":
                grown = np.exp(block - block.max(axis=1, keepdims=True))
                out[i : i + _BLOCK] = grown / grown.sum(axis=1, keepdims=True)
            else:
                small = np.exp(-np.abs(block))  # never overflows
                out[i : i + _BLOCK] = np.where(block >= 0, 1, small) / (1 + small)
    return out


def _check_scores(file: PredictionsFile, scores: NDArray[np.floating], multilabel: bool) -> None:
    """Finite, in 0..1, and rows that sum to 1 unless multi-label."""
    remedy = "activation=sigmoid" if multilabel else "activation=softmax"
    for start in range(0, len(scores), _BLOCK):
        block = scores[start : start + _BLOCK]
        bad = ~np.isfinite(block)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"{file.where(start + int(row))}: score_{column} of {file.ids[start + row]!r} is {block[row, column]}, "
                "not a number in 0..1: correct it or remove the line"
            )
        bad = (block < 0) | (block > 1 + 1e-5)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"{file.where(start + int(row))}: score_{column} of {file.ids[start + row]!r} is "
                f"{block[row, column]:g}, outside 0..1, which looks like logits: pass --set {remedy}"
            )
        if multilabel:
            continue
        sums = block.sum(axis=1, dtype=np.float64)
        off = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
        if len(off):
            row = int(off[0])
            raise InputError(
                f"{file.where(start + row)}: the scores of {file.ids[start + row]!r} sum to {sums[row]:.4g}, not 1: "
                f"divide each row by its sum, or pass --set {remedy} if they are logits"
            )


def _confidence(file: PredictionsFile) -> NDArray[np.floating]:
    assert file.confidence is not None
    bad = np.flatnonzero(~((file.confidence >= 0) & (file.confidence <= 1 + 1e-5)))
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"{file.where(row)}: the score of {file.ids[row]!r} is {file.confidence[row]:g}, not a probability in 0..1"
        )
    return file.confidence
