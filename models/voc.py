"""PASCAL VOC's 20 object classes and the background (Everingham et al. 2010, http://host.robots.ox.ac.uk/pascal/VOC)."""

from __future__ import annotations

NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
