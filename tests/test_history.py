"""The history: titles and tags, finding, the trash, what the disk holds and what may go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import naming, pruning
from dashboard.disk import write_json
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.history import FIGURES, VIDEO, WATCHED, disk_data, going_data, history_data
from dashboard.finishing import out_of_date, refresh
from dashboard.history import change_tags, discard, discarded, empty_trash, find, restore, search_text, set_label
from dashboard.naming import clean_tags, clean_title, label_of, read_label
from dashboard.printing import run_json
from dashboard.store import Run, Store
from dashboard.watching_stored import everything
from tests.fakes import FakeAdapter, FakeDataset

QUICK = Settings(latency=False)
OLD = time.time() - 30 * 86_400


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def add(store: Store, run_id: str, model: str = "m", dataset: str = "d", day: int = 1, size: int = 0, **more) -> Run:
    """A run of numbers; ``size`` bytes of predictions if not 0."""
    with store.draft(run_id) as draft:
        if size:
            (draft.path / "predictions.parquet").write_bytes(b"x" * size)
        created = f"2026-01-{day:02d}T00:00:00.000+00:00"
        facts = {"task": "classification", "metrics": {"top1": 0.5}} | more
        return draft.finish(Run(id=run_id, model=model, dataset=dataset, samples=3, created_at=created, **facts))


def add_watched(store: Store, name: str, source: str = "demo:tracks") -> None:
    facts = {"schema": 1, "kind": "labels", "model": "lite", "dataset": "clip", "class_names": ["a"], "timing": {}}
    folder = store.root / "watched" / name
    folder.mkdir(parents=True)
    write_json(folder / "watched.json", facts | {"frames": 7, "dataset_facts": {"source": source}})


def age(*paths: Path) -> None:
    for path in paths:
        for place in [path, *path.rglob("*")]:
            os.utime(place, (OLD, OLD))


# Titles and tags


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("  my   run ", "my run"),
        ("two\nlines\t", "two lines"),
        ("\x1b[31mred\x00", "[31mred"),
        ("right\u202eleft", "right left"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("家\u200d族", "家\u200d族"),
        ("e\u0301", "é"),
        ("", ""),
    ],
)
def test_a_title_is_one_visible_line(given, title):
    assert clean_title(given) == title


def test_a_title_that_is_too_long_is_refused():
    assert clean_title("x" * 120) == "x" * 120
    with pytest.raises(InputError, match="up to 120 characters, this one has 10,000"):
        clean_title("x" * 10_000)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ("a, b ,,c", ("a", "b", "c")),
        ("#final, Final", ("final",)),
        ("甲，乙、丙", ("甲", "乙", "丙")),
        (["one two", "x,y"], ("one two", "x y")),
        ("", ()),
        (" , #, ", ()),
    ],
)
def test_tags_from_what_people_type(given, tags):
    assert clean_tags(given) == tags


def test_too_many_or_too_long_tags_are_refused():
    with pytest.raises(InputError, match="up to 20 tags, not 21"):
        clean_tags([str(k) for k in range(21)])
    with pytest.raises(InputError, match=r"up to 40 characters.*put commas"):
        clean_tags("x" * 41)


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=6))
def test_what_is_clean_stays_as_it_is(title, tags):
    assert clean_title(clean_title(title)) == clean_title(title)
    assert clean_title(title).isprintable() or any(c in clean_title(title) for c in "\u200c\u200d")
    once = clean_tags(tags)
    assert clean_tags(once) == once
    assert clean_tags(", ".join(once)) == once, "as the page shows and sends them"


def test_labels_stand_beside_the_record_and_are_read_with_it(store):
    add(store, "a")
    before = (store.root / "runs" / "a" / "run.json").read_bytes()
    run = set_label(store, "a", "Best so far", "final, v2")
    assert (run.title, run.tags) == ("Best so far", ("final", "v2"))
    assert (store.root / "runs" / "a" / "run.json").read_bytes() == before
    assert store.runs()[0] == store.get("a") == run
    assert label_of(run) == "Best so far"
    assert label_of(run, titled=False) == "m"
    assert set_label(store, "a", title="").tags == ("final", "v2"), "only what is given changes"
    assert set_label(store, "a", tags=()).title == ""
    assert not (store.root / "runs" / "a" / "label.json").exists(), "nothing to say, no file"
    assert run_json(run)["title"] == "Best so far"
    assert run_json(run)["tags"] == ["final", "v2"]


def test_tags_of_several_runs_change_while_their_others_stay(store):
    add(store, "a")
    add(store, "b")
    set_label(store, "a", tags="x, old")
    set_label(store, "b", title="B", tags="Old, y")
    change_tags(store, ["a", "b"], add="new", drop="old")
    assert store.get("a").tags == ("x", "new")
    assert store.get("b").tags == ("y", "new")
    assert store.get("b").title == "B"
    set_label(store, "b", tags=[str(k) for k in range(20)])
    with pytest.raises(InputError, match="up to 20"):
        change_tags(store, ["a", "b"], add="one more")
    assert store.get("a").tags == ("x", "new"), "none is written unless all can be"


def test_labels_outlive_scoring_anew_and_evaluating_anew(store):
    data, model = FakeDataset(), FakeAdapter()
    run = evaluate(model, data, store, QUICK)
    set_label(store, run.id, "Mine", "keep")
    assert refresh(store, store.get(run.id)).title == "Mine"
    again = evaluate(model, data, store, Settings(latency=False, restart=True))
    assert (again.id, again.title, again.tags) == (run.id, "Mine", ("keep",))
    assert "Mine" not in (again.path / "run.json").read_text()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"t"', '{"title": 5, "tags": 7}', '{"tags": [["x"]]}', "\udcff", "[" * 100_000],
)
def test_a_damaged_label_is_as_good_as_none(store, text):
    add(store, "a")
    (store.root / "runs" / "a" / "label.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    run = store.get("a")
    assert run.model == "m"
    assert len(run.title) <= naming.MOST_TITLE
    assert set_label(store, "a", title="well again").title == "well again"


def test_a_label_from_elsewhere_is_cleaned(store):
    add(store, "a")
    hostile = {"title": "\x1b]0;" + "x" * 10_000, "tags": ["<img src=x onerror=alert(1)>", "a\nb"]}
    (store.root / "runs" / "a" / "label.json").write_text(json.dumps(hostile))
    assert store.get("a").title in ("", "]0;" + "x" * 117)
    assert all(tag.isprintable() for tag in store.get("a").tags)


def test_two_processes_that_tag_at_once_both_succeed(store):
    add(store, "a")
    code = (
        "import sys; from dashboard.history import change_tags; from dashboard.store import Store\n"
        "for k in range(8): change_tags(Store(sys.argv[1]), ['a'], add=f'{sys.argv[2]}{k}')"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(store.root), name]) for name in "pq"]
    assert [w.wait(60) for w in workers] == [0, 0]
    assert sorted(store.get("a").tags) == sorted(f"{name}{k}" for name in "pq" for k in range(8))


def test_a_store_that_cannot_be_written_says_so(store, monkeypatch):
    add(store, "a")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(store.root))

    monkeypatch.setattr("dashboard.history.write_json", refuse)
    with pytest.raises(InputError, match="cannot be written"):
        set_label(store, "a", "x")
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InputError, match="cannot be written"):
        discard(store, ["a"])
    assert store.has("a")


def test_a_run_that_is_gone_gets_no_label(store):
    with pytest.raises(InputError, match="No run is called 'b'"):
        set_label(store, "b", "x")


# Finding


def test_found_by_every_word_wherever_it_stands(store):
    add(store, "a", "resnet18", "cats", 3)
    add(store, "b", "resnet50", "dogs", 4)
    set_label(store, "b", "Baseline", "final")
    runs = store.runs()

    def found(text):
        return [run.id for run in find(runs, text)]

    assert found("") == ["b", "a"]
    assert found("RESNET") == ["b", "a"]
    assert found("resnet dogs") == ["b"]
    assert found("resnet18 dogs") == []
    assert found("#final") == found("baseline") == found("2026-01-04") == ["b"]
    assert found("classification") == ["b", "a"]
    assert "resnet50" in search_text(store.get("b")), "a title does not hide the model"


def test_the_rows_of_the_list(store):
    add(store, "a", size=1000)
    add(store, "p", task="profile", metrics={"params": 5e6, "latency_ms": None})
    add_watched(store, "w")
    data = history_data(store.runs(), everything(store), ["a"])
    rows = {row["id"]: row for row in data["rows"]}
    assert set(rows) == {"a", "p", WATCHED + "w"}
    assert rows["a"]["metrics"]["top1"] == 0.5
    assert rows["a"]["size"] > 1000
    assert rows["p"]["metrics"] == {"params": 5e6, "macs": None, "latency_ms": None, "throughput_per_s": None}
    assert rows[WATCHED + "w"]["task"] == VIDEO
    assert rows[WATCHED + "w"]["n"] == 7
    assert data["chosen"] == ["a"]
    assert set(data["figures"]) == set(FIGURES)
    json.dumps(data, allow_nan=False)


# The trash


def test_deleted_runs_come_back_as_they_were(store):
    add(store, "a", size=10)
    add(store, "b")
    before = store.get("a")
    assert discard(store, ["a", "b", "a", "none"]) == ["a", "b"]
    assert store.runs() == []
    assert set(discarded(store)) == {"a", "b"}
    assert restore(store, ["a"]) == ["a"]
    assert store.get("a") == before
    assert before.predictions_path.stat().st_size == 10
    assert discarded(store) == ["b"]
    empty_trash(store)
    with pytest.raises(InputError, match="not in the trash"):
        restore(store, ["b"])


def test_what_was_watched_goes_and_comes_back(store):
    add_watched(store, "w")
    assert discard(store, ["w"], "watched") == ["w"]
    assert everything(store) == []
    assert restore(store, ["w"], "watched") == ["w"]
    assert [w.id for w in everything(store)] == ["w"]


def test_a_run_made_anew_meanwhile_is_not_overwritten(store):
    add(store, "a", day=1)
    discard(store, ["a"])
    add(store, "a", day=2)
    with pytest.raises(InputError, match="made anew meanwhile"):
        restore(store, ["a"])
    assert store.get("a").created_at.startswith("2026-01-02")
    assert discarded(store) == ["a"]
    add(store, "b")
    discard(store, ["b"])
    assert restore(store, ["a", "b", "none"]) == ["b"], "what can come back does"
    discard(store, ["a"])
    restore(store, ["a"])
    assert store.get("a").created_at.startswith("2026-01-02"), "the later one is in the trash"


def test_the_trash_empties_itself_after_a_week(store):
    for name in "abc":
        add(store, name)
    discard(store, ["a"])
    os.utime(store.root / "trash" / "runs" / "a", (OLD, OLD))
    discard(store, ["b"])
    assert discarded(store) == ["b"]


@pytest.mark.parametrize("name", ["", "..", "../runs/a", "/etc", "a/b", "x" * 5000])
def test_names_lead_nowhere_else(store, name):
    add(store, "a")
    for work in (discard, restore):
        with pytest.raises(InputError):
            work(store, [name])
    with pytest.raises(InputError):
        discard(store, [name], "watched")
    assert store.has("a")


# Disk


def test_the_disk_is_added_up(store, tmp_path):
    add(store, "a", size=1000)
    add_watched(store, "w")
    films = tmp_path / "films"
    films.mkdir()
    (films / "one.mp4").write_bytes(b"x" * 50)
    uses = {use.name: use for use in pruning.disk_use(store, films, tmp_path / "none")}
    assert uses["runs"].count == uses["watched"].count == uses["films"].count == 1
    assert uses["runs"].bytes == 1000 + (store.root / "runs" / "a" / "run.json").stat().st_size
    assert uses["films"].bytes == 50
    assert (uses["archives"].bytes, uses["archives"].count) == (0, 0)
    assert disk_data(list(uses.values()))["total"] == sum(use.bytes for use in uses.values())


def test_links_are_not_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "big").write_bytes(b"x" * 9999)
    near = tmp_path / "near"
    near.mkdir()
    (near / "link").symlink_to(tmp_path / "far")
    (near / "self").symlink_to(near)
    assert pruning.size_of(near) < 1000
    assert pruning.size_of(tmp_path / "none") == 0


def test_unfinished_runs_go_when_old_and_idle(store):
    for name in ("old", "new", "busy"):
        (store.root / "unfinished" / name).mkdir(parents=True)
        (store.root / "unfinished" / name / "part-000000.parquet").write_bytes(b"x" * 10)
    age(store.root / "unfinished" / "old", store.root / "unfinished" / "busy")
    with store.draft("busy"):
        going = pruning.unfinished(store, 7)
        assert [thing.name for thing in going] == ["old"]
        assert {thing.name for thing in pruning.unfinished(store, 0)} == {"old", "new"}
    going = pruning.unfinished(store, 7)
    assert {thing.name for thing in going} == {"old", "busy"}
    with store.draft("busy"):  # somebody goes on with it between the look and the click
        assert pruning.remove(store, going) == 10
    assert sorted(p.name for p in (store.root / "unfinished").iterdir()) == ["busy", "new"]


def test_predictions_go_and_numbers_stay(store):
    data, model = FakeDataset(), FakeAdapter()
    run = evaluate(model, data, store, QUICK)
    set_label(store, run.id, "Mine")
    size = run.predictions_path.stat().st_size
    going = pruning.predictions(store, [run.id])
    assert [thing.bytes for thing in going] == [size]
    assert pruning.remove(store, going) == size
    bare = store.get(run.id)
    assert (bare.metrics, bare.title, bare.samples) == (run.metrics, "Mine", run.samples)
    assert list(bare.results()) == list(run.results())
    assert not bare.predictions_path.exists()
    assert not out_of_date(bare), "nobody tries to compute from what is gone"
    assert evaluate(model, data, store, QUICK).metrics == run.metrics
    assert pruning.predictions(store, [run.id]) == []
    assert pruning.remove(store, going) == 0


def test_videos_stay_while_anything_is_about_them(store):
    folders = {}
    for name in ("run", "watched", "trashed", "nobody", "young"):
        folders[name] = store.root / "videos" / name
        folders[name].mkdir(parents=True)
        (folders[name] / "clip.mp4").write_bytes(b"x" * 20)
    age(*(folder for name, folder in folders.items() if name != "young"))
    add(store, "r", task="tracking", facts={"dataset_facts": {"source": str(folders["run"] / "clip.mp4")}})
    add(store, "t", task="tracking", facts={"dataset_facts": {"source": str(folders["trashed"] / "clip.mp4")}})
    add_watched(store, "w", str(folders["watched"] / "clip.mp4"))
    discard(store, ["t"])
    assert [thing.path.name for thing in pruning.unused_videos(store)] == ["nobody"]
    discard(store, ["w"], "watched")
    assert [thing.path.name for thing in pruning.unused_videos(store)] == ["nobody"]
    empty_trash(store)
    going = pruning.unused_videos(store)
    assert {thing.path.name for thing in going} == {"nobody", "trashed", "watched"}
    assert pruning.remove(store, going) == 60
    assert sorted(p.name for p in (store.root / "videos").iterdir()) == ["run", "young"]


def test_videos_stay_while_a_run_is_unfinished(store):
    folder = store.root / "videos" / "nobody"
    folder.mkdir(parents=True)
    (folder / "clip.mp4").write_bytes(b"x")
    age(folder)
    (store.root / "unfinished" / "r").mkdir(parents=True)
    assert pruning.unused_videos(store) == [], "the run may be about it"
    (store.root / "unfinished" / "r").rmdir()
    assert [thing.path for thing in pruning.unused_videos(store)] == [folder]


def test_what_was_measured_of_pictures_is_counted_and_goes(store):
    assert pruning.measurements(store) == []
    folder = store.root / "pictures"
    folder.mkdir(parents=True)
    (folder / "attributes-0a.parquet").write_bytes(b"x" * 30)
    (folder / "attributes-0b.12.tmp").write_bytes(b"x" * 5)
    use = next(use for use in pruning.disk_use(store) if use.name == "pictures")
    assert (use.bytes, use.count) == (35, 2)
    going = pruning.measurements(store)
    assert {thing.path.name for thing in going} == {"attributes-0a.parquet", "attributes-0b.12.tmp"}
    assert pruning.remove(store, going) == 35
    assert list(folder.iterdir()) == []
    assert pruning.remove(store, going) == 0


def test_runs_that_only_a_profile_has_tagged_go_like_others(store):
    add(store, "a", day=1)
    add(store, "b", day=2)
    set_label(store, "a", tags=[naming.BY_PROFILE])
    set_label(store, "b", tags=[naming.BY_PROFILE, "keep"])
    assert [thing.path.name for thing in pruning.oldest(store, 0)] == ["a"]


def test_the_oldest_go_first_and_labelled_ones_stay(store):
    for day, name in enumerate(("a", "b", "c", "d"), 1):
        add(store, name, day=day, size=10_000)
    set_label(store, "a", tags="keep")
    total = sum(pruning.size_of(run.path) for run in store.runs())
    assert pruning.oldest(store, total) == []
    assert [thing.path.name for thing in pruning.oldest(store, total - 1)] == ["b"]
    going = pruning.oldest(store, 0)
    assert [thing.path.name for thing in going] == ["b", "c", "d"]
    pruning.remove(store, going[:2])
    assert [run.id for run in store.runs()] == ["d", "a"]
    assert pruning.remove(store, going[:1]) == 0, "gone already"


def test_the_trash_goes(store):
    add(store, "a", size=100)
    add_watched(store, "w")
    discard(store, ["a"])
    discard(store, ["w"], "watched")
    going = pruning.trash(store)
    shown = going_data(going)
    assert shown is not None
    assert (shown["going"], shown["total"]) == (2, pruning.remove(store, going))
    assert pruning.trash(store) == []
    assert going_data(None) is None


def test_nothing_outside_the_store_is_taken_away(store, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="not inside"):
        pruning.remove(store, [pruning.Going("trash", "x", tmp_path / "mine", 0)])
    assert (tmp_path / "mine").exists()


def test_a_list_that_others_change_is_right_every_time(store):
    add(store, "a")
    assert [run.id for run in store.runs()] == ["a"]
    other = Store(store.root)
    add(other, "b", day=2)
    assert [run.id for run in store.runs()] == ["b", "a"]
    other.delete("a")
    set_label(other, "b", "B")
    assert [(run.id, run.title) for run in store.runs()] == [("b", "B")]
    file = store.root / "runs" / "b" / "run.json"
    for samples in range(5):  # within one tick of the clock
        write_json(file, json.loads(file.read_text()) | {"samples": samples})
        assert store.runs()[0].samples == samples


def test_a_label_that_is_old_is_remembered_until_it_changes(store, monkeypatch):
    folder = add(store, "a").path
    set_label(store, "a", "first")
    os.utime(folder / "label.json", (OLD, OLD))
    assert read_label(folder)[0] == "first"
    reads = []
    monkeypatch.setattr(naming, "_read", lambda file: reads.append(file) or ("second", ()))
    assert read_label(folder)[0] == "first"
    assert reads == []
    os.utime(folder / "label.json", (OLD + 1, OLD + 1))
    assert read_label(folder)[0] == "second"
