"""Semantic segmentation: every number from the pixels of each class in each image; no map is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from dashboard.comparing.align import Aligned
from dashboard.comparing.classes import join_classes, same_truth
from dashboard.comparing.measured import ClassNumbers, Floats, Measured, Settings, figure, run_intervals
from dashboard.comparing.shapes import Figure
from dashboard.errors import InputError
from dashboard.metrics.intervals import FEW, enough
from dashboard.metrics.paired_bootstrap import every_block, resampled_means
from dashboard.metrics.segmentation.bootstrap import POOLED
from dashboard.metrics.segmentation.columns import LOSSES
from dashboard.metrics.segmentation.counts import Counts, matrix, restrict
from dashboard.metrics.segmentation.scores import boundary_scores, dice, image_scores, iou, mean, scores
from dashboard.segmentation_rows import counts_of
from dashboard.store import Run

SUMMED = ("miou", "pixel_accuracy", "mdice", "mean_pixel_accuracy", "frequency_weighted_iou")
MEANS = ("image_miou", "image_mdice", *LOSSES)
UNITS = {"cross_entropy": "nat", "focal": "nat"}
MOST_CELLS = 16_000_000
"""Numbers of class differences in resamples that are held at most (64 MB each metric)."""
CLASS_RESAMPLES = 1000
CELLS = 1 << 17
"""Images times classes whose numbers are worked out at once: some megabytes."""


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for different truth or class lists."""
    counted = [_counts(run, aligned, place) for place, run in enumerate(runs)]
    own = [_totals(c) for c in counted]
    joined = join_classes(runs, how.baseline, [n[:, 1] > 0 for n in own])
    pixels = [_table(c, of, len(joined.names)) for c, of in zip(counted, joined.of, strict=True)]
    truth = pixels[how.baseline][1::3]
    for place, table in enumerate(pixels):
        differs = np.flatnonzero(abs(table[1::3] - truth).sum(axis=0))
        for sample in differs[:1]:
            raise same_truth(runs, how.baseline, place, str(aligned.ids[sample]))
    each = [_columns(c) for c in counted]
    columns = {name: np.stack([e[name] for e in each]) for name in MEANS}
    columns = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    draws, class_draws = _resample(pixels, how)
    having = np.diff(truth.indptr)
    pooled = len(np.unique(truth.indices)) >= FEW
    draws = {k: v for k, v in draws.items() if (pooled if k in POOLED else enough(having))}
    if columns:
        table = np.concatenate(list(columns.values())).T
        drawn = resampled_means(table, how.resamples, how.seed)
        draws |= {name: drawn[:, i * len(runs) : (i + 1) * len(runs)] for i, name in enumerate(columns)}
    return Measured(
        unit="image",
        units=len(aligned.ids),
        figures=_figures(runs, counted, own, columns, aligned, draws, how),
        draws=draws,
        linear=MEANS,
        scores=columns["image_miou"] if "image_miou" in columns else np.full((len(runs), len(aligned.ids)), np.nan),
        score_name="miou",
        tolerance=1e-12,
        columns=columns,
        classes=_classes(pixels, joined.names, having, class_draws),
        notes=joined.notes,
    )


def _counts(run: Run, aligned: Aligned, place: int) -> Counts:
    """A run's counts on the common samples."""
    try:
        table = pq.read_table(run.rows_path).take(pa.array(aligned.rows[place]))
        return counts_of(table)[2]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{run.rows_path} is damaged or gone ({error}): delete that run, start anew.") from error


def _totals(counts: Counts) -> NDArray[np.int64]:
    """(C, 3) pixels of each of a run's own classes in all images: right, true, answered."""
    cells = matrix(counts)
    return np.stack([cells.diagonal(), cells.sum(axis=1), cells[:, :-1].sum(axis=0)], axis=1)


def _table(counts: Counts, of: NDArray[np.int64], classes: int) -> Any:
    """(3 C, N) pixels of each class of all runs in each image: right, true, answered; sparse, few classes occur in one.

    Whole numbers, as float64 for products with weights; nothing stored is 0.
    """
    right, known = counts.true == counts.found, counts.found < counts.classes
    sides = ((counts.true, right), (counts.true, np.ones_like(right)), (counts.found, known))
    row = np.concatenate([3 * of[label[flag]] + k for k, (label, flag) in enumerate(sides)])
    image = np.concatenate([counts.image[flag] for _, flag in sides])
    amount = np.concatenate([counts.pixels[flag] for _, flag in sides]).astype(np.float64)
    found = sparse.csr_array((amount, (row, image)), shape=(3 * classes, len(counts)))
    found.eliminate_zeros()
    return found


def _columns(counts: Counts) -> dict[str, Floats]:
    """(N,) of each image; some at a time, for there the table of images by classes is full."""
    step = max(1, CELLS // max(1, counts.classes))
    number = np.arange(len(counts))
    parts = [
        image_scores(restrict(counts, (number >= start) & (number < start + step)))
        for start in range(0, len(counts), step)
    ]
    own = {name: np.concatenate([p[name] for p in parts]) for name in ("iou", "dice")}
    return {"image_miou": own["iou"], "image_mdice": own["dice"], **counts.losses}


def _figures(
    runs: Sequence[Run],
    counted: Sequence[Counts],
    own: Sequence[NDArray[np.int64]],
    columns: dict[str, Floats],
    aligned: Aligned,
    draws: dict[str, Floats],
    how: Settings,
) -> list[Figure]:
    """Numbers of all pixels, of outlines, and means over images."""
    each: list[dict[str, Any]] = [dict(scores(n)) for n in own]
    for values, counts in zip(each, counted, strict=True):
        outlines = boundary_scores(counts)
        values |= {name: mean(outlines[name]) for name in ("boundary_iou", "boundary_f1")}
    for name, column in columns.items():
        for values, row in zip(each, column, strict=True):
            known = row[np.isfinite(row)]
            values[name] = known.mean() if known.size else np.nan
    figures = []
    for name in (*SUMMED, "boundary_iou", "boundary_f1", *columns):
        row = np.array([float(values[name]) for values in each])
        if np.isfinite(row).any():
            bounds = (0.0, np.inf if name in UNITS else 1.0)
            limits = run_intervals(name, row, runs, aligned, draws.get(name), how.level, bounds)
            figures.append(figure(name, row, limits, name not in LOSSES, UNITS.get(name, "")))
    return figures


def _resample(pixels: Sequence[Any], how: Settings) -> tuple[dict[str, Floats], dict[str, NDArray[np.float32]]]:
    """(B, R) numbers of resamples by metric; and (R, C, B') by per-class metric, of the first resamples."""
    classes, images = pixels[0].shape[0] // 3, pixels[0].shape[1]
    keep = min(how.resamples, CLASS_RESAMPLES)
    per_class = len(pixels) * classes * keep <= MOST_CELLS
    kept = {n: np.empty((len(pixels), classes, keep), np.float32) for n in ("iou", "dice")} if per_class else {}

    def work(span: slice, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        out: dict[str, list[Floats]] = {}
        weights = drawn.astype(np.float64)
        for place, table in enumerate(pixels):
            sums = (table @ weights).T.reshape(-1, classes, 3)
            stop = min(span.stop, keep)
            for name, values in (("iou", iou), ("dice", dice)):
                if kept and span.start < stop:
                    kept[name][place, :, span.start : stop] = values(sums[: stop - span.start]).T
            for name, numbers in scores(sums).items():
                out.setdefault(name, []).append(numbers)
        return {name: np.stack(values, axis=1) for name, values in out.items()}

    parts = every_block(images, how.resamples, how.seed, work)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, kept


def _classes(
    pixels: Sequence[Any],
    names: Sequence[str],
    having: NDArray[np.int64],
    draws: dict[str, NDArray[np.float32]],
) -> list[ClassNumbers]:
    """IoU and Dice of each class; an interval needs ten images that have it."""
    totals = np.stack([table.sum(axis=1).reshape(-1, 3) for table in pixels])
    shown = np.flatnonzero(totals.any(axis=(0, 2)))
    support = totals[0, :, 1].astype(np.int64)  # the same for all
    return [
        ClassNumbers(
            name,
            [names[int(i)] for i in shown],
            support[shown],
            values(totals)[:, shown],
            having[shown] >= FEW,
            draws[name][:, shown] if name in draws else None,
        )
        for name, values in (("iou", iou), ("dice", dice))
    ]
