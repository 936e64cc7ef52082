"""The segmentation tab: its first sight, and clicks that lead from a number to the right pictures and error maps."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dashboard.classmaps import encode
from dashboard.datasets.scenes import Scenes
from dashboard.explore import segmentation as explore
from dashboard.explore.segmentation.opened import Opened, opened
from dashboard.store import Store

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(page: Page) -> Page:
    """The app with its segmentation tab open."""
    page.get_by_role("tab", name="Segmentation", exact=True).click()
    page.wait_for_selector("#seg-gallery .pic")
    page.wait_for_selector("#seg-compare canvas.ground")
    return page


@pytest.fixture
def view(store: Path) -> Opened:
    """The run in focus, as the page has it: the first of the two."""
    runs = Store(store).runs("semantic-segmentation")
    return opened(next(r for r in runs if r.model == "scenes_sem_nano"))


def expect_images(page: Page, view: Opened, selection: dict[str, object], order: str = "order_pixels") -> None:
    """The gallery shows exactly the images that a selection means, in their order."""
    chosen = explore.selected(view, selection, order)
    wanted = [view.ids[i] for i in chosen.images]
    expect(page.locator("#seg-gallery .n")).to_have_attribute("data-count", str(len(wanted)))
    expect(page.locator("#seg-gallery .pic").first).to_have_attribute("data-id", wanted[0])
    shown = page.locator("#seg-gallery .pic").evaluate_all("pics => pics.map(p => p.dataset.id)")
    assert shown == wanted[:24]


def test_first_sight_compares_two_models(tab, view):
    cards = tab.locator("#seg-figures .card")
    expect(cards.first).to_have_attribute("data-metric", "sem_miou")
    assert cards.count() == 8
    expect(cards.first.locator(".v")).to_have_count(2)
    expect(tab.locator("#seg-figures .models")).to_contain_text("scenes_sem_small")
    expect(tab.locator("#seg-table tbody tr")).to_have_count(11)
    expect(tab.locator("#seg-compare section")).to_have_count(3)
    expect_images(tab, view, {"kind": "all"})


def test_a_class_leads_to_the_pictures_with_most_of_its_pixels(tab, view):
    tab.locator("#seg-table tbody tr", has_text="4").first.click()
    row = tab.locator("#seg-table tbody tr.on th").inner_text()
    label = view.names.index(row)
    expect_images(tab, view, {"kind": "class", "class": label})
    expect(tab.locator("#seg-compare [data-mode=errors]")).to_have_attribute("aria-pressed", "true")
    tab.locator("#seg-gallery .reset").click()
    expect_images(tab, view, {"kind": "all"})


def test_a_matrix_cell_leads_to_its_pictures(tab, view):
    matrix = view.matrix.copy()
    np.fill_diagonal(matrix, 0)
    a, b = np.unravel_index(int(matrix.argmax()), matrix.shape)
    pair = tab.locator("#seg-matrix .pairs button").first
    expect(pair).to_contain_text(f"{view.names[a]} → {view.names[b]}")
    pair.click()
    expect_images(tab, view, {"kind": "cell", "true": int(a), "predicted": int(b)})
    expect(tab.locator("#seg-gallery .head")).to_contain_text(view.names[b])


def test_pictures_by_loss_and_as_a_file(tab, view, tmp_path):
    tab.locator("#seg-sort input").click()
    tab.get_by_role("option").nth(explore.ORDERS.index("loss_image_dice")).click()
    expect_images(tab, view, {"kind": "all"}, "loss_image_dice")
    with tab.expect_download() as download:
        tab.locator("#seg-csv").click()
    download.value.save_as(tmp_path / "list.csv")
    rows = list(csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8")))
    assert len(rows) == len(view.index)
    chosen = explore.selected(view, {"kind": "all"}, "loss_image_dice")
    assert [r["image"] for r in rows] == [view.ids[i] for i in chosen.images]


@pytest.mark.parametrize("kind", ["Dice by class", "IoU of images", "IoU and Dice", "By size", "By brightness"])
def test_other_charts(tab, kind):
    tab.locator("#seg-kind").get_by_text(kind, exact=True).click()
    expect(tab.locator("#seg-chart .js-plotly-plot .trace, #seg-chart .js-plotly-plot .point").first).to_be_attached()


def test_other_columns(tab):
    tab.locator("#seg-columns").get_by_text("Outlines").click()
    expect(tab.locator("#seg-table thead")).to_contain_text("Boundary F1")


def test_a_class_is_toggled_and_errors_are_opened(tab, view):
    tab.locator("#seg-gallery .pic").first.click()
    legend = tab.locator("#seg-compare .classes [data-class]")
    expect(legend.nth(1)).to_have_attribute("aria-pressed", "true")
    legend.nth(1).click()
    expect(legend.nth(1)).to_have_attribute("aria-pressed", "false")
    legend.nth(1).click()
    tab.locator("#seg-compare [data-mode=errors]").click()
    expect(tab.locator("#seg-compare section").nth(1).locator("[data-missed]")).to_be_visible()
    expect(tab.locator("#seg-compare [data-error]")).to_have_count(5)


def test_the_pointer_tells_class_confidence_and_truth(tab):
    pane = tab.locator("#seg-compare section").nth(1).locator("canvas.ground")
    pane.scroll_into_view_if_needed()
    box = pane.bounding_box()
    assert box is not None
    expect(tab.locator("#seg-compare section").nth(1).locator(".count")).to_contain_text("class")
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(tab.locator("#seg-compare section").nth(1).locator(".read")).to_contain_text("%")
    expect(tab.locator("#seg-compare section").nth(0).locator(".read")).to_be_visible()


def test_own_photos(tab):
    tab.locator("#seg-tabs").get_by_role("tab", name="Try on photos").click()
    tab.locator("#sph-examples").click()
    expect(tab.locator("#sph-view section")).to_have_count(3, timeout=60_000)
    expect(tab.locator("#sph-strip li")).to_have_count(12)
    tab.locator("#sph-strip button").nth(6).click()
    expect(tab.locator("#sph-view .name")).to_have_text("coffee.png")
    expect(tab.locator("#sph-view section")).to_have_count(2)


def test_masks_made_elsewhere_are_scored(tab, tmp_path):
    data = Scenes("semantic-segmentation")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, target in zip(data.ids, data.targets, strict=True):
            archive.writestr(f"{name}.png", encode(np.roll(target.class_ids, 1, axis=1)))  # type: ignore[union-attr]
    (tmp_path / "moved.zip").write_bytes(packed.getvalue())
    tab.locator("#seg-tabs").get_by_role("tab", name="New evaluation").click()
    tab.locator("#sev-demo input").click()
    tab.get_by_role("option", name="scenes").click()
    tab.locator("#sev-elsewhere input[type=file]").set_input_files(tmp_path / "moved.zip")
    tab.locator("#sev-run").click()
    tab.locator("#sev-show").click(timeout=120_000)
    expect(tab.locator("#seg-figures .models")).to_contain_text("moved")


def test_narrow_and_dark(browser, server):
    from tests.e2e.conftest import new_page

    page, problems = new_page(browser, viewport={"width": 390, "height": 844})
    page.goto(f"{server}/?__theme=dark")
    page.wait_for_selector("#cls-figures .card")
    page.locator("#tabs .overflow-menu > button").first.click()  # there is no room for every tab
    page.locator("#tabs .overflow-dropdown button", has_text="Segmentation").click()
    page.wait_for_selector("#seg-figures .card")
    page.wait_for_selector("#seg-compare canvas.ground")
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
    page.locator("#seg-table tbody tr").nth(4).click()
    expect(page.locator("#seg-gallery .reset")).to_be_in_viewport()  # the answer is seen
    assert not problems
    page.context.close()
