"""The list of runs in a browser: found, chosen with pointer and keys, named, deleted and brought back, run again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import new_page

pytestmark = pytest.mark.browser
ROW = "#runs-table tbody tr"


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


@pytest.fixture(scope="module")
def opened(browser: Browser, server: str) -> Iterator[Page]:
    """One page for all tests here: opening it is what takes time."""
    page, problems = new_page(browser)
    page.goto(server)
    page.wait_for_selector("#cls-gallery .pic")
    yield page
    page.context.close()
    assert problems == []


@pytest.fixture
def runs(opened: Page) -> Page:
    """The page with the whole list of runs in front, nothing chosen."""
    open_tab(opened, "Runs")
    opened.locator("#runs-table .find").fill("")
    every = opened.locator("#runs-table [data-task='']")
    every.click()
    opened.locator("#runs-table [data-sort=date]").click()
    if opened.locator("#runs-table .all").is_checked() or opened.locator(f"{ROW}.on").count():
        opened.locator(ROW).first.press("Escape")
    expect(opened.locator(f"{ROW}.on")).to_have_count(0)
    return opened


def row(page: Page, text: str) -> Locator:
    return page.locator(ROW, has_text=text)


def count(page: Page, text: str) -> None:
    expect(page.locator("#runs-table .count")).to_have_text(text)


def test_found_by_words_by_task_and_by_column(runs: Page) -> None:
    total = runs.locator(ROW).count()
    count(runs, f"Runs: {total}")
    runs.locator("#runs-table .find").fill("digits cnn")
    expect(runs.locator(ROW)).to_have_count(1)
    count(runs, f"1 of {total} runs")
    runs.locator("#runs-table .find").fill("nothing like it")
    expect(runs.locator("#runs-table .none")).to_be_visible()
    runs.locator("#runs-table .find").fill("")
    runs.locator("#runs-table [data-task=classification]").click()
    expect(runs.locator(ROW)).to_have_count(2)
    runs.locator("#runs-table [data-sort=top1]").click()
    expect(runs.locator(ROW).first).to_contain_text("digits_cnn")
    expect(runs.locator("#runs-table th", has_text="Top-1")).to_have_attribute("aria-sort", "descending")
    runs.locator("#runs-table [data-sort=top1]").click()
    expect(runs.locator(ROW).first).to_contain_text("digits_linear")


def test_chosen_with_keys(runs: Page) -> None:
    runs.locator("#runs-table .find").press("ArrowDown")
    first, second = runs.locator(ROW).nth(0), runs.locator(ROW).nth(1)
    expect(first).to_be_focused()
    runs.keyboard.press(" ")
    expect(first).to_have_attribute("aria-selected", "true")
    runs.keyboard.press("Shift+ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    count(runs, re.compile(r"^2 of \d+ chosen$"))  # type: ignore[arg-type]
    runs.keyboard.press("Escape")
    expect(runs.locator("#runs-delete")).to_be_disabled()
    runs.keyboard.press("End")
    expect(runs.locator(ROW).last).to_be_focused()
    runs.locator("#runs-table .find").press("ArrowDown")
    expect(first).to_be_focused()


@pytest.mark.parametrize("change", ["search", "task", "order"])
def test_keys_begin_at_the_top_after_a_change(runs: Page, change: str) -> None:
    find = runs.locator("#runs-table .find")
    find.fill("digits")
    expect(runs.locator(ROW)).to_have_count(2)
    runs.locator(ROW).last.locator("th").click()  # the keys are here now
    runs.keyboard.press("Escape")
    if change == "search":
        find.fill("digits_")
    elif change == "task":
        runs.locator("#runs-table [data-task=classification]").click()
    else:
        runs.locator("#runs-table [data-sort=date]").click()
        runs.locator("#runs-table [data-sort=date]").click()
    expect(runs.locator(f"{ROW}[tabindex='0']")).to_have_count(1)
    expect(runs.locator(ROW).first).to_have_attribute("tabindex", "0")


def test_runs_are_collected_over_searches_and_none_goes_unseen(runs: Page) -> None:
    total = runs.locator(ROW).count()
    find = runs.locator("#runs-table .find")
    row(runs, "digits_cnn").locator("input").check()
    find.fill("digits_linear")
    count(runs, "1 chosen, 1 not shown")
    expect(runs.locator("#runs-table [data-task='']")).to_have_text("All 1")
    expect(runs.locator("#runs-table [data-task=tracking]")).to_have_text("Tracking 0")
    row(runs, "digits_linear").locator("input").check()
    count(runs, "2 chosen, 1 not shown")
    expect(runs.locator("#runs-compare")).to_be_enabled()
    runs.locator("#runs-delete").click()
    expect(runs.locator("#runs-asked")).to_contain_text("Delete these 2 runs?")
    expect(runs.locator("#runs-asked li")).to_have_count(2)
    expect(runs.locator("#runs-asked")).to_contain_text("digits_cnn")
    runs.locator("#runs-keep").click()
    expect(runs.locator("#runs-asked li")).to_have_count(0)
    expect(runs.locator("#runs-sure")).to_be_hidden()
    find.fill("")
    count(runs, f"2 of {total} chosen")
    expect(runs.locator(ROW)).to_have_count(total)


def test_why_a_button_is_grey_is_said(runs: Page) -> None:
    why = runs.locator("#runs-table .why")
    row(runs, "digits_cnn").locator("input").check()
    expect(why).to_be_empty()
    row(runs, "scenes_sem_nano").locator("input").check()
    expect(why).to_contain_text("runs of one task; chosen are")
    expect(runs.locator("#runs-compare")).to_be_disabled()


def test_every_task_has_room_for_its_name(runs: Page) -> None:
    cut = "cells => cells.filter(c => c.scrollWidth > c.clientWidth).map(c => c.textContent)"
    assert runs.locator(f"{ROW} td.l.w").evaluate_all(cut) == []


def test_named_and_tagged(runs: Page) -> None:
    title = "<b>Best</b> & first"
    row(runs, "digits_cnn").locator("th").click()
    expect(runs.locator("#runs-facts")).to_contain_text("demo:digits")
    runs.locator("#runs-title input, #runs-title textarea").fill(title)
    runs.locator("#runs-tags input, #runs-tags textarea").fill("final, week 3")
    runs.locator("#runs-save").click()
    named = row(runs, title)
    expect(named).to_contain_text("digits_cnn")
    expect(named).to_have_attribute("aria-selected", "true")
    runs.locator("#runs-table .find").fill("#week")
    expect(runs.locator(ROW)).to_have_count(1)
    runs.locator("#runs-table .find").fill("")
    named.locator(".tag", has_text="final").click()
    expect(runs.locator("#runs-table .find")).to_have_value("#final")
    expect(runs.locator(ROW)).to_have_count(1)
    open_tab(runs, "Classification")
    open_tab(runs, "Runs")
    expect(row(runs, title)).to_be_visible()


def test_deleted_and_brought_back(runs: Page) -> None:
    total = runs.locator(ROW).count()
    row(runs, "lanczos").locator("input").check()
    row(runs, "nearest").locator("input").check()
    expect(runs.locator("#runs-compare")).to_be_enabled()  # the server knows of both
    runs.locator("#runs-delete").click()
    runs.locator("#runs-sure").click()
    expect(runs.locator(ROW)).to_have_count(total - 2)
    expect(runs.locator("#runs-sure")).to_be_hidden()
    runs.locator("#runs-undo").click()
    expect(runs.locator(ROW)).to_have_count(total)
    expect(row(runs, "lanczos")).to_have_attribute("aria-selected", "true")
    expect(runs.locator("#runs-undo")).to_be_hidden()


def test_opened_by_enter_and_by_button(runs: Page) -> None:
    row(runs, "scenes_sem_nano").focus()
    runs.keyboard.press("Enter")
    expect(runs.get_by_role("tab", name="Segmentation", exact=True)).to_have_attribute("aria-selected", "true")
    open_tab(runs, "Runs")
    row(runs, "digits_linear").locator("th").click()
    runs.locator("#runs-open").click()
    expect(runs.get_by_role("tab", name="Classification", exact=True)).to_have_attribute("aria-selected", "true")
    expect(runs.locator("#cls-runs")).to_contain_text("digits_linear")


def test_run_again_with_fewer_pictures(runs: Page) -> None:
    total = runs.locator(ROW).count()
    runs.locator("#runs-again").get_by_role("button").first.click()
    expect(runs.locator("#runs-again")).to_contain_text("Choose one")  # not the form of what was chosen before
    row(runs, "digits_linear").locator("th").click()
    expect(runs.locator("#runs-again-model input")).to_have_value("digits_linear")
    runs.locator("#runs-again-limit input").fill("40")
    runs.locator("#runs-again-start").click()
    expect(runs.locator(ROW)).to_have_count(total + 1, timeout=60_000)
    new = runs.locator(f"{ROW}.on")
    expect(new).to_have_count(1)
    expect(new).to_contain_text("40")


def test_what_would_go_is_shown_before_it_goes(runs: Page) -> None:
    total = runs.locator(ROW).count()
    row(runs, "bicubic").first.locator("th").click()
    runs.locator("#runs-disk").get_by_role("button").first.click()
    expect(runs.locator("#runs-use")).to_contain_text("Together")
    runs.get_by_label("Predictions of the chosen runs").check()
    expect(runs.locator("#runs-remove")).to_be_hidden()
    runs.locator("#runs-look").click()
    expect(runs.locator("#runs-going")).to_contain_text("1 would go")
    runs.locator("#runs-remove").click()
    expect(row(runs, "bicubic").first).to_contain_text("numbers only")
    expect(runs.locator(f"{ROW}.on")).to_have_count(0)
    expect(runs.locator("#runs-open")).to_be_disabled()  # nothing is chosen any more
    expect(runs.locator("#runs-remove")).to_be_hidden()
    expect(runs.locator(ROW)).to_have_count(total)


def test_a_narrow_screen_shows_name_and_result(runs: Page) -> None:
    runs.set_viewport_size({"width": 390, "height": 844})
    expect(runs.locator("#runs-table th", has_text="Date")).to_be_hidden()
    expect(row(runs, "digits_linear").first).to_contain_text("0.")
    wide = runs.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
