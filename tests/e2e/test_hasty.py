"""Somebody who clicks faster than the server answers: what he chose last is what the page shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import slow

pytestmark = pytest.mark.browser
SLOW_MS = 400
TABS = {"cls": "Classification", "det": "Detection", "seg": "Segmentation", "enh": "Enhancement", "trk": "Video"}
CHART = """
(part) => {
  const drawn = document.querySelector(`#${part}-chart .js-plotly-plot`);
  return drawn?.layout && JSON.stringify([
    drawn.layout.xaxis?.title?.text, drawn.layout.yaxis?.title?.text,
    drawn.data.map((t) => [t.type, t.name, t.x?.length]),
  ]);
}
"""


@pytest.mark.parametrize("part", TABS)
def test_the_chart_is_the_one_chosen_last(page: Page, part: str) -> None:
    page.get_by_role("tab", name=TABS[part]).click()
    expect(page.locator(f"#{part}-chart .js-plotly-plot .main-svg").first).to_be_visible()
    first = page.evaluate(CHART, part)
    kinds = page.locator(f"#{part}-kind label:visible")
    chosen = [kind.is_checked() for kind in kinds.locator("input").all()].index(True)
    slow(page, SLOW_MS)
    for place in (chosen + 1, chosen + 2, chosen):
        kinds.nth(place % kinds.count()).click()
    page.wait_for_function(f"([part, first]) => ({CHART})(part) !== first", arg=[part, first])
    page.wait_for_function(f"([part, first]) => ({CHART})(part) === first", arg=[part, first])


def test_the_pictures_are_those_of_the_row_clicked_last(page: Page) -> None:
    rows = page.locator("#cls-table tbody tr")
    slow(page, SLOW_MS)
    for place in (1, 4, 2):
        rows.nth(place).click()
    name = rows.nth(2).locator("th").inner_text()
    expect(page.locator("#cls-gallery .head")).to_contain_text(f"“{name}”")


def test_the_run_looked_at_is_the_one_chosen_last(page: Page) -> None:
    runs, table = page.locator("#cls-focus label"), page.locator("#cls-table tbody")
    first = table.inner_text()
    slow(page, SLOW_MS)
    for place in (1, 0):
        runs.nth(place).click()
    expect(table).not_to_have_text(first, use_inner_text=True)  # the answer to the first click
    expect(table).to_have_text(first, use_inner_text=True)
    expect(runs.nth(0).locator("input")).to_be_checked()


def test_runs_taken_away_stay_away(page: Page) -> None:
    """An answer to what was chosen before must not take back what was chosen since."""
    page.get_by_role("tab", name="Compare", exact=True).click()
    expect(page.locator("#cmp-decide td").first).to_be_visible()
    chosen = page.locator("#cmp-runs .token")
    expect(chosen).to_have_count(2)
    slow(page, SLOW_MS)
    for left in (1, 0):
        chosen.first.locator(".token-remove").click()
        expect(chosen).to_have_count(left)
    expect(page.locator("#cmp-few")).to_be_visible()
    page.wait_for_timeout(4 * SLOW_MS)
    expect(chosen).to_have_count(0)
