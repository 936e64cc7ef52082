"""Key figures, conventions and the table of images of enhancement runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.explore import overview
from dashboard.explore.enhancement.opened import Opened
from dashboard.explore.enhancement.selecting import LOSSES, PLAIN
from dashboard.explore.overview import Data, json_number
from dashboard.store import Run

FIGURES = ("psnr", "ssim", "psnr_y", "ssim_y", "ms_ssim")
PLAIN_ONLY = PLAIN
DECIBELS = ("psnr", "psnr_y", "psnr_whole", "psnr_y_whole")
LOWER = ("mse", "mae", "charbonnier", "ssim_loss", "gradient", "texture")
COLUMNS: dict[str, tuple[str, ...]] = {
    "fidelity": ("psnr", "ssim", "psnr_y", "ssim_y", "ms_ssim"),
    "losses": ("enh_l1", "enh_l2", "charbonnier", "ssim_loss", "gradient", "texture"),
    "plain": PLAIN,
}
INFINITE = "∞"


def figures_data(views: Sequence[Opened]) -> Data:
    """Cards with intervals, the best marked; without references the numbers that need none. And latency."""
    runs = [v.run for v in views]
    names = FIGURES if any(v.referenced for v in views) else PLAIN_ONLY
    data = _cards(runs, [n for n in names if any(r.metrics.get(n) is not None for r in runs)])
    if any(r.timing.get("latency_ms") for r in runs):
        data["figures"].append(overview.latency_card(runs))
    if overview.incomparable(runs):
        overview.unmark(data["figures"])
    data["warnings"] = [*_identical(views), *overview.common_warnings(runs)]
    return data


def other_figures(views: Sequence[Opened]) -> Data:
    """Cards of what is not among the key figures."""
    runs = [v.run for v in views]
    shown = FIGURES if any(v.referenced for v in views) else PLAIN_ONLY
    names = [n for n in dict.fromkeys(n for r in runs for n in r.metrics) if n not in shown]
    return _cards(runs, [n for n in names if any(r.metrics.get(n) is not None for r in runs)])


def _cards(runs: Sequence[Run], names: Sequence[str]) -> Data:
    """One card a metric, in its own unit and range."""
    data = overview.figures_data(runs, names)
    data["figures"] = data["figures"] if names else []
    for card in data["figures"]:
        name = card["key"]
        for cell in card["cells"]:
            cell.pop("best", None)
        if name not in PLAIN and name != "identical" and not overview.incomparable(runs):
            overview.mark_best(card["cells"], lower=name in LOWER)
        card |= unit_of(name)
        ends = [x for c in card["cells"] for x in (c["value"], c["low"], c["high"]) if x is not None]
        if ends and name not in ("ssim", "ssim_y", "ms_ssim", "ssim_whole", "ssim_y_whole"):
            room = 0.1 * (max(ends) - min(ends)) or 1.0
            card["scale"] = [min(ends) - room, max(ends) + room]
    return data


def unit_of(name: str) -> Data:
    """How a number is written: dB with two digits, whole numbers, or as many digits as it needs."""
    if name in DECIBELS:
        return {"format": "db"}
    if name == "identical":
        return {"format": "count"}
    return {"format": "short"} if name in (*PLAIN, *LOWER) else {}


def _identical(views: Sequence[Opened]) -> list[Data]:
    """That answers equal to their reference are left out of the mean PSNR, and whether a window did not fit."""
    found: list[Data] = []
    for view in views:
        same = int(np.isposinf(view.columns["psnr"]).sum())
        if same:
            facts = {"n": same, "of": len(view.index), "model": view.run.model}
            found.append({"key": "ui.warn.identical", "explain": "identical", "vars": facts})
    known = np.isfinite(views[0].columns["mse"])
    small = int((known & np.isnan(views[0].columns["ssim"])).sum())
    if small:
        facts = {"n": small, "of": int(known.sum())}
        found.append({"key": "ui.warn.small", "explain": "ssim", "vars": facts})
    return found


def conventions_data(views: Sequence[Opened]) -> Data:
    """The same pictures by every convention: RGB or luma, border left out or not; the one of published tables marked.

    One row a convention, a PSNR and an SSIM for each run.
    """
    enlarged = any(v.super_resolution for v in views)
    border = int(max(v.borders.max(initial=0) for v in views))
    rows: list[tuple[str, Data, str, str, bool]] = []
    cut = {"n": border}
    if enlarged:
        rows.append(("ui.enh.conv.y.cut", cut, "psnr_y", "ssim_y", True))
        rows.append(("ui.enh.conv.rgb.cut", cut, "psnr", "ssim", False))
    rows.append(("ui.enh.conv.rgb", {}, "psnr_whole", "ssim_whole", not enlarged))
    rows.append(("ui.enh.conv.y", {}, "psnr_y_whole", "ssim_y_whole", False))
    heads: list[Data] = [{"label": "ui.enh.convention", "kind": "name", "explain": "enh_conventions"}]
    for view in views:
        heads += [
            {"text": f"{view.run.model} · PSNR", "kind": "db", "range": _range([v.run for v in views], DECIBELS)},
            {"text": f"{view.run.model} · SSIM", "kind": "rate"},
        ]
    table = []
    for key, facts, db, ssim, published in rows:
        cells: list[Any] = [{"key": key, "vars": facts, "note": "ui.enh.conv.published" if published else None}]
        for view in views:
            cells += [json_number(view.run.metrics.get(db)), json_number(view.run.metrics.get(ssim))]
        table.append(cells)
    return {"key": " ".join(v.run.id for v in views), "columns": heads, "rows": table, "still": True}


def _range(runs: Sequence[Run], names: Sequence[str]) -> list[float]:
    """From and to which a bar of decibels runs: a little around what there is."""
    values = [v for r in runs for n in names if (v := r.metrics.get(n)) is not None]
    return [min(values) - 3, max(values)] if values else [0.0, 1.0]


def column_of(view: Opened, name: str) -> NDArray[np.float64]:
    """(N,) of each image: a metric, or a loss on the scale of pictures in 0..1."""
    column, factor = LOSSES.get(name, (name, 1.0))
    return view.columns[column] * factor


def images_data(view: Opened, columns: str = "fidelity", picture: int | None = None) -> Data:
    """One row an image of a run, with its numbers; a click opens it."""
    chosen = columns if view.referenced else "plain"
    heads: list[Data] = [{"label": "ui.enh.image", "kind": "name"}]
    values = []
    for name in COLUMNS[chosen]:
        column = column_of(view, name)
        known = column[np.isfinite(column)]
        ends = [float(known.min()), float(known.max())] if known.size else [0.0, 1.0]
        if name in ("ssim", "ssim_y", "ms_ssim"):
            ends = [min(0.0, ends[0]), 1.0]
        elif name in LOWER or name in LOSSES or name in PLAIN:
            ends[0] = min(0.0, ends[0])
        else:
            ends[0] -= 0.1 * (ends[1] - ends[0]) or 1.0
        kind = "db" if name in DECIBELS else "rate" if name.startswith(("ssim", "ms_ssim")) else "short"
        kind = "short" if name == "ssim_loss" else kind
        heads.append({"explain": name, "kind": kind, "short": f"ui.short.{name}", "range": ends})
        values.append(column)
    rows = [[identity, *(_cell(c[i]) for c in values)] for i, identity in enumerate(view.ids)]
    place = None if picture is None else view.image(picture)
    sort = [1, 1] if chosen == "fidelity" else [1, -1]
    return {
        "key": f"{view.run.id} {chosen}",
        "columns": heads,
        "rows": rows,
        "selected": place,
        "sort": sort,
        "find": "ui.enh.find",
    }


def _cell(value: Any) -> float | str | None:
    """A number for JSON; infinity as a sign."""
    return INFINITE if np.isposinf(value) else json_number(float(value))
