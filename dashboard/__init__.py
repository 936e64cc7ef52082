"""Loupe: evaluate vision models, and see the pictures behind every number. Importing this loads nothing heavy.

For notebooks and scripts, see docs/api.md::

    import dashboard as loupe
    run = loupe.evaluate("digits_cnn", "demo:digits")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.api import evaluate, profile, score
    from dashboard.api_runs import compare, get_run, list_datasets, list_models, list_runs, report, rows, table
    from dashboard.errors import InputError
    from dashboard.store import Run

__all__ = [
    "InputError",
    "Run",
    "compare",
    "evaluate",
    "get_run",
    "list_datasets",
    "list_models",
    "list_runs",
    "profile",
    "report",
    "rows",
    "score",
    "table",
]
_HOME = {"InputError": "errors", "Run": "store", "evaluate": "api", "profile": "api", "score": "api"}


def __getattr__(name: str) -> Any:
    """The functions of ``dashboard.api`` and ``dashboard.api_runs``, loaded when the first of them is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dashboard.{_HOME.get(name, 'api_runs')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
