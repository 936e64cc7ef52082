"""Instance masks painted into class maps."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import masks
from dashboard.errors import InputError
from dashboard.types import Detections, Segmentation
from models.base import LoadOptions, ModelAdapter, ModelSpec, Weights
from models.class_map import ClassMapOfInstances, painted
from models.load import load_model
from tests.models import detectors, segmenters

SPEC = ModelSpec("boxes", "instance-segmentation", "a-test", "a test", Weights("file", "a.pt", 1), ("cat", "dog"))


def objects(pictures, class_ids, scores):
    stacked = np.stack(pictures).astype(bool)
    boxes = np.zeros((len(stacked), 4))
    size = stacked.shape[1:]
    return Detections(boxes, np.array(class_ids), np.array(scores), masks=masks.encode(stacked), size=size)


def test_by_hand():
    one, other, weak = np.zeros((3, 3, 4), bool)
    one[:2, :3] = True
    other[1:, 1:] = True
    weak[:] = True
    found = objects([one, other, weak], [0, 1, 0], [0.6, 0.9, 0.25])
    assert painted(found, 0.25, 3).tolist() == [[1, 1, 1, 0], [1, 2, 2, 2], [0, 2, 2, 2]]
    assert painted(found, 0.2, 3).tolist() == [[1, 1, 1, 1], [1, 2, 2, 2], [1, 2, 2, 2]]
    assert painted(found, 0.7, 3).tolist() == [[0, 0, 0, 0], [0, 2, 2, 2], [0, 2, 2, 2]]
    assert not painted(found, 0.95, 3).any()


def test_of_equally_sure_objects_the_first_counts():
    full = np.ones((2, 2))
    assert (painted(objects([full, full], [1, 0], [0.5, 0.5]), 0.25, 3) == 2).all()


def test_many_classes_take_two_bytes():
    found = objects([np.eye(2)], [300], [0.9])
    assert painted(found, 0.25, 302).dtype == np.uint16
    assert painted(found, 0.25, 302).tolist() == [[301, 0], [0, 301]]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_it_is_what_decoding_and_painting_gives(data):
    size = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    count = data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    pictures = rng.random((count, *size)) < data.draw(st.sampled_from([0.0, 0.2, 0.9, 1.0]))
    scores = rng.permutation(count) / count
    class_ids = rng.integers(0, 5, count)
    expected = np.zeros(size, np.uint8)
    for place in np.argsort(scores):
        if scores[place] > 0.25:
            expected[pictures[place]] = class_ids[place] + 1
    np.testing.assert_array_equal(painted(objects(pictures, class_ids, scores), 0.25, 6), expected)


def test_no_objects():
    found = Detections.none((4, 5), scored=True, masked=True)
    assert painted(found, 0.25, 3).shape == (4, 5)
    assert not painted(found, 0.25, 3).any()


class Fixed(ModelAdapter):
    """Answers the same objects, whatever it sees."""

    def __init__(self, answer, spec=SPEC):
        self.answer, self.spec, self.device, self.fingerprint, self.notes = answer, spec, "cpu", "f", {"threads": 1}
        self.closed = False

    def preprocess(self, image):
        return image

    def forward(self, items):
        return len(items)

    def postprocess(self, outputs):
        return [self.answer] * outputs

    def close(self):
        self.closed = True


def test_the_facts_are_those_of_a_semantic_segmenter():
    inner = Fixed(objects([np.ones((3, 4))], [1], [0.5]))
    made = ClassMapOfInstances(inner)
    assert made.spec.task == "semantic-segmentation"
    assert made.spec.name == "boxes"
    assert made.spec.class_names == ("background", "cat", "dog")
    assert made.fingerprint not in ("f", ClassMapOfInstances(inner, 0.5).fingerprint)
    assert made.notes["class map"] == "objects surer than 0.25, the surest on top, background elsewhere"
    (answer,) = made.predict([np.zeros((3, 4, 3), np.uint8)])
    assert isinstance(answer, Segmentation)
    assert answer.probabilities is None
    assert (answer.class_ids == 2).all()
    made.close()
    assert inner.closed


def test_a_class_called_background_stays_apart():
    spec = replace(SPEC, class_names=("background", "dog"))
    made = ClassMapOfInstances(Fixed(Detections.none(), spec))
    assert made.spec.class_names == ("background (no object)", "background", "dog")


def test_models_that_make_no_masks():
    with pytest.raises(ValueError, match="must be an instance segmenter, got one for detection"):
        ClassMapOfInstances(Fixed(None, replace(SPEC, task="detection")))
    with pytest.raises(InputError, match="boxes did not answer with masks"):
        ClassMapOfInstances(Fixed(Detections.none((3, 4), scored=True))).predict([np.zeros((3, 4, 3), np.uint8)])


def load(path, task="semantic-segmentation", **chosen):
    return load_model(path, LoadOptions(device="cpu", settings=chosen), task)


def test_loading_for_semantic_segmentation(tmp_path):
    path = detectors.ultralytics_pt(tmp_path / "a.pt", "yolo11n-seg.yaml")
    picture = detectors.photos()[0][:600, :600]
    instances = load(path, None).predict([picture])[0]
    made = load(path)
    assert isinstance(made, ClassMapOfInstances)
    assert made.spec.class_names == ("background", *detectors.NAMES)
    answer = made.predict([picture])[0]
    assert answer.size == (600, 600)
    assert made.network is not None
    sure = load(path, conf="0.5")
    assert sure.fingerprint != made.fingerprint
    np.testing.assert_array_equal(
        sure.predict([picture])[0].class_ids, painted(instances, 0.5, len(detectors.NAMES) + 1)
    )
    assert load(path, "instance-segmentation").spec.task == "instance-segmentation"
    with pytest.raises(InputError, match="no setting called 'cnf'"):
        load(path, cnf="0.5")
    with pytest.raises(InputError, match=r"conf must be a number in 0\.\.1"):
        load(path, conf="2")


def test_by_name():
    made = load("scenes_nano")
    assert made.spec.task == "semantic-segmentation"
    assert made.spec.class_names[0] == "background"
    assert made.predict([segmenters.picture(120, 160)])[0].size == (120, 160)


def test_semantic_segmenters_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = segmenters.torchvision_in_cache(tmp_path, "lraspp_mobilenet_v3_large")
    made = load(name, input_size="64")
    assert not isinstance(made, ClassMapOfInstances)
    assert made.fingerprint == load(name, None, input_size="64").fingerprint


def test_a_hundred_masks_are_painted_fast():
    y, x = np.mgrid[:720, :1280]
    rng = np.random.default_rng(0)
    spots = [((y - rng.integers(720)) ** 2 + (x - rng.integers(1280)) ** 2) < 80**2 for _ in range(100)]
    found = objects(spots, rng.integers(0, 80, 100), np.linspace(0.3, 1, 100))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        painted(found, 0.25, 81)
        seconds.append(time.perf_counter() - start)
    began = time.perf_counter()
    masks.decode(found.masks, found.size)
    assert min(seconds) < time.perf_counter() - began  # than only decoding them
