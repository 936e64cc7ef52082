"""Whose runs are whose on a public server, what a visitor may do with them, and when everything goes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.datasets.digits import Digits
from dashboard.datasets.opening import open_dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.jobs import Jobs
from dashboard.public_gate import NAME, visitor_of
from dashboard.store import Store
from dashboard.tabs.runs_again import Again
from dashboard.visitors import FOLDER, Visitor, VisitorStore, built_in, sweep
from models.load import load_model
from tests.datasets.pictures import encode, zipped

DIGIT = encode(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8))


@pytest.fixture
def store(tmp_path: Path) -> VisitorStore:
    evaluate(load_model("digits_linear"), Digits(), Store(tmp_path), Settings(latency=False, limit=20))
    return VisitorStore(tmp_path)


def by(store: VisitorStore, *names: str, linked: tuple[str, ...] = ()) -> None:
    store.who = lambda: Visitor(names, linked)


def test_a_link_lets_look_but_not_work(store: VisitorStore) -> None:
    """On somebody else's data, that is."""
    everybodys = store.runs()[0]
    by(store, "maker")
    work = zipped(store.root / "work.zip", {f"{k}/a.png": DIGIT for k in (0, 1)})
    made = evaluate(load_model("digits_linear"), open_dataset(work), store, Settings(latency=False))
    engine = Engine(store.root, public=True)
    assert isinstance(engine.store, VisitorStore)
    again = Again(engine, list)
    for name, linked, found in (("maker", (), made), ("guest", (made.id,), None)):
        by(engine.store, name, linked=linked)
        assert made.id in {r.id for r in engine.store.runs()}
        run = again.run([made.id])
        assert (run and run.id) == (found and found.id)
        assert again.run([everybodys.id])


def test_whose_is_whose(store: VisitorStore) -> None:
    everybodys = store.runs()
    by(store, "cookie", "session")
    made = evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=30))
    assert {r.id for r in store.runs()} == {made.id, everybodys[0].id}
    by(store, "", "session")  # without a cookie
    assert len(store.runs()) == 2
    by(store, "", "other")
    assert [r.id for r in store.runs()] == [everybodys[0].id]
    assert store.get(made.id).id == made.id  # whoever has the link
    by(store, "", "other", linked=(made.id, "nothing"))
    assert len(store.runs()) == 2
    for run in (made, everybodys[0]):
        with pytest.raises(InputError, match="only delete runs that you made yourself"):
            store.delete(run.id)
    by(store, "cookie")
    store.delete(made.id)
    assert [r.id for r in store.runs()] == [everybodys[0].id]
    assert not (store.root / FOLDER / made.id).exists()


def test_what_was_there_stays_everybodys(store: VisitorStore) -> None:
    by(store, "cookie")
    evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=20))
    by(store, "other")
    assert len(store.runs()) == 1


def test_a_run_of_two_goes_when_both_have_deleted_it(store: VisitorStore) -> None:
    for names in (("one", "session"), ("two",)):
        by(store, *names)
        made = evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=30))
    by(store, "", "session")  # the first, known by his session only
    store.delete(made.id)
    assert made.id not in {r.id for r in store.runs()}
    by(store, "one")
    assert made.id not in {r.id for r in store.runs()}, "whatever he is known by"
    with pytest.raises(InputError, match="yourself"):
        store.delete(made.id)
    by(store, "two")
    assert made.id in {r.id for r in store.runs()}
    store.delete(made.id)
    assert not Store(store.root).has(made.id)
    assert not (store.root / FOLDER / made.id).exists()


def test_everything_goes_after_a_while(store: VisitorStore, tmp_path: Path) -> None:
    owners = [r.id for r in store.runs()]
    films = tmp_path / "films"
    films.mkdir()
    (films / "old.mp4").touch()
    (store.root / "watched" / "owners").mkdir(parents=True)
    age(store.root / "watched" / "owners", 200_000)
    assert sweep(store.root) == []  # the server begins to serve strangers
    age(store.root / FOLDER / ".since", 150_000)
    by(store, "cookie")
    kept = evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=30))
    gone = evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=31))
    for folder in ("watched/a", "unfinished/b", "videos/c", "trash/runs/d", "pictures/e"):
        (store.root / folder).mkdir(parents=True)
        age(store.root / folder, 100_000)
    for path in (*(store.root / FOLDER / gone.id).iterdir(), store.root / FOLDER / gone.id, films / "old.mp4"):
        age(path, 100_000)
    assert sweep(store.root, (films,)) == [gone.id]
    assert {r.id for r in Store(store.root).runs()} == {*owners, kept.id}
    assert [p.name for p in (store.root / "watched").iterdir()] == ["owners"]
    assert not any((store.root / p).exists() for p in ("unfinished/b", "videos/c", "trash/runs/d", "pictures/e"))
    assert list(films.iterdir()) == []
    assert not (store.root / FOLDER / gone.id).exists()


def test_what_is_built_in(store: VisitorStore) -> None:
    run = store.runs()[0]
    assert built_in(run)
    for source in ("a file", "predictions imported from x.csv"):
        facts = {**run.facts, "model_facts": {"source": source}}
        assert not built_in(type(run)(**{**vars(run), "facts": facts}))


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize(
    ("cookies", "found"),
    [
        ("", ""),
        (f"a=b; {NAME}={'0f' * 16}", "0f" * 16),
        (f"{NAME}={'0f' * 15}", ""),
        (f"{NAME}=../../etc/passwd", ""),
        (f"{NAME}={'0F' * 16}", ""),
    ],
)
def test_only_our_cookies_count(cookies: str, found: str) -> None:
    assert visitor_of(cookies) == found


def test_a_job_of_somebodys_ends_after_a_while() -> None:
    jobs = Jobs(longest_s=0.2)

    def work(say: Any, cancel: Any) -> str:
        assert cancel.wait(20)
        from dashboard.errors import Cancelled

        raise Cancelled("Stopped after 3 of 10; start again to continue from there.")

    job = jobs.start([("slow", work)], owner="visitor")
    jobs.wait(job, 20)
    assert job.state == "cancelled"
    assert job.error.startswith("This server works on one task for")
    assert job.error.endswith("continue from there.")
