"""Handlers of the compare tab, without a browser: what is shown, where clicks lead, and choices that mean nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import gradio as gr
import pytest

from dashboard.comparing import compare as comparing
from dashboard.comparing.shapes import Comparison
from dashboard.datasets.digits import Digits
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.comparing.pairs import RIGHT_WRONG, WINS_LOSSES, labelled
from dashboard.selection import literal
from dashboard.store import Run, Store
from dashboard.tabs import compare as tab
from dashboard.tabs.compare import Compare, Panel, comparison_of
from dashboard.tabs.compare_classes import START as CLASSES
from dashboard.tabs.compare_classes import Classes
from dashboard.tabs.compare_decide import START as DECIDE
from dashboard.tabs.compare_decide import Decide
from dashboard.tabs.compare_pictures import START as PICTURES
from dashboard.tabs.compare_pictures import Pictures, frame_of
from dashboard.views.strings import t
from models.load import load_model
from tests.enhancement_store import runs_in
from tests.fake_detector import FakeDetector, FakeObjects
from tests.tracking_store import mistaken, scored, swapped, truth

GROUPS, GALLERY, LARGE = 3, 4, 5  # of what the pictures' ``opened`` gives, after state and problem


def click(value: Any = None, index: Any = 0) -> Any:
    """What Gradio gives a handler when something was clicked."""
    return SimpleNamespace(value=value, index=index)


def request(**query: str) -> Any:
    return SimpleNamespace(query_params=query)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "compare", lambda runs, place: comparing.compare(runs, place, resamples=100))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Digits: two models on all of the test digits, one on the first 300."""
    engine = Engine(tmp_path_factory.mktemp("store"))
    for name, limit in (("digits_linear", None), ("digits_cnn", None), ("digits_cnn", 300)):
        evaluate(load_model(name), Digits(), engine.store, Settings(latency=False, limit=limit))
    return engine


@pytest.fixture(scope="module")
def ids(engine: Engine) -> list[str]:
    """Linear, CNN, CNN on 300."""
    runs = {(r.model, r.samples): r.id for r in engine.store.runs()}
    return [runs["digits_linear", 597], runs["digits_cnn", 597], runs["digits_cnn", 300]]


def right(run: Run) -> dict[str, bool]:
    """Which samples a run got right, straight from its rows."""
    with duckdb.connect() as db:
        rows = db.execute("select id, correct from read_parquet(?)", [literal(run.rows_path)]).fetchall()
    return dict(rows)


def test_the_groups_are_the_ones_that_the_rows_say(engine: Engine, ids: list[str]) -> None:
    do = Pictures(engine)
    base, run = (right(engine.store.get(i)) for i in ids[:2])
    wanted = {
        "only_run": {i for i in base if run[i] and not base[i]},
        "only_baseline": {i for i in base if base[i] and not run[i]},
        "neither": {i for i in base if not base[i] and not run[i]},
    }
    state, _, _, groups, gallery, *large, _ = do.opened(dict(PICTURES), {}, ids[:2], ids[0])
    assert state["group"] == "only_run"  # the better model's wins come first
    assert {g["name"]: g["n"] for g in groups["groups"]} == {k: len(v) for k, v in wanted.items()} | {
        "both": 597 - sum(map(len, wanted.values()))
    }
    assert large[0].value is None  # details cover the page: only a click opens them
    for name, samples in wanted.items():
        state, _, gallery, *_ = do.on_group(state, ids[:2], ids[0], click({"group": name}))
        shown = [c["id"] for c in gallery["cards"]]
        while len(shown) < gallery["total"]:
            state, gallery = do.on_more(state, ids[:2], ids[0])
            shown += [c["id"] for c in gallery["cards"]]
        assert set(shown) == samples
        assert len(shown) == len(samples) == gallery["total"]
        for card in gallery["cards"]:
            assert [a["at"] for a in card["answers"]] == [1, 0]
            assert [a["right"] for a in card["answers"]] == [run[card["id"]], base[card["id"]]]


def test_every_number_of_the_table_leads_to_its_pictures(engine: Engine, ids: list[str]) -> None:
    decide, pictures = Decide(engine), Pictures(engine)
    table = decide.opened(dict(DECIDE), {}, ids[:2], ids[0])[2]
    (pair,) = table["pairs"]
    for group in pair["groups"]:
        asked, tabs = decide.picked(ids[:2], click({"run": pair["run"], "group": group["name"]}))
        assert tabs.selected == "pictures"
        shown = pictures.opened(dict(PICTURES), asked, ids[:2], ids[0])
        assert shown[GALLERY]["total"] == group["n"]
        assert [g["n"] for g in shown[GROUPS]["groups"] if g["on"]] == [group["n"]]
    asked, _ = decide.pointed(ids[:2], click({"data": [1]}))
    assert pictures.opened(dict(PICTURES), asked, ids[:2], ids[0])[0]["run"] == ids[1]


def test_samples_are_aligned_by_id_and_it_is_said(engine: Engine, ids: list[str]) -> None:
    """The run on 300 digits against one on all 597."""
    do = Pictures(engine)
    chosen = [ids[0], ids[2]]
    state, _, _, groups, gallery, *_ = do.opened(dict(PICTURES), {}, chosen, ids[0])
    assert groups["note"] == {"key": "ui.vs.aligned", "vars": {"n": "300"}}
    assert sum(g["n"] for g in groups["groups"]) == 300
    assert Decide(engine).opened(dict(DECIDE), {}, chosen, ids[0])[2]["runs"][0]["left"] == 297
    state, detail, *_ = do.on_picture(state, chosen, ids[0], click({"index": gallery["cards"][0]["index"]}))
    assert detail.value["id"] == gallery["cards"][0]["id"]
    assert [m["right"] for m in detail.value["models"]] == [False, True]
    assert [m["at"] for m in detail.value["models"]] == [0, 1]
    following = do.on_picture(state, chosen, ids[0], click({"index": state["sample"], "step": 1}))[1].value
    assert following["id"] == gallery["cards"][1]["id"]


def test_a_class_leads_to_its_samples(engine: Engine, ids: list[str]) -> None:
    classes, pictures = Classes(engine), Pictures(engine)
    state, _, _, _, table, *_ = classes.opened(dict(CLASSES), {}, ids[:2], ids[0])
    name = table["classes"][-1]
    asked, tabs = classes.picked(state, ids[:2], ids[0], click(index=len(table["classes"]) - 1))
    assert (asked["class"], tabs.selected) == (name, "pictures")
    assert classes.pointed(state, click({"data": [name, "…"]}))[0] == asked
    state, _, _, groups, gallery, *_ = pictures.opened(dict(PICTURES), asked, ids[:2], ids[0])
    assert {c["truth"] for c in gallery["cards"]} == {name}
    assert gallery["reset"]
    row = table["rows"][-1]
    assert sum(g["n"] for g in groups["groups"]) == row[1]  # its support
    gained = {g["name"]: g["n"] for g in groups["groups"]}
    assert row[4] * row[1] == pytest.approx(gained["only_run"] - gained["only_baseline"])  # recall's difference
    assert pictures.on_reset(state, ids[:2], ids[0])[2]["reset"] is False
    metric = classes.other(state | {"metric": "recall"}, ids[:2], ids[0], "f1", ids[1])
    assert metric[1]["metric"] == "f1"


def test_a_panel_works_only_when_it_is_looked_at_and_something_changed(engine: Engine, ids: list[str]) -> None:
    do = Decide(engine)
    first = do.changed(dict(DECIDE), {}, ids[:2], ids[0], "decide")
    assert first[2]["baseline"] == 0
    skipped = gr.skip()
    for outputs in (
        do.changed(dict(DECIDE), {}, ids[:2], ids[0], "pictures"),
        do.opened(first[0], {"run": ids[1]}, ids[:2], ids[0]),
    ):
        assert all(o == skipped for o in outputs)
    again = do.opened(first[0], {}, ids[:2], ids[1])
    assert again[2]["baseline"] == 1
    assert again[2]["rows"][0][0]["diff"]["value"] == -first[2]["rows"][1][0]["diff"]["value"]


@pytest.mark.parametrize(("panel", "start"), [(Decide, DECIDE), (Pictures, PICTURES), (Classes, CLASSES)])
def test_choices_that_cannot_be_compared_say_so(
    engine: Engine, ids: list[str], panel: type[Panel], start: dict[str, Any]
) -> None:
    do = panel(engine)  # type: ignore[call-arg]
    for chosen in ([], ids[:1]):
        state, problem, *rest = do.opened(dict(start), {}, chosen, None)
        assert rest[:-1] == [None] * do.outputs
        assert rest[-1].visible is False
        assert problem.visible is False  # the tab says what to do
        assert set(start) <= set(state)
    state, problem, *rest = do.opened(dict(start), {}, [ids[0], "gone"], ids[0])
    assert rest[:-1] == [None] * do.outputs
    assert "gone" in problem.value
    assert "\n" not in problem.value
    assert do.opened(state, {}, ids[:2], ids[0])[-1].visible is True  # and what comes after is shown


def test_what_takes_a_while_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    do = Decide(engine)
    monkeypatch.setattr(tab, "PATIENCE_S", 0.0)
    go = threading.Event()

    def slow() -> tuple[Any, ...]:
        go.wait(10)
        return ("answer",)

    steps = do._patiently(slow)()
    first = next(steps)
    assert len(first) == do.outputs + 3
    assert first[1].visible
    go.set()
    assert list(steps) == [("answer",)]


@pytest.mark.parametrize(
    "event",
    [
        None, {}, {"run": 0}, {"run": 9, "group": "both"}, {"run": "1", "group": "both"}, {"run": 1, "group": "drop"},
        {"group": "ties"}, {"index": -1}, {"index": 10**9}, {"index": "1"}, {"index": 0, "step": 7}, {"data": ["x"]},
        {"index": True}, {"run": True, "group": "both"}, {"data": [True]}, {"index": [0]}, {"run": 1, "group": ["a"]},
    ],
)  # fmt: skip
def test_odd_events_are_refused_or_do_nothing(engine: Engine, ids: list[str], event: Any) -> None:
    decide, pictures, classes = Decide(engine), Pictures(engine), Classes(engine)
    state = pictures.opened(dict(PICTURES), {}, ids[:2], ids[0])[0]
    with pytest.raises(InputError):
        decide.picked(ids[:2], click(event))
    assert decide.pointed(ids[:2], click(event)) == (gr.skip(), gr.skip())
    with pytest.raises(InputError):
        pictures.on_picture(state, ids[:2], ids[0], click(event))
    assert pictures.on_group(state, ids[:2], ids[0], click(event))[0]["group"] in RIGHT_WRONG
    for index in (-1, True, None):
        with pytest.raises(InputError):
            classes.picked(dict(CLASSES) | {"metric": "recall", "run": ids[1]}, ids[:2], ids[0], click(event, index))
    for odd in (("x", None, "roc"), ("top1", ["x"], "roc"), ("top1", None, "x"), ("top1", None, ["roc"])):
        with pytest.raises(InputError, match="no such metric"):
            decide.drawn(dict(DECIDE), ids[:2], ids[0], *odd)  # type: ignore[arg-type]


def test_a_link_chooses_the_runs(engine: Engine, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    do = Compare(engine)
    task, runs, baseline, few = do.opened("detection", [], None, request(run=",".join(ids[1::-1])))
    assert task.value == "classification"
    assert runs.value == ids[1::-1]
    assert baseline.value == ids[1]
    assert few.visible is False
    assert do.linked(request(run=",".join(ids[:2]))).selected == "compare"
    for none in ("", ids[0]):
        assert do.linked(request(run=none)) == gr.skip()
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    one = do.opened("classification", [], None, request(run=f"{ids[0]},gone"))
    assert one[1].value == ids[:1]
    assert one[3].visible is True  # one run is none to compare
    assert said == ["There is no run gone: it may have been deleted."]


def test_a_link_to_runs_of_two_tasks_says_which_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    store = Store(tmp_path)
    cnn = evaluate(load_model("digits_cnn"), Digits(), store, Settings(latency=False, limit=20))
    linear = evaluate(load_model("digits_linear"), Digits(), store, Settings(latency=False, limit=20))
    boxes = evaluate(FakeDetector(), FakeObjects(5), store, Settings(latency=False))
    do = Compare(Engine(tmp_path))
    found = do.opened("tracking", [], None, request(run=f"{cnn.id},{boxes.id},{linear.id},{cnn.id}"))
    assert found[1].value == [cnn.id, linear.id]
    assert said == [
        f"{boxes.model} (detection) left out: only runs of one task can be compared, here of classification."
    ]
    monkeypatch.setattr(tab, "MOST_RUNS", 1)
    said.clear()
    do.opened("tracking", [], None, request(run=f"{cnn.id},{linear.id}"))
    assert said == ["digits_linear left out: up to 1 runs can be compared."]


def test_boxes_are_looked_for_where_they_are(engine: Engine, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    do = Compare(engine)
    assert do.tasked("detection")[2].value == str(t("ui.cmp.few"))
    masked = [replace(engine.store.get(ids[0]), task="instance-segmentation")]
    monkeypatch.setattr(do, "of", lambda task: masked if task == "instance-segmentation" else [])
    assert do.tasked("detection")[2].value == str(t("ui.cmp.few.boxes"))
    assert do.tasked("tracking")[2].value == str(t("ui.cmp.few"))


def test_curves_of_more_than_the_common_samples_are_said_to_be(engine: Engine, ids: list[str]) -> None:
    do = Decide(engine)
    for chosen, said in ((ids[:2], False), (ids[1:], True)):
        state, *values = do.opened(dict(DECIDE), {}, chosen, chosen[0])
        assert bool(values[8].value) is said
        _, table, *charts = do.drawn(state, chosen, chosen[0], "log_loss", None, "pr")
        assert bool(charts[3].value) is said
        assert charts[1].visible is False  # no cost is known: its chart leaves no hole, and a sentence says so
        assert values[9].value
        assert table["metric"] == "log_loss"  # the sentences follow the choice


def test_runs_chosen_in_another_tab_bring_their_task_and_a_baseline(engine: Engine, ids: list[str]) -> None:
    do = Compare(engine)
    task, runs, baseline, few = do.opened("tracking", ids[:2], None, request())
    assert (task.value, runs.value, baseline.value, few.visible) == ("classification", ids[:2], ids[0], False)
    task, runs, baseline, few = do.opened("classification", [ids[1], ids[0]], ids[1], request())
    assert (task.value, runs.value, baseline.value) == ("classification", [ids[1], ids[0]], ids[1])
    assert [value for _, value in baseline.choices] == [ids[1], ids[0]]  # the list of runs may have brought more
    first = do.opened("tracking", [], None, request())  # there are none of tracking: the first task that has two
    assert first[0].value == "classification"
    assert len(first[1].value) == 2


def compared(store: Store, ids: list[str]) -> tuple[Comparison, list[Any]]:
    """A comparison and what each panel shows of it."""
    engine = Engine(store.root)
    panels = ((Decide(engine), DECIDE), (Pictures(engine), PICTURES), (Classes(engine), CLASSES))
    shown = [panel.opened(dict(start), {}, ids, ids[0]) for panel, start in panels]
    return comparison_of(engine, ids, ids[0]), shown


def marks(panes: list[Any]) -> dict[str, int | None]:
    """The mark of each pane by what it is called; the truth and the input have none."""
    return {p["title"]: p.get("mark") for p in panes}


def test_detection_runs_on_different_samples_share_their_panes(tmp_path: Path) -> None:
    """The second run has seen only the first pictures of other data, so that its positions are its own."""
    store = Store(tmp_path)
    first = evaluate(FakeDetector(), FakeObjects(), store, Settings(latency=False))
    second = evaluate(FakeDetector(), FakeObjects(20), store, Settings(latency=False))
    found, (_, pictures, classes) = compared(store, [first.id, second.id])
    assert len(found.ids) == 20
    assert pictures[1].visible is False
    state, groups, gallery = pictures[0], pictures[GROUPS], pictures[GALLERY]
    assert [g["name"] for g in groups["groups"]] == list(WINS_LOSSES)
    assert groups["groups"][2]["n"] == 20  # the same detector ties everywhere
    state, *_ = Pictures(Engine(tmp_path)).on_group(state, [first.id, second.id], first.id, click({"group": "ties"}))
    shown = Pictures(Engine(tmp_path)).on_picture(state, [first.id, second.id], first.id, click({"index": 3}))
    panes = shown[2].value["panes"]
    assert len(panes) == 3
    assert [p.get("mark") for p in panes] == [None, 0, 1]
    assert not any(p.get("error") for p in panes)
    assert shown[2].value["title"] == "003.png"
    assert gallery["total"] == 0
    assert classes[4]["rows"]
    assert groups["note"]["key"] == "ui.vs.aligned"
    other = evaluate(FakeDetector(task="detection", class_names=("a", "b", "c", "d")), FakeObjects(), store)
    _, (_, pictures, _) = compared(store, [first.id, other.id])
    assert pictures[GROUPS]["note"]["key"] == "ui.vs.tally"  # what the marks under the pictures mean


def test_enhancement_shows_all_runs_in_panes_and_has_no_classes(tmp_path: Path) -> None:
    store, runs = runs_in(tmp_path, ("nearest", "bicubic", "lanczos"))
    found, (decide, pictures, classes) = compared(store, [r.id for r in runs])
    assert decide[2]["runs"][0]["name"] == "nearest"
    against = pictures[2]
    assert [v for _, v in against.choices] == [r.id for r in runs[1:]]
    assert against.visible is True
    enhanced = pictures[LARGE + 2]
    assert enhanced.visible is True
    assert [p["title"] for p in enhanced.value["panes"]][-3:] == ["nearest", "bicubic", "lanczos"]
    assert [v is None for v in classes[4:6]] == [True, True]
    wins = {g["name"]: g["n"] for g in pictures[GROUPS]["groups"]}
    assert wins["wins"] == int((found.outcome(1) > 0).sum())
    assert marks(enhanced.value["panes"][-3:]) == {"nearest": 0, "bicubic": 1, "lanczos": 2}


def test_a_run_has_one_mark_everywhere(tmp_path: Path) -> None:
    """Whichever run is the baseline and is shown first: in thumbnails and in panes it keeps its place's mark."""
    store, runs = runs_in(tmp_path, ("nearest", "bicubic", "lanczos"))
    names = {run.model: k for k, run in enumerate(runs)}
    _, _, _, _, gallery, *large, _ = Pictures(Engine(store.root)).opened(
        dict(PICTURES), {}, [r.id for r in runs], runs[2].id
    )
    panes = large[2].value["panes"]
    assert [p["title"] for p in panes][-3:] == ["lanczos", "nearest", "bicubic"]
    assert marks(panes[-3:]) == names
    assert all(mark is None for mark in marks(panes[:-3]).values())
    assert [a["at"] for a in gallery["cards"][0]["answers"]] == [0, 2, 1]
    state = {**PICTURES, "run": runs[1].id, "group": "wins"}
    played = Pictures(Engine(store.root)).again(state, [r.id for r in runs], runs[0].id)[5].value["panes"]
    assert marks(played[-3:]) == names  # also what is kept for a while from before


def test_tracking_plays_from_the_frame(tmp_path: Path) -> None:
    runs = [scored(tmp_path, name, tracks) for name, tracks in (("swapped", swapped()), ("mistaken", mistaken()))]
    found, (_, pictures, _) = compared(Store(tmp_path / "store"), [r.id for r in runs])
    player = pictures[LARGE + 3]
    sample = pictures[0]["sample"]
    name, frame = found.ids[sample].rsplit("/", 1)
    assert player.visible is True
    assert player.value["title"] == name
    assert player.value["seek"] == int(frame) - 1
    assert marks(player.value["panes"]) == {"swapped": 0, "mistaken": 1}
    turned = Pictures(Engine(tmp_path / "store")).opened(dict(PICTURES), {}, [r.id for r in runs], runs[1].id)
    assert marks(turned[LARGE + 3].value["panes"]) == {"mistaken": 1, "swapped": 0}
    has = {
        (name, frame + 1) for name, rows in truth().items() for (frame, _), (_, _, label) in rows.items() if label == 2
    }
    wanted = {i for i in found.ids if (i.rsplit("/", 1)[0], int(i.rsplit("/", 1)[1])) in has}
    assert 0 < len(wanted) < len(found.ids)
    kept = labelled(found, found.runs[0].classes[1])
    assert {i for i, k in zip(found.ids, kept, strict=True) if k} == wanted


def test_frames_are_found_by_position() -> None:
    view: Any = SimpleNamespace(sequences=[SimpleNamespace(tracks=SimpleNamespace(name=n)) for n in ("one", "two")])
    assert frame_of(view, None, 7, "two/000003") == ("two", 0)  # pictures are gone: the start of the sequence
    assert frame_of(view, None, 7, "elsewhere") == ("one", 0)
