"""Key figures, layers, and the ways a model can be run, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.explore import overview
from dashboard.explore.overview import Data
from dashboard.explore.profiling.opened import Opened, names_of
from dashboard.profiling.kept import unsteady
from dashboard.profiling.shapes import Variant

FIRST_METRIC: Mapping[str, tuple[str, str]] = {
    "classification": ("top1", "top1"),
    "detection": ("map", "det_map"),
    "instance-segmentation": ("map", "det_map"),
    "semantic-segmentation": ("miou", "sem_miou"),
    "enhancement": ("psnr", "psnr"),
    "tracking": ("HOTA", "HOTA"),
}
"""What a task's accuracy is told by, and the entry that explains it."""
SHORT = ("det_map", "psnr", "sem_miou")
"""Entries of metrics that have a short name for the head of a column."""
EXPLAINED: Mapping[str, str] = {
    "default": "default_way",
    "channels_last": "channels_last",
    "fused": "conv_bn_fusion",
    "bf16": "half_precision",
    "fp16": "half_precision",
    "onnxruntime": "other_runtime",
    "openvino": "other_runtime",
    "compiled": "compiled",
}
"""Ways of running, and the entries that explain them."""


def figures_data(views: Sequence[Opened]) -> Data:
    """Cards of what models cost, the cheapest marked."""
    profiles = [v.profile for v in views]
    names = names_of(views)
    models = [
        {"name": n, "note": f"{p.input_size[0]}×{p.input_size[1]} · {p.device}"}
        for n, p in zip(names, profiles, strict=True)
    ]
    cards = [
        _card("params", [p.params for p in profiles], "si", notes=[_exact(p.params) for p in profiles]),
        _card("macs", [p.macs for p in profiles], "si"),
        _card("flops", [p.flops for p in profiles], "si"),
        _card("model_size", [_mega(p.size_bytes) for p in profiles], "short", "MB"),
        _latency(views),
        _throughput(views),
        _card("peak_memory", [p.memory_mb.get("peak") for p in profiles], "short", "MB"),
        _cold_start(views),
    ]
    gpu = [p.memory_mb.get("gpu_peak") for p in profiles]
    if any(x is not None for x in gpu):
        cards.append(_card("gpu_memory", gpu, "short", "MB"))
    return {"models": models, "figures": cards, "warnings": _warnings(views)}


def _card(
    key: str,
    values: Sequence[float | None],
    format: str,
    unit: str = "",
    notes: Sequence[str | Data] = (),
    lower: bool = True,
) -> Data:
    """One card; what is not known is None."""
    cells: list[Data] = [{"value": v if v is None or math.isfinite(v) else None} for v in values]
    for cell, note in zip(cells, notes, strict=False):
        cell["note"] = note
    overview.mark_best(cells, lower)
    return {"key": key, "cells": cells, "format": format, "unit": unit}


def _latency(views: Sequence[Opened]) -> Data:
    """The median, with the slow ones as a note."""
    ways = [v.usual for v in views]
    known = [{} if w is None else w.latency_ms for w in ways]
    notes = [f"p90 {_three(k['p90'])} · p99 {_three(k['p99'])}" if {"p90", "p99"} <= set(k) else "" for k in known]
    return _card("latency_percentiles", [k.get("p50") for k in known], "short", "ms", notes)


def _throughput(views: Sequence[Opened]) -> Data:
    """The most, with the batch size at which it is reached."""
    best = [best_throughput(v.usual) for v in views]
    notes: list[str | Data] = ["" if b is None else {"key": "ui.prf.note.batch", "vars": {"n": b[0]}} for b in best]
    return _card("throughput_vs_batch", [None if b is None else b[1] for b in best], "rate", "", notes, lower=False)


def _cold_start(views: Sequence[Opened]) -> Data:
    """Loading and the first answer, with what comes before them as a note."""
    starts = [v.profile.cold_start for v in views]
    notes: list[str | Data] = [
        {"key": "ui.prf.note.import", "vars": {"s": _three(s["import_s"])}} if "import_s" in s else "" for s in starts
    ]
    return _card("prf_cold_start", [s.get("total_s") for s in starts], "short", "s", notes)


def best_throughput(way: Variant | None) -> tuple[int, float] | None:
    """Batch size and pictures a second where these are most."""
    if way is None or not way.throughput:
        return None
    return max(((int(b), float(t)) for b, t in way.throughput.items()), key=lambda x: x[1])


def _warnings(views: Sequence[Opened]) -> list[Data]:
    """Why some of these numbers do not compare."""
    named = zip(names_of(views), views, strict=True)
    found = _busy([n for n, v in named if v.usual and v.usual.name in unsteady(v.profile.variants)])
    if len({v.profile.device for v in views}) > 1:
        found.append({"key": "ui.prf.warn.device"})
    if len({v.profile.input_size for v in views}) > 1:
        found.append({"key": "ui.prf.warn.size"})
    return found


def busy(views: Sequence[Opened]) -> list[Data]:
    """Of which models some way's times show that the machine had other work."""
    return _busy([n for n, v in zip(names_of(views), views, strict=True) if unsteady(v.profile.variants)])


def _busy(models: Sequence[str]) -> list[Data]:
    return [{"key": "ui.prf.warn.busy", "vars": {"models": ", ".join(models)}}] if models else []


def layers_table(view: Opened, selected: int | None = None) -> Data:
    """One row a layer, in the order they run. Each column sums to its key figure: what is no MAC stands apart."""
    layers = view.profile.layers
    timed, others = any(layer.ms is not None for layer in layers), any(layer.other_ops for layer in layers)
    columns: list[Data] = [
        {"label": "ui.prf.layer", "kind": "name"},
        {"label": "ui.prf.kind", "kind": "name"},
        {"label": "ui.prf.output", "kind": "name"},
        {"explain": "params", "kind": "count", "short": "ui.short.params"},
        {"explain": "macs", "kind": "count", "short": "ui.short.macs"},
        {"explain": "flops", "kind": "count", "short": "ui.short.flops"},
    ]
    if others:
        columns.append({"explain": "layer_ops", "kind": "count", "short": "ui.short.layer_ops"})
    longest = max((layer.ms or 0.0 for layer in layers), default=0.0)
    if timed:
        columns.append({"explain": "layer_time", "kind": "short", "short": "ui.short.ms", "range": [0.0, longest]})
    rows = []
    for layer in layers:
        output = "×".join(
            map(str, layer.output[1:] if len(layer.output) > 1 and layer.output[0] == 1 else layer.output)
        )
        counts: list[Any] = [layer.params, layer.macs, 2 * layer.macs]
        counts += [*([layer.other_ops] if others else []), *([layer.ms] if timed else [])]
        rows.append([layer.path, f"{layer.kind} ×{layer.calls}" if layer.calls > 1 else layer.kind, output, *counts])
    return {
        "key": view.run.id,
        "columns": columns,
        "rows": rows,
        "selected": selected,
        "keeps": True,
        "find": "ui.prf.find",
    }


def ways_table(views: Sequence[Opened]) -> Data:
    """One row a way that a model was run: how fast, how much faster, what it needs, and the accuracy it costs."""
    several, on_gpu = len(views) > 1, all(view.profile.device != "cpu" for view in views)
    heads: list[Data] = [{"label": "ui.prf.model", "kind": "name"}] if several else []
    heads.append({"label": "ui.prf.way", "kind": "name"})
    shown = [
        ("p50", "latency_percentiles", "ui.short.p50"),
        ("p99", "latency_percentiles", "ui.short.p99"),
        ("speedup", "speedup", "ui.short.speedup"),
        ("throughput", "throughput_vs_batch", "ui.short.best_rate"),
        ("memory", "gpu_memory" if on_gpu else "peak_memory", "ui.short.memory"),
        ("difference", "largest_difference", "ui.short.difference"),
    ]
    metrics = dict.fromkeys(found for view in views if (found := metric_of(view))[0])  # one a task
    for metric, entry in metrics:
        shown.append((metric, entry, f"ui.short.{entry}" if entry in SHORT else f"explain.{entry}.name"))
    if metrics:
        shown.append(("cost", "accuracy_cost", "ui.short.cost"))
    rows: list[list[Any]] = []
    for view, name in zip(views, names_of(views), strict=True):
        for way in view.profile.variants:
            numbers = _numbers(view, way)
            rows.append([*([name] if several else []), way_name(way), *(numbers.get(key) for key, _, _ in shown)])
    for place, (_, explained, name) in enumerate(shown, len(heads)):
        known = [abs(r[place]) for r in rows if r[place] is not None]
        heads.append({"kind": "short", "explain": explained, "short": name, "range": [0.0, max(known, default=1.0)]})
    key = " ".join(v.run.id for v in views)
    return {"key": key, "columns": heads, "rows": rows, "still": True, "find": "ui.prf.find.model"}


def way_name(way: Variant) -> Data:
    """A way's name; what hindered it stands beside it."""
    named = {"key": f"ui.prf.way.{way.name}", "explain": EXPLAINED.get(way.name)}
    return named | ({"note": way.why_not} if way.why_not else {})


def _numbers(view: Opened, way: Variant) -> dict[str, float | None]:
    """What a row tells; its accuracy by its metric's name."""
    plain, best, metric = view.plain, best_throughput(way), metric_of(view)[0]
    own = way.accuracy.get(metric)
    usual = plain.accuracy.get(metric) if plain is not None else None
    found = {
        "p50": way.latency_ms.get("p50"),
        "p99": way.latency_ms.get("p99"),
        "speedup": way.speedup,
        "throughput": None if best is None else best[1],
        "memory": way.peak_memory_mb,
        "difference": way.largest_difference,
        metric: own,
        "cost": None if own is None or usual is None else own - usual,
    }
    return {k: None if v is None or not math.isfinite(v) else v for k, v in found.items()}


def metric_of(view: Opened) -> tuple[str, str]:
    """The metric by which accuracy is told, and the entry that explains it; ("", "") if none was measured."""
    known = dict.fromkeys(m for way in view.ran for m, v in way.accuracy.items() if v is not None)
    metric, entry = FIRST_METRIC.get(view.profile.task, ("", ""))
    return (metric, entry) if metric in known else (next(iter(known), ""),) * 2


def _exact(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _mega(size: int | None) -> float | None:
    return None if size is None else size / 1e6


def _three(value: float) -> str:
    """A number in three digits."""
    return f"{float(f'{value:.3g}'):g}"
