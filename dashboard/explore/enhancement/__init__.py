"""From stored pictures to what the views show: plain JSON data, no Gradio. Nothing here runs a model."""

from dashboard.explore.enhancement.charts import CHARTS, chart, charts
from dashboard.explore.enhancement.opened import Opened, opened
from dashboard.explore.enhancement.pictures import compare_data, gallery_data, images_table
from dashboard.explore.enhancement.selecting import ALL, MEASURES, ORDERS, checked, selected
from dashboard.explore.enhancement.tables import COLUMNS, conventions_data, figures_data, images_data, other_figures

__all__ = [
    "ALL",
    "CHARTS",
    "COLUMNS",
    "MEASURES",
    "ORDERS",
    "Opened",
    "chart",
    "charts",
    "checked",
    "compare_data",
    "conventions_data",
    "figures_data",
    "gallery_data",
    "images_data",
    "images_table",
    "opened",
    "other_figures",
    "selected",
]
