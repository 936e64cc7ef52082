"""Classification, several labels a picture: decisions at one threshold, class by class and picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from dashboard.comparing.align import Aligned, column
from dashboard.comparing.classes import join_classes, same_truth
from dashboard.comparing.measured import ClassNumbers, Floats, Measured, Settings, figure, run_intervals, scores_note
from dashboard.comparing.shapes import Figure
from dashboard.metrics.confusion import ratio
from dashboard.metrics.intervals import FEW, enough
from dashboard.metrics.paired_bootstrap import every_block, indicator, resampled_means
from dashboard.store import Run

NAMES = ("hamming", "bce", "brier", "correct", "labels", "predicted_labels")
RATES = ("precision", "recall", "f1")
MEANS = ("subset_accuracy", "f1_samples", "precision_samples", "recall_samples", "hamming_loss", "bce", "brier")
SUMMED = (*(f"{r}_micro" for r in reversed(RATES)), *(f"{r}_macro" for r in reversed(RATES)), "f1_weighted")
LOWER = ("hamming_loss", "bce", "brier")
KEPT = ("map", "auroc_macro")
"""Numbers that need all scores: taken from the runs where nothing is left out."""
MOST_CELLS = 16_000_000
CLASS_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class _Answers:
    """A run's decisions on the common samples, in classes common to all runs.

    Attributes:
        columns: (N,) by the names of ``MEANS``.
        sides: rows and classes of right decisions, of all decisions, and of the truth, each (K,).
        correct: (N,) whether every decision is right.
    """

    columns: dict[str, Floats]
    sides: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    correct: NDArray[np.bool_]


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for different truth or class lists."""
    samples = len(aligned.ids)
    tables = [
        column(run, NAMES, ("bce", "brier")).take(pa.array(rows)) for run, rows in zip(runs, aligned.rows, strict=True)
    ]
    true = [_pairs(t, "labels") for t in tables]
    used = [np.bincount(c, minlength=len(r.classes)) > 0 for (_, c), r in zip(true, runs, strict=True)]
    joined = join_classes(runs, how.baseline, used)
    count = len(joined.names)
    keys = [np.sort(row * count + of[c]) for (row, c), of in zip(true, joined.of, strict=True)]
    for place, own in enumerate(keys):
        other = np.setxor1d(own, keys[how.baseline])
        if other.size:
            raise same_truth(runs, how.baseline, place, str(aligned.ids[other[0] // count]))
    found = [_answers(t, key, of, count) for t, key, of in zip(tables, keys, joined.of, strict=True)]
    columns = {name: np.stack([f.columns[name] for f in found]) for name in MEANS}
    drawn = resampled_means(np.concatenate(list(columns.values())).T, how.resamples, how.seed)
    draws = {name: drawn[:, i * len(runs) : (i + 1) * len(runs)] for i, name in enumerate(columns)}
    sums, class_draws = _resample(found, count, samples, how)
    support = np.bincount(keys[how.baseline] % count, minlength=count)
    thin = () if enough(support) else {k for k in sums if not k.endswith("_micro")}
    draws |= {k: v for k, v in sums.items() if k not in thin}
    totals = [np.stack([np.bincount(c, minlength=count) for _, c in f.sides]) for f in found]
    shown = np.flatnonzero(np.any([t[1:].any(axis=0) for t in totals], axis=0))
    rates = {name: np.stack([_rates(t)[name] for t in totals])[:, shown] for name in RATES}
    figures = _figures(runs, columns, totals, aligned, draws, how)
    return Measured(
        unit="image",
        units=samples,
        figures=figures,
        draws=draws,
        linear=MEANS,
        scores=columns["f1_samples"],
        score_name="f1_samples",
        tolerance=1e-12,
        columns=columns,
        classes=[
            ClassNumbers(
                name,
                [joined.names[int(i)] for i in shown],
                support[shown],
                rates[name],
                support[shown] >= FEW,
                class_draws[name][:, shown] if name in class_draws else None,
            )
            for name in ("recall", "precision", "f1")
        ],
        hits={"subset_accuracy": np.stack([f.correct for f in found])},
        sparse=thin,
        notes=[*joined.notes, *scores_note(aligned, figures, KEPT)],
    )


def _pairs(table: pa.Table, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and entries of a column of lists."""
    lists = table.column(name).combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    sizes = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return np.repeat(np.arange(len(lists)), sizes), lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)


def _answers(table: pa.Table, truth: NDArray[np.int64], of: NDArray[np.int64], classes: int) -> _Answers:
    samples = table.num_rows
    row, own = _pairs(table, "predicted_labels")
    decided = np.sort(row * classes + of[own])
    right = np.intersect1d(decided, truth, assume_unique=True)
    sides = tuple((key // classes, key % classes) for key in (right, decided, truth))
    hit, asked, wanted = (np.bincount(r, minlength=samples) for r, _ in sides)
    correct = table.column("correct").to_numpy().astype(bool)
    columns: dict[str, Any] = {
        "subset_accuracy": correct.astype(np.float64),
        "f1_samples": np.nan_to_num(ratio(2 * hit, asked + wanted)),
        "precision_samples": np.nan_to_num(ratio(hit, asked)),
        "recall_samples": np.nan_to_num(ratio(hit, wanted)),
        "hamming_loss": table.column("hamming").to_numpy(),
        "bce": table.column("bce").to_numpy(),
        "brier": table.column("brier").to_numpy(),
    }
    return _Answers(columns, sides, correct)


def _rates(counts: NDArray[Any]) -> dict[str, Floats]:
    """Precision, recall and F1 of (3, ...) counts: right, decided, labels; NaN where 0/0."""
    hit, decided, labels = counts
    return {
        "precision": ratio(hit, decided),
        "recall": ratio(hit, labels),
        "f1": ratio(2 * hit, decided + labels),
    }


def _averages(counts: NDArray[Any]) -> dict[str, Floats]:
    """(...) numbers from (3, C, ...) counts, as ``metrics.multilabel`` has them."""
    rates = _rates(counts)
    occurs = (counts[1] + counts[2] > 0).sum(axis=0)
    out = {f"{k}_macro": ratio(np.nan_to_num(v).sum(axis=0), occurs) for k, v in rates.items()}
    out |= {f"{k}_micro": v for k, v in _rates(counts.sum(axis=1)).items()}
    out["f1_weighted"] = ratio((np.nan_to_num(rates["f1"]) * counts[2]).sum(axis=0), counts[2].sum(axis=0))
    return out


def _resample(
    found: Sequence[_Answers], classes: int, samples: int, how: Settings
) -> tuple[dict[str, Floats], dict[str, NDArray[np.float32]]]:
    """(B, R) averages of resamples; and (R, C, B') rates of each class, of the first resamples."""
    tables = []
    for one in found:
        parts = [(indicator(c, classes) @ indicator(row, samples).T).tocsr() for row, c in one.sides]
        tables.append(sparse.vstack(parts, format="csr"))
    keep = min(how.resamples, CLASS_RESAMPLES)
    per_class = len(found) * classes * keep <= MOST_CELLS
    kept = {n: np.empty((len(found), classes, keep), np.float32) for n in RATES} if per_class else {}

    def work(span: slice, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        out: dict[str, list[Floats]] = {}
        stop = min(span.stop, keep)
        for place, table in enumerate(tables):
            counts = (table @ drawn).astype(np.float64).reshape(3, classes, -1)
            if kept and span.start < stop:
                for name, each in _rates(counts).items():
                    kept[name][place, :, span.start : stop] = each[:, : stop - span.start]
            for name, values in _averages(counts).items():
                out.setdefault(name, []).append(values)
        return {name: np.stack(values, axis=1) for name, values in out.items()}

    parts = every_block(samples, how.resamples, how.seed, work)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, kept


def _figures(
    runs: Sequence[Run],
    columns: dict[str, Floats],
    totals: Sequence[NDArray[np.int64]],
    aligned: Aligned,
    draws: dict[str, Floats],
    how: Settings,
) -> list[Figure]:
    """Means over samples, averages over classes, and what else the runs know."""
    each: list[dict[str, float]] = [{k: float(v[0]) for k, v in _averages(t[..., None]).items()} for t in totals]
    for place, (values, run) in enumerate(zip(each, runs, strict=True)):
        values |= {name: float(column_of[place].mean()) for name, column_of in columns.items()}
        for name in KEPT if aligned.whole(place) else ():
            number = run.metrics.get(name)
            values[name] = np.nan if number is None else float(number)
    figures = []
    for name in ("map", "f1_samples", "subset_accuracy", *SUMMED, *MEANS[2:], "auroc_macro"):
        row = np.array([values.get(name, np.nan) for values in each])
        if np.isfinite(row).any():
            bounds = (0.0, np.inf if name == "bce" else 1.0)
            limits = run_intervals(name, row, runs, aligned, draws.get(name), how.level, bounds)
            figures.append(figure(name, row, limits, name not in LOWER, "nat" if name == "bce" else ""))
    return figures
