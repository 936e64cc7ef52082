"""CLEAR MOT (Bernardin and Stiefelhagen 2008) as TrackEval counts it.

Frame by frame, true and found boxes of IoU 0.5 or more are matched so that as many pairs of the frame before as
possible stay, then for the largest sum of IoU. "The frame before" is the last one that had boxes on both sides.

Most boxes have one candidate, which has no other: these are matched at once. The rest depends on the frame before, so
the frames that have such are gone through in order; where two answers are as good, the whole matrix of the frame goes
to ``linear_sum_assignment``, as in TrackEval.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dashboard.metrics.tracking.assignment import frame_best
from dashboard.metrics.tracking.overlap import EPS, Floats, Ints
from dashboard.metrics.tracking.problem import THRESHOLD, Problem

STAY = 1000.0
"""What a pair of the frame before is worth more; TrackEval's number."""
_NEAR = 1e-9
"""IoUs that differ by less may fall either way once 1000 has been added."""
Edge = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Matched:
    """Who is matched with whom.

    Attributes:
        partner: (R,) found row of each true row, -1 if none.
        iou: (R,) of the pair, NaN if none.
        rows: (M,) true rows that are matched, by identity, then by frame.
        follows: (M,) whether the one before in ``rows`` is of the same identity.
        switched: (M,) whether it is, and another found identity had it.
        resumed: (M,) whether it is, and the frame before did not have a match of this identity (TrackEval's Frag).
    """

    partner: Ints
    iou: Floats
    rows: Ints
    follows: NDArray[np.bool_]
    switched: NDArray[np.bool_]
    resumed: NDArray[np.bool_]


def match(problem: Problem, threshold: float = THRESHOLD) -> Matched:
    """Match every frame of a problem.

    Args:
        problem: boxes of one class of one sequence.
        threshold: least IoU of a match, above 0.
    """
    truth, found = problem.truth, problem.found
    near = problem.pairs.at_least(threshold - EPS)
    alone = (np.bincount(near.row, minlength=len(truth)) == 1)[near.row]
    alone &= (np.bincount(near.col, minlength=len(found)) == 1)[near.col]
    partner = np.full(len(truth), -1)
    partner[near.row[alone]] = near.col[alone]
    if not alone.all():
        _in_turn(problem, near.row, near.col, near.value, ~alone, partner)
    iou = np.full(len(truth), np.nan)
    own = partner[near.row] == near.col
    iou[near.row[own]] = near.value[own]
    return follow(problem, partner, iou)


def follow(problem: Problem, partner: Ints, iou: Floats) -> Matched:
    """What matches mean for identities, see ``Matched``."""
    truth, found = problem.truth, problem.found
    when = np.cumsum(problem.compared) - 1
    rows = truth.by_identity[partner[truth.by_identity] >= 0]
    held, who = found.ids[partner[rows]], truth.ids[rows]
    follows, switched, resumed = (np.zeros(len(rows), bool) for _ in range(3))
    follows[1:] = who[1:] == who[:-1]
    switched[1:] = follows[1:] & (held[1:] != held[:-1])
    resumed[1:] = follows[1:] & (np.diff(when[truth.frame[rows]]) != 1)
    return Matched(partner, iou, rows, follows, switched, resumed)


def _in_turn(problem: Problem, row: Ints, col: Ints, value: Floats, open_: NDArray[np.bool_], partner: Ints) -> None:
    """Match the frames in which some box has several candidates, in order; fills ``partner``."""
    truth, found = problem.truth, problem.found
    order = truth.by_identity
    before = np.full(len(truth), -1)  # row of the same identity in the frame before
    when = (np.cumsum(problem.compared) - 1)[truth.frame]  # number of the frame among those with boxes on both sides
    there = problem.compared[truth.frame[order]]
    order = order[there]
    joins = (np.diff(truth.ids[order]) == 0) & (np.diff(when[order]) == 1)
    before[order[1:][joins]] = order[:-1][joins]
    frame = truth.frame[row]
    at = np.flatnonzero(open_)
    edges = list(zip(row[at].tolist(), col[at].tolist(), value[at].tolist(), strict=True))
    last = before[row[at]].tolist()
    holder = found.ids
    own = holder[col[at]].tolist()
    cuts = np.flatnonzero(np.diff(frame[at], prepend=-1, append=-1)).tolist()
    for start, stop in pairwise(cuts):
        stays: list[Edge] = []
        for k in range(start, stop):
            if last[k] >= 0:
                held = partner[last[k]]
                if held >= 0 and holder[held] == own[k]:
                    stays.append(edges[k])
        used_rows, used_cols = {e[0] for e in stays}, {e[1] for e in stays}
        rest = [e for e in edges[start:stop] if e[0] not in used_rows and e[1] not in used_cols]
        chosen = _best(rest)
        if chosen is None:
            _whole_frame(problem, row, col, value, before, int(frame[at[start]]), partner)
            continue
        for i, j, _ in stays + chosen:
            partner[i] = j


def _best(edges: list[Edge]) -> list[Edge] | None:
    """The best assignment of a few pairs, or None where that needs more than a look or is close."""
    if len(edges) < 2:
        return edges
    if len({e[0] for e in edges}) > 1 and len({e[1] for e in edges}) > 1:
        return _best_apart(edges)
    first, second = sorted((e[2] for e in edges), reverse=True)[:2]
    if first - second < _NEAR:
        return None
    return [max(edges, key=lambda e: e[2])]


def _best_apart(edges: list[Edge]) -> list[Edge] | None:
    """As ``_best``, for pairs that may fall into several groups that share no box."""
    groups: list[list[Edge]] = []
    for edge in edges:
        apart, joined = [], [edge]
        for group in groups:
            if any(e[0] == edge[0] or e[1] == edge[1] for e in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, joined]
    if len(groups) == 1:
        return _best_crossed(groups[0])
    chosen: list[Edge] = []
    for group in groups:
        best = _best(group)
        if best is None:
            return None
        chosen += best
    return chosen


def _best_crossed(edges: list[Edge]) -> list[Edge] | None:
    """Of one group between several rows and columns: all its assignments, if they are few."""
    if len(edges) > 6:
        return None
    totals: list[tuple[float, list[Edge]]] = [(0.0, [])]
    for edge in edges:
        totals += [
            (total + edge[2], [*some, edge])
            for total, some in totals
            if all(e[0] != edge[0] and e[1] != edge[1] for e in some)
        ]
    totals.sort(key=lambda t: t[0], reverse=True)
    return None if totals[0][0] - totals[1][0] < _NEAR else totals[0][1]


def _whole_frame(
    problem: Problem, row: Ints, col: Ints, value: Floats, before: Ints, frame: int, partner: Ints
) -> None:
    """Match a frame by the matrix of all its boxes."""
    begin, end = problem.truth_at[frame], problem.truth_at[frame + 1]
    left, right = problem.found_at[frame], problem.found_at[frame + 1]
    part = slice(*np.searchsorted(row, [begin, end]))
    r, c = row[part], col[part]
    last = before[r]
    held = np.where(last >= 0, partner[last], -1)
    stay = (held >= 0) & (problem.found.ids[held] == problem.found.ids[c])
    chosen = frame_best(r - begin, c - left, STAY * stay + value[part], (int(end - begin), int(right - left)))
    partner[begin:end] = -1
    partner[r[chosen]] = c[chosen]


def counts(problem: Problem, matched: Matched) -> dict[str, float]:
    """TP, FN, FP, IDSW, MT, PT, ML, Frag and the sum of IoU over matches.

    An identity is mostly tracked (MT) if it is matched in more than 80 % of the frames in which it is, partly (PT) from
    20 % on, otherwise mostly lost (ML).
    """
    truth = problem.truth
    hits = np.bincount(truth.ids[matched.rows], minlength=len(truth.names))
    there = truth.lengths > 0
    ratio = hits[there] / truth.lengths[there]
    tp, mostly, partly = len(matched.rows), int((ratio > 0.8).sum()), int((ratio >= 0.2).sum())
    return {
        "TP": tp,
        "FN": len(truth) - tp,
        "FP": len(problem.found) - tp,
        "IDSW": int(matched.switched.sum()),
        "MT": mostly,
        "PT": partly - mostly,
        "ML": int(there.sum()) - partly,
        "Frag": int(matched.resumed.sum()),
        "iou_sum": float(matched.iou[matched.rows].sum()),
    }
