"""Small detection problems for tests: built by hand, or drawn by hypothesis; and the same as pycocotools sees them."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dashboard import masks
from dashboard.metrics.detection.columns import DetectionBatch
from dashboard.types import Detections

SIDE = 60


def found(*rows: tuple[float, ...]) -> Detections:
    """Rows of (class, score, x1, y1, x2, y2)."""
    a = np.array(rows, float).reshape(-1, 6)
    return Detections(a[:, 2:], a[:, 0].astype(int), a[:, 1], size=(SIDE, SIDE))


def true(*rows: tuple[float, ...], crowd: list[int] | None = None, ignore: list[int] | None = None) -> Detections:
    """Rows of (class, x1, y1, x2, y2)."""
    a = np.array(rows, float).reshape(-1, 5)
    flags = {"crowd": np.zeros(len(a), bool), "ignore": np.zeros(len(a), bool)}
    for name, places in (("crowd", crowd), ("ignore", ignore)):
        flags[name][places or []] = True
    return Detections(a[:, 1:], a[:, 0].astype(int), size=(SIDE, SIDE), **flags)


def batch(*pairs: tuple[Detections, Detections]) -> DetectionBatch:
    """Pairs of (found, true), one an image."""
    return DetectionBatch.of([f"image {i}" for i in range(len(pairs))], [a for a, _ in pairs], [b for _, b in pairs])


def scenes(images: int, classes: int, seed: int = 1, masked: bool = False) -> DetectionBatch:
    """Random images with random objects and answers near them; no two scores are equal."""
    rng = np.random.default_rng(seed)
    answers, truths = [], []
    for _ in range(images):
        n = int(rng.integers(0, 5))
        corner, side = rng.integers(0, 35, (n, 2)), rng.integers(4, 25, (n, 2))
        boxes = np.concatenate([corner, corner + side], axis=1).astype(float)
        labels = rng.integers(0, classes, n)
        truths.append(_objects(boxes, labels, None, rng.random(n) < 0.1))
        near = np.concatenate([boxes + rng.integers(-1, 2, (n, 1)), boxes[: n // 2]]).clip(0, SIDE)
        guess = np.where(rng.random(len(near)) < 0.8, np.concatenate([labels, labels[: n // 2]]), 0)
        answers.append(_objects(near, guess, rng.random(len(near)), None))
    return DetectionBatch.of([f"s{i}" for i in range(images)], answers, truths, masked)


def _objects(boxes: np.ndarray, labels: np.ndarray, scores: Any, crowd: Any) -> Detections:
    outlines = [_mask(tuple(int(v) for v in b), i) for i, b in enumerate(boxes)]  # type: ignore[arg-type]
    return Detections(boxes, labels, scores, outlines, (SIDE, SIDE), None, crowd)


def piece(whole: DetectionBatch, rows: slice) -> DetectionBatch:
    """Some images of a batch."""
    start, stop, _ = rows.indices(len(whole))
    sides = []
    for objects in (whole.found, whole.truth):
        mine = objects.take((objects.image >= start) & (objects.image < stop))
        sides.append(replace(mine, image=mine.image - start))
    return DetectionBatch(whole.ids[rows], whole.sizes[rows], *sides)


_box = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40), st.integers(1, 40))
_score = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 1.0]) | st.floats(0, 1, width=16)
_area = st.none() | st.sampled_from([100.0, 1024.0, 1024.5, 9216.0, 20000.0])
_truth = st.tuples(st.integers(0, 2), _box, st.booleans() | st.just(False), _area)
_answer = st.tuples(st.integers(0, 2), _box | st.integers(0, 5), st.integers(-2, 2), _score)
problems = st.lists(st.tuples(st.lists(_truth, max_size=6), st.lists(_answer, max_size=8)), min_size=1, max_size=4)
"""Images of ((class, box, crowd, area) ..., (class, box or the number of a truth to lie near, shift, score) ...)."""


def solved(problem: Any, masked: bool = False) -> tuple[DetectionBatch, Any]:
    """A drawn problem as a batch, and pycocotools' evaluation of it (None without detections: it cannot do that)."""
    answers, truths, annotations, results = [], [], [], []
    for image, (true_rows, rows) in enumerate(problem):
        boxes = [_clipped(b) for _, b, _, _ in true_rows]
        areas = [float(a or (b[2] - b[0]) * (b[3] - b[1])) for b, (*_, a) in zip(boxes, true_rows, strict=True)]
        crowd = np.array([c for _, _, c, _ in true_rows], bool)
        labels = np.array([k for k, *_ in true_rows], int)
        outlines = [_mask(b, i) for i, b in enumerate(boxes)]
        truths.append(
            Detections(np.array(boxes, float), labels, None, outlines, (SIDE, SIDE), np.array(areas, float), crowd)
        )
        for k, b in enumerate(boxes):
            annotations.append(
                _row(image, int(labels[k]), b, outlines[k])
                | {"id": len(annotations) + 1, "area": areas[k], "iscrowd": int(crowd[k])}
            )
        near = [_near(b, shift, boxes) for _, b, shift, _ in rows]
        shapes = [_mask(b, i + 1) for i, b in enumerate(near)]
        scores = np.array([float(s) for *_, s in rows])
        labels = np.array([k for k, *_ in rows], int)
        answers.append(Detections(np.array(near, float), labels, scores, shapes, (SIDE, SIDE)))
        for k, b in enumerate(near):
            row = _row(image, int(labels[k]), b, shapes[k]) | {"score": float(scores[k])}
            row.pop("bbox" if masked else "segmentation")
            results.append(row)
    names = [f"image {i}" for i in range(len(problem))]
    made = DetectionBatch.of(names, answers, truths, masked)
    return made, _oracle(len(problem), annotations, results, masked) if results else None


def _clipped(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x, y, w, h = box
    return x, y, min(x + w, SIDE), min(y + h, SIDE)


def _near(box: Any, shift: int, truths: list[Any]) -> tuple[int, int, int, int]:
    if isinstance(box, int):
        box = truths[box % len(truths)] if truths else (0, 0, 9, 9)
        x1, y1, x2, y2 = box
        return max(0, min(x1 + shift, x2 - 1)), y1, x2, y2
    return _clipped(box)


def _mask(box: tuple[int, int, int, int], seed: int) -> bytes:
    mask = np.zeros((1, SIDE, SIDE), bool)
    mask[0, box[1] : box[3], box[0] : box[2]] = True
    if seed % 2:
        mask[0, box[1], box[0]] = False
        mask[0, (box[1] + box[3]) // 2, box[0] : box[2]] ^= True
    return masks.encode(mask)[0]


def _row(image: int, label: int, box: tuple[int, int, int, int], mask: bytes) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    segmentation = {"size": [SIDE, SIDE], "counts": mask.decode()}
    return {
        "image_id": image,
        "category_id": label,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": segmentation,
    }


def _oracle(images: int, annotations: list[Any], results: list[Any], masked: bool) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i, "width": SIDE, "height": SIDE} for i in range(images)],
            "annotations": annotations,
            "categories": [{"id": k, "name": str(k)} for k in range(3)],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm" if masked else "bbox")
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    return evaluation
