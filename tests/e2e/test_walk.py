"""The whole app walked through as a stranger would: every tab and those inside it, wide and narrow, light and dark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.profiling.kept import write_profile
from dashboard.profiling.profile import profile
from dashboard.store import Store
from tests.e2e.conftest import new_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WALK = {
    "Classification": (
        "cls",
        {"Results": "cls-figures .card", "Try on photos": "ph-models", "New evaluation": "ev-run"},
    ),
    "Detection": ("det", {"Results": "det-figures .card", "Try on photos": "dph-models", "New evaluation": "dev-run"}),
    "Segmentation": (
        "seg",
        {"Results": "seg-figures .card", "Try on photos": "sph-models", "New evaluation": "sev-run"},
    ),
    "Enhancement": (
        "enh",
        {"Results": "enh-figures .card", "Try on photos": "eph-models", "New evaluation": "eev-run"},
    ),
    "Video and tracking": (
        "trk",
        {"Results": "trk-figures .card", "Try on a video": "vid-go", "New evaluation": "tev-run"},
    ),
    "Speed and cost": (
        "prf",
        {
            "Overview": "prf-figures .card",
            "Layers": "prf-layers td",
            "Faster ways": "prf-ways td",
            "How it was measured": "prf-how",
        },
    ),
    "Compare": (
        "cmp",
        {
            "Which is better": "cmp-decide td",
            "Where they differ": "cmp-gallery .pic",
            "By class": "cmp-classes-table td",
            "By slice": "slice-table td",
            "Operating point": "cost-table td",
            "Report and tables": "share-report",
        },
    ),
    "Runs": ("", {"": "runs-table td"}),
}
"""Tab, prefix of its tabs, and by tab inside it what has to be seen there."""


@pytest.fixture(scope="module")
def store(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the app makes at its first start, and a profile."""
    folder = tmp_path_factory.mktemp("walked")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    write_profile(Store(folder), profile("digits_cnn", variants=()))
    return folder


def open_tab(page: Page, group: str, name: str) -> None:
    """Click a tab of the tabs ``group``, in the menu of those without room if it has to be."""
    tab = page.locator(f"#{group} > .tab-wrapper .tab-container:not(.visually-hidden)").get_by_role(
        "tab", name=name, exact=True
    )
    if tab.count() and tab.first.is_visible():
        tab.first.click()
        return
    page.locator(f"#{group} > .tab-wrapper .overflow-menu > button").click()
    page.locator(f"#{group} > .tab-wrapper .overflow-dropdown button", has_text=name).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_every_tab(browser: Browser, server: str, width: int, height: int, scheme: str) -> None:
    page, problems = new_page(browser, viewport={"width": width, "height": height})
    page.goto(f"{server}/?__theme={scheme}")
    page.wait_for_selector("#cls-gallery .pic")
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    for tab, (prefix, inner) in WALK.items():
        open_tab(page, "tabs", tab)
        for name, shown in inner.items():
            if name:
                open_tab(page, f"{prefix}-tabs", name)
            expect(page.locator(f"#{shown}").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{tab}, {name} is too wide"
    expect(page.locator(".toast-body")).to_have_count(0)
    page.context.close()
    assert problems == []


def test_a_link_to_a_run_that_is_gone_says_so(browser: Browser, server: str) -> None:
    page, problems = new_page(browser)
    page.goto(f"{server}/?run=nosuch")
    expect(page.locator(".toast-body")).to_contain_text("There is no run nosuch: it may have been deleted.")
    expect(page.locator("#cls-figures .card").first).to_be_visible()
    page.context.close()
    assert problems == []
