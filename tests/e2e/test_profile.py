"""Speed and cost in the browser: an invitation, gauges, a reload, layers, faster ways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.explore.profiling.opened import Opened, opened
from dashboard.store import Store

pytestmark = pytest.mark.browser
TAB = "Speed and cost"
LONG = 300_000  # ms; a machine with other work measures slowly


def open_tab(page: Page) -> None:
    page.get_by_role("tab", name=TAB, exact=True).click()
    expect(page.locator("#prf-go")).to_be_visible()


def open_inner(page: Page, name: str) -> None:
    page.locator("#prf-tabs").get_by_role("tab", name=name, exact=True).click()


def newest(store: Path) -> Opened:
    return opened(Store(store).runs("profile")[0])


@pytest.fixture
def measured(page: Page, store: Path) -> Opened:
    """A page that shows the small model's profile; the first test measures it."""
    open_tab(page)
    if not Store(store).runs("profile"):
        expect(page.locator("#prf-none")).to_contain_text("Nothing has been measured yet")
        expect(page.locator("#prf-tabs")).to_be_hidden()
        page.locator("#prf-go").click()
        state = page.locator("#prf-progress .state")
        expect(state).to_have_attribute("data-state", "running", timeout=60_000)
        expect(page.locator("#prf-gauge [data-gauge=latency_ms]")).to_have_attribute(
            "data-value", re.compile(r"\d"), timeout=60_000
        )
        page.reload()
        page.wait_for_selector("#cls-gallery .pic")
        open_tab(page)
        expect(state).to_have_attribute("data-state", "done", timeout=LONG)
        found = newest(store).run.metrics  # gauges end at what the cards say
        for kind, metric in (("latency_ms", "latency_ms"), ("fps", "throughput_per_s")):
            gauge = page.locator(f"#prf-gauge [data-gauge={kind}]")
            expect(gauge).to_have_attribute("data-value", str(found[metric]))
            expect(gauge).to_contain_text("digits_cnn")
    expect(page.locator("#prf-figures .models b")).to_have_text(["digits_cnn"])
    return newest(store)


def test_a_model_is_measured_while_gauges_follow(measured: Opened, page: Page) -> None:
    expect(page.locator("#prf-none")).to_be_hidden()
    assert measured.profile.params is not None
    assert measured.usual is not None
    params = page.locator("#prf-figures .card[data-metric=params]")
    expect(params).to_contain_text(f"{measured.profile.params:,}")
    latency = page.locator("#prf-figures .card[data-metric=latency_percentiles] .v b")
    expect(latency).to_have_text(f"{float(format(measured.usual.latency_ms['p50'], '.3g')):g} ms")
    for chart in ("stages", "throughput", "start", "memory"):
        expect(page.locator(f"#prf-{chart} .js-plotly-plot .plot-container").first).to_be_visible()
    params.locator("[data-explain]").click()
    expect(page.locator(".lp-pop")).to_contain_text("BN: 2·C")
    label, zone = (page.locator(f"#prf-weights {part}").bounding_box() for part in ("label", "button"))
    assert label is not None
    assert zone is not None
    assert label["y"] + label["height"] <= zone["y"] + 1  # it lies over nothing


def test_rings_and_rows_lead_to_a_layers_formula(measured: Opened, page: Page) -> None:
    open_inner(page, "Layers")
    layers = measured.profile.layers
    rows = page.locator("#prf-layers tbody tr")
    expect(rows).to_have_count(len(layers))
    largest = max(range(len(layers)), key=lambda k: layers[k].macs)
    expect(rows.nth(largest)).to_have_class("on")
    first = layers[0]
    rows.first.click()
    kh, kw, cin, cout = (first.terms[k] for k in ("kh", "kw", "cin", "cout"))
    formula = page.locator("#prf-formula")
    expect(formula).to_contain_text(f"{kh}·{kw}·{cin}·{cout}·{first.terms['hout']}·{first.terms['wout']}")
    expect(formula).to_contain_text(f"{first.macs:,}")
    linear = next(k for k, layer in enumerate(layers) if layer.rule == "linear")
    legend = page.locator("#prf-tree .legendtext")
    expect(legend.first).to_have_text("convolution")
    page.get_by_role("radio", name="by parameters").click()
    expect(legend.filter(has_text="normalisation")).to_have_count(1)
    sector = page.locator("#prf-tree .sunburstlayer g.slice", has_text=f"{layers[linear].path} · Linear").last
    sector.locator("path").click(force=True)
    expect(rows.nth(linear)).to_have_class("on")
    expect(formula).to_contain_text(f"{layers[linear].terms['nin']}·{layers[linear].terms['nout']}")
    page.locator("#prf-layers thead button", has_text="MACs").click()
    expect(rows.first).to_contain_text(f"{layers[largest].macs:,}")
    formula.locator("[data-explain]").click()
    expect(page.locator(".lp-pop")).to_contain_text("Nin·Nout")


def test_faster_ways_stand_beside_their_accuracy(measured: Opened, page: Page) -> None:
    open_inner(page, "Faster ways")
    rows = page.locator("#prf-ways tbody tr")
    expect(rows).to_have_count(len(measured.profile.variants))
    expect(rows.first).to_contain_text("plain fp32")
    plain = measured.plain
    assert plain is not None
    assert plain.accuracy["top1"] is not None
    expect(rows.first).to_contain_text(f"{plain.accuracy['top1']:.3g}")
    expect(page.locator("#prf-bars .js-plotly-plot .bars path").first).to_be_attached()
    expect(page.locator("#prf-more .js-plotly-plot .scatterlayer .point").first).to_be_attached()
    open_inner(page, "How it was measured")
    expect(page.locator("#prf-how")).to_contain_text("Warmed up")


def test_what_cannot_be_measured_is_said_in_place(measured: Opened, page: Page) -> None:
    page.locator("#prf-size").get_by_role("textbox").fill("large")
    page.locator("#prf-go").click()
    expect(page.get_by_text("is not HEIGHTxWIDTH in pixels")).to_be_visible()
    expect(page.locator("#prf-figures .models b")).to_have_text([measured.label])
