"""Tracking's numbers in resamples of sequences, or with one block of frames left out: what pairs of runs share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.paired_bootstrap import every_block
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.counts import Counts, count, merge
from dashboard.metrics.tracking.evidence import BLOCKS, LEAST, Evidence
from dashboard.metrics.tracking.overlap import Floats


def numbers(counts: Counts) -> dict[str, float]:
    """All numbers of all classes together."""
    pool = counts.pooled()
    return {k: float(v[0]) for k, v in scores.everything(pool.plain, pool.alpha, pool.frames).items()}


def resampled_numbers(found: Sequence[Evidence], resamples: int, seed: int = 0) -> dict[str, Floats]:
    """(B, R) numbers of resamples of sequences, the same ones for all trackers.

    Args:
        found: R trackers on the same sequences, in the same order.
        resamples: B.
        seed: of the draws.
    """
    size = len(found[0])
    pools = [[c.pooled() for c in one.counts] for one in found]
    frames = np.array([c.frames for c in found[0].counts], np.float64)

    def work(_: slice, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        weights = drawn.T.astype(np.float64)
        out: dict[str, list[Floats]] = {}
        for own in pools:
            plain = np.zeros((len(weights), *own[0].plain.shape[1:]))
            alpha = np.zeros((len(weights), *own[0].alpha.shape[1:]))
            length = np.zeros(len(weights))
            for k, pool in enumerate(own):  # a product of matrices would run in threads that wait for each other
                plain += weights[:, k, None] * pool.plain
                alpha += weights[:, k, None, None] * pool.alpha
                length += weights[:, k] * frames[k]
            for name, values in scores.everything(plain, alpha, length).items():
                out.setdefault(name, []).append(values)
        return {name: np.stack(values, axis=1) for name, values in out.items()}

    parts = every_block(size, resamples, seed, work)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def numbers_without_blocks(found: Sequence[Evidence]) -> dict[str, Floats]:
    """(K, R) numbers with one of K blocks of consecutive frames left out, the same blocks for all trackers.

    Everything is counted anew without the block, switches and the best identities too; matches in the other frames stay
    (see ``Evidence.intervals``). Nothing if there are fewer than ``LEAST`` frames.

    Args:
        found: R trackers on the same few sequences, in the same order.
    """
    out: dict[str, list[list[float]]] = {}
    for one in found:
        if one.solved is None or sum(c.frames for c in one.counts) < LEAST:
            return {}
        blocks = _without_blocks(one)
        for name in blocks[0]:
            out.setdefault(name, []).append([answers[name] for answers in blocks])
    return {name: np.array(values).T for name, values in out.items()}


def _without_blocks(found: Evidence) -> list[dict[str, float]]:
    """All numbers without each block in turn."""
    frames = np.array([c.frames for c in found.counts])
    ends, total = np.cumsum(frames), int(frames.sum())
    cuts = (np.arange(BLOCKS + 1) * total) // BLOCKS
    answers = []
    for start, stop in pairwise(cuts.tolist()):
        parts = []
        for k, whole in enumerate(found.counts):
            begin, length = int(ends[k] - frames[k]), int(frames[k])
            first, last = max(0, start - begin), min(length, stop - begin)
            if first >= last:
                parts.append(whole.pooled())
            else:
                solved = (found.solved or ())[k]
                parts.append(count([s.without(first, last) for s in solved], length - (last - first)).pooled())
        found_there = numbers(merge(parts))
        # A sum is of fewer frames then: scaled up, its spread is that of the whole sum.
        for name in scores.COUNTED:
            found_there[name] *= BLOCKS / (BLOCKS - 1)
        answers.append(found_there)
    return answers
