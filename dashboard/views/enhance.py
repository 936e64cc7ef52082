"""The enhancement view: pictures beside their reference, as panes or under a slider, with maps of their errors."""

from __future__ import annotations

from typing import Any

from dashboard.views import STATIC, View

PARTS = ("enhance_pixels", "enhance_draw", "enhance", "panzoom", "enhance_events")
"""The view's script, in files by what they are about; one scope."""


class EnhanceView(View):
    """What models were given, the reference, and what up to four made of it; everything is done in the browser.

    Its value comes from ``dashboard.explore.enhance_panes``. Panes share zoom and pan, down to single pixels; a slider
    lays two of them over each other. Models' panes show their picture, local SSIM, absolute or squared error, or where
    they are nearer to the reference than another model. The pointer reads the values under it in all panes, a loupe
    enlarges what is there, and the worst regions are listed.
    """

    name = "enhance"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, **kwargs)
        self.js_on_load = "\n".join((STATIC / f"{part}.js").read_text("utf-8") for part in PARTS)
