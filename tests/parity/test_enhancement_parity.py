"""PSNR, SSIM, MS-SSIM and the rest against scikit-image, pytorch_msssim, SciPy, on random and real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import pytorch_msssim
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data
from skimage.color import rgb2gray, rgb2ycbcr
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from dashboard.metrics.enhancement.fidelity import errors, luma, psnr
from dashboard.metrics.enhancement.losses import gradient
from dashboard.metrics.enhancement.measured import measure
from dashboard.metrics.enhancement.no_reference import plain_numbers
from dashboard.metrics.enhancement.ssim import ms_ssim, ssim, ssim_map

WINDOW = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def reference(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean SSIM and map by scikit-image in float64."""
    axis = None if a.ndim == 2 else 2
    mean, local = structural_similarity(a.astype(float), b.astype(float), full=True, channel_axis=axis, **WINDOW)
    return mean, local


def photo(name: str) -> np.ndarray:
    picture = getattr(data, name)()
    return picture[..., :3] if picture.ndim == 3 else picture


def degraded(picture: np.ndarray, how: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if how == "jpeg":
        return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_UNCHANGED)
    if how == "noise":
        return np.clip(picture + rng.normal(0, 25, picture.shape), 0, 255).astype(np.uint8)
    if how == "negative":
        return 255 - picture
    height, width = picture.shape[:2]
    return cv2.resize(cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA), (width, height))


@settings(max_examples=60, deadline=None)
@given(st.integers(11, 90), st.integers(11, 90), st.sampled_from([None, 1, 3, 4]), st.integers(0, 9999), st.booleans())
def test_any_shape_of_random_pictures(height, width, channels, seed, floats):
    rng = np.random.default_rng(seed)
    shape = (height, width) if channels is None else (height, width, channels)
    a, b = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    if floats:
        a, b = a * 0.731, b.astype(np.float32)
    mean, local = reference(a, b)
    np.testing.assert_allclose(ssim_map(a, b, dtype=np.float64), local, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ssim_map(a, b), local, rtol=0, atol=1e-5)
    assert ssim(a, b, dtype=np.float64) == pytest.approx(mean, abs=1e-10)
    assert ssim(a, b) == pytest.approx(mean, abs=1e-7)
    assert errors(a, b)[0] == pytest.approx(mean_squared_error(a, b), rel=1e-12)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee", "page", "rocket", "moon"])
@pytest.mark.parametrize("how", ["jpeg", "noise", "small", "negative"])
def test_real_pictures(name, how):
    picture = photo(name)
    worse = degraded(picture, how)
    mean, local = reference(worse, picture)
    np.testing.assert_allclose(ssim_map(worse, picture, dtype=np.float64), local, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ssim_map(worse, picture), local, rtol=0, atol=1e-5)
    assert ssim(worse, picture) == pytest.approx(mean, abs=1e-7)
    assert psnr(worse, picture) == pytest.approx(peak_signal_noise_ratio(picture, worse, data_range=255), abs=1e-9)


@pytest.mark.parametrize("border", [0, 4])
def test_the_columns_of_one_image(border):
    clean, worse = photo("astronaut")[:301, 40:], degraded(photo("astronaut"), "small")[:301, 40:]
    found = measure(worse, clean, border)
    inside = slice(border, 301 - border), slice(border, clean.shape[1] - border)
    a, b = worse[inside], clean[inside]
    y_a, y_b = rgb2ycbcr(a)[..., 0], rgb2ycbcr(b)[..., 0]
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-9)
    assert found["psnr_y"] == pytest.approx(peak_signal_noise_ratio(y_b, y_a, data_range=255), abs=1e-4)
    assert found["ssim"] == pytest.approx(reference(a, b)[0], abs=1e-7)
    assert found["ssim_y"] == pytest.approx(reference(y_a, y_b)[0], abs=1e-6)
    assert found["psnr_y_whole"] == pytest.approx(
        peak_signal_noise_ratio(rgb2ycbcr(clean)[..., 0], rgb2ycbcr(worse)[..., 0], data_range=255), abs=1e-4
    )
    assert found["ssim_whole"] == pytest.approx(reference(worse, clean)[0], abs=1e-7)
    assert found["ms_ssim"] == pytest.approx(ms_ssim(a, b), abs=1e-7)
    assert found["mae"] == pytest.approx(np.abs(a.astype(float) - b).mean(), rel=1e-12)


def test_luma_is_scikit_images_ycbcr():
    picture = photo("coffee")
    np.testing.assert_allclose(luma(picture), rgb2ycbcr(picture)[..., 0], atol=5e-5)


@pytest.mark.parametrize("size", [(161, 161), (162, 200), (177, 245), (300, 199), (256, 256)])
@pytest.mark.parametrize("how", ["jpeg", "noise", "negative"])
def test_ms_ssim_is_pytorch_msssims(size, how):
    clean = photo("astronaut")[: size[0], 100 : 100 + size[1]]
    worse = degraded(clean, how)
    tensors = [torch.from_numpy(p.astype(np.float64)).permute(2, 0, 1)[None] for p in (worse, clean)]
    at = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(at**2) / 4.5) / torch.exp(-(at**2) / 4.5).sum()  # its own is of float32, 4e-6 off
    expected = float(pytorch_msssim.ms_ssim(*tensors, data_range=255, win=window.repeat(3, 1, 1, 1)))
    assert ms_ssim(worse, clean, dtype=np.float64) == pytest.approx(expected, abs=1e-10)
    assert ms_ssim(worse, clean) == pytest.approx(expected, abs=1e-6)


def test_slopes_are_scipys_sobel():
    a, b = photo("coffee")[:90, :77], degraded(photo("coffee"), "jpeg")[:90, :77]
    d = (a.astype(float) - b) / 255
    slopes = [np.abs(ndimage.sobel(d[..., c], axis, mode="reflect") / 8) for axis in (0, 1) for c in range(3)]
    assert gradient(a, b) == pytest.approx(np.mean(slopes), rel=1e-5)


def test_numbers_without_a_reference_are_those_of_their_papers():
    picture = photo("coffee")
    found = plain_numbers(picture)
    light = picture @ np.array([0.299, 0.587, 0.114])
    inner = slice(1, -1), slice(1, -1)
    filtered = ndimage.convolve(light, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]))[inner]
    r, g, b = (picture[..., c].astype(float) for c in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    assert found["contrast"] == pytest.approx(light.std(), rel=1e-5)
    assert found["sharpness"] == pytest.approx(ndimage.laplace(light)[inner].var(), rel=1e-4)
    assert found["noise"] == pytest.approx(np.sqrt(np.pi / 2) * np.abs(filtered).mean() / 6, rel=1e-4)
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert found["colourfulness"] == pytest.approx(expected, rel=1e-5)
    assert rgb2gray(picture).std() * 255 == pytest.approx(found["contrast"], rel=0.1)  # which weighs colours otherwise


HARD = [(270, 480), (271, 333), (11, 700), (500, 11)]  # flat at the top third and busy below


@pytest.mark.parametrize("size", HARD)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_a_flat_part_beside_a_busy_one(size, channels):
    """Where float32 loses most: soft and grainy pictures of which a part is flat, and their JPEG."""
    rng = np.random.default_rng(0)
    height, width = size
    soft = cv2.resize(rng.integers(0, 256, (17, 30, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    clean = np.clip(soft + rng.normal(0, 12, soft.shape), 0, 255).astype(np.uint8)
    clean[: height // 3] = 30
    worse = cv2.imdecode(cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    if channels != 3:
        clean, worse = (p[..., 0] if channels is None else p[..., :1] for p in (clean, worse))
    mean, local = reference(worse, clean)
    np.testing.assert_allclose(ssim_map(worse, clean, dtype=np.float64), local, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ssim_map(worse, clean), local, rtol=0, atol=1e-5)
    assert ssim(worse, clean) == pytest.approx(mean, abs=1e-7)


@pytest.mark.parametrize(("level", "other"), [(30, 30), (0, 0), (255, 255), (30, 31), (0, 255), (200, 90)])
def test_constant_pictures(level, other):
    a, b = np.full((40, 33, 3), level, np.uint8), np.full((40, 33, 3), other, np.uint8)
    mean, local = reference(a, b)
    np.testing.assert_allclose(ssim_map(a, b, dtype=np.float64), local, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ssim_map(a, b), local, rtol=0, atol=1e-5)
    assert ssim(a, b) == pytest.approx(mean, abs=1e-6)
