"""From stored tracks to what the tracking tab shows: figures, tables, charts, a sequence that plays, files."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.explore import tracking as explore
from dashboard.explore.tracking.opened import Opened, label_of, opened
from dashboard.explore.tracking.payload import packed, stages_of
from dashboard.explore.tracking.tables import liveliest
from dashboard.metrics.tracking.columns import Tracks
from dashboard.metrics.tracking.story import KINDS
from dashboard.scoring import score
from dashboard.store import Store
from tests.tracking_store import CLASSES, LENGTHS, SIZE, Boxes, data_in, mistaken, scored, swapped, tracked, truth

RANGES = {"u1": (0, 2**8 - 1), "u2": (0, 2**16 - 1), "i4": (-(2**31), 2**31 - 1), "u4": (0, 2**32 - 1)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def views(root: Path) -> list[Opened]:
    """Two exchange identities; none does, but the dog is taken for a cat."""
    return [opened(scored(root, "swapped", swapped())), opened(scored(root, "mistaken", mistaken()))]


@pytest.fixture(scope="module")
def tuned(root: Path) -> list[Opened]:
    """A detector with its tracker, and with another setting of it."""
    return [opened(tracked(root)), opened(tracked(root, settings={"track_buffer": "2"}))]


def unpacked(text: str, kind: str, columns: int = 0) -> np.ndarray:
    """What the browser reads."""
    values = np.frombuffer(base64.b64decode(text), np.dtype(kind).newbyteorder("<"))
    return values.reshape(-1, columns) if columns else values


def cards(data: Any) -> dict[str, Any]:
    """Cards by the metric they are about."""
    return {card["key"]: card for card in data["figures"]}


# ---- key figures ----


def test_key_figures_are_the_runs_own_and_the_best_is_marked(views: list[Opened]) -> None:
    found = cards(explore.figures_data(views))
    assert list(found) == ["HOTA", "MOTA", "IDF1", "IDSW", "DetA", "AssA", "MOTP"]  # no speed: no model ran
    for name, card in found.items():
        assert [c["value"] for c in card["cells"]] == [v.run.metrics[name] for v in views]
    # 32 true boxes: 2 missed, 1 false and 2 switches; 12 missed and 12 false
    assert [c["value"] for c in found["MOTA"]["cells"]] == [1 - 5 / 32, 1 - 24 / 32]
    assert [c.get("best") for c in found["MOTA"]["cells"]] == [True, False]
    assert [c.get("best") for c in found["IDSW"]["cells"]] == [False, True]  # fewer is better
    assert found["IDSW"]["format"] == "count"
    assert found["IDSW"]["scale"][1] >= 2
    assert explore.figures_data(views)["models"][0] == {"name": "swapped", "note": "clips · 20"}


def test_whatever_the_class_everything_is_counted_anew(views: list[Opened]) -> None:
    found = cards(explore.figures_data(views, agnostic=True))
    assert [c["value"] for c in found["MOTA"]["cells"]] == [1 - 5 / 32, 1.0]
    assert [c["value"] for c in found["HOTA"]["cells"]] == [v.run.metrics["HOTA_agnostic"] for v in views]
    others = cards(explore.other_figures(views, agnostic=True))
    assert [c["value"] for c in others["FP"]["cells"]] == [1, 0]
    assert [c["value"] for c in cards(explore.other_figures(views))["FP"]["cells"]] == [1, 12]
    assert not any("agnostic" in key for key in others)
    assert not set(found) & set(others)


def test_neither_more_nor_fewer_is_better_of_what_is_no_virtue(tuned: list[Opened]) -> None:
    found = cards(explore.other_figures(tuned))
    assert "births" in found
    assert not any("best" in c for c in found["births"]["cells"])
    assert found["trk_precision"]["cells"][0]["value"] == 1.0  # explained as tracking's own


def test_speed_says_what_the_tracker_alone_takes(tuned: list[Opened]) -> None:
    speed = cards(explore.figures_data(tuned))["FPS"]
    for cell, view in zip(speed["cells"], tuned, strict=True):
        assert cell["value"] == view.run.metrics["FPS"]
        assert cell["note"] == f"{1e3 * view.run.timing['track_s'] / 20:.2g} ms"


def test_on_different_data_none_is_better(root: Path, views: list[Opened]) -> None:
    other = opened(score(other_data(root), root / "other.txt", Store(root / "store"), name="elsewhere"))
    data = explore.figures_data([views[0], other])
    assert not any("best" in cell for card in data["figures"] for cell in card["cells"])
    assert any(w.get("key") == "ui.warn.datasets" for w in data["warnings"])


def other_data(root: Path) -> Any:
    """One clip of five frames, C."""
    (root / "other" / "C").mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{f + 1},1,5,5,9,9,1,1\n" for f in range(5))
    (root / "other" / "C" / "gt.txt").write_text(lines)
    (root / "other.txt").write_text(lines)
    return open_dataset(root / "other", task="tracking", labels_only=True)


# ---- tables ----


def test_one_row_a_sequence(views: list[Opened]) -> None:
    data = explore.table_data(views[0], "sequence", "summary", False, "B")
    heads = [c.get("explain") or c["label"] for c in data["columns"]]
    assert heads == ["ui.trk.sequence", "trk_support", "HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN"]
    rows = {row[0]: dict(zip(heads, row, strict=True)) for row in data["rows"]}
    assert list(rows) == ["A", "B"]
    assert data["selected"] == 1
    assert (rows["A"]["MOTA"], rows["A"]["IDSW"], rows["A"]["FN"]) == (1 - 2 / 24, 2, 0)
    assert (rows["B"]["MOTA"], rows["B"]["IDSW"], rows["B"]["FP"], rows["B"]["FN"]) == (1 - 3 / 8, 0, 1, 2)
    assert [rows[n]["trk_support"] for n in "AB"] == [24, 8]
    assert explore.table_data(views[0], "sequence", "summary", False, "none such")["selected"] is None


@pytest.mark.parametrize("columns", explore.COLUMNS)
def test_every_column_that_is_offered_is_filled(views: list[Opened], columns: str) -> None:
    for what in ("sequence", "class"):
        data = explore.table_data(views[0], what, columns, False)
        assert [c["explain"] for c in data["columns"][1:]] == ["trk_support", *explore.COLUMNS[columns]]
        assert all(len(row) == len(data["columns"]) for row in data["rows"])
        assert all(isinstance(v, float | int) for row in data["rows"] for v in row[1:])
        json.dumps(data, allow_nan=False)


def test_one_row_a_class_that_occurs(views: list[Opened]) -> None:
    assert [row[:2] for row in explore.table_data(views[0], "class", "summary", False)["rows"]] == [
        [CLASSES[0], 20],
        [CLASSES[1], 12],
    ]
    strict = explore.table_data(views[1], "class", "detection", False)["rows"]
    assert [row[-1] for row in strict] == [0, 12]  # every dog is missed
    assert [row[-2] for row in strict] == [12, 0]  # and stands among the cats


def test_the_first_sequence_shown_has_most_switches(views: list[Opened], tmp_path: Path) -> None:
    assert liveliest(views[0]) == "A"
    later: Boxes = {"A": dict(truth()["A"]), "B": {(f, 5 + f): box for (f, _), box in truth()["B"].items()}}
    assert liveliest(opened(scored(tmp_path, "later", later))) == "B"


# ---- a sequence for the player ----


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("name", LENGTHS)
def test_the_browser_is_told_the_story(views: list[Opened], name: str, agnostic: bool) -> None:
    value = explore.tracks_value(views, name, agnostic, 10.0, None, SIZE)
    json.dumps(value, allow_nan=False)
    assert (value["frames"], value["first"], value["width"], value["height"]) == (LENGTHS[name], 1, 64, 48)
    assert (value["fps"], value["title"], value["class_names"]) == (10.0, name, list(CLASSES))
    assert [p["title"] for p in value["panes"]] == ["swapped", "mistaken"]
    check_boxes(value["truth"], views[0].sequences[views[0].place(name)].tracks.truth, LENGTHS[name])
    for pane, view in zip(value["panes"], views, strict=True):
        place = view.place(name)
        tracks, told = view.sequences[place].tracks, view.story(place, agnostic)
        check_boxes(pane["found"], tracks.found, LENGTHS[name])
        np.testing.assert_array_equal(unpacked(pane["found"]["score"], "u1"), 255)
        np.testing.assert_array_equal(unpacked(pane["match"], "i4"), told.found_match)
        np.testing.assert_array_equal(unpacked(pane["missed"], "u1"), told.truth_match == -1)
        for kind in ("tp", "fp", "fn", "idsw"):
            np.testing.assert_array_equal(unpacked(pane["series"][kind], "u2"), getattr(told, kind))
        np.testing.assert_array_equal(unpacked(pane["series"]["mota"], "f4"), told.mota.astype("f4"))
        events = {k: unpacked(v, "u1" if k == "kind" else "i4").tolist() for k, v in pane["events"].items()}
        assert events["frame"] == told.events.frame.tolist()
        assert events["kind"] == told.events.kind.tolist()
        assert events["true"] == told.events.identity.tolist()
        assert events["from"] == told.events.before.tolist()
        assert events["to"] == told.events.after.tolist()


def check_boxes(sent: Any, tracks: Tracks, frames: int) -> None:
    """One side's columns."""
    offsets = unpacked(sent["offsets"], "u4")
    np.testing.assert_array_equal(offsets, np.searchsorted(tracks.frame, np.arange(frames + 1)))
    np.testing.assert_array_equal(unpacked(sent["box"], "f4", 4), tracks.xyxy.astype("f4"))
    np.testing.assert_array_equal(unpacked(sent["id"], "i4"), tracks.ids)
    np.testing.assert_array_equal(unpacked(sent["class"], "u2"), tracks.class_ids)


def test_what_was_done_by_hand_arrives(views: list[Opened]) -> None:
    pane = explore.tracks_value(views, "A")["panes"][0]
    events = {k: unpacked(v, "u1" if k == "kind" else "i4").tolist() for k, v in pane["events"].items()}
    assert sorted(zip(*(events[k] for k in ("frame", "kind", "true", "from", "to")), strict=True)) == [
        (6, 0, 1, 11, 12),
        (6, 0, 2, 12, 11),
    ]
    lanes = {lane["id"]: unpacked(lane["segments"], "i4", 3).tolist() for lane in pane["lanes"]}
    assert lanes == {1: [[0, 6, 11], [6, 12, 12]], 2: [[0, 6, 12], [6, 12, 11]]}
    assert {lane["id"]: lane["class"] for lane in pane["lanes"]} == {1: 0, 2: 1}
    other = explore.tracks_value(views, "B")["panes"][0]
    kinds = unpacked(other["events"]["kind"], "u1").tolist()
    assert [KINDS[k] for k in kinds] == ["lost", "fragment"]
    assert unpacked(other["events"]["frame"], "i4").tolist() == [3, 5]
    assert unpacked(other["events"]["to"], "i4").tolist() == [-1, 5]
    assert unpacked(other["lanes"][0]["segments"], "i4", 3).tolist() == [[0, 3, 5], [3, 5, -1], [5, 8, 5]]
    np.testing.assert_allclose(
        unpacked(other["series"]["mota"], "f4"), [1, 1 / 2, 2 / 3, 2 / 4, 2 / 5, 3 / 6, 4 / 7, 5 / 8], rtol=1e-6
    )


def test_whatever_the_class_the_dog_is_found(views: list[Opened]) -> None:
    strict, loose = (explore.tracks_value(views[1:], "A", agnostic)["panes"][0] for agnostic in (False, True))
    assert unpacked(strict["missed"], "u1").sum() == 12
    assert unpacked(loose["missed"], "u1").sum() == 0
    assert set(unpacked(strict["match"], "i4").tolist()) > {-1}
    assert -1 not in unpacked(loose["match"], "i4")
    keys = {explore.tracks_value(views[1:], "A", agnostic)["key"] for agnostic in (False, True)}
    assert len(keys) == 2  # the browser takes it for something new


def test_runs_of_different_length_play_together(root: Path) -> None:
    """One was stopped at frame 9 of A: its boxes end there, its counts too, MOTA stays where it was."""
    short = score(data_in(root), root / "swapped", Store(root / "store"), name="short", limit=9)
    views = [opened(short), opened(scored(root, "mistaken", mistaken()))]
    value = explore.tracks_value(views, "A")
    assert value["frames"] == 12
    pane = value["panes"][0]
    assert unpacked(pane["series"]["tp"], "u2").tolist() == [2] * 9 + [0] * 3
    mota = unpacked(pane["series"]["mota"], "f4")
    assert mota[9:].tolist() == [mota[8]] * 3
    assert unpacked(pane["found"]["offsets"], "u4").tolist() == [*range(0, 19, 2), 18, 18, 18]
    for order in (views, views[::-1]):  # the truth goes on, whichever comes first
        assert len(unpacked(explore.tracks_value(order, "A")["truth"]["id"], "i4")) == 24


def test_a_sequence_that_one_run_does_not_have_is_not_shown_as_another(root: Path) -> None:
    """The run of nine frames knows nothing of B: its pane must not play A's boxes there."""
    short = score(data_in(root), root / "swapped", Store(root / "store"), name="short", limit=9)
    value = explore.tracks_value([opened(scored(root, "mistaken", mistaken())), opened(short)], "B")
    assert value["frames"] == LENGTHS["B"]
    assert len(unpacked(value["truth"]["id"], "i4")) == 8
    beside = value["panes"][1]
    assert beside["title"] == "short"
    assert beside["found"] is None
    assert beside["error"] == "ui.trk.unseen"
    json.dumps(value, allow_nan=False)


def test_without_a_truth_tracks_come_and_go(untrue: Opened) -> None:
    assert not untrue.known
    value = explore.tracks_value([untrue], "A")
    assert value["truth"] is None
    pane = value["panes"][0]
    assert (pane["match"], pane["missed"], pane["events"]) == (None, None, None)
    found = untrue.sequences[0].tracks.found
    series = {k: unpacked(v, "u2") for k, v in pane["series"].items()}
    np.testing.assert_array_equal(series["count"], np.bincount(found.frame, minlength=12))
    ids = np.unique(found.ids)
    assert series["born"].sum() == series["ended"].sum() == len(ids) == len(pane["lanes"])
    for lane in pane["lanes"]:
        segments = unpacked(lane["segments"], "i4", 3)
        frames = np.concatenate([np.arange(a, b) for a, b, _ in segments])
        np.testing.assert_array_equal(frames, found.frame[found.ids == lane["id"]])
        assert set(segments[:, 2]) == {lane["id"]}
        assert series["born"][frames[0]] >= 1
        assert series["ended"][frames[-1]] >= 1
    names = list(cards(explore.figures_data([untrue])))
    assert names[0] == "births"
    assert "FPS" in names
    assert not {"MOTA", "HOTA", "IDF1"} & set(names)
    table = explore.table_data(untrue, "class", "summary", False, "B")
    assert [row[0] for row in table["rows"]] == ["A", "B"]
    assert table["rows"][0][1:] == [12, len(found), len(ids)]
    assert table["selected"] == 1
    assert liveliest(untrue) == "A"
    assert explore.charts([untrue]) == ["lengths"]


@pytest.fixture(scope="module")
def untrue(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The made-up detector on the same clips, of which nobody knows the truth."""
    root = tmp_path_factory.mktemp("untrue")
    data_in(root)
    for name in LENGTHS:
        (root / "clips" / name / "gt" / "gt.txt").unlink()
    data = open_dataset(root / "clips", task="tracking", options={"class_list": "names.txt"})
    return opened(tracked(root, data=data))


def test_a_video_in_which_nothing_is_found_plays(tmp_path: Path) -> None:
    data_in(tmp_path)
    for name in LENGTHS:
        (tmp_path / "clips" / name / "gt" / "gt.txt").unlink()
    data = open_dataset(tmp_path / "clips", task="tracking", options={"class_list": "names.txt"})
    view = opened(tracked(tmp_path, settings={"track_high_thresh": "1", "new_track_thresh": "1"}, data=data))
    assert not any(len(s.tracks.found) for s in view.sequences)
    pane = explore.tracks_value([view], "A")["panes"][0]
    assert pane["lanes"] == []
    assert unpacked(pane["series"]["count"], "u2").tolist() == [0] * 12
    assert explore.chart([view], "lengths", "HOTA")["data"]
    json.dumps([explore.figures_data([view]), explore.table_data(view, "sequence", "summary", False)], allow_nan=False)
    assert list(explore.tracks_table(view).columns[:3]) == ["sequence", "frame", "id"]


def test_other_panes_follow_and_there_are_four_at_most(views: list[Opened]) -> None:
    other = {"title": "classifier", "found": None}
    value = explore.tracks_value(views, "A", others=[other] * 3)
    assert [p["title"] for p in value["panes"]] == ["swapped", "mistaken", "classifier", "classifier"]
    alone = explore.tracks_value([], "A", frames=7, others=[other])
    assert (alone["frames"], alone["truth"], alone["class_names"]) == (7, None, [])
    assert alone["width"] > 0
    assert alone["height"] > 0


def test_a_stage_holds_every_box_where_nobody_knows_its_size(root: Path) -> None:
    view = opened(score(other_data(root), root / "other.txt", Store(root / "store"), name="elsewhere"))
    value = explore.tracks_value([view], "C")
    assert value["width"] >= 14
    assert value["height"] >= 14


@pytest.mark.parametrize("kind", RANGES)
@given(st.lists(st.integers(-(2**40), 2**40), max_size=20))
@settings(max_examples=25)
def test_numbers_that_do_not_fit_are_cut_not_wrapped(kind: str, values: list[int]) -> None:
    low, high = RANGES[kind]
    expected = [min(high, max(low, v)) for v in values]
    assert unpacked(packed(np.array(values, np.int64), kind), kind).tolist() == expected


def test_stages_are_of_what_ran(tuned: list[Opened], views: list[Opened]) -> None:
    assert stages_of(views[0].run.timing) is None
    timing = tuned[0].run.timing | {"stages_ms": {"decode": 2.0, "forward": 3.0, "postprocess": 0.5}}
    found = stages_of(timing)
    assert found == {"decode": 2.0, "detect": 3.5, "track": 1e3 * timing["track_s"] / 20}
    assert stages_of({"frames": 10, "track_s": 0.5, "stages_ms": {"forward": 3.0, "preprocess": 1.0}}) == {
        "detect": 4.0,
        "track": 50.0,
    }


def test_runs_are_told_apart_by_what_was_changed(tuned: list[Opened]) -> None:
    labels = ["finder+bytetrack", "finder+bytetrack track_buffer=2"]
    assert [v.label for v in tuned] == labels
    assert [p["title"] for p in explore.tracks_value(tuned, "A")["panes"]] == labels
    assert [m["name"] for m in explore.figures_data(tuned)["models"]] == labels
    assert label_of(tuned[1].run) == labels[1]


# ---- charts ----


def test_hota_over_its_thresholds(views: list[Opened]) -> None:
    figure = explore.chart(views, "alpha", "HOTA")
    assert [t["name"] for t in figure["data"]] == [
        f"{v} · {m}" for v in ("swapped", "mistaken") for m in ("HOTA", "DetA", "AssA")
    ]
    hota = figure["data"][0]
    x, y = (unpacked(hota[axis]["bdata"], hota[axis]["dtype"]) for axis in "xy")
    np.testing.assert_allclose(x, np.arange(0.05, 0.99, 0.05), rtol=1e-6)
    assert np.mean(y) == pytest.approx(views[0].run.metrics["HOTA"])
    assert figure["explain"] == "chart_trk_alpha"


def test_sequences_as_bars_that_can_be_clicked(views: list[Opened]) -> None:
    figure = explore.chart(views, "sequences", "IDSW")
    first, second = figure["data"]
    assert (first["x"], first["y"], second["y"]) == (["A", "B"], [2, 0], [0, 0])
    assert first["customdata"] == [[{"kind": "sequence", "name": "A"}, 0], [{"kind": "sequence", "name": "B"}, 0]]
    loose = explore.chart(views, "sequences", "MOTA", agnostic=True)["data"][1]
    assert loose["y"] == [1, 1]
    assert explore.chart(views, "sequences", "no such measure")["data"][0]["y"] != []


def test_how_much_of_each_truth_was_followed(views: list[Opened]) -> None:
    figure = explore.chart(views, "coverage", "HOTA")
    first, second = (np.array(t["y"]) for t in figure["data"])
    assert (first.sum(), second.sum()) == (3, 3)  # every true identity once
    assert first[-1] == 2  # those of A, always
    assert first[int(6 / 8 * 20)] == 1  # that of B, in six of eight frames
    assert (second[0], second[-1]) == (1, 2)  # the dog never
    assert np.array(explore.chart(views, "coverage", "HOTA", agnostic=True)["data"][1]["y"])[-1] == 3
    assert [s["x0"] for s in figure["layout"]["shapes"]] == [0.2, 0.8]  # mostly lost, mostly tracked


def test_lengths_of_tracks(views: list[Opened]) -> None:
    figure = explore.chart(views, "lengths", "HOTA")
    lengths = dict(zip(figure["data"][0]["x"], figure["data"][0]["y"], strict=True))
    assert lengths == {"1": 1, "2–3": 0, "4–7": 1, "8–15": 2}  # 6 once, 5 in six frames, 11 and 12 in twelve
    assert sum(figure["data"][1]["y"]) == 3


def test_names_from_data_are_plain_text_in_charts(root: Path) -> None:
    run = scored(root, "swapped", swapped())
    object.__setattr__(run, "model", "<b>bold</b><img src=x onerror=1>")
    view = opened(run)
    for kind in explore.CHARTS:
        text = json.dumps(explore.chart([view], kind, "HOTA"))
        assert "<b>" not in text
        assert "<img" not in text


# ---- files ----


@pytest.mark.parametrize("agnostic", [False, True])
def test_the_list_of_events_has_every_switch(views: list[Opened], agnostic: bool) -> None:
    for view in views:
        table = explore.events_table(view, agnostic)
        assert list(table.columns) == ["sequence", "frame", "kind", "true_id", "class", "from", "to"]
        name = "IDSW_agnostic" if agnostic else "IDSW"
        assert (table["kind"] == "switch").sum() == view.run.metrics[name]
    table = explore.events_table(views[0])
    assert table[table["sequence"] == "A"].to_dict("records") == [
        {"sequence": "A", "frame": 7, "kind": "switch", "true_id": 1, "class": "cat", "from": 11, "to": 12},
        {"sequence": "A", "frame": 7, "kind": "switch", "true_id": 2, "class": CLASSES[1], "from": 12, "to": 11},
    ]
    only = explore.events_table(views[0], places=[1])
    assert only["sequence"].unique().tolist() == ["B"]


def test_one_row_a_box(views: list[Opened]) -> None:
    table = explore.tracks_table(views[0])
    assert len(table) == 31
    assert table["state"].value_counts().to_dict() == {"matched": 30, "false": 1}
    false = table[table["state"] == "false"].iloc[0]
    assert (false["sequence"], false["frame"], false["id"], false["class"], false["true_id"]) == (
        *("B", 2, 6, CLASSES[1], -1),
    )
    seventh = table[(table["sequence"] == "A") & (table["frame"] == 7)].set_index("id")
    assert seventh["true_id"].to_dict() == {11: 2, 12: 1}
    assert seventh.loc[12, ["left", "top", "right", "bottom"]].tolist() == [14, 4, 26, 16]


def test_without_a_truth_boxes_are_listed_without_a_judgement(untrue: Opened) -> None:
    table = explore.tracks_table(untrue)
    assert "state" not in table
    assert len(table) == sum(len(s.tracks.found) for s in untrue.sequences)


def test_tracks_that_were_exported_score_the_same(root: Path, views: list[Opened], tuned: list[Opened]) -> None:
    for view in (*views, *tuned):
        file = explore.mot_zip(view, root / f"{view.run.id}.zip")
        with ZipFile(file) as archive:
            assert archive.namelist() == ["A.txt", "B.txt", "classes.txt"]
            assert archive.read("classes.txt").decode().splitlines() == list(CLASSES)
            rows = pd.read_csv(io.BytesIO(archive.read("A.txt")), header=None)
        assert rows.shape[1] == 10
        assert rows[0].min() == 1
        again = score(data_in(root), file, Store(root / "again"), name=view.run.id)
        for name, value in view.run.metrics.items():
            if name in again.metrics and name != "FPS" and value is not None:
                assert again.metrics[name] == pytest.approx(value, abs=2e-4), name
        for name in ("IDSW", "TP", "FP", "FN", "MT", "IDF1"):
            assert again.metrics[name] == view.run.metrics[name]


# ---- opening ----


def test_the_same_run_is_read_once(views: list[Opened]) -> None:
    assert opened(views[0].run) is opened(views[0].run)
    assert views[0].story(0) is views[0].story(0)
    assert views[0].story(0) is not views[0].story(0, agnostic=True)


def test_damaged_tracks_say_what_to_do(tmp_path: Path) -> None:
    run = scored(tmp_path, "swapped", swapped())
    run.predictions_path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match=r"damaged or gone.*delete that run") as caught:
        opened(run)
    assert "\n" not in str(caught.value)
    run.predictions_path.unlink()
    with pytest.raises(InputError, match="damaged or gone"):
        opened(run)
