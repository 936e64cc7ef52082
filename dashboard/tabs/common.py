"""What every tab's handlers need: private, quiet events, errors as toasts, and places for files to download."""

from __future__ import annotations

import contextlib
import functools
import html
import os
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from dashboard.disk import friendly_os_errors, prune_files
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.naming import BY_PROFILE, label_of
from dashboard.store import Run
from dashboard.visitors import VisitorStore

_UPLOADS = os.environ.get("GRADIO_TEMP_DIR") or os.path.join(tempfile.gettempdir(), "gradio")
_UPLOADED = re.compile(re.escape(_UPLOADS) + r"/[0-9A-Za-z]{16,}/")
_KEPT = re.compile(r"(?:[A-Za-z]:)?[/\\][^\n]*?[/\\]videos[/\\][0-9a-f]{16}[/\\]")  # see ``Engine.keep``
KEEP_S = 3600.0
"""How long a file waits to be downloaded."""
MOST_BYTES = 2 << 30
"""Of all files that wait to be downloaded."""

EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Keyword arguments of an internal event. One that comes while the one before is under way is dropped: right for what
starts something, a button or a clock."""
LATEST: dict[str, Any] = EVENT | {"trigger_mode": "always_last"}
"""Of a control whose value counts. What is chosen while the choice before is under way follows it: dropped, as Gradio
would, it stands chosen on a page that shows something else."""
PICK: dict[str, Any] = EVENT | {"trigger_mode": "multiple", "concurrency_limit": 1}
"""Of a click on a place in a view: each is answered, in order. ("always_last" would send the first place again.)"""
DEVICE: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "device", "concurrency_limit": 1}
"""Keyword arguments of an event that uses the device: one at a time."""


def toast(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a handler's InputError as a toast of one sentence; everything on the page stays as it was."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise gr.Error(html.escape(shown(error)), print_exception=False, duration=12) from error

    return guarded


def shown(message: object) -> str:
    """A message for the page: an uploaded file by its name, not by where the server has put it."""
    return _KEPT.sub("", _UPLOADED.sub("", str(message)))


def new_file(name: str) -> Path:
    """A place for a file to be downloaded; those of an hour ago go."""
    base = Path(tempfile.gettempdir()) / f"loupe-share-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder = base / secrets.token_hex(8)
    path = folder / name
    with friendly_os_errors(base):
        base.mkdir(mode=0o700, exist_ok=True)
        files = [f for f in base.rglob("*") if f.is_file()]
        prune_files([f for f in files if not f.name.startswith(".")], MOST_BYTES, path, KEEP_S)
        prune_files([f for f in files if f.name.startswith(".")], sys.maxsize, path, KEEP_S)  # others are under way
        for old in base.iterdir():
            with contextlib.suppress(OSError):  # one that is not empty stays; a new one waits for its file
                if old.stat().st_mtime < time.time() - KEEP_S:
                    old.rmdir()
        folder.mkdir(mode=0o700)
    return path


def visible(engine: Engine, task: str | None = None) -> list[Run]:
    """The runs that are listed: all of them; on a public server what is everybody's, and the visitor's own."""
    return engine.store.runs(task)


def own(runs: Sequence[Run]) -> list[Run]:
    """Those to begin with: not what came about while a profile measured accuracy, unless there is nothing else."""
    return [r for r in runs if BY_PROFILE not in r.tags] or list(runs)


def run_choices(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Runs for a list, as (label, id): model and dataset, with the size or the time where that is not enough."""
    short = Counter((label_of(r), r.dataset) for r in runs)
    sized = Counter((label_of(r), r.dataset, r.samples) for r in runs)

    def label(run: Run) -> str:
        name = label_of(run)
        text = f"{name} · {run.dataset}"
        if short[name, run.dataset] > 1:
            text += f" · {run.samples:,}"
        if sized[name, run.dataset, run.samples] > 1:
            text += f" · {run.created_at[:19].replace('T', ' ')}"
        return text

    return [(label(r), r.id) for r in runs]


def owner_of(engine: Engine, request: gr.Request, kind: str = "") -> str:
    """Whose job of a kind it is: a browser session's; on a public server a visitor's, however many pages he opens."""
    if not isinstance(engine.store, VisitorStore):
        return f"{request.session_hash or ''}{kind}"
    visitor = engine.store.who()
    name = next(iter(visitor.marks), "") if visitor is not None else ""
    return f"{name or request.session_hash or 'somebody'}{kind}"


def say_gone(engine: Engine, request: gr.Request) -> None:
    """The page has opened: say so if the run of its link, ``?run=ID``, is not there. Of several "Compare" tells."""
    wanted = str(request.query_params.get("run") or "")
    if wanted and "," not in wanted and not engine.store.has(wanted):
        gr.Warning(f"There is no run {html.escape(wanted[:200])}: it may have been deleted.")


def put(part: type[Component], value: Any, sent: Any, **more: Any) -> Component:
    """An update of a control, with its value only if that is not what the page has sent.

    Somebody may have chosen another one meanwhile: an answer that repeats the choice before would take it back.
    """
    return part(**more) if value == sent else part(value=value, **more)


class Slider(gr.Slider):
    """A slider whose number field may be left empty or out of range: it then means the nearest that can be."""

    is_template = True  # drawn as Gradio's own

    def preprocess(self, payload: Any) -> float:
        """The value, brought into range; the smallest for an empty field, or for what is no number."""
        low, high = float(self.minimum), float(self.maximum)
        try:
            return min(high, max(low, float(payload)))
        except (TypeError, ValueError, OverflowError):
            return low


class Choice(gr.Radio):
    """A radio whose choices change: a value that is not among them any more is none, not an error.

    The page may send the value of a moment ago while its new choices are under way.
    """

    is_template = True  # drawn as Gradio's own

    def preprocess(self, payload: Any) -> Any:
        """The value, or None if it is not a choice."""
        return super().preprocess(payload) if payload in [value for _, value in self.choices] else None


class Choices(gr.Dropdown):
    """A dropdown whose choices change, likewise: of several values, those that are choices."""

    is_template = True  # drawn as Gradio's own

    def preprocess(self, payload: Any) -> Any:
        """The value or values, without what is no choice."""
        known = [value for _, value in self.choices]
        if isinstance(payload, list):
            payload = [value for value in payload if value in known]
        return super().preprocess(payload) if isinstance(payload, list) or payload in known else None
