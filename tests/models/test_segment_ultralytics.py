"""Ultralytics' semantic segmenters beside Ultralytics' own predictor, on photos, with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions, ModelSpec, Weights
from models.load import find_spec, list_specs, load_model
from models.ultralytics_semantic import CITYSCAPES, segmenter
from tests.models import detectors, segmenters

SPEC = ModelSpec("tiny", "", "ultralytics", "a test", Weights("file", "tiny.pt", 1))


def options(**settings):
    return LoadOptions(device="cpu", threads=1, settings={key: str(value) for key, value in settings.items()})


def theirs(photo, classes=5, rect=True):
    """The class map of ``yolo predict``."""
    from ultralytics import YOLO

    model = YOLO("yolo26n-sem.yaml")
    model.model = segmenters.ultralytics_net(classes=classes)
    how = {"imgsz": 192, "rect": rect, "verbose": False, "device": "cpu"}
    return model.predict(photo[:, :, ::-1].copy(), **how)[0].semantic_mask.data.numpy()


@pytest.mark.parametrize("rect", [True, False])
def test_class_maps_are_those_of_yolo_predict(rect):
    made = segmenter(segmenters.ultralytics_net(), SPEC, options(rect=rect), image_size=(192, 192))
    for photo in detectors.photos():
        expected = theirs(photo, rect=rect).reshape(photo.shape[:2])
        found = made.predict([photo])[0].class_ids
        assert len(np.unique(expected)) >= 3
        assert (found == expected).mean() > 0.9995
    assert made.spec.class_names == segmenters.NAMES
    assert made.spec.task == "semantic-segmentation"
    assert made.notes["batch norms folded"] > 30
    assert not any("aux" in name for name, _ in made.network.named_modules())


def test_one_class_is_told_from_the_background():
    photo = detectors.photos()[0]
    made = segmenter(segmenters.ultralytics_net(classes=1), SPEC, options(rect=False), image_size=(192, 192))
    assert made.spec.class_names == ("background", "road")
    expected = theirs(photo, classes=1, rect=False).reshape(photo.shape[:2])
    assert 0.01 < expected.mean() < 0.99
    assert (made.predict([photo])[0].class_ids == expected).mean() > 0.9995


def test_a_file_is_recognised(tmp_path):
    path = segmenters.ultralytics_pt(tmp_path / "any.bin")
    made = load_model(path, options())
    assert (made.spec.task, made.spec.family, made.spec.input_size) == (
        "semantic-segmentation",
        "ultralytics",
        (192, 192),
    )
    assert made.spec.preprocessing.startswith("letterbox to 192x192 bilinear (OpenCV), grey padding to multiples of 32")
    larger = load_model(path, options(input_size=250))
    assert larger.spec.input_size == (256, 256)
    native = load_model(path, options(input_size="native"))
    assert native.preprocess(detectors.photos()[0][:100, :100]).pixels.shape == (128, 128, 3)
    with pytest.raises(InputError, match="no setting called 'conf'"):
        load_model(path, options(conf=0.5))
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    with pytest.raises(InputError, match="has 5 classes, but 2 class names were given"):
        load_model(path, options(classes=names))


def test_the_published_facts():
    specs = {spec.name: spec for spec in list_specs("semantic-segmentation", "ultralytics")}
    semantic = [name for name, spec in specs.items() if spec.task == "semantic-segmentation"]
    assert len(semantic) == 10
    assert specs["yolo26n-sem"].class_names == CITYSCAPES
    assert specs["yolo26n-sem-ade20k"].class_names == ()
    assert find_spec("yolo26n-sem.pt") is specs["yolo26n-sem"]
    assert "yolo26n-seg" in specs  # whose objects make class maps
    assert "yolo26n" not in specs


def test_names_are_cityscapess():
    from pathlib import Path

    import ultralytics
    import yaml

    text = (Path(ultralytics.__file__).parent / "cfg/datasets/cityscapes.yaml").read_text()
    assert tuple(yaml.safe_load(text)["names"].values()) == CITYSCAPES


def test_published_files_exist():
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    names = {s.name for s in list_specs("semantic-segmentation", "ultralytics") if s.task == "semantic-segmentation"}
    assert {f"{name}.pt" for name in names} <= GITHUB_ASSETS_NAMES


def test_other_networks_are_refused():
    with pytest.raises(InputError, match="holds an Ultralytics DetectionModel, not a semantic segmenter"):
        segmenter(detectors.ultralytics_net("yolo11n.yaml"), SPEC, options())
