"""Tables for papers and pages: LaTeX (booktabs) and Markdown, in the words of the app.

What ``tables.table_of`` gives becomes models by metrics, the best value bold; of a comparison a metric a row, and
beside the values the differences to the baseline. What ``tables.class_table_of`` gives becomes a class a row; of
several models the most telling metric of each beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.explore.comparing.classes import SUPPORT
from dashboard.reporting.words import Words, metric_name

SPREADS = ("interval", "plus_minus", "none")
GAPS = ("_difference", "_difference_low", "_difference_high")
"""How columns of differences end."""
MOST_COLUMNS = 8
"""Metrics beside each other; of more, models stand beside each other."""
MOST_CLASSES = 40
"""Rows of classes: of more, those that lose and gain most, or are worst."""
TELLING = ("ap", "iou", "f1", "HOTA", "recall")
"""Of these the first that there is stands for a class where models are side by side."""
ORDER = ("ap", "ap_50", "ap_75", "iou", "dice", "accuracy", "HOTA", "MOTA", "IDF1", "precision", "recall", "f1")
"""Metrics of a class that come first where there is room for some only."""
BESIDE = ("support", "predicted", "best_f1")
Rows = list[list[tuple[str, bool]]]


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
        "Δ": "$\\Delta$",
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


def for_people(frame: pd.DataFrame, spread: str, pm: str, minus: str) -> tuple[list[str], Rows, int]:
    """Headings, rows of (text, bold), and how many columns at the end are numbers.

    Raises:
        ValueError: ``spread`` is none of ``SPREADS``.
    """
    if spread not in SPREADS:
        raise ValueError(f"spread must be one of {', '.join(SPREADS)}, got {spread!r}")
    if {"model", "class"} <= set(frame.columns) and "task" in frame.attrs:
        return _classes(frame, spread, pm, minus)
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
    names = {m: named(frame, m) + arrows[m] for m in metrics}
    if "difference" in frame:
        others = [m for m in models if frame.loc[frame["model"] == m, "difference"].notna().any()]
        rows = [
            [(names[m], False), *(cell(k, m) for k in models)]
            + [(_gap(by.get((k, m)), spread, pm, minus), False) for k in others]
            for m in metrics
        ]
        return ["metric", *models, *(f"Δ {k}" for k in others)], rows, len(models) + len(others)
    if len(metrics) <= MOST_COLUMNS:
        rows = [[(k, False), *(cell(k, m) for m in metrics)] for k in models]
        return ["model", *(names[m] for m in metrics)], rows, len(metrics)
    rows = [[(names[m], False), *(cell(k, m) for k in models)] for m in metrics]
    return ["metric", *models], rows, len(models)


def named(frame: pd.DataFrame, metric: str) -> str:
    """A metric's name in the app; its own where the table does not say what task it is of."""
    task = frame.attrs.get("task")
    if task is None:
        return metric
    if metric == "support" and task in SUPPORT:
        return Words().name(SUPPORT[task]["explain"], short=True)
    own = metric_name(Words(), task, metric)
    if own == metric and metric.startswith("box_"):  # of the boxes around masks
        return f"Box {metric_name(Words(), task, metric.removeprefix('box_'))}"
    return own


def _gap(row: Any, spread: str, pm: str, minus: str) -> str:
    """A difference with its interval and the p-value corrected over the models."""
    if row is None or pd.isna(row.difference):
        return ""
    text = _signed(row.difference, row.difference_low, row.difference_high, spread, pm, minus)
    if pd.isna(row.p_holm):
        return text
    return f"{text}, p < 0.001" if row.p_holm < 0.001 else f"{text}, p = {row.p_holm:.3f}"


def _signed(value: float, low: float, high: float, spread: str, pm: str, minus: str) -> str:
    """A difference, its sign always written, with its interval."""
    plain = [f"{'' if v < 0 or number(v, '-') == 'n/a' else '+'}{number(v, minus)}" for v in (value, low, high)]
    if spread == "none" or pd.isna(low) or pd.isna(high):
        return plain[0]
    if spread == "plus_minus":
        return f"{plain[0]} {pm} {number(max(high - value, value - low), minus)}"
    return f"{plain[0]} [{plain[1]}, {plain[2]}]"


def _metrics(frame: pd.DataFrame) -> list[str]:
    """Columns that are metrics of a class; thresholds are for the program that draws them."""
    left = (*GAPS, "_low", "_high", "threshold")
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    return [c for c in numeric if c not in BESIDE and not c.endswith(left)]


def telling(frame: pd.DataFrame) -> str:
    """The metric that stands for a class where models are side by side."""
    metrics = _metrics(frame)
    known = [m for m in metrics if m + GAPS[0] in frame] or metrics
    return next((m for m in TELLING if m in known), known[0])


def _shown(frame: pd.DataFrame) -> list[str]:
    """Classes in the order of the table; of more than ``MOST_CLASSES`` those that lose and gain most, or are worst."""
    classes = list(dict.fromkeys(frame["class"]))
    if len(classes) <= MOST_CLASSES:
        return classes
    metric = telling(frame)
    if metric + GAPS[0] in frame:
        gaps = frame.groupby("class", sort=False)[metric + GAPS[0]]
        low, high = gaps.min().sort_values(kind="stable"), gaps.max().sort_values(kind="stable", ascending=False)
        kept = {*low.index[: MOST_CLASSES // 2]}
        kept |= {*[c for c in high.index if c not in kept][: MOST_CLASSES // 2]}
    else:
        kept = {*frame.groupby("class", sort=False)[metric].min().sort_values(kind="stable").index[:MOST_CLASSES]}
    return [c for c in classes if c in kept]


def _classes(frame: pd.DataFrame, spread: str, pm: str, minus: str) -> tuple[list[str], Rows, int]:
    """A class a row: every metric of one model; of several models one metric of each, and the differences."""
    models = list(dict.fromkeys(frame["model"]))
    by: dict[tuple[str, str], Mapping[str, Any]] = {(r["model"], r["class"]): r for r in frame.to_dict("records")}
    classes = _shown(frame)
    counts = ["support"] if "support" in frame else []
    if len(models) == 1:
        place = {name: k for k, name in enumerate(ORDER)}
        columns = counts + sorted(_metrics(frame), key=lambda m: place.get(m, len(place)))[:MOST_COLUMNS]
        rows = [[(c, False), *((number(by[models[0], c][m], minus), False) for m in columns)] for c in classes]
        return ["class", *(named(frame, m) for m in columns)], rows, len(columns)
    metric, base = telling(frame), frame.attrs.get("baseline")
    others = [m for m in models if m != base] if metric + GAPS[0] in frame else []
    rows = []
    for c in classes:
        seen = [by.get((m, c), {}) for m in models]
        first = next(r for r in seen if r)
        row = [(c, False), *((number(first[n], minus), False) for n in counts)]
        row += [(number(r.get(metric), minus), False) for r in seen]
        for m in others:
            low, high = (by.get((m, c), {}).get(metric + end, np.nan) for end in GAPS[1:])
            gap = by.get((m, c), {}).get(metric + GAPS[0], np.nan)
            row.append(("" if pd.isna(gap) else _signed(gap, low, high, spread, pm, minus), False))
        rows.append(row)
    heads = ["class", *(named(frame, n) for n in counts), *(f"{m}, {named(frame, metric)}" for m in models)]
    return [*heads, *(f"Δ {m}" for m in others)], rows, len(heads) - 1 + len(others)


def said_below(frame: pd.DataFrame, spread: str, tex: bool) -> str:
    """What has to be known of a table: what bold, brackets and Δ are, and what is left out; "" of any other table."""
    said = []
    if {"value", "higher_is_better"} <= set(frame.columns):
        said.append("Bold: the best value, whether or not it can be told apart.")
    if "difference" in frame and frame["difference"].notna().any():
        base = [m for m in dict.fromkeys(frame["model"]) if frame.loc[frame["model"] == m, "difference"].isna().all()]
        said.append(f"Δ: difference to {', '.join(base)} on the same samples; p corrected by Holm.")
    if frame.attrs.get("baseline") is not None:
        said.append(f"Δ: difference to {frame.attrs['baseline']} on the same samples.")
    if "class" in frame and "task" in frame.attrs:
        left = frame["class"].nunique() - len(_shown(frame))
        said += [f"{left:,} more classes are in the CSV and Parquet tables."] if left else []
        kept = 1 if frame["model"].nunique() > 1 else MOST_COLUMNS
        said += ["Further metrics are in the CSV and Parquet tables."] if len(_metrics(frame)) > kept else []
    ends = [c for c in frame.columns if c in ("low", "difference_low") or c.endswith(GAPS[1])]
    if said and spread != "none" and frame[ends].notna().any(axis=None):
        said.append("Intervals: 95 %.")
    if not said:
        return ""
    return "".join(f"% {_latex_text(line)}\n" for line in said) if tex else f"\n{_markdown_text(' '.join(said))}\n"


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
