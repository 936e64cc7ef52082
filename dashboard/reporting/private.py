"""Texts without where things are on the author's machine."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dashboard.store import Run, Store

_UNIX = re.compile(r"(?<![\w:/.~])~?/(?:[^\s/:;,\"'<>|()]+/)+([^\s/:;,\"'<>|()]*)")
_WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:|\\)\\(?:[^\\:;,\"'<>|()]+\\)*([^\s\\:;,\"'<>|()]*)")


def without_paths(store: Store | None, runs: Sequence[Run]) -> Callable[[str], str]:
    """A function that leaves of every absolute path only the last name.

    Paths that are known (of the store, the data, the home folder, the working and the temporary folder) are found
    whatever letters are in them; any other by its look. Addresses of pages stay.
    """
    known = [Path.home(), Path.cwd(), Path(tempfile.gettempdir())]
    known += [store.root] if store is not None else []
    for run in runs:
        known.append(run.path)
        for facts in (run.facts.get("dataset_facts", {}), run.facts.get("model_facts", {})):
            known += [Path(v) for v in facts.values() if isinstance(v, str) and Path(v).is_absolute()]
    places = sorted({str(p) for p in known if len(p.parts) > 1}, key=len, reverse=True)
    below = r"(?![\w.-])((?:[/\\][^\s/\\:;,\"'<>|()]+)*)[/\\]?"  # folders in a known one go with it
    patterns = [(re.compile(re.escape(p) + below), Path(p).name) for p in places]

    def clean(text: str) -> str:
        if "/" not in text and "\\" not in text:
            return text
        for pattern, name in patterns:
            text = pattern.sub(lambda m, name=name: re.split(r"[/\\]", m[1])[-1] or name, text)  # type: ignore[misc]
        return _WINDOWS.sub(r"\1", _UNIX.sub(r"\1", text))

    return clean
