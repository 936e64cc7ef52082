"""Detections as text and as VOC XML: any order of columns, names behind numbers, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard import masks
from dashboard.datasets.opening import open_dataset
from dashboard.detection_import import import_detections
from dashboard.detection_import_txt import layout
from dashboard.errors import InputError
from tests.datasets.pictures import zip_folder
from tests.datasets.scenes_on_disk import HEIGHT, WIDTH, make_coco, make_voc, make_yolo, voc_object, voc_xml


@pytest.fixture
def truth(tmp_path):
    make_voc(tmp_path / "set")
    return open_dataset(tmp_path / "set", task="detection")


@pytest.fixture
def masked(tmp_path):
    make_yolo(tmp_path / "yolo")
    return open_dataset(tmp_path / "yolo", task="instance-segmentation")


def folder(tmp_path: Path, files: dict[str, str], suffix: str = ".txt") -> Path:
    out = tmp_path / "predictions"
    out.mkdir(exist_ok=True)
    for name, text in files.items():
        (out / (name + suffix)).write_text(text)
    return out


def refused(path: Path, truth, match: str, **options) -> str:
    with pytest.raises(InputError, match=match) as info:
        import_detections(path, truth, **options)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 700
    return text


LINES = {  # the box 4, 6, 12, 18 of class dog with score 0.75, in each way to write it
    (None, None): "1 0.25 0.5 0.25 0.5 0.75",
    ("class,score,x,y,w,h", "px"): "1 0.75 4 6 8 12",
    ("class,score,x1,y1,x2,y2", "px"): "dog 0.75 4 6 12 18",
    ("class,score,x1,y1,x2,y2", None): "1 0.75 0.125 0.25 0.375 0.75",
    ("score,cx,cy,w,h,class", "px"): "0.75,8,12,8,12,Dog",
    ("class, -, score, cx, cy, w, h", "rel"): "1.0 99 0.75 0.25 0.5 0.25 0.5",
    ("-,x,y,w,h,score,class", "rel"): "1.jpg 0.125 0.25 0.25 0.5 .75 1",
}


@pytest.mark.parametrize(("how", "line"), LINES.items())
def test_orders_of_columns(tmp_path, truth, how, line):
    path = folder(tmp_path, {"1": f"\n{line}\n\n{line}\n", "10": line, "2": ""})
    for where in (path, zip_folder(path, tmp_path / "p.zip", inside="labels")):
        found = import_detections(where, truth, columns=how[0], units=how[1], cache_dir=tmp_path / "cache")
        assert found.image.tolist() == [0, 0, 3]
        assert found.class_ids.tolist() == [1, 1, 1]
        assert found.scores.tolist() == [0.75] * 3
        np.testing.assert_allclose(found.xyxy, [[4, 6, 12, 18]] * 3, atol=1e-12)
        assert found.notes == ("1 of 4 images have no file and count as without detections: 'JPEGImages/3.jpg'.",)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ("class,score,x,y,w", "must hold class, score and one of"),
        ("score,x,y,w,h", "must hold class"),
        ("class,x,y,w,h", "must hold class, score"),
        ("class,score,x,y,w,h,x2", "pass over others with -"),
        ("class,score,x,y,w,h,w", "'w' occurs twice"),
        ("class,score,left,y,w,h", "'left' is not one of"),
        ("class,score,x,y,x2,y2", "must hold"),
    ],
)
def test_bad_columns(columns, match):
    with pytest.raises(InputError, match=match):
        layout(columns)


@pytest.mark.parametrize(
    ("line", "match", "options"),
    [
        ("1 0.5 0.5 0.5 0.5", r"1\.txt, line 2 has 5 columns and no score: .*save_conf", {}),
        ("1 0.5 0.5 0.5 0.5 0.9 7", r"line 2 has 7 columns, not 6", {}),
        ("1 0.5 0.5 0.5", r"line 2 has 4 columns", {}),
        ("1 0.5 0.5 0.5 0.5 0.9", "line 2 has 6 columns, but 7 are named", {"columns": "class,-,score,x,y,w,h"}),
        ("2 0.5 0.5 0.5 0.5 0.9", "line 2: class number 2 is past the list of 2 classes of the truth", {}),
        ("-1 0.5 0.5 0.5 0.5 0.9", "line 2: '-1' is neither a class number in 0..1", {}),
        ("dgo 0.5 0.5 0.5 0.5 0.9", "line 2: 'dgo' is neither .* Did you mean 'dog'", {}),
        ("1 nan 0.5 0.5 0.5 0.9", "line 2: 'nan' is not a finite number", {}),
        ("1 0.5 0.5 x 0.5 0.9", "line 2: 'x' is not a finite number", {}),
        ("1 0.5 0.5 0.5 0.5 inf", "line 2: 'inf' is not a finite number", {}),
        ("1 0.5 0.5 0.5 0.5 1.2", "line 2: the score 1.2 is outside 0..1", {}),
        ("1 0.5 0.5 -0.5 0.5 0.5", "line 2: width -0.5 and height 0.5 must not be negative", {}),
        ("1 9 9 4 4 0.5", "line 2: the box is far outside 0..1: for pixels pass --units px", {}),
        (
            "1 0.5 9 9 4 4",
            "line 2: the box ends before it begins",
            {"columns": "class,score,x1,y1,x2,y2", "units": "px"},
        ),
    ],
)
def test_bad_lines(tmp_path, truth, line, match, options):
    first = "0 0.5 0.5 0.5 0.5 0.9" if "columns" not in options else f"0 {'0.5 ' * (options['columns'].count(','))}"
    path = folder(tmp_path, {"1": f"{first}\n{line}\n"})
    assert "1.txt" in refused(path, truth, match, **options)


def test_files_and_images(tmp_path, truth):
    path = folder(tmp_path, {"1": "", "77": "0 0.5 0.5 0.5 0.5 0.5", "classes": "cat\ndog"})
    refused(path, truth, r"77\.txt: the image '77' is not in the truth, whose images are like 'JPEGImages/1\.jpg'")
    found = import_detections(path, truth, partial=True)
    assert len(found) == 0
    assert found.notes[0] == "1 files of images that are not in the truth left out: '77.txt'."
    (path / "deeper").mkdir()
    (path / "deeper" / "1.txt").write_text("")
    refused(path, truth, "both of the image 'JPEGImages/1.jpg'", partial=True)
    refused(tmp_path / "set" / "JPEGImages", truth, r"holds no \.txt, \.xml or \.json")
    refused(path, truth, "units 'cm'", units="cm")


def test_names_of_the_predictions(tmp_path, truth):
    path = folder(tmp_path, {"1": "0 0.5 0.5 0.5 0.5 0.9\n1 0.5 0.5 0.5 0.5 0.9\n2 0.5 0.5 0.5 0.5 0.9\n"})
    found = import_detections(path, truth, names=["dog", "bird", "Cat"])
    assert found.class_ids.tolist() == [1, 0]
    assert "1 detections of classes that the truth does not have left out." in found.notes
    refused(path, truth, "past the list of 2 names given", names=["dog", "cat"])
    refused(path, truth, "class 'cat' of the truth is not among the 2 names", names=["dog", "cats"])


def test_relative_boxes_need_sizes(tmp_path):
    def without(data):
        for image in data["images"]:
            del image["height"]

    make_coco(tmp_path / "set", without)
    for file in (tmp_path / "set" / "images").iterdir():
        file.unlink()
    truth = open_dataset(tmp_path / "set", task="detection", labels_only=True)
    path = folder(tmp_path, {"1": "0 0.5 0.5 0.5 0.5 0.9"})
    refused(path, truth, "size of the image '1.jpg' is not known")
    assert len(import_detections(path, truth, units="px")) == 1


class TestPolygons:
    LINE = "1 0.125 0.25 0.375 0.25 0.375 0.75 0.125 0.75 0.5"  # 4, 6, 12, 18

    def test_as_masks_and_as_boxes(self, tmp_path, masked, truth):
        path = folder(tmp_path, {"1": self.LINE})
        found = import_detections(path, masked)
        assert found.xyxy.tolist() == [[4, 6, 12, 18]]
        assert masks.boxes(found.masks, (HEIGHT, WIDTH)).tolist() == [[4, 6, 12, 18]]
        assert masks.areas(found.masks, (HEIGHT, WIDTH)).tolist() == [8 * 12]
        boxes = import_detections(path, truth)
        assert boxes.masks is None
        assert boxes.xyxy.tolist() == [[4, 6, 12, 18]]

    @pytest.mark.parametrize(
        ("line", "match"),
        [
            ("1 0.5 0.5 0.5 0.5 0.9", "line 1 has 6 columns, not a polygon's 8"),
            ("1 0.1 0.1 0.2 0.1 0.2 0.2 0.3 0.3", "line 1 has 9 columns"),
            ("1 0.1 0.1 0.2 nan 0.2 0.2 0.3", "'nan' is not a finite number"),
            ("1 0.1 0.1 0.2 0.1 40 60 0.3", "far outside 0..1"),
        ],
    )
    def test_bad_ones(self, tmp_path, masked, line, match):
        refused(folder(tmp_path, {"1": line}), masked, match)

    def test_columns_are_for_boxes(self, tmp_path, masked):
        path = folder(tmp_path, {"1": self.LINE})
        refused(path, masked, "columns are for boxes", columns="class,score,x,y,w,h")


class TestVocXml:
    def test_by_hand(self, tmp_path, truth):
        text = voc_object("dog", 2, 3, 10, 12, "<score>0.5</score>")
        text += voc_object("cat", 0, 0, 4, 4, "<confidence>0.25</confidence>")
        found = import_detections(folder(tmp_path, {"2": voc_xml("x.jpg", text)}, ".xml"), truth)
        assert found.image.tolist() == [1, 1]
        assert found.xyxy.tolist() == [[2, 3, 10, 12], [0, 0, 4, 4]]
        assert found.class_ids.tolist() == [1, 0]
        assert found.scores.tolist() == [0.5, 0.25]
        assert "3 of 4 images have no file" in found.notes[0]

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            (voc_object("dog", 2, 3, 10, 12), r"2\.xml, object 1 has no <score> and no <confidence>"),
            (
                voc_object("dog", 2, 3, 10, 12, "<score>1.5</score>"),
                "object 1: the score '1.5' is not a number in 0..1",
            ),
            (voc_object("dog", 2, 3, 10, 12, "<score>nan</score>"), "object 1: the score 'nan'"),
            (voc_object("dgo", 2, 3, 10, 12, "<score>1</score>"), "object 1: 'dgo' is neither .* Did you mean 'dog'"),
        ],
    )
    def test_bad_ones(self, tmp_path, truth, text, match):
        refused(folder(tmp_path, {"2": voc_xml("x.jpg", text)}, ".xml"), truth, match)

    def test_other_files(self, tmp_path, truth, masked):
        path = folder(tmp_path, {"99": voc_xml("", "")}, ".xml")
        refused(path, truth, r"99\.xml: the image '99' is not in the truth")
        refused(path, masked, "has boxes and no masks")
        folder(tmp_path, {"1": ""})
        refused(path, truth, r"\.txt and \.xml files")
