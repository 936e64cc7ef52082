"""SSIM and its map on Set5 against scikit-image, for the usual ways of making pictures worse."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dashboard.datasets.degrade import parse, to_grey
from dashboard.datasets.images import read_image
from dashboard.datasets.resize import imresize
from dashboard.metrics.enhancement.fidelity import luma, psnr
from dashboard.metrics.enhancement.ssim import mean_of_map, ssim, ssim_map

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SET5 = DATA / "set5"
WINDOW = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}

pytestmark = pytest.mark.skipif(not SET5.is_dir(), reason=f"Set5 is not at {DATA} (set LOUPE_DATA)")


@pytest.mark.parametrize("degrade", ["bicubic:4", "noise:25", "jpeg:10", "blur:1.6"])
@pytest.mark.parametrize("kind", ["colour", "grey", "luma"])
def test_map_and_means_are_scikit_images(degrade, kind):
    how = parse(degrade)
    files = sorted(SET5.glob("*.bmp"))
    assert len(files) == 5
    for file in files:
        truth = how.crop(read_image(file))
        found = how.apply(truth, 0, file.name)
        found = imresize(found, how.scale) if how.scale > 1 else found
        if kind != "colour":
            make = luma if kind == "luma" else lambda p: to_grey(p)[..., 0]
            truth, found = make(truth), make(found)
        axis = 2 if kind == "colour" else None
        a, b = found.astype(float), truth.astype(float)
        mean, local = structural_similarity(a, b, full=True, channel_axis=axis, **WINDOW)
        np.testing.assert_allclose(ssim_map(found, truth, dtype=np.float64), local, rtol=0, atol=1e-10)
        quick = ssim_map(found, truth)
        np.testing.assert_allclose(quick, local, rtol=0, atol=1e-5)
        assert mean_of_map(quick) == pytest.approx(mean, abs=1e-7)
        assert ssim(found, truth) == pytest.approx(mean, abs=1e-7)
        assert psnr(found, truth) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-9)
