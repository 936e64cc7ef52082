"""A report opened from disk without any network, as a person gets it by mail; and the panel that hands it out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.reporting.report import write_report
from tests.e2e.conftest import new_page
from tests.report_runs import classification, profile, tracking

pytestmark = pytest.mark.browser

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A comparison, a run of tracking and a profile."""
    found = {}
    for name, make in {"compared": classification, "tracking": tracking, "profile": profile}.items():
        root = tmp_path_factory.mktemp(name)
        store, runs, data = make(root)
        found[name] = write_report(store, runs, root / f"{name}.html", pictures=lambda _, data=data: data)  # type: ignore[misc]
    return found


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Any]:
    """Opens a report with the network off, and at the end checks that it asked for nothing and reported nothing."""
    pages: list[tuple[Page, list[str], list[str]]] = []

    def open_(name: str, prepare: str = "", **options: Any) -> Page:
        page, problems = new_page(browser, offline=True, **options)
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if not r.url.startswith(("data:", "blob:")) else None)
        if prepare:
            page.add_init_script(prepare)
        page.goto(files[name].as_uri())
        expect(page.locator("html[data-charts=drawn]")).to_be_attached()
        pages.append((page, problems, asked))
        return page

    yield open_
    for page, problems, asked in pages:
        assert problems == []
        assert [url for url in asked if url != page.url.partition("#")[0]] == []
        page.context.close()


@pytest.mark.parametrize("name", ["compared", "tracking", "profile"])
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_every_chart_is_drawn_and_nothing_sticks_out(opened, name, look, size):
    page = opened(name, viewport=size, color_scheme=look)
    plots = page.locator(".plot")
    assert plots.count() >= 3
    for k in range(plots.count()):
        drawn = plots.nth(k).locator(".main-svg").first
        expect(drawn).to_be_attached()
        assert plots.nth(k).locator(".trace, .slice, .hm, .point, .bars, .lines, image").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(12, 12, 15)") == (look == "dark")


def test_without_the_browsers_own_unpacking(opened):
    page = opened("compared", prepare="delete window.DecompressionStream;")
    expect(page.locator(".plot .main-svg").first).to_be_visible()


def test_tables_sort_explanations_open_and_the_look_changes(opened):
    page = opened("compared")
    table = page.locator("#tables table.sorts").first
    recall = table.locator("thead th", has_text="Recall")
    cells = table.locator(f"tbody tr td:nth-child({1 + recall.evaluate('e => e.cellIndex')})")
    recall.click()
    down = [float(v) for v in cells.all_inner_texts()]
    assert down == sorted(down, reverse=True)
    expect(recall).to_have_attribute("aria-sort", "descending")
    recall.press("Enter")
    assert [float(v) for v in cells.all_inner_texts()] == down[::-1]
    page.locator("[data-metric=top1] a.i").click()
    expect(page.locator(".pop")).to_contain_text("Top-1 accuracy")
    page.keyboard.press("Escape")
    expect(page.locator(".pop")).to_have_count(0)
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_pictures_that_differ_are_seen(opened):
    page = opened("compared")
    groups = page.locator("#pictures .pics")
    expect(groups).to_have_count(2)
    for group in groups.all():
        image = group.locator("img")
        expect(image).to_have_count(1)
        assert image.evaluate("e => e.complete && e.naturalWidth") > 0


def test_it_prints(opened):
    page = opened("compared", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("details:not([open])")).to_have_count(0)
    assert page.pdf()[:5] == b"%PDF-"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("html")).not_to_have_attribute("data-theme", "light")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_panel_hands_out_files_and_a_link(browser: Browser, server: str, store: Path, tmp_path: Path, size: Any):
    from dashboard.store import Store

    ids = [r.id for r in Store(store).runs("classification")][:2]
    page, problems = new_page(browser, viewport=size, accept_downloads=True)
    page.goto(f"{server}/?run={','.join(ids)}")
    tab = page.locator("#cmp-tabs").get_by_role("tab", name="Report and tables")
    expect(page.locator("#cmp-task")).to_be_visible()
    expect(page.locator("#cmp-runs").get_by_text("digits").first).to_be_visible()
    page.wait_for_timeout(1000)  # tabs that find no room go into a menu once the page has been laid out
    if not tab.is_visible():
        page.locator("#cmp-tabs .overflow-menu > button").first.click()
        page.locator("#cmp-tabs .overflow-dropdown button", has_text="Report and tables").click()
    else:
        tab.click()
    link = page.locator("#share-link textarea, #share-link input").first
    expect(link).to_have_value(f"{server}/?run={','.join(ids)}")
    for name, suffix in (("report", ".html"), ("table-tex", ".tex"), ("raw", ".parquet")):
        with page.expect_download(timeout=60_000) as waiting:
            page.locator(f"#share-{name}").click()
        assert waiting.value.suggested_filename.endswith(suffix)
        waiting.value.save_as(tmp_path / f"x{suffix}")
    assert b"Content-Security-Policy" in (tmp_path / "x.html").read_bytes()
    assert r"\toprule" in (tmp_path / "x.tex").read_text("utf-8")
    assert problems == []
    page.context.close()
