"""Other ways to detection results: predictions dropped in with no model, a link, and the list of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.store import Store
from tests.e2e.conftest import new_page

pytestmark = pytest.mark.browser


def coco(folder: Path) -> tuple[Path, Path]:
    """Two pictures with one cat each; one is found, the other is taken for a dog."""
    box = [2, 3, 10, 12]
    truth = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 24, "width": 32} for i in (1, 2)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 5, "bbox": box, "area": 120, "iscrowd": 0} for i in (1, 2)
        ],
        "categories": [{"id": 5, "name": "cat"}, {"id": 7, "name": "<b>dog</b>"}],
    }
    found = [
        {"image_id": 1, "category_id": 5, "bbox": box, "score": 0.9},
        {"image_id": 2, "category_id": 7, "bbox": box, "score": 0.8},
    ]
    paths = folder / "truth.json", folder / "found.json"
    for path, value in zip(paths, (truth, found), strict=True):
        path.write_text(json.dumps(value))
    return paths


def test_predictions_made_elsewhere_need_no_model(page: Page, tmp_path: Path) -> None:
    truth, found = coco(tmp_path)
    page.get_by_role("tab", name="Detection", exact=True).click()
    page.locator("#det-tabs").get_by_role("tab", name="New evaluation").click()
    page.locator("#dev-path").get_by_role("textbox").fill(str(truth))
    page.locator("#dev-elsewhere input[type=file]").set_input_files(found)
    expect(page.locator("#dev-elsewhere")).to_contain_text("found")
    page.locator("#dev-run").click()
    expect(page.locator("#dev-progress .state")).to_have_attribute("data-state", "done", timeout=60_000)
    page.locator("#dev-show").click()
    expect(page.locator("#det-figures .models b")).to_have_text(["found"])
    expect(page.locator("#det-figures [data-metric=det_map] b")).to_have_text("0.505")
    field = page.locator("#det-confidence input[type=number]")
    expect(field).to_have_value("0.9")  # that of the best F1
    field.fill("0.5")
    field.press("Enter")
    page.locator("#det-matrix .pairs button", has_text="dog").first.click()
    expect(page.locator("#det-gallery .head b")).to_have_text("True “cat”, detected as “<b>dog</b>”")
    expect(page.locator("#det-gallery .pic")).to_have_count(1)
    expect(page.locator("#det-compare .name")).to_have_text("2.png")


def test_a_path_that_is_not_there_is_said(page: Page) -> None:
    page.get_by_role("tab", name="Detection", exact=True).click()
    page.locator("#det-tabs").get_by_role("tab", name="New evaluation").click()
    page.locator("#dev-path").get_by_role("textbox").fill("/no/such/folder")
    page.locator("#dev-models input").click()
    page.get_by_role("option", name="scenes_nano").click()
    page.locator("#dev-run").click()
    expect(page.locator(".toast-body").first).to_contain_text("/no/such/folder does not exist")


def test_a_link_opens_a_run_in_its_tab(browser, server: str, store: Path) -> None:
    run = next(r for r in Store(store).runs("instance-segmentation") if r.model == "scenes_small")
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={run.id}")
    expect(page.locator("#det-figures .models b")).to_have_text(["scenes_small"], timeout=30_000)
    page.context.close()
    assert problems == []


def test_the_list_of_runs_opens_one(page: Page) -> None:
    page.get_by_role("tab", name="Runs", exact=True).click()
    page.locator("#runs-table").get_by_text("scenes_nano", exact=True).first.click()
    expect(page.locator("#runs-table tr[aria-selected=true]")).to_contain_text("scenes_nano")
    page.locator("#runs-open").click()
    expect(page.locator("#det-figures .models b")).to_have_text(["scenes_nano"], timeout=30_000)
