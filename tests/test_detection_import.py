"""COCO results: columns as pycocotools' ``loadRes`` has them, on the fast and the careful way, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from dashboard import detection_import_coco, masks
from dashboard.datasets.opening import open_dataset
from dashboard.detection_import import import_detections
from dashboard.errors import InputError
from tests.datasets.scenes_on_disk import coco_dict, make_coco, make_yolo

GOOD = {"image_id": 7, "category_id": 3, "bbox": [1.5, 2, 3, 4.25], "score": 0.5}


@pytest.fixture
def truth(tmp_path):
    file = make_coco(tmp_path / "set")
    return open_dataset(file, task="detection")


@pytest.fixture
def masked(tmp_path):
    file = make_coco(tmp_path / "set")
    return open_dataset(file, task="instance-segmentation")


@pytest.fixture(params=["fast", "careful", "pieces"])
def way(request, monkeypatch):
    """Through DuckDB, through orjson in one go, and in pieces of a few entries."""
    monkeypatch.setattr(detection_import_coco, "_SMALL", 0 if request.param == "fast" else 10**12)
    if request.param == "pieces":
        monkeypatch.setattr(detection_import_coco, "_PIECE", 200)
    return request.param


def results(tmp_path, data: Any) -> Any:
    file = tmp_path / "results.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


def refused(tmp_path, truth, data: Any, match: str, **options) -> str:
    with pytest.raises(InputError, match=match) as info:
        import_detections(results(tmp_path, data), truth, **options)
    text = str(info.value)
    assert "results.json" in text
    assert "\n" not in text
    assert len(text) < 600
    return text


def random_results(seed: int, count: int = 60) -> list[dict[str, Any]]:
    """Numbers of any length, in no order."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        box = (rng.uniform(0, 20, 4) * 10.0 ** rng.integers(-3, 1)).tolist()
        if rng.random() < 0.3:
            box = [int(v) for v in box]
        score = float(rng.choice([rng.random(), rng.random() / 1e5, 0, 1, round(rng.random(), 2)]))
        image, category = int(rng.integers(4)) * 7, int(rng.integers(2)) * 3
        rows.append({"image_id": image, "category_id": category, "bbox": box, "score": score})
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_equals_pycocotools(tmp_path, truth, way, seed, capsys):
    file = results(tmp_path, random_results(seed))
    found = import_detections(file, truth)
    theirs = COCO(truth.source).loadRes(str(file))
    capsys.readouterr()
    start = 0
    for position, image in enumerate(truth.image_ids.tolist()):
        rows = theirs.loadAnns(theirs.getAnnIds(image))
        mine = slice(start, start := start + len(rows))
        box = np.array([r["bbox"] for r in rows]).reshape(-1, 4)
        assert (found.image[mine] == position).all()
        np.testing.assert_array_equal(found.xyxy[mine], np.c_[box[:, :2], box[:, :2] + box[:, 2:]])
        assert found.class_ids[mine].tolist() == [r["category_id"] // 3 for r in rows]
        assert found.scores[mine].tolist() == [r["score"] for r in rows]
        assert found.areas[mine].tolist() == [r["area"] for r in rows]
    assert len(found) == start == 60
    assert found.masks is None


def test_the_fast_way_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(detection_import_coco, "_SMALL", 0)
    table = detection_import_coco._fast(results(tmp_path, random_results(0)))
    assert table is not None
    assert len(table.scores) == 60


def test_nothing_found(tmp_path, truth, way):
    assert len(import_detections(results(tmp_path, []), truth)) == 0


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("key", ["annotations", "predictions", None])
def test_in_an_object_and_indented(tmp_path, truth, way, key, indent):
    rows = random_results(1)
    plain = import_detections(results(tmp_path, rows), truth)
    again = import_detections(results(tmp_path, json.dumps({key: rows} if key else rows, indent=indent)), truth)
    np.testing.assert_array_equal(plain.xyxy, again.xyxy)


def test_extra_keys_and_order(tmp_path, truth, way):
    row = {
        "score": 0.25,
        "note": "},{",
        "bbox": [0, 0, 2, 2],
        "x": [{"a": 1}, {"b": 2}],
        "category_id": 0,
        "image_id": 0,
    }
    found = import_detections(results(tmp_path, [row, GOOD] * 9), truth)
    assert found.scores.tolist() == [0.25] * 9 + [0.5] * 9


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"image_id": 8}, "entry 4: the image '8' is not in the truth, .* like 0"),
        ({"category_id": 4}, "entry 4: category_id 4 is not among the 2 categories"),
        ({"category_id": 3.5}, "entry 4: 'category_id' is 3.5"),
        ({"category_id": "dog"}, "entry 4: 'category_id' is 'dog'"),
        ({"image_id": None}, "entry 4: 'image_id' is None"),
        ({"image_id": 7.5}, "entry 4: 'image_id' is 7.5"),
        ({"image_id": 10**30}, "entry 4: "),
        ({"score": 1.5}, "entry 4: the score 1.5 is outside 0..1"),
        ({"score": -0.1}, "entry 4: the score -0.1 is outside 0..1"),
        ({"score": None}, "entry 4: 'score' is None"),
        ({"score": "high"}, "entry 4: 'score' is 'high'"),
        ({"score": ...}, "entry 4 has no 'score'"),
        ({"score": math.nan}, "entry 4: NaN"),
        ({"bbox": [1, math.inf, 2, 2]}, "entry 4: NaN, Infinity"),
        ({"bbox": [1, 2, -3, 4]}, "entry 4: 'bbox' is"),
        ({"bbox": [1, 2, 3]}, "entry 4: 'bbox' is"),
        ({"bbox": [1, 2, 3, 4, 5]}, "entry 4: 'bbox' is"),
        ({"bbox": ...}, "entry 4 has no 'bbox'"),
        ({"bbox": [1, 2, "3", None]}, "entry 4: 'bbox' is"),
    ],
)
def test_bad_entries(tmp_path, truth, way, changes, match):
    bad = {k: v for k, v in (GOOD | changes).items() if v is not ...}
    refused(tmp_path, truth, [GOOD, GOOD, GOOD, bad, GOOD], match)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        (json.dumps([GOOD, GOOD])[:-1], "truncated"),
        (json.dumps([GOOD, GOOD])[:-20], "entry 2: .*truncated"),
        (json.dumps([GOOD] * 9)[:-180], "entry 7: .*truncated"),
        (json.dumps([GOOD]) + "]", "not valid JSON"),
        ("[7]", "entry 1 is not an object"),
        ("7", "no COCO results file"),
        (json.dumps(coco_dict() | {"annotations": {}}), "no COCO results file"),
        ('{"annotations": [NaN]}', "line 1: NaN"),
        ('{"annotations": [', "truncated"),
        ("[" * 5000, "not valid JSON"),
        ("\x00\x01", "not valid JSON"),
    ],
)
def test_not_a_results_file(tmp_path, truth, way, text, match):
    refused(tmp_path, truth, text, match)


def test_partial_and_limit(tmp_path, truth, way):
    rows = [GOOD, GOOD | {"image_id": 99}, GOOD | {"image_id": 0}, GOOD | {"image_id": 21}]
    found = import_detections(results(tmp_path, rows), truth, partial=True)
    assert found.image.tolist() == [0, 1, 3]
    assert found.notes == ("1 detections of images that are not in the truth left out.",)
    assert import_detections(results(tmp_path, rows), truth, partial=True, limit=2).image.tolist() == [0, 1]
    refused(tmp_path, truth, [GOOD | {"image_id": 99}], "entry 1: the image '99'", partial=True)


def test_outside_the_image(tmp_path, truth, way):
    found = import_detections(results(tmp_path, [GOOD, GOOD | {"bbox": [-50, 0, 200, 5]}]), truth)
    assert found.xyxy[1].tolist() == [-50, 0, 150, 5]
    assert "1 boxes reach more than a pixel beyond" in found.notes[0]


def test_scores_a_rounding_past_one(tmp_path, truth, way):
    assert import_detections(results(tmp_path, [GOOD | {"score": 1.0000001}]), truth).scores.tolist() == [1]


def test_names_and_numbers_of_images(tmp_path):
    """What Ultralytics writes for datasets that are not COCO: file names, or the number in them; ids from 1."""
    make_yolo(tmp_path / "yolo")
    truth = open_dataset(tmp_path / "yolo", task="detection")
    rows = [
        {"image_id": 10, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5},
        {"image_id": "2", "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5},
        {"image_id": "images/val/3.jpg", "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5},
        {"image_id": "/content/x/1.jpg", "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5},
    ]
    found = import_detections(results(tmp_path, rows), truth)
    assert found.image.tolist() == [0, 1, 2, 3]
    assert found.class_ids.tolist() == [0, 0, 0, 1]
    assert "counted from 1" in found.notes[0]
    rows[0]["category_id"] = 0
    rows[1]["category_id"] = 1
    found = import_detections(results(tmp_path, rows), truth)
    assert found.class_ids.tolist() == [1, 1, 1, 0]
    assert "counted from 0" in found.notes[0]
    rows[0]["category_id"] = 2
    rows[1]["category_id"] = 0
    refused(tmp_path, truth, rows, "entry 1: category_id 2 is not among the 2 categories")


def test_class_names_of_the_predictions(tmp_path, truth):
    rows = [GOOD | {"category_id": i} for i in (0, 1, 2)]
    found = import_detections(results(tmp_path, rows), truth, names=["bird", "Dog", "cat"])
    assert found.class_ids.tolist() == [1, 0]
    assert "1 detections of classes that the truth does not have left out." in found.notes
    with pytest.raises(InputError, match="class 'cat' of the truth is not among the 2 names"):
        import_detections(results(tmp_path, rows), truth, names=["bird", "dog"])
    assert len(import_detections(results(tmp_path, rows[:2]), truth, names=["bird", "dog"], partial=True)) == 1


class TestMasks:
    SQUARE = (GOOD | {"segmentation": [[1, 1, 5, 1, 5, 4, 1, 4]]}, 12)

    def test_all_kinds(self, tmp_path, masked):
        picture = np.zeros((24, 32), bool)
        picture[2:5, 3:9] = True
        runs = masks.encode(picture[None])[0].decode()
        plain = [3 * 24 + 2, 3, *([21, 3] * 5), 24 * 23 + 19]
        rows = [
            self.SQUARE[0],
            {k: v for k, v in GOOD.items() if k != "bbox"} | {"segmentation": {"size": [24, 32], "counts": runs}},
            GOOD | {"segmentation": {"size": [24, 32], "counts": plain}},
        ]
        found = import_detections(results(tmp_path, rows), masked)
        pictures = masks.decode(found.masks, (24, 32))
        assert pictures[0].sum() == 12
        np.testing.assert_array_equal(pictures[1], picture)
        np.testing.assert_array_equal(pictures[2], picture)
        assert found.xyxy[1].tolist() == [3, 2, 9, 5]
        assert found.areas.tolist() == [3 * 4.25, 18, 3 * 4.25]  # as loadRes: the box's where there is one

    def test_order_is_kept_together(self, tmp_path, masked):
        rng = np.random.default_rng(0)
        pictures = rng.random((12, 24, 32)) < 0.2
        rows = []
        for i, code in enumerate(coco_mask.encode(np.asfortranarray(pictures.transpose(1, 2, 0), np.uint8))):
            mask = {"size": [24, 32], "counts": code["counts"].decode()}
            rows.append(GOOD | {"image_id": 7 * (i % 3), "score": i / 12, "segmentation": mask})
        found = import_detections(results(tmp_path, rows), masked)
        order = (found.scores * 12).round().astype(int)
        assert found.image.tolist() == sorted(found.image.tolist())
        np.testing.assert_array_equal(masks.decode(found.masks, (24, 32)), pictures[order])

    @pytest.mark.parametrize(
        ("segmentation", "match"),
        [
            (..., "no 'segmentation', which instance segmentation needs"),
            ([], "no 'segmentation'"),
            ([[1, 2, 3, 4]], "polygon 1 has 2 points"),
            ({"size": [32, 24], "counts": "0"}, "another size, 32 x 24, than its image, 24 x 32"),
            ({"size": [24, 32], "counts": "0"}, "another size"),
            ({"size": [24, 32], "counts": "oooooooooooooo"}, "damaged"),
            ({"size": [24, 32], "counts": "\u0000\u0001"}, "damaged"),
            ({"size": [24, 32], "counts": [5, -5, 768]}, "whole numbers"),
            ({"size": [2**40, 2**40], "counts": "0"}, "another size"),
            ({"size": "24x32", "counts": "0"}, "size is '24x32'"),
        ],
    )
    def test_bad_masks(self, tmp_path, masked, segmentation, match):
        bad = {k: v for k, v in (GOOD | {"segmentation": segmentation}).items() if v is not ...}
        text = refused(tmp_path, masked, [self.SQUARE[0], bad], match)
        assert "entry 2" in text

    def test_boxes_from_masks_for_detection(self, tmp_path, truth):
        bare = {k: v for k, v in self.SQUARE[0].items() if k != "bbox"}
        found = import_detections(results(tmp_path, [bare, GOOD]), truth)
        assert found.xyxy.tolist() == [[1, 1, 5, 4], [1.5, 2, 4.5, 6.25]]
        assert found.masks is None


@pytest.mark.parametrize(
    ("name", "match"), [("nowhere", "does not exist"), ("a.bin", "of no known kind"), ("a.txt", "give the folder")]
)
def test_other_paths(tmp_path, truth, name, match):
    if name != "nowhere":
        (tmp_path / name).write_text("hello")
    with pytest.raises(InputError, match=match):
        import_detections(tmp_path / name, truth)
