"""Runs and comparisons for others to read: one self-contained HTML file, tables, raw predictions, a static Space."""
