"""Make README's screenshot from the app: ``.venv/bin/python scripts/screenshot.py`` (needs a Chromium)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.e2e.conftest import ARGUMENTS, chromium, start_app, stop_app  # noqa: E402

TARGET = ROOT / "docs" / "screenshot.png"


def main() -> None:
    """Start the app on its default result and photograph it."""
    with tempfile.TemporaryDirectory() as store, sync_playwright() as playwright:
        process, address = start_app(Path(store))
        try:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 2170}, locale="en-US")
            page.goto(address)
            page.wait_for_selector("#cls-gallery .pic img")
            page.get_by_role("tab", name="Detection", exact=True).click()
            page.wait_for_selector("#det-gallery .pic img", timeout=300_000)  # the first start evaluates the scenes
            page.wait_for_selector("#det-chart .scatterlayer")
            page.locator("#det-gallery .pic").nth(5).click()
            page.wait_for_timeout(2500)
            page.evaluate("scrollTo(0, 0)")
            TARGET.parent.mkdir(exist_ok=True)
            page.screenshot(path=TARGET)
            browser.close()
        finally:
            stop_app(process)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
