"""Video and tracking: results that play, one's own video, and a new evaluation."""

from __future__ import annotations

import gradio as gr

from dashboard.engine import Engine
from dashboard.tabs import App
from dashboard.tabs.evaluate_panel import evaluate_panel
from dashboard.tabs.tracking_panel import tracking_panel
from dashboard.tabs.tracking_video import video_panel
from dashboard.views.strings import t

NAME = "tracking"


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    with gr.Tabs(elem_id="trk-tabs") as inner:
        app.inner[NAME] = inner
        with gr.Tab(t("ui.tab.results"), id="results", elem_id="trk-results"):
            app.runs[NAME] = tracking_panel(engine, app)
        with gr.Tab(t("ui.tab.video"), id="video", elem_id="trk-video"):
            video_panel(engine, app)
        with gr.Tab(t("ui.tab.evaluate"), id="evaluate", elem_id="trk-evaluate"):
            evaluate_panel(engine, app, NAME, inner, app.runs[NAME], prefix="tev")
