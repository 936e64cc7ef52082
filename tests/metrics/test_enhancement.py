"""Metrics of enhancement: hand-computed numbers, laws, and what is undefined."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.fidelity import cropped, errors, luma, psnr, psnr_of
from dashboard.metrics.enhancement.losses import BANK, charbonnier, gradient, texture
from dashboard.metrics.enhancement.measured import NAMES, PLAIN, REFERENCED, Measured, join, measure, measured
from dashboard.metrics.enhancement.metrics import Fidelity, Losses, NoReference, Spread, means, student_interval
from dashboard.metrics.enhancement.no_reference import plain_numbers

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
SEEDS = st.integers(0, 2**31)


def pair(size: tuple[int, int], seed: int, noise: float = 12) -> tuple[np.ndarray, np.ndarray]:
    """A soft picture (H, W, 3) and a noisy one."""
    rng = np.random.default_rng(seed)
    clean = cv2.resize(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(clean + rng.normal(0, noise, clean.shape), 0, 255).astype(np.uint8)
    return noisy, clean


def grey(*rows: list[int]) -> np.ndarray:
    """A picture of equal channels."""
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("a", "b", "mse", "mae", "db"),
    [
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], 0, 0, math.inf),  # identical
        ([[0, 0], [0, 0]], [[0, 0], [0, 2]], 1, 0.5, 48.130804),  # 4 / 4; 10 log10(65025)
        ([[0, 0], [0, 0]], [[255, 255], [255, 255]], 65025, 255, 0),  # the worst there is
        ([[10, 20], [30, 40]], [[13, 16], [30, 40]], 6.25, 1.75, 40.172004),  # (9 + 16) / 4, 7 / 4; dB of 10404
    ],
)
def test_errors_by_hand(a, b, mse, mae, db):
    a, b = (np.array(x, np.uint8) for x in (a, b))
    assert errors(a, b) == (mse, mae)
    assert psnr(a, b) == pytest.approx(db, abs=1e-6)
    assert errors(a.astype(np.float64), b.astype(np.float32)) == pytest.approx((mse, mae))


def test_differences_of_bytes_do_not_wrap_and_sums_of_many_are_exact():
    a, b = np.zeros((1500, 1500), np.uint8), np.full((1500, 1500), 255, np.uint8)
    assert errors(a, b) == (65025, 255)
    b[-1, -1] = 254  # one part in two million
    assert errors(a, b)[0] == (65025 * (1500**2 - 1) + 254**2) / 1500**2


def test_psnr_of_what_is_undefined_or_has_another_peak():
    assert math.isnan(psnr_of(math.nan))
    assert psnr(np.zeros((2, 2)), np.full((2, 2), 0.1), peak=1.0) == pytest.approx(20)


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((128, 128, 128), 16 + 219 * 128 / 255),  # not rounded
    ],
)
def test_luma_of_known_colours(rgb, y):
    assert luma(np.array([[rgb]], np.uint8))[0, 0] == pytest.approx(y, abs=2e-5)
    if len(set(rgb)) == 1:
        assert luma(np.array([rgb[:1]], np.uint8))[0, 0] == pytest.approx(y, abs=2e-5)


@pytest.mark.parametrize(("border", "shape"), [(0, (5, 7)), (1, (3, 5)), (2, (1, 3)), (3, (0, 1)), (9, (0, 0))])
def test_cropping_leaves_what_is_inside(border, shape):
    whole = np.arange(35).reshape(5, 7)
    assert cropped(whole, border).shape == shape
    if border < 3:
        np.testing.assert_array_equal(cropped(whole, border), whole[border : 5 - border, border : 7 - border])
    assert np.isnan(errors(whole, whole, border)[0]) == (0 in shape)


def test_negative_borders_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="border must be 0 or more, got -1"):
        cropped(np.zeros((3, 3)), -1)
    with pytest.raises(ValueError, match=r"one shape, got \(2, 2\) and \(2, 3\)"):
        errors(np.zeros((2, 2)), np.zeros((2, 3)))


def test_losses_by_hand():
    a, b = grey([0, 0], [0, 0]), grey([0, 0], [0, 51])  # differences of 0 and .2
    assert charbonnier(a, b) == pytest.approx((3 * 1e-3 + math.sqrt(0.04 + 1e-6)) / 4, rel=1e-5)
    ramp = np.repeat(grey(list(range(0, 90, 10))), 7, axis=0)
    flat = np.zeros_like(ramp)
    # ten levels a pixel to the right, five at the two mirrored ends; nothing downwards: half of the mean
    assert gradient(ramp, flat) == pytest.approx((7 * 10 + 2 * 5) / 9 / 255 / 2, rel=1e-5)
    assert gradient(ramp + 100, ramp) == pytest.approx(0, abs=1e-6)  # edges alone count


def test_texture_is_the_distance_of_gram_matrices():
    a, b = pair((19, 23), 1)
    weights = np.array([0.299, 0.587, 0.114]) / 255

    def gram(picture):
        light = np.pad(picture @ weights, 1, mode="symmetric")
        rows = [sum(f[i, j] * light[i : i + 19, j : j + 23] for i in range(3) for j in range(3)).ravel() for f in BANK]
        return np.stack(rows) @ np.stack(rows).T / (19 * 23)

    assert texture(a, b) == pytest.approx(((gram(a) - gram(b)) ** 2).sum(), rel=1e-4)
    np.testing.assert_allclose([[(f * g).sum() for f in BANK] for g in BANK], np.eye(8), atol=1e-6)
    assert max(abs(f.sum()) for f in BANK) < 1e-6  # none answers to light itself


def test_texture_does_not_mind_where_things_are():
    a, _ = pair((64, 64), 3)
    moved, rough = np.roll(a, 5, axis=1), a.copy()
    rough[::2] = np.clip(rough[::2].astype(int) + 20, 0, 255)
    assert texture(moved, a) < texture(rough, a) / 20


def test_numbers_without_a_reference_by_hand():
    flat = plain_numbers(np.full((9, 9, 3), 77, np.uint8))
    assert flat == {"sharpness": 0, "noise": 0, "contrast": 0, "colourfulness": 0}
    dot = plain_numbers(grey([0, 0, 0], [0, 100, 0], [0, 0, 0]))
    assert dot["contrast"] == pytest.approx(100 * math.sqrt(8) / 9, rel=1e-5)  # one in nine
    assert dot["sharpness"] == pytest.approx(0)  # a single answer has no variance
    assert dot["noise"] == pytest.approx(math.sqrt(math.pi / 2) * 400 / 6, rel=1e-5)
    two = plain_numbers(np.repeat(grey([0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0]), 1, axis=0))
    assert two["sharpness"] == pytest.approx(((-36 - 9) / 2) ** 2, rel=1e-5)  # answers -36 and 9
    # half red, half grey: R - G is 200 or 0, (R + G) / 2 - B is 100 or 0
    half = np.array([[[200, 0, 0], [50, 50, 50]]], np.uint8)
    expected = math.hypot(100, 50) + 0.3 * math.hypot(100, 50)
    assert plain_numbers(half)["colourfulness"] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(plain_numbers(half)["noise"])


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_noise_is_found_again(sigma):
    """On one channel's worth of noise: equal in all channels, so that luma has it whole."""
    rng = np.random.default_rng(sigma)
    light = np.linspace(90, 160, 200)[None] + rng.normal(0, sigma, (150, 200))
    picture = np.repeat(np.clip(light, 0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
    assert plain_numbers(picture)["noise"] == pytest.approx(sigma, rel=0.03)


def test_sharpening_and_colour_raise_their_numbers_and_strips_do_not_show(monkeypatch):
    picture, _ = pair((61, 47), 2)
    soft = cv2.GaussianBlur(picture, (0, 0), 2)
    dull = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert plain_numbers(soft)["sharpness"] < plain_numbers(picture)["sharpness"] / 10
    assert plain_numbers(dull)["colourfulness"] == pytest.approx(0, abs=1e-6)
    whole = plain_numbers(picture) | {"gradient": gradient(picture, soft), "texture": texture(picture, soft)}
    whole |= {"charbonnier": charbonnier(picture, soft)}
    for module in ("no_reference", "losses", "fidelity"):
        monkeypatch.setattr(f"dashboard.metrics.enhancement.{module}._STRIP", 1)
    cut = plain_numbers(picture) | {"gradient": gradient(picture, soft), "texture": texture(picture, soft)}
    cut |= {"charbonnier": charbonnier(picture, soft)}
    assert cut == pytest.approx(whole, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(SIZES, SEEDS, st.integers(0, 6))
def test_laws_of_measured_numbers(size, seed, border):
    a, b = pair(size, seed)
    ab, ba = measure(a, b, border), measure(b, a, border)
    assert tuple(ab) == NAMES
    for name in REFERENCED:  # symmetric
        assert ab[name] == pytest.approx(ba[name], rel=1e-5, abs=1e-9, nan_ok=True), name
    left = cropped(a, border)
    assert np.isnan(ab["psnr"]) == (not left.size)
    assert np.isnan(ab["ssim"]) == (min(left.shape[:2]) < 11)
    assert np.isnan(ab["ssim_whole"]) == (min(size) < 11 or not left.size)
    if left.size:
        assert 0 <= ab["mae"] <= math.sqrt(ab["mse"]) <= 255
        assert ab["psnr_whole"] == psnr(a, b)
        assert ab["charbonnier"] >= ab["mae"] / 255 * (1 - 1e-6)
        inner = measure(left, cropped(b, border))  # cropping is cutting off, but for SSIM's windows, which stay inside
        for name in ("psnr", "mse", "mae", "psnr_y", "ssim", "ssim_y", "ssim_loss", "charbonnier", "gradient"):
            assert inner[name] == pytest.approx(ab[name], rel=1e-5, abs=1e-6, nan_ok=True), name
    if min(left.shape[:2]) >= 11:
        assert -1 <= ab["ssim"] <= 1
        assert ab["ssim_loss"] == 1 - ab["ssim"]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_picture_and_itself(seed):
    _, b = pair((20, 31), seed)
    same = measure(b, b.copy(), 2)
    assert [same[name] for name in ("psnr", "psnr_y", "psnr_whole", "psnr_y_whole")] == [math.inf] * 4
    assert [same[name] for name in ("ssim", "ssim_y", "ssim_whole", "ssim_y_whole")] == [1] * 4
    assert [same[name] for name in ("mse", "mae", "ssim_loss", "gradient", "texture")] == [0] * 5
    assert same["charbonnier"] == pytest.approx(1e-3)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_light_added_to_both_leaves_errors(seed, shift):
    a, b = (np.clip(x, 0, 200) for x in pair((17, 14), seed))
    up_a, up_b = a + np.uint8(shift), b + np.uint8(shift)
    before, after = measure(a, b), measure(up_a, up_b)
    for name in ("psnr", "mse", "mae", "psnr_y", "charbonnier", "gradient", "texture"):
        assert after[name] == pytest.approx(before[name], rel=1e-4), name
    if a.var() > 1:  # brighter pictures are nearer each other to SSIM's luminance
        assert after["ssim"] >= before["ssim"] - 1e-6


def test_more_noise_is_worse_in_every_number():
    measured_at = [measure(*pair((180, 190), 5, noise), 2) for noise in (2, 6, 18, 50)]
    for name in REFERENCED:
        values = [m[name] for m in measured_at]
        lower_is_better = name in ("mse", "mae", "charbonnier", "ssim_loss", "gradient", "texture")
        assert values == sorted(values, reverse=not lower_is_better), name
        assert len(set(values)) == 4


def test_no_reference_leaves_only_what_needs_none():
    numbers = measure(pair((20, 20), 0)[0], None)
    assert all(np.isnan(numbers[name]) == (name not in PLAIN) for name in NAMES)


def batch(*pictures: tuple[np.ndarray, np.ndarray | None], border: int = 0) -> EnhancementBatch:
    found, truth = zip(*pictures, strict=True)
    count = len(pictures)
    return EnhancementBatch([f"image {k}" for k in range(count)], found, truth, [1] * count, [border] * count)


def test_a_reference_of_another_size_names_the_image():
    a, b = pair((20, 20), 0)
    with pytest.raises(ValueError, match=r"image 1: found must be of \(20, 20, 3\).*got \(19, 20, 3\)"):
        measured(batch((a, b), (a[:-1], b)))


def test_numbers_are_joined_and_taken_in_order():
    pictures = [pair((12, 12), k) for k in range(5)]
    whole = measured(batch(*pictures))
    parts = [measured(batch(*pictures[:2])), measured(batch(*pictures[2:]))]
    for name in NAMES:
        np.testing.assert_array_equal(join(parts).columns[name], whole.columns[name])
        np.testing.assert_array_equal(whole.take([3, 0]).columns[name], whole.columns[name][[3, 0]])
    assert list(whole.take(np.array([0, 1, 0, 0, 1], bool)).ids) == ["image 1", "image 4"]
    with pytest.raises(ValueError, match="no samples"):
        join([])


def test_identical_images_are_counted_and_kept_out_of_the_mean():
    a, b = pair((16, 16), 0)
    c, d = pair((16, 16), 1, noise=30)
    metric = Fidelity()
    metric.update(batch((a, b), (b, b), (c, d), (a, None)))
    scores = metric.compute()["scores"]
    assert scores.values["identical"] == 1
    assert scores.values["psnr"] == pytest.approx((psnr(a, b) + psnr(c, d)) / 2)
    assert scores.values["mse"] == pytest.approx((errors(a, b)[0] + 0 + errors(c, d)[0]) / 3)
    assert np.isnan(scores.values["ms_ssim"])
    assert np.isnan(scores.intervals["psnr"]).all()  # of two images
    assert scores.intervals["mse"][0] < scores.values["mse"] < scores.intervals["mse"][1]
    assert scores.units["psnr_y"] == "dB"
    assert scores.units["mae"] == "levels"
    assert scores.higher_is_better["psnr"]
    assert not scores.higher_is_better["mse"]


def test_all_identical_or_no_references_at_all_have_no_mean():
    _, b = pair((16, 16), 0)
    same, alone = Fidelity(), Fidelity()
    same.update(batch((b, b), (b, b)))
    alone.update(batch((b, None)))
    values = same.compute()["scores"].values
    assert np.isnan(values["psnr"])
    assert (values["identical"], values["ssim"], values["mse"]) == (2, 1, 0)
    assert all(np.isnan(v) for v in alone.compute()["scores"].values.values())
    assert alone.compute()["scores"].intervals.keys() == values.keys() - {"identical"}


def test_the_other_metrics_draw_from_the_same_numbers():
    pictures = [pair((16, 16), k) for k in range(6)]
    numbers = measured(batch(*pictures, (pictures[0][1], pictures[0][1])))
    for make, result in ((Losses, "scores"), (NoReference, "scores")):
        metric = make()
        metric.take(numbers)
        scores = metric.compute()[result]
        for name, value in scores.values.items():
            assert value == pytest.approx(numbers.columns[name].mean())
    spread = Spread()
    spread.take(numbers)
    charts = spread.compute()
    assert charts["psnr"].unit == "dB"
    assert charts["psnr"].counts["images"].sum() == 6  # without the infinite one
    assert charts["ssim"].counts["images"].sum() == 7
    assert charts["psnr"].edges[0] == numbers.columns["psnr"].min()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_student_intervals_are_scipys(values):
    x = np.array(values)
    found = student_interval(x)
    if len(x) < 3 or x.min() == x.max():
        assert np.isnan(found).all()
    elif stats.sem(x) > 1e-9:
        expected = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_measuring_leaves_pictures_as_they_were():
    a, b = pair((24, 30), 4)
    before = a.copy(), b.copy()
    measure(a, b, 2)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    assert isinstance(measured(batch((a, b))), Measured)


def test_intervals_end_where_values_can_not_be():
    """Three images of SSIM 0.99, 0.99 and 0.5: by Student's t the mean of 0.827 would be up to 1.53."""
    columns = {name: np.array([0.99, 0.99, 0.5]) for name in NAMES}
    values, ends = means(Measured(["a", "b", "c"], columns), ("ssim", "ms_ssim", "mse", "psnr"))
    assert values["ssim"] == pytest.approx(0.8267, abs=1e-4)
    assert ends["ssim"] == (pytest.approx(0.1239, abs=1e-3), 1.0)
    assert ends["ms_ssim"][1] == 1.0
    assert ends["psnr"][1] == pytest.approx(1.5294, abs=1e-3)
    columns["mse"] = np.array([1.0, 1.0, 50.0])
    assert means(Measured(["a", "b", "c"], columns), ("mse",))[1]["mse"][0] == 0.0
