"""The photos panel for detectors: a strip to choose from, panes with counts and stages, photos that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import new_page
from tests.e2e.pages import served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests.e2e.compare_page") as found:
        yield found


@pytest.fixture
def panel(browser: Browser, address: str) -> Iterator[Page]:
    page, problems = new_page(browser)
    page.goto(address)
    page.get_by_role("tab", name="photos").click()
    expect(page.locator("#dph-view")).to_contain_text("No picture is chosen yet.")
    yield page
    page.context.close()
    assert problems == []


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """A good photo, one that is none, and a wide one."""
    good, bad, wide = tmp_path / "good.png", tmp_path / "bad <b>.jpg", tmp_path / "wide.jpg"
    cv2.imwrite(str(good), np.full((60, 80, 3), 90, np.uint8))
    bad.write_bytes(b"no picture at all")
    cv2.imwrite(str(wide), np.full((50, 200, 3), 160, np.uint8))
    return [str(good), str(bad), str(wide)]


def test_dropped_photos(panel: Page, photos: list[str]) -> None:
    panel.set_input_files("#dph-files input[type=file]", photos)
    items = panel.locator("#dph-strip li")
    expect(items).to_have_count(3)
    expect(items.nth(0)).to_contain_text("good.png")
    expect(items.nth(0).locator("small span")).to_have_text(["● 2", "▲ 2"])  # 0.9 and 0.5, not 0.1
    expect(items.nth(1)).to_contain_text("cannot be read")
    expect(panel.locator("#dph-view header > b")).to_have_text(["● red", "▲ blue"])
    expect(panel.locator("#dph-view .count")).to_have_text(["2 objects", "2 objects"])
    expect(panel.locator("#dph-view .ms").first).to_contain_text("pre 2.")
    expect(panel.locator("#dph-view .ms").first).to_contain_text("forward 0.")
    classes = panel.locator("#dph-view [data-class]")
    expect(classes).to_have_count(3)  # "shared" is one class, though the models number theirs apart
    items.nth(1).locator("button").click()
    name = items.nth(1).locator(".t").inner_text()  # Gradio takes odd characters out
    expect(panel.locator("#dph-view .empty .calm")).to_contain_text(f"{name} is not an image")
    expect(panel.locator("#dph-view")).not_to_contain_text("/gradio/")
    items.nth(2).locator("button").click()
    expect(panel.locator("#dph-view .count").first).to_have_text("2 objects")
    expect(items.nth(2).locator("button")).to_have_attribute("aria-current", "true")
    panel.keyboard.press("ArrowLeft")
    expect(panel.locator("#dph-view .empty .calm")).to_contain_text("is not an image")


def test_example_photos_need_no_network(panel: Page) -> None:
    panel.locator("#dph-examples").click()
    expect(panel.locator("#dph-strip li").first).to_be_visible(timeout=60_000)
    names = panel.locator("#dph-strip .t").all_inner_texts()
    assert {"astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png"} <= set(names)
    expect(panel.locator("#dph-view section")).to_have_count(3 if names[0].startswith("scene") else 2)
    panel.locator("#dph-go").click()  # without files: the examples once more
    expect(panel.locator("#dph-view .count").first).to_contain_text("objects")
    expect(panel.locator("[data-testid=toast-body]")).to_have_count(0)


def test_without_photos_or_with_a_model_of_another_kind(panel: Page, photos: list[str]) -> None:
    panel.locator("#dph-go").click()
    toast = panel.locator("[data-testid=toast-body]")
    expect(toast).to_contain_text("Drop at least one photo")
    panel.get_by_test_id("toast-close").click()
    box = panel.locator("#dph-models input")
    box.fill("green")
    box.press("Enter")
    panel.set_input_files("#dph-files input[type=file]", photos[:1])
    expect(toast.last).to_contain_text("green is a model for tracking: choose a detector")
    expect(panel.locator("#dph-strip li")).to_have_count(0)
