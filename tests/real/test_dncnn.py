"""A published denoiser on published photos, against what learns nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets.degrade import parse
from models.base import LoadOptions
from models.load import load_model

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
WEIGHTS, PHOTOS = DATA / "weights" / "dncnn_25.pth", DATA / "set5"

pytestmark = pytest.mark.skipif(
    not (WEIGHTS.is_file() and PHOTOS.is_dir()), reason=f"no real weights and photos at {DATA} (set LOUPE_DATA)"
)


def mean_psnr(name, grey: bool, last: int = 5, **settings: str) -> float:
    """Mean PSNR in dB over (the last of) Set5 with noise of sigma 25 that is rounded and cut off, as in a file."""
    adapter = load_model(name, LoadOptions(device="cpu", settings=settings))
    noise = parse("noise:25")
    found = []
    for file in sorted(PHOTOS.glob("*.bmp"))[-last:]:
        photo = Image.open(file)
        clean = np.asarray((photo.convert("L") if grey else photo).convert("RGB"))
        answer = adapter.predict([noise.apply(clean, 0, file.name)])[0]
        assert answer.scale == 1
        assert answer.pixels.ndim == (2 if grey else 3)
        found.append(10 * np.log10(255**2 / np.mean((answer.rgb.astype(float) - clean) ** 2)))
    assert len(found) == last
    return float(np.mean(found))


def test_dncnn_beats_non_local_means():
    """The paper has 30.44 dB on Set12 (of other photos, and noise that is not rounded)."""
    learnt = mean_psnr(WEIGHTS, grey=True)
    assert 30 < learnt < 32
    assert learnt > mean_psnr("nl_means", grey=True, sigma="25") + 0.5
    assert learnt > mean_psnr("nl_means", grey=True) + 0.5


def test_what_the_file_tells():
    adapter = load_model(WEIGHTS, LoadOptions(device="cpu"))
    assert adapter.spec.task == "enhancement"
    assert adapter.scale == 1
    assert adapter.notes["architecture"] == "DnCNN 64nc 17nb"
    assert adapter.notes["channels"] == "grey"


def test_tiles_of_dncnn_leave_no_seam():
    """It sees 17 pixels around each."""
    photo = np.asarray(Image.open(PHOTOS / "head.bmp").convert("RGB"))[:200, :220]
    whole, tiled = (
        load_model(WEIGHTS, LoadOptions(device="cpu", settings=settings)).predict([photo])[0].pixels
        for settings in ({"tile": "0"}, {"tile": "128", "overlap": "34"})
    )
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_colour_photos_go_in_channel_by_channel():
    assert mean_psnr(WEIGHTS, grey=False, last=2) > 29
