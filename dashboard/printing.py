"""What the command line shows: progress, tables, and JSON in the contract's shape."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dashboard.errors import InputError

if TYPE_CHECKING:
    from dashboard.evaluation import Progress
    from dashboard.store import Run


def plain(text: str) -> str:
    """Text that cannot steer a terminal: control characters, line ends and the like as escapes.

    Joiners (of emoji and of some scripts) stay: they only shape what is beside them.
    """
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class Bar:
    """Progress on standard error: one line rewritten on a terminal, a line every few seconds elsewhere."""

    def __init__(self, name: str, quiet: bool) -> None:
        self.name, self.quiet, self.terminal, self.last = plain(name), quiet, sys.stderr.isatty(), 0.0

    def __call__(self, p: Progress) -> None:
        """Show how far it is."""
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
        line = f"\r\033[K{text}" if self.terminal else f"{text}\n"
        print(line, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that what comes next, an error say, has its own."""
        if self.terminal and not self.quiet:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def end(self, run: Run) -> None:
        """The last word."""
        if self.quiet:
            return
        skipped = run.facts.get("skipped", [])
        print(f"{self.name}: {run.samples} samples, run {run.id}", file=sys.stderr)
        for s in skipped[:5]:
            print(plain(f"note: skipped {s['id']}: {s['reason']}"), file=sys.stderr)
        if len(skipped) > 5:
            print(f"note: … and {len(skipped) - 5} more skipped", file=sys.stderr)


def run_json(run: Run) -> dict[str, Any]:
    """One run in the contract's shape, per-class numbers included (none, and a note, if their file is damaged)."""
    from dashboard.disk import jsonable
    from dashboard.results import ClassTable

    per_class: dict[str, dict[str, Any]] = {}
    per_sequence: dict[str, dict[str, Any]] = {}
    try:
        results = run.results()
    except InputError as error:
        print(plain(f"note: {error}"), file=sys.stderr)
        results = {}
    for key, result in results.items():
        if isinstance(result, ClassTable):
            rows = per_sequence if "per_sequence" in key else per_class
            suffix = "_agnostic" if key.endswith("_agnostic") else ""
            for i, name in enumerate(result.classes):
                entry = rows.setdefault(name, {})
                entry |= {f"{column}{suffix}": values[i] for column, values in result.columns.items()}
    return jsonable(
        ({"per_sequence": per_sequence} if per_sequence else {})
        | {
            "run": run.id,
            "task": run.task,
            "model": run.model,
            "dataset": run.dataset,
            "title": run.title,
            "tags": list(run.tags),
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


COUNTS = ("IDSW",)
SHOWN = (
    *(
        "HOTA",
        "MOTA",
        "IDF1",
        "IDSW",
        "top1",
        "top5",
        "f1_macro",
        "auroc_macro",
        "ece",
        "map",
        "map_50",
        "map_75",
        "mar_100",
        "f1",
        "miou",
    ),
    *("mdice", "pixel_accuracy", "psnr", "ssim", "psnr_y", "ssim_y"),
    "FPS",
)


def print_runs(runs: Sequence[Run], target: str | None) -> None:
    """As JSON where asked for, else as a table."""
    if target:
        write_result(target, {"schema": 1, "runs": [run_json(r) for r in runs]})
    if target != "-":
        rows = [
            {"run": r.id, "title": r.title or None, "tags": ", ".join(r.tags) or None}
            | {"model": r.model, "dataset": r.dataset, "samples": r.samples}
            | {k: r.metrics.get(k) for k in SHOWN}
            | {"created": r.created_at}
            for r in runs
        ]
        columns = [c for c in (rows[0] if rows else {}) if any(row[c] is not None for row in rows)]
        print_table(rows, columns or ("run",), sys.stdout)


def check_writable(target: str | None) -> None:
    """Say so before hours of work, not after, if ``--json`` cannot be written. Raises InputError."""
    if target is None or target == "-":
        return
    path = Path(target)
    why = ""
    if path.is_dir():
        why = "it is a folder"
    elif not path.parent.is_dir():
        why = f"there is no folder {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        why = "permission denied"
    if why:
        raise InputError(f"--json {target} cannot be written ({why}): give another file.")


def write_result(target: str, value: Any) -> None:
    """To standard output, or to a file that is whole or absent. Raises InputError if it cannot be written."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    if target == "-":
        print(text)
        return
    path = Path(target)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device takes the text, and must stay what it is
            path.write_text(text + "\n", "utf-8")
            return
        try:
            temporary.write_text(text + "\n", "utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--json {target} cannot be written ({error.strerror}): give another file.") from error


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], out: IO[str]) -> None:
    """Aligned text."""

    def cell(column: str, value: Any) -> str:
        if value is None:
            return "n/a"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return str(int(value)) if column in COUNTS and value.is_integer() else f"{value:.4f}"
        return plain(str(value))

    cells = [[cell(c, row.get(c)) for c in columns] for row in rows]
    widths = [max([len(c), *(len(r[k]) for r in cells)]) for k, c in enumerate(columns)]
    for line in ([str(c) for c in columns], *cells):
        print("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip(), file=out)
