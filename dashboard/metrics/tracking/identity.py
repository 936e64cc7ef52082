"""Identity metrics (Ristani et al. 2016): one found identity for each true one, over the whole sequence."""

from __future__ import annotations

import numpy as np

from dashboard.metrics.tracking.assignment import heaviest
from dashboard.metrics.tracking.problem import THRESHOLD, Problem, together


def counts(problem: Problem, threshold: float = THRESHOLD) -> dict[str, float]:
    """IDTP, IDFN and IDFP.

    TrackEval minimises IDFN + IDFP over matrices of (G + T) x (G + T). That sum is all boxes of both sides less twice
    the frames that assigned identities share, so that the assignment with the most shared frames gives the same three
    numbers.

    Args:
        problem: boxes of one class of one sequence.
        threshold: least IoU of boxes that agree.
    """
    near = problem.pairs.at_least(threshold)
    key, g, t = together(problem, near.row, near.col)
    shared = np.bincount(key, minlength=len(g))
    some = np.flatnonzero(shared)
    right = heaviest(g[some], t[some], shared[some], len(problem.truth.names), len(problem.found.names))
    return {"IDTP": right, "IDFN": len(problem.truth) - right, "IDFP": len(problem.found) - right}
