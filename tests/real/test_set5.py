"""Set5: bicubic down and up again gives the published PSNR and SSIM on luma."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from dashboard.datasets.degrade import parse
from dashboard.datasets.images import read_image
from dashboard.datasets.resize import imresize

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SET5 = DATA / "set5"

pytestmark = pytest.mark.skipif(not SET5.is_dir(), reason=f"Set5 is not at {DATA} (set LOUPE_DATA)")


def luma(image: np.ndarray) -> np.ndarray:
    """BT.601 of limited range, 16..235, as MATLAB's rgb2ycbcr."""
    return 16 + image @ np.array([65.481, 128.553, 24.966]) / 255


@pytest.mark.parametrize(("factor", "psnr", "ssim"), [(2, 33.67, 0.930), (3, 30.40, 0.869), (4, 28.43, 0.811)])
def test_bicubic_on_set5(factor, psnr, ssim):
    found = parse(f"bicubic:{factor}")
    psnrs, ssims = [], []
    for file in sorted(SET5.iterdir()):
        image = read_image(file)
        pair = [found.crop(image), imresize(found.apply(image, 0, file.name), factor)]
        truth, made = (luma(p)[factor:-factor, factor:-factor] for p in pair)
        psnrs.append(10 * np.log10(255**2 / ((truth - made) ** 2).mean()))
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        ssims.append(structural_similarity(truth, made, data_range=255, **window))
    assert np.mean(psnrs) == pytest.approx(psnr, abs=0.005)
    assert np.mean(ssims) == pytest.approx(ssim, abs=0.001)
