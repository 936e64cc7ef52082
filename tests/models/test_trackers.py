"""What every tracker promises: the same for all, whoever wrote them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.types import Detections
from models import trackers_roboflow, trackers_ultralytics
from models.trackers import TRACKERS, Setting, available_trackers, make_tracker, split_name, tracker_fingerprint

SIZE = (240, 320)
HERE = available_trackers()
MOTION = ("gmc_method", "cmc_method")


def world(seed=0, frames=40, count=6):
    """Frames of objects that move steadily, wobble, are missed now and then, and of false detections."""
    rng = np.random.default_rng(seed)
    place, speed = rng.uniform(20, 200, (count, 2)), rng.normal(0, 2, (count, 2))
    side, classes = rng.uniform(20, 50, (count, 2)), rng.integers(0, 3, count)
    for _ in range(frames):
        place = place + speed
        now = place + rng.normal(0, 0.5, place.shape)
        seen = rng.random(count) > 0.1
        xyxy = np.concatenate([now, now + side], 1)[seen]
        extra = rng.uniform(0, 200, (2, 2))
        xyxy = np.concatenate([xyxy, np.concatenate([extra, extra + 20], 1)])
        scores = np.append(rng.uniform(0.5, 1, seen.sum()), rng.uniform(0, 0.5, 2))
        yield Detections(xyxy, np.append(classes[seen], [0, 0]), scores, size=SIZE)


@pytest.fixture(scope="module")
def jump():
    """A still world before a camera that jumps by 36 pixels: pictures, and what is found in them, 30 pixels wide."""
    scene = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    scene = cv2.resize(scene, (480, 320), interpolation=cv2.INTER_CUBIC)
    frames = []
    for k in range(16):
        left = 20 if k < 10 else 56
        picture = np.ascontiguousarray(scene[20 : 20 + SIZE[0], left : left + SIZE[1]])
        corner = np.array([[100.0, 60], [220, 150]]) - [left, 0]
        found = Detections(np.concatenate([corner, corner + 30], 1), [0, 1], [0.9, 0.95], size=SIZE)
        frames.append((picture, found))
    return frames


def still(name, **chosen):
    """The tracker with the camera's motion left alone."""
    motion = {s.name: "none" for s in TRACKERS.get(name).settings if s.name in MOTION}
    return make_tracker(name, {**motion, **chosen})


def run(tracker, seed=0, frames=40):
    return [tracker.update(found) for found in world(seed, frames=frames)]


def rows_of(tracks):
    return [(one.track_ids.tolist(), one.xyxy.tolist()) for one in tracks]


def assert_equal(first, second):
    for one, other in zip(first, second, strict=True):
        for key in ("xyxy", "class_ids", "scores", "track_ids"):
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))


def test_all_are_here():
    assert {"bytetrack", "botsort", "ocsort", "deepocsort", "fasttrack", "tracktrack", "sort", "iou"} <= set(HERE)


@pytest.mark.parametrize("name", TRACKERS.names())
def test_facts(name):
    kind = TRACKERS.get(name)
    assert kind.name == name
    assert kind.title
    assert kind.source
    assert kind.license
    assert kind.paper
    assert kind.version() or kind.available()
    assert kind.available() is None or "pip install" in kind.available()
    names = [s.name for s in kind.settings]
    assert len(names) == len(set(names)) >= 4
    assert any(s.usual for s in kind.settings)
    for setting in kind.settings:
        assert setting.words.endswith(".")
        assert setting.read(name, {setting.name: str(setting.default)}) == setting.default
        assert type(setting.default) is {"float": float, "int": int, "bool": bool, "choice": str}[setting.kind]
        assert setting.low <= (setting.default if setting.kind in ("float", "int") else 0) <= setting.high


@pytest.mark.parametrize("name", HERE)
def test_tracks_belong_to_detections(name):
    tracker = still(name)
    assert not tracker.needs_images
    longest: dict[int, int] = {}
    for found in world():
        tracks = tracker.update(found)
        assert tracks.size == SIZE
        assert tracks.track_ids.tolist() == sorted(set(tracks.track_ids.tolist()))
        assert len(set(tracker.rows.tolist())) == len(tracks)
        np.testing.assert_array_equal(tracks.scores, found.scores[tracker.rows])
        np.testing.assert_array_equal(tracks.class_ids, found.class_ids[tracker.rows])
        assert np.abs(tracks.xyxy - found.xyxy[tracker.rows]).max(initial=0) < 20
        for track in tracks.track_ids.tolist():
            longest[track] = longest.get(track, 0) + 1
    assert min(longest) >= 1
    assert sorted(longest.values())[-4:][0] >= 10  # objects are followed, not merely seen


@pytest.mark.parametrize("name", HERE)
def test_twice_the_same_after_a_reset_and_beside_others(name):
    tracker, other = still(name), still(name)
    first = run(tracker)
    tracker.reset()
    assert_equal(first, run(tracker))
    assert_equal(first, run(still(name)))
    tracker.reset()
    woven = []
    for found, disturbing in zip(world(), world(seed=5), strict=True):
        woven.append(tracker.update(found))
        other.update(disturbing)
    assert_equal(first, woven)


@pytest.mark.parametrize("name", HERE)
def test_frames_with_nothing_and_boxes_without_area(name):
    tracker = still(name)
    nothing = Detections.none(SIZE, scored=True)
    for _ in range(2):
        assert len(tracker.update(nothing)) == 0
    solid = Detections(np.array([[10.0, 10, 40, 40]]), [1], [0.9], size=SIZE)
    flat = np.array([[5.0, 5, 5, 30], [10, 10, 40, 40], [60, 60, 90, 60]])
    plain, mixed = still(name), still(name)
    for _ in range(6):
        alone = plain.update(solid)
        among = mixed.update(Detections(flat, [0, 1, 2], [0.95, 0.9, 0.99], size=SIZE))
        assert_equal([alone], [among])
    assert mixed.rows.tolist() == [1]
    assert len(mixed.update(nothing)) == 0


@pytest.mark.parametrize("name", HERE)
def test_masks_come_along(name):
    tracker = still(name)
    for _ in range(6):
        found = Detections([[10, 10, 40, 40], [100, 100, 150, 150]], [0, 1], [0.9, 0.8], [b"a", b"b"], SIZE)
        tracks = tracker.update(found)
    assert list(tracks.masks) == [b"a", b"b"]


@pytest.mark.parametrize("name", [n for n in HERE if any(s.name in MOTION for s in TRACKERS.get(n).settings)])
def test_a_jump_of_the_camera_is_seen_in_the_pictures(name, jump):
    motion = next(s for s in TRACKERS.get(name).settings if s.name in MOTION)
    moving = make_tracker(name, {motion.name: "sparseOptFlow"})
    assert moving.needs_images
    with pytest.raises(ValueError, match="must see the picture"):
        moving.update(jump[0][1])
    said = []
    for _ in range(2):
        moving.reset()
        before = jump[0][0].copy()
        said.append([moving.update(found, picture) for picture, found in jump])
        np.testing.assert_array_equal(jump[0][0], before)
    assert_equal(*said)
    alone = still(name)
    blind = [alone.update(found) for _, found in jump]
    assert said[0][9].track_ids.tolist() == said[0][-1].track_ids.tolist() == blind[9].track_ids.tolist() == [1, 2]
    assert not {1, 2} & set(blind[-1].track_ids.tolist())


def test_as_ultralytics_own_loop_gives_it():
    """Its classes, fed as its predictor feeds them."""
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.byte_tracker import BYTETracker
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    theirs = BYTETracker(IterableSimpleNamespace(**YAML.load(check_yaml("bytetrack.yaml"))))
    ours = make_tracker("bytetrack")
    for found in world(seed=3):
        table = np.column_stack([found.xyxy, found.scores, found.class_ids]).astype(np.float32)
        rows = np.asarray(theirs.update(Boxes(table, SIZE))).reshape(-1, 8)
        rows = rows[rows[:, 4].argsort()]
        tracks = ours.update(found)
        np.testing.assert_array_equal(tracks.track_ids, rows[:, 4])
        np.testing.assert_array_equal(tracks.xyxy, rows[:, :4].astype(float))
        np.testing.assert_array_equal(ours.rows, rows[:, 7])


def test_a_counter_shared_by_all_as_in_older_versions_does_no_harm(monkeypatch):
    from ultralytics.trackers import basetrack, byte_tracker

    class Shared(byte_tracker.BYTETracker):
        """Takes identities from the class that all tracks share, and sets it back when made."""

        def reset_id(self):
            basetrack.BaseTrack.reset_id()
            self._ids = iter(basetrack.BaseTrack.next_id, None)

    expected = run(make_tracker("bytetrack"))
    monkeypatch.setattr(byte_tracker, "BYTETracker", Shared)
    one, woven = make_tracker("bytetrack"), []
    for k, (found, other) in enumerate(zip(world(), world(seed=5), strict=True)):
        if k % 10 == 0:
            disturbing = make_tracker("bytetrack")
        woven.append(one.update(found))
        disturbing.update(other)
    assert_equal(expected, woven)


def test_in_another_process_the_same():
    code = (
        "from tests.models.test_trackers import rows_of, run, still\n"
        "print([rows_of(run(still(name), frames=15)) for name in ('botsort', 'sort')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert said.splitlines()[-1] == str([rows_of(run(still(name), frames=15)) for name in ("botsort", "sort")])


def test_listing_loads_no_network():
    code = "import sys; from models.trackers import *; print(available_trackers()); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [str(HERE), "False"]


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("bytetrak", {}, "No tracker is called 'bytetrak'. Did you mean 'bytetrack'"),
        (
            "bytetrack",
            {"track_bufer": "3"},
            "bytetrack has no setting called 'track_bufer'. Did you mean 'track_buffer'",
        ),
        ("bytetrack", {"zzz": "3"}, "no setting called 'zzz'. It understands track_high_thresh, "),
        (
            "bytetrack",
            {"track_buffer": "1.5"},
            "track_buffer must be a whole number in 0..1000 for bytetrack, got '1.5'",
        ),
        ("bytetrack", {"track_buffer": "-1"}, "track_buffer must be a whole number in 0..1000"),
        ("bytetrack", {"match_thresh": "nan"}, "match_thresh must be a number in 0..1"),
        ("bytetrack", {"match_thresh": "1_0"}, "match_thresh must be a number in 0..1"),
        ("bytetrack", {"fuse_score": "yes"}, "fuse_score must be false or true for bytetrack, got 'yes'"),
        ("botsort", {"gmc_method": "flow"}, "gmc_method must be none, sparseOptFlow, orb, sift or ecc for botsort"),
        ("botsort", {"with_reid": "true"}, "with_reid of botsort is about appearance"),
        ("botsort", {"model": "auto"}, "model of botsort is about appearance"),
        ("sort", {"max_age": ""}, "max_age must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(name, chosen, message):
    with pytest.raises(InputError) as error:
        make_tracker(name, chosen)
    assert message in str(error.value)


def test_words_may_be_written_large():
    assert make_tracker("botsort", {"gmc_method": "SPARSEOPTFLOW", "fuse_score": "False"}).values["fuse_score"] is False


def test_a_missing_package_is_said(monkeypatch):
    find = trackers_ultralytics.importlib.util.find_spec
    monkeypatch.setattr(trackers_ultralytics.importlib.util, "find_spec", lambda n: None if n == "lap" else find(n))
    with pytest.raises(InputError, match=r"bytetrack needs the package lap: pip install 'lap>=0\.5\.12'"):
        make_tracker("bytetrack")
    monkeypatch.setattr(trackers_ultralytics, "_folder", lambda: None)
    assert "ultralytics>=8.4" in TRACKERS.get("ocsort").available()
    monkeypatch.setattr(trackers_ultralytics, "_defaults", lambda name: {})
    monkeypatch.setattr(trackers_ultralytics, "_folder", lambda: "somewhere")
    assert "pip install --upgrade ultralytics" in TRACKERS.get("tracktrack").available()
    for version, words in (((), "needs Roboflow's package"), ((2, 0, 1), "needs a newer version")):
        monkeypatch.setattr(trackers_roboflow, "_installed", lambda version=version: version)
        with pytest.raises(InputError, match=words):
            make_tracker("roboflow-sort")
    assert "roboflow-sort" not in available_trackers()


@pytest.mark.parametrize("name", [n for n in HERE if n.startswith("roboflow")])
def test_defaults_are_the_packages_own(name):
    import inspect

    import trackers

    kind = TRACKERS.get(name)
    theirs = inspect.signature(getattr(trackers, kind.kind).__init__).parameters
    for setting in kind.settings:
        assert theirs[setting.name].default == setting.default


def test_detections_need_scores():
    with pytest.raises(ValueError, match="must have scores"):
        make_tracker("iou").update(replace(next(world()), scores=None))


def test_fingerprint_follows_settings_and_name():
    prints = [
        tracker_fingerprint(make_tracker(name, chosen))
        for name, chosen in (("sort", {}), ("iou", {}), ("sort", {"max_age": "2"}), ("bytetrack", {}))
    ]
    assert len(set(prints)) == 4
    assert tracker_fingerprint(make_tracker("sort", {"max_age": "1"})) == prints[0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("yolo11n+bytetrack", ("yolo11n", "bytetrack")),
        ("a+b/best.pt+iou", ("a+b/best.pt", "iou")),
        ("yolo11n+byte", None),
        ("yolo11n", None),
        ("+iou", None),
        ("iou", None),
        ("yolo11n+", None),
    ],
)
def test_names_are_split_at_the_last_plus(text, parts):
    assert split_name(text) == parts


def test_a_setting_of_a_newer_version_can_be_set(monkeypatch):
    monkeypatch.setattr(trackers_ultralytics, "_defaults", lambda name: {"tracker_type": "x", "new": 4, "old": 0.5})
    found = trackers_ultralytics._settings("x")
    assert [(s.name, s.kind, s.default, s.low, s.high) for s in found] == [
        ("new", "int", 4, 0, 40),
        ("old", "float", 0.5, 0, 5),
    ]
    assert isinstance(found[0], Setting)
