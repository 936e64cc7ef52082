"""Which run is better, in numbers and in words: one table, what it means, and who wins on how many samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.comparing.shapes import Comparison, Difference, Figure, PairTest
from dashboard.explore.comparing.pairs import counts_data
from dashboard.explore.comparing.shown import COUNTED, digits, entry, runs_data, unit_of
from dashboard.explore.overview import Data, json_number

ALPHA = 0.05
"""Corrected p-values below this are taken for a difference."""
SHOWN = 5
"""Metrics that are shown at first; what runs recorded of their own comes besides."""
UNIT_KEYS = {"image": "image", "sequence": "sequence"}


def verdict(figure: Figure | None, difference: Difference) -> str:
    """What a difference says: "better", "worse", "differs" (neither is good), "same" (not shown), "unknown".

    The p-value corrected over the runs decides; where there is none, whether the interval leaves zero out.
    """
    if not np.isfinite(difference.value):
        return "unknown"
    if np.isfinite(difference.p_holm):
        shown = difference.p_holm < ALPHA
    elif np.isfinite(difference.low) and np.isfinite(difference.high):
        shown = difference.low > 0 or difference.high < 0
    else:
        return "unknown"
    if not shown or difference.value == 0:
        return "same"
    if figure is None or figure.higher_is_better is None:
        return "differs"
    return "better" if (difference.value > 0) == figure.higher_is_better else "worse"


def best_of(figure: Figure, verdicts: Sequence[str], baseline: int) -> tuple[int | None, bool]:
    """The run with the best value, and whether the data can tell it from the baseline (or from the others, if it is).

    None if fewer than two have a value, nobody knows which is good, or the best two look the same as they are shown.
    """
    known = np.flatnonzero(np.isfinite(figure.values))
    if figure.higher_is_better is None or len(known) < 2:
        return None, False
    shown = np.round(figure.values[known], digits(figure)) * (1 if figure.higher_is_better else -1)
    order = np.argsort(-shown, kind="stable")
    if shown[order[0]] == shown[order[1]]:
        return None, False
    best = int(known[order[0]])
    others = [verdicts[k] for k in known.tolist() if k != baseline]
    told = all(v == "worse" for v in others) if best == baseline else verdicts[best] == "better"
    return best, told


def decide_data(comparison: Comparison, metric: str | None = None) -> Data:
    """The whole table: a row a run, a column a metric; then each run's wins and losses, and the tests behind them.

    ``metric`` is what the sentences are about; None is the first that has differences.
    """
    by_metric: dict[str, dict[int, Difference]] = {}
    for difference in comparison.differences:
        by_metric.setdefault(difference.metric, {})[difference.run] = difference
    rows: list[list[Data]] = [[] for _ in comparison.runs]
    columns: list[Data] = []
    for figure in comparison.figures:
        found = by_metric.get(figure.name, {})
        verdicts = [verdict(figure, found[k]) if k in found else "unknown" for k in range(len(comparison.runs))]
        best, told = best_of(figure, verdicts, comparison.baseline)
        computed = sum(not c["recorded"] for c in columns)
        columns.append(_column(comparison, figure) | {"more": not figure.recorded and computed >= SHOWN})
        for k in range(len(comparison.runs)):
            cell = _cell(figure, k)
            if k == best:
                cell["best"] = "told" if told else "seen"
            if k in found:
                cell["diff"] = _difference(found[k]) | {"verdict": verdicts[k]} | _unsaid(found[k])
            rows[k].append(cell)
    return {
        "key": " ".join(r.id for r in comparison.runs) + f" {comparison.baseline}",
        "runs": runs_data(comparison),
        "baseline": comparison.baseline,
        "columns": columns,
        "rows": rows,
        "metric": metric,
        "unit": UNIT_KEYS.get(comparison.unit, "block"),
        "n": len(comparison.ids),
        "score": entry(comparison.task, comparison.score_name),
        "pairs": [_pair(comparison, k) for k in range(len(comparison.runs)) if k != comparison.baseline],
        "notes": list(comparison.notes),
        "resamples": comparison.settings.get("resamples") if _resampled(comparison) else None,
        "compared": len(comparison.runs) - 1,
    }


def _resampled(comparison: Comparison) -> bool:
    """Whether intervals of differences are of resamples; of few images and of blocks of frames they are not."""
    return any("bootstrap" in d.method for d in comparison.differences)


def _column(comparison: Comparison, figure: Figure) -> Data:
    """What heads a metric's column."""
    return {
        "key": entry(comparison.task, figure.name),
        "name": figure.name,
        "unit": unit_of(figure),
        "digits": digits(figure),
        "higher": figure.higher_is_better,
        "recorded": figure.recorded,
        "whole": figure.unit in COUNTED,
        "mask": comparison.task == "instance-segmentation" and figure.name.startswith(("map", "mar")),
    }


def _cell(figure: Figure, run: int) -> Data:
    """A run's value with its interval."""
    low, high = (json_number(float(v)) for v in figure.intervals[run])
    return {"value": json_number(float(figure.values[run])), "low": low, "high": high}


def _difference(found: Difference) -> Data:
    """A difference as numbers for the browser."""
    names = ("value", "low", "high", "p", "p_holm")
    return {n: json_number(float(getattr(found, n))) for n in names} | {"method": found.method}


def _unsaid(found: Difference) -> Data:
    """What explains a verdict: "why" it is unknown, or whether interval and p are "split": p decides then."""
    if not np.isfinite(found.value):
        return {"why": "value"}
    ends = np.isfinite([found.low, found.high]).all()
    if not np.isfinite(found.p_holm):
        if ends:
            return {}
        return {"why": next((key for start, key in REASONS.items() if found.method.startswith(start)), "none")}
    return {"split": bool(ends and (found.low > 0 or found.high < 0) != (found.p_holm < ALPHA))}


REASONS = {"no interval: too few images of a class": "class", "no interval: too few": "few"}
"""Why there is no interval, by how the method of a difference begins."""


def _pair(comparison: Comparison, run: int) -> Data:
    """A run against the baseline, sample by sample: how many of each kind, and the tests on them."""
    tests = [t for t in comparison.tests if t.run == run and np.isfinite(t.p)]  # none is made of frames of a film
    if any(t.name.startswith("mcnemar") for t in tests):  # of right and wrong answers the sign test says the same
        tests = [t for t in tests if t.name != "sign"]
    return {"run": run, "groups": counts_data(comparison, run), "tests": [_test(t) for t in tests]}


def _test(test: PairTest) -> Data:
    """A test for the browser."""
    numbers: dict[str, Any] = {n: json_number(float(getattr(test, n))) for n in ("statistic", "p", "p_holm")}
    shown = test.p_holm if np.isfinite(test.p_holm) else test.p
    told = bool(shown < ALPHA) if np.isfinite(shown) else None
    return {"key": f"test_{test.name}", "told": told, "counts": dict(test.counts), **numbers}
