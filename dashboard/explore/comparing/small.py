"""Small pictures of a comparison: what the run that is held against the baseline made of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboard.comparing.shapes import Comparison
from dashboard.explore import detection, segmentation
from dashboard.explore.detection import pictures as detection_pictures
from dashboard.explore.detection.selecting import Selected
from dashboard.explore.enhancement import pictures as enhancement_pictures
from dashboard.explore.segmentation import pictures as segmentation_pictures
from dashboard.explore.small import jpeg_uri
from dashboard.metrics.detection.operating import Outcome, Point, outcome, sweep
from dashboard.types import Image

DETECTION = ("detection", "instance-segmentation")


def operating(view: detection.Opened) -> Outcome:
    """What is right and wrong at a run's best F1, as wins and losses are counted."""
    kept: dict[str, Any] = vars(view)
    if "compared_at" not in kept:
        best = sweep(view.matches).best()
        kept["compared_at"] = outcome(view.matches, Point(0.0 if np.isnan(best) else best))
    found: Outcome = kept["compared_at"]
    return found


def tally(view: detection.Opened, index: int) -> str:
    """Right, wrong and missed objects of the image at a position in the run's own data."""
    image, out, m = view.image(index), operating(view), view.matches
    tp, fp = (int(flags[m.image == image].sum()) for flags in (out.tp, out.fp))
    return f"{tp} ✓ {fp} ✕ {int(out.missed[m.truth_image == image].sum())} ?"


def small(comparison: Comparison, run: int, sample: int, picture: Image | None, label: str | None = None) -> str | None:
    """One sample as a JPEG data URI: with a run's errors drawn where the task has places, of enhancement its answer.

    Args:
        comparison: the runs.
        run: whose answer is drawn.
        sample: a place in ``Comparison.ids``.
        picture: small, (h, w, 3) RGB; None if it cannot be read.
        label: the class whose errors are drawn, of segmentation.

    Raises:
        InputError: what the run has stored is damaged or gone.
    """
    index, of = int(comparison.index[run, sample]), comparison.runs[run]
    if comparison.task == "enhancement":
        return enhancement_pictures._thumb(of.predictions_path, index)
    if picture is None:
        return None
    if comparison.task == "semantic-segmentation":
        maps = segmentation.opened(of)
        about = {"kind": "class", "class": maps.names.index(label)} if label in maps.names else segmentation.ALL
        return segmentation_pictures._small(maps, picture, index, about) or None
    if comparison.task in DETECTION:
        view = detection.opened(of)
        image = view.image(index)
        if image is not None:
            nothing = np.empty(0, np.int64), np.empty(0), np.zeros(len(view.matches), bool)
            meant = Selected(*nothing, np.zeros(len(view.batch.truth), bool))
            return detection_pictures._drawn(picture, view, operating(view), image, meant)
    return jpeg_uri(picture)
