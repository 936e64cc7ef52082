"""Numbers as tables for other programs and for papers: CSV, Parquet, LaTeX (booktabs) and Markdown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dashboard.comparing.shapes import Comparison
from dashboard.errors import InputError
from dashboard.explore import overview
from dashboard.explore.tracking.tables import result_table
from dashboard.reporting.pages import labels
from dashboard.reporting.writing import write_whole
from dashboard.results import Scalars
from dashboard.store import Run

SUFFIXES = (".csv", ".parquet", ".tex", ".md")
SPREADS = ("interval", "plus_minus", "none")
FACTS = ["model", "dataset", "samples", "metric", "value", "low", "high", "higher_is_better"]
DIFFERENCES = ["difference", "difference_low", "difference_high", "p", "p_holm", "method"]
LOWER_COSTS = ("params", "macs", "flops", "latency_ms", "peak_memory_mb", "cold_start_s")
MOST_COLUMNS = 8
"""Metrics beside each other in a table for people; of more, models stand beside each other."""


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


def class_table_of(runs: Sequence[Run], what: str = "per_class") -> pd.DataFrame:
    """One row a class of each run: ``model``, ``class`` and every metric by class; of tracking ``per_sequence``, too.

    Raises:
        InputError: the runs have no such table.
    """
    frames = []
    for name, run in zip(labels(runs), runs, strict=True):
        if run.task == "tracking":
            rows, columns = result_table(run, what, False)
        else:
            rows, columns = overview.class_columns(run) if run.task not in ("profile", "enhancement") else ([], {})
        if rows:
            columns = {k: v for k, v in columns.items() if len(v) == len(rows)}
            frame = pd.DataFrame({"model": name, what.removeprefix("per_"): rows, **columns})
            if "support" in frame and run.task != "tracking":
                seen = frame["support"] > 0
                frame = frame[seen | (frame["predicted"] > 0 if "predicted" in frame else seen)]
            frames.append(frame)
    if not frames:
        raise InputError(f"Runs of {runs[0].task} have no table {what.replace('_', ' ')}: export their metrics.")
    return pd.concat(frames, ignore_index=True)


def write_table(frame: pd.DataFrame, path: Path, spread: str = "interval") -> Path:
    """Write a table by its suffix, whole or not at all.

    CSV and Parquet hold every column; Parquet is exact, while in CSV a text that a spreadsheet would take for a formula
    gets an apostrophe before it. LaTeX and Markdown are for people: what ``table_of`` gives becomes models by metrics,
    the best bold.

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
        return write_whole(path, (latex if suffix == ".tex" else markdown)(frame, spread).encode())
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


Cell = Callable[[str, bool], str]


def latex(frame: pd.DataFrame, spread: str = "interval") -> str:
    """A table for LaTeX; needs ``\\usepackage{booktabs}``."""
    heads, rows, wide = for_people(frame, spread, pm="$\\pm$", minus="$-$")

    def written(text: str, bold: bool) -> str:
        kept = [_latex_text(part) for part in re.split(r"(\$\\pm\$|\$-\$)", text)]
        return f"\\textbf{{{''.join(kept)}}}" if bold else "".join(kept)

    lines = [" & ".join(written(t, b) for t, b in row) + r" \\" for row in rows]
    head = " & ".join(_latex_text(h) for h in heads) + r" \\"
    columns = "l" * (len(heads) - wide) + "r" * wide
    note = "% \\usepackage{booktabs}"
    body = [note, f"\\begin{{tabular}}{{{columns}}}", "\\toprule", head, "\\midrule", *lines, "\\bottomrule"]
    return "\n".join([*body, "\\end{tabular}", ""])


def _latex_text(text: str) -> str:
    """Letter for letter, but for the two signs that are LaTeX already."""
    if text in ("$\\pm$", "$-$"):
        return text
    special: Mapping[str, str] = {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
        "\\": "\\textbackslash{}",
        "<": "\\textless{}",
        ">": "\\textgreater{}",
        "|": "\\textbar{}",
        "↑": "$\\uparrow$",
        "↓": "$\\downarrow$",
        "·": "$\\cdot$",
        "\n": " ",
        "\r": " ",
    }
    return "".join(special.get(c, c) for c in text)


def markdown(frame: pd.DataFrame, spread: str = "interval") -> str:
    """A table for Markdown."""
    heads, rows, wide = for_people(frame, spread, pm="±", minus="−")
    lines = ["| " + " | ".join(_markdown_text(h) for h in heads) + " |"]
    lines.append("|" + " :-- |" * (len(heads) - wide) + " --: |" * wide)
    for row in rows:
        cells = [f"**{_markdown_text(t)}**" if bold else _markdown_text(t) for t, bold in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _markdown_text(text: str) -> str:
    """Letter for letter: no bars, line ends, tags, links or emphasis."""
    text = re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", text)
    return re.sub(r"\s+", " ", text)


def for_people(
    frame: pd.DataFrame, spread: str, pm: str, minus: str
) -> tuple[list[str], list[list[tuple[str, bool]]], int]:
    """Headings, rows of (text, bold), and how many columns at the end are numbers.

    Raises:
        ValueError: ``spread`` is none of ``SPREADS``.
    """
    if spread not in SPREADS:
        raise ValueError(f"spread must be one of {', '.join(SPREADS)}, got {spread!r}")
    if not {"model", "metric", "value", "low", "high", "higher_is_better"} <= set(frame.columns):
        numeric = [pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns]
        wide = len(numeric) - next((k for k in range(len(numeric), 0, -1) if not numeric[k - 1]), 0)
        cells = [[(number(v, minus), False) for v in row] for row in frame.itertuples(index=False)]
        return [str(c) for c in frame.columns], cells, wide
    models, metrics = (list(dict.fromkeys(frame[c])) for c in ("model", "metric"))
    by = {(r.model, r.metric): r for r in frame.itertuples(index=False)}
    best = {m: _best([by.get((k, m)) for k in models]) for m in metrics}

    def cell(model: str, metric: str) -> tuple[str, bool]:
        row: Any = by.get((model, metric))
        if row is None:
            return "", False
        return spread_text(row, spread, pm, minus), model in best[metric]

    arrows = {m: _arrow(frame[frame["metric"] == m]["higher_is_better"].iloc[0]) for m in metrics}
    if len(metrics) <= MOST_COLUMNS:
        rows = [[(k, False), *(cell(k, m) for m in metrics)] for k in models]
        return ["model", *(m + arrows[m] for m in metrics)], rows, len(metrics)
    rows = [[(m + arrows[m], False), *(cell(k, m) for k in models)] for m in metrics]
    return ["metric", *models], rows, len(models)


def _arrow(higher: Any) -> str:
    """Which way is better."""
    return "" if pd.isna(higher) else " ↑" if higher else " ↓"


def _best(rows: Sequence[Any]) -> set[str]:
    """Models with the best value, as it is written; none if all are the same or neither way is better."""
    known = [r for r in rows if r is not None and not pd.isna(r.value)]
    if len(known) < 2 or pd.isna(known[0].higher_is_better):
        return set()
    values = [float(number(r.value, "-").replace(",", "")) for r in known]
    top = max(values) if known[0].higher_is_better else min(values)
    return set() if min(values) == max(values) else {r.model for r, v in zip(known, values, strict=True) if v == top}


def spread_text(row: Any, spread: str, pm: str, minus: str) -> str:
    """A value with its interval."""
    value = number(row.value, minus)
    if spread == "none" or pd.isna(row.low) or pd.isna(row.value):
        return value
    if spread == "plus_minus":
        return f"{value} {pm} {number(max(row.high - row.value, row.value - row.low), minus)}"
    return f"{value} [{number(row.low, minus)}, {number(row.high, minus)}]"


def number(value: Any, minus: str) -> str:
    """A cell: whole numbers as they are, three decimals below ten, fewer above; texts as they are."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return "n/a"
    if isinstance(value, (bool, np.bool_, str)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return str(value)
    whole_one, value = isinstance(value, (int, np.integer)), float(value)
    if whole_one or (value.is_integer() and abs(value) >= 10):
        text = f"{int(value):,}"
    elif np.isinf(value):
        text = "inf" if value > 0 else "-inf"
    else:
        size = abs(value)
        text = f"{value:.1e}" if 0 < size < 5e-4 else f"{value:.3f}" if size < 10 else f"{value:.2f}"
    return text.replace("-", minus, 1) if text.startswith("-") else text
