"""The pictures: small ``gr.HTML`` components whose work is done in the browser.

Each view is a subclass of ``View`` naming a file in ``static/``; its value is plain JSON data, every text in it is
escaped there, and its words come from ``strings`` in the reader's language.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parent / "static"


class View(gr.HTML):
    """A component drawn by ``static/<name>.js`` inside ``<div class="lp-<name>">``."""

    name = ""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(
            value,
            html_template=f'<div class="lp-{self.name}"></div>',
            js_on_load=(STATIC / f"{self.name}.js").read_text("utf-8"),
            apply_default_css=False,
            **kwargs,
        )

    def postprocess(self, value: Any) -> Any:
        """Pass JSON data on as it is."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Any JSON."""
        return {"type": "object"}


class FiguresView(View):
    """Key figures: one card a metric, one line a model."""

    name = "figures"


class TableView(View):
    """A sortable table; ``select`` gives the row's index."""

    name = "table"


class ChartView(View):
    """A Plotly figure (as JSON-ready dict); ``select`` gives the clicked point."""

    name = "chart"


class MatrixView(View):
    """Confusion matrix with a threshold, computed in the browser; ``select`` gives the cell."""

    name = "matrix"


class GalleryView(View):
    """Pictures as cards; ``select`` opens one, ``change`` asks for more, ``clear`` drops the selection."""

    name = "gallery"


class DetailView(View):
    """One picture over the page; ``select`` steps to the next or previous."""

    name = "detail"


class PhotosView(View):
    """Models side by side on photos."""

    name = "photos"


class ProgressView(View):
    """A job's bars."""

    name = "progress"


class BrandView(View):
    """The app's name and its question."""

    name = "brand"


from dashboard.views.compare import CompareView as CompareView, StripView as StripView  # noqa: E402, I001 - Views too
from dashboard.views.enhance import EnhanceView as EnhanceView  # noqa: E402 - likewise
from dashboard.views.gauge import GaugeView as GaugeView  # noqa: E402 - likewise
from dashboard.views.tracks import TracksView as TracksView, film_data as film_data  # noqa: E402 - likewise
