"""Semantic segmentation: results to explore, one's own photos, and a new evaluation."""

from __future__ import annotations

import gradio as gr

from dashboard.engine import Engine
from dashboard.tabs import App
from dashboard.tabs.compare_photos import compare_photos_panel
from dashboard.tabs.evaluate_panel import evaluate_panel
from dashboard.tabs.segmentation_panel import segmentation_panel
from dashboard.tabs.segmentation_photos import SegmentationPhotos
from dashboard.views.strings import t

NAME = "segmentation"
TASKS = ("semantic-segmentation",)


def create(engine: Engine, app: App) -> None:
    """Build the tab inside the current ``gr.Tab``."""
    with gr.Tabs(elem_id="seg-tabs") as inner:
        app.inner[NAME] = inner
        with gr.Tab(t("ui.tab.results"), id="results", elem_id="seg-results"):
            app.runs[NAME] = segmentation_panel(engine, app, TASKS)
        with gr.Tab(t("ui.tab.photos"), id="photos", elem_id="seg-photos"):
            compare_photos_panel(SegmentationPhotos(engine))
        with gr.Tab(t("ui.tab.evaluate"), id="evaluate", elem_id="seg-evaluate"):
            evaluate_panel(engine, app, NAME, inner, app.runs[NAME], tasks=TASKS, prefix="sev")
