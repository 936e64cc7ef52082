"""The app in a real browser: ready, click to pictures, threshold drag at 50,000 samples; the peer is Gradio's own way.

The peer, in the same run and browser: a ``gr.Slider`` whose change recomputes the same matrix on the server and
redraws a ``gr.Plot`` heat map.

    .venv/bin/python benchmarks/app_in_browser.py [--samples 50000] [--classes 100]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from tests.e2e.conftest import ARGUMENTS, chromium, start_app, stop_app  # noqa: E402

PEER = """
import sys, gradio as gr, numpy as np, plotly.graph_objects as go
data = np.load(sys.argv[1]); labels, predicted, confidence = data["labels"], data["predicted"], data["confidence"]
C = int(labels.max()) + 1
def draw(t):
    keep = confidence >= t
    counts = np.bincount(labels[keep] * C + predicted[keep], minlength=C * C).reshape(C, C)
    return go.Figure(go.Heatmap(z=counts), layout={"title": f"t {t:.3f}"})
with gr.Blocks(analytics_enabled=False) as page:
    slider = gr.Slider(0, 1, 0, step=0.001, elem_id="s"); plot = gr.Plot(draw(0), elem_id="p")
    slider.change(draw, slider, plot, show_progress="hidden")
page.launch(server_port=int(sys.argv[2]), quiet=True)
"""


def synthetic(folder: Path, samples: int, classes: int) -> tuple[Path, Path]:
    """A truth CSV and an npz of scores, seeded."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, samples)
    logits = rng.normal(size=(samples, classes)).astype(np.float32)
    logits[np.arange(samples), labels] += rng.gamma(3, 1.2, samples).astype(np.float32)
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores /= scores.sum(1, keepdims=True)
    names = [f"class {k:04d}" for k in range(classes)]
    truth = folder / "truth.csv"
    with truth.open("w") as file:
        file.write("path,label\n" + "\n".join(f"{i:06d}.jpg,{names[k]}" for i, k in enumerate(labels)))
    (folder / "classes.txt").write_text("\n".join(names))
    np.savez(folder / "mine.npz", ids=np.array([f"{i:06d}.jpg" for i in range(samples)]), scores=scores)
    facts = {"labels": labels, "predicted": scores.argmax(1), "confidence": scores.max(1)}
    np.savez(folder / "peer.npz", **facts)
    return truth, folder / "mine.npz"


def median(seconds: list[float]) -> str:
    ms = [1e3 * s for s in seconds]
    return f"{statistics.median(ms):7.1f} ms (of {len(ms)}, {min(ms):.1f} to {max(ms):.1f})"


def drag(page: Page, steps: int = 40) -> list[float]:
    """Seconds from an input event to the painted frame, in the browser's own clock."""
    script = """async (steps) => { const e = document.querySelector('#cls-matrix input[type=range]'), times = [];
      const frame = () => new Promise((r) => requestAnimationFrame(() => setTimeout(r)));
      for (let k = 0; k < steps; k++) { await frame(); const t = performance.now(); e.value = 200 + 15 * k;
        e.dispatchEvent(new Event('input', {bubbles: true})); await frame(); times.push(performance.now() - t); }
      e.value = 0; e.dispatchEvent(new Event('input', {bubbles: true})); await frame();
      return times; }"""
    return [t / 1e3 for t in page.evaluate(script, steps)]


def peer_drag(page: Page, address: str, steps: int = 8) -> list[float]:
    """Seconds from the change of the peer's slider to its redrawn chart."""
    page.goto(address)
    page.wait_for_selector("#p .gtitle")
    times = []
    for k in range(steps):
        t = 0.2 + 0.05 * k
        start = time.perf_counter()
        page.fill("#s input[type=number]", f"{t:.3f}")
        page.wait_for_selector(f"#p .gtitle:has-text('t {t:.3f}')")
        times.append(time.perf_counter() - start)
    return times


CLICK = """(selector) => new Promise((done) => {
  const head = document.querySelector('#cls-gallery .head'), start = performance.now();
  const end = () => requestAnimationFrame(() => done(performance.now() - start));
  const watch = new MutationObserver(() => { watch.disconnect(); end(); });
  watch.observe(head, {childList: true, subtree: true});
  document.querySelector(selector).click(); })"""


def clicks(page: Page, selectors: list[str]) -> list[float]:
    """Seconds from a click to the frame with its pictures, in the browser's own clock."""
    found = []
    for selector in selectors:
        found.append(page.evaluate(CLICK, selector) / 1e3)
        page.wait_for_timeout(600)
    return found


PAIRS = [f"#cls-matrix .pairs li:nth-child({k}) button" for k in range(2, 12)]
CLASSES = [f"#cls-table tbody tr:nth-child({k})" for k in range(1, 9)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        process, address = start_app(folder / "store")
        ready = []
        for _ in range(5):  # each in a browser profile of its own: nothing is cached
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            start = time.perf_counter()
            page.goto(address)
            page.wait_for_selector("#cls-gallery .pic")
            ready.append(time.perf_counter() - start)
            page.context.close()
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(address)
        page.wait_for_selector("#cls-gallery .pic")
        pictures = clicks(page, PAIRS)
        page.context.close()
        truth, predictions = synthetic(folder, options.samples, options.classes)
        command = [sys.executable, "-m", "dashboard", "score", "--task", "classification", "--json", "-", "--truth"]
        command += [str(truth), "--predictions", str(predictions), "--store", str(folder / "store")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        run = json.loads(done.stdout)["runs"][0]["run"]
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(f"{address}/?run={run}")
        page.wait_for_selector("#cls-gallery .pic")
        dragged, large, classes = drag(page), clicks(page, PAIRS), clicks(page, CLASSES)
        stop_app(process)
        (folder / "peer.py").write_text(textwrap.dedent(PEER))
        peer = subprocess.Popen([sys.executable, str(folder / "peer.py"), str(folder / "peer.npz"), "7947"])
        time.sleep(8)
        peer_times = peer_drag(page, "http://127.0.0.1:7947")
        peer.terminate()
        browser.close()
    print(f"app ready (server up, empty browser):      {median(ready)}")
    print(f"click to pictures, 597 digits, 2 models:   {median(pictures)}")
    print(f"click to pictures, {options.samples} samples:          {median(large)}")
    print(f"class row to pictures, the same:           {median(classes)}")
    print(f"threshold step to frame, {options.samples} x {options.classes}:     {median(dragged)}")
    print(f"the same by gr.Slider and gr.Plot:         {median(peer_times)}")
    print(
        f"ratio: {statistics.median(peer_times) / statistics.median(dragged):.1f}x faster than gr.Slider with gr.Plot"
    )


if __name__ == "__main__":
    main()
