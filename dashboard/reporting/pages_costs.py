"""Reports of what a model costs: operations of every layer, time, memory, and the same weights run in other ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard import figures
from dashboard.errors import InputError
from dashboard.explore import overview
from dashboard.explore.overview import Data
from dashboard.explore.profiling.tree import tree
from dashboard.figures import Figure
from dashboard.profiling.kept import layer_of
from dashboard.reporting.drawn import apart
from dashboard.reporting.pages import Chart, Pages, Table
from dashboard.reporting.words import explained
from dashboard.store import Run

FORMATS = {"latency_ms": "ms", "throughput_per_s": "rate", "params": "count", "macs": "big", "flops": "big"}
LOWER = ("params", "macs", "flops", "latency_ms", "peak_memory_mb", "cold_start_s")
MOST_LAYERS = 2000


def profile_of(run: Run) -> Mapping[str, Any]:
    """The stored profile as plain JSON. Raises InputError if it is not there."""
    found = run.facts.get("profile")
    if isinstance(found, str):
        found = json.loads(found)
    if not isinstance(found, Mapping) or "variants" not in found:
        raise InputError(f"{run.path / 'run.json'} holds no profile: delete that run and profile the model again.")
    return found


class ProfilePages(Pages):
    """Costs of one or more models."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs)
        self.profiles = [profile_of(r) for r in runs]

    def figures(self) -> Data:
        """Cards of the contract's figures."""
        data: Data = {"figures": [], "warnings": []}
        data["models"] = [
            {"name": r.model, "note": f"{'×'.join(map(str, p['input_size']))} · {p['device']}"}
            for r, p in zip(self.runs, self.profiles, strict=True)
        ]
        for name in dict.fromkeys(n for r in self.runs for n in r.metrics):
            cells: list[Data] = [{"value": r.metrics.get(name)} for r in self.runs]
            overview.mark_best(cells, lower=name in LOWER)
            known = [c["value"] for c in cells if c["value"] is not None]
            card = {
                "key": explained("profile", name),
                "text": f"ui.report.name.{name}",
                "cells": cells,
                "scale": [0, max([1, *known])],
            }
            data["figures"].append(card | {"format": FORMATS.get(name, "short")})
        return data

    def others(self) -> Data:
        """None."""
        return {"models": [], "figures": [], "warnings": []}

    def charts(self) -> Iterator[Chart]:
        """Layers, stages of each variant, and throughput by batch size."""
        for run, profile in zip(self.runs, self.profiles, strict=True):
            if profile.get("layers"):
                name = "" if len(self.runs) == 1 else f"\t{run.model}"
                counted = tree([layer_of(x) for x in profile["layers"]], "macs")
                yield Chart(f"ui.report.chart.layers{name}", counted, "chart_layers")
        yield Chart("ui.report.chart.stages", self._stages(), "latency_stages")
        figure = self._throughput()
        if figure["data"]:
            yield Chart("ui.report.chart.throughput", figure, "throughput_vs_batch")

    def _variants(self) -> list[tuple[int, Run, Mapping[str, Any]]]:
        """Every variant that could be run, with its run's place."""
        return [
            (k, run, v)
            for k, (run, p) in enumerate(zip(self.runs, self.profiles, strict=True))
            for v in p["variants"]
            if not v.get("why_not")
        ]

    def _stages(self) -> Figure:
        """Median time of each stage, stacked."""
        several = len(self.runs) > 1
        found = [(f"{r.model} {v['name']}" if several else v["name"], v) for _, r, v in self._variants()]
        names = list(dict.fromkeys(s for _, v in found for s in v.get("stages_ms") or {}))
        patterns = ("/", "", ".", "x")
        traces = [
            {
                "type": "bar",
                "name": stage,
                "x": [figures.plain(n) for n, _ in found],
                "y": [(v.get("stages_ms") or {}).get(stage) for _, v in found],
                "marker": {"color": figures.COLORS[i % 4], "pattern": {"shape": patterns[i % 4]}},
                "hovertemplate": f"%{{x}}<br>{figures.plain(stage)} %{{y:.3g}} ms<extra></extra>",
            }
            for i, stage in enumerate(names)
        ]
        shared = figures.layout("", "ui.report.axis.ms", barmode="stack")
        shared["xaxis"] |= {"type": "category", "automargin": True}
        return {"data": traces, "layout": shared}

    def _throughput(self) -> Figure:
        """Pictures a second against batch size."""
        traces = []
        for i, (_, run, v) in enumerate(self._variants()):
            rates = sorted((int(b), float(t)) for b, t in (v.get("throughput") or {}).items())
            if not rates:
                continue
            name = figures.plain(f"{run.model} {v['name']}" if len(self.runs) > 1 else v["name"])
            x, y = zip(*rates, strict=True)
            line = figures.line(x, y, name, i, mode="lines+markers")  # type: ignore[arg-type]
            line["marker"] = {"symbol": figures.SYMBOLS[i % 4], "size": 7}
            line["hovertemplate"] = f"{name}<br>%{{x}} → %{{y:.3g}}/s<extra></extra>"
            traces.append(apart(line, i) if i >= 4 else line)
        shared = figures.layout("ui.report.axis.batch", "ui.report.axis.rate")
        shared["xaxis"] |= {"type": "log", "tickvals": [2**k for k in range(12)]}
        shared["yaxis"] |= {"rangemode": "tozero"}
        return {"data": traces, "layout": shared}

    def tables(self, place: int) -> list[Table]:
        """Variants and layers."""
        profile = self.profiles[place]
        found = [Table("ui.report.variants", variants(profile))]
        if profile.get("layers"):
            found.append(Table("ui.report.layers", layer_table(profile)))
        return found


def variants(profile: Mapping[str, Any]) -> Data:
    """One row a way of running."""
    rows = []
    metrics = list(dict.fromkeys(m for v in profile["variants"] for m in v.get("accuracy") or {}))[:3]
    for v in profile["variants"]:
        latency = v.get("latency_ms") or {}
        best = max((float(x) for x in (v.get("throughput") or {}).values()), default=None)
        name = v["name"] + (f" – {v['why_not']}" if v.get("why_not") else "")
        cells = [latency.get("p50"), latency.get("p90"), latency.get("p99"), best, v.get("speedup")]
        cells += [v.get("peak_memory_mb"), v.get("largest_difference")]
        rows.append([name, *cells, *((v.get("accuracy") or {}).get(m) for m in metrics)])
    heads: list[Data] = [{"text": "ui.report.variant", "kind": "name"}]
    heads += [{"text": f"{p} ms", "kind": "short", "explain": "latency_percentiles"} for p in ("p50", "p90", "p99")]
    heads += [{"text": "ui.report.axis.rate", "kind": "short", "explain": "throughput"}]
    entries = {"speedup": "speedup", "memory": "peak_memory", "difference": "largest_difference"}
    heads += [{"text": f"ui.report.{n}", "kind": "short", "explain": e} for n, e in entries.items()]
    heads += [{"text": m, "kind": "rate", "explain": m} for m in metrics]
    return {"columns": heads, "rows": rows}


def layer_table(profile: Mapping[str, Any]) -> Data:
    """One row a layer. FLOPs are 2 x MACs, so that they sum to the card's; what is no MAC stands apart."""
    layers = [layer_of(x) for x in profile["layers"]]
    rows = [
        [x.path, x.kind, "×".join(map(str, x.output)), x.params, x.macs, 2 * x.macs, x.other_ops, x.ms]
        for x in layers[:MOST_LAYERS]
    ]
    heads: list[Data] = [{"text": "ui.report.layer", "kind": "name"}]
    heads += [{"text": f"ui.report.{n}", "kind": "text"} for n in ("kind", "output")]
    heads += [{"explain": n, "kind": "count", "short": n} for n in ("params", "macs", "flops", "layer_ops")]
    return {"columns": [*heads, {"text": "ms", "kind": "short", "explain": "layer_time"}], "rows": rows}
