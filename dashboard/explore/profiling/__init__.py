"""From stored profiles to what the views show: key figures, layers, charts, and the ways a model can be run."""

from __future__ import annotations

from dashboard.explore.profiling.charts import cold_start, memory, stages, throughput, ways, worth
from dashboard.explore.profiling.formulas import Line, lines
from dashboard.explore.profiling.opened import Opened, opened
from dashboard.explore.profiling.tables import busy, figures_data, layers_table, ways_table
from dashboard.explore.profiling.tree import SIZES, sizes, tree

__all__ = [
    "SIZES",
    "Line",
    "Opened",
    "busy",
    "cold_start",
    "figures_data",
    "layers_table",
    "lines",
    "memory",
    "opened",
    "sizes",
    "stages",
    "throughput",
    "tree",
    "ways",
    "ways_table",
    "worth",
]
