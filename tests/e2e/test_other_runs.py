"""Runs unlike the default one open as well: multi-label, answers without scores, hostile names, a thousand classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from dashboard.store import Store
from tests.e2e.conftest import new_page
from tests.test_tabs import stored

pytestmark = pytest.mark.browser
HOSTILE = ["<img src=x onerror=window.pwned=1>", "${window.pwned=1}", "{{constructor}}", "<a href='//x'>a</a> %{x} $&"]


@pytest.fixture(scope="module")
def runs(store: Path, server: str) -> dict[str, str]:
    """Run ids by kind, put into the store of the running app."""
    rng, home = np.random.default_rng(0), Store(store)
    several = stored(home, "several", rng.random((40, 4)).astype(np.float32), rng.random((40, 4)) < 0.4, list("abcd"))
    one_hot = rng.dirichlet(np.full(4, 0.2), 30).astype(np.float32)
    hostile = stored(home, "hostile", one_hot, rng.integers(0, 4, 30), HOSTILE)
    scores = rng.dirichlet(np.full(1000, 0.01), 3000).astype(np.float32)
    best = scores.argmax(1)
    labels = best + (rng.random(3000) < 0.2) * (best < 999)  # a fifth is taken for the class before
    many = stored(home, "many", scores, labels, [f"class {k}" for k in range(1000)])
    return {"several": several.id, "hostile": hostile.id, "many": many.id}


def test_multilabel_run(browser: Browser, server: str, runs: dict[str, str]) -> None:
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={runs['several']}")
    expect(page.locator("#cls-figures [data-metric=map]")).to_be_visible()
    expect(page.locator("#cls-gallery .pic")).to_have_count(24)
    expect(page.locator("#cls-matrix .sum")).to_contain_text("Pick a class")
    page.locator("#cls-table tbody tr[data-row='1']").click()
    expect(page.locator("#cls-matrix .mark")).to_have_count(2)
    expect(page.locator("#cls-gallery .head")).to_contain_text("in the truth")
    expect(page.locator(".toast-body")).to_have_count(0)
    page.context.close()
    assert problems == []


def test_hostile_names_are_only_text(browser: Browser, server: str, runs: dict[str, str]) -> None:
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={runs['hostile']}")
    expect(page.locator("#cls-table tbody th").first).to_have_text(HOSTILE[0])
    for row in range(4):
        page.locator(f"#cls-table tbody tr[data-row='{row}']").click()
        expect(page.locator("#cls-gallery .head")).to_contain_text(HOSTILE[row])
        expect(page.locator("#cls-chart .legendtext").first).to_contain_text(HOSTILE[row])
    page.locator("#cls-gallery .pic").first.click()
    expect(page.locator("#cls-detail .sheet")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#cls-matrix canvas").scroll_into_view_if_needed()
    box = page.locator("#cls-matrix canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#cls-chart a, #cls-figures img, #cls-table img").count() == 0
    page.context.close()
    assert problems == []


def test_a_thousand_classes(browser: Browser, server: str, runs: dict[str, str]) -> None:
    """The most confused pair is among the classes that are shown, and the whole matrix can be walked."""
    page, problems = new_page(browser)
    page.goto(f"{server}/?run={runs['many']}")
    pair = page.locator("#cls-matrix .pairs button").first
    n = pair.locator("b").inner_text()
    pair.click()
    expect(page.locator("#cls-gallery .n")).to_have_attribute("data-count", n)
    page.locator("#cls-matrix [data-to=every]").click()
    page.locator("#cls-matrix canvas").scroll_into_view_if_needed()
    box = page.locator("#cls-matrix canvas").bounding_box()
    assert box is not None
    for k in range(20):
        page.mouse.move(box["x"] + 100 + 5 * k, box["y"] + 100 + 5 * k)
    expect(page.locator("#cls-matrix .tip")).to_be_visible()
    page.context.close()
    assert problems == []
