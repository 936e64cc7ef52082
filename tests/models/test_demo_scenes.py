"""The project's segmenters of ``demo:scenes``: they load from safe files alone and see what they should."""

from __future__ import annotations

import dataclasses
import functools
import json
import pickle
import shutil
import socket

import numpy as np
import pytest

from dashboard import masks
from dashboard.datasets.scenes import Scenes
from dashboard.errors import InputError
from dashboard.types import Detections
from models.base import LoadOptions, Weights
from models.demo import scenes
from models.demo.scenes import HERE, DemoScenes

NAMES = ("scenes_nano", "scenes_small")
PICTURES = 60
FLOORS = [("scenes_nano", 0.28, 0.20), ("scenes_small", 0.46, 0.35)]  # box and mask AP, well below what is measured
CPU = LoadOptions(device="cpu", threads=1)


def spec_of(name: str):
    return next(spec for spec in DemoScenes().specs() if spec.name == name)


@pytest.fixture(scope="module")
def data() -> Scenes:
    return Scenes("instance-segmentation")


@pytest.fixture(scope="module")
def found(data) -> dict[str, list[Detections]]:
    """Each model's detections in the first pictures."""
    images = [data[i].image for i in range(PICTURES)]
    models = {name: DemoScenes().load(spec_of(name), CPU) for name in NAMES}
    return {name: model.predict(images) for name, model in models.items()}


def judged(predictions: list[Detections], data: Scenes) -> dict[str, float]:
    from models.demo.train_scenes import average_precision

    return average_precision(predictions, data.targets[: len(predictions)])


def test_specs():
    specs = list(DemoScenes().specs())
    assert [spec.name for spec in specs] == list(NAMES)
    for spec in specs:
        assert spec.task == "instance-segmentation"
        assert spec.class_names == Scenes(spec.task).class_names
        assert spec.weights.size_bytes == (HERE / f"{spec.name}.safetensors").stat().st_size
        assert DemoScenes().is_here(spec)
        loaded = DemoScenes().load(spec, CPU).spec
        assert loaded == spec  # what is promised before loading is what is loaded


def test_they_are_small_and_single_precision():
    files = [HERE / f"{name}.safetensors" for name in NAMES]
    assert sum(file.stat().st_size for file in files) < 20e6
    for file in files:
        data = file.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        kinds = {entry["dtype"] for key, entry in header.items() if key != "__metadata__"}
        assert kinds <= {"F32", "I64"}  # batch norms count their batches


@pytest.mark.parametrize("name", NAMES)
def test_loading_unpickles_nothing_and_asks_no_one(name, monkeypatch):
    import torch

    scenes.import_ultralytics()  # the import itself may do as it likes

    def forbidden(*args, **kwargs):
        raise AssertionError("pickle or network used")

    for module, attribute in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, attribute, forbidden)
    monkeypatch.setattr(socket, "socket", forbidden)
    model = DemoScenes().load(spec_of(name), CPU)
    assert len(model.predict([np.full((64, 64, 3), 90, np.uint8)])) == 1


@pytest.mark.parametrize(("name", "box", "mask"), FLOORS)
def test_average_precision_on_held_out_scenes(name, box, mask, found, data):
    """Measured: nano 0.343 and 0.278, small 0.528 and 0.420; over all 300, 0.344 and 0.269, 0.540 and 0.411."""
    result = judged(found[name], data)
    assert result["bbox AP"] > box
    assert result["segm AP"] > mask
    assert result["bbox AP50"] < 0.98  # something is left to look at


def test_the_small_one_is_clearly_better(found, data):
    nano, small = (judged(found[name], data) for name in NAMES)
    assert small["bbox AP"] > nano["bbox AP"] + 0.05
    assert small["segm AP"] > nano["segm AP"] + 0.03


def test_crowds_matter(found, data):
    """The digits in a crowd are found, and would be false alarms if the crowd were not one."""
    from models.demo.train_scenes import average_precision

    targets = data.targets[:PICTURES]
    without = [target.take(~target.crowd) for target in targets]
    assert sum(target.crowd.sum() for target in targets) >= 3
    with_crowds, ignored = (average_precision(found["scenes_small"], truth)["bbox AP"] for truth in (targets, without))
    assert with_crowds > ignored


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_single_pictures_give(name, found, data):
    model = DemoScenes().load(spec_of(name), CPU)
    for i in range(8):
        alone, together = model.predict([data[i].image])[0], found[name][i]
        sure = together.scores > 0.05  # below, rounding may change the order
        assert sure.sum() == (alone.scores > 0.05).sum()
        np.testing.assert_allclose(alone.scores[: sure.sum()], together.scores[sure], atol=1e-4)
        np.testing.assert_allclose(alone.xyxy[: sure.sum()], together.xyxy[sure], atol=0.05)


def test_masks_fit_their_boxes(found, data):
    for name in NAMES:
        for target, got in zip(data.targets, found[name], strict=False):
            assert got.size == target.size
            assert len(got.masks) == len(got) <= 300
            tight = masks.boxes(got.masks, got.size)
            inside = masks.areas(got.masks, got.size) > 0
            assert (tight[inside, :2] >= np.floor(got.xyxy[inside, :2]) - 1).all()
            assert (tight[inside, 2:] <= np.ceil(got.xyxy[inside, 2:]) + 1).all()


@pytest.mark.parametrize("broken", ["missing", "cut", "another", "yaml"])
def test_damaged_files_are_named(broken, tmp_path, monkeypatch):
    for name in NAMES:
        for suffix in (".safetensors", ".yaml"):
            shutil.copy(HERE / f"{name}{suffix}", tmp_path / f"{name}{suffix}")
    file = tmp_path / "scenes_nano.safetensors"
    if broken == "missing":
        file.unlink()
    elif broken == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif broken == "another":
        shutil.copy(tmp_path / "scenes_small.safetensors", file)
    else:
        (tmp_path / "scenes_nano.yaml").write_text("nc: [")
    monkeypatch.setattr(scenes, "HERE", tmp_path)
    spec = dataclasses.replace(spec_of("scenes_nano"), weights=Weights("bundled", str(file)))
    with pytest.raises(InputError, match=r"scenes_nano\.safetensors or the YAML .*train_scenes --model nano"):
        DemoScenes().load(spec, CPU)


def test_training_repeats_itself(tmp_path, monkeypatch):
    """A few steps only; the second half goes on from the first."""
    import torch

    from models.demo import train_scenes

    monkeypatch.setattr(train_scenes, "BATCH", 2)
    monkeypatch.setattr(train_scenes, "settle", functools.partial(train_scenes.settle, batches=2))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    files = [tmp_path / f"{i}.safetensors" for i in range(2)]
    try:
        for file in files:
            train_scenes.train("nano", None, 4, file)
        assert files[0].read_bytes() == files[1].read_bytes()
        before = files[0].read_bytes()
        train_scenes.train("nano", None, 4, files[0], resume=True)
    finally:
        torch.set_num_threads(threads)
    assert files[0].read_bytes() != before
    assert set(train_scenes.judge("scenes_nano", files[0], 2)) == {"bbox AP", "bbox AP50", "segm AP", "segm AP50"}
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in files}
