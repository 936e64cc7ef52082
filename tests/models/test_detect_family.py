"""Detectors by name and as ``.pt`` files: recognised by what is inside, refused when hostile, quick when offline."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dashboard.errors import InputError
from models import coco
from models.base import LoadOptions, serves
from models.load import check_loadable, find_spec, list_specs, load_model, model_rows
from tests.models import detectors


class Bomb:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return detectors.ultralytics_pt(tmp_path_factory.mktemp("yolo") / "best.pt")


@pytest.mark.parametrize(
    ("typed", "name", "task"),
    [
        ("yolo11n", "yolo11n", "detection"),
        ("ultralytics/yolov8x.pt", "yolov8x", "detection"),
        ("yolo12s", "yolo12s", "detection"),
        ("yolo26n-seg", "yolo26n-seg", "instance-segmentation"),
        ("rtdetr-l", "rtdetr-l", "detection"),
        ("fasterrcnn_resnet50_fpn_v2", "torchvision/fasterrcnn_resnet50_fpn_v2", "detection"),
        ("torchvision/maskrcnn_resnet50_fpn", "torchvision/maskrcnn_resnet50_fpn", "instance-segmentation"),
    ],
)
def test_names(typed, name, task):
    if typed.endswith(".pt"):  # a file, if there were one
        from models.ultralytics_family import Ultralytics

        spec = Ultralytics().resolve(typed)
    else:
        spec = find_spec(typed)
    assert (spec.name, spec.task, spec.class_names) == (name, task, coco.NAMES)


def test_segmenters_serve_detection_and_not_the_other_way_round():
    assert serves("instance-segmentation", "detection")
    assert not serves("detection", "instance-segmentation")
    assert not serves("classification", "detection")
    boxes, shapes = ({s.name for s in list_specs(task)} for task in ("detection", "instance-segmentation"))
    assert shapes < boxes
    assert {"yolo11n", "yolo11n-seg", "rtdetr-x"} <= boxes
    assert "yolo11n" not in shapes
    assert "yolo11n-cls" not in boxes
    rows = {row["name"]: row for row in model_rows("detection")}
    assert rows["yolo11n-seg"]["task"] == "instance-segmentation"
    check_loadable("yolo11n-seg", task="detection")
    with pytest.raises(InputError, match="yolo11n is a model for detection, not for instance-segmentation"):
        check_loadable("yolo11n", task="instance-segmentation")


def test_settings_are_those_of_the_task(checkpoint):
    check_loadable("yolo11n", settings={"conf": "0.1", "max_det": "5"})
    for name in ("yolo11n", checkpoint):
        with pytest.raises(InputError, match="has no setting called 'activation'"):
            load_model(name, LoadOptions(device="cpu", settings={"activation": "sigmoid"}))
    with pytest.raises(InputError, match="has no setting called 'conf'"):
        check_loadable("yolo11n-cls", settings={"conf": "0.1"})
    with pytest.raises(InputError, match="Did you mean 'conf'"):
        check_loadable(checkpoint, settings={"confi": "0.1"})


@pytest.mark.parametrize("yaml", ["yolo11n.yaml", "yolo26n-seg.yaml"])
def test_a_file_tells_its_task(tmp_path, yaml):
    path = detectors.ultralytics_pt(tmp_path / "anything", yaml, size=128)
    adapter = load_model(path, LoadOptions(device="cpu"))
    assert adapter.spec.task == ("instance-segmentation" if "seg" in yaml else "detection")
    assert adapter.spec.class_names == detectors.NAMES
    assert adapter.spec.input_size == (128, 128)
    assert adapter.notes["class names"] == "the file's own"


def test_names_and_size_may_be_given(tmp_path, checkpoint):
    path = shutil.copy(checkpoint, tmp_path / "a.pt")
    (tmp_path / "a.pt.classes.txt").write_text("a\nb\nc\nd\ne\n")
    adapter = load_model(path, LoadOptions(device="cpu", settings={"input_size": "96x100"}))
    assert adapter.spec.class_names == ("a", "b", "c", "d", "e")
    assert adapter.spec.input_size == (96, 128)
    (tmp_path / "a.pt.classes.txt").write_text("a\n")
    with pytest.raises(InputError, match="5 classes but 1 class names"):
        load_model(path, LoadOptions(device="cpu"))


@pytest.mark.parametrize("ending", [".pt", ".bin"])
@pytest.mark.parametrize("place", ["beside the network", "inside the network"])
def test_a_hostile_detector_is_refused(tmp_path, checkpoint, place, ending):
    import torch

    content = torch.load(checkpoint, weights_only=False)
    bomb = Bomb(f"touch {tmp_path / 'it-ran'}")
    if place == "beside the network":
        content["extra"] = bomb
    else:
        content["model"].names = bomb
    path = tmp_path / f"weights{ending}"
    torch.save(content, path)
    with pytest.raises(InputError, match="refused") as error:
        load_model(path, LoadOptions(device="cpu"))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "it-ran").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "it-ran").exists()  # it is live


def without_head(net):
    del net.model[-1]


def with_a_huge_stride(net):
    import torch

    net.stride = torch.tensor([1e9])


def without_classes(net):
    net.model[-1].nc = "many"


def with_names_that_are_none(net):
    net.names = {0: "a"}


def without_layers(net):
    net._modules.clear()


@pytest.mark.parametrize(
    "damage",
    [without_head, with_a_huge_stride, without_classes, with_names_that_are_none, without_layers],
    ids=lambda f: f.__name__,
)
def test_a_forged_network_gets_one_sentence(tmp_path, damage):
    import torch

    net = detectors.ultralytics_net("yolo11n.yaml")
    damage(net)
    torch.save({"model": net, "train_args": {"imgsz": 64}}, tmp_path / "a.pt")
    with pytest.raises(InputError) as error:
        load_model(tmp_path / "a.pt", LoadOptions(device="cpu"))
    assert "a.pt" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [100_000, [640, -1], "640", [1, 2, 3], None, 10**30])
def test_sizes_that_a_file_may_not_ask_for(tmp_path, size):
    import torch

    net = detectors.ultralytics_net("yolo11n.yaml")
    torch.save({"model": net.half(), "train_args": {"imgsz": size}}, tmp_path / "a.pt")
    if size in ("640", [1, 2, 3], None):
        assert load_model(tmp_path / "a.pt", LoadOptions(device="cpu")).spec.input_size == (640, 640)
        return
    with pytest.raises(InputError, match=r"a\.pt.*pixels, more than 2048x2048"):
        load_model(tmp_path / "a.pt", LoadOptions(device="cpu"))


@pytest.mark.parametrize("name", ["yolo11n", "yolo26n-seg", "rtdetr-l", "torchvision/fcos_resnet50_fpn"])
def test_offline_is_one_sentence(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("models.downloads.reachable", lambda url: False)
    with pytest.raises(InputError, match="not on this machine and would come from https://"):
        load_model(name, LoadOptions(device="cpu"))
