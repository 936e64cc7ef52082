"""The results tab: every number leads to the pictures behind it, and nothing reruns the model."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.datasets.digits import Digits
from dashboard.metrics.confusion import thresholded
from dashboard.selection import select
from dashboard.store import Run, Store
from tests.e2e.conftest import new_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(server: str, store: Path) -> Run:
    """The run that the page shows in its table, from the app's own store."""
    return next(r for r in Store(store).runs() if r.model == "digits_linear")


def count(page: Page) -> int:
    return int(page.locator("#cls-gallery .n").get_attribute("data-count") or -1)


def set_slider(page: Page, value: int) -> None:
    page.locator("#cls-matrix input[type=range]").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def shown(page: Page, stat: str) -> float:
    text = page.locator(f"#cls-matrix .sum [data-stat={stat}] b").inner_text()
    return float(text.rstrip(" %"))


def test_opens_on_two_finished_models(page: Page, run: Run) -> None:
    expect(page.locator("#cls-figures .models b")).to_have_text(["digits_linear", "digits_cnn"])
    first = page.locator("#cls-figures [data-metric=top1] .v b").first
    assert float(first.inner_text()) == pytest.approx(run.metrics["top1"], abs=5e-4)
    assert count(page) == 597
    assert page.locator("#cls-table tbody tr").count() == 10


def test_matrix_pair_shows_exactly_its_images(page: Page, run: Run) -> None:
    button = page.locator("#cls-matrix .pairs button").first
    n = int(button.locator("b").inner_text())
    true, predicted = re.findall(r"(\d) → (\d)", button.inner_text())[0]
    button.click()
    expect(page.locator("#cls-gallery .head")).to_contain_text(f"True “{true}”, predicted “{predicted}”")
    rows = select(run, {"kind": "cell", "true": int(true), "predicted": int(predicted)}, "cross_entropy")
    ids = [p.get_attribute("data-id") for p in page.locator("#cls-gallery .pic").all()]
    assert count(page) == n == len(rows)
    assert ids == rows["id"].tolist()[:24]
    page.locator("#cls-gallery .reset").click()
    expect(page.locator("#cls-gallery .n")).to_have_attribute("data-count", "597")


def test_matrix_cell_click_on_the_canvas(page: Page, run: Run) -> None:
    counts = run.results()["confusion.confusion"].counts  # type: ignore[union-attr]
    box = page.locator("#cls-matrix canvas").bounding_box()
    assert box is not None
    # the first diagonal cell, found by its tooltip
    for dx in range(30, 90, 6):
        page.mouse.move(box["x"] + dx, box["y"] + 18)
        tip = page.locator("#cls-matrix .tip")
        if tip.is_visible() and "true 0 → 0" in tip.inner_text().replace("\n", " "):
            break
    page.mouse.click(box["x"] + dx, box["y"] + 18)
    expect(page.locator("#cls-gallery .head")).to_contain_text("True “0”, predicted “0”")
    assert count(page) == counts[0, 0]


def test_threshold_recomputes_in_the_browser_as_python_does(page: Page, run: Run) -> None:
    """The same numbers as the reference in Python, and not one request to the server."""
    rows = select(run)
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if "queue" in r.url or "run" in r.url else None)
    for step in (0, 500, 800, 951, 1000):
        set_slider(page, step)
        page.wait_for_timeout(120)
        args = rows["label"].to_numpy(), rows["predicted"].to_numpy(), rows["confidence"].to_numpy()
        counts, rates = thresholded(*args, step / 1000, 10)
        accepted = counts[:, :10].sum()
        assert shown(page, "accepted") == pytest.approx(100 * accepted / 597, abs=0.06)
        f1 = [0.0 if f != f else f for f in rates["f1"]]
        assert shown(page, "f1_macro") == pytest.approx(sum(f1) / 10, abs=6e-4)
        recall = [0.0 if r != r else r for r in rates["recall"]]
        assert shown(page, "recall_macro") == pytest.approx(sum(recall) / 10, abs=6e-4)
    assert requests == []


def test_class_row_curve_and_its_threshold(page: Page, run: Run) -> None:
    page.locator("#cls-table tbody tr[data-row='8']").click()
    expect(page.locator("#cls-gallery .head")).to_contain_text("Class “8”")
    assert count(page) == len(select(run, {"kind": "class", "class": 8}))
    expect(page.locator("#cls-matrix .mark")).to_have_count(2)  # Youden and best F1
    expect(page.locator("#cls-chart .legend")).to_contain_text("digits_linear · 8")
    set_slider(page, 300)
    cells = {
        c: len(select(run, {"kind": "one", "class": 8, "cell": c, "threshold": 0.3})) for c in ("tp", "fp", "fn", "tn")
    }
    page.wait_for_timeout(120)
    precision = cells["tp"] / (cells["tp"] + cells["fp"])
    assert shown(page, "precision") == pytest.approx(precision, abs=6e-4)
    assert shown(page, "recall") == pytest.approx(cells["tp"] / (cells["tp"] + cells["fn"]), abs=6e-4)
    box = page.locator("#cls-matrix canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 300, box["y"] + 90)  # false negatives: top right
    expect(page.locator("#cls-gallery .head")).to_contain_text("missed (FN)")
    assert count(page) == cells["fn"]


def test_curve_point_shows_what_it_accepts(page: Page, run: Run) -> None:
    page.locator("#cls-table tbody tr[data-row='1']").click()
    expect(page.locator("#cls-chart .legend")).to_contain_text("digits_linear · 1")
    point = page.locator("#cls-chart .scatterlayer .points path").first  # a mark: Youden's point
    point.hover(force=True)
    point.click(force=True)
    expect(page.locator("#cls-gallery .head")).to_contain_text("Score for “1” ≥")
    threshold = float(re.findall(r"≥ ([\d.]+)", page.locator("#cls-gallery .head").inner_text())[0])
    lower, upper = (len(select(run, {"kind": "score", "class": 1, "threshold": threshold + d})) for d in (5e-4, -5e-4))
    assert lower <= count(page) <= upper


def test_histogram_bar(page: Page, run: Run) -> None:
    page.locator("#cls-kind label", has_text="Confidence").click()
    bars = page.locator("#cls-chart .bars path")
    expect(bars).to_have_count(40)
    correct = {"kind": "confidence", "low": 0.95, "high": 1.0, "correct": True}
    bars.nth(19).click(force=True)  # the last of the correct ones
    expect(page.locator("#cls-gallery .head")).to_contain_text("Correct, confidence 0.95 to 1.00")
    assert count(page) == len(select(run, correct))


def test_sorting_errors_and_csv(page: Page, run: Run) -> None:
    page.locator("#cls-errors input").check()
    wrong = select(run, sort="cross_entropy", errors_only=True)
    expect(page.locator("#cls-gallery .n")).to_have_attribute("data-count", str(len(wrong)))
    page.locator("#cls-sort input").click()
    page.get_by_role("option", name="margin").click()
    margin = select(run, sort="margin", errors_only=True)
    expect(page.locator("#cls-gallery .pic").first).to_have_attribute("data-id", margin["id"].iloc[0])
    with page.expect_download() as download:
        page.locator("#cls-csv").click()
    with open(download.value.path(), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == margin["id"].tolist()
    assert all(r["label"] == r["label_name"] for r in rows)


def test_picture_opens_large_with_scores_and_losses(page: Page, run: Run) -> None:
    page.locator("#cls-gallery .pic").first.click()
    sheet = page.locator("#cls-detail .sheet")
    expect(sheet).to_be_visible()
    row = select(run, sort="cross_entropy").iloc[0]
    expect(sheet.locator(".top")).to_contain_text(row["id"])
    losses = sheet.locator("section").first.locator("dl")
    expect(losses).to_contain_text(f"{row['cross_entropy']:.3f}")
    expect(losses).to_contain_text(f"{row['margin']:.3f}")
    truth = Digits().targets[int(row["index"])]
    expect(sheet.locator("section").first.locator(".truth")).to_contain_text(str(truth))
    page.keyboard.press("ArrowRight")
    expect(sheet.locator(".top")).to_contain_text(select(run, sort="cross_entropy").iloc[1]["id"])
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_more_pictures_are_asked_for_only_on_demand(page: Page) -> None:
    expect(page.locator("#cls-gallery .pic")).to_have_count(24)
    page.locator("#cls-gallery .more").click()
    expect(page.locator("#cls-gallery .pic")).to_have_count(72)


def test_explanation_of_a_number(page: Page) -> None:
    page.locator("#cls-figures [data-explain=f1_macro]").click()
    pop = page.locator(".lp-pop")
    expect(pop).to_contain_text("Formula")
    expect(pop).to_contain_text("When it misleads")
    page.keyboard.press("Escape")
    expect(pop).to_have_count(0)


def test_focus_on_the_other_model(page: Page) -> None:
    before = page.locator("#cls-table tbody").inner_text()
    page.locator("#cls-focus label", has_text="digits_cnn").click()
    expect(page.locator("#cls-table tbody")).not_to_have_text(before)
    expect(page.locator("#cls-matrix .sum")).to_contain_text("0.97")


def test_traditional_chinese(browser: Browser, server: str) -> None:
    page, problems = new_page(browser, locale="zh-TW")
    page.goto(server)
    page.wait_for_selector("#cls-gallery .pic")
    expect(page.locator("#cls-figures")).to_contain_text("準確率")
    expect(page.get_by_role("tab", name="影像分類")).to_be_visible()
    page.locator("#cls-figures [data-explain=top1]").click()
    expect(page.locator(".lp-pop")).to_contain_text("公式")
    page.context.close()
    assert problems == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows(browser: Browser, server: str, width: int, scheme: str) -> None:
    """No sideways scrolling, no empty view, wide and narrow, light and dark."""
    page, problems = new_page(browser, viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(server)
    page.wait_for_selector("#cls-gallery .pic")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    for view in ("figures", "table", "chart", "matrix", "gallery"):
        box = page.locator(f"#cls-{view}").bounding_box()
        assert box is not None
        assert box["height"] > 80, view
    for card in page.locator("#cls-figures .card").all():
        assert card.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), card.inner_text()
    page.context.close()
    assert problems == []


def test_link_to_a_run(browser: Browser, server: str, run: Run) -> None:
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={run.id}")
    expect(page.locator("#cls-figures .models b")).to_have_text(["digits_linear"])
    page.context.close()
    assert problems == []
