"""From stored runs to what the views show: plain JSON data, no Gradio. The first run in a list is drawn first everywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import duckdb
import numpy as np
import pandas as pd

from dashboard import figures
from dashboard.datasets.base import Dataset
from dashboard.datasets.images import thumbnail
from dashboard.errors import InputError
from dashboard.metrics.losses import LOSSES, focal
from dashboard.metrics.ranking import threshold_counts
from dashboard.predictions import class_scores, scores_of
from dashboard.results import ClassTable, Curves, Distribution, Scalars
from dashboard.selection import Selection, join_runs, select
from dashboard.store import Run

Data = dict[str, Any]
KEY_FIGURES = (
    *("top1", "top5", "balanced_accuracy", "f1_macro", "auroc_macro", "ece", "log_loss"),
    *("map", "f1_samples", "subset_accuracy", "hamming_loss", "bce"),
)
LOWER_IS_BETTER = ("ece", "mce", "log_loss", "brier", "hamming_loss", "bce")
IMBALANCE = 5  # largest class over smallest
THUMB, LARGE = 168, 1280
KNOWN_CHARTS = ("roc", "pr", "reliability", "confidence")


def class_columns(run: Run) -> tuple[list[str], dict[str, np.ndarray]]:
    """Every per-class column of a run in one table: class names, and column name to (C,) values."""
    names: list[str] = []
    columns: dict[str, np.ndarray] = {}
    for result in run.results().values():
        if isinstance(result, ClassTable):
            names = list(result.classes)
            columns = {**result.columns, **columns}
    return names, columns


def shown_classes(run: Run, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Classes worth a row: those the truth or a prediction has (a model may know a thousand others)."""
    seen = np.asarray(columns["support"]) > 0
    if "predicted" in columns:
        seen |= np.asarray(columns["predicted"]) > 0
    return np.flatnonzero(seen)


def figures_data(runs: Sequence[Run], names: Sequence[str] | None = None) -> Data:
    """Cards of key figures with intervals, the best marked; ``names`` None for the usual ones."""
    chosen = [n for n in (names or KEY_FIGURES) if any(r.metrics.get(n) is not None for r in runs)]
    few = all(len(r.classes) <= 5 for r in runs)
    cards = [_card(runs, n) for n in chosen if not (few and n == "top5")]
    if names is None and any(r.timing.get("latency_ms") for r in runs):
        cards.append(_latency_card(runs))
    models = [{"name": r.model, "note": f"{r.dataset} · {r.samples:,}"} for r in runs]
    return {"models": models, "figures": cards, "warnings": warnings(runs) if names is None else []}


def other_figures(runs: Sequence[Run]) -> list[str]:
    """Names of the scalars that are not key figures, in the order they were computed."""
    names = dict.fromkeys(n for r in runs for n in r.metrics)
    return [n for n in names if n not in KEY_FIGURES]


def _card(runs: Sequence[Run], name: str) -> Data:
    """One metric over runs."""
    values = [r.metrics.get(name) for r in runs]
    cells: list[Data] = []
    for run, value in zip(runs, values, strict=True):
        low, high = run.intervals.get(name, (None, None))
        cells.append({"value": value, "low": low, "high": high})
    _mark_best(cells, name in LOWER_IS_BETTER)
    ends = [x for c in cells for x in (c["value"], c["high"]) if x is not None]
    return {"key": name, "cells": cells, "scale": [0, max([1.0, *ends])] if name == "log_loss" else [0, 1]}


def _latency_card(runs: Sequence[Run]) -> Data:
    """Median batch-1 latency, with the evaluation's throughput as a note."""
    cells: list[Data] = []
    for run in runs:
        rate = run.timing.get("throughput_per_s")
        note = f"{rate:,.0f}/s" if rate and rate >= 10 else f"{rate:.1f}/s" if rate else ""
        cells.append({"value": (run.timing.get("latency_ms") or {}).get("p50"), "note": note})
    _mark_best(cells, lower=True)
    return {"key": "latency", "cells": cells, "format": "ms"}


def _mark_best(cells: list[Data], lower: bool) -> None:
    """A star for the best of several, unless they are equal."""
    values = [c["value"] for c in cells if c["value"] is not None]
    if len(values) < 2 or min(values) == max(values):
        return
    best = min(values) if lower else max(values)
    for cell in cells:
        cell["best"] = cell["value"] == best


def warnings(runs: Sequence[Run]) -> list[Data]:
    """What a reader must know before believing the numbers, as text keys with their facts."""
    found: list[Data] = []
    for run in runs[:1]:
        names, columns = class_columns(run)
        support = np.asarray(columns["support"])
        present = np.flatnonzero(support)
        if present.size > 1 and not run.facts.get("multilabel"):
            big, small = present[support[present].argmax()], present[support[present].argmin()]
            if support[big] >= IMBALANCE * support[small]:
                share = support[big] / support.sum()
                facts = {"big": names[big], "n": int(support[big]), "small": names[small], "m": int(support[small])}
                found.append({"key": "ui.warn.imbalance", "explain": "imbalance", "vars": facts | {"share": f"{share:.0%}"}})
        found += [{"text": w} for w in run.facts.get("dataset_facts", {}).get("warnings", [])]
    for run in runs:
        skipped = run.facts.get("skipped", [])
        if skipped:
            first = ", ".join(s["id"] for s in skipped[:3]) + (" …" if len(skipped) > 3 else "")
            found.append({"key": "ui.warn.skipped", "vars": {"n": len(skipped), "first": first, "model": run.model}})
    if len({r.facts.get("dataset_facts", {}).get("fingerprint") for r in runs}) > 1:
        found.append({"key": "ui.warn.datasets"})
    return found


TABLE = ("support", "precision", "recall", "f1", "specificity", "average_precision", "auroc")


def table_data(run: Run, selected: int | None = None) -> Data:
    """The per-class table; ``classes`` maps its rows to class numbers."""
    names, columns = class_columns(run)
    rows = shown_classes(run, columns)
    present = [c for c in TABLE if c in columns]
    heads = [{"label": "ui.class", "kind": "name"}]
    heads += [{"explain": c, "kind": "count" if c == "support" else "rate", "short": f"ui.short.{c}"} for c in present]
    values = [[names[i], *(_cell(columns[c][i]) for c in present)] for i in rows]
    place = np.flatnonzero(rows == selected) if selected is not None else []
    sort = [1 + present.index("f1"), 1] if len(rows) > 30 and "f1" in present else None
    return {
        "key": run.id,
        "columns": heads,
        "rows": values,
        "classes": rows.tolist(),
        "selected": int(place[0]) if len(place) else None,
        "sort": sort,
    }


def _cell(value: Any) -> float | int | None:
    """A number for JSON, None where undefined."""
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not np.isfinite(number) else number


def _b64(values: np.ndarray, kind: str) -> str:
    """Little-endian bytes as text."""
    return base64.b64encode(np.ascontiguousarray(values, kind)).decode()


def to_grid(confidence: np.ndarray) -> np.ndarray:
    """The largest k with k/1000 <= confidence: at threshold k/1000 exactly those with a value >= k pass."""
    return np.searchsorted(np.arange(1001) / 1000, confidence.astype(np.float64), side="right") - 1


def matrix_data(run: Run, label: int | None = None) -> Data | None:
    """What the browser needs to recompute matrix, precision, recall and F1 at any threshold; None if multi-label.

    Classes that neither truth nor predictions have are left out. ``label`` adds that class against the rest.
    """
    if run.facts.get("multilabel"):
        return None
    with duckdb.connect() as db:
        columns = db.execute(
            "select label, predicted, confidence from read_parquet(?) order by index", [str(run.rows_path)]
        ).fetchnumpy()
    names = run.classes
    used = np.unique(np.concatenate([columns["label"], columns["predicted"]]))
    place = np.zeros(len(names), np.uint16)
    place[used] = np.arange(len(used))
    data: Data = {
        "key": run.id,
        "classes": [names[i] for i in used],
        "numbers": used.tolist(),
        "labels": _b64(place[columns["label"]], "<u2"),
        "predicted": _b64(place[columns["predicted"]], "<u2"),
        "confidence": _b64(np.clip(to_grid(np.asarray(columns["confidence"])), 0, 1000), "<u2"),
    }
    if label is not None and run.facts.get("has_scores", True):
        data["one"] = one_class(run, label)
    return data


def one_class(run: Run, label: int) -> Data:
    """One class against the rest: exact counts at every threshold of the slider, Youden's and the best-F1 threshold."""
    scores, positive = class_scores(run.predictions_path, label), truth_of(run, label)
    positives, negatives = threshold_counts(scores, positive)
    names, columns = class_columns(run)
    return {
        "index": label,
        "name": names[label],
        "positives": positives.tolist(),
        "negatives": negatives.tolist(),
        "youden": _cell(columns["youden_threshold"][label]),
        "best_f1": _cell(columns["best_f1_threshold"][label]),
    }


def truth_of(run: Run, label: int) -> np.ndarray:
    """(N,) bool, in dataset order: is the sample of that class."""
    column = "list_contains(labels, ?)" if run.facts.get("multilabel") else "label = ?"
    with duckdb.connect() as db:
        query = f"select {column} as hit from read_parquet(?) order by index"
        return np.asarray(db.execute(query, [label, str(run.rows_path)]).fetchnumpy()["hit"], bool)


def charts(runs: Sequence[Run]) -> list[str]:
    """What can be charted: the known kinds first, then any result a new metric brought."""
    found = list(dict.fromkeys(name for run in runs for name in run.results()))
    short = {name.rpartition(".")[2]: name for name in found}
    known = [k for k in KNOWN_CHARTS if k in short]
    handled = {short[k] for k in known} | {n for n in found if n.endswith((".scores", ".per_class", ".confusion"))}
    return known + [n for n in found if n not in handled]


def chart(runs: Sequence[Run], kind: str, label: int | None = None, focus: int = 0) -> figures.Figure:
    """One chart over runs. Points carry (class, threshold) or (low, high, group), so that a click finds its samples."""
    results = [{n.rpartition(".")[2]: r for n, r in run.results().items()} | run.results() for run in runs]
    present = [(k, r[kind]) for k, r in enumerate(results) if kind in r]
    first = present[0][1]
    if kind in ("roc", "pr") and isinstance(first, Curves):
        return _curves(runs, [(k, c) for k, c in present if isinstance(c, Curves)], kind, label, focus)
    if kind == "reliability" and isinstance(first, Curves):
        return _reliability([(runs[k].model, k, c) for k, c in present if isinstance(c, Curves)])
    if isinstance(first, Distribution):
        return figures.distribution(dict(present).get(focus, first), focus)  # type: ignore[arg-type]
    figure = figures.draw(first)
    for k, result in present[1:]:
        if isinstance(result, (Curves, Scalars)):
            more = figures.draw(result)["data"]
            figure["data"] += [t | {"name": f"{runs[k].model} {t.get('name', '')}"} for t in more]
    return figure


def _curves(
    runs: Sequence[Run], present: Sequence[tuple[int, Curves]], kind: str, label: int | None, focus: int
) -> figures.Figure:
    """ROC or PR: averages of every run, thin class lines of the focused one where there are few, the picked class bold."""
    traces: list[Data] = [figures.diagonal()] if kind == "roc" else []
    for k, curves in present:
        names, classes = runs[k].classes, list(curves.labels)
        if k == focus and label is None and len(shown_classes(runs[k], class_columns(runs[k])[1])) <= 12:
            for name in names:
                if name in classes:
                    faint = {"color": "#9ca3af", "width": 1, "dash": "solid"}
                    traces.append(_class_line(curves, classes.index(name), names.index(name), name, k, line=faint, showlegend=False))
        if label is None:
            average = next((a for a in ("macro average", "micro average") if a in classes), None)
            if average:
                i, area = classes.index(average), curves.areas.get(average, np.nan)
                title = f"{runs[k].model} · {average}" + (f" {area:.3f}" if np.isfinite(area) else "")
                traces.append(figures.line(curves.x[i], curves.y[i], title, k))
        elif names[label] in classes:
            i, area = classes.index(names[label]), curves.areas.get(names[label], np.nan)
            title = f"{runs[k].model} · {names[label]}" + (f" {area:.3f}" if np.isfinite(area) else "")
            traces.append(_class_line(curves, i, label, title, k))
            traces += _marks(runs[k], label, kind, k)
    shared = figures.unit_square(figures.layout(figures.axis(present[0][1].x_name), figures.axis(present[0][1].y_name)))
    shared["uirevision"] = f"{kind}-{label}"
    return {"data": traces, "layout": shared}


def _class_line(curves: Curves, i: int, label: int, name: str, k: int, **more: Any) -> Data:
    """A class's curve whose points say which class and threshold they are."""
    trace = figures.line(curves.x[i], curves.y[i], name, k, **more)
    if curves.thresholds is not None:
        t = np.nan_to_num(np.asarray(curves.thresholds[i], float), posinf=1.0000001)
        trace["customdata"] = [[label, float(v)] for v in t]
        trace["hovertemplate"] = f"{name}<br>x %{{x:.3f}} · y %{{y:.3f}} · t %{{customdata[1]:.3f}}<extra></extra>"
    return trace


def _marks(run: Run, label: int, kind: str, k: int) -> list[Data]:
    """Youden's point and the best-F1 point on a class's curve, from exact counts."""
    _, columns = class_columns(run)
    scores, positive = class_scores(run.predictions_path, label), truth_of(run, label)
    found = []
    for name, symbol in (("youden", "triangle-up"), ("best_f1", "diamond")):
        t = columns[f"{name}_threshold"][label]
        if not np.isfinite(t):
            continue
        passed = scores >= t
        tp, fp = int((passed & positive).sum()), int((passed & ~positive).sum())
        recall, fpr, precision = tp / positive.sum(), fp / (~positive).sum(), tp / max(1, tp + fp)
        x, y = (fpr, recall) if kind == "roc" else (recall, precision)
        marker = {"symbol": symbol, "size": 11, "color": figures.COLORS[k % 4], "line": {"color": "#fff", "width": 1}}
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"explain.{name}.name",
                "x": [x],
                "y": [y],
                "marker": marker,
                "customdata": [[label, float(t)]],
                "hovertemplate": f"t {t:.3f}<br>x %{{x:.3f}} · y %{{y:.3f}}<extra></extra>",
                "showlegend": k == 0,
            }
        )
    return found


def _reliability(present: Sequence[tuple[str, int, Curves]]) -> figures.Figure:
    """Accuracy against confidence; a point's size is its share of the samples."""
    traces: list[Data] = [figures.diagonal()]
    for name, k, curves in present:
        counts = np.asarray(curves.weights[0]) if curves.weights is not None else np.ones(len(curves.x[0]))
        bins = 15
        low = np.minimum((np.asarray(curves.x[0]) * bins).astype(int), bins - 1) / bins
        trace = figures.line(curves.x[0], curves.y[0], name, k, mode="lines+markers")
        trace["marker"] = {
            "symbol": figures.SYMBOLS[k % 4],
            "color": figures.COLORS[k % 4],
            "size": list(6 + 14 * np.sqrt(counts / max(1, counts.sum()))),
        }
        trace["customdata"] = [[float(a), float(a + 1 / bins), None, int(n)] for a, n in zip(low, counts, strict=True)]
        trace["hovertemplate"] = f"{name}<br>%{{x:.3f}} → %{{y:.3f}}<br>n %{{customdata[3]}}<extra></extra>"
        traces.append(trace)
    shared = figures.unit_square(figures.layout("ui.axis.confidence", "ui.axis.accuracy"))
    return {"data": traces, "layout": shared}


def gallery_data(
    runs: Sequence[Run],
    pictures: Dataset | None,
    selection: Selection,
    sort: str = "dataset",
    gamma: float = 2.0,
    errors_only: bool = False,
    focus: int = 0,
    most: int = 24,
    thumb: Callable[[Dataset, int], str | None] | None = None,
) -> tuple[Data, list[int]]:
    """Cards of a selection, and all its dataset positions in order."""
    frame = select(runs[focus], selection, sort, gamma, errors_only)
    head = frame.head(most)
    joined = join_runs(head, runs)
    names = runs[focus].classes
    cards = []
    for i, row in enumerate(head.itertuples()):
        answers = [_answer(r.iloc[i], run.classes) for r, run in zip(joined, runs, strict=True)]
        card = {"id": row.id, "index": int(row.index), "truth": _truth(row, names), "answers": [a for a in answers if a]}
        if sort != "dataset":
            card["loss"] = _cell(float(row.loss))
        card["thumb"] = (thumb or thumb_uri)(pictures, int(row.index)) if pictures is not None else None
        cards.append(card)
    data = {"cards": cards, "total": len(frame), "title": title_of(selection, names), "reset": selection["kind"] != "all"}
    return data, [int(i) for i in frame["index"]]


def _truth(row: Any, names: Sequence[str]) -> str:
    """The true label, or labels."""
    labels = getattr(row, "labels", None)
    return names[int(row.label)] if labels is None else ", ".join(names[i] for i in labels) or "∅"


def _answer(row: pd.Series, names: Sequence[str]) -> Data | None:
    """What a run said of a sample; None if it has not seen it."""
    if pd.isna(row["index"]):
        return None
    if "labels" in row:
        said = ", ".join(names[i] for i in row["predicted_labels"]) or "∅"
        return {"text": said, "right": bool(row["correct"]), "confidence": None}
    confidence = _cell(float(row["confidence"]))
    return {"text": names[int(row["predicted"])], "right": bool(row["correct"]), "confidence": confidence}


def title_of(selection: Selection, names: Sequence[str]) -> Data:
    """A selection in words: a text key and its facts."""
    kind = selection["kind"]
    facts = {
        "t": f"{selection.get('threshold', 0):.3f}",
        "class": names[selection["class"]] if "class" in selection else "",
        "true": names[selection["true"]] if "true" in selection else "",
        "predicted": names[selection["predicted"]] if selection.get("predicted", -1) >= 0 else "",
        "low": f"{selection.get('low', 0):.2f}",
        "high": f"{selection.get('high', 0):.2f}",
    }
    suffix = f".{selection['cell']}" if kind == "one" else ""
    if kind == "confidence" and selection.get("correct") is not None:
        suffix = ".correct" if selection["correct"] else ".wrong"
    return {"key": f"ui.selection.{kind}{suffix}", "vars": facts}


def thumb_uri(pictures: Dataset, index: int) -> str | None:
    """A small JPEG as a data URI; None if the picture cannot be read."""
    sample = pictures[index]
    try:
        return thumb_data(sample.source if sample.source is not None else sample.image, THUMB)
    except InputError:
        return None


def thumb_data(image: Any, size: int) -> str:
    """A JPEG of at most ``size`` pixels as a data URI. Raises InputError if the file cannot be read."""
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(image, size)).decode()


def detail_data(runs: Sequence[Run], pictures: Dataset | None, index: int, gamma: float = 2.0, top: int = 5) -> Data:
    """One sample, large: every run's top scores and losses."""
    with duckdb.connect() as db:
        query = "select * from read_parquet(?) where index = ?"
        rows = [db.execute(query, [str(r.rows_path), index]).df() for r in runs]
    first = next(r for r in rows if len(r)).iloc[0]
    data: Data = {"id": first["id"], "index": index, "truth": _truth(first, runs[0].classes), "models": []}
    data |= _picture(pictures, index)
    for run, frame in zip(runs, rows, strict=True):
        if len(frame):
            data["models"].append(_model_detail(run, frame, index, gamma, top))
    return data


def _model_detail(run: Run, frame: pd.DataFrame, index: int, gamma: float, top: int) -> Data:
    """One run's view of one sample."""
    row, names = frame.iloc[0], run.classes
    true = {int(row["label"])} if "label" in row else {int(i) for i in row["labels"]}
    scores = scores_of(run.predictions_path, index)
    best: list[int] = []
    if scores is not None and run.facts.get("has_scores", True):
        best = [int(i) for i in np.argsort(-scores, kind="stable")[:top]]
        best += [i for i in sorted(true) if i not in best]
    bars = [{"name": names[i], "score": float(scores[i]), "truth": i in true} for i in best] if scores is not None else []
    losses = []
    for name, loss in LOSSES.items():
        if set(loss.needs) <= set(frame.columns):
            columns = {c: frame[c].to_numpy() for c in loss.needs}
            value = focal(columns["true_score"], gamma) if name == "focal" else loss.of(columns)
            losses.append({"key": name, "value": _cell(float(value[0]))})
    return {"name": run.model, "right": bool(row["correct"]), "top": bars, "losses": losses}


def _picture(pictures: Dataset | None, index: int) -> Data:
    """The picture as a data URI of at most ``LARGE`` pixels, and its size in words."""
    if pictures is None:
        return {"image": None}
    try:
        image = pictures[index].image
    except InputError as error:
        return {"image": None, "missing": str(error)}
    height, width = image.shape[:2]
    small = max(height, width) <= 64
    scale = min(1.0, LARGE / max(height, width))
    if scale < 1:
        image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    kind, options = (".png", []) if small else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88])
    done, data = cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    mime = "png" if small else "jpeg"
    uri = f"data:image/{mime};base64,{base64.b64encode(data).decode()}" if done else None
    return {"image": uri, "small": small, "size": f"{width} × {height}"}
