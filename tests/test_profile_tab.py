"""The tab for speed and cost, without a browser: what a click shows, odd clicks, and starting a measurement."""

from __future__ import annotations

import html
import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from safetensors.numpy import save_file

from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Progress
from dashboard.explore import profiling as explore
from dashboard.explore.profiling import tables
from dashboard.explore.profiling.opened import opened
from dashboard.profiling.kept import write_profile
from dashboard.profiling.shapes import Profile
from dashboard.settings import size_of
from dashboard.tabs import profile_start
from dashboard.tabs.profile_results import OUTPUTS, START, ProfileResults
from dashboard.tabs.profile_start import ProfileStart, gauge_data, here
from dashboard.views.strings import STRINGS
from tests.profiles import FC, profile, view, way

VISITOR: Any = SimpleNamespace(session_hash="visitor", query_params={})


# ---- the tab ----


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "store")


def kept(engine: Engine, *models: str) -> list[str]:
    return [write_profile(engine.store, profile(m), {}).id for m in models]


def shown(do: ProfileResults, ids: list[str], focus: str | None = None) -> tuple[Any, ...]:
    return do.show(ids, focus, "macs", "worth")


def click(value: Any = None, index: Any = 0) -> Any:
    return SimpleNamespace(value=value, index=index)


def test_profiles_come_back_from_the_store(engine):
    (name,) = kept(engine, "net")
    assert opened(engine.store.get(name)).profile == profile()


def test_without_a_profile_there_is_an_invitation(engine):
    do = ProfileResults(engine)
    runs, none = do.first(dict(START), [], None, VISITOR)
    assert runs.value == []
    assert none.key == "ui.prf.none"
    assert len(shown(do, [])) == OUTPUTS


def test_the_newest_profiles_of_each_model_are_shown_first(engine):
    old, other = kept(engine, "net", "other")
    newer = write_profile(engine.store, profile("net", input_size=(64, 64)), {}).id
    do = ProfileResults(engine)
    assert do.default() == [other, newer]
    assert do.default(old) == [old]
    runs, none = do.first(dict(START), [], None, VISITOR)
    assert runs.value == [other, newer]
    assert none == ""


def test_everything_about_two_profiles(engine):
    ids = kept(engine, "net", "other")
    do = ProfileResults(engine)
    found = shown(do, ids, ids[0])
    assert len(found) == OUTPUTS
    state, focus, none, figures, *_ = found
    assert state == {"runs": ids, "focus": 0}
    assert focus.visible
    assert none == ""
    assert [m["name"] for m in figures["models"]] == ["net", "other"]
    assert "Warmed up with &lt;3&gt; pictures." in found[-1]
    echo = do.rechosen(state, ids, None, "macs", "worth")
    assert len(echo) == OUTPUTS
    assert all(part == gr.skip() for part in echo)
    for part in found[8:12]:
        assert part is not None
    assert "3·3·64·64·56·56" in found[10]  # the layer with most work is explained at first
    assert found[11]["selected"] == 0


def test_what_nothing_was_recorded_of_is_not_listed(engine):
    said = shown(ProfileResults(engine), kept(engine, "net"))[-1]
    facts = json.loads(html.unescape(said.partition("<pre class='lp-facts'>")[2].partition("</pre>")[0]))
    assert list(facts) == ["run", "created", "timing", "environment"]
    assert facts["timing"]["latency_ms"]["p50"] == 16.0


def test_clicks_on_rings_and_rows(engine):
    ids = kept(engine, "net")
    do = ProfileResults(engine)
    state = shown(do, ids)[0]
    assert "512·1000 + 1000" in do.on_row(state, click(index=4))
    formula, table = do.on_sector(state, click({"data": [{"kind": "layer", "row": 1}]}))
    assert "4·1·64·56·56" in formula
    assert table["selected"] == 1
    for odd in (None, "x", {"data": None}, {"data": [3]}):
        skipped = do.on_sector(state, click(odd))
        assert skipped == (gr.skip(), gr.skip())
    for row in (5, -1, None, "0"):
        with pytest.raises(InputError, match="no such row"):
            do.on_row(state, click(index=row))
    assert do.on_size(state, "params")["data"][0]["values"][0] == 549_992
    assert do.on_kind(state, "throughput")["explain"] == "throughput_vs_batch"


def test_another_model_in_focus_has_its_own_layers(engine):
    first = kept(engine, "net")[0]
    second = write_profile(engine.store, profile("other", layers=(FC,)), {}).id
    do = ProfileResults(engine)
    state = shown(do, [first, second])[0]
    assert state["focus"] == 1
    state, _, _, formula, table, _ = do.refocused(state, first, "macs", "worth")
    assert state["focus"] == 0
    assert len(table["rows"]) == 5
    assert "layer1.0.conv1" in formula


def test_a_model_without_layers_says_so_and_others_are_shown_first(engine):
    (deep,) = kept(engine, "net")
    flat = write_profile(engine.store, profile("flat", layers=()), {}).id
    do = ProfileResults(engine)
    found = shown(do, [flat])
    assert (found[8].visible, found[9], found[11]) == (False, None, None)
    assert found[10].key == "ui.prf.nolayers"
    both = shown(do, [deep, flat])
    assert (both[0]["focus"], both[8].visible) == (0, True)
    assert shown(do, [deep, flat], flat)[0]["focus"] == 1  # asked for


def test_lines_that_are_far_apart_have_a_scale_on_which_both_are_seen():
    slow, fast = view("slow"), view("fast", variants=(way("fp32", 0.1),))
    assert "type" not in explore.throughput([slow, view("b")])["layout"]["yaxis"]
    assert explore.throughput([slow, fast])["layout"]["yaxis"]["type"] == "log"
    assert "type" not in explore.throughput([fast])["layout"]["yaxis"]
    assert explore.throughput([view(variants=())])["data"] == []


# ---- starting ----


@pytest.mark.parametrize(
    ("text", "size"), [("", None), ("  ", None), ("224", (224, 224)), ("96x160", (96, 160)), ("96 × 160", (96, 160))]
)
def test_sizes(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["0", "224x0", "x", "-3", "3x4x5", "224.5", "wide", "9999999"])
def test_sizes_that_are_none(text):
    with pytest.raises(InputError, match="HEIGHTxWIDTH"):
        size_of(text)


def start(engine: Engine, names: Any = ("digits_cnn",), **more: Any) -> tuple[Any, ...]:
    given: dict[str, Any] = {"weights": None, "size": "", "ways": ["bf16"], "demo": "own", "path": "", "limit": 20}
    given |= more
    return ProfileStart(engine).start(names, *given.values(), None, VISITOR)


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        ([], {}, "one to 4 models, not 0"),
        (["digits_cnn", "digits_linear", "identity", "nearest", "bicubic"], {}, "not 5"),
        (["no_such_model"], {}, "no_such_model"),
        (["digits_cnn"], {"size": "big"}, "HEIGHTxWIDTH"),
        (["digits_cnn"], {"ways": ["warp"]}, "warp"),
        (["digits_cnn"], {"demo": "scenes"}, "which scenes is not for"),
        (["digits_cnn"], {"path": "/no/such/folder"}, "/no/such/folder"),
        (["scenes_sem_nano"], {}, "pictures of any size"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_it_begins(engine, names, more, said):
    with pytest.raises(InputError, match=said):
        start(engine, names, **more)
    assert engine.jobs.idle


def test_strangers_type_no_paths(tmp_path):
    engine = Engine(tmp_path / "store", public=True)
    with pytest.raises(InputError, match="public server"):
        start(engine, path="/etc")
    (tmp_path / "net.onnx").write_bytes(b"weights")
    said = []
    for name in ("net.onnx", "gone.onnx"):  # nobody learns which of them is there
        with pytest.raises(InputError, match="No model is called") as refused:
            start(engine, [str(tmp_path / name)])
        said.append(str(refused.value).replace(name, "*"))
    assert said[0] == said[1]


def test_a_job_measures_each_model_on_its_own_data(engine, monkeypatch):
    asked: list[dict[str, Any]] = []
    gate = threading.Event()

    def fake(name: str, options: Any, **how: Any) -> Profile:
        how.pop("say")(Progress("latency", 1, 4, live={"latency_ms": 8.0, "fps": 125.0}))
        asked.append({"name": name, **how})
        assert gate.wait(20)
        return profile(name)

    monkeypatch.setattr(profile_start, "profile", fake)
    do = ProfileStart(engine)
    job_id, bars, _, clock, go, stop = start(engine, ["digits_cnn", "efficientnet_lite0"])
    job = engine.jobs.get(job_id)
    assert job is not None
    assert (clock.active, go.interactive, stop.interactive) == (True, False, True)
    assert [s["name"] for s in bars["steps"]] == ["digits_cnn", "efficientnet_lite0"]
    while job.steps[0].progress.stage != "latency":
        time.sleep(0.01)
    assert gauge_data(job) == {
        "on": True, "key": f"{job_id} 0", "name": "digits_cnn", "fps": 125.0, "latency_ms": 8.0
    }  # fmt: skip
    with pytest.raises(InputError, match="already"):
        do.start(["digits_cnn"], None, "", [], "", "", 0, job_id, VISITOR)
    gate.set()
    engine.jobs.wait(job, 20)
    assert job.state == "done"
    first, second = asked
    assert first["dataset"].name == "digits"
    assert second["dataset"] is None
    assert (first["variants"], first["limit"], first["input_size"]) == (("fp32", "bf16"), 20, None)
    *_, runs = do.poll([], job_id)
    assert runs.value == job.run_ids
    *_, again = do.poll(job.run_ids, job_id)
    assert again == gr.skip()
    ended = gauge_data(job, engine.store)
    assert ended == {
        "on": False, "ended": True, "key": f"{job_id} 1", "name": "efficientnet_lite0", "fps": 93.75, "latency_ms": 16.0
    }  # fmt: skip
    assert do.status(job_id)[1] == ended
    engine.store.delete(job.run_ids[-1])
    assert "ended" not in gauge_data(job, engine.store)


@pytest.mark.parametrize(
    ("demo", "path", "asked"),
    [("scenes", "", "demo:scenes"), ("own", "", None), ("", "", None), ("own", "/data/boxes", "/data/boxes")],
)
def test_data_of_dropped_weights_are_opened_when_it_is_known_what_they_are_for(
    engine, tmp_path, monkeypatch, demo, path, asked
):
    weights = tmp_path / "net.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, weights)
    found: list[Any] = []

    def fake(name: str, options: Any, **how: Any) -> Profile:
        found.append(how["dataset"])
        return profile(name)

    monkeypatch.setattr(profile_start, "profile", fake)
    job = engine.jobs.get(start(engine, [], weights=[str(weights)], demo=demo, path=path)[0])
    engine.jobs.wait(job, 20)
    assert found == [asked]


def test_a_new_profile_takes_the_place_of_the_same_models_older_one(engine):
    old, other = kept(engine, "net", "other")
    new = write_profile(engine.store, profile("net", input_size=(64, 64)), {}).id
    job = SimpleNamespace(run_ids=[new], state="done", steps=[], error="", id="x")
    do = ProfileStart(engine)
    engine.jobs.get = lambda _: job  # type: ignore[method-assign,assignment,return-value]
    do.status = lambda _: ()  # type: ignore[method-assign,assignment,return-value]
    assert do.poll([old, other], "x")[-1].value == [other, new]


def test_nothing_is_measured_at_first():
    assert gauge_data(None) == {"on": False}


def test_models_that_are_offered_are_here_and_every_word_is_known():
    assert "digits_cnn" in here()
    assert {f"ui.short.{entry}" for entry in tables.SHORT} <= set(STRINGS)
    assert set(tables.SHORT) <= {entry for _, entry in tables.FIRST_METRIC.values()}
    for name in (*profile_start.WAYS, "fp32", "default"):
        assert f"ui.prf.way.{name}" in STRINGS
    for stage in ("counting", "warming up", "latency", "throughput", "accuracy", "cold start", "loading", "done"):
        assert f"ui.stage.{stage}" in STRINGS
