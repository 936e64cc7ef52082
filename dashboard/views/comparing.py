"""What a comparison says: the table that decides, who wins on how many samples, and which runs it is of."""

from __future__ import annotations

from typing import Any

from dashboard.views import STATIC, View

CSS = (STATIC / "decide.css").read_text("utf-8")


class DecideView(View):
    """Runs by metrics with differences and verdicts; ``select`` asks for the samples behind a number.

    Its value comes from ``dashboard.explore.comparing.decide_data``; ``select`` gives ``{"run", "group"}``.
    """

    name = "decide"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=CSS, **kwargs)
        self.js_on_load = (STATIC / "decide_groups.js").read_text("utf-8") + (self.js_on_load or "")


class GroupsView(View):
    """Groups of samples with their numbers, one of them chosen; ``select`` gives ``{"group"}``."""

    name = "groups"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, css_template=CSS, **kwargs)
        self.js_on_load = (STATIC / "decide_groups.js").read_text("utf-8") + (self.js_on_load or "")
