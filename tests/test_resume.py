"""Work that was stopped, killed or done before: nothing is lost, nothing done twice, the numbers are the same."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard import evaluation, predictions
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset
from tests.runs import assert_same_numbers, stored

ROOT = Path(__file__).parents[1]
QUICK = Settings(latency=False, batch_size=8)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def many_parts(monkeypatch):
    """A part for every batch."""
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)


def test_skipped_pictures_after_resuming(store, many_parts):
    """They are tried again, and listed once."""
    plain = evaluate(FakeAdapter(), FakeDataset(60, unreadable={3, 40}), Store(store.root / "plain"), QUICK)
    cancel, adapter = threading.Event(), FakeAdapter()
    adapter.cancel_after = (4, cancel)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(60, unreadable={3, 40}), store, QUICK, cancel=cancel)
    run = evaluate(FakeAdapter(), FakeDataset(60, unreadable={3, 40}), store, QUICK)
    assert [s["id"] for s in run.facts["skipped"]] == ["folder/00003.png", "folder/00040.png"]
    assert_same_numbers(run, plain)


def test_a_picture_that_became_readable_takes_its_place(store, many_parts):
    cancel, adapter = threading.Event(), FakeAdapter()
    adapter.cancel_after = (4, cancel)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(60, unreadable={3}), store, QUICK, cancel=cancel)
    run = evaluate(FakeAdapter(), FakeDataset(60), store, QUICK)
    assert stored(run)[0] == list(range(60))


def test_cancel_keeps_the_work_and_resume_gives_the_same_numbers(store, many_parts):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    cancel, first, second, seen = threading.Event(), FakeAdapter(), FakeAdapter(), []
    first.cancel_after = (5, cancel)
    with pytest.raises(Cancelled, match="Stopped after 32 of 100"):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    assert store.runs() == []
    run = evaluate(second, FakeDataset(100), store, QUICK, progress=seen.append)
    assert first.seen[1:] + second.seen[1:] == list(range(100)), "no sample twice (but for each warm-up's)"
    assert seen[0].done == 32
    assert seen[0].resumed == 32
    assert_same_numbers(run, plain)
    assert sorted(p.name for p in run.path.iterdir()) == [
        "classes.json", "predictions.parquet", "results.npz", "rows.parquet", "run.json",
    ]  # fmt: skip
    assert run.timing["throughput_per_s"] == pytest.approx(100 / run.timing["wall_s"])


def test_cancelled_before_it_began(store):
    cancel, adapter = threading.Event(), FakeAdapter()
    cancel.set()
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(100), store, QUICK, cancel=cancel)
    assert adapter.batches == []


def test_a_failure_in_the_middle_keeps_the_work(store):
    class Failing(FakeAdapter):
        def forward(self, items):
            if 40 in items and len(items) > 1:
                raise RuntimeError("the network broke")
            return super().forward(items)

    with pytest.raises(RuntimeError, match="broke"):
        evaluate(Failing(), FakeDataset(100), store, QUICK)
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(40, 100))
    assert run.samples == 100


def test_a_part_that_cannot_be_read_is_predicted_again(store, many_parts):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    cancel, first, second = threading.Event(), FakeAdapter(), FakeAdapter()
    first.cancel_after = (6, cancel)
    with pytest.raises(Cancelled):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    parts = sorted((store.root / "unfinished").glob("*/part-*.parquet"))
    assert len(parts) == 5
    parts[2].write_bytes(parts[2].read_bytes()[:100])
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(16, 100))
    assert_same_numbers(run, plain)


def test_row_groups_do_not_depend_on_time(store, monkeypatch):
    """So that sums, taken a group at a time, are equal to the last bit after any interruption."""
    monkeypatch.setattr(predictions, "BLOCK_BYTES", 13 * 5 * 4)
    one = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "one"), QUICK)
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)
    two = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "two"), QUICK)
    assert_same_numbers(one, two)
    groups = [pq.ParquetFile(r.predictions_path).num_row_groups for r in (one, two)]
    assert groups == [8, 8]


def test_restart_forgets(store, many_parts):
    cancel, first, second, third = threading.Event(), FakeAdapter(), FakeAdapter(), FakeAdapter()
    first.cancel_after = (5, cancel)
    with pytest.raises(Cancelled):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    run = evaluate(second, FakeDataset(100), store, replace(QUICK, restart=True))
    assert second.seen[1:] == list(range(100))
    again = evaluate(third, FakeDataset(100), store, replace(QUICK, restart=True))
    assert third.seen[1:] == list(range(100))
    assert again.id == run.id
    assert again.created_at > run.created_at
    assert [r.id for r in store.runs()] == [run.id]
    assert_same_numbers(again, run)


def test_second_time_the_model_is_not_asked(store):
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    adapter, dataset, seen = FakeAdapter(), FakeDataset(50), []
    again = evaluate(adapter, dataset, store, replace(QUICK, batch_size=32, seed=7), progress=seen.append)
    assert adapter.batches == []
    assert dataset.loaded == []
    assert again == run
    assert [p.stage for p in seen] == ["done"]


def test_finished_by_somebody_else_meanwhile(store, monkeypatch):
    """Between the look and the lock another process may finish the same run."""
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    answers = iter([False, True])
    monkeypatch.setattr(Store, "has", lambda *_: next(answers, True))
    adapter = FakeAdapter()
    assert evaluate(adapter, FakeDataset(50), store, QUICK) == run
    assert adapter.batches == []


@pytest.mark.parametrize(
    ("adapter", "dataset", "settings"),
    [
        (FakeAdapter(fingerprint="model-2"), FakeDataset(50), QUICK),
        (FakeAdapter(), FakeDataset(50, fingerprint="data-2"), QUICK),
        (FakeAdapter(), FakeDataset(50), replace(QUICK, limit=49)),
        (FakeAdapter(class_names=[f"class {i}" for i in (1, 0, 2, 3, 4)]), FakeDataset(50), QUICK),
        (FakeAdapter(), FakeDataset(50), replace(QUICK, mapping={"class 0": "class 1", "class 1": "class 0"})),
        (FakeAdapter(name="other"), FakeDataset(50), QUICK),
    ],
)
def test_what_changes_predictions_makes_a_new_run(store, adapter, dataset, settings):
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    assert evaluate(adapter, dataset, store, settings).id != run.id
    assert len(store.runs()) == 2


def test_disk_full_in_the_middle(store, many_parts, monkeypatch):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    write, counter = pq.write_table, itertools.count()

    def full(table, path, **options):
        if next(counter) >= 3:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, path, **options)

    monkeypatch.setattr(predictions.pq, "write_table", full)
    with pytest.raises(InputError, match=r"disk under .* is full: .*parts are kept"):
        evaluate(FakeAdapter(), FakeDataset(100), store, QUICK)
    monkeypatch.undo()
    (folder,) = (store.root / "unfinished").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == [f"part-{i:06d}.parquet" for i in range(3)]
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(24, 100))
    assert_same_numbers(run, plain)


@pytest.mark.parametrize("where", ["predictions", "rows", "results"])
def test_disk_full_at_the_end(store, monkeypatch, where):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "results":
        monkeypatch.setattr(np, "savez_compressed", full)
    else:
        calls, write = itertools.count(), pq.ParquetWriter.write_table
        first = {"predictions": 1, "rows": 2}[where]  # before them comes the part
        monkeypatch.setattr(
            pq.ParquetWriter, "write_table", lambda *a, **k: full() if next(calls) >= first else write(*a, **k)
        )
    with pytest.raises(InputError, match="full"):
        evaluate(FakeAdapter(), FakeDataset(100), store, QUICK)
    monkeypatch.undo()
    assert store.runs() == []
    (folder,) = (store.root / "unfinished").iterdir()
    assert {p.name.partition("-")[0] for p in folder.iterdir()} == {"part"}
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen == [], "everything had been predicted"
    assert_same_numbers(run, plain)


# --- a real crash --------------------------------------------------------------------------------------------------

SLOW = """
import sys
from dashboard import evaluation
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset
evaluation.PART_SECONDS = 0.05
adapter = FakeAdapter(classes=20, delay=float(sys.argv[2]))
run = evaluate(adapter, FakeDataset(1000, classes=20, unreadable={5, 500}), Store(sys.argv[1]),
               Settings(latency=False, batch_size=8))
print(len(adapter.seen) - 1)
"""


def test_kill_9_and_resume(tmp_path):
    """The process is killed by the operating system in mid-run, twice; the numbers are those of an undisturbed run."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(store, delay):
        return subprocess.Popen(
            [sys.executable, "-c", SLOW, str(store), str(delay)], env=environment, stdout=subprocess.PIPE, text=True
        )

    def parts():
        return list((tmp_path / "killed" / "unfinished").glob("*/part-*.parquet"))

    def kill_after(more):
        had, process = len(parts()), start(tmp_path / "killed", 0.05)
        end = time.monotonic() + 60
        while len(parts()) < had + more and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        assert process.poll() is None, "it should still run"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()

    kill_after(3)
    kill_after(4)
    done = sum(pq.read_metadata(p).num_rows for p in parts())
    assert 0 < done < 998
    with start(tmp_path / "killed", 0) as last:
        asked = int(last.stdout.read())
    assert last.returncode == 0
    assert asked == 998 - done, "no sample twice"
    with start(tmp_path / "plain", 0) as plain:
        assert int(plain.stdout.read()) == 998
    (one,), (two,) = Store(tmp_path / "killed").runs(), Store(tmp_path / "plain").runs()
    assert_same_numbers(one, two)
    assert one.samples == 998
    assert list((tmp_path / "killed" / "unfinished").iterdir()) == []
