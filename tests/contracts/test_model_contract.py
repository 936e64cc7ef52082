"""One body, every registered model family: what an adapter promises to the evaluation loop."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dashboard import masks
from dashboard.datasets.scenes import Scenes
from dashboard.errors import InputError
from dashboard.types import Classification, Detections, EnhancedImage, Segmentation
from models import MODELS
from models.base import LoadOptions, serves
from models.load import family, load_model
from tests.models import (
    detectors,
    enhancers,
    segmenters,
    spandrel_nets,
    test_detect_transformers,
    test_segment_transformers,
    weights,
)

CLASSES, BOXES, MASKS, PIXELS = "classification", "detection", "instance-segmentation", "semantic-segmentation"
PICTURES, TRACKS = "enhancement", "tracking"
SMALL = {"input_size": "96x160", "max_det": "10"}
SHORT = {"input_size": "64"}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of torch's tracer


def published(name):
    """Weights of torchvision's ``name`` with random numbers, where torch.hub would put them."""
    return lambda home, seed: detectors.torchvision_in_cache(home / "torch", name, seed)


def checkpoint(yaml):
    return lambda home, seed: detectors.ultralytics_pt(home / f"{seed}.pt", yaml, seed)


def export(yaml):
    return lambda home, seed: detectors.onnx_export(home / str(seed), yaml, seed)


def of_transformers(tests, cache, seed):
    if not tests.HERE:
        pytest.skip("transformers is an optional extra and not installed")
    return tests.saved(cache, seed=seed)


def segmenter_of_torchvision(home, seed):
    return segmenters.torchvision_in_cache(home / "torch", "lraspp_mobilenet_v3_large", seed)


# (family, task) -> (how to make a model of it from a folder and a seed, classes, settings). A new family adds a line.
CASES = {
    ("demo-digits", CLASSES): (lambda home, seed: ("digits_linear", "digits_cnn")[seed], 10, {}),
    ("efficientnet-lite", CLASSES): (lambda home, seed: f"efficientnet_lite{seed}", 1000, {}),
    ("timm", CLASSES): (lambda home, seed: weights.timm_in_cache(home / "hub-cache", seed), 1000, {}),
    ("torchvision", CLASSES): (lambda home, seed: weights.torchvision_in_cache(home / "torch", seed), 1000, {}),
    ("torchvision-detection", BOXES): (published("ssdlite320_mobilenet_v3_large"), 80, {}),
    ("torchvision-detection", MASKS): (published("maskrcnn_resnet50_fpn"), 80, SMALL),
    ("ultralytics", CLASSES): (lambda home, seed: weights.ultralytics_pt(home / f"{seed}.pt", seed), 4, {}),
    ("ultralytics", BOXES): (checkpoint("yolo11n.yaml"), 5, {}),
    ("ultralytics", MASKS): (checkpoint("yolo11n-seg.yaml"), 5, {}),
    ("torchvision-segmentation", PIXELS): (segmenter_of_torchvision, 21, SHORT),
    ("ultralytics", PIXELS): (lambda home, seed: segmenters.ultralytics_pt(home / f"{seed}.pt", seed), 5, {}),
    ("transformers", BOXES): (
        lambda home, seed: of_transformers(test_detect_transformers, home / "hub-cache", seed),
        5,
        {},
    ),
    ("transformers", PIXELS): (
        lambda home, seed: of_transformers(test_segment_transformers, home / "hub-cache", seed),
        5,
        {},
    ),
    ("demo-scenes", MASKS): (lambda home, seed: ("scenes_nano", "scenes_small")[seed], 10, {}),
    ("demo-scenes-semantic", PIXELS): (lambda home, seed: ("scenes_sem_nano", "scenes_sem_small")[seed], 11, {}),
    ("onnx", CLASSES): (lambda home, seed: weights.onnx_file(home / f"{seed}.onnx", seed), 4, {}),
    ("onnx", BOXES): (export("yolo11n.yaml"), 5, {}),
    ("onnx", MASKS): (export("yolo11n-seg.yaml"), 5, {}),
    ("onnx", PIXELS): (lambda home, seed: segmenters.onnx_file(home / f"{seed}.onnx", seed, size="side"), 5, {}),
    ("demo-photos", PICTURES): (lambda home, seed: ("photos_denoise", "photos_sr_x2")[seed], 0, {}),
    ("classical", PICTURES): (lambda home, seed: ("wavelet", "nl_means")[seed], 0, {}),
    ("spandrel", PICTURES): (lambda home, seed: spandrel_nets.saved(home / f"{seed}.bin", "compact", seed), 0, {}),
    ("onnx", PICTURES): (lambda home, seed: enhancers.onnx_file(home / f"{seed}.onnx", seed, scale=2), 0, {}),
    ("tracking", TRACKS): (lambda home, seed: ("scenes_nano+bytetrack", "scenes_nano+sort")[seed], 10, {}),
    ("state-dict", CLASSES): (lambda home, seed: weights.state_dict_file(home / f"{seed}.safetensors", seed), 4, {}),
    ("state-dict", PIXELS): (
        lambda home, seed: segmenters.state_dict_file(home / f"{seed}.safetensors", seed),
        4,
        SHORT,
    ),
}


def tasks(name: str) -> tuple[str, ...]:
    """The tasks that a family is registered for."""
    found = MODELS.facts(name)["task"]
    return found if isinstance(found, tuple) else (found,)


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def case(request) -> tuple[str, str]:
    return request.param


@pytest.fixture(scope="module")
def name(case) -> str:
    return case[0]


@pytest.fixture(scope="module")
def task(case) -> str:
    return case[1]


@pytest.fixture(scope="module")
def make(case, tmp_path_factory):
    home = tmp_path_factory.mktemp("-".join(case))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(home / "hub-cache"))
        patch.setenv("TORCH_HOME", str(home / "torch"))
        yield functools.cache(lambda seed: CASES[case][0](home, seed))


@pytest.fixture(scope="module")
def load(case, make):
    """Load the model of a seed, with options beyond those of the case."""

    def get(seed: int = 0, *, fuse: bool = True, **settings: str):
        chosen = {**CASES[case][2], **settings}
        return load_model(make(seed), LoadOptions(device="cpu", fuse=fuse, settings=chosen, task=case[1]))

    return get


@pytest.fixture(scope="module")
def adapter(load):
    return load()


def assert_same(first, second, scores=1e-5):
    """One answer twice, up to rounding; in networks with random numbers it may swap neighbours in score."""
    assert type(first) is type(second)
    if isinstance(first, Classification):
        np.testing.assert_allclose(first.scores, second.scores, atol=scores)
        return
    if isinstance(first, EnhancedImage):
        assert first.scale == second.scale
        assert np.abs(first.pixels.astype(int) - second.pixels).max() <= 1
        return
    if isinstance(first, Segmentation):
        assert first.size == second.size
        assert (first.class_ids == second.class_ids).mean() > 0.99
        rows = slice(0, first.size[0])
        said = [np.asarray(one.probabilities.rows(rows.start, rows.stop)) for one in (first, second)]
        assert np.abs(said[0] - said[1]).mean() < 1e-4
        return
    assert len(first) == len(second)
    assert first.size == second.size
    if len(first):
        apart = np.abs(first.xyxy[:, None] - second.xyxy[None]).max(-1)
        assert np.median(apart.min(1)) < 0.1
        assert abs(first.scores.mean() - second.scores.mean()) < 0.01


def test_every_family_has_cases_for_its_tasks():
    assert {name for name, _ in CASES} == set(MODELS.names())
    for name in MODELS.names():
        for task in tasks(name):
            assert any(serves(kind, task) for family_name, kind in CASES if family_name == name)


@pytest.mark.parametrize("name", MODELS.names())
def test_listed_specs_are_filled(name):
    for spec in family(name).specs():
        assert spec.family == name
        assert spec.task in tasks(name)
        assert spec.source
        assert spec.weights.location
        assert spec.preprocessing
        assert not spec.class_ids or len(spec.class_ids) == len(spec.class_names)
        assert isinstance(family(name).is_here(spec), bool)


def test_spec_is_complete_once_loaded(case, adapter):
    classes = CASES[case][1]
    assert adapter.spec.task == case[1]
    assert len(adapter.spec.class_names) == len(set(adapter.spec.class_names)) == classes
    assert len(adapter.spec.class_ids) in (0, classes)
    assert adapter.spec.input_size or case[1] == PICTURES  # which come as they are
    assert adapter.spec.preprocessing
    assert adapter.spec.weights.size_bytes or adapter.spec.weights.location == "none needed"
    assert adapter.device == "cpu"
    assert adapter.notes["threads"] >= 1


def test_one_and_three_pictures(case, adapter):
    if case[1] == TRACKS:
        pytest.skip("pictures are frames, which follow each other")
    pictures = weights.pictures()
    together = adapter.predict(pictures)
    alone = [adapter.predict([picture])[0] for picture in pictures]
    assert len(together) == 3
    for picture, batched, single in zip(pictures, together, alone, strict=True):
        assert_same(batched, single)
        check(case, batched, picture)
    said = [summary(p) for p in together]
    assert all(len(one) for one in said[:2])
    assert any(said[0].shape != other.shape or np.abs(said[0] - other).max() > 1e-6 for other in said[1:])


def test_trackers_begin_anew_after_a_reset(task, adapter):
    if task != TRACKS:
        pytest.skip("no tracker")
    first, empty = Scenes()[0].image, np.zeros((40, 60, 3), np.uint8)
    frames = [first, first, empty, first, np.roll(first, 3, 1)]
    said = []
    for _ in range(2):
        adapter.reset()
        said.append([*adapter.predict(frames[:2]), *adapter.predict(frames[2:])])
    adapter.reset()
    for frame, once, again in zip(frames, *said, strict=True):
        assert once.size == again.size == frame.shape[:2]
        for key in ("xyxy", "class_ids", "scores", "track_ids"):
            np.testing.assert_array_equal(getattr(once, key), getattr(again, key))
        assert len(set(once.track_ids.tolist())) == len(once)
        assert once.class_ids.max(initial=0) < len(adapter.spec.class_names)
        assert once.masks is None
    seen = [set(one.track_ids.tolist()) for one in said[0]]
    assert min(seen[0]) == 1
    assert seen[0] & seen[1] & seen[3] & seen[4]
    assert not seen[2]


def summary(prediction):
    """What differs between pictures."""
    if isinstance(prediction, EnhancedImage):
        return prediction.rgb.mean((0, 1))
    if isinstance(prediction, Segmentation):
        return prediction.probabilities.rows(0, prediction.size[0]).mean((1, 2))
    return prediction.scores if isinstance(prediction, Classification) else prediction.xyxy / prediction.size[0]


def check(case, prediction, picture):
    """A prediction is of its task's kind and fits the picture."""
    classes = CASES[case][1]
    if case[1] == "classification":
        assert isinstance(prediction, Classification)
        assert prediction.scores.shape == (classes,)
        assert prediction.multilabel or abs(float(prediction.scores.sum()) - 1) < 1e-4
        return
    height, width = picture.shape[:2]
    if case[1] == PICTURES:
        assert isinstance(prediction, EnhancedImage)
        assert prediction.size == (height * prediction.scale, width * prediction.scale)
        assert prediction.alpha is None
        return
    if case[1] == PIXELS:
        assert isinstance(prediction, Segmentation)
        assert prediction.class_ids.shape == (height, width)
        assert prediction.class_ids.max() < classes
        assert prediction.ignore_index is None
        assert prediction.probabilities.shape == (classes, height, width)
        said = prediction.probabilities.rows(1, height - 1)
        assert said.shape == (classes, height - 2, width)
        assert said.min() >= 0
        np.testing.assert_allclose(said.sum(0), 1, atol=1e-4)
        picked = np.take_along_axis(said, prediction.class_ids[None, 1:-1].astype(int), 0)[0]
        assert (picked >= said.max(0) - 1e-6).all()
        return
    assert isinstance(prediction, Detections)
    assert prediction.size == (height, width)
    assert prediction.scores is not None
    assert (np.diff(prediction.scores) <= 1e-6).all()
    assert prediction.xyxy.min(initial=0) >= 0
    assert (prediction.xyxy <= [width, height, width, height]).all()
    assert prediction.class_ids.max(initial=0) < classes
    assert (prediction.masks is not None) == (case[1] == MASKS)
    if prediction.masks:
        shapes = masks.decode(prediction.masks, (height, width))
        assert shapes.shape == (len(prediction), height, width)


def test_pictures_are_not_changed_and_read_only_ones_are_fine(adapter):
    picture = weights.pictures()[0]
    before = picture.copy()
    picture.setflags(write=False)
    adapter.predict([picture])
    np.testing.assert_array_equal(picture, before)


def test_wrong_pictures_are_named(adapter):
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="image must be"):
            adapter.preprocess(wrong)


def test_preprocess_from_many_threads(adapter):
    pictures = weights.pictures() * 8
    alone = [pixels(adapter.preprocess(picture)) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(adapter.preprocess, pictures))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, pixels(b))


def pixels(item):
    """The array in an item: itself, or beside the picture's size."""
    return np.asarray(getattr(item, "pixels", item))


def test_fingerprint(load, adapter):
    again = load()
    assert again.fingerprint == adapter.fingerprint
    first, second = (a.predict(weights.pictures()[:1])[0] for a in (adapter, again))
    assert_same(first, second, 1e-6)
    assert load(1).fingerprint != adapter.fingerprint


def test_the_way_of_loading_is_in_the_fingerprint(name, task, load, adapter):
    if task == "classification":
        sigmoid = load(activation="sigmoid")
        assert sigmoid.fingerprint != adapter.fingerprint
        assert all(p.multilabel for p in sigmoid.predict(weights.pictures()))
    elif task == PIXELS:
        assert load(input_size="96x128").fingerprint != adapter.fingerprint
    elif task == TRACKS:
        for key, value in (("conf", "0.4"), ("track_buffer", "60")):
            assert load(**{key: value}).fingerprint != adapter.fingerprint
    elif task == PICTURES:
        chosen = {"sigma": "20"} if name == "classical" else {"tile": "64"}
        assert load(**chosen).fingerprint != adapter.fingerprint
    else:
        for key, value in (("conf", "0.4"), ("max_det", "3")):
            other = load(**{key: value})
            assert other.fingerprint != adapter.fingerprint
            found = other.predict(weights.pictures()[:1])[0]
            assert (found.scores > 0.4).all() if key == "conf" else len(found) <= 3
    if name not in ("onnx", "classical"):  # nothing is folded in these
        assert load(fuse=False).fingerprint != adapter.fingerprint


def test_settings_it_does_not_know_are_refused(name, task, load):
    keys = {CLASSES: ("activation", "activatoin"), PIXELS: ("input_size", "inputsize"), PICTURES: ("tile", "tiel")}
    key, typo = keys.get(task, ("max_det", "maxdet")) if name != "classical" else ("sigma", "sigam")
    if task != TRACKS:  # each of which has its own
        known = family(name).settings
        assert key in (known[task] if isinstance(known, dict) else known)
    with pytest.raises(InputError, match=f"no setting called '{typo}'\\. Did you mean '{key}'"):
        load(**{typo: "1"})


def test_a_strip_of_a_picture(adapter):
    """256 x 5,120,000 pixels if its shorter side were enlarged."""
    strip = np.random.default_rng(0).integers(0, 256, (20_000, 1, 3), np.uint8)
    item = pixels(adapter.preprocess(strip))
    assert item.size < 10_000_000
    if adapter.spec.task != "classification":
        scale = getattr(adapter, "scale", 1)
        assert adapter.predict([strip])[0].size == (20_000 * scale, scale)


def test_enhancers_say_their_scale_and_keep_alpha_and_grey(task, adapter):
    if task != PICTURES:
        pytest.skip("no enhancer")
    shown = enhancers.pictures()
    assert adapter.scale >= 1
    alpha, grey = adapter.predict([shown["alpha"], shown["grey"]])
    assert alpha.scale == grey.scale == adapter.scale
    assert alpha.alpha.shape == alpha.size == tuple(side * adapter.scale for side in shown["alpha"].shape[:2])
    np.testing.assert_array_equal(alpha.pixels, adapter.predict([shown["alpha"][..., :3]])[0].pixels)
    assert grey.rgb.shape == (*grey.size, 3)


def test_closing_ends_it(load):
    adapter = load()
    items = [adapter.preprocess(weights.pictures()[0])]
    adapter.close()
    with pytest.raises(ValueError, match="closed"):
        adapter.forward(items)


def test_files_are_recognised_whatever_their_name(name, make, load, tmp_path, case):
    made = make(0)
    if not isinstance(made, Path):
        pytest.skip("loaded by name")
    renamed = tmp_path / "something.dat"
    renamed.write_bytes(made.read_bytes())
    found = load_model(str(renamed), LoadOptions(device="cpu", task=case[1]))
    assert found.spec.family == name
    picture = weights.pictures()[:1]
    if found.spec.class_names == load().spec.class_names:  # a list of names may lie beside the file
        assert_same(found.predict(picture)[0], load().predict(picture)[0], 1e-6)
