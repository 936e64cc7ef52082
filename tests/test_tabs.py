"""Handlers of the tabs, without a browser: what strangers may not do, odd events, and runs of every kind."""

from __future__ import annotations

import inspect
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from dashboard.datasets.digits import Digits
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.finishing import finish
from dashboard.history import set_label
from dashboard.jobs import MOST_ACTIVE, Jobs
from dashboard.naming import BY_PROFILE
from dashboard.predictions import ClassificationPart, write_part
from dashboard.reporting.tables import harmless
from dashboard.selection import ALL
from dashboard.store import Run, Store
from dashboard.tabs import common
from dashboard.tabs.common import Choice, Choices, own, shown, toast, visible
from dashboard.tabs.evaluate_panel import Evaluate, refuse_paths
from dashboard.tabs.results import OUTPUTS, Results, sane
from dashboard.tabs.runs import Runs
from models.load import load_model
from tests.fakes import FakeAdapter, FakeDataset

ORDER = ("cross_entropy", 2.0, False)


def click(value: Any = None, index: Any = 0) -> Any:
    """What Gradio gives a handler when something was clicked."""
    return SimpleNamespace(value=value, index=index, row_value=[value])


def stored(store: Store, name: str, scores: np.ndarray, targets: np.ndarray, classes: list[str]) -> Run:
    """A run made from numbers."""
    with store.draft(name) as draft:
        ids = [f"{i}.png" for i in range(len(scores))]
        write_part(draft.next_part(), ClassificationPart(np.arange(len(scores)), ids, scores, targets), {})
        facts = {"task": "classification", "model": name, "dataset": "made", "class_names": classes, "class_ids": []}
        facts |= {"environment": {}, "dataset_facts": {"source": "/nowhere/at/all", "fingerprint": name}}
        return finish(draft, facts, {}, targets.ndim == 2)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = Engine(tmp_path_factory.mktemp("store"))
    for name in ("digits_linear", "digits_cnn"):
        evaluate(load_model(name), Digits(), engine.store, Settings(latency=False))
    rng = np.random.default_rng(0)
    scores = rng.random((40, 4)).astype(np.float32)
    stored(engine.store, "several", scores, rng.random((40, 4)) < 0.4, list("abcd"))
    return engine


@pytest.fixture
def strangers(engine: Engine) -> Engine:
    """The same store as a public server has it."""
    return Engine(engine.store.root, public=True)


def state_of(do: Results, ids: list[str]) -> dict[str, Any]:
    return do.show(ids, None, *ORDER)[0]


def test_every_kind_of_run_can_be_shown(engine: Engine) -> None:
    """Multi-label runs have no cross-entropy to sort by and no matrix; the page opens on them all the same."""
    do = Results(engine, "classification")
    for run in engine.store.runs():
        found = do.show([run.id], None, *ORDER)
        assert len(found) == OUTPUTS
        assert found[7]["total"] == run.samples
        if run.model == "several":
            assert found[-1] == "bce"
        else:
            assert found[-1] == gr.skip(), "an order that can be had is left as it is"
    several = next(r for r in engine.store.runs() if r.model == "several")
    state, gallery = do.on_class(state_of(do, [several.id]), *ORDER, click(index=2))
    assert gallery["title"]["key"] == "ui.selection.truth"
    _, patch = do.class_views(state)
    assert patch["one"]["name"] == "c"
    assert len(patch["one"]["positives"]) == 1001


def test_nothing_chosen_is_not_an_accident(engine: Engine) -> None:
    do = Results(engine, "classification")
    state = state_of(do, [])
    assert do.gallery(state, *ORDER) is None
    for call in (do.csv, do.on_clear):
        with pytest.raises(InputError, match="Choose a run first"):
            call(state, *ORDER)
    with pytest.raises(InputError, match="no such picture"):
        do.on_picture(state, *ORDER, click({"index": 0}))


def test_a_click_on_the_other_models_curve_shows_its_samples(engine: Engine) -> None:
    do = Results(engine, "classification")
    ids = do.default(next(r.id for r in engine.store.runs() if r.model == "digits_cnn"))
    both = [r.id for r in sorted(engine.store.runs(), key=lambda r: r.model, reverse=True) if r.model != "several"]
    state = {**state_of(do, both), "kind": "roc"}
    focus, other = (do.on_point(state, *ORDER, click({"data": [9, 0.5, k]}))[1] for k in (0, 1))
    alone = do.on_point({**state_of(do, ids), "kind": "roc"}, *ORDER, click({"data": [9, 0.5, 0]}))[1]
    assert other["of"] == "digits_cnn"
    assert other["total"] == alone["total"] != focus["total"]


CELL = {"kind": "cell", "true": 0, "predicted": 0, "threshold": 0.0}
ODD = [
    None,
    {},
    {"kind": "drop table"},
    CELL | {"true": -1},
    CELL | {"predicted": 99},
    CELL | {"threshold": float("nan")},
    {"kind": "class", "class": "1; drop"},
    {"kind": "one", "class": 1, "threshold": 0},
]


@pytest.mark.parametrize("value", ODD)
def test_odd_events_get_one_sentence(engine: Engine, value: Any) -> None:
    do = Results(engine, "classification")
    state = state_of(do, do.default())
    with pytest.raises(InputError):
        do.on_cell(state, *ORDER, click(value))
    for index in (-1, 99, "1"):
        with pytest.raises(InputError):
            do.on_class(state, *ORDER, click(index=index))


@pytest.mark.parametrize(("given", "used"), [(None, 2.0), (-3, 0.0), (99, 10.0), (0, 0.0)])
def test_gamma_as_left_in_the_field(given: float | None, used: float) -> None:
    assert sane(given) == used


def test_csv_cells_are_no_formulas(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.tempfile, "gettempdir", lambda: str(tmp_path))
    assert harmless('=HYPERLINK("http://x")') == '\'=HYPERLINK("http://x")'
    assert harmless("cat") == "cat"
    assert harmless(-1.5) == -1.5
    one_hot = np.eye(2, dtype=np.float32)
    run = stored(engine.store, "formulas", one_hot, np.array([0, 1]), ["=1+1", "dog"])
    do = Results(engine, "classification")
    first, second = (Path(do.csv(state_of(do, [run.id]), *ORDER)) for _ in range(2))
    assert "'=1+1" in first.read_text()
    os.utime(first, (0, 0))
    do.csv(state_of(do, [run.id]), *ORDER)
    engine.store.delete(run.id)
    assert (first.exists(), second.exists()) == (False, True)  # an hour later it is gone from the disk


def test_strangers_see_built_in_runs_and_delete_nothing(strangers: Engine) -> None:
    assert {r.model for r in visible(strangers)} == {"digits_linear", "digits_cnn"}
    before = [r.id for r in strangers.store.runs()]
    with pytest.raises(InputError, match="only delete runs that you made"):
        Runs(strangers, ["classification"]).delete(before[0])
    assert [r.id for r in strangers.store.runs()] == before
    page = Results(strangers, "classification").show([before[0]], None, *ORDER)
    assert str(strangers.store.root) not in str(page)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "app.py", "no/such/file", "~/x.onnx"])
def test_strangers_cannot_name_files(name: str) -> None:
    """There or not: the same kind of answer."""
    with pytest.raises(InputError, match="No model is called"):
        refuse_paths([name], {})


@pytest.mark.parametrize("tracker", ["sort", "nosuch", "x+sort", ""])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("kind", ["{}", "{}/w.pt", "{}/w.onnx"])
def test_strangers_cannot_find_out_what_is_there(tmp_path: Path, kind: str, there: bool, tracker: str) -> None:
    """A detector's file before a tracker's name: there or not, a folder or a file, the answer is the same."""
    folder = tmp_path / "weights"
    if there:
        folder.mkdir()
        for name in ("w.pt", "w.onnx"):
            (folder / name).write_bytes(b"weights")
    with pytest.raises(InputError, match=r"^Paths cannot be typed on a public server: drop the weight file instead\.$"):
        refuse_paths([f"{kind.format(folder)}+{tracker}"], {})


def test_strangers_cannot_name_files_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = []
    for _ in range(2):
        with pytest.raises(InputError, match="No model is called 'weights'") as caught:
            refuse_paths(["weights+sort"], {})
        said.append(str(caught.value))
        (tmp_path / "weights").write_bytes(b"weights")
    assert said[0] == said[1]
    refuse_paths(["scenes_nano+sort"], {})


def test_strangers_cannot_set_paths() -> None:
    with pytest.raises(InputError, match="classes cannot be set"):
        refuse_paths([], {"classes": "/etc/passwd"})


def test_strangers_annotations_stay_in_their_folder(strangers: Engine, tmp_path: Path) -> None:
    """A COCO file that names a picture of this machine."""
    secret = Path(inspect.getfile(gr)).parent / "icons" / "no.png"
    images = [{"id": 1, "file_name": str(secret), "height": 5, "width": 5}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": [{"id": 1, "name": "x"}]}))
    with pytest.raises(InputError, match="outside"):
        strangers.dataset(str(path), task="detection")


def test_strangers_tables_stay_in_their_folder(strangers: Engine, tmp_path: Path) -> None:
    table = tmp_path / "l.csv"
    secret = Path(inspect.getfile(gr)).parent / "icons" / "no.png"
    table.write_text(f"path,label\n{secret},3\n")
    with pytest.raises(InputError, match=r"l\.csv"):
        strangers.dataset(str(table))


def start(do: Evaluate, session: str) -> Any:
    request: Any = SimpleNamespace(session_hash=session)
    return do.start(
        "classification", "digits", "", None, None, ["digits_linear"], [], 0, 0, "fp32", "", None, None, None, request
    )


def test_one_job_a_visitor_and_a_limit_for_all() -> None:
    jobs, hold = Jobs(), threading.Event()

    def work(say: Any, cancel: threading.Event) -> str:
        say(Progress("running"))
        hold.wait(20)
        return "x"

    jobs.start([("a", work)], owner="visitor")
    with pytest.raises(InputError, match="yours is running"):
        jobs.start([("b", work)], owner="visitor")
    for k in range(MOST_ACTIVE - 1):
        jobs.start([("c", work)], owner=f"other {k}")
    with pytest.raises(InputError, match="waiting already"):
        jobs.start([("d", work)], owner="late")
    jobs.cancel_all()
    hold.set()


def test_data_given_twice_is_refused(engine: Engine, tmp_path: Path) -> None:
    request: Any = SimpleNamespace(session_hash="s")
    with pytest.raises(InputError, match="given twice"):
        Evaluate(engine, ["classification"]).start(
            "classification",
            "digits",
            str(tmp_path),
            None,
            None,
            ["digits_cnn"],
            [],
            0,
            0,
            "fp32",
            "",
            None,
            None,
            None,
            request,
        )


def test_messages_are_text_and_name_files_not_folders() -> None:
    def bad() -> None:
        raise InputError("<img src=x> in /tmp/gradio/0123456789abcdef0123/photos.zip")

    with pytest.raises(gr.Error) as error:
        toast(bad)()
    assert "<img" not in error.value.message
    assert shown("/tmp/gradio/0123456789abcdef0123/photos.zip is empty") == "photos.zip is empty"
    assert dict(ALL) == {"kind": "all"}


def test_a_value_that_is_no_choice_any_more_is_none():
    one = Choice(choices=[("A", "a"), ("B", "b")])
    assert one.preprocess("b") == "b"
    assert one.preprocess("gone") is None
    assert one.preprocess(None) is None
    some = Choices(choices=[("A", "a"), ("B", "b")], multiselect=True)
    assert some.preprocess(["b", "gone"]) == ["b"]
    assert some.preprocess([]) == []
    assert some.preprocess(None) is None
    assert Choices(choices=["a"]).preprocess("gone") is None


def test_no_page_begins_with_what_a_profile_has_evaluated(tmp_path):
    store = Store(tmp_path)
    first = evaluate(FakeAdapter(), FakeDataset(10), store, Settings())
    second = evaluate(FakeAdapter(fingerprint="model-2", name="other"), FakeDataset(10), store, Settings())
    assert own(store.runs()) == store.runs()
    set_label(store, second.id, tags=[BY_PROFILE])
    assert [r.id for r in own(store.runs())] == [first.id]
    assert Results(Engine(tmp_path), "classification").default() == [first.id]
    set_label(store, first.id, tags=[BY_PROFILE])
    assert len(own(store.runs())) == 2
