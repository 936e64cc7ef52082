"""A report of 5,000 images: seconds and megabytes, of one run and of two compared, for classification and detection.

The peer, in the same run, is a figure of the same size written by Plotly's own ``to_html(include_plotlyjs=True)``: one
chart with the library unpacked, and nothing else.

    .venv/bin/python benchmarks/report_5000.py [--images 5000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dashboard.datasets.opening import open_dataset  # noqa: E402
from dashboard.detection_parts import DetectionPart  # noqa: E402
from dashboard.finishing import finish  # noqa: E402
from dashboard.predictions import ClassificationPart, write_part  # noqa: E402
from dashboard.reporting.report import write_report  # noqa: E402
from dashboard.store import Run, Store  # noqa: E402
from dashboard.types import Detections  # noqa: E402

CLASSES = [f"class {i:02d}" for i in range(20)]
SIZE = (240, 320)


def pictures(folder: Path, images: int) -> list[str]:
    """Photos of noise, as large as a JPEG of a small photo."""
    rng = np.random.default_rng(0)
    ids = []
    for k in range(images):
        path = folder / CLASSES[k % len(CLASSES)] / f"{k:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (24, 32, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC))
        ids.append(path.relative_to(folder).as_posix())
    return sorted(ids)


def facts(task: str, name: str) -> dict[str, object]:
    data = {"source": "pictures", "fingerprint": "benchmark"}
    common = {"task": task, "model": name, "dataset": "pictures", "class_names": CLASSES, "class_ids": []}
    return common | {"environment": {}, "dataset_facts": data}


def classified(store: Store, ids: list[str], name: str, sure: float) -> Run:
    """A run whose answers are right as often as ``sure`` makes them."""
    rng = np.random.default_rng(len(name))
    targets = np.array([CLASSES.index(i.partition("/")[0]) for i in ids])
    logits = rng.normal(size=(len(ids), len(CLASSES))).astype(np.float32)
    logits[np.arange(len(ids)), targets] += sure
    scores = np.exp(logits)
    scores /= scores.sum(axis=1, keepdims=True)
    with store.draft(f"cls-{name}") as draft:
        write_part(draft.next_part(), ClassificationPart(np.arange(len(ids)), ids, scores, targets), {})
        return finish(draft, facts("classification", name), {}, False)


def detected(store: Store, ids: list[str], name: str, off: float) -> Run:
    """A run of about eight boxes a picture, ``off`` pixels off."""
    rng, given = np.random.default_rng(len(name)), np.random.default_rng(0)
    found, truth = [], []
    for _ in ids:
        count = int(given.integers(1, 9))
        corner = given.uniform(0, 180, (count, 2))
        true = np.concatenate([corner, corner + given.uniform(16, 60, (count, 2))], axis=1)
        moved = true + rng.normal(0, off, true.shape)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        labels = given.integers(0, len(CLASSES), count)
        truth.append(Detections(true, labels, size=SIZE))
        found.append(Detections(moved, labels, rng.uniform(0.2, 1, count), size=SIZE))
    with store.draft(f"det-{name}") as draft:
        sizes = np.tile(np.array(SIZE), (len(ids), 1))
        write_part(draft.next_part(), DetectionPart(np.arange(len(ids)), ids, sizes, found, truth, False), {})
        return finish(draft, facts("detection", name), {}, False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        ids = pictures(folder / "pictures", arguments.images)
        data = open_dataset(folder / "pictures")
        store = Store(folder / "store")
        tasks = {
            "classification": [classified(store, ids, "a", 3.0), classified(store, ids, "bb", 3.2)],
            "detection": [detected(store, ids, "a", 5.0), detected(store, ids, "bb", 4.0)],
        }
        import plotly.graph_objects as go

        begin = time.perf_counter()
        line = go.Figure(go.Scatter(y=np.random.default_rng(0).random(arguments.images)))
        peer = len(line.to_html(include_plotlyjs=True).encode())
        print(f"peer: one chart by Plotly's to_html: {time.perf_counter() - begin:.2f} s, {peer / 1e6:.2f} MB")
        for task, runs in tasks.items():
            for count in (1, 2):
                begin = time.perf_counter()
                made = write_report(store, runs[:count], folder / f"{task}-{count}.html", pictures=lambda _: data)
                spent, size = time.perf_counter() - begin, made.stat().st_size
                print(
                    f"{task}, {arguments.images} images, {count} run{'s compared' * (count > 1)}: {spent:.2f} s, "
                    f"{size / 1e6:.2f} MB ({size / peer:.2f} of the peer)"
                )


if __name__ == "__main__":
    main()
