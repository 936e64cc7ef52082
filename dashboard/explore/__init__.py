"""From stored runs to what the views show: plain JSON data, no Gradio.

The first run in a list is drawn first everywhere.
"""

from dashboard.explore.charts import KNOWN_CHARTS, chart, charts
from dashboard.explore.overview import figures_data, other_figures, table_data
from dashboard.explore.pictures import detail_data, gallery_data, thumb_data, thumb_uri
from dashboard.explore.thresholds import class_data, matrix_data

__all__ = [
    "KNOWN_CHARTS",
    "chart",
    "charts",
    "class_data",
    "detail_data",
    "figures_data",
    "gallery_data",
    "matrix_data",
    "other_figures",
    "table_data",
    "thumb_data",
    "thumb_uri",
]
