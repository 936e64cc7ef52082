"""Tracking: CLEAR, identity and HOTA from the counts of whole sequences, and the accuracy of every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.comparing.align import Aligned, column, title
from dashboard.comparing.classes import join_classes, same_truth
from dashboard.comparing.measured import ClassNumbers, Floats, Measured, Settings, figure, run_intervals
from dashboard.comparing.shapes import Figure
from dashboard.errors import InputError
from dashboard.explore.tracking.opened import opened
from dashboard.metrics.paired_tracking import numbers, numbers_without_blocks, resampled_numbers
from dashboard.metrics.tracking import scores
from dashboard.metrics.tracking.counts import PLAIN
from dashboard.metrics.tracking.evidence import BOUNDS, MANY, Evidence, evidence
from dashboard.metrics.tracking.metrics import UNITS
from dashboard.store import Run
from dashboard.tracking_parts import StoredSequence

SHOWN = (
    *("HOTA", "MOTA", "IDF1", "DetA", "AssA", "MOTP", "LocA", "IDP", "IDR", "recall", "precision", "f1"),
    *("IDSW", "Frag", "FP", "FN", "TP", "MT", "PT", "ML", "DetRe", "DetPr", "AssRe", "AssPr"),
)
WATCHED = ("births", "track_length", "track_gaps", "class_changes", "trk_flicker", "box_jitter", "trk_counts")
"""Numbers of tracks without a truth: taken from the runs where nothing is left out; none is better or worse."""
WATCHED_UNITS = {"births": "count", "track_length": "frames", "track_gaps": "count", "class_changes": "count"}
PER_CLASS = ("HOTA", "MOTA", "IDF1", "recall", "precision")
SAME_PX = 1.0


def narrowed(runs: Sequence[Run], aligned: Aligned) -> Aligned:
    """Only the sequences that every run has from end to end: part of one cannot be scored on its own.

    Raises:
        InputError: there is none.
    """
    keep = np.ones(len(aligned.ids), bool)
    for run, rows in zip(runs, aligned.rows, strict=True):
        names = column(run, ("sequence",)).column("sequence").to_pandas()
        whole = names.groupby(names).transform("size").to_numpy()[rows]
        here = names.iloc[rows].reset_index(drop=True)
        keep &= whole == here.groupby(here).transform("size").to_numpy()
    if keep.all():
        return aligned
    if not keep.any():
        names_of = ", ".join(title(r) for r in runs)
        raise InputError(f"There is no sequence that all of these runs have as a whole: {names_of}; run all on one.")
    gone = int((~keep).sum())
    note = f"{gone:,} common frames are of sequences that some run has only in part; these were left out."
    return Aligned(
        aligned.ids[keep],
        aligned.rows[:, keep],
        aligned.index[:, keep],
        [n + gone for n in aligned.left_out],
        [*aligned.notes, note],
    )


def measure(runs: Sequence[Run], aligned: Aligned, how: Settings) -> Measured:
    """Everything that is compared. Raises InputError for different truth or class lists."""
    stored = [_sequences(run, aligned.rows[place]) for place, run in enumerate(runs)]
    if not all(s.known for own in stored for s in own):
        return _without_truth(runs, aligned)
    _check(runs, stored, how.baseline)
    joined = join_classes(runs, how.baseline, [_used(own, len(r.classes)) for own, r in zip(stored, runs, strict=True)])
    found = [evidence([s.tracks for s in own]) for own in stored]
    many = len(found[0]) >= MANY
    draws = resampled_numbers(found, how.resamples, how.seed) if many else {}
    left = {} if many else numbers_without_blocks(found)
    figures = _figures(runs, found, aligned, draws, how)
    return Measured(
        unit="sequence" if many else "block of frames",
        units=len(found[0]) if many else len(next(iter(left.values()), ())),
        figures=figures,
        draws={name: values for name, values in draws.items() if name in SHOWN},
        linear=(),
        left={name: values for name, values in left.items() if name in SHOWN},
        scores=np.stack([_frames(run, rows) for run, rows in zip(runs, aligned.rows, strict=True)]),
        score_name="mota",
        tolerance=1e-12,
        classes=_classes(found, joined.of, joined.names),
        notes=joined.notes,
    )


def _sequences(run: Run, rows: NDArray[np.int64]) -> list[StoredSequence]:
    """A run's sequences in the order of the common samples."""
    kept = opened(run)
    owner = np.repeat(np.arange(len(kept.sequences)), [len(s.ids) for s in kept.sequences])
    return [kept.sequences[k] for k in dict.fromkeys(owner[rows].tolist())]


def _used(stored: Sequence[StoredSequence], classes: int) -> NDArray[np.bool_]:
    used = np.zeros(classes, bool)
    for sequence in stored:
        used[np.unique(sequence.tracks.truth.class_ids)] = True
    return used


def _check(runs: Sequence[Run], stored: Sequence[Sequence[StoredSequence]], baseline: int) -> None:
    """Raise InputError unless all have the same true boxes in the same frames."""
    for place, own in enumerate(stored):
        for mine, base in zip(own, stored[baseline], strict=True):
            a, b = mine.tracks.truth, base.tracks.truth
            same = len(a) == len(b) and (a.frame == b.frame).all()
            if same:
                same = bool((np.abs(a.xyxy.sum(axis=0) - b.xyxy.sum(axis=0)) <= SAME_PX * max(1, len(a))).all())
            if not same:
                raise same_truth(runs, baseline, place, mine.tracks.name)


def _frames(run: Run, rows: NDArray[np.int64]) -> Floats:
    """(N,) 1 - (FN + FP + IDSW) / truth of each frame; where there is no truth, each wrong box costs 1."""
    table = column(run, ("tp", "fp", "fn", "idsw")).take(rows)
    tp, fp, fn, idsw = (table.column(n).to_numpy().astype(np.float64) for n in ("tp", "fp", "fn", "idsw"))
    return 1 - (fn + fp + idsw) / np.maximum(tp + fn, 1)


def _figures(
    runs: Sequence[Run], found: Sequence[Evidence], aligned: Aligned, draws: dict[str, Floats], how: Settings
) -> list[Figure]:
    """All classes together; intervals as the runs have them."""
    each = [numbers(one.whole) for one in found]
    figures = []
    for name in SHOWN:
        row = np.array([values[name] for values in each])
        if not np.isfinite(row).any():
            continue
        least, most = BOUNDS.get(name, (0.0, np.inf if name in scores.COUNTED else 1.0))
        limits = run_intervals(name, row, runs, aligned, draws.get(name), how.level, (least, most))
        for place, one in enumerate(found):
            if not aligned.whole(place) and name in one.intervals:
                limits[place] = one.intervals[name]
        better = None if name == "PT" else name not in scores.LOWER
        figures.append(figure(name, row, limits, better, UNITS.get(name, "")))
    return figures


def _classes(found: Sequence[Evidence], of: Sequence[NDArray[np.int64]], names: Sequence[str]) -> list[ClassNumbers]:
    """Numbers of each class of the truth; without intervals."""
    values = {name: np.full((len(found), len(names)), np.nan) for name in PER_CLASS}
    support = np.zeros(len(names), np.int64)
    for place, (one, own) in enumerate(zip(found, of, strict=True)):
        counts = one.whole
        true = counts.plain[:, PLAIN.index("TP")] + counts.plain[:, PLAIN.index("FN")]
        at = own[counts.classes]
        support[at] = np.maximum(support[at], true.astype(np.int64))
        each = scores.everything(counts.plain, counts.alpha, counts.frames)
        for name in PER_CLASS:
            values[name][place, at] = each[name]
    shown = np.flatnonzero(support > 0)
    if len(shown) < 2:
        return []
    labels = [names[int(i)] for i in shown]
    unknown = np.zeros(len(shown), bool)
    return [ClassNumbers(n, labels, support[shown], v[:, shown], unknown) for n, v in values.items()]


def _without_truth(runs: Sequence[Run], aligned: Aligned) -> Measured:
    """What is known of tracks alone."""
    figures = []
    for name in WATCHED:
        row = np.array([_own(run, name) if aligned.whole(place) else np.nan for place, run in enumerate(runs)])
        if np.isfinite(row).any():
            limits = np.full((len(runs), 2), np.nan)
            figures.append(figure(name, row, limits, None, WATCHED_UNITS.get(name, "")))
    return Measured(
        unit="sequence",
        units=0,
        figures=figures,
        draws={},
        linear=(),
        scores=np.full((len(runs), len(aligned.ids)), np.nan),
        score_name="mota",
        notes=["There is no truth for these frames: nobody can say which tracker is right more often."],
    )


def _own(run: Run, name: str) -> float:
    value = run.metrics.get(name)
    return np.nan if value is None else float(value)
