"""Figures as a report keeps them: in one language, eight runs told apart, no more points than can be seen."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import figures
from dashboard.figures import Figure
from dashboard.reporting.pages import Cells

MORE_COLORS = ("#0e7490", "#be185d", "#a16207", "#57606f")
MORE_DASHES = ("longdash", "longdashdot", "8px,3px,2px,3px,2px,3px", "2px,6px")
MOST_NAMES = 30
"""Classes of a drawn confusion matrix; of more, those that are confused most are shown."""
MOST_WRITTEN = 14
"""Classes up to which a matrix has its counts written into it; of more, names are small and upright."""


def ready(figure: Figure, names: Sequence[str], text: Callable[[str], str], most: int = 1500) -> Figure:
    """A figure for a page that stands alone.

    Args:
        figure: as ``dashboard.figures`` and ``dashboard.explore`` make them.
        names: of the runs, in order; traces that begin with the fifth to eighth get colours of their own.
        text: translates what is a text key, and leaves the rest.
        most: points a line or a cloud.
    """
    data = [_trace(trace, names, text, most) for trace in figure["data"]]
    layout = {k: v for k, v in figure["layout"].items() if k != "uirevision"}
    for axis in (k for k in layout if k.startswith(("xaxis", "yaxis"))):
        if "title" in layout[axis]:
            title = layout[axis]["title"]
            layout[axis] = layout[axis] | {"title": title | {"text": text(title.get("text", ""))}}
    return {"data": data, "layout": layout}


def is_empty(figure: Figure) -> bool:
    """Whether there is nothing to see but lines of reference, which have no name: a curve of a single sample, say."""
    return not any(_seen(t) for t in figure["data"] if t.get("name") or t.get("type") != "scatter")


def _seen(trace: dict[str, Any]) -> bool:
    """Whether a trace has a value."""
    values = next((trace[k] for k in ("y", "z", "values") if k in trace), "of another kind")
    known = array(values) if "y" in trace else None
    return bool(np.isfinite(known).any()) if known is not None else bool(values)


def _trace(trace: dict[str, Any], names: Sequence[str], text: Callable[[str], str], most: int) -> dict[str, Any]:
    """One trace."""
    out = dict(trace)
    out["name"] = text(str(trace.get("name", "")))
    for axis in ("x", "y"):
        if isinstance(out.get(axis), list):
            out[axis] = [text(v) if isinstance(v, str) else v for v in out[axis]]
    own = [k for k, n in enumerate(names) if str(trace.get("name", "")).startswith(figures.plain(n))]
    if own:
        best = max(own, key=lambda k: len(names[k]))
        if best >= 4:
            out = apart(out, best)
    if "customdata" in out:
        if "customdata" not in str(out.get("hovertemplate")):
            del out["customdata"]
        elif isinstance(out["customdata"], list):  # selections mean something in the app only
            out["customdata"] = [
                [None if isinstance(v, dict) else v for v in row] if isinstance(row, list) else row
                for row in out["customdata"]
            ]
    if out.get("type") == "scatter":
        out = _thinned(out, most)
    return out


def apart(trace: dict[str, Any], k: int) -> dict[str, Any]:
    """A trace of the fifth to eighth run: the app's four colours, dashes and symbols become four others."""
    swap = dict(zip(figures.COLORS, MORE_COLORS, strict=True)) | dict(zip(figures.DASHES, MORE_DASHES, strict=True))
    swap |= {s: f"{s}-open" for s in figures.SYMBOLS}

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {n: other(v) for n, v in value.items()}
        return swap.get(value, value) if isinstance(value, str) else value

    return trace | {n: other(trace[n]) for n in ("line", "marker") if n in trace}


def array(values: Any) -> NDArray[Any] | None:
    """Numbers of a trace, whether packed or a list; None if they are no numbers."""
    if isinstance(values, dict) and "bdata" in values:
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"]))
    if isinstance(values, (list, tuple)) and values and not any(isinstance(v, str) for v in values):
        return np.array([np.nan if v is None else v for v in values], np.float64)
    return None


def _thinned(trace: dict[str, Any], most: int) -> dict[str, Any]:
    """Fewer points: of a line evenly along its length, so that steep parts keep theirs; of a cloud evenly."""
    x, y = array(trace.get("x")), array(trace.get("y"))
    if x is None or y is None or len(x) != len(y) or len(x) <= most:
        return trace
    if str(trace.get("mode", "lines")).startswith("lines"):
        with np.errstate(invalid="ignore"):
            spans = [np.nanmax(v) - np.nanmin(v) or 1.0 for v in (x, y)]
            steps = sum(np.nan_to_num(np.abs(np.diff(v)) / s) for v, s in zip((x, y), spans, strict=True))
        way = np.concatenate([[0.0], np.cumsum(steps)])
        keep = np.searchsorted(way, np.linspace(0, way[-1], most))
        keep = np.unique(np.concatenate([[0, len(x) - 1], np.minimum(keep, len(x) - 1)]))
    else:
        keep = np.unique(np.linspace(0, len(x) - 1, most).astype(int))
    out = trace | {"x": figures.packed(x[keep]), "y": figures.packed(y[keep])}
    custom = trace.get("customdata")
    if isinstance(custom, list):
        out["customdata"] = [custom[i] for i in keep]
    elif custom is not None:
        values = array(custom)
        out["customdata"] = figures.packed(values[keep]) if values is not None and len(values) == len(x) else custom
    return out


def confusion(cells: Cells, text: Callable[[str], str]) -> tuple[Figure, int]:
    """A confusion matrix as a heat map of shares of each row, with counts; and how many classes were left out."""
    counts, names = cells.counts, [figures.plain(text(n)) for n in cells.names]
    left = max(0, len(names) - MOST_NAMES)
    if left:
        off = counts - np.diag(np.diag(counts))
        worst = np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MOST_NAMES]
        keep = np.sort(worst)
        counts, names = counts[np.ix_(keep, keep)], [names[i] for i in keep]
    total = np.maximum(cells.counts.sum(axis=1), 1)
    share = counts / (total if not left else total[keep])[:, None]
    places = list(range(len(names)))
    trace = {
        "type": "heatmap",
        "z": figures.packed(share),
        "customdata": [[[names[i], names[j], int(counts[i, j])] for j in places] for i in places],
        "colorscale": "loupe",  # by the page's own theme
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
        "hovertemplate": "%{customdata[0]} → %{customdata[1]}<br>%{customdata[2]:,} (%{z:.1%})<extra></extra>",
    }
    if len(names) <= MOST_WRITTEN:
        trace["text"] = [[_short(int(n)) if n else "" for n in row] for row in counts]
        trace["texttemplate"] = "%{text}"
    shared = figures.layout(text("ui.matrix.predicted"), text("ui.matrix.true"))
    shared.pop("uirevision")
    ticks = {"tickvals": places, "ticktext": [n if len(n) <= 18 else n[:17] + "…" for n in names], "automargin": True}
    many = {"tickfont": {"size": 9}, "tickangle": -90} if len(names) > MOST_WRITTEN else {"tickangle": -45}
    shared["xaxis"] |= ticks | {"showgrid": False} | many
    shared["yaxis"] |= ticks | {"showgrid": False, "autorange": "reversed"} | (many | {"tickangle": 0})
    return {"data": [trace], "layout": shared}, left


def _short(number: int) -> str:
    """A count in the room of a cell."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if number >= size:
            return f"{number / (size if letter != 'k' else 1000):.3g}{letter}"
    return str(number)
