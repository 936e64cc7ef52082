"""demo:tracks: the same each time, boxes exactly where digits are, and everything in it that makes tracking hard."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.datasets.scene_layout import MIN_PIXELS
from dashboard.datasets.tracks import DemoTracks, truth_of
from dashboard.datasets.tracks_layout import FRAMES, MIN_VISIBLE, SCENARIOS, SIZE, arranged, movers, place, visible
from dashboard.datasets.tracks_painting import painted

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
MEANS = [
    [158.3, 122.1, 92.8],
    [127.8, 112.1, 114.6],
    [66.8, 75.1, 81.9],
    [125.2, 125.1, 124.9],
    [131.4, 140.8, 128.4],
    [113.8, 81.4, 54.8],
]  # RGB, of each sequence's first frame


@pytest.fixture(scope="module")
def data() -> DemoTracks:
    return DemoTracks()


def test_the_truth_is_the_same_everywhere():
    digest = hashlib.sha256()
    for scenario in SCENARIOS:
        tracks = truth_of(scenario)
        for values in (tracks.frame, tracks.ids, tracks.class_ids, tracks.xyxy):
            digest.update(np.asarray(values).astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "b2d7ec280927c782"


def test_the_pixels_hardly_depend_on_the_library_versions(data):
    means = [data[one.start].image.mean(axis=(0, 1)) for one in data.sequences]
    np.testing.assert_allclose(means, MEANS, atol=1.0)


def test_frames_come_in_any_order_and_are_the_same(data):
    for k in (899, 3, 450):
        np.testing.assert_array_equal(data[k].image, DemoTracks()[k].image)
    assert (data[3].image != data[4].image).any()
    assert open_dataset("demo:tracks", task="tracking").fingerprint == data.fingerprint


def test_what_it_consists_of(data):
    assert [one.name for one in data.sequences] == ["calm", "crossing", "occluder", "crowd", "fast", "pan"]
    assert all((len(one), one.fps, one.size) == (150, 25, SIZE) for one in data.sequences)
    assert data.ids[:2] == ["calm/000001", "calm/000002"]
    assert data.ids[-1] == "pan/000150"
    assert data.class_names == tuple("0123456789")
    assert (data[151].sequence, data[151].frame) == ("crossing", 2)


def test_boxes_are_tight_around_the_visible_pixels():
    for scenario in SCENARIOS:
        for frame in (0, 40, 77, 149):
            layout = arranged(scenario, frame)
            ids, boxes = visible(layout)
            seen = {}
            for number in range(1, len(layout.labels) + 1):
                ys, xs = np.nonzero(layout.instances == number)
                if len(ys) >= max(MIN_PIXELS, MIN_VISIBLE * layout.full[number - 1]):
                    seen[number] = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert dict(zip(ids.tolist(), map(tuple, boxes.tolist()), strict=True)) == seen
            assert (boxes >= 0).all()
            assert (boxes[:, 2:] <= SIZE[::-1]).all()


def test_the_paint_is_where_the_truth_is():
    """A digit's pixels change when it moves, those far from all digits by noise alone."""
    scenario = BY_NAME["calm"]
    before, after = painted(scenario, 0).astype(int), painted(scenario, 100).astype(int)
    change = np.abs(before - after).max(2)
    here = [arranged(scenario, frame).instances > 0 for frame in (0, 100)]
    assert np.median(change[here[0] ^ here[1]]) > 60
    assert np.median(change[~(here[0] | here[1])]) < 15


def test_an_identity_keeps_its_class_and_shape():
    for scenario in SCENARIOS:
        tracks = truth_of(scenario)
        labels = {(i, c) for i, c in zip(tracks.ids.tolist(), tracks.class_ids.tolist(), strict=True)}
        assert len(labels) == len(set(tracks.ids.tolist())) == len(movers(scenario))
        areas = [arranged(scenario, frame).full for frame in range(0, FRAMES, 10)]
        for own in zip(*areas, strict=True):
            there = [area for area in own if area]
            assert max(there) - min(there) <= 0.06 * max(there) + 4  # but for where it falls among the pixels


def gaps(name: str) -> list[tuple[int, int]]:
    """(identity, frames away) of those that are out of sight and come back."""
    tracks = truth_of(BY_NAME[name])
    out = []
    for identity in np.unique(tracks.ids):
        away = np.diff(tracks.frame[tracks.ids == identity]) - 1
        out += [(int(identity), int(gap)) for gap in away if gap]
    return out


def test_digits_hide_and_come_back_as_themselves():
    hidden = [gap for _, gap in gaps("occluder")]
    assert len(hidden) >= 6
    assert max(hidden) >= 10
    assert any(gap > 5 for name in ("crowd", "fast", "pan") for _, gap in gaps(name))


def test_digits_arrive_later():
    for scenario in SCENARIOS:
        tracks = truth_of(scenario)
        first = {int(i): int(tracks.frame[tracks.ids == i][0]) for i in np.unique(tracks.ids)}
        late = [k for k, mover in enumerate(movers(scenario), 1) if mover.motion == "arrive"]
        assert late
        assert all(first[k] >= 20 for k in late)


def test_twins_cross():
    scenario = BY_NAME["crossing"]
    pairs = [(movers(scenario)[k], movers(scenario)[k + 1]) for k in range(0, 8, 2)]
    assert all(one.label == other.label for one, other in pairs)
    for one, other in pairs:
        ways = np.array([[place(m, scenario, frame) for m in (one, other)] for frame in range(FRAMES)])
        side = np.sign(ways[:, 0, 0] - ways[:, 1, 0])
        near = np.hypot(*(ways[:, 0] - ways[:, 1]).T).min()
        assert len(set(side[side != 0])) == 2
        assert near < one.height


def test_the_camera_pans_and_digits_move_at_different_speeds():
    assert {scenario.name for scenario in SCENARIOS if scenario.pan} == {"pan"}
    ways = [BY_NAME["pan"].camera(frame) for frame in range(FRAMES)]
    assert (min(ways), max(ways)) == (0, 120)
    assert max(abs(np.diff(ways))) >= 4

    def pace(name: str) -> float:
        tracks = truth_of(BY_NAME[name])
        steps = []
        for identity in np.unique(tracks.ids):
            rows = tracks.ids == identity
            middle = (tracks.xyxy[rows, :2] + tracks.xyxy[rows, 2:]) / 2
            steps += np.hypot(*np.diff(middle, axis=0).T)[np.diff(tracks.frame[rows]) == 1].tolist()
        return float(np.median(steps))

    assert pace("calm") < 1.5
    assert pace("fast") > 4


def test_a_frame_is_painted_quickly(data):
    _ = data[450].image, data.targets[450]
    start = time.perf_counter()
    for k in range(451, 471):
        _ = data[k].image
    assert (time.perf_counter() - start) / 20 < 0.04  # 6 ms on a free machine, the crowd is the slowest
