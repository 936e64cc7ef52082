"""Detection and instance segmentation: results to explore, one's own photos, and a new evaluation."""

from __future__ import annotations

import gradio as gr

from dashboard.engine import Engine
from dashboard.tabs import App
from dashboard.tabs.compare_photos import compare_photos_panel
from dashboard.tabs.detection_panel import detection_panel
from dashboard.tabs.detection_photos import DetectionPhotos
from dashboard.tabs.evaluate_panel import evaluate_panel
from dashboard.views.strings import t

NAME = "detection"
TASKS = ("detection", "instance-segmentation")


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    with gr.Tabs(elem_id="det-tabs") as inner:
        app.inner[NAME] = inner
        with gr.Tab(t("ui.tab.results"), id="results", elem_id="det-results"):
            app.runs[NAME] = detection_panel(engine, app, TASKS)
        with gr.Tab(t("ui.tab.photos"), id="photos", elem_id="det-photos"):
            compare_photos_panel(DetectionPhotos(engine))
        with gr.Tab(t("ui.tab.evaluate"), id="evaluate", elem_id="det-evaluate"):
            evaluate_panel(engine, app, NAME, inner, app.runs[NAME], tasks=TASKS, prefix="dev")
