"""Errors that are shown to people: one sentence, naming the file and the remedy, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from outside (a file, a name, a setting).

    The message is one clear sentence that names the file (and line or entry), says what is wrong and what to do.
    The command line prints it as ``error: ...`` with exit status 2; the app shows it as a toast.
    """


class Cancelled(Exception):
    """A person stopped the work; what was finished is kept."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x' or 'y'?"`` for close names, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
