"""The commands about runs and costs: ``profile``, ``compare`` and ``report``. The parser is in ``cli``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError
from dashboard.printing import Bar, plain, print_runs, print_table, run_json, write_result

if TYPE_CHECKING:
    from dashboard.comparing.shapes import Comparison
    from dashboard.profiling.shapes import Profile
    from dashboard.store import Run, Store

Add = Callable[..., argparse.ArgumentParser]
VARIANTS = ("fp32", "channels_last", "fused", "bf16", "fp16", "onnxruntime", "openvino", "compiled", "default")

MOST_BATCH = 4096
"""Pictures in a batch whose throughput is measured: beyond, a number says how much memory there is, not how fast."""
SAYS = {
    "better": "better",
    "worse": "worse",
    "differs": "differs",
    "same": "no difference shown",
    "unknown": "cannot be told",
}
"""A verdict in words."""


def add_commands(add: Add, shared: argparse.ArgumentParser, tasks: Sequence[str]) -> None:
    """Declare them.

    Args:
        add: makes a command from name, help, function and parents.
        shared: options that every command has.
        tasks: what models can do.
    """
    cost = add("profile", "what models cost: parameters, operations, time, memory", _profile, [shared])
    cost.add_argument("--model", required=True, action="append", metavar="M", help="a listed name or a weight file")
    cost.add_argument("--task", choices=tasks, help="what it is used for (default: its own task)")
    cost.add_argument("--input-size", metavar="HxW", help="of the picture it is measured on (default: the model's own)")
    cost.add_argument("--batch-size", type=int, metavar="B", help="throughput at this size only (default: 1, 2, 4 ...)")
    cost.add_argument("--variants", metavar="A,B", help=f"of {', '.join(VARIANTS)} (default: the first four)")
    cost.add_argument("--dataset", metavar="D", help="tell what each variant costs in accuracy on it")
    cost.add_argument("--format", metavar="F", help="the dataset's format, if it is not recognised")
    cost.add_argument("--limit", type=int, metavar="N", help="only the dataset's first N samples")
    cost.add_argument("--device", default="auto", metavar="auto|cpu|cuda:N")
    cost.add_argument("--layers", action="store_true", help="print every layer, too")
    cost.add_argument("--allow-code", action="store_true", help="let a weight file run the code inside it")
    cost.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further setting")

    comparing = add("compare", "two to eight runs on the same samples, with paired intervals", _compare, [shared])
    comparing.add_argument("run_names", nargs="+", metavar="RUN", help="a run's id, or a beginning that only it has")
    comparing.add_argument("--baseline", metavar="RUN", help="what the others are compared with (default: the first)")
    comparing.add_argument("--resamples", type=int, metavar="N", help="of the paired bootstrap (default: 2000)")
    comparing.add_argument("--seed", type=int, default=0, metavar="N")

    telling = add("report", "a run or a comparison as one HTML file that needs nothing else", _report, [shared])
    telling.add_argument("run_names", nargs="+", metavar="RUN", help="a run's id, or a beginning that only it has")
    telling.add_argument("--out", required=True, metavar="F.html")
    telling.add_argument("--baseline", metavar="RUN", help="what the others are compared with (default: the first)")
    telling.add_argument("--title", metavar="TEXT")
    telling.add_argument("--language", default="en", choices=("en", "zh-TW"))


def variants_of(text: str | None) -> tuple[str, ...] | None:
    """``A,B`` as names. Raises InputError for one that is not known."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if name not in VARIANTS]
    if wrong or not names:
        raise InputError(f"--variants {text}: choose from {', '.join(VARIANTS)}.")
    return names


def runs_of(store: Store, names: Sequence[str]) -> list[Run]:
    """Runs by id or by a beginning that only one has, each once, in order. Raises InputError in one sentence."""
    return list({run.id: run for run in (_run(store, name) for name in names)}.values())


def _run(store: Store, name: str) -> Run:
    if not store.has(name) and name.strip():
        alike = [r.id for r in store.runs() if r.id.startswith(name)]
        if len(alike) > 1:
            raise InputError(
                f"{len(alike)} runs begin with {name!r} ({alike[0]}, {alike[1]} ...): give more of the id."
            )
        name = alike[0] if alike else name
    return store.get(name)


def _store(a: argparse.Namespace) -> Store:
    from dashboard.engine import default_store
    from dashboard.store import Store

    return Store(a.store or default_store())


def _chosen(a: argparse.Namespace, store: Store) -> tuple[list[Run], int]:
    """The runs that were named, and the baseline's place among them."""
    runs = runs_of(store, a.run_names)
    if a.baseline is None:
        return runs, 0
    wanted = _run(store, a.baseline)
    if wanted.id not in [r.id for r in runs]:
        runs.insert(0, wanted)
    return runs, [r.id for r in runs].index(wanted.id)


def _profile(a: argparse.Namespace) -> None:
    """Models' costs, one after the other."""
    from dashboard.engine import Engine
    from dashboard.profiling.kept import write_profile
    from dashboard.profiling.profile import profile
    from dashboard.settings import settings_for_data, settings_for_models, settings_of, size_of
    from models.base import LoadOptions
    from models.load import check_loadable

    if a.batch_size is not None and not 1 <= a.batch_size <= MOST_BATCH:
        raise InputError(f"--batch-size must be 1 to {MOST_BATCH:,}, got {a.batch_size:,}.")
    size, variants, settings = size_of(a.input_size, "--input-size"), variants_of(a.variants), settings_of(a.set)
    options = LoadOptions(device=a.device, allow_code=a.allow_code, settings=settings_for_models(settings))
    for name in a.model:
        check_loadable(name, a.task, options.settings)
    engine = Engine(a.store, options)
    more: dict[str, Any] = {} if variants is None else {"variants": variants}
    runs = []
    for name in dict.fromkeys(a.model):
        if a.dataset:
            more["dataset"] = _dataset_for(engine, a, name, settings_for_data(settings))
        show = Bar(name, a.quiet)
        try:
            with a.signals.cancelling() as cancel:
                found = profile(
                    name, options, task=a.task, input_size=size, batch_sizes=a.batch_size and (a.batch_size,),
                    limit=a.limit, store=engine.store, say=show, cancel=cancel, **more,
                )  # fmt: skip
                runs.append(write_profile(engine.store, found))
        finally:
            show.clear()
        if a.json != "-":
            print_profile(found, a.layers)
    if a.json:
        write_result(a.json, {"schema": 1, "runs": [run_json(r) | {"profile": r.facts["profile"]} for r in runs]})


def _dataset_for(engine: Any, a: argparse.Namespace, name: str, options: dict[str, str]) -> Any:
    """The dataset to measure accuracy on, opened for the model's task."""
    task = a.task or engine.model(name).spec.task
    return engine.dataset(a.dataset, a.format, task, options)


def print_profile(found: Profile, layers: bool = False) -> None:
    """A profile as tables on standard output."""
    height, width = found.input_size
    facts = {
        "parameters": None if found.params is None else f"{found.params:,}",
        "MACs": None if found.macs is None else f"{found.macs:,} ({found.macs / 1e9:.3f} G)",
        "FLOPs (2 x MACs)": None if found.flops is None else f"{found.flops:,} ({found.flops / 1e9:.3f} G)",
        "size on disk": None if found.size_bytes is None else f"{found.size_bytes / 1e6:.1f} MB",
        "cold start": _cold_start(found.cold_start),
        "memory": " · ".join(f"{k} {v:.0f} MB" for k, v in found.memory_mb.items()) or None,
    }
    print(plain(f"{found.model} · {found.task} · {height}x{width} · {found.device}"))
    print_table([{"": k, " ": v} for k, v in facts.items()], ("", " "), sys.stdout)
    rows: list[dict[str, Any]] = [
        {"variant": v.name, **v.latency_ms, **v.stages_ms, **v.accuracy, "note": v.why_not}
        | {"speedup": v.speedup, "largest difference": _difference(v.largest_difference)}
        | {f"{size}/batch": rate for size, rate in v.throughput.items()}
        for v in found.variants
    ]
    sizes = sorted({size for v in found.variants for size in v.throughput})
    columns = ["variant", "p50", "p90", "p99", "preprocess", "forward", "postprocess", "speedup", "largest difference"]
    columns += [f"{size}/batch" for size in sizes]
    columns += dict.fromkeys(metric for v in found.variants for metric in v.accuracy)
    if rows:
        print("latency in ms at batch 1; N/batch: pictures a second in batches of N")
        known = [c for c in [*columns, "note"] if any(row.get(c) not in (None, "") for row in rows)]
        print_table(rows, known, sys.stdout)
    if layers:
        own = [
            {**vars(x), "output": "x".join(map(str, x.output)), "flops": 2 * x.macs, "other ops": x.other_ops}
            for x in found.layers
        ]
        print("flops: 2 x macs; other ops: of batch norms, pooling and the like, which totals leave out")
        print_table(own, ("path", "kind", "output", "params", "macs", "flops", "other ops", "ms"), sys.stdout)
    for note in found.notes:
        print(plain(f"note: {note}"))


def _cold_start(seconds: Mapping[str, float]) -> str | None:
    """Loading and the first answer, and what comes before these."""
    if not seconds:
        return None
    said = {name.removesuffix("_s"): f"{value:.2f} s" for name, value in seconds.items()}
    return "{total} (load {load} + first {first}), after {import} of imports".format_map(said)


def _difference(value: float | None) -> str | None:
    """Two digits, however small it is."""
    return None if value is None else f"{value:.2g}"


def _compare(a: argparse.Namespace) -> None:
    """Runs against a baseline."""
    from dashboard.comparing.compare import compare
    from dashboard.comparing.shapes import MOST_RUNS, RESAMPLES

    times = RESAMPLES if a.resamples is None else a.resamples
    if not 100 <= times <= 1_000_000:
        raise InputError(f"--resamples must be 100 to 1,000,000, got {times}.")
    if not 0 <= a.seed < 1 << 63:
        raise InputError(f"--seed must be 0 or more (63 bits), got {a.seed}.")
    runs, baseline = _chosen(a, _store(a))
    if not 2 <= len(runs) <= MOST_RUNS:
        raise InputError(f"compare takes two to {MOST_RUNS} different runs, got {len(runs)}: name others (see: runs).")
    found = compare(runs, baseline, times, a.seed)
    if a.json:
        write_result(a.json, comparison_json(found))
    if a.json != "-":
        print_comparison(found)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison in the contract's shape: its runs, and what is between them. Undefined is null."""
    from dashboard.disk import jsonable

    def run_id(place: int) -> str:
        return found.runs[place].id

    def clean(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    body = {
        "baseline": run_id(found.baseline),
        "task": found.task,
        "samples": len(found.ids),
        "left_out": {run_id(k): n for k, n in enumerate(found.left_out)},
        "resampled": found.unit,
        "settings": dict(found.settings),
        "notes": list(found.notes),
        "metrics": {
            f.name: {run_id(k): clean(v) for k, v in enumerate(f.values)} for f in found.figures
        },
        "differences": [
            {
                "metric": d.metric,
                "run": run_id(d.run),
                "difference": clean(d.value),
                "interval": None if math.isnan(d.low) else [float(d.low), float(d.high)],
                "p": clean(d.p),
                "p_holm": clean(d.p_holm),
                "method": d.method,
            }
            for d in found.differences
        ],
        "tests": [
            {
                "test": t.name,
                "run": run_id(t.run),
                "statistic": clean(t.statistic),
                "p": clean(t.p),
                "p_holm": clean(t.p_holm),
                "counts": dict(t.counts),
            }
            for t in found.tests
        ],
        "score": found.score_name,
        "wins": {
            run_id(k): {
                word: int((found.outcome(k) == sign).sum()) for word, sign in (("wins", 1), ("losses", -1), ("ties", 0))
            }
            for k in range(len(found.runs))
            if k != found.baseline
        },
    }  # fmt: skip
    return {"schema": 1, "runs": [run_json(r) for r in found.runs], "comparison": jsonable(body)}


def print_comparison(found: Comparison) -> None:
    """A comparison as tables on standard output."""
    from dashboard.explore.comparing.deciding import verdict
    from dashboard.naming import label_of

    labels = [label_of(r) for r in found.runs]
    names = [f"{label} ({k + 1})" if labels.count(label) > 1 else label for k, label in enumerate(labels)]
    base = names[found.baseline]
    print(plain(f"{len(found.ids)} common samples; differences are to {base}, with paired 95 % intervals"))
    rows: list[dict[str, Any]] = [
        {"metric": f.name} | {n: _number(v) for n, v in zip(names, f.values, strict=True)} for f in found.figures
    ]  # fmt: skip
    print_table(rows, ("metric", *names), sys.stdout)
    print()
    by_name = {f.name: f for f in found.figures}
    told = [
        {
            "run": names[d.run],
            "metric": d.metric,
            "difference": _number(d.value, "+"),
            "interval": None if math.isnan(d.low) else f"[{_number(d.low, '+')}, {_number(d.high, '+')}]",
            "p": _number(d.p),
            "p (Holm)": _number(d.p_holm),
            "says": SAYS[verdict(by_name.get(d.metric), d)],
        }
        for d in found.differences
    ]
    print_table(told, ("run", "metric", "difference", "interval", "p", "p (Holm)", "says"), sys.stdout)
    print()
    tests = [
        {"run": names[t.run], "test": t.name, "p": _number(t.p), "p (Holm)": _number(t.p_holm)}
        | {"counts": ", ".join(f"{k.replace('_', ' ')} {n}" for k, n in t.counts.items())}
        for t in found.tests
    ]
    print_table(tests, ("run", "test", "p", "p (Holm)", "counts"), sys.stdout)
    for note in found.notes:
        print(plain(f"note: {note}"))


def _number(value: float, sign: str = "") -> str | None:
    """Four significant digits, None where undefined."""
    if math.isnan(value):
        return None
    return format(int(value), sign) if float(value).is_integer() and abs(value) >= 1 else format(value, f"{sign}.4g")


def _report(a: argparse.Namespace) -> None:
    """Runs as one file."""
    from dashboard.engine import Engine
    from dashboard.reporting.report import write_report

    if Path(a.out).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {a.out}: a report is a page, so its name ends in .html.")
    engine = Engine(a.store)
    runs, baseline = _chosen(a, engine.store)
    made = write_report(
        engine.store, runs, Path(a.out), baseline=baseline, pictures=engine.pictures, title=a.title, language=a.language
    )
    if not a.quiet:
        print(plain(f"{made} ({made.stat().st_size / 1e6:.1f} MB)"), file=sys.stderr)
    print_runs(runs, a.json) if a.json else print(plain(str(made)))
