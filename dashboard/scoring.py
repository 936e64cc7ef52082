"""Predictions made elsewhere, scored like any run: no model is needed, and the result is explored the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.datasets.base import Dataset
from dashboard.errors import InputError
from dashboard.finishing import finish, write_run
from dashboard.importing import Import
from dashboard.labels import read_class_names
from dashboard.metrics import METRICS
from dashboard.metrics.batch import ClassificationBatch
from dashboard.metrics.confusion import Confusion
from dashboard.metrics.multilabel import MultiLabel
from dashboard.predictions import ClassificationPart, write_part
from dashboard.predictions_import import ImportedPredictions, Truth, import_predictions
from dashboard.results import ClassTable, Curves, MetricResult, Scalars
from dashboard.store import Draft, Run, Store

CHUNK_BYTES = 8 << 20
FROM_LABELS = ("f1_macro", "f1_micro", "f1_samples", "f1_weighted", "hamming_loss", "subset_accuracy")
OPTIONS = ("activation", "partial")


def score(
    truth: Dataset,
    predictions: Path,
    store: Store,
    name: str | None = None,
    classes: str | None = None,
    limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Evaluate a file of predictions against a dataset and store the run.

    Args:
        truth: the dataset.
        predictions: CSV, Parquet or npz (``dashboard.predictions_import``); of other tasks see
            ``score_detections``, ``score_masks`` and ``score_pictures``.
        store: where the run goes; the same file on the same data is scored once.
        name: what to call the model behind it; default the file's name.
        classes: a file of names behind the predictions' class numbers.
        limit: only the first N samples of the dataset.
        settings: ``activation`` softmax or sigmoid for logits; ``partial`` true to let the file cover only a part.

    Raises:
        InputError: naming the file, the line and the remedy.
    """
    if truth.task == "semantic-segmentation":
        from dashboard.segmentation_scoring import score_masks

        return score_masks(truth, predictions, store, name, classes, limit, settings)
    if truth.task == "enhancement":
        from dashboard.enhancement_scoring import score_pictures

        return score_pictures(truth, predictions, store, name, classes, limit, settings)
    if truth.task == "tracking":
        from dashboard.tracking_scoring import score_tracks

        return score_tracks(truth, predictions, store, name, classes, limit, settings)
    if truth.task != "classification":
        from dashboard.detection_scoring import score_detections

        return score_detections(truth, predictions, store, name, classes, limit, settings)
    made = Import(truth, predictions, name, limit, settings, OPTIONS)
    names = read_class_names(classes) if classes else None
    activation = made.settings.get("activation", "none")
    found = import_predictions(predictions, cast(Truth, truth), names, activation, made.partial)
    if limit:
        found = _first(found, limit)
    if not len(found.rows):
        raise InputError(f"{predictions} has no prediction for {truth.name}: check that the ids are the dataset's.")
    run_id = made.run_id(classes=found.class_names)
    known = made.known(store, run_id)
    if known is not None:
        return known
    facts = made.facts(found.class_names, found.notes) | {"has_scores": found.scores is not None}

    def write(draft: Draft) -> Run:
        if found.scores is None:
            return _from_labels(draft, found, facts, truth.multilabel)
        _write(draft, found)
        return finish(draft, facts, {}, truth.multilabel)

    return made.stored(store, run_id, write)


def _first(found: ImportedPredictions, limit: int) -> ImportedPredictions:
    """Only samples at dataset positions below ``limit``."""
    keep = found.rows < limit

    def cut(values: Any) -> Any:
        return None if values is None else values[keep]

    return ImportedPredictions(
        rows=found.rows[keep],
        ids=[i for i, k in zip(found.ids, keep, strict=True) if k],
        targets=found.targets[keep],
        class_names=found.class_names,
        scores=cut(found.scores),
        predicted=cut(found.predicted),
        confidence=cut(found.confidence),
        notes=found.notes,
    )


def _write(draft: Draft, found: ImportedPredictions) -> None:
    """Scores as parts of bounded size."""
    assert found.scores is not None
    step = max(1, CHUNK_BYTES // max(1, found.scores[:1].nbytes))
    for start in range(0, len(found.rows), step):
        part = slice(start, start + step)
        scores = found.scores[part]
        piece = ClassificationPart(found.rows[part], found.ids[part], scores, found.targets[part])
        write_part(draft.next_part(), piece, {})


def _from_labels(draft: Draft, found: ImportedPredictions, facts: dict[str, Any], multilabel: bool) -> Run:
    """Answers without scores: what counts right and wrong is computed, all else is undefined (NaN), not guessed."""
    rows = {"index": found.rows, "id": pa.array(found.ids)}
    predicted = found.predicted
    assert predicted is not None
    if multilabel:
        correct = (predicted == found.targets).all(axis=1)
        lists = {"labels": found.targets, "predicted_labels": predicted}
        rows |= {k: pa.array([np.flatnonzero(r) for r in v], pa.list_(pa.int32())) for k, v in lists.items()}
        rows["hamming"] = (predicted != found.targets).mean(axis=1)
    else:
        correct = predicted == found.targets
        confidence = np.ones(len(predicted)) if found.confidence is None else found.confidence
        rows |= {"label": found.targets, "predicted": predicted, "confidence": confidence}
    table = pa.table({**rows, "correct": correct})
    pq.write_table(table, draft.path / "rows.parquet", compression="zstd")
    pq.write_table(table, draft.path / "predictions.parquet", compression="zstd")
    results = label_results(found.targets, predicted, found.class_names, multilabel)
    return write_run(draft, facts | {"multilabel": multilabel}, {}, results, len(found.rows))


def label_results(
    targets: np.ndarray, predicted: np.ndarray, class_names: tuple[str, ...], multilabel: bool
) -> dict[str, MetricResult]:
    """The metrics that need answers only; every other registered number is there as NaN.

    Args:
        targets: (N,) labels or (N, C) bool.
        predicted: likewise.
        class_names: (C,).
        multilabel: which of the two.
    """
    if multilabel:
        metric = MultiLabel(class_names)
        metric.update(ClassificationBatch([str(i) for i in range(len(targets))], predicted.astype(np.float32), targets))
        found = {f"multilabel.{k}": v for k, v in metric.compute().items() if not isinstance(v, Curves)}
        kept = lambda name: name.startswith(("precision_", "recall_")) or name in FROM_LABELS  # noqa: E731
        return {k: _blank(v, kept) for k, v in found.items()}
    counts = Confusion(class_names)
    np.add.at(counts.counts, (targets, predicted), 1)
    hits = int(np.trace(counts.counts))
    counts.ranks[0], counts.ranks[-1] = hits, counts.ranks[-1] + len(targets) - hits if len(class_names) > 1 else hits
    results: dict[str, MetricResult] = {f"confusion.{k}": v for k, v in counts.compute().items()}
    results["confusion.scores"] = _blank(results["confusion.scores"], lambda name: name != "top5")
    sample = np.zeros((1, len(class_names)), np.float32)
    sample[0, 0] = 1
    for name, kind in METRICS.items(task="classification", multilabel=False):
        if name != "confusion":
            other = kind(class_names)  # type: ignore[call-arg]
            other.update(ClassificationBatch(["0"], sample, np.zeros(1, np.int64)))
            for key, value in other.compute().items():
                if isinstance(value, Scalars):
                    results[f"{name}.{key}"] = _blank(value, lambda _: False)
    return results


def _blank(result: MetricResult, keep: Any) -> MetricResult:
    """The same result with the numbers that cannot be known as NaN."""
    if isinstance(result, Scalars):
        values = {k: v if keep(k) else np.nan for k, v in result.values.items()}
        intervals = {k: v for k, v in result.intervals.items() if keep(k)}
        return Scalars(values, intervals, result.units, result.higher_is_better)
    if isinstance(result, ClassTable):
        dear = ("auroc", "average_precision", "youden_threshold", "best_f1", "best_f1_threshold")
        return ClassTable(result.classes, {k: v for k, v in result.columns.items() if k not in dear})
    return result
