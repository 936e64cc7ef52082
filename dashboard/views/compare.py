"""The compare view: one picture in up to four panes with boxes, masks or class maps; and a strip to choose from."""

from __future__ import annotations

from typing import Any

from dashboard.views import STATIC, View

PARTS = ("compare_masks", "compare_draw", "compare_maps", "compare_legend", "compare", "panzoom", "compare_events")
"""The view's script, in files by what they are about; one scope."""


class CompareView(View):
    """One picture in up to four panes that share zoom, pan, confidence and class filter, all in the browser.

    Its value comes from ``dashboard.explore.overlays``, or ``class_overlays`` for class maps. ``select`` tells of a
    clicked object: ``index`` is ``[pane, object]`` in the value, ``value`` has the picture's ``key``, the ``pane``, the
    ``object``'s place in the detections that the pane was made from (None for a truth shown as missed), the ``truth``
    it belongs to, its ``state`` and its ``class``.

    Of class maps it tells which class was clicked: ``index`` is ``[pane, class]``, ``value`` has ``key``, ``pane``,
    ``x`` and ``y`` in pixels of the picture, the ``class``'s number in the value, its ``name``, and the number of the
    ``truth``'s class there (None where it is unknown or does not count).
    """

    name = "compare"

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, **kwargs)
        self.js_on_load = "\n".join((STATIC / f"{part}.js").read_text("utf-8") for part in PARTS)


class StripView(View):
    """Small pictures in a row; ``select`` gives the chosen one's index.

    The value is ``{"items": [{"name", "thumb", "counts": [number or None a model], "error"}], "on": index, "notes"}``.
    """

    name = "strip"
