"""Box AP against its peers, each in fresh processes, first call included.

    python -m benchmarks.detection_ap [--detections 180000] [--classes 80] [--truth 36000] [--images 5000] [--rounds 3]
    python -m benchmarks.detection_ap --detections 1800000 --skip pycocotools      # is memory below theirs?
    python -m benchmarks.detection_ap --classes 1200 --truth 50000 --detections 400000 --skip pycocotools

From columnar arrays in memory to COCO's twelve numbers; ours gives the match table, every class's PR curves and the
mean curves too. Everyone gets what it takes, made before the clock starts: we columns, the peers the truth as
dictionaries and the detections as one (N, 7) array. Imports are not counted. Memory is the peak of the process above
what it held when the clock started. Rounds are taken in turns; pycocotools runs once. Peers that are not installed are
named and left out. "x" is how many times as long as ours; on a busy machine trust the processor's time.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

Data = dict[str, Any]
WIDTH, HEIGHT = 640, 480
PEERS = {
    "pycocotools": ("pycocotools.coco", "pycocotools.cocoeval", "COCOeval"),
    "faster-coco-eval": ("faster_coco_eval", "faster_coco_eval", "COCOeval_faster"),
    "hotcoco": ("hotcoco", "hotcoco", "COCOeval"),
    "ultrafast-pycocotools": ("ultrafast_pycocotools", "ultrafast_pycocotools", "COCOeval"),
}


def make(images: int, classes: int, truth: int, detections: int, seed: int = 0) -> Data:
    """Columns as a good detector gives them: most objects found once, duplicates, confusions, and many false alarms.

    Boxes are x, y, w, h to two decimals; a few classes an image, class sizes after Zipf; grouped by image.
    """
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1) ** 0.9
    share /= share.sum()
    crowded = rng.gamma(1.2, 1, images)
    gi = np.sort(rng.choice(images, truth, p=crowded / crowded.sum()))
    palette = rng.choice(classes, (images, 4), p=share)
    gc_ = palette[gi, rng.choice(4, truth, p=[0.5, 0.25, 0.15, 0.1])]
    gb = np.round(_boxes(rng, truth, 0.95), 2)
    found = np.flatnonzero(rng.random(truth) < 0.85)
    again = rng.choice(truth, min(detections // 6, truth * 3))
    source = np.concatenate([found, again])[:detections]
    spread = np.concatenate([rng.gamma(1.5, 0.04, len(found)), rng.gamma(2, 0.12, len(again))])[: len(source), None]
    near = gb[source] + rng.normal(0, 1, (len(source), 4)) * spread * gb[source][:, [2, 3, 2, 3]]
    label = np.where(rng.random(len(source)) < 0.07, rng.choice(classes, len(source), p=share), gc_[source])
    score = np.concatenate([rng.beta(4, 2, len(found)), rng.beta(1.3, 6, len(again))])[: len(source)]
    rest = detections - len(source)
    where = rng.choice(images, rest, p=(crowded + 0.5) / (crowded + 0.5).sum())
    usual = palette[where, rng.integers(0, 4, rest)]
    other = np.where(rng.random(rest) < 0.6, usual, rng.choice(classes, rest, p=share))
    di = np.concatenate([gi[source], where])
    box = np.concatenate([near, _boxes(rng, rest, 1.0)])
    low = np.clip(box[:, :2], 0, [WIDTH - 3, HEIGHT - 3])
    high = np.clip(box[:, :2] + np.maximum(box[:, 2:], 2), low + 2, [WIDTH, HEIGHT])
    order = np.argsort(di, kind="stable")
    return {
        "images": images,
        "classes": classes,
        "gi": gi,
        "gc": gc_,
        "gb": gb,
        "area": np.round(gb[:, 2] * gb[:, 3] * rng.uniform(0.45, 0.95, truth), 2),
        "crowd": rng.random(truth) < 0.012,
        "di": di[order],
        "dc": np.concatenate([label, other])[order],
        "ds": np.round(np.concatenate([score, rng.beta(1, 9, rest)]), 5)[order],
        "db": np.round(np.concatenate([low, high - low], axis=1), 2)[order],
    }


def _boxes(rng: np.random.Generator, count: int, spread: float) -> np.ndarray:
    """(count, 4) x, y, w, h within the picture, sides around 60 px."""
    side = np.exp(rng.normal(np.log(60), spread, count)).clip(4, 460)
    ratio = np.exp(rng.normal(0, 0.4, count))
    size = np.stack([(side * ratio).clip(3, WIDTH - 1), (side / ratio).clip(3, HEIGHT - 1)], axis=1)
    return np.concatenate([rng.random((count, 2)) * ([WIDTH, HEIGHT] - size), size], axis=1)


def batch_of(data: Data, found_masks: Any = None, truth_masks: Any = None) -> Any:
    """The columns as our evaluator takes them."""
    from dashboard.metrics.detection.columns import DetectionBatch, Objects

    def objects(image: str, label: str, box: str, score: Any, area: Any, crowd: Any, masks: Any) -> Objects:
        xyxy = data[box].copy()
        xyxy[:, 2:] += xyxy[:, :2]
        none = np.zeros(len(xyxy), bool)
        return Objects(data[image], data[label], xyxy, score, area, none if crowd is None else crowd, none, masks)

    unknown = np.full(len(data["di"]), np.nan)
    found = objects("di", "dc", "db", data["ds"], unknown, None, found_masks)
    true = objects("gi", "gc", "gb", np.zeros(len(data["gi"])), data["area"], data["crowd"], truth_masks)
    sizes = np.tile([HEIGHT, WIDTH], (data["images"], 1))
    return DetectionBatch(range(data["images"]), sizes, found, true)  # type: ignore[arg-type]


def truth_dict(data: Data) -> Data:
    """The truth as COCO's dictionaries."""
    columns = zip(data["gi"], data["gc"], data["gb"].tolist(), data["area"].tolist(), data["crowd"], strict=True)
    rows = [
        {"id": j + 1, "image_id": int(i) + 1, "category_id": int(c) + 1, "bbox": b, "area": a, "iscrowd": int(w)}
        for j, (i, c, b, a, w) in enumerate(columns)
    ]
    images = [{"id": i + 1, "width": WIDTH, "height": HEIGHT, "file_name": f"{i}.jpg"} for i in range(data["images"])]
    classes = [{"id": k + 1, "name": f"class {k}"} for k in range(data["classes"])]
    return {"info": {}, "images": images, "annotations": rows, "categories": classes}


class Clock:
    """Seconds on the wall and on the processor, and the peak of memory above the start, of a with-block."""

    wall = processor = megabytes = 0.0

    def __enter__(self) -> Clock:
        gc.collect()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._start = _status("VmRSS")
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        self.megabytes = _status("VmHWM") - self._start

    def result(self, stats: Sequence[float]) -> Data:
        """What a worker reports."""
        numbers = [None if s != s or s < 0 else float(s) for s in stats]
        return {"wall": self.wall, "processor": self.processor, "megabytes": self.megabytes, "stats": numbers}


def _status(field: str) -> float:
    """MB from /proc, 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0.0


def evaluators(name: str) -> tuple[Any, Any]:
    """A peer's COCO and COCOeval."""
    coco, evaluation, kind = PEERS[name]
    return importlib.import_module(coco).COCO, getattr(importlib.import_module(evaluation), kind)


def peer(name: str, truth: Data, results: Any, kind: str) -> Data:
    """Twelve numbers by a tool that follows pycocotools."""
    coco, evaluation = evaluators(name)
    with contextlib.redirect_stdout(io.StringIO()), Clock() as clock:
        try:
            loaded = coco(truth)
        except (TypeError, AssertionError, AttributeError):
            loaded = coco()
            loaded.dataset = truth
            loaded.createIndex()
        found = evaluation(loaded, loaded.loadRes(results), kind)
        found.evaluate()
        found.accumulate()
        found.summarize()
    return clock.result(list(map(float, found.stats))[:12])


def ours(data: Data) -> Data:
    """Twelve numbers, the match table, every class's curves and the mean curves."""
    from dashboard.metrics.detection.matching import match
    from dashboard.metrics.detection.precision import accumulate

    columns = batch_of(data)
    data = {"classes": data["classes"]}
    with Clock() as clock:
        matches = match(replace(columns))  # checked anew
        found = accumulate(matches, data["classes"])
        stats = list(found.summary().values())
        curves = np.nanmean(found.precision[..., 0], axis=2)
    del matches, curves
    return clock.result(stats)


def work(name: str, folder: Path) -> Data:
    """What a fresh process does."""
    with np.load(folder / "data.npz") as stored:
        data = {k: stored[k] for k in stored}
    data |= {k: int(data[k]) for k in ("images", "classes")}
    if name == "ours":
        return ours(data)
    rows = np.column_stack([data["di"] + 1, data["db"], data["ds"], data["dc"] + 1])
    truth = truth_dict(data)
    del data
    return peer(name, truth, rows, "bbox")


def in_turns(module: str, folder: Path, names: Sequence[str], rounds: int, once: Sequence[str] = ()) -> dict[str, list]:
    """Each case in fresh processes, in turns; those in ``once`` only in the first round."""
    found: dict[str, list] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            if number and (name in once or not found[name]):
                continue
            command = [sys.executable, "-m", module, "--case", name, "--folder", str(folder)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                print(f"  {name} failed: {run.stderr.strip()[-300:]}")
            else:
                found[name].append(json.loads(run.stdout.splitlines()[-1]))
    return {name: results for name, results in found.items() if results}


def present(skip: Sequence[str]) -> Iterator[str]:
    """Ours and the peers that are installed; says which are not."""
    yield "ours"
    for name, (module, *_) in PEERS.items():
        if name in skip:
            continue
        if importlib.util.find_spec(module.split(".")[0]) is None:
            print(f"  {name} is not installed: left out")
        else:
            yield name


def table(found: dict[str, list]) -> None:
    """Medians, ratios to ours, and the largest difference from pycocotools (or, without it, from the first peer)."""
    median: Callable[[str, str], float] = lambda name, key: statistics.median(r[key] for r in found[name])  # noqa: E731
    reference = next((n for n in PEERS if n in found), "ours")
    for name, results in found.items():
        pairs = zip(results[-1]["stats"], found[reference][-1]["stats"], strict=True)
        off = max((abs(a - b) if None not in (a, b) else float(a is not b)) for a, b in pairs)
        wall, cpu, memory = (median(name, key) for key in ("wall", "processor", "megabytes"))
        print(
            f"  {name:22s} {wall:8.3f} s {wall / median('ours', 'wall'):7.2f} x"
            f" | processor {cpu:8.3f} s {cpu / median('ours', 'processor'):7.2f} x"
            f" | peak {memory:7.1f} MB | off {reference} by {off:.0e}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in (("detections", 180_000), ("classes", 80), ("truth", 36_000), ("images", 5000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--skip", nargs="*", default=[], choices=list(PEERS))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.folder)))
        return
    print(f"box AP: {args.images} images, {args.classes} classes, {args.truth} objects, {args.detections} detections")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", **make(args.images, args.classes, args.truth, args.detections))
        names = list(present(args.skip))
        table(in_turns("benchmarks.detection_ap", Path(folder), names, args.rounds, once=["pycocotools"]))


if __name__ == "__main__":
    main()
