"""Make README's screenshots from the app: ``.venv/bin/python scripts/screenshot.py`` (needs a Chromium)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from tests.e2e.conftest import ARGUMENTS, chromium, start_app, stop_app  # noqa: E402

DOCS = ROOT / "docs"
TABS = {  # file, tab, its prefix, what tells that its chart is there, which picture is opened
    "screenshot.png": ("Detection", "det", ".scatterlayer", 5),
    "segmentation.png": ("Segmentation", "seg", ".barlayer", 5),
    "enhancement.png": ("Enhancement", "enh", ".scatterlayer", 4),
}


def main() -> None:
    """Start the app on its default results and photograph them."""
    with tempfile.TemporaryDirectory() as store, sync_playwright() as playwright:
        process, address = start_app(Path(store))
        try:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
            page.goto(address)
            page.wait_for_selector("#cls-gallery .pic img")
            for file, (tab, prefix, chart, picture) in TABS.items():
                page.get_by_role("tab", name=tab, exact=True).click()
                page.wait_for_selector(f"#{prefix}-gallery .pic img", timeout=600_000)  # the first start evaluates
                page.wait_for_selector(f"#{prefix}-chart {chart}")
                page.locator(f"#{prefix}-gallery .pic").nth(picture).click()
                page.wait_for_timeout(2500)
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=DOCS / file, full_page=True)
                print(f"docs/{file}: {(DOCS / file).stat().st_size / 1e3:.0f} kB")
            tracking(page)
            comparing(page)
            cost(page)
            browser.close()
        finally:
            stop_app(process)


def tracking(page: Page) -> None:
    """The tracking tab at an identity switch."""
    page.get_by_role("tab", name="Video and tracking", exact=True).click()
    page.wait_for_selector("#trk-figures .card", timeout=600_000)
    page.wait_for_selector("#trk-player [data-kind=switch]", timeout=60_000)
    page.wait_for_timeout(8000)  # its video is made
    page.locator("#trk-player [data-kind=switch]").first.click()
    take(page, "tracking.png")


def comparing(page: Page) -> None:
    """Two detectors with masks against each other."""
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.locator("#cmp-task").get_by_text("Masks").click()
    page.wait_for_selector("#cmp-decide td", timeout=60_000)
    page.wait_for_selector("#cmp-scatter .scatterlayer")
    take(page, "compare.png")


def cost(page: Page) -> None:
    """A model that is here is profiled, and its layers are shown."""
    page.get_by_role("tab", name="Speed and cost", exact=True).click()
    page.locator("#prf-models input").fill("efficientnet_lite0")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.locator("#prf-size input, #prf-size textarea").first.click()  # the list of models closes
    page.locator("#prf-go").click()
    page.wait_for_selector("#prf-figures .card", timeout=600_000)
    page.wait_for_selector("#prf-progress [data-state=done]", timeout=300_000)
    take(page, "profile.png")


def take(page: Page, file: str) -> None:
    """The whole page, when it has come to rest."""
    page.wait_for_timeout(4000)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=DOCS / file, full_page=True)
    print(f"docs/{file}: {(DOCS / file).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
