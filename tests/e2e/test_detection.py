"""The detection tab: its first sight, and clicks that lead from a number to the right pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.explore import detection as explore
from dashboard.explore.detection.opened import Opened, opened, point_of
from dashboard.metrics.detection.metrics import BACKGROUND
from dashboard.metrics.detection.operating import confusion
from dashboard.metrics.detection.tide import CAUSES
from dashboard.store import Store

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(page: Page) -> Page:
    """The app with its detection tab open."""
    page.get_by_role("tab", name="Detection", exact=True).click()
    page.wait_for_selector("#det-gallery .pic")
    page.wait_for_selector("#det-compare canvas.ground")
    return page


@pytest.fixture
def view(store: Path) -> Opened:
    """The run in focus, as the page has it: the first of the two."""
    runs = Store(store).runs("instance-segmentation")
    return opened(next(r for r in runs if r.model == "scenes_nano"))


def confidence_of(page: Page) -> float:
    return float(page.locator("#det-confidence input[type=number]").input_value())


def set_slider(page: Page, which: str, value: float) -> None:
    field = page.locator(f"{which} input[type=number]")
    field.fill(str(value))
    field.press("Enter")


def shown_ids(page: Page) -> list[str]:
    return page.locator("#det-gallery .pic").evaluate_all("pics => pics.map(p => p.dataset.id)")


def expect_images(page: Page, view: Opened, selection: dict[str, object], confidence: float, iou: float = 0.5) -> None:
    """The gallery shows exactly the images that a selection means."""
    chosen = explore.selected(view, selection, point_of(confidence, iou, 100))
    wanted = [view.batch.ids[i] for i in chosen.images]
    expect(page.locator("#det-gallery .n")).to_have_attribute("data-count", str(len(wanted)))
    expect(page.locator("#det-gallery .pic").first).to_have_attribute("data-id", wanted[0])
    assert shown_ids(page) == wanted[:24]


def test_first_sight_compares_the_built_in_models(tab):
    expect(tab.locator("#det-figures .models b")).to_have_text(["scenes_nano", "scenes_small"])
    values = [float(v) for v in tab.locator("#det-figures [data-metric=det_map] b").all_inner_texts()]
    assert 0.05 < values[0] < values[1] < 0.9
    expect(tab.locator("#det-gallery .n")).to_have_attribute("data-count", "300")
    expect(tab.locator("#det-compare canvas.ground")).to_have_count(3)
    expect(tab.locator("#det-table tbody tr")).to_have_count(10)


def test_a_matrix_cell_leads_to_its_images(tab, view):
    confidence = confidence_of(tab)
    cells = confusion(view.matches, view.near, point_of(confidence, 0.5, 100), len(view.names)).matrix(len(view.names))
    names = [*view.names, BACKGROUND]
    button = tab.locator("#det-matrix .pairs button").first
    count, pair = button.inner_text().split(maxsplit=1)
    true, predicted = (names.index(name.strip()) for name in pair.split("→"))
    assert int(count) == cells[true, predicted] > 0
    button.click()
    expect(tab.locator("#det-gallery .head b")).to_contain_text(names[true])
    expect_images(tab, view, {"kind": "cell", "true": true, "predicted": predicted}, confidence)


@pytest.mark.parametrize("cause", ["classification", "missed"])
def test_a_tide_bar_leads_to_its_images(tab, view, cause):
    tab.locator("#det-kind label", has_text="Why AP is lost").click()
    bars = tab.locator("#det-chart .barlayer .trace").first.locator(".point path")
    expect(bars).to_have_count(len(CAUSES))
    bar = bars.nth(CAUSES.index(cause))
    bar.hover(force=True)
    tab.wait_for_selector("#det-chart .hovertext")  # Plotly takes a click for what it hovers over
    bar.click(force=True)
    expect(tab.locator("#det-gallery .reset")).to_be_visible()
    expect_images(tab, view, {"kind": "cause", "cause": cause}, confidence_of(tab))


def test_sliders_move_the_numbers_without_a_rerun(tab, view):
    map_before = tab.locator("#det-figures [data-metric=det_map] b").all_inner_texts()
    recall = tab.locator("#det-figures [data-metric=det_recall] b").first
    before = recall.inner_text()
    set_slider(tab, "#det-confidence", 0.8)
    expect(recall).not_to_have_text(before)
    counted = explore.figures_data([view.run], [view], point_of(0.8, 0.5, 100))["figures"]
    wanted = next(c for c in counted if c["key"] == "det_recall")["cells"][0]["value"]
    assert float(recall.inner_text()) == pytest.approx(wanted, abs=6e-4)
    assert tab.locator("#det-figures [data-metric=det_map] b").all_inner_texts() == map_before
    set_slider(tab, "#det-iou", 0.75)
    cells = explore.matrix_data(view, point_of(0.8, 0.75, 100))["cells"]
    most = max(n for a, b, n in cells if a != b)
    expect(tab.locator("#det-matrix .pairs button b").first).to_have_text(str(most))


def test_a_slider_left_empty_or_out_of_range_is_no_error(tab):
    recall = tab.locator("#det-figures [data-metric=det_recall] b").first
    set_slider(tab, "#det-confidence", 0.9)
    before = recall.inner_text()
    tab.locator("#det-confidence input[type=number]").fill("")
    expect(recall).not_to_have_text(before)
    set_slider(tab, "#det-most", 7000)
    tab.wait_for_timeout(500)
    expect(tab.locator(".toast-body")).to_have_count(0)


def test_a_class_row_and_letting_go(tab, view):
    tab.locator("#det-table tbody tr").nth(3).click()
    expect(tab.locator("#det-gallery .head b")).to_contain_text("“3”")
    expect_images(tab, view, {"kind": "class", "class": 3}, confidence_of(tab))
    tab.locator("#det-gallery .reset").click()
    expect(tab.locator("#det-gallery .n")).to_have_attribute("data-count", "300")


def test_a_picture_opens_in_panes_and_its_objects_tell_their_losses(tab):
    third = tab.locator("#det-gallery .pic").nth(2)
    name = third.get_attribute("data-id")
    third.click()
    expect(tab.locator("#det-compare .name")).to_have_text(str(name))
    pane = tab.locator("#det-compare canvas.ground").nth(2)
    pane.focus()
    for _ in range(30):  # missed ones have no losses of their own
        pane.press("n")
        if "true positive" in tab.locator("#det-compare .card").inner_text():
            break
    expect(tab.locator("#det-compare .card")).to_contain_text("GIoU")


def test_the_objects_are_a_csv(tab, tmp_path):
    tab.locator("#det-matrix .pairs button").first.click()
    expect(tab.locator("#det-gallery .reset")).to_be_visible()
    with tab.expect_download() as download:
        tab.locator("#det-csv").click()
    download.value.save_as(tmp_path / "objects.csv")
    with (tmp_path / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"image", "state", "class", "true_class", "score", "x1", "loss_giou", "selected"} <= set(rows[0])
    assert {r["state"] for r in rows} <= {"TP", "FP", "FN"}
    assert any(r["selected"] == "True" for r in rows)
