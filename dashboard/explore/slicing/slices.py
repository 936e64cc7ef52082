"""Slices as a table, a chart, a sentence, pictures and a CSV."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dashboard import explain, figures
from dashboard.explore.comparing.pairs import answers_of
from dashboard.explore.comparing.shown import DASHES, SYMBOLS, color, entry, run_names, said
from dashboard.explore.overview import Data, json_number
from dashboard.explore.slicing.marks import marked
from dashboard.metrics.slices import LEVEL, Slice
from dashboard.slicing.sliced import Sliced

KNOWN = (
    *("class", "has", "folder", "sequence", "pixels", "aspect", "brightness", "contrast", "sharpness"),
    *("objects", "object_size"),
)
"""Attributes with a name in both languages; others are a person's own."""
LEAST = 5
"""Samples that any slice has in it, and outside of it."""
FOUND_SHOWN = 3  # findings named in the sentence


def attribute_key(name: str) -> str:
    """A text key of an attribute's name, or the name itself."""
    return f"ui.slice.attr.{name}" if name in KNOWN else name


def title(part: Slice) -> Data:
    """A slice in words: a text key and its facts, themselves text keys where they are ours."""
    (a, x), *more = part.conditions
    facts = {"a": attribute_key(a), "x": x}
    if not more:
        return {"key": "ui.slice.one", "vars": facts}
    b, y = more[0]
    return {"key": "ui.slice.two", "vars": facts | {"b": attribute_key(b), "y": y}}


def verdict(view: Sliced, run: int) -> list[str]:
    """For each slice "worse", "part" (one of its own parts explains it), "better", "chance", "few" or "untested"."""
    tested, besides = view.rest(run), view.besides(run)
    found = []
    for k in range(len(view.slices)):
        if not view.tested:
            found.append("untested")
        elif np.isnan(tested.p_holm[k]):
            found.append("few")
        elif tested.p_holm[k] >= LEVEL:
            found.append("chance")
        else:
            found.append("better" if tested.gap[k] > 0 else "part" if besides[k] else "worse")
    return found


def table_data(view: Sliced, run: int, against: str = "rest", key: str = "") -> Data:
    """One row a slice, worst first; ``slices`` are their places.

    Args:
        view: the slices.
        run: whose scores.
        against: "rest" (all other samples) or "baseline" (the other run on the same samples).
        key: what the table is of.
    """
    c = view.comparison
    order = view.order(run)
    rows: list[list[Any]] = []
    if against == "baseline":
        gaps = view.gaps(run)
        order = sorted(order, key=lambda k: (not gaps.p_holm[k] < LEVEL, np.nan_to_num(gaps.gap[k], nan=np.inf)))
        for k in order:
            sure = "untested" if not view.tested else "chance"
            if gaps.p_holm[k] < LEVEL:
                sure = "ahead" if gaps.gap[k] > 0 else "behind"
            numbers = [gaps.run[k], gaps.baseline[k], gaps.gap[k]]
            ends = _span(gaps.low[k], gaps.high[k], view.tested)
            row = [title(view.slices[k]), int(gaps.n[k]), *map(json_number, numbers), ends, json_number(gaps.p_holm[k])]
            rows.append([*row, {"key": f"ui.slice.{sure}"}])
        heads = ["slice_score", "slice_baseline", "slice_gap"]
    else:
        tested, words = view.rest(run), verdict(view, run)
        for k in order:
            numbers = [tested.mean[k], tested.rest[k], tested.gap[k]]
            ends = _span(tested.gap_low[k], tested.gap_high[k], view.tested)
            row = [title(view.slices[k]), int(tested.n[k]), *map(json_number, numbers), ends]
            rows.append([*row, json_number(tested.p_holm[k]), {"key": f"ui.slice.{words[k]}"}])
        heads = ["slice_score", "slice_rest", "slice_gap"]
    finite = c.scores[np.isfinite(c.scores)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    scale = [0.0, 1.0] if low >= 0 and high <= 1 else [low, high]
    columns: list[Data] = [{"explain": "slice", "kind": "name"}, {"label": "ui.slice.n", "kind": "count"}]
    kind = "rate" if scale == [0.0, 1.0] else "db"
    columns += [{"explain": heads[0], "short": said(c.task, c.score_name), "kind": kind, "range": scale}]
    columns += [{"explain": heads[1], "short": f"ui.short.{heads[1]}", "kind": kind, "range": scale}]
    columns += [{"explain": heads[2], "short": "ui.short.slice_gap", "kind": kind, "range": [0, scale[1] - scale[0]]}]
    columns += [{"explain": "slice_interval", "short": "ui.short.slice_interval", "kind": "name"}]
    columns += [{"explain": "slice_p", "short": "ui.short.slice_p", "kind": "short", "range": [0, 1]}]
    columns += [{"label": "ui.slice.verdict", "kind": "name"}]
    return {"key": key, "columns": columns, "rows": rows, "slices": order, "find": "ui.slice.find"}


def _span(low: float, high: float, shown: bool = True) -> str:
    """An interval; a dash where there is none."""
    return f"{low:+.3f} … {high:+.3f}".replace("-", "−") if shown and np.isfinite([low, high]).all() else "–"


def summary(view: Sliced, run: int) -> Data:
    """What was found, in words: text keys with their facts."""
    c, found = view.comparison, view.findings(run)
    facts: Data = {"model": run_names(c.runs)[run], "n": len(view.slices), "found": len(found)}
    if not view.slices:
        key = "ui.slice.said.none" if len(c.ids) >= 2 * LEAST else "ui.slice.said.small"
        facts |= {"n": len(c.ids), "least": LEAST}
    elif not view.tested:
        key = "ui.slice.said.untested"
    else:
        key = "ui.slice.said.found" if found else "ui.slice.said.chance"
    return {"key": key, "vars": facts, "slices": [title(view.slices[k]) for k in found[:FOUND_SHOWN]]}


def chart(view: Sliced, attribute: str) -> figures.Figure:
    """Every run's mean score in each bin of an attribute, with its 95 % interval."""
    c, places = view.comparison, view.of(attribute)
    labels = [figures.plain(view.slices[k].conditions[0][1]) for k in places]
    traces: list[Data] = []
    for run, name in enumerate(run_names(c.runs)):
        tested = view.rest(run)
        mean = tested.mean[places]
        trace: Data = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": figures.plain(name),
            "x": labels,
            "y": [json_number(v) for v in mean],
            "offsetgroup": str(run),
            "line": {"color": color(run), "dash": DASHES[run], "width": 1},
            "marker": {"symbol": SYMBOLS[run], "color": color(run), "size": 9},
            "customdata": [[k, run] for k in places],
            "text": [f"n {int(tested.n[k]):,}" for k in places],
            "hovertemplate": f"{figures.plain(name)}<br>%{{x}}<br>%{{y:.3f}} · %{{text}}<extra></extra>",
        }
        if view.tested:
            up, down = tested.high[places] - mean, mean - tested.low[places]
            trace["error_y"] = {
                "type": "data",
                "symmetric": False,
                "array": [json_number(v) for v in up],
                "arrayminus": [json_number(v) for v in down],
                "color": color(run),
                "thickness": 1.5,
                "width": 4,
            }
        traces.append(trace)
    shared = figures.layout(attribute_key(attribute), said(c.task, c.score_name), uirevision=attribute)
    shared["scattermode"] = "group"
    shared["scattergap"] = 0.6
    shared["xaxis"] |= {"type": "category"}
    return {"data": traces, "layout": shared, "explain": "chart_slice"}


def score_entry(view: Sliced) -> str:
    """Under which entry the score is explained; "" if nothing is written of it."""
    found = entry(view.comparison.task, view.comparison.score_name)
    return found if explain.entry(found, "en") is not None else ""


def gallery_data(
    view: Sliced, place: int | None, run: int, thumb: Callable[[int], str | None], start: int = 0, most: int = 24
) -> Data | None:
    """The pictures of a slice, those with the run's lowest scores first; None without a slice."""
    if place is None:
        return None
    c, order = view.comparison, in_order(view, place, run)
    head = np.array(order[start:most], np.int64)
    words = answers_of(c, head)
    cards = [
        {
            "id": c.ids[at],
            "index": int(at),
            "truth": words["truth"][i],
            "answers": [words["answers"][k][i] | {"at": k} for k in range(len(c.runs))],
            "thumb": thumb(int(at)),
        }
        for i, at in enumerate(head)
    ]
    return {
        "cards": cards,
        "total": len(order),
        "title": title(view.slices[place]),
        "of": marked(run, run_names(c.runs)[run]),
        "start": start,
        "stamp": uuid.uuid4().hex,
    }


def in_order(view: Sliced, place: int, run: int) -> list[int]:
    """Places of a slice's samples, those with the run's lowest scores first."""
    rows = view.slices[place].rows
    return [
        int(k) for k in rows[np.argsort(np.nan_to_num(view.comparison.scores[run][rows], nan=np.inf), kind="stable")]
    ]


def csv_text(view: Sliced, clean: Callable[[Any], Any] = lambda cell: cell) -> str:
    """Every slice of every run as CSV, with everything that the panel shows of it.

    Args:
        view: the slices.
        clean: applied to each text that came from outside.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["run", "model", "attribute", "value", "attribute_2", "value_2", "n", "score", "low", "high", "rest"]
    head += ["difference", "difference_low", "difference_high", "p", "p_holm", "verdict"]
    head += ["to_baseline", "to_baseline_low", "to_baseline_high", "to_baseline_p_holm"]
    writer.writerow(head)
    c = view.comparison
    for run, name in enumerate(run_names(c.runs)):
        tested, words = view.rest(run), verdict(view, run)
        gaps = view.gaps(run) if run != c.baseline else None
        for k in view.order(run):
            (a, x), (b, y) = (*view.slices[k].conditions, ("", ""))[:2]
            numbers: Sequence[Any] = [tested.mean[k], *_if(view.tested, tested.low[k], tested.high[k]), tested.rest[k]]
            numbers = [*numbers, tested.gap[k], *_if(view.tested, tested.gap_low[k], tested.gap_high[k])]
            row = [c.runs[run].id, clean(name), clean(a), clean(x), clean(b), clean(y), int(tested.n[k])]
            row += [_cell(v) for v in [*numbers, tested.p[k], tested.p_holm[k]]] + [words[k]]
            if gaps is not None:
                ends = _if(view.tested, gaps.low[k], gaps.high[k])
                row += [_cell(v) for v in (gaps.gap[k], *ends, gaps.p_holm[k])]
            writer.writerow(row + [""] * (len(head) - len(row)))
    return out.getvalue()


def _if(shown: bool, *values: float) -> list[float]:
    return list(values) if shown else [np.nan] * len(values)


def _cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""
