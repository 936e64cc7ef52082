"""Set5 through the command line: the published numbers of bicubic, and a published denoiser against the baselines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.datasets.pictures import zip_folder

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LOUPE_DATA") or ROOT.parent / "shared" / "data")
SET5, WEIGHTS = DATA / "set5", DATA / "weights" / "dncnn_25.pth"

pytestmark = pytest.mark.skipif(not SET5.is_dir(), reason=f"Set5 is not at {DATA} (set LOUPE_DATA)")


def command(verb: str, store: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "dashboard", verb, "--task", "enhancement", "--store", str(store), "--json", "-"]
    env = os.environ | {"LOUPE_CACHE": str(store / "cache")}
    return subprocess.run([*words, *more], cwd=ROOT, capture_output=True, text=True, env=env)


def run_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout, parse_constant=pytest.fail)["runs"]
    return run


def evaluate(model: str | Path, degrade: str, store: Path, *more: str, data: Path = SET5) -> dict[str, Any]:
    return run_of(
        command("evaluate", store, "--model", str(model), "--dataset", str(data), "--degrade", degrade, *more)
    )


@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.67, 0.930), (3, 30.40, 0.869), (4, 28.43, 0.811)])
def test_bicubic_has_the_published_numbers(tmp_path, scale, psnr, ssim):
    """By default only luma in a border of the scale counts as in published tables (33.66, 30.39, 28.42 dB there)."""
    run = evaluate("bicubic", f"bicubic:{scale}", tmp_path)
    found = run["metrics"]
    assert run["samples"] == 5
    assert found["psnr_y"] == pytest.approx(psnr, abs=0.01)
    assert found["ssim_y"] == pytest.approx(ssim, abs=0.001)
    assert found["psnr"] < found["psnr_y"] - 1  # RGB is another convention
    assert found["psnr_y_whole"] != found["psnr_y"]
    assert found["identical"] == 0
    low, high = run["intervals"]["psnr_y"]
    assert low < found["psnr_y"] < high


def test_a_zip_and_lanczos(tmp_path):
    """The zip has the folder's numbers; Lanczos's are near bicubic's."""
    zipped = zip_folder(SET5, tmp_path / "set5.zip", inside="Set5")
    bicubic = evaluate("bicubic", "bicubic:4", tmp_path / "a", data=zipped)["metrics"]
    assert bicubic == evaluate("bicubic", "bicubic:4", tmp_path / "a")["metrics"]
    lanczos = evaluate("lanczos", "bicubic:4", tmp_path / "a")["metrics"]
    nearest = evaluate("nearest", "bicubic:4", tmp_path / "a")["metrics"]
    assert nearest["psnr_y"] < bicubic["psnr_y"] - 1
    assert abs(lanczos["psnr_y"] - bicubic["psnr_y"]) < 0.5


@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"the denoiser is not at {WEIGHTS}")
def test_a_published_denoiser_beats_non_local_means(tmp_path):
    """On grey pictures, all pixels counting. The paper has 30.44 dB, on Set12."""
    learnt, plain, noisy = (
        evaluate(model, "noise:25", tmp_path, "--set", "grey=true", *more)["metrics"]
        for model, more in ((WEIGHTS, ()), ("nl_means", ("--set", "sigma=25")), ("identity", ()))
    )
    assert learnt["psnr"] > plain["psnr"] + 0.5
    assert 30 < learnt["psnr"] < 32
    assert learnt["ssim"] > plain["ssim"] > noisy["ssim"]
    assert 20 < noisy["psnr"] < 21  # 20.17 dB is noise of sigma 25 that is not cut off
    assert learnt["psnr"] == pytest.approx(learnt["psnr_whole"], abs=1e-12)  # nothing is cropped at one size
    # BT.601's range for luma is 219 of 255 levels: of grey pictures the same error, so many dB less
    assert learnt["psnr_y"] - learnt["psnr"] == pytest.approx(20 * np.log10(255 / 219), abs=1e-3)


def test_pictures_enhanced_elsewhere_are_scored_as_evaluated(tmp_path):
    """OpenCV's bicubic of inputs made by this project, scored as a folder: the numbers are scikit-image's."""
    from dashboard.datasets.opening import open_dataset

    data = open_dataset(SET5, task="enhancement", options={"degrade": "bicubic:2"})
    (tmp_path / "theirs").mkdir()
    expected = []
    for k, name in enumerate(data.ids):
        small = data[k].image
        large = cv2.resize(small, (small.shape[1] * 2, small.shape[0] * 2), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "theirs" / f"{Path(name).stem}_x2.png"), large[..., ::-1])
        found, truth = (rgb2ycbcr(p)[2:-2, 2:-2, 0] for p in (large, data.targets[k].pixels))
        window: Any = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        expected.append(
            (peak_signal_noise_ratio(truth, found, data_range=255), structural_similarity(truth, found, **window))
        )
    given = ("--truth", str(SET5), "--predictions", str(tmp_path / "theirs"), "--degrade", "bicubic:2")
    scored = run_of(command("score", tmp_path / "store", *given))
    assert scored["samples"] == 5
    got = [scored["metrics"][name] for name in ("psnr_y", "ssim_y")]
    assert got == pytest.approx(np.mean(expected, axis=0), abs=1e-5)
    (tmp_path / "theirs" / "bird_x2.png").unlink()
    done = command("score", tmp_path / "other", *given)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no picture for 1 of the 5 references: 'bird.bmp'" in done.stderr


@pytest.mark.parametrize(
    ("model", "degrade", "message"),
    [
        ("nl_means", "bicubic:4", "nl_means keeps the size of pictures"),
        ("bicubic", "bicubic:2.5", "bicubic takes a whole factor"),
        ("bicubic", "rain:3", "there is no degradation 'rain'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path, model, degrade, message):
    done = command("evaluate", tmp_path, "--model", model, "--dataset", str(SET5), "--degrade", degrade)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
