"""Evaluating, resuming and scoring trackers: from frames to numbers, and what goes wrong on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard import evaluation, tracking_pass
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.finishing import out_of_date, refresh
from dashboard.metrics.tracking.story import story
from dashboard.store import Run, Store
from dashboard.tracking_parts import stored_sequences
from dashboard.types import Detections
from tests.fake_tracks import GONE, LENGTHS, SIZE, FakeTracks, Finder, expected, tracking

QUICK = Settings(latency=False, batch_size=4)
TIMES = ("FPS",)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def many_parts(monkeypatch):
    """A part for every batch."""
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)


def rows_of(run: Run) -> dict[str, list]:
    return pq.read_table(run.rows_path).to_pydict()


def stored(run: Run) -> dict[str, list]:
    """What is in a run's file, but for the areas, which are unknown here (and NaN is not NaN)."""
    table = pq.read_table(run.predictions_path)
    return table.select([n for n in table.column_names if not n.endswith("_area")]).to_pydict()


def numbers(run: Run) -> dict[str, float | None]:
    """Without those that are times."""
    return {k: v for k, v in run.metrics.items() if k not in TIMES}


def assert_same(a: Run, b: Run) -> None:
    """What was found and what it comes to, to the last bit."""
    assert stored(a) == stored(b)
    assert pq.read_table(a.rows_path).equals(pq.read_table(b.rows_path))
    assert (numbers(a), a.intervals, a.samples) == (numbers(b), b.intervals, b.samples)


def test_a_run_has_the_numbers_known_by_hand(store):
    run = evaluate(tracking(), FakeTracks(), store, QUICK)
    assert (run.task, run.model, run.dataset, run.samples) == ("tracking", "finder+iou", "walkers", 40)
    assert run.classes == ["pedestrian", "car"]  # the dataset's, in its order
    known = expected()
    assert {k: run.metrics[k] for k in known} == pytest.approx(known)
    assert run.metrics["FPS"] > 0
    rows = rows_of(run)
    assert rows["id"][:2] == ["a/000001", "a/000002"]
    assert rows["frame"] == [t for length in LENGTHS for t in range(1, length + 1)]
    assert [rows[k][3] for k in ("tp", "fp", "fn", "idsw", "found")] == [1, 0, 1, 0, 1]  # object 1 is missed
    assert [rows[k][4] for k in ("tp", "fp", "fn", "idsw", "found")] == [1, 0, 0, 1, 1]  # and begins anew
    assert [rows[k][6] for k in ("tp", "fp", "fn", "idsw", "found")] == [2, 1, 0, 1, 3]  # object 2 comes back
    assert (sum(rows["tp"]), sum(rows["idsw"])) == (known["TP"], known["IDSW"])


def test_per_class_and_per_sequence(store):
    """Pedestrians are the model's persons; its ghosts are no class of the dataset and are left out."""
    run = evaluate(tracking(), FakeTracks(), store, QUICK)
    classes, sequences = (run.results()[f"clear.{name}"] for name in ("per_class", "per_sequence"))
    assert list(classes.classes) == ["pedestrian", "car"]
    assert [list(classes.columns[k]) for k in ("TP", "FP", "FN", "IDSW")] == [[37, 34], [3, 0], [3, 0], [3, 3]]
    assert list(sequences.classes) == ["a", "b", "c"]
    assert list(sequences.columns["TP"]) == [2 * length - 3 for length in LENGTHS]
    assert run.metrics["trk_counts"] == pytest.approx((37 + 34 + 3) / 40)


def test_the_timeline_of_a_run(store):
    run = evaluate(tracking(), FakeTracks(), store, QUICK)
    (first, *_) = stored_sequences(run.predictions_path)
    told = story(first.tracks)
    switched = np.flatnonzero(told.idsw).tolist()
    assert switched == [4, GONE[-1] + 1]


def test_another_tracker_needs_no_detector(store):
    first = evaluate(tracking(), FakeTracks(), store, QUICK)
    finder, stages = Finder(), []
    data = FakeTracks()
    run = evaluate(tracking("sort", finder), data, store, QUICK, lambda p: stages.append(p.stage))
    assert finder.batches == []
    assert data.loaded == []
    assert "tracking" in stages
    assert run.id != first.id
    assert run.timing["detections_of"] == first.id
    assert (run.facts["tracker"]["name"], first.facts["tracker"]["name"]) == ("sort", "iou")
    assert run.metrics["FPS"] > 0
    alone = evaluate(tracking("sort"), FakeTracks(), Store(store.root / "alone"), QUICK)
    assert_same(run, alone)
    other = Finder()  # other settings of the first tracker: another run
    changed = evaluate(tracking("iou", other, max_age="2"), FakeTracks(), store, QUICK)
    assert other.batches == []
    assert changed.metrics["IDSW"] == 0
    assert changed.facts["tracker"]["changed"] == {"max_age": 2}
    assert changed.timing["detections_of"] == first.id  # whose detector ran


def test_what_needs_the_detector_again(store):
    evaluate(tracking(), FakeTracks(), store, QUICK)
    for finder, data, how in (
        (Finder(("ghost", "car", "person"), "another"), FakeTracks(), QUICK),
        (Finder(), FakeTracks((12, 8, 21)), QUICK),
        (Finder(), FakeTracks(), Settings(latency=False, batch_size=4, limit=13)),
        (Finder(), FakeTracks(), Settings(latency=False, batch_size=4, restart=True)),
    ):
        evaluate(tracking("sort", finder), data, store, how)
        assert len(finder.seen) - 1 == (how.limit or len(data))  # one warms up


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "bytes"])
def test_a_damaged_run_is_not_built_upon(store, damage):
    first = evaluate(tracking(), FakeTracks(), store, QUICK)
    content = first.predictions_path.read_bytes()
    if damage == "gone":
        first.predictions_path.unlink()
    else:
        spoilt = {"cut": content[:-200], "empty": b"", "bytes": content[:4] + b"\xff" * 2000 + content[2004:]}
        first.predictions_path.write_bytes(spoilt[damage])
    finder = Finder()
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK)
    assert len(finder.seen) == 41
    assert "detections_of" not in run.timing
    assert_same(run, evaluate(tracking("sort"), FakeTracks(), Store(store.root / "other"), QUICK))


# --- interrupted ----------------------------------------------------------------------------------------------------


def stopped(finder: Finder, data: FakeTracks, store: Store, batches: int) -> None:
    """An evaluation that is stopped while it detects, after so many batches and one that warms up."""
    cancel = threading.Event()
    finder.on_batch = lambda: cancel.set() if len(finder.batches) > batches else None
    with pytest.raises(Cancelled, match=f"Stopped after {4 * batches} of {len(data)}"):
        evaluate(tracking("sort", finder), data, store, QUICK, cancel=cancel)


def stopped_while_tracking(store: Store, finder: Finder | None = None) -> list[Progress]:
    """An evaluation that is stopped as soon as it says that it tracks."""
    cancel, told = threading.Event(), []

    def say(p: Progress) -> None:
        told.append(p)
        if p.stage == "tracking":
            cancel.set()

    with pytest.raises(Cancelled, match="while tracking; what the detector found is kept"):
        evaluate(tracking("sort", finder), FakeTracks(), store, QUICK, say, cancel)
    return told


def left_over(store: Store) -> list[str]:
    """What the store holds of unfinished runs."""
    return sorted(p.name for p in (store.root / "unfinished").rglob("*") if p.is_file())


@pytest.fixture
def whole(tmp_path):
    """The run that nothing came in the way of."""
    return evaluate(tracking("sort"), FakeTracks(), Store(tmp_path / "whole"), QUICK)


def test_stopped_while_detecting(store, many_parts, whole):
    """In the midst of the second sequence."""
    stopped(Finder(), FakeTracks(), store, 4)
    assert store.runs() == []
    assert left_over(store) == [f"part-{k:06d}.parquet" for k in range(4)]
    finder, told = Finder(), []
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK, told.append)
    assert finder.seen[1:] == FakeTracks().places[16:]
    assert {p.resumed for p in told if p.stage == "running"} == {16}
    assert_same(run, whole)
    assert left_over(store) == []


def test_stopped_while_tracking(store, many_parts, whole):
    stopped_while_tracking(store)
    assert store.runs() == []
    assert left_over(store) == [f"part-{k:06d}.parquet" for k in range(10)]
    finder = Finder()
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK)
    assert finder.batches == []
    assert_same(run, whole)
    assert run.metrics["FPS"] > 0
    assert run.timing["throughput_per_s"] > 0


def test_stopped_while_another_tracker_tracks(store, whole):
    """What the first run's detections cost is known at the next try as well."""
    first = evaluate(tracking("iou"), FakeTracks(), store, QUICK)
    stopped_while_tracking(store)
    finder = Finder()
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK)
    assert finder.batches == []
    assert_same(run, whole)
    assert run.timing["detections_of"] == first.id
    assert [run.timing[k] for k in ("wall_s", "model_s")] == [first.timing[k] for k in ("wall_s", "model_s")]
    assert run.metrics["FPS"] > 0


def test_stopped_when_all_but_the_numbers_was_done(store, whole, monkeypatch):
    def down(*_):
        raise RuntimeError("the machine went down")

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "finish", down)
        with pytest.raises(RuntimeError, match="went down"):
            evaluate(tracking("sort"), FakeTracks(), store, QUICK)
    assert len(left_over(store)) == 1
    finder = Finder()
    monkeypatch.setattr(tracking_pass, "_tracked", lambda *_: pytest.fail("the tracks are there"))
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK)
    assert finder.batches == []
    assert_same(run, whole)
    assert run.timing["frames"] == 40
    assert run.timing["wall_s"] > 0
    assert run.metrics["FPS"] > 0


def test_the_same_twice(store, whole):
    """A run is the same to the last bit when everything is done anew, and nothing is done when nothing has to be."""
    first = evaluate(tracking("sort"), FakeTracks(), store, QUICK)
    finder, stages = Finder(), []
    again = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK, lambda p: stages.append(p.stage))
    assert (again.id, again.created_at, stages, finder.batches) == (first.id, first.created_at, ["done"], [])
    anew = evaluate(tracking("sort", finder), FakeTracks(), store, Settings(latency=False, batch_size=7, restart=True))
    assert anew.created_at > first.created_at
    assert len(finder.seen) == 41
    assert_same(anew, first)
    assert_same(anew, whole)


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort", "ocsort"])
def test_two_at_once_with_the_same_model(store, tracker):
    """The app keeps a model for all visitors; each evaluation has a tracker of its own."""
    sets = [FakeTracks((20, 20), name="one"), FakeTracks((14, 9, 11), name="two")]
    shared = tracking(tracker)
    meet = threading.Barrier(2)

    def run(data: FakeTracks) -> Run:
        met = []

        def say(p: Progress) -> None:
            if p.stage == "scoring" and not met:  # both begin to track at the same time
                met.append(meet.wait(20))

        return evaluate(shared, data, store, QUICK, say)

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run, sets))
    for found, data in zip(runs, sets, strict=True):
        alone = evaluate(tracking(tracker), data, Store(store.root / "alone"), QUICK)
        assert stored(found) == stored(alone)
        assert max(len(t) for t in stored(found)["found_track"]) == 2


# --- frames that are not there --------------------------------------------------------------------------------------


def test_a_frame_that_cannot_be_read(store):
    """It is left out, numbers of frames stay right, and the tracker sees nothing in it."""
    run = evaluate(tracking(), FakeTracks(unreadable={"a/000009", "c/000001"}), store, QUICK)
    assert run.samples == 38
    assert [s["id"] for s in run.facts["skipped"]] == ["a/000009", "c/000001"]
    rows = rows_of(run)
    assert [f for s, f in zip(rows["sequence"], rows["frame"], strict=True) if s == "a"] == [
        *range(1, 9),
        *range(10, 13),
    ]
    assert [f for s, f in zip(rows["sequence"], rows["frame"], strict=True) if s == "c"] == list(range(2, 21))
    place = rows["id"].index("a/000010")
    assert rows["idsw"][place] == 2  # to a tracker that forgets at once both are new
    (first, *_) = stored_sequences(run.predictions_path)
    assert first.tracks.frames == 12
    assert first.frames.tolist() == [*range(8), *range(9, 12)]
    known = expected()
    assert {k: run.metrics[k] for k in ("TP", "FP", "FN")} == {"TP": known["TP"] - 4, "FP": 3, "FN": 3}
    patient = evaluate(tracking("iou", max_age="5"), FakeTracks(unreadable={"a/000009", "c/000001"}), store, QUICK)
    assert patient.metrics["IDSW"] == 0


def test_a_frame_that_became_readable_takes_its_place(store):
    """Another tracker's run takes what is there and has the rest detected."""
    evaluate(tracking("iou"), FakeTracks(unreadable={"a/000009"}), store, QUICK)
    finder = Finder()
    run = evaluate(tracking("sort", finder), FakeTracks(), store, QUICK)
    assert finder.seen[1:] == [(0, 8)]
    assert_same(run, evaluate(tracking("sort"), FakeTracks(), Store(store.root / "other"), QUICK))


def test_most_frames_cannot_be_read(store):
    data = FakeTracks()
    broken = FakeTracks(unreadable=set(data.ids[:30]))
    with pytest.raises(InputError, match="30 of 40 pictures of walkers cannot be read: a/000001 is not a picture"):
        evaluate(tracking(), broken, store, QUICK)
    assert store.runs() == []


def test_a_frame_that_the_tracker_must_see_is_gone(store):
    """The detector's run is there, so that only the tracker looks at pictures."""
    evaluate(tracking(), FakeTracks(), store, QUICK)
    data = FakeTracks(unreadable={"b/000002"})
    with pytest.raises(InputError, match="b/000002 is not a picture") as caught:
        evaluate(tracking("botsort", gmc_method="sparseOptFlow"), data, store, QUICK)
    assert "\n" not in str(caught.value)
    assert len(store.runs()) == 1


def test_trackers_that_look_get_each_frame_once(store):
    evaluate(tracking(), FakeTracks(), store, QUICK)
    data = FakeTracks()
    run = evaluate(tracking("botsort", gmc_method="orb"), data, store, QUICK)
    assert sorted(data.loaded) == sorted(data.ids)
    assert run.timing["look_s"] >= 0
    still = evaluate(tracking("botsort", gmc_method="none"), data, store, QUICK)
    assert len(data.loaded) == 40
    assert still.id != run.id


def test_a_limit_within_a_sequence(store):
    run = evaluate(tracking(), FakeTracks(), store, Settings(latency=False, limit=22))
    assert run.samples == 22
    assert [s["name"] for s in run.facts["sequences"]] == ["a", "b", "c"]
    assert rows_of(run)["id"][-1] == "c/000002"
    assert [len(s.frames) for s in stored_sequences(run.predictions_path)] == [12, 8, 2]
    known = expected((12, 8))
    assert run.metrics["TP"] == known["TP"] + 4
    assert run.metrics["IDSW"] == known["IDSW"]


# --- classes and truth ----------------------------------------------------------------------------------------------


def test_without_a_truth_the_classes_are_the_models(store):
    """As of a dropped video: nothing to compare with, but identities, their lengths and FPS."""
    run = evaluate(tracking(), FakeTracks(has_truth=False, class_names=()), store, QUICK)
    assert run.classes == ["ghost", "car", "person"]
    assert run.facts["truth"] is False
    assert not set(expected()) & set(run.metrics)
    assert not [c for c in pq.read_schema(run.predictions_path).names if c.startswith("true_")]
    assert "tp" not in rows_of(run)
    # object 1 in two pieces, object 2 in two, the ghost in one, and the box too many
    assert run.metrics["births"] == 3 * 6
    assert run.metrics["trk_counts"] == pytest.approx((71 + 3 + 40) / 40)
    lives = [piece for length in LENGTHS for piece in (3, length - 4, 4, length - 6, length, 1)]
    assert run.metrics["track_length"] == pytest.approx(np.mean(lives))
    assert run.metrics["trk_flicker"] == pytest.approx(np.mean([n < 3 for n in lives]))
    assert run.metrics["FPS"] > 0
    assert set(run.results()) == {"watched.scores"}


@pytest.mark.parametrize(
    ("names", "tp"), [(("person", "car"), 71), (("pedestrian", "car"), 71), (("car", "pedestrian"), 0)]
)
def test_classes_meet_by_name(store, names, tp):
    """The truth numbers walkers 0 and those that stand 1, whatever the names are: the last ones are the wrong way."""
    run = evaluate(tracking(), FakeTracks(class_names=names), store, QUICK)
    assert run.metrics["TP"] == tp
    assert run.metrics["TP_agnostic"] == 71


def test_classes_that_do_not_meet(store):
    finder = Finder()
    with pytest.raises(InputError, match="bicycle"):
        evaluate(tracking("iou", finder), FakeTracks(class_names=("pedestrian", "bicycle")), store, QUICK)
    assert finder.batches == []
    mapped = Settings(latency=False, mapping={"bicycle": "car"})
    run = evaluate(tracking("iou", finder), FakeTracks(class_names=("pedestrian", "bicycle")), store, mapped)
    assert run.metrics["TP"] == 71


def test_a_model_that_is_no_tracker(store):
    with pytest.raises(InputError, match="finder does detection, but walkers is a tracking dataset"):
        evaluate(Finder(), FakeTracks(), store, QUICK)


def test_a_detector_with_too_few_class_names(store):
    class Wide(Finder):
        def _answer(self, frame):
            found = super()._answer(frame)
            found.class_ids[-1] = 7
            return found

    with pytest.raises(InputError, match="answered with class 7, but has 3 class names"):
        evaluate(tracking("iou", Wide()), FakeTracks(), store, QUICK)
    assert store.runs() == []


def test_numbers_come_again_from_what_is_stored(store, monkeypatch):
    run = evaluate(tracking(), FakeTracks(), store, QUICK)
    assert not out_of_date(run)
    monkeypatch.setattr("dashboard.finishing.signature", lambda task, multilabel: "another")
    assert out_of_date(run)
    again = refresh(store, run)
    assert again.metrics == run.metrics  # FPS as well, which is in no file of predictions
    assert again.intervals == run.intervals
    assert (again.id, again.created_at, again.timing) == (run.id, run.created_at, run.timing)
    assert_same(again, run)
    run.predictions_path.write_bytes(run.predictions_path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"is damaged .* delete that run"):
        refresh(store, run)


class Blind(Finder):
    """Finds nothing in some sequences."""

    def __init__(self, blind: tuple[int, ...]) -> None:
        super().__init__(name=f"blind in {blind}")
        self.blind = blind

    def postprocess(self, outputs):
        return [Detections.none(SIZE, scored=True) if k in self.blind else self._answer(t) for k, t in outputs]


def test_a_sequence_without_detections(store):
    run = evaluate(tracking("iou", Blind((1,))), FakeTracks(), store, QUICK)
    known = expected((12, 20))
    assert {k: run.metrics[k] for k in ("TP", "FP", "IDSW", "MT", "PT")} == {
        k: known[k] for k in ("TP", "FP", "IDSW", "MT", "PT")
    }
    assert run.metrics["FN"] == known["FN"] + 14
    assert run.metrics["ML"] == 2
    rows = rows_of(run)
    assert {n for n, s in zip(rows["found"], rows["sequence"], strict=True) if s == "b"} == {0}


@pytest.mark.parametrize("tracker", ["iou", "sort", "bytetrack", "ocsort", "botsort"])
def test_nothing_found_at_all(store, tracker):
    run = evaluate(tracking(tracker, Blind((0, 1, 2))), FakeTracks(), store, QUICK)
    assert {k: run.metrics[k] for k in ("TP", "FP", "FN", "IDSW", "MOTA", "IDF1", "HOTA")} == {
        "TP": 0, "FP": 0, "FN": 74, "IDSW": 0, "MOTA": 0, "IDF1": 0, "HOTA": 0,
    }  # fmt: skip
    assert (run.metrics["births"], run.metrics["track_length"], run.metrics["trk_counts"]) == (0, None, 0)
    assert run.metrics["FPS"] > 0
    assert all(v is None or np.isfinite(v) for v in run.metrics.values())
