"""Losses of single samples: what to sort a gallery by. Pure functions of small arrays.

Probabilities are clipped at the machine epsilon of their own type before a logarithm, as scikit-learn's ``log_loss``
does, so that one confident mistake in float32 costs 15.9 nats and not infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def _clipped(p: Floats) -> Floats:
    eps = np.finfo(p.dtype).eps
    return np.clip(p, eps, 1 - eps)


def cross_entropy(true_score: Floats) -> NDArray[np.float64]:
    """-log p of the true class, in nats; its mean is sklearn's ``log_loss``.

    Args:
        true_score: (N,) probability of the true class.
    """
    return -np.log(_clipped(true_score).astype(np.float64))


def focal(true_score: Floats, gamma: float = 2.0, alpha: float = 1.0) -> NDArray[np.float64]:
    """-alpha (1 - p)^gamma log p (Lin et al. 2017, equation 5), in nats; gamma 0 and alpha 1 is cross-entropy.

    Args:
        true_score: (N,) probability of the true class.
        gamma: how strongly easy samples are discounted, >= 0.
        alpha: weight.
    """
    return alpha * (1 - _clipped(true_score).astype(np.float64)) ** gamma * cross_entropy(true_score)


def brier_from_sums(squares: Floats, true_score: Floats, classes: int) -> NDArray[np.float64]:
    """Sum over classes of (p - y)^2 (Brier 1950), from sum p^2; halved for two classes.

    This is sklearn's ``brier_score_loss`` with its default ``scale_by_half="auto"``: 0..1 for two classes, else 0..2.

    Args:
        squares: (N,) sum over classes of p^2.
        true_score: (N,) probability of the true class.
        classes: C.
    """
    value = np.maximum(squares.astype(np.float64) - 2 * true_score.astype(np.float64) + 1, 0)
    return value / 2 if classes == 2 else value


def multilabel_cross_entropy(scores: Floats, targets: NDArray[np.bool_], buffer: Floats) -> NDArray[np.float64]:
    """Mean over labels of -log p where true, -log(1 - p) where not, in nats.

    Args:
        scores: (N, C) probabilities.
        targets: (N, C) truth.
        buffer: (N, C), overwritten.
    """
    # The probability given to what is so: |p - (not true)|; clipping it is clipping p.
    np.abs(np.subtract(scores, ~targets, out=buffer), out=buffer)
    return -_sum_logs(buffer) / scores.shape[1]


def one_vs_rest_cross_entropy(scores: Floats, labels: NDArray[np.int64], buffer: Floats) -> NDArray[np.float64]:
    """Mean over classes of the binary cross-entropy of "is it this class", in nats.

    Args:
        scores: (N, C) probabilities.
        labels: (N,) true classes.
        buffer: (N, C), overwritten.
    """
    every = np.arange(len(labels))
    np.subtract(1, scores, out=buffer)
    buffer[every, labels] = scores[every, labels]
    return -_sum_logs(buffer) / scores.shape[1]


def _sum_logs(p: Floats) -> NDArray[np.float64]:
    """Sum of each row's logarithms, clipped; ``p`` is overwritten."""
    eps = np.finfo(p.dtype).eps
    np.log(np.clip(p, eps, 1 - eps, out=p), out=p)
    return np.vecdot(p, np.ones(p.shape[1], p.dtype)).astype(np.float64)


def entropy(scores: Floats, buffer: Floats) -> NDArray[np.float64]:
    """-sum p log p of each row, in nats; 0 log 0 is 0.

    Args:
        scores: (N, C) probabilities.
        buffer: (N, C), overwritten.
    """
    np.log(np.maximum(scores, np.finfo(scores.dtype).tiny, out=buffer), out=buffer)
    return np.maximum(-np.vecdot(scores, buffer).astype(np.float64), 0)


@dataclass(frozen=True)
class Loss:
    """A loss that samples can be sorted by.

    Attributes:
        title: for people.
        of: the loss from the stored columns (``batch.sample_rows``).
        needs: the columns it uses.
        unit: "nat", or "" for a plain number.
        hardest: which end is worst.
    """

    title: str
    of: Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]
    needs: tuple[str, ...]
    unit: str = ""
    hardest: Literal["highest", "lowest"] = "highest"


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss("cross-entropy", lambda c: cross_entropy(c["true_score"]), ("true_score",), "nat"),
    "focal": Loss("focal loss", lambda c: focal(c["true_score"]), ("true_score",), "nat"),
    "bce": Loss("binary cross-entropy", lambda c: c["bce"], ("bce",), "nat"),
    "brier": Loss("Brier score", lambda c: c["brier"], ("brier",)),
    "margin": Loss("margin", lambda c: c["margin"], ("margin",), hardest="lowest"),
}


def hardest_first(columns: Mapping[str, NDArray[Any]], loss: str) -> NDArray[np.int64]:
    """Sample positions, worst first by ``loss``; ties keep their order, NaN comes last.

    Args:
        columns: what ``batch.sample_rows`` returned (those in ``LOSSES[loss].needs`` suffice).
        loss: a key of ``LOSSES``.

    Raises:
        ValueError: if there is no such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    values = np.asarray(LOSSES[loss].of(columns), np.float64)
    return np.argsort(-values if LOSSES[loss].hardest == "highest" else values, kind="stable")
