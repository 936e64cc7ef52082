"""The same resamples for all models: how often each unit is drawn, and what sums become under these weights.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993. Every resample draws as many units (images,
sequences, blocks of frames) as there are, with replacement. A number is a function of sums over units; so all that is
done a resample is a weighted sum, and models that are weighted alike are compared in pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

T = TypeVar("T")
THREADS = max(1, min(4, os.cpu_count() or 1))
CELLS = 1 << 21
"""Weights in a block: as float32, 8 MB a thread."""
NARROWEST, WIDEST = 8, 256


def spans(units: int, resamples: int) -> Iterator[tuple[int, slice]]:
    """Numbers and ranges of blocks of resamples. They depend on the arguments alone: so do the draws."""
    step = min(WIDEST, max(NARROWEST, CELLS // max(1, units)))
    for number, start in enumerate(range(0, resamples, step)):
        yield number, slice(start, min(start + step, resamples))


def weights(units: int, rows: int, block: int, seed: int = 0) -> NDArray[np.float32]:
    """(units, rows) how often each unit is drawn in each of ``rows`` resamples; whole numbers.

    Args:
        units: how many there are, at least 1.
        rows: resamples.
        block: which block of resamples; every block has draws of its own.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, block])
    out = np.empty((rows, units), np.float32)
    for row in out:
        row[:] = np.bincount(rng.integers(0, units, units, np.uint32), minlength=units)
    return np.ascontiguousarray(out.T)


def every_block(units: int, resamples: int, seed: int, work: Callable[[slice, NDArray[np.float32]], T]) -> list[T]:
    """``work(which resamples, their weights)`` of every block, on a few threads, in order."""

    def one(item: tuple[int, slice]) -> T:
        number, span = item
        return work(span, weights(units, span.stop - span.start, number, seed))

    blocks = list(spans(units, resamples))
    if len(blocks) < 2 or THREADS < 2:
        return [one(b) for b in blocks]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="resample") as pool:
        return list(pool.map(one, blocks))


def indicator(rows: NDArray[np.integer], count: int, values: NDArray[Any] | None = None) -> sparse.csr_array:
    """(count, N) float32 matrix with one entry a column: times weights it sums ``values`` (ones) by row.

    Sparse products run in the calling thread: a dense one would wake BLAS's own threads, which get in each other's way.

    Args:
        rows: (N,) the row of each unit; negative ones belong to none.
        count: rows there are.
        values: (N,) what is summed.
    """
    columns = np.flatnonzero(rows >= 0)
    data = np.ones(len(columns), np.float32) if values is None else np.asarray(values, np.float32)[columns]
    return sparse.csr_array((data, (rows[columns], columns)), shape=(count, len(rows)))


def resampled_sums(columns: NDArray[np.float64], resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """(B, K) sums of columns over the units of each resample.

    Args:
        columns: (N, K) finite numbers of units.
        resamples: B.
        seed: of the draws; the same seed and N give the same draws.
    """
    turned = sparse.csr_array(np.ascontiguousarray(columns.T, np.float64))
    parts = every_block(len(columns), resamples, seed, lambda _, w: (turned @ w.astype(np.float64)).T)
    return np.concatenate(parts)


def resampled_means(columns: NDArray[np.float64], resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """(B, K) means of what is defined in each column; NaN where a resample has nothing that is.

    Args:
        columns: (N, K) numbers of units, NaN where undefined.
        resamples: B.
        seed: of the draws.
    """
    known = np.isfinite(columns)
    filled = np.where(known, columns, 0.0)
    if known.all():
        return resampled_sums(filled, resamples, seed) / len(columns)
    sums = resampled_sums(np.concatenate([filled, known.astype(np.float64)], axis=1), resamples, seed)
    above, below = np.split(sums, 2, axis=1)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def ends(values: NDArray[np.floating], draws: NDArray[np.floating], level: float = 0.95) -> NDArray[np.float64]:
    """(K, 2) recentred percentile intervals of many numbers at once; see ``paired.bootstrap_interval``.

    Args:
        values: (K,) the numbers themselves.
        draws: (K, B) of resamples; NaN where undefined. Sorted in place.
        level: of confidence.
    """
    draws.sort(axis=1)  # NaN goes last
    known = np.isfinite(draws).sum(axis=1)
    out = np.full((len(values), 2), np.nan)
    good = np.flatnonzero((known >= 0.9 * draws.shape[1]) & (known > 1) & np.isfinite(values))
    rows, last = draws[good], known[good] - 1
    with np.errstate(invalid="ignore"):
        shift = values[good] - np.nanmean(rows, axis=1, dtype=np.float64)
    for side, share in enumerate(((1 - level) / 2, (1 + level) / 2)):
        place = share * last
        below = np.floor(place).astype(np.int64)
        at = np.arange(len(good))
        low, high = rows[at, below].astype(np.float64), rows[at, np.minimum(below + 1, last)].astype(np.float64)
        out[good, side] = low + (high - low) * (place - below) + shift
    out[good[rows[:, 0] == rows[np.arange(len(good)), last]]] = np.nan
    return out
