"""The compare view in a browser: panes that move together, filters without the server, clicks that reach Python."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard import masks
from dashboard.views import STATIC
from tests.e2e.conftest import new_page
from tests.e2e.pages import served

pytestmark = pytest.mark.browser

PIXELS = """() => [...document.querySelectorAll('#view canvas.ground')].map((c) => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let h = 7;
  for (let k = 0; k < d.length; k += 97) h = (h * 31 + d[k]) | 0; return h; })"""
"""A number a pane that says what is drawn on it."""
IDLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests.e2e.compare_page") as found:
        yield found


def opened(browser: Browser, address: str, **options: object) -> tuple[Page, list[str]]:
    page, problems = new_page(browser, **{"viewport": {"width": 1440, "height": 1300}, **options})
    page.goto(address)
    page.wait_for_selector("#view canvas.ground")
    page.evaluate(IDLE)
    return page, problems


@pytest.fixture
def view(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = opened(browser, address)
    yield page
    page.context.close()
    assert problems == []


def show(page: Page, name: str) -> None:
    page.locator(f"#pick input[value={name}]").check()
    page.wait_for_timeout(400)
    page.evaluate(IDLE)


def slide(page: Page, value: float) -> None:
    page.locator("#view input[type=range]").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )
    page.evaluate(IDLE)


def expect_counts(view: Page, wanted: list[str]) -> None:
    """The panes' counts, once they are there."""
    expect(view.locator("#view .count")).to_have_text(wanted)


def point(page: Page, pane: int, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the 400 x 300 picture is on the page, at 100 %."""
    box = page.locator("#view canvas.ground").nth(pane).bounding_box()
    assert box is not None
    scale = min(box["width"] / 400, box["height"] / 300)
    return (
        box["x"] + box["width"] / 2 + (x - 200) * scale,
        box["y"] + box["height"] / 2 + (y - 150) * scale,
    )


def test_counts_follow_the_confidence_without_the_server(view: Page) -> None:
    asked: list[str] = []
    view.on("request", lambda r: asked.append(r.url))
    expect_counts(view, ["3 objects", "3 objects · 2 TP · 1 FP · 1 FN", "1 object · 1 TP · 0 FP · 2 FN"])
    slide(view, 0.5)  # the invented one goes
    expect(view.locator("#view .count").nth(1)).to_have_text("2 objects · 2 TP · 0 FP · 1 FN")
    slide(view, 0.7)  # a match goes, so its truth is missed
    for pane in (1, 2):
        expect(view.locator("#view .count").nth(pane)).to_have_text("1 object · 1 TP · 0 FP · 2 FN")
    slide(view, 0.95)
    expect_counts(view, ["3 objects", "no objects · 0 TP · 0 FP · 3 FN", "no objects · 0 TP · 0 FP · 3 FN"])
    expect(view.locator("#view [aria-live]")).to_contain_text("second <b>: no objects · 0 TP · 0 FP · 3 FN")
    assert asked == []


def test_all_panes_zoom_and_move_together(view: Page) -> None:
    for what in ("boxes", "masks", "labels"):
        view.locator(f"#view [data-show={what}]").click()
    view.evaluate(IDLE)
    whole = view.evaluate(PIXELS)
    assert len(set(whole)) == 1  # only the picture is left: the same in all
    view.mouse.move(*point(view, 1, 300, 100))
    view.mouse.wheel(0, -240)
    view.evaluate(IDLE)
    near = view.evaluate(PIXELS)
    assert len(set(near)) == 1
    assert near != whole
    expect(view.locator("#view [data-zoom=fit]")).not_to_have_text("100%")
    x, y = point(view, 2, 200, 150)
    view.mouse.move(x, y)
    view.mouse.down()
    view.mouse.move(x - 60, y - 40, steps=4)
    view.mouse.up()
    view.evaluate(IDLE)
    moved = view.evaluate(PIXELS)
    assert len(set(moved)) == 1
    assert moved != near
    expect(view.locator("#said textarea")).to_have_value("")  # a drag is no click
    view.mouse.dblclick(x, y)
    view.evaluate(IDLE)
    assert view.evaluate(PIXELS) == whole
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("100%")


def test_two_fingers(view: Page) -> None:
    touch = """([x, y]) => { const c = document.querySelectorAll('#view canvas.ground')[0];
      const send = (type, id, dx) => c.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true,
        pointerId: id, pointerType: 'touch', button: 0, clientX: x + dx, clientY: y }));
      for (const [type, dx] of [['pointerdown', 20], ['pointermove', 40], ['pointerup', 40]]) {
        send(type, 11, -dx); send(type, 12, dx); } }"""
    view.evaluate(touch, [*point(view, 0, 200, 150)])
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("200%")  # twice as far apart
    view.evaluate(IDLE)
    expect(view.locator("#said textarea")).to_have_value("")


def test_what_is_under_the_pointer_stays_there(view: Page) -> None:
    x, y = point(view, 0, 330, 245)  # the dog
    view.mouse.move(x, y)
    for _ in range(6):
        view.mouse.wheel(0, -120)
    view.evaluate(IDLE)
    view.mouse.click(x, y)
    expect(view.locator("#view .card")).to_contain_text("dog")
    assert int(view.locator("#view [data-zoom=fit]").inner_text().rstrip("%")) > 300


def test_a_class_can_be_hidden_or_looked_at_alone(view: Page) -> None:
    dog = view.locator("#view [data-class='1']")
    dog.click()
    expect(dog).to_have_attribute("aria-pressed", "false")
    expect_counts(view, ["2 objects", "3 objects · 2 TP · 1 FP · 0 FN", "no objects · 0 TP · 0 FP · 2 FN"])
    view.locator("#view [data-all]").click()
    view.evaluate(IDLE)
    expect(view.locator("#view .count").first).to_have_text("3 objects")
    dog.dblclick()
    view.evaluate(IDLE)
    expect_counts(view, ["1 object", "no objects · 0 TP · 0 FP · 1 FN", "1 object · 1 TP · 0 FP · 0 FN"])
    dog.click(modifiers=["Alt"])  # again: everything
    view.evaluate(IDLE)
    expect(view.locator("#view .count").first).to_have_text("3 objects")


def test_a_click_opens_the_card_and_reaches_python(view: Page) -> None:
    view.mouse.click(*point(view, 1, 60, 60))
    card = view.locator("#view .card")
    expect(card).to_contain_text("cat")
    expect(card.locator("[data-fact=iou] dd")).to_have_text("0.830")
    expect(card.locator("[data-fact=matched] dd")).to_have_text("truth 0")
    expect(view.locator("#said textarea")).to_have_value(
        json.dumps([[1, 0], {"key": "one", "pane": 1, "object": 0, "truth": 0, "state": "tp", "class": "cat"}])
    )
    view.keyboard.press("Escape")
    expect(card).to_be_hidden()
    view.mouse.click(*point(view, 1, 330, 245))  # missed by the first model: the truth itself
    expect(card).to_contain_text("false negative")
    expect(view.locator("#said textarea")).to_have_value(
        json.dumps([[1, 5], {"key": "one", "pane": 1, "object": None, "truth": 2, "state": "fn", "class": "dog"}])
    )
    view.locator("#view .card [data-close]").click()
    expect(card).to_be_hidden()


def test_the_counterpart_lights_up_in_every_pane(view: Page) -> None:
    lit = """() => [...document.querySelectorAll('#view canvas.over')].map((c) =>
      c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((x) => x > 0))"""
    view.mouse.click(*point(view, 1, 330, 50))  # the invented one has none
    view.evaluate(IDLE)
    assert view.evaluate(lit) == [False, True, False]
    view.mouse.click(*point(view, 2, 330, 245))  # the dog: found here, missed there
    view.evaluate(IDLE)
    assert view.evaluate(lit) == [True, True, True]


def test_states_can_be_hidden(view: Page) -> None:
    before = view.evaluate(PIXELS)
    view.locator("#view [data-state='3']").click()  # FP
    view.wait_for_function(f"([was]) => ({PIXELS})()[1] !== was", arg=[before[1]])  # on a busy machine it takes a while
    view.evaluate(IDLE)
    after = view.evaluate(PIXELS)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    view.mouse.click(*point(view, 1, 330, 50))
    expect(view.locator("#view .card")).to_be_hidden()  # what is hidden cannot be clicked
    expect(view.locator("#view .count").nth(1)).to_have_text("3 objects · 2 TP · 1 FP · 1 FN")  # but it still counts


def test_keyboard(view: Page) -> None:
    canvas = view.locator("#view canvas.ground").nth(1)
    canvas.focus()
    level = view.locator("#view [data-zoom=fit]")
    view.keyboard.press("+")
    expect(level).to_have_text("125%")
    before = view.evaluate(PIXELS)
    view.keyboard.press("ArrowDown")
    view.evaluate(IDLE)
    assert view.evaluate(PIXELS) != before
    view.keyboard.press("0")
    expect(level).to_have_text("100%")
    view.keyboard.press("n")
    expect(view.locator("#view .card")).to_be_visible()
    expect(canvas).to_be_focused()
    assert "first: 3 objects" in (canvas.get_attribute("aria-label") or "")


def test_the_same_picture_keeps_the_view_another_resets_it(view: Page) -> None:
    level = view.locator("#view [data-zoom=fit]")
    view.locator("#view [data-zoom=in]").click()
    view.locator("#view [data-class='1']").click()
    slide(view, 0.7)
    show(view, "again")
    expect(level).to_have_text("150%")
    expect(view.locator("#view .conf b")).to_have_text("0.70")  # what a person set stays
    expect(view.locator("#view .count").first).to_have_text("2 objects")
    view.mouse.click(*point(view, 0, 200, 150))  # a cat of the truth, in the middle
    expect(view.locator("#view .card")).to_contain_text("cat")
    show(view, "same")  # as after a threshold was moved on the page
    expect(view.locator("#view .card")).to_contain_text("cat")
    expect(view.locator("#view .conf b")).to_have_text("0.30")
    show(view, "other")
    expect(view.locator("#view .card")).to_be_hidden()
    expect(level).to_have_text("100%")
    expect(view.locator("#view .count").first).to_have_text("3 objects")
    expect(view.locator("#view .conf b")).to_have_text("0.25")


def test_labels_are_text_never_markup(view: Page) -> None:
    expect(view.locator("#view [data-class='2']")).to_contain_text("<img src=x")
    view.mouse.click(*point(view, 1, 330, 50))
    expect(view.locator("#view .card b")).to_contain_text("<img src=x")
    assert view.locator("#view img").count() == 0
    assert view.locator("#view header b b").count() == 0
    show(view, "error")
    expect(view.locator("#view .calm")).to_have_text("x.jpg is truncated: <b>copy</b> it again")
    assert view.title() != "hacked"


def test_calm_sentences(view: Page) -> None:
    show(view, "nothing")
    expect_counts(view, ["no objects"])
    show(view, "plain")
    for pane in range(3):
        expect(view.locator("#view .count").nth(pane)).to_have_text("3 objects")
    expect(view.locator("#view [data-pane='3'] .calm").first).to_have_text("d does not fit: <i>no</i>.")
    show(view, "broken")
    expect(view.locator("#view .lost")).to_be_visible()
    expect_counts(view, ["3 objects"])
    show(view, "empty")
    expect(view.locator("#view")).to_contain_text("No picture is chosen yet.")
    show(view, "judged")
    expect(view.locator("#view .count").first).to_have_text("3 objects")


def test_masks_are_decoded_as_pycocotools_does(view: Page) -> None:
    """At the picture's own size, every pixel; at half the size, the pixel under each centre."""
    rng = np.random.default_rng(0)
    stack = np.stack([rng.random((23, 31)) < p for p in (0.02, 0.5, 0.97)] + [np.zeros((23, 31), bool)])
    stack[1, :, 5:9] = True  # runs over several columns
    script = (STATIC / "compare_masks.js").read_text("utf-8")
    decode = f"""([rle, w, h, longest]) => {{ {script}
      const grid = layerGrid(w, h, longest), m = decodeMask(rle, grid), out = [];
      for (let y = 0; y < grid.lh; y++) for (let x = 0; x < grid.lw; x++)
        out.push(m && x >= m.x && y >= m.y && x < m.x + m.w && y < m.y + m.h && m.bits[(y - m.y) * m.w + x - m.x] > 0);
      return [grid.lw, grid.lh, out]; }}"""
    for rle, mask in zip(masks.encode(stack), stack, strict=True):
        w, h, out = view.evaluate(decode, [rle.decode(), 31, 23, 1024])
        assert np.array_equal(np.reshape(out, (h, w)).astype(bool), mask)
        w, h, out = view.evaluate(decode, [rle.decode(), 31, 23, 16])
        rows, columns = (np.floor((np.arange(n) + 0.5) * size / n).astype(int) for n, size in ((h, 23), (w, 31)))
        assert np.array_equal(np.reshape(out, (h, w)).astype(bool), mask[np.ix_(rows, columns)])


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows(browser: Browser, address: str, width: int, scheme: str) -> None:
    page, problems = opened(browser, address, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lefts = page.locator("#view section").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert len({round(x) for x in lefts}) == (3 if width > 1000 else 1)  # a row, or a stack
    page.mouse.click(*point(page, 1 if width > 1000 else 0, 60, 60))
    box = page.locator("#view .card").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.context.close()
    assert problems == []
