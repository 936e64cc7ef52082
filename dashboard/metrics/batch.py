"""A batch of classified images: scores, truth, and columns of one number a sample, computed once and shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics import losses
from dashboard.metrics.scan import (
    Detail,
    MultiLabelSummary,
    Scores,
    Summary,
    detailed,
    summarise,
    summarise_multilabel,
)


@dataclass(eq=False)
class ClassificationBatch:
    """Scores and truth of N images.

    Attributes:
        ids: (N,) sample ids.
        scores: (N, C) float32 or float64 probabilities, kept as they are; or a function without arguments that returns
            them, called anew whenever they are needed (a stored batch is re-read, not held). None if only the answers
            are known: see ``of_answers``.
        targets: (N,) int64 labels, or (N, C) bool if several can be right.

    Raises:
        ValueError: if shapes or types do not fit, or (at the first look at the scores) if they are not probabilities or
            a label is out of range, naming the first bad sample's id.
    """

    ids: Sequence[str]
    scores: Scores | Callable[[], Scores] | None
    targets: NDArray[Any]
    _summary: Summary | MultiLabelSummary | None = field(default=None, repr=False)
    _detail: Detail | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        targets = np.asarray(self.targets)
        if targets.ndim == 1 and targets.dtype.kind in "iu":
            targets = targets.astype(np.int64, copy=False)
        elif not (targets.ndim == 2 and targets.dtype == bool):
            raise ValueError(
                f"targets must be (N,) integer labels or an (N, C) bool array, got {targets.dtype} {targets.shape}"
            )
        if len(self.ids) != len(targets):
            raise ValueError(f"ids and targets must be of one length, got {len(self.ids)} and {len(targets)}")
        self.targets = targets
        if self.scores is None and self._summary is None:
            raise ValueError("scores must be given; for answers without scores use ClassificationBatch.of_answers")
        if self.scores is not None and not callable(self.scores):
            self.scores = self._checked(self.scores)

    @classmethod
    def of_answers(
        cls,
        ids: Sequence[str],
        labels: NDArray[np.integer],
        predicted: NDArray[np.integer],
        classes: int,
        confidence: NDArray[np.floating] | None = None,
    ) -> ClassificationBatch:
        """A single-label batch of which only the answers are known: what depends on other scores is undefined (NaN).

        Args:
            ids: (N,) sample ids.
            labels: (N,) true classes.
            predicted: (N,) answers.
            classes: C.
            confidence: (N,) score of each answer, 0..1, if known.

        Raises:
            ValueError: if a label, an answer or a confidence is out of range, naming the sample's id.
        """
        labels, predicted = np.asarray(labels), np.asarray(predicted)
        sure = np.full(len(labels), np.nan) if confidence is None else np.asarray(confidence, np.float64)
        if not len(ids) == len(labels) == len(predicted) == len(sure):
            raise ValueError("ids, labels, predicted and confidence must be of one length")
        checks: dict[str, tuple[NDArray[Any], int]] = {
            "label": (labels, classes - 1),
            "predicted": (predicted, classes - 1),
        }
        if confidence is not None:
            checks["confidence"] = (sure, 1)
        for name, (values, most) in checks.items():
            for row in np.flatnonzero(~((values >= 0) & (values <= most)))[:1]:
                raise ValueError(f"sample {ids[row]!r}: {name} must be in 0..{most}, got {values[row]}")
        right, unknown = labels == predicted, np.full(len(labels), np.nan)
        summary = Summary(
            classes,
            unknown.dtype,
            predicted.astype(np.int64, copy=False),
            sure,
            true_score=np.where(right, sure, np.nan),
            rank=np.where(right, 0, -1).astype(np.int64),
            brier=unknown,
        )
        return cls(ids, None, labels, summary, Detail(unknown, unknown, unknown))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def multilabel(self) -> bool:
        """Whether several classes can be right at once."""
        return self.targets.ndim == 2

    def read(self) -> Scores:
        """The scores, (N, C); read anew if they are stored elsewhere. Raises ValueError if misshapen or none."""
        if self.scores is None:
            raise ValueError("this batch holds answers without scores")
        return self._checked(self.scores()) if callable(self.scores) else self.scores

    @property
    def summary(self) -> Summary:
        """The columns of a single-label batch, computed once. Raises ValueError for bad scores or if multi-label."""
        summary = self._scan(detail=False)._summary
        if not isinstance(summary, Summary):
            raise ValueError("a single-label batch was expected: targets (N,) labels, got (N, C) bool")
        return summary

    @property
    def multilabel_summary(self) -> MultiLabelSummary:
        """The columns of a multi-label batch, computed once. Raises ValueError for bad scores or if single-label."""
        summary = self._scan(detail=False)._summary
        if not isinstance(summary, MultiLabelSummary):
            raise ValueError("a multi-label batch was expected: targets (N, C) bool, got (N,) labels")
        return summary

    @property
    def detail(self) -> Detail:
        """The dear columns, computed at the first demand. Raises ValueError for bad scores."""
        detail = self._scan(detail=True)._detail
        assert detail is not None
        return detail

    def check_classes(self, classes: int) -> None:
        """Raise ValueError unless the batch is valid and scores ``classes`` classes."""
        summary = self._scan(detail=False)._summary
        assert summary is not None
        if summary.classes != classes:
            raise ValueError(f"scores must have {classes} columns, one a class, got {summary.classes}")

    def _checked(self, scores: Any) -> Scores:
        scores = np.asarray(scores)
        if scores.ndim != 2 or scores.dtype not in (np.float32, np.float64) or scores.shape[1] == 0:
            raise ValueError(f"scores must be an (N, C) float32 or float64 array, got {scores.dtype} {scores.shape}")
        expected = self.targets.shape if self.multilabel else (len(self.targets), scores.shape[1])
        if scores.shape != expected:
            raise ValueError(f"scores must be {expected} to fit the targets, got {scores.shape}")
        return scores

    def _scan(self, detail: bool) -> ClassificationBatch:
        """Fill in what is missing, reading the scores at most once."""
        if self._summary is not None and (self._detail is not None or not detail):
            return self
        scores = self.read()
        if self._summary is None:
            if self.multilabel:
                self._summary = summarise_multilabel(scores, self.targets, self.ids)
            else:
                self._summary = summarise(scores, self.targets, self.ids)
        if detail:
            self._detail = detailed(scores, self.targets)
        return self


def sample_rows(batch: ClassificationBatch) -> dict[str, NDArray[Any]]:
    """One row a sample, as columns to store and to sort by.

    Returns:
        id, brier, bce, margin, correct (multi-label: every decision right), and, single-label: label, predicted,
        confidence, true_score, rank, cross_entropy, entropy; multi-label: hamming, predicted_count, label_count.

    Raises:
        ValueError: for bad scores, naming the sample.
    """
    detail = batch.detail
    ids = np.asarray(batch.ids, dtype=object)
    if batch.multilabel:
        m = batch.multilabel_summary
        return {
            "id": ids,
            "label_count": m.label_count,
            "predicted_count": m.predicted_count,
            "hamming": m.hamming,
            "margin": m.margin,
            "brier": m.brier,
            "bce": detail.bce,
            "correct": m.hamming == 0,
        }
    s = batch.summary
    return {
        "id": ids,
        "label": batch.targets,
        "predicted": s.predicted,
        "confidence": s.confidence,
        "true_score": s.true_score,
        "rank": s.rank,
        "margin": detail.margin,
        "cross_entropy": losses.cross_entropy(s.true_score),
        "brier": s.brier,
        "bce": detail.bce,
        "entropy": detail.entropy,
        "correct": s.predicted == batch.targets,
    }
