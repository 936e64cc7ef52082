"""Two to eight runs of a task against each other, on the samples that all of them have, with paired uncertainty."""

from __future__ import annotations

import importlib
import math
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.align import Aligned, align, title
from dashboard.comparing.measured import Floats, Measured, Settings
from dashboard.comparing.recorded import recorded_figures
from dashboard.comparing.shapes import LEVEL, MOST_RUNS, RESAMPLES, Comparison, Difference, Figure, PairTest
from dashboard.errors import InputError
from dashboard.metrics import paired
from dashboard.metrics.intervals import FEW, Interval
from dashboard.store import Run

Flags = NDArray[np.bool_]
TASKS = {
    "classification": "classification",
    "detection": "objects",
    "instance-segmentation": "objects",
    "semantic-segmentation": "pixels",
    "enhancement": "pictures",
    "tracking": "tracks",
}
"""Where each task's numbers come from: modules of this package with ``measure`` and, if not every common sample can
be used, ``narrowed``."""
NEED_PREDICTIONS = ("detection", "instance-segmentation", "tracking")
"""Tasks whose rows are not enough."""
KEPT = 16  # comparisons
HELD_BYTES = 1 << 27
"""Resamples of the runs that were compared last are held if they take no more: another baseline costs little then."""
_kept: OrderedDict[Hashable, Comparison] = OrderedDict()
_latest: dict[Hashable, tuple[Aligned, Measured]] = {}
_making: dict[Hashable, threading.Lock] = {}
_guard = threading.Lock()


def compare(runs: Sequence[Run], baseline: int = 0, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare runs; asked again for the same ones, the answer is at hand, and against another baseline soon.

    Samples are aligned by id, and every resample draws the same samples for all runs. Intervals are percentiles of the
    resampled differences; p-values are corrected by Holm over the runs, metric by metric.

    Args:
        runs: two to eight of one task.
        baseline: the place of the one that the others are compared with.
        resamples: of the bootstrap; at least 100.
        seed: of its draws; the same seed gives the same comparison.

    Raises:
        InputError: fewer than two runs or more than eight, one of them twice, different tasks, no sample in common,
            different truth, or class lists that do not agree, naming the runs.
    """
    _check(runs, baseline, resamples)
    of = (tuple(_stamp(run) for run in runs), resamples, seed)
    key = (of, baseline)
    with _guard:
        making = _making.setdefault(of, threading.Lock())
    try:
        with making:
            with _guard:
                found = _kept.get(key)
            if found is None:
                found = _compare(runs, Settings(baseline, resamples, seed, LEVEL), of)
            with _guard:
                _kept[key] = found
                _kept.move_to_end(key)
                while len(_kept) > KEPT:
                    _kept.popitem(last=False)
    finally:
        with _guard:
            if not making.locked():
                _making.pop(of, None)
    return replace(found, runs=tuple(runs), figures=[*found.figures, *recorded_figures(runs)])


def _stamp(run: Run) -> Hashable:
    """What changes when a run's numbers do."""
    try:
        rows = run.rows_path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"{title(run)} is not whole ({error}): it may have been deleted.") from error
    try:
        return run.id, str(run.path), rows, run.predictions_path.stat().st_mtime_ns
    except OSError:  # taken away to free the disk; not every task needs them
        return run.id, str(run.path), rows, None


def _check(runs: Sequence[Run], baseline: int, resamples: int) -> None:
    if not 2 <= len(runs) <= MOST_RUNS:
        raise InputError(f"Between two and {MOST_RUNS} runs can be compared, not {len(runs)}: pick others.")
    if not 0 <= baseline < len(runs):
        raise InputError(f"The baseline must be one of the {len(runs)} runs, counted from 0, not {baseline}.")
    if resamples < 100:
        raise InputError(f"At least 100 resamples are needed for an interval, not {resamples}.")
    for run in runs:
        if run.task != runs[0].task:
            raise InputError(
                f"{title(runs[0])} is of {runs[0].task} and {title(run)} of {run.task}: compare runs of one task."
            )
    for place, run in enumerate(runs):
        if run.path in [r.path for r in runs[:place]]:
            raise InputError(f"{title(run)} is asked for twice: compare different runs.")
    for run in runs:
        if run.task in NEED_PREDICTIONS and not run.predictions_path.is_file():
            raise InputError(
                f"The stored predictions of {title(run)} were taken away, and {run.task} cannot be compared without: "
                "evaluate it again."
            )
    if runs[0].task not in TASKS:
        raise InputError(f"Runs of {runs[0].task} cannot be compared: pick runs of {', '.join(TASKS)}.")


def _measured(runs: Sequence[Run], how: Settings, of: Hashable) -> tuple[Aligned, Measured]:
    """What is compared: worked out, or held from another baseline. ``of`` tells runs and draws apart."""
    with _guard:
        if of in _latest:
            return _latest[of]
    aligned = align(runs, how.baseline)
    module = importlib.import_module(f"dashboard.comparing.{TASKS[runs[0].task]}")
    if hasattr(module, "narrowed"):
        aligned = module.narrowed(runs, aligned)
    found: Measured = module.measure(runs, aligned, how)
    alike = all(run.classes == runs[0].classes for run in runs) and all((np.diff(r) > 0).all() for r in aligned.rows)
    with _guard:
        _latest.clear()
        if alike and found.nbytes <= HELD_BYTES:  # else the baseline's order of samples and classes is the result's
            _latest[of] = aligned, found
    return aligned, found


def _compare(runs: Sequence[Run], how: Settings, of: Hashable) -> Comparison:
    aligned, found = _measured(runs, how, of)
    tests = _tests(found, how)
    differences = [d for figure in found.figures for d in _differences(figure, found, tests, how)]
    return Comparison(
        runs=tuple(runs),
        baseline=how.baseline,
        task=runs[0].task,
        unit=found.unit,
        ids=[str(i) for i in aligned.ids],
        index=aligned.index,
        left_out=list(aligned.left_out),
        figures=found.figures,
        differences=differences,
        tests=tests,
        scores=found.scores,
        score_name=found.score_name,
        tolerance=found.tolerance,
        classes=[numbers.against(how.baseline, how.level) for numbers in found.classes],
        notes=[*aligned.notes, *found.notes],
        settings={"resamples": _drawn(found, how), "seed": how.seed, "level": how.level, "units": found.units},
    )


def _drawn(found: Measured, how: Settings) -> int:
    """How many resamples were made: fewer than asked for where one takes long."""
    return max((len(draws) for draws in found.draws.values()), default=how.resamples)


def others(runs: int, baseline: int) -> list[int]:
    """Places of all runs but the baseline."""
    return [place for place in range(runs) if place != baseline]


def _differences(figure: Figure, found: Measured, tests: Sequence[PairTest], how: Settings) -> list[Difference]:
    """A metric's differences to the baseline."""
    places = others(len(figure.values), how.baseline)
    made = [_difference(figure, place, found, how) for place in places]
    hits = found.hits.get(figure.name)
    if hits is not None:
        made = [_by_mcnemar(*one, hits[place], hits[how.baseline]) for place, one in zip(places, made, strict=True)]
    corrected = paired.holm(np.array([p for _, _, p, _ in made]))
    return [
        Difference(figure.name, place, value, *ends, p, float(holm), method)
        for place, (value, ends, p, method), holm in zip(places, made, corrected, strict=True)
    ]


def _difference(figure: Figure, place: int, found: Measured, how: Settings) -> tuple[float, Interval, float, str]:
    """Value, interval, p and method."""
    base = how.baseline
    value = float(figure.values[place] - figure.values[base])
    columns = found.columns.get(figure.name)
    if columns is not None and found.units < FEW:
        gap = columns[place] - columns[base]
        known = gap[np.isfinite(gap)]
        if len(known) and math.isclose(float(known.mean()), value, rel_tol=1e-9, abs_tol=1e-12):
            return value, *paired.paired_t(known, how.level), "Student's t of paired differences"
    if figure.name in found.left:
        left = found.left[figure.name]
        ends, p = paired.jackknife(value, left[:, place] - left[:, base], how.level)
        return value, ends, p, f"jackknife over {len(left)} blocks of frames, Student's t"
    draws = found.draws.get(figure.name)
    if draws is None:
        few = figure.name in found.sparse
        return value, (math.nan, math.nan), math.nan, f"no interval{': too few images of a class' if few else ''}"
    gap = draws[:, place] - draws[:, base]
    recentred = figure.name not in found.linear
    units = None if found.unit == "sequence" else found.units  # of sequences eight are enough, as for the runs' own
    ends, p = paired.bootstrap_interval(value, gap, recentred, how.level, units)
    what = "blocks of frames" if found.unit == "block of frames" else f"{found.unit}s"
    method = f"paired bootstrap, {len(draws):,} resamples of {found.units:,} {what}"
    return value, ends, p, method if math.isfinite(ends[0]) else f"no interval: too few {what}, or no spread"


def _by_mcnemar(
    value: float, ends: Interval, p: float, method: str, right: Flags, other: Flags
) -> tuple[float, Interval, float, str]:
    """A difference of shares of right answers has McNemar's p, which is exact where few answers differ."""
    if not math.isfinite(value):
        return value, ends, p, method
    found = mcnemar(right, other)
    kinds = {"mcnemar_exact": "exact test", "mcnemar_chi2": "test with continuity correction"}
    return value, ends, found.p, f"{method}; p by McNemar's {kinds[found.name]}"


def mcnemar(right: Flags, other: Flags, place: int = 0) -> PairTest:
    """McNemar's test: the exact one where fewer than ``paired.FEW_DISCORDANT`` answers differ.

    Args:
        right: (N,) whether the run is right.
        other: (N,) whether the baseline is.
        place: the run's.
    """
    counts = {"both": right & other, "only_run": right & ~other, "only_baseline": ~right & other}
    numbers = {k: int(v.sum()) for k, v in (counts | {"neither": ~right & ~other}).items()}
    only = numbers["only_run"], numbers["only_baseline"]
    if sum(only) < paired.FEW_DISCORDANT:
        return PairTest("mcnemar_exact", place, math.nan, paired.mcnemar_exact(*only), math.nan, numbers)
    return PairTest("mcnemar_chi2", place, *paired.mcnemar_chi2(*only), math.nan, numbers)


def _tests(found: Measured, how: Settings) -> list[PairTest]:
    """Tests on pairs of runs, every kind corrected on its own."""
    made: dict[str, list[PairTest]] = {}
    for place in others(len(found.scores), how.baseline):
        for test in _pair_tests(found.scores[place], found.scores[how.baseline], found, place):
            made.setdefault("mcnemar" if test.name.startswith("mcnemar") else test.name, []).append(test)
    out = []
    for tests in made.values():
        corrected = paired.holm(np.array([t.p for t in tests]))
        out += [replace(t, p_holm=float(p)) for t, p in zip(tests, corrected, strict=True)]
    return out


def _pair_tests(run: Floats, base: Floats, found: Measured, place: int) -> list[PairTest]:
    """McNemar's test on right and wrong; the sign test and Wilcoxon's on scores."""
    nan = math.nan
    tests: list[PairTest] = []
    if found.binary:
        tests.append(mcnemar(run > 0.5, base > 0.5, place))
    with np.errstate(invalid="ignore"):
        gap = run - base
        wins, losses = int((gap > found.tolerance).sum()), int((gap < -found.tolerance).sum())
    scored = not (np.isnan(run) | np.isnan(base)).all()  # infinity less infinity is a tie, too
    outcome = {"wins": wins, "losses": losses, "ties": len(gap) - wins - losses}
    p = paired.sign_test(wins, losses) if scored else nan
    tests.append(PairTest("sign", place, nan, p, nan, outcome))
    if not found.binary:
        with np.errstate(invalid="ignore"):
            told = np.where(np.abs(gap) <= found.tolerance, 0.0, gap)  # a tie, as it is counted
        tests.append(PairTest("wilcoxon", place, *paired.wilcoxon(told), nan, outcome))
    if found.unit != "image":  # frames of a film are like those beside them: the counts stand, a p would be too small
        tests = [replace(test, statistic=nan, p=nan) for test in tests]
    return tests
