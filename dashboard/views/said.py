"""A sentence with facts, in the reader's language."""

from __future__ import annotations

from typing import Any

from dashboard.views import TableView, View

WIDE = """.lp-table tbody th:first-child { white-space: normal; min-width: 9em; max-width: 22em; overflow: visible; }"""


class SaidView(View):
    """Lines of text: ``{"lines": [{"key", "vars", "tone"}]}``.

    A fact may be a text key, a text with facts of its own (``{"key", "vars"}``), or a list of these. ``tone`` is "bad",
    "good" or "".
    """

    name = "said"


class WideTable(TableView):
    """A table whose first column is never cut: names that are sentences."""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=WIDE, **kwargs)
