"""Stored tracks come back as they were put in; a tracker over stored detections sees what it would have seen live."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import masks, predictions
from dashboard.errors import Cancelled, InputError
from dashboard.metrics.tracking.columns import ASIDE, COUNTED, DISTRACTOR
from dashboard.predictions import part_facts, write_part
from dashboard.store import Draft, Store
from dashboard.tracking_parts import (
    DETECTED,
    FOUND,
    TRUE,
    TrackingPart,
    has_tracks,
    side_of,
    stored_sequences,
    without_tracks,
)
from dashboard.tracking_pass import drop_superseded, take_over, timing_taken_over, track_all
from dashboard.types import Detections
from models.trackers import Tracker, make_tracker

SIZE = (30, 40)
SEEDS = st.integers(0, 2**32 - 1)


def mask_of(seed: int) -> bytes:
    """A mask as run lengths."""
    return masks.encode(np.random.default_rng(seed).random((1, *SIZE)) > 0.5)[0]


def objects(rng: np.random.Generator, tracked: bool, scored: bool, masked: bool = False) -> Detections:
    """None to four objects of a frame."""
    ids = rng.permutation(9)[: rng.integers(0, 5)]
    count, flags = len(ids), rng.integers(0, 3, len(ids))
    corner = rng.uniform(-5, 40, (count, 2))
    return Detections(
        np.concatenate([corner, corner + rng.uniform(0, 30, (count, 2)).round()], axis=1),
        rng.integers(0, 3, count),
        rng.random(count) if scored else None,
        [mask_of(int(k)) for k in ids] if masked else None,
        SIZE,
        crowd=None if scored else flags == 1,
        ignore=None if scored else flags == 2,
        track_ids=ids if tracked else None,
    )


@st.composite
def parts(draw: st.DrawFn) -> TrackingPart:
    """Some sequences, frames missing here and there, sides and masks there or not."""
    masked, known, detected = (draw(st.booleans()) for _ in range(3))
    lengths, rng = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)), np.random.default_rng(draw(SEEDS))
    every = [(f"s{k}", t) for k, length in enumerate(lengths) for t in range(length)]
    index = np.flatnonzero(rng.random(len(every)) > draw(st.sampled_from([-1, 0.4, 0.8])))
    index = index if len(index) else np.arange(1)
    rows = [every[i] for i in index]
    sides = [
        [objects(rng, tracked, scored, masked and tracked) for _ in rows]
        for tracked, scored in ((False, True), (True, True), (True, False))
    ]
    return TrackingPart(
        index,
        [f"{name}/{t + 1:06d}" for name, t in rows],
        [name for name, _ in rows],
        np.array([t for _, t in rows]),
        np.tile(SIZE, (len(rows), 1)),
        sides[0] if detected else None,
        sides[1],
        sides[2] if known else None,
        masked,
    )


@settings(max_examples=40, deadline=None)
@given(parts())
def test_what_is_stored_comes_back(tmp_path_factory, part):
    path = tmp_path_factory.mktemp("parts") / "part-000000.parquet"
    write_part(path, part, {})
    assert has_tracks(path)
    table = pq.read_table(path)
    sides = {DETECTED: part.detected, FOUND: part.found, TRUE: part.truth}
    for name, frames in sides.items():
        side = side_of(table, name)
        assert (side is None) == (frames is None)
        for place, was in enumerate(frames or ()):
            now = side.frame(place, SIZE)
            np.testing.assert_array_equal(now.xyxy, was.xyxy)
            np.testing.assert_array_equal(now.class_ids, was.class_ids)
            np.testing.assert_array_equal(now.scores, np.zeros(len(was)) if was.scores is None else was.scores)
            if len(was) and name != DETECTED:
                np.testing.assert_array_equal(now.track_ids, was.track_ids)
            else:
                assert now.track_ids is None
    assert side_of(without_tracks(table), FOUND) is None


@settings(max_examples=40, deadline=None)
@given(parts())
def test_sequences_as_metrics_see_them(tmp_path_factory, part):
    path = tmp_path_factory.mktemp("parts") / "part-000000.parquet"
    write_part(path, part, {})
    found = list(stored_sequences(path))
    assert [s.tracks.name for s in found] == list(dict.fromkeys(part.sequences))
    assert [i for s in found for i in s.ids] == list(part.ids)
    assert np.concatenate([s.index for s in found]).tolist() == part.index.tolist()
    for one in found:
        rows = [i for i, name in enumerate(part.sequences) if name == one.tracks.name]
        assert one.known == (part.truth is not None)
        assert one.frames.tolist() == part.frames[rows].tolist()
        assert one.tracks.frames == part.frames[rows[-1]] + 1
        assert one.tracks.size == SIZE
        counts = None if part.detected is None else [len(part.detected[i]) for i in rows]
        assert (None if one.detected is None else one.detected.tolist()) == counts
        for side, frames in ((one.tracks.found, part.found), (one.tracks.truth, part.truth)):
            held = [] if frames is None else [frames[i] for i in rows]
            flat = [(int(part.frames[i]), int(k)) for i in rows for k in (frames[i].track_ids if frames else ())]
            assert list(zip(side.frame.tolist(), side.ids.tolist(), strict=True)) == flat
            np.testing.assert_array_equal(side.xyxy, np.concatenate([np.empty((0, 4)), *[d.xyxy for d in held]]))
            if part.masked and held:
                assert list(side.masks) == [m for d in held for m in d.masks]
        if part.truth is not None:
            crowd, ignore = (np.concatenate([getattr(part.truth[i], n) for i in rows]) for n in ("crowd", "ignore"))
            roles = np.where(ignore, DISTRACTOR, np.where(crowd, ASIDE, COUNTED))
            told = one.tracks.truth.role
            np.testing.assert_array_equal(np.zeros(len(roles)) if told is None else told, roles)


def test_only_detections_are_no_tracks(tmp_path):
    part = TrackingPart(
        np.arange(1), ["s/000001"], ["s"], np.arange(1), np.zeros((1, 2), int), [Detections.none(scored=True)]
    )
    write_part(tmp_path / "part-000000.parquet", part, {})
    assert not has_tracks(tmp_path / "part-000000.parquet")
    with pytest.raises(ValueError, match="no tracks are stored"):
        list(stored_sequences(tmp_path / "part-000000.parquet"))


@settings(max_examples=20, deadline=None)
@given(parts(), st.data())
def test_parts_are_joined_in_order(part, data):
    cut = data.draw(st.integers(0, len(part.ids)))
    if cut in (0, len(part.ids)):
        return
    pieces = [_rows(part, slice(0, cut)), _rows(part, slice(cut, None))]
    assert TrackingPart.join(pieces).table().to_pydict().keys() == part.table().to_pydict().keys()
    joined, whole = (p.table().select(["id", "frame", "found_x0", "found_track"]) for p in (part.join(pieces), part))
    assert joined.equals(whole)
    assert sum(p.nbytes for p in pieces) == part.nbytes


def _rows(part: TrackingPart, rows: slice) -> TrackingPart:
    """Some of a part's frames."""
    some = [None if side is None else side[rows] for side in (part.detected, part.found, part.truth)]
    return TrackingPart(
        part.index[rows], part.ids[rows], part.sequences[rows], part.frames[rows], part.sizes[rows], *some, part.masked
    )


# --- the pass -------------------------------------------------------------------------------------------------------


def walking(lengths: dict[str, list[int]], seed: int = 3) -> TrackingPart:
    """Detections of three boxes that walk, in the frames that are named, of some sequences."""
    rng = np.random.default_rng(seed)
    rows = [(name, t) for name, frames in lengths.items() for t in frames]
    found = []
    for _, t in rows:
        boxes = np.array([[4.0 * k + t, 2.0 + k, 14 + 4 * k + t, 16 + k] for k in (0, 10, 20)])
        seen = rng.random(3) > 0.15
        jitter = rng.normal(0, 0.3, (3, 2))
        boxes += np.concatenate([jitter, jitter], axis=1)
        found.append(Detections(boxes[seen], np.zeros(seen.sum(), int), rng.uniform(0.3, 1, seen.sum()), size=SIZE))
    return TrackingPart(
        np.arange(len(rows)),
        [f"{name}/{t + 1:06d}" for name, t in rows],
        [name for name, _ in rows],
        np.array([t for _, t in rows]),
        np.tile(SIZE, (len(rows), 1)),
        found,
        truth=[Detections.none() for _ in rows],
    )


LENGTHS = {"a": list(range(11)), "b": [0, 1, 2, 5, 6, 7, 8, 9], "c": [3, 4, 5, 6, 7]}


def live(part: TrackingPart, tracker: Tracker) -> list[Detections]:
    """A tracker that is given frame after frame: nothing in those that could not be read."""
    found = []
    for name in dict.fromkeys(part.sequences):
        tracker.reset()
        rows = [i for i, own in enumerate(part.sequences) if own == name]
        frames = {int(part.frames[i]): i for i in rows}
        for t in range(min(frames), max(frames) + 1):
            seen = part.detected[frames[t]] if t in frames else Detections.none(SIZE, scored=True)
            answer = tracker.update(seen, None, SIZE)
            if t in frames:
                found.append(answer)
    return found


def known(table: Any) -> dict[str, list]:
    """What is in a table, but for the areas, which are unknown here (and NaN is not NaN)."""
    return table.select([name for name in table.column_names if not name.endswith("_area")]).to_pydict()


def never() -> bool:
    """Nobody stops it."""
    return False


@pytest.fixture
def begun(tmp_path) -> Iterator[Callable[..., Draft]]:
    """Begins a draft in a store of its own, and lets go of it at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda name="store": stack.enter_context(Store(tmp_path / name).draft("run"))


def filled(draft: Draft, part: TrackingPart, pieces: int = 1) -> Draft:
    """A draft with a part in so many pieces."""
    for rows in np.array_split(np.arange(len(part.ids)), pieces):
        chosen = slice(int(rows[0]), int(rows[-1]) + 1)
        write_part(draft.next_part(), _rows(part, chosen), {"wall_s": 2.0, "model_s": 1.5})
    return draft


@pytest.mark.parametrize("tracker", ["bytetrack", "ocsort", "sort", "iou"])
@pytest.mark.parametrize("pieces", [1, 5])
def test_a_tracker_over_what_is_stored(begun, monkeypatch, tracker, pieces):
    """Whatever the parts and the blocks they are read in, which end within sequences."""
    monkeypatch.setattr(predictions, "OBJECT_ROWS", 4 if pieces > 1 else 1024)
    part = walking(LENGTHS)
    draft, told = filled(begun(), part, pieces), []
    clock = track_all(draft, make_tracker(tracker), None, lambda *how: told.append(how), never)
    (path,) = draft.parts()
    assert [p.name for p in draft.path.iterdir()] == [path.name]
    side = side_of(pq.read_table(path), FOUND)
    for place, expected in enumerate(live(part, make_tracker(tracker))):
        now = side.frame(place, SIZE)
        np.testing.assert_array_equal(now.xyxy, expected.xyxy)
        np.testing.assert_array_equal(now.scores, expected.scores)
        assert side.tracks[side.offsets[place] : side.offsets[place + 1]].tolist() == expected.track_ids.tolist()
    assert side.tracks.max() >= 3
    assert known(without_tracks(pq.read_table(path))) == known(part.table())
    assert clock["frames"] == len(part.ids)
    assert clock["track_s"] > 0
    assert told[-1] == ("tracking", 24, 24)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert float(part_facts(path)["wall_s"]) == 2.0 * pieces
    again = track_all(draft, make_tracker(tracker), None, lambda *how: None, lambda: pytest.fail("done already"))
    assert again == {k: clock[k] for k in ("frames", "track_s", "look_s")}


class Recorder(Tracker):
    """Notes what it is given."""

    name, title, needs_images = "recorder", "Recorder", True

    def reset(self):
        self.log = [*getattr(self, "log", []), "reset"]

    def _step(self, found, image, size):
        self.log.append((len(found), size, image is not None))
        return found.xyxy, np.arange(1, len(found) + 1), np.arange(len(found))


class Pictures:
    """A dataset of pictures that notes which are asked for."""

    def __init__(self):
        self.asked = []

    def __getitem__(self, index):
        self.asked.append(index)
        return type("Sample", (), {"image": np.zeros((*SIZE, 3), np.uint8)})()


def test_what_a_tracker_is_given(begun):
    part = walking({"a": [0, 1, 4], "b": [2]}, seed=0)
    counts = [len(d) for d in part.detected]
    data, tracker = Pictures(), Recorder()
    clock = track_all(filled(begun(), part), tracker, data, lambda *how: None, never)
    frames = [(n, SIZE, True) for n in counts]
    gap = [(0, SIZE, True)] * 2
    assert tracker.log == ["reset", "reset", *frames[:2], *gap, frames[2], "reset", frames[3], "reset"]
    assert sorted(data.asked) == [0, 1, 2, 3]  # frames that cannot be read are not asked for
    assert clock["frames"] == 4


def test_killed_before_the_detections_were_taken_away(begun):
    """What they cost is not counted twice."""
    draft = filled(begun(), walking(LENGTHS), 3)
    before = {p: p.read_bytes() for p in draft.parts()}
    clock = track_all(draft, make_tracker("sort"), None, lambda *how: None, never)
    (made,) = draft.parts()
    for path, data in before.items():
        path.write_bytes(data)
    drop_superseded(draft)
    assert draft.parts() == [made]
    assert float(part_facts(made)["wall_s"]) == 6.0
    assert track_all(draft, make_tracker("sort"), None, lambda *how: None, never) == clock


def test_a_frame_that_could_be_read_later(begun):
    """The tracker goes over everything again, that frame in its place."""
    part = walking({"a": list(range(12))})
    draft = begun()
    write_part(draft.next_part(), TrackingPart.join([_rows(part, slice(0, 5)), _rows(part, slice(6, 12))]), {})
    track_all(draft, make_tracker("sort"), None, lambda *how: None, never)
    write_part(draft.next_part(), _rows(part, slice(5, 6)), {})
    track_all(draft, make_tracker("sort"), None, lambda *how: None, never)
    (late,) = draft.parts()
    whole = filled(begun("other"), part)
    track_all(whole, make_tracker("sort"), None, lambda *how: None, never)
    assert known(pq.read_table(late)) == known(pq.read_table(whole.parts()[0]))


@pytest.mark.parametrize("at", [0, 5, 23])
def test_stopping_leaves_the_detections(begun, at):
    part = walking(LENGTHS)
    draft = filled(begun(), part, 3)
    before = {p.name: p.read_bytes() for p in draft.path.iterdir()}
    asked = []

    def cancelled() -> bool:
        asked.append(0)
        return len(asked) > at

    with pytest.raises(Cancelled, match="what the detector found is kept"):
        track_all(draft, make_tracker("sort"), None, lambda *how: None, cancelled)
    assert len(asked) == at + 1
    assert {p.name: p.read_bytes() for p in draft.path.iterdir()} == before


def test_a_tracker_that_fails_leaves_the_detections(begun):
    class Failing(Recorder):
        needs_images = False

        def _step(self, found, image, size):
            raise RuntimeError("it broke")

    draft = filled(begun(), walking(LENGTHS), 3)
    with pytest.raises(RuntimeError, match="it broke"):
        track_all(draft, Failing(), None, lambda *how: None, never)
    assert [p.name for p in sorted(draft.path.iterdir())] == [f"part-{k:06d}.parquet" for k in range(3)]


def test_nothing_to_track(begun, tmp_path):
    draft = begun()
    with pytest.raises(InputError, match="no frames to track in"):
        take_over(draft, _empty(tmp_path))
    assert draft.parts() == []


def _empty(folder: Path) -> Path:
    """A file without rows."""
    table = walking({"a": [0]}).table().slice(0, 0)
    with pq.ParquetWriter(folder / "empty.parquet", table.schema):
        pass
    return folder / "empty.parquet"


def test_taking_over(begun):
    """Detections and truth come along, tracks do not; what they cost is known for as long as the draft is there."""
    first = filled(begun(), walking(LENGTHS))
    track_all(first, make_tracker("sort"), None, lambda *how: None, never)
    other = begun("other")
    assert timing_taken_over(other) is None
    timing = {"wall_s": 3.0, "latency_ms": {"p50": None}, "detections_of": "one"}
    take_over(other, first.parts()[0], timing)
    (part,) = other.parts()
    assert not has_tracks(part)
    assert known(pq.read_table(part)) == known(walking(LENGTHS).table())
    assert timing_taken_over(other) == timing
    track_all(other, make_tracker("iou"), None, lambda *how: None, never)
    assert timing_taken_over(other) == timing
    other.parts()[0].write_bytes(b"cut short")
    assert timing_taken_over(other) is None


def test_what_has_no_detections_is_not_taken_over(begun, tmp_path):
    part = walking({"a": [0, 1]})
    scored = TrackingPart(part.index, part.ids, part.sequences, part.frames, part.sizes, None, part.truth, part.truth)
    write_part(tmp_path / "scored.parquet", scored, {})
    draft = begun()
    with pytest.raises(ValueError, match="no detections are stored"):
        take_over(draft, tmp_path / "scored.parquet")
    assert draft.parts() == []
