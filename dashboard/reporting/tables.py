"""Numbers as tables for other programs and for papers: CSV, Parquet, LaTeX (booktabs) and Markdown."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.comparing.shapes import Comparison
from dashboard.errors import InputError
from dashboard.explore import overview
from dashboard.explore.tracking.tables import result_table
from dashboard.reporting.pages import labels
from dashboard.reporting.printed import GAPS, SPREADS, latex, markdown, number, said_below
from dashboard.reporting.writing import write_whole
from dashboard.results import Scalars
from dashboard.store import Run

__all__ = ["SPREADS", "SUFFIXES", "csv_text", "harmless", "latex", "markdown", "number", "table_of", "write_table"]
SUFFIXES = (".csv", ".parquet", ".tex", ".md")
FACTS = ["model", "dataset", "samples", "metric", "value", "low", "high", "higher_is_better"]
DIFFERENCES = ["difference", "difference_low", "difference_high", "p", "p_holm", "method"]
LOWER_COSTS = ("params", "macs", "flops", "latency_ms", "peak_memory_mb", "cold_start_s")


def table_of(source: Sequence[Run] | Comparison, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Every metric of every run: one row each.

    Args:
        source: runs, or their comparison; then with differences to the baseline on the common samples.
        metrics: only these, in this order.

    Returns:
        Columns ``model``, ``dataset``, ``samples``, ``metric``, ``value``, ``low``, ``high`` (the 95 % interval),
        ``higher_is_better``; of a comparison ``difference`` (with ``_low`` and ``_high``), ``p``, ``p_holm`` and
        ``method`` as well, empty for the baseline; last ``run``, its id. Undefined numbers are NaN.
    """
    frame = _compared(source) if isinstance(source, Comparison) else _plain(source)
    if metrics is not None:
        place = {name: k for k, name in enumerate(metrics)}
        frame = frame[frame["metric"].isin(place)]
        frame = frame.sort_values("metric", key=lambda c: c.map(place), kind="stable").reset_index(drop=True)
    frame.attrs = {"task": source.task if isinstance(source, Comparison) else source[0].task}
    return frame


def _plain(runs: Sequence[Run]) -> pd.DataFrame:
    """Runs as they are stored."""
    names = labels(runs)
    better: dict[str, bool] = dict.fromkeys(LOWER_COSTS, False) | {"throughput_per_s": True, "FPS": True}
    for run in runs if runs[0].task != "profile" else ():
        for result in run.results().values():
            better |= dict(result.higher_is_better) if isinstance(result, Scalars) else {}
    rows = []
    for metric in dict.fromkeys(n for r in runs for n in r.metrics):
        for name, run in zip(names, runs, strict=True):
            value = run.metrics.get(metric)
            low, high = run.intervals.get(metric, (np.nan, np.nan))
            numbers = {"value": np.nan if value is None else float(value), "low": low, "high": high}
            facts = {"model": name, "dataset": run.dataset, "samples": run.samples, "metric": metric}
            rows.append({**facts, **numbers, "higher_is_better": better.get(metric), "run": run.id})
    return pd.DataFrame(rows, columns=[*FACTS, "run"]).astype({"higher_is_better": "boolean"})


def _compared(found: Comparison) -> pd.DataFrame:
    """Runs on their common samples."""
    names = labels(found.runs)
    by = {(d.metric, d.run): d for d in found.differences}
    rows = []
    for figure in found.figures:
        for k, run in enumerate(found.runs):
            d = by.get((figure.name, k))
            facts = {"model": names[k], "dataset": run.dataset, "samples": len(found.ids), "metric": figure.name}
            row = {**facts, "value": float(figure.values[k]), "higher_is_better": figure.higher_is_better}
            row |= {"low": float(figure.intervals[k][0]), "high": float(figure.intervals[k][1])}
            gap = (d.value, d.low, d.high, d.p, d.p_holm, d.method) if d else (np.nan,) * 5 + ("",)
            rows.append({**row, **dict(zip(DIFFERENCES, gap, strict=True)), "run": run.id})
    return pd.DataFrame(rows, columns=[*FACTS, *DIFFERENCES, "run"]).astype({"higher_is_better": "boolean"})


def class_table_of(source: Sequence[Run] | Comparison, what: str = "per_class") -> pd.DataFrame:
    """One row a class of each run: ``model``, ``class`` and every metric by class; of tracking ``per_sequence``, too.

    Of a comparison also, of each metric that has it, ``METRIC_difference`` to the baseline on the common samples with
    ``METRIC_difference_low`` and ``METRIC_difference_high``, empty for the baseline.

    Raises:
        InputError: the runs have no such table.
    """
    found = source if isinstance(source, Comparison) else None
    runs = source.runs if isinstance(source, Comparison) else source
    frames = []
    for place, (name, run) in enumerate(zip(labels(runs), runs, strict=True)):
        if run.task == "tracking":
            rows, columns = result_table(run, what, False)
        else:
            rows, columns = overview.class_columns(run) if run.task not in ("profile", "enhancement") else ([], {})
        if rows:
            columns = {k: v for k, v in columns.items() if len(v) == len(rows)}
            if found is not None and what == "per_class":
                columns |= _differences(found, place, rows, columns)
            frame = pd.DataFrame({"model": name, what.removeprefix("per_"): rows, **columns})
            if "support" in frame and run.task != "tracking":
                seen = frame["support"] > 0
                frame = frame[seen | (frame["predicted"] > 0 if "predicted" in frame else seen)]
            frames.append(frame)
    if not frames:
        raise InputError(f"Runs of {runs[0].task} have no table {what.replace('_', ' ')}: export their metrics.")
    table = pd.concat(frames, ignore_index=True)
    table.attrs = {"task": runs[0].task} | ({} if found is None else {"baseline": labels(runs)[found.baseline]})
    return table


def _differences(
    found: Comparison, run: int, rows: Sequence[str], columns: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """A run's differences by class, a value for each of ``rows``; NaN where there is none."""
    out: dict[str, NDArray[np.float64]] = {}
    for c in found.classes:
        if c.metric in columns:
            place = {name: k for k, name in enumerate(c.classes)}
            at = np.array([place.get(name, -1) for name in rows])
            gap = c.values[run] - c.values[found.baseline]
            own = (gap, c.low[run], c.high[run]) if run != found.baseline else (np.full(len(gap), np.nan),) * 3
            for name, values in zip(GAPS, own, strict=True):
                out[c.metric + name] = np.where(at < 0, np.nan, np.append(values, np.nan)[at])
    return out


def write_table(frame: pd.DataFrame, path: Path, spread: str = "interval") -> Path:
    """Write a table by its suffix, whole or not at all.

    CSV and Parquet hold every column; Parquet is exact, while in CSV a text that a spreadsheet would take for a formula
    gets an apostrophe before it. LaTeX and Markdown are for people, see ``dashboard.reporting.printed``.

    Args:
        frame: any table.
        path: ending in one of ``SUFFIXES``.
        spread: how intervals are written for people: one of ``SPREADS``.

    Raises:
        InputError: another suffix, or ``path`` cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return write_whole(path, csv_text(frame).encode())
    if suffix == ".parquet":
        out = io.BytesIO()
        frame.to_parquet(out, index=False)
        return write_whole(path, out.getvalue())
    if suffix in (".tex", ".md"):
        text = latex(frame, spread) if suffix == ".tex" else markdown(frame, spread)
        return write_whole(path, (text + said_below(frame, spread, suffix == ".tex")).encode())
    raise InputError(f"{path} is of no known kind: end the name in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.")


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet will not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV that a spreadsheet can open without running anything."""
    safe = frame.rename(columns=harmless)
    for place in range(safe.shape[1]):
        column = safe.iloc[:, place]
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            safe.isetitem(place, column.map(harmless))
    return str(safe.to_csv(index=False, lineterminator="\n"))
