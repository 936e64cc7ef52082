"""JSON from outside, read fast (orjson), with one sentence where it is not JSON."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from dashboard.errors import InputError

_MOST = 4_000_000_000  # bytes


def read_bytes(path: Path) -> bytes:
    """The bytes of an ordinary file, without a byte order mark.

    Raises:
        InputError: naming the file.
    """
    try:
        if not path.is_file():  # a pipe or a device may never end
            what = "a folder" if path.is_dir() else "no ordinary file" if path.exists() else "not there"
            raise InputError(f"{path} is {what}: give a JSON file")
        if path.stat().st_size > _MOST:
            raise InputError(f"{path} is larger than {_MOST / 1e9:g} GB: split it")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
    return data[3:] if data.startswith(b"\xef\xbb\xbf") else data


def read_json(path: Path) -> Any:
    """The value in a JSON file. NaN and Infinity are let through, so that whoever looks at the values can name them.

    Raises:
        InputError: naming the file, the line and what is wrong.
    """
    data = read_bytes(path)
    with collector_paused():
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if is_not_finite(error):
                with contextlib.suppress(ValueError, RecursionError):
                    return json.loads(data)
            raise InputError(f"{path}{place_of(error)}: {why(error)}") from error


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Millions of new dicts and lists make the garbage collector walk them again and again, for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def is_not_finite(error: orjson.JSONDecodeError) -> bool:
    """Whether it is NaN, Infinity, or a number as large, that orjson stumbled on."""
    here = error.doc[max(0, error.pos - 1) : error.pos + 8].lstrip("-[, ")
    return here.startswith(("NaN", "Infinity")) or "infinity" in error.msg


def place_of(error: orjson.JSONDecodeError) -> str:
    """ ", line 3, column 5"."""
    return f", line {error.lineno}, column {error.colno}" if error.lineno else ""


def why(error: orjson.JSONDecodeError) -> str:
    """What is wrong with it and what to do."""
    if not error.doc.strip() and "UTF-8" not in error.msg:
        return "the file is empty: write or copy it again"
    if error.pos >= len(error.doc.rstrip()) and "UTF-8" not in error.msg:
        return "the JSON ends too early, it is truncated: write or copy the file again"
    return f"not valid JSON ({error.msg}): correct it there or write the file again"
