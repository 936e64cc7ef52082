"""Class maps in the compare view, in a browser: values survive, classes are switched, errors are counted and told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard.explore.class_overlays import map_pane
from dashboard.views import STATIC
from tests.e2e.conftest import new_page
from tests.e2e.pages import served
from tests.e2e.test_compare_view import IDLE, PIXELS, opened, point, show

pytestmark = pytest.mark.browser

COLOURS = """([pane, spots]) => { const c = document.querySelectorAll('#view canvas.ground')[pane];
  const k = c.width / c.clientWidth, g = c.getContext('2d');
  const s = Math.min(c.clientWidth / 400, c.clientHeight / 300), ox = c.clientWidth / 2, oy = c.clientHeight / 2;
  return spots.map(([x, y]) => [...g.getImageData(Math.floor(k * (ox + (x - 200) * s)),
    Math.floor(k * (oy + (y - 150) * s)), 1, 1).data].slice(0, 3)); }"""
"""The colours on a pane at pixels of the picture, at 100 %."""
PATCH = """([pane, x, y, n]) => { const c = document.querySelectorAll('#view canvas.ground')[pane];
  const s = Math.min(c.clientWidth / 400, c.clientHeight / 300), k = c.width / c.clientWidth;
  const d = c.getContext('2d').getImageData(Math.floor(k * (c.clientWidth / 2 + (x - 200) * s)),
    Math.floor(k * (c.clientHeight / 2 + (y - 150) * s)), n, n).data;
  return Array.from({ length: n * n }, (_, i) => d[4 * i] + d[4 * i + 1] + d[4 * i + 2]); }"""
"""Brightness of n x n screen pixels on a pane from a pixel of the picture on."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests.e2e.compare_page") as found:
        yield found


@pytest.fixture
def view(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = opened(browser, address)
    show(page, "maps")
    expect(page.locator("#view .count").first).to_have_text("3 classes")
    yield page
    page.context.close()
    assert problems == []


def legend(view: Page, label: int) -> Locator:
    return view.locator(f"#view [data-class='{label}']")


def expect_counts(view: Page, *wanted: str) -> None:
    expect(view.locator("#view .count")).to_have_text(list(wanted))


def opacity(page: Page, value: float) -> None:
    page.locator("#view [data-opacity]").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )
    page.evaluate(IDLE)


def colours(page: Page, pane: int, *spots: tuple[float, float]) -> list[Any]:
    found: list[Any] = page.evaluate(COLOURS, [pane, spots])
    return found


def maps_script() -> str:
    return (STATIC / "compare_maps.js").read_text("utf-8")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_value_survives_the_way_into_the_browser(view: Page, kind: Any) -> None:
    """All 256 or 65536 numbers; and through a table of a model's own class order."""
    side = 16 if kind is np.uint8 else 256
    ids = np.random.default_rng(0).permutation(side * side).astype(kind).reshape(side, side)
    pane = map_pane("m", ids)
    decode = f"""async ([uri, wide, lut]) => {{ {maps_script()}
      const grid = await decodeIds(uri, wide, lut); return [grid.w, grid.h, [...grid.ids]]; }}"""
    width, height, values = view.evaluate(decode, [pane["map"], bool(pane["wide"]), None])
    assert np.array_equal(np.reshape(values, (height, width)), ids)
    _, _, values = view.evaluate(decode, [pane["map"], bool(pane["wide"]), [5, 4, 3]])
    wanted = np.where(ids == 0, 5, np.where(ids == 1, 4, np.where(ids == 2, 3, 65535)))
    assert np.array_equal(np.reshape(values, (height, width)), wanted)


def test_class_colours_differ() -> None:
    """Of the first twenty, in CIELAB (76): no two nearer than 20, as far apart as a palette of twenty comes."""
    import cv2

    listed = re.search(r"CLASS_COLORS = \[(.*?)\]", maps_script())
    assert listed is not None
    rgb = np.array([[int(h[i : i + 2], 16) for i in (0, 2, 4)] for h in re.findall(r"#(\w{6})", listed.group(1))])
    lab: Any = cv2.cvtColor((rgb[None] / 255).astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(len(lab))
    assert len(lab) == 20
    assert apart.min() > 20


def test_pixels_take_their_class_colours(view: Page) -> None:
    plain = {pane: colours(view, pane, (300, 250)) for pane in range(3)}
    opacity(view, 1)
    assert colours(view, 0, (10, 200), (190, 200), (300, 50)) == [[240, 160, 32], [240, 160, 32], [47, 207, 154]]
    assert colours(view, 1, (210, 200), (250, 25), (350, 25)) == [[240, 160, 32], [240, 160, 32], [47, 207, 154]]
    assert colours(view, 2, (5, 5)) == [[240, 228, 66]]
    for pane in range(3):  # background is clear
        assert colours(view, pane, (300, 250)) == plain[pane]
    assert colours(view, 0, (300, 125)) != [[240, 160, 32]]  # what does not count is clear too
    assert colours(view, 0, (300, 125)) == colours(view, 1, (300, 125))
    view.locator("#view [data-show=outlines]").click()
    opacity(view, 0)
    assert len(set(view.evaluate(PIXELS))) == 1  # only the picture is left


def test_regions_are_crisp_and_outlined_at_any_zoom(view: Page) -> None:
    """A pixel of the map is a square of the screen: between two neighbours there is nothing but the outline."""
    opacity(view, 1)
    view.mouse.move(*point(view, 0, 200, 200))
    for _ in range(12):
        view.mouse.wheel(0, -120)
    view.evaluate(IDLE)
    row = """() => { const c = document.querySelectorAll('#view canvas.ground')[0], g = c.getContext('2d');
      const d = g.getImageData(0, Math.floor(c.height / 2), c.width, 1).data;
      return Array.from({ length: c.width }, (_, i) => d[4 * i] * 65536 + d[4 * i + 1] * 256 + d[4 * i + 2]); }"""
    road = [value == 0xF0A020 for value in view.evaluate(row)]
    assert sum(a != b for a, b in pairwise(road)) == 1  # one edge, no speckles
    assert 0.3 < sum(road) / len(road) < 0.7
    outlined = view.evaluate(row)
    view.locator("#view [data-show=outlines]").click()
    view.evaluate(IDLE)
    bare = view.evaluate(row)
    assert sum(a != b for a, b in zip(outlined, bare, strict=True)) == 1  # a line of one pixel


def test_the_legend_tells_areas_and_switches_classes(view: Page) -> None:
    asked: list[str] = []
    view.on("request", lambda r: asked.append(r.url))
    labels = view.locator("#view [data-class]")
    expect(labels).to_have_text([r"background50 %", r"road25 %", r"sky <b>17 %", r"other0 %"])
    expect(legend(view, 1)).to_have_attribute("title", re.compile("Truth 25 %, first 29 %, second <b> 0 %"))
    expect(legend(view, 0)).to_have_attribute("aria-pressed", "false")  # clear until it is asked for
    expect(view.locator("#view [data-all]")).to_be_hidden()
    whole = view.evaluate(PIXELS)
    legend(view, 1).click()
    view.mouse.move(5, 5)
    view.evaluate(IDLE)
    expect(legend(view, 1)).to_have_attribute("aria-pressed", "false")
    less = view.evaluate(PIXELS)
    assert [a == b for a, b in zip(whole, less, strict=True)] == [False, False, True]  # the third has no road
    view.locator("#view [data-all]").click()
    view.evaluate(IDLE)
    assert view.evaluate(PIXELS) == whole
    legend(view, 2).dblclick()
    view.mouse.move(5, 5)
    pressed = [legend(view, k).get_attribute("aria-pressed") for k in range(4)]
    assert pressed == ["false", "false", "true", "false"]
    legend(view, 2).click(modifiers=["Alt"])
    pressed = [legend(view, k).get_attribute("aria-pressed") for k in range(4)]
    assert pressed == ["false", "true", "true", "true"]
    legend(view, 0).click()  # background in colour
    view.mouse.move(5, 5)
    opacity(view, 1)
    assert colours(view, 0, (300, 250)) == [[86, 180, 233]]
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []


def test_pointing_at_the_legend_highlights_in_every_pane(view: Page) -> None:
    opacity(view, 1)
    before = view.evaluate(PIXELS)
    legend(view, 1).hover()
    view.evaluate(IDLE)
    expect_counts(view, "road 25 %", "road 29 %", "road 0 %")
    assert colours(view, 1, (210, 200)) == [[240, 160, 32]]
    assert colours(view, 1, (350, 25)) != [[47, 207, 154]]  # the others fade
    view.mouse.move(5, 5)
    view.evaluate(IDLE)
    expect_counts(view, "3 classes", "3 classes", "2 classes")
    assert view.evaluate(PIXELS) == before


def test_everything_can_be_done_by_keyboard(view: Page) -> None:
    legend(view, 0).focus()
    view.keyboard.press("Tab")
    expect(legend(view, 1)).to_be_focused()
    expect_counts(view, "road 25 %", "road 29 %", "road 0 %")
    view.keyboard.press("Space")
    expect(legend(view, 1)).to_have_attribute("aria-pressed", "false")
    view.locator("#view [data-mode=errors]").focus()
    view.keyboard.press("Enter")
    expect(view.locator("#view [data-mode=errors]")).to_be_focused()
    legend(view, 2).focus()
    view.keyboard.press("Space")
    expect(legend(view, 2)).to_have_attribute("aria-pressed", "true")
    expect(legend(view, 2)).to_be_focused()
    view.keyboard.press("Escape")
    expect(legend(view, 2)).to_have_attribute("aria-pressed", "false")
    view.locator("#view canvas.ground").nth(1).focus()
    view.keyboard.press("+")
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("125%")
    expect(view.locator("#view [aria-live]")).to_contain_text("first: correct 90 %")


def test_errors_are_counted_by_hand(view: Page) -> None:
    """Of 110000 pixels that count: see map_values."""
    view.locator("#view [data-mode=errors]").click()
    first = view.locator("#view .count").nth(1)
    for name, wanted in {"correct": 99000, "missed": 3000, "false": 3000, "mixed": 5000}.items():
        expect(first.locator(f"[data-{name}]")).to_have_attribute(f"data-{name}", str(wanted))
    expect_counts(
        view,
        "3 classes",
        "correct 90 % · missed 2.7 % · false 2.7 % · mixed up 4.5 %",
        "correct 54 % · missed 45 % · false 0.1 % · mixed up 0 %",
    )
    legend(view, 1).click()
    for name, wanted in {"correct": 27000, "missed": 3000, "false": 8000}.items():
        expect(first.locator(f"[data-{name}]")).to_have_attribute(f"data-{name}", str(wanted))
    expect(view.locator("#view .count").first).to_have_text("road 25 %")
    expect(view.locator("#view [data-error]")).to_have_text(["correct", "missed", "false", "ignored"])
    legend(view, 1).click()
    expect(first).to_contain_text("correct 90 %")
    view.locator("#view [data-mode=classes]").click()
    expect_counts(view, "3 classes", "3 classes", "2 classes")


def test_errors_differ_by_more_than_their_colour(view: Page) -> None:
    """Each kind has its own pattern of light and dark, so that it is told in grey too, and the legend shows it."""
    view.locator("#view [data-mode=errors]").click()
    view.evaluate(IDLE)
    patterns = {}
    for name, spot in {"missed": (1, 200), "false": (202, 200), "mixed": (222, 22), "ignored": (222, 102)}.items():
        grey = np.array(view.evaluate(PATCH, [1, *spot, 22])).reshape(22, 22)
        figure = grey > (grey.min() + grey.max()) / 2
        assert 0.05 < figure.mean() < 0.8, name
        patterns[name] = figure
    flat = np.array(view.evaluate(PATCH, [1, 302, 202, 14]))
    assert np.ptp(flat) < 60  # correct: an even tint
    for a, one in patterns.items():
        for b, other in patterns.items():
            shifted = [(np.roll(one, (dy, dx), (0, 1)) == other).mean() for dy in range(12) for dx in range(12)]
            assert a == b or max(shifted) < 0.9, (a, b)
    shown = view.locator("#view [data-error] .pattern").evaluate_all("all => all.map((e) => e.style.backgroundImage)")
    assert len(set(shown)) == 5
    before = view.evaluate(PIXELS)
    view.locator("#view [data-error='1']").click()  # missed
    view.evaluate(IDLE)
    after = view.evaluate(PIXELS)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]


def test_what_lies_under_the_pointer(view: Page) -> None:
    readers = view.locator("#view .read")
    view.mouse.move(*point(view, 1, 250.5, 20.5))
    expect(readers).to_have_text(
        ["sky <b>250, 20", "road 63 % ✕ true: sky <b>250, 20", "background ✕ true: sky <b>250, 20"]
    )
    view.mouse.move(*point(view, 1, 390.5, 120.5))
    expect(readers).to_have_text(
        ["ignored390, 120", "background 98 % – ignored390, 120", "background – ignored390, 120"]
    )
    view.mouse.move(*point(view, 0, 100.5, 290.5))
    expect(readers.nth(1)).to_have_text("road 25 % ✓100, 290")
    expect(readers.nth(1)).to_have_class(re.compile("top"))  # not under the pointer
    view.mouse.move(5, 5)
    for k in range(3):
        expect(readers.nth(k)).to_be_hidden()


def test_a_click_means_a_class_and_reaches_python(view: Page) -> None:
    view.mouse.click(*point(view, 1, 250.5, 20.5))
    told = {"key": "maps", "pane": 1, "x": 250, "y": 20, "class": 1, "name": "road", "truth": 2}
    expect(view.locator("#said textarea")).to_have_value(json.dumps([[1, 1], told]))
    expect(legend(view, 1)).to_have_class(re.compile("meant"))
    view.mouse.move(5, 5)
    expect_counts(view, "road 25 %", "road 29 %", "road 0 %")
    view.wait_for_timeout(400)  # not the second half of a double click
    view.mouse.click(*point(view, 0, 50.5, 250.5))  # the same class elsewhere lets go
    view.mouse.move(5, 5)
    expect_counts(view, "3 classes", "3 classes", "2 classes")
    expect(view.locator("#said textarea")).to_have_value(json.dumps([[1, 1], told]))


def test_panes_move_together(view: Page) -> None:
    view.mouse.move(*point(view, 2, 300, 100))
    view.mouse.wheel(0, -240)
    view.locator("#view [data-show=outlines]").click()
    opacity(view, 0)
    assert len(set(view.evaluate(PIXELS))) == 1
    expect(view.locator("#view [data-zoom=fit]")).not_to_have_text("100%")


def test_a_selection_opens_on_its_errors(view: Page) -> None:
    show(view, "maps-road")
    expect(view.locator("#view [data-mode=errors]")).to_have_attribute("aria-pressed", "true")
    expect(view.locator("#view .count").nth(1)).to_have_text("correct 25 % · missed 2.7 % · false 7.3 %")
    expect(legend(view, 1)).to_have_attribute("aria-pressed", "true")
    show(view, "maps-cell")
    expect(view.locator("#view .count").nth(1)).to_have_text("sky <b> → road 4.5 %")
    expect(view.locator("#view [data-mixed]").nth(0)).to_have_attribute("data-mixed", "5000")
    view.locator("#view [data-all]").click()
    expect(view.locator("#view .count").nth(1)).to_contain_text("correct 90 %")


def test_what_a_person_chose_stays_with_the_next_picture(view: Page) -> None:
    view.locator("#view [data-mode=errors]").click()
    legend(view, 2).click()
    opacity(view, 0.8)
    view.locator("#view [data-zoom=in]").click()
    show(view, "maps-other")
    expect(legend(view, 2)).to_have_attribute("aria-pressed", "true")
    expect(view.locator("#view .conf b")).to_have_text("80 %")
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("100%")
    show(view, "maps-plain")  # without a truth there are no errors, and its classes are others
    expect(view.locator("#view [data-mode]")).to_have_count(0)
    expect_counts(view, "3 classes", "3 classes", "")


def test_classes_of_models_are_merged_by_name(view: Page) -> None:
    show(view, "maps-plain")
    expect(view.locator("#view [data-class]")).to_have_text(["background58 %", "road29 %", "sky <b>13 %", "tree0 %"])
    opacity(view, 1)
    road = [240, 160, 32]
    assert colours(view, 0, (210, 200))[0] == colours(view, 1, (100, 200))[0] == road
    expect(view.locator("#view [data-pane='2'] .calm").first).to_have_text("c does not fit.")


def test_more_classes_than_a_byte(view: Page) -> None:
    show(view, "maps-wide")
    expect_counts(view, "300 classes")
    view.mouse.move(*point(view, 0, 200.5, 299.5))
    expect(view.locator("#view .read").first).to_have_text("class 299200, 299")


def test_calm_sentences_and_names_as_text(view: Page) -> None:
    assert view.locator("#view b b").count() == 0
    show(view, "maps-broken")
    expect(view.locator("#view [data-pane='1'] .calm").last).to_have_text(
        "This class map cannot be read: reload the page."
    )
    expect(view.locator("#view .count").first).to_have_text("3 classes")
    show(view, "judged")  # boxes again
    expect(view.locator("#view .count").first).to_have_text("3 objects")
    expect(view.locator("#view [data-show=boxes]")).to_be_visible()
    expect(view.locator("#view [data-opacity]")).to_have_count(0)
    show(view, "maps")
    expect_counts(view, "3 classes", "3 classes", "2 classes")


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows(browser: Browser, address: str, width: int, scheme: str) -> None:
    page, problems = new_page(browser, viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("#view canvas.ground")
    show(page, "maps")
    page.locator("#view [data-mode=errors]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lefts = page.locator("#view section").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert len({round(x) for x in lefts}) == (3 if width > 1000 else 1)
    page.locator("#view canvas.ground").first.scroll_into_view_if_needed()
    page.mouse.move(*point(page, 0, 350, 120))
    for reader, pane in zip(page.locator("#view .read").all(), page.locator("#view .view").all(), strict=True):
        inner, outer = reader.bounding_box(), pane.bounding_box()
        assert inner is not None
        assert outer is not None
        assert inner["x"] >= outer["x"]
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    page.context.close()
    assert problems == []
