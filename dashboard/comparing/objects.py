"""Detection and instance segmentation: COCO's numbers, and what is right and wrong at each run's operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.comparing.align import Aligned
from dashboard.comparing.classes import join_classes, same_truth
from dashboard.comparing.measured import ClassNumbers, Floats, Measured, Settings, figure, run_intervals
from dashboard.comparing.shapes import Figure
from dashboard.detection_parts import batch_of
from dashboard.errors import InputError
from dashboard.explore.detection.opened import opened
from dashboard.metrics.detection.bootstrap import Resampler
from dashboard.metrics.detection.columns import DetectionBatch, Objects
from dashboard.metrics.detection.matching import Matches, match
from dashboard.metrics.detection.metrics import ap_columns
from dashboard.metrics.detection.operating import Outcome, Point, outcome, rates, sweep
from dashboard.metrics.detection.precision import Accumulated, accumulate
from dashboard.metrics.intervals import FEW
from dashboard.metrics.paired_bootstrap import every_block, indicator
from dashboard.metrics.paired_detection import GROUPS, without_groups
from dashboard.store import Run

COCO = ("map", "map_50", "map_75", "mar_100", "map_small", "map_medium", "map_large", "mar_1", "mar_10")
AT_POINT = ("f1", "precision", "recall")
KEPT = ("box_map", "box_map_50", "miou", "boundary_iou", "voc_ap_area")
"""Numbers without an interval: taken from the runs where nothing is left out."""
SAME_PX = 1.0
"""Truth whose boxes differ by no more, on average, is the same: formats round in different ways."""
WORK = 100_000_000
"""Detections of all runs times resamples: of many detections a comparison takes ten seconds or two, not minutes."""
LEAST = 400
MOST_JACKKNIFED = 200_000
"""Detections of all runs above which the AP of single classes has no interval: it would take too long."""


@dataclass(frozen=True, eq=False)
class _Found:
    """A run's matches on the common samples, its numbers, and what each object is at its operating point."""

    classes: int
    batch: DetectionBatch
    matches: Matches
    accumulated: Accumulated
    out: Outcome


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for different truth or class lists."""
    images = len(aligned.ids)
    batches = [_batch(run, aligned, place) for place, run in enumerate(runs)]
    used = [np.bincount(b[0].truth.classes, minlength=len(r.classes)) > 0 for b, r in zip(batches, runs, strict=True)]
    joined = join_classes(runs, how.baseline, used)
    truths = [_truth(b.truth, of, images) for (b, _), of in zip(batches, joined.of, strict=True)]
    for place, truth in enumerate(truths):
        sample = _differs(truth, truths[how.baseline])
        if sample is not None:
            raise same_truth(runs, how.baseline, place, str(aligned.ids[sample]))
    found = [_found(b, m, len(run.classes)) for (b, m), run in zip(batches, runs, strict=True)]
    per_image = np.stack([_per_image(f, images) for f in found])
    draws, class_draws = _resample(found, per_image, joined.of, len(joined.names), how)
    with np.errstate(invalid="ignore", divide="ignore"):
        tp, fp, fn = np.moveaxis(per_image, -1, 0).astype(np.float64)
        scores = np.where(tp + fp + fn > 0, 2 * tp / (2 * tp + fp + fn), 1.0)
    return Measured(
        unit="image",
        units=images,
        figures=_figures(runs, found, per_image, aligned, draws, how),
        draws=draws,
        linear=(),
        scores=scores,
        score_name="f1",
        tolerance=1e-12,
        classes=_classes(found, joined.of, joined.names, class_draws, how),
        notes=joined.notes,
    )


def _batch(run: Run, aligned: Aligned, place: int) -> tuple[DetectionBatch, Matches]:
    """A run's objects on the common samples, and who matched whom; nothing is matched twice."""
    rows = aligned.rows[place]
    kept = opened(run)
    if aligned.whole(place) and (np.diff(rows) == 1).all():
        return kept.batch, kept.matches
    try:
        batch = batch_of(pq.ParquetFile(run.predictions_path).read().take(pa.array(rows)))
    except (OSError, ValueError, KeyError) as error:
        path = run.predictions_path
        raise InputError(f"{path} is damaged or gone ({error}): delete that run, start anew.") from error
    return batch, match(batch, kept.kind)


def _truth(truth: Objects, of: NDArray[np.int64], images: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Its images and classes, (K,) each, how many objects there are of each and, (K, 4), their mean box."""
    key, inverse, count = np.unique(
        truth.image * (of.max(initial=0) + 1) + of[truth.classes], return_inverse=True, return_counts=True
    )
    sums = np.stack([np.bincount(inverse, truth.xyxy[:, i], len(key)) for i in range(4)], axis=1)
    image = key // (of.max(initial=0) + 1)
    cls = key % (of.max(initial=0) + 1)
    return np.stack([image, cls], axis=1), count, sums / np.maximum(count, 1)[:, None]


def _differs(truth: Any, other: Any) -> int | None:
    """The first image in which two truths differ."""
    (a, n, box), (b, m, other_box) = truth, other
    if len(a) != len(b) or (a != b).any():
        mine, theirs = ({tuple(r) for r in rows.tolist()} for rows in (a, b))
        return int(min(mine ^ theirs)[0])
    off = (n != m) | (np.abs(box - other_box) > SAME_PX).any(axis=1)
    return int(a[off][0, 0]) if off.any() else None


def _found(batch: DetectionBatch, matches: Matches, classes: int) -> _Found:
    best = sweep(matches).best()
    out = outcome(matches, Point(0.0 if np.isnan(best) else best))
    return _Found(classes, batch, matches, accumulate(matches, classes), out)


def _per_image(found: _Found, images: int) -> NDArray[np.int64]:
    """(N, 3) right, wrong and missed objects of each image at the operating point."""
    m, out = found.matches, found.out
    sides = ((m.image, out.tp), (m.image, out.fp), (m.truth_image, out.missed))
    return np.stack([np.bincount(image[flag], minlength=images) for image, flag in sides], axis=1)


def _figures(
    runs: Sequence[Run],
    found: Sequence[_Found],
    per_image: NDArray[np.int64],
    aligned: Aligned,
    draws: dict[str, Floats],
    how: Settings,
) -> list[Figure]:
    """COCO's numbers, those at the operating point, and what else the runs know."""
    values = [dict(f.accumulated.summary()) for f in found]
    for own, counts in zip(values, per_image.sum(axis=1), strict=True):
        precision, recall, f1 = rates(*counts)
        own |= {"precision": float(precision), "recall": float(recall), "f1": float(f1)}
    for place, (own, run) in enumerate(zip(values, runs, strict=True)):
        for name in KEPT if aligned.whole(place) else ():
            number = run.metrics.get(name)
            own[name] = np.nan if number is None else float(number)
    figures = []
    for name in (*COCO, *AT_POINT, *KEPT):
        row = np.array([own.get(name, np.nan) for own in values])
        if np.isfinite(row).any():
            limits = run_intervals(name, row, runs, aligned, draws.get(name), how.level, (0.0, 1.0))
            figures.append(figure(name, row, limits))
    return figures


def _resample(
    found: Sequence[_Found],
    per_image: NDArray[np.int64],
    of: Sequence[NDArray[np.int64]],
    classes: int,
    how: Settings,
) -> tuple[dict[str, Floats], dict[str, NDArray[np.float32]]]:
    """(B, R) numbers of resamples by metric; and (R, C, B) by per-class number at the operating point."""
    images = per_image.shape[1]
    most = sum(len(f.matches) for f in found)
    times = int(np.clip(WORK // max(most, 1), min(LEAST, how.resamples), how.resamples))
    if images < FEW or not len(found[0].matches.truth_class):
        return {}, {}
    samplers = [Resampler(f.matches, images, f.classes) for f in found]
    tables = [_class_counts(f, o, classes) for f, o in zip(found, of, strict=True)]
    kept = {n: np.full((len(found), classes, times), np.nan, np.float32) for n in ("recall", "precision", "f1")}

    def work(span: slice, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        out: dict[str, list[Any]] = {}
        for place, (sampler, parts) in enumerate(zip(samplers, tables, strict=True)):
            numbers = sampler.summaries(drawn)
            sums = [(part @ drawn).astype(np.float64) for part in parts]
            own = {name: numbers[name] for name in COCO}
            own |= dict(zip(("precision", "recall", "f1"), rates(*(s.sum(axis=0) for s in sums)), strict=True))
            for name, each in zip(("precision", "recall", "f1"), rates(*sums), strict=True):
                kept[name][place, :, span] = each
            for name, values in own.items():
                out.setdefault(name, []).append(values)
        return {name: np.stack(values, axis=1) for name, values in out.items()}

    parts = every_block(images, times, how.seed, work)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, kept


def _class_counts(found: _Found, of: NDArray[np.int64], classes: int) -> list[Any]:
    """Right, wrong and missed objects as matrices that sum over images by class."""
    m, out = found.matches, found.out
    sides = ((m.image, m.classes, out.tp), (m.image, m.classes, out.fp), (m.truth_image, m.truth_class, out.missed))
    return [_grouped(image[flag], of[label[flag]], len(found.batch), classes) for image, label, flag in sides]


def _grouped(image: NDArray[np.int64], label: NDArray[np.int64], images: int, classes: int) -> Any:
    """(C, N) float32 how many objects of a class an image has."""
    by_object = indicator(label, classes)
    return (by_object @ indicator(image, images).T).tocsr()


def _classes(
    found: Sequence[_Found],
    of: Sequence[NDArray[np.int64]],
    names: Sequence[str],
    draws: dict[str, NDArray[np.float32]],
    how: Settings,
) -> list[ClassNumbers]:
    """AP of each class; and recall, precision and F1 at the operating point."""
    count, support = len(names), np.zeros(len(names), np.int64)
    values: dict[str, list[Floats]] = {}
    for f, o in zip(found, of, strict=True):
        own = {k: v for k, v in ap_columns(f.accumulated).items() if k in ("ap", "ap_50")}
        m, out = f.matches, f.out
        counts = [
            np.bincount(label[flag], minlength=f.classes)
            for label, flag in ((m.classes, out.tp), (m.classes, out.fp), (m.truth_class, out.missed))
        ]
        own |= dict(zip(("precision", "recall", "f1"), rates(*counts), strict=True))
        support[o] = np.maximum(support[o], f.accumulated.truths[:, 0])
        for name, column in own.items():
            values.setdefault(name, []).append(np.full(count, np.nan))
            values[name][-1][o] = column
    shown = np.flatnonzero(support > 0)
    labels, base = [names[int(i)] for i in shown], found[how.baseline]
    pairs = np.unique(np.stack([base.matches.truth_image, of[how.baseline][base.matches.truth_class]]), axis=1)
    plenty = np.bincount(pairs[1], minlength=count)[shown] >= FEW  # images that have the class
    left = _without_groups(found, of, count, how)
    result = []
    for name in ("ap", "ap_50", "f1", "recall", "precision"):
        value = np.stack(values[name])[:, shown]
        drawn = draws[name][:, shown] if name in draws else None
        without = left[name][..., shown] if name in left else None
        result.append(ClassNumbers(name, labels, support[shown], value, plenty, drawn, without))
    return result


def _without_groups(
    found: Sequence[_Found], of: Sequence[NDArray[np.int64]], classes: int, how: Settings
) -> dict[str, Floats]:
    """(R, K, C) AP of each class without each group of images; nothing for few images, or very many detections."""
    images = len(found[0].batch)
    if images < 2 * GROUPS or sum(len(f.matches) for f in found) > MOST_JACKKNIFED:
        return {}
    out: dict[str, Floats] = {}
    for place, (f, own) in enumerate(zip(found, of, strict=True)):
        for name, each in without_groups(f.matches, images, f.classes, how.seed).items():
            out.setdefault(name, np.full((len(found), GROUPS, classes), np.nan))[place][:, own] = each
    return out
