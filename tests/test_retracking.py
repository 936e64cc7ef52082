"""Another tracker on stored detections: the same run as if all had been done anew, and no detector is needed."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dashboard import retracking
from dashboard.datasets.opening import open_dataset
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.retracking import can_retrack, retrack
from dashboard.scoring import score
from dashboard.store import Run, Store
from models.trackers import make_tracker
from tests.fake_tracks import FakeTracks, Finder, expected, tracking
from tests.test_tracking_runs import assert_same, left_over

QUICK = Settings(latency=False, batch_size=4)
SETTINGS = [
    ("iou", {"max_age": "3"}),
    ("sort", {"iou_threshold": "0.5", "min_hits": "1"}),
    ("bytetrack", {"track_buffer": "7", "fuse_score": "false"}),
    ("botsort", {"gmc_method": "none"}),
]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def run(store) -> Run:
    return evaluate(tracking(), FakeTracks(), store, QUICK)


def made_new(store: Store, run: Run) -> list[Run]:
    return [r for r in store.runs() if r.id != run.id]


@pytest.mark.parametrize(("tracker", "values"), SETTINGS)
def test_as_if_it_were_done_anew(store, run, tracker, values):
    again = retrack(run, make_tracker(tracker, values), None, store)
    other = Store(store.root / "other")
    anew = evaluate(tracking(tracker, **values), FakeTracks(), other, QUICK)
    assert (again.id, again.model, again.dataset) == (anew.id, anew.model, anew.dataset)
    assert_same(again, anew)
    assert (again.classes, again.class_ids) == (anew.classes, anew.class_ids)
    apart = ("environment", "notes")
    facts = [{k: v for k, v in r.facts.items() if k not in apart} for r in (again, anew)]
    assert facts[0] == facts[1]
    assert again.timing["detections_of"] == run.id
    assert again.timing["model_s"] == run.timing["model_s"]
    assert again.metrics["FPS"] > 0
    assert left_over(store) == []
    finder, stages = Finder(), []  # and the run is known when it is asked for in the usual way
    same = evaluate(tracking(tracker, finder, **values), FakeTracks(), store, QUICK, lambda p: stages.append(p.stage))
    assert (same.id, stages, finder.batches) == (again.id, ["done"], [])


def test_part_of_a_dataset(store):
    how = Settings(latency=False, batch_size=4, limit=17)
    run = evaluate(tracking(), FakeTracks(), store, how)
    again = retrack(run, make_tracker("sort"), None, store)
    anew = evaluate(tracking("sort"), FakeTracks(), Store(store.root / "other"), how)
    assert again.id == anew.id
    assert_same(again, anew)


def test_the_same_again_is_there_already(store, run):
    again = retrack(run, make_tracker("iou", {"max_age": "1"}), None, store)
    told: list[Progress] = []
    same = retrack(run, make_tracker("iou", {"max_age": "1"}), None, store, told.append)
    assert (same.id, same.created_at) == (again.id, again.created_at)
    assert [(p.stage, p.done, p.total) for p in told] == [("done", 40, 40)]
    assert retrack(run, make_tracker("iou"), None, store).created_at == run.created_at


def test_a_run_made_so_can_be_the_first_of_others(store, run):
    """What the detections cost is told of the run whose detector ran."""
    second = retrack(run, make_tracker("sort"), None, store)
    third = retrack(second, make_tracker("iou", {"max_age": "5"}), None, store)
    assert third.timing["detections_of"] == run.id
    assert third.metrics["IDSW"] == 0
    assert third.facts["tracker"]["changed"] == {"max_age": 5}
    store.delete(run.id)
    assert retrack(third, make_tracker("iou"), None, store).metrics["IDSW"] == expected()["IDSW"]


def test_what_is_told_on_the_way(store, run):
    told: list[Progress] = []
    retrack(run, make_tracker("sort"), None, store, told.append)
    stages = [p.stage for p in told]
    assert stages == sorted(stages, key=["tracking", "scoring"].index)
    assert {"tracking", "scoring"} == set(stages)
    assert (told[-1].done, told[-1].total) == (40, 40)


def test_trackers_that_look_need_the_pictures(store, run):
    looks = {"gmc_method": "orb"}
    with pytest.raises(InputError, match="botsort looks at the pictures of walkers, which are gone") as caught:
        retrack(run, make_tracker("botsort", looks), None, store)
    assert "\n" not in str(caught.value)
    assert made_new(store, run) == []
    again = retrack(run, make_tracker("botsort", looks), FakeTracks(), store)
    anew = evaluate(tracking("botsort", **looks), FakeTracks(), Store(store.root / "other"), QUICK)
    assert again.id == anew.id
    assert_same(again, anew)


def test_a_picture_that_is_gone(store, run):
    with pytest.raises(InputError, match="b/000003 is not a picture"):
        retrack(run, make_tracker("botsort", {"gmc_method": "orb"}), FakeTracks(unreadable={"b/000003"}), store)
    assert made_new(store, run) == []
    assert left_over(store) == []


def test_stopped(store, run):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        retrack(run, make_tracker("sort"), None, store, lambda p: cancel.set(), cancel)
    assert made_new(store, run) == []
    assert left_over(store) == []
    assert retrack(run, make_tracker("sort"), None, store).samples == 40


def test_a_failure_leaves_nothing(store, run, monkeypatch):
    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(retracking, "finish", broken)
        with pytest.raises(InputError, match="is full: free some space"):
            retrack(run, make_tracker("sort"), None, store)
    assert made_new(store, run) == []
    assert left_over(store) == []
    assert retrack(run, make_tracker("sort"), None, store).samples == 40


def test_somebody_else_is_at_it(store, run, tmp_path):
    key = retrack(run, make_tracker("sort"), None, store).id
    store.delete(key)
    with store.draft(key), pytest.raises(InputError, match="being worked on already"):
        retrack(run, make_tracker("sort"), None, store)


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_damaged_detections_are_said(store, run, keep):
    content = run.predictions_path.read_bytes()
    run.predictions_path.write_bytes(content[:keep])
    with pytest.raises(InputError, match=r"predictions\.parquet is damaged .*: delete that run") as caught:
        retrack(run, make_tracker("sort"), None, store)
    assert "\n" not in str(caught.value)
    assert made_new(store, run) == []
    assert left_over(store) == []


def scored(store: Store, folder: Path) -> Run:
    """Tracks from elsewhere, which have no detections."""
    (folder / "gt.txt").write_text("".join(f"{t},1,{10 + t},10,20,20,1,-1,-1,-1\n" for t in range(1, 6)))
    (folder / "theirs.txt").write_text("1,4,11,10,20,20,0.9,-1,-1,-1\n")
    truth = open_dataset(folder / "gt.txt", task="tracking", labels_only=True)
    return score(truth, folder / "theirs.txt", store)


def test_tracks_from_elsewhere_have_no_detections(store, tmp_path):
    run = scored(store, tmp_path)
    assert not can_retrack(run)
    with pytest.raises(InputError, match="has no stored detections: evaluate a detector with a tracker first"):
        retrack(run, make_tracker("sort"), None, store)


def test_what_can_be_tracked_again(store, run):
    assert can_retrack(run)
    assert "det_x0" in pq.read_schema(run.predictions_path).names
    run.predictions_path.unlink()
    assert not can_retrack(run)
