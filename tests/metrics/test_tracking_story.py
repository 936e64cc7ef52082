"""The story of a sequence: who is matched when, events, lanes; and what tracks without truth tell."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.metrics.tracking.columns import DISTRACTOR, SequenceTracks
from dashboard.metrics.tracking.counts import PLAIN, evaluate
from dashboard.metrics.tracking.story import KINDS, NOBODY, REMOVED, Story, story
from dashboard.metrics.tracking.unsupervised import unsupervised
from tests.metrics.tracking_cases import line, sequence, wandering


def events(told: Story) -> list[tuple[int, str, int, int, int]]:
    e = told.events
    columns = (e.frame, [KINDS[k] for k in e.kind], e.identity, e.before, e.after)
    return [(int(f), kind, int(g), int(a), int(b)) for f, kind, g, a, b in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ("1111", "5555", []),
        ("1111", "5566", [(2, "switch", 1, 5, 6)]),
        ("1111", "5.55", [(1, "lost", 1, 5, -1), (2, "fragment", 1, 5, 5)]),
        ("1111", "5..6", [(1, "lost", 1, 5, -1), (3, "switch", 1, 5, 6), (3, "fragment", 1, 5, 6)]),
        ("1..1", "5..6", [(3, "switch", 1, 5, 6)]),
        ("1..1", "5..5", []),
        ("1.11", "5..5", [(2, "lost", 1, 5, -1), (3, "fragment", 1, 5, 5)]),
        ("1111", ".5..", [(2, "lost", 1, 5, -1)]),
        ("1111", "....", []),
        ("....", "5555", []),
    ],
)
def test_events(truth, found, expected):
    assert events(story(sequence(line(truth), line(found), 4))) == expected


def test_a_swap_is_two_switches_in_one_frame():
    truth = [*line("1111", 0), *line("2222", 50)]
    told = story(sequence(truth, [*line("5566", 0), *line("6655", 50)], 4))
    assert events(told) == [(2, "switch", 1, 5, 6), (2, "switch", 2, 6, 5)]
    assert told.idsw.tolist() == [0, 0, 2, 0]
    assert told.mota.tolist() == [1, 1, 1 - 2 / 6, 1 - 2 / 8]


def test_frames_and_running_mota():
    told = story(sequence(line("..111"), [*line(".55.5"), *line("7....", 50)], 5))
    assert told.tp.tolist() == [0, 0, 1, 0, 1]
    assert told.fp.tolist() == [1, 1, 0, 0, 0]
    assert told.fn.tolist() == [0, 0, 0, 1, 0]
    assert np.isnan(told.mota[:2]).all()
    assert told.mota[2:] == pytest.approx([1 - 2 / 1, 1 - 3 / 2, 1 - 3 / 3])


def test_lanes_are_stretches():
    told = story(sequence([*line("111.1111", 0), *line("22......", 50)], line("55.5.66."), 8))
    lanes = told.lanes
    assert lanes.identity.tolist() == [1, 2]
    stretches = [lanes.lane, lanes.start, lanes.stop, lanes.holder]
    assert np.stack(stretches, axis=1).tolist() == [
        [0, 0, 2, 5],
        [0, 2, 3, -1],
        [0, 4, 5, -1],
        [0, 5, 7, 6],
        [0, 7, 8, -1],
        [1, 0, 2, -1],
    ]


def test_found_tracks():
    told = story(sequence([*line("11111", 0), *line("22222", 50)], [*line("5.6.5", 0), *line("..5..", 50)], 5))
    t = told.tracks
    assert t.identity.tolist() == [5, 6]
    assert [t.birth.tolist(), t.death.tolist(), t.boxes.tolist()] == [[0, 2], [5, 3], [3, 1]]
    assert [t.hits.tolist(), t.truths.tolist()] == [[3, 1], [2, 1]]


def test_rows_are_those_of_the_sequence():
    truth = [*line("11", 0), *((f, 2, 50, 0, 10, 10, 0, DISTRACTOR) for f in range(2)), *line("33", 90)]
    s = sequence(truth, [*line("77", 50), *line("88", 0)], 2, roles=True)
    told = story(s)
    assert told.truth_match.tolist() == [1, REMOVED, NOBODY, 3, REMOVED, NOBODY]
    assert told.found_match.tolist() == [REMOVED, 0, REMOVED, 3]
    assert told.iou[[0, 3]].tolist() == [1, 1]
    assert np.isnan(told.iou[[1, 2, 4, 5]]).all()


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("start", [0, 40])
def test_the_story_and_the_counts_are_one(agnostic, start):
    for seed in range(start, start + 40):
        s = wandering(seed, classes=1 + seed % 3, roles=seed % 2 == 0, whole=seed % 5 == 0, objects=1 + seed % 6)
        told = story(s, agnostic)
        c = dict(zip(PLAIN, evaluate(s, agnostic).pooled().plain[0], strict=True))
        assert [x.sum() for x in (told.tp, told.fp, told.fn, told.idsw)] == [c[k] for k in ("TP", "FP", "FN", "IDSW")]
        assert np.count_nonzero(told.events.kind == 0) == c["IDSW"]
        assert np.nansum(told.iou) == pytest.approx(c["iou_sum"])
        hit = np.flatnonzero(told.truth_match >= 0)
        assert (told.found_match[told.truth_match[hit]] == hit).all()
        assert (s.truth.frame[hit] == s.found.frame[told.truth_match[hit]]).all()
        spans = told.lanes.stop - told.lanes.start
        assert spans[told.lanes.holder >= 0].sum() == c["TP"]
        assert spans[told.lanes.holder < 0].sum() == c["FN"]
        assert told.tracks.hits.sum() == c["TP"]
        assert told.tracks.boxes.sum() == c["TP"] + c["FP"]
        assert len(told.lanes.identity) == c["MT"] + c["PT"] + c["ML"]
        if c["TP"] + c["FN"]:
            assert told.mota[-1] == pytest.approx(1 - (c["FN"] + c["FP"] + c["IDSW"]) / (c["TP"] + c["FN"]))


def test_fragments_are_trackevals_where_truth_never_leaves_and_something_is_always_found():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        held = ["".join("5" if x else "." for x in rng.random(12) < 0.6) for _ in range(3)]
        truth = [row for k in range(3) for row in line("1" * 12, 50 * k, identity=k)]
        found = [row for k, h in enumerate(held) for row in line(h, 50 * k, identity=k)]
        s = sequence(truth, [*found, *line("9" * 12, 300)], 12)
        assert (
            np.count_nonzero(story(s).events.kind == 1) == dict(zip(PLAIN, evaluate(s).plain[0], strict=True))["Frag"]
        )


@pytest.mark.parametrize("frames", [0, 3])
def test_nothing_at_all(frames):
    told = story(sequence([], [], frames))
    assert len(told.events) == len(told.lanes.lane) == len(told.tracks.identity) == 0
    assert told.tp.tolist() == [0] * frames
    assert np.isnan(told.mota).all()
    assert np.isnan(unsupervised(sequence([], [], frames)).scores["flicker"])


def test_without_truth():
    s = sequence([], [*line("55.555", 0), *line("66....", 50), *line("...777", 90, class_id=2), *line("6", 50)[:0]], 6)
    u = unsupervised(s)
    assert u.classes.tolist() == [0, 2]
    assert u.boxes.tolist() == [[2, 0], [2, 0], [0, 0], [1, 1], [1, 1], [1, 1]]
    assert u.births.tolist() == [2, 0, 0, 1, 0, 0]
    assert u.deaths.tolist() == [0, 1, 0, 0, 0, 0]
    assert [u.identity.tolist(), u.class_id.tolist(), u.lengths.tolist()] == [[5, 6, 7], [0, 0, 2], [5, 2, 3]]
    assert [u.gaps.tolist(), u.class_changes.tolist(), u.overlap.tolist()] == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert u.scores == pytest.approx(
        {
            "tracks": 3,
            "mean_length": 10 / 3,
            "median_length": 3,
            "flicker": 1 / 3,
            "gaps": 1,
            "class_changes": 0,
            "stability": 1,
            "boxes_per_frame": 10 / 6,
        }
    )


def test_unsteady_tracks():
    """Moved by a quarter of its side and back: IoU 0.6. A class that changes there and back: two changes."""
    found = [(f, 5, 2 * (f % 2), 0, 8, 8, int(f == 1)) for f in range(4)]
    u = unsupervised(sequence([], found, 4))
    assert u.overlap == pytest.approx([0.6])
    assert [u.class_changes.tolist(), u.class_id.tolist()] == [[2], [0]]


def test_identities_of_any_size_and_truth_is_not_looked_at():
    s = wandering(4)
    found = s.found
    assert unsupervised(SequenceTracks("s", s.frames, found, found)).scores == unsupervised(s).scores
