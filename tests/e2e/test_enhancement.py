"""The enhancement tab: its first sight, and clicks that lead from a number to the pictures and maps behind it."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from dashboard.datasets.opening import open_dataset
from dashboard.explore import enhancement as explore
from dashboard.explore.enhancement.opened import Opened, opened
from dashboard.store import Store

pytestmark = pytest.mark.browser
MODELS = ("nearest", "bicubic", "lanczos", "photos_sr_x2")


@pytest.fixture
def tab(page: Page) -> Page:
    """The app with its enhancement tab open."""
    page.get_by_role("tab", name="Enhancement", exact=True).click()
    page.wait_for_selector("#enh-gallery .pic")
    page.wait_for_selector("#enh-compare canvas.ground")
    return page


@pytest.fixture
def views(store: Path) -> list[Opened]:
    """The runs as the page has them, the one in focus last."""
    runs = {r.model: r for r in Store(store).runs("enhancement") if r.dataset == "photos bicubic:2"}
    return [opened(runs[name]) for name in MODELS]


def expect_images(page: Page, views: list[Opened], order: str, focus: int = 3) -> None:
    """The gallery shows every image, in an order."""
    wanted = [views[focus].ids[i] for i in explore.selected(views, explore.ALL, order, focus).images]
    expect(page.locator("#enh-gallery .pic")).to_have_count(len(wanted))
    for place, identity in enumerate(wanted):
        expect(page.locator("#enh-gallery .pic").nth(place)).to_have_attribute("data-id", identity)


def test_first_sight_compares_four_methods(tab: Page, views: list[Opened]) -> None:
    cards = tab.locator("#enh-figures .card")
    expect(cards.first).to_have_attribute("data-metric", "psnr")
    expect(cards.first.locator(".v")).to_have_count(4)
    expect(cards.first.locator(".v.best b")).to_have_text(f"{views[3].run.metrics['psnr']:.2f}")
    assert views[3].run.metrics["psnr"] > max(v.run.metrics["psnr"] for v in views[:3])  # this project's own is best
    expect(tab.locator("#enh-recipe")).to_contain_text("MATLAB's imresize")
    panes = tab.locator("#enh-compare section")
    expect(panes).to_have_count(6)
    for place, name in enumerate(("Input", "Reference", *MODELS)):
        expect(panes.nth(place).locator("header > b")).to_contain_text(name)
    rows = tab.locator("#enh-conventions tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("as published tables")
    expect(rows.first).to_contain_text(f"{views[3].run.metrics['psnr_y']:.2f}")
    expect(tab.locator("#enh-table tbody tr")).to_have_count(7)
    expect_images(tab, views, "enh_l2")


def test_a_row_and_a_card_open_their_picture(tab: Page, views: list[Opened]) -> None:
    name = tab.locator("#enh-compare .name")
    tab.locator("#enh-table tbody tr", has_text="moon.png").click()
    expect(name).to_have_text("moon.png")
    at = views[3].ids.index("moon.png")
    number = tab.locator("#enh-compare section").nth(5).locator("[data-number=psnr] b")
    expect(number).to_have_text(f"{views[3].columns['psnr'][at]:.2f} dB")
    tab.locator('#enh-gallery .pic[data-id="coins.png"]').click()
    expect(name).to_have_text("coins.png")


def test_orders_and_the_list_as_a_file(tab: Page, views: list[Opened], tmp_path: Path) -> None:
    tab.locator("#enh-sort input").click()
    tab.get_by_role("option", name="SSIM loss").click()
    expect_images(tab, views, "ssim_loss")
    with tab.expect_download() as download:
        tab.locator("#enh-csv").click()
    download.value.save_as(tmp_path / "list.csv")
    rows = list(csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8")))
    chosen = explore.selected(views, explore.ALL, "ssim_loss", 3).images
    assert [r["image"] for r in rows] == [views[3].ids[i] for i in chosen]
    assert float(rows[0]["psnr_y"]) == pytest.approx(views[3].columns["psnr_y"][chosen[0]])


def test_the_perceptual_order_is_there_with_its_reason(tab: Page) -> None:
    tab.locator("#enh-sort input").click()
    option = tab.get_by_role("option", name="Perceptual")
    if "not here" not in option.inner_text():
        pytest.skip("VGG19's weights are in this machine's cache")
    option.click()
    expect(tab.locator(".toast-body")).to_contain_text("VGG19")


@pytest.mark.parametrize("kind", ["Distribution", "Every image", "Model against model"])
def test_charts(tab: Page, kind: str) -> None:
    tab.locator("#enh-kind").get_by_text(kind, exact=True).click()
    expect(tab.locator("#enh-chart .js-plotly-plot .trace, #enh-chart .js-plotly-plot .point").first).to_be_attached()


def test_another_run_in_focus(tab: Page, views: list[Opened]) -> None:
    tab.locator("#enh-focus").get_by_text("nearest").click()
    expect(tab.locator("#enh-gallery .head")).to_contain_text("nearest")
    expect_images(tab, views, "enh_l2", focus=0)
    tab.locator("#enh-columns").get_by_text("Losses").click()
    expect(tab.locator("#enh-table thead")).to_contain_text("Charbonnier")


def test_the_slider_is_dragged_a_map_opened_and_zoomed(tab: Page) -> None:
    view = tab.locator("#enh-compare")
    view.locator("[data-mode=ssim]").click()
    expect(view.locator(".legend")).to_be_visible()
    pane = view.locator("section").nth(5).locator("canvas.ground")
    pane.scroll_into_view_if_needed()
    pane.hover(position={"x": 90, "y": 90})
    expect(view.locator("section").nth(5).locator(".read")).to_be_visible()
    reading = view.locator("section").nth(5).locator(".read [data-value]").inner_text()
    assert 0 <= float(reading) <= 1
    before = view.locator("[data-zoom=fit]").inner_text()
    tab.mouse.wheel(0, -600)
    expect(view.locator("[data-zoom=fit]")).not_to_have_text(before)
    view.locator("[data-mode=picture]").click()
    view.locator("[data-layout=slider]").click()
    knob = view.locator(".knob")
    expect(knob).to_have_attribute("aria-valuenow", "50")
    box = view.locator(".view").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2, steps=4)
    tab.mouse.up()
    expect(knob).to_have_attribute("aria-valuenow", "20")


def test_own_photos(tab: Page) -> None:
    tab.locator("#enh-tabs").get_by_role("tab", name="Try on photos").click()
    tab.locator("#eph-examples").click()
    expect(tab.locator("#eph-view section")).to_have_count(5, timeout=60_000)
    expect(tab.locator("#eph-strip li")).to_have_count(7)
    tab.locator("#eph-strip button").nth(2).click()
    expect(tab.locator("#eph-view .name")).to_have_text("coins.png")
    tab.locator("#eph-kind").get_by_text("Noise", exact=True).click()
    expect(tab.locator("#eph-models")).to_contain_text("photos_denoise")
    tab.locator("#eph-go").click()
    expect(tab.locator("#eph-view section").nth(4).locator("header > b")).to_contain_text(
        "photos_denoise", timeout=60_000
    )
    best = tab.locator("#eph-view section").nth(4).locator("[data-number=psnr]")
    expect(best).to_have_class("best")


def test_pictures_made_elsewhere_are_scored(tab: Page, tmp_path: Path) -> None:
    data = open_dataset("demo:photos", task="enhancement")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for identity, target in zip(data.ids, data.targets, strict=True):
            soft = cv2.GaussianBlur(np.ascontiguousarray(target.rgb[..., ::-1]), (0, 0), 1)
            archive.writestr(f"{Path(identity).stem}_soft.png", cv2.imencode(".png", soft)[1].tobytes())
    (tmp_path / "softened.zip").write_bytes(packed.getvalue())
    tab.locator("#enh-tabs").get_by_role("tab", name="New evaluation").click()
    tab.locator("#eev-demo input").click()
    tab.get_by_role("option", name="photos").click()
    tab.locator("#eev-elsewhere input[type=file]").set_input_files(tmp_path / "softened.zip")
    tab.locator("#eev-run").click()
    tab.locator("#eev-show").click(timeout=120_000)
    expect(tab.locator("#enh-figures .models")).to_contain_text("softened")


def test_a_new_evaluation_with_a_degradation(tab: Page) -> None:
    tab.locator("#enh-tabs").get_by_role("tab", name="New evaluation").click()
    tab.locator("#eev-demo input").click()
    tab.get_by_role("option", name="photos").click()
    tab.locator("#eev-degrade input").click()
    tab.get_by_role("option", name="noise:25").click()
    tab.locator("#eev-models input").click()
    tab.get_by_role("option", name="identity").click()
    tab.keyboard.press("Escape")
    tab.locator("#eev-run").click()
    tab.locator("#eev-show").click(timeout=120_000)
    expect(tab.locator("#enh-figures .models")).to_contain_text("photos noise:25")
    expect(tab.locator("#enh-recipe")).to_contain_text("standard deviation 25")


def test_narrow_and_dark(browser, server) -> None:
    from tests.e2e.conftest import new_page

    page, problems = new_page(browser, viewport={"width": 390, "height": 844})
    page.goto(f"{server}/?__theme=dark")
    page.wait_for_selector("#cls-figures .card")
    page.locator("#tabs .overflow-menu > button").first.click()  # there is no room for every tab
    page.locator("#tabs .overflow-dropdown button", has_text="Enhancement").click()
    page.wait_for_selector("#enh-figures .card")
    page.wait_for_selector("#enh-compare canvas.ground")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.locator("#enh-table tbody tr").nth(4).click()
    expect(page.locator("#enh-compare .name")).to_be_in_viewport()  # the answer is seen
    assert not problems
    page.context.close()
