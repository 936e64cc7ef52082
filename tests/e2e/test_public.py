"""A page for strangers: two of them, each with runs of his own, hostile names, and what is not offered to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import new_page, start_app, stop_app
from tests.test_public import digits_zip

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[str]:
    """The app as a Space has it."""
    process, address = start_app(store, "--public")
    yield address
    stop_app(process)


def opened(browser: Browser, address: str, problems: list[list[str]]) -> Page:
    """A stranger's page, on its first result."""
    page, wrong = new_page(browser)
    problems.append(wrong)
    page.on("dialog", lambda dialog: (wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(address)
    page.wait_for_selector("#cls-gallery .pic")
    return page


def listed(page: Page) -> str:
    """What the list of runs says."""
    page.get_by_role("tab", name="Runs", exact=True).click()
    table = page.locator("#runs-table")
    expect(table).to_be_visible()
    expect(table).to_contain_text("digits_cnn")
    return table.inner_text()


def test_two_strangers(browser: Browser, server: str, tmp_path: Path) -> None:
    problems: list[list[str]] = []
    first, second = opened(browser, server, problems), opened(browser, server, problems)
    first.get_by_role("tab", name="New evaluation").first.click()
    expect(first.locator("#ev-path")).to_have_count(0)  # nothing to type a path into
    file = digits_zip(tmp_path / "mine.zip", (HOSTILE, "<svg onload=alert(2)>"))
    first.locator("#ev-file input[type=file]").set_input_files(str(file))
    expect(first.locator("#ev-file")).to_contain_text("mine")
    first.locator("#ev-models input").click()
    first.get_by_role("option", name="digits_linear").click()
    first.keyboard.press("Escape")
    first.locator("#ev-run").click()
    first.locator("#ev-show").click(timeout=60_000)
    expect(first.locator("#cls-gallery .pic").first).to_be_visible()
    first.locator("#cls-gallery .pic").first.click()
    expect(first.locator("#cls-detail")).to_contain_text(HOSTILE[:12])  # as text
    first.keyboard.press("Escape")
    expect(first.locator("#cls-detail .lp-detail.open")).to_have_count(0)
    assert "mine" in listed(first)
    assert "mine" not in listed(second)
    first.reload()
    first.wait_for_selector("#cls-gallery .pic")
    assert "mine" in listed(first)  # he is known again
    row = first.locator("#runs-table tbody tr")
    row.filter(has_text="digits_cnn").locator("th").click()
    expect(first.locator("#runs-open")).to_be_enabled()
    expect(first.locator("#runs-delete")).to_be_disabled()  # it is everybody's
    row.filter(has_text="mine").locator("th").click()
    first.locator("#runs-delete").click()
    first.locator("#runs-sure").click()
    expect(row.filter(has_text="mine")).to_have_count(0)
    expect(first.locator("#runs-undo")).to_be_hidden()
    for page in (first, second):
        page.context.close()
    assert problems == [[], []]
