"""The panels of slices and of operating points in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def opened(page: Page, panel: str) -> None:
    """The compare tab on its default runs, at one panel."""
    page.get_by_role("tab", name="Compare", exact=True).click()
    expect(page.locator("#cmp-runs")).to_contain_text("digits")
    page.locator("#cmp-tabs").get_by_role("tab", name=panel, exact=True).click()


def test_a_slice_leads_to_its_pictures(page: Page) -> None:
    opened(page, "By slice")
    rows = page.locator("#slice-table tbody tr")
    expect(rows.first).to_be_visible()
    expect(page.locator("#slice-said")).to_contain_text("slices")
    expect(page.locator("#slice-chart .legendtext")).to_have_count(2)
    page.locator("#slice-focus label").nth(1).click()
    expect(page.locator("#slice-against")).to_be_visible()
    page.locator("#slice-table input").fill("class: 8")
    row = page.locator("#slice-table tbody tr", has=page.locator("th", has_text=re.compile("^class: 8$")))
    count = row.locator("td").first.inner_text()
    row.click()
    expect(page.locator("#slice-gallery .head")).to_contain_text("class: 8")
    expect(page.locator("#slice-gallery .head [data-count]")).to_have_attribute("data-count", count)
    page.locator("#slice-gallery .pic").first.click()
    expect(page.locator("#slice-detail .sheet")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#slice-against label").nth(1).click()
    expect(page.locator("#slice-table thead")).to_contain_text("Baseline")
    page.locator("#slice-pairs input").uncheck()
    expect(page.locator("#slice-table tbody th", has_text="·")).to_have_count(0)
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_persons_tags_become_slices(page: Page) -> None:
    opened(page, "By slice")
    expect(page.locator("#slice-table tbody tr").first).to_be_visible()
    ids = page.locator("#slice-gallery .pic").evaluate_all("cards => cards.map((c) => c.dataset.id)")
    table = "id,shift\n" + "".join(f'"{name}",{"night" if k % 2 else "day"}\n' for k, name in enumerate(ids))
    tags = {"name": "shifts.csv", "mimeType": "text/csv", "buffer": table.encode()}
    page.locator("#slice-smallest input[type=number]").fill("5")
    page.locator("#slice-smallest input[type=number]").press("Enter")
    with page.expect_file_chooser() as chooser:
        page.locator("#slice-tags").click()
    chooser.value.set_files([tags])  # type: ignore[list-item]
    expect(page.locator("#slice-said")).to_contain_text(f"known of {len(ids)} of")
    page.locator("#slice-table input").fill("shift: night")
    expect(page.locator("#slice-table tbody tr").first).to_contain_text("shift: night")
    page.locator("#slice-untag").click()
    expect(page.locator("#slice-said")).not_to_contain_text("known of")
    expect(page.locator(".toast-body")).to_have_count(0)


def test_without_runs_the_panel_goes_and_comes_back_whole(page: Page) -> None:
    opened(page, "By slice")
    expect(page.locator("#slice-table tbody tr").first).to_be_visible()
    page.locator("#cmp-task label", has_text="Boxes").click()
    expect(page.locator("#cmp-few")).to_be_visible()
    expect(page.locator("#slice-panel")).to_be_hidden()
    page.locator("#cmp-task label", has_text="Classification").click()
    expect(page.locator("#slice-table tbody tr").first).to_be_visible()
    expect(page.locator("#slice-csv-file")).to_be_hidden()
    with page.expect_download() as saved:
        page.locator("#slice-csv").click()
    assert saved.value.suggested_filename == "digits_linear-digits_cnn-digits-slices.csv"
    expect(page.locator(".toast-body")).to_have_count(0)


def test_prices_move_the_operating_point(page: Page) -> None:
    opened(page, "Operating point")
    best = page.locator("#cost-table tbody tr").first.locator("td").nth(1)
    expect(best).to_be_visible()
    before = best.inner_text()
    page.locator("#cost-fp input").fill("20")
    expect(best).not_to_have_text(before)
    expect(page.locator("#cost-chart .legendtext").first).to_be_visible()
    page.locator("#cost-withhold input").check()
    expect(page.locator("#cost-abstain input")).to_be_visible()
    page.locator("#cost-classes tbody tr").first.click()
    expect(page.locator("#cost-withhold")).to_be_hidden()
    expect(page.locator("#cost-table tbody tr").first.locator("td").first).to_have_text("n/a")
    page.locator("#cost-table [data-explain=cost_fitted]").click()
    expect(page.locator(".lp-pop")).to_contain_text("half")
    expect(page.locator(".toast-body")).to_have_count(0)
