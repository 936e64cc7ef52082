"""The track player in a browser: the right frame in every pane, marks that play, errors, lanes, the list, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import new_page
from tests.e2e.pages import served
from tests.e2e.tracks_page import FRAMES, HEIGHT, WIDTH, box_at

pytestmark = pytest.mark.browser

IDLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"
SHOWN = "document.querySelector('.lp-tracks').dataset.frame === '%d'"
READ = f"""() => [...document.querySelectorAll("#view canvas.ground")].map((c) => {{
  const g = c.getContext("2d"), s = Math.min(c.width / {WIDTH}, c.height / {HEIGHT});
  const x = (c.width - {WIDTH} * s) / 2, y = (c.height - {HEIGHT} * s) / 2; let n = 0;
  for (let b = 0; b < 8; b++) if (g.getImageData(x + (16 * b + 8) * s, y + 8 * s, 1, 1).data[0] > 128) n |= 1 << b;
  return n; }})"""
"""The number that the pixels of each pane's picture spell."""
WATCH = f"""async (beats) => {{
  const root = document.querySelector(".lp-tracks"), read = {READ}, seen = [];
  for (let k = 0; k < beats; k++) {{
    await new Promise((done) => requestAnimationFrame(done));
    seen.push([+root.dataset.frame, ...read()]);
  }}
  return seen; }}"""
COLOUR = f"""([pane, x, y]) => {{ 
  const c = document.querySelectorAll("#view canvas.ground")[pane], g = c.getContext("2d");
  const s = Math.min(c.width / {WIDTH}, c.height / {HEIGHT});
  const px = Math.round((c.width - {WIDTH} * s) / 2 + x * s), py = Math.round((c.height - {HEIGHT} * s) / 2 + y * s);
  return [...g.getImageData(px, py, 1, 1).data]; }}"""
"""What is drawn at a place of the picture."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests.e2e.tracks_page") as found:
        yield found


def opened(browser: Browser, address: str, name: str = "pair", **options: object) -> tuple[Page, list[str]]:
    page, problems = new_page(browser, **{"viewport": {"width": 1400, "height": 1300}, **options})
    page.goto(address)
    page.wait_for_selector("#view canvas.ground")
    show(page, name)
    return page, problems


@pytest.fixture
def view(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = opened(browser, address)
    yield page
    page.context.close()
    assert problems == []


def show(page: Page, name: str) -> None:
    if name != "pair":
        page.locator(f"#pick input[value={name}]").check()
        if name != "again":
            expect(page.locator("#view .name")).to_have_text(f"{name} 01")
    page.wait_for_function(
        "!document.querySelector('#view video') || document.querySelector('#view video').readyState > 1"
    )
    page.evaluate(IDLE)


def seek(page: Page, frame: int) -> None:
    page.evaluate(f"document.querySelector('.lp-tracks')._tracks.seek({frame})")
    page.wait_for_function(SHOWN % frame)
    page.evaluate(IDLE)


def state(page: Page, name: str) -> str:
    found = page.locator("#view .lp-tracks").get_attribute(f"data-{name}")
    return found or ""


def mark(page: Page, frame: int, kind: str, true: int) -> Locator:
    return page.locator(f"#view [data-event][data-frame='{frame}'][data-kind={kind}][data-true='{true}']")


def near(found: list[int], wanted: tuple[int, int, int], room: int = 40) -> bool:
    return all(abs(a - b) <= room for a, b in zip(found, wanted, strict=False))


def at_box(page: Page, pane: int, box: list[float], where: tuple[float, float] = (0.5, 0.5)) -> tuple[float, float]:
    """A place of a box, in pixels of the page."""
    area = page.locator("#view canvas.ground").nth(pane).bounding_box()
    assert area is not None
    s = min(area["width"] / WIDTH, area["height"] / HEIGHT)
    x, y = box[0] + where[0] * (box[2] - box[0]), box[1] + where[1] * (box[3] - box[1])
    return (
        area["x"] + area["width"] / 2 + (x - WIDTH / 2) * s,
        area["y"] + area["height"] / 2 + (y - HEIGHT / 2) * s,
    )


def test_a_click_on_a_switch_plays_that_moment_with_both_identities(view: Page) -> None:
    mark(view, 60, "switch", 1).click()
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "true")
    first = int(state(view, "frame"))
    assert first < 60  # from a second before
    view.wait_for_function("document.querySelector('.lp-tracks').dataset.frame > 75")  # and past it
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "false")
    view.wait_for_function(SHOWN % 60)
    assert (state(view, "true"), state(view, "ids")) == ("1", "12,11|1")  # both of the first tracker, and who had 1
    assert view.evaluate(READ) == [60, 60]
    expect(mark(view, 60, "switch", 1)).to_have_attribute("aria-current", "true")
    expect(view.locator("#heard textarea, #heard input").first).to_have_value("switch of 1 at 60 in 0")
    for pane, shift in ((0, 1), (1, -1)):  # a white line around the emphasised box, inside of its dark one
        x0, y0, _, y1 = (c + shift for c in box_at(1, 60))
        s = (
            view.locator("#view canvas.ground")
            .nth(pane)
            .evaluate(f"c => Math.min(c.width / {WIDTH}, c.height / {HEIGHT})")
        )
        beside = [view.evaluate(COLOUR, [pane, x0 - d / s, (y0 + y1) / 2]) for d in (2, 2.5, 3)]
        assert any(near(c, (255, 255, 255), 60) for c in beside)


def test_who_lost_it_is_drawn_where_it_was_last(browser: Browser, address: str) -> None:
    page, problems = opened(browser, address, reduced_motion="reduce")
    mark(page, 95, "lost", 4).click()
    page.wait_for_function(SHOWN % 95)
    assert state(page, "ids") == "|4"
    x0, y0, _, y1 = (c + 1 for c in box_at(4, 94))
    edge = [page.evaluate(COLOUR, [0, x0, y0 + t * (y1 - y0) / 40]) for t in range(10, 30)]
    assert any(c[1] > c[0] + 60 and c[1] > c[2] + 60 for c in edge)  # 14 is green
    page.context.close()
    assert problems == []


@pytest.mark.parametrize("name", ["pair", "varied"])
def test_the_picture_is_the_frame_that_is_named(view: Page, name: str) -> None:
    show(view, name)
    panes = view.locator("#view canvas.ground").count()
    for frame in (149, 0, 77, 78, 24, 23, 25, 1, 130):
        seek(view, frame)
        assert view.evaluate(READ) == [frame] * panes
        expect(view.locator("#view [data-goto]")).to_have_value(str(frame + 1))
        expect(view.locator("#view [data-scrub]")).to_have_attribute("aria-valuetext", f"frame {frame + 1} of {FRAMES}")
    view.locator("#view canvas.ground").first.focus()
    for frame in range(131, 139):
        view.keyboard.press("ArrowRight")
        view.wait_for_function(SHOWN % frame)
        view.evaluate(IDLE)
        assert view.evaluate(READ) == [frame] * panes


@pytest.mark.parametrize("name", ["pair", "varied"])
def test_while_playing_panes_show_the_frame_whose_boxes_are_drawn(view: Page, name: str) -> None:
    show(view, name)
    view.locator("#view [data-do=play]").click()
    seen = view.evaluate(WATCH, 60)
    view.locator("#view [data-do=play]").click()
    frames = [row[0] for row in seen]
    assert frames == sorted(frames)
    assert len(set(frames)) > 8
    assert all(n == row[0] for row in seen for n in row[1:])
    end = int(state(view, "frame"))
    view.evaluate(IDLE)
    assert set(view.evaluate(READ)) == {end}


def test_the_keyboard_does_all_of_it(view: Page) -> None:
    canvas = view.locator("#view canvas.ground").first
    canvas.focus()
    for key, frame in (
        ("ArrowRight", 1), ("Shift+ArrowRight", 26), ("ArrowLeft", 25), ("Shift+ArrowLeft", 0), ("ArrowLeft", 0),
        ("End", FRAMES - 1), ("ArrowRight", FRAMES - 1), ("Home", 0),
    ):  # fmt: skip
        view.keyboard.press(key)
        view.wait_for_function(SHOWN % frame)
    view.keyboard.press(" ")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "true")
    view.keyboard.press(" ")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "false")
    view.keyboard.press("Home")
    for key, frame, true in ((".", 60, "1"), (".", 60, "2"), (".", 80, "3"), (",", 60, "2")):
        view.keyboard.press(key)
        expect(view.locator("#view [aria-current=true]")).to_have_attribute("data-true", true)
        expect(view.locator("#view [aria-current=true]")).to_have_attribute("data-frame", str(frame))
    expect(canvas).to_be_focused()
    view.keyboard.press("Escape")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "")
    expect(view.locator("#view [aria-current=true]")).to_have_count(0)
    first = view.locator("#view [data-event]").first
    first.focus()
    view.keyboard.press("ArrowDown")
    expect(view.locator("#view [data-event]").nth(1)).to_be_focused()
    view.keyboard.press("Enter")
    expect(view.locator("#view [data-event]").nth(1)).to_have_attribute("aria-current", "true")
    expect(view.locator("#view [data-event]").nth(1)).to_be_focused()
    view.locator("#view .lanes .scroll").focus()
    view.keyboard.press("ArrowDown")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "3")  # the lane under that of 2


def test_marks_are_reached_at_once_where_motion_is_unwanted(browser: Browser, address: str) -> None:
    page, problems = opened(browser, address, reduced_motion="reduce")
    mark(page, 80, "lost", 3).click()
    page.wait_for_function(SHOWN % 80)
    assert state(page, "playing") == "false"
    page.context.close()
    assert problems == []


def test_a_value_can_open_at_a_frame_or_a_mark(view: Page) -> None:
    show(view, "sought")
    view.wait_for_function(SHOWN % 42)
    show(view, "marked")
    view.wait_for_function(SHOWN % 60)
    assert (state(view, "true"), state(view, "playing")) == ("2", "false")


def test_other_numbers_of_the_same_runs_move_nothing(view: Page) -> None:
    seek(view, 70)
    view.mouse.click(*at_box(view, 0, box_at(5, 70)))
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "5")
    view.evaluate("document.querySelector('#view video').dataset.kept = 'yes'")
    show(view, "again")
    expect(view.locator("#view .gauge").nth(1)).to_have_attribute("aria-label", "detect 9.0 ms · track 1.0 ms")
    view.evaluate(IDLE)
    assert (state(view, "frame"), state(view, "true"), state(view, "ids")) == ("70", "5", "15|")
    assert view.evaluate(READ) == [70, 70]
    expect(view.locator("#view video")).to_have_attribute("data-kept", "yes")


def test_it_speaks_the_readers_language_and_follows_the_theme(browser: Browser, address: str) -> None:
    page, problems = opened(browser, address, locale="zh-TW")
    expect(page.locator("#view .sorting")).to_contain_text("5 個真實身分")
    said = page.locator("#view").evaluate(
        "(e) => [...e.querySelectorAll('*')].map((x) => [x.title, x.ariaLabel, x.children.length ? '' : x.textContent])"
    )
    assert not [s for row in said for s in row if s and "ui." in s]
    pixel = "() => [...document.querySelector('#view canvas.rows').getContext('2d').getImageData(200, 7, 1, 1).data]"
    light = page.evaluate(pixel)
    page.evaluate("document.body.classList.toggle('dark')")
    page.evaluate(IDLE)
    assert page.evaluate(pixel) != light
    page.context.close()
    assert problems == []


def test_panes_zoom_together(view: Page) -> None:
    seek(view, 60)
    view.mouse.move(*at_box(view, 1, box_at(1, 60)))
    for _ in range(4):
        view.mouse.wheel(0, -120)
    view.evaluate(IDLE)
    expect(view.locator("#view [data-zoom=fit]")).not_to_have_text("100 %")
    grid = """() => [...document.querySelectorAll("#view canvas.ground")].map((c) => [0.4, 0.62, 0.8].map((t) =>
      [...c.getContext("2d").getImageData(t * c.width, 0.12 * c.height, 1, 1).data].slice(0, 3).join()))"""
    left, right = view.evaluate(grid)
    assert left == right  # ground without boxes is the same in both
    view.mouse.dblclick(*at_box(view, 1, [2, 230, 6, 234]))
    expect(view.locator("#view [data-zoom=fit]")).to_have_text("100 %")


def test_errors_stand_out(view: Page) -> None:
    view.locator("#view [data-flag=trails]").click()
    view.locator("#view [data-flag=labels]").click()
    seek(view, 30)
    false = [120.0, 190.0, 150.0, 230.0]
    before = view.evaluate(COLOUR, [0, 120, 210])
    view.locator("#view [data-flag=errors]").click()
    view.evaluate(IDLE)
    assert near(view.evaluate(COLOUR, [0, 120, 210]), (255, 92, 77))
    assert not near(before, (255, 92, 77))
    assert near(view.evaluate(COLOUR, [0, false[2] - 1.5, false[1] + 1]), (255, 92, 77), 60)  # the ground of its cross
    seek(view, 85)  # the first has lost 3
    x0, y0, x1, _ = box_at(3, 85)
    edge = [view.evaluate(COLOUR, [0, x0 + t * (x1 - x0), y0]) for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    assert any(near(c, (255, 165, 31)) for c in edge)
    assert not all(near(c, (255, 165, 31)) for c in edge)  # dashed
    other = [view.evaluate(COLOUR, [1, x0 + t * (x1 - x0), y0]) for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    assert not any(near(c, (255, 165, 31)) for c in other)
    expect(view.locator("#view .count").first).to_have_text("4 TP · 0 FP · 1 FN")
    expect(view.locator("#view .count").nth(1)).to_have_text("5 TP · 0 FP · 0 FN")


def test_a_click_on_a_box_or_a_lane_chooses_who_it_is(view: Page) -> None:
    seek(view, 100)
    view.mouse.click(*at_box(view, 0, box_at(4, 100), (0.5, 0.9)))
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "4")
    assert state(view, "ids") == "21|4"
    seek(view, 70)
    assert state(view, "ids") == "14|4"  # whoever holds it then
    seek(view, 97)
    assert state(view, "ids") == "|4"
    expect(view.locator("#view [data-find]")).to_have_value("4")
    view.keyboard.press("Escape")
    seek(view, 30)
    view.mouse.click(*at_box(view, 0, [120, 190, 150, 230]))  # a false box
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-ids", "50|")
    assert state(view, "true") == ""
    lanes = view.locator("#view .lanes .scroll").bounding_box()
    assert lanes is not None
    view.mouse.click(lanes["x"] + 30, lanes["y"] + 2.5 * 17)  # the third lane, beside its bars
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "3")
    view.locator("#view [data-do=free]").click()
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "")


def test_identities_are_found_by_number(view: Page) -> None:
    field = view.locator("#view [data-find]")
    field.fill("5")
    field.press("Enter")
    view.wait_for_function(SHOWN % 20)  # where it is first seen
    assert state(view, "true") == "5"
    field.fill("p50")
    field.press("Enter")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-ids", "50|")
    field.fill("77")
    field.press("Enter")
    expect(view.locator("#view .sr")).to_have_text("No identity 77 here.")
    field.fill("")
    field.press("Enter")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-ids", "|")


def test_scores_and_classes_hide_boxes_in_the_picture(view: Page) -> None:
    seek(view, 40)
    view.locator("#view [data-flag=trails]").click()
    view.locator("#view [data-flag=labels]").click()
    x0, y0, _, y1 = box_at(5, 40)
    spot = [0, x0 + 1, (y0 + y1) / 2]
    drawn = view.evaluate(COLOUR, spot)
    view.locator("#view [data-class='1']").click()
    view.evaluate(IDLE)
    bare = view.evaluate(COLOUR, spot)
    assert drawn != bare
    expect(view.locator("#view .count").first).to_have_text("5 TP · 0 FP · 0 FN · 1 hidden")  # measured numbers stay
    view.locator("#view [data-all]").click()
    view.evaluate(IDLE)
    assert view.evaluate(COLOUR, spot) == drawn
    expect(view.locator("#view .count").first).to_have_text("5 TP · 0 FP · 0 FN")
    view.locator("#view [data-score]").fill("1")
    view.evaluate(IDLE)
    assert view.evaluate(COLOUR, spot) == bare


def test_the_list_is_filtered_and_saved(view: Page, tmp_path: Path) -> None:
    expect(view.locator("#view .states")).to_have_text(re.compile(r"Switch 3\s*Fragment 2\s*Lost 2"))
    expect(view.locator("#view [data-event]")).to_have_count(7)
    view.locator("#view [data-kinds=fragment]").click()
    view.locator("#view [data-kinds=lost]").click()
    expect(view.locator("#view [data-event]")).to_have_count(3)
    expect(view.locator("#view [data-kinds=lost]")).to_be_focused()
    with view.expect_download() as waiting:
        view.locator("#view [data-do=csv]").click()
    assert waiting.value.suggested_filename == "street_01_scenes+bytetrack_marks.csv"
    waiting.value.save_as(tmp_path / "marks.csv")
    assert (tmp_path / "marks.csv").read_text("utf-8").splitlines() == [
        "run,kind,frame,seconds,true_id,class,from_id,to_id",
        "scenes+bytetrack,switch,61,2.400,1,person,11,12",
        "scenes+bytetrack,switch,61,2.400,2,person,12,11",
        "scenes+bytetrack,switch,101,4.000,4,person,14,21",
    ]
    view.locator("#view [data-focus='1']").click()
    expect(view.locator("#view .list .calm")).to_have_text("All kinds are switched off.")
    view.locator("#view [data-kinds=lost]").click()
    expect(view.locator("#view [data-event]")).to_have_count(1)
    expect(view.locator("#view [data-event]")).to_have_attribute("aria-label", "frame 61: truth 5 is lost by 5")


def test_marks_on_lanes_say_what_they_are_and_play(view: Page) -> None:
    lanes = view.locator("#view .lanes .scroll").bounding_box()
    assert lanes is not None
    width = lanes["width"] - 66 - 40
    x, y = lanes["x"] + 66 + width * 60 / FRAMES, lanes["y"] + 17 / 2
    view.mouse.move(x, y)
    expect(view.locator("#view .tip")).to_have_text("frame 61: truth 1 was 11, now 12")
    view.mouse.move(lanes["x"] + 66 + width * 20.5 / FRAMES, y)
    expect(view.locator("#view .tip")).to_have_text("frame 21: 1 (person) held by 11")
    view.mouse.click(x, y)
    expect(mark(view, 60, "switch", 1)).to_have_attribute("aria-current", "true")
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "true")


def test_the_axis_of_time_is_scrubbed_and_zoomed(view: Page) -> None:
    plot = view.locator("#view .plot")
    area = plot.bounding_box()
    assert area is not None
    at = lambda f: area["x"] + 66 + (area["width"] - 106) * (f + 0.5) / FRAMES  # noqa: E731
    view.mouse.move(at(30), area["y"] + 60)
    expect(view.locator("#view .tip")).to_contain_text("frame 31")
    expect(view.locator("#view .tip")).to_contain_text("False 1")
    view.mouse.down()
    view.wait_for_function(SHOWN % 30)
    view.mouse.move(at(90), area["y"] + 60, steps=4)
    view.wait_for_function(SHOWN % 90)
    view.mouse.up()
    view.mouse.move(at(90), area["y"] + 60)
    for _ in range(6):
        view.mouse.wheel(0, -120)
    view.evaluate(IDLE)
    first, last = (int(view.locator(f"#view [data-grip={g}]").get_attribute("aria-valuenow") or 0) for g in "ab")
    assert 60 < first < 91 < last < 120  # around the pointer
    expect(view.locator("#view .tip")).to_contain_text("frame 91")
    view.mouse.dblclick(at(90), area["y"] + 60)
    expect(view.locator("#view [data-grip=a]")).to_have_attribute("aria-valuenow", "1")
    expect(view.locator("#view [data-grip=b]")).to_have_attribute("aria-valuenow", str(FRAMES))
    view.locator("#view [data-grip=a]").focus()
    view.keyboard.press("ArrowRight")
    expect(view.locator("#view [data-grip=a]")).to_have_attribute("aria-valuenow", "8")


def test_one_switch_in_ten_thousand_frames_is_seen(view: Page) -> None:
    show(view, "long")
    purple = """() => {
      const c = document.querySelector("#view canvas.time"), g = c.getContext("2d");
      const d = g.getImageData(0, 0, c.width, 15).data;
      let n = 0;
      for (let k = 0; k < d.length; k += 4) n += d[k + 3] > 128 && d[k] > 140 && d[k + 2] > 200 && d[k + 1] < 120;
      return n; }"""
    assert view.evaluate(purple) > 10
    expect(view.locator("#view [data-event]")).to_have_count(1)
    scroll = view.locator("#view .lanes .scroll")
    assert scroll.evaluate("e => e.scrollHeight > 2 * e.clientHeight")
    mark(view, 17 * 977 % (10_000 - 625) + 312, "switch", 17).click()
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "17")
    assert scroll.evaluate("e => e.scrollTop") > 0  # its lane is in sight


def test_a_moment_loops(view: Page) -> None:
    view.locator("#view [data-speed]").select_option("4")
    view.locator("#view [data-do=loop]").click()
    mark(view, 60, "switch", 1).click()
    view.wait_for_function("document.querySelector('.lp-tracks').dataset.frame > 70")
    view.wait_for_function("document.querySelector('.lp-tracks').dataset.frame < 50")  # again
    view.wait_for_function("document.querySelector('.lp-tracks').dataset.frame > 70")
    assert 34 <= int(state(view, "frame")) <= 86
    view.locator("#view [data-do=play]").click()
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "false")
    view.locator("#view [data-goto]").fill("101")
    view.locator("#view [data-goto]").press("Enter")
    view.wait_for_function(SHOWN % 100)


def test_without_a_video_boxes_play_on_a_plain_ground(view: Page) -> None:
    show(view, "still")
    view.locator("#view [data-speed]").select_option("4")
    view.locator("#view [data-do=play]").click()
    view.wait_for_function("document.querySelector('.lp-tracks').dataset.frame > 20")
    view.wait_for_function(SHOWN % (FRAMES - 1))
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "false")
    expect(view.locator("#view video")).to_have_count(0)
    mark(view, 60, "switch", 2).click()
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-playing", "false")
    view.wait_for_function(SHOWN % 60)
    assert state(view, "ids") == "11,12|2"


def test_without_truth_identities_are_their_own(view: Page) -> None:
    show(view, "untrue")
    expect(view.locator("#view .sorting")).to_contain_text("7 predicted identities")
    expect(view.locator("#view [data-event], #view [data-flag=errors], #view [data-flag=truth]")).to_have_count(0)
    expect(view.locator("#view .list")).to_be_hidden()
    seek(view, 70)
    expect(view.locator("#view .count").first).to_have_text("5 boxes")
    view.mouse.click(*at_box(view, 0, box_at(3, 70), (0.5, 0.9)))
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-ids", "13|3")  # in the other, who is at that place
    show(view, "truth")
    seek(view, 70)
    assert view.evaluate(READ) == [70]
    expect(view.locator("#view header b").first).to_have_text("Truth")
    view.mouse.click(*at_box(view, 0, box_at(3, 70), (0.5, 0.9)))
    expect(view.locator("#view .lp-tracks")).to_have_attribute("data-true", "3")


def test_a_classifiers_answers_lie_over_the_picture(view: Page) -> None:
    show(view, "labels")
    seek(view, 100)
    assert view.evaluate(READ) == [100]
    bar = f"""() => {{
      const c = document.querySelector("#view canvas.ground"), k = c.width / c.clientWidth;
      const s = Math.min(c.width / {WIDTH}, c.height / {HEIGHT}), x = (c.width - {WIDTH} * s) / 2 + 8 * k;
      const d = c.getContext("2d").getImageData(x, c.height - 66 * k, 250 * k, 1).data;
      let n = 0;
      for (let i = 0; i < d.length; i += 4) n += d[i + 2] > d[i] + 60;
      return n / (196 * k); }}"""
    first = view.evaluate(bar)
    assert first == pytest.approx(150 / 255, abs=0.03)
    seek(view, 99)
    assert view.evaluate(bar) == pytest.approx(249 / 255, abs=0.03)
    expect(view.locator("#view .keys")).to_contain_text("Answer changed")


def test_what_cannot_be_shown_is_told(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "failed")  # a broken video is an error of the network's to the browser
    expect(page.locator("#view .blindly")).to_be_visible()
    expect(page.locator("#view .view .calm")).to_have_text("yolo+none has no tracks: <i>out of memory</i>.")
    seek(page, 30)
    expect(page.locator("#view .count").first).to_have_text("5 TP · 1 FP · 0 FN")
    page.locator("#pick input[value=error]").check()
    expect(page.locator("#view .calm")).to_have_text("street 01 has no frames: <b>copy</b> it again")
    page.locator("#pick input[value=empty]").check()
    expect(page.locator("#view .calm")).to_have_text("Choose a sequence to play here.")
    expect(page.locator("#view .story")).to_be_hidden()
    page.locator("#pick input[value=four]").check()
    expect(page.locator("#view canvas.ground")).to_have_count(4)
    seek(page, 33)
    assert page.evaluate(READ) == [33] * 4
    page.context.close()


def test_speeds_are_drawn_and_said(view: Page) -> None:
    gauge = view.locator("#view .gauge").first
    parts = gauge.locator("i").evaluate_all("all => all.map((e) => e.getBoundingClientRect().width)")
    ms: list[Any] = [3.0, 900 / 41.2, 1.5]
    assert parts[1] / sum(parts) == pytest.approx(ms[1] / sum(ms), abs=0.03)
    expect(gauge).to_have_attribute("aria-label", "decode 3.0 ms · detect 21.8 ms · track 1.5 ms")
    expect(view.locator("#view .speed").first).to_have_text(re.compile("41"))


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_or_jumps(browser: Browser, address: str, width: int, scheme: str) -> None:
    page, problems = opened(browser, address, "four", viewport={"width": width, "height": 900}, color_scheme=scheme)
    lefts = page.locator("#view section").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert len({round(x) for x in lefts}) == (2 if width > 1000 else 1)
    top = lambda: page.locator("#view .plot").evaluate("e => e.getBoundingClientRect().top + scrollY")  # noqa: E731
    tops = []
    for frame in (0, 30, 85, 149):
        seek(page, frame)
        tops.append(top())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 1000:
        mark(page, 60, "switch", 1).click()
        tops.append(top())
    assert len(set(tops)) == 1
    inner = page.locator("#view").evaluate(
        "(e) => [...e.querySelectorAll('header, .transport, .bar, .axis, .list, .seg')]"
        ".every((x) => x.scrollWidth <= x.clientWidth + 1)"
    )
    assert inner
    page.context.close()
    assert problems == []
