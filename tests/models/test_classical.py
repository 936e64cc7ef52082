"""Baselines without weights: what they do, on what, and what may be set."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data, restoration

from dashboard.datasets.resize import imresize
from dashboard.errors import InputError
from models import classical_methods
from models.base import LoadOptions
from models.classical import Classical
from models.classical_table import METHODS
from models.load import load_model
from tests.models.enhancers import options, pictures

ENLARGE = ("nearest", "bilinear", "bicubic", "lanczos")
NAMES = [spec.name for spec in Classical().specs()]
SAME = [name for name in NAMES if name not in ENLARGE]


def psnr(found, truth) -> float:
    return 10 * math.log10(255**2 / np.mean((found.astype(float) - truth) ** 2))


def photo(grey: bool = False) -> np.ndarray:
    """128 x 128 of a photo that the multiples of sigma were chosen on."""
    crop = data.astronaut()[20:148, 150:278]
    return np.asarray(Image.fromarray(crop).convert("L").convert("RGB")) if grey else crop


def noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    grey = (clean[..., 0] == clean[..., 1]).all()
    noise = np.random.default_rng(0).normal(0, sigma, (*clean.shape[:2], 1 if grey else 3))
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)


def one(name: str, picture: np.ndarray, **settings: str):
    return load_model(name, options(**settings)).predict([picture])[0]


def test_listed():
    assert {*ENLARGE, "identity", "nl_means", "tv_chambolle", "wavelet", "bilateral", "median", "wiener"} < set(NAMES)
    assert {"richardson_lucy", "unsharp", "clahe", "gamma", "gaussian", "inpaint"} < set(NAMES)
    for spec in Classical().specs():
        assert spec.weights.location == "none needed"
        assert spec.license != "unknown"


def test_bm3d_is_listed_where_its_package_is(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "bm3d" not in [spec.name for spec in Classical().specs()]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert "bm3d" in [spec.name for spec in Classical().specs()]


@pytest.mark.parametrize("name", NAMES)
def test_every_method_on_every_picture(name):
    made = load_model(name, options())
    if name in ENLARGE:
        assert made.scale is None
        made = made.at_scale(2)
        assert made.scale == 2
    else:
        assert made.scale == 1
    scale = made.scale
    shown = pictures()
    tiny = [shown["colour"][:1, :1], shown["grey"][:2, :1], shown["alpha"][:1, :9], shown["grey"][:3, :3]]
    kept = [picture.copy() for picture in (*shown.values(), *tiny)]
    found = made.predict([*shown.values(), *tiny])
    for picture, before, answer in zip([*shown.values(), *tiny], kept, found, strict=True):
        np.testing.assert_array_equal(picture, before)
        assert answer.size == (picture.shape[0] * scale, picture.shape[1] * scale)
        assert answer.scale == scale
    colour, grey, alpha = found[:3]
    assert colour.pixels.ndim == 3
    assert grey.pixels.ndim == 2  # grey stays grey
    expected = shown["alpha"][..., 3].copy()
    np.testing.assert_array_equal(alpha.alpha, imresize(expected, 2) if scale == 2 else expected)
    if name != "inpaint":  # it looks at alpha
        np.testing.assert_array_equal(alpha.pixels, colour.pixels)
    np.testing.assert_array_equal(made.predict([shown["colour"]])[0].pixels, colour.pixels)


def test_enlarging_by_hand():
    line = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    assert one("nearest", line, scale="2").pixels.tolist() == [[0, 0, 100, 100]] * 2
    assert one("bilinear", line, scale="2").pixels.tolist() == [[0, 25, 75, 100]] * 2
    picture = pictures()["colour"]
    np.testing.assert_array_equal(one("bicubic", picture, scale="3").pixels, imresize(picture, 3))
    pillow = Image.fromarray(picture).resize((52 * 3, 37 * 3), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(one("lanczos", picture, scale="3").pixels, np.asarray(pillow))
    np.testing.assert_array_equal(one("identity", picture).pixels, picture)
    for name in ENLARGE:
        np.testing.assert_array_equal(one(name, picture, scale="1").pixels, picture)


def test_the_order_of_the_enlargers():
    """Of a photo that was made smaller, the better kernel is nearer."""
    clean = photo()
    small = imresize(clean, 1 / 2)
    found = [psnr(one(name, small, scale="2").pixels, clean) for name in ("nearest", "bilinear", "bicubic", "lanczos")]
    assert found == sorted(found)


def test_scales():
    free = load_model("lanczos", options())
    with pytest.raises(InputError, match="lanczos enlarges by any factor: say which, for example --set scale=2"):
        free.predict([pictures()["colour"]])
    assert free.at_scale(2).fingerprint != free.at_scale(3).fingerprint
    assert free.at_scale(2).fingerprint == load_model("lanczos", options(scale="2")).fingerprint
    assert free.scale is None
    fixed = free.at_scale(3)
    assert fixed.at_scale(3).predict([pictures()["colour"]])[0].scale == 3
    with pytest.raises(InputError, match="lanczos enlarges 3 times, 2 times was asked for"):
        fixed.at_scale(2)
    with pytest.raises(InputError, match=r"scale must be a whole number in 1\.\.16, got 17"):
        free.at_scale(17)
    with pytest.raises(InputError, match="median keeps the size of pictures, 2 times was asked for"):
        load_model("median", options()).at_scale(2)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_denoisers_denoise(grey, sigma):
    clean = photo(grey)
    rough = noisy(clean, sigma)
    before = psnr(rough, clean)
    gain = {"nl_means": 5, "tv_chambolle": 3.5, "wavelet": 4.5, "bilateral": 3.5, "median": 1.5, "gaussian": 2}
    for name, least in gain.items():
        told = {"sigma": str(sigma)} if name not in ("median", "gaussian") else {}
        assert psnr(one(name, rough, **told).rgb, clean) > before + least, name
        assert psnr(one(name, rough).rgb, clean) > before + least - 1, name  # estimated


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("sigma", [10, 25])
def test_noise_is_estimated(grey, sigma):
    rough = noisy(photo(grey), sigma)
    assert classical_methods.estimated_sigma(rough[..., 0] if grey else rough) == pytest.approx(sigma, rel=0.15)


@pytest.mark.filterwarnings("error")
def test_channels_without_any_noise_do_not_count():
    """scikit-image leaves coefficients of 0 out, and has no answer where none is left."""
    black = np.zeros((40, 50, 3), np.uint8)
    assert classical_methods.estimated_sigma(black) == classical_methods.estimated_sigma(black[..., 0]) == 0
    np.testing.assert_array_equal(one("nl_means", black).rgb, black)
    blue = noisy(photo(), 25)
    blue[..., 0] = 0
    assert classical_methods.estimated_sigma(blue) == pytest.approx(25, rel=0.2)


def test_without_noise_nothing_is_done():
    picture = pictures()["colour"]
    for name in ("nl_means", "tv_chambolle", "wavelet", "bilateral"):
        np.testing.assert_array_equal(one(name, picture, sigma="0").pixels, picture)
        flat = np.full((20, 20, 3), 77, np.uint8)
        np.testing.assert_array_equal(one(name, flat).rgb, flat)


def test_nl_means_is_scikit_images():
    rough = noisy(photo(), 25)
    found = restoration.denoise_nl_means(
        rough / 255, patch_size=3, patch_distance=4, h=0.5 * 20 / 255, sigma=20 / 255, fast_mode=True, channel_axis=-1
    )
    ours = one("nl_means", rough, sigma="20", h="0.5", patch_size="3", patch_distance="4").pixels
    assert np.abs(ours - 255 * found).max() <= 0.501


@pytest.mark.parametrize("name", ["wiener", "richardson_lucy"])
@pytest.mark.parametrize("grey", [False, True])
def test_deblurring(name, grey):
    clean = photo(grey)
    soft = one("gaussian", clean, sigma="1.5").rgb
    sharp = one(name, soft, sigma="1.5").rgb
    assert psnr(sharp, clean) > psnr(soft, clean) + 1
    border = np.ones(clean.shape[:2], bool)
    border[4:-4, 4:-4] = False
    assert psnr(sharp[border], clean[border]) > psnr(soft[border], clean[border])


def test_sharpening_and_contrast():
    picture = photo()
    soft = one("gaussian", picture, sigma="1").pixels
    assert psnr(one("unsharp", soft, sigma="1", amount="1").pixels, picture) > psnr(soft, picture) + 0.5
    np.testing.assert_array_equal(one("unsharp", picture, amount="0").pixels, picture)
    dull = (picture // 4 + 96).astype(np.uint8)
    assert one("clahe", dull).pixels.std() > 1.3 * dull.std()
    assert one("gamma", picture, gamma="1").pixels.tolist() == picture.tolist()
    levels = np.repeat(np.array([[[0], [64], [255]]], np.uint8), 3, axis=2)
    assert one("gamma", levels, gamma="2").pixels.tolist() == [[0, round(64**2 / 255), 255]]


def test_inpaint_fills_holes():
    clean = photo()
    holed = clean.copy()
    holed[40:46, 50:90] = 255
    holed[80:110, 30:34] = 0
    mask = (holed != clean).any(axis=2)
    filled = one("inpaint", holed).pixels
    assert psnr(filled[mask], clean[mask]) > psnr(holed[mask], clean[mask]) + 8
    untouched = ~classical_methods.holes(holed)
    np.testing.assert_array_equal(filled[untouched], holed[untouched])


def test_inpaint_takes_transparent_pixels_for_holes():
    alpha = np.full((*photo().shape[:2], 1), 255, np.uint8)
    alpha[60:66, 20:40] = 0
    holed = photo().copy()
    holed[alpha[..., 0] == 0] = 90
    found = one("inpaint", np.concatenate([holed, alpha], axis=2))
    hidden = alpha[..., 0] == 0
    assert psnr(found.pixels[hidden], photo()[hidden]) > psnr(holed[hidden], photo()[hidden])
    np.testing.assert_array_equal(found.pixels[~hidden], holed[~hidden])
    np.testing.assert_array_equal(found.alpha, alpha[..., 0])


@pytest.mark.parametrize("value", [0, 255])
def test_a_sky_that_fades_is_no_hole(value):
    ramp = np.abs(value - np.clip(np.arange(-40, 200), 0, 150)).astype(np.uint8)
    sky = np.repeat(np.repeat(ramp[:, None, None], 60, axis=1), 3, axis=2)
    assert (sky == value).all(axis=2).any()
    np.testing.assert_array_equal(one("inpaint", sky).rgb, sky)
    for flat in (np.full((9, 9, 3), value, np.uint8), np.full((9, 9, 3), 77, np.uint8)):
        np.testing.assert_array_equal(one("inpaint", flat).rgb, flat)


@pytest.mark.parametrize(
    ("name", "chosen", "match"),
    [
        ("median", {"siz": "3"}, "median has no setting called 'siz'. Did you mean 'size'"),
        ("median", {"sigma": "3"}, "median has no setting called 'sigma'. To set: it understands size."),
        ("clahe", {"gamma": "2"}, "To set: it understands clip, tiles."),
        ("median", {"bogus": "3"}, "median has no setting called 'bogus'. To set: it understands size."),
        ("identity", {"sigma": "3"}, "To set: it has none."),
        ("identity", {"bogus": "3"}, "To set: it has none."),
        ("identity", {"scale": "2"}, "identity has no setting called 'scale'"),
        ("median", {"size": "4"}, r"size must be an odd number in 3\.\.51 for median, got '4'"),
        ("median", {"size": "3.5"}, r"size must be an odd number in 3\.\.51 for median, got '3.5'"),
        ("nl_means", {"sigma": "nan"}, r"sigma must be a number in 0\.\.255 for nl_means, got 'nan'"),
        ("nl_means", {"sigma": "-1"}, "sigma must be"),
        ("nl_means", {"sigma": "1_0"}, "sigma must be"),
        ("nl_means", {"sigma": "٣"}, "sigma must be"),
        ("nl_means", {"sigma": "much"}, "got 'much'"),
        ("gaussian", {"sigma": "1e9"}, "sigma must be"),
        ("gaussian", {"sigma": "inf"}, "sigma must be"),
        ("bicubic", {"scale": "1.5"}, r"scale must be a whole number in 1\.\.16 for bicubic"),
        ("bicubic", {"scale": "0"}, "scale must be"),
    ],
)
def test_settings_that_make_no_sense(name, chosen, match):
    with pytest.raises(InputError, match=match):
        load_model(name, options(**chosen))


def test_settings_are_in_the_fingerprint_and_the_notes():
    first = load_model("nl_means", options())
    assert first.notes["sigma"] == "from the picture"
    second = load_model("nl_means", options(sigma="25"))
    assert second.notes["sigma"] == 25
    prints = {load_model(name, options()).fingerprint for name in NAMES}
    assert len(prints | {second.fingerprint}) == len(NAMES) + 1


def test_every_setting_has_a_default_in_its_range():
    for name, method in METHODS.items():
        for setting in method.settings:
            assert math.isnan(setting.default) or setting.low <= setting.default <= setting.high, name
            assert replace(setting, default=1).read(name, {setting.key: f"{setting.high:g}"}) == setting.high


def test_device_and_precision_do_not_matter():
    made = load_model("median", LoadOptions(device="cuda:3", precision="fp16"))
    assert made.device == "cpu"
    assert made.fingerprint == load_model("median", options()).fingerprint
