"""COCO's own example and real VOC photos through the command line: known answers, whatever the format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LOUPE_DATA") or ROOT.parent / "shared" / "data")
COCO, VOC = DATA / "coco_val2014_100", DATA / "voc_boxes"
TWELVE = {
    "map": 0.504581,
    "map_50": 0.696973,
    "map_75": 0.572982,
    "map_small": 0.585626,
    "map_medium": 0.519400,
    "map_large": 0.501398,
    "mar_1": 0.386813,
    "mar_10": 0.593680,
    "mar_100": 0.595353,
    "mar_small": 0.639811,
    "mar_medium": 0.566421,
    "mar_large": 0.564291,
}

pytestmark = pytest.mark.skipif(not COCO.is_dir(), reason=f"the real boxes are not at {DATA} (set LOUPE_DATA)")


def score(truth: Path, predictions: Path, store: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "dashboard", "score", "--task", "detection", "--truth", str(truth)]
    command += ["--predictions", str(predictions), "--store", str(store), "--json", "-", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout, parse_constant=pytest.fail)["runs"]
    return run


def test_cocos_own_twelve_numbers(tmp_path):
    results = COCO / "instances_val2014_fakebbox100_results.json"
    run = score(COCO / "instances_val2014_100.json", results, tmp_path)
    assert {k: run["metrics"][k] for k in TWELVE} == pytest.approx(TWELVE, abs=1e-6)
    assert run["samples"] == 100
    for name, (low, high) in run["intervals"].items():
        assert low <= run["metrics"][name] <= high
    assert run["per_class"]["person"]["ap"] == pytest.approx(0.5, abs=0.3)


def coco_of_darknet(folder: Path) -> Path:
    """The Darknet truth written as COCO's JSON."""
    from dashboard.datasets.opening import open_dataset

    data = open_dataset(VOC / "gts" / "yolo_format", task="detection")
    annotations = []
    for image, target in enumerate(data.targets):
        for label, (x1, y1, x2, y2) in zip(target.class_ids, target.xyxy, strict=True):  # type: ignore[union-attr]
            box = [float(v) for v in (x1, y1, x2 - x1, y2 - y1)]
            row = {"id": len(annotations) + 1, "image_id": image, "category_id": int(label), "bbox": box}
            annotations.append(row | {"area": box[2] * box[3], "iscrowd": 0})
    images = [
        {"id": i, "file_name": Path(name).name, "height": int(h), "width": int(w)}
        for i, (name, (h, w)) in enumerate(zip(data.ids, data.sizes, strict=True))  # type: ignore[attr-defined]
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(data.class_names)]
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def test_the_same_boxes_score_the_same_through_every_format(tmp_path):
    boxes = VOC / "dets" / "abs_xywh"
    how = ("--columns", "class,score,x,y,w,h", "--units", "px", "--classes", str(VOC / "voc.names"))
    darknet = score(VOC / "gts" / "yolo_format", boxes, tmp_path / "a", *how)["metrics"]
    coco = score(coco_of_darknet(tmp_path), boxes, tmp_path / "b", *how)["metrics"]
    voc = score(VOC / "gts" / "pascalvoc_format", boxes, tmp_path / "c", *how)["metrics"]
    for name in TWELVE:
        if darknet[name] is None:
            assert coco[name] is None
            continue
        assert coco[name] == pytest.approx(darknet[name], abs=1e-9)
        assert voc[name] == pytest.approx(darknet[name], abs=0.01), name
    relative = ("--columns", "class,score,cx,cy,w,h", "--classes", str(VOC / "voc.names"))
    again = score(VOC / "gts" / "yolo_format", VOC / "dets" / "rel_xywh", tmp_path / "d", *relative)["metrics"]
    assert again["map_50"] == pytest.approx(darknet["map_50"], abs=0.01)
