"""What every tab's handlers need: private, quiet events, and errors as toasts."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from dashboard.errors import InputError
from dashboard.store import Run

EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Keyword arguments of an internal event."""
DEVICE: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "device", "concurrency_limit": 1}
"""Keyword arguments of an event that uses the device: one at a time."""


def toast(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a handler's InputError as a toast of one sentence; everything on the page stays as it was."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False, duration=12) from error

    return guarded


def run_choices(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Runs for a list, as (label, id): model and dataset, with the size or the time where that is not enough."""
    short = Counter((r.model, r.dataset) for r in runs)
    sized = Counter((r.model, r.dataset, r.samples) for r in runs)

    def label(run: Run) -> str:
        text = f"{run.model} · {run.dataset}"
        if short[run.model, run.dataset] > 1:
            text += f" · {run.samples:,}"
        if sized[run.model, run.dataset, run.samples] > 1:
            text += f" · {run.created_at[:19].replace('T', ' ')}"
        return text

    return [(label(r), r.id) for r in runs]
