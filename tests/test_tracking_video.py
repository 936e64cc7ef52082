"""One's own video in the tracking tab, without a browser: what is refused, and what plays as soon as it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.films import Films
from dashboard.jobs import ACTIVE, Job
from dashboard.tabs.common import shown
from dashboard.tabs.tracking_video import EXAMPLE, MOST, Video
from dashboard.video_writing import write_video

VISITOR: Any = SimpleNamespace(session_hash="visitor", query_params={})
FRAMES = 8


def engine_of(root: Path, public: bool = False) -> Engine:
    engine = Engine(root / "store", public=public)
    engine.films = Films(root / "films")
    return engine


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bright square that goes to the right, for a third of a second."""
    frames = []
    for k in range(FRAMES):
        picture = np.full((96, 128, 3), 60, np.uint8)
        picture[30:60, 10 + 4 * k : 40 + 4 * k] = 230
        frames.append((k / 25, picture))
    path = tmp_path_factory.mktemp("clip") / "街 clip.mp4"
    write_video(path, frames, (96, 128), fps=25)
    return str(path)


def ask(engine: Engine, **given: Any) -> tuple[Any, ...]:
    """Start with the panel's inputs, all empty but those given."""
    usual: dict[str, Any] = {
        "file": None, "path": "", "detector": "scenes_nano", "trackers": ["iou"], "classifiers": [], "seconds": 0,
        "current": None,
    }  # fmt: skip
    return Video(engine).start(**(usual | given), request=VISITOR)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "Drop a video"),
    ({"path": "   "}, "Drop a video"),
    ({"file": "CLIP", "path": EXAMPLE}, "Two videos were given"),
    ({"file": "CLIP", "detector": None}, "Choose a detector"),
    ({"file": "CLIP", "detector": "  "}, "Choose a detector"),
    ({"file": "CLIP", "trackers": None}, f"Choose one to {MOST} trackers and classifiers together, not 0"),
    ({"file": "CLIP", "trackers": ["iou"] * 3, "classifiers": ["digits_cnn"] * 2}, "together, not 5"),
    ({"file": "CLIP", "trackers": ["bytetrak"]}, "bytetrack"),
    ({"file": "CLIP", "detector": "no_such_detector"}, "no_such_detector"),
    ({"file": "CLIP", "detector": "digits_cnn"}, "a tracker needs a detector"),
    ({"file": "CLIP", "trackers": [], "classifiers": ["scenes_small"]}, "scenes_small"),
    ({"path": "/nowhere/at/all.mp4"}, "/nowhere/at/all.mp4"),
    ({"file": "TEXT"}, "broken.mp4"),
]


@pytest.mark.parametrize(("given", "why"), REFUSED)
def test_what_cannot_be_is_refused_at_once(tmp_path: Path, clip: str, given: dict[str, Any], why: str) -> None:
    engine = engine_of(tmp_path)
    (tmp_path / "broken.mp4").write_text("no video at all")
    files = {"CLIP": clip, "TEXT": str(tmp_path / "broken.mp4")}
    with pytest.raises(InputError, match=why) as caught:
        ask(engine, **{k: files.get(v, v) if isinstance(v, str) else v for k, v in given.items()})
    assert "\n" not in str(caught.value)
    assert not engine.jobs._jobs


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"path": "/etc/passwd"}, "Paths cannot be typed on a public server"),
        ({"path": "clip.mp4"}, "Paths cannot be typed on a public server"),
        ({"path": "demo:photos"}, "Paths cannot be typed on a public server"),
        ({"file": "CLIP", "detector": "/etc/passwd"}, "Paths cannot be typed on a public server"),
        ({"file": "CLIP", "detector": "WEIGHTS"}, "Paths cannot be typed on a public server"),
        ({"file": "CLIP", "detector": "/etc/passwd", "trackers": ["iou+bytetrack"]}, "Paths cannot be typed"),
        ({"file": "CLIP", "trackers": [], "classifiers": ["WEIGHTS"]}, "No model is called"),
    ],
)
def test_strangers_type_no_paths(tmp_path: Path, clip: str, given: dict[str, Any], why: str) -> None:
    weights = tmp_path / "own.pt"
    weights.write_bytes(b"anything")
    files = {"CLIP": clip, "WEIGHTS": str(weights)}
    known = {k: [files.get(x, x) for x in v] if isinstance(v, list) else files.get(v, v) for k, v in given.items()}
    with pytest.raises(InputError, match=why) as caught:
        ask(engine_of(tmp_path, public=True), **known)
    assert "anything" not in str(caught.value)
    assert "root:" not in str(caught.value)


def test_one_video_at_a_time(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    busy: Any = SimpleNamespace(state="running", run_ids=[], steps=[], error="", owner="")
    engine.jobs._jobs["busy"] = busy
    with pytest.raises(InputError, match="worked on already"):
        ask(engine, file=clip, current="busy")


def ended(engine: Engine, job_id: str) -> Job:
    job = engine.jobs.get(job_id)
    assert job is not None
    engine.jobs.wait(job, 120)
    return job


def test_a_video_is_followed_and_classified(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    do = Video(engine)
    state, job_id, bars, timer, go, stop = ask(engine, file=clip, trackers=["iou", "sort"], classifiers=["digits_cnn"])
    assert [s["name"] for s in bars["steps"]] == [
        f"{n} · 街 clip" for n in ("scenes_nano+iou", "scenes_nano+sort", "digits_cnn")
    ]
    assert (timer.active, go.interactive, stop.interactive) == (True, False, True)
    assert ended(engine, job_id).state == "done"
    state, figures, sequence, player, table, bars, timer, go, stop = do.poll(state, job_id)
    assert (bars["state"], timer.active, go.interactive, stop.interactive) == ("done", False, True, False)
    assert [p["title"] for p in player["panes"]] == ["scenes_nano+iou", "scenes_nano+sort", "digits_cnn"]
    assert (player["frames"], player["width"], player["height"], player["truth"]) == (FRAMES, 128, 96, None)
    assert player["panes"][2]["labels"]["k"] == 5
    assert sequence.visible is False
    assert {c["key"] for c in figures["figures"]} >= {"births", "FPS"}
    assert table["rows"][0][0] == "digits_cnn"
    known = of_row(table, 0)
    assert known["ui.short.throughput"] > 0
    assert 0 <= known["ui.short.label_flicker"] <= 1
    assert 0 <= known["ui.short.label_confidence"] <= 1
    again = do.poll(state, job_id)
    assert again[0] is state
    assert all(part.get("__type__") == "update" for part in again[1:5])  # what plays is left alone
    _, timer, said = do.film(state, None, "")
    assert not timer.active  # a browser plays the file itself
    assert said == ""
    assert player["video"] is not None


def test_a_video_that_is_cut_short_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = tmp_path / "whole.mp4"
    noise = [(k / 25, rng.integers(0, 255, (96, 128, 3), np.uint8)) for k in range(FRAMES)]
    write_video(whole, noise, (96, 128), fps=25)
    short = tmp_path / "short.mp4"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    engine = engine_of(tmp_path)
    state, job_id, *_ = ask(engine, file=str(short))
    assert ended(engine, job_id).state == "done"
    _, figures, _, player, *_ = Video(engine).poll(state, job_id)
    assert 1 <= player["frames"] < FRAMES
    assert any("cut short" in str(w) for w in figures["warnings"])


def test_a_kept_video_is_called_by_its_name(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "my store")
    broken = tmp_path / "my clip.mp4"
    broken.write_text("no video at all")
    with pytest.raises(InputError) as caught:
        ask(engine, file=str(broken))
    assert "my store" in str(caught.value)
    assert shown(caught.value).startswith("my clip.mp4 ")
    assert shown("/data/videos/clip.mp4 has no video") == "/data/videos/clip.mp4 has no video"


def of_row(table: Any, row: int) -> dict[str, Any]:
    """A row's numbers by their columns' heads."""
    return dict(zip([c["short"] for c in table["columns"][1:]], table["rows"][row][1:], strict=True))


def test_a_detector_is_watched_alone(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    do = Video(engine)
    state, job_id, *_ = ask(engine, file=clip, trackers=["none"], classifiers=["digits_cnn"])
    assert ended(engine, job_id).state == "done"
    _, figures, _, player, table, *_ = do.poll(state, job_id)
    assert figures is None
    assert [p["title"] for p in player["panes"]] == ["scenes_nano", "digits_cnn"]
    assert player["class_names"] == [str(k) for k in range(10)]  # of the detector's boxes
    assert [row[0] for row in table["rows"]] == ["scenes_nano", "digits_cnn"]
    assert of_row(table, 0)["ui.short.trk_counts"] is not None
    assert of_row(table, 0)["ui.short.label_flicker"] is None
    assert of_row(table, 1)["ui.short.trk_counts"] is None


def test_what_is_done_first_plays_first(tmp_path: Path, clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, engine = threading.Event(), engine_of(tmp_path)
    usual: Callable[..., Any] = Video._tracking

    def slow(self: Video, name: str, dataset: Any) -> Any:
        work = usual(self, name, dataset)

        def later(say: Any, cancel: Any) -> str:
            if name.endswith("sort"):
                gate.wait(60)
            return work(say, cancel)

        return later

    monkeypatch.setattr(Video, "_tracking", slow)
    do = Video(engine)
    state, job_id, *_ = ask(engine, file=clip, trackers=["iou", "sort"])
    job = engine.jobs.get(job_id)
    assert job is not None
    wait = threading.Event()
    for _ in range(1200):
        if job.run_ids:
            break
        wait.wait(0.05)
    assert job.state in ACTIVE
    state, _, _, player, table, _, timer, *_ = do.poll(state, job_id)
    assert [p["title"] for p in player["panes"]] == ["scenes_nano+iou"]
    assert table is None
    assert timer.active
    gate.set()
    ended(engine, job_id)
    player = do.poll(state, job_id)[3]
    assert [p["title"] for p in player["panes"]] == ["scenes_nano+iou", "scenes_nano+sort"]


def test_stopped_before_anything_is_there(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    do = Video(engine)
    gate = threading.Event()
    before = engine.jobs.start([("before", lambda say, cancel: str(gate.wait(60)))])
    state, job_id, *_ = ask(engine, file=clip)
    do.stop(job_id)
    do.stop("no such job")
    gate.set()
    assert ended(engine, job_id).state == "cancelled"
    assert ended(engine, before.id).state == "done"
    found = do.poll(state, job_id)
    assert found[5]["state"] == "cancelled"
    assert all(part.get("__type__") == "update" for part in found[1:5])
    assert do.film(state, None, "")[1].active is False


def test_the_example_has_several_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(tmp_path, public=True)  # strangers may watch it, too
    monkeypatch.setattr(Video, "_tracking", lambda self, name, dataset: lambda say, cancel: "no run")
    state, job_id, *_ = ask(engine, path=EXAMPLE, seconds=3)
    assert (state["source"], state["options"]) == (EXAMPLE, {})  # it is whole
    ended(engine, job_id)
    names = [s.name for s in engine.dataset(EXAMPLE, None, "tracking", {}).sequences]  # type: ignore[attr-defined]
    shown = Video(engine).show({**state, "answers": []}, names[2])
    assert shown[1].visible
    assert shown[1].value == names[2]
    assert Video(engine).show({**state, "answers": []}, "no such")[1].value == names[0]


def test_only_the_first_seconds(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    state, job_id, *_ = ask(engine, file=clip, seconds=0.16)
    assert state["options"] == {"seconds": "0.16"}
    job = ended(engine, job_id)
    assert engine.store.get(job.run_ids[0]).samples == 4


def test_a_dropped_video_stays(tmp_path: Path, clip: str) -> None:
    engine = engine_of(tmp_path)
    kept = engine.keep(clip)
    assert kept.name == "街 clip.mp4"
    assert kept.is_relative_to(engine.store.root)
    assert kept.read_bytes() == Path(clip).read_bytes()
    assert engine.keep(clip) == kept  # the same file is kept once
    other = tmp_path / "街 clip.mp4"
    other.write_bytes(b"another of that name")
    assert engine.keep(str(other)) != kept
    assert [p.name for p in (engine.store.root / "videos").rglob("*.tmp")] == []
    assert engine_of(tmp_path, public=True).keep(clip) == Path(clip)  # strangers fill nobody's disk
