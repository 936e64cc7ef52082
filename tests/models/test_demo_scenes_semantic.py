"""The project's semantic segmenters of ``demo:scenes``: they load from safe files alone and see what they should."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import socket

import numpy as np
import pytest

from dashboard.datasets.scene_layout import arrange
from dashboard.datasets.scenes import Scenes
from dashboard.errors import InputError
from dashboard.types import Segmentation
from models.base import LoadOptions, Weights
from models.demo import scenes
from models.demo.scenes_semantic import HERE, DemoScenesSemantic

NAMES = ("scenes_sem_nano", "scenes_sem_small")
PICTURES = 60
FLOORS = [("scenes_sem_nano", 0.48, 0.97), ("scenes_sem_small", 0.56, 0.975)]  # IoU of the digits, pixel accuracy
CPU = LoadOptions(device="cpu", threads=1)


def spec_of(name: str):
    return next(spec for spec in DemoScenesSemantic().specs() if spec.name == name)


@pytest.fixture(scope="module")
def data() -> Scenes:
    return Scenes("semantic-segmentation")


@pytest.fixture(scope="module")
def found(data) -> dict[str, list[Segmentation]]:
    """Each model's class maps of the first pictures."""
    images = [data[i].image for i in range(PICTURES)]
    models = {name: DemoScenesSemantic().load(spec_of(name), CPU) for name in NAMES}
    return {name: model.predict(images) for name, model in models.items()}


def judged(answers: list[Segmentation], data: Scenes) -> dict[str, float]:
    """By scikit-learn's confusion matrix."""
    from sklearn.metrics import confusion_matrix

    from models.demo.train_scenes_semantic import scores

    true = np.concatenate([target.class_ids.ravel() for target in data.targets[: len(answers)]])
    answered = np.concatenate([answer.class_ids.ravel() for answer in answers])
    return scores(confusion_matrix(true, answered, labels=range(11)))


def test_specs():
    specs = list(DemoScenesSemantic().specs())
    assert [spec.name for spec in specs] == list(NAMES)
    for spec in specs:
        assert spec.task == "semantic-segmentation"
        assert spec.class_names == ("background", *"0123456789")
        assert spec.weights.size_bytes == (HERE / f"{spec.name}.safetensors").stat().st_size
        assert DemoScenesSemantic().is_here(spec)
        loaded = DemoScenesSemantic().load(spec, CPU).spec
        assert loaded == dataclasses.replace(spec, input_size=loaded.input_size)  # as promised; any size will do


def test_they_are_small():
    files = [HERE / f"{name}.safetensors" for name in NAMES]
    assert sum(file.stat().st_size for file in files) < 6e6
    for file in files:
        data = file.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        kinds = {(entry["dtype"], len(entry["shape"]) > 1) for key, entry in header.items() if key != "__metadata__"}
        assert kinds == {("F16", True), ("F32", False), ("I64", False)}  # batch norms count their batches


@pytest.mark.parametrize("name", NAMES)
def test_loading_unpickles_nothing_and_asks_no_one(name, monkeypatch):
    import torch

    scenes.import_ultralytics()  # the import itself may do as it likes

    def forbidden(*args, **kwargs):
        raise AssertionError("pickle or network used")

    for module, attribute in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, attribute, forbidden)
    monkeypatch.setattr(socket, "socket", forbidden)
    model = DemoScenesSemantic().load(spec_of(name), CPU)
    assert len(model.predict([np.full((64, 64, 3), 90, np.uint8)])) == 1


@pytest.mark.parametrize(("name", "digits", "accuracy"), FLOORS)
def test_iou_on_held_out_scenes(name, digits, accuracy, found, data):
    result = judged(found[name], data)
    assert result["mIoU of the digits"] > digits
    assert result["pixel accuracy"] > accuracy
    assert result["mIoU of the digits"] < 0.95  # something is left to look at


def test_the_small_one_is_clearly_better(found, data):
    nano, small = (judged(found[name], data) for name in NAMES)
    assert small["mIoU of the digits"] > nano["mIoU of the digits"] + 0.05
    assert small["pixel accuracy"] > nano["pixel accuracy"]


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_single_pictures_give(name, found, data):
    model = DemoScenesSemantic().load(spec_of(name), CPU)
    for i in range(8):
        alone, together = model.predict([data[i].image])[0], found[name][i]
        assert (alone.class_ids != together.class_ids).mean() < 1e-4  # rounding may decide where two classes tie
        rows = alone.probabilities.rows(8, 24)
        np.testing.assert_allclose(rows, together.probabilities.rows(8, 24), atol=1e-4)
        np.testing.assert_allclose(rows.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (33, 250), (97, 64)])
def test_any_size_goes_in_and_comes_out(size):
    model = DemoScenesSemantic().load(spec_of("scenes_sem_nano"), CPU)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    answer = model.predict([picture])[0]
    assert answer.class_ids.shape == size
    assert answer.class_ids.dtype == np.uint8
    assert answer.class_ids.max() <= 10


def test_padding_changes_little(data):
    """A picture whose sides are not multiples of 32 is not resized: what is in it stays what it was."""
    model = DemoScenesSemantic().load(spec_of("scenes_sem_small"), CPU)
    for i in range(4):
        image = data[i].image
        whole, cut = (model.predict([each])[0].class_ids for each in (image, image[:-9, :-9]))
        assert (whole[:-41, :-41] == cut[:-32, :-32]).mean() > 0.98


@pytest.mark.parametrize("broken", ["missing", "cut", "another", "yaml"])
def test_damaged_files_are_named(broken, tmp_path, monkeypatch):
    for name in NAMES:
        shutil.copy(HERE / f"{name}.safetensors", tmp_path / f"{name}.safetensors")
    file = tmp_path / "scenes_sem_nano.safetensors"
    if broken == "missing":
        file.unlink()
    elif broken == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif broken == "another":
        shutil.copy(tmp_path / "scenes_sem_small.safetensors", file)
    else:
        (tmp_path / "scenes_nano.yaml").write_text("nc: [")
        monkeypatch.setattr(scenes, "HERE", tmp_path)
    spec = dataclasses.replace(spec_of("scenes_sem_nano"), weights=Weights("bundled", str(file)))
    with pytest.raises(InputError, match=r"sem_nano\.safetensors or scenes_nano\.yaml .*semantic --model nano"):
        DemoScenesSemantic().load(spec, CPU)


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_the_truth_learnt_from_is_the_datasets(size, monkeypatch):
    """Every second pixel of the class map, for pictures with and without digits."""
    from models.demo import train_scenes
    from models.demo.train_scenes_semantic import truth_of

    batch = train_scenes.batch_of(0, size, np.random.RandomState(3))
    down, across = np.random.RandomState(3).randint(0, 2, 2)
    truth = truth_of(batch).numpy()
    empty = 0
    for k in range(train_scenes.BATCH):
        layout = arrange("train", k, size, crowds=False, heights=(11, min(size) * 2 // 5))
        np.testing.assert_array_equal(truth[k], layout.semantic()[down::2, across::2])
        empty += not layout.labels
    assert 0 < empty < train_scenes.BATCH


@pytest.mark.parametrize("size", [(48, 80), (64, 64)])
def test_backgrounds_vary_for_training_alone(size):
    """The same for the same random numbers, over other backgrounds than the dataset's own."""
    from models.demo import train_scenes, train_scenes_semantic

    plain = train_scenes.batch_of(0, size, np.random.RandomState(3), 8)
    other = train_scenes.batch_of(0, size, np.random.RandomState(3), 8, background=train_scenes_semantic.varied)
    assert (plain["masks"] == other["masks"]).all()
    assert (plain["img"] != other["img"]).float().mean() > 0.5
    assert (plain["img"] == train_scenes.batch_of(0, size, np.random.RandomState(3), 8)["img"]).all()
    for k in range(20):
        canvases = [train_scenes_semantic.varied(np.random.RandomState(k), "train", size) for _ in range(2)]
        assert canvases[0].shape == (*size, 3)
        assert canvases[0].dtype == np.float32
        assert 0 <= canvases[0].min() <= canvases[0].max() <= 255.001
        np.testing.assert_array_equal(*canvases)


def test_training_repeats_itself_and_is_judged(tmp_path, monkeypatch, data):
    """A few steps only, from the detector's weights."""
    import torch
    from safetensors.torch import load_file

    from models.demo import train_scenes_semantic

    monkeypatch.setattr(train_scenes_semantic, "BATCH", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    files = [tmp_path / f"{i}.safetensors" for i in range(2)]
    try:
        for file in files:
            train_scenes_semantic.train("nano", None, 4, file)
    finally:
        torch.set_num_threads(threads)
    assert files[0].read_bytes() == files[1].read_bytes()
    learnt, given = load_file(files[0]), load_file(HERE / "scenes_nano.safetensors")
    kept = "trunk.0.conv.weight"
    change = (learnt[kept].float() - given["model.0.conv.weight"]).abs().max()
    assert 0 < change < 0.01  # it goes on from there
    cells = train_scenes_semantic.confusion("scenes_sem_nano", files[0], 2)
    before = files[0].read_bytes()
    train_scenes_semantic.train("nano", None, 2, files[0], resume=0.9)
    assert files[0].read_bytes() != before
    assert cells.sum() == sum(target.class_ids.size for target in data.targets[:2])
    true = np.bincount(np.concatenate([t.class_ids.ravel() for t in data.targets[:2]]), minlength=11)
    np.testing.assert_array_equal(cells.sum(1), true)


def test_scores_by_hand():
    """Two classes of digits occur: 6 / 9, and 1 / 4."""
    from models.demo.train_scenes_semantic import scores

    found = scores(np.array([[10, 1, 0], [2, 6, 0], [3, 0, 1]]))
    assert found["pixel accuracy"] == pytest.approx(17 / 23)
    assert found["mIoU"] == pytest.approx((10 / 16 + 6 / 9 + 1 / 4) / 3)
    assert found["mIoU of the digits"] == pytest.approx((6 / 9 + 1 / 4) / 2)
