"""The same work without a browser. Commands, options, JSON and exit statuses are fixed by a contract with scripts.

Nothing heavy is imported until a command needs it: ``--help`` answers in well under half a second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dashboard.commands import add_commands
from dashboard.errors import Cancelled, InputError, did_you_mean
from dashboard.printing import Bar, check_writable, plain, print_runs, print_table, write_result
from dashboard.settings import settings_for_data, settings_for_models, settings_of
from dashboard.tasks import TASKS as TASK_REGISTRY

TASKS = tuple(TASK_REGISTRY.names())


class _Parser(argparse.ArgumentParser):
    """argparse whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        print(plain(f"error: {message}{self._near(message)} (see: {self.prog} --help)"), file=sys.stderr)
        sys.exit(2)

    def _near(self, message: str) -> str:
        """The command, option or choice that may be meant."""
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            return "." + did_you_mean(choice[1], re.findall(r"[\w.-]+", choice[2]))
        wrong = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
        return "." + did_you_mean(wrong[1], self.options()) if wrong else ""

    def options(self) -> list[str]:
        """Every option, its commands' too."""
        found: list[str] = []
        for action in self._actions:
            found += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                found += [o for command in action.choices.values() for o in command.options()]
        return list(dict.fromkeys(found))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 done; 2 bad usage or input, said in one line on standard error; 130 interrupted, what was finished is kept.
    """
    arguments = parser().parse_args(argv)
    try:
        check_writable(getattr(arguments, "json", None))
        with _Signals() as arguments.signals:
            return arguments.run(arguments) or 0
    except InputError as error:
        print(plain(f"error: {' '.join(str(error).split())}"), file=sys.stderr)
        return 2
    except Cancelled as stop:
        print(plain(f"interrupted: {stop}"), file=sys.stderr)
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

    def add(name: str, help: str, run: Any, parents: Any) -> argparse.ArgumentParser:
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
    score.add_argument("--predictions", required=True, metavar="P", help="a file or folder of predictions")
    score.add_argument("--columns", metavar="C", help="of txt files, as class,score,x,y,w,h (default: Ultralytics')")
    score.add_argument("--units", choices=("rel", "px"), help="of txt files: parts of the picture, or pixels")
    score.add_argument("--name", metavar="NAME", help="what to call the predictions' model (default: the file's name)")
    _data_options(score)
    add_commands(add, shared, TASKS)
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
    command.add_argument("--classes", metavar="FILE", help="the names behind class numbers, one a line, in order")
    command.add_argument(
        "--degrade", metavar="KIND:VALUE", help="how inputs are made: bicubic:4, noise:25, jpeg:10, blur:1.6"
    )
    command.add_argument("--limit", type=int, metavar="N", help="only the first N samples")
    command.add_argument("--seed", type=int, default=0, metavar="N")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further setting")


def _serve(a: argparse.Namespace) -> None:
    """The app."""
    from dashboard.serve import serve

    serve(a)


def _models(a: argparse.Namespace) -> None:
    """List models."""
    from models.load import model_rows

    rows = [r for r in model_rows(task=a.task) if r["here"] or not a.here]
    if a.json:
        write_result(a.json, {"schema": 1, "models": rows})
    else:
        print_table(rows, ("name", "task", "family", "license", "size_mb", "here"), sys.stdout)


def _datasets(a: argparse.Namespace) -> None:
    """List formats and built-in datasets."""
    from dashboard.datasets.opening import list_datasets

    rows = list_datasets(a.task)
    if a.json:
        write_result(a.json, {"schema": 1, "datasets": rows})
    else:
        print_table(rows, ("name", "kind", "task", "description"), sys.stdout)


def _runs(a: argparse.Namespace) -> None:
    """List runs."""
    from dashboard.engine import default_store
    from dashboard.store import Store

    print_runs(Store(a.store or default_store()).runs(a.task), a.json)


def _evaluate(a: argparse.Namespace) -> None:
    """Models over a dataset. Names, files and classes are checked before the first inference."""
    from dashboard.engine import Engine
    from dashboard.evaluation import Settings, evaluate
    from dashboard.inference import with_class_names
    from dashboard.labels import read_class_names, read_mapping
    from models.base import LoadOptions
    from models.load import check_loadable

    settings = settings_of(a.set)
    for option in ("classes", "mapping"):
        if a.task == "enhancement" and getattr(a, option):
            raise InputError(f"--{option} is for tasks with classes, not for enhancement: leave it out.")
    if a.classes:
        settings["classes"] = a.classes
    options = LoadOptions(
        device=a.device, precision=a.precision, allow_code=a.allow_code, settings=settings_for_models(settings)
    )
    engine = Engine(a.store, options)
    names = list(dict.fromkeys(a.model))
    for name in names:
        check_loadable(name, a.task, options.settings)
    classes = read_class_names(a.classes) if a.classes else None
    mapping = read_mapping(a.mapping) if a.mapping else None
    dataset = engine.dataset(a.dataset, a.format, a.task, settings_for_data(settings) | _degraded(a, settings))
    how = Settings(batch_size=a.batch_size, limit=a.limit, seed=a.seed, mapping=mapping, restart=a.restart)
    how.check()
    _say_warnings(dataset, a.quiet)
    runs = []
    for name in names:
        adapter = engine.model(name, task=a.task)
        if classes is not None and adapter.spec.class_names != classes:
            adapter = with_class_names(adapter, classes)
        show = Bar(adapter.spec.name, a.quiet)
        try:
            with a.signals.cancelling() as cancel:
                runs.append(evaluate(adapter, dataset, engine.store, how, show, cancel))
        finally:
            show.clear()
        show.end(runs[-1])
    print_runs(runs, a.json)


def _degraded(a: argparse.Namespace, settings: Mapping[str, str]) -> dict[str, str]:
    """How inputs are made from clean pictures, as options of the dataset's format."""
    if a.task != "enhancement":
        if a.degrade is not None:
            raise InputError(f"--degrade is for --task enhancement, not for {a.task}: leave it out.")
        return {}
    given = {} if a.degrade is None else {"degrade": str(a.degrade)}
    if a.seed and ("degrade" in given or "degrade" in settings):
        given["seed"] = str(a.seed)
    for key, value in given.items():
        if settings.get(key, value) != value:
            raise InputError(f"--{key} {value} and --set {key}={settings[key]} say two things: leave one of them out.")
    return given


def _say_warnings(dataset: Any, quiet: bool) -> None:
    """What a dataset's reader noted, on standard error."""
    for warning in () if quiet else dataset.warnings:
        print(plain(f"note: {warning}"), file=sys.stderr)


def _score(a: argparse.Namespace) -> None:
    """Predictions made elsewhere against the truth."""
    from dashboard.engine import Engine
    from dashboard.scoring import score

    settings = settings_of(a.set)
    engine = Engine(a.store)
    settings |= {k: v for k in ("columns", "units") if (v := getattr(a, k)) is not None}
    data = settings_for_data(settings) | _degraded(a, settings)
    truth = engine.dataset(a.truth, a.format, a.task, data, labels_only=True)
    run = score(
        truth,
        Path(a.predictions),
        engine.store,
        name=a.name,
        classes=a.classes,
        limit=a.limit,
        settings=settings_for_models(settings),
    )
    _say_warnings(truth, a.quiet)  # not before: an error has standard error to itself
    for note in () if a.quiet else run.facts.get("notes", {}).get("import", []):
        print(plain(f"note: {note}"), file=sys.stderr)
    print_runs([run], a.json)


class _Signals:
    """Ctrl-C and SIGTERM: while a model runs, the first one ends the loop at the next batch and keeps its work.

    At any other time, and the second time, they end the program at once. What was there before comes back at the end.
    """

    NAMES = ("SIGINT", "SIGTERM")

    def __init__(self) -> None:
        self.cancel: threading.Event | None = None
        self.before: dict[str, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            self.before = {n: signal.signal(getattr(signal, n), self._stop) for n in self.NAMES}
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self.before.items():
            signal.signal(getattr(signal, name), handler)

    @contextlib.contextmanager
    def cancelling(self) -> Iterator[threading.Event]:
        """The event that the first signal sets."""
        self.cancel = threading.Event()
        try:
            yield self.cancel
        finally:
            stopped, self.cancel = self.cancel.is_set(), None
        if stopped:  # it came when this run was as good as finished: others do not begin
            raise KeyboardInterrupt

    def _stop(self, _signum: int, _frame: Any) -> None:
        if self.cancel is None or self.cancel.is_set():
            raise KeyboardInterrupt
        self.cancel.set()
