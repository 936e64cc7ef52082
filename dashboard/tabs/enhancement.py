"""Enhancement: results to explore, one's own photos, and a new evaluation."""

from __future__ import annotations

import gradio as gr

from dashboard.engine import Engine
from dashboard.tabs import App
from dashboard.tabs.enhancement_panel import enhancement_panel
from dashboard.tabs.enhancement_photos import enhancement_photos_panel
from dashboard.tabs.evaluate_panel import evaluate_panel
from dashboard.views.strings import t

NAME = "enhancement"


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    with gr.Tabs(elem_id="enh-tabs") as inner:
        app.inner[NAME] = inner
        with gr.Tab(t("ui.tab.results"), id="results", elem_id="enh-results"):
            app.runs[NAME] = enhancement_panel(engine, app)
        with gr.Tab(t("ui.tab.photos"), id="photos", elem_id="enh-photos"):
            enhancement_photos_panel(engine)
        with gr.Tab(t("ui.tab.evaluate"), id="evaluate", elem_id="enh-evaluate"):
            evaluate_panel(engine, app, NAME, inner, app.runs[NAME], prefix="eev")
