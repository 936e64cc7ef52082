"""What the explanations of enhancement say, checked against the code that makes the numbers."""

import numpy as np
import pytest

from dashboard import explain
from dashboard.datasets.degrade import parse
from dashboard.enhancement_parts import border_of
from dashboard.explore import enhancement
from dashboard.explore.enhance_panes import MOST_PIXELS, REGIONS
from dashboard.metrics import METRICS
from dashboard.metrics.enhancement import measured
from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.regions import worst
from dashboard.results import Scalars
from tests.test_explain import ENHANCEMENT


@pytest.fixture(params=explain.LOCALES)
def locale(request):
    return request.param


def even(value, height=176, width=176):
    """A picture of one colour."""
    return np.full((height, width, 3), value, np.uint8)


GREY = even(128)
CHESS = np.repeat(np.where(np.indices((176, 176)).sum(0) % 2, 138, 118)[..., None], 3, axis=2).astype(np.uint8)
BRIGHTER = GREY + np.uint8(10)


def says(name, field, locale, *values):
    """Check that a text has the numbers, written like this."""
    for value in values:
        assert value in explain.entry(name, locale)[field], (name, field, value)


def test_errors_of_ten_levels_are_worked_out_correctly(locale):
    brighter, chess = measured.measure(BRIGHTER, GREY, 0), measured.measure(CHESS, GREY, 0)
    assert brighter["mse"] == chess["mse"] == 100
    for name in ("psnr", "ssim"):
        says(name, "meaning", locale, f"{chess['psnr']:.2f} dB")
    says("ssim", "meaning", locale, f"{brighter['ssim']:.3f}", f"{chess['ssim']:.2f}")
    says("ssim", "misleads", locale, f"{brighter['ssim']:.3f}")
    says("ms_ssim", "misleads", locale, f"{chess['ssim']:.2f}", f"{chess['ms_ssim']:.2f}")
    says("enh_l1", "meaning", locale, f"{10 / 255:.4f}")
    says("enh_l2", "meaning", locale, f"{100 / 255**2:.5f}")
    assert brighter["charbonnier"] == pytest.approx(0.0392, abs=5e-5)
    says("charbonnier", "meaning", locale, f"{brighter['charbonnier']:.4f}")
    says("charbonnier", "misleads", locale, f"{measured.measure(GREY, GREY, 0)['charbonnier']:.3f}", f"{1 / 255:.4f}")
    spots = even(128, width=170)
    spots[:, ::10] += 100
    apart = measured.measure(spots, even(128, width=170), 0)
    says("mse", "meaning", locale, f"{apart['mse']:.0f}")
    says("mae", "meaning", locale, f"{apart['mse']:.0f}", f"{apart['mae']:.0f}")
    assert apart["mae"] == brighter["mae"] == 10


def test_psnr_is_warned_of_correctly(locale):
    stripes = even(0)
    stripes[:, ::2] = 255
    blurred, moved = measured.measure(GREY, stripes, 0)["psnr"], measured.measure(255 - stripes, stripes, 0)["psnr"]
    assert moved == 0
    says("psnr", "misleads", locale, "0 dB", f"{blurred:.2f}")
    pooled = -10 * np.log10(np.mean([10**-2.0, 10**-4.0]))
    says("psnr", "misleads", locale, f"{pooled:.2f}", f"{np.mean([20, 40]):.0f}")
    red = even(0)
    red[..., 0] = 200
    faded = measured.measure(even(60), red, 0)
    says("psnr_y", "misleads", locale, f"{faded['psnr_y']:.0f} dB", f"{faded['psnr']:.1f} dB")
    brighter = measured.measure(BRIGHTER, GREY, 0)
    for name, field in (("psnr_y", "convention"), ("psnr_y_whole", "misleads")):
        says(name, field, locale, f"{brighter['psnr_y'] - brighter['psnr']:.2f} dB")


def test_identical_images_and_intervals_are_as_said(locale):
    def fidelity(*errors):
        metric = METRICS.get("fidelity")([])
        for error in errors:
            metric.update(EnhancementBatch(["a"], [GREY + np.uint8(error)], [GREY], [1], [0]))
        return metric.compute()["scores"]

    mixed = fidelity(0, 10)
    assert mixed.values["identical"] == 1
    assert mixed.values["psnr"] == measured.measure(BRIGHTER, GREY, 0)["psnr"]  # the infinite one is left out
    assert mixed.values["mse"] == 50
    assert np.isnan(fidelity(0).values["psnr"])
    ends = [fidelity(*errors).intervals["psnr"] for errors in ((1, 2), (1, 2, 3))]
    assert [np.isfinite(low) for low, _ in ends] == [False, True]
    says("psnr", "convention", locale, {"en": "from 3 on", "zh-TW": "至少 3 張"}[locale])


def test_windows_and_borders_are_as_said(locale):
    def known(name, side, border=0):
        picture = even(9, side, side)
        return not np.isnan(measured.measure(picture, picture, border)[name])

    assert known("ssim", 11)
    assert not known("ssim", 10)
    assert not known("ssim", 11, 1)
    says("ssim", "convention", locale, "11 × 11")
    assert known("ms_ssim", 161)
    assert not known("ms_ssim", 160)
    says("ms_ssim", "convention", locale, "160")
    assert [border_of(scale) for scale in (1, 2, 4)] == [0, 2, 4]
    says("border_crop", "formula", locale, "border = scale where scale > 1, else 0")


def test_the_losses_of_pictures_are_warned_of_correctly(locale):
    assert measured.measure(BRIGHTER, GREY, 0)["gradient"] == 0  # "all 10 levels brighter costs 0"
    edge = even(50)
    edge[:, 88:] = 150
    moved = np.roll(edge, 2, axis=1)
    moved[:, :2] = 50
    none = measured.measure(even(100), edge, 0)["gradient"]
    assert measured.measure(moved, edge, 0)["gradient"] == pytest.approx(2 * none, rel=1e-3)
    says("gradient", "misleads", locale, {"en": "twice as much", "zh-TW": "兩倍"}[locale])
    grain = np.random.default_rng(0).integers(60, 196, (176, 176, 3)).astype(np.uint8)
    elsewhere, smoothed = (measured.measure(p, grain, 0)["texture"] for p in (np.roll(grain, 40, axis=0), even(128)))
    assert elsewhere < 0.01 * smoothed


def test_numbers_without_a_reference_are_as_said(locale):
    def plain(picture):
        return measured.measure(picture, None, 0)

    assert plain(GREY)["sharpness"] == plain(GREY)["noise"] == plain(GREY)["contrast"] == 0
    grain = np.clip(np.rint(128 + 10 * np.random.default_rng(0).normal(size=(400, 400, 1))), 0, 255)
    grainy = plain(np.repeat(grain, 3, axis=2).astype(np.uint8))
    assert grainy["noise"] == pytest.approx(10, rel=0.05)
    assert grainy["colourfulness"] == 0
    assert grainy["sharpness"] == pytest.approx(2000, rel=0.05)
    says("sharpness", "misleads", locale, "2000")
    halves = even(0)
    halves[:88] = 255
    says("contrast", "convention", locale, f"{plain(halves)['contrast']:.1f}")
    yellow = even(0)
    yellow[..., :2] = 200
    assert plain(yellow)["colourfulness"] > 59  # "a cast raises it"
    says("colourfulness", "meaning", locale, "59")


def test_what_the_panes_show_is_as_said(locale):
    errors = np.zeros((240, 400))
    errors[100:110, 200:210] = 1
    x, y, width, height, mean = worst(errors, REGIONS)[0]
    assert width == height == 240 // 8
    assert mean == pytest.approx(100 / 30**2)  # all of it is inside
    assert x <= 200 <= x + 20
    assert y <= 100 <= y + 20
    assert worst(errors[60:124, 180:244], 1)[0][2:4] == (16, 16)
    said = {"en": ("Up to 6", "an eighth", "16 pixels"), "zh-TW": ("最多 6", "八分之一", "16 像素")}[locale]
    says("worst_regions", "convention", locale, *said)
    assert REGIONS == 6
    said = {"en": f"{MOST_PIXELS // 10**6} million pixels", "zh-TW": f"{MOST_PIXELS // 10**4} 萬像素"}[locale]
    says("map_absolute", "convention", locale, said)


def test_the_degradations_that_are_named_exist():
    for text in explain.entry("degradation", "en")["formula"].replace(" or ", " ").split(", "):
        assert parse(text).text == text.strip()


def test_everything_the_enhancement_tab_shows_is_explained():
    shown = {
        *(name for names in enhancement.COLUMNS.values() for name in names),
        *(name for name in enhancement.ORDERS if name != "dataset"),
        *(f"chart_enh_{name}" for name in enhancement.CHARTS),
        *measured.NAMES,
    }
    for name in METRICS.names(task="enhancement"):
        metric = METRICS.get(name)([])
        metric.update(EnhancementBatch(["a"], [GREY], [GREY], [1], [0]))
        for result in metric.compute().values():
            if isinstance(result, Scalars):
                shown |= set(result.values)
    assert shown - set(ENHANCEMENT) == set()
