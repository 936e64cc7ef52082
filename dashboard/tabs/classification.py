"""Classification: results to explore, a new evaluation, and one's own photos."""

from __future__ import annotations

import gradio as gr

from dashboard.engine import Engine
from dashboard.tabs import App
from dashboard.tabs.evaluate_panel import evaluate_panel
from dashboard.tabs.photos_panel import photos_panel
from dashboard.tabs.results_panel import results_panel
from dashboard.views.strings import t

TASK = "classification"


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    with gr.Tabs(elem_id="cls-tabs") as inner:
        app.inner[TASK] = inner
        with gr.Tab(t("ui.tab.results"), id="results", elem_id="cls-results"):
            app.runs[TASK] = results_panel(engine, app, TASK)
        with gr.Tab(t("ui.tab.photos"), id="photos", elem_id="cls-photos"):
            photos_panel(engine, TASK)
        with gr.Tab(t("ui.tab.evaluate"), id="evaluate", elem_id="cls-evaluate"):
            evaluate_panel(engine, app, TASK, inner, app.runs[TASK])
