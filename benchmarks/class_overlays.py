"""Class maps of 1080p in the browser: milliseconds to colour them anew after a class is switched, and bytes sent.

The peer is the usual way: Python blends the colours with the picture (``cv2.addWeighted``) and encodes it anew, for
every pane and every change, before any of it is sent. Frames are not held back to the screen's rate.

    .venv/bin/python benchmarks/class_overlays.py [--panes 4] [--classes 19]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from benchmarks.compare_view import UNCAPPED  # noqa: E402
from dashboard.explore.class_overlays import map_pane, map_payload  # noqa: E402
from dashboard.views import STATIC, CompareView  # noqa: E402
from dashboard.views.strings import I18N  # noqa: E402
from tests.e2e.conftest import ARGUMENTS, chromium  # noqa: E402

HEIGHT, WIDTH = 1080, 1920
DRIVE = """async ([what, steps]) => {
  const root = document.querySelector(".lp-compare"), times = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const canvas = root.querySelector("canvas.ground"), r = canvas.getBoundingClientRect();
  const wheel = { clientX: r.x + 0.4 * r.width, clientY: r.y + 0.6 * r.height, bubbles: true, cancelable: true };
  await frame(); await frame();
  for (let k = 0; k < steps; k++) {
    const start = performance.now();
    if (what === "toggle") root.querySelectorAll("[data-class]")[k % 10].click();
    if (what === "errors") root.querySelectorAll("[data-class]")[k % 10].click();
    if (what === "zoom") canvas.dispatchEvent(new WheelEvent("wheel", { ...wheel, deltaY: k % 40 < 20 ? -40 : 40 }));
    if (what === "opacity") {
      const slider = root.querySelector("[data-opacity]");
      slider.value = (k % 20) / 20; slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await frame(); await frame();
    if (k >= 5) times.push(performance.now() - start);
  }
  return [times, [...root.querySelectorAll("canvas.ground")].map((c) => `${c.width} x ${c.height}`)]; }"""


def regions(classes: int, seed: int) -> np.ndarray:
    """A map of wavy regions, seeded."""
    rng = np.random.default_rng(seed)
    height = cv2.resize(rng.random((9, 16)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.random((60, 107)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip((height + 0.06 * fine) * classes, 0, classes - 1).astype(np.uint8)


def usual(picture: np.ndarray, ids: np.ndarray, colours: np.ndarray, how: str) -> float:
    """Seconds to blend and encode one pane in Python, the median of seven."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        blended = cv2.addWeighted(picture, 0.45, cv2.LUT(cv2.merge([ids] * 3), colours), 0.55, 0)
        cv2.imencode(how, blended)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def drive(page: Page, what: str, steps: int = 45) -> tuple[list[float], list[str]]:
    """Milliseconds from a change to the frame that shows it, and the panes' sizes."""
    found: Any = page.evaluate(DRIVE, [what, steps])
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panes", type=int, default=4)
    parser.add_argument("--classes", type=int, default=19)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (60, 107, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    maps = [regions(options.classes, k) for k in range(options.panes)]
    names = [f"class {k}" for k in range(options.classes)]
    titles = ["ui.cmp.truth", *(f"model {k}" for k in range(1, options.panes))]
    start = time.perf_counter()
    panes = [map_pane(t, ids, longest=WIDTH) for t, ids in zip(titles, maps, strict=True)]
    seconds = time.perf_counter() - start
    value = map_payload("k", "waves", picture, panes, names, longest=WIDTH)
    sent = statistics.mean(len(p["map"]) for p in panes)
    probabilities = 4 * HEIGHT * WIDTH * options.classes
    print(f"{options.panes} maps of {WIDTH} x {HEIGHT}, {options.classes} classes, no GPU")
    print(f"made in {1e3 * seconds / options.panes:.1f} ms a map; {sent / 1e3:.0f} kB sent a map", end=", ")
    print(f"{probabilities / sent:.0f}x less than float32 probabilities, {HEIGHT * WIDTH / sent:.0f}x than raw bytes")
    with gr.Blocks(analytics_enabled=False, fill_width=True) as blocks:
        CompareView(value)
    script, css = (STATIC / "loupe.js").read_text("utf-8"), (STATIC / "loupe.css").read_text("utf-8")
    _, address, _ = blocks.launch(
        css=css, head=f"<script>{script}</script>", i18n=I18N, ssr_mode=False, quiet=True, prevent_thread_lock=True
    )
    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *UNCAPPED])
        page = browser.new_page(viewport={"width": 1920, "height": 1200})
        page.goto(address)
        page.wait_for_selector(".lp-compare [data-class]")
        page.wait_for_timeout(2500)
        for what in ("toggle", "opacity", "zoom"):
            found[what], sizes = drive(page, what)
        page.locator("[data-mode=errors]").click()
        found["errors"], _ = drive(page, "errors")
        browser.close()
    print(f"panes on the screen: {', '.join(sizes)}; from a change to the frame that shows it, all panes:")
    words = {"toggle": "a class switched", "opacity": "opacity moved", "zoom": "zoomed", "errors": "errors of a class"}
    for what, times in found.items():
        middle, high = statistics.median(times), sorted(times)[int(0.95 * len(times))]
        print(f"  {words[what]:20}{middle:6.1f} ms, {middle / options.panes:5.1f} ms a pane (95 %: {high:.1f} ms)")
    colours = rng.integers(0, 256, (1, 256, 3), np.uint8)
    ours = statistics.median(found["toggle"]) / options.panes
    for how in (".jpg", ".png"):
        theirs = 1e3 * usual(picture, maps[0], colours, how)
        print(
            f"blended in Python and encoded as {how[1:]}: {theirs:.1f} ms a pane, {theirs / ours:.1f}x as long (unsent)"
        )
    blocks.close()


if __name__ == "__main__":
    main()
