"""Loupe from Python, second half: what is done with finished runs, and lists of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.api import engine_on
from dashboard.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.comparing.shapes import Comparison
    from dashboard.store import Run


def compare(
    runs: Sequence[Run | str],
    baseline: int | str = 0,
    *,
    resamples: int | None = None,
    seed: int = 0,
    store: str | Path | None = None,
) -> Comparison:
    """Two to eight runs of a task on the same samples, with paired 95 % intervals and p-values.

    Args:
        runs: runs or their ids.
        baseline: the run that the others are compared with: its place, or its id.
        resamples: of the paired bootstrap; 2,000 by default.
        seed: of it.
        store: folder of runs.

    Raises:
        InputError: other tasks, nothing in common, an unknown run.
    """
    from dashboard.comparing.compare import compare as compare_runs
    from dashboard.comparing.shapes import RESAMPLES

    found = _runs(runs, store)
    return compare_runs(found, _place(found, baseline), resamples or RESAMPLES, seed)


def report(
    runs: Run | str | Sequence[Run | str],
    out: str | Path,
    *,
    baseline: int | str = 0,
    title: str | None = None,
    language: str = "en",
    store: str | Path | None = None,
) -> Path:
    """A run, or a comparison of several, as one HTML file that needs nothing else. Returns its path.

    Args:
        runs: a run or its id, or several.
        out: the file.
        baseline: the run that the others are compared with: its place, or its id.
        title: of the page.
        language: "en" or "zh-TW".
        store: folder of runs.

    Raises:
        InputError: in one sentence.
    """
    from dashboard.reporting.report import write_report

    engine = engine_on(store)
    found = _runs(runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs], store)
    return write_report(
        engine.store, found, Path(out).expanduser(), baseline=_place(found, baseline), pictures=engine.pictures,
        title=title, language=language,
    )  # fmt: skip


def _runs(runs: Sequence[Run | str], store: str | Path | None) -> list[Run]:
    return [get_run(run, store) if isinstance(run, str) else run for run in runs]


def _place(runs: Sequence[Run], baseline: int | str) -> int:
    """The baseline's place. Raises InputError if it is none of the runs."""
    ids = [r.id for r in runs]
    if isinstance(baseline, str) and baseline in ids:
        return ids.index(baseline)
    if isinstance(baseline, int) and 0 <= baseline < len(ids):
        return baseline
    raise InputError(f"The baseline {baseline!r} is none of the {len(ids)} runs: give its place (from 0) or its id.")


def list_runs(task: str | None = None, store: str | Path | None = None) -> list[Run]:
    """Finished runs, newest first; only those of ``task`` if it is given."""
    return engine_on(store).store.runs(task)


def get_run(run_id: str, store: str | Path | None = None) -> Run:
    """A finished run by its id. Raises InputError if there is none."""
    return engine_on(store).store.get(run_id)


def list_models(task: str | None = None, here: bool = False) -> pd.DataFrame:
    """Models that can be loaded, one a row; with ``here`` only those that need no download."""
    import pandas as pd

    from models.load import model_rows

    return pd.DataFrame([row for row in model_rows(task=task) if row["here"] or not here])


def list_datasets(task: str | None = None) -> pd.DataFrame:
    """Built-in datasets and dataset formats, one a row and task."""
    import pandas as pd

    from dashboard.datasets.opening import list_datasets as rows_of

    return pd.DataFrame(rows_of(task))


def table(runs: Sequence[Run | str], store: str | Path | None = None) -> pd.DataFrame:
    """Key figures of runs, one run a row; rates are fractions of 0..1, undefined is NaN."""
    import pandas as pd

    found = _runs(runs, store)
    frame = pd.DataFrame(
        [{"model": r.model, "dataset": r.dataset, "samples": r.samples, **r.metrics} for r in found],
        index=pd.Index([r.id for r in found], name="run"),
    )
    numbers = [c for c in frame if c not in ("model", "dataset")]
    return frame.astype({c: float for c in numbers if c != "samples"})


def rows(run: Run | str, store: str | Path | None = None) -> pd.DataFrame:
    """One row a sample (tracking: a frame): what was right and wrong there. Raises InputError if a run has none."""
    import pandas as pd

    found = _runs([run], store)[0]
    if not found.rows_path.is_file():
        raise InputError(f"{found.id} has no rows of samples: its numbers are all there is of it.")
    return pd.read_parquet(found.rows_path)
