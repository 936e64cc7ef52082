"""Real annotations and detections: COCO's own example gives COCO's numbers, and VOC's photos agree in every format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dashboard import masks
from dashboard.datasets.opening import open_dataset
from dashboard.detection_import import import_detections
from dashboard.labels import read_class_names

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
COCO_100 = DATA / "coco_val2014_100"
VOC = DATA / "voc_boxes"
TWELVE = (
    *(0.504581, 0.696973, 0.572982, 0.585626, 0.519400, 0.501398),
    *(0.386813, 0.593680, 0.595353, 0.639811, 0.566421, 0.564291),
)

pytestmark = pytest.mark.skipif(
    not (COCO_100.is_dir() and VOC.is_dir()), reason=f"the real data are not at {DATA} (set LOUPE_DATA)"
)


def as_coco(truth: Any, found: Any = None) -> dict[str, Any] | list[dict[str, Any]]:
    """What was read, written as COCO's dicts again: of the truth, or of detections."""
    if found is not None:
        width = found.xyxy[:, 2:] - found.xyxy[:, :2]
        boxes = np.concatenate([found.xyxy[:, :2], width], axis=1).tolist()
        columns = zip(found.image.tolist(), found.class_ids.tolist(), boxes, found.scores.tolist(), strict=True)
        return [{"image_id": i, "category_id": c, "bbox": b, "score": s} for i, c, b, s in columns]
    rows: list[dict[str, Any]] = []
    for i, target in enumerate(truth.targets):
        areas = target.areas if target.areas is not None else (target.xyxy[:, 2:] - target.xyxy[:, :2]).prod(axis=1)
        for box, label, area, crowd in zip(target.xyxy, target.class_ids, areas, target.crowd, strict=True):
            xywh = [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]
            row = {"id": len(rows) + 1, "image_id": i, "category_id": int(label), "bbox": xywh, "area": float(area)}
            rows.append(row | {"iscrowd": int(crowd)})
    sizes = truth.sizes.tolist()
    images = [{"id": i, "file_name": n, "height": sizes[i][0], "width": sizes[i][1]} for i, n in enumerate(truth.ids)]
    categories = [{"id": i, "name": name} for i, name in enumerate(truth.class_names)]
    return {"images": images, "annotations": rows, "categories": categories}


def numbers(truth: Any, found: Any) -> np.ndarray:
    """pycocotools' twelve."""
    oracle = COCO()
    oracle.dataset = as_coco(truth)
    oracle.createIndex()
    run = COCOeval(oracle, oracle.loadRes(as_coco(truth, found)), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run.stats


@pytest.fixture(scope="module")
def coco_truth():
    return open_dataset(COCO_100 / "instances_val2014_100.json", task="detection", labels_only=True)


@pytest.fixture(scope="module")
def darknet():
    return open_dataset(VOC / "gts" / "yolo_format", task="detection")


def detections(truth: Any, kind: str = "abs_xywh") -> Any:
    options = {"abs_xywh": ("class,score,x,y,w,h", "px"), "rel_xywh": ("class,score,cx,cy,w,h", "rel")}[kind]
    names = read_class_names(VOC / "voc.names")
    return import_detections(VOC / "dets" / kind, truth, names=names, columns=options[0], units=options[1])


def test_cocos_example_gives_cocos_numbers(coco_truth):
    assert (len(coco_truth), len(coco_truth.objects), len(coco_truth.class_names)) == (100, 839, 80)
    found = import_detections(COCO_100 / "instances_val2014_fakebbox100_results.json", coco_truth)
    np.testing.assert_allclose(numbers(coco_truth, found), TWELVE, atol=1e-6)


def test_cocos_masks_are_pycocotools(coco_truth):
    file = COCO_100 / "instances_val2014_100.json"
    ours, oracle = open_dataset(file, task="instance-segmentation", labels_only=True), COCO(file)
    for image, target in zip(ours.image_ids.tolist(), ours.targets, strict=True):
        theirs = oracle.loadAnns(oracle.getAnnIds(image))
        wanted = [oracle.annToRLE(a)["counts"] for a in theirs]
        assert list(target.masks) == wanted
        assert masks.first_fault(target.masks, target.size) is None
    assert ours.fingerprint != coco_truth.fingerprint


def test_voc_photos_in_darknets_and_cocos_format(darknet, tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(as_coco(darknet)))
    converted = open_dataset(
        tmp_path / "instances.json", task="detection", options={"images": str((VOC / "images").resolve())}
    )
    assert converted.ids == darknet.ids
    assert converted.class_names == darknet.class_names
    assert len(darknet.objects) == 119
    for ours, theirs in zip(converted.targets, darknet.targets, strict=True):
        np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=1e-9)
        assert ours.class_ids.tolist() == theirs.class_ids.tolist()
    np.testing.assert_allclose(
        numbers(converted, detections(converted)), numbers(darknet, detections(darknet)), atol=1e-9
    )


def test_voc_photos_in_vocs_format(darknet):
    voc = open_dataset(VOC / "gts" / "pascalvoc_format", task="detection")
    assert voc.ids == darknet.ids
    assert voc.sizes.tolist() == darknet.sizes.tolist()
    assert "20 objects marked difficult count like others" in voc.warnings[0]
    for ours, theirs in zip(voc.targets, darknet.targets, strict=True):
        key = np.lexsort(ours.xyxy.round().T), np.lexsort(theirs.xyxy.round().T)
        assert len(ours) == len(theirs)
        names = [[d.class_names[c] for c in t.class_ids] for d, t in ((voc, ours), (darknet, theirs))]
        assert sorted(names[0]) == sorted(names[1])
        assert np.abs(ours.xyxy[key[0]] - theirs.xyxy[key[1]]).max(initial=0) < 1.01  # the files differ by a pixel
    difference = numbers(voc, detections(voc)) - numbers(darknet, detections(darknet))
    assert np.abs(difference[[0, 1, 2, 6, 7, 8]]).max() < 0.01  # by size a pixel moves more of the few objects


def test_absolute_and_relative_detections_agree(darknet):
    pixels, fractions = detections(darknet), detections(darknet, "rel_xywh")
    assert len(pixels) == 182
    np.testing.assert_allclose(pixels.xyxy, fractions.xyxy, atol=1e-3)  # written with six digits
    np.testing.assert_array_equal(pixels.class_ids, fractions.class_ids)
    np.testing.assert_array_equal(pixels.image, fractions.image)
    np.testing.assert_array_equal(pixels.scores, fractions.scores)
    assert "'2007_000676.jpg'" in pixels.notes[0]
