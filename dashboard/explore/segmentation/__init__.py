"""From stored class maps to what the views show: plain JSON data, no Gradio. Nothing here runs a model."""

from dashboard.explore.segmentation.charts import CHARTS, SLICED, chart, charts
from dashboard.explore.segmentation.opened import Opened, opened
from dashboard.explore.segmentation.pictures import compare_data, gallery_data, images_table
from dashboard.explore.segmentation.selecting import ALL, ORDERS, checked, selected
from dashboard.explore.segmentation.tables import COLUMNS, figures_data, matrix_data, other_figures, table_data

__all__ = [
    "ALL",
    "CHARTS",
    "COLUMNS",
    "ORDERS",
    "SLICED",
    "Opened",
    "chart",
    "charts",
    "checked",
    "compare_data",
    "figures_data",
    "gallery_data",
    "images_table",
    "matrix_data",
    "opened",
    "other_figures",
    "selected",
    "table_data",
]
