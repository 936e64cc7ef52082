"""Jobs and the engine: one at a time in order, watched, cancelled, failing in one sentence; things made once."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from dataclasses import replace

import pytest

from dashboard import engine as engine_module
from dashboard import jobs as jobs_module
from dashboard.engine import Engine
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.jobs import ACTIVE, Jobs
from dashboard.store import Store
from models.base import LoadOptions
from tests.fakes import FakeAdapter, FakeDataset


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.cancel_all()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def waits(gate):
    """Work that ends when the gate opens, or stops when cancelled."""

    def work(say, cancel):
        while not gate.wait(0.01):
            if cancel.is_set():
                raise Cancelled("Stopped by hand.")
        return "run"

    return work


def test_progress_is_seen_while_it_runs(jobs):
    gate = threading.Event()

    def work(say, cancel):
        say(Progress("running", 3, 10))
        gate.wait()
        return "run-1"

    job = jobs.start([("first", work)])
    assert jobs.get(job.id) is job
    until(lambda: job.steps[0].progress.done == 3)
    assert job.state == "running"
    assert job.run_ids == []
    gate.set()
    jobs.wait(job, 10)
    assert job.state == "done"
    assert job.run_ids == ["run-1"]
    assert job.steps[0].progress.stage == "done"
    assert job.error == ""
    assert job.ended >= job.started


def test_steps_run_in_turn(jobs):
    seen = []
    job = jobs.start([(str(i), lambda say, cancel, i=i: seen.append(i) or f"run-{i}") for i in range(4)])
    jobs.wait(job, 10)
    assert seen == [0, 1, 2, 3]
    assert job.run_ids == [f"run-{i}" for i in range(4)]


def test_one_at_a_time_in_the_order_of_asking(jobs):
    gate, order, together = threading.Event(), [], []
    first = jobs.start([("first", waits(gate))])
    until(lambda: first.state == "running")

    def work(i):
        def do(say, cancel):
            together.append(i)
            order.append(i)
            time.sleep(0.005)
            assert together == [i], "two at once"
            together.remove(i)
            return str(i)

        return do

    rest = [jobs.start([(str(i), work(i))]) for i in range(8)]
    assert {j.state for j in rest} == {"queued"}
    gate.set()
    for job in rest:
        jobs.wait(job, 20)
    assert order == list(range(8))
    assert {j.state for j in rest} == {"done"}


def test_cancelled_while_queued(jobs):
    gate = threading.Event()
    first = jobs.start([("first", waits(gate))])
    second = jobs.start([("second", lambda say, cancel: pytest.fail("must not run"))])
    third = jobs.start([("third", lambda say, cancel: "run-3")])
    second.cancel.set()
    jobs.wait(second, 10)
    assert second.state == "cancelled"
    assert "before it began" in second.error
    assert first.state in ACTIVE
    gate.set()
    jobs.wait(third, 10)
    assert third.state == "done"


def test_cancelled_while_running(jobs):
    first = jobs.start([("a", waits(threading.Event())), ("b", lambda say, cancel: "run")])
    until(lambda: first.state == "running")
    first.cancel.set()
    jobs.wait(first, 10)
    assert first.state == "cancelled"
    assert first.error == "Stopped by hand."
    assert first.run_ids == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("The file x is broken."), "The file x is broken."),
        (RuntimeError("boom"), "Something unexpected went wrong (RuntimeError: boom)."),
        (SystemExit(3), "SystemExit"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_failure_is_said_and_the_next_one_runs(jobs, error, words, capsys):
    def work(say, cancel):
        raise error

    job = jobs.start([("good", lambda say, cancel: "run-1"), ("bad", work), ("never", work)])
    after = jobs.start([("after", lambda say, cancel: "run-2")])
    jobs.wait(after, 10)
    assert job.state == "failed"
    assert words in job.error
    assert job.run_ids == ["run-1"], "what was finished is kept"
    assert job.ended is not None
    assert after.state == "done"
    assert ("Traceback" in capsys.readouterr().err) == (not isinstance(error, InputError))


def test_unknown_ids(jobs):
    assert jobs.get("nothing") is None
    assert jobs.get(None) is None
    assert jobs.get("") is None


def test_old_jobs_are_forgotten(jobs, monkeypatch):
    old = jobs.start([("a", lambda say, cancel: "run")])
    jobs.wait(old, 10)
    jobs.start([("b", lambda say, cancel: "run")])
    assert jobs.get(old.id) is old
    monkeypatch.setattr(jobs_module, "KEEP_S", -1)
    jobs.start([("c", lambda say, cancel: "run")])
    assert jobs.get(old.id) is None


def test_context_goes_along(jobs):
    who, seen = contextvars.ContextVar("who", default="nobody"), []
    who.set("visitor")
    jobs.wait(jobs.start([("a", lambda say, cancel: seen.append(who.get()) or "run")]), 10)
    assert seen == ["visitor"]


def test_an_evaluation_as_a_job(jobs, tmp_path):
    store = Store(tmp_path)

    def work(say, cancel):
        settings = Settings(latency=False, batch_size=4)
        return evaluate(FakeAdapter(delay=0.01), FakeDataset(400), store, settings, say, cancel).id

    job = jobs.start([("fake", work)])
    until(lambda: job.steps[0].progress.done > 8)
    job.cancel.set()
    jobs.wait(job, 20)
    assert job.state == "cancelled"
    assert "start again to continue" in job.error
    again = jobs.start([("fake", lambda say, cancel: evaluate(FakeAdapter(), FakeDataset(400), store,
                         Settings(latency=False, batch_size=4), say, cancel).id)])  # fmt: skip
    jobs.wait(again, 20)
    assert [r.id for r in store.runs()] == again.run_ids
    assert store.runs()[0].samples == 400


# --- engine --------------------------------------------------------------------------------------------------------


def test_models_are_loaded_once_and_the_oldest_let_go(tmp_path, monkeypatch):
    loads = []
    monkeypatch.setattr(engine_module, "load_model", lambda name, *_: loads.append(name) or FakeAdapter(name=name))
    engine = Engine(tmp_path)
    first = engine.model("a")
    assert engine.model("a") is first
    for name in "bcd":
        engine.model(name)
    engine.model("a")
    engine.model("e")  # b goes
    engine.model("a")
    assert loads == list("abcde")
    engine.model("b")
    assert loads == list("abcdeb")
    assert engine.model("a", LoadOptions(precision="bf16")) is not first


def test_two_who_want_the_same_wait_and_others_go_on(tmp_path, monkeypatch):
    """A long download for one visitor must not stop the others."""
    gate, loads = threading.Event(), []

    def load(name, *_):
        loads.append(name)
        if name == "large":
            gate.wait(20)
        return FakeAdapter(name=name)

    monkeypatch.setattr(engine_module, "load_model", load)
    engine, found = Engine(tmp_path), []
    threads = [threading.Thread(target=lambda: found.append(engine.model("large"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: loads == ["large"])
    assert engine.model("small").spec.name == "small"
    assert len(engine.dataset("demo:digits")) == 597
    assert found == []
    gate.set()
    for thread in threads:
        thread.join(20)
    assert loads.count("large") == 1
    assert found == [found[0]] * 3


def test_a_failed_load_is_tried_again(tmp_path, monkeypatch):
    tries = []

    def load(name, *_):
        tries.append(name)
        if len(tries) == 1:
            raise InputError("offline")
        return FakeAdapter()

    monkeypatch.setattr(engine_module, "load_model", load)
    engine = Engine(tmp_path)
    with pytest.raises(InputError, match="offline"):
        engine.model("a")
    assert engine.model("a").spec.name == "hasher"


def picture(path):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def test_a_changed_folder_is_opened_anew(tmp_path):
    """Also when a picture is added to a class, which leaves the outer folder as it was."""
    for name in ("cat/1.png", "dog/1.png"):
        picture(tmp_path / "data" / name)
    engine = Engine(tmp_path / "store")
    source = str(tmp_path / "data")
    first = engine.dataset(source)
    assert engine.dataset(source) is first
    picture(tmp_path / "data" / "cat" / "2.png")
    later = time.time() + 5
    os.utime(tmp_path / "data" / "cat", (later, later))
    assert len(engine.dataset(source)) == 3


def test_a_changed_table_is_opened_anew(tmp_path):
    picture(tmp_path / "a.png")
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na.png,x\n")
    engine = Engine(tmp_path / "store")
    for source in (str(table), str(tmp_path)):
        os.utime(table, (1e9, 1e9))
        table.write_text("path,label\na.png,x\n")
        assert engine.dataset(source).class_names == ("x",)
        table.write_text("path,label\na.png,y\n")
        os.utime(table, (2e9, 2e9))
        assert engine.dataset(source).class_names == ("y",)


def test_pictures_of_a_run(tmp_path):
    engine = Engine(tmp_path / "store")
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        picture(tmp_path / "data" / name)
    dataset = engine.dataset(str(tmp_path / "data"))
    adapter = FakeAdapter(class_names=["cat", "dog"])
    run = evaluate(adapter, dataset, engine.store, Settings(latency=False))
    assert engine.pictures(run).fingerprint == dataset.fingerprint
    (tmp_path / "data").rename(tmp_path / "moved")
    assert engine.pictures(run) is None
    dataset = engine.dataset(str(tmp_path / "moved"))
    dataset.name = "data"
    again = evaluate(adapter, dataset, engine.store, Settings(latency=False))
    assert again.id == run.id
    assert engine.pictures(again) is not None
    for facts in ({}, {"dataset_facts": {}}, {"dataset_facts": {"source": str(tmp_path / "moved")}}):
        assert engine.pictures(replace(again, id="other", facts=facts)) is None


def test_public_servers_run_no_code(tmp_path):
    assert Engine(tmp_path, LoadOptions(allow_code=True), public=True).options.allow_code is False
    assert Engine(tmp_path, LoadOptions(allow_code=True)).options.allow_code is True


def test_default_store(monkeypatch, tmp_path):
    monkeypatch.setenv("LOUPE_STORE", str(tmp_path / "x"))
    assert Engine().store.root == tmp_path / "x"
