"""What people call runs: a title and tags of their own, kept beside a run and never inside its record.

``STORE/runs/<run>/label.json`` holds ``{"title": ..., "tags": [...]}``. Numbers can be computed anew and pictures can
move without a label noticing; a label that cannot be read is as good as none.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError

if TYPE_CHECKING:
    from dashboard.store import Run

FILE = "label.json"
MOST_TITLE = 120
MOST_TAG = 40
MOST_TAGS = 20
SETTLED_NS = 50_000_000
"""A file written just now may be written again within the same tick of the clock: it is read again, not remembered."""
_JOINERS = "\u200c\u200d"

Label = tuple[str, tuple[str, ...]]
"""Title and tags."""

BY_PROFILE = "profile"
"""Tag of runs that came about while a profile measured accuracy: no page begins with them."""


def label_of(run: Run, titled: bool = True) -> str:
    """A run's title, if it has one and may be used, else its model, and how its tracker differs from the defaults."""
    if titled and run.title:
        return run.title
    changed = run.facts.get("tracker", {}).get("changed", {})
    return " ".join([run.model, *(f"{k}={v}" for k, v in changed.items())])


def clean_title(text: str) -> str:
    """A title on one line, without characters that cannot be seen. Raises InputError if it is too long."""
    title = _line(text)
    if len(title) > MOST_TITLE:
        raise InputError(f"A title may have up to {MOST_TITLE} characters, this one has {len(title):,}: shorten it.")
    return title


def clean_tags(tags: str | Iterable[str]) -> tuple[str, ...]:
    """Tags from a text with commas or one by one; each once, whatever its case, in the order given.

    Raises:
        InputError: too many, or one that is too long.
    """
    parts = tags.replace("，", ",").replace("、", ",").split(",") if isinstance(tags, str) else tags
    lines = [line for part in parts if (line := _line(part.replace(",", " ")).removeprefix("#").strip())]
    found = tuple({line.casefold(): line for line in reversed(lines)}.values())[::-1]
    for tag in found:
        if len(tag) > MOST_TAG:
            raise InputError(
                f"A tag may have up to {MOST_TAG} characters, '{tag[:20]}…' has {len(tag):,}: put commas between tags."
            )
    if len(found) > MOST_TAGS:
        raise InputError(f"A run may have up to {MOST_TAGS} tags, not {len(found)}: leave some out.")
    return found


def read_label(folder: Path) -> Label:
    """A run's title and tags; none if there is no file, or it is damaged."""
    file = folder / FILE
    try:
        status = file.stat()
        key = (status.st_mtime_ns, status.st_size, status.st_ino)
        if time.time_ns() - status.st_mtime_ns < SETTLED_NS:
            return _read(file)
        return _kept(file, key)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, InputError):
        return "", ()


@lru_cache(20_000)
def _kept(file: Path, _written: tuple[int, ...]) -> Label:
    return _read(file)


def _read(file: Path) -> Label:
    """A label file as it should be, whoever wrote it."""
    known: dict[str, Any] = json.loads(file.read_text("utf-8"))
    title, tags = str(known.get("title") or ""), known.get("tags") or ()
    return clean_title(title[: 4 * MOST_TITLE])[:MOST_TITLE], clean_tags([str(tag) for tag in tags])


def _line(text: str) -> str:
    """Text on one line: what cannot be printed becomes a space, joiners (of emoji, of some scripts) stay."""
    shown = (c if c.isprintable() or c in _JOINERS else " " for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(shown).split())
