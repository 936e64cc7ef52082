"""The enhancement view in a browser: panes in step, a slider, maps whose values are the errors, regions, the loupe."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from dashboard.explore.enhance_panes import png_uri
from dashboard.metrics.enhancement.ssim import ssim_map
from dashboard.types import EnhancedImage
from dashboard.views import STATIC
from tests.e2e.conftest import new_page
from tests.e2e.enhance_page import BORDER, HEIGHT, WIDTH, alpha, answers, noisy, reference, small, values
from tests.e2e.pages import served

pytestmark = pytest.mark.browser

IDLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
READY = "document.querySelectorAll('#view .save:not([hidden])').length === %d"
COLOUR = """([canvas, x, y]) => { const c = document.querySelectorAll(`#view canvas.${canvas[0]}`)[canvas[1]];
  const k = c.width / c.clientWidth;
  return [...c.getContext('2d').getImageData(Math.floor(k * x), Math.floor(k * y), 1, 1).data]; }"""
"""What is drawn at a place of a canvas, in screen pixels from its corner."""
PIXELS = """() => [...document.querySelectorAll('#view canvas.ground')].map((c) => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let h = 7;
  for (let k = 0; k < d.length; k += 97) h = (h * 31 + d[k]) | 0; return h; })"""
"""A number a pane that says what is drawn on it."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests.e2e.enhance_page") as found:
        yield found


def opened(browser: Browser, address: str, **options: object) -> tuple[Page, list[str]]:
    page, problems = new_page(browser, **{"viewport": {"width": 1440, "height": 1500}, **options})
    page.goto(address)
    page.wait_for_function(READY % 5)
    page.evaluate(IDLE)
    return page, problems


@pytest.fixture
def view(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = opened(browser, address)
    yield page
    page.context.close()
    assert problems == []


def show(page: Page, name: str, pictures: int) -> None:
    page.locator(f"#pick input[value={name}]").check()
    expect(page.locator("#view .save:not([hidden])")).to_have_count(pictures)
    page.evaluate(IDLE)


def press(page: Page, what: str) -> None:
    page.locator(f"#view [data-{what}]").click()
    page.evaluate(IDLE)


def box_of(page: Page, pane: int, of: str = "canvas.ground") -> FloatRect:
    box = page.locator(f"#view {of}").nth(pane).bounding_box()
    assert box is not None
    return box


def place(page: Page, pane: int, x: float, y: float) -> tuple[float, float]:
    """Where the middle of a pixel of the shared area is on a pane's canvas while all of the picture is in sight."""
    box = box_of(page, pane)
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    return (
        box["width"] / 2 + (x + 0.5 - WIDTH / 2) * scale,
        box["height"] / 2 + (y + 0.5 - HEIGHT / 2) * scale,
    )


def point(page: Page, pane: int, x: float, y: float) -> None:
    box, (left, top) = box_of(page, pane), place(page, pane, x, y)
    page.mouse.move(box["x"] + left, box["y"] + top)
    page.evaluate(IDLE)


def colour(page: Page, pane: int, x: float, y: float, canvas: str = "ground") -> list[int]:
    found: list[int] = page.evaluate(COLOUR, [[canvas, pane], x, y])
    return found


def read(page: Page, pane: int) -> str:
    return page.locator("#view [data-pane] .read").nth(pane).locator("[data-value]").inner_text().replace("−", "-")


def scale_of(page: Page) -> tuple[float, float]:
    """The ends of the legend."""
    ends = [page.locator(f"#view [data-{end}]").inner_text().replace("−", "-") for end in ("low", "high")]
    return float(ends[0]), float(ends[1])


def luma(picture: Any) -> NDArray[np.float64]:
    return np.asarray(picture, float) @ [65.481 / 255, 128.553 / 255, 24.966 / 255]


def channel(picture: Any, name: str) -> list[NDArray[np.float64]]:
    """The planes that a map of a channel is the mean of."""
    planes = np.moveaxis(np.asarray(picture, float), 2, 0)
    return [luma(picture)] if name == "y" else list(planes) if name == "all" else [planes["rgb".index(name)]]


def errors(found: Any, name: str, power: int = 1) -> NDArray[np.float64]:
    pairs = zip(channel(found, name), channel(reference(), name), strict=True)
    return np.mean([np.abs(a - b) ** power for a, b in pairs], axis=0)


def test_pictures_arrive_exactly(view: Page) -> None:
    """Every value of a channel, and colours under alpha, which a canvas would round."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (32, 40, 3)).astype(np.uint8)
    clear = rng.integers(0, 256, (32, 40)).astype(np.uint8)
    smooth = np.ascontiguousarray(reference()[:32, :40])  # with every filter of PNG
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pictures = [EnhancedImage(colours), EnhancedImage(colours, 1, clear), EnhancedImage(smooth, 1, clear)]
    decode = f"""async (uri) => {{ {(STATIC / "enhance_pixels.js").read_text("utf-8")}
      const p = await decodePng(uri); return [p.bitmap.width, p.bitmap.height, p.alpha, [...pixels(p)]]; }}"""
    for picture in [*pictures, EnhancedImage(grey)]:
        width, height, has_alpha, data = view.evaluate(decode, png_uri(picture))
        found = np.reshape(data, (height, width, 4))
        assert np.array_equal(found[..., :3], picture.rgb)
        assert has_alpha == (picture.alpha is not None)
        assert np.all(found[..., 3] == (255 if picture.alpha is None else picture.alpha))


def test_every_filter_of_png_is_undone(view: Page) -> None:
    """One row of each kind; written by hand, as encoders choose for themselves."""
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (5, 7, 4)).astype(np.uint8)
    rows, above = b"", np.zeros((7, 4), int)
    for kind, row in enumerate(rgba.astype(int)):
        left, corner = np.vstack([np.zeros((1, 4), int), row[:-1]]), np.vstack([np.zeros((1, 4), int), above[:-1]])
        guess = left + above - corner
        near = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)]).argmin(0)
        paeth = np.choose(near, [left, above, corner])
        taken = [np.zeros_like(row), left, above, (left + above) // 2, paeth][kind]
        rows += bytes([kind]) + ((row - taken) % 256).astype(np.uint8).tobytes()
        above = row

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packed = zlib.compress(rows)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 5, 8, 6, 0, 0, 0)), chunk(b"IDAT", packed[:9])]
    png = b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", packed[9:]), chunk(b"IEND", b"")])
    decode = f"""async (uri) => {{ {(STATIC / "enhance_pixels.js").read_text("utf-8")}
      return [...(await decodePng(uri)).data]; }}"""
    data = view.evaluate(decode, f"data:image/png;base64,{base64.b64encode(png).decode()}")
    assert np.array_equal(np.reshape(data, rgba.shape), rgba)


def test_colour_scales_are_even() -> None:
    """Errors: lightness only rises, evenly. Differences: as dark at both ends, lightest and grey in the middle."""
    script = (STATIC / "enhance_pixels.js").read_text("utf-8")

    def lab(name: str) -> NDArray[np.float64]:
        listed = re.search(rf"const {name} = \[(\[.*?\])\];", script)
        assert listed is not None
        rgb = np.array([[int(n) for n in s.split(",")] for s in re.findall(r"\[([\d, ]+)\]", listed.group(1))])
        return np.asarray(cv2.cvtColor((rgb[None] / 255).astype(np.float32), cv2.COLOR_RGB2Lab)[0], float)

    steps = np.diff(lab("INFERNO")[:, 0])
    assert steps.min() > 0.6 * steps.mean()
    assert steps.max() < 1.4 * steps.mean()
    light, _, yellow = lab("BOTH").T
    middle = len(light) // 2
    assert np.all(np.diff(light[: middle + 1]) > 5)
    assert np.all(np.diff(light[middle:]) < -5)
    assert np.abs(light - light[::-1]).max() < 8
    assert np.all(yellow[:middle] < 0)  # blue against yellow is what colour blindness leaves
    assert np.all(yellow[middle + 1 :] > 0)


def test_the_slider_is_dragged_between_two_pictures(view: Page) -> None:
    asked: list[str] = []
    view.on("request", lambda r: asked.append(r.url))
    press(view, "layout=slider")
    expect(view.locator("#view .side")).to_have_text(["Input", re.compile(r"nearest <b> PSNR 39\.\d\d dB SSIM 0\.99")])
    view.locator("#view [data-side=left]").select_option(label="off")
    view.locator("#view [data-side=right]").select_option(label="Reference")
    knob, stage = box_of(view, 0, ".knob"), box_of(view, 0)
    off, truth = answers()["off"], reference()
    spots = [(60, 120), (250, 120)]

    def drawn() -> list[list[int]]:
        return [colour(view, 0, *place(view, 0, x, y))[:3] for x, y in spots]

    assert drawn() == [off[120, 60].tolist(), truth[120, 250].tolist()]
    assert off[120, 60].tolist() != truth[120, 60].tolist()
    view.mouse.move(knob["x"] + 18, stage["y"] + 200)
    view.mouse.down()
    view.mouse.move(stage["x"] + place(view, 0, 30, 0)[0], stage["y"] + 230, steps=4)
    view.mouse.up()
    view.evaluate(IDLE)
    assert drawn() == [truth[120, 60].tolist(), truth[120, 250].tolist()]
    expect(view.locator("#view .knob")).to_be_focused()
    moved = int(view.locator("#view .knob").get_attribute("aria-valuenow") or -1)
    assert moved == pytest.approx(100 * place(view, 0, 30, 0)[0] / stage["width"], abs=1)
    for key, value in [("End", 100), ("Home", 0), ("ArrowRight", 2), ("PageUp", 12), ("ArrowLeft", 10)]:
        view.keyboard.press(key)
        view.evaluate(IDLE)
        expect(view.locator("#view .knob")).to_have_attribute("aria-valuenow", str(value))
    view.keyboard.press("End")
    view.evaluate(IDLE)
    assert drawn()[0] == off[120, 60].tolist()
    # anywhere on the stage, too, while all of it is in sight
    view.mouse.move(stage["x"] + 700, stage["y"] + 300)
    view.mouse.down()
    view.mouse.move(stage["x"] + stage["width"] / 4, stage["y"] + 300, steps=4)
    view.mouse.up()
    expect(view.locator("#view .knob")).to_have_attribute("aria-valuenow", "25")
    # both sides are read, and swap while space is held
    point(view, 0, 60, 120)
    values_read = view.locator("#view .read [data-value]")
    expect(values_read).to_have_text([" ".join(map(str, p[120, 60])) for p in (off, truth)])
    view.keyboard.down(" ")
    expect(view.locator("#view .side.l")).to_have_text("Reference")
    view.evaluate(IDLE)
    view.keyboard.up(" ")
    expect(view.locator("#view .side.r")).to_have_text("Reference")
    # and stay chosen on the next picture
    show_next = view.locator("#pick input[value=other]")
    asked.clear()
    point(view, 0, 100, 100)
    view.mouse.wheel(0, -200)
    view.evaluate(IDLE)
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []
    show_next.check()
    expect(view.locator("#view .name")).to_have_text("two.png")
    expect(view.locator("#view .side")).to_have_text([re.compile("^■ off"), "Reference"])


def test_zooming_in_one_pane_zooms_all_to_single_pixels(view: Page) -> None:
    box, (left, top) = box_of(view, 2), place(view, 2, 200, 150)
    page_x, page_y = round(box["x"] + left), round(box["y"] + top)  # a wheel tells whole screen pixels
    view.mouse.move(page_x, page_y)
    for _ in range(25):
        view.mouse.wheel(0, -120)
    view.evaluate(IDLE)
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("6400 %")
    at = (page_x - box["x"], page_y - box["y"])
    shown = [small(), reference(), *answers().values()]
    view.mouse.move(page_x + 1, page_y)
    view.evaluate(IDLE)
    x, y = map(int, view.locator("#view .read small").nth(1).inner_text().split(", "))
    assert abs(x - 200) <= 12  # what is pointed at stays, but for what keeps a narrow picture in the middle
    assert abs(y - 150) <= 1
    wanted = [p[y * p.shape[0] // HEIGHT, x * p.shape[1] // WIDTH].tolist() for p in shown]
    assert [colour(view, k, *at)[:3] for k in range(5)] == wanted
    # one pixel is a square of one colour, 64 wide, with a grid at its edge
    row = [colour(view, 1, at[0] + d, at[1])[:3] for d in range(-70, 71, 2)]
    values_seen = {tuple(c) for c in row}
    assert {tuple(reference()[y, x + d].tolist()) for d in (-1, 0, 1)} & values_seen
    assert sum(c == reference()[y, x].tolist() for c in row) >= 25
    # the reading follows: the same place in each pane's own pixels
    assert [read(view, k) for k in range(5)] == [" ".join(map(str, w)) for w in wanted]
    expect(view.locator("#view .read small").first).to_have_text(f"{x // 2}, {y // 2}")
    before = view.evaluate(PIXELS)
    view.mouse.down()
    view.mouse.move(page_x + 40, page_y + 40, steps=3)
    view.mouse.up()
    view.evaluate(IDLE)
    assert all(a != b for a, b in zip(before, view.evaluate(PIXELS), strict=True))  # all moved
    view.locator("#view canvas.ground").nth(2).dblclick()
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(re.compile(r"^1\d\d %"))


def test_an_update_keeps_the_zoom_and_another_picture_resets_it(view: Page) -> None:
    whole = view.locator("#view [data-zoom=fit]").inner_text()
    view.locator("#view [data-zoom=in]").click()
    view.locator("#view [data-zoom=in]").click()
    zoomed = view.locator("#view [data-zoom=fit]").inner_text()
    assert zoomed != whole
    show(view, "again", 5)
    expect(view.locator("#view [data-pane='2'] header")).to_contain_text("9.9 ms")
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(zoomed)
    show(view, "other", 5)
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(whole)
    view.locator("#view [data-zoom=one]").click()
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(whole)  # already larger than one to one


@pytest.mark.parametrize("name", ["all", "r", "g", "b", "y"])
def test_maps_of_errors_have_the_numbers(view: Page, name: str) -> None:
    """What is read under the pointer, and where colours end, are those of the arrays."""
    spots = [(64, 120), (200, 80), (17, 230)]
    models = list(answers().values())
    for mode, power in (("absolute", 1), ("squared", 2)):
        press(view, f"mode={mode}")
        press(view, f"channel={name}")
        maps = [errors(m, name, power) for m in models]
        low, high = scale_of(view)
        assert low == 0
        assert high == pytest.approx(max(1, np.quantile(np.stack(maps), 0.99)), rel=0.02)
        for x, y in spots:
            point(view, 4, x, y)
            for k, wanted in enumerate(maps):
                assert float(read(view, 2 + k)) == pytest.approx(wanted[y, x], abs=0.006)
            assert read(view, 1) == " ".join(map(str, reference()[y, x]))  # a picture stays one
    for k, m in enumerate(models):  # and nothing is what it was with the picture
        assert colour(view, 2 + k, *place(view, 2 + k, 64, 120))[:3] != m[120, 64].tolist()


@pytest.mark.parametrize("name", ["all", "g"])
def test_the_map_of_ssim_has_its_values(view: Page, name: str) -> None:
    press(view, "mode=ssim")
    expect(view.locator("#view [data-channel]")).to_have_count(4)
    press(view, f"channel={name}")
    maps = [np.mean(channel(ssim_map(m, reference()), name), axis=0) for m in answers().values()]
    low, high = scale_of(view)
    assert low == 1
    assert high == pytest.approx(np.quantile(np.stack(maps).clip(0), 0.01), abs=0.015)
    for x, y in [(64, 120), (42, 100), (250, 60)]:
        point(view, 2, x, y)
        for k, wanted in enumerate(maps):
            assert float(read(view, 2 + k)) == pytest.approx(max(0, wanted[y, x]), abs=0.003)


def test_the_end_of_colours_is_moved_and_goes_back(view: Page) -> None:
    press(view, "mode=absolute")
    _, automatic = scale_of(view)
    before = view.evaluate(PIXELS)
    slider = view.locator("#view [data-gain]")
    slider.evaluate("(e) => { e.value = 2; e.dispatchEvent(new Event('input', {bubbles: true})); }")
    view.evaluate(IDLE)
    assert scale_of(view)[1] == pytest.approx(4 * automatic, rel=0.01)
    expect(slider).to_have_attribute("aria-valuetext", f"{scale_of(view)[1]:.3g}")
    changed = [a != b for a, b in zip(before, view.evaluate(PIXELS), strict=True)]
    assert changed == [False, False, True, True, True]
    press(view, "auto")
    assert scale_of(view)[1] == automatic
    assert view.evaluate(PIXELS) == before


def test_a_model_is_compared_with_another(view: Page) -> None:
    """Negative and blue where the pane's own model is nearer to the reference."""
    press(view, "mode=difference")
    view.locator("#view [data-other]").select_option(label="off")
    view.evaluate(IDLE)
    tag = view.locator("#view .tag:visible")
    expect(tag).to_have_text("the others are compared with this one")
    wanted = errors(answers()["bicubic"], "all") - errors(answers()["off"], "all")
    for x, y in [(64, 120), (250, 60)]:
        point(view, 2, x, y)
        assert float(read(view, 2)) == pytest.approx(wanted[y, x], abs=0.006)
    assert wanted[120, 64] < -20
    red, _, blue, _ = colour(view, 2, *place(view, 2, 64, 120))
    assert blue > red + 50
    low, high = scale_of(view)
    assert low == -high
    view.locator("#view [data-other]").select_option(label="bicubic")
    view.evaluate(IDLE)
    red, _, blue, _ = colour(view, 4, *place(view, 4, 64, 120))  # now the other one
    assert red > blue + 50


def test_without_a_reference_there_are_only_numbers_that_need_none(view: Page) -> None:
    show(view, "unreferenced", 3)
    expect(view.locator("#view [data-mode]")).to_have_text(["Picture", "Model vs model"])
    first = view.locator("#view [data-pane='1'] .nums")
    expect(first).to_have_text(re.compile("^no reference:.*Sharpness.*Noise.*Contrast.*Colour"))
    expect(view.locator("#view .worst")).to_be_empty()
    press(view, "mode=difference")
    view.locator("#view [data-other]").select_option(label="soft")
    view.evaluate(IDLE)
    assert scale_of(view)[0] == 0  # how far apart, not who is nearer
    point(view, 2, 100, 100)
    soft: Any = cv2.GaussianBlur(noisy(20), (5, 5), 1)
    wanted = np.abs(soft.astype(float) - noisy(20, 1))[100, 100].mean()
    assert float(read(view, 2)) == pytest.approx(wanted, abs=0.006)


def test_numbers_stand_in_the_headers(view: Page) -> None:
    show(view, "denoised", 6)
    perfect = view.locator("#view [data-pane='5'] .nums")
    expect(perfect.locator("[data-number=psnr] b")).to_have_text("∞ (identical)")
    expect(perfect.locator("[data-number=ssim] b")).to_have_text("1.0000")
    expect(perfect.locator(".best")).to_have_count(4)
    blurred = values()["denoised"]["panes"][3]["numbers"]
    expect(view.locator("#view [data-pane='3'] [data-number=psnr_y] b")).to_have_text(f"{blurred['psnr_y']:.2f} dB")
    expect(view.locator("#view [data-pane='3'] .best")).to_have_count(0)
    expect(view.locator("#view [data-number=sharpness]")).to_have_count(0)
    view.locator("#view button[data-plain]").click()
    expect(view.locator("#view [data-number=sharpness]")).to_have_count(4)
    expect(view.locator("#view [data-pane='3'] .plain small")).to_have_text("no reference:")
    view.locator("#view [data-pane='3'] [data-explain=psnr]").click()
    expect(view.locator(".lp-pop h4")).to_contain_text("PSNR")
    press(view, "mode=absolute")
    point(view, 5, 100, 100)
    assert read(view, 5) == "0"


def test_the_worst_regions_are_listed_boxed_and_gone_to(view: Page) -> None:
    regions = values()["enlarged"]["panes"][4]["regions"]
    chips = view.locator("#view [data-region^='4 ']")
    expect(chips).to_have_text([f"{n + 1} {r['value']:.3f}" for n, r in enumerate(regions["ssim"])])
    before = view.locator("#view [data-zoom=fit]").inner_text()
    plain = view.evaluate(PIXELS)
    view.locator("#view [data-boxes]").check()
    view.evaluate(IDLE)
    boxed = [a != b for a, b in zip(plain, view.evaluate(PIXELS), strict=True)]
    assert boxed == [False, False, True, True, True]
    view.locator("#view [data-boxes]").uncheck()
    chips.first.click()
    view.evaluate(IDLE)
    expect(chips.first).to_have_attribute("aria-pressed", "true")
    expect(chips.first).to_be_focused()
    box, region = box_of(view, 0), regions["ssim"][0]
    scale = min(box["width"] / (3 * region["w"]), box["height"] / (3 * region["h"]))
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(f"{round(100 * scale)} %")
    half = box["width"] / (2 * scale)  # of what is in sight
    middle = min(max(region["x"] + region["w"] / 2, half), WIDTH - half)
    for pane in range(5):  # its frame is on every pane
        x, y = box["width"] / 2 + (region["x"] - middle) * scale, box["height"] / 2
        assert colour(view, pane, x, y)[:3] == [255, 212, 59]
    view.keyboard.press("Escape")
    view.evaluate(IDLE)
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(before)
    expect(chips.first).to_have_attribute("aria-pressed", "false")
    press(view, "by=squared")
    largest = float(f"{regions['squared'][0]['value']:.3g}")
    expect(chips.first).to_have_text(f"1 {largest:g}")
    chips.nth(1).click()
    chips.nth(2).click()
    chips.nth(2).click()
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(before)


def test_the_loupe_enlarges_the_picture_in_every_pane(view: Page) -> None:
    press(view, "loupe")
    press(view, "mode=absolute")
    shown = [small(), reference(), *answers().values()]
    point(view, 1, 160, 60)
    at = place(view, 1, 160, 60)
    for pane, picture in enumerate(shown):
        ratio = picture.shape[1] / WIDTH
        for dx in (0, 2, 4):  # one pixel is 8 screen pixels
            x = int((160.5 + dx) * ratio)
            wanted = picture[int(60.5 * ratio), x].tolist()
            if dx == 0 or abs((160.5 + dx) * ratio % 1 - 0.5) < 0.4:
                assert colour(view, pane, at[0] + 8 * dx, at[1], "over")[:3] == wanted
        assert colour(view, pane, at[0] + 90, at[1], "over")[3] == 0
    expect(view.locator("#view .ch:visible")).to_have_count(0)
    view.mouse.move(5, 5)
    view.evaluate(IDLE)
    assert colour(view, 0, *at, "over")[3] == 0
    press(view, "loupe")
    point(view, 1, 160, 60)
    assert colour(view, 0, *at, "over")[3] == 0
    expect(view.locator("#view .ch:visible")).to_have_count(4)  # lines on the other panes


def test_histograms_count_the_pixels(view: Page) -> None:
    count = f"""async (uri) => {{ {(STATIC / "enhance_pixels.js").read_text("utf-8")}
      return histogram(await decodePng(uri)).map((b) => [...b]); }}"""
    bins = view.evaluate(count, png_uri(EnhancedImage(noisy(25))))
    for channel_bins, plane in zip(bins, np.moveaxis(noisy(25), 2, 0), strict=True):
        assert np.allclose(channel_bins, np.bincount(plane.ravel(), minlength=256) / plane.size)
    expect(view.locator("#view .hist:visible")).to_have_count(0)
    press(view, "hist")
    expect(view.locator("#view .hist:visible")).to_have_count(5)
    inked = """() => [...document.querySelectorAll('#view .hist')].map((c) => {
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
      for (let k = 3; k < d.length; k += 4) n += d[k] > 0; return n / (d.length / 4); })"""
    assert all(0.05 < share < 0.9 for share in view.evaluate(inked))


def test_flipping_shows_the_reference_everywhere(view: Page) -> None:
    at = place(view, 4, 64, 120)
    off, truth = answers()["off"][120, 64].tolist(), reference()[120, 64].tolist()
    canvas = view.locator("#view canvas.ground").nth(4)
    canvas.focus()
    assert colour(view, 4, *at)[:3] == off
    view.keyboard.down(" ")
    view.evaluate(IDLE)
    assert colour(view, 4, *at)[:3] == truth
    expect(view.locator("#view .tag:visible")).to_have_text(["Reference"] * 5)
    view.keyboard.up(" ")
    view.evaluate(IDLE)
    assert colour(view, 4, *at)[:3] == off
    press(view, "flip")
    assert colour(view, 4, *at)[:3] == truth
    expect(view.locator("#view [data-flip]")).to_have_attribute("aria-pressed", "true")


def test_the_keyboard_zooms_and_moves(view: Page) -> None:
    canvas = view.locator("#view canvas.ground").nth(1)
    canvas.focus()
    whole = view.locator("#view [data-zoom=fit]").inner_text()
    first = view.evaluate(PIXELS)
    for _ in range(4):
        view.keyboard.press("+")
    view.evaluate(IDLE)
    zoomed = view.evaluate(PIXELS)
    assert all(a != b for a, b in zip(first, zoomed, strict=True))
    view.keyboard.press("ArrowRight")
    view.evaluate(IDLE)
    assert all(a != b for a, b in zip(zoomed, view.evaluate(PIXELS), strict=True))
    view.keyboard.press("0")
    view.evaluate(IDLE)
    expect(view.locator("#view [data-zoom=fit]")).to_have_text(whole)
    assert view.evaluate(PIXELS) == first
    expect(canvas).to_be_focused()


def test_what_does_not_count_is_framed(view: Page) -> None:
    x, y = place(view, 2, BORDER - 0.5, 120)  # the edge between the last pixel left out and the first that counts
    along = [sum(colour(view, 2, x, y + d)[:3]) for d in range(-8, 9)]
    assert max(along) - min(along) > 200  # dashes, light and dark
    x, y = place(view, 1, BORDER - 0.5, 120)
    along = [sum(colour(view, 1, x, y + d)[:3]) for d in range(-8, 9)]
    assert max(along) - min(along) < 150  # none on the reference
    expect(view.locator("#view .bar.maps")).to_contain_text("4 px at the border")


def test_alpha_is_drawn_and_read(view: Page) -> None:
    show(view, "alpha", 4)
    point(view, 2, 40, 100)
    faded = reference()[100, 40] // 2
    assert read(view, 2) == f"{' '.join(map(str, faded))} · α {alpha()[100, 40]}"
    red = colour(view, 2, *place(view, 2, 1, 100))[0]
    assert red > 180  # nearly clear: the chequered ground
    press(view, "mode=absolute")
    point(view, 2, 40, 100)
    wanted = np.abs(faded.astype(float) - reference()[100, 40]).mean()
    assert float(read(view, 2)) == pytest.approx(wanted, abs=0.006)


def test_pictures_made_smaller_say_so(view: Page) -> None:
    show(view, "reduced", 5)
    expect(view.locator("#view .reduced")).to_contain_text("1/2")
    expect(view.locator("#view [data-pane='2'] header")).to_contain_text("320 × 240")  # its own size
    expect(view.locator("#view [data-pane='2'] .save")).to_have_attribute(
        "title", "save as it is shown, 160 × 120, as PNG"
    )
    show(view, "single", 1)
    expect(view.locator("#view [data-layout], #view [data-mode], #view [data-flip]")).to_have_count(0)


def test_what_cannot_be_shown_is_told_beside_the_rest(view: Page) -> None:
    show(view, "broken", 3)
    expect(view.locator("#view .calm")).to_have_text(
        ["This picture cannot be read: reload the page.", "slow has no answer: <i>out of memory</i>."]
    )
    press(view, "mode=absolute")
    point(view, 2, 64, 120)
    wanted = errors(answers()["nearest <b>"], "all")[120, 64]
    assert float(read(view, 2)) == pytest.approx(wanted, abs=0.006)
    view.locator("#pick input[value=error]").check()
    expect(view.locator("#view .calm")).to_have_count(1)
    expect(view.locator("#view .calm")).to_have_text("x.jpg is truncated: <b>copy</b> it again")
    view.locator("#pick input[value=empty]").check()
    expect(view.locator("#view .calm")).to_have_text("Choose a picture to compare here.")
    expect(view.locator("#view .bar")).to_have_text(["", ""])
    show(view, "enlarged", 5)
    expect(view.locator("#view canvas.ground")).to_have_count(5)


def test_a_picture_is_saved_as_it_is(view: Page, tmp_path: Path) -> None:
    link: Locator = view.locator("#view [data-pane='3'] .save")
    with view.expect_download() as waiting:
        link.click()
    assert waiting.value.suggested_filename == "enlarged_nearest_b.png"
    waiting.value.save_as(tmp_path / "saved.png")
    saved: Any = cv2.imread(str(tmp_path / "saved.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(saved, cv2.COLOR_BGR2RGB), answers()["nearest <b>"])


def test_a_tap_reads_values(browser: Browser, address: str) -> None:
    page, problems = opened(browser, address, viewport={"width": 420, "height": 900}, has_touch=True)
    canvas = page.locator("#view canvas.ground").nth(1)
    canvas.scroll_into_view_if_needed()
    x, y = place(page, 1, 100, 60)
    canvas.tap(position={"x": x, "y": y})
    assert read(page, 1) == " ".join(map(str, reference()[60, 100]))
    assert read(page, 4) == " ".join(map(str, answers()["off"][60, 100]))
    page.context.close()
    assert problems == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_or_jumps(browser: Browser, address: str, width: int, scheme: str) -> None:
    page, problems = opened(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.locator("#view button[data-plain]").click()
    lefts = page.locator("#view section").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert len({round(x) for x in lefts}) == (3 if width > 1000 else 1)
    tops = []
    for mode in ("picture", "ssim", "absolute", "squared", "difference"):
        press(page, f"mode={mode}")
        tops.append(box_of(page, 0)["y"] + page.evaluate("scrollY"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 1000:
        assert len(set(tops)) == 1  # the line that explains maps has its room kept
    for pane in page.locator("#view section").all():
        inner = pane.evaluate(
            "(e) => [...e.querySelectorAll('header, header *')].every((x) => x.scrollWidth <= e.clientWidth)"
        )
        assert inner
    press(page, "layout=slider")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()
    assert problems == []
