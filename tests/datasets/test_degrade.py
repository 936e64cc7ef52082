"""Degradations and MATLAB's imresize: against direct references, by hand, and texts that are no degradations."""

from __future__ import annotations

import contextlib
import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from dashboard.datasets.degrade import is_grey, parse, to_grey
from dashboard.datasets.resize import imresize, weights
from dashboard.errors import InputError


def picture(height: int, width: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def keys(x: float) -> float:
    """The cubic kernel of MATLAB's imresize."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def slow_line(line: np.ndarray, scale: float) -> list[float]:
    """One line resized, pixel by pixel from MATLAB's formulas, whose places count from 1."""
    length, out = len(line), []
    stretch = min(scale, 1.0)
    for x in range(1, math.ceil(length * scale) + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        total = weight = 0.0
        for place in range(math.floor(u - 2 / stretch) - 1, math.ceil(u + 2 / stretch) + 2):
            w = stretch * keys(stretch * (u - place))
            inside = place
            while not 1 <= inside <= length:  # mirrored, the edge's pixel twice
                inside = 1 - inside if inside < 1 else 2 * length + 1 - inside
            total, weight = total + w * float(line[inside - 1]), weight + w
        out.append(total / weight)
    return out


def slow_imresize(image: np.ndarray, scale: float) -> np.ndarray:
    rounded = image.dtype == np.uint8
    for axis in (0, 1):
        image = np.apply_along_axis(lambda line: np.array(slow_line(line, scale)), axis, image)
        if rounded:
            image = np.clip(np.floor(image + 0.5 + 1e-9), 0, 255)
    return image


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 1 / 8, 0.7, 1.0, 1.5, 2, 3, 4])
@pytest.mark.parametrize("size", [(24, 48), (13, 7), (3, 2), (1, 5)])
def test_imresize_is_matlabs_formula(size, scale):
    image = picture(*size, seed=len(str(scale)))
    np.testing.assert_array_equal(imresize(image, scale), slow_imresize(image, scale))
    floats = image[..., 0] / 255.0
    np.testing.assert_allclose(imresize(floats, scale), slow_imresize(floats, scale), atol=1e-12)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_imresize_is_pillows_bicubic_away_from_the_border(factor):
    image = picture(96, 120) // 2 + 64  # so that nothing is clipped between the two directions
    ours = imresize(image, 1 / factor).astype(int)
    theirs = Image.fromarray(image).resize((120 // factor, 96 // factor), Image.Resampling.BICUBIC)
    assert np.abs(ours - np.asarray(theirs))[3:-3, 3:-3].max() <= 1, "Pillow begins with the columns"
    assert (ours == np.asarray(theirs))[3:-3, 3:-3].mean() > 0.7


def test_weights_by_hand():
    values, places = weights(8, 2.0)
    used = values[3] != 0  # the fourth new pixel lies at 1.25, so Keys' kernel at 1.25, .25, .75 and 1.75
    assert places[3][used].tolist() == [0, 1, 2, 3]
    assert values[3][used].tolist() == [-0.0703125, 0.8671875, 0.2265625, -0.0234375]
    assert values.sum(axis=1).tolist() == [1.0] * 16
    assert places.min() == 0
    assert places.max() == 7


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1 / 3, 1 / 2, 1.0, 2.0, 3.0]), st.integers(0, 99))
def test_imresize_knows_no_direction(height, width, scale, seed):
    height, width = (3 * height, 2 * width) if scale >= 1 else (6 * height, 6 * width)
    image = picture(height, width, seed, 1) / 255.0
    made = imresize(image, scale)
    np.testing.assert_allclose(imresize(image[::-1, ::-1].copy(), scale), made[::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(imresize(image.T.copy(), scale), made.T, atol=1e-12)
    np.testing.assert_allclose(imresize(np.full_like(image, 0.25), scale), 0.25, atol=1e-12)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.float32), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)])
def test_imresize_refuses(wrong):
    with pytest.raises(ValueError, match="image must be"):
        imresize(wrong, 2)
    with pytest.raises(ValueError, match="scale must be"):
        imresize(np.zeros((4, 4), np.uint8), math.nan)


@pytest.mark.parametrize(
    ("typed", "text", "scale"),
    [
        ("bicubic:4", "bicubic:4", 4),
        (" Noise:25.0 ", "noise:25", 1),
        ("jpeg:10", "jpeg:10", 1),
        ("blur:1.60", "blur:1.6", 1),
        ("blur:1.2 + bicubic:2+ noise:5", "blur:1.2+bicubic:2+noise:5", 2),
        ("bicubic:2+bicubic:3", "bicubic:2+bicubic:3", 6),
        ("none", "none", 1),
    ],
)
def test_parse(typed, text, scale):
    found = parse(typed)
    assert (found.text, found.scale) == (text, scale)
    assert parse(found.text) == found
    assert bool(found.recipe) == (text != "none")
    assert text in found.recipe or text == "none"
    assert ("multiple of" in found.recipe) == (scale > 1)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("noise:nan", "noise takes a standard deviation in 8-bit levels, 0.1..255"),
        ("noise:inf", "noise takes"),
        ("noise:-5", "noise takes"),
        ("noise:0", "noise takes"),
        ("noise", "noise takes"),
        ("noise:", "noise takes"),
        ("blur:1e9", "blur takes a standard deviation in pixels, 0.1..20"),
        ("jpeg:0", "jpeg takes a whole quality 1..100"),
        ("jpeg:101", "jpeg takes"),
        ("jpeg:9.5", "jpeg takes"),
        ("bicubic:1.5", "bicubic takes a whole factor 2..16"),
        ("bicubic:0", "bicubic takes"),
        ("bicubic:1", "bicubic takes"),
        ("bicubic:4x", "bicubic takes"),
        ("bicubic:1_6", "bicubic takes"),
        ("noise:٢٥", "noise takes"),
        ("bicubic:8+bicubic:8", "64 times smaller in all: 16 times is the most"),
        ("bicubik:4", "Did you mean 'bicubic'"),
        ("nearest:4", r"There are bicubic:4 \(a whole factor 2..16\), noise:25"),
        ("", "there is no degradation ''"),
        ("noise:5+", "there is no degradation ''"),
        ("none+noise:5", "there is no degradation 'none'"),
    ],
)
def test_parse_refuses(typed, says):
    with pytest.raises(InputError, match=says) as caught:
        parse(typed)
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(st.text("bicurnoselpg:+.0123456789e- x\x00", max_size=20) | st.text(max_size=10))
def test_parse_of_anything(typed):
    with contextlib.suppress(InputError):
        found = parse(typed)
        assert parse(found.text) == found
        assert 1 <= found.scale <= 16


def test_bicubic_crops_to_a_multiple():
    image = picture(23, 33)
    found = parse("bicubic:4")
    assert found.cropped(23, 33) == (20, 32)
    np.testing.assert_array_equal(found.crop(image), image[:20, :32])
    np.testing.assert_array_equal(found.apply(image, 0, "a"), imresize(image[:20, :32], 1 / 4))
    with pytest.raises(InputError, match=r"tiny\.png is 9x3 pixels, too small for bicubic:4"):
        found.apply(picture(3, 9), 0, "tiny.png")


def test_noise_is_of_the_seed_and_the_key_alone():
    image = np.full((200, 150, 3), 128, np.uint8)
    found = parse("noise:25")
    made = found.apply(image, 0, "a/b.png")
    assert made.dtype == np.uint8
    noise = made[..., 0].astype(float) - 128
    assert abs(noise.std() - 25) < 0.5
    assert abs(noise.mean()) < 0.6
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda key: found.apply(image, 0, key), ["c", "a/b.png"] * 4))
    assert all((again == made).all() for again in several[1::2])
    others = [found.apply(image, 1, "a/b.png"), found.apply(image, 0, "a/c.png")]
    for other in others:
        assert abs(np.corrcoef(noise.ravel(), other[..., 0].ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(found.apply(np.vstack([image, image]), 0, "a/b.png")[:200], made)
    twice = parse("noise:25+noise:25").apply(image, 0, "a/b.png")
    assert abs((twice[..., 0].astype(float) - 128).std() - 25 * math.sqrt(2)) < 1, "the second is drawn anew"


def test_noise_is_rounded_and_clipped():
    dark, light = np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8)
    assert (parse("noise:50").apply(dark, 0, "a") == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (parse("noise:50").apply(light, 0, "a") == 255).mean() == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(parse("noise:0.1").apply(dark, 0, "a"))) == 1, "less than half a level is rounded away"


@pytest.mark.parametrize("text", ["noise:25", "jpeg:10", "blur:1.6", "bicubic:2", "blur:1+bicubic:2+noise:9+jpeg:50"])
def test_grey_stays_grey(text):
    grey = np.repeat(picture(30, 44, channels=1)[..., None], 3, axis=2)
    made = parse(text).apply(grey, 3, "a")
    assert made.shape[2] == 3
    assert is_grey(made)
    np.testing.assert_array_equal(made[..., 0], parse(text).apply(grey[..., 0].copy(), 3, "a"))
    assert not is_grey(parse(text).apply(picture(30, 44), 3, "a"))


@pytest.mark.parametrize("quality", [1, 10, 50, 95, 100])
def test_jpeg_is_pillows(quality):
    ramp = np.mgrid[0:60, 0:70].sum(axis=0)
    image = np.stack([ramp, 2 * ramp % 256, 255 - ramp], axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    theirs = np.asarray(Image.open(buffer)).astype(int)
    ours = parse(f"jpeg:{quality}").apply(image, 0, "a")
    assert np.abs(ours - theirs).mean() < 0.05, "two builds of libjpeg"


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.6, 12.5])
@pytest.mark.parametrize("size", [(40, 50), (600, 7), (5, 3), (1, 1)])
def test_blur_is_scipys(sigma, size):
    image = picture(*size)
    exact = gaussian_filter(image.astype(float), sigma, mode="reflect", radius=math.ceil(4 * sigma), axes=(0, 1))
    made = parse(f"blur:{sigma}").apply(image, 0, "a")
    assert np.abs(made - exact).max() < 0.5 + 1e-6, "rounded to the nearest"


def test_a_chain_is_its_parts_in_order():
    image = picture(31, 40)
    blurred = parse("blur:1.2").apply(image[:30], 0, "a")
    np.testing.assert_array_equal(parse("blur:1.2+bicubic:2").apply(image, 0, "a"), imresize(blurred, 0.5))
    assert (parse("bicubic:2+blur:1.2").apply(image, 0, "a") != imresize(blurred, 0.5)).any()
    untouched = parse("none").apply(image, 0, "a")
    assert (untouched == image).all()
    assert not np.shares_memory(untouched, image)


def test_to_grey_is_pillows():
    image = picture(70, 60)
    grey = to_grey(image)
    assert is_grey(grey)
    np.testing.assert_array_equal(grey[..., 0], np.asarray(Image.fromarray(image).convert("L")))
