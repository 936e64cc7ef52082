"""Semantic segmentation: the pixels of every image counted once, and every number drawn from these counts."""
