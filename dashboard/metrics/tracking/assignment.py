"""One-to-one assignments of largest total weight, in many frames at once.

A pair that weighs more than the heaviest other of its row and the heaviest other of its column together is in every
best assignment: whatever else uses its row and its column could be replaced by it. Such pairs are taken, their rows and
columns leave, and so on. That settles nearly everything in a handful of passes over arrays. What is left goes to
SciPy's ``linear_sum_assignment``, on the whole matrix of the frame as TrackEval builds it, so that even ties fall as
they do there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

TIE = 1e-12
"""Totals that differ by no more are ties: rounding decides between them."""
_DENSE = 1 << 24  # cells of a matrix that is filled for an assignment
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def settle(row: Ints, col: Ints, weight: Floats, rows: int, cols: int, tie: float = TIE) -> tuple[Ints, Ints]:
    """Pairs that are in every best assignment, and pairs between rows and columns that are not yet settled.

    Args:
        row: (P,) of each pair, in 0..rows - 1.
        col: (P,) of each pair, in 0..cols - 1.
        weight: (P,) above 0.
        rows: how many there are.
        cols: how many there are.
        tie: by how much a pair has to outweigh the others; negative if any best assignment will do.

    Returns:
        Positions of both, ascending.
    """
    alive: Ints = np.arange(len(row))
    taken = [alive[:0]]
    while len(alive):
        r, c, w = row[alive], col[alive], weight[alive]
        top_r, top_c = np.zeros(rows), np.zeros(cols)
        np.maximum.at(top_r, r, w)
        np.maximum.at(top_c, c, w)
        best = (w == top_r[r]) & (w == top_c[c])
        rest = np.flatnonzero(~best)
        second_r, second_c = np.zeros(rows), np.zeros(cols)
        np.maximum.at(second_r, r[rest], w[rest])
        np.maximum.at(second_c, c[rest], w[rest])
        place = np.flatnonzero(best)
        r_, c_ = r[place], c[place]
        others = second_r[r_] + second_c[c_]
        sure = (w[place] > others + tie) | (others == 0)
        sure &= (np.bincount(r_, minlength=rows)[r_] == 1) & (np.bincount(c_, minlength=cols)[c_] == 1)
        place = place[sure]
        if not len(place):
            break
        taken.append(alive[place])
        gone_r, gone_c = np.zeros(rows, bool), np.zeros(cols, bool)
        gone_r[r[place]] = True
        gone_c[c[place]] = True
        alive = alive[~(gone_r[r] | gone_c[c])]
    return np.sort(np.concatenate(taken)), alive


def heaviest(row: Ints, col: Ints, weight: Ints, rows: int, cols: int) -> int:
    """The largest total of whole weights that an assignment can have."""
    taken, left = settle(row, col, weight.astype(np.float64), rows, cols, -0.5)  # any of several best ones will do
    total = int(weight[taken].sum())
    if not len(left):
        return total
    r, c, w = row[left], col[left], weight[left]
    (r_names, r), (c_names, c) = np.unique(r, return_inverse=True), np.unique(c, return_inverse=True)
    n, m = len(r_names), len(c_names)
    if n * m <= _DENSE:
        dense = np.zeros((n, m))
        dense[r, c] = w
        i, j = linear_sum_assignment(dense, maximize=True)
        return total + int(dense[i, j].sum())
    return total + _sparse(r, c, w, n, m)


def _sparse(r: Ints, c: Ints, w: Ints, n: int, m: int) -> int:
    """The same for matrices too large to be filled; a column of its own lets each row stay alone."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    most = int(w.max()) + 1
    own = np.arange(n)
    cost = np.concatenate([most - w, np.full(n, most)]).astype(np.float64)
    graph = csr_array((cost, (np.concatenate([r, own]), np.concatenate([c, m + own]))), shape=(n, m + n))
    i, j = min_weight_full_bipartite_matching(graph)
    return int((most - np.asarray(graph[i, j])).sum())


def frame_best(row: Ints, col: Ints, weight: Floats, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(P,) which pairs ``linear_sum_assignment`` takes from a whole frame of ``shape`` rows and columns."""
    dense = np.zeros(shape)
    dense[row, col] = weight
    i, j = linear_sum_assignment(-dense)
    partner = np.full(shape[0], -1)
    partner[i] = j
    chosen: NDArray[np.bool_] = partner[row] == col
    return chosen
