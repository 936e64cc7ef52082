"""From stored detections to what the views show: plain JSON data, no Gradio. Nothing here runs a model."""

from dashboard.explore.detection.charts import CHARTS, chart, charts
from dashboard.explore.detection.opened import Opened, opened
from dashboard.explore.detection.pictures import compare_data, gallery_data, objects_table
from dashboard.explore.detection.selecting import ALL, ORDERS, checked, selected
from dashboard.explore.detection.tables import COLUMNS, figures_data, matrix_data, table_data

__all__ = [
    "ALL",
    "CHARTS",
    "COLUMNS",
    "ORDERS",
    "Opened",
    "chart",
    "charts",
    "checked",
    "compare_data",
    "figures_data",
    "gallery_data",
    "matrix_data",
    "objects_table",
    "opened",
    "selected",
    "table_data",
]
