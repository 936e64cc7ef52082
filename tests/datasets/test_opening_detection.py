"""Opening detection datasets: which format, for which task, and what is said where it is none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dashboard.datasets.opening import list_datasets, open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write, zip_folder
from tests.datasets.scenes_on_disk import make_coco, make_darknet, make_voc, make_yolo

MAKERS = {"coco": make_coco, "yolo": make_yolo, "voc": make_voc, "darknet": make_darknet}


@pytest.mark.parametrize("name", MAKERS)
def test_recognised_as_folder_and_zip(tmp_path, name):
    MAKERS[name](tmp_path / "set")
    format_name = "yolo" if name == "darknet" else name
    plain = open_dataset(tmp_path / "set", task="detection")
    packed = open_dataset(zip_folder(tmp_path / "set", tmp_path / "a.zip"), task="detection", cache_dir=tmp_path / "c")
    for data in (plain, packed):
        assert (data.format, data.task, data.options) == (format_name, "detection", {})
        assert len(data.objects) == 5
    assert plain.fingerprint == packed.fingerprint
    assert open_dataset(tmp_path / "set", format=format_name, task="detection").ids == plain.ids


def test_every_task_has_its_rows():
    rows = {(row["name"], row["task"]) for row in list_datasets()}
    assert {("coco", "detection"), ("coco", "instance-segmentation"), ("voc", "detection")} <= rows
    assert ("voc", "instance-segmentation") not in rows
    assert {row["name"] for row in list_datasets("instance-segmentation")} >= {"coco", "yolo"}
    assert all(row["task"] == "detection" for row in list_datasets("detection"))


def test_a_format_of_another_task(tmp_path):
    make_voc(tmp_path)
    with pytest.raises(InputError, match="The format 'voc' is for detection, not for instance-segmentation"):
        open_dataset(tmp_path, format="voc", task="instance-segmentation")
    with pytest.raises(InputError, match="'coco' is for detection and instance-segmentation, not for classification"):
        open_dataset(tmp_path, format="coco")
    with pytest.raises(InputError, match=r"Did you mean 'yolo'.* For detection there are: coco, yolo, voc"):
        open_dataset(tmp_path, format="yol", task="detection")


@pytest.mark.parametrize("task", ["detection", "instance-segmentation"])
def test_a_built_in_dataset_is_told_its_task(task):
    data = open_dataset("demo:scenes", task=task)
    assert data.task == task
    with pytest.raises(InputError, match="demo:digits is for classification, not for detection"):
        open_dataset("demo:digits", task="detection")
    with pytest.raises(InputError, match="demo:scenes is for detection and instance-segmentation"):
        open_dataset("demo:scenes")


def test_what_is_no_dataset(tmp_path):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "photos" / "1.jpg")
    cases = [
        (tmp_path / "empty", "is empty: give a COCO instances JSON"),
        (tmp_path / "photos" / "1.jpg", "single picture, not a dataset: give a COCO instances JSON"),
        (tmp_path / "photos", "no dataset for detection that is recognised; the formats are: coco: .*yolo: .*voc: "),
        ("", "drop a COCO instances JSON"),
    ]
    for path, match in cases:
        with pytest.raises(InputError, match=match) as info:
            open_dataset(path, task="detection")
        assert "class" not in str(info.value).partition("formats are")[0]


@pytest.mark.parametrize(("name", "text"), [("a.json", "{"), ("a.yaml", "names: ["), ("a.xml", "<annotation>")])
def test_the_format_of_a_broken_file_says_what_is_wrong(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        open_dataset(tmp_path / name, task="detection")
    with pytest.raises(InputError, match=name):
        open_dataset(tmp_path, task="detection")


def test_unknown_option(tmp_path):
    make_coco(tmp_path)
    with pytest.raises(InputError, match=r"'coco' has no option 'anotations'.* Did you mean 'annotations'"):
        open_dataset(tmp_path, task="detection", options={"anotations": "x"})


def test_detection_formats_import_no_torch():
    code = (
        "import sys, dashboard.detection_import\n"
        "import dashboard.datasets.coco, dashboard.datasets.yolo, dashboard.datasets.voc\n"
        "print([m for m in ('torch', 'gradio', 'plotly', 'ultralytics', 'duckdb') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
