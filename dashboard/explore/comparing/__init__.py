"""From a comparison of runs to what the compare tab shows: plain JSON data, no Gradio. Nothing here runs a model."""

from __future__ import annotations

from dashboard.explore.comparing.charts import COSTS, costs_known, forest, scatter
from dashboard.explore.comparing.classes import class_chart, class_names, class_table
from dashboard.explore.comparing.curves import curve_kinds, curves
from dashboard.explore.comparing.deciding import decide_data
from dashboard.explore.comparing.large import large
from dashboard.explore.comparing.pairs import GROUPS, Asked, chosen, counts_data, gallery_data, groups_of
from dashboard.explore.comparing.small import small

__all__ = [
    "COSTS",
    "GROUPS",
    "Asked",
    "chosen",
    "class_chart",
    "class_names",
    "class_table",
    "costs_known",
    "counts_data",
    "curve_kinds",
    "curves",
    "decide_data",
    "forest",
    "gallery_data",
    "groups_of",
    "large",
    "scatter",
    "small",
]
