"""HOTA (Luiten et al. 2021) as TrackEval computes it: one matching a sequence, counted at 19 thresholds of IoU."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dashboard.metrics.tracking.assignment import frame_best, settle
from dashboard.metrics.tracking.overlap import EPS, Floats, Ints, Pairs
from dashboard.metrics.tracking.problem import Problem, together, weights

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""IoU thresholds 0.05, 0.10, ..., 0.95."""
_LEAST = ALPHAS - EPS
_CELLS = 1 << 21  # numbers in a block of full rows


def matching(problem: Problem) -> Pairs:
    """Pairs that are matched, for the largest sum of IoU times how well their identities agree over the sequence.

    Two identities agree as far as their boxes overlap in all frames together, over the frames that either is in.
    """
    pairs = problem.pairs
    key, g, t = together(problem, pairs.row, pairs.col)
    own, its = problem.truth.lengths[g], problem.found.lengths[t]
    soft = weights(_shares(problem), key, len(g))
    agreement = soft / np.maximum(own + its - soft, 0.5)  # a number that no pair has may have no frames either
    return pairs.take(_best(problem, agreement[key] * pairs.value))


def counts(problem: Problem, matched: Pairs) -> dict[str, Floats]:
    """Sums at each threshold, which says which of the matched pairs count.

    Returns:
        (19,) each: ``TP``; ``LocA``, their IoUs; ``AssA``, ``AssRe`` and ``AssPr``, over matches c / (g + t - c),
        c / g and c / t, where c counts the matches of the same two identities and g, t the frames in which they are.
    """
    size = len(ALPHAS)
    passed = np.searchsorted(_LEAST, matched.value, "right")  # at how many thresholds a pair counts

    def at_least(values: Floats) -> Floats:
        """(..., 20) by how many are passed, to (..., 19) over all that pass each."""
        return np.cumsum(values[..., ::-1], axis=-1)[..., ::-1][..., 1:]

    key, g, t = together(problem, matched.row, matched.col)
    joint, number = np.unique(key, return_inverse=True)
    cells = np.bincount(number * (size + 1) + passed, minlength=len(joint) * (size + 1)).reshape(-1, size + 1)
    c = at_least(cells.astype(np.float64))
    g_frames, t_frames = problem.truth.lengths[g[joint], None], problem.found.lengths[t[joint], None]
    return {
        "TP": c.sum(axis=0),
        "LocA": at_least(weights(matched.value, passed, size + 1)),
        "AssA": (c * c / (g_frames + t_frames - c)).sum(axis=0),
        "AssRe": (c * c / g_frames).sum(axis=0),
        "AssPr": (c * c / t_frames).sum(axis=0),
    }


def _shares(problem: Problem) -> Floats:
    """(P,) IoU of each pair over all IoUs of its two boxes together."""
    pairs, truth, found = problem.pairs, problem.truth, problem.found
    n, m = np.diff(problem.truth_at), np.diff(problem.found_at)
    by_row = _sums(pairs.row, pairs.col - problem.found_at[truth.frame[pairs.row]], pairs.value, m[truth.frame])
    by_col = weights(pairs.value, pairs.col, len(found))
    single = np.flatnonzero((m[found.frame] == 1) & (n[found.frame] > 7))  # NumPy adds a single column as it adds rows
    if len(single):
        place = np.full(len(found), -1)
        place[single] = np.arange(len(single))
        at = np.flatnonzero(place[pairs.col] >= 0)
        r, c = pairs.row[at], place[pairs.col[at]]
        order = np.argsort(c, kind="stable")
        within = r - problem.truth_at[truth.frame[r]]
        by_col[single] = _sums(c[order], within[order], pairs.value[at][order], n[found.frame[single]])
    whole = by_col[pairs.col] + by_row[pairs.row] - pairs.value
    return np.where(whole > EPS, pairs.value / np.where(whole > EPS, whole, 1.0), 0.0)


def _sums(row: Ints, place: Ints, value: Floats, widths: Ints) -> Floats:
    """Sums of sparse rows to the last bit as NumPy has them for full ones.

    Rows of eight and more numbers are added in eight strands, so that from three numbers on the order matters. Ties
    between whole frames hang on that last bit.

    Args:
        row: (P,) ascending.
        place: (P,) column within the row.
        value: (P,).
        widths: (R,) of the full rows.
    """
    out = weights(value, row, len(widths))
    many = np.bincount(row, minlength=len(widths)) > 2
    many &= widths > 7
    if not many.any():
        return out
    at = np.flatnonzero(many[row])
    r, p, v = row[at], place[at], value[at]
    order = np.argsort(widths[r], kind="stable")
    r, p, v = r[order], p[order], v[order]
    cuts = np.flatnonzero(np.diff(widths[r], prepend=-1, append=-1))
    for start, stop in pairwise(cuts.tolist()):
        width = int(widths[r[start]])
        new = np.diff(r[start:stop], prepend=-1) != 0
        number = np.cumsum(new) - 1
        names = r[start:stop][new]
        step = max(1, _CELLS // width)
        for low in range(0, len(names), step):
            part = slice(start + int(np.searchsorted(number, low)), start + int(np.searchsorted(number, low + step)))
            full = np.zeros((min(step, len(names) - low), width))
            full[number[part.start - start : part.stop - start] - low, p[part]] = v[part]
            out[names[low : low + step]] = full.sum(axis=1)
    return out


def _best(problem: Problem, score: Floats) -> Ints:
    """Positions of the pairs of the largest total score in each frame, ascending."""
    pairs, truth, found = problem.pairs, problem.truth, problem.found
    some = np.flatnonzero(score > 0)
    taken, left = settle(pairs.row[some], pairs.col[some], score[some], len(truth), len(found))
    taken, left = some[taken], some[left]
    frame = truth.frame[pairs.row]
    open_ = np.unique(frame[left[pairs.value[left] >= _LEAST[0]]])  # what is below the least threshold never counts
    if not len(open_):
        return taken
    closed = np.ones(problem.frames, bool)
    closed[open_] = False
    chosen = [taken[closed[frame[taken]]]]
    for f in open_.tolist():
        first, last = np.searchsorted(frame, [f, f + 1]).tolist()
        begin, left_at = problem.truth_at[f], problem.found_at[f]
        shape = int(problem.truth_at[f + 1] - begin), int(problem.found_at[f + 1] - left_at)
        best = frame_best(pairs.row[first:last] - begin, pairs.col[first:last] - left_at, score[first:last], shape)
        chosen.append(first + np.flatnonzero(best))
    return np.sort(np.concatenate(chosen))
