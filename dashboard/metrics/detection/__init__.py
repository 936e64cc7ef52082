"""Detection and instance segmentation: one matching of detections with truth, and every number drawn from it."""
