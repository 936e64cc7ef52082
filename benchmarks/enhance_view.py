"""The enhancement view with six panes of 1080p pictures: milliseconds a frame while zooming, panning and sliding.

Frames are not held back to the screen's rate, so that their cost is seen. Opening a map is timed from the click until
it is on the screen: errors of every pixel are computed, and the end of the scale found. Without a GPU.

    .venv/bin/python benchmarks/enhance_view.py [--width 1920] [--height 1080]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from dashboard.explore.enhance_panes import model_pane, payload, plain_pane  # noqa: E402
from dashboard.metrics.enhancement.measured import measure  # noqa: E402
from dashboard.types import EnhancedImage  # noqa: E402
from tests.e2e.conftest import ARGUMENTS, chromium  # noqa: E402
from tests.e2e.enhance_page import build, launch  # noqa: E402

UNCAPPED = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]
FRAME = "const frame = () => new Promise((done) => requestAnimationFrame(done));"
DRIVE = f"""async ([how, steps]) => {{
  {FRAME}
  const root = document.querySelector("#view .lp-enhance"), s = root.querySelector("canvas.ground");
  const r = s.getBoundingClientRect(), knob = root.querySelector(".knob"), times = [];
  const at = {{ clientX: r.x + 0.4 * r.width, clientY: r.y + 0.6 * r.height, bubbles: true, cancelable: true }};
  const key = (target, name) => target.dispatchEvent(new KeyboardEvent("keydown", {{ key: name, bubbles: true }}));
  await frame(); await frame(); let last = performance.now();
  for (let k = 0; k < steps; k++) {{
    if (how === "zoom") s.dispatchEvent(new WheelEvent("wheel", {{ ...at, deltaY: k % 60 < 30 ? -60 : 60 }}));
    else if (how === "slide") key(knob, k % 80 < 40 ? "ArrowRight" : "ArrowLeft");
    else if (how === "pan") key(s, k % 20 < 10 ? "ArrowRight" : "ArrowLeft");
    else s.dispatchEvent(new PointerEvent("pointermove", {{ ...at, clientX: at.clientX + k, pointerId: 1 }}));
    await frame(); const now = performance.now(); if (k >= 5) times.push(now - last); last = now;
  }}
  return times; }}"""
MAP = f"""async (mode) => {{
  {FRAME}
  const start = performance.now(); document.querySelector(`#view [data-mode=${{mode}}]`).click();
  await frame(); await frame(); return performance.now() - start; }}"""


def pictures(height: int, width: int) -> dict:
    """The value of the view: a picture with detail at every scale, made noisy, and four answers."""
    rng = np.random.default_rng(0)
    truth = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64, 256):
        coarse = rng.uniform(-60, 60, (max(2, height * cells // width), cells, 3)).astype(np.float32)
        truth += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / np.sqrt(cells / 4)
    clean = np.clip(truth + 128, 0, 255).astype(np.uint8)
    noisy = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
    panes = [
        plain_pane("ui.ev.input", "input", EnhancedImage(noisy)),
        plain_pane("ui.ev.reference", "reference", EnhancedImage(clean)),
    ]
    for k in range(1, 5):
        found: np.ndarray = cv2.GaussianBlur(noisy, (0, 0), 0.5 * k)
        panes.append(model_pane(f"blur {k}", EnhancedImage(found), clean, measure(found, clean)))
    return payload("k", "made.png", panes, (height, width))


def drive(page: Page, how: str, steps: int = 125) -> list[float]:
    """Milliseconds of each frame."""
    times: list[float] = page.evaluate(DRIVE, [how, steps])
    return times


def text(times: list[float]) -> str:
    return f"{statistics.median(times):6.1f} ms (95 %: {sorted(times)[int(0.95 * len(times))]:.1f} ms)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    options = parser.parse_args()
    value = pictures(options.height, options.width)
    size = sum(len(p["image"]) + len(p.get("maps", {}).get("ssim", "")) for p in value["panes"])
    blocks = build({"big": value})
    address = launch(blocks)
    print(f"six panes of {options.width} x {options.height}, {size / 1e6:.0f} MB of PNG, no GPU")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *UNCAPPED])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function("document.querySelectorAll('#view .save:not([hidden])').length === 6", timeout=120_000)
        print(f"from opening the page until all pictures are there: {time.perf_counter() - start:.1f} s")
        page.wait_for_timeout(1500)
        print(f"{'zooming six pictures':36}{text(drive(page, 'zoom'))}")
        page.evaluate("document.querySelector('#view [data-zoom=fit]').click()")
        page.evaluate("document.querySelector('#view [data-zoom=in]').click()")
        print(f"{'panning six pictures':36}{text(drive(page, 'pan'))}")
        print(f"{'pointing, values in six panes':36}{text(drive(page, 'point'))}")
        for mode in ("ssim", "absolute", "squared", "difference"):
            print(f"{f'opening the map {mode} (4 panes)':36}{page.evaluate(MAP, mode):6.0f} ms")
        print(f"{'panning maps':36}{text(drive(page, 'pan'))}")
        page.evaluate("document.querySelector('#view [data-mode=picture]').click()")
        page.evaluate("document.querySelector('#view [data-zoom=fit]').click()")
        page.evaluate("document.querySelector('#view [data-layout=slider]').click()")
        page.wait_for_selector("#view .knob")
        print(f"{'moving the slider':36}{text(drive(page, 'slide'))}")
        print(f"{'zooming under the slider':36}{text(drive(page, 'zoom'))}")
        browser.close()
    blocks.close()


if __name__ == "__main__":
    main()
