"""The compare tab in a browser: the table that decides, clicks that lead to pictures, links, and other tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.selection import literal
from dashboard.store import Run, Store
from tests.e2e.conftest import new_page

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(page: Page) -> Page:
    """The app with its compare tab open."""
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.wait_for_selector("#cmp-decide td")
    return page


@pytest.fixture(scope="module")
def digits(store: Path) -> dict[str, Run]:
    """The two classifiers that are compared first."""
    return {r.model: r for r in Store(store).runs("classification")}


def right(run: Run) -> dict[str, bool]:
    with duckdb.connect() as db:
        return dict(db.execute("select id, correct from read_parquet(?)", [literal(run.rows_path)]).fetchall())


@pytest.fixture
def gained(digits: dict[str, Run]) -> set[str]:
    """The digits that only the CNN gets right."""
    linear, cnn = right(digits["digits_linear"]), right(digits["digits_cnn"])
    return {i for i in linear if cnn[i] and not linear[i]}


def test_the_better_model_is_named_and_its_wins_are_a_click_away(tab: Page, gained: set[str]) -> None:
    expect(tab.locator("#cmp-decide .say")).to_contain_text("digits_cnn is better than digits_linear")
    expect(tab.locator("#cmp-forest .scatterlayer .trace")).to_have_count(1)
    expect(tab.locator("#cmp-scatter .scatterlayer .trace")).to_have_count(3)  # the front, and two runs
    button = tab.locator("#cmp-decide [data-group=only_run]")
    expect(button).to_have_attribute("data-n", str(len(gained)))
    button.click()
    expect(tab.locator("#cmp-gallery .n")).to_have_attribute("data-count", str(len(gained)))
    tab.locator("#cmp-gallery .more").click()
    expect(tab.locator("#cmp-gallery .pic")).to_have_count(len(gained))
    assert set(tab.locator("#cmp-gallery .pic").evaluate_all("pics => pics.map(p => p.dataset.id)")) == gained
    tab.locator("#cmp-gallery .pic").first.click()
    sides = tab.locator("#cmp-detail .side h4")
    expect(sides).to_have_count(2)
    expect(sides.nth(0)).to_contain_text("✗")
    expect(sides.nth(1)).to_contain_text("✓")


def test_another_baseline_turns_everything_round(tab: Page, gained: set[str]) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    tab.locator("#cmp-baseline input").click()
    tab.get_by_role("option", name="digits_cnn").click()
    expect(tab.locator("#cmp-decide .say")).to_contain_text("digits_linear is worse than digits_cnn")
    expect(tab.locator("#cmp-decide [data-group=only_baseline]")).to_have_attribute("data-n", str(len(gained)))
    tab.wait_for_timeout(1500)
    assert 2 <= len(asked) <= 12  # one change, told once to every panel, whatever lists echo


def test_a_class_leads_to_its_pictures(tab: Page) -> None:
    tab.get_by_role("tab", name="By class").click()
    row = tab.locator("#cmp-classes-table tbody tr").last
    name = row.locator("th").inner_text()
    row.click()
    expect(tab.locator("#cmp-gallery .reset")).to_be_visible()
    expect(tab.locator("#cmp-gallery .t").first).to_have_text(name)
    assert set(tab.locator("#cmp-gallery .t").all_inner_texts()) == {name}


def test_what_is_said_of_a_class_is_not_cut_off(tab: Page) -> None:
    tab.locator("#cmp-task label", has_text="Semantic segmentation").click()
    expect(tab.locator("#cmp-decide thead th").nth(1)).to_contain_text("mIoU", timeout=90_000)
    tab.get_by_role("tab", name="By class").click()
    expect(tab.locator("#cmp-classes-table thead th").last).to_have_text("Says")
    said = tab.locator("#cmp-classes-table tbody tr").first.locator("td").last
    assert said.evaluate("e => e.offsetHeight") < 32  # one line
    assert tab.locator("#cmp-classes-table .scroll").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_names_are_broken_at_their_signs_only(tab: Page) -> None:
    tab.locator("#cmp-task label", has_text="Tracking").click()
    expect(tab.locator("#cmp-decide thead th").nth(1)).to_contain_text("HOTA", timeout=90_000)
    name = tab.locator("#cmp-decide tbody th b").first
    expect(name).to_contain_text("bytetrack")
    assert name.evaluate("e => getComputedStyle(e).overflowWrap") == "break-word"
    assert name.locator("wbr").count() >= 2
    assert tab.locator("#cmp-decide .test").count() == 0  # frames have no p


@pytest.mark.parametrize(
    ("task", "first", "large"),
    [
        ("Masks (instance segmentation)", "mAP", "#cmp-panes canvas.ground"),
        ("Semantic segmentation", "mIoU", "#cmp-panes canvas.ground"),
        ("Enhancement", "PSNR", "#cmp-enhance canvas"),
        ("Tracking", "HOTA", "#cmp-tracks canvas"),
    ],
)
def test_every_task_is_compared_and_shown_in_its_own_view(tab: Page, task: str, first: str, large: str) -> None:
    tab.locator("#cmp-task label", has_text=task).click()
    expect(tab.locator("#cmp-decide thead th").nth(1)).to_contain_text(first, timeout=90_000)
    assert tab.locator(".toast-body.error").count() == 0
    tab.locator("#cmp-decide .groups button").first.click()
    expect(tab.locator("#cmp-gallery .pic").first).to_be_visible()
    expect(tab.locator(large).first).to_be_visible()


def test_a_link_opens_the_tab_with_its_runs(browser: Browser, server: str, digits: dict[str, Run]) -> None:
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={digits['digits_cnn'].id},{digits['digits_linear'].id}")
    expect(page.locator("#cmp-decide .say")).to_contain_text("digits_linear is worse than digits_cnn")
    page.context.close()
    page, more = new_page(browser)
    page.goto(f"{server}/?run={digits['digits_cnn'].id},long-gone")
    expect(page.locator(".toast-body").first).to_contain_text("long-gone")
    expect(page.locator("#cmp-few")).to_be_visible()
    expect(page.locator("#cmp-metric")).to_have_count(0)  # nothing to choose where nothing is compared
    page.context.close()
    assert problems == more == []


@pytest.fixture
def narrow(browser: Browser, server: str) -> Iterator[Page]:
    """A phone in the dark."""
    page, problems = new_page(browser, viewport={"width": 390, "height": 844})
    page.goto(f"{server}/?__theme=dark")
    page.wait_for_selector("#cls-gallery .pic")
    yield page
    page.context.close()
    assert problems == []


def test_it_fits_a_phone(narrow: Page, digits: dict[str, Run]) -> None:
    narrow.goto(f"{narrow.url.split('?')[0]}?run={','.join(r.id for r in digits.values())}")
    narrow.wait_for_selector("#cmp-decide td")
    for name in ("decide", "pictures", "classes"):
        narrow.evaluate(f"document.querySelector('#cmp-tab-{name}-button')?.click()")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
