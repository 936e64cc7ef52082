"""A new evaluation in the browser: progress, stopping, reloading, bad input; photos; the list of runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import skimage
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PHOTOS = Path(skimage.__file__).parent / "data"


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def choose(page: Page, dropdown: str, *names: str) -> None:
    for name in names:
        page.locator(f"{dropdown} input").click()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos in folders named as ImageNet names their classes; enough to watch, stop and go on."""
    root = tmp_path_factory.mktemp("photos")
    for label, photo in (("tabby", "chelsea.png"), ("espresso", "coffee.png"), ("missile", "rocket.jpg")):
        (root / label).mkdir()
        for i in range(120):
            shutil.copy(PHOTOS / photo, root / label / f"{i:03d}{Path(photo).suffix}")
    return root


def test_evaluation_stops_survives_a_reload_and_goes_on(page: Page, folder: Path) -> None:
    open_tab(page, "New evaluation")
    page.locator("#ev-path").get_by_role("textbox").fill(str(folder))
    choose(page, "#ev-models", "efficientnet_lite2")
    page.locator("#ev-run").click()
    state = page.locator("#ev-progress .state")
    expect(state).to_have_attribute("data-state", "running", timeout=60_000)
    expect(page.locator("#ev-progress")).to_contain_text("Top-1 accuracy", timeout=60_000)
    page.reload()
    page.wait_for_selector("#cls-gallery .pic")
    open_tab(page, "New evaluation")
    expect(state).to_have_attribute("data-state", "running")
    page.locator("#ev-stop").click()
    expect(state).to_have_attribute("data-state", "cancelled", timeout=60_000)
    expect(state).to_contain_text("start again to continue")
    page.locator("#ev-path").get_by_role("textbox").fill(str(folder))
    choose(page, "#ev-models", "efficientnet_lite2")
    page.locator("#ev-run").click()
    expect(page.locator("#ev-progress")).to_contain_text("from before", timeout=60_000)
    expect(state).to_have_attribute("data-state", "done", timeout=180_000)
    page.locator("#ev-show").click()
    expect(page.locator("#cls-figures .models b")).to_have_text(["efficientnet_lite2"])
    expect(page.locator("#cls-gallery .n")).to_have_attribute("data-count", "360")
    open_tab(page, "Runs")
    expect(page.locator("#runs-table")).to_contain_text("efficientnet_lite2")


@pytest.mark.parametrize(
    ("path", "models", "said"),
    [
        ("", ["digits_cnn"], "Choose a built-in dataset"),
        ("/no/such/folder", ["digits_cnn"], "/no/such/folder"),
        (str(PHOTOS), [], "one to four models"),
    ],
)
def test_bad_input_is_a_toast_and_stays_on_the_page(page: Page, path: str, models: list[str], said: str) -> None:
    open_tab(page, "New evaluation")
    page.locator("#ev-path").get_by_role("textbox").fill(path)
    choose(page, "#ev-models", *models)
    page.locator("#ev-run").click()
    expect(page.locator(".toast-wrap")).to_contain_text(said)
    expect(page.locator("#ev-progress .state")).to_have_attribute("data-state", "failed")
    expect(page.locator("#ev-progress .state")).to_contain_text(said)
    expect(page.locator("#ev-show")).to_be_hidden()


def test_classes_that_do_not_meet_are_explained_before_anything_runs(page: Page, tmp_path: Path) -> None:
    (tmp_path / "teapot-ish").mkdir()
    shutil.copy(PHOTOS / "coffee.png", tmp_path / "teapot-ish")
    open_tab(page, "New evaluation")
    page.locator("#ev-path").get_by_role("textbox").fill(str(tmp_path))
    choose(page, "#ev-models", "efficientnet_lite0")
    page.locator("#ev-run").click()
    state = page.locator("#ev-progress .state")
    expect(state).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(state).to_contain_text("teapot-ish")
    expect(state).to_contain_text("mapping")


def test_zip_is_dropped(page: Page, folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    for label in ("tabby", "espresso"):
        (small / label).mkdir(parents=True)
        for i in range(3):
            shutil.copy(next((folder / label).iterdir()), small / label / f"{i}.png")
    archive = shutil.make_archive(str(tmp_path / "drop"), "zip", small)
    open_tab(page, "New evaluation")
    page.locator("#ev-file input[type=file]").set_input_files(archive)
    choose(page, "#ev-models", "efficientnet_lite0")
    page.wait_for_timeout(1500)
    page.locator("#ev-run").click()
    expect(page.locator("#ev-progress .state")).to_have_attribute("data-state", "done", timeout=90_000)
    page.locator("#ev-show").click()
    expect(page.locator("#cls-gallery .n")).to_have_attribute("data-count", "6")
    expect(page.locator("#cls-gallery .pic img")).to_have_count(6)


def test_own_photos_side_by_side(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("not a picture")
    open_tab(page, "Try on photos")
    files = [str(PHOTOS / "chelsea.png"), str(PHOTOS / "astronaut.png"), str(broken)]
    page.locator("#ph-files input[type=file]").set_input_files(files)
    cards = page.locator("#ph-view article")
    expect(cards).to_have_count(3, timeout=90_000)
    cat = cards.nth(0)
    expect(cat.locator("section")).to_have_count(2)
    expect(cat.locator("section").first.locator(".bars > div")).to_have_count(5)
    expect(cat.locator(".verdict")).to_contain_text("same top answer")
    expect(cat.locator("h4 small").first).to_contain_text("ms")
    expect(cards.nth(1).locator(".verdict")).to_contain_text("disagree")
    expect(cards.nth(2)).to_contain_text("broken.jpg")
    expect(cards.nth(2).locator(".warn")).to_be_visible()
