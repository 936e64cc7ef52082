"""The list of runs: search, filter by task, sort, choose several; all of it in the browser."""

from __future__ import annotations

from typing import Any

from dashboard.views import STATIC, View


class HistoryView(View):
    """A list of runs; ``select`` gives the chosen ones as ``{"ids": [...]}``, ``submit`` those to be opened.

    Its value comes from ``dashboard.explore.history``. A click chooses a row; the box, or Ctrl or Command, adds one;
    Shift extends; arrows, Home and End move, Space chooses, Enter opens. What a search hides stays chosen.
    """

    name = "history"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=(STATIC / "history.css").read_text("utf-8"), **kwargs)


class DiskView(View):
    """What takes how much on disk: parts of the store, or what would go."""

    name = "disk"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=(STATIC / "history.css").read_text("utf-8"), **kwargs)


class AskedView(View):
    """What is about to be deleted, by name; nothing if there is no question."""

    name = "asked"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=(STATIC / "history.css").read_text("utf-8"), **kwargs)
