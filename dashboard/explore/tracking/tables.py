"""Key figures, sequences and classes of tracking runs as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.explore import overview
from dashboard.explore.overview import Data, json_number
from dashboard.explore.tracking.opened import Opened, label_of
from dashboard.results import ClassTable
from dashboard.store import Run

FIGURES = ("HOTA", "MOTA", "IDF1", "IDSW", "DetA", "AssA", "MOTP")
WATCHED = ("births", "track_length", "trk_flicker", "track_gaps", "class_changes", "box_jitter", "trk_counts")
COUNTS = (
    *("IDSW", "FP", "FN", "TP", "MT", "PT", "ML", "Frag", "IDTP", "IDFP", "IDFN", "support", "frames", "births"),
    *("track_gaps", "class_changes"),
)
LOWER = ("IDSW", "FP", "FN", "ML", "Frag", "IDFP", "IDFN", "FP_per_frame", "trk_flicker", "class_changes", "box_jitter")
NEITHER = ("PT", "PTR", "births", "track_length", "track_gaps", "trk_counts")
"""Neither more nor less is better."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "summary": ("HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN"),
    "association": ("HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR"),
    "detection": ("MOTA", "MOTP", "trk_precision", "trk_recall", "FP", "FN"),
    "tracks": ("MT", "PT", "ML", "Frag", "IDSW", "IDF1"),
}
EXPLAINED = {"precision": "trk_precision", "recall": "trk_recall", "f1": "trk_f1", "HOTA(0)": "HOTA_0"}
EXPLAINED |= {"LocA(0)": "LocA_0"}
"""Entries under which numbers are explained whose names mean something else elsewhere."""
OTHER = "_agnostic"


def figures_data(views: Sequence[Opened], agnostic: bool = False) -> Data:
    """Cards with intervals, the best marked, and speed; without a truth the numbers that need none."""
    runs = [v.run for v in views]
    names = FIGURES if any(v.known for v in views) else WATCHED
    data = _cards(runs, [n for n in names if any(r.metrics.get(n) is not None for r in runs)], agnostic)
    if any(r.metrics.get("FPS") for r in runs):
        data["figures"].append(speed_card(runs))
    if overview.incomparable(runs):
        overview.unmark(data["figures"])
    data["warnings"] = overview.common_warnings(runs)
    return data


def other_figures(views: Sequence[Opened], agnostic: bool = False) -> Data:
    """Cards of what is not among the key figures."""
    runs = [v.run for v in views]
    shown = (*(FIGURES if any(v.known for v in views) else WATCHED), "FPS")
    names = dict.fromkeys(n.removesuffix(OTHER) for r in runs for n in r.metrics)
    there = [n for n in names if n not in shown and any(r.metrics.get(n) is not None for r in runs)]
    return _cards(runs, there, agnostic)


def value_of(run: Run, name: str, agnostic: bool) -> tuple[float | None, tuple[float, float] | None]:
    """A key figure and its interval; matched whatever the class, if asked for and if that makes a difference."""
    if agnostic and f"{name}{OTHER}" in run.metrics:
        name = f"{name}{OTHER}"
    return run.metrics.get(name), run.intervals.get(name)


def _cards(runs: Sequence[Run], names: Sequence[str], agnostic: bool) -> Data:
    """One card a metric, in its own unit and range."""
    models = [{"name": label_of(r), "note": f"{r.dataset} · {r.samples:,}"} for r in runs]
    data: Data = {"models": models, "figures": [], "warnings": []}
    for name in names:
        cells: list[Data] = []
        for run in runs:
            value, interval = value_of(run, name, agnostic)
            low, high = interval or (None, None)
            cells.append({"value": value, "low": low, "high": high})
        if name not in NEITHER:
            overview.mark_best(cells, lower=name in LOWER)
        known = [x for c in cells for x in (c["value"], c["low"], c["high"]) if x is not None]
        card: Data = {
            "key": EXPLAINED.get(name, name),
            "cells": cells,
            "scale": [min([0.0, *known]), max([1.0, *known])],
        }
        if name in COUNTS:
            card["format"] = "count"
        elif known and not (min(known) >= -1 and max(known) <= 1):
            card["format"] = "short"
        data["figures"].append(card)
    return data


def speed_card(runs: Sequence[Run]) -> Data:
    """Frames a second, with what the tracker alone takes as a note."""
    cells: list[Data] = []
    for run in runs:
        frames, spent = run.timing.get("frames"), run.timing.get("track_s")
        note = f"{1e3 * spent / frames:.2g} ms" if frames and spent else ""
        cells.append({"value": run.metrics.get("FPS"), "note": note})
    overview.mark_best(cells, lower=False)
    return {"key": "FPS", "cells": cells, "format": "rate"}


def result_table(run: Run, what: str, agnostic: bool) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Every column of a run's tables named ``what`` ("per_class", "per_sequence"): row names, and values."""
    names: list[str] = []
    columns: dict[str, NDArray[Any]] = {}
    results = run.results()
    wanted = f"{what}{OTHER}" if agnostic and any(k.endswith(f".{what}{OTHER}") for k in results) else what
    for key, result in results.items():
        if isinstance(result, ClassTable) and key.rpartition(".")[2] == wanted:
            names = list(result.classes)
            columns = {**{k: np.asarray(v) for k, v in result.columns.items()}, **columns}
    return names, columns


def liveliest(view: Opened) -> str:
    """The sequence to look at first: the one with most switches; without a truth the first."""
    names, values = result_table(view.run, "per_sequence", False)
    known = [s.tracks.name for s in view.sequences]
    if not names or "IDSW" not in values:
        return known[0]
    return names[int(np.argmax(values["IDSW"]))]


def table_data(view: Opened, what: str, columns: str, agnostic: bool, sequence: str | None = None) -> Data:
    """One row a sequence (a click plays it) or a class."""
    names, values = result_table(view.run, f"per_{what}", agnostic)
    heads: list[Data] = [{"label": f"ui.trk.{what}", "kind": "name"}]
    if not names:
        return _without_truth(view, sequence)
    seen = np.arange(len(names))
    if what == "class":
        seen = np.flatnonzero(np.asarray(values["support"]) > 0)
    present = [c for c in ("support", *COLUMNS[columns]) if _column(c) in values]
    for name in present:
        kind = "count" if name in COUNTS else "rate"
        entry = "trk_support" if name == "support" else name
        heads.append({"explain": entry, "kind": kind, "short": f"ui.short.{entry}"})
    rows = [[names[i], *(json_number(values[_column(c)][i]) for c in present)] for i in seen]
    place = names.index(sequence) if what == "sequence" and sequence in names else None
    data = {"key": f"{view.run.id} {what} {columns} {agnostic}", "columns": heads, "rows": rows, "selected": place}
    return data | ({"keeps": True} if what == "sequence" else {"classes": seen.tolist()})


def worst_of_class(view: Opened, label: int, agnostic: bool) -> tuple[str, int | None]:
    """The sequence in which a class is missed and found falsely most often, and the first frame where it is."""
    errors = []
    for place, stored in enumerate(view.sequences):
        told, tracks = view.story(place, agnostic), stored.tracks
        missed = tracks.truth.frame[(told.truth_match == -1) & (tracks.truth.class_ids == label)]
        false = tracks.found.frame[(told.found_match == -1) & (tracks.found.class_ids == label)]
        errors.append(np.concatenate([missed, false]))
    worst = max(range(len(errors)), key=lambda k: len(errors[k]))
    first = int(errors[worst].min()) if len(errors[worst]) else None
    return view.sequences[worst].tracks.name, first


def _column(name: str) -> str:
    return name.removeprefix("trk_")


def _without_truth(view: Opened, sequence: str | None) -> Data:
    """Sequences of a run that nothing is known of: frames, boxes, tracks."""
    heads: list[Data] = [{"label": "ui.trk.sequence", "kind": "name"}]
    heads += [{"label": f"ui.trk.col.{n}", "kind": "count"} for n in ("frames", "boxes", "tracks")]
    rows = []
    for stored in view.sequences:
        found = stored.tracks.found
        rows.append([stored.tracks.name, len(stored.frames), len(found), len(np.unique(found.ids))])
    names = [r[0] for r in rows]
    return {
        "key": f"{view.run.id} sequences",
        "columns": heads,
        "rows": rows,
        "selected": names.index(sequence) if sequence in names else None,
        "keeps": True,
    }
