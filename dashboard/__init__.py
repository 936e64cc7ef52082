"""Loupe: evaluate vision models, and see the pictures behind every number. Importing this loads nothing heavy."""
