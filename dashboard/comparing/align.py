"""Which samples all runs have, and where each run keeps them: by id, never by position."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.naming import label_of
from dashboard.store import Run

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Aligned:
    """The common samples of R runs, in the order of the baseline's data.

    Attributes:
        ids: (N,) sample ids; an id that a run has twice stands here twice.
        rows: (R, N) where each stands among a run's rows and predictions.
        index: (R, N) positions in each run's own dataset.
        left_out: (R,) how many samples of each the others lack.
        notes: what a reader must know.
    """

    ids: NDArray[np.object_]
    rows: Ints
    index: Ints
    left_out: Sequence[int]
    notes: Sequence[str]

    def whole(self, run: int) -> bool:
        """Whether all samples of a run are among the common ones."""
        return self.left_out[run] == 0


def title(run: Run) -> str:
    """A run in a sentence."""
    return f"{name(run)} on {run.dataset} ({run.id})"


def name(run: Run) -> str:
    """Its model, and how its tracker differs from the defaults; a title of its own may change, and notes are kept."""
    return label_of(run, titled=False)


def column(run: Run, names: Sequence[str], scores: Collection[str] = ()) -> pa.Table:
    """Columns of a run's rows.

    Args:
        run: the run.
        names: of the columns, in order.
        scores: those that answers without scores lack; they are NaN then.

    Raises:
        InputError: the rows are damaged, lack another one, or have what cannot stand in it: text for a number,
            nothing, a class that the run does not have.
    """
    try:
        there = set(pq.read_schema(run.rows_path).names) if scores else set(names)
        found = pq.read_table(run.rows_path, columns=[n for n in names if n in there or n not in scores])
    except (OSError, pa.ArrowException, KeyError) as error:
        what = str(error).partition("\n")[0]
        raise InputError(f"{run.rows_path} is missing or damaged ({what}): delete that run, start anew.") from error
    for name in found.column_names:
        wrong = _wrong(run, name, found.column(name))
        if wrong:
            raise InputError(f"{run.rows_path} is damaged ({name}: {wrong}): delete that run, start anew.")
    for name in scores:
        if name not in there:
            found = found.append_column(name, pa.array(np.full(len(found), np.nan)))
    return found.select(list(names))


TEXTS = ("id", "sequence")
COUNTS = ("index", "label", "predicted", "tp", "fp", "fn", "idsw")
LISTS = ("labels", "predicted_labels")
CLASSES = ("label", "predicted", *LISTS)


def _wrong(run: Run, name: str, values: pa.ChunkedArray) -> str:
    """What keeps a column from being read; "" if nothing does. Scores may be undefined, all others are known."""
    kind = values.type
    if name in LISTS:
        if not pa.types.is_list(kind) and not pa.types.is_large_list(kind):
            return f"no lists but {kind}"
        if values.null_count:
            return "empty cells"
        values = pc.list_flatten(values)
        kind = values.type
    known = name in (*TEXTS, *COUNTS, *LISTS, "correct")
    if known and values.null_count:
        return "empty cells"
    fits = {
        **dict.fromkeys(TEXTS, lambda: pa.types.is_string(kind) or pa.types.is_large_string(kind)),
        **dict.fromkeys((*COUNTS, *LISTS), lambda: pa.types.is_integer(kind)),
        "correct": lambda: pa.types.is_boolean(kind),
    }.get(name, lambda: pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if not fits():
        return f"{kind} is none of its types"
    if name in (*COUNTS, *LISTS) and len(values):
        ends = pc.min_max(values).as_py()
        if ends["min"] < 0:
            return f"{ends['min']} is below 0"
        if name in CLASSES and ends["max"] >= len(run.classes):
            return f"class {ends['max']}, but classes.json has {len(run.classes)}, counted from 0"
    return ""


def align(runs: Sequence[Run], baseline: int) -> Aligned:
    """Find the common samples. Raises InputError if there are none, naming two runs that share none."""
    tables = [column(run, ("index", "id")) for run in runs]
    positions = [t.column("index").to_numpy().astype(np.int64) for t in tables]
    first = tables[baseline].column("id")
    if all(t.column("id").equals(first) for t in tables):
        rows = np.tile(np.arange(len(first)), (len(runs), 1))
        same = (np.array(positions) == positions[baseline]).all()
        notes = [] if same else ["The runs' data hold the same samples in another order; they were aligned by id."]
        return _checked(Aligned(_ids(first), rows, np.array(positions), [0] * len(runs), notes), runs)
    keys = _keys([_ids(t.column("id")) for t in tables])
    common = keys[baseline]
    for key in keys:
        common = common[common.isin(key)]
    for run, key in zip(runs, keys, strict=True):
        if not keys[baseline].isin(key).any():
            raise InputError(
                f"{title(run)} and {title(runs[baseline])} have no sample in common: compare runs on the same data."
            )
    rows = np.stack([key.get_indexer(common) for key in keys])
    index = np.stack([p[r] for p, r in zip(positions, rows, strict=True)])
    left_out = [len(key) - len(common) for key in keys]
    notes = []
    if any(left_out):
        most = ", ".join(f"{n:,} of {name(r)}" for n, r in zip(left_out, runs, strict=True) if n)
        notes.append(f"Compared on the {len(common):,} samples that all runs have; left out: {most}.")
    if not all((np.diff(r) > 0).all() for r in rows):
        notes.append("The runs' data hold the samples in another order; they were aligned by id.")
    ids = np.asarray(_ids(first), object)[rows[baseline]]
    return _checked(Aligned(ids, rows, index, left_out, notes), runs)


def _checked(found: Aligned, runs: Sequence[Run]) -> Aligned:
    if not len(found.ids):
        names = ", ".join(title(r) for r in runs)
        raise InputError(f"There is no sample that all of these runs have: {names}: compare runs on the same data.")
    return found


def _ids(ids: pa.ChunkedArray) -> NDArray[np.object_]:
    return np.asarray(ids.to_pandas(), object)


def _keys(ids: Sequence[NDArray[np.object_]]) -> list[pd.Index]:
    """Ids of every run, each unique: where a run has "a" twice, the second is another sample than the first."""
    found = [pd.Series(i) for i in ids]
    if all(f.is_unique for f in found):
        return [pd.Index(f) for f in found]
    return [pd.MultiIndex.from_arrays([f, f.groupby(f).cumcount()]) for f in found]
