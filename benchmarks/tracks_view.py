"""The track player with 10,000 frames, 200 identities and four panes: milliseconds a frame, and how much is sent.

Frames are not held back to the screen's rate, so that their cost is seen: each step shows the next frame in all panes,
with boxes, labels and trails, and moves the line of now; zooming the axis of time and scrolling lanes draw those anew.
Without a GPU, on a plain ground and over a 1080p video. ``--present`` is how many of the identities are in a frame.

    .venv/bin/python benchmarks/tracks_view.py [--frames 10000] [--identities 200] [--panes 4] [--present 25]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from tests.e2e.conftest import ARGUMENTS, chromium  # noqa: E402
from tests.e2e.enhance_page import launch  # noqa: E402
from tests.e2e.tracks_page import build, pack  # noqa: E402

UNCAPPED = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]
WIDTH, HEIGHT = 1920, 1080
DRIVE = """async ([how, steps]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const root = document.querySelector("#view .lp-tracks"), plot = root.querySelector(".plot");
  const scroll = root.querySelector(".lanes .scroll"), r = plot.getBoundingClientRect(), times = [];
  const first = root._tracks.frame();
  await frame(); await frame(); let last = performance.now();
  for (let k = 0; k < steps; k++) {
    if (how === "frames") root._tracks.seek(first + k);
    else if (how === "time") plot.dispatchEvent(new WheelEvent("wheel", { clientX: r.x + 0.4 * r.width,
      deltaY: k % 60 < 30 ? -60 : 60, bubbles: true, cancelable: true }));
    else if (how === "zoom") root.querySelector("canvas.ground").dispatchEvent(new WheelEvent("wheel", {
      clientX: r.x + 300, clientY: 300, deltaY: k % 60 < 30 ? -60 : 60, bubbles: true, cancelable: true }));
    else scroll.scrollTop = (k * 40) % Math.max(1, scroll.scrollHeight - scroll.clientHeight);
    await frame(); const now = performance.now(); if (k >= 5) times.push(now - last); last = now;
  }
  return times; }"""
PLAY = """async (seconds) => {
  const root = document.querySelector("#view .lp-tracks"), seen = new Set(), end = performance.now() + 1000 * seconds;
  root.querySelector("[data-do=play]").click();
  while (performance.now() < end) { await new Promise((d) => setTimeout(d, 4)); seen.add(root.dataset.frame); }
  root.querySelector("[data-do=play]").click();
  return seen.size / seconds; }"""


def columns(frame: Any, ids: Any, box: Any, frames: int, scored: bool) -> dict[str, Any]:
    """Boxes by frame, as the view takes them."""
    return {
        "offsets": pack(np.searchsorted(frame, np.arange(frames + 1)), "u4"),
        "box": pack(box, "f4"),
        "id": pack(ids, "i4"),
        "class": pack(ids % 3, "u2"),
        "score": pack(np.full(len(ids), 200), "u1") if scored else None,
        "role": None,
    }


def value(frames: int, people: int, present: int, panes: int, video: str | None) -> dict[str, Any]:
    """People who walk, each in his part of the sequence; trackers lose one box in twenty and take new ids at times."""
    rng = np.random.default_rng(0)
    life = max(1, frames * present // people)
    begin = np.linspace(0, frames - life, people).astype(int)
    frame, who = (x.ravel() for x in np.meshgrid(np.arange(frames), np.arange(people), indexing="ij"))
    keep = (frame >= begin[who]) & (frame < begin[who] + life)
    frame, who = frame[keep], who[keep]
    place, speed = rng.uniform([0, 0], [1800, 900], (people, 2)), rng.uniform(-3, 3, (people, 2))
    corner = np.abs((place[who] + speed[who] * frame[:, None]) % [3600, 1800] - [1800, 900])
    box = np.concatenate([corner, corner + np.array([60, 150])], 1)
    made = []
    for _ in range(panes):
        seen = rng.random(len(frame)) > 0.05
        ids = 1000 + who * 50 + (frame - begin[who]) // max(40, life // 40)
        held = np.where(seen, ids, -1)
        count = lambda mask: np.bincount(frame[mask], minlength=frames)  # noqa: E731
        lanes, events = [], []
        swapped = np.zeros(frames, int)
        for p in range(people):
            rows = np.flatnonzero(who == p)
            cuts = np.flatnonzero(np.diff(held[rows])) + 1
            starts, stops = np.r_[0, cuts], np.r_[cuts, len(rows)]
            parts = np.stack([frame[rows[starts]], frame[rows[stops - 1]] + 1, held[rows[starts]]], 1)
            lanes.append({"id": p, "class": p % 3, "segments": pack(parts, "i4")})
            last = -1
            for start, _, name in parts.tolist():
                if name >= 0 and last >= 0:
                    events.append((start, int(name == last), p, last, name))
                    swapped[start] += name != last
                last = name if name >= 0 else last
        missed = count(~seen)
        series = {"tp": count(seen), "fp": np.zeros(frames), "fn": missed, "idsw": swapped}
        mota = 1 - np.cumsum(missed + swapped) / np.maximum(1, np.cumsum(count(frame >= 0)))
        marks = list(zip(*sorted(events), strict=True)) or [[]] * 5
        names = ("frame", "kind", "true", "from", "to")
        made.append({
            "title": f"tracker {len(made) + 1}", "found": columns(frame[seen], ids[seen], box[seen], frames, True),
            "match": pack(np.flatnonzero(seen), "i4"), "missed": pack(~seen, "u1"), "lanes": lanes, "fps": 40.0,
            "series": {k: pack(x, "u2") for k, x in series.items()} | {"mota": pack(mota, "f4")},
            "events": {n: pack(c, "u1" if n == "kind" else "i4") for n, c in zip(names, marks, strict=True)},
            "stages": {"decode": 3, "detect": 20, "track": 2}, "error": None,
        })  # fmt: skip
    return {
        "key": "k", "title": "made", "frames": frames, "first": 1, "width": WIDTH, "height": HEIGHT, "fps": 25.0,
        "times": None, "video": video and {"path": video, "meta": {"_type": "gradio.FileData"}}, "note": None,
        "class_names": ["person", "car", "dog"], "truth": columns(frame, who, box, frames, False), "panes": made,
        "seek": frames // 2 if video is None else None, "mark": None,
    }  # fmt: skip


def film(path: Path, frames: int) -> None:
    """A 1080p video with something that moves."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ground = np.dstack([x * 200 // WIDTH, y * 200 // HEIGHT, (x + y) % 200]).astype(np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"g": "12", "preset": "ultrafast"}
        for k in range(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.roll(ground, 6 * k, 1), format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def text(times: list[float]) -> str:
    return f"{statistics.median(times):6.1f} ms (95 %: {sorted(times)[int(0.95 * len(times))]:.1f} ms)"


def drive(page: Page, how: str, steps: int = 125) -> str:
    return text(page.evaluate(DRIVE, [how, steps]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--identities", type=int, default=200)
    parser.add_argument("--panes", type=int, default=4)
    parser.add_argument("--present", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "made.mp4"
        film(path, 250)
        large = value(options.frames, options.identities, options.present, options.panes, None)
        short = value(250, options.identities, options.present, options.panes, str(path))
        size = f"{options.frames} frames, {options.identities} identities"
        print(f"{size}, {options.present} in each frame, {options.panes} panes")
        print(f"{'sent':40}{len(json.dumps(large)) / 1e6:6.1f} MB")
        blocks = build({"large": large, "short": short})
        address = launch(blocks)
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *UNCAPPED])
        page = browser.new_page(viewport={"width": 1440, "height": 1200})
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function(f"document.querySelectorAll('#view canvas.ground').length === {options.panes}")
        page.wait_for_function(f"document.querySelector('.lp-tracks').dataset.frame === '{options.frames // 2}'")
        print(f"{'until it is there':40}{time.perf_counter() - start:6.1f} s")
        page.wait_for_timeout(1500)
        print(f"{'a frame: boxes, labels, trails':40}{drive(page, 'frames')}")
        print(f"{'zooming the pictures':40}{drive(page, 'zoom')}")
        page.locator("#view [data-zoom=fit]").click()
        page.locator("#view [data-flag=trails]").click()
        print(f"{'a frame without trails':40}{drive(page, 'frames')}")
        page.locator("#view [data-flag=trails]").click()
        print(f"{'zooming time, with lanes':40}{drive(page, 'time')}")
        print(f"{'scrolling lanes':40}{drive(page, 'lanes')}")
        browser.close()
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)  # at the screen's rate
        page = browser.new_page(viewport={"width": 1440, "height": 1200})
        page.goto(address)
        page.wait_for_selector("#view canvas.ground")
        page.locator("#pick input[value=short]").check()
        page.wait_for_function("document.querySelector('#view video')?.readyState > 3")
        page.wait_for_timeout(500)
        print(f"{'playing 25 fps of 1080p: frames drawn':40}{page.evaluate(PLAY, 5):6.1f} a second")
        page.locator("#view [data-speed]").select_option("2")
        page.evaluate("document.querySelector('.lp-tracks')._tracks.seek(0)")
        print(f"{'playing at double speed: frames drawn':40}{page.evaluate(PLAY, 4):6.1f} a second")
        browser.close()
        blocks.close()


if __name__ == "__main__":
    main()
