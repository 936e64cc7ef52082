"""Real weights on real photos: the known answers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.base import LoadOptions
from models.load import load_model

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SAMPLE = DATA / "imagenet_sample"

pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the real photos are not at {SAMPLE} (set LOUPE_DATA)")


def accuracies(name: str, **settings: str) -> tuple[float, float]:
    """(top-1, top-5) on the 200 photos."""
    adapter = load_model(name, LoadOptions(device="cpu", settings=settings))
    number = {identity: i for i, identity in enumerate(adapter.spec.class_ids)}
    files = sorted(SAMPLE.glob("n*/*"))
    assert len(files) == 200
    ranks = []
    for start in range(0, 200, 25):
        batch = files[start : start + 25]
        images = [np.asarray(Image.open(file).convert("RGB")) for file in batch]
        for file, prediction in zip(batch, adapter.predict(images), strict=True):
            truth = number[file.parent.name]
            ranks.append(int((prediction.scores > prediction.scores[truth]).sum()))
    return float(np.mean(np.array(ranks) < 1)), float(np.mean(np.array(ranks) < 5))


@pytest.mark.parametrize(
    ("name", "top1", "top5"),
    [
        ("efficientnet_lite0", 0.775, 0.935),
        pytest.param("efficientnet_lite1", 0.815, 0.960, marks=pytest.mark.slow),
        pytest.param("efficientnet_lite2", 0.810, 0.965, marks=pytest.mark.slow),
    ],
)
def test_known_answers(name, top1, top5):
    assert accuracies(name) == pytest.approx((top1, top5), abs=0.01)


@pytest.mark.slow
def test_the_other_normalisation_is_more_accurate():
    """timm's own configuration of this architecture; kept as a choice because the known answers are without it."""
    assert accuracies("efficientnet_lite0", normalisation="inception") == pytest.approx((0.875, 0.975), abs=0.01)
