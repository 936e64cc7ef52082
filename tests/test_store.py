"""The store: runs whole or not at all, several users at once, damage and full disks said in one sentence."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dashboard.disk import friendly_os_errors, jsonable, write_json
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.run import facts_of
from dashboard.store import Run, Store, run_id_for
from tests.fakes import FakeAdapter, FakeDataset

QUICK = Settings(latency=False)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def add_run(store: Store, run_id: str, **facts) -> Run:
    """A small run without files beside run.json."""
    with store.draft(run_id) as draft:
        run = Run(run_id, "classification", "m", "d", 3, {"top1": 0.5, "ece": None}, {"top1": (0.1, 0.9)}, **facts)
        return draft.finish(run)


def test_a_run_appears_whole(store):
    with store.draft("a_b_1") as draft:
        (draft.path / "rows.parquet").write_bytes(b"rows")
        (draft.path / "part-000000.parquet").write_bytes(b"part")
        assert store.runs() == []
        assert not store.has("a_b_1")
        assert store.unfinished("a_b_1")
        draft.finish(Run("a_b_1", "classification", "m", "d", 3, {}))
    folder = store.root / "runs" / "a_b_1"
    assert sorted(p.name for p in folder.iterdir()) == ["rows.parquet", "run.json"]
    assert [r.id for r in store.runs()] == ["a_b_1"]
    assert list((store.root / "unfinished").iterdir()) == []


def test_killed_at_the_last_moment_keeps_the_parts(store, monkeypatch):
    """Between the last file and the rename nothing may be lost yet."""

    def killed(*_):
        raise KeyboardInterrupt

    with store.draft("a_b_1") as draft:
        (draft.path / "part-000000.parquet").write_bytes(b"part")
        monkeypatch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            draft.finish(Run("a_b_1", "classification", "m", "d", 3, {}))
        monkeypatch.undo()
    assert store.unfinished("a_b_1")
    assert not store.has("a_b_1")


def test_round_trip(store):
    run = add_run(store, "a_b_1", facts={"notes": ["x", 1]}, timing={"wall_s": 1.5}, environment={"cpu": "c"})
    again = store.get("a_b_1")
    assert again == run
    assert again.metrics == {"top1": 0.5, "ece": None}
    assert again.intervals == {"top1": (0.1, 0.9)}
    assert again.path == store.root / "runs" / "a_b_1"


def test_newest_first_even_within_a_second(store):
    for i in range(5):
        add_run(store, f"r{9 - i}", created_at=f"2026-01-01T00:00:00.{i:03d}+00:00")
    assert [r.id for r in store.runs()] == ["r5", "r6", "r7", "r8", "r9"]
    assert "." in add_run(store, "now").created_at, "seconds alone do not order the runs of one command"


def test_task_filter(store):
    add_run(store, "a")
    assert store.runs("detection") == []
    assert len(store.runs("classification")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"text"',
        "3",
        "null",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "id": 3}',
        '{"schema": 1, "id": "a", "task": "t", "model": "m", "dataset": "d", "created_at": "x", "samples": 3, '
        '"metrics": [], "intervals": {}, "facts": {}, "timing": {}, "environment": {}}',
        '{"schema": 1, "id": "a", "task": "t", "model": "m", "dataset": "d", "created_at": 5, "samples": 3, '
        '"metrics": {}, "intervals": {}, "facts": {}, "timing": {}, "environment": {}}',
        '{"schema": 1, "id": "a", "task": "t", "model": "m", "dataset": "d", "created_at": "x", "samples": 3, '
        '"metrics": {}, "intervals": {"top1": null}, "facts": {}, "timing": {}, "environment": {}}',
    ],
)
def test_damaged_run_is_left_out_and_named(store, text):
    add_run(store, "good")
    add_run(store, "bad")
    (store.root / "runs" / "bad" / "run.json").write_text(text)
    assert [r.id for r in store.runs()] == ["good"]
    with pytest.raises(InputError, match=r"run\.json is damaged .*delete"):
        store.get("bad")
    store.delete("bad")
    assert not (store.root / "runs" / "bad").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"top1": "high"}},
        {"metrics": {"top1": {"a": 1}}},
        {"metrics": {"top1": True}},
        {"metrics": {"top1": 10**400}},
        {"intervals": {"top1": [0.1]}},
        {"intervals": {"top1": ["a", "b"]}},
        {"timing": {"latency_ms": [1]}},
        {"timing": {"latency_ms": {"p50": "fast"}}},
        {"timing": {"wall_s": [1]}},
        {"facts": {"dataset_facts": None}},
        {"facts": {"dataset_facts": ["a"]}},
        {"facts": {"dataset_facts": {"source": 3}}},
        {"facts": {"tracker": ["a"]}},
        {"facts": {"tracker": {"changed": ["a"]}}},
        {"facts": {"skipped": {"id": "a"}}},
    ],
)
def test_a_run_of_other_shapes_is_left_out_and_named(store, change):
    """Or one file edited by hand would take the whole page away."""
    add_run(store, "good")
    add_run(store, "bad")
    file = store.root / "runs" / "bad" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert [r.id for r in store.runs()] == ["good"]
    with pytest.raises(InputError, match=r"run\.json is damaged .*delete"):
        store.get("bad")


def test_binary_garbage(store):
    add_run(store, "bad")
    (store.root / "runs" / "bad" / "run.json").write_bytes(b"\xff\xfe\x00garbage")
    assert store.runs() == []


def test_newer_schema_is_refused(store):
    add_run(store, "a")
    path = store.root / "runs" / "a" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(InputError, match="newer"):
        store.get("a")


def test_damaged_results_and_classes_are_named(store):
    run = evaluate(FakeAdapter(), FakeDataset(10), store, QUICK)
    (run.path / "results.npz").write_bytes(b"PK\x03\x04 no")
    (run.path / "classes.json").write_text("[")
    with pytest.raises(InputError, match=r"results\.npz is missing or damaged"):
        replace(run, created_at="other").results()
    with pytest.raises(InputError, match=r"classes\.json is missing or damaged"):
        _ = replace(run, created_at="other").classes
    (run.path / "classes.json").write_text('{"names": ["a", 3], "ids": []}')
    with pytest.raises(InputError, match=r"classes\.json is missing or damaged"):
        _ = run.classes


@pytest.mark.parametrize(
    "run_id", ["..", "../x", "a/../../x", "/etc", "", ".hidden", "a\0b", "a b", "x" * 500, "-rf", "a\n"]
)
def test_ids_cannot_leave_the_store(store, run_id, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "run.json").write_text("{}")
    assert not store.has(run_id)
    with pytest.raises(InputError, match="No run is called"):
        store.get(run_id)
    with pytest.raises(InputError, match="No run is called"):
        store.delete(run_id)
    with pytest.raises(ValueError, match="run_id"), store.draft(run_id):
        pass
    assert (tmp_path / "x" / "run.json").exists()


def test_unknown_id_suggests(store):
    add_run(store, "digits_cnn_1")
    with pytest.raises(InputError, match="Did you mean 'digits_cnn_1'"):
        store.get("digits_cnn_2")


def test_delete(store):
    add_run(store, "a")
    add_run(store, "b")
    store.delete("a")
    assert [r.id for r in store.runs()] == ["b"]
    assert list((store.root / "unfinished").iterdir()) == []
    with pytest.raises(InputError):
        store.delete("a")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "模型", "x" * 300, "...", "", "a\nb", "-"])
def test_run_ids_are_folder_names(store, name):
    run_id = run_id_for(name, name, {"a": 1})
    assert len(run_id) < 150
    with store.draft(run_id) as draft:
        assert draft.path.parent == store.root / "unfinished"
    assert run_id == run_id_for(name, name, {"a": 1})
    assert run_id != run_id_for(name, name, {"a": 2})


def test_second_drafter_in_a_thread_gets_one_sentence(store):
    problems = []

    def other():
        try:
            with store.draft("a"):
                pass
        except InputError as error:
            problems.append(str(error))

    with store.draft("a"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with store.draft("b"):
            pass
    assert len(problems) == 1
    assert "being worked on already" in problems[0]
    with store.draft("a"):
        pass


def test_second_drafter_in_a_process_gets_one_sentence(store):
    code = (
        "import sys\nfrom dashboard.errors import InputError\nfrom dashboard.store import Store\n"
        "try:\n    with Store(sys.argv[1]).draft('a'): print('mine')\n"
        "except InputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    with store.draft("a"):
        there = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    after = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert "being worked on already" in there.stdout
    assert len(there.stdout.splitlines()) == 1
    assert after.stdout == "mine\n"


def test_an_empty_draft_leaves_nothing(store):
    with store.draft("a"):
        pass
    assert list((store.root / "unfinished").iterdir()) == []


def test_a_thousand_runs_read_small_files_only(store, monkeypatch):
    runs = store.root / "runs"
    for i in range(1000):
        folder = runs / f"run-{i:04d}"
        folder.mkdir(parents=True)
        run = Run(folder.name, "classification", "m", "d", 3, {"top1": 0.5}, path=folder)
        write_json(folder / "run.json", facts_of(run))
        for heavy in ("results.npz", "predictions.parquet", "rows.parquet", "classes.json"):
            (folder / heavy).write_bytes(b"not to be read")
    opened: list[str] = []
    sys.addaudithook(lambda event, a: opened.append(str(a[0])) if event == "open" and watching else None)
    watching = True
    found = store.runs()
    watching = False
    assert len(found) == 1000
    mine = [name for name in opened if str(runs) in name]
    assert len(mine) == 1000
    assert all(name.endswith("run.json") for name in mine)


def test_store_that_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="is a file"):
        Store(tmp_path / "f")


@pytest.mark.parametrize("root", ["x" * 5000, "~nobody-of-this-name/x"])
def test_store_that_is_no_path(root):
    with pytest.raises(InputError, match=r"no usable path|is a file"), Store(root).draft("a"):
        pass


def test_store_below_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="cannot be written"), Store(tmp_path / "f" / "store").draft("a"):
        pass


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "cannot be written")]
)
def test_read_only_and_full_disks(tmp_path, monkeypatch, code, words):
    def fail(*_, **__):
        raise OSError(code, "no")

    store = Store(tmp_path / "store")
    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(InputError, match=words), store.draft("a"):
        pass


def test_other_os_errors_are_not_hidden(tmp_path):
    with pytest.raises(OSError, match="strange"), friendly_os_errors(tmp_path):
        raise OSError(errno.EBADF, "strange")


def test_json_is_strict(tmp_path):
    value = {"a": np.float32("nan"), "b": [np.inf, -np.inf, 1.5], "c": np.arange(3), "d": Path("x"), 5: np.int64(2)}
    write_json(tmp_path / "a.json", value | {"e": {3}, "f": np.bool_(True)})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "a": None, "b": [None, None, 1.5], "c": [0, 1, 2], "d": "x", "5": 2, "e": [3], "f": True,
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    json.dumps(jsonable({"x": float("nan")}), allow_nan=False)


def test_json_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(self, *_, **__):
        self.touch()
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="full"):
        write_json(tmp_path / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_found_where_the_data_went(store, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    dataset = FakeDataset(10)
    dataset.source = str(old)
    run = evaluate(FakeAdapter(), dataset, store, QUICK)
    assert run.facts["dataset_facts"]["source"] == str(old)
    old.rename(new)
    dataset.source = str(new)
    again = evaluate(FakeAdapter(), dataset, store, QUICK)
    assert again.facts["dataset_facts"]["source"] == str(new)
    assert store.get(run.id) == again
    assert replace(again, facts=run.facts) == run


def test_a_relative_source_is_kept_absolute(store, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    dataset = FakeDataset(10)
    dataset.source = "photos"
    run = evaluate(FakeAdapter(), dataset, store, QUICK)
    assert run.facts["dataset_facts"]["source"] == str(tmp_path / "photos")


@pytest.mark.parametrize("text", ['{"a":' + "[" * 100_000, "9" * 5000])
def test_json_made_to_break_the_reader(store, text):
    good, bad = add_run(store, "good"), add_run(store, "bad")
    (bad.path / "run.json").write_text(text)
    (good.path / "classes.json").write_text(text)
    assert [r.id for r in store.runs()] == ["good"]
    with pytest.raises(InputError, match="damaged"):
        store.get("bad")
    with pytest.raises(InputError, match="damaged"):
        _ = good.classes
