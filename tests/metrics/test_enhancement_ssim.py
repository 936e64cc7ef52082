"""SSIM, its map and MS-SSIM: hand-computed values, laws, tiles and float32; and the worst regions of a map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics.enhancement import ssim as module
from dashboard.metrics.enhancement.regions import SMALLEST, worst
from dashboard.metrics.enhancement.ssim import mean_of_map, ms_ssim, ssim, ssim_map, ssims

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def by_definition(a: np.ndarray, b: np.ndarray, y: int, x: int) -> float:
    """SSIM at one pixel, from the paper's formulas and the window around it."""
    at = np.arange(-5, 6)
    g = np.exp(-(at**2) / 4.5)
    w = np.outer(g, g) / g.sum() ** 2
    p, q = (np.pad(i.astype(float), 5, mode="symmetric")[y : y + 11, x : x + 11] for i in (a, b))
    mp, mq = (w * p).sum(), (w * q).sum()
    vp, vq, cov = (w * (p - mp) ** 2).sum(), (w * (q - mq) ** 2).sum(), (w * (p - mp) * (q - mq)).sum()
    return (2 * mp * mq + C1) * (2 * cov + C2) / ((mp**2 + mq**2 + C1) * (vp + vq + C2))


def noise(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, shape, dtype=np.uint8)
    return a, np.clip(a + rng.normal(0, 30, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("p", "q"), [(0, 0), (0, 255), (100, 110), (255, 254), (40, 200)])
def test_flat_pictures_have_their_luminance_alone(p, q):
    expected = (2 * p * q + C1) / (p**2 + q**2 + C1)
    a, b = np.full((13, 17), p, np.uint8), np.full((13, 17), q, np.uint8)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(ssim_map(a, b, dtype=np.float64), expected, atol=1e-9)


@pytest.mark.parametrize("at", [(0, 0), (3, 14), (7, 9), (12, 0), (12, 14)])
def test_every_place_is_as_the_paper_defines_it_with_mirrored_borders(at):
    a, b = noise((13, 15))
    assert ssim_map(a, b, dtype=np.float64)[at] == pytest.approx(by_definition(a, b, *at), abs=1e-12)


def test_a_picture_of_one_window_has_the_mean_of_its_middle():
    a, b = noise((11, 11))
    assert ssim(a, b, dtype=np.float64) == pytest.approx(by_definition(a, b, 5, 5), abs=1e-12)


@pytest.mark.parametrize(("shape", "border", "defined"), [((10, 40), 0, False), ((11, 40), 0, True)])
def test_smaller_than_the_window_is_undefined(shape, border, defined):
    for border_more in (0, 3):
        size = tuple(s + 2 * border_more for s in shape)
        assert np.isfinite(ssim(*noise(size), border + border_more)) == defined


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([None, 1, 2, 3]), st.integers(0, 999))
def test_laws_of_the_map(height, width, channels, seed):
    shape = (height, width) if channels is None else (height, width, channels)
    a, b = noise(shape, seed)
    local = ssim_map(a, b, dtype=np.float64)
    assert local.shape == shape
    assert local.dtype == np.float64
    assert np.abs(local).max() <= 1 + 1e-9
    np.testing.assert_allclose(local, ssim_map(b, a, dtype=np.float64), atol=1e-12)
    np.testing.assert_array_equal(ssim_map(a, a), 1)
    for turn in (np.flipud, np.fliplr):
        np.testing.assert_allclose(ssim_map(turn(a), turn(b), dtype=np.float64), turn(local), atol=1e-10)
    if channels:
        for c in range(channels):
            np.testing.assert_allclose(ssim_map(a[..., c], b[..., c], dtype=np.float64), local[..., c], atol=1e-12)


def test_the_data_range_is_a_matter_of_scale():
    a, b = noise((30, 31, 3))
    small = ssim_map(a / 255, b / 255, data_range=1, dtype=np.float64)
    np.testing.assert_allclose(small, ssim_map(a, b, dtype=np.float64), atol=1e-11)
    assert ssim(a / 255, b / 255, data_range=1) == pytest.approx(ssim(a, b), abs=1e-6)


@pytest.mark.parametrize("channels", [None, 3])
def test_tiles_and_threads_do_not_show(monkeypatch, channels):
    shape = (67, 83) if channels is None else (67, 83, channels)
    a, b = noise(shape)
    whole = ssim_map(a, b, dtype=np.float64)
    means = ssims(a, b, (0, 3, 40), dtype=np.float64)
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_VALUES", 7)
    assert len(module._tiles(a)) > 100
    np.testing.assert_allclose(ssim_map(a, b, dtype=np.float64), whole, atol=1e-12)
    assert ssims(a, b, (0, 3, 40), dtype=np.float64) == pytest.approx(means, abs=1e-12, nan_ok=True)
    assert ssims(a, b, (0, 3)) == ssims(a, b, (0, 3))  # threads end in any order; sums are the same to the last digit
    for border, mean in zip((0, 3, 40), means, strict=True):
        assert mean_of_map(whole, border) == pytest.approx(mean, abs=1e-12, nan_ok=True)
        assert ssim(a, b, border, dtype=np.float64) == pytest.approx(mean, abs=1e-12, nan_ok=True)


def test_a_border_is_as_if_cut_off():
    a, b = noise((40, 37, 3))
    assert ssim(a, b, 4) == pytest.approx(ssim(a[4:-4, 4:-4], b[4:-4, 4:-4]), abs=1e-9)


@pytest.mark.parametrize("level", [0, 30, 128, 250])
@pytest.mark.parametrize("offset", [0, 3, 40, 165, -200])
@pytest.mark.parametrize("grain", [0, 1, 4])
def test_float32_is_enough_where_flat_and_busy_parts_meet(level, offset, grain):
    """Variances are differences of squares: flat parts at another level than the rest are where digits go missing."""
    rng = np.random.default_rng(level)
    a = np.where(np.arange(90)[:, None] < 40, level, rng.choice([0, 255], (90, 70)))
    b = np.where(np.arange(90)[:, None] < 40, level + offset, 255 - a)
    a, b = (np.clip(x + rng.normal(0, grain, x.shape), 0, 255).astype(np.uint8) for x in (a, b))
    exact = ssim_map(a, b, dtype=np.float64)
    assert np.abs(ssim_map(a, b) - exact).max() < 1e-5
    assert abs(ssim(a, b) - mean_of_map(exact)) < 1e-7


def test_pictures_of_other_shapes_or_none_are_refused():
    for a, b in [((3, 4), (4, 3)), ((3, 4, 3), (3, 4)), ((0, 4), (0, 4)), ((4,), (4,))]:
        with pytest.raises(ValueError, match="of one shape"):
            ssim_map(np.zeros(a), np.zeros(b))
    with pytest.raises(ValueError, match="border must be 0 or more"):
        ssim(*noise((20, 20)), -1)


def test_ms_ssim_of_flat_pictures_is_their_luminance_to_the_last_exponent():
    a, b = np.full((176, 176, 3), 90, np.uint8), np.full((176, 176, 3), 120, np.uint8)
    expected = ((2 * 90 * 120 + C1) / (90**2 + 120**2 + C1)) ** 0.1333
    assert ms_ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_needs_more_than_160_pixels():
    a, b = noise((161, 200))
    assert 0 < ms_ssim(a, b) < 1
    assert ms_ssim(a, a) == 1
    assert math.isnan(ms_ssim(a[:160], b[:160]))
    assert math.isnan(ms_ssim(a, b, 1))
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-6)
    assert ms_ssim(a, 255 - a) < 0.3  # negative terms count as 0, not as NaN


def test_ms_ssim_crops_before():
    a, b = noise((190, 181, 3))
    assert ms_ssim(a, b, 6) == pytest.approx(ms_ssim(a[6:-6, 6:-6], b[6:-6, 6:-6]), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(1, 8), st.one_of(st.none(), st.integers(1, 50)), st.data())
def test_laws_of_worst_regions(height, width, count, side, data):
    badness = np.random.default_rng(data.draw(st.integers(0, 999))).random((height, width)) ** 4
    regions = worst(badness, count, side)
    assert 1 <= len(regions) <= count
    values = [r[4] for r in regions]
    assert values == sorted(values, reverse=True)
    covered = np.zeros((height, width), int)
    for x, y, w, h, value in regions:
        assert min(x, y) >= 0
        assert x + w <= width
        assert y + h <= height
        assert (w, h) == (min(width, side or max(SMALLEST, min(height, width) // 8)), h)
        assert badness[y : y + h, x : x + w].mean() == pytest.approx(value, rel=1e-9)
        covered[y : y + h, x : x + w] += 1
    assert covered.max() == 1


def test_worst_regions_are_found_worst_first_and_not_twice():
    badness = np.zeros((128, 200))
    badness[20:36, 32:48] = 0.5
    badness[100:116, 160:176] = 0.9
    assert worst(badness, 2) == [(160, 100, 16, 16, pytest.approx(0.9)), (32, 20, 16, 16, pytest.approx(0.5))]
    assert len(worst(badness, 9, side=16)) < 9  # nothing is left above 0
    assert worst(np.zeros((40, 40)), 3) == []
    assert worst(np.zeros((0, 4)), 3) == []


@pytest.mark.parametrize("bad", [(np.zeros(4), 1, None), (np.zeros((4, 4)), 0, None), (np.zeros((4, 4)), 1, 0)])
def test_worst_regions_of_nonsense_are_refused(bad):
    with pytest.raises(ValueError, match=r"badness must be \(H, W\)"):
        worst(*bad)
