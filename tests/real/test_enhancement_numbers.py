"""Set5 as published tables have it, by the numbers that an evaluation stores."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets.degrade import parse
from dashboard.datasets.images import read_image
from dashboard.datasets.resize import imresize
from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.metrics import Fidelity

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SET5 = DATA / "set5"

pytestmark = pytest.mark.skipif(not SET5.is_dir(), reason=f"Set5 is not at {DATA} (set LOUPE_DATA)")


@pytest.mark.parametrize(("factor", "psnr", "ssim"), [(2, 33.67, 0.930), (3, 30.40, 0.869), (4, 28.43, 0.811)])
def test_luma_with_a_border_cropped_is_what_tables_give(factor, psnr, ssim):
    how = parse(f"bicubic:{factor}")
    clean = [how.crop(read_image(file)) for file in sorted(SET5.iterdir())]
    found = [imresize(how.apply(image, 0, "any"), factor) for image in clean]
    factors = [factor] * len(clean)
    metric = Fidelity()
    metric.update(EnhancementBatch([str(k) for k in range(len(clean))], found, clean, factors, factors))
    scores = metric.compute()["scores"]
    assert len(clean) == 5
    assert scores.values["psnr_y"] == pytest.approx(psnr, abs=0.005)
    assert scores.values["ssim_y"] == pytest.approx(ssim, abs=0.001)
    assert scores.values["psnr"] < psnr - 1  # RGB, which other tables give, is more than a decibel lower
    low, high = scores.intervals["psnr_y"]
    assert low < psnr < high
    assert np.isfinite(scores.values["ms_ssim"])
