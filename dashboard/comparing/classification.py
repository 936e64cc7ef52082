"""Classification: right and wrong, class by class, and how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from dashboard.comparing import multilabel
from dashboard.comparing.align import Aligned, column, title
from dashboard.comparing.classes import join_classes, same_truth
from dashboard.comparing.measured import ClassNumbers, Floats, Measured, Settings, scores_note
from dashboard.comparing.shapes import Figure
from dashboard.errors import InputError
from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.calibration import Calibration, bin_of
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.intervals import FEW, enough
from dashboard.metrics.losses import cross_entropy
from dashboard.metrics.paired_bootstrap import every_block, indicator
from dashboard.metrics.scan import Detail, Summary
from dashboard.results import Scalars
from dashboard.store import Run

NAMES = ("index", "label", "predicted", "confidence", "true_score", "rank", "brier")
SCORES = ("true_score", "rank", "brier")
BINS = 15
SHOWN = (
    *("top1", "top5", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro", "mcc", "cohen_kappa"),
    *("log_loss", "brier", "ece", "mce", "f1_weighted", "precision_weighted", "specificity_macro"),
)
KEPT = ("auroc_macro", "average_precision_macro")
"""Numbers that need all scores: taken from the runs where nothing is left out."""
LINEAR = ("top1", "top5", "log_loss", "brier")
PER_CLASS = ("recall", "precision", "f1")
CLASS_RESAMPLES = 1000
MOST_CELLS = 16_000_000
"""Numbers of class differences in resamples that are held at most (64 MB each metric)."""


@dataclass(frozen=True, eq=False)
class _Answers:
    """A run's answers on the common samples, in classes common to all runs; (N,) each."""

    batch: ClassificationBatch
    predicted: NDArray[np.int64]
    correct: NDArray[np.bool_]


def _rows(run: Run) -> pa.Table:
    """The columns that are needed; of answers without scores those that only scores could tell are undefined."""
    found = column(run, NAMES, SCORES)
    rank = found.column("rank").to_numpy()
    if len(rank) and np.isnan(rank).all():  # then the confidence that is stored is no score of the answer either
        place = np.where(found.column("predicted").to_numpy() == found.column("label").to_numpy(), 0, -1)
        unknown = pa.array(np.full(len(rank), np.nan))
        for name, values in (("rank", pa.array(place)), ("confidence", unknown)):
            found = found.set_column(found.column_names.index(name), name, values)
    return found


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for different truth or class lists."""
    several = [bool(run.facts.get("multilabel")) for run in runs]
    if any(several):
        if not all(several):
            one, other = runs[several.index(True)], runs[several.index(False)]
            raise InputError(
                f"{title(one)} has several labels a picture and {title(other)} has one: compare runs on the same data."
            )
        return multilabel.measure(runs, aligned, how)
    tables = [_rows(run).take(rows) for run, rows in zip(runs, aligned.rows, strict=True)]
    columns = [{n: t.column(n).to_numpy() for n in NAMES[1:]} for t in tables]
    used = [np.bincount(c["label"], minlength=len(r.classes)) > 0 for c, r in zip(columns, runs, strict=True)]
    classes = join_classes(runs, how.baseline, used)
    labels = columns[how.baseline]["label"].astype(np.int64)
    found = []
    for place, (c, of) in enumerate(zip(columns, classes.of, strict=True)):
        for sample in np.flatnonzero(of[c["label"]] != labels)[:1]:
            raise same_truth(runs, how.baseline, place, str(aligned.ids[sample]))
        batch = _batch(aligned.ids, c, len(of))
        found.append(_Answers(batch, of[c["predicted"]], c["predicted"] == c["label"]))
    figures = _figures(runs, found, aligned)
    draws, class_draws = _resample(labels, found, len(classes.names), how)
    thin = () if enough(np.bincount(labels)) else set(draws) - {*LINEAR, "mcc", "cohen_kappa", "ece"}
    draws = {k: v for k, v in draws.items() if k not in thin}  # too narrow with so few samples a class
    return Measured(
        unit="image",
        units=len(labels),
        figures=figures,
        draws={name: draws[name] for name in draws if any(f.name == name for f in figures)},
        linear=LINEAR,
        scores=np.stack([f.correct for f in found]).astype(np.float64),
        score_name="correct",
        classes=_classes(labels, found, classes.names, class_draws),
        notes=[*classes.notes, *scores_note(aligned, figures, KEPT)],
        hits={
            "top1": np.stack([f.correct for f in found]),
            "top5": np.stack([(f.batch.summary.rank >= 0) & (f.batch.summary.rank < 5) for f in found]),
        },
        binary=True,
        sparse=thin,
    )


def _batch(ids: NDArray[Any], c: dict[str, NDArray[Any]], classes: int) -> ClassificationBatch:
    """Stored rows as a batch, so that every number is the run's own metric's."""
    label, predicted, rank = (c[n].astype(np.int64) for n in ("label", "predicted", "rank"))
    summary = Summary(classes, c["true_score"].dtype, predicted, c["confidence"], c["true_score"], rank, c["brier"])
    nothing = np.full(len(label), np.nan)
    return ClassificationBatch(ids.tolist(), None, label, summary, Detail(nothing, nothing, nothing))


def _figures(runs: Sequence[Run], found: Sequence[_Answers], aligned: Aligned) -> list[Figure]:
    """Metrics of each run by its own classes, with their intervals."""
    results = []
    for place, (run, answers) in enumerate(zip(runs, found, strict=True)):
        values: dict[str, tuple[float, tuple[float, float], str, bool]] = {}
        for metric in (Confusion(run.classes), Calibration(run.classes)):
            metric.update(answers.batch)
            computed = metric.compute()
            scores = computed["scores"]
            assert isinstance(scores, Scalars)
            none = (np.nan, np.nan)
            for name, value in scores.values.items():
                unit, better = scores.units.get(name, ""), scores.higher_is_better.get(name, True)
                values[name] = (value, scores.intervals.get(name, none), unit, better)
        if len(run.classes) <= 5:
            values.pop("top5", None)  # of five classes always 1
        if aligned.whole(place):
            for name in KEPT:
                number = run.metrics.get(name)
                values[name] = (np.nan if number is None else number, run.intervals.get(name, none), "", True)
        results.append(values)
    figures = []
    for name in (*SHOWN, *KEPT):
        if not any(np.isfinite(r[name][0]) for r in results if name in r):
            continue
        one = next(r[name] for r in results if name in r)
        cells = [r.get(name, (np.nan, (np.nan, np.nan), "", True)) for r in results]
        figures.append(
            Figure(name, one[3], one[2], np.array([c[0] for c in cells]), np.array([c[1] for c in cells], np.float64))
        )
    return figures


def _resample(
    labels: NDArray[np.int64], found: Sequence[_Answers], classes: int, how: Settings
) -> tuple[dict[str, Floats], dict[str, NDArray[np.float32]]]:
    """(B, R) numbers of resamples by metric; and (R, C, B') by per-class metric, of the first resamples."""
    matrices = [indicator(labels, classes)]
    shifts = []
    for answers in found:
        predicted, correct = answers.predicted, answers.correct
        summary = answers.batch.summary
        matrices += [indicator(np.where(correct, labels, -1), classes), indicator(predicted, classes)]
        losses = np.stack([cross_entropy(summary.true_score), summary.brier])
        centre = losses.mean(axis=1)  # sums of what is left keep their digits in float32
        five = (summary.rank < 5) & (summary.rank >= 0)
        zero = np.zeros(len(labels), np.int64)
        matrices.append(indicator(np.where(five, 0, -1), 1))
        matrices += [indicator(zero, 1, loss - middle) for loss, middle in zip(losses, centre, strict=True)]
        confidence = summary.confidence.astype(np.float64)
        known = bool(np.isfinite(confidence).all())
        place = bin_of(np.nan_to_num(confidence), BINS)
        matrices.append(indicator(place, BINS, (correct - confidence) if known else np.full(len(labels), np.nan)))
        shifts.append((*centre, bool((summary.rank >= 0).all())))
    whole = sparse.vstack(matrices, format="csr")
    keep = min(how.resamples, CLASS_RESAMPLES)
    per_class = len(found) * classes * keep <= MOST_CELLS
    kept = {n: np.empty((len(found), classes, keep), np.float32) for n in PER_CLASS} if per_class else {}

    def work(span: slice, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        sums = whole @ drawn
        support, sums = sums[:classes], sums[classes:]
        out: dict[str, list[Floats]] = {}
        for place, (log_loss, brier, ranked) in enumerate(shifts):
            size = 2 * classes + 3 + BINS
            mine = sums[place * size : (place + 1) * size]
            rates = _rates(support, mine[:classes], mine[classes : 2 * classes])
            for name, matrix in kept.items():
                stop = min(span.stop, keep)
                if span.start < stop:
                    matrix[place, :, span.start : stop] = rates[name][:, : stop - span.start]
            five, loss, score = mine[2 * classes : 2 * classes + 3].astype(np.float64) / len(labels)
            numbers = _averages(support, mine[:classes], mine[classes : 2 * classes], rates)
            numbers |= {"top5": five if ranked else np.full_like(five, np.nan)}
            numbers |= {"log_loss": loss + log_loss, "brier": score + brier}
            numbers |= {"ece": np.abs(mine[2 * classes + 3 :]).sum(axis=0, dtype=np.float64) / len(labels)}
            for name, values in numbers.items():
                out.setdefault(name, []).append(values)
        return {name: np.stack(values, axis=1) for name, values in out.items()}

    parts = every_block(len(labels), how.resamples, how.seed, work)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, kept


def _rates(support: NDArray[Any], hit: NDArray[Any], predicted: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """(C, b) recall, precision and F1; NaN where 0/0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"recall": hit / support, "precision": hit / predicted, "f1": 2 * hit / (support + predicted)}


def _averages(
    support: NDArray[Any], hit: NDArray[Any], predicted: NDArray[Any], rates: dict[str, NDArray[Any]]
) -> dict[str, Floats]:
    """(b,) numbers from (C, b) counts, as ``confusion.averages`` has them."""
    n = support.sum(axis=0, dtype=np.float64)
    occurs = (support + predicted > 0).sum(axis=0)
    zeroed = {name: np.nan_to_num(rate, nan=0.0) for name, rate in rates.items()}
    out = {f"{name}_macro": rate.sum(axis=0, dtype=np.float64) / occurs for name, rate in zeroed.items()}
    out["balanced_accuracy"] = zeroed["recall"].sum(axis=0, dtype=np.float64) / (support > 0).sum(axis=0)
    for name in ("precision", "f1"):
        out[f"{name}_weighted"] = (zeroed[name] * support).sum(axis=0, dtype=np.float64) / n
    hits = hit.sum(axis=0, dtype=np.float64)
    out["top1"] = hits / n
    true, answered = support / n, predicted / n
    chance = (true * answered).sum(axis=0)
    spread = (1 - (true**2).sum(axis=0)) * (1 - (answered**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        out["mcc"] = np.where(spread > 0, (hits / n - chance) / np.sqrt(spread), np.nan)
        out["cohen_kappa"] = np.where(chance < 1, (hits / n - chance) / (1 - chance), np.nan)
    return out


def _classes(
    labels: NDArray[np.int64],
    found: Sequence[_Answers],
    names: Sequence[str],
    draws: dict[str, NDArray[np.float32]],
) -> list[ClassNumbers]:
    """Per-class rates of classes that occur."""
    count = len(names)
    support = np.bincount(labels, minlength=count)
    answered = np.stack([np.bincount(f.predicted, minlength=count) for f in found])
    hit = np.stack([np.bincount(labels[f.correct], minlength=count) for f in found])
    shown = np.flatnonzero((support > 0) | (answered > 0).any(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {"recall": hit / support, "precision": hit / answered, "f1": 2 * hit / (support + answered)}
    out = []
    for name in PER_CLASS:
        value = np.broadcast_to(values[name], hit.shape)[:, shown]
        own = draws[name][:, shown] if name in draws else None
        enough_of = support[shown] >= FEW
        out.append(ClassNumbers(name, [names[int(i)] for i in shown], support[shown], value, enough_of, own))
    return out
