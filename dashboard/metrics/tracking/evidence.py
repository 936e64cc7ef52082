"""What the metrics of tracking draw from: the counts of every sequence, made once, and how far they may be off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import special

from dashboard.metrics.intervals import NONE, Interval
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.columns import SequenceTracks
from dashboard.metrics.tracking.counts import Counts, Solved, count, merge, solve
from dashboard.metrics.tracking.overlap import Floats
from dashboard.metrics.tracking.problem import prepare

MANY = 8
"""Sequences from which on they are resampled."""
TIMES = 1000
BLOCKS = 20
LEAST = 2 * BLOCKS
"""Frames that blocks are made of, at the least."""
BOUNDS = {"MOTA": (-np.inf, 1.0)}
"""What numbers with an interval can be; all others are in 0..1."""
INTERVALS = ("MOTA", "MOTP", "IDF1", "HOTA", "DetA", "AssA")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Counts of some sequences, in order.

    Attributes:
        names: of the sequences.
        counts: one a sequence, class by class.
        agnostic: one a sequence, classes apart from nothing.
        solved: what each was counted from, for intervals of a few sequences; None from ``MANY`` on.
    """

    names: tuple[str, ...]
    counts: tuple[Counts, ...]
    agnostic: tuple[Counts, ...]
    solved: tuple[tuple[Solved, ...], ...] | None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def whole(self) -> Counts:
        """All sequences together."""
        return merge(self.counts)

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the pooled numbers of ``INTERVALS``.

        With at least 8 sequences these are drawn anew 1000 times (percentiles of the draws, laid around the value):
        what another set of sequences from the same source would give. With fewer, that would say too little, and frames
        are no substitute, since neighbours are nearly the same: all frames are cut into 20 blocks of consecutive ones,
        each is left out in turn, everything is counted anew without it (switches and the best identities too; matches
        in the other frames stay), and the spread of the answers gives the error (delete-a-block jackknife, Künsch 1989;
        Student's t with 19 degrees of freedom). It says what other stretches of the same sequences would give, not what
        other sequences would. NaN below 40 frames, or where there is no spread.
        """
        found = resampled(self.counts) if len(self) >= MANY else left_out(self.counts, self.solved or ())
        ends = {}
        for name in INTERVALS:
            least, most = BOUNDS.get(name, (0.0, 1.0))
            low, high = found[name]
            ends[name] = (max(least, low), min(most, high)) if low < high else NONE
        return ends


def evidence(sequences: Sequence[SequenceTracks]) -> Evidence:
    """Count some sequences."""
    names, aware, agnostic, kept = [], [], [], []
    for sequence in sequences:
        prepared = prepare(sequence)
        solved = [solve(p) for p in prepared.problems()]
        counts = count(solved, sequence.frames)
        names.append(sequence.name)
        aware.append(counts)
        one = len(counts.classes) <= 1
        agnostic.append(counts.pooled() if one else count([solve(prepared.problem())], sequence.frames))
        kept.append(tuple(solved))
    return Evidence(tuple(names), tuple(aware), tuple(agnostic), tuple(kept) if len(names) < MANY else None)


def join(parts: Sequence[Evidence]) -> Evidence:
    """Evidence of all sequences, in order. Raises ValueError without any."""
    given = [p for p in parts if len(p)]
    if not given:
        raise ValueError("no samples to evaluate")
    if len(given) == 1:
        return given[0]
    kept = tuple(solved for p in given for solved in p.solved or ())
    names = tuple(name for p in given for name in p.names)
    return Evidence(
        names,
        tuple(c for p in given for c in p.counts),
        tuple(c for p in given for c in p.agnostic),
        kept if len(names) < MANY else None,
    )


def resampled(counts: Sequence[Counts], seed: int = 0) -> dict[str, Interval]:
    """Intervals by drawing sequences with replacement."""
    pools = [c.pooled() for c in counts]
    size = len(pools)
    draws = np.random.default_rng(seed).integers(0, size, (TIMES, size)) + np.arange(TIMES)[:, None] * size
    weight = np.bincount(draws.ravel(), minlength=TIMES * size).reshape(TIMES, size).astype(np.float64)
    plain = np.zeros((TIMES, *pools[0].plain.shape[1:]))
    alpha = np.zeros((TIMES, *pools[0].alpha.shape[1:]))
    for k, pool in enumerate(pools):  # a product of matrices would run in threads that wait for each other
        plain += weight[:, k, None] * pool.plain
        alpha += weight[:, k, None, None] * pool.alpha
    values = _numbers(merge(pools))
    found = {}
    for name, drawn in _all(plain, alpha).items():
        known = drawn[np.isfinite(drawn)]
        if len(known) < 0.9 * TIMES or known.min() == known.max():
            found[name] = NONE
            continue
        low, high = np.quantile(known, [0.025, 0.975]) - known.mean() + values[name]
        found[name] = (min(float(low), values[name]), max(float(high), values[name]))
    return found


def left_out(counts: Sequence[Counts], solved: Sequence[Sequence[Solved]]) -> dict[str, Interval]:
    """Intervals by leaving out one block of consecutive frames after the other."""
    frames = np.array([c.frames for c in counts])
    ends = np.cumsum(frames)
    total = int(frames.sum())
    if total < LEAST or not solved:
        return dict.fromkeys(INTERVALS, NONE)
    pools = [c.pooled() for c in counts]
    values = _numbers(merge(pools))
    cuts = (np.arange(BLOCKS + 1) * total) // BLOCKS
    answers = []
    for start, stop in pairwise(cuts.tolist()):
        parts = []
        for k, pool in enumerate(pools):
            begin = ends[k] - frames[k]
            first, last = max(0, int(start - begin)), min(int(frames[k]), int(stop - begin))
            if first >= last:
                parts.append(pool)
            else:
                parts.append(count([s.without(first, last) for s in solved[k]], int(frames[k])).pooled())
        answers.append(_numbers(merge(parts)))
    found = {}
    quantile = float(special.stdtrit(BLOCKS - 1, 0.975))
    for name in INTERVALS:
        each = np.array([a[name] for a in answers])
        half = quantile * float(np.sqrt((BLOCKS - 1) / BLOCKS * ((each - each.mean()) ** 2).sum()))
        found[name] = (values[name] - half, values[name] + half) if half > 0 else NONE
    return found


def _all(plain: Floats, alpha: Floats) -> dict[str, Floats]:
    """Numbers that have an interval."""
    found = scores.everything(plain, alpha, 1.0)
    return {name: found[name] for name in INTERVALS}


def _numbers(counts: Counts) -> dict[str, float]:
    """The same of counts of one row."""
    return {name: float(value[0]) for name, value in _all(counts.plain, counts.alpha).items()}
