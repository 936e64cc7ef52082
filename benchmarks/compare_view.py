"""The compare view with 500 boxes and masks in each of four panes: milliseconds a frame while zooming and filtering.

The peer, in the same browser and run, draws the same boxes and labels (no masks) the usual way: an SVG over the
picture, written anew at every change. Frames are not held back to the screen's rate, so that their cost is seen.
Gradio's own ``gr.AnnotatedImage`` has no zoom and no filter; what it needs on the server for one pane is printed too.

    .venv/bin/python benchmarks/compare_view.py [--boxes 500] [--panes 4]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from dashboard import masks  # noqa: E402
from dashboard.explore.overlays import pane, picture_payload  # noqa: E402
from dashboard.types import Detections  # noqa: E402
from dashboard.views import STATIC, CompareView  # noqa: E402
from dashboard.views.strings import I18N  # noqa: E402
from tests.e2e.conftest import ARGUMENTS, chromium  # noqa: E402

HEIGHT, WIDTH = 1080, 1920
UNCAPPED = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]
PEER = r"""
const root = element.querySelector(".peer"), v = props.value, colors = ["#f97316", "#22c55e", "#3b82f6", "#e11d48"];
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
let view = [0, 0, v.width, v.height], t = 0.25;
root.innerHTML = `<input type="range" min="0" max="1" step="0.01" value="0.25">
  <div class="grid">${v.panes.map(() => "<svg></svg>").join("")}</div>`;
const object = (p, j, k) => {
  const [x, y, right, bottom] = p.xyxy[j], color = colors[p.class[j] % 4];
  return p.score[j] < t ? "" : `<g><rect x="${x}" y="${y}" width="${right - x}" height="${bottom - y}" stroke="${color}"
    stroke-width="2" vector-effect="non-scaling-stroke" fill="${color}" fill-opacity="0.08"/>
    <text x="${x + 3 * k}" y="${y + 13 * k}" fill="${color}" style="font-size:${11 * k}px">
    ${esc(v.classes[p.class[j]])} ${p.score[j].toFixed(2)}</text></g>`;
};
const paint = () => root.querySelectorAll("svg").forEach((s, i) => {
  const p = v.panes[i], k = view[2] / s.clientWidth || 1;
  s.setAttribute("viewBox", view.join(" "));
  s.innerHTML = `<image href="${v.image}" width="${v.width}" height="${v.height}"/>`
    + p.xyxy.map((_, j) => object(p, j, k)).join("");
});
root.addEventListener("input", (e) => { t = +e.target.value; paint(); });
root.addEventListener("wheel", (e) => {
  const s = e.target.closest("svg"), r = s.getBoundingClientRect(), f = e.deltaY < 0 ? 0.92 : 1.087;
  const x = (e.clientX - r.left) / r.width, y = (e.clientY - r.top) / r.height;
  e.preventDefault();
  view = [view[0] + view[2] * (1 - f) * x, view[1] + view[3] * (1 - f) * y, view[2] * f, view[3] * f];
  paint();
}, { passive: false });
paint();
"""
DRIVE = """async ([where, surface, how, steps]) => {
  const root = document.querySelector(where), s = root.querySelectorAll(surface)[1], r = s.getBoundingClientRect();
  const at = { clientX: r.x + 0.4 * r.width, clientY: r.y + 0.6 * r.height, bubbles: true, cancelable: true };
  const slider = root.querySelector("input[type=range]"), times = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame(); await frame(); let last = performance.now();
  for (let k = 0; k < steps; k++) {
    if (how === "zoom") s.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: k % 40 < 20 ? -40 : 40 }));
    else {
      slider.value = 0.05 + (0.9 * (k % 40)) / 40;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await frame(); const now = performance.now(); if (k >= 5) times.push(now - last); last = now;
  }
  return times; }"""


class Peer(gr.HTML):
    """An SVG over the picture, written anew at every change."""

    def __init__(self, value: object) -> None:
        css = "svg { width: 100%; aspect-ratio: 16/9; } .grid { display: grid; grid-template-columns: 1fr 1fr; }"
        super().__init__(
            value, html_template='<div class="peer"></div>', css_template=css, js_on_load=PEER, elem_id="peer"
        )

    def postprocess(self, value: object) -> object:
        return value


def crowded(panes: int, boxes: int) -> tuple[np.ndarray, dict]:
    """A 1080p picture and panes of objects of 20 to 160 pixels with elliptic masks, seeded."""
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 256, (60, 107, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    made = []
    for k in range(panes):
        middle, half = rng.uniform(0, 1, (boxes, 2)) * [WIDTH, HEIGHT], rng.uniform(10, 80, (boxes, 2))
        xyxy = np.hstack([middle - half, middle + half]).clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        rle = []
        for (x, y), (a, b) in zip(middle.astype(int), half.astype(int), strict=True):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.ellipse(mask, (int(x), int(y)), (int(a), int(b)), 0, 0, 360, 1, -1)
            rle += masks.encode(mask[None])
        found = Detections(xyxy, rng.integers(0, 20, boxes), rng.uniform(0.05, 1, boxes), rle, (HEIGHT, WIDTH))
        made.append(pane(f"model {k}", found, list(rng.choice(["tp", "fp"], boxes))))
    return noise, picture_payload("k", "crowded", noise, made, [f"class {k}" for k in range(20)])


def drive(page: Page, where: str, surface: str, how: str, steps: int = 85) -> list[float]:
    """Milliseconds of each frame."""
    times: list[float] = page.evaluate(DRIVE, [where, surface, how, steps])
    return times


def annotated(picture: np.ndarray, count: int = 50) -> float:
    """Seconds of ``gr.AnnotatedImage`` for one pane of ``count`` boxes."""
    rng = np.random.default_rng(1)
    corners = rng.integers(0, 800, (count, 2))
    notes = [((int(x), int(y), int(x) + 100, int(y) + 80), "class") for x, y in corners]
    start = time.perf_counter()
    gr.AnnotatedImage().postprocess((picture, notes))
    return time.perf_counter() - start


def text(times: list[float]) -> str:
    return f"{statistics.median(times):6.1f} ms (95 %: {sorted(times)[int(0.95 * len(times))]:.1f} ms)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=500)
    parser.add_argument("--panes", type=int, default=4)
    options = parser.parse_args()
    picture, value = crowded(options.panes, options.boxes)
    with gr.Blocks(analytics_enabled=False, fill_width=True) as blocks:
        with gr.Tab("ours"):
            CompareView(value, elem_id="ours")
        with gr.Tab("peer"):
            Peer({**value, "panes": [{k: v for k, v in p.items() if k != "rle"} for p in value["panes"]]})
    script, css = (STATIC / "loupe.js").read_text("utf-8"), (STATIC / "loupe.css").read_text("utf-8")
    _, address, _ = blocks.launch(
        css=css, head=f"<script>{script}</script>", i18n=I18N, ssr_mode=False, quiet=True, prevent_thread_lock=True
    )
    print(f"{options.panes} panes of {options.boxes} objects, a 1920 x 1080 picture, no GPU; a frame while ...")
    found: dict[tuple[str, str], list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *UNCAPPED])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector("#ours canvas.ground")
        page.wait_for_timeout(1500)
        for how in ("zoom", "slide"):
            found["ours", how] = drive(page, "#ours .lp-compare", "canvas.ground", how)
        page.locator("#ours [data-show=masks]").click()
        for how in ("zoom", "slide"):
            found["boxes only", how] = drive(page, "#ours .lp-compare", "canvas.ground", how)
        page.get_by_role("tab", name="peer").click()
        page.wait_for_selector("#peer svg rect")
        page.wait_for_timeout(1500)
        for how in ("zoom", "slide"):
            found["SVG", how] = drive(page, "#peer .peer", "svg", how)
        browser.close()
    for how, words in (("zoom", "zooming"), ("slide", "moving the confidence")):
        for who in ("ours", "boxes only", "SVG"):
            print(f"{words + ', ' + who:36}{text(found[who, how])}")
        ratio = statistics.median(found["SVG", how]) / statistics.median(found["ours", how])
        print(f"ratio: {ratio:.1f}x faster than an SVG written anew (with masks against without)")
    seconds = annotated(picture)
    print(f"gr.AnnotatedImage, one pane of 50 boxes, on the server alone: {1e3 * seconds:.0f} ms a change")
    blocks.close()


if __name__ == "__main__":
    main()
