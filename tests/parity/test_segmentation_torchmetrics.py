"""Semantic segmentation against torchmetrics, and its outlines and intervals where types are wide."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics.segmentation.counts import count, matrix
from dashboard.metrics.segmentation.metrics import PixelConfusion
from tests.class_maps import maps

torch = pytest.importorskip("torch")
classification = pytest.importorskip("torchmetrics.classification")


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_torchmetrics(seed):
    classes = 5
    batch = maps(8, classes, seed)
    # "other" as a class of its own, which is never true: torchmetrics knows only numbers that both sides may have
    several = {
        name: getattr(classification, f"Multiclass{name}")(classes + 1, **kind, ignore_index=255)
        for name, kind in (
            ("ConfusionMatrix", {}),
            ("JaccardIndex", {"average": "none"}),
            ("F1Score", {"average": "none"}),
            ("Recall", {"average": "none"}),
            ("Precision", {"average": "none"}),
        )
    }
    for truth, found in zip(batch.truth, batch.found, strict=True):
        t, f = (torch.from_numpy(m.astype(np.int64)).ravel() for m in (truth, found))
        for metric in several.values():
            metric.update(f, t)
    expected = {name: metric.compute().numpy()[:classes] for name, metric in several.items()}
    assert (matrix(count(batch)) == expected["ConfusionMatrix"]).all()
    ours = PixelConfusion([str(c) for c in range(classes)])
    ours.update(batch)
    columns = ours.compute()["classes"].columns  # type: ignore[union-attr]
    pairs = {"iou": "JaccardIndex", "dice": "F1Score", "accuracy": "Recall", "precision": "Precision"}
    for name, theirs in pairs.items():
        assert columns[name] == pytest.approx(expected[theirs], abs=1e-6)  # float32 there
