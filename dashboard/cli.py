"""The same work without a browser. Commands, options, JSON and exit statuses are fixed by a contract with scripts.

Nothing heavy is imported until a command needs it: ``--help`` answers in well under half a second.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from dashboard.errors import Cancelled, InputError

if TYPE_CHECKING:
    from dashboard.evaluation import Progress
    from dashboard.store import Run

TASKS = ("classification",)


class _Parser(argparse.ArgumentParser):
    """argparse whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see: {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 done; 2 bad usage or input, said in one line on standard error; 130 interrupted, what was finished is kept.
    """
    arguments = parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Cancelled as stop:
        print(f"interrupted: {stop}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")
    shared.add_argument("--store", metavar="DIR", help="where runs are kept (default: $LOUPE_STORE or ~/.loupe)")
    shared.add_argument("--quiet", action="store_true", help="no progress on standard error")
    listing = argparse.ArgumentParser(add_help=False)
    listing.add_argument("--json", metavar="FILE", nargs="?", const="-", help="as JSON (default: standard output)")
    listing.add_argument("--store", metavar="DIR", help="where runs are kept (default: $LOUPE_STORE or ~/.loupe)")
    listing.add_argument("--quiet", action="store_true", help=argparse.SUPPRESS)

    top = _Parser(prog="python -m dashboard", description="Loupe: what does my vision model get right and wrong?")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help: str, run: Any, parents: Sequence[argparse.ArgumentParser]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help, parents=list(parents))
        command.set_defaults(run=run)
        return command

    serve = add("serve", "open the app", _serve, [])
    serve_options(serve)

    models = add("models", "what can be loaded, and whether its weights are here", _models, [listing])
    models.add_argument("--task", choices=TASKS)
    models.add_argument("--here", action="store_true", help="only those that need no download")
    datasets = add("datasets", "dataset formats and built-in datasets", _datasets, [listing])
    datasets.add_argument("--task", choices=TASKS)
    runs = add("runs", "finished runs", _runs, [listing])
    runs.add_argument("--task", choices=TASKS)

    evaluate = add("evaluate", "run models over a dataset and store the runs", _evaluate, [shared])
    evaluate.add_argument("--task", required=True, choices=TASKS)
    evaluate.add_argument("--model", required=True, action="append", metavar="M", help="a listed name or a weight file")
    evaluate.add_argument("--dataset", required=True, metavar="D", help="a path or demo:NAME")
    _data_options(evaluate)
    evaluate.add_argument("--batch-size", type=int, metavar="B")
    evaluate.add_argument("--device", default="auto", metavar="auto|cpu|cuda:N")
    evaluate.add_argument("--precision", default="fp32", choices=("fp32", "fp16", "bf16"))
    evaluate.add_argument("--mapping", metavar="FILE", help="dataset class to model class, CSV or JSON")
    evaluate.add_argument("--allow-code", action="store_true", help="let a weight file run the code inside it")
    evaluate.add_argument("--resume", action="store_true", help="go on with an unfinished run (also the default)")
    evaluate.add_argument("--restart", action="store_true", help="forget earlier predictions of this run")

    score = add("score", "evaluate predictions made elsewhere", _score, [shared])
    score.add_argument("--task", required=True, choices=TASKS)
    score.add_argument("--truth", required=True, metavar="D", help="a path or demo:NAME")
    score.add_argument("--predictions", required=True, metavar="P", help="CSV, Parquet or npz")
    score.add_argument("--name", metavar="NAME", help="what to call the predictions' model (default: the file's name)")
    score.add_argument("--classes", metavar="FILE", help="names behind predictions' class numbers, one a line")
    _data_options(score)
    return top


def serve_options(command: argparse.ArgumentParser) -> None:
    """Options of the app, shared with ``app.py``."""
    command.add_argument("--store", metavar="DIR", help="where runs are kept (default: $LOUPE_STORE or ~/.loupe)")
    command.add_argument("--host", default=None, help="address to listen on (default: this machine only)")
    command.add_argument("--port", type=int, default=None, help="default: the first free one from 7860")
    command.add_argument("--device", default="auto", metavar="auto|cpu|cuda:N")
    command.add_argument("--public", action="store_true", help="for strangers: no typed paths, smaller limits")
    command.add_argument("--allow-code", action="store_true", help="let a weight file run the code inside it")
    command.add_argument("--no-browser", action="store_true", help="do not open a browser")


def _data_options(command: argparse.ArgumentParser) -> None:
    """Options about data that evaluate and score share."""
    command.add_argument("--format", metavar="F", help="the dataset's format, if it is not recognised")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N samples")
    command.add_argument("--seed", type=int, default=0, metavar="N")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further setting")


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping. Raises InputError for one without ``=``."""
    for pair in pairs:
        if "=" not in pair or pair.startswith("="):
            raise InputError(f"--set {pair}: expected KEY=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


def _serve(a: argparse.Namespace) -> None:
    """The app."""
    from dashboard.serve import serve

    serve(a)


def _models(a: argparse.Namespace) -> None:
    """List models."""
    from models.load import model_rows

    rows = [r for r in model_rows(task=a.task) if r["here"] or not a.here]
    if a.json:
        _write_json(a.json, {"schema": 1, "models": rows})
    else:
        _table(rows, ("name", "task", "family", "license", "size_mb", "here"), sys.stdout)


def _datasets(a: argparse.Namespace) -> None:
    """List formats and built-in datasets."""
    from dashboard.datasets.opening import list_datasets

    rows = list_datasets(a.task)
    if a.json:
        _write_json(a.json, {"schema": 1, "datasets": rows})
    else:
        _table(rows, ("name", "kind", "task", "description"), sys.stdout)


def _runs(a: argparse.Namespace) -> None:
    """List runs."""
    from dashboard.engine import default_store
    from dashboard.store import Store

    _print_runs(Store(a.store or default_store()).runs(a.task), a.json)


def _evaluate(a: argparse.Namespace) -> None:
    """Models over a dataset. Names, files and classes are checked before the first inference."""
    from dashboard.engine import Engine
    from dashboard.evaluation import Settings, evaluate
    from dashboard.labels import read_mapping
    from models.base import LoadOptions
    from models.load import check_loadable

    settings = settings_of(a.set)
    options = LoadOptions(
        device=a.device, precision=a.precision, allow_code=a.allow_code, settings=settings_for_models(settings)
    )
    engine = Engine(a.store, options)
    names = list(dict.fromkeys(a.model))
    for name in names:
        check_loadable(name, task=a.task)
    dataset = engine.dataset(a.dataset, a.format, a.task, settings_for_data(settings))
    mapping = read_mapping(a.mapping) if a.mapping else None
    how = Settings(batch_size=a.batch_size, limit=a.limit, seed=a.seed, mapping=mapping, restart=a.restart)
    for warning in dataset.warnings:
        _say(a, f"note: {warning}")
    cancel = _cancel_on_signals()
    runs = []
    for name in names:
        adapter = engine.model(name)
        show = _Bar(adapter.spec.name, a.quiet)
        run = evaluate(adapter, dataset, engine.store, how, show, cancel)
        show.end(run)
        runs.append(run)
    _print_runs(runs, a.json)


def _score(a: argparse.Namespace) -> None:
    """Predictions made elsewhere against the truth."""
    from dashboard.engine import Engine
    from dashboard.scoring import score

    settings = settings_of(a.set)
    engine = Engine(a.store)
    truth = engine.dataset(a.truth, a.format, a.task, settings_for_data(settings))
    run = score(truth, Path(a.predictions), engine.store, name=a.name, classes=a.classes, limit=a.limit, settings=settings)
    _print_runs([run], a.json)


DATA_SETTINGS = ("multilabel",)


def settings_for_data(settings: Mapping[str, str]) -> dict[str, str]:
    """The ``--set`` pairs that dataset formats understand."""
    return {k: v for k, v in settings.items() if k in DATA_SETTINGS}


def settings_for_models(settings: Mapping[str, str]) -> dict[str, str]:
    """The ``--set`` pairs that models understand."""
    return {k: v for k, v in settings.items() if k not in DATA_SETTINGS}


def _cancel_on_signals() -> threading.Event:
    """The first Ctrl-C or SIGTERM ends the loop at the next batch, keeping its work; a second one ends at once."""
    cancel = threading.Event()

    def stop(signum: int, _frame: Any) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), stop)
    return cancel


class _Bar:
    """Progress on standard error: one line rewritten on a terminal, a line every few seconds elsewhere."""

    def __init__(self, name: str, quiet: bool) -> None:
        self.name, self.quiet, self.terminal, self.last = name, quiet, sys.stderr.isatty(), 0.0

    def __call__(self, p: Progress) -> None:
        now = time.monotonic()
        if self.quiet or p.stage == "done" or (not self.terminal and now - self.last < 5):
            return
        self.last = now
        text = f"{self.name}: {p.stage} {p.done}/{p.total}"
        if p.rate:
            text += f" · {p.rate:.1f}/s"
        if p.seconds_left:
            text += f" · {p.seconds_left:.0f} s left"
        text += "".join(f" · {k} {v:.3f}" for k, v in p.live.items())
        print(f"\r\033[K{text}" if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr, flush=True)

    def end(self, run: Run) -> None:
        """The last word."""
        if self.quiet:
            return
        skipped = run.facts.get("skipped", [])
        print(f"{chr(13)}\033[K" if self.terminal else "", end="", file=sys.stderr)
        print(f"{self.name}: {run.samples} samples, run {run.id}", file=sys.stderr)
        for s in skipped[:5]:
            print(f"note: skipped {s['id']}: {s['reason']}", file=sys.stderr)
        if len(skipped) > 5:
            print(f"note: … and {len(skipped) - 5} more skipped", file=sys.stderr)


def _say(a: argparse.Namespace, text: str) -> None:
    """A remark on standard error."""
    if not a.quiet:
        print(text, file=sys.stderr)


def run_json(run: Run) -> dict[str, Any]:
    """One run in the contract's shape, per-class numbers included."""
    from dashboard.results import ClassTable
    from dashboard.store import jsonable

    per_class: dict[str, dict[str, Any]] = {}
    for result in run.results().values():
        if isinstance(result, ClassTable):
            for i, name in enumerate(result.classes):
                entry = per_class.setdefault(str(name), {})
                entry |= {column: values[i] for column, values in result.columns.items()}
    return jsonable(
        {
            "run": run.id,
            "task": run.task,
            "model": run.model,
            "dataset": run.dataset,
            "samples": run.samples,
            "metrics": run.metrics,
            "intervals": run.intervals,
            "per_class": per_class,
            "timing": run.timing,
            "environment": run.environment,
            "created_at": run.created_at,
            "skipped": run.facts.get("skipped", []),
            "settings": run.facts.get("settings", {}),
        }
    )


def _print_runs(runs: Sequence[Run], target: str | None) -> None:
    """As JSON where asked for, else as a table."""
    if target:
        _write_json(target, {"schema": 1, "runs": [run_json(r) for r in runs]})
    if target != "-":
        rows = [
            {"run": r.id, "model": r.model, "dataset": r.dataset, "samples": r.samples}
            | {k: r.metrics.get(k) for k in ("top1", "top5", "f1_macro", "auroc_macro", "ece", "map")}
            | {"created": r.created_at}
            for r in runs
        ]
        columns = [c for c in (rows[0] if rows else {}) if any(row[c] is not None for row in rows)]
        _table(rows, columns or ("run",), sys.stdout)


def _write_json(target: str, value: Any) -> None:
    """To standard output, or to a file that is whole or absent. Raises InputError if it cannot be written."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    if target == "-":
        print(text)
        return
    path = Path(target)
    try:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(text + "\n", "utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"--json {target} cannot be written ({error.strerror}): give another file.") from error


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], out: IO[str]) -> None:
    """Aligned text."""

    def cell(value: Any) -> str:
        if value is None:
            return "n/a"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    cells = [[cell(row.get(c)) for c in columns] for row in rows]
    widths = [max([len(c), *(len(r[k]) for r in cells)]) for k, c in enumerate(columns)]
    for line in ([str(c) for c in columns], *cells):
        print("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip(), file=out)
