"""The runs tab's handlers: what is listed, what a choice allows, naming, running again, disk space."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.history import WATCHED, disk_data
from dashboard.history import discard, discarded, set_label
from dashboard.pruning import disk_use, size_of
from dashboard.serve import build
from dashboard.store import Store
from dashboard.tabs.common import run_choices
from dashboard.tabs.runs import Runs
from dashboard.tabs.runs_again import Again
from dashboard.tabs.runs_disk import KINDS, Disk
from dashboard.tabs.runs_label import Labels, facts_html
from dashboard.views.strings import STRINGS
from dashboard.visitors import Visitor
from tests.test_history import add, add_watched


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two evaluations of digits."""
    engine = Engine(tmp_path_factory.mktemp("made"))
    data = engine.dataset("demo:digits")
    for name in ("digits_linear", "digits_cnn"):
        evaluate(engine.model(name), data, engine.store, Settings(latency=False, limit=100))
    return engine.store.root


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An empty store."""
    return Engine(tmp_path / "store")


@pytest.fixture
def request_() -> Any:
    return types.SimpleNamespace(session_hash="me")


def event(value: Any) -> Any:
    return types.SimpleNamespace(value=value)


def enabled(buttons: Any) -> list[bool]:
    """Of open, compare, report and delete."""
    return [button.interactive for button in buttons[:4]]


def test_what_a_choice_allows(engine: Engine) -> None:
    for name, task in (("a", "classification"), ("b", "classification"), ("c", "tracking"), ("p", "profile")):
        add(engine.store, name, task=task)
    add_watched(engine.store, "w")
    do = Runs(engine, ["classification"])
    for ids, allowed in (
        ([], [False, False, False, False]),
        (["a"], [True, False, True, True]),
        (["a", "b"], [False, True, True, True]),
        (["a", "c"], [False, False, False, True]),
        ([WATCHED + "w"], [False, False, False, True]),
        (["p"], [True, False, True, True]),
    ):
        assert do.picked(event({"ids": ids})) == ids
        assert enabled(do.buttons(ids)) == allowed, ids
    for odd in (None, 3, "a", [], {"ids": []}):
        assert do.picked(event(odd)) == []


def test_a_run_opens_in_the_tab_of_its_task(engine: Engine) -> None:
    add(engine.store, "a", task="instance-segmentation")
    add(engine.store, "p", task="profile")
    do = Runs(engine, ["classification", "detection"])
    tabs, *parts = do.open(["a"])
    assert tabs.selected == "detection"
    assert parts[2].value == ["a"]
    assert parts[3].selected == "results"
    assert do.open(["p"])[0].selected == "profile"
    with pytest.raises(InputError, match="Choose a run"):
        do.open([])
    with pytest.raises(InputError, match="No run is called"):
        do.open(["gone"])
    with pytest.raises(InputError, match="tracking tab"):
        do.open([WATCHED + "w"])


def test_chosen_runs_are_compared_oldest_first(engine: Engine) -> None:
    add(engine.store, "new", day=2)
    add(engine.store, "old", day=1)
    add(engine.store, "other", task="tracking")
    do = Runs(engine, [])
    tabs, runs = do.compare(["new", "old"])
    assert (tabs.selected, runs.value) == ("compare", ["old", "new"])
    assert "other" not in [name for _, name in runs.choices]
    for ids in ([], ["new"], ["new", "other"]):
        with pytest.raises(InputError, match="two to 8 runs of one task"):
            do.compare(ids)


def test_delete_and_undo(engine: Engine) -> None:
    add(engine.store, "a")
    add_watched(engine.store, "w")
    do = Runs(engine, [])
    table, chosen, gone, undo = do.delete(["a", WATCHED + "w"])
    assert (table["rows"], chosen, gone, undo.visible) == ([], [], ["a", WATCHED + "w"], True)
    table, chosen, gone, undo = do.undo(gone)
    assert {row["id"] for row in table["rows"]} == {"a", WATCHED + "w"} == set(chosen)
    assert (gone, undo.visible) == ([], False)
    with pytest.raises(InputError, match="Choose a run"):
        do.delete([])


def test_what_would_be_deleted_is_listed_by_name(engine: Engine) -> None:
    for name in "abc":
        add(engine.store, name)
    set_label(engine.store, "b", "The best", "")
    add_watched(engine.store, "w")
    do = Runs(engine, [])
    delete, sure, keep, asked = do.ask(["b", WATCHED + "w", "gone"])
    assert (delete.visible, sure.visible, keep.visible, asked["forever"]) == (False, True, True, False)
    film = next(row for row in do.table()["rows"] if row["id"] == WATCHED + "w")
    assert {row["title"] or row["model"] for row in asked["rows"]} == {"The best", film["model"]}
    with pytest.raises(InputError, match="gone already"):
        do.ask(["gone"])
    assert [part.visible for part in do.buttons(["b"])[3:6]] == [True, False, False]
    assert do.buttons(["b"])[6] is None, "another choice takes the question back"


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told beside what was done."""
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", told.append)
    return told


def test_what_can_be_deleted_is_and_the_rest_is_told(engine: Engine, warned: list[str]) -> None:
    add(engine.store, "a")
    add_watched(engine.store, "w")
    do = Runs(engine, [])
    film = WATCHED + "w"
    for ids, gone in ((["a", WATCHED + "none"], ["a"]), (["none", film], [film])):
        table, chosen, moved, undo = do.delete(ids)
        assert (moved, chosen, undo.visible) == (gone, [], True)
        assert not {row["id"] for row in table["rows"]} & set(gone)
        assert len(warned) == 1
        assert "none" in warned.pop()
    with pytest.raises(InputError, match="deleted already"):
        do.delete(["none", WATCHED + "none"])
    assert warned == []


def test_what_can_be_brought_back_is_and_the_rest_is_told(engine: Engine, warned: list[str]) -> None:
    for name in "ab":
        add(engine.store, name)
    add_watched(engine.store, "w")
    do = Runs(engine, [])
    film = WATCHED + "w"
    gone = do.delete(["a", "b", film])[2]
    add(engine.store, "a")  # made anew
    _, back, left, undo = do.undo(gone)
    assert (back, left, undo.visible) == (["b", film], [], False)
    assert len(warned) == 1
    assert warned.pop().startswith("a: ")
    do.delete([film])
    add(engine.store, "c")
    do.delete(["c"])
    add(engine.store, "c")
    assert do.undo(["c", film])[1] == [film], "runs that cannot come back hold no film back"
    assert "made anew" in warned.pop()


def test_strangers_delete_what_they_made_for_good(tmp_path: Path) -> None:
    engine = Engine(tmp_path, public=True)
    store: Any = engine.store
    add(store, "everybodys", facts={"dataset_facts": {"source": "demo:digits"}})
    for name, runs in (("one", ("mine", "too")), ("two", ("theirs", "both")), ("one", ("both",))):
        store.who = lambda name=name: Visitor((name,))
        for run in runs:
            add(store, run)
    do = Runs(engine, [])
    for ids, allowed in (
        ([], False), (["mine"], True), (["mine", "both"], True), (["theirs"], False), (["mine", "theirs"], False),
        (["everybodys"], False), (["../runs/mine"], False), ([WATCHED + "w"], False), (["gone"], False),
    ):  # fmt: skip
        assert enabled(do.buttons(ids))[3] is allowed, ids
    assert {row["id"] for row in do.table()["rows"] if row.get("others")} == {"everybodys"}
    assert do.ask(["mine"])[3]["forever"] is True
    for ids in (["mine", "theirs"], ["everybodys"], ["../runs/mine"], [WATCHED + "w"]):
        with pytest.raises(InputError, match="made yourself"):
            do.delete(ids)
    assert Store(tmp_path).has("mine"), "all or none"
    with store.draft("mine"), pytest.raises(InputError, match="being worked on"):
        do.delete(["mine"])
    table, chosen, gone, undo = do.delete(["mine", "both"])
    assert (chosen, gone, undo.visible) == ([], [], False)
    assert {row["id"] for row in table["rows"]} == {"everybodys", "too"}
    assert not Store(tmp_path).has("mine")
    assert discarded(store) == []
    store.who = lambda: Visitor(("two",))
    assert {r.id for r in store.runs()} == {"everybodys", "theirs", "both"}, "what another made, too, stays his"
    with pytest.raises(InputError, match="public server"):
        do.undo(["mine"])


def test_strangers_change_nothing(tmp_path: Path) -> None:
    engine = Engine(tmp_path, public=True)
    add(engine.store, "a")
    for refused in (
        lambda: Runs(engine, []).delete(["a"]),
        lambda: Labels(engine, list).save(["a"], "x", "y", []),
        lambda: Disk(engine, list).look(["oldest"], 0, 0, []),
        lambda: Disk(engine, list).remove([], ["oldest"], 0, 0, []),
    ):
        with pytest.raises(InputError, match="public server"):
            refused()
    assert engine.store.has("a")
    page = json.dumps(build(engine).get_config_file(), default=str)
    for part in ("runs-title", "runs-disk", "runs-remove", "runs-look"):
        assert part not in page


def test_the_report_of_the_chosen_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    add(engine.store, "a")
    asked = []
    share: Any = types.ModuleType("dashboard.tabs.compare_share")
    share.report_file = lambda _, ids: asked.append(ids) or "/somewhere/report.html"
    monkeypatch.setitem(sys.modules, "dashboard.tabs.compare_share", share)
    assert Runs(engine, []).report(["a", "gone"]) == "/somewhere/report.html"
    assert asked == [["a"]]
    with pytest.raises(InputError, match="Choose a run"):
        Runs(engine, []).report([])


def test_naming_one_and_tagging_several(engine: Engine) -> None:
    for day, name in enumerate("ab", 1):
        add(engine.store, name, day=day)
    rows = Runs(engine, []).table
    do = Labels(engine, rows)
    table, title, tags, *_ = do.save(["a"], "  Mine ", "x, y", [])
    assert (title.value, tags.value, table["chosen"]) == ("Mine", "x, y", ["a"])
    set_label(engine.store, "b", tags="y, z")
    title, tags, save, shared, facts = do.shown(["a", "b"])
    assert (title.interactive, tags.value, save.interactive, shared, facts) == (False, "y", True, ["y"], "")
    do.save(["a", "b"], "ignored", "w", shared)
    assert engine.store.get("a").tags == ("x", "w")
    assert engine.store.get("b").tags == ("z", "w")
    assert engine.store.get("b").title == ""
    assert [label for label, _ in run_choices(engine.store.runs())] == ["m · d", "Mine · d"]
    with pytest.raises(InputError, match="up to 120"):
        do.save(["a"], "x" * 10_000, "", [])
    assert engine.store.get("a").title == "Mine"
    with pytest.raises(InputError, match="Choose a run"):
        do.save([WATCHED + "w"], "x", "", [])


def test_facts_are_text(engine: Engine) -> None:
    run = add(engine.store, "a", model="<script>", facts={"dataset_facts": {"source": "<b>"}})
    assert "<script>" not in facts_html(run)
    assert "&lt;script&gt;" in facts_html(run)
    assert facts_html(None) == ""


def test_the_form_says_how_a_run_was_made(made: Path) -> None:
    engine = Engine(made)
    run = engine.store.runs()[0]
    about, form, model, precision, limit, batch, degrade, more = Again(engine, list).prefilled([run.id])
    assert run.dataset in about.value
    assert (form.visible, model.value, precision.value) == (True, run.model, "fp32")
    assert (limit.value, batch.value, degrade.visible, more.value) == (100, 32, False, "")
    assert {"digits_linear", "digits_cnn"} <= {value for _, value in model.choices}
    for ids in ([], [run.id, run.id], ["gone"], [WATCHED + "w"]):
        assert Again(engine, list).prefilled(ids)[1].visible is False


def test_run_again_with_a_change(made: Path, request_: Any) -> None:
    engine = Engine(made)
    run = next(r for r in engine.store.runs() if r.model == "digits_linear")
    do = Again(engine, Runs(engine, []).table, ["classification"])
    job_id, *_, shared, _ = do.start([run.id], "digits_cnn", "fp32", 50, 8, None, "", request_)
    assert shared == job_id, "the tab of the task shows it, too"
    job = engine.jobs.get(job_id)
    assert job is not None
    engine.jobs.wait(job, 60)
    assert job.state == "done", job.error
    new = engine.store.get(job.run_ids[0])
    assert (new.model, new.samples, new.dataset) == ("digits_cnn", 50, run.dataset)
    table, chosen = do.ended(job_id)
    assert chosen == [new.id] == table["chosen"]
    with pytest.raises(InputError, match="Choose a model"):
        do.start([run.id], " ", "fp32", 0, 0, None, "", request_)
    with pytest.raises(InputError, match="KEY=VALUE"):
        do.start([run.id], "digits_cnn", "fp32", 0, 0, None, "nonsense", request_)
    with pytest.raises(InputError, match="Did you mean"):
        do.start([run.id], "digits_cn", "fp32", 0, 0, None, "", request_)


def test_predictions_that_were_taken_away_come_back_when_run_again(made: Path, request_: Any) -> None:
    engine = Engine(made)
    run = next(r for r in engine.store.runs() if r.model == "digits_linear" and r.samples == 100)
    disk = Disk(engine, Runs(engine, []).table)
    going, seen, remove = disk.look(["predictions"], 7, 10, [run.id])
    assert (going["going"], remove.visible) == (1, True)
    assert run.predictions_path.exists(), "looking takes nothing away"
    disk.remove(seen, ["predictions"], 7, 10, [run.id])
    assert not run.predictions_path.exists()
    do = Again(engine, list)
    job_id = do.start([run.id], "digits_linear", "fp32", 100, 0, None, "", request_)[0]
    job = engine.jobs.get(job_id)
    assert job is not None
    engine.jobs.wait(job, 60)
    assert job.run_ids == [run.id]
    again = engine.store.get(run.id)
    assert again.predictions_path.exists()
    assert (again.metrics["top1"], again.facts.get("predictions_removed")) == (run.metrics["top1"], None)


def test_data_that_is_gone_is_named(engine: Engine, request_: Any) -> None:
    add(engine.store, "a", facts={"dataset_facts": {"source": "/no/such/folder"}})
    with pytest.raises(InputError, match="/no/such/folder does not exist"):
        Again(engine, list).start(["a"], "digits_cnn", "fp32", 0, 0, None, "", request_)


def test_only_what_was_shown_goes(engine: Engine) -> None:
    for day, name in enumerate("abc", 1):
        add(engine.store, name, day=day, size=1000)
    do = Disk(engine, Runs(engine, []).table)
    going, seen, remove = do.look(["oldest", "trash"], 7, 0, [])
    assert (going["going"], remove.visible) == (3, True)
    set_label(engine.store, "a", tags="keep")  # meanwhile
    add(engine.store, "d", day=4)
    use, nothing, *_ = do.remove(seen, ["oldest", "trash"], 7, 0, [])
    assert [run.id for run in engine.store.runs()] == ["d", "a"]
    assert nothing is None
    assert next(row["count"] for row in use["rows"] if row["key"].endswith(".runs")) == 2


@pytest.mark.parametrize(
    ("kinds", "days", "size", "ids", "says"),
    [
        (["unfinished"], -1, 0, [], "days"),
        (["unfinished"], None, 0, [], "days"),
        (["oldest"], 7, None, [], "gigabytes"),
        (["predictions"], 7, 0, [], "Choose runs"),
    ],
)
def test_prune_settings_that_make_no_sense(
    engine: Engine, kinds: list[str], days: Any, size: Any, ids: list[str], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        Disk(engine, list).look(kinds, days, size, ids)


def test_what_goes_with_a_run_is_not_counted_twice(engine: Engine) -> None:
    run = add(engine.store, "a", size=1000)
    going, seen, _ = Disk(engine, list).look(["predictions", "oldest"], 7, 0, ["a"])
    assert (going["going"], seen) == (1, [str(run.path)])
    assert going["total"] == size_of(run.path)


def test_measurements_of_pictures_can_go(engine: Engine) -> None:
    (engine.store.root / "pictures").mkdir(parents=True)
    (engine.store.root / "pictures" / "attributes-0.parquet").touch()
    do = Disk(engine, Runs(engine, []).table)
    seen = do.look(["pictures"], 7, 0, [])[1]
    do.remove(seen, ["pictures"], 7, 0, [])
    assert list((engine.store.root / "pictures").iterdir()) == []


def test_every_part_of_the_disk_has_words(engine: Engine, tmp_path: Path) -> None:
    for row in disk_data(disk_use(engine.store, tmp_path, tmp_path))["rows"]:
        assert row["key"] in STRINGS
    for kind in KINDS:
        assert f"ui.hist.prune.{kind}" in STRINGS
        assert f"ui.hist.kind.{kind}" in STRINGS


def test_nothing_asked_nothing_goes(engine: Engine) -> None:
    add(engine.store, "a")
    discard(engine.store, ["a"])
    going, seen, remove = Disk(engine, list).look([], 7, 0, [])
    assert (going["going"], seen, remove.visible) == (0, [], False)
    assert discarded(engine.store) == ["a"]
    assert isinstance(Disk(engine, list).forget()[2], gr.Button)
