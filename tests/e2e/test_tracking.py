"""The tracking tab: two trackers at first sight, and clicks that lead from a mark to the moment behind it."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path
from zipfile import ZipFile

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard.datasets.opening import open_dataset
from dashboard.explore.tracking.opened import Opened, opened
from dashboard.metrics.tracking.story import SWITCH
from dashboard.scoring import score
from dashboard.store import Store
from tests.e2e.conftest import TRACK_FRAMES, new_page

pytestmark = pytest.mark.browser
MODELS = ("scenes_small+bytetrack", "scenes_small+botsort")
TAB = "Video and tracking"
IDLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"


@pytest.fixture
def tab(page: Page) -> Page:
    """The app with its tracking tab open on the video."""
    return open_tab(page)


def open_tab(page: Page) -> Page:
    page.get_by_role("tab", name=TAB, exact=True).click()
    page.wait_for_selector("#trk-player canvas.ground")
    page.wait_for_function("document.querySelector('#trk-player video')?.readyState > 1")
    return page


@pytest.fixture
def views(store: Path) -> list[Opened]:
    """The runs as the page has them."""
    runs = {r.model: r for r in Store(store).runs("tracking") if not r.facts["tracker"]["changed"]}
    return [opened(runs[name]) for name in MODELS]


def player(page: Page) -> Locator:
    return page.locator("#trk-player .lp-tracks")


def expect_frame(page: Page, frame: int) -> None:
    expect(player(page)).to_have_attribute("data-playing", "false")
    expect(player(page)).to_have_attribute("data-frame", str(frame))
    page.evaluate(IDLE)


def frame_of(page: Page, sequence: str, pane: int, near: int) -> int:
    """Which of the dataset's frames a pane's picture is most like."""
    data = open_dataset("demo:tracks", task="tracking")
    info = next(s for s in data.sequences if s.name == sequence)  # type: ignore[attr-defined]
    drawn = page.locator("#trk-player canvas.ground").nth(pane).evaluate("c => c.toDataURL()")
    packed = np.frombuffer(base64.b64decode(drawn.partition(",")[2]), np.uint8)
    shown = cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]
    height, width = shown.shape[:2]
    rows, columns = info.size
    scale = min(width / columns, height / rows)
    left, top = round((width - columns * scale) / 2), round((height - rows * scale) / 2)
    inner = shown[top : height - top, left : width - left]
    small = cv2.resize(inner, (columns, rows), interpolation=cv2.INTER_AREA).astype(int)
    tried = range(max(0, near - 4), min(len(info), near + 5))
    return min(tried, key=lambda f: np.abs(small - data[info.start + f].image).mean())


def switch_of(view: Opened, sequence: str) -> tuple[int, int, int, int]:
    """The first switch at which the identity of before is still there: frame, true identity, before, after."""
    place = view.place(sequence)
    events, found = view.story(place).events, view.sequences[place].tracks.found
    for k in np.flatnonzero(events.kind == SWITCH).tolist():
        frame, before = int(events.frame[k]), int(events.before[k])
        if before in found.ids[found.frame == frame]:
            return frame, int(events.identity[k]), before, int(events.after[k])
    raise AssertionError("no switch")


def holder_of(view: Opened, sequence: str, true: int, frame: int) -> set[int]:
    """Who has a true identity in a frame, according to a run."""
    place = view.place(sequence)
    tracks, told = view.sequences[place].tracks, view.story(place)
    row = np.flatnonzero((tracks.truth.frame == frame) & (tracks.truth.ids == true))[0]
    match = told.truth_match[row]
    return {int(tracks.found.ids[match])} if match >= 0 else set()


def ids_shown(page: Page) -> list[set[int]]:
    """Emphasised identities, a set a pane."""
    said = player(page).get_attribute("data-ids") or ""
    return [{int(x) for x in part.split(",") if x} for part in said.split("|")]


def click_switch(page: Page, frame: int, true: int) -> None:
    page.locator(f"#trk-player [data-event][data-frame='{frame}'][data-kind=switch][data-true='{true}']").click()


def test_first_sight_compares_two_trackers(tab: Page, views: list[Opened]) -> None:
    cards = tab.locator("#trk-figures .card")
    expect(cards.first).to_have_attribute("data-metric", "HOTA")
    for name in ("HOTA", "MOTA", "IDF1", "IDSW", "FPS"):
        expect(tab.locator(f"#trk-figures .card[data-metric={name}] .v")).to_have_count(2)
    switches = tab.locator("#trk-figures .card[data-metric=IDSW] .v b")
    for k, view in enumerate(views):
        expect(switches.nth(k)).to_have_text(f"{view.run.metrics['IDSW']:.0f}")
        assert view.run.metrics["IDSW"] > 0  # both make mistakes that can be looked at
        expect(tab.locator("#trk-player section").nth(k).locator("header > b")).to_contain_text(MODELS[k])
    expect(tab.locator("#trk-player .name")).to_have_text("crossing")
    expect(tab.locator("#trk-table tbody tr")).to_have_count(2)
    row = tab.locator("#trk-table tbody tr", has_text="crossing")
    mine = views[0].story(views[0].place("crossing"))  # of the first, in focus: table and player tell the same
    expect(row).to_contain_text(str(mine.fn.sum()))
    expect(row).to_have_class("on")
    expect(tab.locator("#trk-player [data-kinds=switch]")).to_contain_text(str(mine.idsw.sum()))
    expect(
        tab.locator("#trk-chart .js-plotly-plot .trace, #trk-chart .js-plotly-plot .scatterlayer").first
    ).to_be_attached()


def test_a_click_on_a_switch_plays_that_moment_with_both_identities(tab: Page, views: list[Opened]) -> None:
    frame, true, before, after = switch_of(views[0], "crossing")
    click_switch(tab, frame, true)
    expect_frame(tab, frame)  # where it ends, after a second before and after
    expect(player(tab)).to_have_attribute("data-true", str(true))
    assert ids_shown(tab) == [{before, after}, holder_of(views[1], "crossing", true, frame)]
    tab.locator("#trk-player [data-flag=labels]").click()
    tab.evaluate(IDLE)
    assert [frame_of(tab, "crossing", pane, frame) for pane in (0, 1)] == [frame, frame]
    tab.locator("#trk-player [data-focus='1']").click()
    frame, true, before, after = switch_of(views[1], "crossing")
    click_switch(tab, frame, true)
    expect_frame(tab, frame)
    assert ids_shown(tab) == [holder_of(views[0], "crossing", true, frame), {before, after}]


def test_the_video_plays(tab: Page) -> None:
    tab.locator("#trk-player [data-do=play]").click()
    tab.wait_for_function("document.querySelector('#trk-player .lp-tracks').dataset.frame > 12")
    tab.locator("#trk-player [data-do=play]").click()
    expect(player(tab)).to_have_attribute("data-playing", "false")
    frame = int(player(tab).get_attribute("data-frame") or 0)
    assert frame > 12
    tab.locator("#trk-player [data-flag=labels]").click()
    tab.evaluate(IDLE)
    assert frame_of(tab, "crossing", 1, frame) == frame
    tab.locator("#trk-player canvas.ground").first.focus()
    tab.keyboard.press("ArrowRight")
    expect_frame(tab, frame + 1)
    assert frame_of(tab, "crossing", 0, frame + 1) == frame + 1


def test_another_sequence_plays(tab: Page, views: list[Opened]) -> None:
    tab.locator("#trk-sequence input").click()
    tab.get_by_role("option", name="calm").click()
    expect(tab.locator("#trk-player .name")).to_have_text("calm")
    tab.wait_for_function("document.querySelector('#trk-player video')?.readyState > 1")
    tab.locator("#trk-player [data-goto]").fill("41")
    tab.locator("#trk-player [data-goto]").press("Enter")
    expect_frame(tab, 40)
    assert frame_of(tab, "calm", 0, 40) == 40
    told = views[0].story(views[0].place("calm"))
    count = tab.locator("#trk-player section .count").first
    expect(count).to_have_text(f"{told.tp[40]} TP · {told.fp[40]} FP · {told.fn[40]} FN")
    tab.locator("#trk-table tbody tr", has_text="crossing").click()
    expect(tab.locator("#trk-player .name")).to_have_text("crossing")
    expect(tab.locator("#trk-sequence input")).to_have_value("crossing")


def test_whatever_the_class_everything_is_counted_anew(tab: Page, views: list[Opened]) -> None:
    switches = tab.locator("#trk-figures .card[data-metric=IDSW] .v b")
    strict, loose = ([v.run.metrics[n] for v in views] for n in ("IDSW", "IDSW_agnostic"))
    assert strict != loose
    for k, value in enumerate(strict):
        expect(switches.nth(k)).to_have_text(f"{value:.0f}")
    tab.locator("#trk-match").get_by_text("of any class").click()
    for k, value in enumerate(loose):
        expect(switches.nth(k)).to_have_text(f"{value:.0f}")
    told = views[0].story(views[0].place("crossing"), agnostic=True)
    expect(tab.locator("#trk-player [data-kinds=switch]")).to_contain_text(str(told.idsw.sum()))


def test_tables_and_charts(tab: Page, views: list[Opened]) -> None:
    tab.locator("#trk-what").get_by_text("Classes").click()
    expect(tab.locator("#trk-table tbody tr").first).to_contain_text("0")
    seen = np.unique(np.concatenate([s.tracks.truth.class_ids for s in views[1].sequences]))
    expect(tab.locator("#trk-table tbody tr")).to_have_count(len(seen))
    tab.locator("#trk-columns").get_by_text("Tracks", exact=True).click()
    expect(tab.locator("#trk-table thead")).to_contain_text("Frag")
    for kind in ("How much of each truth", "Track lengths", "By sequence"):
        tab.locator("#trk-kind").get_by_text(kind, exact=True).click()
        expect(tab.locator("#trk-chart .js-plotly-plot .point").first).to_be_attached()
    expect(tab.locator("#trk-chart .js-plotly-plot .xtitle")).to_have_text("sequence")  # the last of them is drawn
    bar = tab.locator("#trk-chart .js-plotly-plot .trace").nth(1).locator(".point").first
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(tab.locator("#trk-player .name")).to_have_text("calm")
    row = tab.locator("#trk-table tbody tr").nth(1)
    row.click()  # a class: where it goes wrong, without the others
    name = row.locator("th").inner_text()
    pressed = tab.locator("#trk-player [data-class][aria-pressed=true]")
    expect(pressed).to_have_count(1)
    expect(pressed).to_have_text(name)
    row.click()
    expect(tab.locator("#trk-player [data-class][aria-pressed=false]")).to_have_count(0)


def saved(page: Page, name: str, path: Path) -> Path:
    """A file that a button gives."""
    button = page.locator(f"#trk-save-{name}")
    button.scroll_into_view_if_needed()
    with page.expect_download(timeout=90_000) as download:
        button.click()
    download.value.save_as(path)
    return path


def test_files_to_take_along(tab: Page, views: list[Opened], tmp_path: Path) -> None:
    tab.locator("#trk-focus").get_by_text("bytetrack").click()
    expect(tab.locator("#trk-table tbody tr", has_text="crossing")).to_contain_text("14")
    with ZipFile(saved(tab, "mot", tmp_path / "mot.zip")) as archive:
        assert archive.namelist() == ["calm.txt", "crossing.txt", "classes.txt"]
    data = open_dataset("demo:tracks", task="tracking")
    again = score(
        data, tmp_path / "mot.zip", Store(tmp_path / "store"), settings={"partial": "true"}, limit=TRACK_FRAMES
    )
    for name in ("MOTA", "HOTA", "IDF1"):
        assert again.metrics[name] == pytest.approx(views[0].run.metrics[name], abs=1e-3)
    rows = list(csv.DictReader(io.StringIO(saved(tab, "csv", tmp_path / "t.csv").read_text("utf-8"))))
    assert len(rows) == sum(len(s.tracks.found) for s in views[0].sequences)
    events = list(csv.DictReader(io.StringIO(saved(tab, "events", tmp_path / "e.csv").read_text("utf-8"))))
    assert sum(e["kind"] == "switch" for e in events) == views[0].run.metrics["IDSW"]
    film = saved(tab, "video", tmp_path / "film.mp4")
    assert film.read_bytes()[4:8] == b"ftyp"
    with av.open(str(film)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in file.decode(video=0)) == 150


def test_another_setting_is_a_third_run_in_the_player(tab: Page, store: Path) -> None:
    tab.locator("#trk-focus").get_by_text("bytetrack").click()
    tab.locator("#trk-tune > button").click()
    expect(tab.locator("#trk-tune-tracker input")).to_have_value("bytetrack")
    setting = tab.locator(".lp-tune .block", has_text="track_buffer")
    setting.locator("input[type=number]").fill("5")
    setting.locator("input[type=number]").press("Enter")
    tab.locator("#trk-tune-go").click()
    third = tab.locator("#trk-player section").nth(2)
    expect(third.locator("header > b")).to_contain_text("scenes_small+bytetrack track_buffer=5", timeout=60_000)
    expect(tab.locator("#trk-player section")).to_have_count(3)
    expect(tab.locator("#trk-figures .card").first.locator(".v")).to_have_count(3)
    expect(tab.locator("#trk-figures .models")).to_contain_text("track_buffer=5")
    expect(tab.locator("#trk-focus")).to_contain_text("track_buffer=5")
    kept = Store(store)
    (made,) = [r for r in kept.runs("tracking") if r.facts["tracker"]["changed"] == {"track_buffer": 5}]
    expect(tab.locator("#trk-figures .card[data-metric=IDSW] .v b").nth(2)).to_have_text(f"{made.metrics['IDSW']:.0f}")
    kept.delete(made.id)


def test_narrow_and_dark(browser: Browser, server: str) -> None:
    page, problems = new_page(browser, viewport={"width": 400, "height": 844})
    page.goto(f"{server}/?__theme=dark")
    page.wait_for_selector("#cls-figures .card")
    page.locator("#tabs .overflow-menu > button").first.click()  # there is no room for every tab
    page.locator("#tabs .overflow-dropdown button", has_text=TAB).click()
    page.wait_for_selector("#trk-player canvas.ground")
    page.wait_for_selector("#trk-figures .card")
    expect(page.locator("#trk-player section")).to_have_count(2)
    page.locator("#trk-player [data-event]").first.click()
    expect(page.locator("#trk-player canvas.ground").first).to_be_in_viewport()  # the answer is seen
    for name in ("Try on a video", "New evaluation"):
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
        page.locator("#trk-tabs").get_by_role("tab", name=name).click()
        page.evaluate(IDLE)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert not problems
    page.context.close()


def test_in_chinese(browser: Browser, server: str) -> None:
    page, problems = new_page(browser, locale="zh-TW")
    page.goto(server)
    page.wait_for_selector("#cls-gallery .pic")
    page.get_by_role("tab", name="影片與追蹤", exact=True).click()
    page.wait_for_selector("#trk-player canvas.ground")
    expect(page.locator("#trk-save-mot")).to_have_text("軌跡（MOT txt）")
    expect(page.locator("#trk-player [data-flag=trails]")).to_have_text("軌跡")
    expect(page.locator("#trk-tabs").get_by_role("tab").nth(1)).to_have_text(re.compile("影片"))
    for place, name in enumerate(("results", "video", "evaluate")):
        page.locator("#trk-tabs").get_by_role("tab").nth(place).click()
        expect(page.locator(f"#trk-{name}")).to_be_visible()
        assert "ui." not in page.locator(f"#trk-{name}").inner_text()  # every key has its words
    assert not problems
    page.context.close()
