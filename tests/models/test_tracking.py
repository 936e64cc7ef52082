"""A detector and a tracker as one model: how it is named, loaded and set, and what the tracker sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.datasets.scenes import Scenes
from dashboard.errors import InputError
from dashboard.types import Detections
from models.base import LoadOptions
from models.load import check_loadable, family, find_spec, list_specs, load_model, model_rows
from models.trackers import available_trackers, make_tracker
from models.trackers_plain import iou
from models.tracking import TrackingAdapter
from models.tracking_boxes import BoxesForTracking, once
from tests.fake_detector import FakeDetector
from tests.models import detectors

CPU = LoadOptions(device="cpu")


def cpu(**chosen):
    return LoadOptions(device="cpu", settings=chosen)


@pytest.fixture(scope="module")
def adapter():
    return load_model("scenes_nano+bytetrack", CPU, task="tracking")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A detector as a checkpoint and as ONNX, in a folder whose name has a plus."""
    home = tmp_path_factory.mktemp("a+b")
    onnx = detectors.onnx_export(home, "yolo11n.yaml", 0)
    checkpoint = detectors.ultralytics_pt(home / "best+iou.pt", "yolo11n.yaml", 0)
    return {"onnx": onnx, "pt": checkpoint}


def test_the_built_in_detectors_are_listed_with_every_tracker():
    names = [spec.name for spec in list_specs("tracking")]
    assert names == [f"{d}+{t}" for d in ("scenes_small", "scenes_nano") for t in available_trackers()]
    assert not set(names) & {spec.name for task in ("detection", "instance-segmentation") for spec in list_specs(task)}
    row = next(row for row in model_rows("tracking") if row["name"] == "scenes_small+botsort")
    assert row["here"]
    assert row["task"] == row["family"] == "tracking"
    assert row["source"].endswith("; BoT-SORT of Ultralytics")
    assert row["weights"] == model_rows(family="demo-scenes")[1]["weights"]


@pytest.mark.parametrize(
    "name", ["yolo11n+bytetrack", "ultralytics/yolo11n+sort", "yolo11n-seg+botsort", "fasterrcnn_resnet50_fpn+iou"]
)
def test_any_detector_with_any_tracker(name):
    spec = find_spec(name)
    assert (spec.name, spec.task, spec.family) == (name, "tracking", "tracking")
    assert len(spec.class_names) == 80
    assert spec.preprocessing
    check_loadable(name, "tracking")
    assert isinstance(family("tracking").is_here(spec), bool)


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        (
            "scenes_small",
            "tracking",
            r"scenes_small is a detector: write scenes_small\+bytetrack to track what it finds",
        ),
        ("yolo11n-seg", "tracking", r"write yolo11n-seg\+bytetrack to track what it finds \(trackers: bytetrack, "),
        ("digits_cnn", "tracking", "digits_cnn is a model for classification, not for tracking"),
        ("digits_cnn+iou", "tracking", "digits_cnn is a model for classification: a tracker needs a detector"),
        ("yolo11n+bytetrak", "tracking", "No tracker is called 'bytetrak'. Did you mean 'bytetrack'"),
        ("yolo11n+zzzz", "tracking", "No tracker is called 'zzzz'. There are bytetrack, "),
        ("yolo11x5+bytetrack", "tracking", "No model is called 'yolo11x5'"),
        ("nothing+else", "tracking", r"No model is called 'nothing\+else'"),
        ("scenes_small+iou", "detection", r"scenes_small\+iou is a model for tracking, not for detection"),
        ("no/such.pt+iou", "tracking", r"There is no file no/such\.pt"),
        ("pyproject.toml+iou", "tracking", r"pyproject\.toml is a text file: give an ONNX file"),
        ("pyproject.toml", "tracking", r"pyproject\.toml is a text file: give an ONNX file"),
        ("scenes_small+iou+sort", "tracking", r"scenes_small\+iou is a model for tracking: a tracker needs a detector"),
    ],
)
def test_what_is_no_tracking_model_is_refused(name, task, message):
    with pytest.raises(InputError, match=message):
        check_loadable(name, task)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"track_bufer": "3"},
            r"scenes_nano\+bytetrack has no setting called 'track_bufer'. Did you mean 'track_buffer'",
        ),
        ({"maxdet": "3"}, "Did you mean 'max_det'"),
        ({"agnostic_iuo": "3"}, "Did you mean 'agnostic_iou'"),
        ({"zzzz": "3"}, "The tracker understands track_high_thresh, .*, the detector conf, "),
        ({"agnostic_iou": "3"}, r"agnostic_iou must be a number in 0\.\.1"),
        ({"track_buffer": "x"}, "track_buffer must be a whole number"),
    ],
)
def test_settings_of_neither_are_refused(chosen, message):
    for refuse in (
        lambda: check_loadable("scenes_nano+bytetrack", "tracking", chosen),
        lambda: load_model("scenes_nano+bytetrack", cpu(**chosen)),
    ):
        with pytest.raises(InputError, match=message):
            refuse()


def test_no_detector_has_a_setting_of_a_trackers_name():
    from models import MODELS
    from models.load import known_settings
    from models.trackers import TRACKERS

    of_trackers = {s.name for _, kind in TRACKERS.items() for s in kind.settings} | {"agnostic_iou"}
    for name in MODELS.names():
        assert not of_trackers & set(known_settings(family(name)) or ())


@pytest.fixture(scope="module")
def looking():
    """One whose tracker looks at the pictures, with other settings than usual."""
    classes = ",".join("abcdefghij")
    return load_model("scenes_nano+botsort", cpu(track_buffer="60", conf="0.3", agnostic_iou="1", classes=classes))


def test_settings_go_to_whom_they_belong(adapter, looking):
    usual = make_tracker("botsort").values
    assert looking.tracker_settings == {**usual, "track_buffer": 60}
    assert usual["track_buffer"] == 30
    assert looking.notes["track_buffer"] == 60
    assert "confidence above 0.3" in looking.notes["boxes"]
    assert looking.notes["boxes of different classes"] == "kept"
    assert "confidence above 0.05, best 100, the best class an anchor" in adapter.notes["boxes"]
    assert adapter.notes["boxes of different classes"] == "the surest of those with IoU above 0.7"


def test_detections_have_a_fingerprint_of_their_own(adapter, looking):
    assert looking.detector.fingerprint != adapter.detector.fingerprint
    boxes = BoxesForTracking(FakeDetector())
    assert BoxesForTracking(FakeDetector()).fingerprint == boxes.fingerprint
    assert BoxesForTracking(FakeDetector(), 0.5).fingerprint != boxes.fingerprint
    several = [make_tracker(name, chosen) for name, chosen in (("iou", {}), ("sort", {}), ("sort", {"max_age": "9"}))]
    adapters = [TrackingAdapter(boxes, tracker) for tracker in several]
    assert {one.detector.fingerprint for one in adapters} == {boxes.fingerprint}
    assert len({one.fingerprint for one in adapters}) == 3


def test_files_can_track(files):
    frames = [image for image in (Scenes()[k].image for k in range(2)) for _ in range(2)]
    for path in files.values():
        name = f"{path}+sort"
        check_loadable(name, "tracking", {"max_age": "5", "conf": "0.01"})
        with pytest.raises(InputError, match="no setting called 'confi'"):
            check_loadable(name, "tracking", {"confi": "0.01"})
        spec = find_spec(name)
        assert (spec.task, spec.weights.location) == ("tracking", str(path))
        assert family("tracking").is_here(spec)
        found = load_model(name, cpu(conf="0.0001", min_score="0"), task="tracking")
        assert found.spec.name == f"{path.name}+sort"
        assert len(found.spec.class_names) == 5
        assert all(one.track_ids is not None for one in found.predict(frames))
        with pytest.raises(InputError, match=r"write .*\+bytetrack to track"):
            load_model(str(path), CPU, task="tracking")
        with pytest.raises(InputError, match=r"No tracker is called 'srot'\. Did you mean 'sort'"):
            check_loadable(f"{path}+srot", "tracking")


def test_the_three_steps_are_the_detectors_and_predict_tracks(adapter):
    image = Scenes()[0].image
    outputs = adapter.forward([adapter.preprocess(image)])
    found = adapter.postprocess(outputs)[0]
    assert found.track_ids is None
    assert found.masks is None
    assert found.scores.min() < 0.25  # unsure ones too, which keep tracks alive
    adapter.reset()
    first, second = adapter.predict([image]), adapter.predict([image, image])
    tracker = make_tracker("bytetrack")
    for tracks in (*first, *second):
        expected = tracker.update(found)
        np.testing.assert_allclose(tracks.xyxy, expected.xyxy, atol=0.01)  # two frames at once round otherwise
        np.testing.assert_array_equal(tracks.track_ids, expected.track_ids)
    adapter.reset()
    np.testing.assert_array_equal(adapter.predict([image])[0].xyxy, first[0].xyxy)
    adapter.reset()


def test_pictures_are_given_to_those_who_look(looking, monkeypatch):
    assert looking.tracker.needs_images
    frames = [Scenes()[0].image] * 3
    assert all(len(one) for one in looking.predict(frames)[1:])
    seen = []
    update = looking.tracker._tracker.update
    watched = lambda boxes, picture: (seen.append(picture), update(boxes, picture))[1]  # noqa: E731
    monkeypatch.setattr(looking.tracker._tracker, "update", watched)
    looking.predict(frames[:1])
    np.testing.assert_array_equal(seen[0], frames[0][:, :, ::-1])
    assert seen[0].flags.c_contiguous


def detections(*rows):
    table = np.array(rows, float).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 5].astype(int), table[:, 4], size=(100, 100))


def test_one_object_is_not_two_because_two_classes_fit():
    """IoU of the first two .8, of the third with both .0; classes do not count."""
    found = detections([0, 0, 10, 10, 0.6, 1], [0, 0, 10, 8, 0.9, 2], [50, 50, 60, 60, 0.1, 1])
    assert once(found, 0.7).scores.tolist() == [0.9, 0.1]
    assert once(found, 0.8).scores.tolist() == [0.6, 0.9, 0.1]
    assert len(once(detections(), 0.7)) == 0
    tie = detections([0, 0, 10, 10, 0.5, 1], [0, 0, 10, 10, 0.5, 2])
    assert once(tie, 0.7).class_ids.tolist() == [1]


@given(seed=st.integers(0, 10_000), count=st.integers(0, 30), overlap=st.sampled_from([0.0, 0.3, 0.7]))
@settings(max_examples=50, deadline=None)
def test_what_stays_is_apart_and_what_goes_has_a_surer_one(seed, count, overlap):
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 20, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.integers(5, 20, (count, 2))], 1)
    found = Detections(xyxy, rng.integers(0, 3, count), rng.integers(1, 10, count) / 10)
    kept = once(found, overlap)
    among = iou(kept.xyxy, kept.xyxy) - np.eye(len(kept))
    assert among.max(initial=0) <= overlap
    over = iou(found.xyxy, kept.xyxy) > overlap
    surer = kept.scores[None] >= found.scores[:, None]
    assert (over & surer).any(1).all() if count else True


def test_all_boxes_can_be_kept(adapter):
    frames = [Scenes()[k].image for k in range(4)]
    kept = adapter.detector.predict(frames)
    everything = BoxesForTracking(adapter.detector._detector, 1).predict(frames)
    assert sum(map(len, everything)) > sum(map(len, kept))
    for few, many in zip(kept, everything, strict=True):
        assert {tuple(box) for box in few.xyxy} <= {tuple(box) for box in many.xyxy}


def test_only_what_finds_objects_can_be_tracked():
    with pytest.raises(InputError, match="a tracker needs a detector"):
        BoxesForTracking(FakeDetector(task="semantic-segmentation"))

    class Wrong(FakeDetector):
        def postprocess(self, outputs):
            return [Detections.none() for _ in outputs]

    adapter = TrackingAdapter(BoxesForTracking(Wrong()), make_tracker("iou"))
    with pytest.raises(InputError, match="did not answer with boxes and scores"):
        adapter.predict([np.zeros((24, 32, 3), np.uint8)])


def test_an_instance_segmenters_masks_are_left_aside():
    adapter = TrackingAdapter(BoxesForTracking(FakeDetector(task="instance-segmentation")), make_tracker("iou"))
    assert adapter.spec.name == "finder+iou"
    assert adapter.detector.spec.task == "detection"
    frames = [np.full((24, 32, 3), 0, np.uint8)] * 2
    first, second = adapter.predict(frames)
    assert first.masks is None
    assert first.track_ids.tolist() == second.track_ids.tolist() == [1]
