"""Handlers of the tracking tab, without a browser: what a click shows, odd clicks, another tracker, files to take."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import av
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.films import Films, Making
from dashboard.scoring import score
from dashboard.store import Store
from dashboard.tabs import common
from dashboard.tabs.tracking_player import film_said
from dashboard.tabs.tracking_results import OUTPUTS, START, Controls, TrackingResults
from dashboard.tabs.tracking_tuning import CHOICES, NUMBERS, Tuning, parted
from models.trackers import TRACKERS, available_trackers
from tests.tracking_store import CLASSES, LENGTHS, data_in, mistaken, scored, swapped, tracked

LIVE = Controls()
ANY = Controls(match="any")
VISITOR: Any = SimpleNamespace(session_hash="visitor", query_params={})


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


def engine_of(root: Path) -> Engine:
    """With videos of its own."""
    engine = Engine(root / "store")
    engine.films = Films(root / "films")
    return engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    root = tmp_path_factory.mktemp("tab")
    scored(root, "swapped", swapped())
    scored(root, "mistaken", mistaken())
    tracked(root)
    return engine_of(root)


@pytest.fixture
def do(engine: Engine) -> TrackingResults:
    return TrackingResults(engine)


def ids_of(do: TrackingResults, *models: str) -> list[str]:
    """Run ids of models, in their order."""
    known = {r.model: r.id for r in do.engine.store.runs("tracking") if not r.facts.get("tracker", {}).get("changed")}
    return [known[m] for m in models]


def state_of(do: TrackingResults, *models: str) -> dict[str, Any]:
    return do.show(ids_of(do, *(models or ("swapped", "mistaken"))), None, LIVE)[0]


# ---- what is shown ----


def test_two_runs_are_shown_at_once(do: TrackingResults) -> None:
    chosen = do.default()
    assert len(chosen) == 2
    shown = do.show(chosen, None, LIVE)
    assert len(shown) == OUTPUTS
    state, focus, sequence, match, kind, figures, table, chart, player, more, others, how, *_ = shown
    assert state["runs"] == chosen
    assert state["focus"] == 0  # whose story the player tells, too
    assert focus.value == chosen[0]
    assert player["focus"] == 0
    assert [c[0] for c in sequence.choices] == list(LENGTHS)
    assert match.visible  # two classes
    assert next(c[1] for c in kind.choices) == LIVE.kind == "alpha"
    assert kind.value is None, "the chart that the page has chosen stays chosen"
    assert len(figures["figures"][0]["cells"]) == len(player["panes"]) == 2
    assert [row[0] for row in table["rows"]] == list(LENGTHS)
    assert chart["data"]
    assert more["figures"]
    assert others == ""
    assert "finder+bytetrack" in how


def test_it_opens_on_the_sequence_with_most_switches(do: TrackingResults) -> None:
    assert do.show(ids_of(do, "swapped"), None, LIVE)[0]["sequence"] == "A"
    assert do.show(ids_of(do, "swapped"), None, LIVE, "B")[0]["sequence"] == "B"
    assert do.show(ids_of(do, "swapped"), None, LIVE, "no such")[0]["sequence"] == "A"


@pytest.mark.parametrize("ids", [[], ["no such run"]])
def test_nothing_to_show(do: TrackingResults, ids: list[str]) -> None:
    shown = do.show(ids, None, LIVE)
    assert len(shown) == OUTPUTS
    assert shown[0] == START
    assert shown[8] is None
    assert do.film(shown[0], "", LIVE)[1].active is False
    for handler in (do.on_table, do.on_kind, do.on_match, do.save_mot, do.save_csv, do.save_events, do.save_video):
        with pytest.raises(InputError, match="Choose a run first"):
            handler(shown[0], LIVE)


def test_a_run_that_was_deleted_meanwhile_is_left_out(tmp_path: Path) -> None:
    runs = [scored(tmp_path, "swapped", swapped()), scored(tmp_path, "mistaken", mistaken())]
    do = TrackingResults(engine_of(tmp_path))
    state = do.show([r.id for r in runs], None, LIVE)[0]
    do.engine.store.delete(runs[1].id)
    assert do.on_table(state, LIVE)["key"].startswith(runs[0].id)
    assert do.on_sequence(state, "B", LIVE)[2]["panes"][0]["title"] == "swapped"
    do.engine.store.delete(runs[0].id)
    with pytest.raises(InputError, match="Choose a run first"):
        do.on_table(state, LIVE)


def test_runs_on_other_data_do_not_play_beside(tmp_path: Path) -> None:
    first = scored(tmp_path, "swapped", swapped())
    shutil.copytree(tmp_path / "clips", tmp_path / "elsewhere" / "clips")
    lines = (tmp_path / "elsewhere/clips/A/gt/gt.txt").read_text().splitlines(keepends=True)
    (tmp_path / "elsewhere/clips/A/gt/gt.txt").write_text("".join(lines[:-2]))
    other = score(data_in(tmp_path / "elsewhere"), tmp_path / "swapped", Store(tmp_path / "store"), name="else<b>")
    do = TrackingResults(engine_of(tmp_path))
    assert do.default() == [other.id]  # what is shown at first is on the same data
    shown = do.show([first.id, other.id], first.id, LIVE)
    assert [p["title"] for p in shown[8]["panes"]] == ["swapped"]
    assert len(shown[5]["figures"][0]["cells"]) == 2
    assert "else<b>" in shown[10]
    assert [p["title"] for p in do.show([first.id, other.id], other.id, LIVE)[8]["panes"]] == ["else<b>"]


def test_an_echo_does_nothing(do: TrackingResults) -> None:
    ids = do.default()
    first = do.rechosen(dict(START), ids, None, LIVE)
    again = do.rechosen(first[0], ids, None, LIVE)
    assert len(first) == len(again) == OUTPUTS
    assert all(part.get("__type__") == "update" for part in again)


def test_another_run_in_focus_keeps_the_sequence(do: TrackingResults) -> None:
    ids = ids_of(do, "swapped", "mistaken")
    state = do.on_sequence(do.show(ids, ids[0], LIVE)[0], "B", LIVE)[0]
    shown = do.refocused(state, ids, ids[1], LIVE)
    assert (shown[0]["focus"], shown[0]["sequence"]) == (1, "B")
    assert shown[6]["rows"][1][-1] == 0  # of the run in focus: nobody is missed in B


def test_another_sequence_plays(do: TrackingResults) -> None:
    state, table, player = do.on_sequence(state_of(do), "B", LIVE)
    assert state["sequence"] == player["title"] == "B"
    assert table["selected"] == 1
    assert do.on_sequence(state, None, LIVE)[0]["sequence"] == "B"


def test_whatever_the_class(do: TrackingResults) -> None:
    state = state_of(do)
    before = do.numbers(do.opened(state, LIVE), state, LIVE)[0]
    figures, table, _, player, more = do.on_match(state, ANY)
    mota = next(k for k, c in enumerate(figures["figures"]) if c["key"] == "MOTA")
    assert [c["value"] for c in before["figures"][mota]["cells"]] == [1 - 5 / 32, 1 - 24 / 32]
    assert [c["value"] for c in figures["figures"][mota]["cells"]] == [1 - 5 / 32, 1.0]
    assert table["rows"][0][-1] == 0
    assert player["key"] != do.play(do.opened(state, LIVE), state, LIVE)["key"]
    assert next(c for c in more["figures"] if c["key"] == "FN")["cells"][1]["value"] == 0


def test_rows_and_columns(do: TrackingResults) -> None:
    state = state_of(do)
    assert [r[0] for r in do.on_table(state, Controls(what="class"))["rows"]] == list(CLASSES)
    assert do.on_table(state, Controls(columns="tracks"))["columns"][2]["explain"] == "MT"
    for kind in ("alpha", "sequences", "coverage", "lengths"):
        assert do.on_kind(state, Controls(kind=kind, measure="IDSW"))[0]["data"]


# ---- clicks ----


def test_a_row_and_a_bar_play_their_sequence(do: TrackingResults) -> None:
    state, picked, player = do.on_row(state_of(do), LIVE, click(index=1))
    assert state["sequence"] == player["title"] == picked.value == "B"
    bar = click({"data": [{"kind": "sequence", "name": "A"}, 0]})
    state, picked, player = do.on_bar(state, LIVE, bar)
    assert state["sequence"] == player["title"] == picked.value == "A"


@pytest.mark.parametrize("index", [2, -1, "1", None, 1.0, [1, 0], True])
def test_rows_that_are_not_there(do: TrackingResults, index: Any) -> None:
    if index is True:  # a whole number to Python, and the row it would be
        assert do.on_row(state_of(do), LIVE, click(index=index))[0]["sequence"] == "B"
        return
    with pytest.raises(InputError, match="reload the page"):
        do.on_row(state_of(do), LIVE, click(index=index))


def test_a_row_of_a_class_leads_to_its_errors(do: TrackingResults) -> None:
    classes, state = Controls(what="class"), state_of(do)
    view = do.in_focus(do.views(state["runs"], classes), state)
    shown, picked, player = do.on_row(state, classes, click(index=1))
    label = player["only"]
    assert (shown["only"], shown["sequence"], picked.value) == (label, player["title"], player["title"])
    place = view.place(player["title"])
    told, tracks = view.story(place), view.sequences[place].tracks
    wrong = {*tracks.truth.frame[(told.truth_match == -1) & (tracks.truth.class_ids == label)].tolist()}
    wrong |= {*tracks.found.frame[(told.found_match == -1) & (tracks.found.class_ids == label)].tolist()}
    assert player["seek"] == (min(wrong) if wrong else None)
    assert do.film(shown, "Preparing …", classes)[0].get("only", label) == label  # the video's coming changes nothing
    again, _, player = do.on_row(shown, classes, click(index=1))
    assert (again["only"], player["only"]) == (None, None)
    with pytest.raises(InputError, match="reload the page"):
        do.on_row(state, classes, click(index=9))


@pytest.mark.parametrize("value", [None, "x", {}, {"data": None}, {"data": []}, {"data": ["x"]}, {"data": [{}]}])
def test_bars_of_nothing_play_nothing(do: TrackingResults, value: Any) -> None:
    state = state_of(do)
    assert do.on_bar(state, LIVE, click(value))[0] is state


@pytest.mark.parametrize("name", ["C", "", None, "../A", ["A"]])
def test_bars_of_sequences_that_are_not_there(do: TrackingResults, name: Any) -> None:
    with pytest.raises(InputError, match="reload the page"):
        do.on_bar(state_of(do), LIVE, click({"data": [{"kind": "sequence", "name": name}, 0]}))


# ---- the video ----


def test_the_video_comes_when_it_is_made(do: TrackingResults) -> None:
    state = state_of(do)
    value, timer, said = do.film(state, "", LIVE)
    assert timer.active
    assert said.endswith(" / 12")
    views = do.opened(state, LIVE)
    assert do.play(views, state, LIVE)["video"] is None
    making = do.player.film(do.in_focus(views, state).run, "A")
    assert making is None or making.future is not None
    if making is not None and making.future is not None:
        making.future.result(60)
    value, timer, said = do.film(state, said, LIVE)
    assert not timer.active
    assert said == ""
    with av.open(value["video"]["path"]) as file:
        assert sum(1 for _ in file.decode(video=0)) == LENGTHS["A"]
    assert (value["width"], value["height"]) == (64, 48)


def test_why_a_video_cannot_be_made_is_said() -> None:
    making: Any = SimpleNamespace(error="the disk is full.", done=0, total=9)
    assert film_said(making) == "⚠ the disk is full."
    assert film_said(None) == ""
    assert film_said(Making(3, 5)).endswith(" 3 / 5")


def test_pictures_that_are_gone_leave_the_boxes(tmp_path: Path) -> None:
    run = scored(tmp_path, "swapped", swapped())
    shutil.rmtree(tmp_path / "clips")
    do = TrackingResults(engine_of(tmp_path))
    shown = do.show([run.id], None, LIVE)
    assert shown[8]["video"] is None
    assert shown[8]["note"] == "ui.trk.nofilm"
    assert shown[8]["fps"] == 10
    assert len(shown[8]["panes"]) == 1
    with pytest.raises(InputError, match="pictures of A are not here"):
        do.save_video(shown[0], LIVE)
    assert not do.film(shown[0], "", LIVE)[1].active


# ---- files ----


def test_tracks_to_take_along(do: TrackingResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.tempfile, "gettempdir", lambda: str(tmp_path))
    state = state_of(do, "swapped", "mistaken")
    with ZipFile(do.save_mot(state, LIVE)) as archive:
        assert archive.namelist() == ["A.txt", "B.txt", "classes.txt"]
        assert archive.read("A.txt").decode().splitlines()[0] == "1,11,2.0,4.0,12.0,12.0,1.0,1,-1,-1"
    rows = list(csv.DictReader(io.StringIO(Path(do.save_csv(state, LIVE)).read_text("utf-8"))))
    assert len(rows) == 31
    assert {r["class"] for r in rows} == {"cat", "'=dog <b>"}  # no formula to a spreadsheet
    assert Path(do.save_csv(state, LIVE)).parent.parent == common.new_file("x").parent.parent  # where old ones go
    events = list(csv.DictReader(io.StringIO(Path(do.save_events(state, LIVE)).read_text("utf-8"))))
    assert [e["kind"] for e in events] == ["switch", "switch", "lost", "fragment"]
    assert {e["class"] for e in events} == {"cat", "'=dog <b>"}


def test_events_follow_the_rule_of_classes(tmp_path: Path) -> None:
    """The dog is taken for a cat from frame 6 on: lost to those who mind the class."""
    found = mistaken()
    found["A"] = {(f, i): (x, y, 2 if i == 2 and f < 6 else 1) for (f, i), (x, y, _) in found["A"].items()}
    run = scored(tmp_path, "half", found)
    do = TrackingResults(engine_of(tmp_path))
    state = do.show([run.id], None, LIVE)[0]
    assert "lost" in Path(do.save_events(state, LIVE)).read_text("utf-8")
    assert Path(do.save_events(state, ANY)).read_text("utf-8").count("\n") == 1


def test_the_annotated_video(do: TrackingResults) -> None:
    path = Path(do.save_video(state_of(do), LIVE))
    assert path.name.endswith("-A.mp4")
    assert path.read_bytes()[4:8] == b"ftyp"
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in file.decode(video=0)) == LENGTHS["A"]


# ---- another tracker on the same detections ----


@pytest.mark.parametrize("name", TRACKERS.names())
def test_every_tracker_can_be_set(do: TrackingResults, name: str) -> None:
    if name not in available_trackers():
        pytest.skip(f"{name} is not installed")
    tuning = Tuning(do.engine, do)
    numbers, choices = parted(name)
    shown = tuning.defaults(name)
    assert len(shown) == NUMBERS + CHOICES
    for s, slider in zip(numbers, shown, strict=False):
        assert (slider.label, slider.minimum, slider.maximum, slider.value) == (s.name, s.low, s.high, s.default)
        assert s.low <= slider.value <= s.high
        assert slider.info
    for s, choice in zip(choices, shown[NUMBERS:], strict=False):
        assert choice.label == s.name
        assert choice.value in [v for _, v in choice.choices]
    assert [part.visible for part in shown] == [
        *(k < len(numbers) for k in range(NUMBERS)),
        *(k < len(choices) for k in range(CHOICES)),
    ]
    usual = [s.usual for s in numbers]
    assert usual == sorted(usual, reverse=True)  # what people tune first


def given(name: str = "bytetrack", **changed: Any) -> list[Any]:
    """What the sliders and lists say."""
    numbers, choices = parted(name)
    values = [changed.get(s.name, s.default) for s in numbers]
    words = [str(changed.get(s.name, s.default)).lower() for s in choices]
    return [*values, *[0] * (NUMBERS - len(values)), *words, *[None] * (CHOICES - len(words))]


def test_another_setting_is_a_run_beside(do: TrackingResults) -> None:
    tuning, (first,) = Tuning(do.engine, do), ids_of(do, "finder+bytetrack")
    state = do.show([first], None, LIVE)[0]
    tracker, button, _, *sliders = tuning.opened(state)
    assert (tracker.value, button.interactive) == ("bytetrack", True)
    at = [s.name for s in parted("bytetrack")[0]].index("track_buffer")
    assert sliders[at].value == 30
    job_id, *_ = tuning.start(state, "bytetrack", None, VISITOR, *given(track_buffer=2))
    job = do.engine.jobs.get(job_id)
    assert job is not None
    do.engine.jobs.wait(job, 60)
    bars, timer, button, runs, focus = tuning.poll(state, job_id)
    assert focus.value == runs.value[-1]  # the next try goes on from this one
    assert (bars["state"], timer.active, button.interactive) == ("done", False, True)
    assert runs.value == [first, *job.run_ids]
    made = do.engine.store.get(job.run_ids[0])
    assert made.facts["tracker"]["changed"] == {"track_buffer": 2}
    shown = do.rechosen(state, runs.value, focus.value, LIVE)
    assert shown[8]["focus"] == 1
    assert [p["title"] for p in shown[8]["panes"]] == ["finder+bytetrack", "finder+bytetrack track_buffer=2"]
    assert [label for label, _ in shown[1].choices] == ["finder+bytetrack", "finder+bytetrack track_buffer=2"]
    assert made.metrics["IDSW"] == 1  # the cat, gone for four frames, comes back as somebody else
    assert do.engine.store.get(first).metrics["IDSW"] == 0
    at_its_values = tuning.opened(shown[0])[3:]
    assert at_its_values[at].value == 2  # the sliders stand as the run in focus was made
    echo = tuning.poll(shown[0], job_id)[3]
    assert echo.get("__type__") == "update"  # it is there already
    do.engine.store.delete(made.id)


def test_the_same_settings_are_the_same_run(do: TrackingResults) -> None:
    tuning, (first,) = Tuning(do.engine, do), ids_of(do, "finder+bytetrack")
    state = do.show([first], None, LIVE)[0]
    job_id, *_ = tuning.start(state, "bytetrack", None, VISITOR, *given())
    job = do.engine.jobs.get(job_id)
    assert job is not None
    do.engine.jobs.wait(job, 60)
    assert job.run_ids == [first]


def test_the_fifth_run_takes_the_place_of_the_first(do: TrackingResults) -> None:
    state = {"runs": ["a", "b", "c", "d"], "focus": 0, "sequence": "A"}
    job: Any = SimpleNamespace(state="done", run_ids=["e"], steps=[], error="")
    do.engine.jobs._jobs["made up"] = job
    assert Tuning(do.engine, do).poll(state, "made up")[3].value == ["b", "c", "d", "e"]
    job.run_ids = ["b"]
    assert Tuning(do.engine, do).poll(state, "made up")[3].value == ["a", "c", "d", "b"]
    del do.engine.jobs._jobs["made up"]


def test_tracks_made_elsewhere_cannot_be_tuned(do: TrackingResults) -> None:
    tuning, state = Tuning(do.engine, do), state_of(do, "swapped")
    _, button, _, *sliders = tuning.opened(state)
    assert button.interactive is False
    assert len(sliders) == NUMBERS + CHOICES
    assert not any(s.visible for s in sliders)
    with pytest.raises(InputError, match="no stored detections"):
        tuning.start(state, "bytetrack", None, VISITOR, *given())
    with pytest.raises(InputError, match="Choose a run first"):
        tuning.start(dict(START), "bytetrack", None, VISITOR, *given())


@pytest.mark.parametrize(
    ("name", "changed", "why"),
    [
        ("bytetrak", {}, "bytetrack"),
        ("bytetrack", {"track_buffer": 10**9}, "track_buffer must be a whole number in"),
        ("bytetrack", {"match_thresh": float("nan")}, "match_thresh must be a number in"),
        ("bytetrack", {"match_thresh": None}, "match_thresh is empty"),
        ("bytetrack", {"track_buffer": None}, "track_buffer is empty"),
        ("bytetrack", {"fuse_score": "perhaps"}, "fuse_score must be"),
    ],
)
def test_odd_settings(do: TrackingResults, name: str, changed: dict[str, Any], why: str) -> None:
    state = state_of(do, "finder+bytetrack")
    with pytest.raises(InputError, match=why) as caught:
        Tuning(do.engine, do).start(state, name, None, VISITOR, *given(**changed))
    assert "\n" not in str(caught.value)


def test_a_tracker_that_needs_pictures_that_are_gone_says_so(tmp_path: Path) -> None:
    run = tracked(tmp_path)
    shutil.rmtree(tmp_path / "clips")
    do = TrackingResults(engine_of(tmp_path))
    tuning, state = Tuning(do.engine, do), do.show([run.id], None, LIVE)[0]
    job_id, *_ = tuning.start(state, "botsort", None, VISITOR, *given("botsort"))
    job = do.engine.jobs.get(job_id)
    assert job is not None
    do.engine.jobs.wait(job, 60)
    bars, _, button, *_ = tuning.poll(state, job_id)
    assert bars["state"] == "failed"
    assert "looks at the pictures of clips, which are gone" in bars["error"]
    assert button.interactive


def test_one_tracker_at_a_time(do: TrackingResults) -> None:
    busy: Any = SimpleNamespace(state="running", run_ids=[], steps=[], error="", owner="somebody")
    do.engine.jobs._jobs["made up"] = busy
    with pytest.raises(InputError, match="running already"):
        Tuning(do.engine, do).start(state_of(do, "finder+bytetrack"), "bytetrack", "made up", VISITOR, *given())
    del do.engine.jobs._jobs["made up"]
