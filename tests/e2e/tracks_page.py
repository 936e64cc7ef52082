"""A page with the track player alone, on tracks and a video made here; started by its tests.

``python -m tests.e2e.tracks_page`` prints its address.
"""

from __future__ import annotations

import base64
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import gradio as gr
import numpy as np
from numpy.typing import NDArray

from dashboard.views import TracksView
from tests.e2e.enhance_page import launch

FRAMES, WIDTH, HEIGHT, FPS = 150, 320, 240, 25
CLASSES = ["person", "bicycle <b>"]
BIT, BITS = 16, 8
"""Each picture carries its number: white squares along its top are the ones of the binary number, the lowest left."""
SWITCH, FRAGMENT, LOST = 0, 1, 2

Rows = dict[tuple[int, int], list[float]]
"""A box by frame and identity."""


def pack(values: Any, kind: str) -> str:
    """Base64 of a little-endian array."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def box_at(person: int, frame: int) -> list[float]:
    """Where a true identity is: people walk to and fro in rows, the bicycle goes down."""
    if person == 5:
        return [250.0, 20 + frame, 290.0, 60 + frame]
    phase = frame / FRAMES if person % 2 else 1 - frame / FRAMES
    left, top = 20 + 230 * phase, 40 + 40 * ((person - 1) // 2) + 6 * (person % 2)
    return [left, top, left + 34, top + 50]


LIVES = {1: range(150), 2: range(150), 3: range(10, 140), 4: range(30, 150), 5: range(20, 120)}


def truth_rows() -> Rows:
    """The true boxes."""
    return {(f, p): box_at(p, f) for p, life in LIVES.items() for f in life}


def first_tracker() -> tuple[Rows, dict[tuple[int, int], int]]:
    """Boxes found, and whom each is: 1 and 2 swap at 60, 3 is lost for ten frames, 4 too and comes back as another."""
    found: Rows = {}
    who: dict[tuple[int, int], int] = {}
    for (f, p), box in truth_rows().items():
        if (p == 3 and 80 <= f < 90) or (p == 4 and 95 <= f < 100):
            continue
        name = 10 + p
        if p in (1, 2) and f >= 60:
            name = 10 + 3 - p
        if p == 4 and f >= 100:
            name = 21
        found[f, name] = [x + 1 for x in box]
        who[f, name] = p
    for f in range(20, 40):
        found[f, 50] = [120.0, 190.0, 150.0, 230.0]  # nobody is there
    return found, who


def second_tracker() -> tuple[Rows, dict[tuple[int, int], int]]:
    """It swaps nobody, but sees nothing of 5 in the middle of its way."""
    found: Rows = {}
    who: dict[tuple[int, int], int] = {}
    for (f, p), box in truth_rows().items():
        if p == 5 and 60 <= f < 75:
            continue
        found[f, p] = [x - 1 for x in box]
        who[f, p] = p
    return found, who


def boxes(rows: Rows, classes: dict[int, int], scored: bool, frames: int = FRAMES) -> tuple[dict[str, Any], list]:
    """Columns of boxes by frame, and (frame, identity) of each row."""
    keys = sorted(rows)
    columns: dict[str, Any] = {
        "offsets": pack(np.searchsorted([f for f, _ in keys], np.arange(frames + 1)), "u4"),
        "box": pack([rows[k] for k in keys], "f4"),
        "id": pack([i for _, i in keys], "i4"),
        "class": pack([classes.get(i, 0) for _, i in keys], "u2"),
        "score": pack([80 + (37 * i + f) % 170 for f, i in keys], "u1") if scored else None,
        "role": None,
    }
    return columns, keys


def story(found: Rows, who: dict[tuple[int, int], int]) -> dict[str, Any]:
    """What is right and wrong, told frame by frame from whom each box is."""
    truth = truth_rows()
    truth_keys, found_keys = sorted(truth), sorted(found)
    row = {k: n for n, k in enumerate(truth_keys)}
    held = {(f, p): i for (f, i), p in who.items()}
    match = [row[f, who[f, i]] if (f, i) in who else -1 for f, i in found_keys]
    missed = [int(k not in held) for k in truth_keys]
    events: list[tuple[int, int, int, int, int]] = []
    lanes = []
    for p, life in LIVES.items():
        last, out, segments = -1, False, []
        for f in life:
            now = held.get((f, p), -1)
            if now >= 0 and last >= 0 and now != last:
                events.append((f, SWITCH, p, last, now))
            if now >= 0 and last >= 0 and out:
                events.append((f, FRAGMENT, p, last, now))
            if now < 0 and last >= 0 and not out:
                events.append((f, LOST, p, last, -1))
            out = now < 0
            last = now if now >= 0 else last
            if segments and segments[-1][2] == now and segments[-1][1] == f:
                segments[-1][1] = f + 1
            else:
                segments.append([f, f + 1, now])
        lanes.append({"id": p, "class": int(p == 5), "segments": pack(segments, "i4")})
    events.sort()
    columns = list(zip(*events, strict=True))
    count = lambda frames: np.bincount(np.asarray(frames, int), minlength=FRAMES)  # noqa: E731
    tp, fp = count([f for f, _ in who]), count([f for f, i in found_keys if (f, i) not in who])
    fn = count([f for f, p in truth_keys if (f, p) not in held])
    swaps = count([e[0] for e in events if e[1] == SWITCH])
    mota = 1 - np.cumsum(fp + fn + swaps) / np.maximum(1, np.cumsum(tp + fn))
    series = {"tp": (tp, "u2"), "fp": (fp, "u2"), "fn": (fn, "u2"), "idsw": (swaps, "u2"), "mota": (mota, "f4")}
    names = ("frame", "kind", "true", "from", "to")
    return {
        "match": pack(match, "i4"),
        "missed": pack(missed, "u1"),
        "series": {k: pack(x, kind) for k, (x, kind) in series.items()},
        "lanes": lanes,
        "events": {n: pack(c, "u1" if n == "kind" else "i4") for n, c in zip(names, columns, strict=True)},
    }


def pane(title: str, tracker: tuple[Rows, dict[tuple[int, int], int]], speed: float) -> dict[str, Any]:
    """A tracker's pane."""
    found, who = tracker
    classes = {i: int(p == 5) for (_, i), p in who.items()}
    ms = {"decode": 3.0, "detect": 900 / speed, "track": 1.5}
    return {
        "title": title,
        "found": boxes(found, classes, True)[0],
        "stages": ms,
        "fps": speed,
        **story(found, who),
        "error": None,
    }


def unjudged(title: str, tracker: tuple[Rows, dict[tuple[int, int], int]]) -> dict[str, Any]:
    """The same without a truth: identities that come and go."""
    found, who = tracker
    keys = sorted(found)
    at = {i: [f for f, j in keys if j == i] for i in {i for _, i in keys}}
    lanes = []
    for i, frames in sorted(at.items()):
        cuts = np.flatnonzero(np.diff(frames) > 1) + 1
        segments = [[part[0], part[-1] + 1, i] for part in np.split(np.array(frames), cuts)]
        lanes.append({"id": i, "class": int(who.get((frames[0], i)) == 5), "segments": pack(segments, "i4")})
    count = lambda values: pack(np.bincount(values, minlength=FRAMES)[:FRAMES], "u2")  # noqa: E731
    series = {
        "count": count([f for f, _ in keys]),
        "born": count([x[0] for x in at.values()]),
        "ended": count([x[-1] for x in at.values()]),
    }
    classes = {i: int(p == 5) for (_, i), p in who.items()}
    whole = boxes(found, classes, True)[0]
    return {"title": title, "found": whole, "match": None, "missed": None, "series": series, "lanes": lanes} | {
        "events": None, "stages": {"decode": 3.0, "detect": 11.0, "track": 1.0}, "fps": 64.0, "error": None,
    }  # fmt: skip


def labelled() -> dict[str, Any]:
    """What a classifier says of each frame."""
    first = np.arange(FRAMES) // 40
    top = np.stack([first % 4, (first + 1) % 4, (first + 2) % 4], 1)
    score = np.stack([150 + np.arange(FRAMES) % 100, np.full(FRAMES, 40), np.full(FRAMES, 9)], 1)
    changed = np.concatenate([[0], (np.diff(first) != 0).astype(int)])
    names = ["tabby cat", "a very long name of a class that does not fit into its bar at all", "dog <i>", "cup"]
    return {
        "title": "resnet18", "found": None, "stages": {"decode": 3.0, "detect": 20.0, "track": 0.0}, "fps": 43.5,
        "labels": {"names": names, "top": pack(top.ravel(), "u2"), "score": pack(score.ravel(), "u1"), "k": 3},
        "series": {"confidence": pack(score[:, 0] / 255, "f4"), "changed": pack(changed, "u1")}, "error": None,
    }  # fmt: skip


def lengthy(frames: int = 10_000, people: int = 40) -> dict[str, Any]:
    """A long sequence: each person is there for a 16th of it; one, and once only, goes over to another id."""
    truth: Rows = {}
    who: dict[tuple[int, int], int] = {}
    life = frames // 16
    for p in range(people):
        begin = (p * 977) % (frames - life)
        for f in range(begin, begin + life):
            truth[f, p] = [10.0 + p * 7, 20.0 + f % 100, 30.0 + p * 7, 60.0 + f % 100]
    swap = 17 * 977 % (frames - life) + life // 2
    found: Rows = {}
    for (f, p), box in truth.items():
        name = 999 if p == 17 and f >= swap else 100 + p
        found[f, name], who[f, name] = box, p
    columns, keys = boxes(found, {}, False, frames)
    row = {k: n for n, k in enumerate(sorted(truth))}
    tp = np.bincount([f for f, _ in truth], minlength=frames)
    zero = np.zeros(frames, int)
    swaps = zero.copy()
    swaps[swap] = 1
    lanes = []
    for p in range(people):
        begin = (p * 977) % (frames - life)
        cut = swap if p == 17 else begin + life
        parts = [[begin, cut, 100 + p], [cut, begin + life, 999]]
        lanes.append({"id": p, "class": 0, "segments": pack([x for x in parts if x[0] < x[1]], "i4")})
    series = {k: pack(x, "u2") for k, x in {"tp": tp, "fp": zero, "fn": zero, "idsw": swaps}.items()}
    event = {"frame": swap, "kind": SWITCH, "true": 17, "from": 117, "to": 999}
    one = {
        "title": "long", "found": columns, "match": pack([row[f, who[f, i]] for f, i in keys], "i4"),
        "missed": pack(np.zeros(len(truth)), "u1"), "series": series | {"mota": pack(np.ones(frames), "f4")},
        "lanes": lanes, "events": {k: pack([x], "u1" if k == "kind" else "i4") for k, x in event.items()},
        "stages": None, "fps": None, "error": None,
    }  # fmt: skip
    own = boxes(truth, {}, False, frames)[0]
    return payload("long", [one], frames=frames, truth=own, class_names=["person"])


def picture(frame: int) -> NDArray[np.uint8]:
    """A frame: its number along the top, and people as blocks on a ground of soft colours."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.dstack([90 + x * 60 // WIDTH, 110 + y * 50 // HEIGHT, 120 + 0 * x]).astype(np.uint8)
    for person, life in LIVES.items():
        if frame in life:
            x0, y0, x1, y1 = (int(z) for z in box_at(person, frame))
            image[y0 + 4 : y1 - 2, x0 + 4 : x1 - 4] = [60 + 35 * person, 70, 230 - 40 * person]
    for bit in range(BITS):
        image[:BIT, bit * BIT : (bit + 1) * BIT] = 255 if frame >> bit & 1 else 0
    return image


def film(path: Path, varied: bool = False) -> list[float]:
    """Write the video as H.264 with B-frames; gives the seconds at which each frame is shown."""
    seconds = []
    with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        stream = file.add_stream("libx264", rate=1000 if varied else FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"g": "24", "bf": "2", "crf": "18"}
        at = 0
        for k in range(FRAMES):
            shown = av.VideoFrame.from_ndarray(picture(k), format="rgb24")
            shown.pts = at
            seconds.append(at / (1000 if varied else FPS))
            at += (20, 60, 35)[k % 3] if varied else 1
            for packet in stream.encode(shown):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return seconds


def payload(key: str, panes: list[dict[str, Any]], truth: bool = True, **more: Any) -> dict[str, Any]:
    """The value of the view."""
    own = boxes(truth_rows(), {5: 1}, False)[0] if truth else None
    return {
        "key": key, "title": f"{key} 01", "frames": FRAMES, "first": 1, "width": WIDTH, "height": HEIGHT, "fps": FPS,
        "times": None, "video": None, "note": None, "class_names": CLASSES, "truth": own, "panes": panes,
        "seek": None, "mark": None,
    } | more  # fmt: skip


def values(folder: Path) -> dict[str, dict[str, Any]]:
    """What the page can show, by name."""
    file = lambda name: {"path": str(folder / name), "meta": {"_type": "gradio.FileData"}}  # noqa: E731
    film(folder / "even.mp4")
    times = film(folder / "varied.mp4", varied=True)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    one, two = pane("scenes+bytetrack", first_tracker(), 41.2), pane("scenes+ocsort <b>", second_tracker(), 88.0)
    pair = payload("street", [one, two], video=file("even.mp4"), note="made of blocks")
    failed = {"title": "yolo+none", "found": None, "error": "yolo+none has no tracks: <i>out of memory</i>."}
    renamed = {**two, "stages": {"detect": 9.0, "track": 1.0}, "fps": 100.0}
    four = [one, two, {**one, "title": "yolo11n+botsort"}, {**two, "title": "yolo11n+sort"}]
    return {
        "pair": pair,
        "again": {**pair, "panes": [one, renamed]},
        "four": payload("four", four, video=file("even.mp4")),
        "one": payload("one", [one], video=file("even.mp4")),
        "varied": payload("varied", [one], video=file("varied.mp4"), times=pack(times, "f8")),
        "still": payload("still", [one, two]),
        "untrue": payload("untrue", [unjudged("a+sort", first_tracker()), unjudged("b+sort", second_tracker())], False),
        "truth": payload("truth", [], video=file("even.mp4")),
        "labels": payload("labels", [labelled()], False, video=file("even.mp4"), class_names=[]),
        "failed": payload("failed", [one, failed], video=file("broken.mp4")),
        "marked": payload("marked", [one, two], video=file("even.mp4"), mark={"pane": 0, "event": 1}),
        "sought": payload("sought", [one], video=file("even.mp4"), seek=42),
        "long": lengthy(),
        "error": {"error": "street 01 has no frames: <b>copy</b> it again"},
        "empty": {},
    }


def build(shown: dict[str, dict[str, Any]]) -> gr.Blocks:
    """The page; ``heard`` tells of the mark chosen last."""
    with gr.Blocks(analytics_enabled=False, fill_width=True) as page:
        pick = gr.Radio(list(shown), value=next(iter(shown)), elem_id="pick")
        view = TracksView(next(iter(shown.values())), elem_id="view")
        heard = gr.Textbox(elem_id="heard", show_label=False)
        pick.change(shown.get, pick, view, show_progress="hidden")
        view.select(tell, None, heard, show_progress="hidden")
    return page


def tell(event: gr.SelectData) -> str:
    """The mark in words."""
    said = event.value
    return f"{said['kind']} of {said['true']} at {said['frame']} in {said['pane']}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(launch(build(values(Path(made)))), flush=True)
        time.sleep(3600)
