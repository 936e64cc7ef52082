"""Copies of videos for browsers: made once though several ask, errors told and tried again later, the oldest go."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard import films
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.videofile import open_video
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.films import Films, Making
from dashboard.video_writing import Proxy
from tests.datasets.films import film
from tests.fake_tracks import LENGTHS, SIZE, FakeTracks


@pytest.fixture
def made(tmp_path) -> Films:
    return Films(tmp_path / "films")


def files(kept: Films) -> list[Path]:
    return sorted(kept.folder.glob("*"))


def ended(making: Making) -> Making:
    """Waits until it is made, or has failed."""
    assert making.future is not None
    making.future.exception(30)
    return making


def test_a_copy_is_made_and_is_there_from_then_on(made):
    data = FakeTracks()
    assert made.ready(data, 1) is None
    making = ended(made.ask(data, 1))
    assert (making.error, making.done, making.total) == ("", LENGTHS[1], LENGTHS[1])
    found = made.ready(data, 1)
    assert found.path.parent == made.folder
    assert (len(found.times), found.size) == (LENGTHS[1], SIZE)
    assert len(open_video(found.path)) == LENGTHS[1]
    assert Films(made.folder).ready(FakeTracks(), 1).path == found.path  # after a restart, too
    assert made.ready(data, 0) is None
    assert made.ready(FakeTracks((9, 9)), 1) is None  # of other data


def test_what_browsers_play_is_not_copied(made, tmp_path):
    data = open_dataset(film(tmp_path / "film.mp4", options={"bf": "0"}), task="tracking")
    assert made.ready(data, 0).path == tmp_path / "film.mp4"
    assert files(made) == []


class Slow:
    """Stands in for making a copy: counts, waits, fails where asked to."""

    def __init__(self, monkeypatch, folder: Path) -> None:
        self.calls: list[int] = []
        self.go = threading.Event()
        self.fails: list[Exception] = []
        self.folder, self.size = folder, 1000
        monkeypatch.setattr(films, "proxy", self)

    def __call__(self, dataset, place, folder, told) -> Proxy:
        self.calls.append(place)
        told(1, 8)
        assert self.go.wait(30)
        if self.fails:
            raise self.fails.pop()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{place}.mp4"
        path.write_bytes(bytes(self.size))
        return Proxy(path, dataset.sequences[place].seconds(), SIZE)


@pytest.fixture
def slow(monkeypatch, made) -> Slow:
    return Slow(monkeypatch, made.folder)


def test_several_ask_at_once(made, slow):
    data, meet = FakeTracks(), threading.Barrier(6)

    def ask(_: int) -> Making:
        meet.wait(20)
        return made.ask(data, 0)

    with ThreadPoolExecutor(6) as pool:
        asked = list(pool.map(ask, range(6)))
    assert len({id(m) for m in asked}) == 1
    another = made.ask(data, 2)  # waits for its turn
    slow.go.set()
    ended(another)
    assert slow.calls == [0, 2]
    assert ended(asked[0]).error == ""


def test_how_far_it_is(made, slow):
    making = made.ask(FakeTracks(), 1)
    assert making.total == LENGTHS[1]
    deadline = time.monotonic() + 20
    while not making.done and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (making.done, making.error) == (1, "")
    assert made.ask(FakeTracks(), 1) is making  # the same data, opened anew
    slow.go.set()
    ended(making)


def test_a_copy_that_was_taken_away_is_made_anew(made, slow):
    slow.go.set()
    ended(made.ask(FakeTracks(), 0))
    files(made)[0].unlink()
    ended(made.ask(FakeTracks(), 0))
    assert slow.calls == [0, 0]
    assert len(files(made)) == 1


def test_an_error_is_told_and_tried_again_later(made, slow, monkeypatch):
    """Not at once: the page asks again and again, and would neither tell it nor leave it."""
    slow.go.set()
    slow.fails = [InputError("The disk is full: free some space.")]
    failed = ended(made.ask(FakeTracks(), 0))
    assert failed.error == "The disk is full: free some space."
    assert made.ask(FakeTracks(), 0) is failed
    assert ended(made.ask(FakeTracks(), 1)).error == ""  # others are not hindered
    monkeypatch.setattr(films, "AGAIN_S", 0.0)
    assert ended(made.ask(FakeTracks(), 0)).error == ""
    assert slow.calls == [0, 1, 0]


def test_a_picture_that_cannot_be_read_shows_the_one_before(made):
    some = FakeTracks(unreadable={"a/000003"})
    assert ended(made.ask(some, 0)).error == ""
    assert len(made.ready(some, 0).times) == LENGTHS[0]


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "films").write_text("")
    kept = Films(tmp_path / "films")
    error = ended(kept.ask(FakeTracks(), 0)).error
    assert str(tmp_path / "films") in error
    assert "\n" not in error
    assert kept.ready(FakeTracks(), 0) is None


def aged(path: Path, seconds: float) -> None:
    """Not looked at for so long."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_the_longest_unused_go(made, slow, monkeypatch):
    monkeypatch.setattr(films, "MOST_BYTES", 2500)
    slow.go.set()
    data = FakeTracks((9, 9, 9, 9))
    for place, age in ((0, 30), (1, 90)):
        ended(made.ask(data, place))
        aged(made.folder / f"{place}.mp4", age)
    (made.folder / "notes.txt").write_bytes(bytes(9000))
    ended(made.ask(data, 2))
    assert [f.name for f in files(made)] == ["0.mp4", "2.mp4", "notes.txt"]
    slow.size = 5000  # more than there is room for: it stays, being the newest
    ended(made.ask(data, 3))
    assert [f.name for f in files(made)] == ["3.mp4", "notes.txt"]


def test_looking_at_a_copy_keeps_it(made):
    data = FakeTracks()
    for place in (0, 1):
        ended(made.ask(data, place))
        aged(made.ready(data, place).path, 1000 - place)
    first = made.ready(data, 0).path
    assert time.time() - first.stat().st_mtime < 100
    assert max(files(made), key=lambda f: f.stat().st_mtime) == first


# --- dropped files --------------------------------------------------------------------------------------------------


@pytest.fixture
def dropped(tmp_path) -> Path:
    (tmp_path / "upload").mkdir()
    return film(tmp_path / "upload" / "my film.mp4", count=5)


def test_a_dropped_video_stays_when_the_upload_goes(tmp_path, dropped):
    engine = Engine(tmp_path / "store")
    content = dropped.read_bytes()
    kept = engine.keep(str(dropped))
    assert kept.name == "my film.mp4"
    assert kept.is_relative_to(tmp_path / "store" / "videos")
    written = kept.stat().st_mtime_ns
    assert engine.keep(str(dropped)) == kept
    assert kept.stat().st_mtime_ns == written  # the same is not copied again
    dropped.unlink()
    assert kept.read_bytes() == content
    assert len(engine.dataset(str(kept), task="tracking")) == 5
    other = film(dropped, count=6)  # another film of the same name
    assert engine.keep(str(other)) != kept
    assert [len(open_video(f)) for f in (kept, engine.keep(str(other)))] == [5, 6]


def test_dropped_twice_at_once(tmp_path, dropped):
    engine, meet = Engine(tmp_path / "store"), threading.Barrier(4)

    def keep(_: int) -> Path:
        meet.wait(20)
        return engine.keep(str(dropped))

    with ThreadPoolExecutor(4) as pool:
        kept = set(pool.map(keep, range(4)))
    assert len(kept) == 1
    assert [f.name for f in (tmp_path / "store" / "videos").rglob("*") if f.is_file()] == ["my film.mp4"]


def test_strangers_fill_no_disk_and_bring_no_long_films(tmp_path, dropped, monkeypatch):
    engine = Engine(tmp_path / "store", public=True)
    assert engine.keep(str(dropped)) == dropped
    assert not (tmp_path / "store" / "videos").exists()
    assert len(engine.dataset(str(dropped), task="tracking")) == 5
    monkeypatch.setattr("dashboard.engine.MAX_PUBLIC_MINUTES", 0.001)
    with pytest.raises(InputError, match=r"my film\.mp4") as caught:
        Engine(tmp_path / "store", public=True).dataset(str(dropped), task="tracking")
    assert "\n" not in str(caught.value)
    assert len(Engine(tmp_path / "store").dataset(str(dropped), task="tracking")) == 5  # at home any length will do
