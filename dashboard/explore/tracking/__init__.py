"""From stored tracking runs to what the views show: figures, tables, charts, and a sequence for the player."""

from __future__ import annotations

from dashboard.explore.tracking.charts import CHARTS, MEASURES, chart, charts
from dashboard.explore.tracking.export import events_table, mot_zip, tracks_table
from dashboard.explore.tracking.opened import Opened, opened
from dashboard.explore.tracking.payload import tracks_value
from dashboard.explore.tracking.tables import (
    COLUMNS,
    figures_data,
    liveliest,
    other_figures,
    table_data,
    worst_of_class,
)

__all__ = [
    "CHARTS",
    "COLUMNS",
    "MEASURES",
    "Opened",
    "chart",
    "charts",
    "events_table",
    "figures_data",
    "liveliest",
    "mot_zip",
    "opened",
    "other_figures",
    "table_data",
    "tracks_table",
    "tracks_value",
    "worst_of_class",
]
