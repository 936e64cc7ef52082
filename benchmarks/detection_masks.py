"""Mask AP against its peers, each in fresh processes, first call included; and where our own time goes.

    python -m benchmarks.detection_masks [--images 500] [--truth 3600] [--detections 18000] [--rounds 3]

Blobs in pictures of 640 x 480 as COCO's run lengths in memory, to the twelve numbers; what is counted is as in
``detection_ap``. Below, the parts of ours: matching (with the overlap of masks), accumulation, and what a run needs
besides and no peer gives: neighbours across classes and boundary IoU.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection_ap import (
    HEIGHT,
    PEERS,
    WIDTH,
    Clock,
    Data,
    batch_of,
    in_turns,
    make,
    peer,
    present,
    table,
    truth_dict,
)


def blobs(boxes: np.ndarray, rng: np.random.Generator) -> list[bytes]:
    """A star-shaped outline within each box, filled, as run lengths."""
    import cv2

    from dashboard import masks

    out = []
    for x, y, w, h in boxes:
        corners = int(rng.integers(8, 24))
        angle, radius = np.linspace(0, 2 * np.pi, corners, endpoint=False), rng.uniform(0.7, 1, corners)
        outline = np.stack([x + w / 2 * (1 + radius * np.cos(angle)), y + h / 2 * (1 + radius * np.sin(angle))], axis=1)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
        mask[int(y), int(x)] |= not mask.any()
        out.append(masks.encode(mask[None])[0])
    return out


def with_masks(images: int, classes: int, truth: int, detections: int) -> Data:
    """As ``make``, with ``gm`` and ``dm``, areas and boxes those of the masks."""
    from dashboard import masks

    data, rng = make(images, classes, truth, detections, seed=7), np.random.default_rng(1)
    for box, mask in (("gb", "gm"), ("db", "dm")):
        data[mask] = blobs(data[box], rng)
        tight = masks.boxes(data[mask], (HEIGHT, WIDTH))
        tight[:, 2:] -= tight[:, :2]
        data[box] = tight
    data["area"] = np.array([masks.areas([m], (HEIGHT, WIDTH))[0] for m in data["gm"]])
    return data


def ours(data: Data) -> Data:
    """Twelve numbers and the match table; then the parts, timed in a second pass."""
    from dashboard.metrics.detection.boundary import boundary_iou
    from dashboard.metrics.detection.matching import match
    from dashboard.metrics.detection.neighbours import neighbours
    from dashboard.metrics.detection.precision import accumulate

    batch = batch_of(data, data["dm"], data["gm"])
    with Clock() as clock:
        matches = match(replace(batch), "segm")  # checked anew
        stats = list(accumulate(matches, data["classes"]).summary().values())
    result = clock.result(stats)
    parts: dict[str, Callable[[], Any]] = {
        "matching": lambda: match(batch, "segm"),
        "accumulation": lambda: accumulate(matches, data["classes"]),
        "neighbours": lambda: neighbours(batch, matches, "segm"),
        "boundary IoU": lambda: boundary_iou(batch, matches),
    }
    result["parts"] = {}
    for name, part in parts.items():
        with Clock() as timer:
            part()
        result["parts"][name] = timer.processor
    return result


def work(name: str, folder: Path) -> Data:
    """What a fresh process does."""
    data: Data = pickle.loads((folder / "data.pickle").read_bytes())  # written by this very run
    if name == "ours":
        return ours(data)
    size = [HEIGHT, WIDTH]
    truth = truth_dict(data)
    for row, mask in zip(truth["annotations"], data["gm"], strict=True):
        row["segmentation"] = {"size": size, "counts": mask.decode()}
    columns = zip(data["di"], data["dc"], data["ds"], data["dm"], strict=True)
    results = [
        {
            "image_id": int(i) + 1,
            "category_id": int(c) + 1,
            "score": float(s),
            "segmentation": {"size": size, "counts": m},
        }
        for i, c, s, m in ((i, c, s, m.decode()) for i, c, s, m in columns)
    ]
    return peer(name, truth, results, "segm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name, value in (("images", 500), ("classes", 80), ("truth", 3600), ("detections", 18_000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--skip", nargs="*", default=[], choices=list(PEERS))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(work(args.case, args.folder)))
        return
    print(f"mask AP: {args.images} images, {args.truth} objects, {args.detections} detections")
    with tempfile.TemporaryDirectory() as folder:
        data = with_masks(args.images, args.classes, args.truth, args.detections)
        (Path(folder) / "data.pickle").write_bytes(pickle.dumps(data))
        names = list(present(args.skip))
        found = in_turns("benchmarks.detection_masks", Path(folder), names, args.rounds, once=["pycocotools"])
    table(found)
    parts = found["ours"][-1]["parts"].items()
    print("  processor seconds of ours, warm: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in parts))


if __name__ == "__main__":
    main()
