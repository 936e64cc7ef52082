"""Tracks made elsewhere, scored; tracking through the command line: contract names, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.cli import main
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.finishing import refresh
from dashboard.scoring import score
from dashboard.store import Store
from tests.datasets.films import film
from tests.datasets.pictures import zip_folder
from tests.fake_tracks import FakeTracks, expected, tracking
from tests.test_cli import assert_refused
from tests.test_tracking_runs import left_over, stored

CONTRACT = {
    *("MOTA", "MOTP", "IDF1", "IDP", "IDR", "HOTA", "DetA", "AssA", "LocA"),
    *("IDSW", "FP", "FN", "TP", "MT", "PT", "ML", "Frag"),
}
# frame, id, x, y, w, h: two walkers; one of them is found as two, the other in two of eight frames
TRUTH = [(t, k, 10 * k + t, 20, 12, 24) for t in range(1, 9) for k in (1, 4)]
FOUND = [(t, 7 if t < 5 else 9, 10 + t, 20, 12, 24) for t in range(1, 9)] + [(t, 5, 40 + t, 20, 12, 24) for t in (3, 4)]


def text(rows: list[tuple[int, ...]], tail: str = "1,-1,-1,-1") -> str:
    return "".join(f"{','.join(map(str, row))},{tail}\n" for row in rows)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def truth(tmp_path) -> Path:
    """Two sequences, A and B, of 8 frames each; their pictures are elsewhere."""
    for name in "AB":
        (tmp_path / "truth" / name / "gt").mkdir(parents=True)
        (tmp_path / "truth" / name / "gt" / "gt.txt").write_text(text(TRUTH))
    return tmp_path / "truth"


@pytest.fixture
def found(tmp_path) -> Path:
    """A tracker's output for A; B's file is empty."""
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "A.txt").write_text(text(FOUND, "0.9,-1,-1,-1"))
    (tmp_path / "found" / "B.txt").write_text("")
    return tmp_path / "found"


def opened(path: Path, **options: str) -> Any:
    return open_dataset(path, task="tracking", options=options, labels_only=True)


def test_numbers_by_hand(store, truth, found):
    run = score(opened(truth), found, store)
    assert (run.task, run.model, run.dataset, run.samples) == ("tracking", "found", "truth", 16)
    known = {"TP": 10, "FP": 0, "FN": 22, "IDSW": 1, "MT": 1, "PT": 1, "ML": 2, "Frag": 0, "MOTP": 1, "MOTA": 9 / 32}
    # of the identities, 4 frames of the walker who is two, and 2 of the other; 10 boxes were found of 32
    known |= {"IDP": 6 / 10, "IDR": 6 / 32, "IDF1": 12 / 42}
    assert {k: run.metrics[k] for k in known} == pytest.approx(known)
    assert set(run.metrics) >= CONTRACT
    assert "FPS" not in run.metrics  # nothing ran
    rows = stored(run)
    assert rows["id"][7:9] == ["A/000008", "B/000001"]
    assert not [name for name in rows if name.startswith("det_")]
    assert refresh(store, run).metrics == run.metrics


def test_the_same_again(store, truth, found, tmp_path):
    first = score(opened(truth), found, store)
    assert score(opened(truth), found, store).created_at == first.created_at
    zipped = score(opened(truth), zip_folder(found, tmp_path / "all.zip"), store, "zipped")
    assert (zipped.model, zipped.metrics) == ("zipped", first.metrics)
    (found / "B.txt").write_text(text(FOUND, "0.9,-1,-1,-1"))
    second = score(opened(truth), found, store)
    assert second.id != first.id
    assert second.metrics["TP"] == 20


def test_what_a_run_found_scored_as_a_file(store, tmp_path):
    """A run's tracks, written as MOTChallenge text and scored, have the run's own numbers."""
    data = FakeTracks()
    run = evaluate(tracking(), data, store, Settings(latency=False))
    rows, out = stored(run), tmp_path / "out"
    out.mkdir()
    lines: dict[str, list[str]] = {s.name: [] for s in data.sequences}
    for k, name in enumerate(rows["sequence"]):
        columns = [rows[f"found_{c}"][k] for c in ("track", "x0", "x1", "x2", "x3", "score", "class")]
        for track, x0, y0, x1, y1, sure, label in zip(*columns, strict=True):
            box = ",".join(repr(v) for v in (x0, y0, x1 - x0, y1 - y0, sure))
            lines[name].append(f"{rows['frame'][k] + 1},{track},{box},{label + 1}")
    for name, content in lines.items():
        (out / f"{name}.txt").write_text("\n".join(content))
    scored = score(data, out, store, "theirs")
    assert {k: scored.metrics[k] for k in CONTRACT} == pytest.approx({k: run.metrics[k] for k in CONTRACT})
    assert scored.metrics["IDSW"] == expected()["IDSW"]
    assert [stored(scored)[f"found_{c}"] for c in ("x0", "x3")] == [rows[f"found_{c}"] for c in ("x0", "x3")]


def test_the_first_frames(store, truth, found):
    run = score(opened(truth), found, store, limit=3)
    assert run.samples == 3
    assert (run.metrics["TP"], run.metrics["FN"]) == (4, 2)
    assert [s["name"] for s in run.facts["sequences"]] == ["A"]
    across = score(opened(truth), found, store, limit=10)
    assert (across.samples, across.metrics["TP"], across.metrics["FN"]) == (10, 10, 10)


def test_a_sequence_without_a_file(store, truth, found):
    (found / "B.txt").unlink()
    with pytest.raises(InputError, match=r"no file for 1 of 2 sequences: 'B'; add B\.txt"):
        score(opened(truth), found, store)
    run = score(opened(truth), found, store, settings={"partial": "true"})
    assert run.metrics["FN"] == 22
    assert "1 of 2 sequences have no file" in " ".join(run.facts["notes"]["import"])


class Partly(FakeTracks):
    """The truth of the second sequence is not known."""

    def __init__(self):
        super().__init__()
        self.targets[12:20] = [None] * 8
        self.fingerprint += " partly"


def test_a_sequence_without_truth_among_others(store, tmp_path):
    (tmp_path / "found").mkdir()
    for name in "abc":
        (tmp_path / "found" / f"{name}.txt").write_text("1,1,4,5,20,20,0.9,1\n")
    run = score(Partly(), tmp_path / "found", store)
    assert (run.samples, run.metrics["TP"], run.metrics["FP"]) == (32, 2, 0)
    assert [s["name"] for s in run.facts["sequences"]] == ["a", "c"]
    assert run.facts["notes"]["import"][-1] == "1 sequences without truth are left out: 'b'."


def test_what_is_wrong_leaves_nothing(store, truth, found):
    (found / "B.txt").write_text("9,1,10,10,20,20,1\n")
    with pytest.raises(InputError, match=r"B\.txt.*line 1.* 9 is past the last, 8"):
        score(opened(truth), found, store)
    assert store.runs() == []
    assert left_over(store) == []
    with pytest.raises(InputError, match="--set colour: scoring takes partial"):
        score(opened(truth), found, store, settings={"colour": "red"})
    with pytest.raises(InputError, match="--limit must be at least 1"):
        score(opened(truth), found, store, limit=0)


# --- the command line -----------------------------------------------------------------------------------------------

EVALUATE = ["evaluate", "--task", "tracking", "--model"]
QUIET = ["--quiet", "--json", "-"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """A store that has the first frames of the demo with one tracker."""
    root = tmp_path_factory.mktemp("cli") / "store"
    arguments = [*EVALUATE, "scenes_nano+sort", "--dataset", "demo:tracks", "--limit", "12", "--store", str(root)]
    assert main([*arguments, "--quiet"]) == 0
    return root


def test_json_of_an_evaluation(demo, capsys):
    arguments = [*EVALUATE, "scenes_nano+sort", "--model", "scenes_nano+iou", "--dataset", "demo:tracks"]
    assert main([*arguments, "--limit", "12", "--store", str(demo), "--set", "min_score=0.2", *QUIET]) == 0
    runs = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["runs"]
    assert [r["model"] for r in runs] == ["scenes_nano+sort", "scenes_nano+iou"]
    for run in runs:
        assert (run["task"], run["dataset"], run["samples"]) == ("tracking", "tracks", 12)
        assert set(run["metrics"]) >= CONTRACT | {"FPS"}
        assert run["metrics"]["FPS"] > 0
        assert list(run["per_class"]) == list("0123456789")
        assert set(run["per_class"]["0"]) >= CONTRACT
        unseen = [c for c in run["per_class"].values() if not c["support"]]
        assert unseen
        assert all(c["IDR"] is None for c in unseen)  # undefined is null
        (name,) = run["per_sequence"]
        assert run["per_sequence"][name]["frames"] == 12
        assert run["per_sequence"][name]["TP"] == run["metrics"]["TP"]
        assert {"wall_s", "model_s", "latency_ms"} <= set(run["timing"])
    (first,) = [r.id for r in Store(demo).runs() if "detections_of" not in r.timing]
    assert [r["timing"]["detections_of"] for r in runs] == [first, first]


def test_json_of_scoring(tmp_path, truth, found, capsys):
    arguments = ["score", "--task", "tracking", "--truth", str(truth), "--predictions", str(found)]
    assert main([*arguments, "--store", str(tmp_path / "s"), *QUIET]) == 0
    (run,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["runs"]
    assert set(run["metrics"]) >= CONTRACT
    assert "FPS" not in run["metrics"]
    assert (run["metrics"]["TP"], run["metrics"]["IDSW"]) == (10, 1)
    assert {k: v["TP"] for k, v in run["per_sequence"].items()} == {"A": 10, "B": 0}
    assert run["per_sequence"]["B"]["MOTP"] in (None, 0)
    assert len(run["per_class"]) == 1


def test_only_the_truth_of_one_sequence(tmp_path, truth, found, capsys):
    one = ["--truth", str(truth / "A" / "gt" / "gt.txt"), "--predictions", str(found / "A.txt")]
    assert main(["score", "--task", "tracking", *one, "--store", str(tmp_path / "s"), *QUIET]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["samples"], run["metrics"]["MOTA"]) == (8, pytest.approx(9 / 16))


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        ("scenes_small", [], ["scenes_small is a detector", "scenes_small+bytetrack"]),
        ("scenes_small+bytetrak", [], ["bytetrak", "Did you mean 'bytetrack'"]),
        ("scenes_smal+bytetrack", [], ["scenes_smal"]),
        ("digits_cnn+bytetrack", [], ["digits_cnn is a model for classification", "needs a detector"]),
        ("absent.pt+bytetrack", [], ["absent.pt"]),
        (
            "scenes_nano+bytetrack",
            ["--model", "scenes_nano+sort", "--set", "track_buffer=3"],  # before the first of them runs
            ["track_buffer", "scenes_nano+sort"],
        ),
        ("scenes_nano+bytetrack", ["--set", "track_bufer=3"], ["track_bufer", "Did you mean 'track_buffer'"]),
        ("scenes_nano+bytetrack", ["--set", "track_buffer=-1"], ["track_buffer must be a whole number in 0..1000"]),
        ("scenes_nano+bytetrack", ["--set", "track_buffer=2.5"], ["track_buffer must be a whole number", "'2.5'"]),
        ("scenes_nano+bytetrack", ["--set", "match_thresh=lots"], ["match_thresh must be a number in 0..1", "'lots'"]),
        ("scenes_nano+botsort", ["--set", "gmc_method=magic"], ["gmc_method must be", "'magic'"]),
        ("scenes_nano+botsort", ["--set", "with_reid=true"], ["with_reid", "appearance"]),
        ("scenes_nano+sort", ["--dataset", "demo:track"], ["Did you mean 'tracks'"]),
        ("scenes_nano+sort", ["--limit", "0"], ["--limit must be at least 1"]),
    ],
)
def test_mistakes_in_an_evaluation(tmp_path, capsys, model, more, words):
    arguments = [*EVALUATE, model, "--dataset", "demo:tracks", "--store", tmp_path / "store", *more]
    assert_refused(capsys, arguments, *words)
    assert not (tmp_path / "store" / "runs").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "no frames"])
def test_a_broken_video(tmp_path, capsys, damage):
    path = tmp_path / ("film.avi" if damage == "no frames" else "film.mp4")
    if damage == "no frames":
        film(path, count=3, options={"bf": "0"}, skip=3)
    else:
        content = film(path, count=8).read_bytes()
        path.write_bytes({"empty": b"", "text": b"no video at all", "cut": content[:-600]}[damage])
    assert_refused(capsys, [*EVALUATE, "scenes_nano+sort", "--dataset", path, "--store", tmp_path / "s"], path.name)
    assert not (tmp_path / "s" / "runs").exists()


def test_a_video_is_evaluated_without_a_truth(tmp_path, capsys):
    path = film(tmp_path / "film.mp4", count=10)
    arguments = [*EVALUATE, "scenes_nano+sort", "--dataset", str(path), "--store", str(tmp_path / "s")]
    assert main([*arguments, *QUIET]) == 0
    (run,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["runs"]
    assert (run["samples"], run["dataset"]) == (10, "film")
    assert {"births", "trk_counts", "FPS"} <= set(run["metrics"])
    assert not CONTRACT & set(run["metrics"])
    assert run["per_class"] == {}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"A": "1,1,10,10,20,20,1\n1,1,30,30,20,20,1\n", "B": ""}, ["A.txt", "line 2", "identity 1 stands twice"]),
        ({"A": "1,1,10,10\n", "B": ""}, ["A.txt", "line 1 has 4 columns"]),
        ({"A": "9,1,10,10,20,20,1\n", "B": ""}, ["A.txt", "line 1", "frame 9 is past the last, 8"]),
        ({"A": "", "C": "1,1,10,10,20,20,1\n"}, ["C.txt", "is of no sequence of the truth, which has 'A', 'B'"]),
        ({"A": "a,b,c\nhello there, you\n", "B": ""}, ["A.txt"]),
        ({"A": "1,1,10,10,-20,20,1\n", "B": ""}, ["A.txt", "line 1", "the width -20 is negative"]),
        ({}, ["found"]),
    ],
)
def test_mistakes_in_tracks(tmp_path, truth, capsys, files, words):
    (tmp_path / "found").mkdir()
    for name, content in files.items():
        (tmp_path / "found" / f"{name}.txt").write_text(content)
    arguments = ["score", "--task", "tracking", "--truth", truth, "--predictions", tmp_path / "found"]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "s"], *words)
    assert not (tmp_path / "s" / "runs").exists()
    assert left_over(Store(tmp_path / "s")) == []


def test_a_truth_that_is_none(tmp_path, found, capsys):
    path = film(tmp_path / "film.mp4", count=8)
    arguments = ["score", "--task", "tracking", "--truth", path, "--predictions", found / "A.txt"]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "s"], "film.mp4 has no truth to compare tracks with")


def test_a_truth_with_missing_columns(tmp_path, found, capsys):
    (tmp_path / "gt.txt").write_text("1,1,10,20\n")
    arguments = ["score", "--task", "tracking", "--truth", tmp_path / "gt.txt", "--predictions", found / "A.txt"]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "s"], "gt.txt", "line 1 has 4 columns")
